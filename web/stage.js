// The stage: the selected camera, its picture, its controls, and in words what it does.

import { nameOf } from "./cameras.js";
import { byId, say } from "./dom.js";
import { latency } from "./format.js";
import { Keys } from "./keys.js";
import { Panel } from "./panel.js";
import { PictureControls, isAtRest } from "./picture-controls.js";
import { Player } from "./player.js";
import { ProfileChooser, ProfileWishes, profileNamed } from "./profiles.js";
import { Requests } from "./requests.js";

const RECORD_KEY = "belfry.record";
const LABELS = { start: "Start", watch: "Watch", cancel: "Cancel", stop: "Stop", leave: "Leave", none: "Stopping…" };
const BRINGS_PICTURES = ["start", "watch"];
const RUNS = ["live", "unwatched"];
const UNDER_WAY = ["starting", "stopping"];
const LOOK_AGAIN = ["reconnecting", "ended"]; // phases in which what is known of the stream may be old

export class Stage {
    #cameras;
    #confirm;
    #refresh;
    #player;
    #panel = new Panel();
    #picture;
    #chooser;
    #wishes = new ProfileWishes();
    #requests;
    #playing = null; // session on show
    #shownCamera = null;
    #playerWords = "";

    /** confirm: asks a person; refresh: fetches what is known of the cameras anew. */
    constructor({ cameras, confirm, refresh }) {
        this.#cameras = cameras;
        this.#confirm = confirm;
        this.#refresh = refresh;
        this.#player = new Player(byId("video"), byId("held"));
        this.#player.addEventListener("phase", ({ detail }) => this.#phase(detail));
        this.#player.addEventListener("figures", ({ detail }) => this.#figures(detail));
        this.#picture = new PictureControls({ toggle: () => this.#togglePause(), nameOfPicture: () => this.#shownCamera });
        this.#chooser = new ProfileChooser({ group: byId("profiles"), note: byId("profile-note"),
            choose: (id) => this.#choose(id) });
        this.#requests = new Requests({ cameras, wishes: this.#wishes });
        this.#requests.addEventListener("change", () => this.render());
        cameras.addEventListener("change", () => this.render());
        byId("power").addEventListener("click", () => this.#power());
        byId("record").checked = localStorage.getItem(RECORD_KEY) === "yes";
        byId("record").addEventListener("change", ({ target }) => (remember(target.checked), this.render()));
        this.#bindKeys();
    }

    /** The page, the machine or the network is back after about so long. */
    returned(awayMs) {
        this.#player.returned(awayMs);
    }

    /** Belfry answers again. */
    reachable() {
        this.#player.retryNow();
    }

    render() {
        const camera = this.#cameras.selected;
        byId("stage").hidden = camera === null;
        if (camera === null) return this.#player.stop();

        const told = this.#requests.describe(camera);
        this.#follow(camera, told);
        this.#renderHead(camera, told);
        this.#renderControls(camera, told);
        this.#renderWords(told);
    }

    // The last picture stays until the next stream's, unless the camera comes to rest in between.
    #follow(camera, { state }) {
        const { stream } = camera;
        const url = this.#requests.shows(camera) ? stream.urls?.hls : null;
        if (camera.id !== this.#shownCamera) this.#leave(camera.id);
        if (url && this.#playing !== stream.session) {
            this.#requests.forgive(camera.id);
            this.#playing = stream.session;
            this.#player.play(url, { live: true });
        } else if (!url && (this.#playing || !UNDER_WAY.includes(state))) {
            this.#playing = null;
            this.#player.stop({ hold: UNDER_WAY.includes(state) });
        }
    }

    #leave(cameraId) {
        this.#shownCamera = cameraId;
        this.#playing = null;
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

    #renderControls(camera, { state }) {
        const power = byId("power");
        const action = this.#requests.actionOn(camera, { byHand: this.#wantsByHand(camera) });
        const brings = BRINGS_PICTURES.includes(action);
        const runs = RUNS.includes(state);
        say(power.querySelector("span"), LABELS[action]);
        power.querySelector("use").setAttribute("href", brings ? "#icon-play" : "#icon-stop");
        power.classList.toggle("primary", brings);
        power.setAttribute("aria-disabled", action === "none" ? "true" : "false");
        byId("record-choice").hidden = !brings || runs;
        byId("recording-now").hidden = !(runs && camera.stream.record);
        const chosen = (runs && camera.stream.profile) || this.#wishes.of(camera);
        this.#chooser.render({ chosen, runs, stays: camera.stream?.on_demand, busy: UNDER_WAY.includes(state) });
        this.#picture.render(this.#player.phase);
        this.#panel.show(runs && this.#playing !== null);
    }

    // A viewer's start gives what is configured and records nothing.
    #wantsByHand(camera) {
        return byId("record").checked || this.#wishes.of(camera) !== (camera.profile ?? null);
    }

