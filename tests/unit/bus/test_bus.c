/* Nodes on a real broker: birth, last will, good-bye, commands and their duplicates, refusals, a changing bundle. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "broker.h"
#include "bus/bus.h"
#include "fixture.h"

#include "camera.pb-c.h"
#include "gateway.pb-c.h"

#define PATIENCE_MS 15000
#define CAMERA_STATE_TOPIC "belfry/v1/home/camera/cam-1/state"

static const uint8_t gateway_boot_id[16] = "gateway-boot-id";

/* One node under test, whatever its role. */
struct node {
    struct bf_bus *bus;
    struct bf_key *key;
    enum fx_node who;
    unsigned births, deaths, states, desired, commands, replies, refused, connects, disconnects;
    uint64_t last_state_us, last_desired_us;
    enum bf_refusal last_refusal;
    uint8_t asked[16], answered[16];
    bool slow;           /* keeps the asker and does not answer */
    uint8_t boot_id[16]; /* zero: the fixture's */
    uint64_t started_at_ms;
    unsigned twins, yields, clock_gaps;
    uint64_t twin_epoch;
    struct bf_asker asker;
    bool stopped;
};

static int with_state(void *user, bool offline, int (*pack)(void *pack_user, ProtobufCMessage *m), void *pack_user)
{
    const struct node *n = user;
    ProtobufCMessage *m = fx_message(n->who == FX_GATEWAY ? BF_MSG_GATEWAY_STATE : BF_MSG_CAMERA_STATE);
    const ProtobufCFieldDescriptor *f = protobuf_c_message_descriptor_get_field_by_name(m->descriptor, "node");

    Belfry__V1__NodeStatus *status = *(Belfry__V1__NodeStatus **)((uint8_t *)m + f->offset);

    status->online = !offline;
    if (n->boot_id[0] != 0)
        status->boot_id = (ProtobufCBinaryData){ sizeof(n->boot_id), (uint8_t *)n->boot_id };
    if (n->started_at_ms != 0)
        status->started_at_ms = n->started_at_ms;
    return pack(pack_user, m);
}

static void on_camera_state(void *user, const struct bf_incoming *m)
{
    const Belfry__V1__CameraState *s = (const Belfry__V1__CameraState *)m->message;
    struct node *n = user;

    assert_int_equal(s->node->online, !m->will);
    n->states++;
    n->deaths += m->will;
    n->births += !m->will;
    n->last_state_us = bf_mono_us();
}

static void on_desired(void *user, const struct bf_incoming *m)
{
    struct node *n = user;

    assert_string_equal(m->header->sender, "gateway-1");
    n->desired++;
    n->last_desired_us = bf_mono_us();
    assert_int_equal(bf_bus_send_state(n->bus), 0);
}

static void on_command(void *user, const struct bf_incoming *m)
{
    struct node *n = user;

    n->commands++;
    n->asker = bf_asker_of(m);
    if (!n->slow)
        assert_int_equal(bf_bus_reply(n->bus, m, BF_MSG_GATEWAY_REPLY, fx_message(BF_MSG_GATEWAY_REPLY)), 0);
}

static void on_reply(void *user, const struct bf_incoming *m)
{
    struct node *n = user;

    n->replies++;
    memcpy(n->answered, m->header->in_reply_to.data, sizeof(n->answered));
}

static void on_refused(void *user, const char *topic, enum bf_refusal why, const struct bf_error *e)
{
    struct node *n = user;

    assert_non_null(topic);
    assert_true(strlen(e->text) > 0);
    n->refused++;
    n->last_refusal = why;
}

static void on_connected(void *user)
{
    ((struct node *)user)->connects++;
}

static void on_disconnected(void *user)
{
    ((struct node *)user)->disconnects++;
}

static void on_twin(void *user, const struct bf_twin *twin)
{
    struct node *n = user;

    n->twins++;
    n->yields += twin->yields;
    n->twin_epoch = twin->epoch;
}

static void on_clock_gap(void *user, const struct bf_clock_gap *gap)
{
    struct node *n = user;

    assert_string_equal(gap->node, "cam-1");
    n->clock_gaps++;
}

