"""Ten thousand messages a second of noise for ten seconds, from nodes that may use the broker, while a stream runs: no
frame is lost, control answers as before, and what was refused is counted.

BELFRY_NOISE_RATE sets the messages a second, BELFRY_NOISE_SECONDS for how long."""
import os
import pathlib
import random
import re
import statistics
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))

# pylint: disable=wrong-import-position
from forger import CHANNELS, Key, Message, pack, parse
from harness import StackTest, http, main, process_figures
from mqtt import Client, pour, publication

PREFIX = "belfry/v1/home"
RATE = int(os.environ.get("BELFRY_NOISE_RATE", "10000"))
SECONDS = int(os.environ.get("BELFRY_NOISE_SECONDS", "10"))
FRAME_S = 1 / 30
NODES = {"noisy": "camera", "gateway-2": "gateway"}  # whose certificates the attacker has
USUAL_AND_S = 0.5                                    # what a start under noise may take beyond one without


class Noise(StackTest):
    cameras = 2

    @classmethod
    def prepare(cls, root, build):
        super().prepare(root, build)
        for node, role in NODES.items():
            subprocess.run([str(build / "tools/belfryctl/belfryctl"), "--site-dir", str(cls.stack.site), "node", "add",
                            node, "--role", role], check=True, capture_output=True, timeout=20)

    # --- the noise ---------------------------------------------------------------------------------------------------

    def connect(self, node):
        conf = (self.stack.site / "mosquitto/mosquitto.conf").read_text()
        return Client(int(re.search(r"^listener (\d+)", conf, re.M).group(1)), self.stack.site / "keys", node)

    def statement(self, kind, sender, topic, **header):
        return Message(kind, {}, [(2, b"noise")]).anew(**{
            "site": "home", "sender": sender, "recipient": "*", "topic": topic, "sender_epoch": 1, "sequence": 1,
            "ttl_ms": 15000, "channel": CHANNELS[topic.rsplit("/", 1)[1]], "clock_synced": 1, **header})

    def rubbish(self, topic, kind, sender, keyid):
        """One of each way to be refused, the dear ones too: those whose signature has to be looked at."""
        own, unknown = Key(self.stack.site / f"keys/{sender}.key"), Key()
        words = self.statement(kind, sender, topic)
        return [random.randbytes(random.randint(1, 600)), words.sealed(unknown), words.sealed(unknown, keyid=keyid),
                words.sealed(own), pack([(number, value[:-1] if number == 2 else value) for number, value in
                                         parse(words.sealed(own))]),
                Message("noise", words.header, []).sealed(own), random.randbytes(300)]

    def packets(self, topics, sender, victim):
        """A few hundred different ones, one in fifty of them larger than any message."""
        keyid = Key(self.stack.site / f"keys/{victim}.key").keyid
        made = [publication(topic, payload) for topic, kind in topics for _ in range(20)
                for payload in self.rubbish(topic, kind, sender, keyid)]
        made += [publication(topics[i % len(topics)][0], bytes(17000)) for i in range(len(made) // 50)]
        random.shuffle(made)
        return made

    def attackers(self):
        """(client, what it sends): to the gateway, which hears every camera, and to all that gateways order about."""
        states = [(f"{PREFIX}/camera/noisy/state", "camera-state"), (f"{PREFIX}/camera/noisy/evt", "event")]
        orders = [(f"{PREFIX}/{node}/desired", f"{node.split('/')[0]}-desired")
                  for node in ("camera/cam-1", "camera/cam-2", "ingest/ingest-1", "janitor/janitor-1")]
        return [(self.connect("noisy"), self.packets(states, "noisy", "noisy")),
                (self.connect("gateway-2"), self.packets(orders, "gateway-2", "gateway-1"))]

    def make_noise(self):
        sent = []

        def one(client, packets, seconds):
            with client:
                sent.append(pour(client, packets, RATE // 2, seconds))
        threads = [threading.Thread(target=one, args=(*attacker, SECONDS)) for attacker in self.attackers()]
        for thread in threads:
            thread.start()
        return threads, sent

    # --- what is measured --------------------------------------------------------------------------------------------

    def control(self):
        """Seconds that a start of the other camera takes, that its stop takes, and that the list of cameras takes."""
        begin = time.monotonic()
        self.start("cam-2")
        started = time.monotonic()
        self.stop("cam-2")
        stopped = time.monotonic()
        http(self.url + "/api/v1/cameras")
        return started - begin, stopped - started, time.monotonic() - stopped

    def gaps(self, session):
        """Seconds between the frames of a recording."""
        url = f"{self.url}/api/v1/recordings/{session}"
        self.wait_for("the recording", lambda: http(url).status == 200, 30)
        download = self.url + http(url).json()["urls"]["download"]
        done = subprocess.run(["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries", "packet=pts_time",
                               "-of", "csv=p=0", download], capture_output=True, text=True, check=True, timeout=60)
        times = [float(line.strip(",")) for line in done.stdout.split()]
        return [b - a for a, b in zip(times, times[1:])]

    def counters(self):
        """Of the gateway, as it last said; of the cameras, as they did."""
        metrics = http(self.url + "/metrics").text()
        found = re.findall(r'^belfry_bus_refused_total\{reason="(\w+)"\} (\d+)$', metrics, re.M)
        return {"gateway": {name: int(value) for name, value in found}, "cam-1": self.camera("cam-1")["counters"]}

    def figures(self):
        names = ("gateway", "ingest", "janitor", "camera-cam-1")
        return {name: process_figures(self.stack.pid(name)) for name in names}

    # --- the test ----------------------------------------------------------------------------------------------------

    def test_noise(self):
        stream = self.start(record=True)
        self.newer_part(stream)
        usual = [self.control() for _ in range(3)]
        before = self.figures()
        threads, sent = self.make_noise()
        noisy = []
        while any(thread.is_alive() for thread in threads):
            noisy.append(self.control())
        for thread in threads:
            thread.join()
        self.newer_part(stream)
        self.assertEqual(self.camera()["stream"]["session"], stream["session"])
        self.stop()
        self.report(usual, noisy, sent, before)
        self.judge_counters()
        gaps = self.gaps(stream["session"])
        print(f"{len(gaps) + 1} frames, longest gap {max(gaps) * 1000:.1f} ms")
        self.assertGreater(len(gaps), SECONDS / FRAME_S)
        self.assertLess(max(gaps), 1.5 * FRAME_S)
        self.assertGreater(sum(sent), 0.95 * RATE * SECONDS)
        for what, quiet, loud in zip(("start", "stop", "list"), zip(*usual), zip(*noisy)):
            self.assertLess(statistics.median(loud), statistics.median(quiet) + USUAL_AND_S, what)

    def report(self, usual, noisy, sent, before):
        print(f"{sum(sent)} messages sent, {len(noisy)} starts and stops meanwhile")
        for what, quiet, loud in zip(("start", "stop", "list"), zip(*usual), zip(*noisy)):
            print(f"{what}: usually {statistics.median(quiet):.3f} s, under noise {statistics.median(loud):.3f} s, "
                  f"at most {max(loud):.3f} s")
        for name, now in self.figures().items():
            print(f"{name}: {before[name]} before, {now} after")

    def judge_counters(self):
        wanted = {"gateway": ("envelope", "key", "signature", "payload", "type", "size"),
                  "cam-1": ("envelope", "key", "signature", "type", "size")}

        def counted():
            now = self.counters()
            return all(now[who].get(f"refused_{name}", 0) > 0 for who, names in wanted.items() for name in names)
        self.wait_for("every kind of noise to be counted", counted)
        counted_there = sum(self.counters()["gateway"].values())
        self.assertGreater(counted_there, 0.5 * RATE / 2 * SECONDS)  # what it had no room for, it counts as dropped
        for who, values in self.counters().items():
            print(who, {name: value for name, value in values.items() if value and re.match("refused|bus", name)})


if __name__ == "__main__":
    main()
