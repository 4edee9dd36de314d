#include "fixture.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "camera.pb-c.h"
#include "event.pb-c.h"
#include "gateway.pb-c.h"
#include "ingest.pb-c.h"
#include "janitor.pb-c.h"

/* Holds in every build type: a fixture that is not what it says makes every test meaningless. */
static void must(int holds)
{
    if (!holds)
        abort();
}

#define YEAR_MS (UINT64_C(365) * 86400000)
#define BYTES(array) ((ProtobufCBinaryData){ sizeof(array), (uint8_t *)(array) })

const char *const fx_names[FX_NODES] = {
    [FX_CAMERA] = "cam-1",      [FX_CAMERA_2] = "cam-2",    [FX_INGEST] = "ingest-1",   [FX_GATEWAY] = "gateway-1",
    [FX_JANITOR] = "janitor-1", [FX_OPERATOR] = "operator", [FX_STRANGER] = "stranger",
};

const enum bf_role fx_roles[FX_NODES] = {
    [FX_CAMERA] = BF_ROLE_CAMERA,   [FX_CAMERA_2] = BF_ROLE_CAMERA, [FX_INGEST] = BF_ROLE_INGEST,
    [FX_GATEWAY] = BF_ROLE_GATEWAY, [FX_JANITOR] = BF_ROLE_JANITOR, [FX_OPERATOR] = BF_ROLE_OPERATOR,
    [FX_STRANGER] = BF_ROLE_CAMERA,
};

const uint8_t fx_boot_id[16] = "fixture-boot-id";

/* ---- keys ---- */

struct pair {
    uint8_t public_key[BF_PUBLIC_KEY_SIZE], secret[BF_SECRET_KEY_SIZE];
};

static const struct pair *pair(unsigned n)
{
    static struct pair pairs[FX_NODES + 1];
    uint8_t seed[crypto_sign_SEEDBYTES];

    if (pairs[n].secret[0] == 0 && pairs[n].public_key[0] == 0) {
        memset(seed, (int)(0x41 + n), sizeof(seed));
        must(sodium_init() >= 0);
        crypto_sign_seed_keypair(pairs[n].public_key, pairs[n].secret, seed);
    }
    return &pairs[n];
}

const uint8_t *fx_secret(enum fx_node node)
{
    return pair(node)->secret;
}

const uint8_t *fx_public(enum fx_node node)
{
    return pair(node)->public_key;
}

const uint8_t *fx_root_secret(void)
{
    return pair(FX_NODES)->secret;
}

const uint8_t *fx_root_public(void)
{
    return pair(FX_NODES)->public_key;
}

/* Through a key file, as a service gets it. */
struct bf_key *fx_key(enum fx_node node)
{
    char path[] = "/tmp/belfry-key-XXXXXX", text[2 * crypto_sign_SEEDBYTES + 1];
    int fd = mkstemp(path); /* 0600 */
    struct bf_key *k = NULL;

    must(fd >= 0);
    sodium_bin2hex(text, sizeof(text), fx_secret(node), crypto_sign_SEEDBYTES);
    must(write(fd, text, sizeof(text) - 1) == (ssize_t)sizeof(text) - 1);
    must(bf_key_load(&k, path, NULL) == 0);
    close(fd);
    unlink(path);
    return k;
}

/* ---- trust ---- */

Belfry__V1__TrustBundle *fx_bundle(void)
{
    static Belfry__V1__TrustBundle bundle;
    static Belfry__V1__TrustedKey keys[FX_NODES];
    static Belfry__V1__TrustedKey *list[FX_NODES];
    static Belfry__V1__Role roles[FX_NODES];

    belfry__v1__trust_bundle__init(&bundle);
    for (unsigned i = 0; i < FX_STRANGER; i++) {
        belfry__v1__trusted_key__init(&keys[i]);
        roles[i] = (Belfry__V1__Role)fx_roles[i];
        keys[i].node = (char *)fx_names[i];
        keys[i].n_roles = 1;
        keys[i].roles = &roles[i];
        keys[i].public_key = (ProtobufCBinaryData){ BF_PUBLIC_KEY_SIZE, (uint8_t *)fx_public(i) };
        keys[i].not_before_ms = FX_NOW - YEAR_MS / 2;
        list[i] = &keys[i];
    }
    bundle.version = 3;
    bundle.site = (char *)FX_SITE;
    bundle.issued_at_ms = FX_NOW - YEAR_MS / 2;
    bundle.expires_at_ms = FX_NOW + YEAR_MS / 2;
    bundle.n_keys = FX_STRANGER;
    bundle.keys = list;
    return &bundle;
}