static const struct bf_route camera_routes[] = {
    { BF_MSG_CAMERA_DESIRED, BF_ROLE_CAMERA, BF_FROM_OWN_TOPIC, on_desired },
};

static const struct bf_route gateway_routes[] = {
    { BF_MSG_CAMERA_STATE, BF_ROLE_CAMERA, BF_FROM_EVERY_NODE, on_camera_state },
    { BF_MSG_GATEWAY_COMMAND, BF_ROLE_GATEWAY, BF_FROM_OWN_TOPIC, on_command },
};

static const struct bf_route operator_routes[] = {
    { BF_MSG_GATEWAY_REPLY, BF_ROLE_OPERATOR, BF_FROM_OWN_TOPIC, on_reply },
};

/* ---- a site with a broker ---- */

static struct broker broker;
static struct bf_trust *trust;
static uv_loop_t loop;

static void node_new(struct node *n, enum fx_node who, uint64_t epoch, const struct bf_trust *with)
{
    struct bf_bus_options o = {
        .site = FX_SITE,
        .node = fx_names[who],
        .role = fx_roles[who],
        .trust = with,
        .epoch = epoch,
        .boot_id = n->boot_id[0] != 0  ? n->boot_id
                   : who == FX_GATEWAY ? gateway_boot_id
                                       : fx_boot_id,
        .mqtt = { .host = "127.0.0.1", .port = broker.port, .client_id = fx_names[who], .keepalive_s = 30 },
        .with_state = who == FX_OPERATOR ? NULL : with_state,
        .connected = on_connected,
        .disconnected = on_disconnected,
        .refused = on_refused,
        .twin = on_twin,
        .clock_gap = on_clock_gap,
        .user = n,
    };
    struct bf_error e = { 0 };

    n->who = who;
    n->key = fx_key(who);
    o.key = n->key;
    o.routes = who == FX_GATEWAY ? gateway_routes : who == FX_OPERATOR ? operator_routes : camera_routes;
    o.n_routes = who == FX_GATEWAY ? BF_COUNT_OF(gateway_routes) : 1;
    if (bf_bus_new(&n->bus, &loop, &o, &e) != 0)
        fail_msg("%s", e.text);
}

static bool is_up(void *user)
{
    return bf_bus_connected(((struct node *)user)->bus);
}

static void node_up(struct node *n, enum fx_node who, uint64_t epoch)
{
    node_new(n, who, epoch, trust);
    assert_int_equal(bf_bus_start(n->bus), 0);
    assert_true(run_until(&loop, is_up, n, PATIENCE_MS));
    assert_int_equal(n->connects, 1);
}

static void on_stopped(void *user)
{
    ((struct node *)user)->stopped = true;
}

static bool is_stopped(void *user)
{
    return ((struct node *)user)->stopped;
}

static void node_done(struct node *n)
{
    bf_bus_stop(n->bus, 2000, on_stopped, n);
    assert_true(run_until(&loop, is_stopped, n, PATIENCE_MS));
    bf_bus_free(n->bus);
    bf_key_free(n->key);
}

/* "This counter of that node has reached so many." */
struct wanted {
    const unsigned *counter;
    unsigned least;
};

static bool reached(void *user)
{
    const struct wanted *w = user;

    return *w->counter >= w->least;
}

static void wait_for(const unsigned *counter, unsigned least, const char *what)
{
    if (!run_until(&loop, reached, &(struct wanted){ counter, least }, PATIENCE_MS))
        fail_msg("%s: %u instead of %u", what, *counter, least);
}

#define WAIT_FOR(counter, least) wait_for(&(counter), least, #counter)

/* Anybody with a way to the broker: publishes raw bytes and listens to one topic. */
struct outsider {
    struct bf_mqtt *mqtt;
    uint8_t payload[BF_ENVELOPE_MAX];
    size_t size;
    unsigned messages;
    bool stopped;
};

