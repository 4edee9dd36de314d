"""The wall clock of one node is at 1970, an hour off from its start, or set by an hour while a stream runs.

Leases go by the boot-time clock: no step ends one or makes it longer. While no clock claims to be synchronised nothing is
refused for its age. Where two that claim it disagree, neither takes the other's messages, pictures end with the lease, and
the API says whose clock it is and what to do."""
import os
import re
import signal
import struct
import subprocess
import sys
import time
import unittest

from report import OPTIONS, main, measured  # first: it knows where the others are
from harness import http, stack, with_setting
from linked import SERVICES, EnvironmentTest, undemanding
from recovery import Viewer

HOUR_S = 3600
LEASE_S = 3
BUSY_S = 1.5
STATE_EVERY_S = 5
SILENCE_S = 15
RETENTION_EVERY_S = 10  # the janitor looks for what is too old
ONE_STEP_S = {"an hour ahead": HOUR_S, "an hour behind": -HOUR_S}
NODES = {"camera-cam-1": "camera cam-1", "ingest": "ingest ingest-1", "janitor": "janitor janitor-1"}


def named(service):
    return service.split("-")[0]


def to_1970():
    """From now to the first minute of 1970."""
    return 30 - time.time()


def preloaded(build):
    """The shim; a sanitizer's runtime has to come before it."""
    shim = build / "tests/fault/libclock_shim.so"
    assert shim.exists(), f"{shim} is not built"
    linked = subprocess.run(["ldd", str(stack.binary(build, "camera"))], capture_output=True, text=True, check=True).stdout
    return " ".join([*re.findall(r"=> (\S*/lib[at]san\S*)", linked), str(shim)])


class ClockTest(EnvironmentTest):
    """Each service has a clock of its own: `set_clock` moves it against this machine's."""

    synced = False
    lease_s = LEASE_S

    @classmethod
    def configure(cls, text):
        return undemanding(with_setting(text, "gateway", "lease_ms", cls.lease_s * 1000))

    @classmethod
    def expected_dead(cls):
        return {"gateway", *NODES}

    @classmethod
    def prepare(cls, root, build):
        cls.clocks = {name: root / f"clock-{name}" for name in SERVICES}
        cls.preload = preloaded(build)
        super().prepare(root, build)
        for name in SERVICES:
            cls.set_clock(name, 0)

    @classmethod
    def environment(cls, name):
        if name not in cls.clocks:
            return {}
        return {"LD_PRELOAD": cls.preload, "BELFRY_TEST_CLOCK": str(cls.clocks[name]),
                "BELFRY_CLOCK_SYNCED": str(int(cls.synced))}

    @classmethod
    def set_clock(cls, name, offset_s):
        """One write of eight bytes: the process sees the old clock or the new one."""
        fd = os.open(cls.clocks[name], os.O_WRONLY | os.O_CREAT, 0o600)
        os.pwrite(fd, struct.pack("=q", round(offset_s * 1e9)), 0)
        os.close(fd)

    def setUp(self):
        super().setUp()
        self.addCleanup(self.right_again)

    def right_again(self):
        for name in SERVICES:
            self.set_clock(name, 0)
        for name in [*NODES, "gateway"]:
            if not self.stack.pid(name):
                self.stack.start(name)
        self.all_online()

    def restart(self, name, offset_s):
        """With its clock off from the first moment on."""
        self.stack.stop(name)
        self.set_clock(name, offset_s)
        self.stack.start(name)

    def counted(self, reason):
        """Refusals of the gateway and of the camera, as they last said."""
        metrics = http(self.url + "/metrics").text()
        return (int(re.search(rf'belfry_bus_refused_total{{reason="{reason}"}} (\d+)', metrics).group(1)) +
                self.camera()["counters"].get(reason, 0))

    def seconds_until(self, what, check, since, deadline_s=60):
        self.wait_for(what, check, deadline_s)
        return time.monotonic() - since

    def journal_of(self, stream):
        return self.media / "cam-1" / stream["session"] / "journal"

    def detail(self):
        return self.camera()["stream"]["detail"]

    def is_live(self, stream):
        now = self.camera()["stream"]
        return now["state"] == "live" and now["session"] == stream["session"] and now["detail"] == "Live."

    def watch(self, **body):
        stream = self.start(**body)
        viewer = Viewer(self.base(stream))
        viewer.start()
        self.addCleanup(viewer.finish)
        return stream, viewer

    def plays_for(self, viewer, seconds):
        end, n = time.monotonic() + seconds, len(viewer.fetched)
        self.wait_for("a viewer that plays", lambda: viewer.errors or (
            time.monotonic() > end and len(viewer.fetched) > n + seconds), seconds + 15)
        self.assertEqual(viewer.errors, [])

    def last_picture(self, stream, begin):
        """Seconds from `begin` to the last growth of the journal."""
        journal = self.journal_of(stream)
        size, last = journal.stat().st_size, begin

        def still():
            nonlocal size, last
            if journal.stat().st_size != size:
                size, last = journal.stat().st_size, time.monotonic()
            return time.monotonic() - last > 1.5
        self.wait_for("the end of the pictures", still, self.lease_s + 15)
        return last - begin


