"""What a node meets at AWS IoT Core and not at mosquitto, in front of a mosquitto: a TLS listener that takes clients with
the ALPN name and a server name only, the policies that belfryctl makes, and AWS's limits. Whoever breaks a rule loses the
connection, without a word, as there; the rule is noted in `violations`.

It connects onward as the node itself, with the keys of the site that it stands in front of."""
import asyncio
import json
import ssl
import subprocess
import threading
import time

import mqtt_packets as mqtt

ALPN = "x-amzn-mqtt-ca"
REGION, ACCOUNT = "eu-central-1", "123456789012"
PAYLOAD_MAX, TOPIC_MAX, SLASHES_MAX, CLIENT_MAX = 128 * 1024, 256, 7, 128
FILTERS_AT_ONCE, SUBSCRIPTIONS_MAX, UNACKNOWLEDGED_MAX, PUBLISHES_PER_S = 8, 50, 100, 100
BYTES_PER_S = 512 * 1000
KEEPALIVE_S = range(5, 1201)


class Denied(Exception):
    """AWS IoT Core would end the connection here."""


class Policy:
    """The documents that are attached to one certificate. No wildcards: belfryctl makes none."""

    def __init__(self, documents):
        self.statements = [s for d in documents for s in d["Statement"]]
        for s in self.statements:
            assert s["Effect"] == "Allow" and not any("*" in r for r in s["Resource"]), s

    def allows(self, action, kind, name, attributes=()):
        resource = f"arn:aws:iot:{REGION}:{ACCOUNT}:{kind}/{name}"
        return any(action in s["Action"] and resource in s["Resource"] and
                   self.holds(s.get("Condition", {}), set(attributes)) for s in self.statements)

    @staticmethod
    def holds(condition, attributes):
        """Every certificate is attached to its thing here. `attributes` are what a CONNECT asks for."""
        for operator, tests in condition.items():
            if operator == "Bool":
                if tests != {"iot:Connection.Thing.IsAttached": "true"}:
                    return False
            elif operator == "ForAllValues:StringEquals":
                if not attributes <= set(tests["iot:ConnectAttributes"]):
                    return False
            else:
                return False
        return True

    def demand(self, action, kind, name, attributes=()):
        if not self.allows(action, kind, name, attributes):
            raise Denied(f"{action} on {kind}/{name} {' '.join(attributes)}".strip())


class LastSecond:
    """Publications one way, and the most that there were within any second."""

    def __init__(self):
        self.passed, self.most = [], (0, 0)

    def add(self, p):
        """(publications, bytes) within the last second, this one among them."""
        now = time.monotonic()
        self.passed = [(t, n) for t, n in self.passed if now - t < 1] + [(now, len(p["topic"].encode()) + len(p["payload"]))]
        found = len(self.passed), sum(n for _, n in self.passed)
        self.most = tuple(map(max, self.most, found))
        return found


