// Running figures: a median, a bit rate, the last minute of a value. Pure.

/** The middle one of the last `size` numbers: a figure people can read, without the jitter of single frames. */
export class RunningMedian {
    #size;
    #values = [];

    constructor(size) {
        this.#size = size;
    }

    add(value) {
        this.#values.push(value);
        if (this.#values.length > this.#size) this.#values.shift();
    }

    clear() {
        this.#values = [];
    }

    get value() {
        if (this.#values.length === 0) return null;
        const sorted = [...this.#values].sort((a, b) => a - b);
        return sorted[sorted.length >> 1];
    }
}

/** Bits per second of media, over the last seconds of it that were loaded: what the stream is, not what the link does. */
export class BitRate {
    #overSeconds;
    #loads = [];

    constructor(overSeconds = 5) {
        this.#overSeconds = overSeconds;
    }

    add(bytes, seconds) {
        if (!(bytes > 0 && seconds > 0)) return;
        this.#loads.push({ bytes, seconds });
        while (this.#loads.length > 1 && this.#seconds() - this.#loads[0].seconds >= this.#overSeconds) this.#loads.shift();
    }

    get value() {
        const bytes = this.#loads.reduce((sum, load) => sum + load.bytes, 0);
        return bytes > 0 ? (8 * bytes) / this.#seconds() : null;
    }

    #seconds() {
        return this.#loads.reduce((sum, load) => sum + load.seconds, 0);
    }
}

/** What a value was, and when, for as long as `spanMs` back. A gap (null) stays a gap. */
export class History {
    #spanMs;
    #points = [];

    constructor(spanMs = 60000) {
        this.#spanMs = spanMs;
    }

    add(nowMs, value) {
        this.#points.push({ at: nowMs, value });
        while (nowMs - this.#points[0].at > this.#spanMs) this.#points.shift();
    }

    clear() {
        this.#points = [];
    }

    /** {least, most} of what is known, or null. */
    get range() {
        const values = this.#points.map(({ value }) => value).filter((value) => value !== null);
        return values.length > 0 ? { least: Math.min(...values), most: Math.max(...values) } : null;
    }

    /** An SVG path over a box of width and height, the newest at the right; values from 0 at the bottom to `top`. */
    path(nowMs, width, height, top) {
        let pen = "M";
        const steps = this.#points.map(({ at, value }) => {
            if (value === null) {
                pen = "M";
                return "";
            }
            const x = width * (1 - (nowMs - at) / this.#spanMs);
            const y = height * (1 - Math.min(Math.max(value / top, 0), 1));
            const step = `${pen}${x.toFixed(1)} ${y.toFixed(1)}`;
            pen = "L";
            return step;
        });
        return steps.join("");
    }
}
