"""The checker and parsers of others against a real stack: three cameras, one of each profile, judged at the same
time."""
import json
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "integration"))

from harness import StackTest, http, in_threads, main, with_setting  # noqa: E402 the path comes first

PROFILES = {"cam-1": "balanced", "cam-2": "realtime", "cam-3": "economy"}
SECONDS = {"balanced": 60, "realtime": 35, "economy": 40}
JITTER_MS = 250      # other tests share the machine
WINDOW_MS = 21000    # longer than the skip boundary of every profile: delta updates have something to leave out
PARSER_S = 15
PROBE_S = 6
FPS = 30


class Playlists(StackTest):
    cameras = len(PROFILES)

    @classmethod
    def configure(cls, text):
        return with_setting(text, "ingest", "window_ms", WINDOW_MS)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.reports = {}
        cls.streams = {}
        for camera, profile in PROFILES.items():
            answer = http(f"{cls.url}/api/v1/cameras/{camera}/stream", "POST", {"profile": profile})
            assert answer.status == 201, answer.body
            cls.streams[profile] = answer.json()
        # They run beside the other judges, as viewers do; the last test reads what they found.
        cls.checkers = {profile: cls.check_hls(camera, profile) for camera, profile in PROFILES.items()}

    @classmethod
    def tearDownClass(cls):
        for checker in cls.checkers.values():
            checker.kill()
            checker.communicate()
        super().tearDownClass()

    @classmethod
    def check_hls(cls, camera, profile):
        # A machine that is busy elsewhere may cost the camera a frame: decode times then do not go on exactly.
        command = [HERE.parent / "check-hls", "--seconds", str(SECONDS[profile]), "--profile", profile, "--require",
                   "--jitter-ms", str(JITTER_MS), "--allow", "decode-time-exact", f"{cls.url}/live/{camera}/index.m3u8"]
        return subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def index(self, profile):
        return self.url + self.streams[profile]["urls"]["index"]

    def test_1_hls_parser_in_strict_mode(self):
        def parse(profile):
            done = subprocess.run(["node", str(HERE / "strict-parser.mjs"), self.index(profile), str(PARSER_S)],
                                  capture_output=True, text=True, timeout=PARSER_S + 30, check=False)
            self.assertEqual(done.returncode, 0, done.stderr)
            return json.loads(done.stdout)
        parsed = dict(zip(self.streams, in_threads(len(self.streams), lambda i: parse(list(self.streams)[i]))))
        print(f"hls-parser: {parsed}", file=sys.stderr)
        for profile, counts in parsed.items():
            self.assertGreaterEqual(counts["plain"], PARSER_S, profile)
            self.assertGreaterEqual(counts["delta"], PARSER_S // 2, profile)
            self.assertEqual(counts["blocking"] > 0, profile != "economy", profile)

    def test_2_ffprobe_as_a_classic_client(self):
        def probe(profile):
            done = subprocess.run(["ffprobe", "-v", "error", "-count_frames", "-read_intervals", f"%+{PROBE_S}",
                                   "-of", "json", "-show_entries",
                                   "stream=codec_name,width,height,avg_frame_rate,nb_read_frames",
                                   self.index(profile)], capture_output=True, text=True, timeout=90, check=False)
            self.assertEqual((done.returncode, done.stderr.strip()), (0, ""), profile)
            stream, = json.loads(done.stdout)["streams"]
            self.assertEqual((stream["codec_name"], stream["width"], stream["height"]), ("h264", 640, 480))
            self.assertAlmostEqual(int(stream["nb_read_frames"]), PROBE_S * FPS, delta=FPS)
        in_threads(len(self.streams), lambda i: probe(list(self.streams)[i]))

    def test_3_check_hls(self):
        for profile, checker in self.checkers.items():
            with self.subTest(profile):
                text, _ = checker.communicate(timeout=SECONDS[profile] + 60)
                told = re.findall(r"^(?:VIOLATED|not exercised).*(?:\n {29}- .*)*|^\d+ requests.*\n.*", text, re.M)
                print(f"check-hls, {profile}:\n" + "\n".join(told), file=sys.stderr)
                self.assertEqual(checker.returncode, 0, text)


if __name__ == "__main__":
    main()
