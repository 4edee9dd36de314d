// What a running player measures of itself and of its stream, gathered for the page.

import { RunningMedian } from "./figures.js";
import { FrameWatch } from "./frames.js";

export class Readings {
    #video;
    #frames;
    #byClock = new RunningMedian(10);

    constructor(video) {
        this.#video = video;
        this.#frames = new FrameWatch(video);
    }

    start() {
        this.#frames.start();
    }

    stop() {
        this.#frames.stop();
        this.#byClock.clear();
    }

    /** engine: null while there is none; runs: whether pictures move. */
    take(engine, runs) {
        const video = this.#video;
        const pictureTime = engine?.pictureTime ?? null;
        if (runs && pictureTime !== null) this.#byClock.add(Date.now() - pictureTime);
        const measured = this.#frames.latencyMs;
        const latencyMs = measured ?? this.#byClock.value;
        const quality = video.getVideoPlaybackQuality?.();
        return {
            runs,
            latencyMs,
            latencyFrom: measured !== null ? "picture" : "clock",
            goalMs: latencyMs === null || engine?.errorMs == null ? null : latencyMs - engine.errorMs,
            pictureTime,
            aheadMs: aheadOf(video),
            rate: video.playbackRate,
            kbps: engine?.kbps ?? null,
            partSeconds: engine?.partSeconds ?? null,
            delivery: engine?.delivery ?? null,
            dropped: quality?.droppedVideoFrames ?? 0,
            frames: quality?.totalVideoFrames ?? 0,
            width: video.videoWidth,
            height: video.videoHeight,
        };
    }
}

function aheadOf({ buffered, currentTime }) {
    return buffered.length ? 1000 * (buffered.end(buffered.length - 1) - currentTime) : null;
}
