import assert from "node:assert/strict";
import test from "node:test";

import * as format from "../../../web/format.js";

const camera = (online, stream) => ({ id: "cam-1", online, stream });

test("sizes", () => {
    const rows = [[0, "0 B"], [999, "999 B"], [1000, "1.0 kB"], [1500, "1.5 kB"], [99949, "99.9 kB"],
        [99950, "100 kB"], [999499, "999 kB"], [999500, "1.0 MB"], [1234567, "1.2 MB"], [5e9, "5.0 GB"],
        [7e15, "7000 TB"], [undefined, "–"]];
    for (const [n, text] of rows) assert.equal(format.bytes(n), text, `${n}`);
});

test("durations, for the eye and for the ear", () => {
    const rows = [[0, "0:00", "0 seconds"], [7400, "0:07", "7 seconds"], [61000, "1:01", "1 minute 1 second"],
        [760000, "12:40", "12 minutes 40 seconds"], [3723000, "1:02:03", "1 hour 2 minutes 3 seconds"],
        [7200000, "2:00:00", "2 hours"]];
    for (const [ms, eye, ear] of rows) {
        assert.equal(format.duration(ms), eye);
        assert.equal(format.durationWords(ms), ear);
    }
    assert.equal(format.duration(undefined), "–");
    assert.equal(format.durationWords(NaN), "unknown length");
});

test("latency says when it cannot be one", () => {
    assert.equal(format.latency(464), "0.46 s");
    assert.equal(format.latency(12345), "12 s");
    assert.equal(format.latency(-20), "clocks differ");
    assert.equal(format.latency(null), "–");
});

test("days are told by the calendar, not by 24 hours", () => {
    const now = new Date(2026, 5, 10, 0, 30);
    assert.match(format.when(new Date(2026, 5, 10, 0, 10), now), /^Today, /);
    assert.match(format.when(new Date(2026, 5, 9, 23, 50), now), /^Yesterday, /);
    assert.doesNotMatch(format.when(new Date(2026, 5, 8, 12, 0), now), /day, /);
    assert.match(format.when(new Date(2024, 5, 8, 12, 0), now), /2024/);
    assert.equal(format.when("not a time", now), "unknown time");
});

test("sentences", () => {
    assert.equal(format.sentence("waiting for the camera"), "Waiting for the camera.");
    assert.equal(format.sentence("Really?"), "Really?");
    assert.equal(format.sentence(""), "");
});

test("every state has words of its own, and the gateway's come first", () => {
    const words = new Set();
    for (const state of ["idle", "starting", "live", "stopping", "failed"]) {
        const told = format.describeCamera(camera(true, { state }));
        assert.equal(told.state, state);
        assert.ok(told.label && told.words.endsWith("."));
        words.add(told.words);
    }
    words.add(format.describeCamera(camera(false, { state: "idle" })).words);
    assert.equal(words.size, 6);
    const starting = camera(true, { state: "starting", detail: "waiting for the camera's first picture" });
    assert.equal(format.describeCamera(starting).words, "Waiting for the camera's first picture.");
});

test("a camera on demand says that it needs nobody to start it", () => {
    const told = (state, on_demand) => format.describeCamera({ ...camera(true, { state, on_demand }), on_demand: true });
    assert.deepEqual([told("idle").state, told("idle").label], ["idle", "Starts when watched"]);
    assert.match(told("idle").words, /stops by itself/);
    assert.equal(told("live", true).words, "Live, for as long as somebody watches.");
    assert.equal(told("live", false).words, "Live, not recorded.");
});

test("a failure says the step and the reason", () => {
    const stream = { state: "failed", detail: "", error: { step: "camera", code: "no_frames", detail: "no frame in 3 s" } };
    assert.equal(format.describeCamera(camera(true, stream)).words, "Camera: no frame in 3 s.");
});

test("a camera that is away is offline when it is at rest or has failed, not while its stream still runs", () => {
    assert.equal(format.describeCamera(camera(false, { state: "idle" })).state, "offline");
    assert.equal(format.describeCamera(camera(false, { state: "live" })).state, "live");
    const failed = { state: "failed", error: { step: "camera", code: "gone", detail: "the camera went away" } };
    const told = format.describeCamera(camera(false, failed));
    assert.equal(told.state, "offline");
    assert.equal(told.words, "The camera went away.");
});

test("live says since when and whether it is kept", () => {
    const at = "2026-06-01T12:00:00Z";
    assert.match(format.describeCamera(camera(true, { state: "live", record: true, started_at: at })).words,
        /^Live since .*, being recorded\.$/);
    assert.equal(format.describeCamera(camera(true, { state: "live", record: false })).words, "Live, not recorded.");
});

test("a camera without a stream, and a state nobody knows, do not break the page", () => {
    assert.equal(format.describeCamera(camera(true, undefined)).state, "idle");
    assert.ok(format.describeCamera(camera(true, { state: "dreaming" })).words);
});
