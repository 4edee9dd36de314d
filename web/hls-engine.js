// Plays HLS through hls.js and keeps a live picture at the edge: wires the stream's arrivals and the playhead to the
// latency controller, and its answer back to the video element. Dispatches "trouble" and, for each playlist, "level".

import { BitRate } from "./figures.js";
import { HintedParts, hintOf, hintedConfig } from "./hint.js";
import { EdgeChaser } from "./latency.js";
import { leadingConfig } from "./lead.js";
import { TROUBLES, troubleOf } from "./troubles.js";

const START_MARGIN = 0.05; // a position on the border of two segments is taken for the first
const EDGE_MARGIN = 0.03; // seconds by which playlist and media may differ
const BEHIND_SEGMENTS = 8; // a link too slow for the stream: rather jump than fall behind for ever
const QUIET_MS = 2500; // playlists come, but with nothing new for so long: it is the camera that is silent
const ANSWERED_MS = 6000;
const MEDIA_REPAIR_MS = 5000; // a decoder that fails is repaired once in this time, then the stream is opened anew

// Failures come up quickly: trying again, with growing pauses, is the player's part. But a playlist that Belfry holds back
// because there is nothing new runs into a limit of hls.js's own (80 % of TARGETDURATION), which then asks for it plainly.
const policy = (maxTimeToFirstByteMs, maxLoadTimeMs) => ({
    default: { maxTimeToFirstByteMs, maxLoadTimeMs,
        timeoutRetry: { maxNumRetry: 2, retryDelayMs: 0, maxRetryDelayMs: 0 },
        errorRetry: { maxNumRetry: 1, retryDelayMs: 150, maxRetryDelayMs: 150 } },
});
const COMMON_CONFIG = {
    enableWorker: false, // fragmented MP4 is passed through; a worker would only add a hop
    preferManagedMediaSource: true,
};
const LIVE_CONFIG = {
    ...COMMON_CONFIG,
    lowLatencyMode: true,
    maxLiveSyncPlaybackRate: 1, // the rate belongs to EdgeChaser
    maxFragLookUpTolerance: 0.01, // 0.25 by default, in which several short parts at the end of a segment go missing
    backBufferLength: 10,
    maxBufferLength: 10,
    liveDurationInfinity: true,
    manifestLoadPolicy: policy(3000, 6000),
    playlistLoadPolicy: policy(3000, 6000),
    fragLoadPolicy: policy(4000, 15000),
};
const RECORDING_CONFIG = { ...COMMON_CONFIG, backBufferLength: 60 };

// A stream that has only just begun is shorter than the distance from the edge at which hls.js wants to start: it would
// start where the playlist says that nothing is (GAP) and wait for a whole segment. Returns the distance at which the
// first picture is, or null where the usual one will do.
function distanceOfFirstPicture(details) {
    const first = details.fragments.find((fragment) => !fragment.gap) ?? details.fragmentHint;
    const usual = details.partHoldBack || details.holdBack;
    return first && details.edge - usual < first.start ? details.edge - first.start - START_MARGIN : null;
}

// TARGETDURATION is rounded up: half a second counts as a whole one.
function longestSegment({ fragments, targetduration }) {
    return Math.max(...fragments.filter(({ gap }) => !gap).map(({ duration }) => duration), 0) || targetduration;
}

export class HlsEngine extends EventTarget {
    static isSupported = () => Boolean(globalThis.Hls?.isSupported());

    #video;
    #live;
    #hls = null;
    #chaser = null;
    #hinted = new HintedParts();
    #bitRate = new BitRate();
    #details = null;
    #startsAtFirst = false; // not at the edge, but at the first picture that there is
    #newest = "";
    #advancedAt = Infinity;
    #answeredAt = -Infinity;
    #repairedAt = -Infinity;

    constructor(video, { live }) {
        super();
        this.#video = video;
        this.#live = live;
    }

    get delivery() {
        return globalThis.ManagedMediaSource ? "hls.js, managed by the browser" : "hls.js";
    }

    /** How far behind the goal the playhead is, in ms; null while nothing is known. */
    get errorMs() {
        return this.#chaser?.error == null ? null : 1000 * this.#chaser.error;
    }

    get kbps() {
        return this.#bitRate.value === null ? null : this.#bitRate.value / 1000;
    }

    /** Length of a part, 0 where the stream has none; null while unknown. */
    get partSeconds() {
        return this.#details && (this.#details.partTarget || 0);
    }

    /** How much longer than usual a picture may take: a stream of whole segments comes in long pieces. */
    get slackMs() {
        return this.#details?.partTarget ? 0 : 3000 * (this.#details?.targetduration ?? 0);
    }

