// What people ask of cameras: start, stop, restart with another profile, watch one that runs on demand. Knows what is under
// way and what was refused, until the gateway's own news says more. Dispatches "change".

import { getStream, openPlaylist, startStream, stopStream } from "./api.js";
import { describeCamera } from "./format.js";
import { profileNamed } from "./profiles.js";

const AT_REST = ["idle", "offline", "failed"];

export class Requests extends EventTarget {
    #cameras;
    #wishes;
    #asked = new Map(); // camera id → {what} while a "start", "stop", "restart" or "watch" is under way
    #problems = new Map(); // camera id → words of the last refusal, until something else happens
    #watched = new Map(); // camera id → AbortController: on demand, and somebody here wants to see it

    constructor({ cameras, wishes }) {
        super();
        this.#cameras = cameras;
        this.#wishes = wishes;
        cameras.addEventListener("change", () => this.#forgetEnded());
    }

    /** Whether the stream is to be on show. One on demand only to who has asked for it here: a page that stands open would
     * keep the camera running. */
    shows({ id, stream }) {
        return stream?.state === "live" && (!stream.on_demand || this.#watched.has(id));
    }

    /** What the one big button does: "start", "watch", "cancel", "stop", "leave" or "none". byHand: whether a person wants
     * what no viewer's start gives. */
    actionOn(camera, { byHand }) {
        const { state } = this.describe(camera);
        if (state === "stopping") return "none";
        if (AT_REST.includes(state)) return camera.on_demand && !byHand ? "watch" : "start";
        const asked = this.#askedOf(camera.id);
        if (asked === "watch") return "leave";
        const startsByHand = asked === "start" || asked === "restart"; // also where what runs until then is on demand
        if (camera.stream?.on_demand && !startsByHand) return this.#watched.has(camera.id) ? "leave" : "watch";
        return state === "live" ? "stop" : "cancel";
    }

    /** What the gateway last said of a camera, corrected by what was asked of it a moment ago. */
    describe(camera) {
        const told = describeCamera(camera);
        const asked = this.#askedOf(camera.id);
        if (asked === "restart") {
            const { name } = profileNamed(this.#wishes.of(camera));
            return { state: "starting", label: "Restarting", tone: "busy", words: `Starting again as ${name}.` };
        }
        if ((asked === "start" || asked === "watch") && told.state !== "starting" && told.state !== "live") {
            return { state: "starting", label: "Starting", tone: "busy", words: "Asking the camera to start." };
        }
        if (asked === "stop" && told.state !== "idle") {
            return { state: "stopping", label: "Stopping", tone: "busy", words: "Switching the camera off." };
        }
        const problem = this.#problems.get(camera.id);
        const state = told.state === "live" && !this.shows(camera) ? "unwatched" : told.state;
        if (problem && state !== "live") return { ...told, state, tone: "failed", words: problem };
        if (state === "unwatched") return { ...told, state, words: "Live for somebody else. Press Watch to see it too." };
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

    /** Opens the playlist, which is all that a camera on demand needs. */
    watch(camera) {
        const { id } = camera;
        const wish = new AbortController();
        this.#watched.get(id)?.abort();
        this.#watched.set(id, wish);
        return this.#ask(id, "watch", async () => {
            await openPlaylist(id, { signal: wish.signal });
            return getStream(id);
        });
    }

    /** The picture is not wanted here any more; whether the camera runs on is up to those who watch it elsewhere. */
    leave({ id }) {
        this.#watched.get(id)?.abort();
        this.#watched.delete(id);
        if (this.#askedOf(id) === "watch") this.#asked.delete(id);
        this.#changed();
    }

    // What was watched has ended, and nobody here has asked for it anew.
    #forgetEnded() {
        for (const id of this.#watched.keys()) {
            const camera = this.#cameras.get(id);
            const ended = camera && AT_REST.includes(describeCamera(camera).state);
            if (ended && this.#askedOf(id) !== "watch") this.#watched.delete(id);
        }
    }

    /** As it runs, but with the profile that is wished for now. */
    restart(camera) {
        const { id, stream } = camera;
        return this.#ask(id, "restart", async () => {
            await stopStream(id);
            const stillWanted = this.#askedOf(id) === "restart";
            return stillWanted ? startStream(id, this.#wishFor(camera, Boolean(stream.record))) : null;
        });
    }

    #wishFor(camera, record) {
        const profile = this.#wishes.of(camera);
        return profile ? { record, profile } : { record };
    }

    #askedOf(id) {
        return this.#asked.get(id)?.what ?? null;
    }

    // What is asked later takes the place of what was asked before: whatever becomes of that is of no interest any more.
    async #ask(id, what, call) {
        const request = { what };
        const counts = () => this.#asked.get(id) === request;
        this.#asked.set(id, request);
        this.#problems.delete(id);
        this.#changed();
        try {
            const stream = await call();
            if (counts() && stream) this.#cameras.putStream(id, stream);
        } catch (problem) {
            if (counts()) this.#problems.set(id, problem.message);
        } finally {
            if (counts()) this.#asked.delete(id);
            this.#forgetEnded();
            this.#changed();
        }
    }

    #changed() {
        this.dispatchEvent(new Event("change"));
    }
}
