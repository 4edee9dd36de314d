#include "media/transport_stream_id.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SYNTAX "#!::"
#define TOKEN "belfry_token="
#define TOKEN_DIGITS 16

void bf_stream_id_make(char ret[static BF_STREAM_ID_SIZE], uint64_t fencing_token)
{
    snprintf(ret, BF_STREAM_ID_SIZE, SYNTAX "m=publish," TOKEN "%016" PRIx64, fencing_token);
}

static uint64_t token_in(const char *pair, size_t size)
{
    const char *digits = pair + strlen(TOKEN);

    if (size != strlen(TOKEN) + TOKEN_DIGITS || strncmp(pair, TOKEN, strlen(TOKEN)) != 0 ||
        strspn(digits, "0123456789abcdef") != TOKEN_DIGITS)
        return 0;
    return strtoull(digits, NULL, 16);
}

uint64_t bf_stream_id_token(const char *stream_id)
{
    if (stream_id == NULL || strncmp(stream_id, SYNTAX, strlen(SYNTAX)) != 0)
        return 0;

    uint64_t token = 0;
    for (const char *pair = stream_id + strlen(SYNTAX); token == 0 && *pair != '\0';) {
        size_t size = strcspn(pair, ",");
        token = token_in(pair, size);
        pair += size + (pair[size] == ',');
    }
    return token;
}
