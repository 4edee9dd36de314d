// The buttons under the picture: pause, save, full screen. Figures and keys have modules of their own.

import { byId, say } from "./dom.js";

const AT_REST = ["paused", "blocked", "ended", "failed"]; // phases in which the picture wants a Play button

export class PictureControls {
    #nameOfPicture;

    /** toggle: of play and pause; nameOfPicture: what a saved picture's file name begins with. */
    constructor({ toggle, nameOfPicture }) {
        this.#nameOfPicture = nameOfPicture;
        byId("pause").addEventListener("click", toggle);
        byId("still").addEventListener("click", () => this.saveStill());
        byId("fullscreen").addEventListener("click", () => this.toggleFullscreen());
        document.addEventListener("fullscreenchange", () => {
            const full = document.fullscreenElement !== null;
            say(byId("fullscreen").querySelector("span"), full ? "Leave full screen" : "Full screen");
        });
    }

    render(phase) {
        const rest = isAtRest(phase);
        byId("picture-controls").hidden = ["idle", "loading"].includes(phase);
        byId("still").disabled = byId("video").readyState < HTMLMediaElement.HAVE_CURRENT_DATA;
        say(byId("pause").querySelector("span"), rest ? "Play" : "Pause");
        byId("pause").querySelector("use").setAttribute("href", rest ? "#icon-play" : "#icon-pause");
    }

    toggleFullscreen() {
        const frame = byId("frame");
        if (document.fullscreenElement) document.exitFullscreen();
        else if (frame.requestFullscreen) frame.requestFullscreen();
        else byId("video").webkitEnterFullscreen?.(); // iPhones give full screen to videos only
    }

    saveStill() {
        const video = byId("video");
        if (video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA) return;
        const canvas = document.createElement("canvas");
        canvas.width = video.videoWidth;
        canvas.height = video.videoHeight;
        canvas.getContext("2d").drawImage(video, 0, 0);
        const name = `${this.#nameOfPicture()}-${new Date().toISOString().replace(/[:.]/g, "-")}.jpg`;
        canvas.toBlob((blob) => blob && download(blob, name), "image/jpeg", 0.92);
    }
}

export const isAtRest = (phase) => AT_REST.includes(phase);

function download(blob, name) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    URL.revokeObjectURL(link.href);
}
