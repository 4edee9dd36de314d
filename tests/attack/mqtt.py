"""A small MQTT 5 client (OASIS MQTT 5.0, section 3), for what stock clients do not do: sending by the ten thousand, and
knowing when a subscription stands."""
import select
import socket
import ssl
import struct
import time

CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, SUBACK = 0x10, 0x20, 0x30, 0x40, 0x82, 0x90
RESPONSE_TOPIC, CORRELATION_DATA = 0x08, 0x09  # properties: section 2.2.2.2


def text(value):
    data = value.encode() if isinstance(value, str) else value
    return struct.pack("!H", len(data)) + data


def length(value):
    out = bytearray()
    while value > 0x7f:
        out.append(value & 0x7f | 0x80)
        value >>= 7
    return bytes(out + bytes([value]))


def packet(kind, body):
    return bytes([kind]) + length(len(body)) + body


def publication(topic, payload, qos=0, number=0, properties=()):
    """The packet of a PUBLISH; `properties`: pairs of a number above and a text or bytes."""
    more = b"".join(bytes([name]) + text(value) for name, value in properties)
    head = text(topic) + (struct.pack("!H", number) if qos else b"") + length(len(more)) + more
    return packet(PUBLISH | qos << 1, head + payload)


class Client:
    """Connected to the broker on this machine when it is made; with `keys` and `node`, as that node over TLS."""

    def __init__(self, port, keys=None, node=""):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if keys:
            context = ssl.create_default_context(cafile=keys / "ca.crt")
            context.load_cert_chain(keys / f"{node}.crt", keys / f"{node}.tls.key")
            self.socket = context.wrap_socket(self.socket, server_hostname="127.0.0.1")
        self.received, self.number = [], 0
        self.socket.sendall(packet(CONNECT, text("MQTT") + bytes([5, 2, 0, 60, 0]) + text(node)))
        if self.expect(CONNACK)[1] != 0:
            raise ConnectionError(f"{node or 'anonymous'}: not admitted by the broker")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def exactly(self, count):
        data = b""
        while len(data) < count:
            more = self.socket.recv(count - len(data))
            if not more:
                raise ConnectionError("the broker ended the connection")
            data += more
        return data

    def read(self):
        """(first byte, body) of the next packet."""
        kind, size, shift = self.exactly(1)[0], 0, 0
        while True:
            byte = self.exactly(1)[0]
            size |= (byte & 0x7f) << shift
            shift += 7
            if byte < 0x80:
                return kind, self.exactly(size)

    def expect(self, wanted):
        while True:
            kind, body = self.read()
            if kind == wanted:
                return body
            self.take(kind, body)

    def take(self, kind, body):
        if kind & 0xf0 != PUBLISH:
            raise ConnectionError(f"packet {kind:#x} {body.hex()} from the broker")
        size = struct.unpack_from("!H", body)[0]
        at = 2 + size
        if kind & 6:
            self.socket.sendall(packet(PUBACK, body[at:at + 2]))
            at += 2
        skip = shift = 0
        while True:
            byte, at = body[at], at + 1
            skip |= (byte & 0x7f) << shift
            shift += 7
            if byte < 0x80:
                break
        self.received.append((body[2:2 + size].decode(), body[at + skip:]))

    def subscribe(self, *filters):
        """What is retained there is in `received` soon after, and all that comes later."""
        self.number += 1
        body = struct.pack("!H", self.number) + b"\0" + b"".join(text(f) + b"\x01" for f in filters)
        self.socket.sendall(packet(SUBSCRIBE, body))
        reasons = self.expect(SUBACK)[3:]
        if any(reason > 2 for reason in reasons):
            raise ConnectionError(f"{filters}: not subscribed")

    def publish(self, topic, payload, properties=()):
        """QoS 1: returns when the broker has it."""
        self.number += 1
        self.socket.sendall(publication(topic, payload, 1, self.number, properties))
        self.expect(PUBACK)

    def listen(self, enough, deadline_s=10):
        """Takes what comes until `enough(received)`, or time is up; returns all of it."""
        end = time.monotonic() + deadline_s
        while not enough(self.received):
            pending = isinstance(self.socket, ssl.SSLSocket) and self.socket.pending()
            left = end - time.monotonic()
            if left <= 0 or not (pending or select.select([self.socket], [], [], left)[0]):
                break
            self.take(*self.read())
        return self.received


def pour(client, packets, per_second, seconds):
    """Sends `packets` over and over, at that rate and for so long; returns how many went out. Those of QoS 0 only."""
    tick_s, sent, begin = 0.01, 0, time.monotonic()
    while (now := time.monotonic() - begin) < seconds:
        due = int(now * per_second) - sent
        if due > 0:
            client.socket.sendall(b"".join(packets[(sent + i) % len(packets)] for i in range(due)))
            sent += due
        time.sleep(max(0, tick_s - (time.monotonic() - begin - now)))
    return sent
