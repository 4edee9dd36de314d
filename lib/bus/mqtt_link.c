#include "bus/mqtt_link.h"

#include <MQTTAsync.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"

#define CONNECT_TIMEOUT_S 10
#define RECEIVE_MAXIMUM 64
#define PACKET_MAX (128 * 1024 + 8 * 1024)            /* payload, topic and properties */
#define CERTIFICATES_BEGIN_MS UINT64_C(1577836800000) /* 2020: those of belfryctl are not valid before */
#define OTHER_NOTES 256                               /* more than the answers that can be outstanding */

/* ---- the inbox ---- */

int bf_inbox_init(struct bf_inbox *i, void (*wake)(void *user), void *user)
{
    atomic_init(&i->messages, 0);
    atomic_init(&i->bytes, 0);
    atomic_init(&i->dropped, 0);
    for (unsigned n = 0; n < BF_INBOX_SHARES; n++)
        atomic_init(&i->shares[n], 0);
    return bf_mailbox_new(&i->mailbox, sizeof(struct bf_note), BF_INBOX_MESSAGES + OTHER_NOTES, wake, user);
}

void bf_note_done(struct bf_note *n)
{
    free(n->text);
    free(n->payload);
    *n = (struct bf_note){ 0 };
}

/* FNV-1a: spreads; who may publish where is the broker's to say, so nobody gains by a collision. */
static atomic_uint *share_of(struct bf_inbox *i, const char *topic)
{
    uint32_t hash = 2166136261u;

    for (; *topic != '\0'; topic++)
        hash = (hash ^ (unsigned char)*topic) * 16777619u;
    return &i->shares[hash % BF_INBOX_SHARES];
}

int bf_inbox_take(struct bf_inbox *i, struct bf_note *ret)
{
    int r = bf_mailbox_take(i->mailbox, ret);

    if (r == 0 && ret->kind == BF_NOTE_MESSAGE) {
        atomic_fetch_sub(&i->messages, 1);
        atomic_fetch_sub(&i->bytes, ret->size);
        atomic_fetch_sub(share_of(i, ret->text), 1);
    }
    return r;
}

void bf_inbox_done(struct bf_inbox *i)
{
    struct bf_note n;

    if (i->mailbox == NULL)
        return;
    while (bf_inbox_take(i, &n) == 0)
        bf_note_done(&n);
    bf_mailbox_free(i->mailbox);
    i->mailbox = NULL;
}

/* ---- on paho's threads ---- */

struct bf_link {
    MQTTAsync client;
    bool tls;
    uint64_t number;
    struct bf_inbox *inbox;
};

static void note(const struct bf_link *l, enum bf_note_kind kind, const char *text)
{
    struct bf_note n = { .kind = kind, .link = l->number, .text = text == NULL ? NULL : strdup(text) };

    if (bf_mailbox_put(l->inbox->mailbox, &n) < 0)
        bf_note_done(&n);
}

/* Takes room for one more message. Only paho's receive thread adds, so that looking first is safe. */
static bool take_room(struct bf_inbox *i, const char *topic, size_t size)
{
    atomic_uint *share = share_of(i, topic);

    if (atomic_load(&i->messages) >= BF_INBOX_MESSAGES || atomic_load(&i->bytes) + size > BF_INBOX_BYTES ||
        atomic_load(share) >= BF_INBOX_OF_A_TOPIC) {
        atomic_fetch_add(&i->dropped, 1);
        return false;
    }
    atomic_fetch_add(&i->messages, 1);
    atomic_fetch_add(&i->bytes, size);
    atomic_fetch_add(share, 1);
    return true;
}

static void give_room_back(struct bf_inbox *i, const char *topic, size_t size)
{
    atomic_fetch_sub(&i->messages, 1);
    atomic_fetch_sub(&i->bytes, size);
    atomic_fetch_sub(share_of(i, topic), 1);
    atomic_fetch_add(&i->dropped, 1);
}

static void copy_message(const struct bf_link *l, const char *topic, const MQTTAsync_message *message, size_t size)
{
    struct bf_note n = { .kind = BF_NOTE_MESSAGE, .link = l->number, .retained = message->retained != 0, .size = size };

    if (!take_room(l->inbox, topic, size))
        return;
    n.text = strdup(topic);
    n.payload = malloc(size + 1); /* never zero bytes */
    if (n.payload != NULL && size > 0)
        memcpy(n.payload, message->payload, size);
    if (n.text == NULL || n.payload == NULL || bf_mailbox_put(l->inbox->mailbox, &n) < 0) {
        give_room_back(l->inbox, topic, size);
        bf_note_done(&n);
    }
}

