"""Each service is killed and begun again, in each state that a stream can be in.

A state is held by a partner that stands still: a start waits for a camera that is frozen, a recording for a frozen janitor."""
import contextlib
import time
import unittest

import report
from processes import ProcessTest, in_words
from harness import http

SERVICES = ("camera-cam-1", "ingest", "gateway", "janitor")
ADOPTED_S = 2
BUSY_MACHINE = 2  # what a row may take on top: other suites run beside it


class Killed(ProcessTest):
    def row(self, name, state, promise, figure):
        report.measured(f"{name.split('-')[0]} killed and restarted, stream {state}", promise, figure)

    # --- idle --------------------------------------------------------------------------------------------------------

    def idle(self, name):
        before = self.connections_of(name)
        began = self.restart(name)
        back = self.since(f"{name} at the broker", lambda: self.connections_of(name) > before, began)
        self.all_online()
        self.assertEqual(self.camera()["stream"]["state"], "idle")
        self.assert_usable()
        self.row(name, "idle", "back by itself; the next start comes up", f"back at the broker after {in_words(back)}")

    # --- starting ----------------------------------------------------------------------------------------------------

    def starting(self, name):
        with self.frozen("camera-cam-1"):
            request = self.post(record=True)
            asked = self.wait_state("starting")
            self.wait_detail("the camera to send")
            began = self.restart(name)
        told = request.told()
        known = time.monotonic() - began
        after = self.wait_state("live", "failed", "idle")
        end = self.outcome(asked, after)
        if after["state"] == "live":
            self.newer_part(after)
            self.assert_own_media(after)
            self.stop()
        self.assert_usable()
        self.row(name, "starting", "the start ends in live, or in a reason", f"told “{told}” after {in_words(known)}; {end}")

    def outcome(self, asked, after):
        """An accepted start is never just gone."""
        if after["state"] == "live":
            self.assertEqual(after["session"], asked["session"])
            return "the session came up"
        self.assertEqual(after["state"], "failed", after)
        self.assertTrue(after["error"]["detail"], after)
        return f"undone: {after['error']['code']}"

    # --- live --------------------------------------------------------------------------------------------------------

    def live(self, name):
        stream = self.start(record=True)
        self.newer_part(stream)
        check = self.live_gap if name in ("camera-cam-1", "ingest") else self.live_whole
        figure = check(name, stream)
        self.assertEqual(self.camera()["stream"]["session"], stream["session"])
        self.assert_own_media(stream)
        self.stop()
        self.row(name, "live", *figure[:1], f"{figure[1]}; the recording is {self.verdict(stream['session'])}")

    def live_gap(self, name, stream):
        before = self.discontinuities(stream)
        began = self.restart(name)
        took = self.since(f"pictures after {name}", lambda: self.discontinuities(stream) > before, began)
        self.newer_part(stream)
        self.assertFalse(self.playlist(stream).ended)
        return "goes on under the same URL as a discontinuity", f"pictures {in_words(took)} after the restart"

    def live_whole(self, name, stream):
        viewer = self.viewer(stream)
        began = self.restart(name)
        took = self.since("the adopted stream", lambda: self.camera()["stream"]["state"] == "live", began)
        if name == "gateway":
            self.assertLessEqual(took, ADOPTED_S * BUSY_MACHINE, "adopted")
        self.went_on(viewer)
        viewer.finish()
        self.assertEqual(viewer.errors, [])
        self.assertEqual(self.discontinuities(stream), 0)
        adopted = f"adopted after {in_words(took)}, " if name == "gateway" else ""
        promise = "adopted within 2 s, viewers go on" if name == "gateway" else "nobody notices"
        return promise, f"{adopted}{len(viewer.fetched)} parts fetched, none missed"

    # --- stopping ----------------------------------------------------------------------------------------------------

    def stopping(self, name):
        stream = self.start(record=True)
        self.newer_part(stream)
        with self.frozen("camera-cam-1"):
            request = self.delete()
            self.wait_detail("the camera to switch off")
            began = self.restart(name)
        told = request.told()
        after = self.wait_state("idle", "failed")
        self.assertEqual(after["state"], "idle", after)
        took = time.monotonic() - began
        verdict = self.verdict(stream["session"])
        self.assert_usable()
        self.row(name, "stopping", "the stop is completed, the recording stays",
                 f"told “{told}”, idle after {in_words(took)}, the recording is {verdict}")

    # --- recording ---------------------------------------------------------------------------------------------------

    def recorded(self, name):
        """Between the end of the session and its recording, then with the recording there."""
        stream = self.start(record=True)
        self.newer_part(stream)
        with self.frozen("janitor"):
            request = self.delete()
            self.wait_detail("the janitor")
            self.restart(name)
        told = request.told()
        verdict = self.verdict(stream["session"])
        self.wait_listed(stream["session"])
        self.restart(name)
        self.all_online()
        self.wait_listed(stream["session"])
        self.assertEqual(self.verdict(stream["session"]), verdict)
        self.row(name, "recorded", "every finished session becomes a recording, once",
                 f"told “{told}”; listed and {verdict}, also after another kill")

    def wait_listed(self, session):
        self.wait_for("the recording to be listed", lambda: http(
            f"{self.url}/api/v1/recordings/{session}").status == 200, 30)
        self.assertEqual(self.recordings().count(session), 1)

    # --- the table ---------------------------------------------------------------------------------------------------

    def one(self, state, name):
        with self.subTest(state=state, service=name):
            with contextlib.ExitStack() as after:
                after.callback(self.settle)
                getattr(self, state)(name)

    def each(self, state, in_ci):
        for name in SERVICES if report.OPTIONS.full else in_ci:
            self.one(state, name)

    def test_1_idle(self):
        self.each("idle", ())

    def test_2_starting(self):
        self.each("starting", ("gateway",))

    def test_3_live(self):
        self.each("live", ())  # recovery.py has them, with times

    def test_4_stopping(self):
        self.each("stopping", ())

    def test_5_recorded(self):
        self.each("recorded", ("janitor",))


if __name__ == "__main__":
    unittest.TestLoader.sortTestMethodsUsing = staticmethod(lambda a, b: (a > b) - (a < b))
    report.main(__doc__.splitlines()[0])
