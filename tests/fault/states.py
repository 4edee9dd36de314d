"""One fault for each service in each state that a stream can be in: what the files that do this have in common.

A state is held by a partner that stands still: a start and a stop wait for a camera that is frozen, a recording for a frozen
janitor."""
import contextlib
import time

import report
from harness import http
from processes import ProcessTest, in_words

SERVICES = ("camera-cam-1", "ingest", "gateway", "janitor")
ADOPTED_S = 2
BUSY_MACHINE = 2  # what a row may take on top: other suites run beside it


class InEachState(ProcessTest):
    FAULT = None  # in words, as the table has them
    SAYS_GOOD_BYE = False  # a gateway that goes answers those who wait with 503 and when to ask again
    IN_CI = {}  # state → services; the others come with --full
    REPORTED_AS = "{service} {fault}, stream {state}"

    def befall(self, name):
        """Does it; the moment from which on the service could act again."""
        raise NotImplementedError

    def is_back(self, name, before):
        """After it. `before`: connections_of(name) then."""
        return self.connections_of(name) > before

    def row(self, name, state, promise, figure):
        report.measured(self.REPORTED_AS.format(service=name.split("-")[0], fault=self.FAULT, state=state), promise, figure)

    # --- idle --------------------------------------------------------------------------------------------------------

    def idle(self, name):
        before = self.connections_of(name)
        began = self.befall(name)
        back = self.since(f"{name} to be back", lambda: self.is_back(name, before), began)
        self.all_online()
        self.assertEqual(self.camera()["stream"]["state"], "idle")
        self.assert_usable()
        self.row(name, "idle", "back by itself; the next start comes up", f"back after {in_words(back)}")

    # --- starting ----------------------------------------------------------------------------------------------------

    def starting(self, name):
        with self.frozen("camera-cam-1"):
            request = self.post(record=True)
            asked = self.wait_state("starting")
            self.wait_detail("the camera to send")
            began = self.befall(name)
        told = request.told()
        known = max(0, time.monotonic() - began)
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
        promise, figure = self.live_check(name)(name, stream)
        self.row(name, "live", promise, f"{figure}; the recording is {self.verdict(stream['session'])}")

    def live_check(self, name):
        return self.live_gap if name in ("camera-cam-1", "ingest") else self.live_whole

    def live_gap(self, name, stream):
        before = self.discontinuities(stream)
        began = self.befall(name)
        took = self.since(f"pictures after {name}", lambda: self.discontinuities(stream) > before, began)
        self.newer_part(stream)
        self.assertFalse(self.playlist(stream).ended)
        self.end_live(stream)
        return "goes on under the same URL as a discontinuity", f"pictures {in_words(took)} after the restart"

    def live_whole(self, name, stream):
        viewer = self.viewer(stream, self.SAYS_GOOD_BYE)
        began = self.befall(name)
        took = self.since("the adopted stream", lambda: self.camera()["stream"]["state"] == "live", began)
        self.went_on(viewer)
        viewer.finish()
        self.assertEqual(viewer.errors, [])
        self.assertEqual(self.discontinuities(stream), 0)
        self.end_live(stream)
        return self.adopted(took, viewer) if name == "gateway" else (
            "nobody notices", f"{len(viewer.fetched)} parts fetched, none missed")

    def adopted(self, took, viewer):
        self.assertLessEqual(took, ADOPTED_S * BUSY_MACHINE, "adopted")
        return ("adopted within 2 s, viewers go on",
                f"adopted after {in_words(took)}, {len(viewer.fetched)} parts fetched, none missed")

    def end_live(self, stream):
        self.assertEqual(self.camera()["stream"]["session"], stream["session"])
        self.assert_own_media(stream)
        self.stop()

    # --- stopping ----------------------------------------------------------------------------------------------------

    def stopping(self, name):
        stream = self.start(record=True)
        self.newer_part(stream)
        with self.frozen("camera-cam-1"):
            request = self.delete()
            self.wait_detail("the camera to switch off")
            began = self.befall(name)
        told = request.told()
        after = self.wait_state("idle", "failed")
        self.assertEqual(after["state"], "idle", after)
        took = max(0, time.monotonic() - began)
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
            self.befall(name)
        told = request.told()
        verdict = self.verdict(stream["session"])
        self.wait_listed(stream["session"])
        self.befall(name)
        self.all_online()
        self.wait_listed(stream["session"])
        self.assertEqual(self.verdict(stream["session"]), verdict)
        self.row(name, "recorded", "every finished session becomes a recording, once",
                 f"told “{told}”; listed and {verdict}, also after another time")

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

    def each(self, state):
        names = SERVICES if report.OPTIONS.full else self.IN_CI.get(state, ())
        if not names:
            self.skipTest("with --full")
        for name in names:
            self.one(state, name)


class InEveryState(InEachState):
    """Import the module, not this class, or its tests run without a fault."""

    def test_1_idle(self):
        self.each("idle")

    def test_2_starting(self):
        self.each("starting")

    def test_3_live(self):
        self.each("live")

    def test_4_stopping(self):
        self.each("stopping")

    def test_5_recorded(self):
        self.each("recorded")