class Rules:
    """Those of one connection, of the node whose certificate it showed."""

    def __init__(self, node, policy):
        self.node, self.policy = node, policy
        self.connected = False
        self.subscriptions, self.unacknowledged = set(), set()
        self.out, self.into = LastSecond(), LastSecond()

    @staticmethod
    def demand(holds, rule):
        if not holds:
            raise Denied(rule)

    def topic(self, topic):
        self.demand(0 < len(topic.encode()) <= TOPIC_MAX, "topic of more than 256 bytes")
        self.demand(topic.count("/") <= SLASHES_MAX, "topic of more than 7 slashes")

    def from_node(self, kind, flags, body):
        self.demand(self.connected or kind == mqtt.CONNECT, "something before CONNECT")
        if kind == mqtt.CONNECT:
            self.connect(mqtt.read_connect(body))
        elif kind == mqtt.PUBLISH:
            self.publish(mqtt.read_publish(flags, body))
        elif kind == mqtt.SUBSCRIBE:
            self.subscribe(mqtt.read_subscribe(body))
        elif kind == mqtt.UNSUBSCRIBE:
            self.subscriptions -= set(mqtt.read_unsubscribe(body)["filters"])

    def connect(self, p):
        self.demand(not self.connected, "a second CONNECT")
        self.demand(0 < len(p["client"].encode()) <= CLIENT_MAX, "client id: 1 to 128 bytes")
        self.demand(p["client"] == self.node, f"client id {p['client']}, thing {self.node}")
        self.demand(p["keepalive"] in KEEPALIVE_S, "keep-alive: 5 to 1200 s")
        persistent = not p["clean_start"] or p["properties"].get(mqtt.SESSION_EXPIRY, 0) > 0
        attributes = ["LastWill"] * (p["will"] is not None) + ["PersistentConnect"] * persistent
        self.policy.demand("iot:Connect", "client", p["client"], attributes)
        if p["will"] is not None:
            self.message(p["will"])
        self.connected = True

    def message(self, p):
        self.demand(p["qos"] <= 1, "QoS 2")
        self.demand(len(p["payload"]) <= PAYLOAD_MAX, "payload of more than 128 KiB")
        self.demand(not set("+#") & set(p["topic"]), "publication to a wildcard")
        self.topic(p["topic"])
        self.policy.demand("iot:Publish", "topic", p["topic"])
        if p["retain"]:
            self.policy.demand("iot:RetainPublish", "topic", p["topic"])

    def publish(self, p):
        self.message(p)
        publications, size = self.out.add(p)
        self.demand(publications <= PUBLISHES_PER_S, "more than 100 publications a second")
        self.demand(size <= BYTES_PER_S, "more than 512 kB published a second")
        if p["qos"] == 1:
            self.unacknowledged.add(p["id"])
        self.demand(len(self.unacknowledged) <= UNACKNOWLEDGED_MAX, "more than 100 unacknowledged")

    def subscribe(self, p):
        self.demand(mqtt.SUBSCRIPTION_IDENTIFIER not in p["properties"], "a subscription identifier")
        self.demand(len(p["filters"]) <= FILTERS_AT_ONCE, "more than 8 filters in a SUBSCRIBE")
        for topic, qos in p["filters"]:
            self.demand(qos <= 1, "QoS 2")
            self.demand(not set("+#") & set(topic), f"wildcard {topic}: retained messages would not come")
            self.topic(topic)
            self.policy.demand("iot:Subscribe", "topicfilter", topic)
            self.subscriptions.add(topic)
        self.demand(len(self.subscriptions) <= SUBSCRIPTIONS_MAX, "more than 50 subscriptions")

    def to_node(self, kind, flags, body):
        if kind == mqtt.PUBACK:
            self.unacknowledged.discard(mqtt.packet_id(body))
        elif kind == mqtt.PUBLISH:
            p = mqtt.read_publish(flags, body)
            self.policy.demand("iot:Receive", "topic", p["topic"])
            self.into.add(p)


async def read_packet(reader):
    """(whole packet, kind, flags, body); None at the end of the stream."""
    head = await reader.read(1)
    if not head:
        return None
    length = b""
    while not length or length[-1] >= 0x80:
        length += await reader.readexactly(1)
    body = await reader.readexactly(mqtt.Reader(length).variable())
    return head + length + body, head[0] >> 4, head[0] & 15, body


def common_name(certificate):
    return next(value for part in certificate["subject"] for key, value in part if key == "commonName")


