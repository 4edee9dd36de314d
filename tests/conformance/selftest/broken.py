"""Origins in which one thing is broken; `breaks` names the one rule that must notice."""
import asyncio

from selftest import media
from selftest.origin import WALL, Discontinuous, Origin, Plain

LATER = 2  # seconds into the run, where something changes


def is_later(origin, n):
    return n >= origin.start + LATER * 5


# --- one playlist alone ---

class ControlCharacter(Origin):
    breaks = "playlist-text"

    def header(self, n, first, delta):
        return [*super().header(n, first, delta), "# a\x07b"]


class NotItsType(Origin):
    breaks = "tag-syntax"

    def control(self, n):
        return super().control(n) + ",HOLD-BACK=6s"


class Twice(Origin):
    breaks = "tag-once"

    def header(self, n, first, delta):
        return [*super().header(n, first, delta), f"#EXT-X-TARGETDURATION:{self.target}"]


class BothKinds(Origin):
    breaks = "one-kind"

    def header(self, n, first, delta):
        return [*super().header(n, first, delta), '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="a"']


class SequenceTooLate(Origin):
    breaks = "sequence-first"

    def discontinuity_sequence(self, first):
        return []

    def hints(self, n):
        return ["#EXT-X-DISCONTINUITY-SEQUENCE:0", *super().hints(n)]


class TwoExtinf(Origin):
    breaks = "extinf"

    def extinf(self, msn, n):
        return super().extinf(msn, n) + "\n" + super().extinf(msn, n)


class DateAfterParts(Origin):
    breaks = "tags-before-parts"

    def segment(self, msn, n, first):
        lines = super().segment(msn, n, first)
        parts = [line for line in lines if line.startswith("#EXT-X-PART")]
        dates = [line for line in lines if "DATE-TIME" in line]
        return parts[:1] + dates + parts[1:] + [line for line in lines if line not in parts + dates] if parts else lines


class PartsAfterExtinf(Origin):
    breaks = "parts-before-extinf"

    def segment(self, msn, n, first):
        lines = super().segment(msn, n, first)
        if not lines[-1].startswith("seg-"):
            return lines
        parts = [line for line in lines if line.startswith("#EXT-X-PART")]
        return [line for line in lines[:-1] if line not in parts] + parts + lines[-1:]


class WholeSeconds(Origin):
    breaks = "date-precision"

    def date(self, msn):
        return super().date(msn).replace(".000Z", "Z")


class VersionTooLow(Origin):
    breaks = "version-floor"

    def version(self, delta):
        return 9 if delta else 5


class VersionTooHigh(Origin):
    breaks = "version-ceiling"

    def version(self, delta):
        return 9


class LongSegments(Origin):
    breaks = "extinf-target"
    pattern = (6,) * 7 + (3,)
    listed = 7

    def lists_parts(self, msn, n):
        return (msn + 2) * self.per_segment >= n


class NoPartInf(Origin):
    breaks = "part-inf"

    def control_lines(self, n):
        return super().control_lines(n)[:1]


class HoldBackTooShort(Origin):
    breaks = "part-hold-back"
    hold_back = "0.399999"


class HoldBackTight(Origin):
    breaks = "part-hold-back-ample"
    hold_back = "0.500000"


class SegmentHoldBack(Origin):
    breaks = "hold-back"

    def control(self, n):
        return super().control(n) + ",HOLD-BACK=2.9"


class SkipTooNear(Origin):
    breaks = "skip-boundary"
    skip_until = "5.0"


class PartTooLong(Origin):
    breaks = "part-longest"
    pattern = (6, 6, 6, 7, 5)
    jitter_ms = 40


class PartTooShort(Origin):
    breaks = "part-shortest"
    pattern = (6, 5, 6, 6, 6, 1)


class PartsLackSome(Origin):
    breaks = "part-sum"

    def part_duration(self, i, n):
        return "0.199981"


class NoHint(Origin):
    breaks = "hint-there"

    def hints(self, n):
        return []


class TwoHints(Origin):
    breaks = "hint-once"

    def hints(self, n):
        return super().hints(n) + super().hints(n + 1)


class HintAtEnd(Origin):
    breaks = "hint-end"
    ends_after = 12

    def tail(self, n):
        return super().tail(n) + (self.hints(n) if self.ended(n) else [])


class Event(Origin):
    breaks = "no-playlist-type"

    def header(self, n, first, delta):
        return [*super().header(n, first, delta), "#EXT-X-PLAYLIST-TYPE:EVENT"]


class NoDate(Origin):
    breaks = "date-there"

    def tags(self, msn, first):
        return [line for line in super().tags(msn, first) if "DATE-TIME" not in line]


class NoMap(Origin):
    breaks = "map-there"

    def version(self, delta):
        return 9 if delta else 3

    def tags(self, msn, first):
        return [line for line in super().tags(msn, first) if "MAP" not in line]


