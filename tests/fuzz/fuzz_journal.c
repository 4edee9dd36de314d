/* Journal bytes of any kind: frames are parsed, records applied to a view; whatever holds must be consistent. */
#include <stdlib.h>

#include "stream/journal.h"
#include "stream/session_view.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct bf_session_view *v)
{
    if (bf_session_view_keep_start(v) > bf_session_view_window_start(v))
        abort();
    for (size_t i = 0; i < v->n_parts; i++)
        if (bf_session_view_part(v, v->parts[i].counter) != &v->parts[i])
            abort();
    for (size_t i = 0; i < v->n_segments; i++)
        if (bf_session_view_segment(v, v->segments[i].msn) != &v->segments[i])
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bf_session_view view;
    Belfry__V1__Record *record = NULL;
    long used;

    bf_session_view_init(&view);
    while ((used = bf_journal_parse(data, size, &record)) > 0) {
        uint64_t before = view.revision;
        int failed = bf_session_view_apply(&view, record);
        if ((failed == 0) != (view.revision == before + 1))
            abort();
        belfry__v1__record__free_unpacked(record, NULL);
        data += used;
        size -= (size_t)used;
    }
    check(&view);
    bf_session_view_forget(&view, bf_session_view_window_start(&view));
    check(&view);
    bf_session_view_done(&view);
    return 0;
}
