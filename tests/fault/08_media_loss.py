"""Loss, reordering, duplicates and delay on the media path: what becomes of each access unit, over SRT and over plain UDP."""
import concurrent.futures
import math
import os
import re
import sys
import time

import report
from access_units import decode, of_segments, of_transport_stream
from datagram_proxy import CLEAR, DatagramProxy, Weather, free_ports
from harness import StackTest, http, in_threads, with_setting
from journal import Journal

LATENCY_MS = 120
WIDTH = 640
PORTS = 16
PROXY, INGEST = "127.0.0.1", "127.0.0.2"
CI_S, FULL_S = 4, 30  # how long each weather lasts
SEED = 20260401
HOPELESS, FAR_MS = 0.1, 5  # of more loss than this, or with a longer way, something always comes too late to be repaired
DEVIATIONS = 4  # of the standard deviation, by which a share that is drawn may be off: once in 16,000
WEATHERS = (("5 % lost", Weather(loss=0.05)), ("1 % lost", Weather(loss=0.01)), ("20 % lost", Weather(loss=0.2)),
            ("5 % lost, round trip 10 ms", Weather(loss=0.05, delay_ms=5)),
            ("10 % out of order by up to 20 ms", Weather(reorder=0.1, reorder_ms=20)), ("10 % twice", Weather(duplicate=0.1)),
            ("5 % lost, 5 % twice, 5 % out of order by up to 10 ms, round trip 30 ms",
             Weather(loss=0.05, duplicate=0.05, reorder=0.05, reorder_ms=10, delay_ms=15)))

SRT = "0 access units corrupt or missing"
SRT_BEYOND = "what cannot be repaired in time is left out and counted; nothing broken is recorded"
UDP = "nothing broken is recorded; pictures that refer to a missing one are passed on and counted, up to the next IDR"


def repairable(weather):
    return weather.loss < HOPELESS and weather.delay_ms <= FAR_MS


class Account:
    """What became of the access units of one session."""

    def __init__(self, sent, recorded):
        numbers = {unit.digest: n for n, unit in enumerate(sent)}
        got = [numbers.get(unit.digest) for unit in recorded]
        whole = [n for n in got if n is not None]
        self.corrupt = got.count(None)
        self.missing = len(sent) - len(set(whole))
        self.repeated = len(whole) - len(set(whole))
        self.disordered = sum(b < a for a, b in zip(whole, whole[1:]))
        self.damaged = self.count_damaged(sent, got)

    @staticmethod
    def count_damaged(sent, got):
        """Pictures that refer to one which is not there: our encoder's each refer to the one before, but for an IDR's."""
        damaged, before, good = 0, None, False
        for n in got:
            good = n is not None and (sent[n].idr or (good and before is not None and n == before + 1))
            damaged += not good
            before = n
        return damaged


def punctual():
    """The caller, and what it starts from now on, come before whatever else runs on this machine, where that is allowed:
    a process that waits for a processor longer than SRT's latency loses datagrams that no network has lost."""
    try:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        os.setpriority(os.PRIO_PROCESS, 0, -10)
    except PermissionError:
        print("  no right to a higher priority: other load counts as loss", file=sys.stderr)


class PunctualProxy(DatagramProxy):
    def run(self):
        punctual()
        super().run()


