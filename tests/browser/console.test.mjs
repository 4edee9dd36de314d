// The console as a person meets it: a real Chromium in front of a real stack. Live pictures are proven by the time
// barcode in the frames that the browser presents, not by the state of an element.

import assert from "node:assert/strict";

import { accessibilityViolations, framesSeen, openPage, percentile, seen } from "./chrome.mjs";
import { Story } from "./story.mjs";

const CAMERA = "cam-1";
const SECOND = "cam-2";
const WARM_UP_MS = 6000;
const MEASURED_MS = 8000;
const P50_LIMIT_MS = 1000;
const STALL_LIMIT = 3;
const SENTENCE = /^\S.{10,}[^.?!][.?!]$/;
const PHONE = { width: 360, height: 780 };
const NARROW = { width: 320, height: 640 };
const DESK = { width: 1280, height: 900 };

let page;
let troubles;
let session = { from: 0, to: 0 };

const story = new Story("console", { cameras: 2 }, async () => {
    ({ page, troubles } = await openPage(story.browser, { colorScheme: "dark" }));
    story.page = page;
});
const { stack } = story;
const step = story.step.bind(story);
const shot = story.shot.bind(story);
const words = () => page.textContent("#stage-words");

async function assertAccessible(where) {
    assert.deepEqual(await accessibilityViolations(page), [], where);
}

async function assertNoSideways(where) {
    const [content, window] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    assert.ok(content <= window, `${where}: ${content} px wide in a window of ${window}`);
}

async function select(camera) {
    await page.click(`.camera[data-camera="${camera}"]`);
    await page.waitForSelector(`#stage[data-camera="${camera}"]`);
    await page.evaluate(() => window.scrollTo(0, 0));
}

step("the page lists the cameras and says that they are ready", async () => {
    await page.goto(`${stack.url}/?camera=${CAMERA}`);
    await page.waitForSelector('#link[data-link="connected"]');
    await page.waitForSelector(`#stage[data-camera="${CAMERA}"][data-tone="ready"]`);
    assert.equal(await page.locator(".camera").count(), 2);
    assert.match(await words(), /Start/);
    await assertAccessible("idle, dark");
    await shot("idle-dark");
});

step("it holds in the light and at the width of a phone", async () => {
    await page.emulateMedia({ colorScheme: "light" });
    await assertAccessible("idle, light");
    await shot("idle-light");
    await page.setViewportSize(PHONE);
    await assertNoSideways("idle");
    await assertAccessible("idle, phone");
    await shot("idle-phone", { fullPage: true });
    await page.setViewportSize(DESK);
    await page.emulateMedia({ colorScheme: "dark" });
});

step("a click on Start brings live pictures", async () => {
    await page.check("#record");
    await page.evaluate(() => window.watchVideo("#video"));
    session.from = Date.now();
    const answer = page.waitForResponse((response) => response.request().method() === "POST");
    await page.click("#power");
    assert.equal((await answer).status(), 201);
    const readyAfter = Date.now() - session.from;

    await framesSeen(page, "#video", 100, 30000);
    await page.waitForFunction((ms) => {
        const { frames, firstAt } = window.watches["#video"];
        return frames.at(-1).shown - firstAt > ms;
    }, WARM_UP_MS + MEASURED_MS, { timeout: 40000 });

    const watch = await seen(page, "#video");
    const made = watch.frames.map((frame) => frame.made);
    assert.ok(made.every((ms, i) => i === 0 || ms >= made[i - 1]), "the barcodes never go back");
    assert.ok(new Set(made).size >= 100, `${new Set(made).size} distinct pictures`);
    assert.ok(made[0] >= session.from - 1000, "the first picture is not older than the start");
    assert.ok(watch.unreadable <= made.length / 100, `${watch.unreadable} of ${made.length} pictures unreadable`);

    const settled = watch.frames.filter((frame) => frame.shown - watch.firstAt > WARM_UP_MS);
    const latencies = settled.map((frame) => frame.shown - frame.made);
    const stalls = watch.stalledAt.filter((at) => at - watch.firstAt > WARM_UP_MS).length;
    const [p50, p95] = [50, 95].map((p) => Math.round(percentile(latencies, p)));
    console.log(`start to answer ${readyAfter} ms, to first picture ${Math.round(watch.firstAt - session.from)} ms; ` +
        `glass to glass p50 ${p50} ms, p95 ${p95} ms over ${latencies.length} pictures; ${watch.stalls} stalls, ${stalls} late`);
    assert.ok(p50 <= P50_LIMIT_MS, `p50 ${p50} ms`);
    assert.ok(p50 > 0, "a picture cannot be shown before it is made");
    assert.ok(stalls <= STALL_LIMIT, `${stalls} stalls`);
});

