"""Parts, segments and init segments: what is in them, and when they can be had (sections 3, 4.4.4.9, 6.2.1, 6.2.2,
6.2.6)."""
from .mp4 import NAL_IDR, Mp4Error, parse_fragments, parse_init
from .playlist import NS, seconds
from .rules import MUST, OURS, SHOULD, rule
from .rules_reload import dated
from .timeline import MS

ROUNDING = 20_000     # ns: of a written duration, and of a tick of 90 kHz
FEW = 5               # segments that are too few to say what is usual
LOST = 150 * MS       # of media that may be missing, or come twice, without a discontinuity
DATE_STEP = 100 * MS  # what a segment's date may be off from that of the one before


class Media:
    """The bytes of a run, parsed once for all rules."""

    def __init__(self, t):
        self.tracks, self.errors = {}, []
        for uri, body in t.bodies("init").items():
            try:
                self.tracks[uri] = parse_init(body)
            except Mp4Error as e:
                self.errors.append(f"{uri}: {e}")
        maps = {s.msn: s.map_uri for state in t.states for s in state.playlist.segments if s.map_uri}
        self.part_bytes = t.bodies("hint", "part")
        self.segment_bytes = t.bodies("segment")
        self.parts = {uri: self.fragments(uri, maps.get(p.msn), self.part_bytes.get(uri)) for uri, p in t.parts.items()}
        self.segments = {s.uri: self.fragments(s.uri, maps.get(s.msn), self.segment_bytes.get(s.uri))
                         for s in t.segments.values()}
        self.timescale = next((track.timescale for track in self.tracks.values()), 90000)

    def fragments(self, uri, init, body):
        """[Fragment], or None where it was not had or does not parse."""
        track = self.tracks.get(init)
        if track is None or body is None:
            return None
        try:
            return parse_fragments(body, track)
        except Mp4Error as e:
            self.errors.append(f"{uri}: {e}")
            return None

    def nanoseconds(self, ticks):
        return ticks * NS // self.timescale


def media(t):
    """The timeline's Media, made when first asked for."""
    if not hasattr(t, "media"):
        t.media = Media(t)
    return t.media


def samples(fragments):
    return [s for f in fragments for s in f.samples]


@rule("media-format", "3.1.2", MUST)
def media_format(t, check):
    """Init segments are ftyp and moov; parts and segments are moof and mdat, whole, with NAL units that fit."""
    m = media(t)
    for error in m.errors:
        check(False, "%s", error)
    for found in [*m.tracks.values(), *m.parts.values(), *m.segments.values()]:
        if found is not None:
            check(True, "")


@rule("listed-served", "6.2.1", MUST)
def listed_served(t, check):
    """Parts, segments and init segments can be had the moment they are listed."""
    for x in t.of_kind("init", "segment", "part"):
        check(x.status == 200, "%s: %s", x.name, x.error or f"status {x.status}")


@rule("part-independent", "4.4.4.9", MUST, "parts")
def part_independent(t, check):
    """A part marked INDEPENDENT has an IDR frame in it."""
    for uri, fragments in media(t).parts.items():
        if fragments and t.parts[uri].independent:
            check(any(NAL_IDR in s.nals for s in samples(fragments)), "%s is marked and has no IDR frame", uri)


@rule("part-independent-told", "4.4.4.9", SHOULD, "parts")
def part_independent_told(t, check):
    """A part with an IDR frame is marked INDEPENDENT."""
    for uri, fragments in media(t).parts.items():
        if fragments and any(NAL_IDR in s.nals for s in samples(fragments)):
            check(t.parts[uri].independent, "%s has an IDR frame and is not marked", uri)


@rule("part-independent-first", "ours", OURS, "parts")
def part_independent_first(t, check):
    """A part marked INDEPENDENT begins with its IDR frame: a player can begin there."""
    for uri, fragments in media(t).parts.items():
        found = samples(fragments) if fragments and t.parts[uri].independent else []
        if any(NAL_IDR in s.nals for s in found):
            check(NAL_IDR in found[0].nals, "%s: its first frame has NAL units %s", uri, found[0].nals)


@rule("sync-flags", "3.1.2", MUST)
def sync_flags(t, check):
    """Samples are flagged as sync samples exactly where they are IDR frames."""
    for uri, fragments in {**media(t).parts, **media(t).segments}.items():
        if fragments:
            wrong = [i for i, s in enumerate(samples(fragments)) if s.sync != (NAL_IDR in s.nals)]
            check(not wrong, "%s: samples %s", uri, wrong)