class MediaLoss(StackTest):
    """cam-1 over SRT and cam-2 over plain UDP, in the same weather."""

    cameras = 2

    @classmethod
    def setUpClass(cls):
        with concurrent.futures.ThreadPoolExecutor(1, initializer=punctual) as starter:
            starter.submit(super().setUpClass).result()

    @classmethod
    def configure(cls, text):
        cls.first_port = free_ports(PORTS, (PROXY, INGEST))
        for key, value in (("port_last", cls.first_port + PORTS - 1), ("port_first", cls.first_port), ("advertise", PROXY),
                           ("address", INGEST)):
            text = with_setting(text, "ingest", key, value)
        text = text.replace("  - id: cam-1\n", f"  - id: cam-1\n    transport: srt\n    latency_ms: {LATENCY_MS}\n", 1)
        return text.replace("  - id: cam-2\n", "  - id: cam-2\n    transport: udp\n", 1)

    @classmethod
    def prepare(cls, root, build):
        super().prepare(root, build)
        cls.proxy = PunctualProxy(PROXY, INGEST, range(cls.first_port, cls.first_port + PORTS), SEED)
        cls.proxy.start()
        cls.addClassCleanup(cls.proxy.stop)

    def media_port(self, camera):
        log = (self.stack.logs / f"camera-{camera}.log").read_text()
        return int(re.findall(r'msg="starting" .*\bto=\S+:(\d+)', log)[-1])

    def frames_sent(self, camera, stream):
        log = (self.stack.logs / f"camera-{camera}.log").read_text()
        found = re.findall(rf"msg=\"stopped\" session={stream['session']} frames=(\d+)", log)
        return int(found[-1]) if found else None

    def told_by_ingest(self, stream):
        """Access units that it left out as corrupt, and passed on as damaged."""
        line = rf"msg=\"session ended\" session={stream['session']} .* corrupt=(\d+) damaged=(\d+)"
        found = self.wait_for("ingest's account", lambda: re.search(line, (self.stack.logs / "ingest.log").read_text()))
        return tuple(map(int, found.groups()))

    def everywhere(self, weather, but=None):
        self.proxy.weather.update({port: weather for port in self.proxy.weather if port != but})

    def play(self, weather, seconds):
        """Both cameras in this weather. That over plain UDP begins in a clear one: without a whole IDR nothing does.
        Returns both streams, and what the proxy has done to the datagrams of SRT."""
        before = {port: dict(counts) for port, counts in self.proxy.counts.items()}
        for port in self.proxy.weather:
            self.proxy.tap(port)
        self.everywhere(weather)
        streams = [self.start("cam-1", record=True)]
        self.everywhere(CLEAR, but=self.media_port("cam-1"))
        streams.append(self.start("cam-2", record=True))
        self.everywhere(weather)
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.newer_part(streams[0])
        in_threads(2, lambda i: self.stop(f"cam-{i + 1}"))
        self.everywhere(CLEAR)
        port = self.media_port("cam-1")
        return *streams, {name: n - before[port][name] for name, n in self.proxy.counts[port].items()}

    def recorded(self, camera, stream):
        """What the camera says it has sent, and what is on disk, which has to be what the journal says."""
        sent = self.wait_for(f"{camera}'s account", lambda: self.frames_sent(camera, stream))
        folder = self.media / camera / stream["session"]
        journal = Journal(folder / "journal")
        units = of_segments(folder, journal.numbers)
        self.assertEqual(len(units), journal.frames)
        return sent, units

    def decoded(self, stream):
        url = f"{self.url}/api/v1/recordings/{stream['session']}"
        self.wait_for("the recording", lambda: http(url).status == 200, 30)
        return decode(self.url + http(url).json()["urls"]["download"], WIDTH)

    def share(self, what, asked, count, drawn):
        """`count` of `drawn` datagrams, which is what was asked for, and could not be without the weather."""
        deviation = math.sqrt(asked * (1 - asked) / max(drawn, 1))
        self.assertAlmostEqual(count / max(drawn, 1), asked, delta=DEVIATIONS * deviation, msg=what)
        if asked == 0:
            return ""
        self.assertGreater(asked, DEVIATIONS * deviation, f"too few datagrams to tell how many were {what}: {drawn}")
        return f", {100 * count / drawn:.1f} % {what}"

    def befallen(self, weather, counts):
        """That the datagrams have been in that weather, and in which."""
        passed = counts["sent"] - counts["lost"]
        return f"{counts['sent']} datagrams" + "".join((
            self.share("lost", weather.loss, counts["lost"], counts["sent"]),
            self.share("twice", weather.duplicate, counts["repeated"], passed),
            self.share("held back", weather.reorder, counts["held"], passed + counts["repeated"])))

    def judge_srt(self, stream, weather, counts):
        """What SRT carries is encrypted, so the account is the decoder's and that of the times in the pictures."""
        sent, units = self.recorded("cam-1", stream)
        corrupt, damaged = self.told_by_ingest(stream)
        times, complaints = self.decoded(stream)
        self.assertEqual(len(times), len(units))
        readable = [t for t in times if t is not None]
        self.assertEqual(readable, sorted(set(readable)), "pictures in order, none twice")
        if damaged == 0:
            self.assertEqual((complaints, len(readable)), ("", len(times)))
        if repairable(weather):
            self.assertEqual((sent - len(units), corrupt, damaged), (0, 0, 0))
        return (f"{sent} sent, {sent - len(units)} missing, {times.count(None)} unreadable, {damaged} damaged; "
                f"ready after {stream['ready_ms']} ms; {self.befallen(weather, counts)}")

    def judge_udp(self, stream, weather):
        """The proxy has seen what was sent: each access unit of the recording is held against it."""
        sent, units = self.recorded("cam-2", stream)
        original = of_transport_stream(self.proxy.taps[self.media_port("cam-2")])
        self.assertEqual(len(original), sent, "the proxy has all that the camera sent")
        account = Account(original, units)
        _, damaged = self.told_by_ingest(stream)
        self.assertEqual((account.corrupt, account.repeated, account.disordered), (0, 0, 0))
        self.assertEqual(damaged, account.damaged, "each damaged picture is counted")
        if weather.loss == 0 and weather.reorder == 0:
            self.assertEqual((account.missing, account.damaged), (0, 0))
        return f"{sent} sent, {account.missing} missing, {account.corrupt} corrupt, {account.damaged} damaged"

    def test_weathers(self):
        for name, weather in WEATHERS if report.OPTIONS.full else WEATHERS[:1]:
            with self.subTest(name):
                srt, udp, counts = self.play(weather, FULL_S if report.OPTIONS.full else CI_S)
                report.measured(f"media datagrams, {name}: SRT at {LATENCY_MS} ms",
                                SRT if repairable(weather) else SRT_BEYOND, self.judge_srt(srt, weather, counts))
                report.measured(f"media datagrams, {name}: plain UDP", UDP, self.judge_udp(udp, weather))


if __name__ == "__main__":
    report.main(__doc__.splitlines()[0])
