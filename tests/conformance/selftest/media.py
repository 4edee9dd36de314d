"""Builds small fragmented MP4: what an origin serves in the tests."""
import struct

TIMESCALE = 90000
FRAME = 3000  # ticks: 30 frames a second
IDR, DELTA = 0x65, 0x41


def box(kind, *payload):
    body = b"".join(payload)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def full(kind, version, flags, *payload):
    return box(kind, struct.pack(">I", version << 24 | flags), *payload)


def init(width=640, height=480):
    avcc = box(b"avcC", bytes([1, 0x64, 0, 0x1E, 0xFF, 0xE0, 0]))
    avc1 = box(b"avc1", bytes(24), struct.pack(">HH", width, height), bytes(50), avcc)
    stbl = box(b"stbl", full(b"stsd", 0, 0, struct.pack(">I", 1), avc1))
    mdia = box(b"mdia", full(b"mdhd", 0, 0, struct.pack(">IIIII", 0, 0, TIMESCALE, 0, 0)), box(b"minf", stbl))
    mvex = box(b"mvex", full(b"trex", 0, 0, struct.pack(">IIIII", 1, 1, 0, 0, 0)))
    return box(b"ftyp", b"iso6", bytes(4)) + box(b"moov", box(b"trak", mdia), mvex)


def part(sequence, decode_time, frames):
    """`frames`: (NAL header byte, is a sync sample by its flags) of each."""
    samples = [struct.pack(">IBQ", 9, nal, decode_time + i) + bytes(100) for i, (nal, _) in enumerate(frames)]
    samples = [struct.pack(">I", len(s) - 4) + s[4:] for s in samples]
    trun = struct.pack(">I", len(frames)) + struct.pack(">i", 0)
    for (_, sync), data in zip(frames, samples):
        trun += struct.pack(">II", len(data), 0x02000000 if sync else 0x01010000)
    traf = box(b"traf", full(b"tfhd", 0, 0x020008, struct.pack(">II", 1, FRAME)),
               full(b"tfdt", 1, 0, struct.pack(">Q", decode_time)), full(b"trun", 0, 0x000601, trun))
    return box(b"moof", full(b"mfhd", 0, 0, struct.pack(">I", sequence)), traf) + box(b"mdat", *samples)