class NotSynchronised(ClockTest):
    """What a clock that was set by hand, or never, says of itself: no message is refused for its age."""

    def nothing_refused(self, before):
        self.assertEqual(self.counted("refused_age"), before)

    def step(self, name, what):
        stream, viewer = self.watch(record=True)
        before = self.counted("refused_age")
        self.plays_for(viewer, 1)
        self.set_clock(name, ONE_STEP_S[what])
        leases = 2 if OPTIONS.full else 1
        self.plays_for(viewer, leases * self.lease_s + 1)
        self.assertTrue(self.is_live(stream))
        self.set_clock(name, 0)
        self.plays_for(viewer, 1)
        viewer.finish()
        pictures = self.all_pictures(stream)
        self.nothing_refused(before)
        measured(f"{named(name)}'s clock stepped {what} and back during a stream, not synchronised",
                 "the stream goes on, no lease ends, nothing is refused for its age",
                 f"{leases} × {self.lease_s} s of lease after the step, {len(viewer.fetched)} parts in order, {pictures} pictures, "
                 "0 refused")

    def test_1_stepped(self):
        for name in SERVICES if OPTIONS.full else ["camera-cam-1"]:
            for what in ONE_STEP_S if OPTIONS.full else ["an hour behind"]:
                with self.subTest(name, clock=what):
                    self.step(name, what)

    def lease_after_step(self, name, what):
        """The gateway dies just after the step: the lease that was given before it is as long as it was."""
        stream = self.start()
        self.newer_part(stream)
        expired = self.log("camera-cam-1").count("code=lease_expired")
        self.set_clock(name, ONE_STEP_S[what])
        self.stack.stop("gateway", signal.SIGKILL)
        ended = self.last_picture(stream, time.monotonic())
        self.wait_for("the end of both", lambda: self.log("camera-cam-1").count("code=lease_expired") > expired and
                      b"lease_expired" in self.journal_of(stream).read_bytes(), self.lease_s + 15)
        self.stack.start("gateway")
        self.stack.wait_ready()
        self.set_clock(name, 0)
        self.stop()
        self.assertGreater(ended, self.lease_s * 2 / 3 - BUSY_S)
        self.assertLess(ended, self.lease_s + BUSY_S)
        measured(f"{named(name)}'s clock stepped {what}, then the gateway killed",
                 f"the lease of {self.lease_s} s, renewed up to a third of it ago, is neither shorter nor longer",
                 f"last picture after {ended:.1f} s")

    def test_2_lease_after_a_step(self):
        for name in ("camera-cam-1", "ingest"):
            for what in ONE_STEP_S:
                with self.subTest(name, clock=what):
                    self.lease_after_step(name, what)

    def start_with(self, name, what):
        before = self.counted("refused_age")
        self.restart(name, ONE_STEP_S[what])
        self.all_online()
        stream, viewer = self.watch(record=True)
        self.plays_for(viewer, 2 * self.lease_s)
        viewer.finish()
        self.stop()
        self.wait_for("the recording", lambda: http(
            f"{self.url}/api/v1/recordings/{stream['session']}").status == 200, 30)
        if name != "gateway":  # whose counters begin anew
            self.nothing_refused(before)
        measured(f"{named(name)} started with its clock {what}, not synchronised", "everything works, nothing is refused for its age",
                 f"live after {stream['ready_ms']} ms, played for two leases, recorded")
        self.restart(name, 0)
        self.all_online()

    def test_3_off_from_the_start(self):
        for name in SERVICES:
            for what in ONE_STEP_S:
                with self.subTest(name, clock=what):
                    self.start_with(name, what)

    def boot_at_1970(self, name):
        """Certificates begin in 2020: without a clock nothing can be checked, and the log says that it is the clock."""
        lines = len(self.log(name).splitlines())
        self.restart(name, to_1970())

        def lines_with(text):
            return [line for line in self.log(name).splitlines()[lines:] if text in line]
        self.wait_for("the log to name the clock", lambda: lines_with("this machine's clock says 1970-01-01"), 20)
        begin = time.monotonic()
        self.set_clock(name, 0)
        back = self.seconds_until("the node", lambda: lines_with('msg="connected to the broker"'), begin)
        self.all_online()
        stream = self.start()
        self.newer_part(stream)
        self.stop()
        measured(f"{named(name)} started at 1970, its clock is set later",
                 "it waits for the broker, says that its clock is the reason, and works once it is set",
                 f"said in its log; connected {back:.1f} s after the clock was set, a start then takes {stream['ready_ms']} ms")

    def test_4_started_at_1970(self):
        for name in SERVICES:
            with self.subTest(name):
                self.boot_at_1970(name)

    def test_5_set_to_1970_during_a_stream(self):
        for name in SERVICES:
            with self.subTest(name):
                stream, viewer = self.watch(record=True)
                before = self.counted("refused_age")
                self.plays_for(viewer, 1)
                self.set_clock(name, to_1970())
                self.plays_for(viewer, 2 * self.lease_s)
                self.assertTrue(self.is_live(stream))
                viewer.finish()
                self.stop()
                url = f"{self.url}/api/v1/recordings/{stream['session']}"
                self.wait_for("the recording", lambda u=url: http(u).status == 200, 30)
                self.nothing_refused(before)
                self.set_clock(name, 0)
                measured(f"{named(name)}'s clock set to 1970 during a stream, not synchronised",
                         "the stream goes on, is recorded and stays recorded", f"{len(viewer.fetched)} parts in order, recorded")


