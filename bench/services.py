"""Start → ready, stop → camera off, idle memory, ingest CPU over SRT: one stack on loopback with the test pattern.

How each figure is taken:
- start: from sending POST …/stream to having its answer, on one keep-alive-less HTTP connection;
- stop: from sending DELETE …/stream to the camera's own log line that it is off (same clock), and to the answer;
- idle memory: VmRSS of each service ten seconds after the stack came up, no session since;
- ingest CPU: user and system time of the ingest process over one session over SRT; the camera plays a noisy film so that
  the encoder really uses the 2 Mbit/s, and the rate is that of the segments on disk."""
import calendar
import re
import time

import stacks
from figures import lengths, percentile, record
from stacks import BenchStack, cpu_seconds, for_seconds, process_figures, wait_until, with_setting

STARTS = lengths(30, 5)
CPU_SECONDS = lengths(30, 5)
IDLE_SECONDS = lengths(10, 2)


class Services(BenchStack):
    cameras = 2

    @classmethod
    def configure(cls, text):
        film = stacks.noisy_film(cls.stack.root / "noise.mp4")
        text = text.replace("id: cam-2\n    source: test-pattern", f"id: cam-2\n    source: file\n    file: {film}")
        return with_setting(text, "janitor", "purge_after_ms", 100)

    def camera_off_ms(self, count):
        """Unix ms of the camera's `count`-th line that it is off."""
        log = (self.stack.logs / "camera-cam-1.log").read_text()
        times = re.findall(r'time=(\S+) .*msg="stopped"', log)
        if len(times) < count:
            return None
        day, clock = times[count - 1].rstrip("Z").split("T")
        whole, ms = clock.split(".")
        return int(calendar.timegm(time.strptime(f"{day} {whole}", "%Y-%m-%d %H:%M:%S"))) * 1000 + int(ms)

    def idle_memory(self):
        for_seconds(IDLE_SECONDS)
        mib = {name.split("-")[0]: round(process_figures(self.stack.pid(name))["rss_kb"] / 1024, 1)
               for name in ("camera-cam-1", "ingest", "gateway", "janitor")}
        record("idle-memory-mib", **mib)

    def starts_and_stops(self):
        starts, stops, offs = [], [], []
        for n in range(1, STARTS + 1):
            before = time.monotonic()
            self.start()
            starts.append((time.monotonic() - before) * 1000)
            asked, before = time.time() * 1000, time.monotonic()
            self.stop()
            stops.append((time.monotonic() - before) * 1000)
            offs.append(wait_until("the camera's line", lambda n=n: self.camera_off_ms(n), 5) - asked)
        for name, values in (("start-ready", starts), ("stop-camera-off", offs), ("stop-answer", stops)):
            record(name, p50_ms=round(percentile(values, 50)), p95_ms=round(percentile(values, 95)), max_ms=round(max(values)),
                   n=len(values))

    def ingest_cpu(self):
        stream = self.start("cam-2", bitrate_kbps=2000, record=True)  # recorded: nothing is trimmed meanwhile
        folder = self.media / "cam-2" / stream["session"]
        pid = self.stack.pid("ingest")
        self.newer_part(stream)

        def written():
            return sum(f.stat().st_size for f in folder.glob("seg-*.m4s"))
        used, size, begun = cpu_seconds(pid), written(), time.monotonic()
        for_seconds(CPU_SECONDS)
        used, size, took = cpu_seconds(pid) - used, written() - size, time.monotonic() - begun
        record("ingest-cpu-srt", percent=round(used / took * 100, 2), kbps=round(size * 8 / took / 1000))
        self.stop("cam-2")


def services():
    with Services.running() as stack:
        stack.idle_memory()
        stack.starts_and_stops()
        stack.ingest_cpu()