static void on_raw(void *user, const char *topic, const uint8_t *payload, size_t size, bool retained)
{
    struct outsider *o = user;

    (void)topic;
    (void)retained;
    assert_true(size <= sizeof(o->payload));
    memcpy(o->payload, payload, size);
    o->size = size;
    o->messages++;
}

static void on_raw_connected(void *user)
{
    (void)user;
}

static void on_raw_disconnected(void *user, const char *reason, uint64_t retry_in_ms)
{
    (void)user;
    (void)reason;
    (void)retry_in_ms;
}

static bool outsider_is_up(void *user)
{
    return bf_mqtt_connected(((struct outsider *)user)->mqtt);
}

static void outsider_up(struct outsider *o, const char *topic)
{
    struct bf_mqtt_options options = {
        .host = "127.0.0.1", .port = broker.port, .client_id = "outsider", .keepalive_s = 30
    };
    struct bf_mqtt_events events = { .connected = on_raw_connected,
                                     .disconnected = on_raw_disconnected,
                                     .message = on_raw };

    assert_int_equal(bf_mqtt_new(&o->mqtt, &loop, &options, &topic, 1, &events, o, NULL), 0);
    assert_int_equal(bf_mqtt_start(o->mqtt), 0);
    assert_true(run_until(&loop, outsider_is_up, o, PATIENCE_MS));
}

static void on_raw_stopped(void *user)
{
    ((struct outsider *)user)->stopped = true;
}

static bool outsider_is_stopped(void *user)
{
    return ((struct outsider *)user)->stopped;
}

static void outsider_done(struct outsider *o)
{
    bf_mqtt_stop(o->mqtt, 1000, on_raw_stopped, o);
    assert_true(run_until(&loop, outsider_is_stopped, o, PATIENCE_MS));
    bf_mqtt_free(o->mqtt);
}

/* ---- tests ---- */

static void send_desired(struct node *gateway, const uint8_t *boot_id, int expected)
{
    struct bf_address to = { BF_ROLE_CAMERA, "cam-1", "cam-1", boot_id, 10000 };

    assert_int_equal(bf_bus_send(gateway->bus, BF_MSG_CAMERA_DESIRED, &to, fx_message(BF_MSG_CAMERA_DESIRED), NULL),
                     expected);
}

static void test_birth_desired_and_good_bye(void **state)
{
    struct node gateway = { 0 }, camera = { 0 };
    uint64_t begun, desired_us = 0, state_us = 0;

    (void)state;
    node_up(&gateway, FX_GATEWAY, 1);
    node_up(&camera, FX_CAMERA, 1);
    WAIT_FOR(gateway.births, 1);
    for (unsigned i = 1; i <= 20; i++) {
        begun = bf_mono_us();
        send_desired(&gateway, fx_boot_id, 0);
        WAIT_FOR(gateway.births, 1 + i);
        desired_us += camera.last_desired_us - begun;
        state_us += gateway.last_state_us - begun;
    }
    print_message("desired arrives after %u us, the state in answer after %u us, signed and verified\n",
                  (unsigned)desired_us / 20, (unsigned)state_us / 20);
    assert_int_equal(camera.desired, 20);
    assert_true(state_us / 20 < 30000);

    node_done(&camera);
    WAIT_FOR(gateway.deaths, 1);
    assert_int_equal(gateway.refused, 0);
    node_done(&gateway);
}

static void test_late_comers_find_the_state(void **state)
{
    struct node gateway = { 0 }, camera = { 0 };

    (void)state;
    node_up(&camera, FX_CAMERA, 1);
    node_up(&gateway, FX_GATEWAY, 1);
    WAIT_FOR(gateway.births, 1);
    node_done(&gateway);
    node_done(&camera);

    gateway = (struct node){ 0 };
    node_up(&gateway, FX_GATEWAY, 2);
    WAIT_FOR(gateway.deaths, 1); /* the good-bye is retained, and counts for ever */
    assert_int_equal(gateway.births, 0);
    assert_int_equal(gateway.refused, 0);
    node_done(&gateway);
}

