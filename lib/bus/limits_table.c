#include "bus/limits_table.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "bus/dsse.h"

#include "camera.pb-c.h"
#include "event.pb-c.h"
#include "gateway.pb-c.h"
#include "header.pb-c.h"
#include "ingest.pb-c.h"
#include "janitor.pb-c.h"
#include "trust.pb-c.h"

#define OR_EMPTY true
#define OF(message) &belfry__v1__##message##__descriptor

const struct bf_limit bf_limits[] = {
    { OF(header), "site", ID, 0, 0, false },
    { OF(header), "sender", ID, 0, 0, false },
    { OF(header), "recipient", RECIPIENT, 0, 0, false },
    { OF(header), "topic", TEXT, 0, 256, false },
    { OF(header), "message_id", BYTES, 16, 16, false },
    { OF(header), "sender_epoch", NUMBER, 1, UINT64_MAX, false },
    { OF(header), "sequence", NUMBER, 1, UINT64_MAX, false },
    { OF(header), "ttl_ms", NUMBER, 0, 86400000, false },
    { OF(header), "recipient_boot_id", BYTES, 16, 16, OR_EMPTY },
    { OF(header), "in_reply_to", BYTES, 16, 16, OR_EMPTY },

    { OF(failure), "code", WORD, 0, 48, false },
    { OF(failure), "detail", TEXT, 0, 512, false },
    { OF(counter), "name", WORD, 0, 48, false },
    { OF(node_status), "boot_id", BYTES, 16, 16, false },
    { OF(node_status), "version", TEXT, 0, 64, false },
    { OF(node_status), "counters", COUNT, 0, 64, false },
    { OF(node_status), "lease_holder", ID, 0, 0, OR_EMPTY },
    { OF(node_status), "lease_holder_boot_id", BYTES, 16, 16, OR_EMPTY },
    { OF(lease), "generation", NUMBER, 1, UINT64_MAX, false },
    { OF(lease), "epoch", NUMBER, 1, UINT64_MAX, false },
    { OF(lease), "lease_ms", NUMBER, 1000, 600000, false },
    { OF(lease), "holder_boot_id", BYTES, 16, 16, OR_EMPTY },

    { OF(video_params), "width", EVEN, 64, 4096, OR_EMPTY },
    { OF(video_params), "height", EVEN, 64, 4096, OR_EMPTY },
    { OF(video_params), "fps", NUMBER, 1, 120, OR_EMPTY },
    { OF(video_params), "bitrate_kbps", NUMBER, 64, 50000, OR_EMPTY },
    { OF(video_params), "gop_ms", NUMBER, 100, 10000, OR_EMPTY },
    { OF(endpoint), "host", HOST, 0, 255, false },
    { OF(endpoint), "port", NUMBER, 1, 65535, false },
    { OF(endpoint), "latency_ms", NUMBER, 1, 8000, OR_EMPTY },
    { OF(endpoint), "sealed_media_key", BYTES, 80, 80, OR_EMPTY }, /* 32 characters and the box's 48 bytes */

    { OF(camera_desired), "header", PRESENT, 0, 0, false },
    { OF(camera_desired), "lease", PRESENT, 0, 0, false },
    { OF(camera_session), "session_id", ULID, 0, 0, false },
    { OF(camera_session), "endpoint", PRESENT, 0, 0, false },
    { OF(camera_state), "header", PRESENT, 0, 0, false },
    { OF(camera_state), "node", PRESENT, 0, 0, false },
    { OF(camera_state), "session_id", ULID, 0, 0, OR_EMPTY },
    { OF(camera_state), "source", NAME, 0, 48, OR_EMPTY },
    { OF(camera_state), "encoder", NAME, 0, 48, OR_EMPTY },

    { OF(ingest_desired), "header", PRESENT, 0, 0, false },
    { OF(ingest_desired), "lease", PRESENT, 0, 0, false },
    { OF(ingest_desired), "sessions", COUNT, 0, 64, false },
    { OF(ingest_session), "session_id", ULID, 0, 0, false },
    { OF(ingest_session), "camera", ID, 0, 0, false },
    { OF(ingest_session), "latency_ms", NUMBER, 1, 8000, OR_EMPTY },
    { OF(ingest_session), "input", TEXT, 0, 300, false },
    { OF(ingest_session), "input_source", HOST, 0, 255, OR_EMPTY },
    { OF(ingest_state), "header", PRESENT, 0, 0, false },
    { OF(ingest_state), "node", PRESENT, 0, 0, false },
    { OF(ingest_state), "sessions", COUNT, 0, 128, false },
    { OF(ingest_session_status), "session_id", ULID, 0, 0, false },
    { OF(ingest_session_status), "camera", ID, 0, 0, false },

    { OF(janitor_desired), "header", PRESENT, 0, 0, false },
    { OF(janitor_desired), "lease", PRESENT, 0, 0, false },
    { OF(janitor_desired), "sessions", COUNT, 0, 64, false },
    { OF(janitor_session), "session_id", ULID, 0, 0, false },
    { OF(janitor_session), "camera", ID, 0, 0, false },
    { OF(janitor_state), "header", PRESENT, 0, 0, false },
    { OF(janitor_state), "node", PRESENT, 0, 0, false },
    { OF(janitor_state), "sessions", COUNT, 0, 64, false },
    { OF(janitor_session_status), "session_id", ULID, 0, 0, false },
    { OF(janitor_session_status), "camera", ID, 0, 0, false },
    { OF(janitor_session_status), "progress_percent", NUMBER, 0, 100, false },
    { OF(janitor_command), "header", PRESENT, 0, 0, false },
    { OF(delete_recording), "recording_id", ULID, 0, 0, false },
    { OF(protect_recording), "recording_id", ULID, 0, 0, false },
    { OF(protect_recording), "title", TEXT, 0, 200, false },
    { OF(take_snapshot), "session_id", ULID, 0, 0, false },
    { OF(take_snapshot), "camera", ID, 0, 0, false },
    { OF(janitor_reply), "header", PRESENT, 0, 0, false },
    { OF(janitor_reply), "file", NAME, 0, 64, OR_EMPTY },

    { OF(gateway_state), "header", PRESENT, 0, 0, false },
    { OF(gateway_state), "node", PRESENT, 0, 0, false },
    { OF(gateway_state), "streams", COUNT, 0, 256, false },
    { OF(stream_status), "camera", ID, 0, 0, false },
    { OF(stream_status), "session_id", ULID, 0, 0, OR_EMPTY },
    { OF(stream_status), "hls_path", TEXT, 0, 256, false },
    { OF(stream_status), "profile", CHOICE, 0, 0, OR_EMPTY },
    { OF(gateway_command), "header", PRESENT, 0, 0, false },
    { OF(start_stream), "camera", ID, 0, 0, false },
    { OF(start_stream), "profile", CHOICE, 0, 0, OR_EMPTY },
    { OF(stop_stream), "camera", ID, 0, 0, false },
    { OF(get_status), "camera", ID, 0, 0, OR_EMPTY },
    { OF(gateway_reply), "header", PRESENT, 0, 0, false },
    { OF(gateway_reply), "streams", COUNT, 0, 256, false },

    { OF(event), "header", PRESENT, 0, 0, false },
    { OF(event), "session_id", ULID, 0, 0, OR_EMPTY },
    { OF(event), "camera", ID, 0, 0, OR_EMPTY },
    { OF(event), "chain_head", BYTES, 32, 32, OR_EMPTY },

    { OF(trust_bundle), "version", NUMBER, 1, UINT64_MAX, false },
    { OF(trust_bundle), "site", ID, 0, 0, false },
    { OF(trust_bundle), "keys", COUNT, 0, 256, false },
    { OF(trust_bundle), "revoked", COUNT, 0, 1024, false },
    { OF(trusted_key), "node", ID, 0, 0, false },
    { OF(trusted_key), "roles", COUNT, 1, 8, false },
    { OF(trusted_key), "public_key", BYTES, 32, 32, false },
};
const size_t bf_n_limits = BF_COUNT_OF(bf_limits);

