"""The link between one service and the broker fails: it is cut, falls silent, is 5 s late or carries hardly anything.

A stream runs on until its lease and no viewer notices; beyond it the camera stops and the API says so; when the link is
back the API tells the truth again."""
import sys
import time
import unittest

from report import OPTIONS, main, measured  # first: it knows where the others are
from harness import http, with_setting
from linked import SERVICES, LinkedTest, undemanding
from recovery import Viewer

DEFAULT_LEASE_S = 10
KEEPALIVE_S = 5     # a silent link is noticed after at most two of them
SILENCE_S = 15      # after it a node counts as offline
DEAD_S, LOOK_S = 2 * DEFAULT_LEASE_S, 5  # when a connection without an acknowledgement is dead, and how often that is seen
BACK_OFF_S = 2      # the first one, at most
STILL_S = 1.5       # without a new part of 0.2 s: the pictures have ended
LATE_S = 5.0
PAUSE_MAX_S = 3.0   # between two parts of 0.2 s, on a machine that does other things too: the lease ends much later
BUSY_S = 1.0


def settings(text, lease_s):
    text = with_setting(text, "gateway", "lease_ms", round(lease_s * 1000))
    return undemanding(with_setting(text, "broker", "keepalive_s", KEEPALIVE_S))


def named(service):
    return service.split("-")[0]


class WatchfulViewer(Viewer):
    """Knows how long it waited between two parts at most."""

    def __init__(self, url):
        super().__init__(url)
        self.times = []

    def fetch(self, counter, name):
        known = len(self.fetched)
        super().fetch(counter, name)
        if len(self.fetched) > known:
            self.times.append(time.monotonic())

    def longest_pause_s(self, since):
        times = [t for t in self.times if t >= since]
        return max(b - a for a, b in zip(times, times[1:]))


class LinkTest(LinkedTest):
    lease_s = DEFAULT_LEASE_S

    @classmethod
    def configure(cls, text):
        return settings(text, cls.lease_s)

    def connects(self, name):
        return self.log(name).count('msg="connected to the broker"')

    def seconds_until(self, what, check, since, deadline_s=60):
        self.wait_for(what, check, deadline_s)
        return time.monotonic() - since

    def watch(self, **body):
        stream = self.start(**body)
        viewer = WatchfulViewer(self.base(stream))
        viewer.start()
        self.addCleanup(viewer.finish)
        self.plays_on(viewer)
        return stream, viewer

    def plays_on(self, viewer, parts=5):
        """Returns once so many more parts have been fetched."""
        n = len(viewer.fetched)
        self.wait_for("a viewer that plays", lambda: viewer.errors or len(viewer.fetched) >= n + parts)
        self.assertEqual(viewer.errors, [])

    def is_live(self, stream):
        now = self.camera()["stream"]
        return now["state"] == "live" and now["session"] == stream["session"] and now["detail"] == "Live."


class InsideTheLease(LinkTest):
    promise = "inside the lease no viewer notices, no picture is lost"

    def during(self, what, services, fault):
        """Each link in turn under a stream that is watched and recorded."""
        for name in services:
            with self.subTest(what, service=name):
                stream, viewer = self.watch(record=True)
                begin = time.monotonic()
                told = fault(name)
                self.plays_on(viewer)
                back = self.seconds_until("the truth", lambda s=stream: self.is_live(s), time.monotonic())
                pause = viewer.longest_pause_s(begin)
                viewer.finish()
                pictures = self.all_pictures(stream)
                measured(f"{named(name)}'s link {what}", self.promise,
                         f"{told}; longest time between two parts {pause * 1000:.0f} ms, {pictures} pictures")
                self.assertEqual(viewer.errors, [])
                self.assertLess(pause, PAUSE_MAX_S)
                self.assertLess(back, 5)
                self.all_online()


