// The REST calls of the page. A refusal arrives as a Problem whose message can be shown to people as it is.

import { sentence } from "./format.js";

const BASE = "/api/v1";

export class Problem extends Error {
    constructor({ status = 0, code = "", title = "", detail = "", step = "", field = "", accepted = "" } = {}) {
        super(words({ status, title, detail, step, field, accepted }));
        this.name = "Problem";
        Object.assign(this, { status, code, step, field });
    }
}

function words({ status, title, detail, step, field, accepted }) {
    const what = detail || title || (status ? `Belfry answered ${status}` : "Belfry does not answer");
    const where = step && !what.includes(step) ? ` (step: ${step})` : "";
    const hint = field && accepted ? ` ${field}: ${accepted}.` : "";
    return `${sentence(where ? what.replace(/[.\s]+$/, "") + where : what)}${hint}`;
}

export async function request(method, path, body, { fetch = globalThis.fetch, signal } = {}) {
    const init = { method, signal, headers: { Accept: "application/json, application/problem+json" } };
    if (body !== undefined) {
        init.headers["Content-Type"] = "application/json";
        init.body = JSON.stringify(body);
    }

    const response = await answered(fetch(BASE + path, init));
    if (!response.ok) throw await problemOf(response);
    return response.status === 204 ? null : response.json();
}

async function answered(answer) {
    try {
        return await answer;
    } catch (error) {
        if (error.name === "AbortError") throw error;
        throw new Problem({ detail: "Belfry does not answer; check that the gateway runs and the network is up" });
    }
}

/** Opens a camera's playlist as a viewer does, which starts a camera on demand, and comes back once that can be played.
 * Belfry holds the request while the camera comes up, and for longer than that asks to be asked again. */
export async function openPlaylist(id, { fetch = globalThis.fetch, pause = sleep, signal } = {}) {
    for (;;) {
        const response = await answered(fetch(`/live/${encodeURIComponent(id)}/index.m3u8`, { signal, cache: "no-store" }));
        if (response.ok) return;
        const problem = await problemOf(response);
        if (response.status === 404) throw new Problem({ status: 404, detail: STOPPED });
        if (problem.code !== "starting") throw problem;
        await pause(1000 * Math.max(Number(response.headers.get("retry-after")) || 0, 1));
        signal?.throwIfAborted();
    }
}

const STOPPED = "This camera was stopped by hand a moment ago. Press Watch again in ten seconds";
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function problemOf(response) {
    const type = response.headers.get("content-type") ?? "";
    const told = /json/.test(type) ? await response.json().catch(() => ({})) : {};
    return new Problem({ title: response.statusText, ...told, status: response.status });
}

const camera = (id) => `/cameras/${encodeURIComponent(id)}`;
const recording = (id) => `/recordings/${encodeURIComponent(id)}`;

export const listCameras = async () => (await request("GET", "/cameras")).cameras ?? [];
/** wish: {record, profile}; what is left out is as configured. */
export const startStream = (id, wish) => request("POST", `${camera(id)}/stream`, wish);
export const getStream = (id) => request("GET", `${camera(id)}/stream`);
export const stopStream = (id) => request("DELETE", `${camera(id)}/stream`);
export const listRecordings = async () => (await request("GET", "/recordings")).recordings ?? [];
export const changeRecording = (id, change) => request("PATCH", recording(id), change);
export const deleteRecording = (id) => request("DELETE", recording(id));
export const eventsUrl = `${BASE}/events`;
