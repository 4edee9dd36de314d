import assert from "node:assert/strict";
import test from "node:test";

import { Store, settle } from "./platform.mjs";
import { Cameras } from "../../../web/cameras.js";
import { ProfileWishes } from "../../../web/profiles.js";
import { Requests } from "../../../web/requests.js";

const stream = (state, on_demand = false) => ({ state, on_demand, session: state === "idle" ? null : "S1" });
const yard = (state, on_demand, more) =>
    ({ id: "yard", online: true, on_demand: true, profile: "balanced", stream: stream(state, on_demand), ...more });

/** A gateway whose answers wait until they are given, and a page that asks it. */
async function page(camera) {
    const calls = [];
    globalThis.fetch = (url, init = {}) => new Promise((resolve, reject) => {
        init.signal?.addEventListener("abort", () => reject(new DOMException("aborted", "AbortError")));
        const json = { "content-type": "application/json", ...init.headers };
        calls.push({ url, method: init.method ?? "GET",
            answer: (status, body, headers) => resolve(new Response(JSON.stringify(body), { status, headers: { ...json, ...headers } })) });
    });
    const cameras = new Cameras("yard");
    const requests = new Requests({ cameras, wishes: new ProfileWishes(new Store()) });
    await cameras.sync(async () => [camera]);
    const now = () => cameras.get("yard");
    const action = (byHand = false) => requests.actionOn(now(), { byHand });
    const state = () => requests.describe(now()).state;
    return { calls, cameras, requests, now, action, state };
}

test("what the button does", async () => {
    const rows = [
        [yard("idle"), "watch", "start"],
        [yard("failed"), "watch", "start"],
        [yard("idle", false, { online: false }), "watch", "start"],
        [yard("idle", false, { on_demand: false }), "start", "start"],
        [yard("starting"), "cancel", "cancel"],
        [yard("starting", true), "watch", "watch"],
        [yard("live"), "stop", "stop"],
        [yard("live", true), "watch", "watch"],
        [yard("stopping", true), "none", "none"],
    ];
    for (const [camera, plain, byHand] of rows) {
        const { action } = await page(camera);
        assert.deepEqual([action(), action(true)], [plain, byHand], JSON.stringify(camera.stream));
    }
});

test("watching opens the playlist, and the stream is on show once it is live", async () => {
    const { calls, cameras, requests, now, action, state } = await page(yard("idle"));
    const watching = requests.watch(now());
    assert.deepEqual([calls[0].method, calls[0].url], ["GET", "/live/yard/index.m3u8"]);
    assert.deepEqual([state(), action()], ["starting", "leave"]);

    cameras.put(yard("starting", true));
    assert.deepEqual([state(), action(), requests.shows(now())], ["starting", "leave", false]);
    calls[0].answer(200, "");
    await settle();
    assert.equal(calls[1].url, "/api/v1/cameras/yard/stream");
    calls[1].answer(200, stream("live", true));
    await watching;
    assert.deepEqual([state(), action(), requests.shows(now())], ["live", "leave", true]);
    assert.equal(calls.length, 2, "nothing else was asked for");
});

test("a page that only stands open does not play what runs for somebody else", async () => {
    const { calls, requests, now, state } = await page(yard("live", true));
    assert.deepEqual([state(), requests.shows(now())], ["unwatched", false]);
    assert.match(requests.describe(now()).words, /Watch/);
    requests.watch(now());
    assert.deepEqual([state(), requests.shows(now())], ["live", true]);
    assert.equal(calls.length, 1);
});

test("a stream that was started by hand is everybody's", async () => {
    const { requests, now, state } = await page(yard("live", false));
    assert.deepEqual([state(), requests.shows(now())], ["live", true]);
});