step("the page says what it measures, on a key", async () => {
    assert.match(await words(), /^Live since .*, being recorded\.$/);
    await page.evaluate(() => document.activeElement.blur());
    await page.keyboard.press("i");
    await page.waitForFunction(() => document.getElementById("figure-latency-how").textContent === "measured in the picture");
    const { frames } = await seen(page, "#video");
    const recent = frames.slice(-60).map((frame) => frame.shown - frame.made);
    const told = 1000 * Number.parseFloat(await page.textContent("#figure-latency"));
    assert.ok(Math.abs(told - percentile(recent, 50)) < 150, `page: ${told} ms, test: ${percentile(recent, 50)} ms`);
    const figure = (id) => page.textContent(`#figure-${id}`);
    assert.match(await figure("bits"), /^\d+ kbit\/s$|^\d\.\d Mbit\/s$/);
    assert.match(await figure("dropped"), /^\d+ of \d+$/);
    assert.deepEqual([await figure("picture"), await figure("profile"), await figure("delivery")],
        ["640 × 480", "Balanced", "hls.js"]);
    assert.match(await page.getAttribute("#spark", "aria-label"), /^Latency of the last minute: between \d/);
    await assertAccessible("live, figures");
    await shot("live-dark", { fullPage: true });
});

step("with the figures it fits a phone, the narrowest too", async () => {
    for (const viewport of [PHONE, NARROW]) {
        await page.setViewportSize(viewport);
        await assertNoSideways(`live, ${viewport.width}`);
    }
    await assertAccessible("live, phone");
    await page.setViewportSize(PHONE);
    await shot("live-phone", { fullPage: true });
    await page.setViewportSize(DESK);
});

step("everything is to be had from the keyboard", async () => {
    await page.keyboard.press("?");
    await page.waitForSelector("#keys[open]");
    assert.equal(await page.locator("#keys-list kbd").count(), 6);
    await assertAccessible("keys");
    await shot("keys");
    await page.keyboard.press("Escape");
    await page.keyboard.press("f");
    await page.waitForFunction(() => document.fullscreenElement?.id === "frame");
    await page.waitForSelector("#frame #panel", { timeout: 5000 }); // the figures come along
    await shot("full-screen");
    await page.keyboard.press("f");
    await page.waitForFunction(() => document.fullscreenElement === null);
    await page.keyboard.press("Escape");
    await page.waitForSelector("#panel", { state: "hidden" });
    assert.equal(await page.getAttribute("#panel-toggle", "aria-expanded"), "false");
});

step("pause holds the picture, play returns to the edge", async () => {
    await page.keyboard.press("k");
    await page.waitForFunction(() => document.getElementById("video").paused);
    assert.match(await words(), /^Paused/);
    await page.click("#pause");
    const count = (await seen(page, "#video")).frames.length;
    await framesSeen(page, "#video", count + 30, 15000);
});

step("a click on Stop ends it, and the recording appears", async () => {
    await page.click("#power");
    await page.waitForSelector(`#stage[data-camera="${CAMERA}"][data-tone="ready"]`);
    session.to = Date.now();
    await page.waitForSelector(".recording", { timeout: 30000 });
    const { recordings } = await (await stack.get("/api/v1/recordings")).json();
    assert.equal(recordings.length, 1);
    assert.equal(recordings[0].camera, CAMERA);
    await page.waitForFunction(() => document.querySelector(".recording img").naturalWidth > 0);
    await shot("recordings", { fullPage: true });
});

