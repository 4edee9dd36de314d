"""The stack that Belfry replaces, for standing beside it: ffmpeg cuts the camera's MPEG-TS into HLS files, FastAPI starts
it and serves the files. Settings and order are those of the article and of the code it links (see bench/README.md):
hls_time 2, hls_list_size 5, delete_segments; the start request answers when the playlist exists, looked for every 0.2 s.

Three things favour it: --copy passes the pictures through, where the article's command encodes them again; the camera
starts without a broker in between, and only once ffmpeg listens, so that no picture is lost."""
import argparse
import asyncio
import pathlib
import signal
import subprocess

import uvicorn
from fastapi import FastAPI, HTTPException
from fastapi.staticfiles import StaticFiles

SEGMENT_TIME = 2
PLAYLIST_SIZE = 5
MANIFEST_DEADLINE_S = 20
POLL_S = 0.2
LISTEN_DEADLINE_S = 5


class Ffmpeg:
    """The article's ffmpeg service: one process, started and stopped with the stream."""

    def __init__(self, folder, udp_port, copy):
        self.folder, self.udp_port, self.copy = folder, udp_port, copy
        self.manifest = folder / "stream.m3u8"
        self.process = None

    def start(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        codec = ["-c", "copy"] if self.copy else []
        self.process = subprocess.Popen(  # pylint: disable=consider-using-with
            ["ffmpeg", "-f", "mpegts", "-timeout", "5000000", "-i", f"udp://127.0.0.1:{self.udp_port}", *codec, "-f", "hls",
             "-hls_flags", "delete_segments", "-hls_list_size", str(PLAYLIST_SIZE),
             "-hls_segment_filename", str(self.folder / "stream_%03d.ts"), "-hls_time", str(SEGMENT_TIME),
             str(self.manifest), "-loglevel", "info"], stdin=subprocess.PIPE)

    async def wait_for_manifest(self):
        waited = 0.0
        while not self.manifest.exists() and waited < MANIFEST_DEADLINE_S:
            await asyncio.sleep(POLL_S)
            waited += POLL_S
        return self.manifest.exists()

    def stop(self):
        if self.process is None:
            return
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None
        self.clean()

    def clean(self):
        """What an earlier run left would count as ready."""
        for file in self.folder.glob("stream*"):
            file.unlink()


class Camera:
    """In the place of Picamera2: bench_sender."""

    def __init__(self, sender, udp_port):
        self.command = [sender, "--to", str(udp_port)]
        self.process = None

    def start(self):
        self.process = subprocess.Popen(self.command)  # pylint: disable=consider-using-with

    def stop(self):
        if self.process is not None:
            self.process.terminate()
            self.process.wait()
        self.process = None


def listens(udp_port):
    table = pathlib.Path("/proc/net/udp").read_text(encoding="ascii") + pathlib.Path("/proc/net/udp6").read_text(encoding="ascii")
    return f":{udp_port:04X} " in table


async def until_listening(udp_port):
    for _ in range(int(LISTEN_DEADLINE_S / 0.005)):
        if listens(udp_port):
            return
        await asyncio.sleep(0.005)


def make_app(ffmpeg, camera):
    app = FastAPI()
    lock = asyncio.Lock()

    @app.on_event("shutdown")
    async def at_end():
        ffmpeg.stop()
        camera.stop()

    @app.get("/start-streaming-service")
    async def start():
        async with lock:
            if ffmpeg.process is None:
                ffmpeg.start()
            await until_listening(ffmpeg.udp_port)
            camera.start()
            if not await ffmpeg.wait_for_manifest():
                raise HTTPException(504, "Stream failed to become available in time")
        return {"status": "Video streaming service started successfully", "stream_url": "/hls/stream.m3u8"}

    @app.get("/stop-streaming-service")
    async def stop():
        async with lock:
            ffmpeg.stop()
            camera.stop()
        return {"status": "Video streaming service stopped successfully"}

    ffmpeg.folder.mkdir(parents=True, exist_ok=True)
    ffmpeg.clean()
    app.mount("/hls", StaticFiles(directory=ffmpeg.folder), name="hls")
    return app


def main():
    parser = argparse.ArgumentParser(description="The article's live stack on loopback.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--udp-port", type=int, required=True)
    parser.add_argument("--folder", type=pathlib.Path, required=True)
    parser.add_argument("--sender", required=True, help="bench_sender of the build")
    parser.add_argument("--copy", action="store_true")
    args = parser.parse_args()
    app = make_app(Ffmpeg(args.folder, args.udp_port, args.copy), Camera(args.sender, args.udp_port))
    uvicorn.run(app, host="127.0.0.1", port=args.port, log_level="warning")


if __name__ == "__main__":
    main()
