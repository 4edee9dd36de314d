"""A working day of eight hours in a fraction of it: does anything grow?

One set of processes throughout; only the broker is killed, again and again. A round does what a busy site does in three
minutes: two starts and stops, one of them recorded and the recording deleted, with four viewers each who come and go, and with
keys for idempotency; a listener to the events, a look at the metrics. In every third round the broker is killed and restarted,
so that every node connects anew; in every sixth a node gets a new key and a new certificate, in every sixth a viewer wakes
a camera that is on demand. Beside it one stream runs from the first round to the last, and one viewer watches all of it.

160 rounds are eight hours of that: 320 starts, 1280 viewers, 53 restarts of the broker, 27 rotations, 26 cameras woken. What is
not made faster is time itself: messages that are sent every few seconds, and the parts of the stream that runs through, come
as often as the soak lasts.

After each round descriptors, threads and private memory (RssAnon) of every service are sampled. The first quarter of the
rounds warms up. Of memory the least of every twelve rounds counts: encoders come and go, and the allocator gives back what they
had now and then. Through that goes the line of Theil and Sen (the median of the slopes between all pairs), and what it
rises by must stay under LIMITS."""
import argparse
import itertools
import os
import pathlib
import signal
import statistics
import sys
import time
import unittest
import urllib.request

import report
from growth import GrowthTest
from harness import http, in_threads, with_setting
from recovery import Viewer

ROUNDS_A_DAY = 160
STARTS, VIEWERS, PARTS = 2, 4, 2
BROKER_EVERY, ROTATION_EVERY, DEMAND_EVERY = 3, 6, 6
WORKERS = 32  # few, so that the allocator's caches of each are full within the warm-up
AT_ONCE = 20  # requests that are held, of the seven eighths of the workers that viewers may have
ANSWERS_KEPT, AT_A_TIME = 1024, 8
OVERLAP_S = 5
IDLE_S = 7  # the least that the configuration takes
SETTLE_S = 1.5  # libsrt closes a socket a second after its connection
LIMITS = {"fds": 1, "threads": 1, "anon_kb": 2048}
FLOOR = 12  # rounds: two of the turns in which everything comes once
SHORT_LIMITS = {"fds": 3, "threads": 1, "anon_kb": 8192}  # a few rounds: caches are not full yet, no line is robust
WORDS = {"fds": "descriptors", "threads": "threads", "anon_kb": "KiB of memory"}
OPTIONS = argparse.Namespace(rounds=3, pause_while=None)


def slope(values):
    """Theil and Sen's: half of the pairs may be anything at all."""
    return statistics.median((b - a) / (j - i) for (i, a), (j, b) in itertools.combinations(enumerate(values), 2))


def is_whole():
    return OPTIONS.rounds >= ROUNDS_A_DAY


