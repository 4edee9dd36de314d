/* Sessions that were left open: by a crash, or because a full disk had no room for their end. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "ingest/ingest_state.h"

#define CLOSE_AGAIN_MS 5000

static void list_recovered(struct bf_ingest *g, const struct bf_orphan *o, const struct bf_session_place *place)
{
    struct bf_session *s = NULL;

    bf_ingest_forget(g, o->session_id); /* it may be listed as failed, for want of room */
    if (!bf_ingest_make_room(g) || bf_session_new_ended(&s, &g->host, o, place) != 0)
        return;
    bf_ingest_add(g, s);
}

/* True when there is nothing more to do for it. */
static bool close_orphan(struct bf_ingest *g, const struct bf_orphan *o)
{
    struct bf_session_place place;
    struct bf_error e;
    char quoted[sizeof e.text + 64];

    int r = bf_orphan_close(o, g->host.media_fd, g->host.node, g->host.key, "recovered", bf_unix_ms(), &place, &e);
    if (r == 0) {
        bf_info("ended a session that was left open", "session=%s camera=%s", o->session_id, o->camera);
        list_recovered(g, o, &place);
        return true;
    }
    bool again = bf_disk_full(r);
    bf_warning(again ? "cannot end a session that was left open yet" : "cannot end a session that was left open",
               "session=%s camera=%s error=%s", o->session_id, o->camera, bf_log_quote(quoted, sizeof quoted, e.text));
    return !again;
}

static void on_close_again(uv_timer_t *timer);

void bf_ingest_close_orphans(struct bf_ingest *g)
{
    size_t left = 0;

    g->orphans_unwanted = true;
    for (size_t i = 0; i < g->n_orphans; i++)
        if (!close_orphan(g, &g->orphans[i]))
            g->orphans[left++] = g->orphans[i];
    g->n_orphans = left;
    g->orphans_refused = left > 0;
    bf_ingest_tell_alarms(g);
    if (left > 0 && !g->draining)
        uv_timer_start(&g->close_again, on_close_again, CLOSE_AGAIN_MS, 0);
}

static void on_close_again(uv_timer_t *timer)
{
    bf_ingest_close_orphans(timer->data);
}

void bf_ingest_remember_unclosed(struct bf_ingest *g, const struct bf_session *s)
{
    struct bf_orphan *grown = reallocarray(g->orphans, g->n_orphans + 1, sizeof *grown);

    if (grown == NULL)
        return;
    g->orphans = grown;
    memcpy(grown[g->n_orphans].camera, bf_session_camera(s), strlen(bf_session_camera(s)) + 1);
    memcpy(grown[g->n_orphans].session_id, bf_session_id(s), BF_ULID_SIZE);
    g->n_orphans++;
    g->orphans_refused = true;
    uv_timer_start(&g->close_again, on_close_again, CLOSE_AGAIN_MS, 0);
}

/* One that is desired again goes on by itself: opening its directory finds it. */
void bf_ingest_adopt_orphan(struct bf_ingest *g, const char *session_id)
{
    for (size_t i = 0; i < g->n_orphans; i++)
        if (strcmp(g->orphans[i].session_id, session_id) == 0)
            g->orphans[i] = g->orphans[--g->n_orphans];
}
