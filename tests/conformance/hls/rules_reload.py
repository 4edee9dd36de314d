"""What must hold from one playlist to the next, and in time (sections 6.2.1 and 6.2.2)."""
import re

from .playlist import NS, seconds
from .rules import MUST, OURS, SHOULD, rule



@rule("constants", "6.2.1", MUST)
def constants(t, check):
    """TARGETDURATION, PART-TARGET, SERVER-CONTROL and VERSION never change."""
    if not t.wholes:
        return
    first = t.wholes[0].playlist
    for x in t.texts:
        p = x.playlist
        check(p.target == first.target, "%s: TARGETDURATION went from %s to %s", x.name, seconds(first.target),
              seconds(p.target))
        check(p.part_target == first.part_target, "%s: PART-TARGET went from %s ns to %s ns", x.name, first.part_target,
              p.part_target)
        # A finished playlist may withdraw blocking reload: some players do not take both.
        check(p.ended or p.control == first.control, "%s: SERVER-CONTROL went from %s to %s", x.name, first.control,
              p.control)
        check(p.skipped is not None or p.version == first.version, "%s: VERSION went from %s to %s", x.name,
              first.version, p.version)


@rule("append-only", "6.2.1", MUST)
def append_only(t, check):
    """Segments are only added at the end and removed at the front; what is listed never changes."""
    for a, b in t.steps:
        before = [s.uri for s in a.playlist.complete]
        after = [s.uri for s in b.playlist.complete]
        if not before or not after:
            continue
        if after[0] in before:
            common = before[before.index(after[0]):]
            check(after[:len(common)] == common, "%s: %s was followed by %s", t.at(b.seen), common, after[:len(common)])
        else:
            check(b.playlist.media_sequence >= a.playlist.next_msn, "%s: of %s nothing is left", t.at(b.seen), before)
        known = {s.uri: s for s in a.playlist.complete}
        for s in b.playlist.complete:
            if s.uri in known:
                check(facts(s) == facts(known[s.uri]), "%s: %s went from %s to %s", t.at(b.seen), s.uri,
                      facts(known[s.uri]), facts(s))


def facts(segment):
    """What may not change of a listed segment."""
    return segment.duration_text, segment.map_uri, segment.gap, segment.date


@rule("parts-append-only", "6.2.1", MUST, "parts")
def parts_append_only(t, check):
    """Parts of a segment are only added at its end, and removed at its front."""
    for a, b in t.steps:
        known = {p.uri: s.parts for s in a.playlist.segments for p in s.parts}
        for s in b.playlist.segments:
            before = next((known[p.uri] for p in s.parts if p.uri in known), None)
            if before is None:
                continue
            start = before.index(s.parts[0]) if s.parts[0] in before else None
            check(start is not None and s.parts[:len(before) - start] == before[start:],
                  "%s: the parts of segment %d went from %s to %s", t.at(b.seen), s.msn, list(map(str, before)),
                  list(map(str, s.parts)))


@rule("media-sequence", "6.2.2", MUST)
def media_sequence(t, check):
    """MEDIA-SEQUENCE grows by one for each segment removed: a segment keeps its number."""
    numbers = {}
    for state in t.states:
        for s in state.playlist.complete:
            check(numbers.setdefault(s.uri, s.msn) == s.msn,
                  "%s: %s went from number %d to %d", t.at(state.seen), s.uri,
                  numbers[s.uri], s.msn)


@rule("discontinuity-sequence", "6.2.2", MUST)
def discontinuity_sequence(t, check):
    """DISCONTINUITY-SEQUENCE grows by one for each tag removed: a segment keeps its discontinuity number."""
    numbers = {}
    for state in t.states:
        number = state.playlist.discontinuity_sequence
        for s in state.playlist.complete:
            number += s.discontinuity
            check(numbers.setdefault(s.uri, number) == number, "%s: %s went from discontinuity %d to %d",
                  t.at(state.seen), s.uri, numbers[s.uri], number)


@rule("discontinuity-sequence-there", "6.2.2", MUST, occasional=True)
def discontinuity_sequence_there(t, check):
    """A playlist with discontinuities that loses segments has EXT-X-DISCONTINUITY-SEQUENCE."""
    for x in t.texts:
        if "EXT-X-DISCONTINUITY" in x.playlist.tags and x.playlist.media_sequence > 0:
            check("EXT-X-DISCONTINUITY-SEQUENCE" in x.playlist.tags, "%s has no EXT-X-DISCONTINUITY-SEQUENCE", x.name)


@rule("window", "6.2.2", MUST)
def window(t, check):
    """No segment is removed where less than three target durations would be left."""
    for a, b in t.steps:
        if b.playlist.media_sequence > a.playlist.media_sequence and not b.playlist.ended:
            check(b.playlist.duration >= 3 * b.playlist.target, "%s: %s are left of %s", t.at(b.seen),
                  seconds(b.playlist.duration), seconds(a.playlist.duration))


@rule("part-tags-leave", "6.2.2", SHOULD, "parts")
def part_tags_leave(t, check):
    """EXT-X-PART tags go once they are more than three target durations from the end."""
    for state in t.states:
        after = 0
        for s in reversed(state.playlist.segments):
            parts = s.parts
            for p in reversed(parts):
                check(after <= 3 * state.playlist.target,
                      "%s: %s is still listed %s from the end", t.at(state.seen), p.uri,
                      seconds(after))
                after += p.duration
            after += 0 if parts else s.length


