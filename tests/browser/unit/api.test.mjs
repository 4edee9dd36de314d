import assert from "node:assert/strict";
import test from "node:test";

import { Problem, openPlaylist, request } from "../../../web/api.js";

function answering(status, body, type = "application/json") {
    const calls = [];
    const fetch = async (url, init) => {
        calls.push({ url, ...init });
        return new Response(status === 204 ? null : body, { status, headers: { "content-type": type } });
    };
    return { fetch, calls };
}

test("a body is sent as JSON, and none where there is none", async () => {
    const { fetch, calls } = answering(201, '{"state":"live"}');
    const stream = await request("POST", "/cameras/cam-1/stream", { record: true }, { fetch });
    assert.deepEqual(stream, { state: "live" });
    assert.equal(calls[0].url, "/api/v1/cameras/cam-1/stream");
    assert.equal(calls[0].body, '{"record":true}');
    await request("DELETE", "/cameras/cam-1/stream", undefined, { fetch });
    assert.equal(calls[1].body, undefined);
    assert.equal(calls[1].headers["Content-Type"], undefined);
});

test("204 has no content", async () => {
    const { fetch } = answering(204);
    assert.equal(await request("DELETE", "/recordings/r1", undefined, { fetch }), null);
});

test("problem details become words", async () => {
    const rows = [
        [503, { title: "Service Unavailable", detail: "camera cam-2 is offline" }, "Camera cam-2 is offline."],
        [504, { title: "Gateway Timeout", detail: "no picture within 10 s", step: "camera" },
            "No picture within 10 s (step: camera)."],
        [400, { title: "Bad Request", detail: "fps is out of range", field: "fps", accepted: "1 to 60" },
            "Fps is out of range. fps: 1 to 60."],
        [404, { title: "Not Found" }, "Not Found."],
    ];
    for (const [status, told, words] of rows) {
        const { fetch } = answering(status, JSON.stringify(told), "application/problem+json");
        await assert.rejects(request("GET", "/cameras", undefined, { fetch }), (error) => {
            assert.ok(error instanceof Problem);
            assert.equal(error.status, status);
            assert.equal(error.message, words);
            return true;
        });
    }
});

test("an answer that is no JSON, and broken JSON, still say what happened", async () => {
    for (const [body, type] of [["<h1>Bad Gateway</h1>", "text/html"], ["{", "application/problem+json"]]) {
        const { fetch } = answering(502, body, type);
        await assert.rejects(request("GET", "/cameras", undefined, { fetch }), { message: "Belfry answered 502." });
    }
});

test("no answer at all says what to look at", async () => {
    const fetch = async () => {
        throw new TypeError("fetch failed");
    };
    await assert.rejects(request("GET", "/cameras", undefined, { fetch }), /does not answer.*gateway/);
});

test("a playlist that is not there yet is asked for again, when Belfry says so", async () => {
    const pauses = [];
    const answers = [[503, "starting", "1"], [503, "starting", "3"], [200, "", ""]];
    const fetch = async (url) => {
        assert.equal(url, "/live/cam%201/index.m3u8");
        const [status, code, after] = answers.shift();
        return new Response(JSON.stringify({ code }), { status,
            headers: { "content-type": "application/problem+json", "retry-after": after } });
    };
    await openPlaylist("cam 1", { fetch, pause: async (ms) => pauses.push(ms) });
    assert.deepEqual(pauses, [1000, 3000]);
    assert.equal(answers.length, 0);
});

test("a wish that was taken back is not sent again", async () => {
    const wish = new AbortController();
    let asked = 0;
    const fetch = async () => {
        asked++;
        return new Response('{"code":"starting"}', { status: 503, headers: { "content-type": "application/json" } });
    };
    await assert.rejects(openPlaylist("cam-1", { fetch, pause: async () => wish.abort(), signal: wish.signal }),
        { name: "AbortError" });
    assert.equal(asked, 1);
});
