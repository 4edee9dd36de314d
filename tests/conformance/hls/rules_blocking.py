"""Delivery directives: blocking reload and delta updates (section 6.2.5)."""
from .playlist import seconds
from .rules import MUST, OURS, SHOULD, rule
from .timeline import MS

LATE = 2  # answers may be so many jitters late where two measurements meet


def directives(x):
    """(msn, part) of a request that has numbers there; part None where there is none."""
    return x.directive("_HLS_msn"), x.directive("_HLS_part")


def proper(t):
    """Answered or refused requests with a valid _HLS_msn, to a playlist that had not ended."""
    for x in t.asked:
        msn, part = directives(x)
        if msn is None or ("_HLS_part" in x.query and part is None) or x.status == 0:
            continue
        before = t.edge_at(x.sent)
        if before is not None and not before[0]:
            yield x, msn, part, before[1]


def beyond_end(t, msn, part):
    """Is it a part beyond the last of a segment whose number of parts is known?"""
    return part is not None and msn in t.part_counts and part >= t.part_counts[msn]


def edge_after(t, x):
    """How far the playlist may have reached when the request was looked at."""
    return t.edge_at(x.sent + t.jitter)[1]


def advance_limit(t):
    """Advance Part Limit, rounded up."""
    return -(-3_000_000_000 // t.part_target) if t.part_target < 1_000_000_000 else 3


def far_ahead(t, x, msn, part, before):
    """True: it must be refused; False: it must not; None: it depends on an instant that cannot be told."""
    after = edge_after(t, x)
    if msn > after[0] + 2:  # also where the segment that is still open counts as the last one
        return True
    if msn > before[0] + 1:
        return None
    if part is None or msn < before[0]:
        return False
    if not t.part_target:
        return None
    if msn == before[0] == after[0]:
        if part > after[1] - 1 + advance_limit(t) + 1:
            return True
        return False if part < before[1] - 1 + advance_limit(t) else None
    return False if part < advance_limit(t) - 1 else None


@rule("blocking-holds", "6.2.5.2", MUST, "blocking")
def blocking_holds(t, check):
    """A blocking reload is answered with the segment or part that it asks for, or something later."""
    for x, msn, part, _ in proper(t):
        if x.status == 200:
            p = x.playlist
            check(p.ended or t.has(p.edge, msn, part), "%s was answered with edge %s", x.name, p.edge)


@rule("blocking-prompt", "6.2.5.2", OURS, "blocking")
def blocking_prompt(t, check):
    """A held request is answered as soon as anyone has what it waits for."""
    for x, msn, part, before in proper(t):
        there = t.satisfied_from(msn, part)
        if x.status == 200 and there is not None and not t.has(before, msn, part) and not beyond_end(t, msn, part):
            check(x.done - there <= LATE * t.jitter, "%s was answered %s after it was there", x.name,
                  seconds(x.done - there))


@rule("blocking-at-once", "6.2.5.2", MUST, "blocking")
def blocking_at_once(t, check):
    """What is there already, or older than the list, is answered at once with the whole list."""
    for x, msn, part, before in proper(t):
        if t.has(before, msn, part) and not beyond_end(t, msn, part):
            check(x.status == 200 and x.took <= LATE * t.jitter, "%s: status %d after %s", x.name, x.status,
                  seconds(x.took))


@rule("blocking-next-segment", "6.2.5.2", MUST, "blocking", "parts")
def blocking_next_segment(t, check):
    """A part beyond the last of its segment stands for the first of the next."""
    for x, msn, part, before in proper(t):
        there = t.satisfied_from(msn + 1, 0)
        asks = beyond_end(t, msn, part) and x.status != 503 and far_ahead(t, x, msn, part, before) is False
        if asks and there is not None:
            late = x.done - max(there, x.sent)
            check(x.status == 200 and late <= LATE * t.jitter, "%s: status %d, %s after the next segment's first part",
                  x.name, x.status, seconds(max(late, 0)))


@rule("blocking-not-refused", "6.2.5.2", MUST, "blocking")
def blocking_not_refused(t, check):
    """What is within two segments, and the Advance Part Limit, is not refused."""
    for x, msn, part, before in proper(t):
        if far_ahead(t, x, msn, part, before) is False:
            check(x.status != 400, "%s was refused at edge %s", x.name, before)


@rule("refuse-far-segment", "6.2.5.2", SHOULD, "blocking")
def refuse_far_segment(t, check):
    """A segment more than two after the last is refused at once: 400."""
    for x, msn, part, before in proper(t):
        if msn > before[0] and far_ahead(t, x, msn, part, before):
            check(x.status == 400 and x.took <= LATE * t.jitter, "%s: status %d after %s at edge %s", x.name, x.status,
                  seconds(x.took), before)


@rule("refuse-far-part", "6.2.5.2", SHOULD, "blocking", "parts")
def refuse_far_part(t, check):
    """A part beyond the Advance Part Limit is refused at once: 400."""
    for x, msn, part, before in proper(t):
        if msn == before[0] and far_ahead(t, x, msn, part, before):
            check(x.status == 400 and x.took <= LATE * t.jitter, "%s: status %d after %s at edge %s", x.name, x.status,
                  seconds(x.took), before)


def malformed(t, wanted):
    """Requests of a live list whose directives are wrong in the way that `wanted` says."""
    for x in t.asked:
        before = t.edge_at(x.sent)
        if before is not None and not before[0] and wanted(x):
            yield x


@rule("refuse-part-alone", "6.2.5.2", MUST, "blocking")
def refuse_part_alone(t, check):
    """_HLS_part without _HLS_msn is refused: 400."""
    for x in malformed(t, lambda x: "_HLS_part" in x.query and "_HLS_msn" not in x.query):
        check(x.status == 400, "%s: status %d", x.name, x.status)


@rule("refuse-unparsable", "ours", OURS, "blocking")
def refuse_unparsable(t, check):
    """Directives that are not numbers are refused: 400."""
    for x in malformed(t, lambda x: "_HLS_msn" in x.query and None in [
            x.directive(name) for name in ("_HLS_msn", "_HLS_part") if name in x.query]):
        check(x.status == 400, "%s: status %d", x.name, x.status)


@rule("unknown-keys", "6.2.5", MUST)
def unknown_keys(t, check):
    """Query keys that the server does not know change nothing."""
    known = {"_HLS_msn", "_HLS_part", "_HLS_skip"}
    for x in t.asked:
        if set(x.query) - known and not set(x.query) & known:
            check(x.status == 200 and x.took <= LATE * t.jitter, "%s: status %d after %s", x.name, x.status,
                  seconds(x.took))


@rule("blocking-gives-up", "6.2.5.2", SHOULD, "blocking", occasional=True)
def blocking_gives_up(t, check):
    """What cannot be had within three target durations is answered with 503."""
    for x, _, _, _ in proper(t):
        if x.took > 3 * t.target or x.status == 503:
            check(x.status == 503 and 2 * t.target <= x.took <= 3 * t.target + LATE * t.jitter + 500 * MS,
                  "%s: status %d after %s", x.name, x.status, seconds(x.took))


@rule("playlist-served", "6.2.1", MUST)
def playlist_served(t, check):
    """The live playlist is there whenever it is asked for."""
    for x in t.of_kind("follow", "plain", "delta"):
        gave_up = x.status == 503 and x.blocking and x.took >= 2 * t.target
        check(x.status == 200 or gave_up, "%s: %s", x.name, x.error or f"status {x.status}")


# --- delta updates ---

def skippable(t, playlist):
    """(segments that must be skipped, segments that may be) of a whole playlist."""
    boundary = playlist.seconds("CAN-SKIP-UNTIL")
    least = most = 0
    after = playlist.duration
    for s in playlist.complete:
        after -= s.duration
        least += after > boundary
        most += after >= boundary
    return least, most


def pairs(t):
    """(answer to a _HLS_skip, whole answer of the same state)."""
    wholes = {t.key(x.playlist): x for x in t.wholes if "_HLS_skip" not in x.query}
    for x in t.answers:
        if x.query.get("_HLS_skip") in ("YES", "v2") and not x.playlist.ended:
            whole = wholes.get(t.key(x.playlist))
            if whole is not None:
                yield x, whole


@rule("delta-boundary", "6.2.5.1", MUST, "skip")
def delta_boundary(t, check):
    """A delta update leaves out the segments beyond the skip boundary, all of them and no others."""
    for x, whole in pairs(t):
        least, most = skippable(t, whole.playlist)
        if most:
            skipped = x.playlist.skipped or 0
            check(least <= skipped <= most, "%s skipped %d segments, %d to %d are beyond the boundary", x.name, skipped,
                  least, most)


@rule("delta-rest", "6.2.5.1", MUST, "skip")
def delta_rest(t, check):
    """A delta update is the whole playlist but for what it skips."""
    for x, whole in pairs(t):
        if not x.playlist.skipped:
            continue
        want = without_skipped(whole.playlist, x.playlist.skipped)
        got = without_skipped(x.playlist, 0)
        check(got == want, "%s: %s", x.name, first_odd(got, want))


def without_skipped(playlist, skipped):
    """The lines that a delta update and its whole share. EXT-X-VERSION may differ; EXT-X-MAP may be said again."""
    lines = [line for line in playlist.header if not line.startswith(("#EXT-X-VERSION", "#EXT-X-SKIP"))]
    for s in playlist.segments[skipped:]:
        lines += [line for line in s.lines if not line.startswith("#EXT-X-MAP")]
        lines += [str(p) for p in s.parts]
    return lines + [str(hint) for hint in playlist.hints]


def first_odd(got, want):
    """Where two lists of lines part."""
    for a, b in zip(got, want):
        if a != b:
            return f"{a!r} where the whole has {b!r}"
    return f"{len(got)} lines where the whole has {len(want)}"


@rule("delta-not-offered", "6.2.5.1", MUST, "no-skip")
def delta_not_offered(t, check):
    """Without CAN-SKIP-UNTIL, _HLS_skip is ignored."""
    for x in t.asked:
        if "_HLS_skip" in x.query:
            check(x.status == 200 and x.playlist.skipped is None, "%s: status %d%s", x.name, x.status,
                  " and EXT-X-SKIP" if x.playlist and x.playlist.skipped is not None else "")


@rule("plain-ignores-directives", "ours", OURS, "economy")
def plain_ignores_directives(t, check):
    """The economy profile answers at once whatever the directives say."""
    for x in t.asked:
        if "_HLS_msn" in x.query or "_HLS_part" in x.query:
            check(x.status == 200 and x.took <= LATE * t.jitter, "%s: status %d after %s", x.name, x.status,
                  seconds(x.took))


# --- a stream that has ended ---

def after_end(t):
    """Requests made when ENDLIST had been seen."""
    for x in t.asked:
        before = t.edge_at(x.sent)
        if before is not None and before[0]:
            yield x


@rule("end-final", "6.2.1", MUST, "end")
def end_final(t, check):
    """After EXT-X-ENDLIST the playlist does not change."""
    texts = {x.playlist.whole_text for x in after_end(t) if x.status == 200 and x.playlist}
    check(len(texts) <= 1, "%d different playlists came", len(texts))


@rule("end-ignores-directives", "6.2.5.2", MUST, "end")
def end_ignores_directives(t, check):
    """With EXT-X-ENDLIST every directive is ignored."""
    for x in after_end(t):
        if x.query:
            check(x.status == 200 and x.took <= LATE * t.jitter and x.playlist.skipped is None,
                  "%s: status %d after %s",
                  x.name, x.status, seconds(x.took))
