"""The broker is killed and begun again, with and without what it retained, at once, within the lease and after it.

Pictures do not go through the broker: a stream runs on until its lease, and is renewed when the broker is back in time."""
import re
import shutil
import signal
import time
import unittest

import report
from harness import with_setting
from journal import Journal
from processes import ProcessTest, in_words, when_full

LEASE_S = 9
BACK_S = LEASE_S / 3      # no pause before an attempt is longer than half of it; the rest is for connecting
BUSY_MACHINE = 2          # what CI allows on top: it runs two suites at once
OUTAGE_S = LEASE_S / 3    # the last renewal was up to a third ago, and the third that is left is for the way back
LONG_S = 25


class BrokerTest(ProcessTest):
    @classmethod
    def configure(cls, text):
        return with_setting(text, "gateway", "lease_ms", 1000 * LEASE_S)

    # --- what is done to it ------------------------------------------------------------------------------------------

    def restart_broker(self, how=signal.SIGKILL, away_s=0, store=None):
        """Returns how long all nodes took to come back, from the broker's new beginning."""
        before = self.connections()
        self.stack.stop("broker", how)
        gone = time.monotonic()
        self.wait_for("the outage to last", lambda: time.monotonic() - gone >= away_s)
        if store is not None:
            store()
        began = time.monotonic()
        self.stack.start("broker")
        return self.since("all nodes", lambda: all(x > y for x, y in zip(self.connections(), before)), began)

    def assert_back(self, took):
        self.assertLessEqual(took, BACK_S if report.OPTIONS.full else BACK_S * BUSY_MACHINE)

    # --- what became of the stream -----------------------------------------------------------------------------------

    def frames_sent(self, stream):
        """By the camera's own account, which it gives when a session has ended."""
        found = re.findall(rf"msg=\"stopped\" session={stream['session']} frames=(\d+)", self.log("camera-cam-1"))
        return int(found[-1]) if found else None

    def frames_lost(self, stream):
        sent = self.wait_for("the camera's account", lambda: self.frames_sent(stream))
        journal = Journal(self.folder(stream["session"]) / "journal")
        self.assertEqual([p for p in journal.parts if p["discontinuity"]], [])
        return sent - journal.frames

    def unnoticed(self, what, promise, **restart):
        """During a recorded stream with a viewer."""
        stream = self.start(record=True)
        viewer = self.viewer(stream)
        back = self.restart_broker(**restart)
        self.went_on(viewer, 20)
        self.assert_back(back)
        viewer.finish()
        self.assertEqual(viewer.errors, [])
        self.all_online()
        self.assertEqual(self.camera()["stream"]["session"], stream["session"])
        self.stop()
        lost = self.frames_lost(stream)
        self.assertEqual(lost, 0)
        report.measured(f"broker {what}, stream live", promise,
                        f"{lost} frames lost, {len(viewer.fetched)} parts fetched, none missed; all nodes back after "
                        f"{in_words(back)}; the recording is {self.verdict(stream['session'])}")

    def during_a_start(self, what, **restart):
        with self.frozen("camera-cam-1"):
            request = self.post(record=True)
            self.wait_detail("the camera to send")
            self.stack.stop("broker", restart.get("how", signal.SIGKILL))
            if restart.get("store"):
                restart["store"]()
            self.stack.start("broker")
        told = request.told()
        after = self.wait_state("live", "failed")
        self.assertNotIn("_offline", told)  # last wills come before the nodes are back; none of them is gone
        if after["state"] == "live":
            self.newer_part(after)
            self.assert_own_media(after)
        else:
            self.assertTrue(after["error"]["detail"])
        self.all_online()
        self.stop()
        self.assert_usable()
        report.measured(f"broker {what} during a start", "the start ends in live, or in a reason", f"told “{told}”, then {after['state']}")


