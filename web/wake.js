// Notices that the page was away, and tells when it is back: the machine slept (timers and clocks jump), the page was
// frozen or hidden, the network was lost. Dispatches "back" with detail {why, awayMs}.

const TICK_MS = 1000;
const SLEPT_MS = 4000; // a timer of one second that is this late was not merely throttled
const THROTTLED_MS = 65000; // a hidden page's timers may run once a minute

const PLATFORM = {
    timers: globalThis,
    page: globalThis.document,
    window: globalThis,
    clocks: () => [Date.now(), performance.now()], // not every machine's second clock stands still while it sleeps
};

export class WakeWatch extends EventTarget {
    #platform;
    #last;
    #frozenAt = null;
    #throttled = false; // the tick before this one was of a hidden page

    constructor(platform = PLATFORM) {
        super();
        this.#platform = { ...PLATFORM, ...platform };
        const { timers, page, window } = this.#platform;
        this.#last = this.#platform.clocks();
        timers.setInterval(() => this.#tick(), TICK_MS);
        page.addEventListener("visibilitychange", () => page.hidden || this.#visible());
        page.addEventListener("freeze", () => (this.#frozenAt = this.#now()));
        page.addEventListener("resume", () => this.#resumed());
        window.addEventListener("pageshow", ({ persisted }) => persisted && this.#resumed());
        window.addEventListener("online", () => this.#tell("online", 0));
    }

    #now() {
        return this.#platform.clocks()[0];
    }

    #tick() {
        const clocks = this.#platform.clocks();
        const awayMs = Math.max(...clocks.map((clock, i) => clock - this.#last[i]));
        this.#last = clocks;
        const usual = this.#throttled || this.#platform.page.hidden ? THROTTLED_MS : SLEPT_MS;
        this.#throttled = this.#platform.page.hidden;
        if (awayMs > usual) this.#tell("slept", awayMs);
    }

    // Throttled timers say little about how long it was; the media came in all the same.
    #visible() {
        this.#tick();
        this.#tell("visible", 0);
    }

    #resumed() {
        const awayMs = this.#frozenAt === null ? SLEPT_MS : this.#now() - this.#frozenAt;
        this.#frozenAt = null;
        this.#last = this.#platform.clocks();
        this.#tell("resumed", awayMs);
    }

    #tell(why, awayMs) {
        this.dispatchEvent(new CustomEvent("back", { detail: { why, awayMs } }));
    }
}
