"""GStreamer of Debian 13: its hlsdemux2 speaks Low-Latency HLS by itself, its dashdemux2 plays the manifest. Both
decode every frame, in real time."""
import os
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "integration"))

from harness import StackTest, http, in_threads, main  # noqa: E402 the path comes first

SECONDS = 14
SETTLE_S = 4     # to load, find the live edge and fill the pipeline
FPS = 30
MAKE_ROOT_S = 600
FRAME = re.compile(r"last-message = chain .* pts: (\d+):(\d\d):(\d\d)\.(\d{9}),")


def in_root(*command, timeout, debug=""):
    environment = {**os.environ, "GST_DEBUG": debug}
    return subprocess.run([str(HERE.parent / "in-gst-root"), *command], capture_output=True, text=True, timeout=timeout,
                          env=environment, check=False)


def play(url, debug=""):
    """Plays for some seconds, then interrupts. (what it printed, [presentation time of each decoded frame, ns])."""
    done = in_root("timeout", "--signal=INT", "--kill-after=10", "--preserve-status", str(SECONDS),
                   "gst-launch-1.0", "-v", "playbin3", f"uri={url}", "video-sink=fakesink silent=false sync=true",
                   "audio-sink=fakesink", timeout=SECONDS + 40, debug=debug)
    times = [((int(h) * 60 + int(m)) * 60 + int(s)) * 10**9 + int(ns) for h, m, s, ns in FRAME.findall(done.stdout)]
    return done.stdout + done.stderr, times


class GStreamer(StackTest):
    cameras = 3

    @classmethod
    def setUpClass(cls):
        made = in_root(timeout=MAKE_ROOT_S)
        assert made.returncode == 0, made.stderr
        super().setUpClass()
        cls.streams = {}
        for camera, profile in (("cam-1", "balanced"), ("cam-2", "realtime"), ("cam-3", "economy")):
            answer = http(f"{cls.url}/api/v1/cameras/{camera}/stream", "POST", {"profile": profile})
            assert answer.status == 201, answer.body
            cls.streams[profile] = cls.url + answer.json()["urls"]["index"]

    def assert_played(self, text, times):
        complaints = re.findall(r"^(?:ERROR|WARNING).*(?:\n.*debug.*)*", text, re.M)
        self.assertEqual(complaints, [], text[-4000:])
        self.assertGreaterEqual(len(times), (SECONDS - SETTLE_S) * FPS, text[-4000:])
        self.assertTrue(all(a < b for a, b in zip(times, times[1:])), "frames never go back")

    def requests(self):
        """{route: requests answered} of the gateway."""
        found = {}
        text = http(self.url + "/metrics").text()
        for route, count in re.findall(r'_requests_total\{.*route="([^"]+)".*\} (\d+)', text):
            found[route.rsplit("/", 1)[-1]] = found.get(route.rsplit("/", 1)[-1], 0) + int(count)
        return found

    def test_1_low_latency_hls(self):
        profiles = ("balanced", "realtime")
        for text, times in in_threads(2, lambda i: play(self.streams[profiles[i]], "hlsdemux2:6")):
            self.assert_played(text, times)
            parts = set(re.findall(r"/part-(\d+)\.m4s", text))
            reloads = set(re.findall(r"_HLS_msn=\d+&_HLS_part=\d+", text))
            print(f"{len(times)} frames, {len(parts)} parts, {len(reloads)} blocking reloads", file=sys.stderr)
            self.assertGreaterEqual(len(parts), 5 * (SECONDS - SETTLE_S))
            self.assertGreaterEqual(len(reloads), 4 * (SECONDS - SETTLE_S))

    def test_2_plain_hls_and_dash(self):
        before = self.requests()
        addresses = [f"{self.url}/live/cam-1/manifest.mpd", self.streams["economy"]]
        for text, times in in_threads(2, lambda i: play(addresses[i])):
            print(f"{len(times)} frames", file=sys.stderr)
            self.assert_played(text, times)
        parts = self.requests().get("part-{number}.m4s", 0) - before.get("part-{number}.m4s", 0)
        self.assertLessEqual(parts, 4, "what the first test had still asked for")


if __name__ == "__main__":
    main()