class CutOrLate(InsideTheLease):
    """With lease and keep-alive as they are unless set, 10 s and 30 s: a keep-alive has to be longer than the way there and back."""

    @classmethod
    def configure(cls, text):
        return undemanding(text)

    def cut(self, name):
        before = self.connects(name)
        begin = time.monotonic()
        self.links[name].cut_once()
        back = self.seconds_until("a new connection", lambda: self.connects(name) > before, begin)
        self.assertLess(back, BACK_OFF_S + BUSY_S)
        return f"connected again after {back:.2f} s"

    def late(self, name):
        before = self.connects(name)
        self.links[name].set("delay", seconds=LATE_S)
        end = time.monotonic() + DEFAULT_LEASE_S + LATE_S
        while time.monotonic() < end:  # the state at any moment is at most as old as the delay
            self.assertEqual(self.camera()["stream"]["state"], "live")
            time.sleep(0.2)
        self.links[name].set("through")
        self.assertEqual(self.connects(name), before)
        return f"for {DEFAULT_LEASE_S + LATE_S:.0f} s, its connection held"

    def test_1_cut(self):
        self.during("cut (RST), open again at once", SERVICES if OPTIONS.full else ["camera-cam-1"], self.cut)

    def test_2_late(self):
        self.during(f"{LATE_S:.0f} s late in both directions", SERVICES, self.late)


class Silent(InsideTheLease):
    """A lease that is longer than it takes to notice that a link is dead."""

    lease_s = 30

    def silence(self, name):
        before = self.connects(name)
        begin = time.monotonic()
        self.links[name].set("half_open")
        self.links[name].set("through")  # what is dead stays dead; a new connection gets through
        back = self.seconds_until("a new connection", lambda: self.connects(name) > before, begin)
        self.assertLess(back, 3 * KEEPALIVE_S + BACK_OFF_S + BUSY_S)
        return f"noticed, and connected again, after {back:.1f} s with a keep-alive of {KEEPALIVE_S} s"

    def trickle(self, name):
        self.links[name].set("trickle", bytes_per_s=2000)
        end = time.monotonic() + self.lease_s
        while time.monotonic() < end:
            self.assertEqual(self.camera()["stream"]["state"], "live")
            time.sleep(0.2)
        self.links[name].set("through")
        return f"for {self.lease_s} s"

    def test_1_half_open(self):
        self.during("half-open: both directions swallowed, the connection kept", SERVICES, self.silence)

    def test_2_trickle(self):
        self.during("2,000 bytes a second", SERVICES, self.trickle)


