#include "view_builder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static uint8_t hash[32];

int builder_into_view(void *user, const Belfry__V1__Record *r)
{
    return bf_session_view_apply(user, r);
}

static void put(struct builder *b, Belfry__V1__Record *r)
{
    assert_int_equal(b->put(b->user, r), 0);
}

void build_start(struct builder *b, const char *camera, uint32_t part_target_us, uint32_t target_s, uint32_t window_ms)
{
    Belfry__V1__SessionStart s = BELFRY__V1__SESSION_START__INIT;
    Belfry__V1__Record r = BELFRY__V1__RECORD__INIT;

    s.site = (char *)"home";
    s.camera = (char *)camera;
    s.session_id = (char *)BUILDER_SESSION;
    s.ingest = (char *)"ingest-1";
    s.started_at_ms = BUILDER_CAPTURE_US / 1000;
    s.part_target_us = part_target_us;
    s.target_duration_s = target_s;
    s.profile = b->profile == 0 ? BELFRY__V1__PROFILE__PROFILE_BALANCED : b->profile;
    s.segment_us = b->segment_us == 0 ? target_s * 1000000 : b->segment_us;
    s.window_ms = window_ms;
    r.kind_case = BELFRY__V1__RECORD__KIND_START;
    r.start = &s;
    put(b, &r);
}

void build_init(struct builder *b)
{
    Belfry__V1__Init i = BELFRY__V1__INIT__INIT;
    Belfry__V1__Record r = BELFRY__V1__RECORD__INIT;
    char name[24] = "init.mp4";

    if (b->inits > 0)
        snprintf(name, sizeof name, "init-%u.mp4", b->inits);
    b->inits++;
    i.file = name;
    i.codecs = (char *)"avc1.42c01f";
    i.width = 640;
    i.height = 480;
    i.frame_rate_milli = 30000;
    i.sha256 = (ProtobufCBinaryData){ .data = hash, .len = sizeof hash };
    r.kind_case = BELFRY__V1__RECORD__KIND_INIT;
    r.init = &i;
    put(b, &r);
}

static void build_any_part(struct builder *b, uint32_t ticks, bool independent, uint64_t bytes, bool broken)
{
    Belfry__V1__Part p = BELFRY__V1__PART__INIT;
    Belfry__V1__Record r = BELFRY__V1__RECORD__INIT;

    p.counter = b->counter++;
    p.msn = b->msn;
    p.offset = b->offset;
    p.length = bytes;
    p.duration_90k = ticks;
    p.independent = independent;
    p.capture_us = BUILDER_CAPTURE_US + b->total_90k * 100 / 9 + (uint64_t)b->capture_off_us;
    p.decode_time_90k = b->total_90k + b->media_off_90k;
    if (b->says_written)
        p.written_us = BUILDER_CAPTURE_US + (b->total_90k + ticks) * 100 / 9 + (uint64_t)b->written_off_us;
    p.frames = 6;
    p.discontinuity = broken;
    r.kind_case = BELFRY__V1__RECORD__KIND_PART;
    r.part = &p;
    b->offset += bytes;
    b->segment_90k += ticks;
    b->total_90k += ticks;
    put(b, &r);
}

void build_part(struct builder *b, uint32_t ticks, bool independent, uint64_t bytes)
{
    build_any_part(b, ticks, independent, bytes, false);
}

void build_part_after_break(struct builder *b, uint32_t ticks, uint64_t bytes)
{
    build_any_part(b, ticks, true, bytes, true);
}

void build_segment_end(struct builder *b)
{
    Belfry__V1__SegmentEnd s = BELFRY__V1__SEGMENT_END__INIT;
    Belfry__V1__Record r = BELFRY__V1__RECORD__INIT;
    uint8_t signature[64] = { 0 }, keyid[16] = { 0 };

    s.msn = b->msn++;
    s.bytes = b->offset;
    s.duration_90k = b->segment_90k;
    s.decode_time_90k = b->total_90k - b->segment_90k;
    s.sha256 = (ProtobufCBinaryData){ .data = hash, .len = sizeof hash };
    s.link = (ProtobufCBinaryData){ .data = hash, .len = sizeof hash };
    s.signature = (ProtobufCBinaryData){ .data = signature, .len = sizeof signature };
    s.keyid = (ProtobufCBinaryData){ .data = keyid, .len = sizeof keyid };
    r.kind_case = BELFRY__V1__RECORD__KIND_SEGMENT_END;
    r.segment_end = &s;
    b->offset = b->segment_90k = 0;
    put(b, &r);
}

void build_gap(struct builder *b, uint64_t ticks)
{
    Belfry__V1__Gap g = BELFRY__V1__GAP__INIT;
    Belfry__V1__Record r = BELFRY__V1__RECORD__INIT;

    g.msn = b->msn++;
    g.duration_90k = ticks;
    g.reason = (char *)"disk_full";
    r.kind_case = BELFRY__V1__RECORD__KIND_GAP;
    r.gap = &g;
    b->total_90k += ticks;
    put(b, &r);
}

void build_end(struct builder *b, const char *reason)
{
    Belfry__V1__SessionEnd s = BELFRY__V1__SESSION_END__INIT;
    Belfry__V1__Record r = BELFRY__V1__RECORD__INIT;

    s.ended_at_ms = BUILDER_CAPTURE_US / 1000 + b->total_90k / 90;
    s.reason = (char *)reason;
    s.segments = b->msn;
    s.chain_head = (ProtobufCBinaryData){ .data = hash, .len = sizeof hash };
    r.kind_case = BELFRY__V1__RECORD__KIND_END;
    r.end = &s;
    put(b, &r);
}

void build_segment(struct builder *b, unsigned parts)
{
    for (unsigned i = 0; i < parts; i++)
        build_part(b, 18000, i == 0, 1000);
    build_segment_end(b);
}
