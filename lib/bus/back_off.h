/* How long to wait before the next attempt to reach the broker, and for how long it has been silent. Internal to the
 * bus. Pure. */
#ifndef BELFRY_BUS_BACK_OFF_H
#define BELFRY_BUS_BACK_OFF_H

#include <stdbool.h>
#include <stdint.h>

#define BF_BACK_OFF_FIRST_MS 2000
#define BF_BACK_OFF_MAX_MS 60000
/* Connections in a row that were lost soon after they were made: beyond that it is not the broker that comes and goes,
 * but something that haste makes worse, as two nodes of one id that take each other's place. */
#define BF_BACK_OFF_BRIEF_MAX 8

struct bf_back_off {
    unsigned failures; /* attempts in a row that failed, and connections that were lost soon; 1 for a steady one lost */
    unsigned brief;    /* of them, connections that were lost soon, in a row */
};

/* A connection was lost (`was_up`, after it had lived `steady`), or an attempt failed. */
void bf_back_off_failed(struct bf_back_off *b, bool was_up, bool steady);
/* Full jitter: anywhere from floor_ms to a ceiling that doubles with every failure, up to max_ms (0, or above
 * BF_BACK_OFF_MAX_MS: that), and beyond BF_BACK_OFF_BRIEF_MAX up to BF_BACK_OFF_MAX_MS. Never below floor_ms. */
uint64_t bf_back_off_ms(const struct bf_back_off *b, uint64_t floor_ms, uint64_t max_ms, uint32_t random);

/* Since the broker was heard, or was first owed an acknowledgement where that is later: one that owes nothing is silent.
 * 0 where either is later than `now_ms`: the loop's time stands still for as long as its turn lasts. */
uint64_t bf_silence_ms(uint64_t now_ms, uint64_t heard_at_ms, uint64_t asked_at_ms);

#endif
