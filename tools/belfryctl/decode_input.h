/* What `belfryctl decode` reads: one packed envelope (mosquitto_sub -N), or lines of hex digits (mosquitto_sub -F %x),
 * each optionally with its topic in front (-F '%t %x'). */
#ifndef BELFRY_CTL_DECODE_INPUT_H
#define BELFRY_CTL_DECODE_INPUT_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* One line: splits off a topic and turns the digits into bytes. `line` is changed; *ret_topic points into it, or is
 * NULL where there is none. *ret is malloc'd. -EBADMSG when it is something else; -ENODATA for an empty line. */
int ctl_decode_line(char *line, const char **ret_topic, uint8_t **ret, size_t *ret_size);

/* Does the input that begins with these bytes hold one binary envelope? */
int ctl_is_binary_envelope(const uint8_t *data, size_t size);

/* Reads `f` and calls `message` for every envelope in it; a line that is none gets `bad`. 0 or negative errno. */
int ctl_decode_stream(FILE *f, void (*message)(void *user, const char *topic, const uint8_t *data, size_t size),
                      void (*bad)(void *user, size_t line), void *user);

#endif
