"""HTTP/1.1 over connections that stay open, with the instants that the rules need: request sent, first byte of the
body, last byte. One request at a time on each connection."""
import asyncio
import ssl
import urllib.parse
import zlib
from dataclasses import dataclass

HEAD_MAX = 64 * 1024
BODY_MAX = 256 * 1024 * 1024


class WireError(Exception):
    """No answer, or not one in HTTP/1.1."""


@dataclass
class Reply:
    """An answer, whatever its status; `body` as sent, before any content coding is undone."""
    status: int
    headers: dict  # names in lower case; of several of one name, joined by ", "
    body: bytes
    sent: int
    first: int
    done: int
    reused: bool  # came over a connection that had served before

    def content(self):
        """The body with its content coding undone."""
        coding = self.headers.get("content-encoding", "identity")
        if coding == "identity":
            return self.body
        if coding != "gzip":
            raise WireError(f"content coding {coding} was not asked for")
        try:
            inflate = zlib.decompressobj(31)
            whole = inflate.decompress(self.body) + inflate.flush()
            if not inflate.eof or inflate.unused_data:
                raise WireError("the gzip body does not end where it should")
            return whole
        except zlib.error as e:
            raise WireError(f"the body is not gzip: {e}") from None


class Connection:
    """One connection, opened when first needed and again when the server has closed it."""

    def __init__(self, origin, clock, timeout_s):
        self.origin, self.clock, self.timeout_s = origin, clock, timeout_s
        self.reader = self.writer = None
        self.served = 0

    async def get(self, target, headers=None):
        """`target`: path and query. The Reply; WireError when there is none."""
        try:
            async with asyncio.timeout(self.timeout_s):
                return await self.exchange(target, headers or {})
        except TimeoutError:
            self.close()
            raise WireError(f"no whole answer within {self.timeout_s} s") from None
        except (OSError, EOFError, ValueError, asyncio.LimitOverrunError) as e:
            self.close()
            raise WireError(f"{type(e).__name__}: {e}") from None

    async def exchange(self, target, headers):
        try:
            return await self.once(target, headers)
        except (ConnectionError, asyncio.IncompleteReadError):
            if self.served == 0:
                raise
            self.close()  # an idle connection may be closed at any time: once more on a new one
            return await self.once(target, headers)

    async def once(self, target, headers):
        if self.writer is None:
            await self.open()
        lines = [f"GET {target} HTTP/1.1", f"Host: {self.origin.netloc}", "User-Agent: check-hls",
                 *(f"{name}: {value}" for name, value in headers.items())]
        sent = self.clock()
        self.writer.write("\r\n".join([*lines, "", ""]).encode("ascii"))
        await self.writer.drain()
        status, got = await self.head()
        first, body = await self.body(status, got)
        reply = Reply(status, got, body, sent, first, self.clock(), self.served > 0)
        self.served += 1
        if got.get("connection", "").lower() == "close":
            self.close()
        return reply

    async def open(self):
        secure = self.origin.scheme == "https"
        self.reader, self.writer = await asyncio.open_connection(
            self.origin.hostname, self.origin.port or (443 if secure else 80), limit=HEAD_MAX,
            ssl=ssl.create_default_context() if secure else None)
        self.served = 0

    async def head(self):
        """Status and headers."""
        lines = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        version, status, *_ = lines[0].split(" ", 2)
        if version != "HTTP/1.1" or not status.isdigit():
            raise ValueError(f"the answer begins with {lines[0]!r}")
        headers = {}
        for line in filter(None, lines[1:]):
            name, colon, value = line.partition(":")
            if not colon or name != name.strip():
                raise ValueError(f"{line!r} is not a header")
            name, value = name.lower(), value.strip()
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        return int(status), headers

    async def body(self, status, headers):
        """(instant of its first byte, all of it)."""
        if status in (204, 304):
            return self.clock(), b""
        if headers.get("transfer-encoding", "").lower() == "chunked":
            return await self.chunks()
        size = int(headers["content-length"]) if "content-length" in headers else None
        if size is None:
            raise ValueError("the answer says neither its length nor that it is chunked")
        if size > BODY_MAX:
            raise ValueError(f"a body of {size} bytes")
        start = await self.reader.readexactly(min(size, 1))
        first = self.clock()
        return first, start + await self.reader.readexactly(size - len(start))

    async def chunks(self):
        whole, first = bytearray(), None
        while True:
            size = int((await self.reader.readuntil(b"\r\n")).split(b";")[0], 16)
            chunk = await self.reader.readexactly(size + 2)
            first = first or self.clock()
            if not chunk.endswith(b"\r\n") or len(whole) + size > BODY_MAX:
                raise ValueError("a chunk does not end where it should, or the body has no end")
            if size == 0:
                return first, bytes(whole)
            whole += chunk[:-2]

    def close(self):
        if self.writer is not None:
            self.writer.close()
        self.reader = self.writer = None
        self.served = 0


class Web:
    """Opens connections to the origin of a URL."""

    def __init__(self, url, clock, timeout_s=30):
        self.origin = urllib.parse.urlsplit(url)
        self.clock, self.timeout_s = clock, timeout_s

    def connect(self):
        return Connection(self.origin, self.clock, self.timeout_s)
