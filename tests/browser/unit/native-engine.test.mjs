import assert from "node:assert/strict";
import test from "node:test";

import "./platform.mjs";
import { NativeEngine } from "../../../web/native-engine.js";

/** As much of a video element as the browser's own HLS needs. */
class Video extends EventTarget {
    src = "";
    error = null;
    currentTime = 0;
    seekable = { length: 0 };
    canPlayType = (type) => (type === "application/vnd.apple.mpegurl" ? "maybe" : "");
    getStartDate = () => new Date(NaN);

    fail(code) {
        this.error = { code };
        this.dispatchEvent(new Event("error"));
    }
}

function setUp() {
    const video = new Video();
    const engine = new NativeEngine(video);
    const troubles = [];
    engine.addEventListener("trouble", ({ detail }) => troubles.push(detail.kind));
    return { video, engine, troubles };
}

test("it is there where the browser says maybe", () => {
    assert.ok(NativeEngine.isSupported(new Video()));
    assert.ok(!NativeEngine.isSupported({ canPlayType: () => "" }));
});

test("it gives the element the playlist, and a recording its place", () => {
    const { video, engine } = setUp();
    engine.open("/recordings/r/media.m3u8", { position: 12 });
    assert.equal(video.src, "/recordings/r/media.m3u8");
    video.dispatchEvent(new Event("loadedmetadata"));
    assert.equal(video.currentTime, 12);
});

test("errors are troubles, until it is closed", () => {
    const { video, engine, troubles } = setUp();
    engine.open("/live/c/s/media.m3u8");
    video.fail(2);
    video.fail(3);
    engine.close();
    video.fail(2);
    assert.deepEqual(troubles, ["lost", "broken"]);
});

test("back from away it goes to the end of what the browser offers", () => {
    const { video, engine } = setUp();
    engine.open("/live/c/s/media.m3u8");
    engine.returned();
    assert.equal(video.currentTime, 0);
    video.seekable = { length: 1, end: () => 42 };
    engine.returned();
    assert.equal(video.currentTime, 42);
});

test("the time of the picture is the stream's start date and the position", () => {
    const { video, engine } = setUp();
    assert.equal(engine.pictureTime, null);
    video.getStartDate = () => new Date(1700000000000);
    video.currentTime = 1.5;
    assert.equal(engine.pictureTime, 1700000001500);
    delete video.getStartDate;
    assert.equal(engine.pictureTime, null);
});
