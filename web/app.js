// The page: what is known, how news arrives, and the parts that show it.

import { eventsUrl, listCameras, listRecordings } from "./api.js";
import { CameraList, Cameras, nameOf } from "./cameras.js";
import { Theatre, confirm } from "./dialogs.js";
import { byId, h, icon, say } from "./dom.js";
import { EventFeed } from "./events.js";
import { sentence } from "./format.js";
import { Recordings } from "./recordings.js";
import { Stage } from "./stage.js";
import { WakeWatch } from "./wake.js";

const HIDDEN_MS = 30000; // a page nobody looks at gives its connection back: browsers open only six to one host
const TOLD_MS = 6000;
const LINK_WORDS = {
    connected: "Connected",
    polling: "Connected, updated every few seconds",
    lost: "No connection to Belfry. Trying again.",
};

// The address names the camera, so that it can be kept and shared.
const cameraInAddress = () => new URLSearchParams(location.search).get("camera");
const cameras = new Cameras(cameraInAddress());
const theatre = new Theatre();
const nameOfCamera = (id) => (cameras.get(id) ? nameOf(cameras.get(id)) : id);
const recordings = new Recordings({
    confirm,
    nameOfCamera,
    play: (recording) => theatre.show(recording, nameOfCamera(recording.camera)),
    tell,
});

new CameraList({ list: byId("camera-list"), empty: byId("no-cameras"), cameras });
const fetchLists = () => Promise.all([cameras.sync(listCameras), recordings.sync(listRecordings)]);
const refresh = () => fetchLists().catch(() => {}); // without an answer, the feed says that there is none
const stage = new Stage({ cameras, confirm, refresh });
const feed = new EventFeed({ url: eventsUrl, poll: fetchLists });

feed.addEventListener("camera", ({ detail }) => cameras.put(detail));
feed.addEventListener("recording", ({ detail }) => recordings.put(detail));
feed.addEventListener("recording-deleted", ({ detail }) => recordings.drop(detail.id));
feed.addEventListener("alarm", ({ detail }) => showAlarm(detail));
feed.addEventListener("sync", () => fetchLists().catch((problem) => tell(problem.message)));
feed.addEventListener("link", ({ detail }) => showLink(detail));
feed.addEventListener("link", ({ detail }) => detail !== "lost" && stage.reachable());

function showLink(link) {
    byId("link").dataset.link = link;
    say(byId("link-words"), LINK_WORDS[link]);
}

const alarms = new Map();

function showAlarm({ node, code, detail, active }) {
    const key = `${node} ${code}`;
    alarms.get(key)?.remove();
    alarms.delete(key);
    if (active) {
        const dismiss = h("button", { type: "button", class: "quiet small", onclick: () => item.remove() }, "Dismiss");
        const words = h("span", {}, h("strong", {}, `${node}: `), sentence(detail || code));
        const item = h("li", {}, icon("alarm"), words, dismiss);
        alarms.set(key, item);
        byId("alarms").append(item);
    }
}

let toldTimer = null;

function tell(words) {
    clearTimeout(toldTimer);
    say(byId("told"), words);
    byId("told").classList.add("shown");
    toldTimer = setTimeout(() => byId("told").classList.remove("shown"), TOLD_MS);
}

let hiddenTimer = null;

document.addEventListener("visibilitychange", () => {
    clearTimeout(hiddenTimer);
    if (document.hidden) hiddenTimer = setTimeout(() => feed.stop(), HIDDEN_MS);
    else feed.start();
});

new WakeWatch().addEventListener("back", ({ detail: { why, awayMs } }) => {
    if (why !== "visible") feed.restart(); // its connection may be dead without a word
    stage.returned(awayMs);
});

cameras.addEventListener("select", () => {
    if (cameras.selected) history.replaceState(null, "", `?camera=${encodeURIComponent(cameras.selected.id)}`);
});

feed.start();
