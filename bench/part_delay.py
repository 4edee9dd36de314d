"""Capture of a part's first frame to that part on disk: realtime, over UDP, by bench_part_delay.

A part is whole with its last frame, which is captured that much later by itself: last_frame_ms."""
import json
import math
import subprocess

from figures import lengths, record
from stacks import BenchStack, tool, with_camera

SECONDS = lengths(60, 5)


class PartDelay(BenchStack):
    @classmethod
    def configure(cls, text):
        return with_camera(text, "cam-1", profile="realtime", transport="udp")


def part_delay():
    with PartDelay.running() as stack:
        stream = stack.start()
        stack.newer_part(stream)
        done = subprocess.run([tool("bench_part_delay"), str(stack.media / "cam-1" / stream["session"]), str(SECONDS)],
                              stdout=subprocess.PIPE, check=True)
        stack.stop()
    found = json.loads(done.stdout)
    ms = {key.replace("_us", "_ms"): round(found[key] / 1000, 1) for key in ("part_us", "p50_us", "p95_us", "max_us")}
    frames = math.ceil(found["frames_a_part"])  # the last part of a segment may have fewer
    last_frame_ms = round((frames - 1) * found["part_us"] / found["frames_a_part"] / 1000, 1)
    record("part-delay", seconds=SECONDS, parts=found["parts"], frames_a_part=frames, last_frame_ms=last_frame_ms, **ms,
           series=[round(us / 1000, 1) for us in found["delays_us"]])