static void test_boot_id(void **state)
{
    struct node gateway = { 0 }, camera = { 0 };

    (void)state;
    node_up(&gateway, FX_GATEWAY, 1);
    node_up(&camera, FX_CAMERA, 1);
    send_desired(&gateway, gateway_boot_id, 0);
    WAIT_FOR(camera.refused, 1);
    assert_int_equal(camera.last_refusal, BF_REFUSED_BOOT_ID);
    assert_int_equal(bf_bus_refusals(camera.bus, BF_REFUSED_BOOT_ID), 1);
    assert_int_equal(camera.desired, 0);
    node_done(&camera);
    node_done(&gateway);
}

static void test_sending_what_all_would_refuse(void **state)
{
    Belfry__V1__CameraDesired *desired;
    struct bf_address to = { BF_ROLE_CAMERA, "cam-1", "cam-1", fx_boot_id, 10000 };
    struct node gateway = { 0 };
    Belfry__V1__Header *header;
    uint8_t id[16] = { 0 };

    (void)state;
    node_new(&gateway, FX_GATEWAY, 1, trust);
    send_desired(&gateway, fx_boot_id, -ENOTCONN);
    assert_int_equal(bf_bus_send_state(gateway.bus), -ENOTCONN);
    assert_int_equal(bf_bus_start(gateway.bus), 0);
    assert_true(run_until(&loop, is_up, &gateway, PATIENCE_MS));

    desired = (Belfry__V1__CameraDesired *)fx_message(BF_MSG_CAMERA_DESIRED);
    header = desired->header;
    assert_int_equal(bf_bus_send(gateway.bus, BF_MSG_CAMERA_DESIRED, &to, &desired->base, id), 0);
    assert_ptr_equal(desired->header, header); /* left as it was */
    assert_int_not_equal(id[0] | id[1] | id[2] | id[3], 0);

    desired->lease->lease_ms = 1;
    assert_int_equal(bf_bus_send(gateway.bus, BF_MSG_CAMERA_DESIRED, &to, &desired->base, NULL), -EINVAL);
    assert_int_equal(bf_bus_send(gateway.bus, BF_MSG_EVENT, &to, &desired->base, NULL), -EINVAL);
    to.topic_id = "../cam";
    assert_int_equal(bf_bus_send(gateway.bus, BF_MSG_CAMERA_DESIRED, &to, fx_message(BF_MSG_CAMERA_DESIRED), NULL),
                     -EINVAL);
    assert_int_equal(bf_bus_send(gateway.bus, BF_MSG_TYPES, &to, &desired->base, NULL), -EINVAL);
    node_done(&gateway);
}

static void test_command_and_its_duplicate(void **state)
{
    struct bf_address to = { BF_ROLE_GATEWAY, "gateway-1", "gateway-1", gateway_boot_id, 10000 };
    struct node gateway = { 0 }, operator= { 0 };
    struct outsider eve = { 0 };
    static uint8_t recorded[BF_ENVELOPE_MAX];
    size_t size;

    (void)state;
    node_up(&gateway, FX_GATEWAY, 1);
    node_up(&operator, FX_OPERATOR, 1);
    outsider_up(&eve, "belfry/v1/home/gateway/gateway-1/cmd");
    assert_int_equal(
        bf_bus_send(operator.bus, BF_MSG_GATEWAY_COMMAND, &to, fx_message(BF_MSG_GATEWAY_COMMAND), operator.asked), 0);
    WAIT_FOR(operator.replies, 1);
    assert_memory_equal(operator.answered, operator.asked, 16);
    WAIT_FOR(eve.messages, 1);

    /* The same bytes again, as a broker may deliver them: answered from the bus, not executed. */
    size = eve.size;
    memcpy(recorded, eve.payload, size);
    assert_int_equal(bf_mqtt_publish(eve.mqtt, "belfry/v1/home/gateway/gateway-1/cmd", recorded, size, false), 0);
    WAIT_FOR(operator.replies, 2);
    assert_memory_equal(operator.answered, operator.asked, 16);
    assert_int_equal(gateway.commands, 1);
    assert_int_equal(bf_bus_refusals(gateway.bus, BF_DUPLICATE), 1);

    /* A slow one: its duplicate waits for the same answer. */
    gateway.slow = true;
    assert_int_equal(
        bf_bus_send(operator.bus, BF_MSG_GATEWAY_COMMAND, &to, fx_message(BF_MSG_GATEWAY_COMMAND), operator.asked), 0);
    WAIT_FOR(gateway.commands, 2);
    WAIT_FOR(eve.messages, 3);
    assert_int_equal(bf_mqtt_publish(eve.mqtt, "belfry/v1/home/gateway/gateway-1/cmd", eve.payload, eve.size, false),
                     0);
    WAIT_FOR(eve.messages, 4);
    assert_int_equal(
        bf_bus_reply_to(gateway.bus, &gateway.asker, BF_MSG_GATEWAY_REPLY, fx_message(BF_MSG_GATEWAY_REPLY)), 0);
    WAIT_FOR(operator.replies, 3);
    assert_memory_equal(operator.answered, operator.asked, 16);
    assert_int_equal(gateway.commands, 2);
    assert_int_equal(operator.refused, 0);

    outsider_done(&eve);
    node_done(&operator);
    node_done(&gateway);
}

