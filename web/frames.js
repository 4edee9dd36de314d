// Looks at some of the frames a video element presents: how old each is, by the time barcode in it, where there is one.

import { BarcodeReader } from "./barcode.js";
import { RunningMedian } from "./figures.js";

const EVERY_MS = 200; // a look makes the browser fetch the picture back from where it is decoded
const MISSES_UNTIL_RARE = 12; // looks without a barcode after which they become rare
const RARE_MS = 1000;

export class FrameWatch {
    #video;
    #reader = null;
    #request = null;
    #ages = new RunningMedian(10);
    #misses = 0;
    #lookedAt = -Infinity;

    constructor(video) {
        this.#video = video;
    }

    start() {
        this.stop();
        if (!this.#video.requestVideoFrameCallback) return;
        this.#reader ??= new BarcodeReader();
        this.#next();
    }

    stop() {
        if (this.#request !== null) this.#video.cancelVideoFrameCallback(this.#request);
        this.#request = null;
        this.#misses = 0;
        this.#lookedAt = -Infinity;
        this.#ages.clear();
    }

    /** From the making of the picture to its showing, in ms; null without a barcode. */
    get latencyMs() {
        return this.#misses < MISSES_UNTIL_RARE ? this.#ages.value : null;
    }

    #next() {
        this.#request = this.#video.requestVideoFrameCallback((now, { expectedDisplayTime }) => {
            this.#next();
            if (now - this.#lookedAt < (this.#misses < MISSES_UNTIL_RARE ? EVERY_MS : RARE_MS)) return;
            this.#lookedAt = now;
            this.#read(expectedDisplayTime);
        });
    }

    #read(expectedDisplayTime) {
        const made = this.#reader.read(this.#video);
        if (made === null) {
            this.#misses++;
            return;
        }
        this.#misses = 0;
        this.#ages.add(Date.now() + (expectedDisplayTime - performance.now()) - made);
    }
}

/** The last picture, held on a canvas over the video element while a stream is opened anew. */
export class HeldPicture {
    #canvas;
    #video;
    #noted = false;

    /** canvas: null where nothing is to be held. */
    constructor(canvas, video) {
        this.#canvas = canvas;
        this.#video = video;
    }

    get shown() {
        return this.#canvas !== null && !this.#canvas.hidden;
    }

    /** To be called now and then: a video that has run dry may not give its picture away any more. */
    note() {
        const { videoWidth, videoHeight, readyState } = this.#video;
        if (!this.#canvas || readyState < HTMLMediaElement.HAVE_CURRENT_DATA || videoWidth === 0) return;
        if (this.#canvas.width !== videoWidth) this.#canvas.width = videoWidth; // even the same anew would be a new canvas
        if (this.#canvas.height !== videoHeight) this.#canvas.height = videoHeight;
        this.#canvas.getContext("2d").drawImage(this.#video, 0, 0);
        this.#noted = true;
    }

    show() {
        if (this.shown) return;
        this.note();
        if (this.#noted) this.#canvas.hidden = false;
    }

    /** forget: what was noted belongs to something else than what comes. */
    drop({ forget = false } = {}) {
        if (this.#canvas) this.#canvas.hidden = true;
        if (forget) this.#noted = false;
    }
}