static uint8_t *seal(const char *payload_type, const ProtobufCMessage *m, const uint8_t *secret, size_t *ret_size)
{
    size_t size = protobuf_c_message_get_packed_size(m);
    uint8_t *packed = malloc(size + 1), *envelope = NULL;

    must(packed != NULL);
    protobuf_c_message_pack(m, packed);
    must(bf_dsse_seal(payload_type, packed, size, secret, &envelope, ret_size) == 0);
    free(packed);
    return envelope;
}

uint8_t *fx_seal_bundle(const Belfry__V1__TrustBundle *bundle, size_t *ret_size)
{
    return seal(BF_TRUST_BUNDLE_TYPE, &bundle->base, fx_root_secret(), ret_size);
}

struct bf_trust *fx_trust(void)
{
    size_t size;
    uint8_t *envelope = fx_seal_bundle(fx_bundle(), &size);
    struct bf_trust *trust = NULL;

    must(bf_trust_open(&trust, envelope, size, fx_root_public(), FX_SITE, 0, NULL) == 0);
    free(envelope);
    return trust;
}

/* ---- messages ---- */

static Belfry__V1__VideoParams *video(void)
{
    static Belfry__V1__VideoParams v;

    belfry__v1__video_params__init(&v);
    v.width = 640;
    v.height = 480;
    v.fps = 30;
    v.bitrate_kbps = 2000;
    v.gop_ms = 1000;
    return &v;
}

static Belfry__V1__Endpoint *endpoint(void)
{
    static Belfry__V1__Endpoint p;
    static uint8_t sealed[80] = "not a real box";

    belfry__v1__endpoint__init(&p);
    p.transport = BELFRY__V1__TRANSPORT__TRANSPORT_SRT;
    p.host = (char *)"127.0.0.1";
    p.port = 20000;
    p.latency_ms = 60;
    p.sealed_media_key = BYTES(sealed);
    return &p;
}

static Belfry__V1__Failure *failure(void)
{
    static Belfry__V1__Failure f;

    belfry__v1__failure__init(&f);
    f.code = (char *)"disk_full";
    f.detail = (char *)"no room for another segment";
    f.at_ms = FX_NOW - 1000;
    return &f;
}

static Belfry__V1__Lease *lease(void)
{
    static Belfry__V1__Lease l;

    belfry__v1__lease__init(&l);
    l.generation = 7;
    l.epoch = 5;
    l.lease_ms = 10000;
    return &l;
}

static Belfry__V1__NodeStatus *status(void)
{
    static Belfry__V1__NodeStatus s;
    static Belfry__V1__Counter counter, *counters[] = { &counter };

    belfry__v1__node_status__init(&s);
    belfry__v1__counter__init(&counter);
    counter.name = (char *)"refused_signature";
    counter.value = 2;
    s.online = 1;
    s.boot_id = BYTES(fx_boot_id);
    s.version = (char *)"0.1.0";
    s.started_at_ms = FX_NOW - 60000;
    s.observed_generation = 7;
    s.lease_epoch = 5;
    s.n_counters = 1;
    s.counters = counters;
    return &s;
}

/* One static message of each type, initialised anew: `m` afterwards. */
#define FRESH(type, lower)                                                                                             \
    static Belfry__V1__##type m;                                                                                       \
    belfry__v1__##lower##__init(&m)

static ProtobufCMessage *camera_state(void)
{
    FRESH(CameraState, camera_state);
    m.node = status();
    m.phase = BELFRY__V1__CAMERA_PHASE__CAMERA_PHASE_STREAMING;
    m.session_id = (char *)FX_ULID;
    m.video = video();
    m.source = (char *)"test-pattern";
    m.encoder = (char *)"libx264";
    m.frames = 900;
    return &m.base;
}

static ProtobufCMessage *camera_desired(void)
{
    static Belfry__V1__CameraSession session;

    FRESH(CameraDesired, camera_desired);
    belfry__v1__camera_session__init(&session);
    session.session_id = (char *)FX_ULID;
    session.video = video();
    session.endpoint = endpoint();
    m.lease = lease();
    m.session = &session;
    return &m.base;
}

