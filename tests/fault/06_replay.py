"""Messages that were valid once come again: each one twice, and a whole recorded day of a site at once, while it runs, after
the nodes' restarts and after their keys were rotated. Nothing happens but that refusals are counted."""
import json
import os
import random
import re
import signal
import sys
import threading
import time
import unittest

from report import OPTIONS, SOURCE, main, measured  # first: it knows where the others are

sys.path[:0] = [str(SOURCE / "tests/attack"), str(SOURCE / "tests/aws")]

# pylint: disable=wrong-import-position
import mqtt_packets
from forger import CHANNELS, Message, first, parse
from harness import http, stack
from linked import undemanding
from mqtt import PUBACK, Client
from open_broker import PREFIX, OpenBrokerTest

NODES = {"gateway": "gateway/gateway-1", "ingest": "ingest/ingest-1", "janitor": "janitor/janitor-1",
         "camera-cam-1": "camera/cam-1", "camera-cam-2": "camera/cam-2"}
STATE_EVERY_S = 5
OVERLAP_S = 2
STATUS, COUNTERS = 2, 8  # fields of every state, and of its NodeStatus
IN_FLIGHT = 16  # the broker takes 20 that it has not acknowledged


class Recorder(threading.Thread):
    """Everything that travels at the site, in order, until it is stopped; `each` is told of it, too."""

    def __init__(self, port, each=None):
        super().__init__(daemon=True)
        self.client, self.each, self.enough = Client(port), each, threading.Event()
        self.client.subscribe("belfry/v1/#")
        self.start()

    def run(self):
        done = 0
        while not self.enough.is_set():
            messages = self.client.listen(lambda received, n=done: len(received) > n, 0.2)
            for message in messages[done:]:
                if self.each is not None:
                    self.each(*message)
            done = len(messages)

    def finish(self):
        self.enough.set()
        self.join()
        return self.client.received


class Again:
    """Delivers what it is told of once more, under another packet id: at once, or in another order a little later."""

    def __init__(self, port):
        self.client, self.known, self.later = Client(port), set(), []
        self.at_once = self.shuffled = 0

    def __call__(self, topic, payload):
        if (topic, payload) in self.known:
            return  # its own
        self.known.add((topic, payload))
        self.client.publish(topic, payload)
        self.at_once += 1
        self.later.append((topic, payload))
        if len(self.later) >= 8:
            random.shuffle(self.later)
            for message in self.later:
                self.client.publish(*message)
                self.shuffled += 1
            self.later = []


class Watch(threading.Thread):
    """What the API shows while something is going on: every standing that it saw, of each camera and of the recordings."""

    def __init__(self, url):
        super().__init__(daemon=True)
        self.url, self.seen, self.enough, self.looks = url, {}, threading.Event(), 0
        self.start()

    def run(self):
        while not self.enough.is_set():
            for camera in self.ask("cameras")["cameras"]:
                stream = camera["stream"]
                # Ingest says so by itself where the machine is too busy for the camera to run.
                detail = re.sub(r"^Live, but no pictures arrive .*", "Live.", stream["detail"])
                self.note(camera["id"], (camera["online"], stream["state"], stream["session"], detail))
            self.note("recordings", json.dumps(self.ask("recordings")))
            self.looks += 1
            time.sleep(0.02)

    def ask(self, what):
        return http(f"{self.url}/api/v1/{what}").json()

    def note(self, what, standing):
        self.seen.setdefault(what, set()).add(standing)

    def finish(self):
        self.enough.set()
        self.join()
        return self.seen


class Newest:
    """Of each node the newest state that it has published: what the broker keeps may be what a test has put there."""

    def __init__(self):
        self.states = {}

    def __call__(self, topic, payload):
        if not topic.endswith("/state"):
            return
        message = Message.opened(payload)
        order = (message.header["sender_epoch"], message.header["sequence"])
        if message.header["channel"] == CHANNELS["state"] and order > self.states.get(topic, ((0, 0), None))[0]:
            self.states[topic] = (order, message)

    def counters(self, topic):
        """Those of refusals: proto/header.proto, NodeStatus and Counter."""
        status = parse(first(self.states[topic][1].body, STATUS))
        found = {first(c, 1).decode(): first(c, 2, 0) for c in (parse(value) for number, value in status if number == COUNTERS)}
        return {name: value for name, value in found.items()
                if name.startswith("refused") or name in ("duplicate", "bus_dropped")}


