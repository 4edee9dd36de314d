"""MQTT 5 packets, as much of them as a guard in front of a broker has to read, and a client in tests to write.

Source: MQTT Version 5.0, OASIS Standard, sections 2 and 3."""
import struct

CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, SUBACK, UNSUBSCRIBE, DISCONNECT = 1, 2, 3, 4, 8, 9, 10, 14
SUBSCRIPTION_IDENTIFIER, SESSION_EXPIRY = 0x0b, 0x11

BYTE, TWO_BYTES, FOUR_BYTES, VARIABLE, TEXT, PAIR = range(6)
PROPERTIES = {0x01: BYTE, 0x02: FOUR_BYTES, 0x03: TEXT, 0x08: TEXT, 0x09: TEXT, 0x0b: VARIABLE, 0x11: FOUR_BYTES,
              0x12: TEXT, 0x13: TWO_BYTES, 0x15: TEXT, 0x16: TEXT, 0x17: BYTE, 0x18: FOUR_BYTES, 0x19: BYTE, 0x1a: TEXT,
              0x1c: TEXT, 0x1f: TEXT, 0x21: TWO_BYTES, 0x22: TWO_BYTES, 0x23: TWO_BYTES, 0x24: BYTE, 0x25: BYTE,
              0x26: PAIR, 0x27: FOUR_BYTES, 0x28: BYTE, 0x29: BYTE, 0x2a: BYTE}


class Malformed(Exception):
    """Not MQTT."""


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, n):
        if self.at + n > len(self.data):
            raise Malformed("a packet ends early")
        self.at += n
        return self.data[self.at - n:self.at]

    def byte(self):
        return self.take(1)[0]

    def two(self):
        return struct.unpack(">H", self.take(2))[0]

    def four(self):
        return struct.unpack(">I", self.take(4))[0]

    def variable(self):
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7f) << shift
            shift += 7
            if byte < 0x80:
                return value
            if shift > 21:
                raise Malformed("a length of more than four bytes")

    def binary(self):
        return self.take(self.two())

    def text(self):
        return self.binary().decode()

    def rest(self):
        return self.take(len(self.data) - self.at)

    def properties(self):
        """identifier -> value, of the last one where it may come several times."""
        inner = Reader(self.take(self.variable()))
        readers = {BYTE: inner.byte, TWO_BYTES: inner.two, FOUR_BYTES: inner.four, VARIABLE: inner.variable,
                   TEXT: inner.binary, PAIR: lambda: (inner.binary(), inner.binary())}
        found = {}
        while inner.at < len(inner.data):
            identifier = inner.byte()
            if identifier not in PROPERTIES:
                raise Malformed(f"property {identifier:#x}")
            found[identifier] = readers[PROPERTIES[identifier]]()
        return found


def read_connect(body):
    r = Reader(body)
    if r.text() != "MQTT" or r.byte() != 5:
        raise Malformed("another protocol than MQTT 5")
    flags, keepalive = r.byte(), r.two()
    packet = {"clean_start": bool(flags & 2), "keepalive": keepalive, "properties": r.properties(), "client": r.text(),
              "will": None}
    if flags & 4:
        r.properties()
        packet["will"] = {"topic": r.text(), "payload": r.binary(), "qos": flags >> 3 & 3, "retain": bool(flags & 0x20)}
    return packet


def read_publish(flags, body):
    r = Reader(body)
    packet = {"topic": r.text(), "qos": flags >> 1 & 3, "retain": bool(flags & 1)}
    packet["id"] = r.two() if packet["qos"] else None
    packet["properties"], packet["payload"] = r.properties(), r.rest()
    return packet


def read_subscribe(body):
    r = Reader(body)
    packet = {"id": r.two(), "properties": r.properties(), "filters": []}
    while r.at < len(body):
        packet["filters"].append((r.text(), r.byte() & 3))
    return packet


def read_unsubscribe(body):
    r = Reader(body)
    packet = {"id": r.two(), "properties": r.properties(), "filters": []}
    while r.at < len(body):
        packet["filters"].append(r.text())
    return packet


def packet_id(body):
    return Reader(body).two()


# --- writing ----------------------------------------------------------------------------------------------------------

def variable(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7f | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def text(value):
    data = value.encode()
    return struct.pack(">H", len(data)) + data


def packet(kind, flags, body):
    return bytes([kind << 4 | flags]) + variable(len(body)) + body


def connect(client, keepalive=30, clean_start=True, expiry_s=0, will=None):
    """`will`: topic, or None."""
    flags = (2 if clean_start else 0) | (0x2c if will else 0)
    properties = struct.pack(">BI", SESSION_EXPIRY, expiry_s) if expiry_s else b""
    body = text("MQTT") + bytes([5, flags]) + struct.pack(">H", keepalive) + variable(len(properties)) + properties
    body += text(client) + (b"\0" + text(will) + text("gone") if will else b"")
    return packet(CONNECT, 0, body)


def publish(topic, payload=b"x", qos=1, retain=False, identifier=1):
    body = text(topic) + (struct.pack(">H", identifier) if qos else b"") + b"\0" + payload
    return packet(PUBLISH, qos << 1 | retain, body)


def subscribe(filters, identifier=1, qos=1, properties=b""):
    body = struct.pack(">H", identifier) + variable(len(properties)) + properties
    return packet(SUBSCRIBE, 2, body + b"".join(text(f) + bytes([qos]) for f in filters))
