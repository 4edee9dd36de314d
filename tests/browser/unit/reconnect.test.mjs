import assert from "node:assert/strict";
import test from "node:test";

import { Backoff, PATIENCE, Progress } from "../../../web/reconnect.js";

test("waits double up to a limit, scattered downwards, and begin anew after a success", () => {
    const backoff = new Backoff();
    const waits = [0, 0, 0, 0, 0, 0].map((dice) => backoff.next(dice));
    assert.deepEqual(waits, [400, 800, 1600, 3200, 5000, 5000]);
    backoff.reset();
    assert.equal(Math.round(backoff.next(1)), 267);
    assert.ok(new Backoff().next(0.5) < 400);
});

test("what the server asked for is respected", () => {
    assert.equal(new Backoff().next(0, 7000), 7000);
});

function watch(steps) {
    const progress = new Progress();
    return steps.map(([now, position, wants = true, slackMs]) => progress.sample(now, position, { wants, slackMs }));
}

test("a playhead that moves is fine, and proven after a while", () => {
    const { provenMs } = PATIENCE;
    assert.deepEqual(watch([[0, 0], [100, 0.1], [provenMs, 0.2], [provenMs + 200, 0.3]]), ["", "", "", "proven"]);
});

test("one that stands still is stuck; before the first picture it may take longer", () => {
    const { stuckMs, firstPictureMs } = PATIENCE;
    assert.deepEqual(watch([[0, 0], [firstPictureMs, 0], [firstPictureMs + 1, 0]]), ["", "", "stuck"]);
    assert.deepEqual(watch([[0, 0], [100, 0.1], [100 + stuckMs, 0.1], [101 + stuckMs, 0.1]]), ["", "", "", "stuck"]);
});

test("streams in long pieces get more time, and a pause none of it", () => {
    const { stuckMs } = PATIENCE;
    assert.notEqual(watch([[0, 0], [100, 0.1], [stuckMs + 5000, 0.1, true, 6000]]).at(-1), "stuck");
    assert.notEqual(watch([[0, 0], [100, 0.1], [90000, 0.1, false], [90000 + stuckMs, 0.1]]).at(-1), "stuck");
});

test("a restart forgets", () => {
    const progress = new Progress();
    progress.sample(0, 0, { wants: true });
    progress.sample(100, 1, { wants: true });
    progress.restart();
    assert.equal(progress.sample(60000, 1, { wants: true }), "");
});