class ReplayTest(OpenBrokerTest):
    cameras = 2

    @classmethod
    def configure(cls, text):
        return undemanding(text)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.newest = Newest()
        cls.states = Recorder(cls.open_port, cls.newest)
        stack.wait_until("a state of every node", lambda: len(cls.newest.states) == len(NODES), 10)

    @classmethod
    def tearDownClass(cls):
        cls.states.finish()
        super().tearDownClass()

    def counters(self, service):
        return self.newest.counters(f"{PREFIX}/{NODES[service]}/state")

    def rise(self, before, service):
        """Since `before`, with its next state."""
        now = self.counters(service)
        return {name: value - before[service].get(name, 0) for name, value in now.items()
                if value > before[service].get(name, 0)}

    def cycle(self, camera, **body):
        stream = self.start(camera, **body)
        self.newer_part(stream)
        self.stop(camera)
        return stream

    def log(self, name):
        return (self.stack.logs / f"{name}.log").read_text(errors="replace")

    def begun(self):
        """How often a picture source, a session and a deletion were begun, by the services' own logs."""
        return {"camera-cam-1": self.log("camera-cam-1").count('msg="starting"'),
                "camera-cam-2": self.log("camera-cam-2").count('msg="starting"'),
                "deleted": self.log("janitor").count('msg="recording deleted"')}


class Twice(ReplayTest):
    """Every message of every node comes twice at once, and a third time out of order."""

    def test_each_message_again(self):
        again = Again(self.open_port)
        before = {name: self.counters(name) for name in NODES}
        recorder = Recorder(self.open_port, again)
        cycles = 10 if OPTIONS.full else 2
        begun = self.begun()
        streams = [self.cycle(f"cam-{i % 2 + 1}", record=True)["session"] for i in range(cycles)]
        recorder.finish()
        self.assertEqual(len(set(streams)), cycles)
        self.assertEqual(sum(self.begun().values()) - sum(begun.values()), cycles)
        listed = self.wait_for("the recordings", lambda: len(
            found := http(f"{self.url}/api/v1/recordings").json()["recordings"]) == cycles and found, 30)
        self.assertEqual([r["gaps"] for r in listed], [0] * cycles)
        rise = self.wait_for("the duplicates to be counted", lambda: all(
            self.rise(before, name).get("duplicate") for name in NODES) and {n: self.rise(before, n) for n in NODES})
        duplicates = sum(found["duplicate"] for found in rise.values())
        others = {name for found in rise.values() for name in found if name not in ("duplicate", "refused_replay", "bus_dropped")}
        measured("every message delivered again under a new packet id, at once and out of order",
                 "acted upon once; duplicates are counted",
                 f"{again.at_once} messages again at once, {again.shuffled} out of order: {cycles} of {cycles} starts and stops as "
                 f"without, {duplicates} duplicates counted")
        self.assertEqual(others, set())


