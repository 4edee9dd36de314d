"""Keys and certificates change while a stream runs, make before break: the new key is in the trust bundle before anybody
signs with it, the node signs with both while others may still know the old one only, and then the old one is refused."""
import json
import os
import re
import signal
import ssl
import subprocess
import unittest

import strict
from harness import StackTest, ffprobe_frames, http, main, stack as stack_module

PREFIX = "belfry/v1/home"
NODES = {"cam-1": "camera-cam-1", "gateway-1": "gateway", "ingest-1": "ingest", "janitor-1": "janitor"}
OVERLAP_S = 10


class Rotation(StackTest):
    @classmethod
    def prepare(cls, root, build):
        """A second listener without any access control: for listening, and for an attacker who owns the broker."""
        super().prepare(root, build)
        cls.open_port = stack_module.free_port()
        conf = cls.stack.site / "mosquitto/mosquitto.conf"
        text = re.sub(r"^(allow_anonymous|use_username_as_clientid) .*\n", "", conf.read_text(),
                      flags=re.M)
        acl = cls.stack.site / "mosquitto/acl"
        acl.write_text("topic readwrite #\n" + acl.read_text())
        conf.write_text(text + f"\nallow_anonymous true\nlistener {cls.open_port} 127.0.0.1\n")

    def capture(self, topic):
        """The last state, or the next of other messages."""
        done = subprocess.run(["mosquitto_sub", "-p", str(self.open_port), "-q", "1", "-V", "mqttv5", "-t", f"{PREFIX}/{topic}",
                               "-C", "1", "-W", "20", "-F", "%x"], capture_output=True, check=True, timeout=30)
        return bytes.fromhex(done.stdout.decode())

    def publish(self, topic, payload):
        subprocess.run(["mosquitto_pub", "-p", str(self.open_port), "-q", "1", "-V", "mqttv5", "-t", f"{PREFIX}/{topic}", "-s"],
                       input=payload, check=True, timeout=20)

    def counter(self, name):
        return self.camera()["counters"].get(name, 0)

    def signers(self, topic):
        """Key ids of the last message on a state topic, in order."""
        raw = self.capture(topic)
        shown = subprocess.run(["protoc", f"--proto_path={strict.harness.SOURCE / 'proto'}", "--decode=belfry.v1.Envelope",
                                "envelope.proto"], input=raw, capture_output=True, check=True).stdout
        return re.findall(rb'keyid: "((?:[^"\\]|\\.)*)"', shown)

    def reload(self, *names):
        for name in names:
            os.kill(self.stack.pid(name), signal.SIGHUP)

    def logged(self, name, text, times=1):
        log = self.stack.logs / f"{name}.log"
        self.wait_for(f"{name} to say: {text}", lambda: log.read_text().count(text) >= times)

    def rotate(self, node, overlap_s=OVERLAP_S):
        """The node first, then everybody else: the order that would hurt if it did not sign with both."""
        self.belfryctl("node", "rotate", node, "--overlap", f"{overlap_s}s")
        times = (self.stack.logs / f"{NODES[node]}.log").read_text().count("keys reloaded") + 1
        self.reload(NODES[node])
        self.logged(NODES[node], "keys reloaded", times)

    def valid_keys(self, node):
        lines = self.belfryctl("node", "list").stdout.decode().splitlines()
        return [line for line in lines if line.startswith(f"{node} ") and " ended " not in line]

    def broker_serial(self):
        """Of the certificate that mosquitto shows now."""
        keys = self.stack.site / "keys"
        shown = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{self.iot_core.broker_port}", "-CAfile",
                                str(keys / "ca.crt"), "-cert", str(keys / "operator.crt"), "-key",
                                str(keys / "operator.tls.key")], input=b"", capture_output=True, timeout=20, check=False).stdout
        pem = re.search(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", shown, re.S).group(0)
        return ssl.PEM_cert_to_DER_cert(pem.decode())

    def test_1_keys_change_while_a_stream_runs(self):
        stream = self.start(record=True)
        before = {node: self.signers(f"{service.split('-')[0]}/{node}/state") for node, service in NODES.items()}
        old_desired = self.capture("camera/cam-1/desired")
        self.publish("camera/cam-1/desired", old_desired)
        self.wait_for("the duplicate to be counted", lambda: self.counter("duplicate") > 0)
        self.assertEqual(self.counter("refused_key"), 0)

        for node, service in NODES.items():
            with self.subTest(node):
                self.newer_part(stream)
                self.rotate(node)
                topic = f"{service.split('-')[0]}/{node}/state"
                now = self.wait_for("both signatures", lambda t=topic: len(s := self.signers(t)) == 2 and s)
                self.assertEqual(now[1], before[node][0])
                self.assertNotEqual(now[0], before[node][0])
                self.newer_part(stream)
                self.reload(*NODES.values())
        self.all_online()
        self.serials_are_new()

        # The old key is refused once its time is over: by the camera that of the gateway.
        def refused():
            self.publish("camera/cam-1/desired", old_desired)
            return self.counter("refused_key") > 0
        self.wait_for("the gateway's old key to be refused", refused, 60)
        for node, service in NODES.items():
            self.wait_for(f"{node} to sign with its new key only",
                          lambda n=node, s=service: len(self.signers(f"{s.split('-')[0]}/{n}/state")) == 1, 30)
            self.assertEqual(len(self.valid_keys(node)), 1)
        self.newer_part(stream)
        self.nothing_was_lost(stream)

    def serials_are_new(self):
        """Every node came back with the certificate that it has now."""
        for node in NODES:
            text = (self.stack.site / f"keys/{node}.crt")
            shown = subprocess.run(["openssl", "x509", "-noout", "-serial", "-in", str(text)], capture_output=True, text=True,
                                   check=True).stdout
            serials = [s for n, s in self.iot_core.connections if n == node]
            self.assertGreaterEqual(len(serials), 2, node)
            self.assertEqual(f"serial={serials[-1]}", shown.strip(), node)
            self.assertNotEqual(serials[0], serials[-1], node)

    def nothing_was_lost(self, stream):
        """The same session all the time, every frame that was sent, and an archive that holds with both keys."""
        self.assertEqual(self.camera()["stream"]["session"], stream["session"])
        self.assertNotIn("#EXT-X-DISCONTINUITY\n", self.playlist(stream).text)
        self.stop()
        url = f"{self.url}/api/v1/recordings/{stream['session']}"
        self.wait_for("the recording", lambda: http(url).status == 200, 30)
        recording = http(url).json()
        self.assertEqual(recording["gaps"], 0)
        recorded = ffprobe_frames(self.url + recording["urls"]["download"])
        state = json.loads(self.belfryctl("decode", "--json", stdin=self.capture("ingest/ingest-1/state")).stdout)
        counters = {c["name"]: c["value"] for c in state["message"]["node"]["counters"]}
        print(f"{recorded} frames recorded, {self.counter('frames_sent')} sent, {self.counter('bus_connects')} connections")
        self.assertEqual(recorded, self.counter("frames_sent"))
        for name in ("discontinuities", "gaps", "frames_dropped", "frames_corrupt", "frames_lost_to_storage"):
            self.assertEqual(counters.get(name, 0), 0, name)
        self.assertEqual(self.counter("reconnects"), 0)
        done = self.belfryctl("verify", str(self.media / "cam-1" / stream["session"]))
        self.assertIn(b"authentic", done.stdout)

    def test_2_what_a_retired_key_signed_still_holds(self):
        """The recording's record is signed by the janitor; a gateway that starts later must still serve it."""
        url = f"{self.url}/api/v1/recordings"
        known = [r["id"] for r in http(url).json()["recordings"]]
        self.assertTrue(known)
        self.rotate("janitor-1", 1)
        self.reload(*NODES.values())
        self.wait_for("the old key to retire", lambda: len(self.valid_keys("janitor-1")) == 1)
        self.stack.stop("gateway")
        self.stack.start("gateway")
        self.stack.wait_ready()
        self.wait_for("the recordings", lambda: [r["id"] for r in http(url).json()["recordings"]] == known)

    def test_3_broker_certificate_without_a_restart(self):
        self.all_online()
        stream = self.start()
        pid, before, connections = self.stack.pid("broker"), self.broker_serial(), self.counter("bus_connects")
        self.belfryctl("broker", "renew")
        self.assertEqual(self.broker_serial(), before)
        self.reload("broker")
        expected = ssl.PEM_cert_to_DER_cert((self.stack.site / "mosquitto/broker.crt").read_text())
        self.wait_for("the new certificate", lambda: self.broker_serial() == expected)
        self.assertNotEqual(expected, before)
        self.newer_part(stream)
        self.assertEqual(self.stack.pid("broker"), pid)
        self.assertEqual(self.counter("bus_connects"), connections)
        self.stop()

    def test_4_key_that_the_bundle_does_not_know_is_not_taken(self):
        """Half of a rotation: the key without its bundle. The node says so, and goes on with the one it has."""
        key = self.stack.site / "keys/cam-1.key"
        right = key.read_text()
        try:
            key.write_text("ab" * 32 + "\n")
            self.reload("camera-cam-1")
            self.logged("camera-cam-1", "keys not reloaded, those before hold")
        finally:
            key.write_text(right)
        self.assertEqual(self.start()["state"], "live")
        self.stop()


if __name__ == "__main__":
    unittest.TestLoader.sortTestMethodsUsing = staticmethod(lambda a, b: (a > b) - (a < b))
    main()
