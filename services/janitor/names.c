#include "janitor/names.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "stream/layout.h"

void bf_snapshot_name(char ret[static BF_SNAPSHOT_NAME_SIZE], uint64_t unix_ms)
{
    snprintf(ret, BF_SNAPSHOT_NAME_SIZE, "snapshot-%" PRIu64 ".jpg", unix_ms);
}

static bool is_snapshot(const char *name)
{
    static const char prefix[] = "snapshot-";
    size_t prefix_length = sizeof prefix - 1;
    if (strncmp(name, prefix, prefix_length) != 0)
        return false;
    size_t digits = strspn(name + prefix_length, "0123456789");
    return digits > 0 && digits <= 20 && strcmp(name + prefix_length + digits, ".jpg") == 0;
}

bool bf_name_is_temporary(const char *name)
{
    if (strcmp(name, BF_DOWNLOAD_TEMPORARY) == 0 || strcmp(name, BF_RECORDING_TEMPORARY) == 0)
        return true;
    return strncmp(name, ".tmp-", 5) == 0 && strspn(name + 5, "0123456789abcdef") == 16 && name[21] == '\0';
}

static bool is_made(const char *name)
{
    static const char *const names[] = { BF_VOD_PLAYLIST_NAME, BF_DOWNLOAD_NAME, BF_POSTER_NAME, BF_RECORDING_NAME };
    for (size_t i = 0; i < BF_COUNT_OF(names); i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return is_snapshot(name);
}

enum bf_name_kind bf_name_kind(const char *name, const struct bf_journal_extent *extent)
{
    uint64_t msn;
    unsigned init;
    if (bf_segment_name_parse(name, &msn))
        return msn <= extent->next_msn ? BF_NAME_MEDIA : BF_NAME_FOREIGN;
    if (bf_init_name_parse(name, &init))
        return init <= extent->n_inits ? BF_NAME_MEDIA : BF_NAME_FOREIGN;
    if (strcmp(name, BF_JOURNAL_NAME) == 0)
        return BF_NAME_JOURNAL;
    if (strcmp(name, BF_DELETED_NAME) == 0)
        return BF_NAME_DELETED;
    if (is_made(name))
        return BF_NAME_MADE;
    return bf_name_is_temporary(name) ? BF_NAME_TEMPORARY : BF_NAME_FOREIGN;
}
