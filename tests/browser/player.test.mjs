// The player under what networks, machines and other viewers do to it. Pictures are proven by the time barcode in them.

import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";

import { accessibilityViolations, framesSeen, openPage, percentile, seen } from "./chrome.mjs";
import { Story } from "./story.mjs";

const CAMERA = "cam-1";
const CLOSE_MS = 1500; // a picture no older than this is at the edge, on a machine that does much else
const BACK_MS = 20000;

let page;
let context;
let other; // somebody else who watches

const story = new Story("player", { cameras: 1 }, async () => {
    ({ page, context } = await openPage(story.browser));
    story.page = page;
});
const { stack } = story;
const step = story.step.bind(story);

const open = async (on) => {
    await on.goto(`${stack.url}/?camera=${CAMERA}`);
    await on.waitForSelector(`#stage[data-camera="${CAMERA}"]`);
    await on.evaluate(() => window.watchVideo("#video"));
};
const streamNow = async () => (await stack.get(`/api/v1/cameras/${CAMERA}/stream`)).json();
const words = () => page.textContent("#stage-words");
const figure = async (id) => {
    await page.waitForSelector("#panel:not([hidden])");
    return page.textContent(`#figure-${id}`);
};
const figureBecomes = (id, text) => page.waitForFunction(([place, wanted]) =>
    document.getElementById(place).textContent === wanted, [`figure-${id}`, text], { timeout: 5000 });

async function api(method, body) {
    const response = await fetch(`${stack.url}/api/v1/cameras/${CAMERA}/stream`,
        { method, headers: { "Content-Type": "application/json" }, body: body && JSON.stringify(body) });
    assert.ok(response.ok, `${method}: ${response.status}`);
}

const ageNow = async (on) => percentile((await seen(on, "#video")).frames.slice(-60).map(({ made, shown }) => shown - made), 50);

/** Waits for pictures that were made after now, and are hardly older than `usual` when they are shown. */
async function comesBack(on, usual = 0) {
    const from = Date.now();
    await on.waitForFunction(([since, young]) => {
        const fresh = window.watches["#video"].frames.filter(({ made }) => made > since).slice(-15);
        return fresh.length === 15 && fresh.every(({ made, shown }) => shown - made < young);
    }, [from, Math.max(CLOSE_MS, 2 * usual)], { timeout: BACK_MS, polling: 100 });
    return Date.now() - from;
}

async function choose(id) {
    await page.click(`.profile[data-profile="${id}"]`);
}

step("the profile that is configured is chosen, and another can be, with its price told", async () => {
    await open(page);
    const pressed = () => page.getAttribute('.profile[aria-pressed="true"]', "data-profile");
    assert.equal(await pressed(), "balanced");
    await choose("realtime");
    assert.equal(await pressed(), "realtime");
    assert.match(await page.textContent("#profile-note"), /30 requests a second/);
    await page.reload();
    await open(page);
    assert.equal(await pressed(), "realtime", "it is remembered");
    assert.deepEqual(await accessibilityViolations(page), []);
});

step("realtime: started as such, close to the present, and parts are asked for before they are named", async () => {
    const requests = [];
    page.on("request", (request) => requests.push({ url: request.url(), type: request.resourceType() }));
    const posted = page.waitForRequest((request) => request.method() === "POST");
    await page.click("#power");
    assert.deepEqual((await posted).postDataJSON(), { record: false, profile: "realtime" });
    await framesSeen(page, "#video", 240, 30000);
    assert.equal((await streamNow()).profile, "realtime");
    await page.keyboard.press("i");
    await figureBecomes("profile", "Realtime");

    const { frames } = await seen(page, "#video");
    const ages = frames.slice(-90).map(({ made, shown }) => shown - made);
    console.log(`realtime: p50 ${Math.round(percentile(ages, 50))} ms, p95 ${Math.round(percentile(ages, 95))} ms`);
    assert.ok(percentile(ages, 50) < 1000, `${percentile(ages, 50)} ms`);
    const parts = requests.filter(({ url }) => url.includes("/part-"));
    const ahead = parts.filter(({ type }) => type === "fetch");
    assert.ok(ahead.length > 0.7 * parts.length, `${ahead.length} of ${parts.length} asked for by their hint`);
    assert.ok(new Set(parts.map(({ url }) => url)).size > 0.9 * parts.length, "and not a second time");
});

step("a session change: everybody goes on watching", async () => {
    ({ page: other } = await openPage(story.browser));
    await open(other);
    await framesSeen(other, "#video", 30, 20000);
    const before = (await streamNow()).session;
    await choose("economy");
    await page.waitForSelector('#stage[data-tone="busy"]');
    await page.waitForSelector('#stage[data-tone="live"]', { timeout: 20000 });
    const now = await streamNow();
    assert.notEqual(now.session, before);
    assert.equal(now.profile, "economy");
    const from = Date.now();
    const goesOn = (on) => on.waitForFunction((since) =>
        window.watches["#video"].frames.filter(({ made }) => made > since - 4000).length > 30, from, { timeout: 20000 });
    await Promise.all([goesOn(page), goesOn(other)]);
    for (const each of [page, other]) {
        assert.equal(await each.getAttribute('.profile[aria-pressed="true"]', "data-profile"), "economy");
    }
    await figureBecomes("part", "none, whole segments");
});

step("economy does not end in stall after stall", async () => {
    const stalls = (await seen(page, "#video")).stalls;
    await pause(8000);
    const later = (await seen(page, "#video")).stalls;
    assert.ok(later - stalls <= 2, `${later - stalls} stalls in 8 s`); // a segment takes two
});