class WithoutStore(BrokerTest):
    """As `belfryctl init` makes it: the broker keeps nothing."""

    def test_1_live(self):
        self.unnoticed(f"killed, away for a while ({OUTAGE_S:.0f} of {LEASE_S} s)", "no frame lost, no viewer notices",
                       away_s=OUTAGE_S)

    @when_full
    def test_2_live_at_once(self):
        self.unnoticed("killed and restarted", "no frame lost, no viewer notices")

    @when_full
    def test_3_start(self):
        self.during_a_start("killed and restarted")

    @when_full
    def test_4_longer_than_the_lease(self):
        """The stream ends by itself; nothing comes back by itself, and the API says why."""
        stream = self.start(record=True)
        self.newer_part(stream)
        mark = self.log_size("camera-cam-1")
        self.stack.stop("broker", signal.SIGKILL)
        gone = time.monotonic()
        self.wait_log("camera-cam-1", f"msg=\"stopped\" session={stream['session']}", mark)
        ran = time.monotonic() - gone
        verdict = self.verdict(stream["session"])
        after = self.wait_state("failed", "idle")
        refused = self.post().told()
        self.assertGreater(ran, LEASE_S / 3)
        self.assertLessEqual(ran, LEASE_S + 1)
        before = self.connections()
        began = time.monotonic()
        self.stack.start("broker")
        back = self.since("all nodes", lambda: all(x > y for x, y in zip(self.connections(), before)), began)
        self.assertEqual((after["error"]["code"], refused), ("session_ended", "503 broker_offline"))
        self.assert_back(back)
        self.assert_usable()
        report.measured(f"broker away for longer than the lease ({LEASE_S} s), stream live",
                        "runs on until the lease, then ends; the API says so",
                        f"ran on for {in_words(ran)}; a start meanwhile is told “{refused}”; then “{after['error']['code']}”; all nodes "
                        f"back after {in_words(back)}; the recording is {verdict}")

    @when_full
    def test_5_after_a_long_outage(self):
        """However long it was: nobody waits longer for the next attempt than a sixth of the lease."""
        self.stack.stop("broker", signal.SIGKILL)
        gone = time.monotonic()
        self.wait_for("a long outage", lambda: time.monotonic() - gone >= LONG_S, 2 * LONG_S)
        before, began = self.connections(), time.monotonic()
        self.stack.start("broker")
        back = self.since("all nodes", lambda: all(x > y for x, y in zip(self.connections(), before)), began)
        self.assert_back(back)
        self.assert_usable()
        report.measured(f"broker away for {LONG_S} s, nothing streams", f"all nodes are back within a third of the lease ({LEASE_S} s)",
                        f"after {in_words(back)}")


class WithStore(BrokerTest):
    """A broker that keeps what was retained, and brings it back when it begins again."""

    @classmethod
    def setUpClass(cls):
        if not report.OPTIONS.full:
            raise unittest.SkipTest("with --full")
        super().setUpClass()

    @classmethod
    def prepare(cls, root, build):
        super().prepare(root, build)
        conf = cls.stack.site / "mosquitto/mosquitto.conf"
        cls.store = cls.stack.site / "mosquitto/mosquitto.db"
        text = conf.read_text().replace("persistence false\n", f"persistence true\npersistence_location {cls.store.parent}/\n")
        assert "persistence true" in text
        conf.write_text(text)

    def test_1_live(self):
        self.unnoticed("restarted with its retained store", "no frame lost, no viewer notices", how=signal.SIGTERM)
        self.assertTrue(self.store.exists())

    def test_2_live_store_deleted(self):
        self.unnoticed("restarted, its retained store deleted", "no frame lost, no viewer notices", how=signal.SIGTERM,
                       store=self.store.unlink)

    def test_3_start(self):
        self.during_a_start("restarted with its retained store", how=signal.SIGTERM)
        self.during_a_start("restarted, its retained store deleted", how=signal.SIGTERM, store=self.store.unlink)

    def test_4_store_of_an_earlier_time(self):
        """What it brings back is of another time: of a stream that has ended since, and of processes that are gone."""
        old = self.start(record=True)
        self.newer_part(old)
        self.restart_broker(signal.SIGTERM)
        kept = self.store.with_suffix(".old")
        shutil.copy(self.store, kept)
        self.stop()
        self.verdict(old["session"])
        for name in ("camera-cam-1", "ingest"):
            self.restart(name)
        self.all_online()

        stream = self.start(record=True)
        viewer = self.viewer(stream)
        self.restart_broker(signal.SIGTERM, store=lambda: shutil.copy(kept, self.store))
        self.went_on(viewer, 20)
        viewer.finish()
        self.assertEqual(viewer.errors, [])
        self.all_online()
        now = self.camera()["stream"]
        self.assertEqual((now["state"], now["session"]), ("live", stream["session"]))
        self.assert_own_media(stream)
        self.stop()
        lost = self.frames_lost(stream)
        self.assertEqual(lost, 0)
        report.measured("broker restarted with a retained store of an earlier time, stream live", "nobody believes it; no viewer notices",
                        f"{lost} frames lost, {len(viewer.fetched)} parts fetched, none missed; the session stays")


if __name__ == "__main__":
    unittest.TestLoader.sortTestMethodsUsing = staticmethod(lambda a, b: (a > b) - (a < b))
    report.main(__doc__.splitlines()[0])
