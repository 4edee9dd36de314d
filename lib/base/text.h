/* Text that may be shown, stored and sent: well-formed UTF-8 (RFC 3629) without control characters. */
#ifndef BELFRY_BASE_TEXT_H
#define BELFRY_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of the character at `s`, of which `size` bytes may be looked at; 0 when there is none that may be shown (cut
 * off, overlong, a surrogate, beyond U+10FFFF, C0, DEL or C1). */
size_t bf_text_character(const char *s, size_t size);

bool bf_text_valid(const char *s, size_t max_bytes); /* all of it, at most max_bytes; empty is valid, NULL is not */
void bf_text_clean(char *s, size_t size);            /* puts '?' over every byte that is not part of a character */

/* How far one clock is from another, for people: "60 min ahead of", "12 s behind". Returns buf. */
#define BF_TEXT_AHEAD_SIZE 32
const char *bf_text_ahead(char buf[static BF_TEXT_AHEAD_SIZE], int64_t ahead_ms);

#endif