static int on_message(void *context, char *topic, int topic_length, MQTTAsync_message *message)
{
    /* The length may be given as 0; a topic that holds a zero byte is none of ours. */
    if (topic_length == 0 || strlen(topic) == (size_t)topic_length)
        copy_message(context, topic, message, message->payloadlen > 0 ? (size_t)message->payloadlen : 0);
    MQTTAsync_freeMessage(&message);
    MQTTAsync_free(topic);
    return 1; /* taken; otherwise it would come again for ever */
}

static void on_lost(void *context, char *cause)
{
    note(context, BF_NOTE_LOST, cause != NULL ? cause : "the connection was lost");
}

static void on_broker_disconnect(void *context, MQTTProperties *properties, enum MQTTReasonCodes reason)
{
    char text[96];

    (void)properties;
    if (reason == MQTTREASONCODE_SESSION_TAKEN_OVER) {
        note(context, BF_NOTE_TAKEN_OVER, "another connection with this node's id and certificate took its place");
        return;
    }
    snprintf(text, sizeof(text), "the broker ended it: %s", MQTTReasonCode_toString(reason));
    note(context, BF_NOTE_LOST, text);
}

static void on_connected(void *context, MQTTAsync_successData5 *response)
{
    (void)response;
    note(context, BF_NOTE_CONNECTED, NULL);
}

static void describe(char *text, size_t size, const MQTTAsync_failureData5 *response)
{
    if (response == NULL)
        snprintf(text, size, "no reason given");
    else if (response->reasonCode != MQTTREASONCODE_SUCCESS)
        snprintf(text, size, "the broker answered: %s", MQTTReasonCode_toString(response->reasonCode));
    else if (response->message != NULL)
        snprintf(text, size, "%s", response->message);
    else
        snprintf(text, size, "%s",
                 MQTTAsync_strerror(response->code) != NULL ? MQTTAsync_strerror(response->code) : "failed");
}

/* Paho says little of what happens below MQTT ("TCP/TLS connect failure"); what else it found comes through
 * on_tls_error, or not at all. */
static void on_not_connected(void *context, MQTTAsync_failureData5 *response)
{
    const struct bf_link *l = context;
    char text[192], now[25];

    describe(text, sizeof(text), response);
    if (l->tls && bf_unix_ms() < CERTIFICATES_BEGIN_MS) {
        snprintf(
            text, sizeof(text),
            "no certificate can be checked: this machine's clock says %s; it goes on once that is set (timedatectl, a "
            "time server)",
            bf_rfc3339(now, bf_unix_ms()));
        note(l, BF_NOTE_NOT_CONNECTED, text);
    } else if (strncmp(text, "TCP", 3) == 0 && strstr(text, "timeout") == NULL)
        note(l, BF_NOTE_NOT_CONNECTED,
             l->tls ? "nothing answers there, or TLS failed (is the broker's certificate made for this host name, and "
                      "this node's by the broker's authority?)"
                    : "nothing answers there");
    else
        note(l, BF_NOTE_NOT_CONNECTED, text);
}

/* "<thread>:error:<code>:<library>:<function>:<reason>:<file>…": the reason is for people. */
static int on_tls_error(const char *text, size_t size, void *context)
{
    char line[256], *rest = line, *field = NULL;

    snprintf(line, sizeof(line), "%.*s", size > 250 ? 250 : (int)size, text);
    line[strcspn(line, "\r\n")] = '\0';
    for (unsigned i = 0; i < 6 && rest != NULL; i++)
        field = strsep(&rest, ":");
    if (field != NULL && *field != '\0')
        note(context, BF_NOTE_TLS_DETAIL, field);
    return 1;
}

/* paho lists the reasons only where there is more than one; the pointer is not set otherwise. */
static enum MQTTReasonCodes reason_of(const MQTTAsync_successData5 *response, int i)
{
    return response->alt.sub.reasonCodeCount > 1 ? response->alt.sub.reasonCodes[i] : response->reasonCode;
}

static void on_subscribed(void *context, MQTTAsync_successData5 *response)
{
    for (int i = 0; i < response->alt.sub.reasonCodeCount; i++)
        if (reason_of(response, i) >= MQTTREASONCODE_UNSPECIFIED_ERROR) {
            note(context, BF_NOTE_NOT_SUBSCRIBED, MQTTReasonCode_toString(reason_of(response, i)));
            return;
        }
    note(context, BF_NOTE_SUBSCRIBED, NULL);
}

