#include "janitor/followed.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stream/layout.h"

#define TRIM_AT_ONCE 512
#define RECORDS_AT_ONCE 4096
#define RETRY_FIRST_MS 5000
#define RETRY_MAX_MS 600000

struct bf_followed *bf_followed_new(const char *camera, const char *id, uint64_t now_ms)
{
    struct bf_followed *f = calloc(1, sizeof *f);
    if (f == NULL)
        return NULL;
    snprintf(f->camera, sizeof f->camera, "%s", camera);
    snprintf(f->id, sizeof f->id, "%s", id);
    f->grown_ms = now_ms;
    f->present = true;
    bf_session_view_init(&f->view);
    return f;
}

void bf_followed_free(struct bf_followed *f)
{
    if (f == NULL)
        return;
    bf_journal_reader_free(f->reader);
    bf_session_view_done(&f->view);
    free(f);
}

static void damage(struct bf_followed *f, int r)
{
    f->damaged = true;
    bf_fail(&f->error, r, "journal damaged at byte %" PRIu64 "; nothing of it is touched",
            bf_journal_offset(f->reader));
    snprintf(f->code, sizeof f->code, "journal_damaged");
}

static bool another_session(const struct bf_followed *f)
{
    return f->view.started && (strcmp(f->view.session_id, f->id) != 0 || strcmp(f->view.camera, f->camera) != 0);
}

static int read_record(struct bf_followed *f)
{
    Belfry__V1__Record *record;
    int r = bf_journal_next(f->reader, &record);
    if (r < 0)
        return r;
    r = bf_session_view_apply(&f->view, record);
    if (r == 0 && record->kind_case == BELFRY__V1__RECORD__KIND_SEGMENT_END)
        f->has_media = true;
    belfry__v1__record__free_unpacked(record, NULL);
    return r == 0 && another_session(f) ? -EBADMSG : r;
}

bool bf_followed_poll(struct bf_followed *f, int dirfd, uint64_t now_ms)
{
    if (f->damaged || f->deleted || f->working)
        return false;
    if (f->reader == NULL && bf_journal_reader_open(&f->reader, dirfd) < 0)
        return false;

    uint64_t before = f->view.revision;
    int r = 0;
    for (unsigned i = 0; r == 0 && i < RECORDS_AT_ONCE; i++)
        r = read_record(f);
    if (r == -EBADMSG)
        damage(f, r);
    if (f->view.revision != before)
        f->grown_ms = now_ms;
    bf_session_view_forget(&f->view, bf_session_view_keep_start(&f->view));
    return f->view.revision != before || r == -EBADMSG;
}

int bf_followed_trim(struct bf_followed *f, const struct bf_file_ops *ops, int dirfd)
{
    uint64_t keep = bf_session_view_keep_start(&f->view);
    int n = 0;
    for (; f->trimmed < keep && n < TRIM_AT_ONCE; f->trimmed++, n++) {
        char name[BF_NAME_SIZE];
        bf_segment_name(name, f->trimmed);
        int r = ops->remove(ops->user, dirfd, name);
        if (r < 0)
            return r;
    }
    return n;
}

struct bf_session_facts bf_followed_facts(const struct bf_followed *f, uint64_t now_ms)
{
    return (struct bf_session_facts){ .deleted = f->deleted,
                                      .damaged = f->damaged,
                                      .record = f->view.record,
                                      .ended = f->view.ended,
                                      .has_media = f->has_media,
                                      .quiet_ms = now_ms - f->grown_ms,
                                      .since_end_ms = f->over_ms != 0 ? now_ms - f->over_ms : 0 };
}

void bf_followed_fail(struct bf_followed *f, const char *code, const struct bf_error *e, uint64_t now_ms,
                      uint64_t unix_ms)
{
    uint64_t wait_ms = f->failures < 7 ? (uint64_t)RETRY_FIRST_MS << f->failures : RETRY_MAX_MS;
    f->failures++;
    f->retry_ms = now_ms + (wait_ms < RETRY_MAX_MS ? wait_ms : RETRY_MAX_MS);
    f->error = *e;
    f->failed_unix_ms = unix_ms;
    snprintf(f->code, sizeof f->code, "%s", code);
}

Belfry__V1__JanitorPhase bf_followed_phase(const struct bf_followed *f)
{
    if (f->code[0] != '\0' && !f->working)
        return BELFRY__V1__JANITOR_PHASE__JANITOR_PHASE_FAILED;
    switch (f->action) {
    case BF_ACTION_ARCHIVE:
        return BELFRY__V1__JANITOR_PHASE__JANITOR_PHASE_ARCHIVING;
    case BF_ACTION_WAIT:
    case BF_ACTION_PURGE:
        return BELFRY__V1__JANITOR_PHASE__JANITOR_PHASE_PURGING;
    case BF_ACTION_REPORT:
        return BELFRY__V1__JANITOR_PHASE__JANITOR_PHASE_FAILED;
    case BF_ACTION_KEEP:
    case BF_ACTION_TRIM:
        break;
    }
    return BELFRY__V1__JANITOR_PHASE__JANITOR_PHASE_TRIMMING;
}
