"""Takes signed messages apart and makes new ones, as somebody could who has got hold of a key: DSSE envelopes in
protobuf (proto/envelope.proto), Ed25519 by libsodium."""
import ctypes
import ctypes.util
import hashlib
import os
import re
import time

SODIUM = ctypes.CDLL(ctypes.util.find_library("sodium"))
CHANNELS = {"state": 1, "desired": 2, "cmd": 3, "rsp": 4, "evt": 5, "will": 6}
HEADER = {name: number for number, name in enumerate(
    ("site", "sender", "recipient", "topic", "message_id", "sender_epoch", "channel", "sequence", "issued_at_ms",
     "ttl_ms", "clock_synced", "recipient_boot_id", "in_reply_to"), 1)}  # proto/header.proto


def varint(value):
    out = bytearray()
    while value > 0x7f:
        out.append(value & 0x7f | 0x80)
        value >>= 7
    return bytes(out + bytes([value]))


def read_varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 0x7f) << shift
        shift += 7
        at += 1
        if data[at - 1] < 0x80:
            return value, at


def parse(data):
    """[(field number, int or bytes)]: varints and length-delimited fields are all that these messages have."""
    fields, at = [], 0
    while at < len(data):
        tag, at = read_varint(data, at)
        value, at = read_varint(data, at)
        if tag & 7 == 2:
            value, at = data[at:at + value], at + value
        fields.append((tag >> 3, value))
    return fields


def pack(fields):
    out = b""
    for number, value in fields:
        if isinstance(value, int):
            out += varint(number << 3) + varint(value)
        else:
            out += varint(number << 3 | 2) + varint(len(value)) + value
    return out


def first(fields, number, default=None):
    return next((value for n, value in fields if n == number), default)


class Key:
    """A signing key: from a key file (64 hex digits), or fresh."""

    def __init__(self, path=None):
        seed = bytes.fromhex(path.read_text().strip()) if path else os.urandom(32)
        public, self.secret = ctypes.create_string_buffer(32), ctypes.create_string_buffer(64)
        SODIUM.crypto_sign_seed_keypair(public, self.secret, seed)
        self.keyid = hashlib.sha256(public.raw).digest()[:16]

    def sign(self, payload_type, payload):
        words = b"DSSEv1 %d %s %d " % (len(payload_type), payload_type, len(payload)) + payload
        signature = ctypes.create_string_buffer(64)
        SODIUM.crypto_sign_detached(signature, None, words, ctypes.c_ulonglong(len(words)), self.secret)
        return signature.raw


class Message:
    """A payload with its header by names. `but` gives one that differs; `sealed` signs it."""

    def __init__(self, kind, header, body):
        self.kind, self.header, self.body = kind, header, body

    @classmethod
    def opened(cls, envelope):
        fields = parse(envelope)
        payload = parse(first(fields, 2))
        names = {number: name for name, number in HEADER.items()}
        header = {names[number]: value for number, value in parse(first(payload, 1))}
        kind = re.fullmatch(r"application/vnd\.belfry\.(.*)\.v1\+protobuf", first(fields, 1).decode()).group(1)
        return cls(kind, header, [field for field in payload if field[0] != 1])

    def but(self, **header):
        new = {name: value.encode() if isinstance(value, str) else value for name, value in header.items()}
        return Message(self.kind, {**self.header, **new}, self.body)

    def anew(self, **header):
        """The same with a message id of its own, issued now."""
        return self.but(**{"message_id": os.urandom(16), "issued_at_ms": int(time.time() * 1000), **header})

    def packed(self):
        header = sorted((HEADER[name], value) for name, value in self.header.items() if value not in (0, b""))
        return pack([(1, pack(header)), *self.body])

    def sealed(self, key, keyid=None):
        payload, payload_type = self.packed(), f"application/vnd.belfry.{self.kind}.v1+protobuf".encode()
        signature = pack([(1, keyid or key.keyid), (2, key.sign(payload_type, payload))])
        return pack([(1, payload_type), (2, payload), (3, signature)])


def with_payload(envelope, message):
    """The envelope with another payload under the signature that it has."""
    return pack([(number, message.packed() if number == 2 else value) for number, value in parse(envelope)])


def boot_id(state):
    """Of the node whose state message this is: proto/header.proto, NodeStatus."""
    return first(parse(first(Message.opened(state).body, 2)), 2)


def sealed_document(payload_type, payload, key):
    return pack([(1, payload_type), (2, payload), (3, pack([(1, key.keyid), (2, key.sign(payload_type, payload))]))])
