// Plays one HLS stream in one video element: hls.js where there is Media Source Extensions, else the browser's own.
// Live streams are kept close to the edge by EdgeChaser. Dispatches "phase" (detail {phase, words}) and "figures".

import { BarcodeReader } from "./barcode.js";
import { EdgeChaser, LIMITS, RunningMedian } from "./latency.js";
import { leadingConfig } from "./lead.js";

const CHASE_MS = 100;
const FIGURES_MS = 500;
const RETRY_MS = 1000;
const MISSES_UNTIL_RARE = 60; // frames without a barcode after which only one in thirty is looked at
const START_MARGIN = 0.05; // a position on the border of two segments is taken for the first
const HLS_TYPE = "application/vnd.apple.mpegurl";

const LIVE_CONFIG = {
    enableWorker: false, // fragmented MP4 is passed through; a worker would only add a hop
    lowLatencyMode: true,
    maxLiveSyncPlaybackRate: 1, // the rate belongs to EdgeChaser
    backBufferLength: 10,
    maxBufferLength: 10,
    liveDurationInfinity: true,
};
const RECORDING_CONFIG = { enableWorker: false, backBufferLength: 60 };

const WORDS = {
    idle: "",
    loading: "Waiting for the first picture.",
    playing: "",
    paused: "Paused.",
    stalled: "Waiting for more pictures.",
    blocked: "The browser wants a click before it plays. Press Play.",
    ended: "The stream has ended.",
};

// A stream that has only just begun is shorter than the distance from the edge at which hls.js wants to start: it would
// start where the playlist says that nothing is (GAP) and wait for a whole segment. Returns the distance at which the
// first picture is, or null where the usual one will do.
function distanceOfFirstPicture(details) {
    const first = details.fragments.find((fragment) => !fragment.gap) ?? details.fragmentHint;
    const usual = details.partHoldBack || details.holdBack;
    return first && details.edge - usual < first.start ? details.edge - first.start - START_MARGIN : null;
}

export class Player extends EventTarget {
    #video;
    #hls = null;
    #live = false;
    #phase = "idle";
    #chaser = null;
    #timers = [];
    #retryTimer = null;
    #frameRequest = null;
    #reader = null;
    #misses = 0;
    #inPicture = new RunningMedian(30);
    #byClock = new RunningMedian(10);
    #stalls = 0;
    #recoveredAt = -Infinity;