@rule("segment-independent", "B.1", MUST)
def segment_independent(t, check):
    """Every segment has an independent frame; where EXT-X-INDEPENDENT-SEGMENTS says so it begins with one."""
    promised = t.multivariant is not None and t.multivariant.independent_segments or any(
        "EXT-X-INDEPENDENT-SEGMENTS" in x.playlist.tags for x in t.texts[:1])
    for uri, fragments in media(t).segments.items():
        if fragments:
            found = samples(fragments)
            check(any(NAL_IDR in s.nals for s in found), "%s has no IDR frame", uri)
            check(not promised or not any(NAL_IDR in s.nals for s in found) or NAL_IDR in found[0].nals,
                  "%s does not begin with an IDR frame", uri)


@rule("part-duration", "4.4.4.9", MUST, "parts")
def part_duration(t, check):
    """A part's DURATION is that of its frames."""
    m = media(t)
    for uri, fragments in m.parts.items():
        if fragments:
            real = m.nanoseconds(sum(f.duration for f in fragments))
            check(abs(real - t.parts[uri].duration) <= ROUNDING, "%s: DURATION=%s, its frames last %s", uri,
                  seconds(t.parts[uri].duration), seconds(real))


@rule("segment-duration", "4.4.4.1", MUST)
def segment_duration(t, check):
    """A segment's EXTINF is the duration of its frames."""
    m = media(t)
    for s in t.segments.values():
        fragments = m.segments.get(s.uri)
        if fragments:
            real = m.nanoseconds(sum(f.duration for f in fragments))
            check(abs(real - s.duration) <= ROUNDING, "%s: EXTINF:%s, its frames last %s", s.uri, seconds(s.duration),
                  seconds(real))


def breaks(t):
    """URIs of what begins after a discontinuity."""
    found = set()
    for state in t.states:
        for s in state.playlist.segments:
            if s.discontinuity:
                found.update([s.uri, *(p.uri for p in s.parts[:1])])
    return found


def continuity(t):
    """(uri, fragment, decode time it should have) for each that follows another without a discontinuity."""
    after_break = breaks(t)
    for found in (media(t).parts, media(t).segments):
        expected = None
        for uri, fragments in found.items():
            if not fragments or uri in after_break:
                expected = None
            for f in fragments or ():
                if expected is not None:
                    yield uri, f, expected
                expected = f.decode_time + f.duration


@rule("decode-time", "4.4.4.3", MUST)
def decode_time(t, check):
    """Without a discontinuity decode times go on from part to part and segment to segment, but for a lost frame."""
    m = media(t)
    for uri, f, expected in continuity(t):
        check(abs(m.nanoseconds(f.decode_time - expected)) <= LOST,
              "%s begins at %d, %d was to come", uri, f.decode_time,
              expected)


@rule("decode-time-exact", "ours", OURS)
def decode_time_exact(t, check):
    """Decode times go on exactly: each fragment begins where the durations of the samples before it end."""
    m = media(t)
    for uri, f, expected in continuity(t):
        if abs(m.nanoseconds(f.decode_time - expected)) <= LOST:
            check(f.decode_time == expected, "%s begins at %d, %d was to come", uri, f.decode_time, expected)


@rule("date-steady", "6.2.1", MUST)
def date_steady(t, check):
    """Dates and decode times go on alike, within 100 ms, from segment to segment."""
    m = media(t)
    for s, after in dated(t):
        one, other = m.segments.get(s.uri), m.segments.get(after.uri)
        if not one or not other or s.date + s.duration - after.date >= NS:  # that is ambiguous, and told as such
            continue
        off = after.date - s.date - m.nanoseconds(other[0].decode_time - one[0].decode_time)
        check(abs(off) <= DATE_STEP, "%s is dated %s off", after.uri, seconds(abs(off)))


@rule("parts-are-segment", "3.2", MUST, "parts")
def parts_are_segment(t, check):
    """The parts of a segment put together are the segment, byte for byte."""
    m = media(t)
    by_segment = {}
    for uri, p in t.parts.items():
        by_segment.setdefault(p.msn, []).append(m.part_bytes.get(uri))
    for s in t.segments.values():
        whole, pieces = m.segment_bytes.get(s.uri), by_segment.get(s.msn, [])
        if whole is not None and pieces and None not in pieces and len(pieces) == t.part_counts.get(s.msn):
            check(b"".join(pieces) == whole, "%s has %d bytes, its %d parts %d", s.uri, len(whole), len(pieces),
                  sum(map(len, pieces)))


@rule("hint-served", "6.2.6", MUST, "parts")
def hint_served(t, check):
    """The hinted part can be asked for before it is there, and comes."""
    for x in t.of_kind("hint"):
        known = t.parts.get(t.relative(x.url))
        gave_up = x.status == 503 and x.took >= 2 * t.target
        if known is not None and known.seen < t.stopped - 2 * t.jitter:
            check(x.status == 200 or gave_up, "%s: %s", x.name, x.error or f"status {x.status}")


