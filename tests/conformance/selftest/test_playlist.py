"""The parser: what it reads, and that nothing crooked passes."""
import unittest

from hls.playlist import NS, is_multivariant, nanoseconds, parse_date, parse_media, parse_multivariant, seconds

SOUND = """#EXTM3U
#EXT-X-VERSION:6
#EXT-X-TARGETDURATION:4
#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=6.00012
#EXT-X-PART-INF:PART-TARGET=2.00004
#EXT-X-MEDIA-SEQUENCE:268
#EXT-X-MAP:URI="init.mp4"
#EXT-X-PROGRAM-DATE-TIME:2026-05-01T12:00:00.500Z
#EXTINF:4.00008,
a.mp4
#EXT-X-DISCONTINUITY
#EXT-X-PART:DURATION=2.00004,INDEPENDENT=YES,URI="b.0.mp4"
#EXT-X-PART:DURATION=2.00004,URI="b.1.mp4"
#EXTINF:4.00008,title
b.mp4
#EXT-X-PART:DURATION=2.00004,INDEPENDENT=YES,URI="c.0.mp4"
#EXT-X-PRELOAD-HINT:TYPE=PART,URI="c.1.mp4"
"""


def faults(text):
    return {f.rule for f in parse_media(text.encode() if isinstance(text, str) else text).faults}


