/* Two processes with one node's id and key, as when a site directory or an SD card was copied. The broker lets the one
 * that came last take the other's place, so they would throw each other out in turns for ever. Each finds the other's
 * last word in the place of its own when it comes back, signed, and both judge alike who stays: the one that receivers
 * listen to. That is the higher start counter; of equal ones, whose sequence numbers are ahead: the one that started
 * first. The other looks again now and then, which costs the one that stays a reconnection. */
#include <string.h>

#include "base/clock.h"
#include "bus/bus_internal.h"

static int take_start(void *user, ProtobufCMessage *m)
{
    const Belfry__V1__NodeStatus *node = bf_message_node(m);

    *(uint64_t *)user = node == NULL ? 0 : node->started_at_ms;
    return 0;
}

static uint64_t own_start_ms(const struct bf_bus *b)
{
    uint64_t ms = 0;

    b->o.with_state(b->o.user, false, take_start, &ms);
    return ms;
}

static bool other_stays(const struct bf_bus *b, const struct bf_incoming *m)
{
    const Belfry__V1__NodeStatus *other = bf_message_node(m->message);
    uint64_t own_ms = own_start_ms(b);

    if (m->header->sender_epoch != b->o.epoch)
        return m->header->sender_epoch > b->o.epoch;
    if (other->started_at_ms != own_ms)
        return other->started_at_ms < own_ms;
    return memcmp(other->boot_id.data, b->boot_id, sizeof(b->boot_id)) < 0;
}

/* A process of before us may still be spoken of: by a last will that the broker was late with. */
static bool is_our_past(const struct bf_bus *b, const struct bf_incoming *m)
{
    return m->header->sender_epoch < b->o.epoch && m->header->issued_at_ms < own_start_ms(b);
}

static void met(struct bf_bus *b, const struct bf_incoming *m)
{
    const struct bf_twin twin = { .epoch = m->header->sender_epoch, .yields = other_stays(b, m) };

    b->twins++;
    if (b->o.twin != NULL)
        b->o.twin(b->o.user, &twin);
    if (twin.yields)
        bf_mqtt_stay_away(b->mqtt, BF_BUS_AWAY_MS);
}

void bf_bus_look_for_twin(struct bf_bus *b, const char *topic, const uint8_t *payload, size_t size)
{
    struct bf_verifier at_any_time = b->verifier;
    struct bf_incoming m = { 0 };
    struct bf_error e = { 0 };

    at_any_time.replay = NULL; /* it is about the past */
    if (b->o.with_state == NULL || bf_verify(&at_any_time, topic, payload, size, bf_unix_ms(), false, &m, &e) != BF_OK)
        return;
    if (memcmp(bf_message_node(m.message)->boot_id.data, b->boot_id, sizeof(b->boot_id)) != 0 && !is_our_past(b, &m))
        met(b, &m);
    bf_incoming_done(&m);
}
