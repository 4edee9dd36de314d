#include "janitor/session_load.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "stream/journal.h"

BF_DEFINE_CLEANUP(struct bf_journal_reader, bf_journal_reader_free)

int bf_session_load(int dirfd, struct bf_session_view *v, struct bf_error *e)
{
    _cleanup_(bf_journal_reader_freep) struct bf_journal_reader *reader = NULL;
    int r = bf_journal_reader_open(&reader, dirfd);
    if (r < 0)
        return bf_fail(e, r, "journal: %s", strerror(-r));

    Belfry__V1__Record *record;
    while ((r = bf_journal_next(reader, &record)) == 0) {
        r = bf_session_view_apply(v, record);
        belfry__v1__record__free_unpacked(record, NULL);
        if (r < 0)
            break;
    }
    if (r == -EAGAIN)
        return 0;
    return bf_fail(e, r, "journal: damaged at byte %" PRIu64 ": %s", bf_journal_offset(reader), strerror(-r));
}
