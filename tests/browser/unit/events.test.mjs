import assert from "node:assert/strict";
import test from "node:test";

import { settle } from "./platform.mjs";
import { EventFeed } from "../../../web/events.js";

/** Timers that run when the test says so. */
class Clock {
    now = 0;
    #next = 1;
    #due = new Map();

    setTimeout = (action, ms) => {
        this.#due.set(this.#next, { at: this.now + ms, action });
        return this.#next++;
    };

    clearTimeout = (id) => this.#due.delete(id);

    async advance(ms) {
        const end = this.now + ms;
        for (;;) {
            const [id, timer] = [...this.#due].sort((a, b) => a[1].at - b[1].at)[0] ?? [];
            if (!timer || timer.at > end) break;
            this.#due.delete(id);
            this.now = timer.at;
            timer.action();
            await settle();
        }
        this.now = end;
    }
}

class Source extends EventTarget {
    closed = false;

    close() {
        this.closed = true;
    }

    say(name, data) {
        this.dispatchEvent(Object.assign(new Event(name), { data }));
    }
}

function setUp({ reachable = true } = {}) {
    const world = { clock: new Clock(), sources: [], polls: 0, links: [], syncs: 0, heard: [], reachable };
    world.feed = new EventFeed({
        url: "/api/v1/events",
        timers: world.clock,
        open: () => world.sources[world.sources.push(new Source()) - 1],
        poll: async () => {
            world.polls++;
            if (!world.reachable) throw new Error("unreachable");
        },
    });
    world.feed.addEventListener("link", ({ detail }) => world.links.push(detail));
    world.feed.addEventListener("sync", () => world.syncs++);
    for (const name of ["camera", "recording", "recording-deleted", "alarm"]) {
        world.feed.addEventListener(name, ({ detail }) => world.heard.push([name, detail]));
    }
    return world;
}

test("events arrive by name, and each opening asks for the lists", () => {
    const { feed, sources, heard, links, ...world } = setUp();
    let syncs = 0;
    feed.addEventListener("sync", () => syncs++);
    feed.start();
    sources[0].say("open");
    sources[0].say("camera", '{"id":"cam-1"}');
    sources[0].say("recording-deleted", '{"id":"r1"}');
    assert.deepEqual(heard, [["camera", { id: "cam-1" }], ["recording-deleted", { id: "r1" }]]);
    assert.deepEqual(links, ["connected"]);
    assert.equal(syncs, 1);
    assert.equal(world.polls, 0);
    feed.stop();
});

test("what is not JSON is left out", () => {
    const { feed, sources, heard } = setUp();
    feed.start();
    sources[0].say("camera", "{oops");
    assert.deepEqual(heard, []);
    feed.stop();
});

test("without events it polls, and says so", async () => {
    const world = setUp();
    world.feed.start();
    world.sources[0].say("error");
    await settle();
    assert.equal(world.polls, 1);
    assert.deepEqual(world.links, ["polling"]);
    assert.ok(world.sources[0].closed);
    await world.clock.advance(6100);
    assert.equal(world.polls, 3);
    world.feed.stop();
});

test("when polling fails as well, the link is lost, and found again", async () => {
    const world = setUp({ reachable: false });
    world.feed.start();
    world.sources[0].say("error");
    await settle();
    assert.deepEqual(world.links, ["lost"]);
    world.reachable = true;
    await world.clock.advance(3000);
    assert.deepEqual(world.links, ["lost", "polling"]);
    world.feed.stop();
});

test("it reconnects with growing patience, and polling ends when events are back", async () => {
    const world = setUp();
    world.feed.start();
    const openings = [];
    for (let attempt = 0; attempt < 7; attempt++) {
        const count = world.sources.length;
        const failedAt = world.clock.now;
        world.sources.at(-1).say("error");
        while (world.sources.length === count) await world.clock.advance(100);
        openings.push(world.clock.now - failedAt);
    }
    assert.deepEqual(openings, [1000, 2000, 4000, 8000, 15000, 15000, 15000]);
    world.sources.at(-1).say("open");
    await settle();
    const polls = world.polls;
    await world.clock.advance(60000);
    assert.equal(world.polls, polls);
    assert.equal(world.links.at(-1), "connected");
    world.feed.stop();
});

test("stopped, it is silent; started again, it begins anew", async () => {
    const world = setUp();
    world.feed.start();
    world.sources[0].say("error");
    await settle();
    world.feed.stop();
    await world.clock.advance(60000);
    assert.equal(world.sources.length, 1);
    assert.equal(world.polls, 1);
    world.feed.start();
    assert.equal(world.sources.length, 2);
    world.sources[1].say("open");
    assert.equal(world.links.at(-1), "connected");
    world.feed.stop();
});

test("restarted, it connects at once and says nothing of a change that is none; stopped, it stays so", async () => {
    const world = setUp();
    world.feed.start();
    world.sources[0].say("open");
    world.feed.restart();
    assert.ok(world.sources[0].closed);
    assert.equal(world.sources.length, 2);
    world.sources[1].say("open");
    assert.deepEqual(world.links, ["connected"]);
    world.feed.stop();
    world.feed.restart();
    assert.equal(world.sources.length, 2);
});
