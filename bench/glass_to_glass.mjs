// From the click to the picture, and from the lens to the glass, in a real browser.
//
//   BELFRY_BUILD_DIR=build/release node bench/glass_to_glass.mjs --url http://127.0.0.1:8080 [--player own|stock|article]
//       [--camera cam-1] [--profile realtime] [--runs 5] [--seconds 30] [--warm-up 6] [--every 1] [--join] [--json]
//
// Each run opens the page anew, clicks Start, reads the time barcode out of every presented frame, and stops the camera.
// own: Belfry's page. stock: a bare page with hls.js as it comes, on Belfry. article: the same page on bench/article.
// "answer" is the start request's own time, "picture" the time from the click to the first presented frame. Frames,
// stalls and requests count once the warm-up is over. --profile: what the stream must turn out to have. --every 6: only
// every sixth frame's barcode, which leaves the page's own thread alone. --join: the camera runs already and is left
// running.

import { parseArgs } from "node:util";

import { launch, openPage, percentile, seen } from "../tests/browser/chrome.mjs";
import { clickStart, hlsVersion, playerNamed } from "./players.mjs";

const FREEZE_MS = 250;
const MEDIA = /\/(live|hls)\//;

const { values: options } = parseArgs({
    options: {
        url: { type: "string" },
        player: { type: "string", default: "own" },
        camera: { type: "string", default: "cam-1" },
        profile: { type: "string" },
        runs: { type: "string", default: "5" },
        seconds: { type: "string", default: "30" },
        "warm-up": { type: "string", default: "6" },
        every: { type: "string", default: "1" },
        join: { type: "boolean", default: false },
        json: { type: "boolean", default: false },
    },
});
if (!options.url) {
    console.error("glass_to_glass: --url is missing; it is the gateway's address, as in http://127.0.0.1:8080");
    process.exit(64);
}

const WARM_UP_MS = 1000 * Number(options["warm-up"]);
const TOTAL_MS = WARM_UP_MS + 1000 * Number(options.seconds);
const player = playerNamed(options.player, options.url, options.camera);

async function measure(browser) {
    const { context, page, troubles } = await openPage(browser);
    const requests = [];
    page.on("request", (request) => MEDIA.test(request.url()) && requests.push(Date.now()));
    try {
        await player.open(page);
        await page.evaluate((every) => window.watchVideo("#video", { every }), Number(options.every));
        const start = await clickStart(page, player);
        if (options.profile) await checkProfile();
        await page.waitForFunction((ms) => {
            const { frames, firstAt } = window.watches["#video"];
            return frames.length > 0 && frames.at(-1).shown - firstAt > ms;
        }, TOTAL_MS, { timeout: TOTAL_MS + 60000, polling: 500 });
        const watched = { ...await seen(page, "#video"), dropped: await page.evaluate(droppedFrames) };
        if (!options.join) await player.stop(page);
        return summary(watched, start, requests);
    } catch (error) {
        error.message += ` (${troubles.slice(0, 5).join("; ") || "the page complained of nothing"})`;
        throw error;
    } finally {
        await context.close();
    }
}

/** Runs in the page. */
function droppedFrames() {
    return document.querySelector("#video").getVideoPlaybackQuality().droppedVideoFrames;
}

async function checkProfile() {
    const answer = await fetch(`${options.url}/api/v1/cameras/${options.camera}/stream`);
    const { profile } = await answer.json();
    if (profile !== options.profile) throw new Error(`the stream has profile ${profile}, not ${options.profile}`);
}

function summary(watched, { clickedAt, answerMs }, requests) {
    const begin = watched.firstAt + WARM_UP_MS;
    const settled = watched.frames.filter((frame) => frame.shown > begin);
    const end = settled.at(-1).shown;
    const shownAt = watched.shownAt.filter((at) => at > begin);
    const gaps = shownAt.slice(1).map((at, i) => at - shownAt[i]);
    return {
        answer_ms: answerMs,
        picture_ms: Math.round(watched.firstAt - clickedAt),
        ...latencies(settled),
        frames: shownAt.length,
        stalls: watched.stalledAt.filter((at) => at > begin).length,
        early_stalls: watched.stalledAt.filter((at) => at <= begin).length,
        freezes: gaps.filter((gap) => gap > FREEZE_MS).length,
        longest_gap_ms: Math.round(Math.max(...gaps)),
        dropped: watched.dropped,
        unreadable: watched.unreadable,
        requests_per_s: Math.round((10000 * requests.filter((at) => at > begin && at <= end).length) / (end - begin)) / 10,
        // [ms since the first picture, latency in ms] of every frame that was read, warm-up too
        series: watched.frames.map(({ made, shown }) => [Math.round(shown - watched.firstAt), Math.round(shown - made)]),
    };
}

function latencies(frames) {
    const values = frames.map((frame) => frame.shown - frame.made);
    const at = (p) => Math.round(percentile(values, p));
    return { p50_ms: at(50), p95_ms: at(95), max_ms: at(100) };
}

/** Over all frames of all runs. */
function totals(runs) {
    const values = runs.flatMap(({ series }) => series.filter(([at]) => at > WARM_UP_MS).map(([, latency]) => latency));
    const sum = (key) => runs.reduce((total, run) => total + run[key], 0);
    const middle = (key) => percentile(runs.map((run) => run[key]), 50);
    return {
        player: options.player,
        hls_js: hlsVersion(),
        runs: runs.length,
        seconds: Number(options.seconds),
        warm_up_s: Number(options["warm-up"]),
        answer_p50_ms: middle("answer_ms"),
        picture_p50_ms: middle("picture_ms"),
        picture_max_ms: Math.max(...runs.map((run) => run.picture_ms)),
        p50_ms: percentile(values, 50),
        p95_ms: percentile(values, 95),
        max_ms: percentile(values, 100),
        frames: sum("frames"),
        stalls: sum("stalls"),
        early_stalls: sum("early_stalls"),
        freezes: sum("freezes"),
        longest_gap_ms: Math.max(...runs.map((run) => run.longest_gap_ms)),
        unreadable: sum("unreadable"),
        requests_per_s: middle("requests_per_s"),
    };
}

const browser = await launch();
try {
    const runs = [];
    for (let i = 0; i < Number(options.runs); i++) {
        runs.push(await measure(browser));
        const { series, ...shown } = runs.at(-1);
        console.error(JSON.stringify(shown));
    }
    console.log(options.json ? JSON.stringify({ ...totals(runs), series: runs.map((run) => run.series) }) : totals(runs));
} finally {
    await browser.close();
}