static void test_forgeries_change_nothing(void **state)
{
    static const struct {
        enum fx_node signer;
        bool flip;
        enum bf_refusal expected;
    } rows[] = { { FX_STRANGER, false, BF_REFUSED_KEY },
                 { FX_CAMERA_2, false, BF_REFUSED_SENDER },
                 { FX_CAMERA, true, BF_REFUSED_SIGNATURE } };
    struct node gateway = { 0 };
    struct outsider eve = { 0 };
    uint8_t *envelope;
    size_t size;

    (void)state;
    node_up(&gateway, FX_GATEWAY, 1);
    outsider_up(&eve, CAMERA_STATE_TOPIC);
    for (unsigned i = 0; i < BF_COUNT_OF(rows); i++) {
        ProtobufCMessage *m = fx_message(BF_MSG_CAMERA_STATE);

        fx_header(m)->issued_at_ms = bf_unix_ms();
        envelope = fx_seal(BF_MSG_CAMERA_STATE, m, rows[i].signer, &size);
        envelope[size - 1] ^= rows[i].flip;
        assert_int_equal(bf_mqtt_publish(eve.mqtt, CAMERA_STATE_TOPIC, envelope, size, false), 0);
        free(envelope);
        WAIT_FOR(gateway.refused, i + 1);
        assert_int_equal(gateway.last_refusal, rows[i].expected);
        assert_int_equal(bf_bus_refusals(gateway.bus, rows[i].expected), 1);
    }
    assert_int_equal(gateway.states, 0);
    outsider_done(&eve);
    node_done(&gateway);
}

static void publish_state_of(struct outsider *eve, uint64_t sequence, uint64_t issued_at_ms, bool retain)
{
    ProtobufCMessage *m = fx_message(BF_MSG_CAMERA_STATE);
    uint8_t *envelope;
    size_t size;

    fx_header(m)->issued_at_ms = issued_at_ms;
    fx_header(m)->sequence = sequence;
    envelope = fx_seal(BF_MSG_CAMERA_STATE, m, FX_CAMERA, &size);
    assert_int_equal(bf_mqtt_publish(eve->mqtt, CAMERA_STATE_TOPIC, envelope, size, retain), 0);
    free(envelope);
}

static void publish_state(struct outsider *eve, uint64_t sequence)
{
    publish_state_of(eve, sequence, bf_unix_ms(), false);
}

/* Inside the window and never seen here, as after a restart of the receiver, but not what is so now. */
static void test_a_state_does_not_go_back(void **state)
{
    struct node gateway = { 0 };
    struct outsider eve = { 0 };

    (void)state;
    node_up(&gateway, FX_GATEWAY, 1);
    outsider_up(&eve, CAMERA_STATE_TOPIC);
    publish_state(&eve, 100);
    WAIT_FOR(gateway.states, 1);
    publish_state(&eve, 99);
    WAIT_FOR(gateway.refused, 1);
    assert_int_equal(gateway.last_refusal, BF_REFUSED_REPLAY);
    publish_state(&eve, 101);
    WAIT_FOR(gateway.states, 2);
    assert_int_equal(gateway.refused, 1);
    outsider_done(&eve);
    node_done(&gateway);
}