step("a recorded stream is restarted only after a question", async () => {
    await api("DELETE");
    await api("POST", { record: true, profile: "balanced" });
    await page.waitForSelector("#recording-now:not([hidden])");
    const { session } = await streamNow();
    await choose("realtime");
    await page.waitForSelector("#question[open]");
    assert.match(await page.textContent("#question-text"), /recorded/);
    await page.keyboard.press("Escape");
    assert.equal((await streamNow()).session, session, "Escape means no");
    await choose("realtime");
    await page.click("#question-yes");
    await page.waitForSelector('#stage[data-tone="busy"]');
    await page.waitForSelector('#stage[data-tone="live"]', { timeout: 20000 });
    const now = await streamNow();
    assert.notEqual(now.session, session);
    assert.deepEqual([now.profile, now.record], ["realtime", true]);
    await Promise.all([comesBack(page), comesBack(other)]);
    await other.context().close();
});

step("the network goes and comes back", async () => {
    const usual = await ageNow(page);
    try {
        await context.setOffline(true);
        await page.waitForFunction(() => /no network/.test(document.getElementById("stage-words").textContent), null,
            { timeout: BACK_MS });
        assert.ok(await page.isVisible("#held"), "the last picture stays");
        await story.shot("offline");
        await pause(2000);
    } finally {
        await context.setOffline(false);
    }
    console.log(`back after ${await comesBack(page, usual)} ms of network`);
    assert.ok(Number(await figure("reconnects")) >= 1);
    assert.ok(await page.isHidden("#held"));
});

step("the gateway is restarted", async () => {
    const usual = await ageNow(page);
    const { session } = await streamNow();
    stack.signal("gateway", "SIGKILL");
    try {
        await page.waitForFunction(() => /Trying again/.test(document.getElementById("stage-words").textContent), null,
            { timeout: BACK_MS });
    } finally {
        await stack.up();
    }
    console.log(`back ${await comesBack(page, usual)} ms after the gateway`);
    assert.equal((await streamNow()).session, session, "the stream itself went on");
});

step("the machine sleeps: its processes stand still, and go on", async () => {
    const usual = await ageNow(page);
    const browser = await story.browser.newBrowserCDPSession();
    const { processInfo } = await browser.send("SystemInfo.getProcessInfo");
    const renderers = processInfo.filter(({ type }) => type === "renderer").map(({ id }) => id);
    renderers.forEach((pid) => process.kill(pid, "SIGSTOP"));
    await pause(7000);
    renderers.forEach((pid) => process.kill(pid, "SIGCONT"));
    console.log(`at the edge ${await comesBack(page, usual)} ms after sleep`);
});

step("the page is frozen, and thawed", async () => {
    const usual = await ageNow(page);
    const cdp = await context.newCDPSession(page);
    await cdp.send("Page.setWebLifecycleState", { state: "frozen" });
    await pause(6000);
    await cdp.send("Page.setWebLifecycleState", { state: "active" });
    console.log(`at the edge ${await comesBack(page, usual)} ms after the thaw`);
});

step("the camera falls silent: the page says so, and waits without connecting anew", async () => {
    const usual = await ageNow(page);
    const before = await figure("reconnects");
    stack.signal(`camera-${CAMERA}`, "SIGSTOP");
    try {
        await page.waitForFunction(() => /no new pictures/.test(document.getElementById("stage-words").textContent), null,
            { timeout: BACK_MS });
        await pause(4000);
    } finally {
        stack.signal(`camera-${CAMERA}`, "SIGCONT");
    }
    console.log(`back ${await comesBack(page, usual)} ms after the camera`);
    assert.equal(await figure("reconnects"), before);
});

step("looked at again after a while in the background, it jumps to the edge", async () => {
    const show = (hidden) => page.evaluate((value) => {
        Object.defineProperty(document, "hidden", { configurable: true, get: () => value });
        document.dispatchEvent(new Event("visibilitychange"));
    }, hidden);
    const usual = await ageNow(page);
    await show(true);
    await page.evaluate(() => {
        const video = document.getElementById("video");
        let before = video.currentTime -= 1.4;
        video.addEventListener("seeking", () => {
            if (video.currentTime > before + 0.5) window.jumped = true;
            before = video.currentTime;
        });
    });
    await show(false);
    await page.waitForFunction(() => window.jumped, null, { timeout: 5000 });
    await comesBack(page, usual);
});

step("a stream that ends by itself, and one that begins: nothing to be clicked", async () => {
    await api("DELETE");
    await page.waitForSelector('#stage[data-tone="ready"]');
    assert.match(await words(), /Start/);
    await api("POST", { profile: "balanced" });
    await comesBack(page);
});

step("where the browser manages media sources, as Safari does, pictures come through that", async () => {
    const { page: safari, context: own, troubles } = await openPage(story.browser);
    await safari.addInitScript(() => {
        const Plain = window.MediaSource;
        window.ManagedMediaSource = class ManagedMediaSource extends Plain {
            streaming = true;
        };
        delete window.MediaSource;
    });
    await open(safari);
    await framesSeen(safari, "#video", 60, 20000);
    assert.equal(await safari.evaluate(() => "MediaSource" in window), false);
    assert.ok(await safari.evaluate(() => document.getElementById("video").disableRemotePlayback));
    await safari.keyboard.press("i");
    await safari.waitForFunction(() => /managed/.test(document.getElementById("figure-delivery").textContent));
    assert.deepEqual(troubles, []);
    await own.close();
});