static int check_endpoint(const ProtobufCMessage *m, struct bf_error *e)
{
    const Belfry__V1__Endpoint *p = (const Belfry__V1__Endpoint *)m;
    bool srt = p->transport == BELFRY__V1__TRANSPORT__TRANSPORT_SRT;

    if ((p->latency_ms != 0) != srt)
        return bf_limit_fail(e, "latency_ms", srt ? "1 to 8000" : "0 for UDP");
    if ((p->sealed_media_key.len != 0) != srt)
        return bf_limit_fail(e, "sealed_media_key", srt ? "80 bytes for SRT" : "nothing for UDP");
    return 0;
}

/* "udp://host:port" */
static bool is_udp_address(const char *text)
{
    const char *host = text + strlen("udp://"), *colon = strrchr(text, ':');
    char *end;

    if (strncmp(text, "udp://", strlen("udp://")) != 0 || colon <= host || !isdigit((unsigned char)colon[1]))
        return false;
    for (const char *c = host; c < colon; c++)
        if (!isalnum((unsigned char)*c) && strchr(".:-[]", *c) == NULL)
            return false;
    return strtoul(colon + 1, &end, 10) - 1 < 65535 && *end == '\0';
}

static int check_ingest_session(const ProtobufCMessage *m, struct bf_error *e)
{
    const Belfry__V1__IngestSession *s = (const Belfry__V1__IngestSession *)m;
    bool srt = s->transport == BELFRY__V1__TRANSPORT__TRANSPORT_SRT;

    if ((s->latency_ms != 0) != srt)
        return bf_limit_fail(e, "latency_ms", srt ? "1 to 8000" : "0 for UDP");
    if (*s->input == '\0')
        return 0;
    if (srt || !is_udp_address(s->input))
        return bf_limit_fail(e, "input", "udp://host:port, with transport UDP");
    return *s->input_source != '\0' ? 0 : bf_limit_fail(e, "input_source", "the address that datagrams come from");
}