class BeyondTheLease(LinkTest):
    lease_s = 3
    promise = "pictures end within the lease, the API says so, and tells the truth again when the link is back"

    def break_link(self, name, mode, stream, is_said):
        """Seconds from the fault to the last picture, by the journal's growth, and to what the API says of it."""
        journal = self.media / "cam-1" / stream["session"] / "journal"
        begin = last = time.monotonic()
        size, said = journal.stat().st_size, None
        self.links[name].set(mode)

        def done():
            nonlocal size, last, said
            now = time.monotonic()
            if journal.stat().st_size != size:
                size, last = journal.stat().st_size, now
            if said is None and is_said():
                said = now
            return said is not None and now - last > STILL_S
        self.wait_for("the end of the pictures, told by the API", done, self.lease_s + SILENCE_S + 10)
        self.assertLess(last - begin, self.lease_s + BUSY_S)
        self.assertLess(said - begin, SILENCE_S + BUSY_S)
        return last - begin, said - begin

    def mend(self, name):
        self.links[name].set("through")
        return time.monotonic()

    def camera_beyond(self, mode):
        name = "camera-cam-1"
        stream = self.start()
        expired = self.log(name).count("code=lease_expired")
        self.newer_part(stream)
        ended, said = self.break_link(name, mode, stream, lambda: not self.camera()["online"]
                                      and "offline" in self.camera()["stream"]["detail"])
        self.logged(name, "code=lease_expired", expired + 1)
        mended = self.mend(name)
        back = self.seconds_until("the stream to go on", lambda: self.is_live(stream), mended)
        self.newer_part(stream)
        self.assertIn("#EXT-X-DISCONTINUITY\n", self.playlist(stream).text)
        self.stop()
        return (f"last picture after {ended:.1f} s with a lease of {self.lease_s} s, shown as offline after {said:.1f} s; "
                f"the same stream goes on {back:.1f} s after the link is back")

    def ended_by_lease(self):
        now = self.camera()["stream"]
        return now["state"] in ("stopping", "failed") and "lease_expired" in now["error"]["detail"]

    def startable(self):
        answer = http(self.camera_url("cam-1", "/stream"), "POST", {})
        return answer.status in (200, 201) and answer.json()

    def orderer_beyond(self, name, mode):
        """Of ingest or the gateway: the session ends for good, and the next start is another one."""
        stream = self.start()
        self.newer_part(stream)
        ended, said = self.break_link(name, mode, stream, self.ended_by_lease)
        refused = http(self.camera_url("cam-1", "/stream"), "POST", {})
        mended = self.mend(name)
        fresh = self.wait_for("a start that works", self.startable, 60)
        back = time.monotonic() - mended
        self.assertNotEqual(fresh["session"], stream["session"])
        self.newer_part(fresh)
        self.stop()
        self.assertIn(refused.status, (502, 503, 504), refused.body)
        return (f"last picture after {ended:.1f} s with a lease of {self.lease_s} s, told with this reason after {said:.1f} s; a "
                f"start meanwhile answers {refused.status} ({refused.json()['code']}), one works {back:.1f} s after the link is back")

    def janitor_beyond(self, mode):
        """What runs does not need it; what is over waits for it."""
        stream, viewer = self.watch()
        folder = self.media / "cam-1" / stream["session"]
        self.links["janitor"].set(mode)
        end = time.monotonic() + 2 * self.lease_s
        self.wait_for("twice the lease", lambda: time.monotonic() > end)
        self.plays_on(viewer)
        viewer.finish()
        begin = time.monotonic()
        self.stop()
        stopped = time.monotonic() - begin
        purged = self.seconds_until("the session to be purged", lambda: not folder.exists(), self.mend("janitor"))
        return (f"viewers notice nothing for {2 * self.lease_s} s, a stop takes {stopped:.1f} s; what was left is deleted "
                f"{purged:.1f} s after the link is back")

    def beyond(self, mode, what, services):
        for name in services:
            with self.subTest(mode, service=name):
                self.all_online()
                if name == "camera-cam-1":
                    told = self.camera_beyond(mode)
                elif name == "janitor":
                    told = self.janitor_beyond(mode)
                else:
                    told = self.orderer_beyond(name, mode)
                measured(f"{named(name)}'s link {what} for longer than the lease", self.promise, told)

    def test_1_cut(self):
        self.beyond("cut", "cut", SERVICES if OPTIONS.full else ["camera-cam-1"])

    def test_2_half_open(self):
        self.beyond("half_open", "half-open", SERVICES)


class AsItIs(LinkTest):
    """Lease and keep-alive as they are unless set: 10 s and 30 s."""

    @classmethod
    def configure(cls, text):
        return undemanding(text)

    def test_half_open(self):
        """Open for new connections at once: how long does the camera sit on the dead one?"""
        stream = self.start()
        self.newer_part(stream)
        before = self.connects("camera-cam-1")
        begin = time.monotonic()
        self.links["camera-cam-1"].set("half_open")
        self.links["camera-cam-1"].set("through")
        self.logged("camera-cam-1", "code=lease_expired")
        expired = time.monotonic() - begin
        self.wait_for("a new connection", lambda: self.connects("camera-cam-1") > before, 120)
        noticed = time.monotonic() - begin
        back = self.seconds_until("the stream to go on", lambda: self.is_live(stream), begin)
        self.newer_part(stream)
        self.stop()
        measured("camera's link half-open, settings as they are (lease 10 s, keep-alive 30 s)",
                 "the camera stops within its lease, and goes on once it has noticed: within two leases and a look (5 s)",
                 f"stopped after {expired:.1f} s, connected anew after {noticed:.1f} s, pictures again after {back:.1f} s")
        self.assertLess(expired, DEFAULT_LEASE_S + BUSY_S)
        self.assertLess(noticed, DEAD_S + LOOK_S + BACK_OFF_S + BUSY_S)


def load_tests(loader, _tests, _pattern):
    """What CI has time for, or everything."""
    if not OPTIONS.full:
        return loader.loadTestsFromNames(["CutOrLate.test_1_cut", "BeyondTheLease.test_1_cut"], sys.modules[__name__])
    return unittest.TestSuite(loader.loadTestsFromTestCase(c) for c in (CutOrLate, BeyondTheLease, Silent, AsItIs))


if __name__ == "__main__":
    main(__doc__.splitlines()[0])
