// Figures and states in words, for people. Pure.

const STATES = {
    offline: {
        label: "Offline",
        tone: "off",
        words: "This camera is not connected. It comes back by itself as soon as it is.",
    },
    idle: { label: "Ready", tone: "ready", words: "Press Start to bring the camera up." },
    waiting: {
        label: "Starts when watched",
        tone: "ready",
        words: "It starts when watched, and stops by itself once nobody watches. With Record it runs until it is stopped.",
    },
    starting: { label: "Starting", tone: "busy", words: "The camera is being brought up." },
    live: { label: "Live", tone: "live", words: "Live." },
    stopping: { label: "Stopping", tone: "busy", words: "The camera is being switched off." },
    failed: { label: "Failed", tone: "failed", words: "The stream failed. Press Start to try again." },
};

/** What a camera does: {state, label, tone, words}. Of what goes on or went wrong the gateway's own words count. */
export function describeCamera(camera) {
    const stream = camera.stream ?? { state: "idle" };
    const running = stream.state !== "idle" && stream.state !== "failed";
    const state = !camera.online && !running ? "offline" : stream.state;
    const entry = (state === "idle" && camera.on_demand ? STATES.waiting : STATES[state]) ?? STATES.idle;
    return { state, label: entry.label, tone: entry.tone, words: wordsOf(state, stream) ?? entry.words };
}

function wordsOf(state, stream) {
    if (state === "failed") return failure(stream);
    if (state === "live") return live(stream);
    if (state === "idle" && !stream.error) return null; // what to do next says more than that nothing runs
    const detail = stream.error?.detail || stream.detail;
    return detail ? sentence(detail) : null;
}

function failure(stream) {
    const detail = stream.error?.detail || stream.detail;
    if (!detail) return null;
    return stream.error?.step ? sentence(`${stream.error.step}: ${detail}`) : sentence(detail);
}

function live(stream) {
    const since = stream.started_at ? ` since ${clock(stream.started_at)}` : "";
    if (stream.on_demand) return `Live${since}, for as long as somebody watches.`;
    return `Live${since}${stream.record ? ", being recorded." : ", not recorded."}`;
}

/** A capital at the front, a full stop at the end. */
export function sentence(text) {
    const trimmed = String(text).trim();
    if (!trimmed) return "";
    const first = trimmed[0].toUpperCase() + trimmed.slice(1);
    return /[.!?…]$/.test(first) ? first : `${first}.`;
}

export function bytes(n) {
    if (!Number.isFinite(n)) return "–";
    const units = ["B", "kB", "MB", "GB", "TB"];
    let value = n;
    let unit = 0;
    while (value >= 999.5 && unit < units.length - 1) {
        value /= 1000;
        unit++;
    }
    return `${unit === 0 || value >= 99.95 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/** 0:07, 12:40, 1:02:03 */
export function duration(ms) {
    if (!Number.isFinite(ms)) return "–";
    const total = Math.round(ms / 1000);
    const [h, m, s] = [Math.floor(total / 3600), Math.floor(total / 60) % 60, total % 60];
    const tail = String(s).padStart(2, "0");
    return h > 0 ? `${h}:${String(m).padStart(2, "0")}:${tail}` : `${m}:${tail}`;
}

/** The same for a screen reader: "1 hour 2 minutes 3 seconds". */
export function durationWords(ms) {
    if (!Number.isFinite(ms)) return "unknown length";
    const total = Math.round(ms / 1000);
    if (total === 0) return "0 seconds";
    const parts = [[Math.floor(total / 3600), "hour"], [Math.floor(total / 60) % 60, "minute"], [total % 60, "second"]];
    return parts.filter(([n]) => n > 0).map(([n, unit]) => `${n} ${unit}${n === 1 ? "" : "s"}`).join(" ");
}

export function latency(ms) {
    if (!Number.isFinite(ms)) return "–";
    if (ms < 0) return "clocks differ";
    return ms < 9950 ? `${(ms / 1000).toFixed(2)} s` : `${Math.round(ms / 1000)} s`;
}

export function seconds(ms) {
    return Number.isFinite(ms) ? `${(Math.max(ms, 0) / 1000).toFixed(2)} s` : "–";
}

export function bitRate(kbps) {
    if (!Number.isFinite(kbps)) return "–";
    return kbps < 999.5 ? `${Math.round(kbps)} kbit/s` : `${(kbps / 1000).toFixed(1)} Mbit/s`;
}

export function clock(rfc3339) {
    return new Date(rfc3339).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
}

export function when(rfc3339, now = new Date()) {
    const date = new Date(rfc3339);
    if (Number.isNaN(date.getTime())) return "unknown time";
    const time = date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
    const days = Math.round((midnight(now) - midnight(date)) / 86400000);
    if (days === 0) return `Today, ${time}`;
    if (days === 1) return `Yesterday, ${time}`;
    const year = date.getFullYear() === now.getFullYear() ? undefined : "numeric";
    return `${date.toLocaleDateString([], { day: "numeric", month: "short", year })}, ${time}`;
}

function midnight(date) {
    return new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime();
}

export function picture({ width, height, fps } = {}) {
    if (!width || !height) return "";
    return fps ? `${width} × ${height}, ${fps} fps` : `${width} × ${height}`;
}
