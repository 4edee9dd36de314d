"""Start → ready, stop → camera off, idle memory, ingest CPU: one stack on loopback, test pattern, SRT.

How each figure is taken:
- start: from sending POST …/stream to having its answer, on one keep-alive-less HTTP connection;
- stop: from sending DELETE …/stream to the camera's own log line that it is off (same clock), and to the answer;
- idle memory: VmRSS of each service ten seconds after the stack came up, no session since;
- ingest CPU: user and system time of the ingest process over 30 s of one session over SRT; the camera plays a noisy film so
  that the encoder really uses the 2 Mbit/s, and the rate printed is that of the segments on disk."""
import calendar
import os
import pathlib
import re
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests/integration"))
from harness import StackTest, http, process_figures, wait_until, with_setting  # noqa: E402  pylint: disable=wrong-import-position

STARTS = int(os.environ.get("BELFRY_BENCH_STARTS", "30"))
CPU_SECONDS = 30


def percentile(values, p):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(round(p / 100 * (len(ordered) - 1))))]


def show(name, values):
    print(f"{name:28} p50 {percentile(values, 50):7.0f} ms   p95 {percentile(values, 95):7.0f} ms   "
          f"max {max(values):7.0f} ms   n {len(values)}")


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Bench(StackTest):
    cameras = 2

    @classmethod
    def configure(cls, text):
        film = cls.stack.root / "noise.mp4"
        subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i",
                        "testsrc2=size=640x480:rate=30:duration=10,noise=alls=40:allf=t", "-c:v", "libx264", "-preset",
                        "ultrafast", "-b:v", "6M", "-pix_fmt", "yuv420p", str(film)], check=True)
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

    def run_all(self):
        self.idle_memory()
        starts, stops, offs = [], [], []
        for n in range(1, STARTS + 1):
            before = time.monotonic()
            self.start()
            starts.append((time.monotonic() - before) * 1000)
            asked, before = time.time() * 1000, time.monotonic()
            self.stop()
            stops.append((time.monotonic() - before) * 1000)
            offs.append(wait_until("the camera's line", lambda n=n: self.camera_off_ms(n), 5) - asked)
        show("start → ready", starts)
        show("stop → camera off", offs)
        show("stop → answer", stops)
        self.ingest_cpu()

    def idle_memory(self):
        end = time.monotonic() + 10
        wait_until("ten idle seconds", lambda: time.monotonic() > end, 11)
        for name in ("camera-cam-1", "ingest", "gateway", "janitor"):
            print(f"idle memory {name:16} {process_figures(self.stack.pid(name))['rss_kb'] / 1024:6.1f} MiB")

    def ingest_cpu(self):
        stream = self.start("cam-2", bitrate_kbps=2000, record=True)  # recorded: nothing is trimmed meanwhile
        folder = self.media / "cam-2" / stream["session"]
        pid = self.stack.pid("ingest")
        self.newer_part(stream)

        def written():
            return sum(f.stat().st_size for f in folder.glob("seg-*.m4s"))
        used, size, begun = cpu_seconds(pid), written(), time.monotonic()
        wait_until("the measured time", lambda: time.monotonic() - begun >= CPU_SECONDS, CPU_SECONDS + 1)
        used, size, took = cpu_seconds(pid) - used, written() - size, time.monotonic() - begun
        print(f"ingest CPU {used / took * 100:.2f} % of a core at {size * 8 / took / 1000:.0f} kbit/s")
        self.stop("cam-2")


if __name__ == "__main__":
    Bench.setUpClass()
    try:
        bench = Bench("run_all")
        bench.run_all()
        assert http(Bench.url + "/healthz").status == 200
    finally:
        Bench.tearDownClass()
        Bench.doClassCleanups()
