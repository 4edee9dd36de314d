import assert from "node:assert/strict";
import test from "node:test";

import { Cameras } from "../../../web/cameras.js";

const camera = (id, state = "idle", name = id) => ({ id, name, online: true, stream: { state } });

test("nothing is selected before the first whole list, then the first by name", async () => {
    const cameras = new Cameras();
    cameras.put(camera("z", "idle", "Attic"));
    assert.equal(cameras.selected, null);
    await cameras.sync(async () => [camera("a", "idle", "Yard"), camera("z", "idle", "Attic")]);
    assert.equal(cameras.selected.id, "z");
    cameras.put(camera("b", "idle", "Aisle"));
    assert.equal(cameras.selected.id, "z", "a newcomer does not take the place");
});

test("the wish counts, as long as that camera is there", async () => {
    const cameras = new Cameras("b");
    await cameras.sync(async () => [camera("a"), camera("b")]);
    assert.equal(cameras.selected.id, "b");
    await cameras.sync(async () => [camera("a")]);
    assert.equal(cameras.selected.id, "a");
    await cameras.sync(async () => [camera("a"), camera("b")]);
    assert.equal(cameras.selected.id, "b");
});

test("a list that was asked for before an event does not undo it", async () => {
    const cameras = new Cameras();
    await cameras.sync(async () => [camera("a"), camera("b")]);
    await cameras.sync(async () => {
        cameras.put(camera("a", "live"));
        return [camera("a", "starting"), camera("b", "starting")];
    });
    assert.equal(cameras.get("a").stream.state, "live");
    assert.equal(cameras.get("b").stream.state, "starting");
});

test("a stream is put into its camera, and into none that is unknown", async () => {
    const cameras = new Cameras();
    await cameras.sync(async () => [camera("a")]);
    cameras.putStream("a", { state: "live" });
    cameras.putStream("x", { state: "live" });
    assert.equal(cameras.get("a").stream.state, "live");
    assert.equal(cameras.get("a").name, "a");
    assert.equal(cameras.all().length, 1);
});
