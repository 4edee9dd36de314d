import assert from "node:assert/strict";
import test from "node:test";

import { BitRate, History, RunningMedian } from "../../../web/figures.js";

test("the running median forgets what is old and shrugs off outliers", () => {
    const median = new RunningMedian(5);
    assert.equal(median.value, null);
    for (const value of [500, 510, 9000, 490, 505]) median.add(value);
    assert.equal(median.value, 505);
    for (const value of [100, 100, 100, 100, 100]) median.add(value);
    assert.equal(median.value, 100);
    median.clear();
    assert.equal(median.value, null);
});

test("the bit rate is that of the media, over its last seconds", () => {
    const rate = new BitRate(1);
    assert.equal(rate.value, null);
    for (let i = 0; i < 20; i++) rate.add(25000, 0.1);
    assert.equal(Math.round(rate.value), 2000000);
    for (let i = 0; i < 11; i++) rate.add(12500, 0.1);
    assert.equal(Math.round(rate.value), 1000000);
    rate.add(0, 0.1);
    rate.add(100, 0);
    assert.equal(Math.round(rate.value), 1000000, "nonsense is left out");
});

test("a history keeps a minute, with its gaps", () => {
    const history = new History(1000);
    assert.equal(history.range, null);
    assert.equal(history.path(0, 100, 10, 200), "");
    history.add(0, 100);
    history.add(500, null);
    history.add(1000, 200);
    history.add(1200, 0);
    assert.deepEqual(history.range, { least: 0, most: 200 });
    assert.equal(history.path(1200, 100, 10, 200), "M80.0 0.0L100.0 10.0");
    history.clear();
    assert.equal(history.range, null);
});
