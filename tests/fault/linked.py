"""Stacks whose services each have an environment of their own: a broker behind a proxy, a clock that is off."""
import re

from harness import StackTest, http, stack, with_setting
from journal import Journal
from tcp_proxy import TcpProxy

FRAMES_A_GOP = 15
SERVICES = ("camera-cam-1", "ingest", "gateway", "janitor")


def broker_port(site):
    return int(re.search(r"^  port: (\d+)$", (site / "belfry.yml").read_text(), re.M).group(1))


def undemanding(text):
    """Pictures that cost little and a media path with patience: what is tested here is the control plane, on whatever
    machine is busy with other tests."""
    camera = f"width: 320\n    height: 240\n    fps: {FRAMES_A_GOP}\n    gop_ms: 1000\n    latency_ms: 400"
    text = re.sub(r"^    source: test-pattern$", f"    source: test-pattern\n    {camera}", text, flags=re.M)
    return with_setting(text, "gateway", "start_timeout_ms", 30000)


def free_port(but):
    """None of those that are promised to a process which has not started yet."""
    while (port := stack.free_port()) in but:
        pass
    return port


class EnvironmentTest(StackTest):
    """`environment(name)`: what is added to that of the service, at each of its starts."""

    @classmethod
    def environment(cls, _name):
        return {}

    @classmethod
    def prepare(cls, root, build):
        super().prepare(root, build)
        spawn = cls.stack.spawn

        def with_environment(name, command, environment=None):
            spawn(name, command, {**(environment or {}), **cls.environment(name)})
        cls.stack.spawn = with_environment

    def start(self, camera="cam-1", expect=(200, 201), **body):
        """As soon as every node is heard that it needs: whoever was away may not have come back yet."""
        def begun():
            answer = http(self.camera_url(camera, "/stream"), "POST", body)
            self.assertIn(answer.status, (*expect, 503), answer.body)
            return answer.status != 503 and answer
        return self.wait_for("a start", begun, 40).json()

    def all_pictures(self, stream):
        """Of a recorded stream: stops it; what was sent is there, over the one connection that was made. Returns "N of M".

        A camera that is kept from running for a second makes a discontinuity by itself, and pictures count again from its next
        key frame on: so many may be missing, and no others."""
        self.stop()
        self.wait_for("the recording", lambda: http(f"{self.url}/api/v1/recordings/{stream['session']}").status == 200, 40)
        journal = Journal(self.media / "cam-1" / stream["session"] / "journal")
        sent = int(re.findall(rf'msg="stopped" session={stream["session"]} frames=(\d+)', self.log("camera-cam-1"))[-1])
        pauses = sum(part["discontinuity"] for part in journal.parts)
        self.assertLessEqual(journal.frames, sent)
        self.assertLessEqual(sent - journal.frames, pauses * FRAMES_A_GOP)
        self.assertEqual(journal.gaps, 0)
        self.assertEqual(self.camera()["counters"].get("reconnects", 0), 0)
        return f"{journal.frames} of {sent}"

    def log(self, name):
        return (self.stack.logs / f"{name}.log").read_text(errors="replace")

    def logged(self, name, text, times=1, deadline_s=30):
        self.wait_for(f"{name}: {text}", lambda: self.log(name).count(text) >= times, deadline_s)


class LinkedTest(EnvironmentTest):
    """Each service reaches the broker through a proxy of its own, `links[name]`."""

    @classmethod
    def prepare(cls, root, build):
        cls.links = {}
        super().prepare(root, build)
        broker = broker_port(cls.stack.site)
        cls.links = {name: TcpProxy(broker, free_port({broker, cls.port})) for name in SERVICES}

    @classmethod
    def environment(cls, name):
        return {"BELFRY_BROKER_PORT": str(cls.links[name].port)} if name in cls.links else {}

    @classmethod
    def tearDownClass(cls):
        for link in cls.links.values():
            link.set("through")
        try:
            super().tearDownClass()
        finally:
            for link in cls.links.values():
                link.close()
