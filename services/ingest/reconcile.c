#include "ingest/reconcile.h"

#include <string.h>

enum bf_fate bf_fate_of(const struct bf_present *present, const char *const *wanted, size_t n_wanted)
{
    for (size_t i = 0; i < n_wanted; i++)
        if (strcmp(wanted[i], present->session_id) == 0)
            return BF_FATE_KEEP;
    if (present->presence == BF_PRESENT_RUNNING)
        return BF_FATE_STOP;
    return present->presence == BF_PRESENT_OVER ? BF_FATE_FORGET : BF_FATE_KEEP;
}

bool bf_is_new(const char *wanted, const struct bf_present *present, size_t n_present)
{
    for (size_t i = 0; i < n_present; i++)
        if (strcmp(wanted, present[i].session_id) == 0)
            return false;
    return true;
}
