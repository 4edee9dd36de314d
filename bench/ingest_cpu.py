"""What ingest costs beside `ffmpeg -c copy -f hls`: the same datagrams at the same time to both, 2 Mbit/s over UDP.

One sender encodes a noisy film, so that the encoder really uses its rate, and sends every datagram twice. Ingest takes it
as an outside camera (`input: udp://…`) in profile balanced; ffmpeg runs with the article's settings. The figure is user
and system time of each process over the same seconds."""
import re
import time

import stacks
from figures import lengths, record
from stacks import BenchStack, cpu_seconds, for_seconds, free_udp_port, process, tool, wait_until, with_outside_camera

SECONDS = lengths(60, 10)
BITRATE_KBPS = 2000
GOP_FRAMES = 30  # balanced: an IDR a second


class IngestCpu(BenchStack):
    """Its own camera stands idle; "outside" is fed by bench_sender."""

    @classmethod
    def configure(cls, text):
        cls.udp_port = free_udp_port()
        return with_outside_camera(text, "outside", cls.udp_port)


def ffmpeg(folder, udp_port):
    folder.mkdir(parents=True, exist_ok=True)
    return process("ffmpeg", "-nostdin", "-f", "mpegts", "-i", f"udp://127.0.0.1:{udp_port}", "-c", "copy",
                   "-f", "hls", "-hls_time", 2, "-hls_list_size", 5, "-hls_flags", "delete_segments",
                   "-hls_segment_filename", folder / "stream_%03d.ts", folder / "stream.m3u8", log=folder / "ffmpeg.log")


def kbps_of_segments(stack, stream):
    """Of the segments that the playlist has at the end, by their length there."""
    text = stack.playlist(stream).text
    segments = re.findall(r"#EXTINF:([\d.]+),\n(seg-\d+\.m4s)", text)
    size = sum(len(stack.fetch(stream, name).body) for _, name in segments)
    return round(size * 8 / sum(float(length) for length, _ in segments) / 1000)


def ingest_cpu():
    with IngestCpu.running() as stack:
        folder, ffmpeg_port = stack.stack.root / "ffmpeg", free_udp_port()
        film = stacks.noisy_film(stack.stack.root / "noise.mp4")
        sender = [tool("bench_sender"), "--film", film, "--bitrate-kbps", BITRATE_KBPS, "--gop-frames", GOP_FRAMES,
                  "--to", IngestCpu.udp_port, "--to", ffmpeg_port]
        with ffmpeg(folder, ffmpeg_port) as other, process(*sender) as camera:
            stream = stack.start("outside")
            wait_until("ffmpeg's playlist", (folder / "stream.m3u8").exists, 20)
            measure(stack, stream, other, camera)
            stack.stop("outside")


def measure(stack, stream, other, camera):
    processes = {"ingest": stack.stack.pid("ingest"), "ffmpeg": other.pid}
    before = {name: cpu_seconds(pid) for name, pid in processes.items()}
    begun = time.monotonic()
    for_seconds(SECONDS, lambda: other.poll() is None and camera.poll() is None)
    took = time.monotonic() - begun
    percent = {name: (cpu_seconds(pid) - before[name]) / took * 100 for name, pid in processes.items()}
    record("ingest-cpu", seconds=SECONDS, kbps=kbps_of_segments(stack, stream),
           ingest_percent=round(percent["ingest"], 2), ffmpeg_percent=round(percent["ffmpeg"], 2),
           ratio=round(percent["ingest"] / percent["ffmpeg"], 2))
