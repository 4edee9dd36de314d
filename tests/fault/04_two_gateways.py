"""Two gateways of one site that both want to order, and one that wakes up after another has taken its place.

tests/integration/16_two_gateways.py has every answer that they give; here are the times, and what becomes of media."""
import importlib.util
import os
import signal
import time
import unittest

import report
from harness import SOURCE, http
from processes import VERDICTS, in_words, when_full
from recovery import Viewer


def load(name):
    path = SOURCE / "tests/integration" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_two = load("16_two_gateways")  # kept in its module: its own tests are not run again here


class TwoThatOrder(_two.TwoGateways):
    test_2_of_equal_epochs_the_first_is_obeyed = None
    test_3_the_higher_epoch_takes_over_and_the_loser_says_so = None
    test_4_a_restart_does_not_help_and_what_the_log_says_does = None

    def took(self, what, since):
        what()
        return time.monotonic() - since

    def test_1_one_state_directory_takes_one(self):
        began = time.monotonic()
        super().test_1_one_state_directory_takes_one()
        report.measured("second gateway with the same state directory", "exits with 1 and says why; the first is not disturbed",
                        f"both attempts refused within {in_words(time.monotonic() - began)}")

    def test_2_lock_deleted(self):
        """It would keep nobody out any more. The one that held it ends before another can order beside it for long, and what
        streams goes on."""
        stream = self.start()
        viewer = Viewer(self.base(stream), patient=True)
        viewer.start()
        self.wait_for("a viewer that plays", lambda: viewer.errors or len(viewer.fetched) > 2)
        (self.stack.site / "state/gateway.orders.lock").unlink()
        took = self.took(lambda: self.wait_for("the gateway to end", lambda: self.stack.pid("gateway") is None), time.monotonic())
        self.assertIn("lock on this gateway's orders was deleted", self.stack.tail("gateway", 30))
        self.stack.stop("gateway")
        self.stack.start("gateway")
        self.wait_ready(self.url)
        self.all_online()
        n = len(viewer.fetched)
        self.wait_for("the viewer to go on", lambda: viewer.errors or len(viewer.fetched) > n + 2)
        viewer.finish()
        self.assertEqual(viewer.errors, [])
        self.assertEqual(self.camera()["stream"]["session"], stream["session"])
        self.stop()
        report.measured("gateway's lock file deleted while a stream runs", "it ends and says why; restarted, the stream goes on",
                        f"ended after {in_words(took)}; {len(viewer.fetched)} parts fetched, none missed")

    @when_full
    def test_5_lower_epoch(self):
        """As one that was restored from a backup: a viewer does not even notice that it is there."""
        self.stack.stop("gateway")
        self.stack.start("gateway")  # there is a lower epoch now
        self.wait_ready(self.url)
        self.all_online()
        stream = self.start(record=True)
        viewer = Viewer(self.base(stream))
        viewer.start()
        began = time.monotonic()
        self.start_other(self.epoch(self.url) - 1)
        said = self.took(lambda: self.wait_superseded(self.other), began)
        self.refused(self.other, "gateway-1")
        n = len(viewer.fetched)
        self.wait_for("the viewer to go on", lambda: viewer.errors or len(viewer.fetched) > n + 5)
        viewer.finish()
        self.assertEqual(viewer.errors, [])
        self.assertEqual(self.camera()["stream"]["session"], stream["session"])
        self.stop()
        self.stop_other()
        report.measured("second gateway on another host, lower epoch", "not obeyed, and says so; no viewer notices",
                        f"says so after {in_words(said)}; {len(viewer.fetched)} parts fetched, none missed")

    def test_6_wakes_up_after_another_took_its_place(self):
        """Its heartbeat with the old session is the first thing that it does: nobody may listen."""
        old = self.start(record=True)
        pid = self.stack.pid("gateway")
        os.kill(pid, signal.SIGSTOP)
        try:
            self.start_other(self.epoch_in_state() + 10)
            self.wait_ready(self.other)
            fresh = self.ask(self.other, "POST")
            self.assertIn(fresh.status, (200, 201), fresh.body)
        finally:
            os.kill(pid, signal.SIGCONT)
        woken = time.monotonic()
        said = self.took(lambda: self.wait_superseded(self.url), woken)
        self.refused(self.url, "gateway-2")
        live = http(self.other + "/api/v1/cameras/cam-1").json()["stream"]
        self.assertEqual((live["state"], live["session"]), ("live", fresh.json()["session"]))
        self.assertNotEqual(live["session"], old["session"])
        self.assertIn("gateway.lease-epoch", self.stack.tail("gateway", 200))
        self.assertEqual(self.ask(self.other, "DELETE").status, 200)
        folder = self.media / "cam-1" / old["session"]
        self.wait_for("the old session's recording", lambda: (folder / "recording").exists(), 30)
        verified = self.belfryctl("verify", str(folder))
        report.measured("gateway frozen, another takes over, the first wakes", "its orders are refused, and it says so in log and API",
                        f"says so after {in_words(said)}; the other's stream stays live; the old recording: "
                        f"{VERDICTS[verified.returncode]}")

    def epoch_in_state(self):
        return int((self.stack.site / "state/gateway.lease-epoch").read_text())


if __name__ == "__main__":
    unittest.TestLoader.sortTestMethodsUsing = staticmethod(lambda a, b: (a > b) - (a < b))
    report.main(__doc__.splitlines()[0])
