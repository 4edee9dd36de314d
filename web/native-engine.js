// Plays HLS with the browser's own player, where there are no Media Source Extensions. It keeps the distance that the
// browser chooses. Dispatches "trouble".

import { TROUBLES } from "./troubles.js";

const HLS_TYPE = "application/vnd.apple.mpegurl";

export class NativeEngine extends EventTarget {
    static isSupported = (video) => Boolean(video.canPlayType(HLS_TYPE));

    delivery = "the browser's own";
    errorMs = null;
    kbps = null;
    partSeconds = null;
    quiet = false;
    slackMs = 10000; // it may take several segments before it shows the first
    #video;
    #heard = new AbortController();

    constructor(video) {
        super();
        this.#video = video;
    }

    open(url, { position = null } = {}) {
        const { signal } = this.#heard;
        this.#video.addEventListener("error", () => this.#failed(), { signal });
        if (position !== null) {
            this.#video.addEventListener("loadedmetadata", () => (this.#video.currentTime = position), { signal, once: true });
        }
        this.#video.src = url;
    }

    close() {
        this.#heard.abort();
    }

    tick() {}

    stall() {}

    /** To the edge, as near as the browser offers. */
    returned() {
        const { seekable } = this.#video;
        if (seekable.length > 0) this.#video.currentTime = seekable.end(seekable.length - 1);
    }

    get pictureTime() {
        const start = this.#video.getStartDate?.().getTime();
        return Number.isFinite(start) ? start + this.#video.currentTime * 1000 : null;
    }

    #failed() {
        const network = this.#video.error?.code === 2; // MEDIA_ERR_NETWORK
        this.dispatchEvent(new CustomEvent("trouble", { detail: network ? TROUBLES.lost : TROUBLES.broken }));
    }
}
