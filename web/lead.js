// hls.js refuses a playlist without a complete segment, asks again a target duration later, and does not hold requests
// at the server before segment 1 is complete: two seconds without a picture at the start of every stream. So a playlist
// as young as that gets a few segments in front that say that nothing is there (EXT-X-GAP), and its numbers shift by
// as many. A playlist that is old enough, or has such segments itself, passes through untouched.

const LEAD = 3;
const LEAD_PART = '#EXT-X-PART:DURATION=0.2,URI="gap.m4s",GAP=YES\n'; // hls.js loads parts only where parts came before
const LEAD_SEGMENT = `${LEAD_PART.repeat(5)}#EXT-X-GAP\n#EXTINF:1.0,\ngap.m4s\n`;
const LEAD_SEGMENT_MS = 1000;
const SEQUENCE = /^#EXT-X-MEDIA-SEQUENCE:(\d+)\n/m;
const DATE = /^#EXT-X-PROGRAM-DATE-TIME:(.*)$/m;
const SKIPPED = /^(#EXT-X-SKIP:SKIPPED-SEGMENTS=)(\d+)/m;
const FIRST_OF_BODY = /^#(EXT-X-(MAP|PROGRAM-DATE-TIME|DISCONTINUITY|PART|GAP|PRELOAD-HINT)|EXTINF)\b(?!-)/m;
const ASKED = /([?&]_HLS_msn=)(\d+)/;

/** How many segments this playlist wants in front; for the first one of a stream that is played. */
export function leadFor(text) {
    const sequence = text.match(SEQUENCE);
    if (!sequence || /^#EXT-X-ENDLIST/m.test(text)) return 0;
    if (!/^#EXT-X-PART-INF/m.test(text)) return 0; // it is told of segments only: it has one before it counts as live
    const complete = text.match(/^#EXTINF:/gm)?.length ?? 0;
    return Number(sequence[1]) + complete < LEAD ? LEAD : 0;
}

/** The playlist as the player is to see it. */
export function withLead(text, lead) {
    const sequence = Number(text.match(SEQUENCE)?.[1]);
    if (lead === 0 || Number.isNaN(sequence)) return text;
    if (sequence > 0) return text.replace(SEQUENCE, `#EXT-X-MEDIA-SEQUENCE:${sequence + lead}\n`);
    if (SKIPPED.test(text)) return text.replace(SKIPPED, (_, tag, n) => `${tag}${Number(n) + lead}`);
    return text.replace(FIRST_OF_BODY, (tag) => dateOfLead(text, lead) + LEAD_SEGMENT.repeat(lead) + tag);
}

// hls.js fails where segments are there but the first date stands in front of parts.
function dateOfLead(text, lead) {
    const first = Date.parse(text.match(DATE)?.[1]);
    if (Number.isNaN(first)) return "";
    return `#EXT-X-PROGRAM-DATE-TIME:${new Date(first - lead * LEAD_SEGMENT_MS).toISOString()}\n`;
}

/** The address that Belfry understands, of one that the player made from what it saw. */
export function withoutLead(url, lead) {
    return url.replace(ASKED, (_, key, msn) => `${key}${Math.max(Number(msn) - lead, 0)}`);
}

/** The part of hls.js's configuration that does it; one for each playback of a media playlist. */
export function leadingConfig(Hls) {
    let lead = null;
    const seen = (text) => withLead(text, (lead ??= leadFor(text)));

    class PlaylistLoader extends Hls.DefaultConfig.loader {
        load(context, config, callbacks) {
            const onSuccess = (response, ...rest) =>
                callbacks.onSuccess({ ...response, data: seen(response.data) }, ...rest);
            super.load(context, config, { ...callbacks, onSuccess });
        }
    }

    return {
        pLoader: PlaylistLoader,
        xhrSetup: (xhr, url) => xhr.open("GET", withoutLead(url, lead ?? 0), true),
    };
}
