// Asks for the next part as soon as the playlist hints at it. The server holds the request until the part is whole, so it
// comes along with the playlist that names it, and not a round trip later. hls.js reads EXT-X-PRELOAD-HINT but does not
// follow it. That is one more request held at the server for each viewer: only streams of short parts do it.

const SHORT_PART = 0.12; // seconds
const KEPT = 8; // hinted parts that hls.js may still ask for: after a hiccup it is some behind

/** Hinted parts on their way. `fetch` as the platform's. */
export class HintedParts {
    #fetch;
    #byUrl = new Map();

    constructor(fetch = globalThis.fetch.bind(globalThis)) {
        this.#fetch = fetch;
    }

    ask(url) {
        if (this.#byUrl.has(url)) return;
        const aborter = new AbortController();
        const loaded = this.#load(url, aborter.signal);
        loaded.catch(() => {}); // whoever takes it is told
        this.#byUrl.set(url, { loaded, abort: () => aborter.abort() });
        for (const old of [...this.#byUrl.keys()].slice(0, -KEPT)) this.#drop(old);
    }

    /** {loaded: promise of the bytes, abort()}, from now on the taker's; null where `url` was not hinted at. */
    take(url) {
        const part = this.#byUrl.get(url) ?? null;
        this.#byUrl.delete(url);
        return part;
    }

    clear() {
        for (const url of [...this.#byUrl.keys()]) this.#drop(url);
    }

    #drop(url) {
        this.take(url).abort();
    }

    async #load(url, signal) {
        const response = await this.#fetch(url, { signal });
        if (!response.ok) throw new Error(`${response.status} for ${url}`);
        return response.arrayBuffer();
    }
}

/** The URL of the part to ask for ahead of its playlist, or null. details: hls.js's LevelDetails. */
export function hintOf(details) {
    const hint = details.live && details.partTarget <= SHORT_PART ? details.preloadHint : null;
    return hint?.TYPE === "PART" && hint.URI ? new URL(hint.URI, details.url).href : null;
}

/** The part of hls.js's configuration that takes what was hinted at, and loads as ever what was not. */
export function hintedConfig(Hls, parts) {
    class FragmentLoader extends Hls.DefaultConfig.loader {
        #taken = null;

        load(context, config, callbacks) {
            this.#taken = context.part ? parts.take(context.url) : null;
            if (!this.#taken) return super.load(context, config, callbacks);
            this.context = context;
            this.callbacks = callbacks;
            this.stats.loading.start = performance.now();
            const untilOver = (then) => (value) => this.callbacks === callbacks && then(value);
            this.#taken.loaded.then(untilOver((data) => this.#deliver(data)), untilOver(() => this.#loadAfterAll(config)));
        }

        abort() {
            this.#taken?.abort();
            super.abort();
        }

        destroy() {
            this.#taken?.abort();
            super.destroy();
        }

        #deliver(data) {
            const { context, stats } = this;
            stats.loading.first = stats.loading.end = performance.now();
            stats.loaded = stats.total = data.byteLength;
            this.callbacks.onSuccess({ url: context.url, data, code: 200 }, stats, context, null);
        }

        #loadAfterAll(config) {
            this.stats.loading.start = 0;
            super.load(this.context, config, this.callbacks);
        }
    }

    return { fLoader: FragmentLoader };
}
