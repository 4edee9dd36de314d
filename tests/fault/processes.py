"""What the faults of processes have in common: a stack whose parts may die or stand still, requests that wait in a thread of
their own, and what must hold whatever was done to it."""
import contextlib
import functools
import os
import signal
import threading
import time
from http.client import HTTPException

import report  # first: it knows where the harness is
from harness import StackTest, http
from recovery import Viewer, look_until

STEADY_S = 0.3
VERDICTS = {0: "authentic", 2: "authentic with gaps", 3: "truncated", 4: "tampered", 5: "unknown key"}
MARK = "#EXT-X-DISCONTINUITY\n"


class Request(threading.Thread):
    """One request to the API that may take long, or lose its gateway."""

    def __init__(self, url, method, body=None):
        super().__init__(daemon=True)
        self.asked = (url, method, body)
        self.answer = None  # None once ended: the connection broke before there was one
        self.start()

    def run(self):
        try:
            self.answer = http(*self.asked)
        except (OSError, HTTPException):
            pass

    def told(self):
        """What the one who asked knows in the end."""
        self.join(40)
        assert not self.is_alive(), "no answer within 40 s"
        if self.answer is None:
            return "connection lost"
        if self.answer.status < 300:
            return self.answer.json()["state"]
        return f"{self.answer.status} {self.answer.json()['code']}"


def when_full(test):
    """Only with --full."""
    @functools.wraps(test)
    def run(self):
        if not report.OPTIONS.full:
            self.skipTest("with --full")
        test(self)
    return run


def in_words(seconds):
    return f"{seconds:.1f} s"


class ProcessTest(StackTest):
    """One camera; everything may be dead when the class ends."""

    @classmethod
    def expected_dead(cls):
        return {"gateway", "broker", "ingest", "janitor", "camera-cam-1"}

    def setUp(self):
        super().setUp()
        self.came = {}  # how often those that were begun again had come to the broker before

    # --- what is done to a process ---------------------------------------------------------------------------------

    def kill(self, name):
        self.stack.stop(name, signal.SIGKILL)

    def restart(self, name):
        """Killed and begun again; the moment of the new beginning."""
        self.kill(name)
        self.came[name] = self.connections_of(name)
        began = time.monotonic()
        self.stack.start(name)
        return began

    @contextlib.contextmanager
    def frozen(self, name):
        """Stands still inside; when it was killed meanwhile, there is nothing to wake."""
        pid = self.stack.pid(name)
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            if self.stack.pid(name) == pid:
                os.kill(pid, signal.SIGCONT)

    # --- what is seen ------------------------------------------------------------------------------------------------

    def post(self, **body):
        return Request(self.camera_url(what="/stream"), "POST", body)

    def delete(self):
        return Request(self.camera_url(what="/stream"), "DELETE")

    def all_online(self, deadline_s=90):
        """Those that were begun again have come back since, and the gateway has heard so: what it shows lasts."""
        for name, before in self.came.items():
            self.wait_for(f"{name} at the broker", lambda n=name, b=before: self.connections_of(n) > b, deadline_s)
        self.came.clear()
        super().all_online(deadline_s)
        looked = time.monotonic()
        self.wait_for("it to last", lambda: time.monotonic() - looked >= STEADY_S)
        super().all_online(deadline_s)

    def stream_now(self):
        """What the API shows; None while nobody answers."""
        try:
            return self.camera()["stream"]
        except (OSError, HTTPException):
            return None

    def wait_state(self, *states, deadline_s=30):
        def reached():
            stream = self.stream_now()
            return stream if stream is not None and stream["state"] in states else None
        return self.wait_for(f"one of {states}", reached, deadline_s)

    def wait_detail(self, words):
        """Until the API says that the stream is at that step."""
        self.wait_for(f"{words!r}", lambda: words in (self.stream_now() or {}).get("detail", ""))

    def since(self, what, check, began):
        return look_until(what, check, began)

    def log(self, name):
        return (self.stack.logs / f"{name}.log").read_text(errors="replace")

    def log_size(self, name):
        return len(self.log(name))

    def wait_log(self, name, text, after=0, deadline_s=30):
        self.wait_for(f"{text!r} in the log of {name}", lambda: text in self.log(name)[after:], deadline_s)

    def connections_of(self, name):
        return self.log(name).count('msg="connected to the broker"')

    def viewer(self, stream, patient=False):
        viewer = Viewer(self.base(stream), patient)
        viewer.start()
        self.wait_for("a viewer that plays", lambda: viewer.errors or len(viewer.fetched) > 2)
        return viewer

    def went_on(self, viewer, parts=3):
        """The viewer has missed nothing until now, and plays."""
        n = len(viewer.fetched)
        self.wait_for("the viewer to go on", lambda: viewer.errors or len(viewer.fetched) >= n + parts)
        self.assertEqual(viewer.errors, [])

    # --- what must hold ----------------------------------------------------------------------------------------------

    def folder(self, session):
        return self.media / "cam-1" / session

    def assert_own_media(self, stream):
        """Every part under the session's URL stands in that session's segments, and in no other's."""
        own = b"".join(p.read_bytes() for p in self.folder(stream["session"]).glob("seg-*.m4s"))
        others = b"".join(p.read_bytes() for p in self.media.glob("cam-1/*/seg-*.m4s")
                          if p.parent.name != stream["session"])
        names = self.playlist(stream).parts[-8:]
        self.assertTrue(names)
        for name in names:
            part = self.fetch(stream, name)
            self.assertEqual(part.status, 200)
            self.assertTrue(part.body in own or part.body in self.media_of(stream), f"{name} is not of {stream['session']}")
            self.assertFalse(part.body in others, f"{name} is of another session")

    def media_of(self, stream):
        """Read again: it grows."""
        return b"".join(p.read_bytes() for p in self.folder(stream["session"]).glob("seg-*.m4s"))

    def verdict(self, session, within_s=40):
        """Of `belfryctl verify`, once the session is a recording."""
        self.wait_for("the recording", lambda: (self.folder(session) / "recording").exists(), within_s)
        done = self.belfryctl("verify", str(self.folder(session)), check=False)
        self.assertIn(done.returncode, (0, 2), done.stdout.decode() + done.stderr.decode())
        return VERDICTS[done.returncode]

    def discontinuities(self, stream):
        return self.playlist(stream).text.count(MARK)

    def settle(self):
        """Everything runs and is known, nothing streams: what the next test begins with."""
        for name in ("broker", *self.stack.commands(self.build)):
            self.stack.start(name)
        self.all_online()
        self.stop()
        self.wait_state("idle", "failed")

    def assert_usable(self):
        """Whatever it was: the next start comes up, and its media are its own."""
        self.all_online()
        stream = self.start(record=True)
        self.newer_part(stream)
        self.assert_own_media(stream)
        self.assertEqual(self.stop()["state"], "idle")
        return stream

    def recordings(self):
        return [r["id"] for r in http(f"{self.url}/api/v1/recordings").json()["recordings"]]
