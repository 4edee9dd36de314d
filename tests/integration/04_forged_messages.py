"""Somebody with full access to the broker cannot make a camera do anything: forged, replayed, misdirected, oversized and
plain rubbish messages are refused, counted, logged once a minute and cause, and change nothing."""
import re

from harness import main
from open_broker import PREFIX, OpenBrokerTest


class ForgedMessages(OpenBrokerTest):
    def refused(self, name, act):
        before = self.counter(name)
        act()
        self.wait_for(f"{name} to be counted", lambda: self.counter(name) > before, 20)

    def test_nothing_forged_acts(self):
        desired = f"{PREFIX}/camera/cam-1/desired"
        stream = self.start()
        captured = self.capture(desired)[0]
        ingest = self.capture(f"{PREFIX}/ingest/ingest-1/desired")[0]
        self.stop()
        self.assertEqual(self.camera()["stream"]["state"], "idle")

        self.replay_while_it_runs(desired)
        self.replay_after_restarts(desired)
        self.refused("refused_size", lambda: self.publish(desired, b"\0" * 20000))
        self.refused("refused_envelope", lambda: self.publish(desired, b"start please"))
        flipped = bytearray(captured)
        flipped[len(flipped) // 2] ^= 1
        before = sum(v for k, v in self.camera()["counters"].items() if k.startswith("refused_"))
        self.publish(desired, bytes(flipped))
        self.wait_for("the flipped bit to be refused", lambda: sum(
            v for k, v in self.camera()["counters"].items() if k.startswith("refused_")) > before, 20)
        state = self.capture(f"{PREFIX}/camera/cam-1/state")[0]
        self.refused("refused_type", lambda: self.publish(desired, state))
        self.refused("refused_type", lambda: self.publish(desired, ingest))

        camera = self.camera()
        self.assertEqual(camera["stream"]["state"], "idle")
        self.assertNotEqual(camera["stream"].get("session"), stream["session"])
        log = (self.stack.logs / "camera-cam-1.log").read_text()
        self.assertLessEqual(len(re.findall(r"refused_size|cause=refused_size", log)), 3)
        self.assertEqual(self.start()["state"], "live")

    def replay_while_it_runs(self, topic):
        """A duplicate of a message in force is not acted upon again; one of an ended session neither."""
        stream = self.start()
        captured = self.capture(topic)[0]
        self.refused("duplicate", lambda: self.publish(topic, captured))
        self.stop()
        self.refused("duplicate", lambda: self.publish(topic, captured))
        self.assertEqual(self.camera()["stream"]["state"], "idle", stream)

    def replay_after_restarts(self, topic):
        """After a restart of the camera its new boot id refuses what was captured; after one of the gateway, its epoch does."""
        self.start()
        before_camera = self.capture(topic)[0]
        self.stop()
        self.stack.stop("camera-cam-1")
        self.stack.start("camera-cam-1")
        self.wait_for("the camera to be back", lambda: self.camera()["online"])
        self.start()
        self.refused("refused_boot_id", lambda: self.publish(topic, before_camera))
        before_gateway = self.capture(topic)[0]
        self.stop()
        self.stack.stop("gateway")
        self.stack.start("gateway")
        self.stack.wait_ready()
        self.all_online()
        self.start()
        self.refused("refused_replay", lambda: self.publish(topic, before_gateway))
        self.stop()


if __name__ == "__main__":
    main()
