import assert from "node:assert/strict";
import test from "node:test";

import { HintedParts, hintOf, hintedConfig } from "../../../web/hint.js";
import { settle } from "./platform.mjs";

/** A server that answers when the test says so. */
class Server {
    asked = [];

    fetch = (url, { signal }) => new Promise((resolve, reject) => {
        signal.addEventListener("abort", () => reject(new Error("aborted")));
        this.asked.push({ url, signal, answer: (bytes) => resolve({ ok: bytes !== null, status: 404,
            arrayBuffer: async () => new Uint8Array(bytes).buffer }) });
    });
}

/** As much of hls.js as the fragment loader needs. */
const Hls = { DefaultConfig: { loader: class {
    stats = { loading: { start: 0, first: 0, end: 0 }, loaded: 0, total: 0 };
    loads = [];

    load(context, config, callbacks) {
        this.loads.push(context.url);
        this.callbacks = callbacks;
    }

    abort() {}

    destroy() {
        this.callbacks = null;
    }
} } };

test("only live streams of short parts are asked ahead", () => {
    const details = { live: true, partTarget: 0.1, url: "http://h/live/c/s/media.m3u8?_HLS_msn=1",
        preloadHint: { TYPE: "PART", URI: "part-7.m4s" } };
    assert.equal(hintOf(details), "http://h/live/c/s/part-7.m4s");
    assert.equal(hintOf({ ...details, partTarget: 0.2 }), null);
    assert.equal(hintOf({ ...details, live: false }), null);
    assert.equal(hintOf({ ...details, preloadHint: undefined }), null);
    assert.equal(hintOf({ ...details, preloadHint: { TYPE: "MAP", URI: "init.mp4" } }), null);
});

test("each hint is asked once, taken once, and old ones are let go", () => {
    const server = new Server();
    const parts = new HintedParts(server.fetch);
    const urls = [..."abcdefghi"];
    for (const url of ["a", ...urls]) parts.ask(url);
    assert.deepEqual(server.asked.map(({ url }) => url), urls);
    const aborted = () => server.asked.filter(({ signal }) => signal.aborted).map(({ url }) => url).join("");
    assert.equal(aborted(), "a");
    assert.equal(parts.take("a"), null);
    assert.notEqual(parts.take("b"), null);
    assert.equal(parts.take("b"), null);
    parts.clear();
    assert.equal(aborted(), "acdefghi", "what was taken is the taker's");
});

function setUp() {
    const server = new Server();
    const parts = new HintedParts(server.fetch);
    const { fLoader } = hintedConfig(Hls, parts);
    const got = [];
    const loader = new fLoader();
    const load = (url, part = {}) => loader.load({ url, part }, {}, { onSuccess: (response) => got.push(response) });
    return { server, parts, loader, load, got };
}

test("a part that was hinted at is delivered from what is on its way", async () => {
    const { server, parts, loader, load, got } = setUp();
    parts.ask("part-7");
    load("part-7");
    assert.deepEqual(loader.loads, []);
    server.asked[0].answer([1, 2, 3]);
    await settle();
    assert.equal(got[0].data.byteLength, 3);
    assert.equal(loader.stats.loaded, 3);
});

test("what was not hinted at, whole segments, and hints that failed are loaded as ever", async () => {
    const { server, parts, loader, load, got } = setUp();
    load("part-8");
    load("seg-1", null);
    parts.ask("part-9");
    load("part-9");
    server.asked[0].answer(null);
    await settle();
    assert.deepEqual(loader.loads, ["part-8", "seg-1", "part-9"]);
    assert.deepEqual(got, []);
});

test("what comes after the loader has gone is dropped", async () => {
    const { server, parts, loader, load, got } = setUp();
    parts.ask("part-7");
    load("part-7");
    loader.destroy();
    assert.ok(server.asked[0].signal.aborted);
    server.asked[0].answer([1]);
    await settle();
    assert.deepEqual([got, loader.loads], [[], []]);
});
