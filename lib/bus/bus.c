#include "bus/bus.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "bus/bus_internal.h"
#include "bus/mqtt_limits.h"

#define SENDERS_MAX 1024 /* windows are never forgotten; a bundle names at most 256 nodes at a time */
#define ONCE_A_MINUTE_MS 60000
#define AGAIN_EVERY_MS 1000

/* ---- what to listen to ---- */

struct filters {
    const struct bf_bus *bus;
    enum bf_role role;
    enum bf_channel channel;
    char topics[BF_MQTT_FILTERS_MAX + 1][BF_TOPIC_SIZE]; /* one more than is allowed: bf_mqtt says so */
    const char *list[BF_MQTT_FILTERS_MAX + 1];
    size_t n;
};

static void add_topic(struct filters *f, const char *topic)
{
    for (size_t i = 0; i < f->n; i++)
        if (strcmp(f->topics[i], topic) == 0)
            return;
    if (f->n == BF_COUNT_OF(f->topics))
        return;
    memcpy(f->topics[f->n], topic, strlen(topic) + 1);
    f->list[f->n] = f->topics[f->n];
    f->n++;
}

static int add_node(void *user, const char *node)
{
    struct filters *f = user;
    char topic[BF_TOPIC_SIZE];

    if (bf_topic_format(topic, f->bus->o.site, f->role, node, f->channel) == 0)
        add_topic(f, topic);
    return 0;
}

static void collect(struct filters *f, const struct bf_bus *b)
{
    f->bus = b;
    f->n = 0;
    for (size_t i = 0; i < b->o.n_routes; i++) {
        const struct bf_route *route = &b->o.routes[i];

        f->channel = bf_message_row(route->type)->channel;
        f->role = route->from == BF_FROM_OWN_TOPIC ? b->o.role : route->topic_role;
        if (route->from == BF_FROM_OWN_TOPIC)
            add_node(f, b->o.node);
        else
            bf_trust_each_node(b->verifier.trust, route->topic_role, add_node, f);
    }
    if (b->own_state_topic[0] != '\0')
        add_topic(f, b->own_state_topic);
}

/* ---- receiving ---- */

static void count_refusal(struct bf_bus *b, const char *topic, enum bf_refusal why, const struct bf_error *e)
{
    uint64_t suppressed;
    char quoted_topic[BF_TOPIC_SIZE * 2], quoted[512];

    b->refusals[why]++;
    if (b->o.refused != NULL)
        b->o.refused(b->o.user, topic, why, e);
    if (!bf_log_allow(&b->refusal_limits[why], bf_mono_ms(), ONCE_A_MINUTE_MS, &suppressed))
        return;
    bf_warning("message refused", "cause=%s topic=%s reason=%s suppressed=%llu", bf_refusal_name(why),
               bf_log_quote(quoted_topic, sizeof(quoted_topic), topic), bf_log_quote(quoted, sizeof(quoted), e->text),
               (unsigned long long)suppressed);
}

static bool fits(const struct bf_bus *b, const struct bf_route *route, const struct bf_incoming *m)
{
    if (route->type != m->row->type)
        return false;
    if (route->from == BF_FROM_OWN_TOPIC)
        return m->topic.role == b->o.role && strcmp(m->topic.id, b->o.node) == 0;
    return m->topic.role == route->topic_role;
}

static void dispatch(struct bf_bus *b, const struct bf_incoming *m)
{
    for (size_t i = 0; i < b->o.n_routes; i++)
        if (fits(b, &b->o.routes[i], m)) {
            b->o.routes[i].handle(b->o.user, m);
            return;
        }
}

static void answer_again(struct bf_bus *b, const struct bf_incoming *m)
{
    struct bf_asker asker;
    const struct bf_cached_reply *reply;

    if (m->topic.channel != BF_CHANNEL_CMD)
        return;
    asker = bf_asker_of(m);
    reply = bf_reply_cache_find(&b->replies, &asker);
    if (reply != NULL)
        bf_bus_send_reply(b, &asker, reply->type, reply->body, reply->size);
}

