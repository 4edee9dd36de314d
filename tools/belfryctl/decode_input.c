#include "belfryctl/decode_input.h"

#include <errno.h>
#include <string.h>

#include <sodium.h>

#include "base/cleanup.h"

#define INPUT_MAX_BYTES 65536

/* Field 1, its length, and how every payload type begins. */
#define ENVELOPE_START_SIZE 14

int ctl_is_binary_envelope(const uint8_t *data, size_t size)
{
    return size >= ENVELOPE_START_SIZE && data[0] == 0x0a && memcmp(data + 2, "application/", 12) == 0;
}

int ctl_decode_line(char *line, const char **ret_topic, uint8_t **ret, size_t *ret_size)
{
    line[strcspn(line, "\r\n")] = '\0';
    char *hex = strrchr(line, ' ');
    const char *topic = NULL;
    if (hex != NULL) {
        *hex++ = '\0';
        topic = line;
    } else {
        hex = line;
    }
    if (*hex == '\0')
        return topic == NULL ? -ENODATA : -EBADMSG;

    size_t room = strlen(hex) / 2 + 1, size;
    const char *end;
    _cleanup_(bf_freep) uint8_t *data = malloc(room);
    if (data == NULL)
        return -ENOMEM;
    if (sodium_hex2bin(data, room, hex, strlen(hex), NULL, &size, &end) != 0 || *end != '\0' || strlen(hex) % 2 != 0)
        return -EBADMSG;

    *ret_topic = topic;
    *ret = BF_TAKE(data);
    *ret_size = size;
    return 0;
}

static int decode_binary(FILE *f, const uint8_t *start, size_t start_size,
                         void (*message)(void *user, const char *topic, const uint8_t *data, size_t size), void *user)
{
    _cleanup_(bf_freep) uint8_t *data = malloc(INPUT_MAX_BYTES);
    if (data == NULL)
        return -ENOMEM;
    memcpy(data, start, start_size);
    size_t size = start_size + fread(data + start_size, 1, INPUT_MAX_BYTES - start_size, f);
    message(user, NULL, data, size);
    return ferror(f) ? -EIO : 0;
}

int ctl_decode_stream(FILE *f, void (*message)(void *user, const char *topic, const uint8_t *data, size_t size),
                      void (*bad)(void *user, size_t line), void *user)
{
    uint8_t start[ENVELOPE_START_SIZE];
    int first = getc(f);
    if (first == 0x0a) {
        start[0] = 0x0a;
        size_t size = 1 + fread(start + 1, 1, sizeof start - 1, f);
        if (!ctl_is_binary_envelope(start, size))
            return -EBADMSG;
        return decode_binary(f, start, size, message, user);
    }
    if (first != EOF)
        ungetc(first, f);

    _cleanup_(bf_freep) char *line = NULL;
    size_t room = 0, number = 0;
    while (getline(&line, &room, f) >= 0) {
        _cleanup_(bf_freep) uint8_t *data = NULL;
        const char *topic;
        size_t size;
        int r = ctl_decode_line(line, &topic, &data, &size);
        number++;
        if (r == 0)
            message(user, topic, data, size);
        else if (r != -ENODATA)
            bad(user, number);
    }
    return ferror(f) ? -EIO : 0;
}
