import assert from "node:assert/strict";
import test from "node:test";

import { SHORTCUTS, actionOf } from "../../../web/keys.js";

const on = (tag) => ({ matches: (selector) => selector.split(", ").some((each) => each.split(":")[0] === tag) });
const press = (key, { tag = "body", single = true, ...rest } = {}) => actionOf({ key, target: on(tag), ...rest }, single);

test("keys stand for actions, whatever their case", () => {
    const rows = [[" ", "pause"], ["k", "pause"], ["K", "pause"], ["f", "fullscreen"], ["i", "panel"], ["s", "still"],
        ["?", "help"], ["Escape", "close"], ["x", null], ["Enter", null], ["Tab", null]];
    for (const [key, act] of rows) assert.equal(press(key), act, key);
});

test("where text is typed no key is ours; space belongs to the button it is on", () => {
    for (const key of ["k", "i", " "]) assert.equal(press(key, { tag: "textarea" }), null);
    assert.equal(press(" ", { tag: "button" }), null);
    assert.equal(press("k", { tag: "button" }), "pause");
});

test("keys with others, held ones and those that were dealt with are left alone", () => {
    for (const with_ of ["ctrlKey", "metaKey", "altKey", "repeat", "defaultPrevented"]) {
        assert.equal(press("f", { [with_]: true }), null, with_);
    }
});

test("single keys can be turned off; Escape stays", () => {
    for (const { keys } of SHORTCUTS) {
        for (const key of keys) assert.equal(press(key, { single: false }), key === "Escape" ? "close" : null);
    }
});
