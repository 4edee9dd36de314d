/* Identifiers. Anything that came from outside passes bf_id_valid or bf_ulid_valid before it becomes part of a topic,
 * a path or a log line. */
#ifndef BELFRY_BASE_ID_H
#define BELFRY_BASE_ID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BF_ID_MAX 32  /* characters of a site, node or camera id */
#define BF_ID_SIZE 33 /* with the terminator */
#define BF_ULID_LENGTH 26
#define BF_ULID_SIZE 27

bool bf_id_valid(const char *id); /* [a-z0-9-]{1,32}; NULL is not */

/* ULID (Crockford base 32, upper case, 48 bits of Unix ms then 80 random bits): sorts by time. */
void bf_ulid_make(char ret[static BF_ULID_SIZE], uint64_t unix_ms);
bool bf_ulid_valid(const char *id); /* exactly 26 characters of the alphabet, first at most '7' */
uint64_t bf_ulid_time_ms(const char *id);

int bf_random(void *buf, size_t size); /* getrandom(2); 0 or negative errno */

#endif
