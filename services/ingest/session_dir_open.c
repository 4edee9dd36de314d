#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/id.h"
#include "ingest/session_dir_state.h"
#include "ingest/tail.h"
#include "stream/chain.h"

static int open_child(int dirfd, const char *name, bool create, struct bf_error *e)
{
    if (create && mkdirat(dirfd, name, 0750) != 0 && errno != EEXIST)
        return bf_fail(e, -errno, "making directory %s of the stream directory: %s", name, strerror(errno));
    int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd >= 0 ? fd : bf_fail(e, -errno, "opening directory %s of the stream directory: %s", name, strerror(errno));
}

static int open_directory(const struct bf_session_dir_options *o, struct bf_error *e)
{
    if (!bf_id_valid(o->start->camera) || !bf_ulid_valid(o->start->session_id))
        return bf_fail(e, -EINVAL, "opening the stream directory: not a camera id and a session id");
    _cleanup_(bf_closep) int camera_fd = open_child(o->media_fd, o->start->camera, !o->existing, e);

    return camera_fd < 0 ? camera_fd : open_child(camera_fd, o->start->session_id, !o->existing, e);
}

static int begin(struct bf_session_dir *d, const Belfry__V1__SessionStart *start, struct bf_error *e)
{
    Belfry__V1__Record record = BELFRY__V1__RECORD__INIT;
    uint8_t packed[1024];

    record.kind_case = BELFRY__V1__RECORD__KIND_START;
    record.start = (Belfry__V1__SessionStart *)(uintptr_t)start;
    if (belfry__v1__record__get_packed_size(&record) > sizeof packed)
        return bf_fail(e, -EMSGSIZE, "beginning the journal: the record is too long");
    bf_chain_start(d->place.chain_head, packed, belfry__v1__record__pack(&record, packed));
    d->record = start->record;
    d->place.part_target_us = start->part_target_us;
    d->place.target_duration_s = start->target_duration_s;
    d->place.profile = start->profile;
    d->place.segment_us = start->segment_us;
    int r = bf_journal_append(d->journal, &record);
    return r == 0 ? 0 : bf_fail(e, r, "beginning the journal: %s", strerror(-r));
}

/* Takes over what the journal says; an open segment's file has just its journalled bytes and is hashed again. */
static int take_over(struct bf_session_dir *d, const struct bf_session_view *v)
{
    const struct bf_segment_view *open = bf_session_view_open_segment(v);

    d->record = v->record;
    d->next_msn = open != NULL ? open->msn : v->next_msn;
    d->next_init = (unsigned)v->n_inits;
    d->place.resumed = true;
    d->place.ended = v->ended;
    d->place.part_target_us = v->part_target_us;
    d->place.target_duration_s = v->target_duration_s;
    d->place.profile = v->profile;
    d->place.segment_us = v->segment_us;
    d->place.parts = v->next_counter;
    memcpy(d->place.chain_head, v->chain_head, sizeof d->place.chain_head);
    for (size_t i = 0; i < v->n_segments; i++) {
        d->place.bytes += v->segments[i].bytes;
        d->place.segments += v->segments[i].complete && !v->segments[i].gap;
    }
    if (v->n_parts > 0)
        d->place.next_90k = v->parts[v->n_parts - 1].decode_time_90k + v->parts[v->n_parts - 1].duration_90k;
    if (open == NULL)
        return 0;

    d->segment_bytes = open->bytes;
    d->segment_90k = open->duration_90k;
    d->segment_start_90k = v->parts[open->first_part].decode_time_90k;
    d->place.segment_open = true;
    return bf_tail_open_segment(d->fd, open, &d->segment_fd, d->hash);
}

static int go_on(struct bf_session_dir *d, const struct bf_session_view *v, const Belfry__V1__SessionStart *start,
                 struct bf_error *e)
{
    struct bf_sync sync = { { -1, -1, -1 } };

    if (strcmp(v->ingest, start->ingest) != 0)
        return bf_fail(e, -EBADMSG, "session %s was begun by node %s", start->session_id, v->ingest);
    if (v->ended)
        return bf_fail(e, -EALREADY, "session %s has ended", start->session_id);
    int r = take_over(d, v);
    if (r == 0 && d->place.segment_open)
        r = bf_session_dir_end_segment(d, &sync);
    if (r == 0)
        r = bf_sync_run(&sync);
    return r == 0 ? 0 : bf_fail(e, r, "taking up session %s again: %s", start->session_id, strerror(-r));
}

int bf_session_dir_open(struct bf_session_dir **ret, const struct bf_session_dir_options *o, struct bf_error *e)
{
    _cleanup_(bf_session_dir_freep) struct bf_session_dir *d = calloc(1, sizeof *d);
    _cleanup_(bf_session_view_done) struct bf_session_view v = { 0 };

    if (d == NULL)
        return bf_fail(e, -ENOMEM, "making the stream directory: out of memory");
    d->key = o->key;
    d->reserve_bytes = o->reserve_bytes;
    d->segment_fd = -1;
    d->fd = -1;
    int r = bf_sha256_new(&d->hash);
    if (r != 0)
        return bf_fail(e, r, "making the stream directory: out of memory");
    d->fd = open_directory(o, e);
    if (d->fd < 0)
        return d->fd;
    r = bf_journal_writer_open(&d->journal, d->fd, e);
    if (r == 0)
        r = bf_tail_repair(d->fd, d->journal, &v, e);
    if (r != 0)
        return r;

    if (v.started)
        r = go_on(d, &v, o->start, e);
    else
        r = o->existing ? bf_fail(e, -ENOENT, "the journal has no beginning") : begin(d, o->start, e);
    if (r != 0)
        return r;
    *ret = BF_TAKE(d);
    return 0;
}
