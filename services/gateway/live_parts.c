/* Media of a live session: parts, complete segments, and segments that grow. */
#include "gateway/live_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "gateway/playlist.h"
#include "stream/layout.h"

static struct bf_blob *read_bytes(int fd, uint64_t offset, uint64_t length)
{
    struct stat st;
    _cleanup_(bf_freep) char *data = NULL;

    if (length > BF_RECENT_BYTES || fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return NULL;
    data = malloc((size_t)length + 1);
    if (data == NULL || bf_pread_all(fd, data, (size_t)length, (off_t)offset) < 0)
        return NULL;
    data[length] = '\0';

    struct bf_blob *made = bf_blob_new(data, (size_t)length);
    if (made != NULL)
        data = NULL;
    return made;
}

static struct bf_blob *read_slice(const struct bf_live_session *s, uint64_t msn, uint64_t offset, uint64_t length)
{
    char name[BF_NAME_SIZE];

    bf_segment_name(name, msn);
    _cleanup_(bf_closep) int fd = openat(s->dirfd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    return read_bytes(fd, offset, length);
}

struct bf_blob *bf_live_read_part(const struct bf_live_session *s, const struct bf_part_view *p)
{
    return read_slice(s, p->msn, p->offset, p->length);
}

/* Somebody asks for a part that nobody waited for: if it is new, the next one who does shall find it. */
static void keep_part(struct bf_live_session *s, uint64_t counter, struct bf_live_slice *slice)
{
    slice->blob = read_slice(s, slice->msn, slice->offset, slice->length);
    if (slice->blob == NULL)
        return;
    pthread_mutex_lock(&s->lock);
    if (!s->view.ended && counter < s->view.next_counter && s->view.next_counter - counter <= BF_RECENT_PARTS)
        bf_recent_put(&s->recent, counter, slice->blob);
    pthread_mutex_unlock(&s->lock);
}

/* --- parts --- */

struct part_request {
    uint64_t counter;
    struct bf_live_slice *ret;
    bool recent; /* worth keeping */
};

static void fill_part(const struct bf_live_session *s, const struct bf_part_view *p, struct part_request *r)
{
    *r->ret = (struct bf_live_slice){
        .msn = p->msn,
        .offset = p->offset,
        .length = p->length,
        .blob = bf_recent_get(&s->recent, p->counter),
    };
    r->counter = p->counter;
    r->recent = !s->view.ended && s->view.next_counter - p->counter <= BF_RECENT_PARTS;
}

static int part_ready(struct bf_live_session *s, void *user)
{
    struct part_request *r = user;
    const struct bf_part_view *p = bf_session_view_part(&s->view, r->counter);

    if (s->view.started && !bf_playlist_lists_parts(&s->view))
        return -ENOENT;
    if (p != NULL) {
        fill_part(s, p, r);
        return 0;
    }
    if (s->view.ended || r->counter < s->view.next_counter)
        return -ENOENT;
    return r->counter == s->view.next_counter ? -EAGAIN : -ERANGE;
}

int bf_live_part(struct bf_live *l, struct bf_live_session *s, uint64_t counter, struct bf_live_slice *ret)
{
    struct part_request request = { .counter = counter, .ret = ret };

    pthread_mutex_lock(&s->lock);
    int r = bf_live_await(l, s, false, part_ready, &request);
    pthread_mutex_unlock(&s->lock);
    if (r == 0 && ret->blob == NULL && request.recent)
        keep_part(s, counter, ret);
    return r;
}

/* --- segments --- */

/* Neither complete nor begun: 0 when it is the next one, which is worth waiting for. */
static int judge_absent(const struct bf_session_view *v, uint64_t msn)
{
    if (v->ended || msn < v->next_msn)
        return -ENOENT;
    return msn == v->next_msn ? 0 : -ERANGE;
}

struct segment_request {
    uint64_t msn;
    struct bf_live_slice *ret;
};

static int segment_ready(struct bf_live_session *s, void *user)
{
    const struct segment_request *r = user;
    const struct bf_segment_view *v = bf_session_view_segment(&s->view, r->msn);

    if (v != NULL && v->gap)
        return -ENOENT;
    if (v != NULL && v->complete) {
        *r->ret = (struct bf_live_slice){ .msn = v->msn, .length = v->bytes };
        r->ret->ttl_s = bf_playlist_segment_ttl_s(&s->view, v->msn);
        return 0;
    }
    int absent = v == NULL ? judge_absent(&s->view, r->msn) : 0;
    if (absent < 0)
        return absent;
    return s->view.started && bf_playlist_lists_parts(&s->view) ? -EINPROGRESS : -EAGAIN;
}

int bf_live_segment(struct bf_live *l, struct bf_live_session *s, uint64_t msn, struct bf_live_slice *ret)
{
    struct segment_request request = { .msn = msn, .ret = ret };

    pthread_mutex_lock(&s->lock);
    int r = bf_live_await(l, s, false, segment_ready, &request);
    pthread_mutex_unlock(&s->lock);
    return r;
}

struct growing_request {
    uint64_t msn;
    size_t index;
    struct part_request part;
};

static int growing_ready(struct bf_live_session *s, void *user)
{
    struct growing_request *r = user;
    const struct bf_segment_view *v = bf_session_view_segment(&s->view, r->msn);

    if (v == NULL) {
        int absent = judge_absent(&s->view, r->msn);
        return absent == 0 ? -EAGAIN : absent;
    }
    if (v->gap)
        return -ENOENT;
    if (r->index < v->n_parts) {
        fill_part(s, &s->view.parts[v->first_part + r->index], &r->part);
        return 0;
    }
    return v->complete ? -ENODATA : -EAGAIN;
}

int bf_live_growing(struct bf_live *l, struct bf_live_session *s, uint64_t msn, size_t index, struct bf_live_slice *ret)
{
    struct growing_request request = { .msn = msn, .index = index, .part.ret = ret };

    pthread_mutex_lock(&s->lock);
    int r = bf_live_await(l, s, index > 0, growing_ready, &request);
    pthread_mutex_unlock(&s->lock);
    if (r == 0 && ret->blob == NULL)
        keep_part(s, request.part.counter, ret);
    return r == 0 && ret->blob == NULL ? -EIO : r;
}
