"""A node's site directory is copied to another place and started there too: two processes with one id and one key.

The broker lets each throw the other out. Both judge alike who stays, the one with the higher start counter, and the other
leaves the broker to it, so that it is quiet after a few changes."""
import re
import shutil
import time
import unittest

import report
from harness import http, stack
from processes import ProcessTest, in_words, when_full

QUIET_S = 4  # without another change: longer than any pause before an attempt


class ClonedNode(ProcessTest):
    """Beside the stack there is a copy of its site: `copied` now, or as it was when the stack began."""

    @classmethod
    def prepare(cls, root, build):
        super().prepare(root, build)
        cls.place, cls.clone_port = root / "copy", stack.free_port()

    @classmethod
    def expected_dead(cls):
        return super().expected_dead() | {"clone"}

    def tearDown(self):
        self.stack.stop("clone")
        shutil.rmtree(self.place, ignore_errors=True)
        super().tearDown()

    def copy(self):
        shutil.copytree(self.stack.site, self.place, ignore=shutil.ignore_patterns("media", "*.health", ".tmp-*"))
        (self.place / "media").mkdir(exist_ok=True)

    def start_clone(self, name, **environment):
        """Of the process `name`, from the copied directory."""
        if not self.place.exists():
            self.copy()
        command = [str(c).replace(str(self.stack.site), str(self.place)) for c in self.stack.commands(self.build)[name]]
        (self.stack.logs / "clone.log").write_bytes(b"")
        self.began, self.before = time.monotonic(), self.connections_of(name)
        self.stack.spawn("clone", command, {"BELFRY_GATEWAY_WEB": str(self.build / "web/site"),
                                            "BELFRY_GATEWAY_LISTEN": f"127.0.0.1:{self.clone_port}", **environment})

    def comings(self, *names):
        return sum(self.connections_of(name) for name in names)

    def quiet(self, name):
        """Until nobody has come to the broker for a while; how many came since the copy began, and when the last one did."""
        names = (name, "clone")
        began, changed, seen = self.began, time.monotonic(), self.comings(*names)
        while time.monotonic() - changed < QUIET_S:
            self.assertLess(time.monotonic() - began, 40, "they go on throwing each other out")
            now = self.comings(*names)
            if now != seen:
                seen, changed = now, time.monotonic()
            time.sleep(0.05)
        return seen - self.before, changed - began

    def assert_told(self, loser, winner, node):
        """Why, and what to do, in the log of the one that leaves; the other one knows as well."""
        said = re.findall(r"level=error .*code=node_yields detail=.*", self.log(loser))
        self.assertTrue(said, self.log(loser)[-2000:])
        self.assertIn(f"belfryctl node revoke {node}", said[-1])
        self.assertIn("SIGHUP", said[-1])
        self.assertNotIn("code=node_yields", self.log(winner))

    def bring_back(self, name, *counters):
        """The copy is gone; as the log of the one that had left says."""
        self.stack.stop("clone")
        self.stack.stop(name)
        for counter in counters:
            value = re.findall(rf"write (\d+) to {counter}", self.log(name))[-1]
            (self.stack.site / "state" / counter).write_text(f"{value}\n")
        self.came[name] = self.connections_of(name)
        self.stack.start(name)
        self.all_online()

    def measured(self, what, promise, changes, quiet_s, figure):
        report.measured(f"{what} cloned", f"quiet after a few changes, and told; {promise}",
                        f"{changes} connections, quiet after {in_words(quiet_s)}; {figure}")

    # --- camera ------------------------------------------------------------------------------------------------------

    def test_1_old_copy_of_a_camera(self):
        """As an SD card from the drawer, while the camera streams: it is not listened to, and goes."""
        self.copy()
        self.restart("camera-cam-1")
        self.restart("camera-cam-1")
        self.all_online()
        stream = self.start(record=True)
        viewer = self.viewer(stream)
        self.start_clone("camera-cam-1")
        self.wait_log("clone", "code=node_yields")
        changes, quiet_s = self.quiet("camera-cam-1")
        self.assert_told("clone", "camera-cam-1", "cam-1")
        self.all_online()
        self.went_on(viewer)
        viewer.finish()
        self.assertEqual(viewer.errors, [])
        self.assertEqual(self.discontinuities(stream), 0)
        twins = self.wait_for("the API to tell", lambda: self.camera()["counters"].get("bus_twins"))
        self.stop()
        self.measured("camera, an old copy, stream live,", "no viewer notices", changes, quiet_s,
                      f"{len(viewer.fetched)} parts fetched, none missed; the API counts {twins} twins; the recording is "
                      f"{self.verdict(stream['session'])}")

    @when_full
    def test_2_camera(self):
        """The copy has started later, so it is the camera now: the session goes on with its pictures."""
        stream = self.start(record=True)
        self.newer_part(stream)
        self.start_clone("camera-cam-1")
        self.wait_log("camera-cam-1", "code=node_yields")
        changes, quiet_s = self.quiet("camera-cam-1")
        self.assert_told("camera-cam-1", "clone", "cam-1")
        self.wait_log("clone", f'msg="streaming" session={stream["session"]}')
        self.newer_part(stream)
        self.assertEqual(self.camera()["stream"]["session"], stream["session"])
        self.assert_own_media(stream)
        self.stop()
        verdict = self.verdict(stream["session"])
        self.bring_back("camera-cam-1", "cam-1.epoch")
        self.assert_usable()
        self.measured("camera, stream live,", "the later start is the camera", changes, quiet_s,
                      f"the same URL goes on with its pictures; the recording is {verdict}; afterwards the other comes back as its log says")

    # --- ingest ------------------------------------------------------------------------------------------------------

    @when_full
    def test_3_ingest(self):
        """The copy writes elsewhere: the session ends, and the reason is told."""
        stream = self.start(record=True)
        self.newer_part(stream)
        self.start_clone("ingest")
        self.wait_log("ingest", "code=node_yields")
        changes, quiet_s = self.quiet("ingest")
        self.assert_told("ingest", "clone", "ingest-1")
        after = self.wait_state("failed", "idle", deadline_s=60)
        self.assertTrue(after["error"]["detail"])
        self.bring_back("ingest", "ingest-1.epoch")
        verdict = self.verdict(stream["session"])
        self.assert_usable()
        self.measured("ingest, stream live,", "the session ends with a reason, what was written stays", changes, quiet_s,
                      f"the API says “{after['error']['code']}”; the recording is {verdict}; afterwards the other comes back as its log says")

    # --- gateway -----------------------------------------------------------------------------------------------------

    @when_full
    def test_4_gateway(self):
        """Orders come from the later start; the first one says that it has no broker, and goes on serving media."""
        stream = self.start(record=True)
        self.newer_part(stream)
        self.start_clone("gateway", BELFRY_STORAGE_MEDIA=str(self.media))
        self.wait_log("gateway", "code=node_yields")
        changes, quiet_s = self.quiet("gateway")
        self.assert_told("gateway", "clone", "gateway-1")
        told = self.post().told()
        self.assertIn(told.split()[0], ("503", "409"))
        self.assertEqual(http(self.url + "/readyz").status, 503)
        clone = f"http://127.0.0.1:{self.clone_port}/readyz"
        self.wait_for("the copy to be ready", lambda: http(clone).status == 200)
        self.bring_back("gateway", "gateway-1.epoch", "gateway.lease-epoch")
        self.wait_state("live", "failed", "idle")
        self.stop()
        verdict = self.verdict(stream["session"])
        self.measured("gateway, stream live,", "one orders, the other says why it cannot", changes, quiet_s,
                      f"a start at the first is told “{told}”; the recording is {verdict}")


if __name__ == "__main__":
    unittest.TestLoader.sortTestMethodsUsing = staticmethod(lambda a, b: (a > b) - (a < b))
    report.main(__doc__.splitlines()[0])