static int check_janitor_command(const ProtobufCMessage *m, struct bf_error *e)
{
    const Belfry__V1__JanitorCommand *c = (const Belfry__V1__JanitorCommand *)m;

    return c->action_case != BELFRY__V1__JANITOR_COMMAND__ACTION__NOT_SET ? 0 : bf_limit_fail(e, "action", "one");
}

static int check_gateway_command(const ProtobufCMessage *m, struct bf_error *e)
{
    const Belfry__V1__GatewayCommand *c = (const Belfry__V1__GatewayCommand *)m;

    return c->action_case != BELFRY__V1__GATEWAY_COMMAND__ACTION__NOT_SET ? 0 : bf_limit_fail(e, "action", "one");
}

static int check_event(const ProtobufCMessage *m, struct bf_error *e)
{
    const Belfry__V1__Event *v = (const Belfry__V1__Event *)m;
    bool alarm = v->kind == BELFRY__V1__EVENT_KIND__EVENT_KIND_ALARM ||
                 v->kind == BELFRY__V1__EVENT_KIND__EVENT_KIND_ALARM_CLEARED;

    return !alarm || v->failure != NULL ? 0 : bf_limit_fail(e, "failure", "a value: it says what the alarm is about");
}

static int check_trust_bundle(const ProtobufCMessage *m, struct bf_error *e)
{
    const Belfry__V1__TrustBundle *b = (const Belfry__V1__TrustBundle *)m;

    if (b->expires_at_ms <= b->issued_at_ms)
        return bf_limit_fail(e, "expires_at_ms", "a time after issued_at_ms");
    for (size_t i = 0; i < b->n_revoked; i++)
        if (b->revoked[i].len != BF_KEYID_SIZE)
            return bf_limit_fail(e, "revoked", "key ids of 16 bytes");
    return 0;
}

static int check_trusted_key(const ProtobufCMessage *m, struct bf_error *e)
{
    const Belfry__V1__TrustedKey *k = (const Belfry__V1__TrustedKey *)m;

    if (k->not_after_ms != 0 && k->not_after_ms <= k->not_before_ms)
        return bf_limit_fail(e, "not_after_ms", "0 or a time after not_before_ms");
    return 0;
}

const struct bf_rule bf_rules[] = {
    { OF(endpoint), check_endpoint },
    { OF(ingest_session), check_ingest_session },
    { OF(janitor_command), check_janitor_command },
    { OF(gateway_command), check_gateway_command },
    { OF(event), check_event },
    { OF(trust_bundle), check_trust_bundle },
    { OF(trusted_key), check_trusted_key },
};
const size_t bf_n_rules = BF_COUNT_OF(bf_rules);
