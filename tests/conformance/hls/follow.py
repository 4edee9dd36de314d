"""Behaves as several clients of one live playlist at once, each with a connection of its own, and records it all: one
follows by blocking reload, one reloads plainly, one asks for delta updates, one for the hinted part, others load parts
and segments, come back for them after they have left the list, and ask what must be refused."""
import asyncio
import heapq
import re
import urllib.parse

from .playlist import NS, is_multivariant, parse_media, parse_multivariant
from .timeline import MS, Exchange
from .wire import WireError

REDIRECTS = 5
RETRY = 200 * MS     # after a playlist that could not be had
PROBE_PAUSE = 100 * MS
AGAIN = 3            # every third part that the hint brought is loaded again when it is listed
RETURN = 4           # and every fourth one when its tag has gone
FAR = 1000


class FollowError(Exception):
    """There is nothing to follow."""


class Follower:
    """`web.connect()` gives connections; `clock()` ns. Fills `timeline`."""

    def __init__(self, web, clock, timeline):
        self.web, self.clock, self.t = web, clock, timeline
        self.lines = {}       # name -> connection
        self.latest = None    # the newest whole playlist
        self.latest_at = 0
        self.moved = asyncio.Event()
        self.new_parts, self.new_segments = asyncio.Queue(), asyncio.Queue()
        self.known_parts, self.known_segments, self.known_maps = {}, {}, set()
        self.hinted = set()
        self.returns = []     # heap of (instant, kind, uri)
        self.longest = {}     # msn -> duration of the longest playlist with it
        self.counter = 0

    # --- requests ---

    async def fetch(self, line, kind, url, gzip=False):
        """One recorded exchange."""
        connection = self.lines.setdefault(line, None) or self.web.connect()
        self.lines[line] = connection
        parts = urllib.parse.urlsplit(url)
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        sent = self.clock()
        try:
            r = await connection.get(target, {"Accept-Encoding": "gzip"} if gzip else {})
            x = Exchange(kind, url, r.sent, r.first, r.done, r.status, r.headers, r.content(), gzip, line, r.reused)
        except WireError as e:
            x = Exchange(kind, url, sent, sent, self.clock(), error=str(e), accepts_gzip=gzip, line=line)
        self.t.exchanges.append(x)
        return x

    async def ask(self, line, kind, query="", gzip=False):
        """The media playlist."""
        x = await self.fetch(line, kind, self.t.media_url + (f"?{query}" if query else ""), gzip)
        if x.status == 200:
            x.playlist = parse_media(x.body)
            self.learn(x)
        return x

    def media(self, line, kind, uri):
        return self.fetch(line, kind, urllib.parse.urljoin(self.t.media_url, uri))

    # --- what a playlist brings ---

    def learn(self, x):
        p = x.playlist
        if p.skipped is not None or (self.latest and (p.ended, p.edge) <= (self.latest.ended, self.latest.edge)):
            return
        self.note_parts(x, p)
        self.note_segments(x, p)
        self.latest, self.latest_at = p, x.done
        self.moved.set()
        self.moved = asyncio.Event()

    def note_parts(self, x, p):
        listed = {part.uri: part for s in p.segments for part in s.parts}
        for uri, part in listed.items():
            if uri not in self.known_parts and not part.gap:
                self.known_parts[uri] = True
                self.new_parts.put_nowait(uri)
        for uri, there in self.known_parts.items():
            if there and uri not in listed:
                self.known_parts[uri] = False
                self.counter += 1
                if self.counter % RETURN == 0:
                    heapq.heappush(self.returns, (x.done + 3 * p.target - self.t.jitter, "part-after", uri))

    def note_segments(self, x, p):
        for s in p.complete:
            if s.msn not in self.known_segments:
                since = self.latest_at if self.latest else None  # the last playlist without it
                self.known_segments[s.msn] = (s, since)
                if not s.gap:
                    self.new_segments.put_nowait(s.uri)
            self.longest[s.msn] = max(self.longest.get(s.msn, 0), p.duration)
        for s in p.segments:
            if s.map_uri and s.map_uri not in self.known_maps:
                self.known_maps.add(s.map_uri)
                heapq.heappush(self.returns, (x.done, "init", s.map_uri))
        for msn in [msn for msn in self.known_segments if msn < p.media_sequence]:
            s, since = self.known_segments.pop(msn)
            until = since + s.duration + self.longest[msn] if since is not None else 0
            if until > x.done and not s.gap:
                heapq.heappush(self.returns, (until - self.t.jitter, "segment-after", s.uri))

    async def next_state(self, than=None):
        """The newest playlist, once it is another one than `than`."""
        while self.latest is than:
            await self.moved.wait()
        return self.latest

    async def sleep(self, ns):
        await asyncio.sleep(max(ns, 0) / NS)

    # --- the clients ---

    async def run(self, url, seconds):
        """Follows for so many seconds, or to the end of the stream and a look at what is left then."""
        self.t.started = self.clock()
        await self.tune_in(url)
        workers = [self.follow_plainly(), self.load_segments(), self.come_back(), self.ask_for_deltas()]
        if self.latest.can_block:
            workers += [self.follow(), self.reload(), self.cycle("quick", self.quick_probes()),
                        self.cycle("held", self.held_probes())]
        else:
            workers += [self.cycle("quick", self.plain_probes())]
            self.t.poll = self.latest.target // 4
        if self.latest.low_latency:
            workers += [self.load_hints(), self.load_parts()]
        tasks = [asyncio.create_task(worker) for worker in workers]
        stop = asyncio.create_task(self.until_end())
        try:
            await asyncio.wait([stop, *tasks], timeout=seconds, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            self.t.stopped = self.clock()
            for task in [stop, *tasks]:
                task.cancel()
            done = await asyncio.gather(stop, *tasks, return_exceptions=True)
        for result in done:
            if isinstance(result, Exception) and not isinstance(result, Over):
                raise result
        if self.latest.ended:
            await self.look_at_end()

    async def until_end(self):
        while not (await self.next_state(self.latest)).ended:
            pass
        raise Over

    async def tune_in(self, url):
        """The first playlist; through a multivariant one if that is what the URL leads to."""
        for _ in range(REDIRECTS):
            x = await self.fetch("start", "start", url, gzip=True)
            if x.status in (301, 302, 303, 307, 308):
                url = urllib.parse.urljoin(url, x.headers.get("location", ""))
                continue
            if x.status != 200:
                raise FollowError(f"{url}: {x.error or f'status {x.status}'}")
            if not is_multivariant(x.body):
                break
            x.kind = "multivariant"
            self.t.multivariant = parse_multivariant(x.body)
            if not self.t.multivariant.variants:
                raise FollowError(f"{url} lists no variant")
            url = urllib.parse.urljoin(url, self.t.multivariant.variants[0].uri)
            break
        self.t.media_url = url.split("?")[0]
        x = await self.ask("start", "plain", gzip=True)
        if self.latest is None:
            raise FollowError(f"{url}: {x.error or f'status {x.status}'}")
        if any(s in self.latest.whole_text for s in ("BYTERANGE=", "#EXT-X-BYTERANGE")):
            raise FollowError(f"{url} uses byte ranges, which this checker does not follow")

    def next_directives(self):
        """For whatever comes after the newest playlist."""
        msn, parts = self.latest.edge
        return f"_HLS_msn={msn}" + (f"&_HLS_part={parts}" if self.latest.low_latency else "")

    async def follow(self):
        """Blocking reload, always for what comes next."""
        while True:
            x = await self.ask("follow", "follow", self.next_directives(), gzip=True)
            if x.status != 200:
                await self.sleep(RETRY)
                await self.ask("follow", "plain")

    async def follow_plainly(self):
        """Plain reloads on a clock: the only way without blocking reload, a second opinion with it."""
        gzip = False
        while True:
            await self.sleep(self.latest.target // (4 if not self.latest.can_block else 3))
            gzip = not gzip
            await self.ask("plain", "plain", gzip=gzip)

    async def reload(self):
        """A plain reload the moment a new playlist is there: it must be the same one."""
        while True:
            await self.next_state(self.latest)
            await self.ask("reload", "plain", gzip=True)
            await self.sleep(self.latest.target // 5)

    async def ask_for_deltas(self):
        """Delta updates: of the next state where that can be waited for, else of the present one."""
        word = "YES"
        while True:
            blocking = f"{self.next_directives()}&" if self.latest.can_block and word == "YES" else ""
            await self.ask("delta", "delta", f"{blocking}_HLS_skip={word}", gzip=True)
            word = "v2" if word == "YES" else "YES"
            await self.sleep(self.latest.target // 3)

    async def load_hints(self):
        """Asks for each hinted part before it is there."""
        state = None
        while True:
            state = await self.next_state(state)
            if state.hint and state.hint not in self.hinted:
                self.hinted.add(state.hint)
                await self.media("hint", "hint", state.hint)

    async def load_parts(self):
        """Listed parts that the hint did not bring, and some of those that it did."""
        count = 0
        while True:
            uri = await self.new_parts.get()
            count += 1
            if uri not in self.hinted or count % AGAIN == 0:
                await self.media("part", "part", uri)

    async def load_segments(self):
        """Every segment, as soon as it is listed."""
        while True:
            await self.media("segment", "segment", await self.new_segments.get())

    async def come_back(self):
        """For what has left the list and must still be there."""
        while True:
            while not self.returns or self.returns[0][0] > self.clock():
                ahead = self.returns[0][0] - self.clock() if self.returns else NS
                await self.sleep(min(max(ahead, MS), 50 * MS))
            _, kind, uri = heapq.heappop(self.returns)
            await self.media("return", kind, uri)

    async def cycle(self, line, probes):
        """One probe after another, again and again."""
        while True:
            for probe in probes:
                query = probe()
                if query is not None:
                    await self.ask(line, "probe", query)
                await self.sleep(PROBE_PAUSE)

    def quick_probes(self):
        """Functions that give a query to be answered or refused at once, or None when there is no occasion now."""
        p = lambda: self.latest  # noqa: E731 the newest at the time of the call
        probes = [
            lambda: f"_HLS_msn={p().next_msn + 6}",
            lambda: f"_HLS_msn={max(p().next_msn - 1, 0)}",
            lambda: "_HLS_part=0",
            lambda: "_HLS_msn=abc",
            lambda: "_HLS_msn=-1",
            lambda: "_HLS_msn=",
            lambda: "_HLS_future=1",
            lambda: f"_HLS_msn={max(p().media_sequence - 2, 0)}",
            lambda: "token=abc",
            lambda: f"_HLS_msn={2 ** 64}",
        ]
        if not p().low_latency:
            return probes
        return [
            lambda: f"_HLS_msn={p().next_msn}&_HLS_part={p().edge[1] + self.limit() + 12}",
            lambda: f"_HLS_msn={p().next_msn - 1}&_HLS_part={self.usual_parts() + 1}",
            self.unknown_part,
            lambda: f"_HLS_msn={p().next_msn}&_HLS_part=x",
            lambda: f"_HLS_msn={max(p().media_sequence - 1, 0)}&_HLS_part=1",
            *probes,
        ]

    def held_probes(self):
        """The same for what has to be waited for."""
        p = lambda: self.latest  # noqa: E731
        probes = [
            lambda: f"_HLS_msn={p().next_msn}",
            lambda: f"_HLS_msn={p().next_msn + 1}",
        ]
        if not p().low_latency:
            return probes
        return [
            lambda: f"_HLS_msn={p().next_msn}&_HLS_part={self.usual_parts() + 1}",
            *probes,
            lambda: f"_HLS_msn={p().next_msn}&_HLS_part={max(p().edge[1] + self.limit() - 3, 0)}",
            lambda: f"_HLS_msn={p().next_msn + 1}&_HLS_part=0",
        ]

    def limit(self):
        """Advance Part Limit (6.2.5.2), rounded up."""
        target = self.latest.part_target
        return 3 if not target or target >= NS else -(-3 * NS // target)

    def plain_probes(self):
        """For a stream without blocking reload."""
        return [
            lambda: f"_HLS_msn={self.latest.next_msn + 1}",
            lambda: "_HLS_future=1",
            lambda: f"_HLS_msn={self.latest.next_msn}&_HLS_part=0",
            lambda: "token=abc",
        ]

    def usual_parts(self):
        """Parts of the last segment that lists them."""
        return next((len(s.parts) for s in reversed(self.latest.complete) if s.parts), 0)

    def unknown_part(self):
        """Not a playlist query: has the recording worker ask for a part far ahead."""
        uri = self.latest.hint or ""
        number = re.search(r"\d+(?=\.[^.]*$)", uri)
        if number:
            far = uri[:number.start()] + str(int(number.group()) + FAR) + uri[number.end():]
            heapq.heappush(self.returns, (self.clock(), "unknown", far))

    async def look_at_end(self):
        """What a finished stream still has to give."""
        for query in ("", "_HLS_part=3", f"_HLS_msn={self.latest.next_msn + FAR}", "_HLS_skip=YES", ""):
            await self.ask("end", "end", query)
        for s in self.latest.complete:
            if not s.gap:
                await self.media("end", "segment-end", s.uri)
        self.t.stopped = self.clock()


class Over(Exception):
    """The stream has ended."""
