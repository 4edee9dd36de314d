/* The janitor's state message: what it does with which session, and how full the disk is. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "janitor/janitor.h"

#define STATUSES_MAX 64
#define STATUSES_ROOM (STATUSES_MAX + BF_LISTED_MAX)

struct statuses {
    Belfry__V1__JanitorSessionStatus items[STATUSES_ROOM];
    Belfry__V1__Failure failures[STATUSES_ROOM];
    Belfry__V1__JanitorSessionStatus *list[STATUSES_ROOM];
    size_t n;
};

static Belfry__V1__JanitorSessionStatus *add(struct statuses *s, const char *camera, const char *id,
                                             Belfry__V1__JanitorPhase phase)
{
    Belfry__V1__JanitorSessionStatus *item = &s->items[s->n];
    belfry__v1__janitor_session_status__init(item);
    item->camera = (char *)camera;
    item->session_id = (char *)id;
    item->phase = phase;
    s->list[s->n++] = item;
    return item;
}

static void add_followed(struct statuses *s, const struct bf_janitor *j, const struct bf_followed *f)
{
    Belfry__V1__Failure *failure = &s->failures[s->n];
    Belfry__V1__JanitorSessionStatus *item = add(s, f->camera, f->id, bf_followed_phase(f));
    item->progress_percent = bf_janitor_progress(j, f);
    if (f->code[0] == '\0')
        return;
    belfry__v1__failure__init(failure);
    failure->code = (char *)f->code;
    failure->detail = (char *)f->error.text;
    failure->at_ms = f->failed_unix_ms;
    item->error = failure;
}

/* A session that a gateway still asks about, though nothing is left to do for it. */
static void add_settled(struct statuses *s, const struct bf_janitor *j, const struct bf_listed *l)
{
    if (bf_catalog_followed(&j->catalog, l->id) != NULL)
        return;
    if (bf_catalog_recording(&j->catalog, l->id) != NULL)
        add(s, l->camera, l->id, BELFRY__V1__JANITOR_PHASE__JANITOR_PHASE_ARCHIVED)->progress_percent = 100;
    else if (l->fate == BF_FATE_ARCHIVE || l->fate == BF_FATE_PURGE)
        add(s, l->camera, l->id, BELFRY__V1__JANITOR_PHASE__JANITOR_PHASE_PURGED);
    else
        add(s, l->camera, l->id, BELFRY__V1__JANITOR_PHASE__JANITOR_PHASE_TRIMMING);
}

static int newest_first(const void *a, const void *b)
{
    Belfry__V1__JanitorSessionStatus *const *x = a, *const *y = b;
    return strcmp((*y)->session_id, (*x)->session_id);
}

static void collect(struct statuses *s, const struct bf_janitor *j)
{
    for (size_t i = j->catalog.n_followed; i-- > 0 && s->n < STATUSES_MAX;)
        add_followed(s, j, j->catalog.followed[i]);
    for (size_t i = 0; i < j->n_listed; i++)
        add_settled(s, j, &j->listed[i]);
    qsort(s->list, s->n, sizeof s->list[0], newest_first);
    if (s->n > STATUSES_MAX)
        s->n = STATUSES_MAX;
}

int bf_janitor_with_state(void *state, Belfry__V1__NodeStatus *node, int (*pack)(void *pack_user, ProtobufCMessage *m),
                          void *pack_user)
{
    const struct bf_janitor *j = state;
    _cleanup_(bf_freep) struct statuses *s = calloc(1, sizeof *s);
    if (s == NULL)
        return -ENOMEM;
    collect(s, j);

    Belfry__V1__JanitorState message = BELFRY__V1__JANITOR_STATE__INIT;
    message.node = node;
    message.n_sessions = s->n;
    message.sessions = s->list;
    message.recordings = j->catalog.n_recordings;
    message.recording_bytes = bf_catalog_recording_bytes(&j->catalog);
    bf_free_bytes(j->catalog.mediafd, &message.media_free_bytes);
    return pack(pack_user, &message.base);
}
