"""The latency profiles, from the request to the records on disk: what each cuts, what is refused, what survives."""
import json
import signal
import statistics
import subprocess

from harness import StackTest, http, main, stack
from journal import Journal

PARTS_A_SEGMENT = {"realtime": 8, "balanced": 5, "economy": 4}
SEGMENT_US = {"realtime": 500000, "balanced": 1000000, "economy": 2000000}
PART_FRAMES = {"realtime": 2, "balanced": 6, "economy": 15}


class Profiles(StackTest):
    cameras = 1

    @classmethod
    def configure(cls, text):
        cls.input_port = stack.free_port()
        text = text.replace("  - id: cam-1\n", "  - id: cam-1\n    transport: udp\n")
        yard = (f"  - id: yard\n    input: udp://127.0.0.1:{cls.input_port}\n    input_source: 127.0.0.1\n"
                "    profile: economy\n")
        return text.replace("cameras:\n", "cameras:\n" + yard, 1)

    def tearDown(self):
        for camera in ("cam-1", "yard"):
            http(self.camera_url(camera, "/stream"), "DELETE")

    def journal(self, stream):
        return Journal(self.media / stream["camera"] / stream["session"] / "journal")

    def journal_of(self, stream, segments):
        self.wait_for(f"{segments} whole segments", lambda: len(self.journal(stream).segments) >= segments, 30)
        return self.journal(stream)

    def check_cuts(self, profile, journal):
        """Frames are counted, not time: a machine that is late makes a frame late or leaves one out."""
        self.assertEqual(journal.start["profile"], profile)
        self.assertEqual(journal.start["segment_us"], SEGMENT_US[profile])
        target_us, whole = journal.start["part_target_us"], [s["msn"] for s in journal.segments[:-1]]
        parts_of = {msn: [p for p in journal.parts if p["msn"] == msn] for msn in whole}
        for parts in parts_of.values():
            self.assertEqual(sum(p["frames"] for p in parts), SEGMENT_US[profile] * 30 // 1000000)
            self.assertTrue(parts[0]["independent"])
            for part in parts[:-1]:
                self.assertLessEqual(part["frames"], PART_FRAMES[profile])
                length_us = part["duration_90k"] * 100 / 9
                self.assertLessEqual(length_us, target_us)
                self.assertGreaterEqual(length_us, 0.85 * target_us)
        usual = statistics.median(len(parts) for parts in parts_of.values())
        self.assertIn(usual - PARTS_A_SEGMENT[profile], (0, 0.5, 1))

    def run_profile(self, profile, segments):
        stream = self.start(profile=profile)
        self.assertEqual(stream["profile"], profile)
        journal = self.journal_of(stream, segments)
        self.check_cuts(profile, journal)
        return stream, journal

    def check_playlist(self, stream, journal):
        text = self.playlist(stream).text
        self.assertIn(f"#EXT-X-PART-INF:PART-TARGET={journal.start['part_target_us'] / 1e6:.6f}".rstrip("0"), text)
        self.assertIn(f"#EXT-X-TARGETDURATION:{journal.start['target_duration_s']}\n", text)

    def test_1_realtime(self):
        stream, journal = self.run_profile("realtime", 6)
        self.assertEqual(journal.start["target_duration_s"], 1)
        self.check_playlist(stream, journal)

    def test_2_balanced(self):
        stream, journal = self.run_profile("balanced", 4)
        self.check_playlist(stream, journal)
        again = self.start(profile="realtime")  # it is running: the answer says as what
        self.assertEqual((again["session"], again["profile"]), (stream["session"], "balanced"))

    def test_3_economy(self):
        stream, journal = self.run_profile("economy", 3)
        self.assertEqual(journal.start["target_duration_s"], 3)
        folder = self.media / "cam-1" / stream["session"]
        joined = self.stack.root / "joined.mp4"
        joined.write_bytes((folder / "init.mp4").read_bytes() + (folder / "seg-1.m4s").read_bytes())
        keys = subprocess.run("ffprobe -v error -select_streams v:0 -show_entries packet=flags -of csv=p=0".split() +
                              [str(joined)], capture_output=True, text=True, check=True).stdout.split()
        self.assertEqual(len(keys), 60)
        self.assertTrue(keys[0].startswith("K"))
        self.assertEqual(sum(k.startswith("K") for k in keys), 2)  # the camera's own GOP, half a segment

    def test_4_the_default_is_configured(self):
        self.assertEqual(self.camera()["profile"], "balanced")
        self.assertEqual(self.camera("yard")["profile"], "economy")
        self.assertIsNone(self.camera()["stream"]["profile"])
        self.assertEqual(self.start()["profile"], "balanced")
        self.assertEqual(self.camera()["stream"]["profile"], "balanced")

    def refused(self, camera="cam-1", **body):
        answer = http(self.camera_url(camera, "/stream"), "POST", body)
        self.assertEqual(answer.status, 400, answer.body)
        return answer.json()

    def test_5_refusals(self):
        problem = self.refused(profile="fast")
        self.assertEqual((problem["field"], problem["accepted"]), ("profile", "realtime, balanced or economy"))
        self.assertEqual(self.refused(profile=1)["field"], "profile")
        problem = self.refused(profile="realtime", gop_ms=1000)
        self.assertEqual((problem["field"], problem["accepted"]), ("gop_ms", "a whole number from 100 to 500"))
        self.assertEqual(self.refused(gop_ms=1001)["accepted"], "a whole number from 100 to 1000")
        self.assertEqual(self.refused("yard", gop_ms=1000)["field"], "gop_ms")
        self.assertEqual(self.camera()["stream"]["state"], "idle")

    def test_6_a_shorter_gop(self):
        stream = self.start(profile="balanced", gop_ms=200)
        journal = self.journal_of(stream, 3)
        self.assertEqual(journal.start["segment_us"], 1000000)
        self.assertGreater(sum(p["independent"] for p in journal.parts), 2 * len(journal.segments))

    def test_7_survives_restarts(self):
        stream = self.start(profile="realtime", record=True)
        self.journal_of(stream, 2)
        self.stack.stop("gateway", signal.SIGKILL)
        self.stack.start("gateway")
        self.stack.wait_ready()
        self.wait_for("the session to be adopted", lambda: self.camera()["stream"]["state"] == "live")
        adopted = self.camera()["stream"]
        self.assertEqual((adopted["session"], adopted["profile"]), (stream["session"], "realtime"))
        self.stack.stop("ingest", signal.SIGKILL)
        self.stack.start("ingest")
        before = len(self.journal(stream).segments)
        self.wait_for("segments after ingest's restart", lambda: len(self.journal(stream).segments) > before + 3, 30)
        journal = self.journal(stream)
        self.assertEqual(journal.start["profile"], "realtime")
        for part in journal.parts[-9:-2]:
            self.assertLessEqual(part["frames"], 2)
        self.assertEqual(self.camera()["stream"]["profile"], "realtime")
        self.all_online()

    def test_8_a_foreign_sender_is_cut_as_asked(self):
        """25 frames a second, a GOP of 12: two measured frames are a part, the GOP is the segment."""
        sender = subprocess.Popen(
            "ffmpeg -v error -re -f lavfi -i testsrc=size=320x240:rate=25 -c:v libx264 -preset ultrafast -tune zerolatency "
            "-g 12 -keyint_min 12 -sc_threshold 0 -f mpegts".split() +
            [f"udp://127.0.0.1:{self.input_port}?pkt_size=1316&localaddr=127.0.0.1"])
        try:
            stream = self.start("yard", profile="realtime")
            self.assertEqual(stream["profile"], "realtime")
            journal = self.journal_of(stream, 5)
        finally:
            sender.kill()
            sender.wait()
        self.assertEqual(journal.start["segment_us"], 480000)
        whole = {s["msn"] for s in journal.segments[:4]}
        self.assertEqual(statistics.median(p["frames"] for p in journal.parts if p["msn"] in whole), 2)

    def test_9_operators_choose_too(self):
        words = self.belfryctl("start", "cam-1", "--profile", "realtime").stdout.decode()
        self.assertIn("profile realtime", words)
        self.assertEqual(self.camera()["stream"]["profile"], "realtime")
        self.assertEqual(json.loads(self.belfryctl("status", "cam-1", "--json").stdout)["profile"], "realtime")
        self.belfryctl("stop", "cam-1")
        refused = self.belfryctl("start", "cam-1", "--profile", "realtime", "--gop-ms", "1000", check=False)
        self.assertEqual(refused.returncode, 1)
        self.assertIn(b"bad_gop", refused.stderr)


if __name__ == "__main__":
    main()