    /** Belfry answers, but there is nothing new: connecting again would bring nothing. */
    get quiet() {
        const now = performance.now();
        return now - this.#answeredAt < ANSWERED_MS + this.slackMs && now - this.#advancedAt > QUIET_MS + this.slackMs;
    }

    /** When the picture on show was taken, in Unix milliseconds, as the playlist says (EXT-X-PROGRAM-DATE-TIME). */
    get pictureTime() {
        return this.#hls?.playingDate?.getTime() ?? null;
    }

    open(url, { position = null } = {}) {
        const { Hls } = globalThis;
        const { Events } = Hls;
        const config = this.#live
            ? { ...LIVE_CONFIG, ...leadingConfig(Hls), ...hintedConfig(Hls, this.#hinted) }
            : { ...RECORDING_CONFIG, startPosition: position ?? -1 };
        const hls = (this.#hls = new Hls(config));
        hls.on(Events.ERROR, (_, error) => error.fatal && this.#failed(Hls, error));
        hls.on(Events.FRAG_LOADED, (_, { frag, part, payload }) =>
            frag.sn !== "initSegment" && this.#bitRate.add(payload.byteLength, (part ?? frag).duration));
        if (this.#live) {
            hls.on(Events.MANIFEST_PARSED, (_, { levels }) => this.#chooseStart(levels[0].details));
            hls.on(Events.LEVEL_LOADED, (_, { details }) => this.#levelLoaded(details));
            hls.on(Events.BUFFER_APPENDED, () => this.#appended());
        }
        hls.loadSource(url);
        hls.attachMedia(this.#video);
    }

    close() {
        this.#hinted.clear();
        this.#hls?.destroy();
        this.#hls = null;
    }

    stall(nowMs) {
        this.#chaser?.stall(nowMs);
    }

    /** The page was away: to the edge at once where that is far. */
    returned() {
        this.#chaser?.returned();
    }

    /** To be called every 100 ms or so. */
    tick(nowMs) {
        const video = this.#video;
        const { buffered } = video;
        const last = buffered.length - 1;
        if (!this.#chaser || video.paused || video.seeking || last < 0) return;
        if (video.currentTime < buffered.start(last)) return; // on its way to the first picture
        const { rate, seek } = this.#chaser.sample(nowMs, video.currentTime);
        if (seek !== null) video.currentTime = Math.max(seek, buffered.start(last));
        if (video.playbackRate !== rate) video.playbackRate = rate;
    }

    #chooseStart(details) {
        const distance = details?.live ? distanceOfFirstPicture(details) : null;
        if (distance === null) return;
        this.#hls.targetLatency = distance;
        this.#startsAtFirst = true;
    }

    // hls.js jumps over at most two target durations without media, and the lead of a young stream may be longer.
    #goToFirst(start) {
        if (this.#startsAtFirst && this.#video.currentTime < start) this.#video.currentTime = start;
        this.#startsAtFirst = false;
    }

    #levelLoaded(details) {
        this.#details = details;
        if (!details.live) return;
        this.#noteNews(details);
        const hint = hintOf(details);
        if (hint) this.#hinted.ask(hint);
        const polled = !details.partTarget;
        this.#chaser ??= new EdgeChaser({ part: polled ? longestSegment(details) : details.partTarget, polled });
        const { buffered, paused } = this.#video;
        const behind = buffered.length > 0 && !paused ? details.edge - buffered.end(buffered.length - 1) : 0;
        if (behind > BEHIND_SEGMENTS * details.targetduration) this.#tell(TROUBLES.behind);
    }

    #noteNews({ endSN, lastPartSn, lastPartIndex }) {
        const newest = `${endSN} ${lastPartSn} ${lastPartIndex}`;
        this.#answeredAt = performance.now();
        if (newest !== this.#newest) this.#advancedAt = this.#answeredAt;
        this.#newest = newest;
    }

    #appended() {
        const { buffered } = this.#video;
        if (!this.#chaser || buffered.length === 0) return;
        this.#goToFirst(buffered.start(0));
        const end = buffered.end(buffered.length - 1);
        this.#chaser.arrived(performance.now(), end, end > this.#details.edge - EDGE_MARGIN);
    }

    #failed(Hls, error) {
        const now = performance.now();
        if (error.type === Hls.ErrorTypes.MEDIA_ERROR && now - this.#repairedAt > MEDIA_REPAIR_MS) {
            this.#repairedAt = now;
            return this.#hls.recoverMediaError();
        }
        this.#tell(troubleOf(Hls, error));
    }

    #tell(trouble) {
        this.dispatchEvent(new CustomEvent("trouble", { detail: trouble }));
    }
}
