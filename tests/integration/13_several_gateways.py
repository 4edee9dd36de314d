"""Several gateways on one media directory: one orders, the others only serve (gateway.media_only), and viewers of any of
them see the same."""
import os
import pathlib
import signal
import subprocess
import threading
import time
import unittest
import urllib.request

from gateways import MediaOnlyTest
from harness import Playlist, http, main


class Follower(threading.Thread):
    """A viewer: reloads the playlist as a low-latency client does, fetches every new part, and keeps what went wrong."""

    def __init__(self, base):
        super().__init__(daemon=True)
        self.base, self.enough = base, threading.Event()
        self.parts, self.errors, self.longest_gap = [], [], 0.0

    def run(self):
        try:
            self.follow()
        except (OSError, AssertionError) as e:
            self.errors.append(repr(e))

    def follow(self):
        playlist = Playlist(http(f"{self.base}/media.m3u8").text())
        self.parts.append(playlist.parts[-1])
        last = time.monotonic()
        while not self.enough.is_set():
            answer = http(f"{self.base}/{playlist.hint}")
            if answer.status != 200:
                self.errors.append(f"{playlist.hint}: {answer.status}")
                return
            self.longest_gap = max(self.longest_gap, time.monotonic() - last)
            last = time.monotonic()
            self.parts.append(playlist.hint)
            playlist = Playlist(http(f"{self.base}/media.m3u8").text())


