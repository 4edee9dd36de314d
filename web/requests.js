// What people ask of cameras: start, stop, restart with another profile. Knows what is under way and what was refused,
// until the gateway's own news says more. Dispatches "change".

import { startStream, stopStream } from "./api.js";
import { describeCamera } from "./format.js";
import { profileNamed } from "./profiles.js";

export class Requests extends EventTarget {
    #cameras;
    #wishes;
    #asked = new Map(); // camera id → "start", "stop" or "restart" while such a request is under way
    #problems = new Map(); // camera id → words of the last refusal, until something else happens

    constructor({ cameras, wishes }) {
        super();
        this.#cameras = cameras;
        this.#wishes = wishes;
    }

    /** What the gateway last said of a camera, corrected by what was asked of it a moment ago. */
    describe(camera) {
        const told = describeCamera(camera);
        const asked = this.#asked.get(camera.id);
        if (asked === "restart") {
            const { name } = profileNamed(this.#wishes.of(camera));
            return { state: "starting", label: "Restarting", tone: "busy", words: `Starting again as ${name}.` };
        }
        if (asked === "start" && told.state !== "starting" && told.state !== "live") {
            return { state: "starting", label: "Starting", tone: "busy", words: "Asking the camera to start." };
        }
        if (asked === "stop" && told.state !== "idle") {
            return { state: "stopping", label: "Stopping", tone: "busy", words: "Switching the camera off." };
        }
        const problem = this.#problems.get(camera.id);
        if (problem && told.state !== "live") return { ...told, tone: "failed", words: problem };
        return told;
    }

    /** What was refused is of no interest any more. */
    forgive(id) {
        this.#problems.delete(id);
    }

    start(camera, { record }) {
        return this.#ask(camera.id, "start", () => startStream(camera.id, this.#wishFor(camera, record)));
    }

    stop(camera) {
        return this.#ask(camera.id, "stop", () => stopStream(camera.id));
    }

    /** As it runs, but with the profile that is wished for now. */
    restart(camera) {
        const { id, stream } = camera;
        return this.#ask(id, "restart", async () => {
            await stopStream(id);
            const stillWanted = this.#asked.get(id) === "restart";
            return stillWanted ? startStream(id, this.#wishFor(camera, Boolean(stream.record))) : null;
        });
    }

    #wishFor(camera, record) {
        const profile = this.#wishes.of(camera);
        return profile ? { record, profile } : { record };
    }

    async #ask(id, what, call) {
        this.#asked.set(id, what);
        this.#problems.delete(id);
        this.#changed();
        try {
            const stream = await call();
            if (this.#asked.get(id) === what && stream) this.#cameras.putStream(id, stream);
        } catch (problem) {
            if (this.#asked.get(id) === what) this.#problems.set(id, problem.message);
        } finally {
            if (this.#asked.get(id) === what) this.#asked.delete(id);
            this.#changed();
        }
    }

    #changed() {
        this.dispatchEvent(new Event("change"));
    }
}