@rule("part-tags-in-order", "6.2.2", MUST, "parts")
def part_tags_in_order(t, check):
    """EXT-X-PART tags are removed in the order in which they stand."""
    for state in t.states:
        segments = state.playlist.segments
        for s, after in zip(segments, segments[1:]):
            if s.parts and not after.gap:
                check(after.parts, "%s: %s lists its parts, the next segment does not", t.at(state.seen), s.uri)


@rule("hint-kept", "4.4.5.3", MUST, "parts")
def hint_kept(t, check):
    """The hinted URI is that of the part added next."""
    order = list(t.parts)
    following = dict(zip(order, order[1:]))
    for state in t.states:
        listed = [p.uri for s in state.playlist.segments for p in s.parts]
        if listed and state.playlist.hint and listed[-1] in following:
            check(following[listed[-1]] == state.playlist.hint,
                  "%s: the hint was %s, what came was %s", t.at(state.seen),
                  state.playlist.hint, following[listed[-1]])


@rule("part-numbers", "ours", OURS, "parts")
def part_numbers(t, check):
    """Parts are numbered across segments, without holes."""
    numbers = [re.search(r"(\d+)\.[^.]*$", uri) for uri in t.parts]
    numbers = [int(found.group(1)) if found else None for found in numbers]
    for one, after in zip(numbers, numbers[1:]):
        check(one is not None and after == one + 1, "after part %s comes %s", one, after)


@rule("part-in-time", "6.2.1", MUST, "parts")
def part_in_time(t, check):
    """A part comes within one PART-TARGET of the one before. One in a hundred may seem later, by less than a second."""
    order = [p for p in t.parts.values() if not p.from_start]
    gaps = [(after.seen - p.seen, after) for p, after in zip(order, order[1:])] if t.part_target else []
    late = [gap for gap, _ in gaps if gap > t.part_target + t.jitter]
    forgiven = len(late) * 100 <= len(gaps) and max(late, default=0) <= t.part_target + NS
    for gap, part in gaps:
        check(gap <= t.part_target + t.jitter or forgiven, "%s: %s came %s after the one before, PART-TARGET is %s",
              t.at(part.seen), part.uri, seconds(gap), seconds(t.part_target))
    if gaps:
        middle = sorted(gap for gap, _ in gaps)[len(gaps) // 2]
        check(middle <= t.part_target + t.jitter // 4, "half of the parts come more than %s after the one before",
              seconds(middle))


@rule("segment-in-time", "6.2.1", MUST)
def segment_in_time(t, check):
    """A segment comes within one and a half target durations of the one before."""
    order = [s for s in t.segments.values() if not s.from_start]
    for s, after in zip(order, order[1:]):
        gap = after.seen - s.seen
        check(gap <= t.target * 3 // 2 + t.jitter + t.poll, "%s: %s came %s after the one before", t.at(after.seen),
              after.uri, seconds(gap))


@rule("never-back", "6.2.1", MUST)
def never_back(t, check):
    """Whoever asks later never gets an older playlist."""
    for x in t.answers:
        before = t.edge_at(x.sent)
        if before is not None:
            check((x.playlist.ended, x.playlist.edge) >= before, "%s: %s got edge %s, %s had been there", t.at(x.done),
                  x.name, x.playlist.edge, before[1])


@rule("same-for-all", "6.2.1", MUST)
def same_for_all(t, check):
    """Every answer of one live state is the same text, blocking or not: changes are atomic."""
    texts = {}
    for x in t.wholes:
        if x.playlist.ended:
            continue
        known = texts.setdefault((t.key(x.playlist), x.coding), x)
        if known is not x:
            check(known.body == x.body, "%s and %s differ at edge %s: %s", known.name, x.name, x.playlist.edge,
                  first_difference(known.playlist.whole_text, x.playlist.whole_text))


def first_difference(one, other):
    """The first line where two texts differ."""
    for a, b in zip(one.splitlines(), other.splitlines()):
        if a != b:
            return f"{a!r} and {b!r}"
    return "one ends before the other"


def dated(t):
    """(segment, the next, their playlist), each pair once, both with a date and without a discontinuity between."""
    seen = set()
    for state in t.states:
        segments = state.playlist.complete
        for s, after in zip(segments, segments[1:]):
            if after.msn not in seen and s.date is not None and after.date is not None and not after.discontinuity:
                seen.add(after.msn)
                yield s, after


@rule("date-unambiguous", "6.2.1", MUST)
def date_unambiguous(t, check):
    """Dates go forward, and segments overlap by less than a second."""
    for s, after in dated(t):
        overlap = s.date + s.duration - after.date
        check(after.date > s.date and overlap < NS, "%s is dated %s before the end of %s", after.uri, seconds(overlap),
              s.uri)


@rule("date-now", "ours", OURS, "live")
def date_now(t, check):
    """The end of the playlist is dated close to the time it was had: capture time, not some other."""
    most = NS + t.jitter + (0 if t.can_block else t.poll + t.target)
    for state in t.states[1:]:
        last = state.playlist.segments[-1] if state.playlist.segments else None
        if last is None or last.date is None:
            continue
        age = state.seen + t.wall - last.date - last.length
        check(-t.jitter <= age <= most, "%s: the end of the playlist is %s old", t.at(state.seen),
              seconds(age) if age >= 0 else f"-{seconds(-age)}")
