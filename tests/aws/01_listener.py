"""A TLS listener that requires the ALPN name and a client certificate: a node that says the name gets in, others do not.
And the rules of that listener: each ends the connection of who breaks it."""
import os
import pathlib
import shutil
import socket
import ssl
import unittest

import strict
import mqtt_packets as mqtt
from harness import main, stack
from iot_core import ALPN, Denied, Rules

PREFIX = "belfry/v1/home"
OWN = f"{PREFIX}/camera/cam-1"


class Client:
    """MQTT by hand, as node cam-1."""

    def __init__(self, site, port, alpn=ALPN, server_name="localhost"):
        context = ssl.create_default_context(cafile=site / "keys/ca.crt")
        context.check_hostname = False
        context.load_cert_chain(site / "keys/cam-1.crt", site / "keys/cam-1.tls.key")
        if alpn:
            context.set_alpn_protocols([alpn])
        self.socket = context.wrap_socket(socket.create_connection(("127.0.0.1", port), 10), server_hostname=server_name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def take(self, n):
        data = b""
        while len(data) < n:
            more = self.socket.recv(n - len(data))
            if not more:
                raise EOFError
            data += more
        return data

    def receive(self):
        """Kind of the next packet, or None where the connection has ended."""
        try:
            head, length = self.take(1), b""
            while not length or length[-1] >= 0x80:
                length += self.take(1)
            self.take(mqtt.Reader(length).variable())
        except (EOFError, ConnectionError, ssl.SSLError):
            return None
        return head[0] >> 4


class Everything:
    """A policy that allows it all: what is left are the limits."""

    def demand(self, *_):
        pass


class Listener(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        build = stack.build_dir()
        root = build / "integration/aws-listener"
        shutil.rmtree(root, ignore_errors=True)
        cls.stack, cls.build = stack.Stack(root), build
        for folder in (root, cls.stack.run, cls.stack.logs):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        cls.stack.make_site(build, stack.free_port(), ["cam-1"])
        cls.core = strict.stand_in_front(cls.stack.site, build)
        cls.stack.start_broker()
        cls.site, cls.port = cls.stack.site, cls.core.port
        stack.wait_until("the broker", lambda: socket.create_connection(("127.0.0.1", cls.core.broker_port), 1).close() is None,
                         10)

    @classmethod
    def tearDownClass(cls):
        cls.stack.down()
        cls.core.stop()

    def camera(self, name, environment):
        """A camera service with these settings; returns its log once it is connected, or says what it waits for."""
        self.stack.spawn(name, [stack.binary(self.build, "camera"), "--config", self.site / "belfry.yml", "--node", "cam-1"],
                         {"BELFRY_BROKER_HOST": "localhost", **environment})
        log = pathlib.Path(self.stack.logs / f"{name}.log")

        def decided():
            text = log.read_text()
            return text if "connected to the broker" in text or "retry_ms=" in text else None
        try:
            return stack.wait_until("a decision", decided, 20)
        finally:
            self.stack.stop(name)

    def test_1_node_with_the_name_gets_in(self):
        log = self.camera("with-name", {"BELFRY_BROKER_ALPN": ALPN})
        self.assertIn("connected to the broker", log)
        self.assertNotIn("retry_ms", log)
        self.assertEqual(self.core.connections[-1][0], "cam-1")
        self.assertEqual(self.core.violations, [])

    def test_2_node_without_it_does_not(self):
        for name, environment in {"no-name": {}, "other-name": {"BELFRY_BROKER_ALPN": "mqtt"}}.items():
            with self.subTest(name):
                before = len(self.core.refused), len(self.core.connections)
                log = self.camera(name, environment)
                self.assertNotIn("connected to the broker", log)
                self.assertIn("waiting for the broker", log)
                self.assertIn(("cam-1", "ALPN"), self.core.refused[before[0]:])
                self.assertEqual(len(self.core.connections), before[1])

    def test_3_no_server_name_no_entry(self):
        with Client(self.site, self.port, server_name=None) as client:
            client.send(mqtt.connect("cam-1"))
            self.assertIsNone(client.receive())
        self.assertIn(("cam-1", "SNI"), self.core.refused)

    def exchange(self, connect, packets):
        """Kinds of what came back; None stands for the end of the connection."""
        with Client(self.site, self.port) as client:
            client.send(connect)
            answers = [client.receive()]
            for packet in packets if answers[0] is not None else []:
                client.send(packet)
                answers.append(client.receive())
            return answers

    def test_4_what_the_policy_gives(self):
        before = len(self.core.violations)
        answers = self.exchange(mqtt.connect("cam-1", will=f"{OWN}/state"), [
            mqtt.subscribe([f"{OWN}/desired"]), mqtt.publish(f"{OWN}/evt"),
            mqtt.packet(mqtt.UNSUBSCRIBE, 2, b"\0\x02\0" + mqtt.text(f"{OWN}/desired"))])
        self.assertEqual(answers, [mqtt.CONNACK, mqtt.SUBACK, mqtt.PUBACK, 11])
        self.assertEqual(self.core.violations[before:], [])

    def test_5_what_it_does_not_give(self):
        connect = mqtt.connect("cam-1")
        rows = {
            "client id front, thing cam-1": (mqtt.connect("front"), []),
            "iot:Connect on client/cam-1 PersistentConnect": (mqtt.connect("cam-1", expiry_s=60), []),
            f"iot:Publish on topic/{PREFIX}/camera/yard/state": (mqtt.connect("cam-1", will=f"{PREFIX}/camera/yard/state"), []),
            f"iot:Publish on topic/{PREFIX}/ingest/ingest-1/state": (connect, [mqtt.publish(f"{PREFIX}/ingest/ingest-1/state")]),
            f"iot:Publish on topic/{OWN}/desired": (connect, [mqtt.publish(f"{OWN}/desired")]),
            f"iot:RetainPublish on topic/{OWN}/evt": (connect, [mqtt.publish(f"{OWN}/evt", retain=True)]),
            f"iot:Subscribe on topicfilter/{OWN}/evt": (connect, [mqtt.subscribe([f"{OWN}/evt"])]),
            f"wildcard {PREFIX}/camera/+/state: retained messages would not come": (
                connect, [mqtt.subscribe([f"{PREFIX}/camera/+/state"])]),
            "QoS 2": (connect, [mqtt.publish(f"{OWN}/evt", qos=2)]),
            "payload of more than 128 KiB": (connect, [mqtt.publish(f"{OWN}/evt", b"x" * (128 * 1024 + 1))]),
        }
        for rule, (hello, packets) in rows.items():
            with self.subTest(rule):
                before = len(self.core.violations)
                self.assertIsNone(self.exchange(hello, packets)[-1])
                self.assertEqual(self.core.violations[before:], [("cam-1", rule)])

    def test_6_limits(self):
        """The rules alone, without a connection."""
        def rules():
            r = Rules("cam-1", Everything())
            r.connect(mqtt.read_connect(mqtt.connect("cam-1")[2:]))
            return r

        def publish(topic="a/b", payload=b"x", identifier=1):
            return {"topic": topic, "qos": 1, "retain": False, "id": identifier, "payload": payload}

        def subscribe(topics, properties=()):
            return {"filters": [(topic, 1) for topic in topics], "properties": dict.fromkeys(properties, 1)}

        rules().publish(publish("a/b/c/d/e/f/g/h"))
        rules().publish(publish("t" * 256, b"x" * 131072))
        rules().subscribe(subscribe([f"a/{i}" for i in range(8)]))
        for rule, act in {
                "7 slashes": lambda: rules().publish(publish("a/b/c/d/e/f/g/h/i")),
                "256 bytes": lambda: rules().publish(publish("t" * 257)),
                "128 KiB": lambda: rules().publish(publish("a", b"x" * 131073)),
                "8 filters": lambda: rules().subscribe(subscribe([f"a/{i}" for i in range(9)])),
                "identifier": lambda: rules().subscribe(subscribe(["a"], [mqtt.SUBSCRIPTION_IDENTIFIER])),
                "keep-alive": lambda: Rules("cam-1", Everything()).connect(mqtt.read_connect(mqtt.connect("cam-1", 4)[2:])),
                "before CONNECT": lambda: Rules("cam-1", Everything()).from_node(mqtt.PUBLISH, 0, b"")}.items():
            with self.subTest(rule), self.assertRaisesRegex(Denied, rule):
                act()

        many = rules()
        for i in range(50):
            many.subscribe(subscribe([f"a/{i}"]))
        with self.assertRaisesRegex(Denied, "50 subscriptions"):
            many.subscribe(subscribe(["a/50"]))

        fast = rules()
        for i in range(100):
            fast.publish(publish(identifier=i + 1))
        with self.assertRaisesRegex(Denied, "100 publications"):
            fast.publish(publish(identifier=101))
        fast.out.passed.clear()
        with self.assertRaisesRegex(Denied, "100 unacknowledged"):
            fast.publish(publish(identifier=102))

        large = rules()
        for i in range(31):
            large.publish(publish("a", b"x" * 16384, i + 1))
        with self.assertRaisesRegex(Denied, "512 kB"):
            large.publish(publish("a", b"x" * 16384, 32))


if __name__ == "__main__":
    os.environ.pop("BELFRY_BROKER_ALPN", None)
    unittest.TestLoader.sortTestMethodsUsing = staticmethod(lambda a, b: (a > b) - (a < b))
    main()
