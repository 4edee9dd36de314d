"""The main path: start brings up the camera, the answer comes when it plays, a stop leaves nothing."""
import unittest

from harness import Playlist, StackTest, ffprobe_frames, http, in_threads, main


class StartPlayStop(StackTest):
    def test_1_start_answers_when_playable(self):
        answer = http(self.camera_url(what="/stream"), "POST", {})
        self.assertEqual(answer.status, 201, answer.body)
        stream = answer.json()
        self.assertEqual(stream["state"], "live")
        self.assertIn(stream["session"], stream["urls"]["hls"])
        playlist = self.playlist(stream)
        self.assertTrue(playlist.independent, playlist.text)
        self.assertEqual(self.fetch(stream, playlist.map).status, 200)
        part = self.fetch(stream, playlist.parts[0])
        self.assertEqual(part.status, 200)
        self.assertEqual(part.body[4:8], b"moof")

    def test_2_second_start_is_the_running_session(self):
        first = self.start()
        answer = http(self.camera_url(what="/stream"), "POST", {"record": False})
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.json()["session"], first["session"])

    def test_3_parallel_starts_make_one_session(self):
        self.stop()
        sessions = {s["session"] for s in in_threads(12, lambda _: self.start())}
        self.assertEqual(len(sessions), 1)

    def test_4_blocking_reload_and_hinted_part(self):
        stream = self.start()
        before = self.playlist(stream)
        last = before.media_sequence + len(before.segments)
        after = self.playlist(stream, f"?_HLS_msn={last}")
        self.assertGreater(after.media_sequence + len(after.segments), last)
        hinted = self.fetch(stream, self.playlist(stream).hint)
        self.assertEqual(hinted.status, 200)
        self.assertEqual(hinted.body[4:8], b"moof")
        self.assertEqual(http(self.url + stream["urls"]["hls"] + "?_HLS_part=1").status, 400)
        self.assertEqual(http(self.url + stream["urls"]["hls"] + f"?_HLS_msn={last + 100}").status, 400)

    def test_5_a_stock_player_reads_it(self):
        stream = self.start()
        index = http(self.url + stream["urls"]["index"])
        self.assertEqual(index.status, 200)
        self.assertIn("#EXT-X-STREAM-INF", index.text())
        init = self.fetch(stream, self.playlist(stream).map).body
        self.wait_for("three whole segments", lambda: len(self.playlist(stream).segments) >= 3)
        path = self.stack.root / "joined.mp4"
        names = self.playlist(stream).segments[:3]
        path.write_bytes(init + b"".join(self.fetch(stream, name).body for name in names))
        frames = ffprobe_frames(str(path))
        self.assertGreaterEqual(frames, 3 * 29)

    def test_6_stop_leaves_nothing(self):
        stream = self.start()
        stopped = self.stop()
        self.assertEqual(stopped["state"], "idle")
        final = http(self.url + stream["urls"]["hls"])
        if final.status == 200:  # until the janitor purges it, it is a finished playlist
            self.assertTrue(Playlist(final.text()).ended)
        folder = self.media / "cam-1" / stream["session"]
        self.wait_for("the purge", lambda: not folder.exists(), 20)
        self.assertEqual(http(self.url + stream["urls"]["hls"]).status, 404)
        self.assertEqual(self.camera()["stream"]["state"], "idle")

    def test_7_live_segments_are_trimmed(self):
        stream = self.start()
        folder = self.media / "cam-1" / stream["session"]
        self.wait_for("the first segment to leave the disk", lambda: not (folder / "seg-0.m4s").exists(), 60)
        playlist = self.playlist(stream)
        for name in playlist.segments:
            self.assertEqual(self.fetch(stream, name).status, 200, name)
        self.stop()

    def test_8_article_routes(self):
        started = http(self.url + "/start-streaming-service", "POST", {})
        self.assertEqual(started.status, 200, started.body)
        self.assertEqual(self.camera()["stream"]["state"], "live")
        self.assertEqual(http(self.url + "/start-streaming-service").status, 405)
        self.assertEqual(http(self.url + "/stop-streaming-service", "POST", {}).status, 200)
        self.assertEqual(self.camera()["stream"]["state"], "idle")


if __name__ == "__main__":
    unittest.TestLoader.sortTestMethodsUsing = staticmethod(lambda a, b: (a > b) - (a < b))
    main()
