// From the click to the picture, and from the lens to the glass, in a real browser.
//
//   BELFRY_BUILD_DIR=build/release node bench/glass_to_glass.mjs --url http://127.0.0.1:8080 [--camera cam-1]
//       [--runs 5] [--seconds 30] [--warm-up 6] [--json]
//
// Each run opens the player page anew, starts the camera from it, reads the time barcode out of every presented frame,
// and stops the camera. "answer" is the start request's own time, "picture" the time to the first presented frame.

import { parseArgs } from "node:util";

import { launch, openPage, percentile, seen } from "../tests/browser/chrome.mjs";

const { values: options } = parseArgs({
    options: {
        url: { type: "string" },
        camera: { type: "string", default: "cam-1" },
        runs: { type: "string", default: "5" },
        seconds: { type: "string", default: "30" },
        "warm-up": { type: "string", default: "6" },
        json: { type: "boolean", default: false },
    },
});
if (!options.url) {
    console.error("glass_to_glass: --url is missing; it is the gateway's address, as in http://127.0.0.1:8080");
    process.exit(64);
}

const WARM_UP_MS = 1000 * Number(options["warm-up"]);
const TOTAL_MS = WARM_UP_MS + 1000 * Number(options.seconds);

async function measure(browser) {
    const { context, page } = await openPage(browser);
    try {
        await page.goto(`${options.url}/?camera=${options.camera}`);
        await page.waitForSelector(`#stage[data-camera="${options.camera}"][data-tone="ready"]`);
        await page.evaluate(() => window.watchVideo("#video"));
        const answered = page.waitForResponse((response) => response.request().method() === "POST");
        const clickedAt = Date.now();
        await page.click("#power");
        const response = await answered;
        if (!response.ok()) throw new Error(`the start was refused: ${await response.text()}`);
        const answer = Date.now() - clickedAt;

        await page.waitForFunction((ms) => {
            const { frames, firstAt } = window.watches["#video"];
            return frames.length > 0 && frames.at(-1).shown - firstAt > ms;
        }, TOTAL_MS, { timeout: TOTAL_MS + 30000 });
        const watch = await seen(page, "#video");

        await page.click("#power");
        await page.waitForSelector('#stage[data-tone="ready"]');
        return summary(watch, clickedAt, answer);
    } finally {
        await context.close();
    }
}

function summary(watch, clickedAt, answer) {
    const settled = watch.frames.filter((frame) => frame.shown - watch.firstAt > WARM_UP_MS);
    const latencies = settled.map((frame) => frame.shown - frame.made);
    return {
        answer_ms: answer,
        picture_ms: Math.round(watch.firstAt - clickedAt),
        p50_ms: Math.round(percentile(latencies, 50)),
        p95_ms: Math.round(percentile(latencies, 95)),
        max_ms: Math.round(percentile(latencies, 100)),
        frames: latencies.length,
        stalls: watch.stalls,
        unreadable: watch.unreadable,
    };
}

const browser = await launch();
try {
    const runs = [];
    for (let i = 0; i < Number(options.runs); i++) {
        runs.push(await measure(browser));
        if (!options.json) console.table([runs.at(-1)]);
    }
    const over = (key, p) => percentile(runs.map((run) => run[key]), p);
    const total = {
        runs: runs.length,
        answer_p50_ms: over("answer_ms", 50),
        answer_p95_ms: over("answer_ms", 95),
        picture_p50_ms: over("picture_ms", 50),
        picture_p95_ms: over("picture_ms", 95),
        glass_p50_ms: over("p50_ms", 50),
        glass_p95_ms: over("p95_ms", 95),
        stalls: runs.reduce((sum, run) => sum + run.stalls, 0),
    };
    console.log(options.json ? JSON.stringify({ total, runs }) : total);
} finally {
    await browser.close();
}
