import assert from "node:assert/strict";
import test from "node:test";

import "./platform.mjs";
import { WakeWatch } from "../../../web/wake.js";

class World {
    wall = 1000000;
    steady = 0;
    page = Object.assign(new EventTarget(), { hidden: false });
    window = new EventTarget();
    heard = [];
    #tick;

    constructor() {
        const timers = { setInterval: (tick) => (this.#tick = tick) };
        const clocks = () => [this.wall, this.steady];
        const watch = new WakeWatch({ timers, page: this.page, window: this.window, clocks });
        watch.addEventListener("back", ({ detail }) => this.heard.push([detail.why, detail.awayMs]));
    }

    pass(wall, steady = wall) {
        this.wall += wall;
        this.steady += steady;
    }

    tick(wall, steady) {
        this.pass(wall, steady);
        this.#tick();
    }
}

test("timers on time, or a little late, are no sleep", () => {
    const world = new World();
    for (const ms of [1000, 1001, 3000, 1000]) world.tick(ms);
    assert.deepEqual(world.heard, []);
});

test("sleep shows in the wall clock, whether or not the other one stood still", () => {
    const world = new World();
    world.tick(1000);
    world.tick(60000, 1000);
    world.tick(1000);
    world.tick(60000, 60000);
    assert.deepEqual(world.heard, [["slept", 60000], ["slept", 60000]]);
});

test("a wall clock that is set back is no sleep", () => {
    const world = new World();
    world.tick(-3600000, 1000);
    world.tick(1000);
    assert.deepEqual(world.heard, []);
});

test("throttled timers of a hidden page are no sleep, a night is", () => {
    const world = new World();
    world.page.hidden = true;
    world.tick(1000);
    world.tick(60000);
    world.tick(60000);
    assert.deepEqual(world.heard, []);
    world.tick(8 * 3600000);
    assert.deepEqual(world.heard, [["slept", 8 * 3600000]]);
});

test("being looked at again is told, without a guess at how long it was", () => {
    const world = new World();
    world.page.hidden = true;
    world.page.dispatchEvent(new Event("visibilitychange"));
    world.tick(30000);
    world.pass(20000);
    world.page.hidden = false;
    world.page.dispatchEvent(new Event("visibilitychange"));
    assert.deepEqual(world.heard, [["visible", 0]]);
    world.tick(1000);
    assert.deepEqual(world.heard.length, 1);
});

test("a frozen page tells for how long it was, a page brought back from the cache that it was", () => {
    const world = new World();
    world.page.dispatchEvent(new Event("freeze"));
    world.pass(90000);
    world.page.dispatchEvent(new Event("resume"));
    world.tick(1000);
    assert.deepEqual(world.heard, [["resumed", 90000]]);
    world.window.dispatchEvent(Object.assign(new Event("pageshow"), { persisted: false }));
    world.window.dispatchEvent(Object.assign(new Event("pageshow"), { persisted: true }));
    assert.deepEqual(world.heard.map(([why]) => why), ["resumed", "resumed"]);
});

test("a network that is back is told at once", () => {
    const world = new World();
    world.window.dispatchEvent(new Event("online"));
    assert.deepEqual(world.heard, [["online", 0]]);
});