    #renderWords({ state, label, words }) {
        const { phase, showsPicture } = this.#player;
        const live = state === "live";
        const text = live && this.#playerWords ? this.#playerWords : words;
        say(byId("stage-words"), text);
        const veil = byId("veil");
        veil.hidden = live && ["playing", "paused"].includes(phase);
        byId("stage-words").classList.toggle("sr-only", !veil.hidden); // the veil shows the same to the eye
        veil.classList.toggle("thin", showsPicture);
        say(byId("veil-title"), live ? "One moment" : label);
        say(byId("veil-words"), text);
        byId("live-badge").hidden = !(live && phase === "playing");
    }

    #phase({ phase, words }) {
        this.#playerWords = words;
        if (LOOK_AGAIN.includes(phase)) this.#refresh();
        if (this.#cameras.selected) this.render();
    }

    #figures(figures) {
        say(byId("badge-latency"), figures.latencyMs > 0 ? latency(figures.latencyMs) : "");
        this.#panel.update(figures, this.#cameras.selected?.stream);
    }

    #power() {
        const camera = this.#cameras.selected;
        const requests = this.#requests;
        const acts = {
            start: () => requests.start(camera, { record: byId("record").checked }),
            watch: () => requests.watch(camera),
            leave: () => requests.leave(camera),
            cancel: () => requests.stop(camera),
            stop: () => requests.stop(camera),
        };
        acts[requests.actionOn(camera, { byHand: this.#wantsByHand(camera) })]?.();
    }

    async #choose(id) {
        const camera = this.#cameras.selected;
        const runs = RUNS.includes(this.#requests.describe(camera).state);
        const restarts = runs && id !== camera.stream.profile;
        if (restarts && camera.stream.record && !(await this.#agreed(id))) return;
        this.#wishes.remember(camera, id);
        if (restarts) this.#requests.restart(camera);
        else this.render();
    }

    #agreed(id) {
        return this.#confirm({
            title: `Restart as ${profileNamed(id).name}?`,
            text: "The stream is being recorded. The recording ends here, and another one begins.",
            action: "Restart",
        });
    }

    #togglePause() {
        const { phase } = this.#player;
        if (phase === "ended" || phase === "failed") {
            this.#leave(this.#shownCamera); // what is rendered next plays anew
            this.render();
        } else if (isAtRest(phase)) this.#player.resume();
        else this.#player.pause();
    }

    #bindKeys() {
        const watched = (act) => () => !byId("picture-controls").hidden && (act(), true);
        new Keys({
            pause: watched(() => this.#togglePause()),
            fullscreen: watched(() => this.#picture.toggleFullscreen()),
            still: watched(() => this.#picture.saveStill()),
            panel: watched(() => this.#panel.toggle()),
            close: () => this.#panel.isOpen && (this.#panel.toggle(false), true),
        });
    }
}

function remember(record) {
    localStorage.setItem(RECORD_KEY, record ? "yes" : "no");
}
