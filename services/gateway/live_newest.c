#include "gateway/live_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "stream/layout.h"

/* When something was last written to it, by this machine's clock; 0 when it is gone. */
static uint64_t written_ms(const struct bf_live_session *s)
{
    struct stat st;

    if (fstatat(s->dirfd, BF_JOURNAL_NAME, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return 0;
    return (uint64_t)st.st_mtim.tv_sec * 1000 + (uint64_t)st.st_mtim.tv_nsec / 1000000;
}

static void describe(struct bf_live_found *ret, const struct bf_live_session *s)
{
    const struct bf_session_view *v = &s->view;
    const struct bf_init_view *init = v->n_inits == 0 ? NULL : &v->inits[v->n_inits - 1];

    *ret = (struct bf_live_found){ .record = v->record, .profile = v->profile };
    memcpy(ret->session, s->id, sizeof ret->session);
    memcpy(ret->ingest, v->ingest, sizeof ret->ingest);
    if (init == NULL)
        return;
    ret->width = init->width;
    ret->height = init->height;
    ret->fps = (init->frame_rate_milli + 500) / 1000;
}

int bf_live_newest(const struct bf_live *l, const char *camera, uint64_t silent_ms, uint64_t unix_ms,
                   struct bf_live_found *ret)
{
    const struct bf_live_session *newest = NULL;

    for (size_t i = 0; i < l->n_sessions; i++) {
        const struct bf_live_session *s = l->sessions[i];

        if (strcmp(s->camera, camera) != 0 || !s->told_playable || s->view.ended || s->stuck)
            continue;
        if ((newest == NULL || strcmp(s->id, newest->id) > 0) && written_ms(s) + silent_ms > unix_ms)
            newest = s;
    }
    if (newest == NULL)
        return -ENOENT;
    describe(ret, newest);
    return 0;
}
