// The keyboard: single keys for what the buttons do, the list of them, and the switch that turns them off (for those
// whose speech input or tremor would press them unasked).

import { byId, h } from "./dom.js";

const STORE_KEY = "belfry.keys";
const TYPES_TEXT = "input:not([type=checkbox]), textarea, select, [contenteditable]";
const TAKES_SPACE = `${TYPES_TEXT}, button, a, summary, input`;

export const SHORTCUTS = Object.freeze([
    { keys: [" ", "k"], shown: "Space or K", words: "Play or pause", act: "pause" },
    { keys: ["f"], shown: "F", words: "Full screen, and back", act: "fullscreen" },
    { keys: ["i"], shown: "I", words: "Figures: latency, buffer, bit rate…", act: "panel" },
    { keys: ["s"], shown: "S", words: "Save the picture", act: "still" },
    { keys: ["?"], shown: "?", words: "This list", act: "help" },
    { keys: ["Escape"], shown: "Esc", words: "Close what is open", act: "close", always: true },
]);

/** Which action a key press stands for, or null. on: whether single keys are wanted. Pure but for `matches`. */
export function actionOf({ key, target, ctrlKey, metaKey, altKey, defaultPrevented, repeat }, on) {
    if (ctrlKey || metaKey || altKey || defaultPrevented || repeat) return null;
    const shortcut = SHORTCUTS.find(({ keys }) => keys.includes(key.length === 1 ? key.toLowerCase() : key));
    if (!shortcut || !(on || shortcut.always)) return null;
    return target.matches?.(key === " " ? TAKES_SPACE : TYPES_TEXT) ? null : shortcut.act;
}

export class Keys {
    #dialog = byId("keys");
    #on = localStorage.getItem(STORE_KEY) !== "no";

    /** actions: {pause(), fullscreen(), panel(), still(), close() → whether there was something to close} */
    constructor(actions) {
        const acts = { ...actions, help: () => this.#dialog.showModal() };
        document.addEventListener("keydown", (event) => {
            if (document.querySelector("dialog[open]")) return; // a dialog has the keys to itself
            const act = actionOf(event, this.#on);
            if (act === null || acts[act]() === false) return;
            event.preventDefault();
        });
        byId("keys-list").append(...SHORTCUTS.map(({ shown, words }) =>
            h("div", {}, h("dt", {}, h("kbd", {}, shown)), h("dd", {}, words))));
        byId("keys-show").addEventListener("click", acts.help);
        byId("keys-close").addEventListener("click", () => this.#dialog.close());
        byId("keys-on").checked = this.#on;
        byId("keys-on").addEventListener("change", ({ target }) => this.#switch(target.checked));
    }

    #switch(on) {
        this.#on = on;
        localStorage.setItem(STORE_KEY, on ? "yes" : "no");
    }
}
