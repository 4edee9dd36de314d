// How late media comes, learnt from its arrivals alone: pure, and told the time. Nothing here looks at the playhead, so
// what the playhead does with the answer never comes back as a new answer.
//
// An arrival ends the wait for what follows `end`: a playhead that is `offset` behind the clock (clock minus position, in
// seconds) ran dry if offset < arrival - end. The waits of five seconds at a time are boiled down to best and worst. What
// is needed is the best of late plus the spread that came up twice in two minutes, and never less than a little in hand.
// A spread seen once counts for little more than the usual, or a single outage would cost two minutes of distance.
// Spreads are taken within five seconds each, so clocks that run apart do not add up in them.

export const MEMORY = Object.freeze({
    bucketMs: 5000,
    buckets: 24,
    inHand: 0.075, // at most; half of what arrives at a time where that is less, or where it has to be polled for
    onceMore: 0.1, // how far a spread seen once may exceed the usual one
    spreadMax: 2.5,
    joinMs: 3000, // after so long the edge is taken to be reached
});

export class Arrivals {
    #part;
    #inHand;
    #onceMore;
    #bucketMs;
    #buckets = [];
    #end = null;
    #joined = false;
    #firstAt = null;
    #freshest = null; // best guess before the first wait was seen

    /** part: length in seconds of what arrives at a time; polled: nobody holds the question until it is there. */
    constructor(part, { polled = false } = {}) {
        this.#part = part;
        this.#inHand = polled ? part / 2 : Math.min(part / 2, MEMORY.inHand);
        this.#onceMore = Math.max(MEMORY.onceMore, this.#inHand);
        this.#bucketMs = Math.max(MEMORY.bucketMs, 5000 * part);
    }

    /** Media up to `end` (seconds) is there. atEdge: that is all there is; before it first was, what comes is backlog. */
    add(nowMs, end, atEdge = true) {
        const before = this.#end;
        this.#end = end;
        if (before !== null && end <= before) return;
        this.#firstAt ??= nowMs;
        this.#freshest = Math.min(this.#freshest ?? Infinity, nowMs / 1000 - end);
        if (this.#joined && before !== null) this.#remember(nowMs, nowMs / 1000 - before);
        this.#joined ||= atEdge || nowMs - this.#firstAt > MEMORY.joinMs;
    }

    /** The wait that goes on says nothing about the link: the page slept. What comes next is backlog again. */
    skip() {
        this.#end = this.#firstAt = null;
        this.#joined = false;
    }

    /** The offset in seconds behind the clock that these arrivals call for; null before the first. */
    get need() {
        if (this.#buckets.length > 0) return Math.min(...this.#buckets.slice(-2).map(({ best }) => best)) + this.#spread();
        return this.#freshest === null ? null : this.#freshest + this.#part + this.#spread();
    }

    #spread() {
        const [largest = 0, second = 0] = this.#buckets.map(({ best, worst }) => worst - best).sort((a, b) => b - a);
        const usual = Math.max(second, this.#inHand);
        return Math.min(Math.max(largest, usual), usual + this.#onceMore, MEMORY.spreadMax);
    }

    #remember(nowMs, wait) {
        const last = this.#buckets.at(-1);
        if (last && nowMs - last.from < this.#bucketMs) {
            last.best = Math.min(last.best, wait);
            last.worst = Math.max(last.worst, wait);
            return;
        }
        this.#buckets.push({ from: nowMs, best: wait, worst: wait });
        if (this.#buckets.length > MEMORY.buckets) this.#buckets.shift();
    }
}
