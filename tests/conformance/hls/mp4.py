"""What the checker must know of fragmented MP4: the track of an init segment, and the samples of a part (ISO/IEC
14496-12, 14496-15). Anything that does not parse raises Mp4Error."""
import struct
from dataclasses import dataclass, field

NOT_SYNC = 0x00010000  # sample_is_non_sync_sample
NAL_IDR = 5
# What may stand beside moof and mdat in a CMAF chunk.
BESIDE = {b"styp", b"prft", b"emsg", b"sidx"}


class Mp4Error(Exception):
    """Bytes that are not what they should be."""


@dataclass
class Track:
    """The one track of an init segment."""
    timescale: int
    nal_length: int
    codec: str  # as in CODECS
    width: int
    height: int
    defaults: tuple  # of trex: duration, size, flags


@dataclass
class Sample:
    """One access unit."""
    duration: int  # in the track's timescale
    sync: bool     # as its flags say
    nals: list     # NAL unit types


@dataclass
class Fragment:
    """moof and mdat."""
    sequence: int
    decode_time: int
    samples: list = field(default_factory=list)

    @property
    def duration(self):
        return sum(s.duration for s in self.samples)


def boxes(data, start=0, end=None):
    """(type, first byte of the payload, end) of each box in data[start:end]."""
    end = len(data) if end is None else end
    while start < end:
        if end - start < 8:
            raise Mp4Error(f"{end - start} stray bytes at {start}")
        size, kind = struct.unpack_from(">I4s", data, start)
        head = 8
        if size == 1 and end - start >= 16:
            size, head = struct.unpack_from(">Q", data, start + 8)[0], 16
        if size < head or start + size > end:
            raise Mp4Error(f"box {kind.decode('latin-1')} at {start} says {size} bytes of {end - start}")
        yield kind, start + head, start + size
        start += size


def find(data, path, start=0, end=None):
    """The payload's bounds of the box at `path`, as in b'moov/trak'."""
    for kind in path.split(b"/"):
        for found, first, last in boxes(data, start, end):
            if found == kind:
                start, end = first, last
                break
        else:
            raise Mp4Error(f"there is no {path.decode()}")
    return start, end


def parse_init(data):
    """An init segment with one H.264 track."""
    try:
        order = [kind for kind, _, _ in boxes(data)]
        if order[:2] != [b"ftyp", b"moov"]:
            raise Mp4Error(f"begins with {order[:2]}, not ftyp and moov")
        start, _ = find(data, b"moov/trak/mdia/mdhd")
        timescale = struct.unpack_from(">I", data, start + (20 if data[start] else 12))[0]
        entry, end = find(data, b"moov/trak/mdia/minf/stbl/stsd")
        entry, end = find(data, b"avc1", entry + 8, end)
        width, height = struct.unpack_from(">HH", data, entry + 24)
        avcc, _ = find(data, b"avcC", entry + 78, end)
        trex, _ = find(data, b"moov/mvex/trex")
        return Track(timescale, (data[avcc + 4] & 3) + 1, "avc1." + data[avcc + 1:avcc + 4].hex(), width, height,
                     struct.unpack_from(">III", data, trex + 12))
    except (struct.error, IndexError) as e:
        raise Mp4Error(f"is cut short: {e}") from None


def parse_fragments(data, track):
    """The fragments of a part or segment."""
    found, moof = [], None
    try:
        for kind, start, end in boxes(data):
            if kind == b"moof":
                moof = parse_moof(data, start, end, track)
            elif kind == b"mdat":
                if moof is None:
                    raise Mp4Error("mdat without a moof before it")
                read_samples(data, start, end, track, moof)
                found.append(moof[0])
                moof = None
            elif kind not in BESIDE:
                raise Mp4Error(f"box {kind.decode('latin-1')} has no place in a CMAF chunk")
        if moof is not None or not found:
            raise Mp4Error("moof without mdat" if moof else "no moof")
    except (struct.error, IndexError) as e:
        raise Mp4Error(f"is cut short: {e}") from None
    return found


def parse_moof(data, start, end, track):
    """(Fragment without NAL types, [sample sizes])."""
    mfhd, _ = find(data, b"mfhd", start, end)
    traf, traf_end = find(data, b"traf", start, end)
    tfdt, _ = find(data, b"tfdt", traf, traf_end)
    decode_time = struct.unpack_from(">Q" if data[tfdt] else ">I", data, tfdt + 4)[0]
    fragment = Fragment(struct.unpack_from(">I", data, mfhd + 4)[0], decode_time)
    defaults = parse_tfhd(data, find(data, b"tfhd", traf, traf_end)[0], track.defaults)
    sizes = []
    for kind, first, _ in boxes(data, traf, traf_end):
        if kind == b"trun":
            sizes += parse_trun(data, first, defaults, fragment)
    return fragment, sizes


def parse_tfhd(data, at, defaults):
    """Duration, size and flags that samples have unless they say otherwise."""
    flags = struct.unpack_from(">I", data, at)[0] & 0xFFFFFF
    at += 8 + (8 if flags & 1 else 0) + (4 if flags & 2 else 0)
    values = []
    for bit, default in zip((8, 0x10, 0x20), defaults):
        values.append(struct.unpack_from(">I", data, at)[0] if flags & bit else default)
        at += 4 if flags & bit else 0
    return values


def parse_trun(data, at, defaults, fragment):
    """Appends its samples to the fragment and returns their sizes."""
    flags, count = struct.unpack_from(">II", data, at)
    flags &= 0xFFFFFF
    at += 8 + (4 if flags & 1 else 0)
    first_flags = struct.unpack_from(">I", data, at)[0] if flags & 4 else None
    at += 4 if flags & 4 else 0
    sizes = []
    for i in range(count):
        duration, size, sample_flags = defaults
        if i == 0 and first_flags is not None:
            sample_flags = first_flags
        for bit in (0x100, 0x200, 0x400, 0x800):
            if not flags & bit:
                continue
            value = struct.unpack_from(">I", data, at)[0]
            at += 4
            duration = value if bit == 0x100 else duration
            size = value if bit == 0x200 else size
            sample_flags = value if bit == 0x400 else sample_flags
        fragment.samples.append(Sample(duration, not sample_flags & NOT_SYNC, []))
        sizes.append(size)
    return sizes


def read_samples(data, start, end, track, moof):
    """Fills in the NAL types out of mdat."""
    fragment, sizes = moof
    if sum(sizes) != end - start:
        raise Mp4Error(f"mdat has {end - start} bytes, its samples {sum(sizes)}")
    for sample, size in zip(fragment.samples, sizes):
        at, stop = start, start + size
        while at < stop:
            length = int.from_bytes(data[at:at + track.nal_length], "big")
            at += track.nal_length
            if length == 0 or at + length > stop:
                raise Mp4Error(f"a NAL unit of {length} bytes at {at} reaches beyond its sample")
            sample.nals.append(data[at] & 0x1F)
            at += length
        start = stop