class Synchronised(ClockTest):
    """A time server that lies to one machine: every clock claims to be right."""

    synced = True

    def said(self, name):
        """Does the API name the clock of that service?"""
        text = self.detail() + str(self.camera()["stream"]["error"])
        return ("This gateway's clock is" if name == "gateway" else f"The clock of {NODES[name]} is") in text and "timedatectl" in text

    def camera_off(self, what):
        stream, viewer = self.watch()
        refused = self.counted("refused_age")
        self.plays_for(viewer, 1)
        begin = time.monotonic()
        self.set_clock("camera-cam-1", ONE_STEP_S[what])
        ended = self.last_picture(stream, begin)
        said = self.seconds_until("the API to name the clock", lambda: self.said("camera-cam-1"), begin)
        self.assertGreater(self.counted("refused_age"), refused)
        viewer.finish()
        begin = time.monotonic()
        self.set_clock("camera-cam-1", 0)
        back = self.seconds_until("the stream to go on", lambda: self.is_live(stream), begin)
        self.newer_part(stream)
        self.stop()
        self.assertLess(ended, self.lease_s + BUSY_S)
        return (f"last picture after {ended:.1f} s with a lease of {self.lease_s} s, named after {said:.1f} s at most; set again, the "
                f"same stream goes on after {back:.1f} s")

    def orderer_off(self, name, what):
        stream = self.start()
        self.newer_part(stream)
        begin = time.monotonic()
        self.set_clock(name, ONE_STEP_S[what])
        ended = self.last_picture(stream, begin)
        said = self.seconds_until("the API to name the clock", lambda: self.said(name), begin)
        self.wait_for("the end of it", lambda: self.camera()["stream"]["state"] in ("failed", "idle"), 40)
        refused = http(self.camera_url("cam-1", "/stream"), "POST", {})
        self.assertIn(refused.status, (503, 504, 502), refused.body)
        self.assertIn("timedatectl", refused.json()["detail"])
        begin = time.monotonic()
        self.set_clock(name, 0)
        self.all_online()
        fresh = self.start()
        back = time.monotonic() - begin
        self.newer_part(fresh)
        self.stop()
        self.assertLess(ended, self.lease_s + BUSY_S)
        return (f"last picture after {ended:.1f} s with a lease of {self.lease_s} s, named after {said:.1f} s at most; a start answers "
                f"{refused.status} and names it; set again, a new one is live after {back:.1f} s")

    def janitor_off(self, what):
        stream, viewer = self.watch()
        begin = time.monotonic()
        lines = len(self.log("gateway").splitlines())
        self.set_clock("janitor", ONE_STEP_S[what])

        def said():
            return any("code=clock_gap" in line and "janitor-1" in line for line in self.log("gateway").splitlines()[lines:])
        told = self.seconds_until("the gateway's log to name the clock", said, begin)
        self.plays_for(viewer, 2 * self.lease_s)
        viewer.finish()
        self.stop()
        self.set_clock("janitor", 0)
        begin = time.monotonic()
        purged = self.seconds_until("the session to be purged", lambda: not self.journal_of(stream).exists(), begin)
        return (f"viewers notice nothing; named in the gateway's log and as an alarm after {told:.1f} s; set again, what was left is "
                f"deleted after {purged:.1f} s")

    def off(self, name, what):
        if name == "camera-cam-1":
            return self.camera_off(what)
        return self.janitor_off(what) if name == "janitor" else self.orderer_off(name, what)

    def test_1_stepped(self):
        for name in SERVICES if OPTIONS.full else ["camera-cam-1"]:
            for what in ONE_STEP_S if OPTIONS.full else ["an hour ahead"]:
                with self.subTest(name, clock=what):
                    told = self.off(name, what)
                    measured(f"{named(name)}'s clock stepped {what} during a stream, every clock claims to be synchronised",
                             "messages are refused for their age, pictures end with the lease, and the clock is named", told)
                    self.right_again()

    def test_2_off_from_the_start(self):
        """A start is refused, and says why."""
        for name in ("camera-cam-1", "ingest", "gateway"):
            for what, offset_s in ONE_STEP_S.items():
                with self.subTest(name, clock=what):
                    self.restart(name, offset_s)

                    def refused():
                        answer = http(self.camera_url("cam-1", "/stream"), "POST", {})
                        return answer.status == 503 and "timedatectl" in answer.json()["detail"] and answer.json()
                    begin = time.monotonic()
                    told = self.wait_for("a refusal that names the clock", refused, SILENCE_S + 10)
                    after = time.monotonic() - begin
                    measured(f"{named(name)} started with its clock {what}, every clock claims to be synchronised",
                             "a start is refused and names the clock", f"503 {told['code']} after {after:.1f} s: \"{told['detail']}\"")
                    self.restart(name, 0)
                    self.all_online()