class Soak(GrowthTest):
    cameras = 3  # started by hand; running through; on demand

    @classmethod
    def configure(cls, text):
        demand = f"on_demand: true\n    idle_timeout_ms: {IDLE_S * 1000}"
        text = with_setting(text, "gateway", "threads", WORKERS)
        return super().configure(text.replace("  - id: cam-3\n", f"  - id: cam-3\n    {demand}\n"))

    @classmethod
    def expected_dead(cls):
        return {"broker"}

    # --- what a site does ------------------------------------------------------------------------------------------

    def view(self, stream):
        viewer = Viewer(self.base(stream))
        viewer.start()
        self.wait_for("a viewer that plays", lambda: viewer.errors or len(viewer.fetched) >= PARTS)
        viewer.finish()
        self.assertEqual(viewer.errors, [])

    def one_stream(self, n, record):
        key = {"Idempotency-Key": f"soak-{self.round}-{n}"}
        answer = http(self.camera_url(what="/stream"), "POST", {"record": record}, key)
        self.assertEqual(answer.status, 201, answer.body)
        stream = answer.json()
        in_threads(VIEWERS, lambda _: self.view(stream))
        self.stop()
        if record:
            url = f"{self.url}/api/v1/recordings/{stream['session']}"
            self.wait_for("the recording", lambda: http(url).status == 200)
            self.wait_for("its deletion", lambda: http(url, "DELETE").status == 204)
        return stream

    def page(self):
        with urllib.request.urlopen(self.url + "/api/v1/events", timeout=10) as events:
            self.assertTrue(events.readline())
        self.assertEqual(http(self.url + "/metrics").status, 200)

    def restart_broker(self):
        before = self.connections()
        self.stack.stop("broker", signal.SIGKILL)
        self.stack.start("broker")
        self.wait_for("every node to come back", lambda: all(x > y for x, y in zip(self.connections(), before)), 60)
        self.all_online()

    def rotate(self):
        """One node's key; the node first, as nobody refuses what it signs with both."""
        services = self.services()
        name = services[self.round // ROTATION_EVERY % len(services)]
        node = name.removeprefix("camera-") if name.startswith("camera-") else f"{name}-1"
        log = self.stack.logs / f"{name}.log"
        times = log.read_text().count("keys reloaded")
        self.belfryctl("node", "rotate", node, "--overlap", f"{OVERLAP_S}s")
        self.reload(name)
        self.wait_for(f"the new key of {node}", lambda: log.read_text().count("keys reloaded") > times)
        self.reload(*(other for other in services if other != name))
        self.all_online()

    def reload(self, *names):
        for name in names:
            os.kill(self.stack.pid(name), signal.SIGHUP)

    def wake(self):
        """A viewer's request starts the camera; it ends by itself when nobody has asked for a while."""
        answer = http(f"{self.url}/live/cam-3/index.m3u8", timeout=20)
        self.assertEqual(answer.status, 200, answer.body)
        self.wait_for("the camera to be let go", lambda: self.camera("cam-3")["stream"]["state"] == "idle", IDLE_S + 20)

    def one_round(self):
        streams = [self.one_stream(n, record=n == 0) for n in range(STARTS)]
        self.page()
        if self.round % BROKER_EVERY == 1:
            self.restart_broker()
        if self.round % ROTATION_EVERY == 2:
            self.rotate()
        if self.round % DEMAND_EVERY == 5:
            self.wake()
        for stream in self.over:
            self.gone(stream)
        self.over = streams

    def touch_every_worker_with_media(self, stream):
        """As many requests as viewers may have workers, held at the same time until the segment that is being written ends."""
        for _ in range(4 if is_whole() else 1):
            playlist = self.playlist(stream)
            query = f"?_HLS_msn={playlist.media_sequence + len(playlist.segments)}"
            in_threads(AT_ONCE, lambda _, q=query: self.playlist(stream, q))

    def fill_answers(self):
        """As many answers as the gateway keeps by their keys for ten minutes; a day of eight hours does not come to that."""
        def some(i):
            for n in range(ANSWERS_KEPT // AT_A_TIME):
                key = {"Idempotency-Key": f"before-{i}-{n}"}
                self.assertEqual(http(self.camera_url("cam-2", "/stream"), "POST", {}, key).status, 200)
        in_threads(AT_A_TIME, some)

    # --- what is judged --------------------------------------------------------------------------------------------

    def sample(self):
        """The least that each figure is within SETTLE_S, or as soon as nothing is above the sample before."""
        end, least = time.monotonic() + SETTLE_S, self.figures()
        while time.monotonic() < end and not self.is_settled(least):
            time.sleep(0.05)
            now = self.figures()
            least = {name: {what: min(value, now[name][what]) for what, value in f.items()} for name, f in least.items()}
        self.samples.append(least)

    def is_settled(self, figures):
        before = self.samples[-1] if self.samples else None
        return before is not None and all(
            f[what] <= before[name][what] for name, f in figures.items() for what in ("fds", "threads"))

    def growth(self, name, what):
        """First and last of the rounds that are judged, and by how much the line through all of them rises."""
        values = [sample[name][what] for sample in self.samples[max(len(self.samples) // 4, 1):]]
        if what == "anon_kb" and is_whole():
            values = [min(values[i:i + FLOOR]) for i in range(0, len(values), FLOOR)]
        return values[0], values[-1], slope(values) * (len(values) - 1)

    def judge(self):
        limits = LIMITS if is_whole() else SHORT_LIMITS
        grown = {(name, what): self.growth(name, what) for name in self.services() for what in limits}
        for name in self.services():
            figure = ", ".join(f"{word} {first} → {last}" for (first, last, _), word in
                               ((grown[name, what], word) for what, word in WORDS.items()))
            report.measured(f"{self.kind()}: {name}", f"flat: no descriptor, no thread, under {limits['anon_kb']} KiB",
                            f"{figure}; the line rises by {grown[name, 'anon_kb'][2]:.0f} KiB")
        for (name, what), (_, _, rise) in grown.items():
            if what != "anon_kb" or self.memory_counts():
                self.assertLess(rise, limits[what], f"{WORDS[what]} of {name}")

    def kind(self):
        hours = OPTIONS.rounds * 8 / ROUNDS_A_DAY
        return f"{hours:.3g} h of a busy site in {(time.monotonic() - self.began) / 60:.0f} min"

    def tell(self):
        now = ", ".join(f"{name} {f['fds']}/{f['threads']}/{f['anon_kb']}" for name, f in self.samples[-1].items())
        print(f"  round {self.round + 1} of {OPTIONS.rounds}, {time.monotonic() - self.began:.0f} s: {now}", file=sys.stderr,
              flush=True)

    def pause(self):
        while OPTIONS.pause_while is not None and OPTIONS.pause_while.exists():
            time.sleep(1)

    def test_flat(self):
        self.samples, self.over, self.began = [], [], time.monotonic()
        pids = {name: self.stack.pid(name) for name in self.services()}
        connected = sum(self.connections())
        self.touch_every_worker()
        through = self.start("cam-2")
        self.touch_every_worker_with_media(through)
        if is_whole():
            self.fill_answers()
        watcher = Viewer(self.base(through), patient=True)  # a machine may be too busy to encode for seconds
        watcher.start()
        for self.round in range(OPTIONS.rounds):
            self.pause()
            self.one_round()
            self.sample()
            self.tell()
            self.assertEqual(watcher.errors, [])
        watcher.finish()
        self.assertEqual(watcher.errors, [])
        print(f"  {sum(self.connections()) - connected} reconnects; the stream that ran through had {len(watcher.fetched)} parts",
              file=sys.stderr)
        self.assertEqual(self.camera("cam-2")["stream"]["session"], through["session"])
        self.assertEqual(pids, {name: self.stack.pid(name) for name in self.services()}, "the processes are the same")
        self.stop("cam-2")
        self.judge()


def parse(argv):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=OPTIONS.rounds, help="of three minutes each; at least 3 (default)")
    parser.add_argument("--hours-equivalent", type=float, help="instead: 8 is the whole")
    parser.add_argument("--pause-while", type=pathlib.Path, metavar="FILE", help="no round begins while FILE is there")
    asked = parser.parse_args(argv)
    if asked.hours_equivalent is not None:
        asked.rounds = round(asked.hours_equivalent * ROUNDS_A_DAY / 8)
    if asked.rounds < 3:
        parser.error(f"{asked.rounds} rounds show no line: at least 3, which are {3 * 8 / ROUNDS_A_DAY:.2f} hours")
    return asked


def main():
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    asked = parse(sys.argv[1:])
    OPTIONS.rounds, OPTIONS.pause_while = asked.rounds, asked.pause_while
    report.OPTIONS.full = is_whole()
    unittest.main(verbosity=2, argv=sys.argv[:1])


if __name__ == "__main__":
    main()
