// A stream, a link and a playhead in real time, for the latency controller to steer: parts are made by a clock of their
// own, come over the link in order, and play at the rate the controller chose. Deterministic.

const STEP_MS = 10;
const DRY = 0.03; // a decoder runs dry a frame before its media ends

/** part: seconds; link(madeMs) → ms on the way; clock: seconds of the camera per second of ours; timer(nowMs) → ms between
 * samples; behind: seconds before the edge at which it starts. Returns what was seen: times of stalls and seeks in ms, and
 * at each sample rate, offset (clock minus position) and goal. */
export function simulate(chaser, options) {
    const run = new Simulation(chaser, options);
    for (let now = 0; now < options.seconds * 1000; now += STEP_MS) run.step(now);
    return run.seen;
}

class Simulation {
    seen = { stalls: [], seeks: [], rates: [], offsets: [], goals: [] };
    #chaser;
    #o;
    #onTheWay = [];
    #made = 0;
    #end = 0;
    #position = 0;
    #rate = 1;
    #sampledAt = -Infinity;
    #dry = true;
    #started = false;

    constructor(chaser, options) {
        this.#chaser = chaser;
        this.#o = { part: 0.2, link: () => 20, clock: 1, timer: () => 100, behind: 0, ...options };
    }

    step(now) {
        this.#make(now);
        this.#receive(now);
        this.#play(now);
        if (this.#started && now - this.#sampledAt >= this.#o.timer(now)) this.#sample(now);
    }

    #make(now) {
        const { part, clock, link } = this.#o;
        while ((this.#made + 1) * part <= (now / 1000) * clock) {
            this.#made++;
            const before = this.#onTheWay.at(-1)?.at ?? 0;
            this.#onTheWay.push({ at: Math.max(now + link(now), before), end: this.#made * part });
        }
    }

    #receive(now) {
        while (this.#onTheWay.length > 0 && this.#onTheWay[0].at <= now) {
            const { end } = this.#onTheWay.shift();
            const edge = !(this.#onTheWay[0]?.at <= now);
            this.#end = end;
            this.#dry = false;
            this.#chaser.arrived(now, end, edge);
            if (!this.#started && end >= this.#o.behind + this.#o.part) this.#start();
        }
    }

    #start() {
        this.#started = true;
        this.#position = this.#end - this.#o.part - this.#o.behind;
        this.#dry = false;
    }

    #play(now) {
        if (!this.#started || this.#dry) return;
        this.#position = Math.min(this.#position + (this.#rate * STEP_MS) / 1000, this.#end - DRY);
        if (this.#end - this.#position > DRY + 1e-9) return;
        this.#dry = true;
        this.seen.stalls.push(now);
        this.#chaser.stall(now);
    }

    #sample(now) {
        this.#sampledAt = now;
        const { rate, seek } = this.#chaser.sample(now, this.#position);
        this.#rate = rate;
        if (seek !== null) {
            this.#position = seek;
            this.seen.seeks.push(now);
        }
        this.seen.rates.push({ now, rate });
        this.seen.offsets.push({ now, offset: now / 1000 - this.#position });
        this.seen.goals.push({ now, goal: this.#chaser.goal });
    }
}

export const after = (list, ms) => list.filter((entry) => (entry.now ?? entry) >= ms);

/** How often the rate changed its mind: from above 1 to below, or back. Held pictures do not count. */
export function flips(rates) {
    const bearings = rates.filter(({ rate }) => rate !== 0 && rate !== 1).map(({ rate }) => Math.sign(rate - 1));
    return bearings.filter((bearing, i) => i > 0 && bearing !== bearings[i - 1]).length;
}

/** The last moment at which the rate was not 1, or 0. */
export const settledAt = (rates) => rates.filter(({ rate }) => rate !== 1).at(-1)?.now ?? 0;

/** Pseudo-random numbers from 0 to 1, the same in every run. */
export function dice(seed) {
    let state = seed;
    return () => {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        return state / 2 ** 32;
    };
}