class IotCore:
    """`start` returns once it listens, `stop` once nothing of it is left. `broker_port`: of the mosquitto behind it."""

    def __init__(self, site, belfryctl, port, broker_port, alpn=ALPN):
        self.site, self.belfryctl, self.port, self.broker_port, self.alpn = site, belfryctl, port, broker_port, alpn
        self.violations, self.connections, self.refused, self.rules = [], [], [], []
        self.policies, self.server_names = {}, {}
        self.loop = asyncio.new_event_loop()
        self.tasks = set()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)

    # --- life -----------------------------------------------------------------------------------------------------

    def start(self):
        self.thread.start()
        asyncio.run_coroutine_threadsafe(self.listen(), self.loop).result(10)

    def stop(self):
        asyncio.run_coroutine_threadsafe(self.end(), self.loop).result(10)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
        self.loop.close()

    def context(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self.site / "mosquitto/broker.crt", self.site / "mosquitto/broker.key")
        context.load_verify_locations(self.site / "mosquitto/ca.crt")
        context.verify_mode = ssl.CERT_REQUIRED
        if self.alpn:
            context.set_alpn_protocols([self.alpn])
        context.sni_callback = lambda tls, name, _: self.server_names.__setitem__(tls, name)
        return context

    async def listen(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", self.port, ssl=self.context())

    async def end(self):
        self.server.close()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.server.wait_closed()

    # --- one connection -------------------------------------------------------------------------------------------

    async def serve(self, reader, writer):
        task = asyncio.current_task()
        self.tasks.add(task)
        try:
            tls = writer.get_extra_info("ssl_object")
            certificate = tls.getpeercert()
            node = common_name(certificate)
            if self.admits(tls, node):
                self.connections.append((node, certificate["serialNumber"]))
                await self.relay(node, reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self.tasks.discard(task)
            writer.close()

    def admits(self, tls, node):
        """AWS IoT Core tells its accounts apart by the server name, and MQTT from HTTPS on 443 by the protocol name."""
        name = self.server_names.pop(tls, None)
        if self.alpn and tls.selected_alpn_protocol() != self.alpn:
            self.refused.append((node, "ALPN"))
        elif not name:
            self.refused.append((node, "SNI"))
        else:
            return True
        return False

    def most(self):
        """The most that any connection had within a second: publications and bytes out, bytes in."""
        out, into = zip(*((r.out.most, r.into.most) for r in self.rules))
        return max(n for n, _ in out), max(n for _, n in out), max(n for _, n in into)

    async def policy_of(self, node):
        if node not in self.policies:
            self.policies[node] = await self.loop.run_in_executor(None, self.read_policy, node)
        return self.policies[node]

    def read_policy(self, node):
        """As a person would: belfryctl writes the documents, all of them are attached to the certificate."""
        folder = self.site / f"aws-{node}"
        done = subprocess.run([str(self.belfryctl), "--site-dir", str(self.site), "node", "aws-policy", node, "--region",
                               REGION, "--account", ACCOUNT, "--to", str(folder)], capture_output=True, text=True,
                              timeout=30, check=False)
        assert done.returncode == 0, done.stderr
        texts = [f.read_text() for f in sorted(folder.glob("*.json"))]
        assert all(len("".join(t.split())) <= 2048 for t in texts), "a policy that AWS would not take"
        return Policy([json.loads(t) for t in texts])

    def client_context(self, node):
        context = ssl.create_default_context(cafile=self.site / "keys/ca.crt")
        context.load_cert_chain(self.site / f"keys/{node}.crt", self.site / f"keys/{node}.tls.key")
        return context

    async def relay(self, node, reader, writer):
        rules = Rules(node, await self.policy_of(node))
        self.rules.append(rules)
        onward = await asyncio.open_connection("127.0.0.1", self.broker_port, ssl=self.client_context(node))
        ways = [asyncio.ensure_future(self.pump(reader, onward[1], rules, rules.from_node)),
                asyncio.ensure_future(self.pump(onward[0], writer, rules, rules.to_node))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            onward[1].close()

    async def pump(self, reader, writer, rules, check):
        while (packet := await read_packet(reader)) is not None:
            raw, kind, flags, body = packet
            try:
                check(kind, flags, body)
            except (Denied, mqtt.Malformed, UnicodeDecodeError) as e:
                self.violations.append((rules.node, str(e)))
                return
            writer.write(raw)
            await writer.drain()
