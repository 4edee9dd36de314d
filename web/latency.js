// Keeps a live picture close to the edge of what has arrived: a pure controller, told the time and the buffer, that
// answers with a playback rate and now and then with a seek. Seconds everywhere, but for the clock in milliseconds.
//
// Media arrives part by part, so the buffer ahead of the playhead is a saw: it jumps by a part and runs down in
// between. What matters is where its teeth bottom out. The goal names the height just after a part arrived; the teeth
// are then wanted at goal - part.

export const LIMITS = Object.freeze({
    rateMin: 0.95,
    rateMax: 1.25,
    goalMax: 2.5,
    seekBeyond: 1.5, // further ahead than the goal by this much: catching up by rate would take too long
    seekPauseMs: 2000,
    tolerance: 0.04, // no rate change for less
    gain: 0.5, // rate per second of error
    graceMs: 1500, // a stall while the first parts come in says nothing about the link
    calmMs: 15000, // without a stall for so long, the goal narrows again; doubled by each stall
    calmMaxMs: 240000,
    narrowPerSecond: 0.01,
});

export class EdgeChaser {
    #part;
    #base;
    #goal;
    #calmMs = LIMITS.calmMs;
    #startedAt = null;
    #stalledAt = -Infinity;
    #soughtAt = -Infinity;
    #lastAt = null;
    #samples = [];

    /** part: the stream's PART-TARGET. The goal is two parts, never under a quarter of a second. */
    constructor({ part = 0.2, goal = Math.max(2 * part, 0.25) } = {}) {
        this.#part = part;
        this.#base = goal;
        this.#goal = goal;
    }

    get goal() {
        return this.#goal;
    }

    /** The buffer ran dry: leave more room, for longer the more often it happens. */
    stall(nowMs) {
        if (this.#startedAt === null || nowMs - this.#startedAt < LIMITS.graceMs) return;
        this.#goal = Math.min(this.#goal + this.#part, LIMITS.goalMax);
        this.#calmMs = Math.min(this.#calmMs * 2, LIMITS.calmMaxMs);
        this.#stalledAt = nowMs;
        this.#samples = [];
    }

    /** To be called every 100 ms or so. Returns {rate, leave}; leave: null, or the seconds a seek is to leave ahead. */
    sample(nowMs, ahead) {
        this.#startedAt ??= nowMs;
        this.#narrow(nowMs);
        const late = ahead > this.#goal + LIMITS.seekBeyond;
        if (late && nowMs - this.#soughtAt > LIMITS.seekPauseMs) return this.#seek(nowMs);

        const windowMs = Math.max(600, 3000 * this.#part);
        this.#samples = this.#samples.filter((s) => nowMs - s.at < windowMs);
        this.#samples.push({ at: nowMs, ahead });
        const low = Math.min(...this.#samples.map((s) => s.ahead));
        return { rate: rateFor(low - (this.#goal - this.#part)), leave: null };
    }

    #seek(nowMs) {
        this.#soughtAt = nowMs;
        this.#samples = [];
        return { rate: 1, leave: this.#goal };
    }

    #narrow(nowMs) {
        const elapsed = this.#lastAt === null ? 0 : (nowMs - this.#lastAt) / 1000;
        this.#lastAt = nowMs;
        if (nowMs - this.#stalledAt < this.#calmMs) return;
        this.#goal = Math.max(this.#goal - elapsed * LIMITS.narrowPerSecond, this.#base);
        if (nowMs - this.#stalledAt > 2 * LIMITS.calmMaxMs) this.#calmMs = LIMITS.calmMs;
    }
}

function rateFor(error) {
    if (Math.abs(error) < LIMITS.tolerance) return 1;
    const rate = Math.min(Math.max(1 + LIMITS.gain * error, LIMITS.rateMin), LIMITS.rateMax);
    return Math.round(rate * 100) / 100;
}

/** The middle one of the last `size` numbers: a figure people can read, without the jitter of single frames. */
export class RunningMedian {
    #values = [];
    #size;

    constructor(size = 30) {
        this.#size = size;
    }

    add(value) {
        this.#values.push(value);
        if (this.#values.length > this.#size) this.#values.shift();
    }

    get value() {
        if (this.#values.length === 0) return null;
        const sorted = [...this.#values].sort((a, b) => a - b);
        return sorted[sorted.length >> 1];
    }
}
