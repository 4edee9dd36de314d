"""DASH from the same files: the manifest agrees with what is there, and a segment comes part by part while it is made."""
import http.client
import re
import time
import unittest
import xml.etree.ElementTree as xml
from datetime import datetime, timedelta, timezone

from harness import StackTest, http as ask, main

SPACE = {"": "urn:mpeg:dash:schema:mpd:2011"}


def seconds(duration):
    return float(re.fullmatch(r"PT([\d.]+)S", duration).group(1))


class Period:
    """One period's numbers: what an LL-DASH player computes with."""

    def __init__(self, element, origin):
        self.begins_at = origin + timedelta(seconds=seconds(element.get("start")))
        self.set = element.find("AdaptationSet", SPACE)
        self.template = self.set.find("SegmentTemplate", SPACE)
        self.timescale = int(self.template.get("timescale"))
        self.segment_s = int(self.template.get("duration")) / self.timescale
        self.first = int(self.template.get("startNumber"))
        self.media_offset = int(self.template.get("presentationTimeOffset"))

    def number_at(self, moment):
        """The segment that is being made then."""
        return self.first + int((moment - self.begins_at).total_seconds() / self.segment_s)

    def media_time(self, number):
        """In ticks, where that segment begins if it keeps to the rule."""
        return self.media_offset + (number - self.first) * self.segment_s * self.timescale


class Manifest:
    def __init__(self, text):
        self.root = xml.fromstring(text)
        assert self.root.tag == "{%s}MPD" % SPACE[""], self.root.tag
        self.type = self.root.get("type")
        origin = datetime.fromisoformat(self.root.get("availabilityStartTime").replace("Z", "+00:00"))
        self.periods = [Period(p, origin) for p in self.root.findall("Period", SPACE)]
        self.latency = self.root.find("ServiceDescription/Latency", SPACE)
        self.ended = self.root.get("minimumUpdatePeriod") is None

    def period_of(self, number):
        return [p for p in self.periods if p.first <= number][-1]

    def segment(self, number):
        return self.periods[-1].template.get("media").replace("$Number$", str(number))


def boxes(data):
    """Names of the top-level boxes, and where each ends."""
    at = 0
    while at < len(data):
        size = int.from_bytes(data[at:at + 4], "big")
        assert 8 <= size <= len(data) - at, (at, size)
        yield data[at + 4:at + 8], at + size
        at += size


def decode_time(part):
    """The tfdt of the first track fragment."""
    at = part.index(b"tfdt")
    return int.from_bytes(part[at + 8:at + 16], "big") if part[at + 4] == 1 else int.from_bytes(part[at + 8:at + 12], "big")


class Chunks:
    """A response read chunk by chunk, with the time at which each was whole."""

    def __init__(self, host, path):
        self.connection = http.client.HTTPConnection(host, timeout=30)
        self.connection.request("GET", path)
        self.response = self.connection.getresponse()
        self.headers = self.response.headers
        self.status = self.response.status
        self.chunks = []

    def read(self):
        """What http.client hides: the chunks themselves."""
        assert self.headers["Transfer-Encoding"] == "chunked", dict(self.headers)
        stream = self.response.fp
        while True:
            size = int(stream.readline(), 16)
            data = stream.read(size)
            assert stream.read(2) == b"\r\n"
            if size == 0:
                break
            self.chunks.append((time.monotonic(), data))
        self.connection.close()
        return b"".join(data for _, data in self.chunks)


