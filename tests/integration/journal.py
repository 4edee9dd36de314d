"""A session's journal (proto/journal.proto), as far as the tests look at it, read without the services' own code."""
import pathlib
import struct

PROFILES = {1: "realtime", 2: "balanced", 3: "economy"}


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7f) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def message(data):
    """Field number -> value of a protobuf message, bytes or number; the last of each counts."""
    fields, at = {}, 0
    while at < len(data):
        key, at = varint(data, at)
        value, at = varint(data, at)
        if key & 7 == 2:
            value, at = data[at:at + value], at + value
        fields[key >> 3] = value
    return fields


class Journal:
    """`start`, and in order `parts`, `segments`, `gaps`; a torn tail is left out."""

    def __init__(self, path):
        data = pathlib.Path(path).read_bytes()
        self.start, self.parts, self.segments, self.gaps, at = None, [], [], 0, 0
        while at + 8 <= len(data):
            length = struct.unpack_from("<I", data, at)[0]
            if at + 8 + length > len(data):
                break
            kind, body = next(iter(message(data[at + 8:at + 8 + length]).items()))
            self.take(kind, message(body))
            at += 8 + length

    def take(self, kind, record):
        if kind == 1:
            self.start = {"profile": PROFILES[record[11]], "part_target_us": record[7],
                          "target_duration_s": record[8], "segment_us": record[12]}
        elif kind == 3:
            self.parts.append({"msn": record.get(2, 0), "duration_90k": record[5], "independent": 6 in record,
                               "frames": record[9], "discontinuity": 10 in record})
        elif kind == 4:
            self.segments.append({"msn": record.get(1, 0), "duration_90k": record[3]})
        elif kind == 5:
            self.gaps += 1

    @property
    def numbers(self):
        """Of the segments that have been ended, in order."""
        return [segment["msn"] for segment in self.segments]

    @property
    def frames(self):
        return sum(part["frames"] for part in self.parts)
