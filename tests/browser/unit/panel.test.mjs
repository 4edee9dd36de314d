import assert from "node:assert/strict";
import test from "node:test";

import { texts } from "../../../web/panel.js";

const FIGURES = { latencyMs: 172, latencyFrom: "picture", goalMs: 165, aheadMs: 121, rate: 1.03, stalls: 2, reconnects: 1,
    kbps: 2043, dropped: 3, frames: 900, width: 640, height: 480, partSeconds: 0.1, delivery: "hls.js" };

test("the figures in words", () => {
    assert.deepEqual(texts(FIGURES, { profile: "realtime" }), {
        latency: "0.17 s", "latency-how": "measured in the picture", goal: "0.17 s", buffer: "0.12 s", rate: "× 1.03",
        stalls: "2", reconnects: "1", bits: "2.0 Mbit/s", dropped: "3 of 900", picture: "640 × 480", profile: "Realtime",
        part: "up to 100 ms", delivery: "hls.js" });
});

test("what is not known says so", () => {
    const unknown = { ...FIGURES, latencyMs: null, latencyFrom: "clock", goalMs: null, aheadMs: null, kbps: null, dropped: 0,
        frames: 0, width: 0, height: 0, partSeconds: null, delivery: null };
    const told = texts(unknown, undefined);
    for (const id of ["latency", "goal", "buffer", "bits", "dropped", "picture", "profile", "part", "delivery"]) {
        assert.equal(told[id], "–", id);
    }
    assert.equal(told["latency-how"], "by the stream's clock");
    assert.equal(texts({ ...FIGURES, partSeconds: 0 }, {}).part, "none, whole segments");
});