/* Something else than what this node says of itself now took the place of its retained state: most often the last will
 * of its previous connection, which the broker sends only when it notices that end. */
static void guard_own_state(struct bf_bus *b, const char *topic, bool is_own_news, bool retained)
{
    uint64_t now = bf_mono_ms();

    if (is_own_news || retained || strcmp(topic, b->own_state_topic) != 0 || now < b->again_at_ms)
        return;
    b->again_at_ms = now + AGAIN_EVERY_MS;
    bf_bus_send_state(b);
}

/* The window takes a number once in any order, as commands need it. A state is a level: one that a newer one has overtaken
 * is over. Whoever has just started has seen none of what was said before, and would believe it when it is said again. */
static bool is_overtaken(const struct bf_bus *b, const struct bf_incoming *m)
{
    return m->topic.channel == BF_CHANNEL_STATE && !m->will &&
           bf_replay_highest(b->replay, m->header->sender, (int)m->header->channel) > m->header->sequence;
}

static enum bf_refusal look_at(struct bf_bus *b, const char *topic, const uint8_t *payload, size_t size,
                               struct bf_incoming *m, struct bf_error *e)
{
    b->gap.node[0] = '\0';
    enum bf_refusal why = bf_verify(&b->verifier, topic, payload, size, bf_unix_ms(), bf_clock_synced(), m, e);

    if (why != BF_OK || !is_overtaken(b, m))
        return why;
    bf_fail(e, 0, "from %s, a state that a newer one has overtaken", m->header->sender);
    bf_incoming_done(m);
    return BF_REFUSED_REPLAY;
}

/* What the broker kept may be of any age: its sender has been without power since. One that lives says it again. */
static bool says_of_clocks(const struct bf_bus *b, bool retained)
{
    return !retained && b->gap.node[0] != '\0' && b->o.clock_gap != NULL;
}

static void on_message(void *user, const char *topic, const uint8_t *payload, size_t size, bool retained)
{
    struct bf_bus *b = user;
    struct bf_incoming m = { 0 };
    struct bf_error e = { 0 };
    enum bf_refusal why = look_at(b, topic, payload, size, &m, &e);
    bool known = why == BF_OK || why == BF_DUPLICATE;

    guard_own_state(b, topic, known && !m.will && m.header->sender_epoch == b->o.epoch, retained);
    if (retained && strcmp(topic, b->own_state_topic) == 0 && bf_mqtt_counters(b->mqtt).connects > 1)
        bf_bus_look_for_twin(b, topic, payload, size); /* what was there at the first one is of our own past */
    if (!known) {
        count_refusal(b, topic, why, &e);
        if (says_of_clocks(b, retained))
            b->o.clock_gap(b->o.user, &b->gap);
        return;
    }
    m.retained = retained;
    b->refusals[why]++;
    if (why == BF_OK)
        dispatch(b, &m);
    else
        answer_again(b, &m);
    bf_incoming_done(&m);
}

/* ---- the connection ---- */

static int on_will(void *user, const char **ret_topic, uint8_t **ret_payload, size_t *ret_size)
{
    struct bf_bus *b = user;
    int r = bf_bus_seal_will(b, ret_payload, ret_size);

    if (r == 0)
        *ret_topic = b->own_state_topic;
    return r;
}

static void on_connected(void *user)
{
    struct bf_bus *b = user;

    b->up = true;
    bf_info("connected to the broker", "host=%s port=%u", b->o.mqtt.host, b->o.mqtt.port);
    if (b->own_state_topic[0] != '\0')
        bf_bus_send_state(b);
    if (b->o.connected != NULL)
        b->o.connected(b->o.user);
}

