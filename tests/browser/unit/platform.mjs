// What browsers have and Node lacks, for modules that are tested without a page.

/* Debian 12's Node 18 has not. */
globalThis.CustomEvent ??= class extends Event {
    constructor(type, options) {
        super(type, options);
        this.detail = options?.detail ?? null;
    }
};

export const settle = () => new Promise((resolve) => setImmediate(resolve));

/** Local storage that forgets. */
export class Store {
    #values = new Map();

    getItem = (key) => this.#values.get(key) ?? null;
    setItem = (key, value) => this.#values.set(key, String(value));
    removeItem = (key) => this.#values.delete(key);
}