class NotQuitePlain(Plain):
    breaks = "plain-tags"
    profile = "economy"

    def control(self, n):
        return "PART-HOLD-BACK=0.6"


class OtherProfile(Origin):
    breaks = "profile-lengths"
    profile = "realtime"


class NoCodecs(Origin):
    breaks = "multivariant-attributes"

    def multivariant(self):
        return super().multivariant().replace('CODECS="avc1.64001e",', "")


class MultivariantVersion(Origin):
    breaks = "multivariant-version"

    def multivariant(self):
        return super().multivariant().replace("VERSION:6", "VERSION:9")


class OtherResolution(Origin):
    breaks = "multivariant-truth"

    def multivariant(self):
        return super().multivariant().replace("640x480", "1280x720")


class FarBandwidth(Origin):
    breaks = "bandwidth"

    def bandwidth(self):
        return super().bandwidth() * 2


# --- from one playlist to the next ---

class HoldBackChanges(Origin):
    breaks = "constants"

    def control(self, n):
        return super().control(n).replace("0.600000", "0.700000" if is_later(self, n) else "0.600000")


class DurationChanges(Origin):
    breaks = "append-only"

    def extinf(self, msn, n):
        return "#EXTINF:1.0," if (msn + 3) * self.per_segment < n else super().extinf(msn, n)


class PartChanges(Origin):
    breaks = "parts-append-only"

    def part_duration(self, i, n):
        return "0.199999" if i + 5 < n else super().part_duration(i, n)


class NumberJumps(Origin):
    breaks = "media-sequence"

    def number(self, msn, n):
        return msn + is_later(self, n)

    async def until_wanted(self, wanted):
        jump = self.start + LATER * 5
        if self.count() < jump < wanted:  # from there on it is had a segment earlier
            wanted = max(wanted - self.per_segment, jump)
        return await super().until_wanted(wanted)


class DiscontinuityForgotten(Discontinuous):
    breaks = "discontinuity-sequence"
    seconds = 6

    def discontinuity_sequence(self, first):
        return ["#EXT-X-DISCONTINUITY-SEQUENCE:7"]


class NoDiscontinuitySequence(Discontinuous):
    breaks = "discontinuity-sequence-there"

    def broken(self, msn):
        return msn == 59

    def discontinuity_sequence(self, first):
        return []


class ShortWindow(Origin):
    breaks = "window"
    listed = 2


class PartTagsStay(Origin):
    breaks = "part-tags-leave"

    def lists_parts(self, msn, n):
        return (msn + 5) * self.per_segment >= n


class PartTagsLeaveInBetween(Origin):
    breaks = "part-tags-in-order"

    def lists_parts(self, msn, n):
        before_open = n % self.per_segment and msn == n // self.per_segment - 1
        return super().lists_parts(msn, n) and not before_open


class HintWrong(Origin):
    breaks = "hint-kept"

    def hints(self, n):
        return super().hints(n + (n % 5 == 3))

    async def file(self, name):
        if name == f"part-{self.count() + 1}.m4s":
            await self.until(self.count() + 1)
        return await super().file(name)


class NumbersLeap(Origin):
    breaks = "part-numbers"

    def part_uri(self, i):
        return f"part-{i + 10 * is_later(self, i)}.m4s"

    def part_index(self, number):
        return number - 10 * is_later(self, number - 10)


class PartLate(Origin):
    breaks = "part-in-time"

    def published(self, i):
        return super().published(i) + 0.15 * (i == self.start + 13)


class SegmentLate(Plain):
    breaks = "segment-in-time"
    seconds = 14

    def published(self, i):
        return super().published(i) + 1.8 * (i >= self.start + 3)

    def moment(self, msn):
        return WALL + super().published(msn - 1)


class GoesBack(Origin):
    breaks = "never-back"

    def text(self, n, query, gz):
        return super().text(n if "_HLS_msn" in query or not is_later(self, n) else n - 1, query, gz)


class NotTheSame(Origin):
    breaks = "same-for-all"

    def text(self, n, query, gz):
        return super().text(n, query, gz) + ("" if "_HLS_msn" in query else "# plain\n")


class GzipDiffers(Origin):
    breaks = "gzip-same"

    def text(self, n, query, gz):
        return super().text(n, query, gz) + "# gzip\n" * gz


class DateJumpsBack(Origin):
    breaks = "date-unambiguous"

    def moment(self, msn):
        return super().moment(msn) - (msn >= 62)


class DateDrifts(Origin):
    breaks = "date-steady"

    def moment(self, msn):
        return super().moment(msn) - 0.15 * (msn >= 62)


class DateOfLongAgo(Origin):
    breaks = "date-now"

    def moment(self, msn):
        return super().moment(msn) - 5


