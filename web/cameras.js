// The cameras: what is known of them, and the list to choose one from.

import { describeCamera, picture } from "./format.js";
import { h, say } from "./dom.js";

export class Cameras extends EventTarget {
    #byId = new Map();
    #heard = new Map(); // id → how often news came; a list asked for earlier does not overwrite it
    #wish;
    #synced = false; // until the first whole list nothing is selected, so that the choice does not jump

    /** wish: id of the camera to select once it is known; default: the first. */
    constructor(wish = null) {
        super();
        this.#wish = wish;
    }

    get selected() {
        return this.#synced ? (this.#byId.get(this.#wish) ?? this.all()[0] ?? null) : null;
    }

    get(id) {
        return this.#byId.get(id) ?? null;
    }

    all() {
        return [...this.#byId.values()].sort((a, b) => nameOf(a).localeCompare(nameOf(b)));
    }

    select(id) {
        this.#wish = id;
        this.#changed();
        this.dispatchEvent(new Event("select"));
    }

    put(camera) {
        this.#heard.set(camera.id, (this.#heard.get(camera.id) ?? 0) + 1);
        this.#byId.set(camera.id, camera);
        this.#changed();
    }

    putStream(id, stream) {
        const camera = this.#byId.get(id);
        if (camera) this.put({ ...camera, stream });
    }

    /** Replaces the whole list by what `fetchList` brings, but for cameras of which something newer came meanwhile. */
    async sync(fetchList) {
        const before = new Map(this.#heard);
        const list = await fetchList();
        const known = this.#byId;
        const newer = (id) => this.#heard.get(id) !== before.get(id);
        this.#byId = new Map(list.map((camera) => [camera.id, newer(camera.id) ? known.get(camera.id) : camera]));
        this.#synced = true;
        this.#wish ??= this.selected?.id ?? null;
        this.#changed();
    }

    #changed() {
        this.dispatchEvent(new Event("change"));
    }
}

export const nameOf = (camera) => camera.name || camera.id;

/** The list as buttons. Kept and updated in place, so that the focus stays where it is. */
export class CameraList {
    #list;
    #empty;
    #cameras;
    #rows = new Map();

    constructor({ list, empty, cameras }) {
        this.#list = list;
        this.#empty = empty;
        this.#cameras = cameras;
        cameras.addEventListener("change", () => this.#render());
    }

    #render() {
        const all = this.#cameras.all();
        this.#empty.hidden = all.length > 0;
        const gone = new Set(this.#rows.keys());
        all.forEach((camera, i) => {
            gone.delete(camera.id);
            const row = this.#rows.get(camera.id) ?? this.#add(camera.id);
            this.#update(row, camera);
            if (this.#list.children[i] !== row.item) this.#list.insertBefore(row.item, this.#list.children[i] ?? null);
        });
        for (const id of gone) this.#remove(id);
    }

    #add(id) {
        const name = h("span", { class: "camera-name" });
        const state = h("span", { class: "camera-state" });
        const facts = h("span", { class: "camera-facts" });
        const button = h("button", { type: "button", class: "camera", onclick: () => this.#cameras.select(id) },
            h("span", { class: "dot", "aria-hidden": "true" }), name, state, facts);
        const row = { item: h("li", {}, button), button, name, state, facts };
        this.#rows.set(id, row);
        return row;
    }

    #update(row, camera) {
        const { label, tone } = describeCamera(camera);
        row.button.dataset.tone = tone;
        row.button.dataset.camera = camera.id;
        row.button.setAttribute("aria-current", camera === this.#cameras.selected ? "true" : "false");
        say(row.name, nameOf(camera));
        say(row.state, camera.stream?.state === "live" && camera.stream.record ? `${label}, recording` : label);
        say(row.facts, picture(camera.video));
    }

    #remove(id) {
        this.#rows.get(id).item.remove();
        this.#rows.delete(id);
    }
}