/* A node that lost its power an hour ago: what the broker kept of it is old, not of a wrong clock. */
static void test_a_retained_state_says_nothing_of_clocks(void **state)
{
    uint64_t hour_ago_ms = bf_unix_ms() - 3600000;
    struct node gateway = { 0 };
    struct outsider eve = { 0 };

    (void)state;
    setenv("BELFRY_CLOCK_SYNCED", "1", 1);
    outsider_up(&eve, CAMERA_STATE_TOPIC);
    publish_state_of(&eve, 100, hour_ago_ms, true);
    WAIT_FOR(eve.messages, 1);
    node_up(&gateway, FX_GATEWAY, 1);
    WAIT_FOR(gateway.refused, 1);
    assert_int_equal(gateway.last_refusal, BF_REFUSED_AGE);
    assert_int_equal(gateway.clock_gaps, 0);

    publish_state_of(&eve, 101, hour_ago_ms, true); /* as it is said */
    WAIT_FOR(gateway.refused, 2);
    assert_int_equal(gateway.last_refusal, BF_REFUSED_AGE);
    assert_int_equal(gateway.clock_gaps, 1);
    unsetenv("BELFRY_CLOCK_SYNCED");
    outsider_done(&eve);
    node_done(&gateway);
}

/* SIGTERM right after the SIGHUP that brought new keys. */
static void test_good_bye_during_a_renewal(void **state)
{
    struct node gateway = { 0 }, camera = { 0 };

    (void)state;
    node_up(&gateway, FX_GATEWAY, 1);
    node_up(&camera, FX_CAMERA, 1);
    WAIT_FOR(gateway.births, 1);
    bf_bus_renew(camera.bus);
    node_done(&camera);
    assert_true(run_until(&loop, reached, &(struct wanted){ &gateway.deaths, 1 }, 2000));
    assert_int_equal(camera.disconnects, 0);
    node_done(&gateway);
}

/* What the broker says late about the previous connection must not stay. */
static void test_late_will(void **state)
{
    struct node gateway = { 0 }, camera = { 0 };
    struct outsider eve = { 0 };
    uint8_t *envelope;
    size_t size;

    (void)state;
    node_up(&gateway, FX_GATEWAY, 1);
    node_up(&camera, FX_CAMERA, 5);
    WAIT_FOR(gateway.births, 1);
    outsider_up(&eve, CAMERA_STATE_TOPIC);
    {
        Belfry__V1__CameraState *will = (Belfry__V1__CameraState *)fx_message(BF_MSG_CAMERA_STATE);

        will->node->online = 0;
        will->header->channel = BELFRY__V1__CHANNEL__CHANNEL_WILL;
        will->header->ttl_ms = 0;
        will->header->sequence = 1;
        will->header->sender_epoch = 5;
        envelope = fx_seal(BF_MSG_CAMERA_STATE, &will->base, FX_CAMERA, &size);
    }
    assert_int_equal(bf_mqtt_publish(eve.mqtt, CAMERA_STATE_TOPIC, envelope, size, true), 0);
    free(envelope);
    WAIT_FOR(gateway.deaths, 1);
    WAIT_FOR(gateway.births, 2); /* it says that it lives */
    assert_int_equal(camera.disconnects, 0);
    outsider_done(&eve);
    node_done(&camera);
    node_done(&gateway);
}

static void test_reconnect_gives_birth_again(void **state)
{
    struct node gateway = { 0 }, camera = { 0 };

    (void)state;
    node_up(&gateway, FX_GATEWAY, 1);
    node_up(&camera, FX_CAMERA, 1);
    WAIT_FOR(gateway.births, 1);
    broker_stop(&broker);
    WAIT_FOR(gateway.disconnects, 1);
    WAIT_FOR(camera.disconnects, 1);
    assert_int_equal(bf_bus_send_state(camera.bus), -ENOTCONN);
    gateway.births = 0;
    broker_restart(&broker);
    WAIT_FOR(gateway.connects, 2);
    WAIT_FOR(camera.connects, 2);
    WAIT_FOR(gateway.births, 1);
    send_desired(&gateway, fx_boot_id, 0);
    WAIT_FOR(camera.desired, 1);
    node_done(&camera);
    node_done(&gateway);
}

