"""What was asked, what came and when; and what follows from it about states, parts and segments. Nothing here
judges."""
import urllib.parse
from bisect import bisect_right
from dataclasses import dataclass, field
from functools import cached_property

from .playlist import NS, Multivariant, Playlist

PLAYLISTS = {"follow", "plain", "delta", "probe", "end"}  # kinds of exchanges that ask for the media playlist
MS = NS // 1000


@dataclass
class Exchange:
    """One request and its answer. `kind` is why it was made."""
    kind: str
    url: str
    sent: int
    first: int
    done: int
    status: int = 0  # 0: there was no answer; `error` says why
    headers: dict = field(default_factory=dict)
    body: bytes = b""  # content coding undone
    accepts_gzip: bool = False
    line: str = ""  # which of the checker's connections
    reused: bool = False
    error: str = ""
    playlist: Playlist | None = None

    @cached_property
    def query(self):
        return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.url).query, keep_blank_values=True))

    @property
    def took(self):
        return self.done - self.sent

    @property
    def coding(self):
        return self.headers.get("content-encoding", "identity")

    @property
    def name(self):
        """The last part of the path, with the query: for people."""
        parts = urllib.parse.urlsplit(self.url)
        return parts.path.rsplit("/", 1)[-1] + (f"?{parts.query}" if parts.query else "")

    def directive(self, name):
        """_HLS_msn or _HLS_part as a number; None when it is missing or none."""
        text = self.query.get(name, "")
        return int(text) if text.isascii() and text.isdigit() else None

    @property
    def blocking(self):
        return "_HLS_msn" in self.query or "_HLS_part" in self.query


@dataclass
class State:
    """One version of the whole playlist."""
    playlist: Playlist
    seen: int       # when it first came
    last_seen: int  # when it last came


@dataclass
class PartSeen:
    """A part, from all playlists that list it."""
    uri: str
    msn: int
    index: int
    duration: int
    independent: bool
    gap: bool
    seen: int         # when a playlist first listed it
    from_start: bool  # the first playlist of all listed it: when it appeared is not known


@dataclass
class SegmentSeen:
    """A Media Segment, from all playlists that list it as complete."""
    uri: str
    msn: int
    duration: int
    gap: bool
    seen: int
    not_before: int  # the last playlist without it
    from_start: bool