step("the recording plays, and shows what happened then", async () => {
    await page.evaluate(() => window.watchVideo("#theatre-video"));
    await page.focus(".recording-play");
    await page.keyboard.press("Enter");
    await framesSeen(page, "#theatre-video", 60, 20000);

    const { frames } = await seen(page, "#theatre-video");
    const made = frames.map((frame) => frame.made);
    assert.ok(made.every((ms, i) => i === 0 || ms >= made[i - 1]), "the barcodes never go back");
    assert.ok(made[0] >= session.from && made.at(-1) <= session.to, "every picture is of the session");
    assert.ok((await page.evaluate(() => document.getElementById("theatre-video").currentTime)) > 1);
    await page.waitForFunction(() => document.getElementById("theatre-time").textContent.startsWith("Picture of"));
    await assertAccessible("theatre");
    await shot("recording");

    await page.keyboard.press("Escape");
    await page.waitForSelector("#theatre", { state: "hidden" });
    assert.ok(await page.evaluate(() => document.activeElement.matches(".recording-play")), "the focus is back");
});

step("it can be downloaded", async () => {
    const response = await stack.get(await page.getAttribute(".recording a[download]", "href"));
    const bytes = new Uint8Array(await response.arrayBuffer());
    assert.equal(response.headers.get("content-type"), "video/mp4");
    assert.equal(new TextDecoder().decode(bytes.subarray(4, 8)), "ftyp");
});

step("it can be renamed, and a title is only ever text", async () => {
    const title = "<img src=x onerror=alert(1)> & friends";
    await page.click(".recording h3 button");
    await page.keyboard.type(title);
    await page.keyboard.press("Enter");
    await page.waitForFunction((text) => document.querySelector(".recording-title").textContent === text, title);
    assert.equal(await page.locator(".recording-title img").count(), 0);
});

step("a protected one cannot be deleted; an unprotected one is, after a question", async () => {
    await page.click(".recording .tool[aria-pressed='false']");
    await page.waitForSelector(".recording .tool.danger:disabled");
    await page.click(".recording .tool[aria-pressed='true']");
    await page.click(".recording .tool.danger:enabled");
    await assertAccessible("question");
    await shot("question");
    await page.keyboard.press("Escape");
    assert.equal(await page.locator(".recording").count(), 1, "Escape means no");
    await page.click(".recording .tool.danger");
    await page.click("#question-yes");
    await page.waitForSelector(".recording", { state: "detached" });
});

step("until here nothing went wrong in the page", () => {
    assert.deepEqual(troubles, []);
});

step("a camera that hangs: the page says which step failed and why", async () => {
    await select(SECOND);
    stack.signal(`camera-${SECOND}`, "SIGSTOP");
    try {
        await page.click("#power");
        await page.waitForSelector('#stage[data-tone="busy"]');
        await shot("starting");
        await page.waitForSelector('#stage[data-tone="failed"], #stage[data-tone="off"]', { timeout: 40000 });
    } finally {
        stack.signal(`camera-${SECOND}`, "SIGCONT");
    }
    assert.match(await words(), SENTENCE);
    console.log(`hanging camera: ${await words()}`);
    await assertAccessible("failed");
    await shot("failed-camera");
});

step("a camera that is gone: the page says so, and what a start answers", async () => {
    stack.signal(`camera-${SECOND}`, "SIGKILL");
    await page.waitForSelector(`.camera[data-camera="${SECOND}"][data-tone="off"]`, { timeout: 40000 });
    await page.click("#power");
    await page.waitForSelector('#stage[data-tone="failed"]', { timeout: 20000 });
    assert.match(await words(), SENTENCE);
    console.log(`camera that is gone: ${await words()}`);
    await shot("offline-camera");
});

step("without a gateway the page says so, and finds it again by itself", async () => {
    stack.signal("gateway", "SIGTERM");
    await page.waitForSelector('#link[data-link="lost"]', { timeout: 30000 });
    assert.match(await page.textContent("#link-words"), /No connection/);
    await assertAccessible("lost");
    await shot("lost");
    await stack.up();
    await page.waitForSelector('#link[data-link="connected"]', { timeout: 40000 });
});