class SeveralGateways(MediaOnlyTest):
    media_only = ("media-1", "media-2")

    def base_of(self, at, stream):
        return at + stream["urls"]["hls"].rsplit("/", 1)[0]

    # --- tests -----------------------------------------------------------------------------------------------------

    def test_01_nothing_runs_and_all_say_so(self):
        for base in self.everywhere():
            self.assertEqual(self.shown(base)["state"], "idle")
            self.assertEqual(http(base + "/live/cam-1/index.m3u8").status, 404)
            self.assertEqual(http(base + "/healthz").status, 200)

    def test_02_page_and_description(self):
        for base in self.everywhere():
            page = http(base + "/")
            self.assertIn("<!doctype html>", page.text().lower())
            self.assertEqual(http(base + "/web/app.js").status, 200)
            self.assertEqual(http(base + "/openapi.json").json()["openapi"][:3], "3.1")
            self.assertIn("belfry_http_requests_total", http(base + "/metrics").text())

    def test_03_a_new_session_is_picked_up(self):
        stream = self.start()
        self.wait_shown("the session", lambda s: s["session"] == stream["session"] and s["state"] == "live")
        for base in self.everywhere():
            shown = self.shown(base)
            self.assertEqual(shown["urls"], stream["urls"])
            self.assertEqual(shown["started_at"], stream["started_at"])
            self.assertTrue(http(base + "/api/v1/cameras/cam-1").json()["online"])
            index = http(base + shown["urls"]["index"])
            self.assertEqual(index.status, 200)
            self.assertIn(f"{stream['session']}/media.m3u8", index.text())

    def test_04_the_same_bytes_for_the_same_state(self):
        stream = self.start()
        seen = {}  # last part and segment -> what each gateway showed then

        def collect():
            for number, base in enumerate(self.everywhere()):
                text = http(self.base_of(base, stream) + "/media.m3u8").text()
                playlist = Playlist(text)
                seen.setdefault((playlist.parts[-1], *playlist.segments[-1:]), {})[number] = text
            return sum(len(texts) == 3 for texts in seen.values()) >= 5
        self.wait_for("five states that all three have shown", collect, 30)
        for texts in seen.values():
            for text in texts.values():
                self.assertEqual(text, next(iter(texts.values())))

    def test_05_parts_are_served_by_all_while_it_runs(self):
        stream = self.start()
        self.wait_for("a whole segment", lambda: self.playlist(stream).segments)
        playlist = self.playlist(stream)
        for name in [playlist.map, playlist.parts[0], playlist.segments[-1], playlist.hint]:
            answers = [http(f"{self.base_of(base, stream)}/{name}") for base in self.everywhere()]
            self.assertEqual([a.status for a in answers], [200, 200, 200], name)
            self.assertEqual(len({a.body for a in answers}), 1, name)

    def test_06_blocking_reload_is_held_by_all(self):
        stream = self.start()
        for base in self.everywhere():
            url = self.base_of(base, stream) + "/media.m3u8"
            before = Playlist(http(url).text())
            after = Playlist(http(f"{url}?_HLS_msn={before.media_sequence + len(before.segments)}").text())
            self.assertGreater(after.media_sequence + len(after.segments), before.media_sequence + len(before.segments))
            self.assertEqual(http(url + "?_HLS_part=1").status, 400)

    def test_07_what_changes_state_is_refused(self):
        stream = self.start()
        cases = [("POST", "/api/v1/cameras/cam-1/stream"), ("DELETE", "/api/v1/cameras/cam-1/stream"),
                 ("POST", "/api/v1/cameras/cam-1/snapshot"), ("POST", "/start-streaming-service"),
                 ("POST", "/stop-streaming-service"), ("PATCH", f"/api/v1/recordings/{stream['session']}"),
                 ("DELETE", f"/api/v1/recordings/{stream['session']}")]
        for method, path in cases:
            answer = http(self.at("media-1") + path, method, {} if method != "DELETE" else None)
            self.assertEqual(answer.status, 405, path)
            self.assertEqual(answer.json()["code"], "media_only", path)
            self.assertIn("gateway-1", answer.json()["detail"])
            self.assertEqual("GET" in answer.headers["Allow"], path.startswith("/api") and "snapshot" not in path, path)
        self.assertEqual(self.shown(self.url)["state"], "live")

    def test_08_events_follow_the_directory(self):
        self.stop()
        self.wait_shown("the end", lambda s: s["state"] == "idle")
        with urllib.request.urlopen(self.at("media-1") + "/api/v1/events", timeout=20) as events:
            stream = self.start()
            said = b""
            while stream["session"].encode() not in said:
                line = events.readline()
                self.assertTrue(line, said)
                said += line
        self.assertIn(b"event: camera", said)

    def test_09_one_is_killed_and_viewers_of_the_others_notice_nothing(self):
        stream = self.start()
        self.wait_shown("the session", lambda s: s["state"] == "live")
        viewers = [Follower(self.base_of(base, stream)) for base in (self.url, self.at("media-2"))]
        for viewer in viewers:
            viewer.start()
        self.wait_for("viewers that play", lambda: all(len(v.parts) > 5 for v in viewers))
        self.stack.stop("media-1", signal.SIGKILL)
        at_kill = [len(v.parts) for v in viewers]
        self.wait_for("ten parts more", lambda: all(len(v.parts) >= n + 10 for v, n in zip(viewers, at_kill)))
        for viewer in viewers:
            viewer.enough.set()
            viewer.join(10)
            self.assertEqual(viewer.errors, [])
            self.assertLess(viewer.longest_gap, 1.5)
        self.start_media_only("media-1")  # and it is back as if nothing had been
        self.assertEqual(self.shown(self.at("media-1"))["session"], stream["session"])

    def test_10_the_end_is_seen(self):
        stream = self.start()
        self.wait_shown("the session", lambda s: s["state"] == "live")
        self.stop()
        self.wait_shown("the end", lambda s: s["state"] == "idle" and s["session"] is None)
        for base in self.everywhere():
            self.assertEqual(http(base + stream["urls"]["index"]).status, 404)

    def test_11_recordings_are_listed_by_all(self):
        stream = self.start(record=True)
        self.newer_part(stream)
        self.stop()
        path = f"/api/v1/recordings/{stream['session']}"
        for base in self.everywhere():
            self.wait_for(f"the recording at {base}", lambda base=base: http(base + path).status == 200, 20)
        listed = [http(base + "/api/v1/recordings").json() for base in self.everywhere()]
        self.assertEqual(listed[0], listed[1])
        self.assertEqual(listed[0], listed[2])
        for name in ("vod.m3u8", "download.mp4", "poster.jpg"):
            files = [http(f"{base}/recordings/{stream['session']}/{name}") for base in self.everywhere()]
            self.assertEqual([f.status for f in files], [200, 200, 200], name)
            self.assertEqual(len({f.body for f in files}), 1, name)

        self.assertEqual(http(self.url + path, "PATCH", {"title": "yard", "protected": True}).status, 200)
        for base in self.everywhere():
            self.wait_for(f"the title at {base}", lambda base=base: http(base + path).json()["title"] == "yard", 20)
        self.assertEqual(http(self.url + path, "PATCH", {"protected": False}).status, 200)
        self.assertEqual(http(self.url + path, "DELETE").status, 204)
        for base in self.everywhere():
            self.wait_for(f"the deletion at {base}", lambda base=base: http(base + path).status == 404, 10)

    def test_12_health_without_a_file(self):
        def health():
            return subprocess.run([*map(str, self.command("media-2")), "--health"], capture_output=True, check=False,
                                  env={**os.environ, **self.environment("media-2")}, timeout=10)
        self.assertEqual(health().returncode, 0)
        self.stack.stop("media-2")
        down = health()
        self.assertEqual(down.returncode, 1)
        self.assertIn(b"/healthz does not answer: Connection refused", down.stderr)
        self.start_media_only("media-2")

    def test_13_without_a_bundle_live_is_served_and_recordings_are_not(self):
        self.stack.stop("media-2")
        self.start_media_only("media-2", BELFRY_KEYS_DIR=str(self.stack.root / "no-keys"))
        stream = self.start(record=True)
        self.wait_shown("the session", lambda s: s["state"] == "live")
        self.assertEqual(http(self.base_of(self.at("media-2"), stream) + "/media.m3u8").status, 200)
        self.stop()
        path = f"/api/v1/recordings/{stream['session']}"
        for name in ("gateway", "media-1"):
            self.wait_for(f"the recording at {name}", lambda name=name: http(self.at(name) + path).status == 200, 20)
        self.assertEqual(http(self.at("media-2") + "/api/v1/recordings").json(), {"recordings": []})
        self.assertIn("recordings are not served", self.stack.tail("media-2", 200))

    def test_14_nothing_was_written_and_no_broker_asked(self):
        self.assertFalse((self.stack.root / "no-state").exists())
        self.assertEqual(sorted(p.name for p in self.public.iterdir()), ["root.pub", "trust.bundle"])
        for name in self.media_only:
            log = pathlib.Path(self.stack.logs / f"{name}.log").read_text()
            self.assertNotIn("broker", log)
            self.assertNotIn("level=error", log)


if __name__ == "__main__":
    unittest.TestLoader.sortTestMethodsUsing = staticmethod(lambda a, b: (a > b) - (a < b))
    main()
