import assert from "node:assert/strict";
import test from "node:test";

import { EdgeChaser, LIMITS } from "../../../web/latency.js";
import { after, dice, flips, settledAt, simulate } from "./simulation.mjs";

const PARTS = [0.067, 0.2, 2]; // realtime, balanced, economy
const START_MS = 5000; // what happens while the picture comes up is not counted

function run(part, options) {
    const chaser = new EdgeChaser({ part, polled: part >= 1 });
    const seen = simulate(chaser, { part, ...options });
    return { ...seen, late: after(seen.stalls, START_MS), offset: seen.offsets.at(-1).offset, goal: chaser.goal };
}

const inHand = (part) => (part >= 1 ? part / 2 : Math.min(part / 2, 0.075));
const close = (a, b, tolerance, words) => assert.ok(Math.abs(a - b) <= tolerance, `${words}: ${a} and ${b}`);
const rates = (seen) => seen.rates.map(({ rate }) => rate);

for (const part of PARTS) {
    test(`parts of ${part} s, steady link: no stall, no seek, no flip; settles and then stays at rate 1`, () => {
        const seen = run(part, { seconds: 120 });
        assert.deepEqual([seen.late.length, seen.seeks.length, flips(seen.rates)], [0, 0, 0]);
        assert.ok(settledAt(seen.rates) < 10000, `settled at ${settledAt(seen.rates)} ms`);
        close(seen.offset, seen.goal, LIMITS.late, "at the goal");
        close(seen.goal, 0.02 + part + inHand(part) + LIMITS.lead, 0.02, "the way, a part, a little in hand, and the decoder");
    });

    test(`parts of ${part} s: a start one second behind is made good by rate, within eight seconds`, () => {
        const seen = run(part, { seconds: 30, behind: 1 });
        assert.deepEqual([seen.late.length, seen.seeks.length, flips(seen.rates)], [0, 0, 0]);
        assert.ok(settledAt(seen.rates) <= 8000, `settled at ${settledAt(seen.rates)} ms`);
    });

    test(`parts of ${part} s: far behind it seeks, once`, () => {
        const seen = run(part, { seconds: 30, behind: part + 5 });
        assert.deepEqual([seen.late.length, seen.seeks.length], [0, 1]);
        close(seen.offset, seen.goal, LIMITS.late, "at the goal");
    });

    test(`parts of ${part} s, jitter of 60 ms: it learns the spread and stays put`, () => {
        const roll = dice(3);
        const seen = run(part, { seconds: 300, link: () => 20 + 60 * roll() });
        assert.deepEqual([seen.late.length, seen.seeks.length], [0, 0]);
        assert.ok(flips(after(seen.rates, 30000)) <= 1, "no limit cycle");
        close(seen.goal, 0.05 + part + Math.max(0.06, inHand(part)) + LIMITS.lead, 0.05, "room for the jitter, and no more");
    });

    test(`parts of ${part} s, clocks 500 ppm apart: followed, without a stall`, () => {
        for (const clock of [1.0005, 0.9995]) {
            const seen = run(part, { seconds: 600, clock });
            assert.deepEqual([seen.late.length, seen.seeks.length], [0, 0]);
            assert.ok(flips(seen.rates) <= 1, `${flips(seen.rates)} flips`);
            close(seen.offset, seen.goal, 2 * LIMITS.late, "at the goal");
            close(seen.goal, 0.02 + 600 * (1 - clock) + part + inHand(part) + LIMITS.lead, 0.04 + part / 20, "no wider than with one clock");
        }
    });

    test(`parts of ${part} s, throttled timers: nothing happens`, () => {
        const seen = run(part, { seconds: 120, timer: (now) => (now > 30000 && now < 90000 ? 1000 : 100) });
        assert.deepEqual([seen.late.length, seen.seeks.length], [0, 0]);
        close(seen.offset, seen.goal, 0.05, "at the goal");
    });
}

test("one outage of a second: one stall, back to the edge within ten seconds, all forgotten after two minutes and a half", () => {
    for (const part of [0.067, 0.2]) {
        const seen = run(part, { seconds: 180, link: (made) => 20 + (made > 30000 && made < 31000 ? 31000 - made : 0) });
        assert.equal(seen.late.length, 1);
        const before = after(seen.offsets, 29000)[0].offset;
        const soon = after(seen.offsets, 41000)[0].offset;
        assert.ok(soon - before < 0.2, `${soon - before} s more than before`);
        assert.ok(after(seen.goals, 31500)[0].goal > after(seen.goals, 29000)[0].goal, "it widens");
        close(seen.offset, before, 0.05, "it narrows");
        assert.ok(settledAt(seen.rates) < 160000);
    }
});

test("polled media: the picture is held once at the start, so that no segment is waited for later", () => {
    for (const late of [50, 300, 900]) {
        const roll = dice(2);
        const seen = run(2, { seconds: 120, link: () => 20 + late * roll() });
        assert.equal(seen.stalls.length, 0, `${seen.stalls}`);
        const held = seen.rates.filter(({ rate }) => rate === 0);
        assert.ok(held.length > 0 && held.length <= 12, `held for ${held.length / 10} s`);
        assert.ok(held.every(({ now }, i) => i === 0 || now - held[i - 1].now === 100), "once");
    }
});

test("an outage in long pieces goes unnoticed", () => {
    const seen = run(2, { seconds: 90, link: (made) => 20 + (made > 30000 && made < 30500 ? 30500 - made : 0) });
    assert.equal(seen.late.length, 0);
});