class Dash(StackTest):
    def manifest(self, stream):
        answer = ask(self.url + stream["urls"]["hls"].replace("media.m3u8", "manifest.mpd"))
        self.assertEqual(answer.status, 200, answer.body)
        self.assertEqual(answer.headers["Content-Type"], "application/dash+xml")
        return Manifest(answer.text())

    def server_time(self):
        answer = ask(self.url + "/api/v1/time")
        self.assertEqual((answer.status, answer.headers["Cache-Control"]), (200, "no-store"))
        self.assertRegex(answer.text(), r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        return datetime.fromisoformat(answer.text().replace("Z", "+00:00"))

    def path_of(self, stream, name):
        return stream["urls"]["hls"].rsplit("/", 1)[0] + "/" + name

    def next_number(self, stream):
        """The segment behind the one that is being made: the furthest that may be asked for."""
        playlist = self.playlist(stream)
        open_number = playlist.media_sequence + len(playlist.segments)
        self.playlist(stream, f"?_HLS_msn={open_number}&_HLS_part=0")  # until it has begun
        return open_number + 1

    def test_1_the_manifest_agrees_with_the_media(self):
        stream = self.start()
        m = self.manifest(stream)
        first = m.periods[0]
        self.assertEqual((m.type, m.ended, first.first, first.segment_s), ("dynamic", False, 0, 1.0))
        self.assertEqual([first.set.get(a) for a in ("mimeType", "width", "height")], ["video/mp4", "640", "480"])
        self.assertEqual(first.template.get("availabilityTimeComplete"), "false")
        self.assertEqual(m.latency.get("target"), "1000")
        self.assertEqual(m.root.find("UTCTiming", SPACE).get("value"), "/api/v1/time")
        init = self.fetch(stream, first.template.get("initialization"))
        self.assertEqual([name for name, _ in boxes(init.body)][:2], [b"ftyp", b"moov"])
        self.wait_for("five whole segments", lambda: len(self.playlist(stream).segments) >= 5)
        m = self.manifest(stream)
        for name in self.playlist(stream).segments:
            number = int(re.search(r"\d+", name).group())
            period = m.period_of(number)
            off = decode_time(self.fetch(stream, name).body) - period.media_time(number)
            self.assertLessEqual(abs(off), period.segment_s * period.timescale / 2, name)

    def test_2_the_time_of_day_says_which_segment_is_made(self):
        stream = self.start()
        for _ in range(5):
            m, now = self.manifest(stream), self.server_time()
            playlist = self.playlist(stream)
            open_number = playlist.media_sequence + len(playlist.segments)
            self.assertLessEqual(abs(m.periods[-1].number_at(now) - open_number), 1)
            self.playlist(stream, f"?_HLS_msn={open_number}")

    def test_3_a_segment_comes_part_by_part(self):
        stream = self.start()
        for _ in range(3):
            m = self.manifest(stream)
            number = self.next_number(stream)
            chunks = Chunks(f"127.0.0.1:{self.port}", self.path_of(stream, m.segment(number)))
            self.assertEqual(chunks.status, 200)
            self.assertIn("immutable", chunks.headers["Cache-Control"])
            body = chunks.read()
            for _, data in chunks.chunks:  # each is one whole part
                self.assertEqual([name for name, _ in boxes(data)], [b"moof", b"mdat"])
            took = chunks.chunks[-1][0] - chunks.chunks[0][0]
            self.assertGreaterEqual(len(chunks.chunks), 4)
            self.assertGreater(took, 0.4 * m.periods[-1].segment_s, "all at once: somebody held the parts back")
            self.assertEqual(body, self.fetch(stream, m.segment(number)).body)

    def test_4_the_first_chunk_comes_with_the_first_part(self):
        stream = self.start()
        number = self.next_number(stream)
        chunks = Chunks(f"127.0.0.1:{self.port}", self.path_of(stream, f"seg-{number}.m4s"))
        headers_at = time.monotonic()
        after = self.playlist(stream, f"?_HLS_msn={number}&_HLS_part=0")
        self.assertLess(time.monotonic() - headers_at, 0.5)  # the header did not come before that part either
        self.assertGreaterEqual(after.media_sequence + len(after.segments), number)
        body = chunks.read()
        self.assertLess(chunks.chunks[0][0] - headers_at, 0.5)
        self.assertEqual(body, self.fetch(stream, f"seg-{number}.m4s").body)

    def test_5_what_is_too_early(self):
        stream = self.start()
        playlist = self.playlist(stream)
        far = playlist.media_sequence + len(playlist.segments) + 20
        began = time.monotonic()
        answer = self.fetch(stream, f"seg-{far}.m4s")
        self.assertEqual((answer.status, answer.headers["Cache-Control"]), (404, "no-store"))
        self.assertLess(time.monotonic() - began, 1)

    def test_6_stable_address(self):
        stream = self.start()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request("GET", "/live/cam-1/manifest.mpd")
        answer = connection.getresponse()
        answer.read()
        connection.close()
        self.assertEqual(answer.status, 307)
        self.assertEqual(answer.headers["Location"], self.path_of(stream, "manifest.mpd"))
        self.assertEqual(ask(self.url + "/live/cam-1/manifest.mpd").status, 200)

    def test_7_the_end(self):
        stream = self.start()
        self.wait_for("a whole segment", lambda: self.playlist(stream).segments)
        number = int(re.search(r"\d+", self.playlist(stream).segments[-1]).group()) + 1
        chunks = Chunks(f"127.0.0.1:{self.port}", self.path_of(stream, f"seg-{number}.m4s"))
        self.stop()
        body = chunks.read()  # what had come is brought to a proper end
        self.assertEqual([name for name, _ in boxes(body)][:2], [b"moof", b"mdat"])
        answer = ask(self.url + self.path_of(stream, "manifest.mpd"))
        if answer.status == 200:  # until the janitor purges it
            m = Manifest(answer.text())
            self.assertTrue(m.ended)
            self.assertGreater(seconds(m.root.get("mediaPresentationDuration")), 0.9)
        self.assertEqual(ask(self.url + "/live/cam-1/manifest.mpd").status, 404)

    def test_8_realtime(self):
        stream = self.start(profile="realtime")
        m = self.manifest(stream)
        self.assertEqual((m.periods[0].segment_s, m.latency.get("target")), (0.5, "500"))
        number = self.next_number(stream)
        chunks = Chunks(f"127.0.0.1:{self.port}", self.path_of(stream, m.segment(number)))
        body = chunks.read()
        self.assertGreaterEqual(len(chunks.chunks), 5)  # eight parts of two frames, less what the machine drops
        self.assertEqual(body, self.fetch(stream, m.segment(number)).body)
        self.stop()

    def test_9_economy(self):
        stream = self.start(profile="economy")
        hls = ask(self.url + stream["urls"]["hls"]).text()
        for word in ("EXT-X-PART", "PRELOAD-HINT", "CAN-BLOCK-RELOAD"):
            self.assertNotIn(word, hls)
        self.assertIn("#EXTINF", hls)  # playable from the first moment
        self.assertEqual(ask(self.url + stream["urls"]["hls"] + "?_HLS_msn=99&_HLS_part=7").status, 200)
        self.assertNotIn("SERVER-CONTROL", self.playlist(stream).text)
        self.assertEqual(self.fetch(stream, "part-0.m4s").status, 404)
        m = self.manifest(stream)
        self.assertEqual(m.periods[0].segment_s, 2.0)
        self.assertIsNone(m.latency)
        self.assertIsNone(m.periods[0].template.get("availabilityTimeOffset"))
        number = self.playlist(stream).media_sequence + len(self.playlist(stream).segments)
        segment = self.fetch(stream, m.segment(number))  # waits until it is whole, and is whole
        self.assertEqual(segment.status, 200)
        self.assertEqual(int(segment.headers["Content-Length"]), len(segment.body))
        self.assertGreater(len([name for name, _ in boxes(segment.body) if name == b"moof"]), 2)
        self.stop()


if __name__ == "__main__":
    unittest.TestLoader.sortTestMethodsUsing = staticmethod(lambda a, b: (a > b) - (a < b))
    main()