# --- delivery directives ---

class AnswersTooEarly(Origin):
    breaks = "blocking-holds"

    async def hold(self, msn, part):
        return 200 if part is None else await super().hold(msn, part)


class AnswersLate(Origin):
    breaks = "blocking-prompt"

    async def block(self, query):
        status = await super().block(query)
        if "_HLS_skip" in query and "_HLS_msn" in query:
            await asyncio.sleep(0.1)
        return status


class OldHeld(Origin):
    breaks = "blocking-at-once"

    async def hold(self, msn, part):
        if msn < self.first_listed(self.count()):
            await asyncio.sleep(0.1)
        return await super().hold(msn, part)


class BeyondWaits(Origin):
    breaks = "blocking-next-segment"

    def wanted_part(self, msn, part):
        return super().wanted_part(msn, part) + self.per_segment * (part >= self.per_segment)


class RefusesTooMuch(Origin):
    breaks = "blocking-not-refused"

    def segments_ahead(self):
        return 1


class FarSegment(Origin):
    breaks = "refuse-far-segment"

    def on_far_segment(self):
        return 404


class FarPart(Origin):
    breaks = "refuse-far-part"

    def on_far_part(self):
        return 404


class PartAlone(Origin):
    breaks = "refuse-part-alone"

    def on_part_alone(self):
        return 200


class Unparsable(Origin):
    breaks = "refuse-unparsable"

    def on_unparsable(self):
        return 200


class UnknownKeys(Origin):
    breaks = "unknown-keys"

    async def block(self, query):
        return 400 if "_HLS_future" in query else await super().block(query)


class Stalled(Origin):
    """Nothing new for so long that requests are given up: allowed, and told by 503."""
    seconds = 7

    def published(self, i):
        return super().published(i) + 60 * (i >= self.start + 12)


class StalledAndSilent(Stalled):
    breaks = "blocking-gives-up"
    seconds = 9

    def patience(self):
        return 5 * self.target


class NotServed(Origin):
    breaks = "playlist-served"

    async def block(self, query):
        return 500 if not query and self.start + 12 < self.count() < self.start + 17 else await super().block(query)


class SkipsTooMuch(Origin):
    breaks = "delta-boundary"

    def skippable(self, n):
        return super().skippable(n) + 1


class DeltaLacksTag(Origin):
    breaks = "delta-rest"

    def text(self, n, query, gz):
        text = super().text(n, query, gz)
        if "#EXT-X-SKIP" in text:
            lines = text.splitlines(True)
            lines.remove(next(line for line in lines if "DATE-TIME" in line))
            text = "".join(lines)
        return text


class SkipsUnasked(Origin):
    breaks = "delta-not-offered"

    def control(self, n):
        return "CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=0.6"


class PlainRefuses(Plain):
    breaks = "plain-ignores-directives"
    profile = "economy"

    async def block(self, query):
        return 400 if "_HLS_msn" in query else 200


class Ended(Origin):
    ends_after = 12


class EndChanges(Ended):
    breaks = "end-final"

    def text(self, n, query, gz):
        return super().text(n, query, gz) + f"# {self.clock()}\n" * self.ended(n)


class EndRefuses(Ended):
    breaks = "end-ignores-directives"

    async def playlist(self, query, gz):
        if query and self.ended(self.count()) and await self.block(query) == 400:
            return self.refusal(400, "_HLS_msn" in query)
        return await super().playlist(query, gz)


class EndGone(Ended):
    breaks = "end-served"

    def segment_file(self, msn, n):
        return self.missing() if self.ended(n) and msn < 55 else super().segment_file(msn, n)


# --- media ---

class StrayBytes(Origin):
    breaks = "media-format"

    def part_bytes(self, i):
        return super().part_bytes(i) + b"abc"


class SegmentMissing(Origin):
    breaks = "listed-served"

    def segment_file(self, msn, n):
        return self.missing() if msn == 61 else super().segment_file(msn, n)


class MarkedWrong(Origin):
    breaks = "part-independent"

    def marked(self, i):
        return super().marked(i) or i % 5 == 3


class NotMarked(Origin):
    breaks = "part-independent-told"

    def marked(self, i):
        return super().marked(i) and i % 10 != 0


class IdrNotFirst(Origin):
    breaks = "part-independent-first"

    def marked(self, i):
        return super().marked(i) or i % 5 == 2

    def frame(self, i, k):
        return (media.IDR, True) if (i % 5, k) == (2, 3) else super().frame(i, k)


class FlagsWrong(Origin):
    breaks = "sync-flags"

    def frame(self, i, k):
        nal, sync = super().frame(i, k)
        return nal, sync and i % 10 != 0


class NoIdr(Origin):
    breaks = "segment-independent"

    def frame(self, i, k):
        return (media.DELTA, False) if i % 10 == 0 else super().frame(i, k)

    def marked(self, i):
        return super().marked(i) and i % 10 != 0


