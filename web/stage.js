// The stage: the selected camera, its picture, its controls, and in words what it does.

import { startStream, stopStream } from "./api.js";
import { nameOf } from "./cameras.js";
import { byId, say } from "./dom.js";
import { describeCamera, latency, picture } from "./format.js";
import { Player } from "./player.js";

const RECORD_KEY = "belfry.record";
const LABELS = {
    idle: "Start",
    offline: "Start",
    failed: "Start",
    starting: "Cancel",
    live: "Stop",
    stopping: "Stopping…",
};
const AT_REST = ["paused", "blocked", "ended", "failed"]; // phases in which the picture wants a Play button

export class Stage {
    #cameras;
    #player;
    #playing = null; // session on show
    #shownCamera = null;
    #asked = new Map(); // camera id → "start" or "stop" while such a request is under way
    #problems = new Map(); // camera id → words of the last refusal, until something else happens
    #playerWords = "";
    #figures = null;

    constructor({ cameras }) {
        this.#cameras = cameras;
        this.#player = new Player(byId("video"));
        this.#player.addEventListener("phase", ({ detail }) => this.#phase(detail));
        this.#player.addEventListener("figures", ({ detail }) => this.#showFigures(detail));
        cameras.addEventListener("change", () => this.render());

        byId("power").addEventListener("click", () => this.#power());
        byId("pause").addEventListener("click", () => this.#togglePause());
        byId("still").addEventListener("click", () => this.#saveStill());
        byId("fullscreen").addEventListener("click", () => toggleFullscreen(byId("frame")));
        byId("record").checked = localStorage.getItem(RECORD_KEY) === "yes";
        byId("record").addEventListener("change", ({ target }) => remember(target.checked));
    }

    render() {
        const camera = this.#cameras.selected;
        byId("stage").hidden = camera === null;
        if (camera === null) return this.#player.stop();

        const told = this.#describe(camera);
        this.#follow(camera);
        this.#renderHead(camera, told);
        this.#renderControls(camera, told.state);
        this.#renderWords(told);
    }

    // What the gateway last said, corrected by what was asked of it a moment ago.
    #describe(camera) {
        const told = describeCamera(camera);
        const asked = this.#asked.get(camera.id);
        if (asked === "start" && told.state !== "starting" && told.state !== "live") {
            return { state: "starting", label: "Starting", tone: "busy", words: "Asking the camera to start." };
        }
        if (asked === "stop" && told.state !== "idle") {
            return { state: "stopping", label: "Stopping", tone: "busy", words: "Switching the camera off." };
        }
        const problem = this.#problems.get(camera.id);
        if (problem && told.state !== "live") return { ...told, tone: "failed", words: problem };
        return told;
    }

    #follow(camera) {
        const stream = camera.stream;
        const url = stream?.state === "live" ? stream.urls?.hls : null;
        if (camera.id !== this.#shownCamera) this.#leave(camera.id);
        if (!url) {
            if (this.#playing) this.#leave(camera.id);
        } else if (this.#playing !== stream.session) {
            this.#problems.delete(camera.id);
            this.#playing = stream.session;
            this.#player.play(url, { live: true });
        }
    }

    #leave(cameraId) {
        this.#shownCamera = cameraId;
        this.#playing = null;
        this.#figures = null;
        this.#player.stop();
    }

    #renderHead(camera, { label, tone }) {
        say(byId("stage-title"), nameOf(camera));
        say(byId("stage-state"), label);
        byId("stage").dataset.tone = tone;
        byId("stage").dataset.camera = camera.id;
        const { width, height } = camera.video ?? {};
        if (width && height) byId("frame").style.setProperty("--shape", `${width} / ${height}`);
        byId("video").setAttribute("aria-label", `Live picture of ${nameOf(camera)}`);
    }

    #renderControls(camera, state) {
        const power = byId("power");
        const starts = LABELS[state] === "Start";
        say(power.querySelector("span"), LABELS[state] ?? "Stop");
        power.querySelector("use").setAttribute("href", starts ? "#icon-play" : "#icon-stop");
        power.classList.toggle("primary", starts);
        power.setAttribute("aria-disabled", state === "stopping" ? "true" : "false");
        byId("record-choice").hidden = !starts;
        byId("recording-now").hidden = !(state === "live" && camera.stream.record);
        byId("picture-controls").hidden = ["idle", "loading"].includes(this.#player.phase);
        byId("still").disabled = byId("video").readyState < HTMLMediaElement.HAVE_CURRENT_DATA;
        const paused = AT_REST.includes(this.#player.phase);
        say(byId("pause").querySelector("span"), paused ? "Play" : "Pause");
        byId("pause").querySelector("use").setAttribute("href", paused ? "#icon-play" : "#icon-pause");
    }

    #renderWords({ state, label, words }) {
        const seen = ["playing", "paused"].includes(this.#player.phase);
        const text = state === "live" && this.#playerWords ? this.#playerWords : words;
        say(byId("stage-words"), text);
        const veil = byId("veil");
        veil.hidden = state === "live" && seen;
        byId("stage-words").classList.toggle("sr-only", !veil.hidden); // the veil shows the same to the eye
        veil.classList.toggle("thin", this.#player.phase === "stalled");
        say(byId("veil-title"), state === "live" ? "One moment" : label);
        say(byId("veil-words"), text);
        byId("figures").hidden = state !== "live" || this.#figures === null;
        byId("live-badge").hidden = !(state === "live" && this.#player.phase === "playing");
    }

    #phase({ phase, words }) {
        this.#playerWords = words;
        if (phase === "idle") this.#figures = null;
        if (this.#cameras.selected) this.render();
    }

    #showFigures(figures) {
        const first = this.#figures === null;
        this.#figures = figures;
        const shown = latency(figures.latencyMs);
        say(byId("figure-latency"), shown);
        say(byId("badge-latency"), figures.latencyMs > 0 ? shown : "");
        const measured = figures.latencyFrom === "picture";
        say(byId("figure-latency-how"), measured ? "measured in the picture" : "by the stream's clock");
        say(byId("figure-buffer"), figures.aheadMs === null ? "–" : `${(figures.aheadMs / 1000).toFixed(1)} s`);
        say(byId("figure-rate"), `× ${figures.rate.toFixed(2)}`);
        say(byId("figure-picture"), picture(figures) || "–");
        say(byId("figure-stalls"), `${figures.stalls}`);
        say(byId("figure-dropped"), `${figures.dropped}`);
        if (first && this.#cameras.selected) this.render();
    }

    #power() {
        const camera = this.#cameras.selected;
        const { state } = this.#describe(camera);
        if (state === "stopping") return;
        if (LABELS[state] === "Start") this.#ask(camera.id, "start", () => startStream(camera.id, recordWish()));
        else this.#ask(camera.id, "stop", () => stopStream(camera.id));
    }

    async #ask(id, what, call) {
        this.#asked.set(id, what);
        this.#problems.delete(id);
        this.render();
        try {
            const stream = await call();
            if (this.#asked.get(id) === what && stream) this.#cameras.putStream(id, stream);
        } catch (problem) {
            if (this.#asked.get(id) === what) this.#problems.set(id, problem.message);
        } finally {
            if (this.#asked.get(id) === what) this.#asked.delete(id);
            this.render();
        }
    }

    #togglePause() {
        const { phase } = this.#player;
        if (phase === "ended" || phase === "failed") this.#leave(this.#shownCamera); // what is rendered next plays anew
        else if (AT_REST.includes(phase)) this.#player.resume();
        else this.#player.pause();
    }

    #saveStill() {
        const video = byId("video");
        const canvas = document.createElement("canvas");
        canvas.width = video.videoWidth;
        canvas.height = video.videoHeight;
        canvas.getContext("2d").drawImage(video, 0, 0);
        const name = `${this.#shownCamera}-${new Date().toISOString().replace(/[:.]/g, "-")}.jpg`;
        canvas.toBlob((blob) => blob && download(blob, name), "image/jpeg", 0.92);
    }
}

const recordWish = () => ({ record: byId("record").checked });

function remember(record) {
    localStorage.setItem(RECORD_KEY, record ? "yes" : "no");
}

function download(blob, name) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    URL.revokeObjectURL(link.href);
}

function toggleFullscreen(element) {
    if (document.fullscreenElement) document.exitFullscreen();
    else if (element.requestFullscreen) element.requestFullscreen();
    else byId("video").webkitEnterFullscreen?.(); // iPhones give full screen to videos only
}
