// The panel of figures: what is measured of the picture on show, with the latency of the last minute as a line.

import { byId, say } from "./dom.js";
import { History } from "./figures.js";
import { bitRate, latency, picture, seconds } from "./format.js";
import { profileNamed } from "./profiles.js";

const OPEN_KEY = "belfry.panel";
const SPARK = { width: 240, height: 48 };
const TOPS = [200, 300, 500, 750, 1000, 1500, 2000, 3000, 5000, 7500, 10000, 15000, 30000, 60000];

export class Panel {
    #toggle = byId("panel-toggle");
    #open = localStorage.getItem(OPEN_KEY) === "yes";
    #live = false;
    #latest = null; // what update() was given
    #history = new History();

    constructor() {
        this.#toggle.addEventListener("click", () => this.toggle());
        // In full screen only what is inside the frame is to be seen.
        document.addEventListener("fullscreenchange", () => {
            const home = document.fullscreenElement === byId("frame") ? byId("frame") : byId("panel-home");
            home.append(byId("panel"));
        });
        this.#render();
    }

    get isOpen() {
        return this.#open && this.#live;
    }

    toggle(open = !this.#open) {
        this.#open = open;
        localStorage.setItem(OPEN_KEY, open ? "yes" : "no");
        this.#render();
    }

    /** live: whether there is a picture to measure. */
    show(live) {
        if (live === this.#live) return;
        this.#live = live;
        this.#latest = null;
        if (!live) this.#history.clear();
        this.#render();
    }

    /** figures: of the player; stream: as the API tells it. */
    update(figures, stream) {
        const now = performance.now();
        this.#history.add(now, figures.runs ? figures.latencyMs : null);
        this.#latest = { figures, stream };
        if (this.isOpen) this.#fill(now);
    }

    #render() {
        if (this.isOpen && this.#latest) this.#fill(performance.now());
        byId("panel").hidden = !this.isOpen;
        this.#toggle.setAttribute("aria-expanded", this.isOpen ? "true" : "false");
    }

    #fill(now) {
        const { figures, stream } = this.#latest;
        for (const [id, text] of Object.entries(texts(figures, stream))) say(byId(`figure-${id}`), text);
        this.#draw(now, figures.goalMs);
    }

    #draw(now, goalMs) {
        const { width, height } = SPARK;
        const range = this.#history.range;
        const top = TOPS.find((limit) => limit >= Math.max(range?.most ?? 0, goalMs ?? 0)) ?? TOPS.at(-1);
        byId("spark-line").setAttribute("d", this.#history.path(now, width, height, top));
        const y = goalMs === null ? null : (height * (1 - Math.max(goalMs, 0) / top)).toFixed(1);
        byId("spark-goal").setAttribute("d", y === null ? "" : `M0 ${y}H${width}`);
        say(byId("spark-top"), latency(top));
        const words = range ? `between ${latency(range.least)} and ${latency(range.most)}` : "not known yet";
        byId("spark").setAttribute("aria-label", `Latency of the last minute: ${words}`);
    }
}

/** The figures in words, by the id of the place they belong to. Pure. */
export function texts(figures, stream) {
    const { latencyMs, latencyFrom, aheadMs, rate, dropped, frames, partSeconds } = figures;
    return {
        latency: latency(latencyMs),
        "latency-how": latencyFrom === "picture" ? "measured in the picture" : "by the stream's clock",
        goal: latency(figures.goalMs),
        buffer: seconds(aheadMs),
        rate: `× ${rate.toFixed(2)}`,
        stalls: `${figures.stalls}`,
        reconnects: `${figures.reconnects}`,
        bits: bitRate(figures.kbps),
        dropped: frames > 0 ? `${dropped} of ${frames}` : "–",
        picture: picture(figures) || "–",
        profile: profileNamed(stream?.profile)?.name ?? "–",
        part: partSeconds === null ? "–" : partSeconds > 0 ? `up to ${Math.round(1000 * partSeconds)} ms` : "none, whole segments",
        delivery: figures.delivery ?? "–",
    };
}