static void on_disconnected(void *user, const char *reason, uint64_t retry_in_ms)
{
    struct bf_bus *b = user;
    bool was_up = b->up;
    uint64_t suppressed = 0;
    char quoted[512];

    b->up = false;
    if (bf_log_allow(&b->disconnect_limit, bf_mono_ms(), ONCE_A_MINUTE_MS, &suppressed) || was_up)
        bf_warning(was_up ? "connection to the broker lost" : "waiting for the broker",
                   "host=%s port=%u reason=%s retry_ms=%llu suppressed=%llu", b->o.mqtt.host, b->o.mqtt.port,
                   bf_log_quote(quoted, sizeof(quoted), reason), (unsigned long long)retry_in_ms,
                   (unsigned long long)suppressed);
    if (was_up && b->o.disconnected != NULL)
        b->o.disconnected(b->o.user);
}

static void on_not_accepted(void *user, const char *reason)
{
    struct bf_bus *b = user;
    uint64_t suppressed;
    char quoted[512];

    if (bf_log_allow(&b->not_accepted_limit, bf_mono_ms(), ONCE_A_MINUTE_MS, &suppressed))
        bf_warning("the broker did not take a message", "reason=%s suppressed=%llu",
                   bf_log_quote(quoted, sizeof(quoted), reason), (unsigned long long)suppressed);
}

/* ---- life ---- */

void bf_bus_free(struct bf_bus *b)
{
    if (b == NULL)
        return;
    bf_mqtt_free(b->mqtt);
    bf_replay_free(b->replay);
    bf_reply_cache_done(&b->replies);
    free((char *)b->o.site);
    free((char *)b->o.node);
    free((char *)b->o.mqtt.host);
    free(b);
}

BF_DEFINE_CLEANUP(struct bf_bus, bf_bus_free)

static int check_options(const struct bf_bus_options *o, struct bf_error *e)
{
    if (!bf_id_valid(o->site) || !bf_id_valid(o->node))
        return bf_fail(e, -EINVAL, "bus: site and node: expected ids, [a-z0-9-]{1,32}");
    if (o->epoch == 0 || o->boot_id == NULL || o->key == NULL || o->trust == NULL)
        return bf_fail(e, -EINVAL, "bus: epoch, boot id, key and trust bundle are needed");
    for (size_t i = 0; i < o->n_routes; i++)
        if (bf_message_row(o->routes[i].type) == NULL)
            return bf_fail(e, -EINVAL, "bus: route %zu: unknown message type", i);
    return 0;
}

static int copy_options(struct bf_bus *b, const struct bf_bus_options *o)
{
    b->o = *o;
    b->o.mqtt.host = o->mqtt.host != NULL ? strdup(o->mqtt.host) : NULL;
    b->o.site = strdup(o->site);
    b->o.node = strdup(o->node);
    memcpy(b->boot_id, o->boot_id, sizeof(b->boot_id));
    b->o.boot_id = b->boot_id;
    b->verifier =
        (struct bf_verifier){ .site = b->o.site, .node = b->o.node, .boot_id = b->boot_id, .trust = o->trust };
    return b->o.site == NULL || b->o.node == NULL || b->o.mqtt.host == NULL ? -ENOMEM : 0;
}

static int is_own_key(void *user, const struct bf_trusted_key *k)
{
    return memcmp(k->public_key, bf_key_public(user), BF_PUBLIC_KEY_SIZE) == 0;
}

/* A node whose key the others do not know runs, but nobody listens: better said at once than found out. */
static void warn_if_unknown(const struct bf_bus *b)
{
    if (!bf_trust_each(b->verifier.trust, b->o.node, b->o.role, bf_unix_ms(), is_own_key, (void *)b->o.key))
        bf_warning("this node's key is not a valid one of the trust bundle: the others will refuse its messages",
                   "role=%s bundle_version=%llu", bf_role_name(b->o.role),
                   (unsigned long long)bf_trust_version(b->verifier.trust));
}

