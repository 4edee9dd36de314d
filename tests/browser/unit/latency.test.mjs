import assert from "node:assert/strict";
import test from "node:test";

import { EdgeChaser, LIMITS, RunningMedian } from "../../../web/latency.js";

const PART = 0.2;
const STEP_MS = 100;

/** A stream in real time: a part arrives every 200 ms, but late ones come in one go; the playhead moves at the rate the
 * controller chose. */
function simulate(chaser, { ahead, seconds, late = () => false }) {
    const seen = { stalls: 0, seeks: 0, rates: [], ahead: [] };
    let held = 0;
    let waiting = false;
    let rate = 1;
    for (let now = 0; now < seconds * 1000; now += STEP_MS) {
        if (now % (PART * 1000) === 0) held += PART;
        if (!late(now)) {
            ahead += held;
            held = 0;
        }
        const step = chaser.sample(now, ahead);
        seen.ahead.push(ahead);
        if (step.leave !== null) {
            ahead = step.leave;
            seen.seeks++;
        }
        rate = step.rate;
        const played = Math.min(ahead, (rate * STEP_MS) / 1000);
        if (played < (rate * STEP_MS) / 1000 - 1e-9 && !waiting) {
            chaser.stall(now);
            seen.stalls++;
        }
        waiting = played === 0;
        ahead -= played;
        seen.rates.push(rate);
    }
    return seen;
}

const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length;

test("a late start comes to the goal by rate, without a seek or a stall, and stays there", () => {
    const chaser = new EdgeChaser({ part: PART });
    const run = simulate(chaser, { ahead: 1.4, seconds: 20 });
    assert.equal(run.seeks, 0);
    assert.equal(run.stalls, 0);
    const settled = run.ahead.slice(-50);
    assert.ok(Math.abs(mean(settled) - (chaser.goal - PART / 2)) < 0.1, `settled at ${mean(settled)}`);
    assert.ok(Math.max(...run.rates) <= LIMITS.rateMax && Math.min(...run.rates) >= LIMITS.rateMin);
    assert.ok(run.rates.slice(-50).every((rate) => Math.abs(rate - 1) <= 0.05), "the rate settles near 1");
});

test("far behind it seeks once, to the goal", () => {
    const chaser = new EdgeChaser({ part: PART });
    const run = simulate(chaser, { ahead: 6, seconds: 10 });
    assert.equal(run.seeks, 1);
    assert.equal(run.stalls, 0);
});

test("it does not seek while catching up by rate would do", () => {
    const chaser = new EdgeChaser({ part: PART });
    assert.equal(chaser.sample(0, chaser.goal + LIMITS.seekBeyond - 0.01).leave, null);
    assert.equal(chaser.sample(100, chaser.goal + LIMITS.seekBeyond + 0.01).leave, chaser.goal);
});

test("between two seeks there is a pause", () => {
    const chaser = new EdgeChaser({ part: PART });
    assert.notEqual(chaser.sample(0, 10).leave, null);
    assert.equal(chaser.sample(LIMITS.seekPauseMs - 1, 10).leave, null);
    assert.notEqual(chaser.sample(LIMITS.seekPauseMs + 1, 10).leave, null);
});

test("a thin buffer slows down, a thick one speeds up, within the limits", () => {
    assert.equal(new EdgeChaser({ part: PART }).sample(0, 0.01).rate, LIMITS.rateMin);
    assert.equal(new EdgeChaser({ part: PART }).sample(0, 1.8).rate, LIMITS.rateMax);
    assert.equal(new EdgeChaser({ part: PART }).sample(0, 0.2).rate, 1);
});

test("a stall widens the goal by a part, never beyond the limit", () => {
    const chaser = new EdgeChaser({ part: PART });
    chaser.sample(0, 0.4);
    const before = chaser.goal;
    chaser.stall(LIMITS.graceMs);
    assert.ok(Math.abs(chaser.goal - before - PART) < 1e-9);
    for (let i = 0; i < 100; i++) chaser.stall(LIMITS.graceMs + i);
    assert.equal(chaser.goal, LIMITS.goalMax);
});

test("a stall before the start or in the first moment says nothing", () => {
    const chaser = new EdgeChaser({ part: PART });
    const before = chaser.goal;
    chaser.stall(5);
    chaser.sample(10, 0.4);
    chaser.stall(10 + LIMITS.graceMs - 1);
    assert.equal(chaser.goal, before);
});

test("after calm the goal narrows slowly back to where it began, and no further", () => {
    const chaser = new EdgeChaser({ part: PART });
    const base = chaser.goal;
    chaser.sample(0, 0.4);
    chaser.stall(2000);
    const calm = 2 * LIMITS.calmMs;
    chaser.sample(2000 + calm - 1, 0.6);
    assert.ok(chaser.goal > base + PART - 1e-9, "still wide while it is not yet calm");
    chaser.sample(2000 + calm, 0.6);
    chaser.sample(2000 + calm + 5000, 0.6);
    assert.ok(chaser.goal < base + PART && chaser.goal > base, `on its way: ${chaser.goal}`);
    chaser.sample(2000 + calm + 120000, 0.6);
    assert.equal(chaser.goal, base);
});

test("a link that hiccups every few seconds ends with few stalls", () => {
    const chaser = new EdgeChaser({ part: PART });
    const late = (now) => now % 5000 >= 4000 && now % 5000 < 4700;
    const run = simulate(chaser, { ahead: 0.4, seconds: 120, late });
    assert.ok(run.stalls >= 1 && run.stalls <= 6, `${run.stalls} stalls in 24 hiccups`);
    assert.ok(chaser.goal > 2 * PART && chaser.goal < LIMITS.goalMax, `goal ${chaser.goal}`);
});

test("short parts bring a shorter goal, with a floor", () => {
    assert.equal(new EdgeChaser({ part: 0.1 }).goal, 0.25);
    assert.equal(new EdgeChaser({ part: 0.5 }).goal, 1);
});

test("the running median forgets what is old and shrugs off outliers", () => {
    const median = new RunningMedian(5);
    assert.equal(median.value, null);
    for (const value of [500, 510, 9000, 490, 505]) median.add(value);
    assert.equal(median.value, 505);
    for (const value of [100, 100, 100, 100, 100]) median.add(value);
    assert.equal(median.value, 100);
});
