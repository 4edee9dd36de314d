#include "ingest/session_dir_state.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include <sodium.h>

#include "base/clock.h"
#include "base/file.h"
#include "stream/chain.h"
#include "stream/layout.h"

static const struct bf_sync nothing_to_sync = { { -1, -1, -1 } };

void bf_session_dir_free(struct bf_session_dir *d)
{
    if (d == NULL)
        return;
    bf_journal_writer_free(d->journal);
    bf_sha256_free(d->hash);
    if (d->segment_fd >= 0)
        close(d->segment_fd);
    if (d->fd >= 0)
        close(d->fd);
    free(d);
}

const struct bf_session_place *bf_session_dir_place(const struct bf_session_dir *d)
{
    return &d->place;
}

/* ---- room ---- */

bool bf_disk_full(int code)
{
    return code == -ENOSPC || code == -EDQUOT || code == -EFBIG;
}

int bf_session_dir_room(const struct bf_session_dir *d, uint64_t bytes)
{
    uint64_t free_bytes;
    int r = bf_free_bytes(d->fd, &free_bytes);

    if (r != 0)
        return r;
    return free_bytes >= d->reserve_bytes && free_bytes - d->reserve_bytes >= bytes ? 0 : -ENOSPC;
}

/* ---- writing ---- */

static int append(struct bf_session_dir *d, Belfry__V1__Record__KindCase kind, void *message)
{
    Belfry__V1__Record record = BELFRY__V1__RECORD__INIT;

    record.kind_case = kind;
    record.start = message; /* every member of the union is a pointer */
    return bf_journal_append(d->journal, &record);
}

/* A file that no record names yet: what an earlier life left under that name is overwritten. */
static int create_file(const struct bf_session_dir *d, const char *name)
{
    int fd = openat(d->fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0640);

    return fd >= 0 ? fd : -errno;
}

int bf_session_dir_init(struct bf_session_dir *d, const void *data, size_t size, const char *codecs, uint32_t width,
                        uint32_t height, uint32_t frame_rate_milli)
{
    Belfry__V1__Init init = BELFRY__V1__INIT__INIT;
    uint8_t sha256[32];
    char name[BF_NAME_SIZE];

    int r = bf_session_dir_room(d, size);
    if (r != 0)
        return r;
    bf_init_name(name, d->next_init);
    _cleanup_(bf_closep) int fd = create_file(d, name);
    if (fd < 0)
        return fd;
    r = bf_write_all(fd, data, size);
    if (r == 0 && d->record && fdatasync(fd) != 0)
        r = -errno;
    if (r != 0)
        return r;

    crypto_hash_sha256(sha256, data, size);
    init.file = name;
    init.codecs = (char *)(uintptr_t)codecs;
    init.width = width;
    init.height = height;
    init.sha256 = (ProtobufCBinaryData){ sizeof sha256, sha256 };
    init.frame_rate_milli = frame_rate_milli;
    r = append(d, BELFRY__V1__RECORD__KIND_INIT, &init);
    if (r == 0)
        d->next_init++;
    return r;
}

static int begin_segment(struct bf_session_dir *d)
{
    char name[BF_NAME_SIZE];

    bf_segment_name(name, d->next_msn);
    int fd = create_file(d, name);
    if (fd < 0)
        return fd;
    d->segment_fd = fd;
    d->segment_bytes = d->segment_90k = 0;
    bf_sha256_begin(d->hash);
    return 0;
}

/* Until this has succeeded nothing may follow what a part that failed has left in the segment's file. */
static int cut_back(struct bf_session_dir *d)
{
    d->torn = ftruncate(d->segment_fd, (off_t)d->segment_bytes) != 0 ||
              lseek(d->segment_fd, (off_t)d->segment_bytes, SEEK_SET) < 0;
    return d->torn ? -errno : 0;
}

/* Leaves the segment as it was before a part that failed; one that only that part was to begin is not open. */
static int take_back(struct bf_session_dir *d, int why)
{
    cut_back(d);
    if (!d->place.segment_open) {
        close(d->segment_fd);
        d->segment_fd = -1;
        d->torn = false; /* whoever begins it again empties it */
    }
    return why;
}

static int journal_part(struct bf_session_dir *d, size_t size, const struct bf_part *part)
{
    Belfry__V1__Part p = BELFRY__V1__PART__INIT;

    p.counter = d->place.parts;
    p.msn = d->next_msn;
    p.offset = d->segment_bytes;
    p.length = size;
    p.duration_90k = part->duration_90k;
    p.independent = part->independent;
    p.capture_us = part->capture_us;
    p.decode_time_90k = (uint64_t)part->decode_time_90k;
    p.frames = part->frames;
    p.discontinuity = part->discontinuity;
    p.written_us = bf_unix_us();
    return append(d, BELFRY__V1__RECORD__KIND_PART, &p);
}