int bf_bus_new(struct bf_bus **ret, uv_loop_t *loop, const struct bf_bus_options *o, struct bf_error *e)
{
    _cleanup_(bf_bus_freep) struct bf_bus *b = NULL;
    struct bf_mqtt_events events = { .connected = on_connected,
                                     .disconnected = on_disconnected,
                                     .message = on_message,
                                     .not_accepted = on_not_accepted };
    struct filters filters;
    int r = check_options(o, e);

    if (r < 0)
        return r;
    if (sodium_init() < 0)
        return bf_fail(e, -EIO, "bus: libsodium could not be initialised");
    b = calloc(1, sizeof(*b));
    if (b == NULL || copy_options(b, o) < 0 || bf_replay_new(&b->replay, SENDERS_MAX) < 0)
        return bf_fail(e, -ENOMEM, "bus: out of memory");

    b->loop = loop;
    b->verifier.replay = b->replay;
    b->verifier.gap = &b->gap;
    if (o->with_state != NULL) {
        events.will = on_will;
        bf_topic_format(b->own_state_topic, b->o.site, b->o.role, b->o.node, BF_CHANNEL_STATE);
    }
    collect(&filters, b);
    r = bf_mqtt_new(&b->mqtt, loop, &o->mqtt, filters.list, filters.n, &events, b, e);
    if (r < 0)
        return r;
    warn_if_unknown(b);
    *ret = BF_TAKE(b);
    return 0;
}

int bf_bus_start(struct bf_bus *b)
{
    return bf_mqtt_start(b->mqtt);
}

bool bf_bus_connected(const struct bf_bus *b)
{
    return bf_mqtt_connected(b->mqtt);
}

void bf_bus_set_trust(struct bf_bus *b, const struct bf_trust *trust)
{
    struct filters filters;
    struct bf_error e = { 0 };
    char quoted[512];

    b->o.trust = b->verifier.trust = trust;
    collect(&filters, b);
    if (bf_mqtt_set_filters(b->mqtt, filters.list, filters.n, &e) < 0)
        bf_err("the new trust bundle's nodes could not be subscribed to; listening to the old ones", "reason=%s",
               bf_log_quote(quoted, sizeof(quoted), e.text));
    warn_if_unknown(b);
}

void bf_bus_renew(struct bf_bus *b)
{
    bf_mqtt_renew(b->mqtt);
}

void bf_bus_come_back(struct bf_bus *b)
{
    bf_mqtt_come_back(b->mqtt);
}

void bf_bus_refuse(struct bf_bus *b, const struct bf_incoming *m, enum bf_refusal why)
{
    struct bf_error e = { 0 };

    bf_fail(&e, 0, "from %s, refused by the service", m->header->sender);
    if (why > BF_OK && why < BF_REFUSALS)
        count_refusal(b, m->header->topic, why, &e);
}

uint64_t bf_bus_refusals(const struct bf_bus *b, enum bf_refusal why)
{
    return (unsigned)why < BF_REFUSALS ? b->refusals[why] : 0;
}

uint64_t bf_bus_twins(const struct bf_bus *b)
{
    return b->twins;
}

void bf_bus_set_lease(struct bf_bus *b, uint32_t lease_ms)
{
    bf_mqtt_set_lease(b->mqtt, lease_ms);
}

struct bf_mqtt_counters bf_bus_mqtt_counters(const struct bf_bus *b)
{
    return bf_mqtt_counters(b->mqtt);
}

void bf_bus_stop(struct bf_bus *b, unsigned timeout_ms, void (*done)(void *user), void *user)
{
    bf_mqtt_stay(b->mqtt);
    if (b->own_state_topic[0] != '\0')
        /* Without a connection the last will says it, or did; but for one that has just been ended in order, to be made
         * anew: then nobody does, and the retained state counts until its time is over. */
        bf_bus_send_good_bye(b);
    b->own_state_topic[0] = '\0';
    bf_mqtt_stop(b->mqtt, timeout_ms, done, user);
}
