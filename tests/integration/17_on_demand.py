"""Cameras with on_demand: the first viewer starts one, the last one's leaving ends it; a start by hand and a recording stay,
a stop by hand holds. With one that is not on demand beside them."""
import re
import threading
import time
import unittest

from gateways import MediaOnlyTest
from harness import Playlist, http, in_threads, main

IDLE_S = 7  # the least that the configuration takes


class Viewer(threading.Thread):
    """Asks for the playlist as a player does, until it is told to leave."""

    def __init__(self, url, agent):
        super().__init__(daemon=True)
        self.url, self.agent, self.leaves, self.errors = url, agent, threading.Event(), []

    def run(self):
        while not self.leaves.wait(0.3):
            answer = http(self.url, headers={"User-Agent": self.agent})
            if answer.status != 200:
                self.errors.append(answer.status)

    def leave(self):
        self.leaves.set()
        self.join(10)


class OnDemand(MediaOnlyTest):
    cameras = 2
    media_only = ("media-1",)

    @classmethod
    def configure(cls, text):
        return re.sub(r"^( *)- id: cam-1$", rf"\1- id: cam-1\n\1  on_demand: true\n\1  idle_timeout_ms: {IDLE_S * 1000}",
                      text, flags=re.M)

    def index(self, camera="cam-1", base=None, method="GET", agent="first", **headers):
        return http(f"{base or self.url}/live/{camera}/index.m3u8", method, headers={"User-Agent": agent, **headers})

    def stream(self):
        return self.camera()["stream"]

    def wait_state(self, state, deadline_s=15):
        self.wait_for(f"the stream to be {state}", lambda: self.stream()["state"] == state, deadline_s)

    # --- tests -----------------------------------------------------------------------------------------------------

    def test_1_what_does_not_start_it(self):
        self.assertTrue(self.camera()["on_demand"])
        self.assertFalse(self.camera("cam-2")["on_demand"])
        for answer in (self.index(method="HEAD"), self.index(base=self.at("media-1")), self.index("cam-2"),
                       self.index(**{"Sec-Fetch-Site": "cross-site"}), self.index(Origin="https://elsewhere.example")):
            self.assertEqual(answer.status, 404)
        self.assertEqual(http(self.camera_url()).status, 200)
        self.assertEqual(self.stream()["state"], "idle")
        self.assertIn('belfry_on_demand_total{reason="foreign_origin"} 2', http(self.url + "/metrics").text())

    def test_2_the_first_viewer_starts_it_and_the_last_one_ends_it(self):
        first = in_threads(8, lambda i: self.index(agent=f"viewer-{i}"))
        self.assertEqual({a.status for a in first}, {200})
        stream = self.stream()
        self.assertEqual((stream["state"], stream["on_demand"]), ("live", True))
        self.assertEqual(len({a.text() for a in first}), 1)
        self.assertEqual(http(self.url + "/live/cam-1/manifest.mpd").status, 200)

        viewer = Viewer(self.url + stream["urls"]["hls"], "stays")
        viewer.start()
        watched_until = time.monotonic() + IDLE_S + 2
        self.wait_for("longer than the idle time-out", lambda: time.monotonic() > watched_until, IDLE_S + 10)
        self.assertEqual(self.stream()["session"], stream["session"])
        self.assertEqual(self.stream()["state"], "live")
        self.assertEqual(viewer.errors, [])
        viewer.leave()

        self.stack.stop("gateway")  # which is not to forget whose session it is
        self.stack.start("gateway")
        self.wait_state("live", 30)
        self.assertEqual((self.stream()["session"], self.stream()["on_demand"]), (stream["session"], True))
        left = time.monotonic()
        self.wait_state("idle", IDLE_S + 10)
        self.assertGreater(time.monotonic() - left, IDLE_S - 2)
        self.assertIn("nobody watches any more", self.stack.tail("gateway", 200))

    def test_3_a_stop_by_hand_holds_against_those_who_watch(self):
        self.assertEqual(self.index().status, 200)
        Playlist(http(self.url + self.stream()["urls"]["hls"], headers={"User-Agent": "first"}).text())
        self.stop()
        self.assertEqual(self.index().status, 404)
        self.assertEqual(self.stream()["state"], "idle")
        self.assertEqual(self.index(agent="comes anew").status, 200)
        self.assertEqual(self.stream()["state"], "live")

    def test_4_a_start_by_hand_makes_it_stay(self):
        session = self.stream()["session"]  # of a viewer of the test before
        self.assertEqual(self.start(expect=(409,), record=True)["code"], "not_recording")
        self.assertTrue(self.stream()["on_demand"])
        self.assertEqual(self.start()["session"], session)
        self.assertFalse(self.stream()["on_demand"])
        unwatched_until = time.monotonic() + IDLE_S + 3
        self.wait_for("longer than the idle time-out", lambda: time.monotonic() > unwatched_until, IDLE_S + 10)
        self.assertEqual((self.stream()["session"], self.stream()["state"]), (session, "live"))
        self.stop()

    def test_5_a_camera_that_does_not_come(self):
        self.stack.stop("camera-cam-1")
        self.wait_for("the camera to be offline", lambda: not self.camera()["online"])
        answer = self.index(agent="unlucky")
        self.assertEqual(answer.status, 503)
        self.assertGreater(int(answer.headers["Retry-After"]), 0)
        self.assertEqual(answer.json()["code"], "not_started")
        self.assertIn("offline", answer.json()["detail"])
        self.stack.start("camera-cam-1")
        self.wait_for("the camera to be back", lambda: self.camera()["online"])
        self.wait_for("a start for the next viewer", lambda: self.index(agent="lucky").status == 200)

    def test_6_on_demand_is_taken_out_of_the_configuration(self):
        self.assertEqual((self.stream()["state"], self.stream()["on_demand"]), ("live", True))  # of the test before
        config = self.stack.site / "belfry.yml"
        self.stack.stop("gateway")
        config.write_text(config.read_text().replace("on_demand: true", "on_demand: false"))
        self.stack.start("gateway")
        self.wait_state("idle", 30)
        self.assertEqual(self.index(agent="unlucky").status, 404)


if __name__ == "__main__":
    unittest.TestLoader.sortTestMethodsUsing = staticmethod(lambda a, b: (a > b) - (a < b))
    main()
