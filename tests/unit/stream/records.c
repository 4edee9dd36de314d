#include "records.h"

static uint8_t hash[32] = { 1, 2, 3 };

void make_start(struct test_record *r)
{
    belfry__v1__record__init(&r->record);
    belfry__v1__session_start__init(&r->start);
    r->start.site = "home";
    r->start.camera = "cam-1";
    r->start.session_id = TEST_SESSION;
    r->start.ingest = "ingest-1";
    r->start.started_at_ms = 1700000000000;
    r->start.part_target_us = 233334;
    r->start.target_duration_s = 2;
    r->start.profile = BELFRY__V1__PROFILE__PROFILE_BALANCED;
    r->start.segment_us = 2000000;
    r->start.window_ms = 12000;
    r->record.kind_case = BELFRY__V1__RECORD__KIND_START;
    r->record.start = &r->start;
}

void make_init(struct test_record *r, char *file)
{
    belfry__v1__record__init(&r->record);
    belfry__v1__init__init(&r->init);
    r->init.file = file;
    r->init.codecs = "avc1.42c01f";
    r->init.width = 640;
    r->init.height = 480;
    r->init.sha256 = (ProtobufCBinaryData){ sizeof hash, hash };
    r->record.kind_case = BELFRY__V1__RECORD__KIND_INIT;
    r->record.init = &r->init;
}

void make_part(struct test_record *r, uint64_t counter, uint64_t msn, uint64_t offset)
{
    belfry__v1__record__init(&r->record);
    belfry__v1__part__init(&r->part);
    r->part.counter = counter;
    r->part.msn = msn;
    r->part.offset = offset;
    r->part.length = 1000;
    r->part.duration_90k = 18000;
    r->part.independent = offset == 0;
    r->part.capture_us = 1700000000000000 + counter * 200000;
    r->part.decode_time_90k = counter * 18000;
    r->part.frames = 6;
    r->record.kind_case = BELFRY__V1__RECORD__KIND_PART;
    r->record.part = &r->part;
}

void make_segment_end(struct test_record *r, uint64_t msn, unsigned parts)
{
    belfry__v1__record__init(&r->record);
    belfry__v1__segment_end__init(&r->segment_end);
    r->segment_end.msn = msn;
    r->segment_end.bytes = 1000ULL * parts;
    r->segment_end.duration_90k = 18000ULL * parts;
    r->segment_end.sha256 = (ProtobufCBinaryData){ sizeof hash, hash };
    r->segment_end.link = (ProtobufCBinaryData){ sizeof hash, hash };
    r->record.kind_case = BELFRY__V1__RECORD__KIND_SEGMENT_END;
    r->record.segment_end = &r->segment_end;
}

void make_gap(struct test_record *r, uint64_t msn, uint64_t duration_90k)
{
    belfry__v1__record__init(&r->record);
    belfry__v1__gap__init(&r->gap);
    r->gap.msn = msn;
    r->gap.duration_90k = duration_90k;
    r->gap.reason = "disk_full";
    r->record.kind_case = BELFRY__V1__RECORD__KIND_GAP;
    r->record.gap = &r->gap;
}

void make_end(struct test_record *r)
{
    belfry__v1__record__init(&r->record);
    belfry__v1__session_end__init(&r->end);
    r->end.ended_at_ms = 1700000060000;
    r->end.reason = "stopped";
    r->end.chain_head = (ProtobufCBinaryData){ sizeof hash, hash };
    r->record.kind_case = BELFRY__V1__RECORD__KIND_END;
    r->record.end = &r->end;
}