static void test_new_bundle(void **state)
{
    Belfry__V1__TrustBundle *b = fx_bundle();
    struct node gateway = { 0 }, camera = { 0 };
    struct bf_trust *small = NULL;
    uint8_t *envelope;
    size_t size;

    /* The gateway starts with a bundle that does not know the camera yet. */
    (void)state;
    b->keys[0] = b->keys[FX_GATEWAY];
    b->n_keys = 1;
    envelope = fx_seal_bundle(b, &size);
    assert_int_equal(bf_trust_open(&small, envelope, size, fx_root_public(), FX_SITE, 0, NULL), 0);
    free(envelope);
    node_new(&gateway, FX_GATEWAY, 1, small);
    assert_int_equal(bf_bus_start(gateway.bus), 0);
    assert_true(run_until(&loop, is_up, &gateway, PATIENCE_MS));
    node_up(&camera, FX_CAMERA, 1);
    send_desired(&gateway, fx_boot_id, 0);
    WAIT_FOR(camera.desired, 1);
    assert_int_equal(gateway.states + gateway.refused, 0);

    bf_bus_set_trust(gateway.bus, trust);
    WAIT_FOR(gateway.births, 1);
    node_done(&camera);
    WAIT_FOR(gateway.deaths, 1);

    /* And forgets it again. */
    bf_bus_set_trust(gateway.bus, small);
    node_done(&gateway);
    bf_trust_free(small);
}

static void test_never_connected(void **state)
{
    struct node camera = { 0 };

    (void)state;
    broker_stop(&broker);
    node_new(&camera, FX_CAMERA, 1, trust);
    bf_bus_free(camera.bus);
    bf_key_free(camera.key);
    node_new(&camera, FX_CAMERA, 1, trust);
    node_done(&camera); /* never started */
    camera = (struct node){ 0 };
    node_new(&camera, FX_CAMERA, 1, trust);
    assert_int_equal(bf_bus_start(camera.bus), 0);
    assert_false(run_until(&loop, is_up, &camera, 500));
    node_done(&camera);
}

/* SIGKILL: the broker tells, in the camera's own signed words. */
static void test_killed_node(void **state)
{
    struct node gateway = { 0 };
    pid_t victim;

    (void)state;
    victim = fork(); /* before this process has threads */
    assert_true(victim >= 0);
    if (victim == 0) {
        struct node camera = { 0 };

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        uv_loop_fork(&loop);
        node_up(&camera, FX_CAMERA, 1);
        uv_run(&loop, UV_RUN_DEFAULT);
        _exit(1);
    }
    node_up(&gateway, FX_GATEWAY, 1);
    WAIT_FOR(gateway.births, 1);
    kill(victim, SIGKILL);
    waitpid(victim, NULL, 0);
    WAIT_FOR(gateway.deaths, 1);
    assert_int_equal(gateway.refused, 0);
    node_done(&gateway);
}

static int begin(void **state)
{
    (void)state;
    broker_start(&broker, NULL);
    trust = fx_trust();
    return uv_loop_init(&loop);
}

static int end(void **state)
{
    (void)state;
    loop_done(&loop);
    bf_trust_free(trust);
    broker_done(&broker);
    return 0;
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, begin, end)

/* ---- twins: two processes with one id and one key ---- */

#define CALM_MS 1500 /* longer than any pause before an attempt here */

static bool is_bothered(void *user)
{
    const struct wanted *w = user;

    return *w->counter > w->least;
}

/* What was there first, and what comes later with the same id: of which one does the broker hear in the end? */
static void twins(struct node *first, uint64_t first_epoch, struct node *second, uint64_t second_epoch,
                  struct node *loser)
{
    struct node *winner = loser == first ? second : first;