class Sound(unittest.TestCase):
    def test_what_is_read(self):
        p = parse_media(SOUND.encode())
        self.assertEqual(p.faults, [])
        self.assertEqual((p.version, p.target, p.media_sequence, p.part_target), (6, 4 * NS, 268, 2_000_040_000))
        self.assertEqual([s.uri for s in p.segments], ["a.mp4", "b.mp4", None])
        self.assertEqual([s.map_uri for s in p.segments], ["init.mp4"] * 3)
        self.assertEqual([s.discontinuity for s in p.segments], [False, True, False])
        self.assertEqual([len(s.parts) for s in p.segments], [0, 2, 1])
        self.assertEqual(p.edge, (270, 1))
        self.assertEqual(p.hint, "c.1.mp4")
        self.assertTrue(p.can_block and p.low_latency and not p.ended)
        self.assertEqual(p.duration, 8_000_160_000)

    def test_lines_may_end_as_on_windows(self):
        self.assertEqual(faults(SOUND.replace("\n", "\r\n")), set())

    def test_delta_update(self):
        text = SOUND.replace("#EXT-X-MAP:URI=\"init.mp4\"\n", "#EXT-X-SKIP:SKIPPED-SEGMENTS=7\n")
        p = parse_media(text.encode())
        self.assertEqual((p.skipped, p.segments[0].msn, p.edge), (7, 275, (277, 1)))

    def test_dates(self):
        self.assertEqual(parse_date("1970-01-01T00:00:01.25Z"), 1_250_000_000)
        self.assertEqual(parse_date("1970-01-01T01:00:00.000+01:00"), 0)
        self.assertEqual(parse_date("1970-01-01T00:00:00.000-0030"), 1800 * NS)
        for wrong in ("1970-01-01", "1970-13-01T00:00:00Z", "1970-01-01 00:00:00Z", "now"):
            self.assertIsNone(parse_date(wrong), wrong)

    def test_durations(self):
        self.assertEqual([nanoseconds(t) for t in ("0", "1.5", ".25", "0.0666660001")],
                         [0, 3 * NS // 2, NS // 4, 66_666_000])
        self.assertEqual(seconds(1_250_000_000), "1.25 s")


class Crooked(unittest.TestCase):
    TABLE = [  # what is replaced, by what, and the rule that must be named
        ("#EXTM3U\n", "", "playlist-text"),
        ("#EXTM3U\n", "\ufeff#EXTM3U\n", "playlist-text"),
        ("c.1.mp4\"\n", "c.1.mp4\"", "playlist-text"),
        ("a.mp4\n", "a.mp4 \n", "playlist-text"),
        ("title", "ti\ttle", "playlist-text"),
        ("VERSION:6", "VERSION:six", "tag-syntax"),
        ("PART-TARGET=2.00004", "PART-TARGET=2.0s", "tag-syntax"),
        ("PART-TARGET=2.00004", "PART-TARGET=-2", "tag-syntax"),
        ("CAN-BLOCK-RELOAD=YES,", "CAN-BLOCK-RELOAD=yes,", "tag-syntax"),
        ("CAN-BLOCK-RELOAD=YES,", "CAN-BLOCK-RELOAD=YES, ", "tag-syntax"),
        ("CAN-BLOCK-RELOAD=YES,", "CAN-BLOCK-RELOAD=YES,,", "tag-syntax"),
        ("CAN-BLOCK-RELOAD=YES,", "CAN-BLOCK-RELOAD=YES,CAN-BLOCK-RELOAD=YES,", "tag-syntax"),
        ('URI="b.1.mp4"', "URI=b.1.mp4", "tag-syntax"),
        ('URI="b.1.mp4"', 'URI=""', "tag-syntax"),
        (',URI="b.1.mp4"', "", "tag-syntax"),
        ("TYPE=PART,", "TYPE=SEGMENT,", "tag-syntax"),
        ("#EXT-X-DISCONTINUITY\n", "#EXT-X-DISCONTINUITY:1\n", "tag-syntax"),
        ("12:00:00.500Z", "25:00:00.500Z", "tag-syntax"),
        ("12:00:00.500Z", "12:00:00Z", "date-precision"),
        ("12:00:00.500Z", "12:00:00.500", "date-precision"),
        ("#EXT-X-VERSION:6\n", "#EXT-X-VERSION:6\n#EXT-X-VERSION:6\n", "tag-once"),
        ("#EXT-X-VERSION:6\n", "#EXT-X-STREAM-INF:BANDWIDTH=1\n", "one-kind"),
        ("#EXT-X-TARGETDURATION:4\n", "", "target-duration"),
        ("TARGETDURATION:4", "TARGETDURATION:0", "target-duration"),
        ("a.mp4\n", "a.mp4\n#EXT-X-DISCONTINUITY-SEQUENCE:1\n", "sequence-first"),
        ("#EXTINF:4.00008,\n", "", "extinf"),
        ("#EXTINF:4.00008,\n", "#EXTINF:4.00008\n", "extinf"),
        ("#EXTINF:4.00008,\n", "#EXTINF:four,\n", "extinf"),
        ("b.mp4\n", "", "extinf"),
        ('URI="b.1.mp4"\n', 'URI="b.1.mp4"\n#EXT-X-DISCONTINUITY\n', "tags-before-parts"),
        ("title\n", 'title\n#EXT-X-PART:DURATION=1.0,URI="x"\n', "parts-before-extinf"),
    ]

    def test_each_is_noticed(self):
        for old, new, rule in self.TABLE:
            with self.subTest(new or f"without {old!r}"):
                self.assertIn(old, SOUND)
                self.assertIn(rule, faults(SOUND.replace(old, new, 1)))

    def test_bytes_that_are_no_text(self):
        self.assertIn("playlist-text", faults(b"#EXTM3U\n#EXT-X-TARGETDURATION:4\n\xff\n"))

    def test_any_cut_is_survived(self):
        for end in range(len(SOUND)):
            parse_media(SOUND[:end].encode())


class Variants(unittest.TestCase):
    TEXT = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1000,CODECS=\"avc1.64001e\",RESOLUTION=640x480\nmedia.m3u8\n"

    def test_what_is_read(self):
        self.assertTrue(is_multivariant(self.TEXT.encode()))
        self.assertFalse(is_multivariant(SOUND.encode()))
        m = parse_multivariant(self.TEXT.encode())
        self.assertEqual((m.faults, [v.uri for v in m.variants]), ([], ["media.m3u8"]))
        self.assertEqual(m.variants[0].attributes["CODECS"], "avc1.64001e")

    def test_crooked(self):
        for text in (self.TEXT + "#EXT-X-TARGETDURATION:1\n", self.TEXT.replace("media.m3u8\n", ""),
                     self.TEXT + "stray.m3u8\n", self.TEXT.replace("BANDWIDTH=1000,", ""),
                     self.TEXT.replace("640x480", "640")):
            self.assertTrue(parse_multivariant(text.encode()).faults, text)


if __name__ == "__main__":
    unittest.main()
