/* Records for tests: each maker fills storage that it owns, so that a test can chain and change them freely. */
#ifndef BELFRY_TESTS_STREAM_RECORDS_H
#define BELFRY_TESTS_STREAM_RECORDS_H

#include <stdbool.h>
#include <stdint.h>

#include "journal.pb-c.h"

/* One record and what it points to. */
struct test_record {
    Belfry__V1__Record record;
    union {
        Belfry__V1__SessionStart start;
        Belfry__V1__Init init;
        Belfry__V1__Part part;
        Belfry__V1__SegmentEnd segment_end;
        Belfry__V1__Gap gap;
        Belfry__V1__SessionEnd end;
    };
};

#define TEST_SESSION "01JD9Z5K3M8Q2W4E6R7T9Y0ABC"

void make_start(struct test_record *r); /* target 2 s, window 12 s */
void make_init(struct test_record *r, char *file);
void make_part(struct test_record *r, uint64_t counter, uint64_t msn, uint64_t offset); /* 1000 bytes, 18000 ticks */
void make_segment_end(struct test_record *r, uint64_t msn, unsigned parts); /* of so many parts of make_part */
void make_gap(struct test_record *r, uint64_t msn, uint64_t duration_90k);
void make_end(struct test_record *r);

#endif
