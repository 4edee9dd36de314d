// The two dialogs: a question before something is lost, and the theatre in which a recording plays.

import { byId, say } from "./dom.js";
import { bytes, duration, picture, when } from "./format.js";
import { Player } from "./player.js";

/** Resolves to whether the action was chosen; Escape and Cancel are no. */
export function confirm({ title, text, action }) {
    const dialog = byId("question");
    say(byId("question-title"), title);
    say(byId("question-text"), text);
    say(byId("question-yes"), action);
    dialog.returnValue = "no";
    dialog.showModal();
    return new Promise((resolve) => {
        dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
    });
}

export class Theatre {
    #player;
    #dialog = byId("theatre");

    constructor() {
        this.#player = new Player(byId("theatre-video"));
        this.#player.addEventListener("phase", ({ detail }) => say(byId("theatre-words"), detail.words));
        this.#player.addEventListener("figures", ({ detail }) => showPictureTime(detail.pictureTime));
        this.#dialog.addEventListener("close", () => this.#player.stop());
        byId("theatre-close").addEventListener("click", () => this.#dialog.close());
    }

    show(recording, cameraName) {
        const { urls } = recording;
        const title = recording.title || cameraName;
        say(byId("theatre-title"), title);
        const facts = [recording.title ? cameraName : "", when(recording.started_at), duration(recording.duration_ms),
            bytes(recording.bytes), picture(recording)];
        say(byId("theatre-facts"), facts.filter(Boolean).join(" · "));
        byId("theatre-download").href = urls.download;
        const video = byId("theatre-video");
        video.poster = urls.poster;
        video.setAttribute("aria-label", title);
        this.#dialog.dataset.recording = recording.id;
        this.#dialog.showModal();
        this.#player.play(urls.hls, { live: false });
    }
}

function showPictureTime(ms) {
    const taken = ms && new Date(ms).toLocaleString([], { dateStyle: "medium", timeStyle: "medium" });
    say(byId("theatre-time"), taken ? `Picture of ${taken}` : "");
}