static ProtobufCMessage *ingest_state(void)
{
    static Belfry__V1__IngestSessionStatus session, *sessions[] = { &session };

    FRESH(IngestState, ingest_state);
    belfry__v1__ingest_session_status__init(&session);
    session.session_id = (char *)FX_ULID;
    session.camera = (char *)"cam-1";
    session.phase = BELFRY__V1__INGEST_PHASE__INGEST_PHASE_LIVE;
    session.endpoint = endpoint();
    session.parts = 150;
    session.bytes = 7500000;
    session.last_part_at_ms = FX_NOW - 200;
    m.node = status();
    m.n_sessions = 1;
    m.sessions = sessions;
    m.media_free_bytes = UINT64_C(1) << 34;
    return &m.base;
}

static ProtobufCMessage *ingest_desired(void)
{
    static Belfry__V1__IngestSession session, *sessions[] = { &session };

    FRESH(IngestDesired, ingest_desired);
    belfry__v1__ingest_session__init(&session);
    session.session_id = (char *)FX_ULID;
    session.camera = (char *)"cam-1";
    session.record = 1;
    session.video = video();
    session.transport = BELFRY__V1__TRANSPORT__TRANSPORT_SRT;
    session.latency_ms = 60;
    session.profile = BELFRY__V1__PROFILE__PROFILE_BALANCED;
    m.lease = lease();
    m.n_sessions = 1;
    m.sessions = sessions;
    return &m.base;
}

static ProtobufCMessage *janitor_state(void)
{
    static Belfry__V1__JanitorSessionStatus session, *sessions[] = { &session };

    FRESH(JanitorState, janitor_state);
    belfry__v1__janitor_session_status__init(&session);
    session.session_id = (char *)FX_ULID;
    session.camera = (char *)"cam-1";
    session.phase = BELFRY__V1__JANITOR_PHASE__JANITOR_PHASE_ARCHIVING;
    session.progress_percent = 40;
    m.node = status();
    m.n_sessions = 1;
    m.sessions = sessions;
    m.recordings = 3;
    m.recording_bytes = 123456789;
    m.media_free_bytes = UINT64_C(1) << 34;
    return &m.base;
}

static ProtobufCMessage *janitor_desired(void)
{
    static Belfry__V1__JanitorSession session, *sessions[] = { &session };

    FRESH(JanitorDesired, janitor_desired);
    belfry__v1__janitor_session__init(&session);
    session.session_id = (char *)FX_ULID;
    session.camera = (char *)"cam-1";
    session.fate = BELFRY__V1__SESSION_FATE__SESSION_FATE_ARCHIVE;
    m.lease = lease();
    m.n_sessions = 1;
    m.sessions = sessions;
    return &m.base;
}

static ProtobufCMessage *janitor_command(void)
{
    static Belfry__V1__ProtectRecording protect;

    FRESH(JanitorCommand, janitor_command);
    belfry__v1__protect_recording__init(&protect);
    protect.recording_id = (char *)FX_ULID;
    protect.protected_ = 1;
    protect.title = (char *)"Le café à midi";
    m.action_case = BELFRY__V1__JANITOR_COMMAND__ACTION_PROTECT;
    m.protect = &protect;
    return &m.base;
}

static ProtobufCMessage *janitor_reply(void)
{
    FRESH(JanitorReply, janitor_reply);
    m.file = (char *)"snapshot-1767225600000.jpg";
    return &m.base;
}

static Belfry__V1__StreamStatus *stream_status(void)
{
    static Belfry__V1__StreamStatus s;

    belfry__v1__stream_status__init(&s);
    s.camera = (char *)"cam-1";
    s.phase = BELFRY__V1__STREAM_PHASE__STREAM_PHASE_LIVE;
    s.session_id = (char *)FX_ULID;
    s.camera_online = 1;
    s.hls_path = (char *)"/live/cam-1/index.m3u8";
    s.profile = BELFRY__V1__PROFILE__PROFILE_REALTIME;
    return &s;
}

static ProtobufCMessage *gateway_state(void)
{
    static Belfry__V1__StreamStatus *streams[1];

    FRESH(GatewayState, gateway_state);
    streams[0] = stream_status();
    m.node = status();
    m.n_streams = 1;
    m.streams = streams;
    return &m.base;
}

static ProtobufCMessage *gateway_command(void)
{
    static Belfry__V1__StartStream start;

    FRESH(GatewayCommand, gateway_command);
    belfry__v1__start_stream__init(&start);
    start.camera = (char *)"cam-1";
    start.record = 1;
    start.video = video();
    start.profile = BELFRY__V1__PROFILE__PROFILE_REALTIME;
    m.action_case = BELFRY__V1__GATEWAY_COMMAND__ACTION_START;
    m.start = &start;
    return &m.base;
}

