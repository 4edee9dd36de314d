// Plays one HLS stream in one video element, and goes on playing it: whatever goes wrong, it tries again for as long as
// the page is looked at. hls.js where there are Media Source Extensions, managed or not, else the browser's own player.
// Dispatches "phase" (detail {phase, words}) and "figures".

import { HeldPicture } from "./frames.js";
import { HlsEngine } from "./hls-engine.js";
import { NativeEngine } from "./native-engine.js";
import { Readings } from "./readings.js";
import { Backoff, Progress } from "./reconnect.js";
import { TROUBLES } from "./troubles.js";

const TICK_MS = 100;
const FIGURES_MS = 500;
const HIDDEN_RETRY_MS = 1000;
const STALL_SHOWN_MS = 300; // a shorter one is counted, but not put in front of the picture
const STALE_MS = 3000; // after a pause or an absence that was longer, the stream is opened anew, at the edge

const WORDS = {
    idle: "",
    loading: "Waiting for the first picture.",
    playing: "",
    paused: "Paused.",
    stalled: "Waiting for more pictures.",
    blocked: "The browser wants a click before it plays. Press Play.",
    ended: "The stream has ended.",
    failed: "This browser plays neither Media Source Extensions nor HLS; try a current one.",
};
const RUNNING = ["loading", "playing", "stalled"];

export class Player extends EventTarget {
    #video;
    #engine = null;
    #url = null;
    #live = false;
    #phase = "idle";
    #words = "";
    #position = null; // where a recording goes on
    #pausedAt = null;
    #timers = [];
    #retryTimer = null;
    #stallTimer = null;
    #backoff = new Backoff();
    #progress = new Progress();
    #readings;
    #held;
    #counts = { stalls: 0, reconnects: 0 };

