"""Access units as a camera sent them and as a session's files hold them, taken apart without the services' own code."""
import hashlib
import itertools
import struct
import subprocess

TS_PACKET = 188
BARCODE_ROWS, BARCODE_CELLS, BARCODE_SYNC = 16, 64, 0xA7
BLACK_OR_WHITE = 126


class Unit:
    """The slices of one access unit: what a decoder makes a picture of."""

    def __init__(self, nals):
        slices = [nal for nal in nals if nal and 1 <= nal[0] & 0x1F <= 5]
        self.idr = any(nal[0] & 0x1F == 5 for nal in slices)
        self.digest = hashlib.sha256(b"".join(struct.pack(">I", len(nal)) + nal for nal in slices)).digest()


def of_annex_b(data):
    return Unit([nal.rstrip(b"\0") for nal in data.split(b"\0\0\1")[1:]])


def pes_payload(pes):
    """ISO/IEC 13818-1, 2.4.3.6: nine bytes, and as many more as the last of them says."""
    assert pes[:3] == b"\0\0\1", "a PES packet begins with its start code"
    return pes[9 + pes[8]:]


def of_transport_stream(datagrams):
    """The units of the one video stream in it, none missing: what the sender's side of a network saw."""
    units, pes, video = [], b"", None
    data = b"".join(datagrams)
    for at in range(0, len(data), TS_PACKET):
        packet = data[at:at + TS_PACKET]
        pid = struct.unpack_from(">H", packet, 1)[0]
        begins, control = pid & 0x4000, packet[3] >> 4 & 3
        payload = packet[4 + (1 + packet[4] if control & 2 else 0):] if control & 1 else b""
        if begins and payload[:4] == b"\0\0\1\xe0":
            video = pid & 0x1FFF
            if pes:
                units.append(of_annex_b(pes_payload(pes)))
            pes = b""
        if pid & 0x1FFF == video:
            pes += payload
    return units + ([of_annex_b(pes_payload(pes))] if pes else [])


def boxes(data):
    at = 0
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        assert 8 <= size <= len(data) - at, f"box {kind} of {size} bytes where {len(data) - at} are left"
        yield kind, data[at + 8:at + size]
        at += size


def default_size(tfhd):
    """ISO/IEC 14496-12, 8.8.7: default_sample_size, or None."""
    flags = struct.unpack_from(">I", tfhd)[0]
    at = 8 + 8 * bool(flags & 1) + 4 * bool(flags & 2) + 4 * bool(flags & 8)
    return struct.unpack_from(">I", tfhd, at)[0] if flags & 0x10 else None


def sample_sizes(traf):
    """ISO/IEC 14496-12, 8.8.8."""
    trun = traf[b"trun"]
    flags, count = struct.unpack(">II", trun[:8])
    if not flags & 0x200:
        yield from [default_size(traf[b"tfhd"])] * count
        return
    at = 8 + 4 * bool(flags & 1) + 4 * bool(flags & 4)
    names = [bit for bit in (0x100, 0x200, 0x400, 0x800) if flags & bit]
    for _ in range(count):
        yield struct.unpack_from(">I", trun, at + 4 * names.index(0x200))[0]
        at += 4 * len(names)


def nals_of_sample(sample):
    at, nals = 0, []
    while at < len(sample):
        size = struct.unpack_from(">I", sample, at)[0]
        assert 0 < size <= len(sample) - at - 4, "a NAL unit reaches beyond its sample"
        nals.append(sample[at + 4:at + 4 + size])
        at += 4 + size
    return nals


def of_segments(folder, numbers):
    """The units of these segments in order; a size that does not fit its surroundings is an AssertionError."""
    units = []
    for number in numbers:
        sizes = []
        for kind, body in boxes((folder / f"seg-{number}.m4s").read_bytes()):
            if kind == b"moof":
                traf = dict(boxes(dict(boxes(body))[b"traf"]))
                sizes = list(sample_sizes(traf))
            elif kind == b"mdat":
                ends = list(itertools.accumulate(sizes))
                assert ends[-1] == len(body), "mdat holds just its samples"
                units += [Unit(nals_of_sample(body[end - size:end])) for end, size in zip(ends, sizes)]
    return units


# --- decoding ---------------------------------------------------------------------------------------------------------

def crc8(data):
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ (0x07 if crc & 0x80 else 0)) & 0xFF
    return crc


def barcode(row):
    """Unix time in ms of one luma row of a picture, None where it does not read (services/camera/overlay.h)."""
    width, value = len(row), 0
    for cell in range(BARCODE_CELLS):
        value = value << 1 | (row[(2 * cell + 1) * width // (2 * BARCODE_CELLS)] > BLACK_OR_WHITE)
    code = value.to_bytes(8, "big")
    return int.from_bytes(code[1:7], "big") if code[0] == BARCODE_SYNC and crc8(code[1:7]) == code[7] else None


def decode(url, width):
    """Every picture's time by its barcode, and whatever the decoder had to complain about."""
    done = subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-i", url, "-an", "-fps_mode", "passthrough", "-vf",
                           f"crop=in_w:{BARCODE_ROWS}:0:0,format=gray", "-f", "rawvideo", "-"],
                          capture_output=True, timeout=180, check=False)
    picture = width * BARCODE_ROWS
    rows = [done.stdout[at + picture // 2:at + picture // 2 + width] for at in range(0, len(done.stdout), picture)]
    return [barcode(row) for row in rows], done.stderr.decode(errors="replace").strip()
