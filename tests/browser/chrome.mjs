// A headless Chromium and what the tests need around it. Packages come from the build tree, where the build put them at
// the versions of package-lock.json.

import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { promisify } from "node:util";

const BUILD = process.env.BELFRY_BUILD_DIR;
if (!BUILD) throw new Error("BELFRY_BUILD_DIR is not set; it names the build tree, as in /src/build/dev");

const MODULES = join(BUILD, "tests/browser/node_modules/");
if (!existsSync(MODULES)) throw new Error(`${MODULES} is missing; build the target browser-packages`);

export const require = createRequire(MODULES);
export const SHOTS = join(BUILD, "tests/browser/screenshots");
export const buildDir = BUILD;
export const run = promisify(execFile);

const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--autoplay-policy=no-user-gesture-required"];

export function launch() {
    const { chromium } = require("playwright-core");
    const executablePath = process.env.BELFRY_CHROMIUM ?? "/usr/bin/chromium";
    return chromium.launch({ executablePath, headless: true, args: FLAGS });
}

/** A page that keeps what went wrong in it: uncaught errors, console errors and refused requests to `origin`. */
export async function openPage(browser, options = {}) {
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
    const page = await context.newPage();
    const troubles = [];
    page.on("pageerror", (error) => troubles.push(`uncaught: ${error.message}`));
    page.on("console", (message) => message.type() === "error" && troubles.push(`console: ${message.text()}`));
    page.on("response", (response) => {
        if (response.status() >= 400) troubles.push(`${response.status()} ${response.url()}`);
    });
    await page.addInitScript(installProbe);
    return { context, page, troubles };
}

/** Runs in the page: window.watchVideo(selector, { every }) reads the time barcode out of each frame that is presented, or
 * with `every: n` of each nth: a reading takes 3 ms of the page's own thread. Written apart from the page's own reader, so
 * that the two are judges of each other. */
function installProbe() {
    const SYNC = 0xa7n;
    const strip = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });

    function readBarcode(video) {
        if (strip.canvas.width !== video.videoWidth) strip.canvas.width = video.videoWidth;
        strip.drawImage(video, 0, 8, video.videoWidth, 1, 0, 0, video.videoWidth, 1);
        const { data } = strip.getImageData(0, 0, video.videoWidth, 1);
        let word = 0n;
        for (let cell = 0; cell < 64; cell++) {
            const centre = Math.floor(((cell + 0.5) * video.videoWidth) / 64);
            word = (word << 1n) | (data[4 * centre + 1] >= 128 ? 1n : 0n);
        }
        if (word >> 56n !== SYNC || remainder(word) !== 0n) return null;
        return Number((word >> 8n) & 0xffffffffffffn);
    }

    // CRC-8 over time and checksum together leaves nothing where the two agree.
    function remainder(word) {
        let rest = word & 0xffffffffffffffn;
        for (let bit = 55n; bit >= 8n; bit--) if ((rest >> bit) & 1n) rest ^= 0x107n << (bit - 8n);
        return rest;
    }

    window.watchVideo = (selector, { every = 1 } = {}) => {
        const video = document.querySelector(selector);
        const watch = { shownAt: [], frames: [], unreadable: 0, stalls: 0, stalledAt: [], firstAt: null, clock: Date.now() - performance.now() };
        const presented = (_, { expectedDisplayTime, mediaTime }) => {
            video.requestVideoFrameCallback(presented);
            const shown = watch.clock + expectedDisplayTime;
            watch.firstAt ??= shown;
            if ((watch.shownAt.push(shown) - 1) % every !== 0) return;
            const made = readBarcode(video);
            if (made === null) watch.unreadable++;
            else watch.frames.push({ made, shown, mediaTime });
        };
        video.requestVideoFrameCallback(presented);
        video.addEventListener("waiting", () => {
            if (watch.firstAt !== null) watch.stalls = watch.stalledAt.push(Date.now());
        });
        (window.watches ??= {})[selector] = watch;
    };
}

/** What watchVideo(selector) saw until now. */
export const seen = (page, selector) => page.evaluate((key) => window.watches[key], selector);

export const framesSeen = (page, selector, count, timeout) =>
    page.waitForFunction(([key, n]) => window.watches?.[key]?.frames.length >= n, [selector, count], { timeout });

export function percentile(values, p) {
    const sorted = [...values].sort((a, b) => a - b);
    return sorted[Math.min(sorted.length - 1, Math.ceil((p / 100) * sorted.length) - 1)];
}

/** Violations of WCAG 2.2 A and AA on the page as it stands, one readable line each. */
export async function accessibilityViolations(page) {
    const source = require("axe-core").source;
    await page.evaluate(source);
    await page.evaluate(settled);
    const { violations } = await page.evaluate(() => window.axe.run(document, {
        runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    }));
    return violations.map((v) => `${v.id}: ${v.help} (${v.nodes.map((n) => n.target.join(" ")).join(", ")})`);
}

/** Runs in the page: colours on their way to others have arrived. */
async function settled() {
    await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
    const transitions = document.getAnimations().filter((animation) => animation instanceof CSSTransition);
    await Promise.allSettled(transitions.map((transition) => transition.finished));
}
