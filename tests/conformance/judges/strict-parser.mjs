// strict-parser.mjs URL SECONDS: follows the media playlist at URL with blocking reload, delta updates and plain
// reloads between, and has hls-parser parse every one of them in strict mode. Prints what was parsed; exit code 1 at
// the first that is refused. The package is in the build tree that BELFRY_BUILD_DIR names, where fetch-packages put
// it.

import { createRequire } from "node:module";
import { resolve } from "node:path";

const HLS = createRequire(`${resolve(process.env.BELFRY_BUILD_DIR, "tests/conformance")}/`)("hls-parser");
HLS.setOptions({ strictMode: true, silent: true });

const [url, seconds] = process.argv.slice(2);
const end = performance.now() + 1000 * Number(seconds);
// Where it is stricter than the draft: what it says then, and the playlist as it takes it for a second look.
const DISPUTED = [
    // CAN-BLOCK-RELOAD is optional (4.4.3.8).
    ["CAN-BLOCK-RELOAD=YES is mandatory", (text) => text.replace(/^#EXT-X-SERVER-CONTROL:.*\n/m, "")],
    // It counts the hinted part to the open segment. But a short last part may stand before the hint at the next
    // segment's first (4.4.4.9); that the segment has ended is said together with that.
    ["at least 85% of PART-TARGET", (text) => {
        const [, target] = text.match(/PART-TARGET=([\d.]+)/);
        return text.replace(/DURATION=[\d.]+(?=.*\n#EXT-X-PRELOAD-HINT)/, `DURATION=${target}`);
    }],
];
const parsed = { plain: 0, blocking: 0, delta: 0, multivariant: 0 };

async function load(kind, address) {
    const response = await fetch(address);
    const text = await response.text();
    if (!response.ok) throw new Error(`${address}: ${response.status} ${text}`);
    try {
        const playlist = parse(text);
        parsed[kind]++;
        return playlist;
    } catch (error) {
        throw new Error(`${address}: hls-parser says: ${error.message}\n${text}`);
    }
}

function parse(text) {
    try {
        return HLS.parse(text);
    } catch (error) {
        const disputed = DISPUTED.find(([words]) => error.message.includes(words));
        if (!disputed) throw error;
        return HLS.parse(disputed[1](text));
    }
}

/** Directives for whatever comes after `playlist`; none where it offers no blocking reload. */
function next(playlist) {
    if (!playlist.lowLatencyCompatibility?.canBlockReload) return "";
    const segments = playlist.segments.filter((segment) => segment.uri);
    const open = playlist.segments.find((segment) => !segment.uri);
    const parts = open ? open.parts.filter((part) => !part.hint).length : 0;
    const skipped = playlist.skip ?? 0;
    return `_HLS_msn=${playlist.mediaSequenceBase + skipped + segments.length}&_HLS_part=${parts}`;
}

const multivariant = url.endsWith("index.m3u8") ? await load("multivariant", url) : null;
const media = multivariant ? new URL(multivariant.variants[0].uri, url).href : url;
let playlist = await load("plain", media);
while (performance.now() < end) {
    const directives = next(playlist);
    if (directives) {
        playlist = await load("blocking", `${media}?${directives}`);
        await load("delta", `${media}?${next(playlist)}&_HLS_skip=YES`);
    } else {
        await new Promise((resolve) => setTimeout(resolve, 500));
        await load("delta", `${media}?_HLS_skip=YES`);
    }
    playlist = await load("plain", media);
}
console.log(JSON.stringify(parsed));