class RecordedDay(ReplayTest):
    """Age is not looked at here, since no clock is synchronised: the harder case."""

    synced = "0"
    words = "clocks not synchronised"

    @classmethod
    def expected_dead(cls):
        return set(NODES)

    @classmethod
    def prepare(cls, root, build):
        os.environ["BELFRY_CLOCK_SYNCED"] = cls.synced
        super().prepare(root, build)

    @classmethod
    def tearDownClass(cls):
        os.environ.pop("BELFRY_CLOCK_SYNCED", None)
        super().tearDownClass()

    def patch(self, recording, **body):
        answer = http(f"{self.url}/api/v1/recordings/{recording}", "PATCH", body)
        self.assertEqual(answer.status, 200, answer.body)

    def record_a_day(self):
        """Starts and stops by HTTP and by an operator, commands to the janitor, a node that restarts: on every topic there is."""
        recorder = Recorder(self.open_port)
        kept = self.cycle("cam-1", record=True)["session"]
        url = f"{self.url}/api/v1/recordings/{kept}"
        self.wait_for("the recording", lambda: http(url).status == 200, 30)
        self.patch(kept, protected=True, title="a cat")
        self.patch(kept, protected=False, title="a dog")
        self.belfryctl("start", "cam-2")
        self.belfryctl("stop", "cam-2")
        if OPTIONS.full:
            for i in range(8):
                self.cycle(f"cam-{i % 2 + 1}", record=i < 2)
            gone = self.cycle("cam-2", record=True)["session"]
            self.wait_for("another recording", lambda: http(f"{self.url}/api/v1/recordings/{gone}").status == 200, 30)
            self.assertIn(http(f"{self.url}/api/v1/recordings/{gone}", "DELETE").status, (200, 204))
            self.restart("camera-cam-1")
            self.cycle("cam-1")
        stream = self.start("cam-2")
        self.newer_part(stream)
        day = recorder.finish()
        kinds = {topic.split("/")[3] + "/" + topic.split("/")[5] for topic, _ in day}
        wanted = {f"{role}/{channel}" for role in ("camera", "ingest", "janitor") for channel in ("state", "desired")}
        self.assertLessEqual(wanted | {"gateway/state", "gateway/cmd", "gateway/rsp", "operator/rsp", "janitor/cmd", "janitor/evt"},
                             kinds)
        return day, stream

    def restart(self, *names):
        for name in names:
            self.stack.stop(name)
        for name in names:
            self.stack.start(name)
        self.stack.wait_ready()
        self.all_online()

    def pour(self, messages, retain):
        """All at once: a state also as what the broker keeps, where asked for."""
        with Client(self.open_port) as client:
            for number, (topic, payload) in enumerate(messages):
                kept = retain and topic.endswith("/state")
                client.socket.sendall(mqtt_packets.publish(topic, payload, retain=kept, identifier=number % 65535 + 1))
                if number >= IN_FLIGHT:
                    client.expect(PUBACK)
            for _ in range(min(IN_FLIGHT, len(messages))):
                client.expect(PUBACK)
        return len(messages)

    def settled(self):
        """Nothing is told late: every node has published its state twice since."""
        topics = [f"{PREFIX}/{topic}/state" for topic in NODES.values()]
        with Client(self.open_port) as client:
            client.subscribe(*topics)
            client.listen(lambda got: all(sum(t == topic for t, _ in got) > 2 for topic in topics), 3 * STATE_EVERY_S)

    def risen(self, before):
        return {name: self.rise(before, name) for name in NODES}

    def replay(self, what, day, live=None):
        """The whole day in order, then backwards with its states retained; says what was counted."""
        before = {name: self.counters(name) for name in NODES}
        begun, watch = self.begun(), Watch(self.url)
        sent = self.pour(day, retain=False) + self.pour(day[::-1], retain=True)
        if live is not None:
            self.newer_part(live)
        rise = self.wait_for("every node to count refusals", lambda: all((r := self.risen(before)).values()) and r)
        if OPTIONS.full:
            self.settled()
            rise = self.risen(before)
        seen = watch.finish()
        self.assertEqual(self.begun(), begun)
        self.assertEqual({name: len(standings) for name, standings in seen.items()}, dict.fromkeys(seen, 1), seen)
        total = {}
        for found in rise.values():
            for reason, count in found.items():
                total[reason] = total.get(reason, 0) + count
        counted = ", ".join(f"{count} {reason}" for reason, count in sorted(total.items(), key=lambda item: -item[1]))
        measured(f"a recorded day of {len(day)} messages replayed at once, forwards and backwards, {what} ({self.words})",
                 "no start, no stop, no change; each refusal is counted by its reason",
                 f"{sent} messages, nothing changed in {watch.looks} looks; {counted}")

    def rotate(self):
        """Keys of all nodes, without an overlap to speak of."""
        for topic in NODES.values():
            self.belfryctl("node", "rotate", topic.split("/")[1], "--overlap", f"{OVERLAP_S}s")
        ended = time.monotonic() + OVERLAP_S
        before = {name: self.log(name).count("keys reloaded") for name in NODES}
        for name in NODES:
            os.kill(self.stack.pid(name), signal.SIGHUP)
        for name in NODES:
            self.wait_for(f"{name}'s new key", lambda name=name: self.log(name).count("keys reloaded") > before[name])
        self.wait_for("the old keys' end", lambda: time.monotonic() > ended)
        self.all_online()

    def test_nothing_happens(self):
        day, stream = self.record_a_day()
        if OPTIONS.full:
            self.replay("while a stream runs", day, stream)
        self.restart("gateway")
        self.assertEqual(self.camera("cam-2")["stream"]["session"], stream["session"])
        self.replay("after a restart of the gateway, under the same stream", day, stream)
        self.stop("cam-2")
        if OPTIONS.full:
            self.replay("while nothing runs", day)
            self.restart(*NODES)
            self.replay("after a restart of every node", day)
            stream = self.start("cam-2")
            self.rotate()
            self.replay("after the rotation of every key, under a stream", day, stream)
            self.stop("cam-2")
        self.cycle("cam-1")


class RecordedDaySynced(RecordedDay):
    synced = "1"
    words = "clocks synchronised"


def load_tests(loader, _tests, _pattern):
    classes = [RecordedDay] + ([Twice, RecordedDaySynced] if OPTIONS.full else [])
    return unittest.TestSuite(loader.loadTestsFromTestCase(c) for c in classes)


if __name__ == "__main__":
    main(__doc__.splitlines()[0])
