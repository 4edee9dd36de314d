"""A camera that breaks off and comes back, and the end of the stream: discontinuities, gaps and ENDLIST as the checker sees
them."""
import pathlib
import signal
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "integration"))

from harness import StackTest, main  # noqa: E402 the path comes first

# What cannot hold while a camera is away: new media in time, and dates that follow one another.
AWAY = ("part-in-time", "segment-in-time", "date-steady", "date-now")


class Interruption(StackTest):
    @classmethod
    def expected_dead(cls):
        return {"camera-cam-1"}

    def judge(self, profile):
        stream = self.start(profile=profile)
        command = [str(HERE.parent / "check-hls"), "--seconds", "60", "--until-end", "--profile", profile, "--jitter-ms", "250"]
        for rule in AWAY:
            command += ["--allow", rule]
        with subprocess.Popen([*command, self.url + stream["urls"]["index"]], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True) as checker:
            try:
                self.interrupt(stream)
                self.stop()
                text, _ = checker.communicate(timeout=60)
            finally:
                checker.kill()
        print(text, file=sys.stderr)
        self.assertEqual(checker.returncode, 0, text)
        return text

    def interrupt(self, stream):
        self.segments_after(stream, 0, 4)
        self.stack.stop("camera-cam-1", signal.SIGKILL)
        self.stack.start("camera-cam-1")
        self.wait_for("the discontinuity", lambda: "#EXT-X-DISCONTINUITY\n" in self.playlist(stream).text, 30)
        before = self.playlist(stream)
        self.segments_after(stream, before.media_sequence + len(before.segments), 4)

    def segments_after(self, stream, msn, count):
        def there():
            playlist = self.playlist(stream)
            return playlist.media_sequence + len(playlist.segments) >= msn + count
        self.wait_for(f"{count} segments after {msn}", there)

    def test_realtime(self):
        self.judge("realtime")

    def test_balanced(self):
        self.judge("balanced")


if __name__ == "__main__":
    main()
