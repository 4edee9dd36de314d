import assert from "node:assert/strict";
import test from "node:test";

import { Arrivals, MEMORY } from "../../../web/arrivals.js";

const PART = 0.2;
const WAIT = PART + MEMORY.inHand;
const close = (a, b, words) => assert.ok(Math.abs(a - b) < 1e-6, `${words}: ${a}, not ${b}`);

/** Parts on time but for those in `late`: {second: ms}. */
function arrivals(seconds, late = {}) {
    const seen = new Arrivals(PART);
    for (let n = 0; n * PART < seconds; n++) {
        const made = Math.round(n * PART * 1000);
        seen.add(made + 30 + (late[made / 1000] ?? 0), made / 1000);
    }
    return seen;
}

test("a little in hand: half of short parts, and of segments that are polled for", () => {
    const guess = (part, options) => {
        const seen = new Arrivals(part, options);
        seen.add(0, 0);
        return seen.need - part;
    };
    close(guess(0.066), 0.033, "realtime");
    close(guess(0.233), MEMORY.inHand, "balanced");
    close(guess(2, { polled: true }), 1, "economy");
});

test("nothing arrived, nothing is known", () => {
    assert.equal(new Arrivals(PART).need, null);
});

test("the first arrival gives a first guess: its age, a part, and a little in hand", () => {
    close(arrivals(0.1).need, 0.03 + WAIT, "one part");
    close(arrivals(30).need, 0.03 + WAIT, "and it was right");
});

test("backlog before the edge is reached says nothing of the link", () => {
    const seen = new Arrivals(PART);
    for (let n = 0; n < 20; n++) seen.add(5000 + 10 * n, n * PART, false); // four seconds of media within 0.2 s
    seen.add(5200, 4, true);
    for (let n = 1; n < 10; n++) seen.add(5200 + 200 * n, 4 + n * PART);
    close(seen.need, 1.2 + WAIT, "the age at the edge");
});

test("an edge that is never quite reached counts as reached after a while", () => {
    const seen = new Arrivals(PART);
    for (let n = 0; n * PART < 20; n++) seen.add(200 * n + 30 + (n === 90 ? 90 : 0), n * PART, false);
    assert.ok(seen.need > 0.03 + PART, "it learnt");
});

test("a spread that came once counts up to a limit, one that came twice in full, and none for ever", () => {
    const usual = 0.03 + WAIT;
    close(arrivals(60, { 30: 800 }).need, usual + MEMORY.onceMore, "once");
    close(arrivals(60, { 30: 800, 41: 700 }).need, 0.03 + PART + 0.7 + MEMORY.onceMore, "twice: the smaller, and a little");
    close(arrivals(60, { 30: 800, 32: 700 }).need, usual + MEMORY.onceMore, "twice at the same time is once");
    close(arrivals(175, { 30: 800, 41: 700 }).need, usual, "two minutes on");
    close(arrivals(60, { 30: 9000, 45: 9000 }).need <= 0.03 + PART + MEMORY.spreadMax ? 1 : 0, 1, "within limits");
});

test("after a skip the wait that went on is not held against the link", () => {
    const seen = arrivals(20);
    const before = seen.need;
    seen.skip();
    seen.add(50000, 49.97 - 20, false);
    seen.add(50010, 49.97, true);
    seen.add(50210, 50.17);
    assert.ok(seen.need < before + 0.2, `${seen.need}`);
});