    constructor(video) {
        super();
        this.#video = video;
        video.addEventListener("playing", () => this.#phase !== "idle" && this.#enter("playing"));
        video.addEventListener("waiting", () => this.#waiting());
        video.addEventListener("pause", () => this.#paused());
        video.addEventListener("ended", () => this.#phase !== "idle" && this.#enter("ended"));
        video.addEventListener("error", () => !this.#hls && this.#phase !== "idle" && this.#fail(video.error?.message));
    }

    get phase() {
        return this.#phase;
    }

    play(url, { live }) {
        this.stop();
        this.#live = live;
        this.#enter("loading");
        if (globalThis.Hls?.isSupported()) this.#playWithHls(url);
        else if (this.#video.canPlayType(HLS_TYPE)) this.#video.src = url;
        else return this.#fail("this browser plays neither Media Source Extensions nor HLS; try a current one");

        this.resume();
        this.#every(FIGURES_MS, () => this.#tellFigures());
        if (live) this.#watchFrames();
    }

    stop() {
        this.#timers.splice(0).forEach(clearInterval);
        clearTimeout(this.#retryTimer);
        if (this.#frameRequest !== null) this.#video.cancelVideoFrameCallback(this.#frameRequest);
        this.#frameRequest = null;
        this.#hls?.destroy();
        this.#hls = this.#chaser = null;
        this.#stalls = this.#misses = 0;
        this.#inPicture = new RunningMedian(30);
        this.#byClock = new RunningMedian(10);
        if (this.#phase !== "idle") this.#clearVideo();
        this.#enter("idle");
    }

    async resume() {
        const edge = this.#live ? (this.#hls?.liveSyncPosition ?? null) : null;
        if (edge !== null && edge - this.#video.currentTime > LIMITS.seekBeyond) this.#video.currentTime = edge;
        try {
            await this.#video.play();
        } catch (error) {
            if (error.name === "NotAllowedError") this.#enter("blocked");
        }
    }

    pause() {
        this.#video.pause();
    }

    #playWithHls(url) {
        const Hls = globalThis.Hls;
        const config = this.#live ? { ...LIVE_CONFIG, ...leadingConfig(Hls) } : RECORDING_CONFIG;
        const hls = (this.#hls = new Hls(config));
        hls.on(Hls.Events.ERROR, (_, error) => error.fatal && this.#recover(Hls, error));
        if (this.#live) {
            hls.on(Hls.Events.MANIFEST_PARSED, (_, { levels }) => {
                const distance = levels[0].details?.live ? distanceOfFirstPicture(levels[0].details) : null;
                if (distance !== null) hls.targetLatency = distance;
            });
            hls.on(Hls.Events.LEVEL_LOADED, (_, { details }) => this.#levelLoaded(details));
        }
        hls.loadSource(url);
        hls.attachMedia(this.#video);
    }

    #levelLoaded(details) {
        if (this.#chaser || !details.live) return;
        this.#chaser = new EdgeChaser({ part: details.partTarget || details.targetduration });
        this.#every(CHASE_MS, () => this.#chase());
    }

    #chase() {
        const video = this.#video;
        const { buffered } = video;
        if (video.paused || video.seeking || buffered.length === 0) return;
        const end = buffered.end(buffered.length - 1);
        const { rate, leave } = this.#chaser.sample(performance.now(), end - video.currentTime);
        if (leave !== null) video.currentTime = Math.max(end - leave, buffered.start(buffered.length - 1));
        if (video.playbackRate !== rate) video.playbackRate = rate;
    }

    // Also of a picture that was waiting for more: it waits for the person now.
    #paused() {
        if (!this.#video.ended && ["playing", "stalled"].includes(this.#phase)) this.#enter("paused");
    }

    #waiting() {
        if (this.#phase !== "playing" || this.#video.seeking) return;
        this.#stalls++;
        this.#chaser?.stall(performance.now());
        this.#enter("stalled");
    }

    // A lost connection is tried again for as long as somebody watches; a decoder that fails is restarted, but not
    // twice in five seconds.
    #recover(Hls, error) {
        const now = performance.now();
        if (error.type === Hls.ErrorTypes.MEDIA_ERROR && now - this.#recoveredAt > 5000) {
            this.#recoveredAt = now;
            return this.#hls.recoverMediaError();
        }
        if (error.type !== Hls.ErrorTypes.NETWORK_ERROR) return this.#fail(error.error?.message ?? error.details);

        const { url } = this.#hls;
        const gone = error.response?.code === 404 || error.response?.code === 410;
        if (gone) return this.#fail("this stream does not exist any more");
        this.#enter("stalled", "The connection to the stream was lost. Trying again.");
        this.#retryTimer = setTimeout(() => this.play(url, { live: this.#live }), RETRY_MS);
    }

    #fail(reason) {
        this.#enter("failed", `The picture cannot be shown: ${reason || "unknown reason"}.`);
    }

    #watchFrames() {
        if (!this.#video.requestVideoFrameCallback) return;
        this.#reader ??= new BarcodeReader();
        let frame = 0;
        const presented = (_, { expectedDisplayTime }) => {
            this.#frameRequest = this.#video.requestVideoFrameCallback(presented);
            if (this.#misses < MISSES_UNTIL_RARE || frame++ % 30 === 0) this.#readFrame(expectedDisplayTime);
        };
        this.#frameRequest = this.#video.requestVideoFrameCallback(presented);
    }

    #readFrame(expectedDisplayTime) {
        const made = this.#reader.read(this.#video);
        if (made === null) {
            this.#misses++;
            return;
        }
        this.#misses = 0;
        this.#inPicture.add(Date.now() + (expectedDisplayTime - performance.now()) - made);
    }

    #tellFigures() {
        const video = this.#video;
        const shown = this.#pictureTime();
        const runs = !video.paused && this.#phase === "playing";
        if (runs && shown !== null) this.#byClock.add(Date.now() - shown);
        const measured = this.#misses < MISSES_UNTIL_RARE ? this.#inPicture.value : null;
        const { buffered } = video;
        const ahead = buffered.length ? buffered.end(buffered.length - 1) - video.currentTime : null;
        const detail = {
            latencyMs: measured ?? this.#byClock.value,
            latencyFrom: measured !== null ? "picture" : "clock",
            pictureTime: shown,
            aheadMs: ahead === null ? null : ahead * 1000,
            rate: video.playbackRate,
            stalls: this.#stalls,
            dropped: video.getVideoPlaybackQuality?.().droppedVideoFrames ?? 0,
            width: video.videoWidth,
            height: video.videoHeight,
        };
        this.dispatchEvent(new CustomEvent("figures", { detail }));
    }

    /** When the picture on show was taken, in Unix milliseconds, as the playlist says (EXT-X-PROGRAM-DATE-TIME). */
    #pictureTime() {
        const video = this.#video;
        if (this.#hls) return this.#hls.playingDate?.getTime() ?? null;
        const start = video.getStartDate?.().getTime();
        return Number.isFinite(start) ? start + video.currentTime * 1000 : null;
    }

    #enter(phase, words = WORDS[phase]) {
        if (phase === this.#phase && phase !== "stalled") return;
        this.#phase = phase;
        this.dispatchEvent(new CustomEvent("phase", { detail: { phase, words } }));
    }

    #clearVideo() {
        this.#video.removeAttribute("src");
        this.#video.playbackRate = 1;
        this.#video.load();
    }

    #every(ms, action) {
        this.#timers.push(setInterval(action, ms));
    }
}
