// The REST calls of the page. A refusal arrives as a Problem whose message can be shown to people as it is.

import { sentence } from "./format.js";

const BASE = "/api/v1";

export class Problem extends Error {
    constructor({ status = 0, title = "", detail = "", step = "", field = "", accepted = "" } = {}) {
        super(words({ status, title, detail, step, field, accepted }));
        this.name = "Problem";
        Object.assign(this, { status, step, field });
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

    let response;
    try {
        response = await fetch(BASE + path, init);
    } catch (error) {
        if (error.name === "AbortError") throw error;
        throw new Problem({ detail: "Belfry does not answer; check that the gateway runs and the network is up" });
    }
    if (!response.ok) throw await problemOf(response);
    return response.status === 204 ? null : response.json();
}

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
export const stopStream = (id) => request("DELETE", `${camera(id)}/stream`);
export const listRecordings = async () => (await request("GET", "/recordings")).recordings ?? [];
export const changeRecording = (id, change) => request("PATCH", recording(id), change);
export const deleteRecording = (id) => request("DELETE", recording(id));
export const eventsUrl = `${BASE}/events`;
