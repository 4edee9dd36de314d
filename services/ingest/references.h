/* Have the pictures come that a picture refers to? H.264 numbers those that may be referred to (frame_num, ITU-T H.264
 * 7.4.3), so a decoder, and this, notices one that a network lost whole, which nothing in MPEG-TS tells for sure. Pure.
 * What cannot be known counts as whole: streams that leave numbers out on purpose. The reverse is possible: a picture
 * with memory_management_control_operation 5 that is no IDR has the numbers begin anew (7.4.3) just as a lost IDR does, so
 * a stream that uses it counts as damaged from there to the next IDR. Taking such a jump for whole would hide every lost
 * IDR. */
#ifndef BELFRY_INGEST_REFERENCES_H
#define BELFRY_INGEST_REFERENCES_H

#include "media/h264.h"

struct bf_references {
    uint32_t last; /* frame_num of the last picture that may be referred to */
    bool broken;   /* one is missing since the last IDR */
};

enum bf_reference {
    BF_REFERENCE_WHOLE,
    BF_REFERENCE_MISSING, /* a decoder that gets this picture shows damage, here and up to the next IDR */
    BF_REFERENCE_PAST,    /* of a number that has been passed: overtaken, or a repetition */
};

/* Takes the pictures of a stream in decoding order. `goes_back`: its decode time is not after that of the one before;
 * only such a picture is called PAST, and changes nothing. */
enum bf_reference bf_references_next(struct bf_references *r, const struct bf_sps *sps, const struct bf_au *au,
                                     bool goes_back);

#endif