static ProtobufCMessage *gateway_reply(void)
{
    static Belfry__V1__StreamStatus *streams[1];

    FRESH(GatewayReply, gateway_reply);
    streams[0] = stream_status();
    m.n_streams = 1;
    m.streams = streams;
    return &m.base;
}

static ProtobufCMessage *event(void)
{
    FRESH(Event, event);
    m.kind = BELFRY__V1__EVENT_KIND__EVENT_KIND_ALARM;
    m.session_id = (char *)FX_ULID;
    m.camera = (char *)"cam-1";
    m.failure = failure();
    return &m.base;
}

static const struct {
    ProtobufCMessage *(*make)(void);
    enum fx_node sender, topic_node;
} makers[BF_MSG_TYPES] = {
    [BF_MSG_CAMERA_STATE] = { camera_state, FX_CAMERA, FX_CAMERA },
    [BF_MSG_CAMERA_DESIRED] = { camera_desired, FX_GATEWAY, FX_CAMERA },
    [BF_MSG_INGEST_STATE] = { ingest_state, FX_INGEST, FX_INGEST },
    [BF_MSG_INGEST_DESIRED] = { ingest_desired, FX_GATEWAY, FX_INGEST },
    [BF_MSG_JANITOR_STATE] = { janitor_state, FX_JANITOR, FX_JANITOR },
    [BF_MSG_JANITOR_DESIRED] = { janitor_desired, FX_GATEWAY, FX_JANITOR },
    [BF_MSG_JANITOR_COMMAND] = { janitor_command, FX_GATEWAY, FX_JANITOR },
    [BF_MSG_JANITOR_REPLY] = { janitor_reply, FX_JANITOR, FX_GATEWAY },
    [BF_MSG_GATEWAY_STATE] = { gateway_state, FX_GATEWAY, FX_GATEWAY },
    [BF_MSG_GATEWAY_COMMAND] = { gateway_command, FX_OPERATOR, FX_GATEWAY },
    [BF_MSG_GATEWAY_REPLY] = { gateway_reply, FX_GATEWAY, FX_OPERATOR },
    [BF_MSG_EVENT] = { event, FX_INGEST, FX_INGEST },
};

enum fx_node fx_sender(enum bf_message_type type)
{
    return makers[type].sender;
}

const char *fx_topic(enum bf_message_type type)
{
    static char topics[BF_MSG_TYPES][BF_TOPIC_SIZE];
    enum fx_node node = makers[type].topic_node;

    must(bf_topic_format(topics[type], FX_SITE, fx_roles[node], fx_names[node], bf_message_row(type)->channel) == 0);
    return topics[type];
}

Belfry__V1__Header *fx_header(ProtobufCMessage *m)
{
    return *bf_message_header(m);
}

ProtobufCMessage *fx_message(enum bf_message_type type)
{
    static Belfry__V1__Header headers[BF_MSG_TYPES];
    static const uint8_t asked[16] = "the-question-id";
    static uint8_t ids[BF_MSG_TYPES][16];
    const struct bf_message_row *row = bf_message_row(type);
    bool directed = row->channel == BF_CHANNEL_DESIRED || row->channel == BF_CHANNEL_CMD;
    ProtobufCMessage *m = makers[type].make();
    Belfry__V1__Header *h = &headers[type];

    belfry__v1__header__init(h);
    memset(ids[type], 0x60 + (int)type, sizeof(ids[type]));
    h->site = (char *)FX_SITE;
    h->sender = (char *)fx_names[makers[type].sender];
    h->recipient = (char *)(row->own_topic ? "*" : fx_names[makers[type].topic_node]);
    h->topic = (char *)fx_topic(type);
    h->message_id = BYTES(ids[type]);
    h->sender_epoch = 5;
    h->channel = (Belfry__V1__Channel)row->channel;
    h->sequence = 100;
    h->issued_at_ms = FX_NOW;
    h->ttl_ms = 15000;
    h->clock_synced = 1;
    if (directed)
        h->recipient_boot_id = BYTES(fx_boot_id);
    if (row->channel == BF_CHANNEL_RSP)
        h->in_reply_to = BYTES(asked);
    *bf_message_header(m) = h;
    return m;
}

uint8_t *fx_seal_as(const char *payload_type, const ProtobufCMessage *m, enum fx_node signer, size_t *ret_size)
{
    return seal(payload_type, m, fx_secret(signer), ret_size);
}

uint8_t *fx_seal(enum bf_message_type type, const ProtobufCMessage *m, enum fx_node signer, size_t *ret_size)
{
    return fx_seal_as(bf_message_row(type)->payload_type, m, signer, ret_size);
}
