#include "ingest/references.h"

enum bf_reference bf_references_next(struct bf_references *r, const struct bf_sps *sps, const struct bf_au *au,
                                     bool goes_back)
{
    struct bf_slice slice;

    if (au->idr) {
        *r = (struct bf_references){ 0 };
        return BF_REFERENCE_WHOLE;
    }
    if (sps->frame_num_gaps || bf_slice_parse(&au->slice, sps, &slice) != 0)
        return r->broken ? BF_REFERENCE_MISSING : BF_REFERENCE_WHOLE;

    uint32_t next = (r->last + 1) & ((1U << sps->frame_num_bits) - 1);
    if (goes_back && slice.frame_num != next)
        return BF_REFERENCE_PAST;
    r->broken |= slice.frame_num != next && slice.frame_num != r->last;
    if (slice.reference)
        r->last = slice.frame_num;
    return r->broken ? BF_REFERENCE_MISSING : BF_REFERENCE_WHOLE;
}
