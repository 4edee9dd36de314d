// What can go wrong with a picture, in words. None of these is the end: the player tries again.

export const TROUBLES = Object.freeze({
    lost: { kind: "lost", words: "The connection to the stream was lost. Trying again." },
    gone: { kind: "gone", words: "This stream is not there any more. Looking for what runs now." },
    quiet: { kind: "quiet", words: "The camera sends no new pictures at the moment. Waiting for them." },
    busy: { kind: "busy", words: "Belfry has too many viewers at the moment. Trying again." },
    stuck: { kind: "stuck", words: "The picture stands still. Trying again." },
    behind: { kind: "behind", words: "The picture fell too far behind. Going to the present." },
    broken: { kind: "broken", words: "The picture broke off. Starting it again." },
    offline: { kind: "offline", words: "This device has no network. The picture comes back with it." },
    slept: { kind: "slept", words: "Back again. Fetching the present picture." },
});

/** Of an error that hls.js calls fatal: {kind, words, retryAfterMs}. */
export function troubleOf(Hls, error) {
    if (error.type !== Hls.ErrorTypes.NETWORK_ERROR) return TROUBLES.broken;
    const code = error.response?.code;
    if (code === 404 || code === 410) return TROUBLES.gone;
    if (code === 503) return { ...TROUBLES.busy, retryAfterMs: retryAfterMs(error.networkDetails) };
    return TROUBLES.lost;
}

function retryAfterMs(xhr) {
    const seconds = Number(xhr?.getResponseHeader?.("Retry-After"));
    return Number.isFinite(seconds) ? Math.min(Math.max(seconds, 0), 30) * 1000 : 0;
}
