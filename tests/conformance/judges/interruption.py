"""A camera that breaks off and comes back, and the end of the stream: what the checker sees of discontinuities, of
their sequence once they have left the list, and of ENDLIST."""
import pathlib
import re
import signal
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "integration"))

from harness import StackTest, in_threads, main, with_setting  # noqa: E402 the path comes first

PROFILES = ("balanced", "realtime")  # of cam-1 and cam-2
WINDOW_MS = 6000
JITTER_MS = 250
CHECK_S = 90
# What cannot hold while a camera is away: new media in time, and what follows from it. And the multivariant playlist is
# asked for when the stream has just begun: nobody knows its bit rate yet.
AWAY = ("part-in-time", "segment-in-time", "date-now", "decode-time-exact", "bandwidth")
EXERCISED = ("discontinuity-sequence", "discontinuity-sequence-there", "end-final", "end-ignores-directives",
             "end-served")
DISCONTINUITY = "#EXT-X-DISCONTINUITY\n"


class Interruption(StackTest):
    cameras = len(PROFILES)

    @classmethod
    def configure(cls, text):
        return with_setting(text, "ingest", "window_ms", WINDOW_MS)

    @classmethod
    def expected_dead(cls):
        return {"camera-cam-1", "camera-cam-2"}

    def judge(self, camera, profile):
        """What check-hls says of a stream that is interrupted and then stopped."""
        stream = self.start(camera, profile=profile)
        command = [str(HERE.parent / "check-hls"), "--seconds", str(CHECK_S), "--until-end", "--profile", profile,
                   "--jitter-ms", str(JITTER_MS), *(word for rule in AWAY for word in ("--allow", rule))]
        with subprocess.Popen([*command, self.url + stream["urls"]["index"]], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True) as checker:
            try:
                self.interrupt(camera, stream)
                self.stop(camera)
                text, _ = checker.communicate(timeout=CHECK_S)
            finally:
                checker.kill()
        self.assertEqual(checker.returncode, 0, text)
        for rule in EXERCISED:
            self.assertRegex(text, rf"(?m)^ok +\d+  {rule} ")
        return re.search(r"^\d+ requests.*", text, re.M).group()

    def interrupt(self, camera, stream):
        self.wait_for("some segments", lambda: len(self.playlist(stream).segments) >= 4)
        self.stack.stop(f"camera-{camera}", signal.SIGKILL)
        self.stack.start(f"camera-{camera}")
        self.wait_for("the discontinuity", lambda: DISCONTINUITY in self.playlist(stream).text, 30)
        self.wait_for("its leaving the list", lambda: DISCONTINUITY not in self.playlist(stream).text, 30)

    def test_each_profile_at_once(self):
        for told in in_threads(len(PROFILES), lambda i: self.judge(f"cam-{i + 1}", PROFILES[i])):
            print(told, file=sys.stderr)


if __name__ == "__main__":
    main()