    memcpy(first->boot_id, "first-boot-id---", sizeof(first->boot_id));
    memcpy(second->boot_id, "second-boot-id--", sizeof(second->boot_id));
    node_up(first, FX_CAMERA, first_epoch);
    node_new(second, FX_CAMERA, second_epoch, trust);
    bf_bus_set_lease(first->bus, 6000); /* keeps their quarrel short */
    bf_bus_set_lease(second->bus, 6000);
    assert_int_equal(bf_bus_start(second->bus), 0);

    WAIT_FOR(loser->yields, 1);
    assert_true(run_until(&loop, is_up, winner, PATIENCE_MS));
    assert_int_equal(loser->twin_epoch, winner == first ? first_epoch : second_epoch);
    assert_int_equal(winner->yields, 0);

    unsigned connects = winner->connects; /* and now it is quiet */
    assert_false(run_until(&loop, is_bothered, &(struct wanted){ &winner->connects, connects }, CALM_MS));
    assert_false(bf_bus_connected(loser->bus));
    assert_true(bf_bus_connected(winner->bus));
    assert_int_equal(bf_bus_twins(loser->bus), loser->yields);
}

static void test_of_twins_the_later_start_stays(void **state)
{
    struct node first = { 0 }, second = { 0 };

    (void)state;
    twins(&first, 5, &second, 6, &first);
    bf_bus_come_back(first.bus); /* looks again, sees it again, goes again */
    WAIT_FOR(first.yields, 2);
    assert_true(run_until(&loop, is_up, &second, PATIENCE_MS));
    WAIT_FOR(second.twins, 1);
    node_done(&first);
    node_done(&second);
}

static void test_an_old_copy_that_wakes_up_does_not_stay(void **state)
{
    struct node first = { 0 }, second = { 0 };

    (void)state;
    twins(&first, 5, &second, 3, &second);
    node_done(&second);
    node_done(&first);
}

static void test_of_equal_twins_the_first_stays(void **state)
{
    struct node first = { .started_at_ms = FX_NOW }, second = { .started_at_ms = FX_NOW + 1 };

    (void)state;
    twins(&first, 1, &second, 1, &second);
    node_done(&second);
    node_done(&first);
}

/* A node that was killed, or lost its state directory, is no twin of itself. */
static void test_ones_own_past_is_no_twin(void **state)
{
    static const uint64_t epochs[] = { 7, 8, 1 };

    (void)state;
    for (size_t i = 0; i < BF_COUNT_OF(epochs); i++) {
        struct node n = { .boot_id = "boot-id-of-one--" };

        n.boot_id[15] = (uint8_t)i;
        node_up(&n, FX_CAMERA, epochs[i]);
        for (unsigned connects = 1; connects < 3; connects++) {
            bf_bus_renew(n.bus);
            WAIT_FOR(n.connects, connects + 1);
        }
        assert_int_equal(n.twins, 0);
        node_done(&n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_killed_node), /* forks: first */
        TEST(test_birth_desired_and_good_bye),
        TEST(test_late_comers_find_the_state),
        TEST(test_boot_id),
        TEST(test_sending_what_all_would_refuse),
        TEST(test_command_and_its_duplicate),
        TEST(test_forgeries_change_nothing),
        TEST(test_a_state_does_not_go_back),
        TEST(test_a_retained_state_says_nothing_of_clocks),
        TEST(test_good_bye_during_a_renewal),
        TEST(test_late_will),
        TEST(test_reconnect_gives_birth_again),
        TEST(test_new_bundle),
        TEST(test_never_connected),
        TEST(test_of_twins_the_later_start_stays),
        TEST(test_an_old_copy_that_wakes_up_does_not_stay),
        TEST(test_of_equal_twins_the_first_stays),
        TEST(test_ones_own_past_is_no_twin),
    };

    bf_log_init("test", "bus", BF_LOG_ERROR);
    cmocka_set_test_filter(getenv("BELFRY_TEST_FILTER"));
    return cmocka_run_group_tests_name("bus", tests, NULL, NULL);
}