static void on_not_subscribed(void *context, MQTTAsync_failureData5 *response)
{
    char text[128];

    describe(text, sizeof(text), response);
    note(context, BF_NOTE_NOT_SUBSCRIBED, text);
}

static void on_acknowledged(void *context, MQTTAsync_successData5 *response)
{
    (void)response;
    note(context, BF_NOTE_ACKNOWLEDGED, NULL);
}

static void on_not_accepted(void *context, MQTTAsync_failureData5 *response)
{
    char text[128];

    describe(text, sizeof(text), response);
    note(context, BF_NOTE_NOT_ACCEPTED, text);
}

static void on_disconnected(void *context, MQTTAsync_successData5 *response)
{
    (void)response;
    note(context, BF_NOTE_DISCONNECTED, NULL);
}

static void on_not_disconnected(void *context, MQTTAsync_failureData5 *response)
{
    (void)response;
    note(context, BF_NOTE_DISCONNECTED, NULL);
}

/* ---- on the loop thread ---- */

/* Paho's own state is the process's: destroying its last client tears it down, with its lock open in between. This
 * matters only where one process has several clients. */
static pthread_mutex_t making = PTHREAD_MUTEX_INITIALIZER;

static int to_errno(int paho)
{
    switch (paho) {
    case MQTTASYNC_SUCCESS:
        return 0;
    case MQTTASYNC_DISCONNECTED:
        return -ENOTCONN;
    case MQTTASYNC_MAX_MESSAGES_INFLIGHT:
    case MQTTASYNC_MAX_BUFFERED_MESSAGES:
    case MQTTASYNC_NO_MORE_MSGIDS:
        return -ENOBUFS;
    default:
        return -EIO;
    }
}

int bf_link_new(struct bf_link **ret, const struct bf_mqtt_options *o, uint64_t number, struct bf_inbox *inbox,
                struct bf_error *e)
{
    MQTTAsync_createOptions create = MQTTAsync_createOptions_initializer5;
    char uri[300];
    struct bf_link *l = calloc(1, sizeof(*l));
    int r;

    if (l == NULL)
        return bf_fail(e, -ENOMEM, "out of memory");
    l->number = number;
    l->inbox = inbox;
    l->tls = o->ca_file != NULL;
    create.sendWhileDisconnected = 0; /* a stale command is worse than none */
    create.maxBufferedMessages = BF_MQTT_UNACKNOWLEDGED_MAX;
    snprintf(uri, sizeof(uri), strchr(o->host, ':') != NULL ? "%s://[%s]:%u" : "%s://%s:%u",
             o->ca_file != NULL ? "ssl" : "tcp", o->host, o->port);

    pthread_mutex_lock(&making);
    r = MQTTAsync_createWithOptions(&l->client, uri, o->client_id, MQTTCLIENT_PERSISTENCE_NONE, NULL, &create);
    pthread_mutex_unlock(&making);
    if (r == MQTTASYNC_SUCCESS)
        r = MQTTAsync_setCallbacks(l->client, l, on_lost, on_message, NULL);
    if (r == MQTTASYNC_SUCCESS)
        r = MQTTAsync_setDisconnected(l->client, l, on_broker_disconnect);
    if (r != MQTTASYNC_SUCCESS) {
        bf_link_free(l);
        return bf_fail(e, to_errno(r), "MQTT client for %s: %s", uri, MQTTAsync_strerror(r));
    }
    *ret = l;
    return 0;
}

void bf_link_free(struct bf_link *l)
{
    if (l == NULL)
        return;
    pthread_mutex_lock(&making);
    if (l->client != NULL)
        MQTTAsync_destroy(&l->client);
    pthread_mutex_unlock(&making);
    free(l);
}

static MQTTAsync_SSLOptions tls_options(struct bf_link *l, const struct bf_mqtt_options *o, uint8_t *alpn)
{
    MQTTAsync_SSLOptions tls = MQTTAsync_SSLOptions_initializer;

    tls.trustStore = o->ca_file;
    tls.disableDefaultTrustStore = 1;
    tls.keyStore = o->cert_file;
    tls.privateKey = o->key_file;
    tls.enabledCipherSuites = "ECDHE+AESGCM:ECDHE+CHACHA20"; /* of TLS 1.2; those of 1.3 are not chosen here */
    tls.sslVersion = MQTT_SSL_VERSION_TLS_1_2;
    tls.enableServerCertAuth = 1;
    tls.verify = 1; /* the host name too: paho's default is not to look */
    tls.ssl_error_cb = on_tls_error;
    tls.ssl_error_context = l;
    if (o->alpn != NULL) {
        size_t size = strlen(o->alpn);

        alpn[0] = (uint8_t)size;
        memcpy(alpn + 1, o->alpn, size);
        tls.protos = alpn;
        tls.protos_len = (unsigned)size + 1;
    }
    return tls;
}

