"""Each service stands still (SIGSTOP) for longer than the lease, then wakes up to orders of a time that is over."""
import contextlib
import time
import unittest

import report
from harness import http, with_setting
from processes import ProcessTest, in_words, when_full
from states import InEachState

LEASE_S = 3
FROZEN_S = 1.5 * LEASE_S
LATE_S = 1.0  # what a busy machine may add to a deadline


def with_lease(text):
    return with_setting(text, "gateway", "lease_ms", 1000 * LEASE_S)


class Frozen(ProcessTest):
    @classmethod
    def configure(cls, text):
        return with_lease(text)

    def row(self, what, promise, figure):
        report.measured(f"{what} (lease {LEASE_S} s)", promise, figure)

    def begin(self):
        stream = self.start(record=True)
        self.newer_part(stream)
        return stream

    def last(self, began, seconds=FROZEN_S):
        """Until the fault has lasted for so long."""
        self.wait_for(f"{seconds} s", lambda: time.monotonic() - began >= seconds)

    def after_log(self, name, text, mark, began):
        self.wait_log(name, text, mark)
        return time.monotonic() - began

    def sessions(self):
        return {p.name for p in (self.media / "cam-1").iterdir()}

    # --- gateway -----------------------------------------------------------------------------------------------------

    def test_1_gateway(self):
        """Nobody renews: camera and ingest stop by themselves; the woken gateway does not bring the session back."""
        stream = self.begin()
        camera, ingest = self.log_size("camera-cam-1"), self.log_size("ingest")
        with self.frozen("gateway"):
            began = time.monotonic()
            off = self.after_log("camera-cam-1", f"msg=\"stopped\" session={stream['session']}", camera, began)
            ended = self.after_log("ingest", f"msg=\"session ended\" session={stream['session']}", ingest, began)
            verdict = self.verdict(stream["session"])
            written = self.media_of(stream)
            camera = self.log_size("camera-cam-1")
        woken = time.monotonic()
        after = self.wait_state("failed", "idle")
        shown = time.monotonic() - woken
        self.all_online()
        self.assertLessEqual(off, LEASE_S + LATE_S)
        self.assertLessEqual(ended, LEASE_S + LATE_S)
        self.assertEqual((after["state"], after["error"]["code"]), ("failed", "session_ended"))
        self.assertIn("lease_expired", after["error"]["detail"])
        self.assertNotIn('msg="streaming"', self.log("camera-cam-1")[camera:])
        self.assertEqual(self.media_of(stream), written)
        self.assert_usable()
        self.row("gateway frozen, stream live", "camera and ingest stop within the lease; the woken gateway says so",
                 f"camera off after {in_words(off)}, session ended after {in_words(ended)} and {verdict}; woken, the API says "
                 f"“{after['error']['code']}” after {in_words(shown)}")

    # --- camera ------------------------------------------------------------------------------------------------------

    @when_full
    def test_2_camera_that_was_stopped_meanwhile(self):
        """The orders that wait in its socket are of a session that is over."""
        stream = self.begin()
        with self.frozen("camera-cam-1"):
            began = time.monotonic()
            request = self.delete()
            told = request.told()
            self.assertEqual(self.wait_state("idle", "failed")["state"], "idle")
            verdict = self.verdict(stream["session"])
            self.last(began)
            written, sessions = self.media_of(stream), self.sessions()
            mark = self.log_size("camera-cam-1")
        self.wait_log("camera-cam-1", f"msg=\"stopped\" session={stream['session']}", mark)
        fresh = self.assert_usable()
        self.assertEqual(self.media_of(stream), written)
        self.assertEqual(self.sessions() - sessions, {fresh["session"]})
        self.row("camera frozen, its stream stopped meanwhile", "the stop is answered; the woken camera adds nothing to any session",
                 f"told “{told}”, recording {verdict}; woken, the camera stops, not a byte was added")

    @when_full
    def test_3_camera_that_is_still_wanted(self):
        stream = self.begin()
        before = self.discontinuities(stream)
        with self.frozen("camera-cam-1"):
            began = time.monotonic()
            self.wait_detail("no pictures")
            told = time.monotonic() - began
            self.last(began)
        woken = time.monotonic()
        took = self.since("pictures", lambda: self.discontinuities(stream) > before, woken)
        self.newer_part(stream)
        self.assertEqual(self.camera()["stream"]["session"], stream["session"])
        self.assert_own_media(stream)
        self.stop()
        self.row("camera frozen, stream live", "the API says so; goes on under the same URL",
                 f"“no pictures” after {in_words(told)}; woken, pictures after {in_words(took)}; {self.verdict(stream['session'])}")

    # --- ingest, janitor -------------------------------------------------------------------------------------------

    @when_full
    def test_4_ingest(self):
        """Its lease ran out while it stood still: what it has is finalised, and nothing of the session comes after that."""
        stream = self.begin()
        with self.frozen("ingest"):
            self.last(time.monotonic())
        woken = time.monotonic()
        after = self.wait_state("failed", "idle")
        shown = time.monotonic() - woken
        self.assertTrue(after["error"]["detail"])
        verdict = self.verdict(stream["session"])
        self.assert_usable()
        self.row("ingest frozen, stream live", "the session is finalised; the API gives the reason",
                 f"woken, “{after['error']['code']}” after {in_words(shown)}; the recording is {verdict}")

    @when_full
    def test_5_janitor(self):
        stream = self.begin()
        with self.frozen("janitor"):
            viewer = self.viewer(stream)
            self.last(time.monotonic())
            self.went_on(viewer)
            viewer.finish()
            self.assertEqual(viewer.errors, [])
            request = self.delete()
            told = request.told()
        verdict = self.verdict(stream["session"])
        self.assert_usable()
        self.row("janitor frozen, stream live, then stopped", "no viewer notices; woken, it makes the recording",
                 f"{len(viewer.fetched)} parts fetched, none missed; stop told “{told}”; the recording is {verdict}")

    @when_full
    def test_6_all_at_once(self):
        """As when a machine is suspended: nobody saw the time pass, and the lease is over for all."""
        stream = self.begin()
        known = self.playlist(stream).parts[-1]
        with contextlib.ExitStack() as frozen:
            for name in ("camera-cam-1", "gateway", "ingest", "janitor"):
                frozen.enter_context(self.frozen(name))
            self.last(time.monotonic())
        woken = time.monotonic()
        end = self.wait_for("what becomes of it", lambda: self.end_of(stream, known))
        shown = time.monotonic() - woken
        self.all_online()
        verdict = self.verdict(stream["session"])
        self.assert_usable()
        self.row("all four frozen together", "the session ends as its lease says, or goes on; the API tells which",
                 f"{end} after {in_words(shown)}; the recording is {verdict}")

    def end_of(self, stream, known):
        """None: not clear yet. Going on means that the last part before has left the playlist."""
        now = self.stream_now()
        if now["state"] == "failed":
            return f"“{now['error']['code']}”"
        if now["state"] != "live" or known in self.playlist(stream).parts:
            return None
        self.stop()
        return "goes on"


class FrozenInEachState(InEachState):
    """The states beside live, which is above."""
    FAULT = "frozen"
    REPORTED_AS = f"{{service}} {{fault}}, stream {{state}} (lease {LEASE_S} s)"

    @classmethod
    def configure(cls, text):
        return with_lease(text)

    def befall(self, name):
        with self.frozen(name):
            began = time.monotonic()
            self.wait_for("it to last", lambda: time.monotonic() - began >= FROZEN_S)
        return time.monotonic()

    def is_back(self, name, before):
        """It never left; it answers, or its word is heard."""
        return http(f"{self.url}/readyz").status == 200 and self.camera()["online"]

    def test_1_idle(self):
        self.each("idle")

    def test_2_starting(self):
        self.each("starting")

    def test_3_stopping(self):
        self.each("stopping")

    def test_4_recorded(self):
        self.each("recorded")


if __name__ == "__main__":
    unittest.TestLoader.sortTestMethodsUsing = staticmethod(lambda a, b: (a > b) - (a < b))
    report.main(__doc__.splitlines()[0])
