"""The data plane does not depend on the control plane, and nothing runs on without its lease."""
import os
import signal
import unittest

from harness import StackTest, http, main


class PartnersGone(StackTest):
    @classmethod
    def expected_dead(cls):
        return {"gateway", "broker", "camera-cam-1"}

    def test_1_broker_restart_is_not_noticed_by_viewers(self):
        stream = self.start()
        self.stack.stop("broker")
        self.newer_part(stream)
        self.newer_part(stream)
        self.stack.start("broker")
        self.all_online()
        self.newer_part(stream)
        self.assertEqual(self.camera()["stream"]["session"], stream["session"])
        self.assertEqual(self.stop()["state"], "idle")

    def test_2_camera_that_comes_back_continues_the_session(self):
        """The next desired puts it back; for viewers it is a discontinuity under the same URL."""
        stream = self.start()
        self.newer_part(stream)
        before = self.playlist(stream)
        self.stack.stop("camera-cam-1", signal.SIGKILL)
        self.stack.start("camera-cam-1")
        self.wait_for("media after the camera's restart", lambda: "#EXT-X-DISCONTINUITY\n" in self.playlist(stream).text, 30)
        self.newer_part(stream)
        after = self.playlist(stream)
        self.assertFalse(after.ended)
        self.assertEqual(after.text.count("#EXT-X-DISCONTINUITY\n"), 1)
        self.assertEqual(after.map, before.map)  # the same pictures: nobody needs another init segment
        self.assertEqual(self.camera()["stream"]["session"], stream["session"])
        self.stop()
        self.all_online()

    def test_3_gateway_gone_ends_the_lease(self):
        stream = self.start(record=True)
        folder = self.media / "cam-1" / stream["session"]
        self.stack.stop("gateway", signal.SIGKILL)
        self.wait_for("the recording of what exists", lambda: (folder / "recording").exists(), 40)
        self.stack.start("gateway")
        self.stack.wait_ready()
        self.all_online()
        self.wait_for("the recording to be listed", lambda: http(
            f"{self.url}/api/v1/recordings/{stream['session']}").status == 200)
        self.assertIn(self.camera()["stream"]["state"], ("idle", "failed"))
        self.assertEqual(self.start()["state"], "live")
        self.stop()

    def test_4_gateway_restart_adopts_what_runs(self):
        stream = self.start()
        self.stack.stop("gateway", signal.SIGKILL)
        self.stack.start("gateway")
        self.stack.wait_ready()
        self.wait_for("the session to be adopted", lambda: self.camera()["stream"]["state"] == "live")
        self.assertEqual(self.camera()["stream"]["session"], stream["session"])
        self.newer_part(stream)
        self.stop()

    def test_5_ingest_that_comes_back_continues_the_session(self):
        stream = self.start()
        self.newer_part(stream)
        self.stack.stop("ingest", signal.SIGKILL)
        before = self.playlist(stream)
        self.assertFalse(before.ended)
        self.stack.start("ingest")
        self.wait_for("media after the restart of ingest",
                      lambda: "#EXT-X-DISCONTINUITY\n" in self.playlist(stream).text, 10)
        after = self.playlist(stream)
        self.assertFalse(after.ended)
        self.assertLessEqual(set(before.parts[-1:]), set(after.parts))  # what viewers had goes on
        self.newer_part(stream)
        self.assertEqual(self.camera()["stream"]["session"], stream["session"])
        self.assertEqual(self.stop()["state"], "idle")
        self.all_online()

    def test_6_camera_that_stood_still_goes_on(self):
        """Shorter than the lease, longer than a connection lives without a word."""
        stream = self.start()
        self.newer_part(stream)
        os.kill(self.stack.pid("camera-cam-1"), signal.SIGSTOP)
        try:
            self.wait_for("the silence to be told", lambda: "no pictures" in self.camera()["stream"]["detail"])
        finally:
            os.kill(self.stack.pid("camera-cam-1"), signal.SIGCONT)
        self.wait_for("media again", lambda: "#EXT-X-DISCONTINUITY\n" in self.playlist(stream).text)
        self.newer_part(stream)
        self.assertEqual(self.camera()["stream"]["session"], stream["session"])
        self.stop()


if __name__ == "__main__":
    unittest.TestLoader.sortTestMethodsUsing = staticmethod(lambda a, b: (a > b) - (a < b))
    main()