class PartDurationWrong(Origin):
    breaks = "part-duration"
    part_target = "0.210000"
    hold_back = "0.630000"

    def part_duration(self, i, n):
        return {1: "0.195000", 2: "0.205000"}.get(i % 5, "0.200000")


class SegmentDurationWrong(Plain):
    breaks = "segment-duration"

    def extinf(self, msn, n):
        return "#EXTINF:1.99,"


class DecodeTimeJumps(Origin):
    breaks = "decode-time"

    def decode_time(self, i):
        return super().decode_time(i) - 6 * media.FRAME * (i >= self.start + 12)

    def moment(self, msn):
        return super().moment(msn) - 0.2 * (msn > 62)


class DecodeTimeSlips(Origin):
    breaks = "decode-time-exact"

    def decode_time(self, i):
        return super().decode_time(i) + (i >= self.start + 12)


class OtherSegment(Origin):
    breaks = "parts-are-segment"

    def segment_bytes(self, msn):
        return super().segment_bytes(msn)[:-1] + b"\xff"


class HintRefused(Origin):
    breaks = "hint-served"

    async def hinted(self, i):
        return self.missing()


class OtherBytesLater(Origin):
    breaks = "hint-same-bytes"
    seconds = 8

    async def file(self, name):
        status, headers, body, early = await super().file(name)
        if name.startswith("part-") and int(name[5:-4]) < self.count() - 20:
            body = body[:-1] + b"\xff"
        return status, headers, body, early


class HintLate(Origin):
    breaks = "hint-prompt"

    async def hinted(self, i):
        answer = await super().hinted(i)
        await asyncio.sleep(0.1)
        return answer


class BytesTooEarly(Origin):
    breaks = "hint-whole"

    async def hinted(self, i):
        status, headers, body, _ = await super().hinted(i)
        return status, headers, body, 0.15


class UnknownRefusedOtherwise(Origin):
    breaks = "unknown-part"

    async def file(self, name):
        status, headers, body, early = await super().file(name)
        return (400 if status == 404 else status), headers, body, early


class PartGone(Origin):
    breaks = "part-stays"
    seconds = 8

    def keeps_part(self, i, n):
        return self.lists_parts(i // self.per_segment, n)


class SegmentGone(Origin):
    breaks = "segment-stays"
    listed = 4
    seconds = 9

    def keeps_segment(self, msn, n):
        return msn >= self.first_listed(n)


# --- delivery ---

def with_headers(base, rule, match, **changed):
    """An origin whose answers have other headers where `match(kind, status, blocking)`; kind: playlist, part, seg…"""
    class Changed(base):
        breaks = rule

        async def answer(self, path, query, gz):
            status, headers, body, early = await super().answer(path, query, gz)
            name = path.rsplit("/", 1)[-1]
            kind = "playlist" if name == "media.m3u8" else name.split("-")[0].split(".")[0]
            if match(kind, status, "_HLS_msn" in query):
                headers = {**headers, **{key.replace("_", "-"): value for key, value in changed.items()}}
            return status, headers, body, early
    Changed.__name__ = f"Headers_{rule}"
    return Changed


HEADERS = [
    with_headers(Origin, "playlist-type", lambda kind, *_: kind == "playlist", content_type="text/plain"),
    with_headers(Origin, "media-type", lambda kind, status, _: kind == "part" and status == 200,
                 content_type="text/html"),
    with_headers(Origin, "gzip", lambda kind, *_: kind == "index", vary="Origin"),
    with_headers(Origin, "cache-blocking", lambda k, s, b: k == "playlist" and s == 200 and b,
                 cache_control="max-age=9"),
    with_headers(Origin, "cache-plain", lambda k, s, b: k == "playlist" and s == 200 and not b,
                 cache_control="max-age=6"),
    with_headers(Origin, "cache-playlist-errors", lambda k, s, b: k == "playlist" and s == 400,
                 cache_control="max-age=60"),
    with_headers(Origin, "cache-parts", lambda k, s, b: k == "part" and s == 200, cache_control="no-store"),
    with_headers(Origin, "cache-segments", lambda k, s, b: k == "seg" and s == 200, cache_control="max-age=1"),
    with_headers(Origin, "cache-media-errors", lambda k, s, b: k == "part" and s == 404, cache_control="max-age=3600"),
    with_headers(Origin, "no-age", lambda k, *_: k == "playlist", age="0"),
]


class NeverReused(Origin):
    breaks = "keep-alive"

    def connect(self):
        connection = super().connect()
        connection.reused = lambda: False
        return connection


def all_broken():
    """Every class here that breaks something."""
    own = [c for c in globals().values() if isinstance(c, type) and issubclass(c, Origin) and c.breaks]
    return own + HEADERS


