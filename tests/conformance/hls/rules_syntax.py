"""What one playlist alone must be (sections 4 and 8)."""
from .playlist import LOW_LATENCY, NS, seconds
from .rules import MUST, OURS, SHOULD, rule

ROUNDING = 10_000  # ns that each written duration may be off by


def written(name, section, level, title, *needs):
    """A rule whose faults the parser has noted."""
    def function(t, check):
        for x in t.texts:
            faults = [f for f in x.playlist.faults if f.rule == name]
            check(not faults, "%s: %s", x.name, faults and faults[0])
        if t.multivariant is not None:
            faults = [f for f in t.multivariant.faults if f.rule == name]
            check(not faults, "multivariant playlist: %s", faults and faults[0])
    function.__doc__ = title
    return rule(name, section, level, *needs)(function)


written("playlist-text", "4.1", MUST,
        "A playlist is UTF-8 lines without control characters, the first of them #EXTM3U.")
written("tag-syntax", "4.2", MUST, "Tags and attributes are written as the draft defines them.")
written("tag-once", "4.4.3", MUST, "A tag that describes the whole playlist stands there once.")
written("one-kind", "4.1", MUST, "A playlist has tags of a media playlist or of a multivariant one, never both.")
written("target-duration", "4.4.3.1", MUST, "EXT-X-TARGETDURATION is there and at least one second.")
written("sequence-first", "4.4.3.2", MUST, "Media and discontinuity sequence stand before the first segment.")
written("extinf", "4.4.4.1", MUST, "Each segment has one EXTINF, and each EXTINF a URI.")
written("tags-before-parts", "4.4.4.9", MUST,
        "DISCONTINUITY, KEY, MAP and PROGRAM-DATE-TIME stand before the first part.")
written("parts-before-extinf", "3.2", MUST, "The parts of a segment stand before its EXTINF.")
written("date-precision", "4.4.4.6", SHOULD, "PROGRAM-DATE-TIME names a zone and milliseconds.")


def version_needed(playlist):
    """What section 8 asks for."""
    needed = 1
    if any("." in s.duration_text for s in playlist.complete):
        needed = 3
    if {"EXT-X-BYTERANGE", "EXT-X-I-FRAMES-ONLY"} & set(playlist.tags):
        needed = 4
    if "EXT-X-MAP" in playlist.tags or playlist.skipped and any(s.map_uri for s in playlist.segments):
        needed = 6
    if playlist.skipped is not None:
        needed = 9
    return needed


@rule("version-floor", "8", MUST)
def version_floor(t, check):
    """EXT-X-VERSION is at least what the tags of the playlist need."""
    for x in t.texts:
        needed = version_needed(x.playlist)
        check((x.playlist.version or 1) >= needed,
              "%s: version %s where %d is needed", x.name, x.playlist.version, needed)


@rule("version-ceiling", "6.2.1", SHOULD)
def version_ceiling(t, check):
    """EXT-X-VERSION is not above what the tags of the playlist need."""
    for x in t.texts:
        needed = version_needed(x.playlist)
        check((x.playlist.version or 1) <= needed,
              "%s: version %s where %d would do", x.name, x.playlist.version, needed)


