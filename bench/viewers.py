"""Many viewers of one balanced stream: errors, how far apart they have each part, and what the gateway needs for them.

The load generator is bench/viewers: every viewer is a Low-Latency HLS player on a connection of its own that waits for
the playlist and gets each part. The spread is the time between the first and the last viewer to have a part whole."""
import json
import pathlib
import re
import subprocess

from figures import QUICK, lengths, record
from stacks import BenchStack, cpu_seconds, tool, with_setting

SECONDS = lengths(60, 8)
CROWDS = lengths((1000, 3000), (50, 150))
THREADS = 4096
RAMP_MS = lengths(10000, 1000)


class Viewers(BenchStack):
    @classmethod
    def configure(cls, text):
        return with_setting(text, "gateway", "threads", THREADS)


def peak_mib(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return round(int(re.search(r"VmHWM:\s+(\d+)", status).group(1)) / 1024, 1)


def crowd(stack, name, count):
    pid = stack.stack.pid("gateway")
    used = cpu_seconds(pid)
    done = subprocess.run([tool("viewers"), "--url", stack.url, "--camera", "cam-1", "--viewers", str(count), "--seconds",
                           str(SECONDS), "--ramp-ms", str(RAMP_MS), "--json"], stdout=subprocess.PIPE,
                          stderr=None if QUICK else subprocess.DEVNULL, check=False)  # ends with 1 on errors
    found = json.loads(done.stdout)
    spread = {f"spread_{p}_ms": round(found["spread"][f"{p}_us"] / 1000, 1) for p in ("p50", "p99", "max")}
    delay = {f"delay_{p}_ms": found["delay"][f"{p}_ms"] for p in ("p50", "p99", "p999")}
    plain = {key: found[key] for key in ("viewers", "watching", "requests", "bytes", "parts", "late", "missed", "busy_503",
                                             "cpu_ms")}
    record(f"viewers/{name}", seconds=SECONDS, errors=found["errors"] + found["busy_503"], **spread, **delay, **plain,
           gateway_peak_mib=peak_mib(pid), gateway_cpu_s=round(cpu_seconds(pid) - used, 1))


def viewers():
    for name, count in zip(("1000", "3000"), CROWDS):
        with Viewers.running() as stack:  # one each: the peak of memory is this crowd's own
            stack.newer_part(stack.start())
            crowd(stack, name, count)
            stack.stop()
