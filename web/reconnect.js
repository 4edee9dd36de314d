// When to try again, and when a picture counts as stuck. Pure: time and chance are arguments.

export const PATIENCE = Object.freeze({
    firstMs: 400,
    longestMs: 5000,
    provenMs: 10000, // a picture that ran for so long makes the next failure a first one
    stuckMs: 4000,
    firstPictureMs: 8000,
});

/** Waits that double, each shortened by up to a third so that viewers do not all come back at once. */
export class Backoff {
    #failures = 0;

    /** dice: 0 to 1; atLeastMs: what the server asked for (Retry-After). */
    next(dice, atLeastMs = 0) {
        const wait = Math.min(PATIENCE.firstMs * 2 ** this.#failures, PATIENCE.longestMs);
        this.#failures++;
        return Math.max(wait * (1 - dice / 3), atLeastMs);
    }

    reset() {
        this.#failures = 0;
    }
}

/** Watches a playhead that ought to move. */
export class Progress {
    #position = null;
    #movedAt = null;
    #runsSince = null;

    restart() {
        this.#position = this.#movedAt = this.#runsSince = null;
    }

    /** wants: whether it ought to move; slack: extra patience in ms for streams that come in long pieces.
     * Returns "stuck", "proven" or "". */
    sample(nowMs, position, { wants, slackMs = 0 }) {
        this.#movedAt ??= nowMs;
        const first = this.#position === null;
        this.#position ??= position;
        if (!wants || position !== this.#position) {
            if (!first && wants) this.#runsSince ??= nowMs;
            this.#position = position;
            this.#movedAt = nowMs;
        }
        const started = this.#runsSince !== null;
        const patience = (started ? PATIENCE.stuckMs : PATIENCE.firstPictureMs) + slackMs;
        if (nowMs - this.#movedAt > patience) return "stuck";
        return started && nowMs - this.#runsSince > PATIENCE.provenMs ? "proven" : "";
    }
}