@rule("extinf-target", "4.4.3.1", MUST)
def extinf_target(t, check):
    """No segment's duration, rounded to the nearest second, exceeds the target duration."""
    for s in t.segments.values():
        check((s.duration + NS // 2) // NS * NS <= t.target, "%s lasts %s, the target duration is %s", s.uri,
              seconds(s.duration), seconds(t.target))


@rule("part-inf", "4.4.3.7", MUST, "parts")
def part_inf(t, check):
    """A playlist with parts announces PART-TARGET."""
    for x in t.texts:
        if "EXT-X-PART" in x.playlist.tags:
            check(x.playlist.part_target is not None, "%s has EXT-X-PART and no EXT-X-PART-INF", x.name)


@rule("part-hold-back", "4.4.3.8", MUST, "parts")
def part_hold_back(t, check):
    """PART-HOLD-BACK is there and at least twice PART-TARGET."""
    for x in t.texts:
        if x.playlist.part_target is not None:
            back = x.playlist.seconds("PART-HOLD-BACK")
            check(back is not None and back >= 2 * x.playlist.part_target,
                  "%s: PART-HOLD-BACK=%s, PART-TARGET %s", x.name,
                  x.playlist.control.get("PART-HOLD-BACK"), seconds(x.playlist.part_target))


@rule("part-hold-back-ample", "4.4.3.8", SHOULD, "parts")
def part_hold_back_ample(t, check):
    """PART-HOLD-BACK is at least three times PART-TARGET."""
    for x in t.texts:
        back = x.playlist.seconds("PART-HOLD-BACK")
        if back is not None and x.playlist.part_target is not None and back >= 2 * x.playlist.part_target:
            check(back >= 3 * x.playlist.part_target, "%s: PART-HOLD-BACK=%s, PART-TARGET %s", x.name,
                  x.playlist.control.get("PART-HOLD-BACK"), seconds(x.playlist.part_target))


@rule("hold-back", "4.4.3.8", MUST)
def hold_back(t, check):
    """HOLD-BACK, where it is given, is at least three target durations."""
    for x in t.texts:
        back = x.playlist.seconds("HOLD-BACK")
        check(back is None or back >= 3 * x.playlist.target,
              "%s: HOLD-BACK=%s", x.name, x.playlist.control.get("HOLD-BACK"))


@rule("skip-boundary", "4.4.3.8", MUST, "skip")
def skip_boundary(t, check):
    """CAN-SKIP-UNTIL is at least six target durations; CAN-SKIP-DATERANGES needs it."""
    for x in t.texts:
        boundary = x.playlist.seconds("CAN-SKIP-UNTIL")
        if boundary is not None:
            check(boundary >= 6 * x.playlist.target, "%s: CAN-SKIP-UNTIL=%s with a target duration of %s", x.name,
                  x.playlist.control["CAN-SKIP-UNTIL"], seconds(x.playlist.target))
        check(boundary is not None or "CAN-SKIP-DATERANGES" not in x.playlist.control,
              "%s: CAN-SKIP-DATERANGES without CAN-SKIP-UNTIL", x.name)


def listed_parts(playlist):
    """(segment, index, part) of a playlist."""
    for s in playlist.segments:
        for i, p in enumerate(s.parts):
            yield s, i, p


@rule("part-longest", "4.4.4.9", MUST, "parts")
def part_longest(t, check):
    """No part is longer than PART-TARGET."""
    for p in t.parts.values() if t.part_target else ():
        check(p.duration <= t.part_target, "%s lasts %s, PART-TARGET is %s", p.uri, seconds(p.duration),
              seconds(t.part_target))


@rule("part-shortest", "4.4.4.9", MUST, "parts")
def part_shortest(t, check):
    """A part is at least 85 % of PART-TARGET, unless independent, a gap or before one, or the last of its segment."""
    order = list(t.parts.values())
    for p, after in zip(order, order[1:]):
        last = after.msn != p.msn
        if p.independent or p.gap or after.gap or last:
            continue
        check(p.duration * 100 >= t.part_target * 85, "%s lasts %s, PART-TARGET is %s", p.uri, seconds(p.duration),
              seconds(t.part_target))


@rule("part-sum", "3.2", MUST, "parts")
def part_sum(t, check):
    """The parts of a segment last as long as its EXTINF says, but for rounding."""
    done = set()
    for state in t.states:
        for s in state.playlist.complete:
            if s.parts and s.msn not in done and len(s.parts) == t.part_counts[s.msn]:
                done.add(s.msn)
                off = s.duration - sum(p.duration for p in s.parts)
                check(abs(off) <= ROUNDING * (len(s.parts) + 1), "%s: EXTINF is %s more than its %d parts", s.uri,
                      seconds(off), len(s.parts))


@rule("hint-there", "B.1", MUST, "parts")
def hint_there(t, check):
    """A live playlist with parts hints at the next one."""
    for x in t.texts:
        if x.playlist.low_latency and not x.playlist.ended:
            check(x.playlist.hint is not None, "%s has no EXT-X-PRELOAD-HINT of TYPE=PART", x.name)


@rule("hint-once", "6.2.6", SHOULD, "parts")
def hint_once(t, check):
    """There is at most one hint of each type."""
    for x in t.texts:
        kinds = [kind for kind, _ in x.playlist.hints]
        check(len(kinds) == len(set(kinds)), "%s hints at %s", x.name, kinds)


@rule("hint-end", "4.4.5.3", MUST, "end")
def hint_end(t, check):
    """A playlist with EXT-X-ENDLIST has no hint."""
    for x in t.texts:
        if x.playlist.ended:
            check(not x.playlist.hints, "%s has ENDLIST and hints at %s", x.name, x.playlist.hints)


@rule("no-playlist-type", "6.2.2", MUST)
def no_playlist_type(t, check):
    """A playlist that loses segments has no EXT-X-PLAYLIST-TYPE."""
    for x in t.texts:
        if not x.playlist.ended:
            check("EXT-X-PLAYLIST-TYPE" not in x.playlist.tags, "%s has EXT-X-PLAYLIST-TYPE", x.name)


@rule("date-there", "B.1", MUST)
def date_there(t, check):
    """Every media playlist has a PROGRAM-DATE-TIME, each segment after a discontinuity too."""
    for x in t.texts:
        segments = x.playlist.segments
        check(not segments or any(s.date is not None for s in segments), "%s has no PROGRAM-DATE-TIME", x.name)
        for s in segments:
            if s.discontinuity and s.uri and not s.gap:
                check(s.date is not None, "%s: %s follows a discontinuity and has no PROGRAM-DATE-TIME", x.name, s.uri)


@rule("map-there", "3.1.2", MUST)
def map_there(t, check):
    """Every segment has an EXT-X-MAP that applies."""
    for x in t.wholes:
        for s in x.playlist.segments:
            check(s.map_uri is not None or s.gap, "%s: %s has no EXT-X-MAP", x.name, s.uri)


@rule("plain-tags", "ours", OURS, "economy")
def plain_tags(t, check):
    """The economy profile says nothing of parts, blocking reload or hints."""
    for x in t.texts:
        found = (LOW_LATENCY - {"EXT-X-SKIP"}) & set(x.playlist.tags)
        found |= {"CAN-BLOCK-RELOAD", "PART-HOLD-BACK"} & set(x.playlist.control)
        check(not found, "%s has %s", x.name, ", ".join(sorted(found)))


PROFILES = {  # segment; least and most PART-TARGET
    "realtime": (NS // 2, 30 * NS // 1000, 150 * NS // 1000),
    "balanced": (NS, 200 * NS // 1000, 300 * NS // 1000),
    "economy": (2 * NS, None, None),
}


@rule("profile-lengths", "ours", OURS, "profile")
def profile_lengths(t, check):
    """Segments and parts are as long as the profile says."""
    segment, least, most = PROFILES[t.profile]
    durations = sorted(s.duration for s in t.segments.values())
    if len(durations) >= 5:
        middle = durations[len(durations) // 2]
        check(abs(middle - segment) <= segment // 10, "a segment lasts %s", seconds(middle))
    if least is not None and t.states:
        check(least <= t.part_target <= most, "PART-TARGET is %s", seconds(t.part_target))


@rule("multivariant-attributes", "4.4.6.2", SHOULD, "multivariant")
def multivariant_attributes(t, check):
    """Each variant names BANDWIDTH, CODECS, RESOLUTION and FRAME-RATE."""
    for v in t.multivariant.variants:
        missing = {"BANDWIDTH", "CODECS", "RESOLUTION", "FRAME-RATE"} - set(v.attributes)
        check(not missing, "%s has no %s", v.uri, ", ".join(sorted(missing)))


@rule("multivariant-version", "6.2.1", SHOULD, "multivariant")
def multivariant_version(t, check):
    """The multivariant playlist's EXT-X-VERSION is not above what its tags need."""
    check((t.multivariant.version or 1) <= 6, "version %s", t.multivariant.version)


