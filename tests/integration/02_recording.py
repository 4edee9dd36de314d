"""A session that records becomes a playable, downloadable recording, and only an explicit delete removes it."""
from harness import StackTest, ffprobe_frames, http, main


class Recording(StackTest):
    def record(self, segments=3):
        stream = self.start(record=True)
        self.wait_for(f"{segments} segments", lambda: len(self.playlist(stream).segments) >= segments)
        stopped = self.stop()
        self.assertEqual(stopped["recording"]["id"], stream["session"])
        url = f"{self.url}/api/v1/recordings/{stream['session']}"
        self.wait_for("the recording", lambda: http(url).status == 200, 30)
        return stream, url, http(url).json()

    def test_record_play_download_delete(self):
        stream, url, recording = self.record()
        self.assertEqual(recording["camera"], "cam-1")
        self.assertGreaterEqual(recording["segments"], 3)
        playlist = http(self.url + recording["urls"]["hls"])
        self.assertEqual(playlist.status, 200)
        self.assertIn("#EXT-X-PLAYLIST-TYPE:VOD", playlist.text())
        self.assertTrue(playlist.text().rstrip().endswith("#EXT-X-ENDLIST"))
        by_hls = ffprobe_frames(self.url + recording["urls"]["hls"])
        by_download = ffprobe_frames(self.url + recording["urls"]["download"])
        self.assertEqual(by_hls, by_download)
        self.assertGreaterEqual(by_hls, 3 * 29)
        poster = http(self.url + recording["urls"]["poster"])
        self.assertEqual(poster.body[:3], b"\xff\xd8\xff")
        ranged = http(self.url + recording["urls"]["download"], headers={"Range": "bytes=0-11"})
        self.assertEqual((ranged.status, len(ranged.body)), (206, 12))
        self.assertEqual(ranged.body[4:8], b"ftyp")
        whole = http(self.url + recording["urls"]["download"]).body
        self.assertLess(whole.index(b"moov"), whole.index(b"mdat"), "the index must stand in front")

        verified = self.belfryctl("verify", str(self.media / "cam-1" / stream["session"]))
        self.assertIn(b"authentic", verified.stdout)

        self.assertEqual(http(url, "PATCH", {"protected": True, "title": "First light"}).status, 200)
        self.assertEqual(http(url).json()["title"], "First light")
        self.assertEqual(http(url, "DELETE").status, 409)
        self.assertEqual(http(url, "PATCH", {"protected": False}).status, 200)
        self.assertIn(http(url, "DELETE").status, (200, 204))
        self.assertEqual(http(url).status, 404)
        self.wait_for("the files to go", lambda: not (self.media / "cam-1" / stream["session"]).exists())

    def test_a_changed_byte_is_found(self):
        stream, _, _ = self.record(2)
        folder = self.media / "cam-1" / stream["session"]
        segment = folder / "seg-1.m4s"
        data = bytearray(segment.read_bytes())
        data[len(data) // 2] ^= 1
        segment.write_bytes(data)
        done = self.belfryctl("verify", str(folder), check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(b"seg-1.m4s", done.stdout + done.stderr)

    def test_snapshot(self):
        stream = self.start()
        answer = http(self.camera_url(what="/snapshot"), "POST", {})
        self.assertEqual(answer.status, 201, answer.body)
        picture = http(self.url + answer.json()["url"])
        self.assertEqual(picture.body[:3], b"\xff\xd8\xff")
        self.assertTrue(stream["session"] in answer.json()["url"])
        self.stop()


if __name__ == "__main__":
    main()
