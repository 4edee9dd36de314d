import assert from "node:assert/strict";
import test from "node:test";

import { Store } from "./platform.mjs";
import { PROFILES, ProfileWishes, profileNamed } from "../../../web/profiles.js";

test("every profile says what it gives and what it costs", () => {
    assert.deepEqual(PROFILES.map(({ id }) => id), ["realtime", "balanced", "economy"]);
    for (const { words, requests } of PROFILES) {
        assert.match(words, /^[A-Z].*\.$/);
        assert.match(words, new RegExp(`${requests === 1 ? "one" : requests} request`));
    }
    assert.equal(profileNamed("economy").name, "Economy");
    assert.equal(profileNamed("fast"), null);
    assert.equal(profileNamed(undefined), null);
});

test("the configured profile holds until a person chooses, for that camera alone", () => {
    const wishes = new ProfileWishes(new Store());
    const [door, yard] = [{ id: "door", profile: "balanced" }, { id: "yard", profile: "economy" }];
    assert.deepEqual([wishes.of(door), wishes.of(yard)], ["balanced", "economy"]);
    wishes.remember(door, "realtime");
    assert.deepEqual([wishes.of(door), wishes.of(yard)], ["realtime", "economy"]);
});

test("who chooses the configured one follows the configuration again", () => {
    const wishes = new ProfileWishes(new Store());
    wishes.remember({ id: "door", profile: "balanced" }, "realtime");
    wishes.remember({ id: "door", profile: "balanced" }, "balanced");
    assert.equal(wishes.of({ id: "door", profile: "economy" }), "economy");
});

test("what is stored may be nonsense, and a gateway may know no profiles", () => {
    const store = new Store();
    store.setItem("belfry.profile.door", "warp");
    assert.equal(new ProfileWishes(store).of({ id: "door", profile: "balanced" }), "balanced");
    assert.equal(new ProfileWishes(store).of({ id: "door" }), null);
});
