import assert from "node:assert/strict";
import test from "node:test";

import { crc8, decodeCells, lumasOf } from "../../../web/barcode.js";

const NOON = Date.UTC(2026, 5, 1, 12, 0, 0, 123);

function bitsOf(ms) {
    const bytes = new Uint8Array(8);
    bytes[0] = 0xa7;
    for (let i = 6, rest = ms; i >= 1; i--, rest = Math.floor(rest / 256)) bytes[i] = rest % 256;
    bytes[7] = crc8(bytes.subarray(1, 7));
    return Array.from({ length: 64 }, (_, i) => (bytes[i >> 3] >> (7 - (i & 7))) & 1);
}

const cells = (bits, white = 235, black = 16) => bits.map((bit) => (bit ? white : black));

function strip(bits, width, height, blur = 0) {
    const rgba = new Uint8ClampedArray(4 * width * height);
    const luma = (x) => (bits[Math.min(63, Math.max(0, Math.floor((x * 64) / width)))] ? 235 : 16);
    for (let y = 0; y < height; y++) {
        for (let x = 0; x < width; x++) {
            const value = blur ? (luma(x - blur) + luma(x) + luma(x + blur)) / 3 : luma(x);
            rgba.set([value, value, value, 255], 4 * (y * width + x));
        }
    }
    return rgba;
}

test("CRC-8 matches the published check value", () => {
    assert.equal(crc8(new TextEncoder().encode("123456789")), 0xf4);
    assert.equal(crc8([]), 0);
});

test("what was painted is read", () => {
    for (const ms of [NOON, Date.UTC(2020, 0, 1), Date.UTC(2099, 11, 31, 23, 59, 59, 999)]) {
        assert.equal(decodeCells(cells(bitsOf(ms))), ms);
    }
});

test("washed-out and dark pictures are read as long as white and black are told apart", () => {
    assert.equal(decodeCells(cells(bitsOf(NOON), 140, 110)), NOON);
    assert.equal(decodeCells(cells(bitsOf(NOON), 255, 0)), NOON);
});

test("one wrong cell anywhere is no barcode", () => {
    for (let i = 0; i < 64; i++) {
        const bits = bitsOf(NOON);
        bits[i] ^= 1;
        assert.equal(decodeCells(cells(bits)), null, `cell ${i}`);
    }
});

test("no barcode: black, white, a wrong number of cells, a time that cannot be", () => {
    assert.equal(decodeCells(new Array(64).fill(16)), null);
    assert.equal(decodeCells(new Array(64).fill(235)), null);
    assert.equal(decodeCells(cells(bitsOf(NOON)).slice(1)), null);
    assert.equal(decodeCells(cells(bitsOf(1000))), null);
});

test("cells are found at widths that do not divide by 64, and through blur", () => {
    for (const width of [64, 256, 640, 854, 1366, 1920]) {
        assert.equal(decodeCells(lumasOf(strip(bitsOf(NOON), width, 4), width, 4)), NOON, `width ${width}`);
    }
    assert.equal(decodeCells(lumasOf(strip(bitsOf(NOON), 640, 4, 2), 640, 4)), NOON);
});