class Timeline:
    """A run of the checker. Filled by follow.py; read by the rules once it has ended."""

    def __init__(self, jitter=100 * MS, profile=None):
        self.jitter = jitter    # what an instant may be off by
        self.profile = profile
        self.poll = 0           # interval between looks where there is no blocking reload
        self.wall = 0           # Unix time minus clock, ns
        self.media_url = ""
        self.exchanges = []
        self.multivariant: Multivariant | None = None
        self.started = self.stopped = 0

    def of_kind(self, *kinds):
        return [x for x in self.exchanges if x.kind in kinds]

    @cached_property
    def asked(self):
        """Every request for the media playlist."""
        return self.of_kind(*PLAYLISTS)

    @cached_property
    def answers(self):
        """Media playlists that came, in order of arrival."""
        return sorted((x for x in self.asked if x.status == 200 and x.playlist), key=lambda x: x.done)

    @cached_property
    def wholes(self):
        return [x for x in self.answers if x.playlist.skipped is None]

    @cached_property
    def deltas(self):
        return [x for x in self.answers if x.playlist.skipped is not None]

    @cached_property
    def texts(self):
        """One answer for each different text, in order of arrival."""
        return list({x.playlist.whole_text: x for x in reversed(self.answers)}.values())[::-1]

    @staticmethod
    def key(playlist):
        """Two whole playlists with the same key are of the same state."""
        return playlist.edge, playlist.media_sequence, playlist.ended

    @cached_property
    def states(self):
        """Versions of the whole playlist in the order of the stream."""
        found = {}
        for x in self.wholes:
            state = found.setdefault(self.key(x.playlist), State(x.playlist, x.done, x.done))
            state.last_seen = max(state.last_seen, x.done)
        return [found[key] for key in sorted(found)]

    @cached_property
    def steps(self):
        """(state, the next one)."""
        return list(zip(self.states, self.states[1:]))

    @property
    def last(self):
        """The newest state's playlist, or None."""
        return self.states[-1].playlist if self.states else None

    @property
    def target(self):
        return self.states[0].playlist.target if self.states else 0

    @property
    def part_target(self):
        return (self.states[0].playlist.part_target or 0) if self.states else 0

    @property
    def low_latency(self):
        return any(s.playlist.low_latency for s in self.states)

    @property
    def can_block(self):
        return any(s.playlist.can_block for s in self.states)

    @property
    def can_skip(self):
        return any("CAN-SKIP-UNTIL" in s.playlist.control for s in self.states)

    @property
    def ended(self):
        return bool(self.states) and self.states[-1].playlist.ended

    # --- how far the playlist reached, when ---

    @cached_property
    def edges(self):
        """([instants], [furthest edge seen by then])."""
        instants, furthest, best = [], [], None
        for x in self.answers:
            edge = (x.playlist.ended, x.playlist.edge)
            if best is None or edge > best:
                best = edge
                instants.append(x.done)
                furthest.append(edge)
        return instants, furthest

    def edge_at(self, instant):
        """(ended, edge) of the furthest playlist that had come by then, or None."""
        instants, furthest = self.edges
        at = bisect_right(instants, instant)
        return furthest[at - 1] if at else None

    @cached_property
    def part_counts(self):
        """Parts of each segment that was seen complete with its parts."""
        return {s.msn: len(s.parts) for state in self.states for s in state.playlist.complete if s.parts}

    def has(self, edge, msn, part=None):
        """Does a playlist that reaches `edge` satisfy these directives (6.2.5.2)? A part beyond the end of a finished
        segment stands for the first of the next."""
        next_msn, open_parts = edge
        if part is None:
            return msn < next_msn
        if msn < next_msn and msn in self.part_counts and part >= self.part_counts[msn]:
            msn, part = msn + 1, 0
        return msn < next_msn or (msn == next_msn and part < open_parts)

    def satisfied_from(self, msn, part=None):
        """When a playlist that satisfies the directives had first come, or None."""
        for instant, (_, edge) in zip(*self.edges):
            if self.has(edge, msn, part):
                return instant
        return None

    # --- parts and segments ---

    @cached_property
    def parts(self):
        """{uri: PartSeen} in the order of the stream."""
        found = {}
        first = self.answers[0] if self.answers else None
        for x in self.answers:
            for s in x.playlist.segments:
                for i, p in enumerate(s.parts):
                    if p.uri not in found:
                        found[p.uri] = PartSeen(p.uri, s.msn, i, p.duration, p.independent, p.gap, x.done, x is first)
        return dict(sorted(found.items(), key=lambda item: (item[1].msn, item[1].index)))

    @cached_property
    def segments(self):
        """{msn: SegmentSeen}."""
        found, before = {}, {}
        first = self.answers[0] if self.answers else None
        for x in self.answers:
            for s in x.playlist.complete:
                if s.msn not in found:
                    found[s.msn] = SegmentSeen(s.uri, s.msn, s.duration, s.gap, x.done, before.get("done", x.sent),
                                               x is first)
            before["done"] = x.done
        return dict(sorted(found.items()))

    @cached_property
    def longest_with(self):
        """{msn: duration of the longest playlist that listed the segment}."""
        longest = {}
        for state in self.states:
            for s in state.playlist.complete:
                longest[s.msn] = max(longest.get(s.msn, 0), state.playlist.duration)
        return longest

    # --- media ---

    def bodies(self, *kinds):
        """{uri as listed: bytes} of media that came."""
        return {self.relative(x.url): x.body for x in self.of_kind(*kinds) if x.status == 200}

    def relative(self, url):
        """A media URL as the playlist wrote it."""
        base = self.media_url.rsplit("/", 1)[0] + "/"
        return url.removeprefix(base)

    def at(self, instant):
        """For people: seconds since the start."""
        return f"at {(instant - self.started) / NS:.2f} s"
