"""What was signed for another node, site, topic, time or start of a node, or by somebody who may not say it, is refused
under its own counter, once each, and changes nothing: not even where the gateway's own key has signed it."""
import collections
import os
import pathlib
import signal
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))

# pylint: disable=wrong-import-position
from forger import CHANNELS, Key, Message, boot_id, first, pack, parse, with_payload
from harness import http, in_threads, main
from mqtt import Client
from open_broker import PREFIX, OpenBrokerTest

HOUR_MS = 3600000
FAR = 1 << 40  # a sequence, or a generation: taken, it would lock the gateway out for good
DELETE_RECORDING, FATE_PURGE = 2, 3  # proto/janitor.proto
OBSERVED_GENERATION, COUNTERS = 5, 8  # fields of proto/header.proto, NodeStatus


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

    def attacks(self, own, message):
        """(counter, envelope): each is `message` but for one thing; `own` is a genuine envelope of its kind."""
        gateway, insider, stranger = self.key("gateway-1"), self.key("cam-2"), Key()
        topic = message.header["topic"].decode()
        channel = "cmd" if topic.endswith("/desired") else "desired"
        issued_at_ms = message.header["issued_at_ms"]
        return [
            ("refused_envelope", own[:-10]),
            ("refused_recipient", message.but(recipient="cam-2").sealed(gateway)),
            ("refused_site", message.but(site="barn").sealed(gateway)),
            ("refused_site", message.but(site="barn", topic=topic.replace("/home/", "/barn/")).sealed(gateway)),
            ("refused_topic", message.but(topic=f"{topic.rsplit('/', 1)[0]}/{channel}").sealed(gateway)),
            ("refused_sender", message.but(sender="gateway-2").sealed(gateway)),
            ("refused_age", message.but(issued_at_ms=issued_at_ms - HOUR_MS).sealed(gateway)),
            ("refused_age", message.but(issued_at_ms=issued_at_ms + HOUR_MS).sealed(gateway)),
            ("refused_boot_id", message.but(recipient_boot_id=os.urandom(16)).sealed(gateway)),
            ("refused_payload", message.but(ttl_ms=86400001).sealed(gateway)),
            ("refused_key", message.sealed(stranger)),
            ("refused_key", message.sealed(insider)),
            ("refused_signature", message.sealed(stranger, keyid=gateway.keyid)),
            ("refused_signature", with_payload(own, message)),
        ]

    def refused(self, counters, sent):
        """Sends all [(topic, counter, envelope)]: each counter rises by as many as name it, and no other."""
        wanted, before = collections.Counter(name for _, name, _ in sent), counters()
        with Client(self.open_port) as client:
            for topic, _, envelope in sent:
                client.publish(topic, envelope)

        def risen():
            refusals = {name: n - before.get(name, 0) for name, n in counters().items() if name.startswith("refused_")}
            return {name: n for name, n in refusals.items() if n > 0}
        self.wait_for("every refusal", lambda: all(risen().get(name, 0) >= n for name, n in wanted.items()))
        self.assertEqual(risen(), dict(wanted))

    def test_1_a_camera_believes_none_of_it(self):
        topic, own = self.recorded("cam-1")
        others = self.recorded("cam-2")[1]
        watched = self.start("cam-2")
        attacks = [("refused_recipient", others), *self.attacks(own, Message.opened(own).anew(sequence=FAR))]
        self.refused(lambda: self.camera()["counters"], [(topic, *attack) for attack in attacks])
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
        forged = Message.opened(state).anew(sequence=FAR).sealed(self.key("cam-2"))
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

    # --- ingest and janitor -----------------------------------------------------------------------------------------

    def status(self, node):
        """[(field, value)] of what ingest-1 or janitor-1 last said of itself: proto/header.proto, NodeStatus."""
        state = self.capture(f"{PREFIX}/{node[:-2]}/{node}/state")[0]
        return parse(first(Message.opened(state).body, 2))

    def counters(self, node):
        counters = [parse(value) for number, value in self.status(node) if number == COUNTERS]
        return {first(counter, 1).decode(): first(counter, 2, 0) for counter in counters}

    def desired(self, node, sessions):
        """What the gateway wants of a node at the moment, but with these sessions only."""
        genuine = Message.opened(self.capture(f"{PREFIX}/{node[:-2]}/{node}/desired")[0])
        lease = [(1, FAR), *(field for field in parse(first(genuine.body, 2)) if field[0] != 1)]
        body = [(2, pack(lease)), *((3, pack(session)) for session in sessions)]
        return Message(genuine.kind, genuine.header, body).anew(sequence=FAR)

    def deletion(self, recording):
        state = self.capture(f"{PREFIX}/janitor/janitor-1/state")[0]
        header = self.desired("janitor-1", []).header
        return Message("janitor-command", header, [(DELETE_RECORDING, pack([(1, recording.encode())]))]).anew(
            topic=f"{PREFIX}/janitor/janitor-1/cmd", channel=CHANNELS["cmd"], recipient_boot_id=boot_id(state))

    def recording(self):
        """The URL of a new one, and its session."""
        stream = self.start("cam-2", record=True)
        self.newer_part(stream)
        self.stop("cam-2")
        url = f"{self.url}/api/v1/recordings/{stream['session']}"
        self.wait_for("the recording", lambda: http(url).status == 200)
        return url, stream["session"]

    def forged(self, streams):
        """{node: messages that would end or delete what there is}"""
        purged = [[(1, session.encode()), (2, camera.encode()), (3, FATE_PURGE)] for camera, session in streams]
        return {"janitor-1": [self.deletion(streams[1][1]), self.desired("janitor-1", purged)],
                "ingest-1": [self.desired("ingest-1", [])]}

    def test_4_ingest_and_janitor_neither(self):
        url, recorded = self.recording()
        stream = self.start("cam-1", record=True)
        forged = self.forged([("cam-1", stream["session"]), ("cam-2", recorded)])

        def attack(i):
            node = list(forged)[i]
            sent = [(message.header["topic"].decode(), *one) for message in forged[node]
                    for one in self.attacks(message.anew().sealed(self.key("gateway-1")), message)]
            self.refused(lambda: self.counters(node), sent)
            self.assertLess(first(self.status(node), OBSERVED_GENERATION), FAR)
        in_threads(len(forged), attack)
        self.newer_part(stream)
        self.assertEqual(self.camera()["stream"]["session"], stream["session"])
        self.assertEqual(http(url).status, 200)
        self.unforged_they_count(forged, url)

    def unforged(self, message):
        self.publish(message.header["topic"].decode(), message.anew().sealed(self.key("gateway-1")))

    def unforged_they_count(self, forged, url):
        """The same messages with nothing wrong: so it was what was wrong with them that had them refused."""
        deletion, *desired = [message for messages in forged.values() for message in messages]
        self.unforged(deletion)
        self.wait_for("the recording to be deleted", lambda: http(url).status == 404)
        for message in desired:
            self.unforged(message)
        for node in forged:
            self.wait_for(f"{node} to obey", lambda node=node: first(self.status(node), OBSERVED_GENERATION) == FAR)
        self.wait_for("the session's end", lambda: self.camera()["stream"]["state"] != "live")


if __name__ == "__main__":
    main()