test("leaving asks for nothing, and takes the wish back that is under way", async () => {
    const { calls, cameras, requests, now, action, state } = await page(yard("idle"));
    const watching = requests.watch(now());
    requests.leave(now());
    await watching;
    assert.deepEqual([state(), action()], ["idle", "watch"]);
    cameras.put(yard("live", true));
    assert.deepEqual([state(), requests.shows(now())], ["unwatched", false]);
    assert.equal(calls.length, 1);
});

test("who leaves and comes back at once waits for the second answer", async () => {
    const { calls, requests, now, action, state } = await page(yard("idle"));
    const first = requests.watch(now());
    requests.leave(now());
    requests.watch(now());
    await first;
    assert.deepEqual([state(), action(), calls.length], ["starting", "leave", 2]);
    assert.match(requests.describe(now()).words, /Asking the camera/);
});

test("what has ended is not watched on when somebody else starts it", async () => {
    const { calls, cameras, requests, now } = await page(yard("live", true));
    const watching = requests.watch(now());
    calls[0].answer(200, "");
    await settle();
    calls[1].answer(200, stream("live", true));
    await watching;
    cameras.put(yard("idle"));
    cameras.put(yard("live", true));
    assert.equal(requests.shows(now()), false);
});

test("a recording that a viewer's session stands in the way of says so", async () => {
    const { calls, cameras, requests, now, action, state } = await page(yard("idle"));
    const starting = requests.start(now(), { record: true });
    cameras.put(yard("live", true)); // somebody else was quicker
    calls[0].answer(409, { code: "not_recording", detail: "that session is not recorded" });
    await starting;
    assert.deepEqual([state(), action()], ["unwatched", "watch"]);
    const { tone, words } = requests.describe(now());
    assert.deepEqual([tone, words], ["failed", "That session is not recorded."]);
    requests.watch(now());
    assert.equal(state(), "live");
});

test("a camera that does not come says why", async () => {
    const { calls, requests, now, action, state } = await page(yard("idle"));
    const watching = requests.watch(now());
    calls[0].answer(503, { code: "not_started", detail: "the camera is offline" }, { "retry-after": "5" });
    await watching;
    assert.deepEqual([state(), action()], ["idle", "watch"]);
    const { tone, words } = requests.describe(now());
    assert.deepEqual([tone, words], ["failed", "The camera is offline."]);
});

test("one that was stopped by hand a moment ago says when to try again", async () => {
    const { calls, requests, now } = await page(yard("idle"));
    const watching = requests.watch(now());
    calls[0].answer(404, { detail: "Nothing is live on this camera." });
    await watching;
    assert.match(requests.describe(now()).words, /stopped by hand.*ten seconds\.$/);
});

test("a start by hand of what runs on demand can be cancelled while it is under way", async () => {
    const { calls, requests, now, action, state } = await page(yard("starting", true));
    const starting = requests.start(now(), { record: true });
    assert.deepEqual([state(), action(), action(true)], ["starting", "cancel", "cancel"]);
    const stopping = requests.stop(now());
    assert.deepEqual([state(), action()], ["stopping", "none"]);
    calls[0].answer(201, stream("starting"));
    calls[1].answer(200, stream("idle"));
    await Promise.all([starting, stopping]);
    assert.deepEqual([state(), action()], ["idle", "watch"]);
    assert.deepEqual(calls.map(({ method }) => method), ["POST", "DELETE"]);
});

test("a restart of what runs on demand can be cancelled, and then starts nothing", async () => {
    const { calls, requests, now, action, state } = await page(yard("live", true));
    requests.watch(now());
    calls[0].answer(200, "");
    await settle();
    calls[1].answer(200, stream("live", true));
    await settle();
    const restarting = requests.restart(now());
    assert.deepEqual([state(), action()], ["starting", "cancel"]);
    const stopping = requests.stop(now());
    calls[2].answer(200, stream("stopping", true));
    await restarting;
    calls[3].answer(200, stream("idle"));
    await stopping;
    assert.deepEqual([state(), action()], ["idle", "watch"]);
    assert.deepEqual(calls.slice(2).map(({ method }) => method), ["DELETE", "DELETE"]);
});
