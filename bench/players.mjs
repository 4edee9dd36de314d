// The pages that are measured: how each is opened, started by a click, and stopped. Each has the picture in #video.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { buildDir } from "../tests/browser/chrome.mjs";

const START_MS = 40000;
const HLS_JS = join(buildDir, "web/npm/node_modules/hls.js"); // what the build fetched for Belfry's own page
const STOCK_PAGE = fileURLToPath(new URL("stock.html", import.meta.url));
const STOCK_PATH = "/bench-stock";

export const hlsVersion = () => JSON.parse(readFileSync(join(HLS_JS, "package.json"), "utf8")).version;

/** Belfry's own page. */
class OwnPage {
    constructor(url, camera) {
        this.address = `${url}/?camera=${camera}`;
        this.ready = `#stage[data-camera="${camera}"][data-tone="ready"]`;
        this.button = "#power";
    }

    async open(page) {
        await page.goto(this.address);
        await page.waitForSelector(this.ready);
    }

    isStart(response) {
        return response.request().method() === "POST" && response.url().endsWith("/stream");
    }

    async stop(page) {
        await page.click(this.button);
        await page.waitForSelector(this.ready);
    }
}

/** stock.html on the origin `url`: start and stop are "METHOD path", playlist is a path, or null where the answer to the
 * start says it. */
class StockPage {
    constructor(url, { start, stop, playlist = null }) {
        this.url = url;
        this.startPath = start.split(" ")[1];
        this.stopRequest = stop.split(" ");
        this.address = `${url}${STOCK_PATH}/page?${new URLSearchParams({ start, ...(playlist && { playlist }) })}`;
        this.button = "#start";
    }

    async open(page) {
        const file = (path, contentType) => (route) => route.fulfill({ path, contentType });
        await page.route(`${this.url}${STOCK_PATH}/page?*`, file(STOCK_PAGE, "text/html"));
        await page.route(`${this.url}${STOCK_PATH}/hls.min.js`, file(join(HLS_JS, "dist/hls.min.js"), "text/javascript"));
        await page.goto(this.address);
        await page.waitForFunction(() => globalThis.Hls !== undefined);
    }

    isStart(response) {
        return response.url() === this.url + this.startPath;
    }

    async stop(page) {
        const [method, path] = this.stopRequest;
        const answer = await page.evaluate(async ([m, p]) => (await fetch(p, { method: m })).status, [method, path]);
        if (answer >= 400) throw new Error(`${method} ${path}: ${answer}`);
    }
}

export function playerNamed(name, url, camera) {
    const stream = `/api/v1/cameras/${camera}/stream`;
    switch (name) {
        case "own": return new OwnPage(url, camera);
        case "stock": return new StockPage(url, { start: `POST ${stream}`, stop: `DELETE ${stream}`,
            playlist: `/live/${camera}/index.m3u8` });
        case "article": return new StockPage(url, { start: "GET /start-streaming-service", stop: "GET /stop-streaming-service" });
        default: throw new Error(`--player ${name}: expected own, stock or article`);
    }
}

/** Clicks the button; resolves to the moment of the click and how long the answer took. */
export async function clickStart(page, player) {
    const answered = page.waitForResponse((response) => player.isStart(response), { timeout: START_MS });
    const clickedAt = Date.now();
    await page.click(player.button);
    const response = await answered;
    if (!response.ok()) throw new Error(`the start was refused: ${response.status()} ${await response.text()}`);
    return { clickedAt, answerMs: Date.now() - clickedAt };
}
