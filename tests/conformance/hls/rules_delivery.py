"""How it is sent: types, content codings, lifetimes, connections (section 4, 6.2.1, appendix B.1)."""
import re

from .playlist import NS
from .rules import MUST, OURS, SHOULD, rule

PLAYLIST_TYPES = {"application/vnd.apple.mpegurl", "audio/mpegurl", "application/x-mpegurl"}
MEDIA_TYPES = {"video/mp4", "video/iso.segment"}
MEDIA_KINDS = ("init", "part", "hint", "segment")


def max_age(x):
    """Seconds that a shared cache may keep it: 0 for no-store and no-cache; None where nothing is said."""
    control = x.headers.get("cache-control", "").lower()
    if re.search(r"\bno-store\b|\bno-cache\b|\bprivate\b", control):
        return 0
    found = re.search(r"\bs-maxage=(\d+)", control) or re.search(r"\bmax-age=(\d+)", control)
    return int(found.group(1)) if found else None


@rule("playlist-type", "4", MUST)
def playlist_type(t, check):
    """Playlists are sent as application/vnd.apple.mpegurl or audio/mpegurl."""
    for x in [*t.of_kind("multivariant"), *t.answers]:
        kind = x.headers.get("content-type", "").split(";")[0].strip().lower()
        check(kind in PLAYLIST_TYPES, "%s: Content-Type: %s", x.name, x.headers.get("content-type"))


@rule("media-type", "ours", OURS)
def media_type(t, check):
    """Media is sent as video/mp4 or video/iso.segment."""
    for x in t.of_kind(*MEDIA_KINDS):
        if x.status == 200:
            kind = x.headers.get("content-type", "").split(";")[0].strip().lower()
            check(kind in MEDIA_TYPES, "%s: Content-Type: %s", x.name, x.headers.get("content-type"))


@rule("gzip", "B.1", SHOULD)
def gzip(t, check):
    """Playlists come in gzip where the client takes it, and only there; Vary says so."""
    for x in [*t.of_kind("multivariant"), *t.answers]:
        check((x.coding == "gzip") == x.accepts_gzip, "%s: Content-Encoding: %s", x.name, x.coding)
        check("accept-encoding" in x.headers.get("vary", "").lower(), "%s: Vary: %s", x.name, x.headers.get("vary"))


@rule("gzip-same", "6.2.1", MUST)
def gzip_same(t, check):
    """In gzip and without, the playlist of one live state is the same."""
    plain = {(x.blocking, t.key(x.playlist)): x for x in t.wholes if x.coding == "identity"}
    for x in t.wholes:
        other = plain.get((x.blocking, t.key(x.playlist)))
        if x.coding == "gzip" and other is not None and not x.playlist.ended:
            check(x.body == other.body, "%s differs from %s at edge %s", x.name, other.name, x.playlist.edge)


def lifetime(check, x, wanted, seconds, words):
    age = max_age(x)
    check(age is not None and wanted(age, seconds), "%s (status %d): Cache-Control: %s; %s %g s", x.name, x.status,
          x.headers.get("cache-control"), words, seconds)


def at_most(age, seconds):
    return age <= seconds


def exactly(age, seconds):
    return age == seconds


def at_least(age, seconds):
    return age >= seconds


@rule("cache-blocking", "B.1", SHOULD, "blocking")
def cache_blocking(t, check):
    """A blocking playlist may be cached for six target durations."""
    for x in t.answers:
        if "_HLS_msn" in x.query and not x.playlist.ended:
            lifetime(check, x, exactly, 6 * t.target / NS, "advised is")


@rule("cache-plain", "B.1", SHOULD)
def cache_plain(t, check):
    """A playlist that was not waited for may be cached for half a target duration at most."""
    for x in t.answers:
        if not x.blocking or not t.can_block:
            lifetime(check, x, at_most, t.target / 2 / NS, "advised is at most")


@rule("cache-playlist-errors", "B.1", SHOULD, "blocking")
def cache_playlist_errors(t, check):
    """A refused playlist may be cached for four target durations if it was blocking, one if not, at most."""
    for x in t.asked:
        if x.status >= 400:
            lifetime(check, x, at_most, (4 if x.blocking else 1) * t.target / NS, "advised is at most")


@rule("cache-parts", "B.1", SHOULD, "parts")
def cache_parts(t, check):
    """A part may be cached for six target durations at least."""
    for x in t.of_kind("part", "hint"):
        if x.status == 200:
            lifetime(check, x, at_least, 6 * t.target / NS, "advised is at least")


@rule("cache-segments", "B.1", SHOULD)
def cache_segments(t, check):
    """Segments and init segments may be cached for six target durations at least."""
    for x in t.of_kind("segment", "init"):
        if x.status == 200:
            lifetime(check, x, at_least, 6 * t.target / NS, "advised is at least")


@rule("cache-media-errors", "B.1", SHOULD, "parts")
def cache_media_errors(t, check):
    """Media that is not there may be remembered so for one target duration at most."""
    for x in t.of_kind("unknown"):
        if x.status >= 400:
            lifetime(check, x, at_most, t.target / NS, "advised is at most")


@rule("no-age", "C", MUST)
def no_age(t, check):
    """An origin sends no Age header: clients would look for a newer playlist."""
    for x in t.answers:
        check("age" not in x.headers, "%s: Age: %s", x.name, x.headers.get("age"))


@rule("keep-alive", "ours", OURS)
def keep_alive(t, check):
    """Connections stay open from one request to the next."""
    later, lines = [], set()
    for x in t.exchanges:
        if x.status and x.line in lines:
            later.append(x)
        lines.add(x.line)
    fresh = sum(not x.reused for x in later)
    if len(later) >= 20:
        check(fresh * 20 <= len(later), "%d of %d requests needed a new connection", fresh, len(later))