static int add_property(MQTTProperties *properties, enum MQTTPropertyCodes code, unsigned value)
{
    MQTTProperty p = { .identifier = code };

    if (code == MQTTPROPERTY_CODE_RECEIVE_MAXIMUM)
        p.value.integer2 = (unsigned short)value;
    else
        p.value.integer4 = value;
    return MQTTProperties_add(properties, &p) == 0 ? 0 : -ENOMEM;
}

int bf_link_connect(struct bf_link *l, const struct bf_mqtt_options *o, const struct bf_will *will)
{
    MQTTAsync_connectOptions connect = MQTTAsync_connectOptions_initializer5;
    MQTTAsync_willOptions last = MQTTAsync_willOptions_initializer;
    MQTTProperties properties = MQTTProperties_initializer;
    uint8_t alpn[257];
    MQTTAsync_SSLOptions tls = tls_options(l, o, alpn);
    int r = add_property(&properties, MQTTPROPERTY_CODE_RECEIVE_MAXIMUM, RECEIVE_MAXIMUM);

    if (r == 0)
        r = add_property(&properties, MQTTPROPERTY_CODE_MAXIMUM_PACKET_SIZE, PACKET_MAX);
    if (will->topic != NULL) {
        last.topicName = will->topic;
        last.payload.data = will->payload;
        last.payload.len = (int)will->size;
        last.qos = 1;
        last.retained = 1;
        connect.will = &last;
    }
    connect.keepAliveInterval = (int)o->keepalive_s;
    connect.maxInflight = BF_MQTT_UNACKNOWLEDGED_MAX;
    connect.connectTimeout = CONNECT_TIMEOUT_S;
    connect.connectProperties = &properties;
    connect.ssl = o->ca_file != NULL ? &tls : NULL;
    connect.context = l;
    connect.onSuccess5 = on_connected;
    connect.onFailure5 = on_not_connected;
    if (r == 0)
        r = to_errno(MQTTAsync_connect(l->client, &connect));
    MQTTProperties_free(&properties);
    return r;
}

int bf_link_subscribe(struct bf_link *l, char *const *filters, size_t n)
{
    MQTTAsync_responseOptions response = MQTTAsync_responseOptions_initializer;
    MQTTSubscribe_options options[BF_MQTT_FILTERS_AT_ONCE];
    int qos[BF_MQTT_FILTERS_AT_ONCE];

    if (n == 0 || n > BF_MQTT_FILTERS_AT_ONCE)
        return -EINVAL;
    for (size_t i = 0; i < n; i++) {
        options[i] = (MQTTSubscribe_options)MQTTSubscribe_options_initializer;
        qos[i] = 1;
    }
    response.context = l;
    response.onSuccess5 = on_subscribed;
    response.onFailure5 = on_not_subscribed;
    response.subscribeOptionsCount = (int)n;
    response.subscribeOptionsList = options;
    return to_errno(MQTTAsync_subscribeMany(l->client, (int)n, filters, qos, &response));
}

int bf_link_unsubscribe(struct bf_link *l, const char *filter)
{
    MQTTAsync_responseOptions response = MQTTAsync_responseOptions_initializer;

    return to_errno(MQTTAsync_unsubscribe(l->client, filter, &response));
}

int bf_link_nudge(struct bf_link *l)
{
    return bf_link_unsubscribe(l, "belfry/v1/nudge"); /* which nobody subscribes */
}

int bf_link_publish(struct bf_link *l, const char *topic, const void *payload, size_t size, bool retain)
{
    MQTTAsync_responseOptions response = MQTTAsync_responseOptions_initializer;

    response.context = l;
    response.onSuccess5 = on_acknowledged;
    response.onFailure5 = on_not_accepted;
    return to_errno(MQTTAsync_send(l->client, topic, (int)size, payload, 1, retain, &response));
}

int bf_link_disconnect(struct bf_link *l)
{
    MQTTAsync_disconnectOptions disconnect = MQTTAsync_disconnectOptions_initializer5;

    disconnect.context = l;
    disconnect.onSuccess5 = on_disconnected;
    disconnect.onFailure5 = on_not_disconnected;
    return to_errno(MQTTAsync_disconnect(l->client, &disconnect));
}
