"""A disk that fails under one service: a small file system that a test fills, and calls that fail by LD_PRELOAD."""
import contextlib
import errno
import json
import mmap
import pathlib
import re
import struct
import subprocess
import threading
import urllib.request

from linked import EnvironmentTest

KINDS = {"write": 1, "fsync": 2, "rename": 4, "create": 8, "open": 16, "truncate": 32, "mkdir": 64, "unlink": 128}
CONTROL = struct.Struct("iII496s")  # behind the kinds: error, torn, hits, pattern
SIZE = 4 + CONTROL.size


class Faults:
    """What tests/fault/disk_faults.c reads, of one service."""

    def __init__(self, path):
        self.path = path
        path.write_bytes(bytes(SIZE))
        with open(path, "r+b") as file:
            self.memory = mmap.mmap(file.fileno(), SIZE)

    def set(self, kinds, pattern, error=errno.EIO, torn=False):
        self.clear()
        self.memory[4:SIZE] = CONTROL.pack(error, torn, 0, str(pattern).encode())
        self.memory[0:4] = struct.pack("I", sum(KINDS[kind] for kind in kinds))

    def clear(self):
        self.memory[0:4] = bytes(4)

    @contextlib.contextmanager
    def on(self, kinds, pattern, error=errno.EIO, torn=False):
        """The fault lasts for the block, in which it has to have been met."""
        self.set(kinds, pattern, error, torn)
        try:
            yield
        finally:
            self.clear()
        assert self.hits > 0, f"nobody did {kinds} on {pattern}"

    @property
    def hits(self):
        return CONTROL.unpack(self.memory[4:SIZE])[2]


def preload(library, program):
    """LD_PRELOAD with `library`, behind a sanitizer's runtime where `program` has one: that insists on being first."""
    needed = subprocess.run(["ldd", str(program)], capture_output=True, text=True, check=True).stdout
    runtimes = re.findall(r"=> (\S*/lib(?:asan|tsan)\.so\S*)", needed)
    return ":".join([*runtimes, str(library)])


def fill(folder, leave=0):
    """Takes all of its file system but `leave` bytes; the file to delete for having room again."""
    ballast = pathlib.Path(folder) / ".ballast"
    with open(ballast, "wb", buffering=0) as f:
        size = 1 << 20
        while size >= 512:
            try:
                f.write(b"\0" * size)
            except OSError:
                size //= 2
        f.truncate(max(f.tell() - leave, 0))
    return ballast


@contextlib.contextmanager
def full(folder):
    """Its file system has no room for the block."""
    ballast = fill(folder)
    try:
        yield
    finally:
        ballast.unlink()


class BadDisk(EnvironmentTest):
    """`faults[service]` for each service; `media` and `state` are small file systems of their own."""

    media_bytes, state_bytes = 64 << 20, 1 << 20

    @classmethod
    def prepare(cls, root, build):
        cls.build, cls.faults = build, {}
        super().prepare(root, build)
        for name, size, mode in (("media", cls.media_bytes, "0750"), ("state", cls.state_bytes, "0700")):
            folder = cls.stack.site / name
            folder.mkdir(exist_ok=True)
            subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode={mode}", "belfry-test", str(folder)], check=True)
            cls.addClassCleanup(subprocess.run, ["umount", "-l", str(folder)], check=False)
        cls.state = cls.stack.site / "state"

    @classmethod
    def environment(cls, name):
        if name == "broker":
            return {}
        if name not in cls.faults:
            cls.faults[name] = Faults(cls.stack.root / f"faults-{name}")
        role = name.split("-", 1)[0]
        return {"BELFRY_TEST_DISK": str(cls.faults[name].path),
                "LD_PRELOAD": preload(cls.build / "tests/fault/libdisk_faults.so",
                                      cls.build / "services" / role / f"belfry-{role}")}


class Alarms(threading.Thread):
    """What the gateway's event stream says of alarms from now on: `(code, active)` of each, in order, with its words."""

    def __init__(self, url):
        super().__init__(daemon=True)
        self.seen, self.words = [], {}
        self.events = urllib.request.urlopen(url + "/api/v1/events", timeout=600)  # pylint: disable=consider-using-with
        self.start()

    def run(self):
        kind = None
        try:
            for line in self.events:
                key, _, value = line.decode().strip().partition(":")
                if key == "event":
                    kind = value.strip()
                elif key == "data" and kind == "alarm":
                    alarm = json.loads(value)
                    self.words[alarm["code"]] = alarm["detail"]
                    self.seen.append((alarm["code"], alarm["active"]))
        except (OSError, ValueError, AttributeError):
            pass  # the gateway has gone, or the test

    def count(self, code, active):
        return self.seen.count((code, active))
