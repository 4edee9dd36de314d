/* Recordings as they come and go: into the index, and to listeners. */
#include "gateway/gateway_internal.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"

static bool same(const struct bf_recording *a, const struct bf_recording *b)
{
    return a->bytes == b->bytes && a->is_protected == b->is_protected && strcmp(a->title, b->title) == 0;
}

static void tell(struct bf_gateway *g, const char *name, json_t *json)
{
    _cleanup_(bf_freep) char *text = json_dumps(json, JSON_COMPACT);

    json_decref(json);
    if (text != NULL)
        bf_events_publish(g->app.events, name, text);
}

void bf_gateway_load_recording(struct bf_gateway *g, const char *camera, const char *id)
{
    struct bf_recording before, now;
    struct bf_error e = { "" };
    char quoted[sizeof e.text + 32];
    int dirfd = bf_live_camera_dir(g->app.live, camera);

    if (dirfd < 0 || !bf_ulid_valid(id) || bf_service_trust(g->service) == NULL)
        return; /* without a trust bundle nothing can be known of a recording */
    bool had = bf_recordings_find(g->app.recordings, id, &before) == 0;
    int r = bf_recordings_load(g->app.recordings, dirfd, g->config->site, camera, id, bf_service_trust(g->service), &e);
    if (r < 0) {
        if (r != -ENOENT)
            bf_warning("a recording is not shown", "camera=%s recording=%s error=%s", camera, id,
                       bf_log_quote(quoted, sizeof quoted, e.text[0] == '\0' ? strerror(-r) : e.text));
        return;
    }
    if (bf_recordings_find(g->app.recordings, id, &now) == 0 && !(had && same(&before, &now)))
        tell(g, "recording", bf_json_recording(&now));
}

void bf_gateway_remove_recording(struct bf_gateway *g, const char *id)
{
    if (bf_recordings_remove(g->app.recordings, id))
        tell(g, "recording-deleted", json_pack("{s:s}", "id", id));
}
