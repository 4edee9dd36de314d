"""A Belfry for the bench: the integration tests' stack with settings of each camera, and the processes beside it."""
import contextlib
import os
import pathlib
import re
import resource
import socket
import subprocess
import sys
import time

from figures import BUILD, SOURCE

sys.path.insert(0, str(SOURCE / "tests/integration"))
# pylint: disable-next=wrong-import-position,unused-import
from harness import StackTest, http, process_figures, wait_until, with_setting  # noqa: E402,F401


def with_camera(text, camera, **settings):
    """belfry.yml with settings of one camera."""
    lines = "".join(f"\n    {key}: {value}" for key, value in settings.items())
    changed, count = re.subn(rf"^(  - id: {camera}\n    source: .*)$", rf"\g<1>{lines}", text, flags=re.M)
    assert count == 1, f"belfry.yml has no camera {camera}"
    return changed


def with_outside_camera(text, camera, udp_port):
    """belfry.yml with a camera that something else on this machine feeds: it has no camera service."""
    return text.replace("cameras:\n", f"cameras:\n  - id: {camera}\n    input: udp://127.0.0.1:{udp_port}\n"
                        "    input_source: 127.0.0.1\n", 1)


class BenchStack(StackTest):
    """Used as `with SomeStack.running() as stack:`."""

    def runTest(self):  # pylint: disable=invalid-name
        """StackTest is a test case; the bench only needs its stack and its words."""

    @classmethod
    @contextlib.contextmanager
    def running(cls):
        raise_limits()
        cls.setUpClass()
        try:
            yield cls()
        finally:
            cls.tearDownClass()
            cls.doClassCleanups()


def raise_limits():
    """As many descriptors as this process may have; what it starts inherits them."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def free_port(kind=socket.SOCK_STREAM):
    with socket.socket(type=kind) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def free_udp_port():
    return free_port(socket.SOCK_DGRAM)


def tool(name):
    return str(BUILD / "bench" / name)


def for_seconds(seconds, alive=lambda: True):
    """Lets `seconds` go by; what is measured meanwhile must stay alive."""
    end = time.monotonic() + seconds
    wait_until("the measured time", lambda: time.monotonic() > end or not alive(), seconds + 5)
    if not alive():
        raise RuntimeError("something that is measured has ended")


@contextlib.contextmanager
def process(*command, log=None):
    """A process for the length of a block, ended by SIGTERM."""
    with open(log or os.devnull, "ab") as output:
        child = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        try:
            yield child
        finally:
            child.terminate()
            try:
                child.wait(timeout=10)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def cpu_seconds(pid):
    """User and system time of all threads of a process, ended ones too: its CPU clock (clock_getcpuclockid(3)), which counts
    nanoseconds where /proc counts hundredths of a second."""
    return time.clock_gettime_ns(~pid << 3 | 2) / 1e9


def noisy_film(path):
    """A film that keeps an encoder at its full rate: ten seconds of 640x480 at 30 frames a second."""
    subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i",
                    "testsrc2=size=640x480:rate=30:duration=10,noise=alls=40:allf=t", "-c:v", "libx264", "-preset", "ultrafast",
                    "-b:v", "6M", "-pix_fmt", "yuv420p", str(path)], check=True)
    return path