@rule("hint-same-bytes", "4.4.5.3", MUST, "parts")
def hint_same_bytes(t, check):
    """Asked for early or late, a part is the same bytes."""
    early = t.bodies("hint")
    for x in t.of_kind("part", "part-after"):
        uri = t.relative(x.url)
        if x.status == 200 and uri in early:
            check(early[uri] == x.body,
                  "%s had %d bytes when hinted, %d when listed", uri, len(early[uri]), len(x.body))


def held(t):
    """(answered request for a hinted part, the part) where it was asked for before it was listed."""
    for x in t.of_kind("hint"):
        part = t.parts.get(t.relative(x.url))
        if x.status == 200 and part is not None and x.sent < part.seen and not part.from_start:
            yield x, part


@rule("hint-prompt", "ours", OURS, "parts")
def hint_prompt(t, check):
    """A held part comes at the moment when the playlist lists it."""
    for x, part in held(t):
        check(abs(x.done - part.seen) <= 2 * t.jitter,
              "%s came %s from its listing", x.name, seconds(abs(x.done - part.seen)))


@rule("hint-whole", "6.2.6", MUST, "parts")
def hint_whole(t, check):
    """No byte of a held part is sent before all of it is there: its bytes come together."""
    spans = sorted(x.done - x.first for x, _ in held(t))
    if len(spans) >= 10 and t.part_target:
        most = spans[len(spans) * 3 // 4]
        check(most <= max(t.part_target // 4, 5 * MS),
              "a quarter of the held parts take more than %s from first to last byte",
              seconds(most))


@rule("unknown-part", "6.2.6", SHOULD, "parts")
def unknown_part(t, check):
    """A part that is neither listed nor hinted at is refused at once: 404."""
    for x in t.of_kind("unknown"):
        check(x.status == 404 and x.took <= 2 * t.jitter, "%s: status %d after %s", x.name, x.status, seconds(x.took))


@rule("part-stays", "6.2.2", MUST, "parts")
def part_stays(t, check):
    """A part can be had for three target durations after its tag went."""
    for x in t.of_kind("part-after"):
        check(x.status == 200, "%s: %s", x.name, x.error or f"status {x.status}")


@rule("segment-stays", "6.2.2", MUST)
def segment_stays(t, check):
    """A segment can be had for its duration and that of the longest playlist with it, from when it appeared."""
    for x in t.of_kind("segment-after"):
        check(x.status == 200, "%s: %s", x.name, x.error or f"status {x.status}")


@rule("end-served", "6.2.2", MUST, "end")
def end_served(t, check):
    """What a finished playlist lists can be had."""
    for x in t.of_kind("segment-end"):
        check(x.status == 200, "%s: %s", x.name, x.error or f"status {x.status}")


@rule("multivariant-truth", "4.4.6.2", MUST, "multivariant")
def multivariant_truth(t, check):
    """CODECS and RESOLUTION are those of the media."""
    for track in media(t).tracks.values():
        for v in t.multivariant.variants:
            check(track.codec in v.attributes.get("CODECS", track.codec).split(","), "CODECS=%s, the media is %s",
                  v.attributes.get("CODECS"), track.codec)
            check(v.attributes.get("RESOLUTION", f"{track.width}x{track.height}") == f"{track.width}x{track.height}",
                  "RESOLUTION=%s, the media is %dx%d", v.attributes.get("RESOLUTION"), track.width, track.height)


def peak_rate(t, sizes):
    """Largest bit rate of any contiguous set of segments that lasts half to one and a half target durations (4.1)."""
    order = [s for s in t.segments.values() if s.uri in sizes]
    peak = 0
    for i in range(len(order)):
        size = length = 0
        for s in order[i:]:
            size, length = size + len(sizes[s.uri]), length + s.duration
            if length > t.target * 3 // 2 + NS // 2:
                break
            if length * 2 >= t.target:
                peak = max(peak, size * 8 * NS // length)
    return peak if len(order) >= FEW else 0


@rule("bandwidth", "4.4.6.2", SHOULD, "multivariant")
def bandwidth(t, check):
    """BANDWIDTH is the peak segment bit rate, within a factor of one and a half."""
    peak = peak_rate(t, media(t).segment_bytes)
    for v in t.multivariant.variants if peak else ():
        told = int(v.attributes.get("BANDWIDTH", "0"))
        check(peak * 2 <= told * 3 and told * 2 <= peak * 3, "BANDWIDTH=%d, the peak was %d", told, peak)
