// The recordings: what is kept, as cards, each with its picture and what can be done with it.

import { changeRecording, deleteRecording } from "./api.js";
import { byId, h, icon, say } from "./dom.js";
import { bytes, duration, durationWords, when } from "./format.js";

export class Recordings {
    #byId = new Map();
    #cards = new Map();
    #actions;

    /** actions: {play(recording), confirm(question) → Promise<boolean>, tell(words), nameOfCamera(id)} */
    constructor(actions) {
        this.#actions = actions;
    }

    put(recording) {
        this.#byId.set(recording.id, recording);
        this.#render();
    }

    drop(id) {
        this.#byId.delete(id);
        this.#render();
    }

    async sync(fetchList) {
        const list = await fetchList();
        this.#byId = new Map(list.map((recording) => [recording.id, recording]));
        this.#render();
    }

    #render() {
        const newestFirst = [...this.#byId.values()].sort((a, b) => (a.started_at < b.started_at ? 1 : -1));
        const list = byId("recording-list");
        byId("no-recordings").hidden = newestFirst.length > 0;
        say(byId("recording-count"), newestFirst.length ? summary(newestFirst) : "");

        const gone = new Set(this.#cards.keys());
        newestFirst.forEach((recording, i) => {
            gone.delete(recording.id);
            const card = this.#cards.get(recording.id) ?? this.#add(recording);
            card.update(recording);
            if (list.children[i] !== card.element) list.insertBefore(card.element, list.children[i] ?? null);
        });
        for (const id of gone) this.#remove(id);
    }

    #add(recording) {
        const card = new Card(recording, {
            nameOfCamera: this.#actions.nameOfCamera,
            play: (current) => this.#actions.play(current),
            protect: (current) => this.#change(current, { protected: !current.protected }),
            rename: (current, title) => this.#change(current, { title }),
            remove: (current) => this.#delete(current),
        });
        this.#cards.set(recording.id, card);
        return card;
    }

    #remove(id) {
        const { element } = this.#cards.get(id);
        const held = element.contains(document.activeElement);
        const neighbour = element.nextElementSibling ?? element.previousElementSibling;
        element.remove();
        this.#cards.delete(id);
        if (held) (neighbour?.querySelector("button") ?? byId("recordings-title")).focus();
    }

    #titleOf(recording) {
        return recording.title || this.#actions.nameOfCamera(recording.camera);
    }

    async #change(recording, change) {
        try {
            this.put((await changeRecording(recording.id, change)) ?? { ...recording, ...change });
        } catch (problem) {
            this.#actions.tell(problem.message);
        }
    }

    async #delete(recording) {
        const facts = `${durationWords(recording.duration_ms)}, ${bytes(recording.bytes)}`;
        const agreed = await this.#actions.confirm({
            title: `Delete the recording “${this.#titleOf(recording)}”?`,
            text: `${facts}, of ${when(recording.started_at)}. It cannot be brought back.`,
            action: "Delete",
        });
        if (!agreed) return;
        try {
            await deleteRecording(recording.id);
            this.drop(recording.id);
            this.#actions.tell(`The recording “${this.#titleOf(recording)}” was deleted.`);
        } catch (problem) {
            this.#actions.tell(problem.message);
        }
    }
}

function summary(recordings) {
    const total = recordings.reduce((sum, recording) => sum + (recording.bytes || 0), 0);
    return `${recordings.length} · ${bytes(total)}`;
}

class Card {
    #recording;
    #actions;
    #parts;

    constructor(recording, actions) {
        this.#recording = recording;
        this.#actions = actions;
        this.#parts = this.#build();
        this.element = h("li", { class: "recording", "data-recording": recording.id },
            this.#parts.play, h("div", { class: "recording-text" }, this.#parts.heading, this.#parts.form,
                this.#parts.facts), this.#parts.tools);
    }

    update(recording) {
        this.#recording = recording;
        const { play, poster, length, title, facts, download, protect, remove } = this.#parts;
        const camera = this.#actions.nameOfCamera(recording.camera);
        const name = recording.title || camera;
        if (poster.getAttribute("src") !== recording.urls.poster) poster.src = recording.urls.poster;
        say(this.#parts.said, `Play ${name}, ${durationWords(recording.duration_ms)}`);
        say(length, duration(recording.duration_ms));
        say(title, name);
        const taken = [when(recording.started_at), bytes(recording.bytes)];
        say(facts, (recording.title ? [camera, ...taken] : taken).join(" · "));
        download.href = recording.urls.download;
        download.setAttribute("aria-label", `Download ${name}`);
        protect.setAttribute("aria-pressed", recording.protected ? "true" : "false");
        protect.setAttribute("aria-label", `Protect ${name} from deletion`);
        protect.title = recording.protected ? "Protected from deletion" : "Protect from deletion";
        remove.disabled = Boolean(recording.protected);
        remove.setAttribute("aria-label", `Delete ${name}`);
        remove.title = recording.protected ? "Protected: take the protection off first" : "Delete";
    }

    #build() {
        const length = h("span", { class: "recording-length", "aria-hidden": "true" });
        const poster = h("img", { alt: "", loading: "lazy", decoding: "async" });
        poster.addEventListener("error", () => (poster.hidden = true));
        poster.addEventListener("load", () => (poster.hidden = false));
        const said = h("span", { class: "sr-only" });
        const play = h("button", { type: "button", class: "recording-play",
            onclick: () => this.#actions.play(this.#recording) },
            poster, said, h("span", { class: "recording-glyph", "aria-hidden": "true" }, icon("play")), length);

        const title = h("span", { class: "recording-title" });
        const edit = h("button", { type: "button", class: "quiet small", title: "Rename", onclick: () => this.#edit() },
            icon("pencil"), h("span", { class: "sr-only" }, "Rename"));
        const heading = h("h3", {}, title, edit);
        const tools = this.#buildTools();
        return { play, said, poster, length, title, edit, heading, facts: h("p", { class: "recording-facts" }),
            ...this.#buildForm(), ...tools };
    }

    #buildForm() {
        const field = h("input", { type: "text", name: "title", maxlength: "120", autocomplete: "off",
            "aria-label": "Title" });
        const form = h("form", { class: "rename", hidden: true }, field,
            h("button", { type: "submit", class: "small" }, "Save"),
            h("button", { type: "button", class: "quiet small", onclick: () => this.#endEdit() }, "Cancel"));
        form.addEventListener("submit", (event) => this.#save(event));
        form.addEventListener("keydown", (event) => event.key === "Escape" && this.#endEdit());
        return { form, field };
    }

    #buildTools() {
        const download = h("a", { class: "tool", download: "", title: "Download as MP4" }, icon("download"));
        const protect = h("button", { type: "button", class: "tool",
            onclick: () => this.#actions.protect(this.#recording) }, icon("shield"));
        const remove = h("button", { type: "button", class: "tool danger",
            onclick: () => this.#actions.remove(this.#recording) }, icon("bin"));
        return { download, protect, remove, tools: h("div", { class: "recording-tools" }, download, protect, remove) };
    }

    #edit() {
        const { heading, form, field } = this.#parts;
        heading.hidden = true;
        form.hidden = false;
        field.value = this.#parts.title.textContent;
        field.focus();
        field.select();
    }

    #endEdit() {
        const { heading, form, edit } = this.#parts;
        form.hidden = true;
        heading.hidden = false;
        edit.focus();
    }

    #save(event) {
        event.preventDefault();
        const title = this.#parts.field.value.trim();
        this.#endEdit();
        if (title && title !== this.#parts.title.textContent) this.#actions.rename(this.#recording, title);
    }
}
