#include "janitor/recording.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/id.h"
#include "bus/verify.h"
#include "janitor/names.h"
#include "stream/layout.h"

/* A key that has ended since still vouches for what it signed while it was valid; the file's own age says when. */
static int open_document(int dirfd, const struct bf_trust *trust, uint64_t now_ms, const uint8_t *data, size_t size,
                         uint8_t **ret, size_t *ret_size, struct bf_error *e)
{
    struct stat st;
    int r = bf_document_open(trust, BF_ROLE_JANITOR, BF_RECORDING_TYPE, data, size, now_ms, ret, ret_size, e);
    if (r < 0 && fstatat(dirfd, BF_RECORDING_NAME, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_mtime > 0)
        r = bf_document_open(trust, BF_ROLE_JANITOR, BF_RECORDING_TYPE, data, size, (uint64_t)st.st_mtime * 1000, ret,
                             ret_size, e);
    return r;
}

int bf_recording_read(int dirfd, const struct bf_trust *trust, uint64_t now_ms, Belfry__V1__Recording **ret,
                      struct bf_error *e)
{
    _cleanup_(bf_freep) uint8_t *data = NULL, *payload = NULL;
    size_t size, payload_size;
    int r = bf_read_file(dirfd, BF_RECORDING_NAME, BF_ENVELOPE_MAX, &data, &size);
    if (r == 0)
        r = open_document(dirfd, trust, now_ms, data, size, &payload, &payload_size, e);
    else
        bf_fail(e, r, "%s", strerror(-r));
    if (r < 0)
        return bf_fail_in(e, r, BF_RECORDING_NAME);

    Belfry__V1__Recording *recording = belfry__v1__recording__unpack(NULL, payload_size, payload);
    if (recording == NULL || !bf_id_valid(recording->camera) || !bf_ulid_valid(recording->session_id)) {
        belfry__v1__recording__free_unpacked(recording, NULL);
        return bf_fail(e, -EBADMSG, BF_RECORDING_NAME ": signed, but does not parse");
    }
    *ret = recording;
    return 0;
}

int bf_recording_write(const struct bf_file_ops *ops, int dirfd, const struct bf_key *key,
                       const Belfry__V1__Recording *recording, struct bf_error *e)
{
    size_t size = belfry__v1__recording__get_packed_size(recording), envelope_size;
    _cleanup_(bf_freep) uint8_t *packed = malloc(size + 1), *envelope = NULL;
    if (packed == NULL)
        return bf_fail(e, -ENOMEM, "out of memory");
    belfry__v1__recording__pack(recording, packed);

    int r = bf_dsse_seal(BF_RECORDING_TYPE, packed, size, bf_key_secret(key), &envelope, &envelope_size);
    if (r == 0)
        r = bf_ops_replace(ops, dirfd, BF_RECORDING_TEMPORARY, BF_RECORDING_NAME, envelope, envelope_size);
    return r < 0 ? bf_fail(e, r, "writing " BF_RECORDING_NAME ": %s", strerror(-r)) : 0;
}

static uint64_t file_bytes(int dirfd, const char *name)
{
    struct stat st;
    return fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_size > 0 ? (uint64_t)st.st_size : 0;
}

uint64_t bf_recording_disk_bytes(int dirfd, const Belfry__V1__Recording *recording)
{
    return recording->bytes + file_bytes(dirfd, BF_DOWNLOAD_NAME) + file_bytes(dirfd, BF_POSTER_NAME) +
           file_bytes(dirfd, BF_VOD_PLAYLIST_NAME);
}