test("bursts: a link that holds everything back for 0.4 s, every 5 s, stalls twice and then no more", () => {
    for (const part of [0.067, 0.2]) {
        const hold = (made) => (made % 5000 > 4000 && made % 5000 < 4400 ? 4400 - (made % 5000) : 0);
        const seen = run(part, { seconds: 300, link: (made) => 20 + hold(made) });
        assert.ok(after(seen.stalls, 15000).length === 0, `${seen.stalls}`);
        assert.ok(flips(after(seen.rates, 30000)) === 0, "no limit cycle");
        assert.ok(seen.goal < 0.75, `goal ${seen.goal}`);
    }
});

test("rare stragglers: one part in 200 up to 250 ms late, ten minutes, few stalls and few changes of rate", () => {
    for (const part of [0.067, 0.2]) {
        const roll = dice(5);
        const late = () => (roll() > 0.995 ? 250 * roll() : 0);
        const seen = run(part, { seconds: 600, link: () => 20 + 10 * roll() + late() });
        assert.ok(seen.late.length <= 5, `${seen.late.length} stalls`);
        assert.ok(flips(seen.rates) <= 6, `${flips(seen.rates)} flips`);
        assert.ok(Math.max(...after(seen.goals, 10000).map(({ goal }) => goal)) < 0.75);
    }
});

test("a way that becomes longer or shorter for good: followed in both directions", () => {
    for (const [from, to] of [[20, 100], [100, 20]]) {
        const seen = run(0.067, { seconds: 240, link: (made) => (made < 40000 ? from : to) });
        assert.ok(seen.late.length <= 3, `${seen.late}`);
        close(seen.offset, to / 1000 + 0.067 + inHand(0.067) + LIMITS.lead, 0.05, "as if it had always been so");
    }
});

test("the rate stays within its limits, in steps of a hundredth, and never dithers around 1", () => {
    const roll = dice(11);
    const seen = run(0.067, { seconds: 120, link: () => 20 + 200 * roll(), behind: 1.4 });
    assert.equal(rates(seen).includes(0), false, "held only where media is polled for");
    for (const rate of rates(seen)) {
        assert.ok(rate >= LIMITS.rateMin && rate <= LIMITS.rateMax, `${rate}`);
        assert.equal(rate, Math.round(rate * 100) / 100);
        assert.ok(rate === 1 || Math.abs(rate - 1) >= LIMITS.step - 1e-9, `${rate}`);
    }
});

/** A chaser at its goal: parts of 0.1 s, the playhead where it wants to be. */
function settled() {
    const chaser = new EdgeChaser({ part: 0.1 });
    for (let now = 0; now <= 10000; now += 100) {
        chaser.arrived(now, now / 1000);
        chaser.sample(now, now / 1000 - chaser.goal);
    }
    return chaser;
}

test("a stall without late media widens the lead, never beyond the limit; it narrows after calm, to where it began", () => {
    const chaser = settled();
    const before = chaser.goal;
    chaser.stall(10050);
    close(chaser.goal, before + LIMITS.leadStep, 1e-9, "one step");
    for (let i = 0; i < 100; i++) chaser.stall(10051);
    close(chaser.goal, before + LIMITS.leadMax - LIMITS.lead, 1e-9, "the limit");

    chaser.sample(10051 + LIMITS.calmMaxMs - 1, 0);
    close(chaser.goal, before + LIMITS.leadMax - LIMITS.lead, 1e-9, "not before it was calm");
    chaser.sample(10051 + LIMITS.calmMaxMs + 200000, 0);
    close(chaser.goal, before, 1e-9, "as it began");
});

test("a stall because media was late, or before the goal was reached, is no fault of the decoder", () => {
    const chaser = settled();
    const before = chaser.goal;
    chaser.stall(10000 + 1000); // nothing came for a second
    assert.equal(chaser.goal, before);
    const early = new EdgeChaser({ part: 0.1 });
    for (let now = 0; now <= 3000; now += 100) {
        early.arrived(now, now / 1000);
        early.sample(now, now / 1000 - 0.1);
    }
    const wide = early.goal;
    early.stall(3050);
    assert.equal(early.goal, wide);
});

test("between two seeks there is a pause, and none leads where nothing has arrived", () => {
    const chaser = settled();
    const behind = (seconds) => 10.1 - chaser.goal - seconds;
    assert.equal(chaser.sample(10100, behind(LIMITS.seekBeyond - 0.01)).seek, null);
    assert.notEqual(chaser.sample(10101, behind(LIMITS.seekBeyond + 0.01)).seek, null);
    assert.equal(chaser.sample(10102, behind(5)).seek, null);
    const dry = settled();
    assert.equal(dry.sample(11400, 9.99).seek, null, "at the end of what there is");
});

test("a page that was away goes to the edge as soon as there is one to go to", () => {
    const chaser = settled();
    chaser.sample(25000, 9.9); // the timer stood still for 15 s; nothing has come yet
    assert.equal(chaser.sample(25100, 9.9).seek, null);
    for (let end = 10; end <= 25; end += 0.1) chaser.arrived(25150, end, end > 24.95);
    const { seek } = chaser.sample(25200, 9.9);
    assert.ok(seek !== null && 25.2 - seek < 0.5, `to ${seek}`);
    assert.equal(chaser.sample(25300, seek + 0.1).seek, null);
    chaser.returned();
    chaser.arrived(25390, 25.2, true);
    assert.equal(chaser.sample(25400, seek).rate > 1, true, "a little late is no reason to jump");
});

test("before anything arrived it does nothing", () => {
    const chaser = new EdgeChaser({ part: 0.2 });
    assert.equal(chaser.goal, null);
    assert.deepEqual(chaser.sample(0, 0), { rate: 1, seek: null });
    chaser.stall(10);
});
