import assert from "node:assert/strict";
import test from "node:test";

import { TROUBLES, troubleOf } from "../../../web/troubles.js";

const Hls = { ErrorTypes: { NETWORK_ERROR: "networkError", MEDIA_ERROR: "mediaError" } };
const network = (code, header) => ({ type: "networkError", response: { code },
    networkDetails: { getResponseHeader: (name) => (name === "Retry-After" ? header : null) } });

test("what went wrong, from hls.js's words to people's", () => {
    assert.equal(troubleOf(Hls, { type: "mediaError" }), TROUBLES.broken);
    assert.equal(troubleOf(Hls, { type: "networkError" }), TROUBLES.lost);
    assert.equal(troubleOf(Hls, network(0)), TROUBLES.lost);
    assert.equal(troubleOf(Hls, network(404)), TROUBLES.gone);
    assert.equal(troubleOf(Hls, network(410)), TROUBLES.gone);
    for (const { words } of Object.values(TROUBLES)) assert.match(words, /^[A-Z].*\.$/);
});

test("a full server's wish is taken over, within reason", () => {
    const waits = [["2", 2000], ["0", 0], [null, 0], ["soon", 0], ["-1", 0], ["86400", 30000]];
    for (const [header, ms] of waits) assert.equal(troubleOf(Hls, network(503, header)).retryAfterMs, ms, `${header}`);
});