int bf_session_dir_part(struct bf_session_dir *d, const void *data, size_t size, const struct bf_part *part)
{
    int r = bf_session_dir_room(d, size);
    if (r == 0 && d->torn)
        r = cut_back(d);
    if (r == 0 && d->segment_fd < 0)
        r = begin_segment(d);
    if (r != 0)
        return r;
    r = bf_write_all(d->segment_fd, data, size);
    if (r == 0)
        r = journal_part(d, size, part);
    if (r != 0)
        return take_back(d, r);

    bf_sha256_add(d->hash, data, size);
    if (!d->place.segment_open)
        d->segment_start_90k = (uint64_t)part->decode_time_90k;
    d->place.segment_open = true;
    d->segment_bytes += size;
    d->segment_90k += part->duration_90k;
    d->place.next_90k = (uint64_t)part->decode_time_90k + part->duration_90k;
    d->place.parts++;
    d->place.bytes += size;
    return 0;
}

static int sign(const struct bf_session_dir *d, Belfry__V1__SegmentEnd *end,
                uint8_t signature[static BF_SIGNATURE_SIZE], uint8_t keyid[static BF_KEYID_SIZE])
{
    const uint8_t *secret = bf_key_secret(d->key); /* once: the loop thread may rotate the key */
    int r = bf_dsse_sign_detached(signature, BF_LINK_PAYLOAD_TYPE, end->link.data, end->link.len, secret);

    bf_keyid(keyid, BF_PUBLIC_OF(secret));
    end->signature = (ProtobufCBinaryData){ BF_SIGNATURE_SIZE, signature };
    end->keyid = (ProtobufCBinaryData){ BF_KEYID_SIZE, keyid };
    return r;
}

/* The segment's file changes owner; the names and the journal are what else must survive. */
static struct bf_sync what_to_sync(struct bf_session_dir *d)
{
    struct bf_sync sync = nothing_to_sync;

    if (d->record)
        sync = (struct bf_sync){ {
            d->segment_fd,
            fcntl(bf_journal_writer_fd(d->journal), F_DUPFD_CLOEXEC, 0),
            fcntl(d->fd, F_DUPFD_CLOEXEC, 0),
        } };
    else
        close(d->segment_fd);
    d->segment_fd = -1;
    return sync;
}

int bf_session_dir_end_segment(struct bf_session_dir *d, struct bf_sync *ret_sync)
{
    Belfry__V1__SegmentEnd end = BELFRY__V1__SEGMENT_END__INIT;
    uint8_t sha256[32], link[32], signature[BF_SIGNATURE_SIZE], keyid[BF_KEYID_SIZE];

    if (!d->place.segment_open)
        return -EINVAL;
    int r = d->torn ? cut_back(d) : 0;
    if (r == 0)
        r = bf_sha256_value(d->hash, sha256);
    if (r != 0)
        return r;
    bf_chain_next(link, d->place.chain_head, d->next_msn, d->segment_start_90k, d->segment_90k, sha256);
    end.msn = d->next_msn;
    end.bytes = d->segment_bytes;
    end.duration_90k = d->segment_90k;
    end.decode_time_90k = d->segment_start_90k;
    end.sha256 = (ProtobufCBinaryData){ sizeof sha256, sha256 };
    end.link = (ProtobufCBinaryData){ sizeof link, link };
    r = sign(d, &end, signature, keyid);
    if (r == 0)
        r = append(d, BELFRY__V1__RECORD__KIND_SEGMENT_END, &end);
    if (r != 0)
        return r;

    memcpy(d->place.chain_head, link, sizeof link);
    d->place.segment_open = false;
    d->place.segments++;
    d->next_msn++;
    *ret_sync = what_to_sync(d);
    return 0;
}

int bf_session_dir_gap(struct bf_session_dir *d, uint64_t duration_90k, const char *reason)
{
    Belfry__V1__Gap gap = BELFRY__V1__GAP__INIT;

    gap.msn = d->next_msn;
    gap.duration_90k = duration_90k;
    gap.reason = (char *)(uintptr_t)reason;
    int r = append(d, BELFRY__V1__RECORD__KIND_GAP, &gap);
    if (r == 0)
        d->next_msn++;
    return r;
}

int bf_session_dir_end(struct bf_session_dir *d, const char *reason, uint64_t now_ms)
{
    Belfry__V1__SessionEnd end = BELFRY__V1__SESSION_END__INIT;

    end.ended_at_ms = now_ms;
    end.reason = (char *)(uintptr_t)reason;
    end.segments = d->place.segments;
    end.chain_head = (ProtobufCBinaryData){ sizeof d->place.chain_head, d->place.chain_head };
    int r = append(d, BELFRY__V1__RECORD__KIND_END, &end);
    if (r != 0)
        return r;

    d->place.ended = true;
    if (bf_journal_sync(d->journal) != 0 || fsync(d->fd) != 0)
        return -errno;
    return 0;
}

bool bf_sync_wanted(const struct bf_sync *s)
{
    return s->fds[0] >= 0;
}

int bf_sync_run(struct bf_sync *s)
{
    int r = 0;

    for (size_t i = 0; i < BF_COUNT_OF(s->fds); i++) {
        if (s->fds[i] < 0)
            continue;
        if (fsync(s->fds[i]) != 0 && r == 0)
            r = -errno;
        close(s->fds[i]);
        s->fds[i] = -1;
    }
    return r;
}
