// Keeps a live picture close to the edge of what has arrived: a pure controller, told the time, the arrivals and the
// playhead, that answers with a playback rate and now and then with a seek. Seconds everywhere, but for the clock in
// milliseconds. The playhead's offset is the clock minus its position: constant at rate 1, falling when it runs faster.

import { Arrivals } from "./arrivals.js";

export const LIMITS = Object.freeze({
    rateMin: 0.95,
    rateMax: 1.25,
    gain: 1.5, // rate per second of error
    step: 0.03, // the smallest change of rate: below, it would hardly ever arrive
    late: 0.02, // begin to catch up beyond this error
    early: 0.008, // begin to fall back beyond this one
    done: 0.004, // the error at which either ends
    lead: 0.09, // what the decoder wants ahead of the picture on show
    leadMax: 0.5,
    leadStep: 0.033,
    seekBeyond: 1.5, // catching up by rate would take too long
    resyncBeyond: 0.25, // the same after the page was away
    holdBeyond: 0.3, // so much too early where media is polled for, a picture that stands still anyway is held
    seekPauseMs: 2000,
    sleptMs: 1500, // without a call for so long, the page itself stood still
    graceMs: 1500, // a stall while the first parts come in says nothing about the decoder
    calmMs: 15000, // without a stall for so long, the lead narrows again; doubled by each stall
    calmMaxMs: 240000,
    narrowPerSecond: 0.005,
});

export class EdgeChaser {
    #arrivals;
    #lead = LIMITS.lead;
    #error = null;
    #bearing = 0; // +1 catching up, -1 falling back, 0 neither
    #end = null;
    #position = null;
    #startedAt = null;
    #lastAt = null;
    #stalledAt = -Infinity;
    #soughtAt = -Infinity;
    #calmMs = LIMITS.calmMs;
    #away = false;
    #polled;
    #hold; // "may", "on" or "no"

    /** part: length of what arrives at a time: of parts, or of segments where there are none and playlists are polled. */
    constructor({ part, polled = false }) {
        this.#polled = polled;
        this.#hold = polled ? "may" : "no";
        this.#arrivals = new Arrivals(part, { polled });
    }

    /** The offset in seconds that is aimed at; null before anything arrived. */
    get goal() {
        const { need } = this.#arrivals;
        return need === null ? null : need + this.#lead;
    }

    /** How far the playhead is behind the goal, in seconds, at the last sample. */
    get error() {
        return this.#error;
    }

    arrived(nowMs, end, atEdge) {
        this.#end = end;
        this.#arrivals.add(nowMs, end, atEdge);
    }

    /** The picture stood still. Where media was later than the goal allows for, its arrival will say so; where it was
     * not, the decoder wants more ahead of it. */
    stall(nowMs) {
        if (this.#polled && this.#hold === "no") this.#hold = "may";
        if (this.#startedAt === null || nowMs - this.#startedAt < LIMITS.graceMs) return;
        this.#stalledAt = nowMs;
        const waited = nowMs / 1000 - this.#end;
        if (waited > this.#arrivals.need || this.#error < -LIMITS.early) return;
        this.#calmMs = Math.min(this.#calmMs * 2, LIMITS.calmMaxMs);
        this.#lead = Math.min(this.#lead + LIMITS.leadStep, LIMITS.leadMax);
    }

    /** The page was away or asleep: it goes to the edge at once, as soon as there is something to go to. */
    returned() {
        this.#away = true;
        this.#arrivals.skip();
    }

    /** To be called every 100 ms or so. Returns {rate, seek}; rate 0 holds the picture; seek: null, or the position to go
     * to. */
    sample(nowMs, position) {
        if (this.#lastAt !== null && nowMs - this.#lastAt > LIMITS.sleptMs) this.returned();
        this.#startedAt ??= nowMs;
        this.#narrow(nowMs);
        this.#lastAt = nowMs;
        const { goal } = this;
        if (goal === null || this.#end === null) return { rate: 1, seek: null };

        this.#error = nowMs / 1000 - position - goal;
        const seek = this.#seek(nowMs, position, goal);
        if (seek !== null) return { rate: 1, seek };
        return { rate: this.#holds() ? 0 : this.#rate(this.#end - position), seek };
    }

    #seek(nowMs, position, goal) {
        const beyond = this.#away ? LIMITS.resyncBeyond : LIMITS.seekBeyond;
        if (this.#error <= LIMITS.resyncBeyond) this.#away = false;
        if (this.#error <= beyond || nowMs - this.#soughtAt < LIMITS.seekPauseMs) return null;
        const target = Math.min(nowMs / 1000 - goal, this.#end - this.#lead);
        if (target - position < LIMITS.resyncBeyond) return null; // nothing has arrived to go to
        this.#soughtAt = nowMs;
        this.#bearing = 0;
        this.#away = false;
        return target;
    }

    // At the start, and after a stall, one wait for the goal is better than one for each segment on the way to it.
    #holds() {
        const enough = this.#hold === "on" ? -LIMITS.early : -LIMITS.holdBeyond;
        this.#hold = this.#hold !== "no" && this.#error < enough ? "on" : "no";
        return this.#hold === "on";
    }

    #rate(ahead) {
        const error = this.#error;
        if (this.#bearing * error <= LIMITS.done) this.#bearing = 0;
        if (error > LIMITS.late) this.#bearing = 1;
        if (error < -LIMITS.early) this.#bearing = -1;
        if (this.#bearing === 0 || (this.#bearing > 0 && ahead < this.#lead)) return 1;

        const change = this.#bearing * Math.max(Math.abs(LIMITS.gain * error), LIMITS.step);
        return Math.round(Math.min(Math.max(1 + change, LIMITS.rateMin), LIMITS.rateMax) * 100) / 100;
    }

    #narrow(nowMs) {
        const elapsed = this.#lastAt === null ? 0 : (nowMs - this.#lastAt) / 1000;
        if (nowMs - this.#stalledAt < this.#calmMs) return;
        this.#lead = Math.max(this.#lead - elapsed * LIMITS.narrowPerSecond, LIMITS.lead);
        if (nowMs - this.#stalledAt > 2 * LIMITS.calmMaxMs) this.#calmMs = LIMITS.calmMs;
    }
}
