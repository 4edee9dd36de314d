// The latency profiles: what each costs and gives, the wish of a person for a camera, and the buttons to choose one.

import { h, say } from "./dom.js";

export const PROFILES = Object.freeze([
    { id: "realtime", name: "Realtime", delay: "0.2 s", requests: 30,
        words: "To drive by: about a fifth of a second behind, at 30 requests a second for each viewer." },
    { id: "balanced", name: "Balanced", delay: "0.4 s", requests: 10,
        words: "To watch: less than half a second behind, at 10 requests a second for each viewer." },
    { id: "economy", name: "Economy", delay: "3 s", requests: 1,
        words: "For a large audience: about three seconds behind, at one request a second, through any cache." },
]);

export const profileNamed = (id) => PROFILES.find((profile) => profile.id === id) ?? null;

/** Remembers which profile is wished for which camera; what is configured for the camera holds until somebody chooses. */
export class ProfileWishes {
    #store;

    constructor(store = globalThis.localStorage) {
        this.#store = store;
    }

    /** Id of a profile, or null for a camera of a gateway that knows no profiles. */
    of(camera) {
        const wished = profileNamed(this.#store.getItem(keyOf(camera.id)));
        return camera.profile ? (wished?.id ?? camera.profile) : null;
    }

    remember(camera, id) {
        if (id === camera.profile) this.#store.removeItem(keyOf(camera.id));
        else this.#store.setItem(keyOf(camera.id), id);
    }
}

const keyOf = (cameraId) => `belfry.profile.${cameraId}`;

/** Buttons rather than radio buttons: while a stream runs a choice restarts it, which arrow keys must not do. */
export class ProfileChooser {
    #group;
    #note;
    #buttons = new Map();

    constructor({ group, note, choose }) {
        this.#group = group;
        this.#note = note;
        for (const { id, name, delay, words } of PROFILES) {
            const said = h("span", { class: "sr-only", id: `profile-${id}-words` }, words);
            const button = h("button", { type: "button", class: "profile", "data-profile": id, title: words,
                "aria-describedby": said.id, onclick: () => this.#usable() && choose(id) },
                h("span", {}, name), h("small", { class: "number", "aria-hidden": "true" }, delay));
            this.#buttons.set(id, button);
            group.append(button, said);
        }
    }

    /** chosen: id, or null where there is nothing to choose; runs: whether a choice restarts a stream; stays: which then does
     * not end by itself any more. */
    render({ chosen, runs, stays = false, busy }) {
        this.#group.hidden = this.#note.hidden = chosen === null;
        this.#group.dataset.chosen = chosen ?? "";
        for (const [id, button] of this.#buttons) {
            button.setAttribute("aria-pressed", id === chosen ? "true" : "false");
            button.setAttribute("aria-disabled", busy ? "true" : "false");
        }
        const words = profileNamed(chosen)?.words ?? "";
        const price = stays ? ", and it then runs until it is stopped." : ".";
        say(this.#note, runs ? `${words} Choosing another restarts the stream for everybody${price}` : words);
    }

    #usable() {
        return this.#group.querySelector("[aria-disabled='true']") === null;
    }
}
