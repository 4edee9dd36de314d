"""What was signed for another node, site, topic, time or start of a node, or by somebody who may not say it, is refused
under its own counter, once each, and changes nothing: not even where the gateway's own key has signed it."""
import collections
import os
import pathlib
import signal
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))

# pylint: disable=wrong-import-position
from forger import Key, Message, first, parse, with_payload
from harness import main
from open_broker import PREFIX, OpenBrokerTest

HOUR_MS = 3600000


class Misdirected(OpenBrokerTest):
    cameras = 2

    @classmethod
    def prepare(cls, root, build):
        """Age counts between synchronised clocks only; all of these have the same one."""
        os.environ["BELFRY_CLOCK_SYNCED"] = "1"
        super().prepare(root, build)

    def key(self, node):
        return Key(self.stack.site / f"keys/{node}.key")

    def recorded(self, camera):
        """A `desired` of a session that is over, while the camera's start that it was for goes on."""
        topic = f"{PREFIX}/camera/{camera}/desired"
        self.start(camera)
        envelope = self.capture(topic)[0]
        self.stop(camera)
        return topic, envelope

    def attacks(self, own, others):
        """(counter, envelope): each is right in everything but one thing."""
        gateway, insider, stranger = self.key("gateway-1"), self.key("cam-2"), Key()
        message = Message.opened(own).anew(sequence=1 << 40)  # taken, it would lock the gateway out for good
        return [
            ("refused_envelope", own[:-10]),
            ("refused_recipient", others),
            ("refused_recipient", message.but(recipient="cam-2").sealed(gateway)),
            ("refused_site", message.but(site="barn").sealed(gateway)),
            ("refused_site", message.but(site="barn", topic="belfry/v1/barn/camera/cam-1/desired").sealed(gateway)),
            ("refused_topic", message.but(topic=f"{PREFIX}/camera/cam-1/cmd").sealed(gateway)),
            ("refused_sender", message.but(sender="gateway-2").sealed(gateway)),
            ("refused_age", message.but(issued_at_ms=message.header["issued_at_ms"] - HOUR_MS).sealed(gateway)),
            ("refused_age", message.but(issued_at_ms=message.header["issued_at_ms"] + HOUR_MS).sealed(gateway)),
            ("refused_boot_id", message.but(recipient_boot_id=os.urandom(16)).sealed(gateway)),
            ("refused_payload", message.but(ttl_ms=86400001).sealed(gateway)),
            ("refused_key", message.sealed(stranger)),
            ("refused_key", message.sealed(insider)),
            ("refused_signature", message.sealed(stranger, keyid=gateway.keyid)),
            ("refused_signature", with_payload(own, message)),
        ]

    def test_1_a_camera_believes_none_of_it(self):
        topic, own = self.recorded("cam-1")
        others = self.recorded("cam-2")[1]
        watched = self.start("cam-2")
        attacks = self.attacks(own, others)
        before = self.camera()["counters"]
        for _, envelope in attacks:
            self.publish(topic, envelope)
        wanted = collections.Counter(name for name, _ in attacks)

        def counted():
            now = self.camera()["counters"]
            return all(now.get(name, 0) - before.get(name, 0) >= n for name, n in wanted.items())
        self.wait_for("every refusal to be counted", counted)
        now = self.camera()["counters"]
        risen = {name: now[name] - before.get(name, 0) for name in now if name.startswith("refused_")}
        self.assertEqual(risen, dict(wanted))
        self.assertEqual(self.camera()["stream"]["state"], "idle")
        self.newer_part(watched)
        self.stop("cam-2")
        self.assertEqual(self.start()["state"], "live")  # and the gateway is heard as before
        self.stop()

    def test_2_a_gateway_takes_no_state_from_elsewhere(self):
        state = self.capture(f"{PREFIX}/camera/cam-1/state")[0]
        before = self.gateway_counters()
        self.publish(f"{PREFIX}/camera/cam-2/state", state)
        self.publish(f"{PREFIX}/camera/cam-2/evt", state)
        forged = Message.opened(state).anew(sequence=1 << 40).sealed(self.key("cam-2"))
        self.publish(f"{PREFIX}/camera/cam-1/state", forged)
        for name, count in {"refused_topic": 1, "refused_type": 1, "refused_sender": 1}.items():
            self.wait_for(name, lambda name=name, count=count: self.gateway_counters()[name] == before[name] + count)
        self.assertTrue(self.camera("cam-2")["online"])

    def test_3_a_last_will_of_an_earlier_start_is_late(self):
        topic = f"{PREFIX}/camera/cam-2/state"
        self.stack.stop("camera-cam-2", signal.SIGTERM)
        good_bye = self.capture(topic)[0]  # what the last will says, too
        self.assertIsNone(first(parse(first(Message.opened(good_bye).body, 2)), 1))  # not online
        self.wait_for("the camera to be gone", lambda: not self.camera("cam-2")["online"])
        self.stack.start("camera-cam-2")
        self.wait_for("the camera to be back", lambda: self.camera("cam-2")["online"])
        before = self.gateway_counters()["refused_will"]
        self.publish(topic, good_bye)
        self.wait_for("the late will", lambda: self.gateway_counters()["refused_will"] > before)
        self.assertTrue(self.camera("cam-2")["online"])


if __name__ == "__main__":
    main()
