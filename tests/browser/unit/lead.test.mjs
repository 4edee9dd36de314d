import assert from "node:assert/strict";
import { test } from "node:test";

import { leadFor, withLead, withoutLead } from "../../../web/lead.js";

const head = (sequence) => `#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-PART-INF:PART-TARGET=0.233334\n` +
    `#EXT-X-MEDIA-SEQUENCE:${sequence}\n#EXT-X-DISCONTINUITY-SEQUENCE:0\n`;
const MAP = '#EXT-X-MAP:URI="init.mp4"\n#EXT-X-PROGRAM-DATE-TIME:2026-01-02T03:04:05.500Z\n';
const PART = '#EXT-X-PART:DURATION=0.200000,URI="part-0.m4s",INDEPENDENT=YES\n';
const LEAD = `${'#EXT-X-PART:DURATION=0.2,URI="gap.m4s",GAP=YES\n'.repeat(5)}#EXT-X-GAP\n#EXTINF:1.0,\ngap.m4s\n`;
const segments = (n) => "#EXTINF:1.0,\nseg.m4s\n".repeat(n);

test("a playlist is young while fewer than three segments were complete", () => {
    assert.equal(leadFor(head(0) + MAP + PART), 3);
    assert.equal(leadFor(head(0) + MAP + segments(2) + PART), 3);
    assert.equal(leadFor(head(0) + MAP + segments(3) + PART), 0);
    assert.equal(leadFor(head(7) + MAP + segments(1)), 0);
    assert.equal(leadFor(`${head(0)}${MAP}${segments(1)}#EXT-X-ENDLIST\n`), 0, "nothing more comes");
    assert.equal(leadFor((head(0) + MAP + segments(1)).replace(/#EXT-X-PART-INF.*\n/, "")), 0, "whole segments only");
    assert.equal(leadFor("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nmedia.m3u8\n"), 0, "not a media playlist");
});

test("a young playlist gets a dated lead in front of its body", () => {
    const seen = withLead(head(0) + MAP + PART, 3);
    assert.equal(seen, `${head(0)}#EXT-X-PROGRAM-DATE-TIME:2026-01-02T03:04:02.500Z\n${LEAD.repeat(3)}${MAP}${PART}`);
});

test("a lead without a date, a discontinuity at once, and parts at once", () => {
    for (const body of [PART, `#EXT-X-DISCONTINUITY\n${PART}`, segments(1)]) {
        assert.equal(withLead(head(0) + body, 1), head(0) + LEAD + body);
    }
});

test("later the numbers shift, and a delta counts the lead among what it skips", () => {
    assert.equal(withLead(head(4) + MAP + segments(3), 3), head(7) + MAP + segments(3));
    const delta = (n) => `${head(0)}#EXT-X-SKIP:SKIPPED-SEGMENTS=${n}\n${segments(2)}`;
    assert.equal(withLead(delta(5), 3), delta(8));
    const skip = "#EXT-X-SKIP:SKIPPED-SEGMENTS=5\n";
    assert.equal(withLead(head(2) + skip, 3), head(5) + skip);
    assert.equal(withLead(head(4) + segments(1), 0), head(4) + segments(1), "an old one passes through");
});

test("what is asked for is translated back", () => {
    const asked = (msn) => `/live/a/b/media.m3u8?_HLS_msn=${msn}&_HLS_part=1`;
    assert.equal(withoutLead(asked(3), 3), asked(0));
    assert.equal(withoutLead("/live/a/b/part-3.m4s", 3), "/live/a/b/part-3.m4s");
});
