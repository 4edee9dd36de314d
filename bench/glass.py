"""Glass to glass and click to picture, in headless Chromium: Belfry's own page by profile and transport, hls.js as it
comes, and the article's stack. One camera at a time."""
import contextlib
import json
import os
import subprocess
import sys

import stacks
from figures import BUILD, SOURCE, lengths, record
from stacks import BenchStack, process, with_camera, wait_until

RUNS = lengths(3, 1)
STOCK_RUNS = lengths(2, 1)
SECONDS = lengths(30, 8)
WARM_UP_S = 6
JOIN_AFTER_S = lengths(15, 5)
STALL_SECONDS = lengths(600, 20)
STALL_WARM_UP_S = 5
STALL_READ_EVERY = 6  # frames: what is measured here must not come from the measuring

# name, camera, profile, runs: what Belfry's own page is measured with
OWN = (("own/realtime-udp", "cam-1", "realtime", RUNS), ("own/realtime-srt", "cam-2", "realtime", RUNS),
       ("own/balanced", "cam-3", "balanced", RUNS), ("own/economy", "cam-4", "economy", 1))


class Glass(BenchStack):
    cameras = 4

    @classmethod
    def configure(cls, text):
        text = with_camera(text, "cam-1", profile="realtime", transport="udp")
        text = with_camera(text, "cam-2", profile="realtime", latency_ms=20)
        return with_camera(text, "cam-4", profile="economy")  # cam-3 has the defaults: balanced, SRT


def browse(name, url, *, runs=RUNS, seconds=SECONDS, warm_up_s=WARM_UP_S, **options):
    """One row: the browser does it, the figures are kept under `name`, each run's in bench/browser.log."""
    command = ["node", SOURCE / "bench/glass_to_glass.mjs", "--json", "--url", url, "--runs", runs, "--seconds", seconds,
               "--warm-up", warm_up_s]
    for key, value in options.items():
        command += [f"--{key}"] if value is True else [f"--{key}", value]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False,
                          env={**os.environ, "BELFRY_BUILD_DIR": str(BUILD)})
    with open(BUILD / "bench/browser.log", "a", encoding="utf-8") as log:
        log.write(f"{name}\n{done.stderr}")
    if done.returncode != 0:
        raise RuntimeError(f"{name}: {done.stderr}")
    record(f"glass/{name}", **json.loads(done.stdout))


class Rows:
    """One row after the other; what fails is told at the end and leaves the camera off for the next."""

    def __init__(self, stack):
        self.stack = stack
        self.failed = []

    def browse(self, name, camera, **options):
        try:
            browse(name, self.stack.url, camera=camera, **options)
        except RuntimeError as e:
            print(e, file=sys.stderr, flush=True)
            self.failed.append(name)
            stacks.http(self.stack.camera_url(camera, "/stream"), "DELETE")

    def finish(self):
        if self.failed:
            raise RuntimeError(f"not measured: {', '.join(self.failed)}")


def own_page():
    with Glass.running() as stack:
        rows = Rows(stack)
        for name, camera, profile, runs in OWN:
            rows.browse(name, camera, profile=profile, runs=runs)
        rows.browse("stock/start", "cam-3", profile="balanced", player="stock", runs=STOCK_RUNS)
        stack.start("cam-3")
        stacks.for_seconds(JOIN_AFTER_S)
        rows.browse("stock/join", "cam-3", profile="balanced", player="stock", join=True, runs=STOCK_RUNS)
        stack.stop("cam-3")
        rows.finish()


def stalls():
    """The own page for a long time at the profile that leaves the least room."""
    with Glass.running() as stack:
        browse("own/endurance", stack.url, camera="cam-1", profile="realtime", runs=1, seconds=STALL_SECONDS,
               warm_up_s=STALL_WARM_UP_S, every=STALL_READ_EVERY)


@contextlib.contextmanager
def article_stack(*options):
    folder = BUILD / "bench/article"
    folder.mkdir(parents=True, exist_ok=True)
    port, udp_port = stacks.free_port(), stacks.free_udp_port()
    server = [sys.executable, "-B", SOURCE / "bench/article/server.py", "--port", port, "--udp-port", udp_port, "--folder",
              folder / "hls", "--sender", stacks.tool("bench_sender"), *options]
    with process(*server, log=folder / "server.log") as child:
        url = f"http://127.0.0.1:{port}"
        wait_until("the article's web server",
                   lambda: child.poll() is None and stacks.http(url + "/openapi.json", timeout=2).status == 200, 20)
        yield url


def article():
    with article_stack("--copy") as url:
        browse("article/copy", url, player="article")
    with article_stack() as url:
        browse("article/as-printed", url, player="article", runs=1, warm_up_s=lengths(WARM_UP_S, 2))
