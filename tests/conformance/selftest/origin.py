"""A model of a Low-Latency HLS origin that does everything right, and in which one thing at a time can be broken. All
it does follows from the number of parts published, which follows from the clock."""
import asyncio
import datetime
import functools
import gzip
import re
import urllib.parse

from hls.wire import Reply, WireError
from selftest import media

NS = 1_000_000_000
RUNS_SINCE = 60         # seconds of stream before the checker comes
WALL = 1_900_000_000    # Unix time at the clock's zero
LATENCY = 0.001         # of a request


class Origin:
    """Parts of 200 ms, segments of a second."""

    pattern = (6, 6, 6, 6, 6)  # frames of each part of a segment
    part_target = "0.200000"
    target = 1
    listed = 10                # segments
    skip_until = "6.0"
    hold_back = "0.600000"
    low_latency = True
    breaks = None              # the rule that this one violates
    seconds = 5                # how long it must be followed for that to show
    profile = None
    ends_after = None          # parts from the checker's start to ENDLIST
    jitter_ms = 20

    def __init__(self, clock):
        self.clock = clock
        self.per_segment = len(self.pattern)
        self.frames = sum(self.pattern)
        self.start = RUNS_SINCE * 30 // self.frames * self.per_segment  # parts published when the clock is zero

    # --- time: part i is published when its last frame has been made ---

    def frames_until(self, i):
        """Frames before part i."""
        return i // self.per_segment * self.frames + sum(self.pattern[:i % self.per_segment])

    def published(self, i):
        """Clock in seconds when part i is."""
        return (self.frames_until(i + 1) - self.frames_until(self.start)) / 30

    def count(self):
        """Parts published now."""
        n = self.start + int(self.clock() / NS * 30 / self.frames * self.per_segment) + self.per_segment
        while n > self.start and self.published(n - 1) > self.clock() / NS + 1e-9:
            n -= 1
        return n if self.ends_after is None else min(n, self.start + self.ends_after)

    def ended(self, n):
        return self.ends_after is not None and n >= self.start + self.ends_after

    async def until(self, n):
        """Waits until n parts are published."""
        await asyncio.sleep(max(self.published(n - 1) - self.clock() / NS, 0))

    # --- the playlist of n published parts ---

    def render(self, n, skip=False):
        first = self.first_listed(n)
        skipped = self.skippable(n) if skip else 0
        lines = self.header(n, first, skipped > 0)
        if skipped:
            lines.append(f"#EXT-X-SKIP:SKIPPED-SEGMENTS={skipped}")
        for msn in range(first + skipped, -(-n // self.per_segment)):
            lines += self.segment(msn, n, msn == first)
        lines += self.tail(n)
        return "".join(line + "\n" for line in lines)

    def header(self, n, first, delta):
        return ["#EXTM3U", f"#EXT-X-VERSION:{self.version(delta)}", f"#EXT-X-TARGETDURATION:{self.target}",
                *self.control_lines(n), f"#EXT-X-MEDIA-SEQUENCE:{self.number(first, n)}",
                *self.discontinuity_sequence(first)]

    def control_lines(self, n):
        return [f"#EXT-X-SERVER-CONTROL:{self.control(n)}", f"#EXT-X-PART-INF:PART-TARGET={self.part_target}"]

    def control(self, _n):
        return f"CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL={self.skip_until},PART-HOLD-BACK={self.hold_back}"

    def version(self, delta):
        return 9 if delta else 6

    def discontinuity_sequence(self, first):
        return ["#EXT-X-DISCONTINUITY-SEQUENCE:0"]

    def number(self, msn, _n):
        """Media sequence number by which a segment goes."""
        return msn

    def first_listed(self, n):
        return max(n // self.per_segment - self.listed, 0)

    def skippable(self, n):
        complete = n // self.per_segment - self.first_listed(n)
        return max(complete - int(float(self.skip_until) * 30 / self.frames), 0)

    def segment(self, msn, n, first):
        lines = [*self.tags(msn, first), *self.parts_of(msn, n)]
        if (msn + 1) * self.per_segment <= n:
            lines += [self.extinf(msn, n), f"seg-{msn}.m4s"]
        return lines

    def tags(self, msn, first):
        return ['#EXT-X-MAP:URI="init.mp4"'] * first + [f"#EXT-X-PROGRAM-DATE-TIME:{self.date(msn)}"]

    def extinf(self, _msn, _n):
        return f"#EXTINF:{self.frames / 30:.6f},"

    def moment(self, msn):
        """When the segment's first frame was made, seconds since 1970."""
        return WALL + self.published(msn * self.per_segment - 1)

    def date(self, msn):
        moment = datetime.datetime.fromtimestamp(round(self.moment(msn), 3), datetime.timezone.utc)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def parts_of(self, msn, n):
        if not self.lists_parts(msn, n):
            return []
        begin = msn * self.per_segment
        return [self.part_line(i, n) for i in range(begin, min(begin + self.per_segment, n))]

    def lists_parts(self, msn, n):
        return (msn + 3) * self.per_segment >= n

    def part_line(self, i, n):
        independent = ",INDEPENDENT=YES" if self.marked(i) else ""
        return f'#EXT-X-PART:DURATION={self.part_duration(i, n)},URI="{self.part_uri(i)}"{independent}'

    def part_duration(self, i, _n):
        return f"{self.pattern[i % self.per_segment] / 30:.6f}"

    def part_uri(self, i):
        return f"part-{i}.m4s"

    def part_index(self, number):
        return number

    def marked(self, i):
        return i % self.per_segment == 0

    def tail(self, n):
        return ["#EXT-X-ENDLIST"] if self.ended(n) else self.hints(n)

    def hints(self, n):
        return [f'#EXT-X-PRELOAD-HINT:TYPE=PART,URI="{self.part_uri(n)}"']

    def multivariant(self):
        return ('#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-STREAM-INF:BANDWIDTH='
                f'{self.bandwidth()},CODECS="avc1.64001e",RESOLUTION=640x480,FRAME-RATE=30.000\nmedia.m3u8\n')

    def bandwidth(self):
        return len(self.segment_bytes(100)) * 8 * 30 // self.frames

    # --- media ---

    def frame(self, i, k):
        """(NAL header byte, sync flag) of frame k of part i."""
        key = i % self.per_segment == 0 and k == 0
        return (media.IDR, True) if key else (media.DELTA, False)

    def decode_time(self, i):
        return self.frames_until(i) * media.FRAME

    @functools.lru_cache(maxsize=None)
    def part_bytes(self, i):
        frames = [self.frame(i, k) for k in range(self.pattern[i % self.per_segment])]
        return media.part(i, self.decode_time(i), frames)

    def segment_bytes(self, msn):
        return b"".join(self.part_bytes(i) for i in range(msn * self.per_segment, (msn + 1) * self.per_segment))

    def keeps_part(self, i, n):
        return i >= n - 20 * self.per_segment

    def keeps_segment(self, msn, n):
        return msn >= n // self.per_segment - 2 * self.listed - 4

    # --- HTTP ---

    def connect(self):
        return Connection(self)

    async def answer(self, path, query, gz):
        """(status, headers, body, seconds that its first byte comes before its last)."""
        name = path.rsplit("/", 1)[-1]
        if name == "index.m3u8":
            return self.packed(200, self.multivariant(), gz, {"cache-control": "no-cache"})
        if name == "media.m3u8":
            return await self.playlist(query, gz)
        return await self.file(name)

    def packed(self, status, text, gz, headers):
        body = text.encode()
        headers = {"content-type": "application/vnd.apple.mpegurl", "vary": "Accept-Encoding", **headers}
        if gz:
            body, headers["content-encoding"] = gzip.compress(body, 1), "gzip"
        return status, headers, body, 0

    def refusal(self, status, blocking):
        age = 4 if blocking else 1
        return status, {"content-type": "text/plain", "cache-control": f"max-age={age * self.target}"}, b"no\n", 0

    async def playlist(self, query, gz):
        blocking = self.low_latency and "_HLS_msn" in query
        status = 200 if self.ended(self.count()) else await self.block(query)
        if status != 200:
            return self.refusal(status, blocking)
        n = self.count()
        text = self.text(n, query, gz)
        age = 6 * self.target if blocking else self.target // 2
        return self.packed(200, text, gz, {"cache-control": f"max-age={age}"})

    def text(self, n, query, _gz):
        return self.render(n, query.get("_HLS_skip") in ("YES", "v2") and not self.ended(n))

    async def block(self, query):
        """Waits as 6.2.5.2 says; the status to answer with."""
        if "_HLS_part" in query and "_HLS_msn" not in query:
            return self.on_part_alone()
        if "_HLS_msn" not in query:
            return 200
        numbers = [query[key] for key in ("_HLS_msn", "_HLS_part") if key in query]
        if not all(re.fullmatch("[0-9]{1,20}", number) for number in numbers):
            return self.on_unparsable()
        n = self.count()
        msn = int(query["_HLS_msn"]) - self.number(0, n)
        part = int(query["_HLS_part"]) if "_HLS_part" in query else None
        full, parts = divmod(n, self.per_segment)
        if msn - (full - 1) > self.segments_ahead():
            return self.on_far_segment()
        if part is not None and msn == full and part - (parts - 1) > 15:
            return self.on_far_part()
        return await self.hold(msn, part)

    async def hold(self, msn, part):
        wanted = (msn + 1) * self.per_segment
        if part is not None:
            wanted = self.wanted_part(msn, part)
        return await self.until_wanted(wanted)

    async def until_wanted(self, wanted):
        try:
            async with asyncio.timeout(self.patience()):
                await self.until(wanted)
        except TimeoutError:
            return 503
        return 200

    def patience(self):
        return 3 * self.target

    def wanted_part(self, msn, part):
        """Parts that must be published for it."""
        return msn * self.per_segment + min(part, self.per_segment) + 1

    def segments_ahead(self):
        return 2

    def on_part_alone(self):
        return 400

    on_unparsable = on_far_segment = on_far_part = on_part_alone

    async def file(self, name):
        kind, number = re.fullmatch(r"(\D+?)-?(\d*)\.m[4p][s4]", name).groups()
        n = self.count()
        if kind == "init":
            return self.media(media.init())
        if kind == "seg":
            return self.segment_file(int(number), n)
        i = self.part_index(int(number))
        if i == n and not self.ended(n):
            return await self.hinted(i)
        return self.media(self.part_bytes(i)) if i < n and self.keeps_part(i, n) else self.missing()

    def segment_file(self, msn, n):
        there = (msn + 1) * self.per_segment <= n and self.keeps_segment(msn, n)
        return self.media(self.segment_bytes(msn)) if there else self.missing()

    async def hinted(self, i):
        await self.until(i + 1)
        return self.media(self.part_bytes(i))

    def media(self, body):
        return 200, {"content-type": "video/mp4", "cache-control": f"max-age={6 * self.target}"}, body, 0

    def missing(self):
        return 404, {"content-type": "text/plain", "cache-control": f"max-age={self.target}"}, b"no\n", 0


class Connection:
    """What wire.Connection is, without a network."""

    def __init__(self, origin):
        self.origin = origin
        self.served = 0

    async def get(self, target, headers=None):
        sent = self.origin.clock()
        await asyncio.sleep(LATENCY / 2)
        url = urllib.parse.urlsplit(target)
        query = dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True))
        gz = "gzip" in (headers or {}).get("Accept-Encoding", "")
        status, got, body, early = await self.origin.answer(url.path, query, gz)
        if status == 0:
            raise WireError("no answer")
        await asyncio.sleep(LATENCY / 2)
        done = self.origin.clock()
        self.served += 1
        return Reply(status, got, body, sent, done - int(early * NS), done, self.reused())

    def reused(self):
        return self.served > 1


class Plain(Origin):
    """No parts: segments of two seconds, of one piece each."""

    pattern = (60,)
    target = 2
    listed = 6
    skip_until = "12.0"
    low_latency = False
    seconds = 12

    def control_lines(self, n):
        control = self.control(n)
        return [f"#EXT-X-SERVER-CONTROL:{control}"] if control else []

    def control(self, _n):
        return ""

    def parts_of(self, msn, n):
        return []

    def hints(self, n):
        return []

    def text(self, n, _query, _gz):
        return self.render(n)

    async def block(self, query):
        return 200


class Discontinuous(Origin):
    """A discontinuity every four segments."""

    every = 4

    def broken(self, msn):
        return msn % self.every == 0

    def discontinuity_sequence(self, first):
        return [f"#EXT-X-DISCONTINUITY-SEQUENCE:{sum(self.broken(m) for m in range(first))}"]

    def tags(self, msn, first):
        return ["#EXT-X-DISCONTINUITY"] * self.broken(msn) + super().tags(msn, first)
