// A camera on demand: the page watches it, needs no Stop, and keeps it running for nobody but those who watch.

import assert from "node:assert/strict";

import { accessibilityViolations, framesSeen, openPage } from "./chrome.mjs";
import { Story } from "./story.mjs";

const CAMERA = "cam-1";
const IDLE_MS = 7000; // the least that the configuration takes

let page;
let context;
let troubles;
let other; // a page that stands open

const configure = (text) =>
    text.replace(/^( *)- id: cam-1$/m, `$&\n$1  on_demand: true\n$1  idle_timeout_ms: ${IDLE_MS}`);
const story = new Story("demand", { cameras: 1, configure }, async () => {
    ({ page, context, troubles } = await openPage(story.browser));
    story.page = page;
});
const { stack } = story;
const step = story.step.bind(story);
const open = async (on) => {
    await on.goto(`${stack.url}/?camera=${CAMERA}`);
    await on.waitForSelector(`#stage[data-camera="${CAMERA}"]`);
};
const streamNow = async () => (await stack.get(`/api/v1/cameras/${CAMERA}/stream`)).json();
const words = (on = page) => on.textContent("#stage-words");
const button = (on = page) => on.textContent("#power");
const buttonBecomes = (text, on = page) => on.waitForFunction((wanted) =>
    document.getElementById("power").textContent === wanted, text, { timeout: 5000 });

step("the page says that the camera starts when watched, and does not start it", async () => {
    await open(page);
    assert.equal(await page.textContent("#stage-state"), "Starts when watched");
    assert.equal(await page.textContent(".camera-state"), "Starts when watched");
    assert.equal(await button(), "Watch");
    assert.match(await words(), /stops by itself/);
    await page.check("#record");
    assert.equal(await button(), "Start", "a recording is by hand");
    await page.uncheck("#record");
    assert.equal(await button(), "Watch");
    assert.deepEqual(await accessibilityViolations(page), []);
    assert.equal((await streamNow()).state, "idle");
});

step("Watch, from the keyboard: the playlist is opened, and live pictures come", async () => {
    const asked = [];
    page.on("request", (request) => asked.push(`${request.method()} ${new URL(request.url()).pathname}`));
    await page.evaluate(() => {
        window.said = [];
        const note = () => window.said.push(document.getElementById("stage-words").textContent);
        new MutationObserver(note).observe(document.getElementById("stage-words"), { childList: true });
        window.watchVideo("#video");
    });
    await page.focus("#power");
    await page.keyboard.press("Enter");
    await framesSeen(page, "#video", 30, 10000);

    assert.equal(asked[0], `GET /live/${CAMERA}/index.m3u8`);
    assert.deepEqual(asked.filter((line) => !line.startsWith("GET ")), []);
    const { state, on_demand } = await streamNow();
    assert.deepEqual([state, on_demand], ["live", true]);
    assert.match((await page.evaluate(() => window.said))[0], /start|brought up/i);
    assert.match(await words(), /^Live since .*, for as long as somebody watches\.$/);
    assert.equal(await button(), "Leave");
    assert.ok(await page.evaluate(() => document.activeElement.id === "power"), "the focus stays");
});

step("a page beside it does not play by itself, and can come along and leave", async () => {
    ({ page: other } = await openPage(story.browser));
    const media = [];
    other.on("request", (request) => request.url().includes("/live/") && media.push(request.url()));
    await open(other);
    await other.waitForSelector('#stage[data-tone="live"]');
    assert.match(await words(other), /somebody else/);
    assert.equal(await button(other), "Watch");
    assert.deepEqual(media, []);
    await other.evaluate(() => window.watchVideo("#video"));
    await other.click("#power");
    await framesSeen(other, "#video", 10, 5000);
    await other.click("#power");
    await buttonBecomes("Watch", other);
    assert.equal((await streamNow()).state, "live");
});

step("the page is closed, and the camera stops by itself, though another one stands open", async () => {
    assert.deepEqual(troubles, []);
    await context.close();
    const closedAt = Date.now();
    await other.waitForSelector('#stage[data-tone="ready"]', { timeout: IDLE_MS + 5000 });
    const after = Date.now() - closedAt;
    assert.equal((await streamNow()).state, "idle");
    assert.ok(after > IDLE_MS - 1500, `${after} ms`);
    console.log(`idle ${after} ms after the page was closed`);
});