    /** canvas: lies over the video and holds the last picture while the stream is opened anew; may be missing. */
    constructor(video, canvas = null) {
        super();
        this.#video = video;
        this.#readings = new Readings(video);
        this.#held = new HeldPicture(canvas, video);
        video.addEventListener("playing", () => this.#engine && this.#playing());
        video.addEventListener("waiting", () => this.#waiting());
        video.addEventListener("pause", () => this.#engine && !video.ended && this.#paused());
        video.addEventListener("ended", () => this.#engine && this.#enter("ended"));
    }

    get phase() {
        return this.#phase;
    }

    /** Whether there is something to see: the present picture, or the last one. */
    get showsPicture() {
        return this.#held.shown || ["playing", "paused", "stalled"].includes(this.#phase);
    }

    play(url, { live }) {
        this.stop({ hold: true });
        this.#url = url;
        this.#live = live;
        this.#counts = { stalls: 0, reconnects: 0 };
        this.#backoff.reset();
        this.#enter("loading");
        this.#open();
        this.#timers = [setInterval(() => this.#tick(), TICK_MS), setInterval(() => this.#tellFigures(), FIGURES_MS)];
        if (live) this.#readings.start();
    }

    /** hold: the last picture stays, for what is played next. */
    stop({ hold = false } = {}) {
        if (hold) this.#held.show();
        else this.#held.drop({ forget: true });
        this.#timers.forEach(clearInterval);
        this.#timers = [];
        this.#url = this.#pausedAt = this.#position = null;
        this.#readings.stop();
        if (this.#phase !== "idle") this.#close();
        this.#enter("idle");
    }

    pause() {
        if (this.#phase === "reconnecting") this.#close();
        this.#video.pause();
        this.#paused();
    }

    /** From a pause: live pictures go on at the edge, recordings where they were. */
    async resume() {
        const since = this.#pausedAt === null ? 0 : performance.now() - this.#pausedAt;
        this.#pausedAt = null;
        if (!this.#engine || (this.#live && since > STALE_MS)) return this.#reopen();
        if (since > 0) this.#engine.returned();
        try {
            await this.#video.play();
        } catch (error) {
            if (error.name === "NotAllowedError") this.#enter("blocked");
        }
    }

    /** The page, the machine or the network was away for about so long, and is back. */
    returned(awayMs = 0) {
        if (!this.#live || this.#url === null || this.#pausedAt !== null) return;
        if (this.#phase === "reconnecting" && !this.#engine) this.#reopen();
        else if (awayMs > STALE_MS && RUNNING.includes(this.#phase)) this.#reconnect(TROUBLES.slept, 0);
        else this.#engine?.returned();
    }

    /** There is reason to believe that it would work now. */
    retryNow() {
        if (this.#phase === "reconnecting" && !this.#engine) this.#reopen();
    }

    #open() {
        const Engine = [HlsEngine, NativeEngine].find((each) => each.isSupported(this.#video));
        if (!Engine) return this.#enter("failed");
        this.#engine = new Engine(this.#video, { live: this.#live });
        this.#engine.addEventListener("trouble", ({ detail }) => this.#reconnect(detail));
        this.#engine.open(this.#url, { position: this.#position });
        this.#progress.restart();
        this.resume();
    }

    #reopen() {
        this.#close();
        if (this.#phase !== "reconnecting") this.#enter("loading");
        this.#open();
    }

    #close() {
        clearTimeout(this.#retryTimer);
        clearTimeout(this.#stallTimer);
        this.#position = this.#live ? null : this.#video.currentTime || this.#position;
        this.#engine?.close();
        this.#engine = null;
        this.#video.removeAttribute("src");
        this.#video.replaceChildren(); // a managed media source comes as an element
        this.#video.playbackRate = 1;
        this.#video.load();
    }

    #reconnect(trouble, delayMs = this.#backoff.next(Math.random(), trouble.retryAfterMs)) {
        if (this.#url === null) return;
        if (this.#live) this.#held.show();
        this.#close();
        this.#counts.reconnects++;
        this.#enter("reconnecting", (navigator.onLine === false ? TROUBLES.offline : trouble).words);
        this.#retryTimer = setTimeout(() => this.#retry(), delayMs);
    }

    // A page that nobody looks at waits until somebody does.
    #retry() {
        if (document.hidden) this.#retryTimer = setTimeout(() => this.#retry(), HIDDEN_RETRY_MS);
        else this.#open();
    }

    #tick() {
        const now = performance.now();
        const engine = this.#engine;
        engine?.tick(now);
        const asked = RUNNING.includes(this.#phase) || this.#phase === "reconnecting";
        const quiet = engine?.quiet ?? false;
        if (quiet && this.#phase === "stalled") this.#enter("stalled", TROUBLES.quiet.words);
        const wants = engine !== null && asked && !quiet && !document.hidden && !this.#video.paused;
        const said = this.#progress.sample(now, this.#video.currentTime, { wants, slackMs: engine?.slackMs });
        if (said === "stuck" && this.#live) this.#reconnect(TROUBLES.stuck);
        if (said === "proven") this.#backoff.reset();
    }

    #playing() {
        clearTimeout(this.#stallTimer);
        this.#held.drop();
        this.#enter("playing");
    }

    // Also of a picture that was waiting for more: it waits for the person now.
    #paused() {
        if (!RUNNING.includes(this.#phase) && this.#phase !== "reconnecting") return;
        this.#pausedAt = performance.now();
        this.#enter("paused");
    }

    #waiting() {
        if (this.#phase !== "playing" || this.#video.seeking) return;
        this.#counts.stalls++;
        this.#engine.stall(performance.now());
        clearTimeout(this.#stallTimer);
        this.#stallTimer = setTimeout(() => this.#phase === "playing" && this.#enter("stalled"), STALL_SHOWN_MS);
    }

    #tellFigures() {
        const runs = this.#engine !== null && !this.#video.paused && this.#phase === "playing";
        if (runs && this.#live) this.#held.note();
        const detail = { ...this.#readings.take(this.#engine, runs), ...this.#counts };
        this.dispatchEvent(new CustomEvent("figures", { detail }));
    }

    #enter(phase, words = WORDS[phase]) {
        if (phase === this.#phase && words === this.#words && phase !== "reconnecting") return;
        this.#phase = phase;
        this.#words = words;
        this.dispatchEvent(new CustomEvent("phase", { detail: { phase, words } }));
    }
}
