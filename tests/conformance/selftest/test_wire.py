"""The HTTP client against servers that answer as they are told, and MP4 that has been cut or bent."""
import asyncio
import gzip
import time
import unittest

from hls.mp4 import Mp4Error, parse_fragments, parse_init
from hls.wire import Connection, Reply, Web, WireError
from selftest import media


async def exchange(answers, requests=1):
    """Asks a server that gives each connection `answers` in turn, one a request; the replies, or the WireError."""
    async def serve(reader, writer):
        for answer in answers:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await writer.drain()
        writer.close()
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        connection = Web(url, time.monotonic_ns, timeout_s=5).connect()
        try:
            return [await connection.get("/x") for _ in range(requests)]
        except WireError as e:
            return e
        finally:
            connection.close()


def ask(*answers, requests=1):
    return asyncio.run(exchange(answers, requests))


class Wire(unittest.TestCase):
    OK = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nX-A: 1\r\nX-A: 2\r\n\r\nabc"

    def test_answer(self):
        reply, = ask(self.OK)
        self.assertEqual((reply.status, reply.body, reply.headers["x-a"]), (200, b"abc", "1, 2"))
        self.assertTrue(reply.sent <= reply.first <= reply.done)

    def test_connection_is_kept(self):
        first, second = ask(self.OK, self.OK, requests=2)
        self.assertEqual((first.reused, second.reused), (False, True))

    def test_closed_in_between_is_opened_again(self):
        first, second = ask(self.OK, requests=2)
        self.assertEqual((first.reused, second.reused), (False, False))

    def test_chunks(self):
        reply, = ask(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
        self.assertEqual(reply.body, b"abcde")

    def test_crooked(self):
        for answer in (b"", b"HTTP/1.0 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nA b\r\n\r\n",
                       b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc",
                       b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n",
                       b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
                       b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n"):
            with self.subTest(answer):
                self.assertIsInstance(ask(answer), WireError)

    def test_gzip(self):
        def reply(body, coding="gzip"):
            return Reply(200, {"content-encoding": coding}, body, 0, 0, 0, False)
        whole = gzip.compress(b"abc" * 100)
        self.assertEqual(reply(whole).content(), b"abc" * 100)
        for broken in (whole[:-3], whole + b"x", b"abc"):
            self.assertRaises(WireError, reply(broken).content)
        self.assertRaises(WireError, reply(whole, "br").content)

    def test_timeout(self):
        async def silent():
            server = await asyncio.start_server(lambda r, w: None, "127.0.0.1", 0)
            async with server:
                url = Web(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", time.monotonic_ns)
                connection = Connection(url.origin, url.clock, 0.05)
                with self.assertRaises(WireError):
                    await connection.get("/")
        asyncio.run(silent())


class Mp4(unittest.TestCase):
    TRACK = parse_init(media.init())
    FRAMES = [(media.IDR, True), (media.DELTA, False), (media.DELTA, False)]

    def test_what_is_read(self):
        self.assertEqual((self.TRACK.timescale, self.TRACK.codec, self.TRACK.nal_length, self.TRACK.width),
                         (90000, "avc1.64001e", 4, 640))
        fragment, = parse_fragments(media.part(7, 12000, self.FRAMES), self.TRACK)
        self.assertEqual((fragment.sequence, fragment.decode_time, fragment.duration), (7, 12000, 9000))
        self.assertEqual([(s.sync, s.nals) for s in fragment.samples], [(True, [5]), (False, [1]), (False, [1])])

    def test_any_cut_is_noticed(self):
        whole = media.part(7, 12000, self.FRAMES)
        for end in range(len(whole)):
            with self.assertRaises(Mp4Error):
                parse_fragments(whole[:end], self.TRACK)
        init = media.init()
        for end in range(len(init)):
            with self.assertRaises(Mp4Error):
                parse_init(init[:end])

    def test_bent(self):
        whole = media.part(7, 12000, self.FRAMES)
        at = whole.index(b"mdat") + 4
        for bent in (whole[:at] + b"\0\0\xff\xff" + whole[at + 4:], whole + media.box(b"moov"),
                     media.box(b"mdat", b"x")):
            with self.assertRaises(Mp4Error):
                parse_fragments(bent, self.TRACK)


if __name__ == "__main__":
    unittest.main()
