"""What the integration tests share: a real stack of its own for each test class, REST and playlist helpers.

Every wait is for a condition with a deadline; nothing sleeps to synchronise."""
import importlib.machinery
import importlib.util
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import threading
import unittest
import urllib.error
import urllib.request

SOURCE = pathlib.Path(__file__).resolve().parents[2]


def load_stack_module():
    loader = importlib.machinery.SourceFileLoader("belfry_stack", str(SOURCE / "tools/stack"))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    module = importlib.util.module_from_spec(spec)
    sys.dont_write_bytecode = True
    loader.exec_module(module)
    return module


stack = load_stack_module()
wait_until = stack.wait_until


class Answer:
    """Status, headers and body of one HTTP exchange, whatever the status."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)

    def text(self):
        return self.body.decode()


def http(url, method="GET", body=None, headers=None, timeout=40):
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, method=method, headers=headers or {})
    if data is not None and "Content-type" not in request.headers:
        request.add_header("Content-Type", "application/json")
    try:
        with urllib.request.urlopen(request, timeout=timeout) as response:
            return Answer(response.status, response.headers, response.read())
    except urllib.error.HTTPError as e:
        return Answer(e.code, e.headers, e.read())


class Playlist:
    """A media playlist as a client sees it; strict enough to notice nonsense."""

    def __init__(self, text):
        lines = text.splitlines()
        assert lines[0] == "#EXTM3U", lines[:1]
        self.text = text
        self.segments = [line for line in lines if line and not line.startswith("#")]
        self.parts = re.findall(r'#EXT-X-PART:.*?URI="([^"]+)"', text)
        self.independent = re.findall(r'#EXT-X-PART:(?=.*INDEPENDENT=YES).*?URI="([^"]+)"', text)
        self.media_sequence = int(re.search(r"#EXT-X-MEDIA-SEQUENCE:(\d+)", text).group(1))
        self.map = re.search(r'#EXT-X-MAP:URI="([^"]+)"', text).group(1)
        self.ended = "#EXT-X-ENDLIST" in lines
        hint = re.search(r'#EXT-X-PRELOAD-HINT:.*URI="([^"]+)"', text)
        self.hint = hint.group(1) if hint else None


def with_setting(text, section, key, value):
    """belfry.yml with `section.key` set, whether or not the section stands there already."""
    line = f"  {key}: {value}\n"
    if re.search(rf"^{section}:$", text, re.M):
        return re.sub(rf"^{section}:\n", f"{section}:\n{line}", text, count=1, flags=re.M)
    return f"{text.rstrip()}\n\n{section}:\n{line}"


class StackTest(unittest.TestCase):
    """One stack for the class: `cameras` test-pattern cameras, `configure(text)` may edit belfry.yml first."""

    cameras = 1
    keep_logs_on_success = False

    @classmethod
    def configure(cls, text):
        return text

    @classmethod
    def setUpClass(cls):
        build = stack.build_dir()
        cls.build = build
        root = build / "integration" / re.sub(r"\W+", "-", f"{cls.__module__}-{cls.__name__}")
        shutil.rmtree(root, ignore_errors=True)
        cls.stack = stack.Stack(root)
        cls.prepare(root, build)
        try:
            cls.stack.up(0, [f"cam-{n}" for n in range(1, cls.cameras + 1)])
        except stack.StackError:
            cls.dump_logs()
            cls.stack.down()
            raise
        cls.url = cls.stack.url()
        cls.media = cls.stack.site / "media"

    @classmethod
    def prepare(cls, root, build):
        """Makes the site before the stack does, so that its configuration can be edited."""
        root.mkdir(parents=True, mode=0o700)
        port = stack.free_port()
        cls.stack.make_site(build, port, [f"cam-{n}" for n in range(1, cls.cameras + 1)])
        config = cls.stack.site / "belfry.yml"
        config.write_text(cls.configure(config.read_text()))
        cls.port = port
        (root / "stack.json").write_text(json.dumps({"port": port, "build": str(build), "cameras": [
            f"cam-{n}" for n in range(1, cls.cameras + 1)]}))

    @classmethod
    def tearDownClass(cls):
        died = [name for name in cls.stack.names() if not cls.stack.pid(name) and name not in cls.expected_dead()]
        cls.stack.down()
        complaints = cls.sanitizer_complaints()
        if died or complaints:
            cls.dump_logs()
        assert not died, f"ended by themselves: {died}"
        assert not complaints, complaints

    @classmethod
    def expected_dead(cls):
        return set()

    @classmethod
    def sanitizer_complaints(cls):
        found = []
        for log in cls.stack.logs.glob("*.log"):
            text = log.read_text(errors="replace")
            found += re.findall(r"ERROR: \w+Sanitizer.*|runtime error: .*|WARNING: ThreadSanitizer.*", text)
        return found

    @classmethod
    def dump_logs(cls):
        for log in sorted(cls.stack.logs.glob("*.log")):
            print(f"==> {log.stem} <==\n{cls.stack.tail(log.stem, 40)}", file=sys.stderr)

    def run(self, result=None):
        before = len(result.failures) + len(result.errors)
        super().run(result)
        if len(result.failures) + len(result.errors) > before:
            self.dump_logs()

    # --- words of the API ----------------------------------------------------------------------------------------

    def camera_url(self, camera="cam-1", what=""):
        return f"{self.url}/api/v1/cameras/{camera}{what}"

    def start(self, camera="cam-1", expect=(200, 201), **body):
        answer = http(self.camera_url(camera, "/stream"), "POST", body)
        self.assertIn(answer.status, expect, answer.body)
        return answer.json()

    def stop(self, camera="cam-1"):
        answer = http(self.camera_url(camera, "/stream"), "DELETE")
        self.assertEqual(answer.status, 200, answer.body)
        return answer.json()

    def camera(self, camera="cam-1"):
        return http(self.camera_url(camera)).json()

    def playlist(self, stream, query=""):
        answer = http(self.url + stream["urls"]["hls"] + query)
        self.assertEqual(answer.status, 200, answer.body)
        return Playlist(answer.text())

    def base(self, stream):
        return self.url + stream["urls"]["hls"].rsplit("/", 1)[0] + "/"

    def fetch(self, stream, name):
        return http(self.base(stream) + name)

    def wait_for(self, what, check, deadline_s=15):
        return wait_until(what, check, deadline_s)

    def all_online(self, deadline_s=90):
        """After a loss of the broker every node comes back by itself, after its back-off."""
        wanted = ['belfry_nodes_online{role="ingest"} 1', 'belfry_nodes_online{role="janitor"} 1', "belfry_bus_connected 1"]

        def check():
            text = http(self.url + "/metrics").text()
            return all(line in text for line in wanted) and all(
                camera["online"] for camera in http(self.url + "/api/v1/cameras").json()["cameras"])
        self.wait_for("every node to be online", check, deadline_s)

    def connections(self):
        """How often each node has come to the broker, by its own log: what the gateway shows may be older than a loss."""
        logs = [self.stack.logs / f"{name}.log" for name in self.stack.names() if name != "broker"]
        return [log.read_text().count('msg="connected to the broker"') for log in logs]

    def newer_part(self, stream):
        """Returns once a part has appeared that was not there at the call: media flows."""
        seen = self.playlist(stream).parts[-1]
        return self.wait_for("a new part", lambda: self.playlist(stream).parts[-1] != seen)

    def belfryctl(self, *words, check=True, stdin=None, timeout=30):
        done = subprocess.run([str(self.build / "tools/belfryctl/belfryctl"), "--site-dir", str(self.stack.site), *words],
                              capture_output=True, input=stdin, timeout=timeout, check=False)
        if check:
            self.assertEqual(done.returncode, 0, done.stderr.decode() + done.stdout.decode())
        return done


def ffprobe_frames(url):
    """Decodes everything at `url` and returns the number of frames; a decoding error is a failure."""
    done = subprocess.run(["ffprobe", "-v", "error", "-count_frames", "-select_streams", "v:0", "-show_entries",
                           "stream=nb_read_frames", "-of", "csv=p=0", url], capture_output=True, text=True, timeout=120,
                          check=False)
    if done.returncode != 0 or done.stderr.strip():
        raise AssertionError(f"ffprobe {url}: {done.stderr}")
    return int(done.stdout.strip().splitlines()[0].strip(","))


def in_threads(count, work):
    """Runs work(i) in `count` threads at once and returns the results; exceptions are raised here."""
    results, errors = [None] * count, []

    def one(i):
        try:
            results[i] = work(i)
        except BaseException as e:  # pylint: disable=broad-except
            errors.append(e)
    threads = [threading.Thread(target=one, args=(i,)) for i in range(count)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    if errors:
        raise errors[0]
    return results


def process_figures(pid):
    """Descriptors, threads and resident kilobytes of a process; `anon_kb` is the part that it has written itself."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return {"fds": len(os.listdir(f"/proc/{pid}/fd")),
            "threads": int(re.search(r"Threads:\s+(\d+)", status).group(1)),
            "anon_kb": int(re.search(r"RssAnon:\s+(\d+)", status).group(1)),
            "rss_kb": int(re.search(r"VmRSS:\s+(\d+)", status).group(1))}


def main():
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    unittest.main(verbosity=2)