class Retention(ClockTest):
    """A camera without a clock of its own, that was switched off for long, at a site whose other clocks are right."""

    keep_days = 30

    @classmethod
    def configure(cls, text):
        return with_setting(super().configure(text), "janitor", "max_age_days", cls.keep_days)

    @classmethod
    def environment(cls, name):
        return {**super().environment(name), "BELFRY_CLOCK_SYNCED": str(int(name != "camera-cam-1"))}

    def test_what_is_dated_long_ago_is_kept(self):
        self.restart("camera-cam-1", -3 * self.keep_days * 24 * HOUR_S)
        stream, viewer = self.watch(record=True)
        self.plays_for(viewer, 1)
        viewer.finish()
        self.stop()
        self.logged("janitor", f'msg="recording ready" camera=cam-1 session={stream["session"]}')
        url = f"{self.url}/api/v1/recordings/{stream['session']}"
        self.wait_for("the recording", lambda: http(url).status == 200)
        end = time.monotonic() + RETENTION_EVERY_S + 2
        while time.monotonic() < end:
            self.assertEqual(http(url).status, 200, "the recording is gone")
            time.sleep(0.1)
        measured(f"camera started with its clock {3 * self.keep_days} days behind, recordings are kept for {self.keep_days} days",
                 "what was recorded just now is kept", f"dated {http(url).json()['ended_at'][:10]}, and kept")


def load_tests(loader, _tests, _pattern):
    """What CI has time for, or everything."""
    if not OPTIONS.full:
        return loader.loadTestsFromNames(["NotSynchronised.test_1_stepped", "Synchronised.test_1_stepped"], sys.modules[__name__])
    return unittest.TestSuite(loader.loadTestsFromTestCase(c) for c in (NotSynchronised, Synchronised, Retention))


if __name__ == "__main__":
    main(__doc__.splitlines()[0])
