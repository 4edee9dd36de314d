// What happens, as it happens: server-sent events with a reconnect of our own, and polling for as long as they are
// away. Dispatches the server's events by name (detail = parsed data), "sync" when a whole list should be fetched
// again, and "link" with detail "connected", "polling" or "lost".

const DEFAULTS = {
    open: (url) => new EventSource(url),
    timers: globalThis,
    pollMs: 3000,
    retryMs: 1000,
    retryMaxMs: 15000,
};
const NAMES = ["camera", "recording", "recording-deleted", "alarm"];

export class EventFeed extends EventTarget {
    #options;
    #source = null;
    #retryTimer = null;
    #pollTimer = null;
    #failures = 0;
    #link = null;
    #running = false;

    /** url; poll: async, fetches the lists; its failure means that nothing can be reached. */
    constructor(options) {
        super();
        this.#options = { ...DEFAULTS, ...options };
    }

    start() {
        if (this.#running) return;
        this.#running = true;
        this.#failures = 0;
        this.#connect();
    }

    stop() {
        this.#running = false;
        const { timers } = this.#options;
        timers.clearTimeout(this.#retryTimer);
        timers.clearTimeout(this.#pollTimer);
        this.#retryTimer = this.#pollTimer = this.#link = null;
        this.#close();
    }

    /** Connects anew at once, where it is running: what was open may be dead without having said so. */
    restart() {
        if (!this.#running) return;
        const link = this.#link;
        this.stop();
        this.#link = link;
        this.start();
    }

    #connect() {
        const source = (this.#source = this.#options.open(this.#options.url));
        source.addEventListener("open", () => this.#opened());
        source.addEventListener("error", () => this.#failed());
        for (const name of NAMES) source.addEventListener(name, (event) => this.#received(name, event.data));
    }

    #opened() {
        this.#failures = 0;
        this.#options.timers.clearTimeout(this.#pollTimer);
        this.#pollTimer = null;
        this.#say("connected");
        this.dispatchEvent(new Event("sync"));
    }

    #failed() {
        if (!this.#running) return;
        const { timers, retryMs, retryMaxMs } = this.#options;
        this.#close();
        const delay = Math.min(retryMs * 2 ** this.#failures++, retryMaxMs);
        this.#retryTimer = timers.setTimeout(() => this.#connect(), delay);
        if (this.#pollTimer === null) this.#poll();
    }

    async #poll() {
        const { timers, poll, pollMs } = this.#options;
        const mine = (this.#pollTimer = timers.setTimeout(() => this.#poll(), pollMs));
        let link = "polling";
        try {
            await poll();
        } catch {
            link = "lost";
        }
        if (this.#pollTimer === mine) this.#say(link); // not when events came back, or the feed was stopped, meanwhile
    }

    #received(name, data) {
        let detail;
        try {
            detail = JSON.parse(data);
        } catch {
            return; // not ours; the next list fetch puts things right
        }
        this.dispatchEvent(new CustomEvent(name, { detail }));
    }

    #say(link) {
        if (link === this.#link) return;
        this.#link = link;
        this.dispatchEvent(new CustomEvent("link", { detail: link }));
    }

    #close() {
        this.#source?.close();
        this.#source = null;
    }
}
