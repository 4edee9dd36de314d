/* What bus.c (life, receiving) and bus_send.c (sending) share. */
#ifndef BELFRY_BUS_BUS_INTERNAL_H
#define BELFRY_BUS_BUS_INTERNAL_H

#include "base/log.h"
#include "bus/bus.h"
#include "bus/reply_cache.h"

#define BF_WIRE_CHANNELS 8 /* the wire's Channel, 1..6 */

struct bf_bus {
    struct bf_bus_options o; /* strings owned, the rest borrowed */
    uint8_t boot_id[16];
    char own_state_topic[BF_TOPIC_SIZE]; /* empty without a state */
    uv_loop_t *loop;
    struct bf_mqtt *mqtt;
    struct bf_verifier verifier;
    struct bf_replay *replay;
    struct bf_reply_cache replies;

    uint64_t sequences[BF_WIRE_CHANNELS];
    uint64_t refusals[BF_REFUSALS];
    struct bf_log_limit refusal_limits[BF_REFUSALS];
    struct bf_log_limit disconnect_limit, not_accepted_limit, bad_send_limit;
    uint64_t again_at_ms;    /* when the own state was last published again */
    struct bf_clock_gap gap; /* of the message that is looked at */
    uint64_t twins;          /* times that another process was seen to have been connected as this node */
    bool up;
};

/* Signs and publishes an answer that is packed without its header. */
int bf_bus_send_reply(struct bf_bus *b, const struct bf_asker *asker, enum bf_message_type type, const uint8_t *body,
                      size_t size);
/* The last will for the next connection; *ret_payload is malloc'd. */
int bf_bus_seal_will(struct bf_bus *b, uint8_t **ret_payload, size_t *ret_size);
int bf_bus_send_good_bye(struct bf_bus *b);

/* bus_twin.c: what the broker held as this node's state when it came back. Is it another process's, of the same id and
 * key, then that is told, and the one that started less recently stays away. */
void bf_bus_look_for_twin(struct bf_bus *b, const char *topic, const uint8_t *payload, size_t size);

#endif
