#include "janitor/policy.h"

bool bf_session_over(const struct bf_session_facts *f, const struct bf_session_policy *p)
{
    return f->deleted || f->ended || (!f->ingest_runs_it && f->quiet_ms >= p->abandoned_ms);
}

static bool wants_archive(const struct bf_session_facts *f)
{
    return f->fate == BF_FATE_ARCHIVE || (f->fate == BF_FATE_UNLISTED && f->record);
}

enum bf_action bf_session_decide(const struct bf_session_facts *f, const struct bf_session_policy *p)
{
    if (f->deleted)
        return BF_ACTION_PURGE;
    if (f->damaged)
        return BF_ACTION_REPORT;
    if (f->fate == BF_FATE_LIVE || !bf_session_over(f, p))
        return f->record || f->fate == BF_FATE_ARCHIVE ? BF_ACTION_KEEP : BF_ACTION_TRIM;

    if (wants_archive(f) && f->has_media)
        return BF_ACTION_ARCHIVE;
    return f->since_end_ms >= p->purge_after_ms ? BF_ACTION_PURGE : BF_ACTION_WAIT;
}
