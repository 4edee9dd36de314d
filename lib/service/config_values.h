/* Is one value of belfry.yml well formed? Pure; rules that compare values are in config_check.c. */
#ifndef BELFRY_SERVICE_CONFIG_VALUES_H
#define BELFRY_SERVICE_CONFIG_VALUES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool bf_value_id(const char *s);
bool bf_value_name(const char *s);     /* 1..64 bytes of text */
bool bf_value_path(const char *s);     /* 1..1023 bytes of text */
bool bf_value_alpn(const char *s);     /* 1..255 printable ASCII characters without a blank */
bool bf_value_host(const char *s);     /* name of letters, digits, '-' and '.', or an address; at most 253 */
bool bf_value_address(const char *s);  /* IPv4 or IPv6, without brackets */
bool bf_value_listen(const char *s);   /* 127.0.0.1:8080, [::1]:8080 */
bool bf_value_udp_url(const char *s);  /* udp://127.0.0.1:5004, udp://[::]:5004 */
bool bf_value_origin(const char *s);   /* RFC 6454 serialisation: scheme://host[:port], lower case, no path */
bool bf_value_loopback(const char *s); /* 127.0.0.0/8, ::1 or localhost */

/* Decimal digits only: no sign, no blanks, no hexadecimal, no leading zero. -EINVAL outside least..most. */
int bf_value_number(uint64_t *ret, const char *s, uint64_t least, uint64_t most);
bool bf_value_word(const char *s, const char *words);                 /* is it one of "one|another"? */
void bf_value_spell_words(const char *words, char *buf, size_t size); /* "a|b|c" as "a, b or c" */

#endif
