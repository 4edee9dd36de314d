/* The clocks, named by what they are for. Pure logic never calls these: time is an argument there. */
#ifndef BELFRY_BASE_CLOCK_H
#define BELFRY_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

uint64_t bf_unix_ms(void); /* CLOCK_REALTIME, for what is shown, stored and compared across hosts */
uint64_t bf_unix_us(void);
uint64_t bf_mono_us(void); /* CLOCK_MONOTONIC, for durations and time-outs */
uint64_t bf_mono_ms(void);
uint64_t bf_boot_ms(void);  /* CLOCK_BOOTTIME, for leases: goes on while the machine sleeps */
bool bf_clock_synced(void); /* what adjtimex(2) says, unless BELFRY_CLOCK_SYNCED is 1 or 0 */

/* RFC 3339 UTC with milliseconds, "2026-01-31T12:00:00.123Z"; buf holds 25 bytes. Returns buf. */
const char *bf_rfc3339(char buf[static 25], uint64_t unix_ms);

#endif
