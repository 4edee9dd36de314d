/* One-shot requests of a gateway: delete, protect, snapshot. Each is answered once. */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "janitor/janitor.h"
#include "janitor/recording.h"

static void answer(struct bf_janitor *j, const struct bf_incoming *m, const char *code, const char *detail)
{
    Belfry__V1__Failure failure = BELFRY__V1__FAILURE__INIT;
    Belfry__V1__JanitorReply reply = BELFRY__V1__JANITOR_REPLY__INIT;
    if (code != NULL) {
        failure.code = (char *)code;
        failure.detail = (char *)detail;
        failure.at_ms = bf_unix_ms();
        reply.error = &failure;
    }
    int r = bf_bus_reply(bf_service_bus(j->service), m, BF_MSG_JANITOR_REPLY, &reply.base);
    if (r < 0)
        bf_warning("could not answer", "asker=%s error=%s", m->header->sender, strerrorname_np(-r));
}

static struct bf_kept_recording *find_recording(struct bf_janitor *j, const struct bf_incoming *m, const char *id)
{
    struct bf_kept_recording *k = bf_catalog_recording(&j->catalog, id);
    if (k == NULL) {
        bf_janitor_look(j);
        k = bf_catalog_recording(&j->catalog, id);
    }
    if (k == NULL && bf_janitor_is_archiving(j, id))
        answer(j, m, "busy", "the recording is just being finished; try again in a second");
    else if (k == NULL)
        answer(j, m, "not_found", "there is no such recording");
    return k;
}

static void on_delete(struct bf_janitor *j, const struct bf_incoming *m, const Belfry__V1__DeleteRecording *request)
{
    struct bf_error e = { 0 };
    struct bf_kept_recording *k = find_recording(j, m, request->recording_id);
    if (k == NULL)
        return;
    if (k->protected) {
        answer(j, m, "protected", "the recording is protected; take the protection off first");
        return;
    }
    int r = bf_janitor_delete(j, k, m->header->sender, &e);
    answer(j, m, r < 0 ? "delete_failed" : NULL, e.text);
    bf_janitor_run(j);
}

static int set_title(Belfry__V1__Recording *recording, const char *title)
{
    if (*title == '\0')
        return 0;
    char *copy = strdup(title);
    if (copy == NULL)
        return -ENOMEM;
    if (recording->title != protobuf_c_empty_string)
        free(recording->title);
    recording->title = copy;
    return 0;
}

static int rewrite(struct bf_janitor *j, const struct bf_kept_recording *k, const Belfry__V1__ProtectRecording *request,
                   struct bf_error *e)
{
    Belfry__V1__Recording *recording = NULL;
    _cleanup_(bf_closep) int dirfd = bf_catalog_open_session(&j->catalog, k->camera, k->id);
    if (dirfd < 0)
        return bf_fail(e, dirfd, "%s/%s: %s", k->camera, k->id, strerror(-dirfd));

    int r = bf_recording_read(dirfd, bf_service_trust(j->service), bf_unix_ms(), &recording, e);
    if (r == 0)
        r = set_title(recording, request->title);
    if (r == 0) {
        recording->protected_ = request->protected_;
        r = bf_recording_write(j->ops, dirfd, bf_service_key(j->service), recording, e);
    }
    belfry__v1__recording__free_unpacked(recording, NULL);
    return r;
}

static void on_protect(struct bf_janitor *j, const struct bf_incoming *m, const Belfry__V1__ProtectRecording *request)
{
    struct bf_error e = { "out of memory" };
    struct bf_kept_recording *k = find_recording(j, m, request->recording_id);
    if (k == NULL)
        return;
    int r = rewrite(j, k, request, &e);
    if (r < 0) {
        answer(j, m, bf_janitor_code(r, "protect_failed"), e.text);
        return;
    }
    k->protected = request->protected_;
    bf_info("recording changed", "camera=%s session=%s protected=%d asker=%s", k->camera, k->id, k->protected,
            m->header->sender);
    answer(j, m, NULL, NULL);
}

/* A session may be asked for before the next scan would find it. */
static struct bf_followed *find_session(struct bf_janitor *j, const char *id)
{
    struct bf_followed *f = bf_catalog_followed(&j->catalog, id);
    if (f == NULL) {
        bf_janitor_look(j);
        f = bf_catalog_followed(&j->catalog, id);
    }
    return f;
}

static void on_snapshot(struct bf_janitor *j, const struct bf_incoming *m, const Belfry__V1__TakeSnapshot *request)
{
    struct bf_followed *f = find_session(j, request->session_id);
    if (f == NULL || strcmp(f->camera, request->camera) != 0) {
        answer(j, m, "not_found", "that session is not running");
        return;
    }
    _cleanup_(bf_closep) int dirfd = bf_catalog_open_session(&j->catalog, f->camera, f->id);
    if (dirfd >= 0)
        bf_followed_poll(f, dirfd, bf_boot_ms());

    struct bf_asker asker = bf_asker_of(m);
    int r = bf_janitor_snapshot(j, f, &asker);
    if (r == -EAGAIN)
        answer(j, m, "no_picture", "no picture has been written yet; try again");
    else if (r == -EBUSY)
        answer(j, m, "busy", "enough snapshots are being made; try again");
    else if (r < 0)
        answer(j, m, "snapshot_failed", strerror(-r));
}

void bf_janitor_on_command(void *state, const struct bf_incoming *m)
{
    struct bf_janitor *j = state;
    const Belfry__V1__JanitorCommand *command = (const Belfry__V1__JanitorCommand *)m->message;
    if (j->draining) {
        answer(j, m, "stopping", "the janitor is stopping; try again");
        return;
    }
    switch (command->action_case) {
    case BELFRY__V1__JANITOR_COMMAND__ACTION_DELETE:
        on_delete(j, m, command->delete_);
        break;
    case BELFRY__V1__JANITOR_COMMAND__ACTION_PROTECT:
        on_protect(j, m, command->protect);
        break;
    case BELFRY__V1__JANITOR_COMMAND__ACTION_SNAPSHOT:
        on_snapshot(j, m, command->snapshot);
        break;
    default:
        answer(j, m, "unknown_action", "this version does not know what is asked");
        break;
    }
}
