#include "media/h264.h"

#include <string.h>

#include "media/rbsp.h"

enum { SEI_USER_DATA_UNREGISTERED = 5, SEI_CAPTURE_SIZE = 16 + 8 };

/* Marks the SEI as a Belfry capture time; part of the wire format. Holds no byte that would need emulation prevention. */
static const uint8_t capture_uuid[16] = { 0x83, 0x97, 0xc9, 0x1f, 0x65, 0x40, 0x4b, 0x8c,
                                          0xb5, 0x99, 0xe0, 0xa0, 0xf5, 0xb4, 0x4b, 0xf0 };

static size_t find_start_code(const uint8_t *data, size_t size, size_t from)
{
    static const uint8_t code[3] = { 0, 0, 1 };
    if (from >= size)
        return size;
    const uint8_t *at = memmem(data + from, size - from, code, sizeof(code));
    return at != NULL ? (size_t)(at - data) : size;
}

bool bf_nal_next(const uint8_t *data, size_t size, size_t *offset, struct bf_nal *ret)
{
    size_t code = find_start_code(data, size, *offset);
    while (code < size) {
        size_t begin = code + 3, end = find_start_code(data, size, begin);
        code = end;
        while (end > begin && data[end - 1] == 0) /* trailing_zero_8bits, or the next unit's zero_byte */
            end--;
        if (end == begin)
            continue;

        *offset = code;
        *ret = (struct bf_nal){ .data = data + begin, .size = end - begin, .type = data[begin] & 0x1f };
        return true;
    }
    *offset = size;
    return false;
}

/* 7.3.2.3.1: a number as a run of 0xff and a last byte. */
static size_t read_sei_number(struct bf_rbsp *r)
{
    size_t sum = 0;
    uint8_t byte;
    do {
        byte = bf_rbsp_byte(r);
        sum += byte;
    } while (byte == 0xff && !r->failed);
    return sum;
}

static uint64_t read_capture(struct bf_rbsp *r)
{
    uint8_t bytes[SEI_CAPTURE_SIZE];
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = bf_rbsp_byte(r);
    if (r->failed || memcmp(bytes, capture_uuid, sizeof(capture_uuid)) != 0)
        return 0;

    uint64_t capture_us = 0;
    for (size_t i = sizeof(capture_uuid); i < sizeof(bytes); i++)
        capture_us = capture_us << 8 | bytes[i];
    return capture_us;
}

/* The capture time in an SEI NAL unit of any number of messages; 0 where there is none. */
static uint64_t sei_capture(const struct bf_nal *nal)
{
    struct bf_rbsp r = bf_rbsp_of(nal->data, nal->size);
    (void)bf_rbsp_byte(&r);                  /* NAL header */
    while (!r.failed && r.at + 1 < r.size) { /* the last byte is rbsp_trailing_bits */
        size_t type = read_sei_number(&r), size = read_sei_number(&r);
        if (type != SEI_USER_DATA_UNREGISTERED || size != SEI_CAPTURE_SIZE) {
            bf_rbsp_skip(&r, size);
            continue;
        }
        uint64_t capture_us = read_capture(&r);
        if (capture_us != 0)
            return capture_us;
    }
    return 0;
}

void bf_au_scan(const uint8_t *data, size_t size, struct bf_au *ret)
{
    struct bf_au au = { 0 };
    struct bf_nal nal;
    for (size_t offset = 0; bf_nal_next(data, size, &offset, &nal);) {
        if (nal.type >= BF_NAL_SLICE && nal.type <= BF_NAL_IDR && !au.has_slice) {
            au.has_slice = true;
            au.slice = nal;
        }
        if (nal.type == BF_NAL_IDR)
            au.idr = true;
        else if (nal.type == BF_NAL_SPS)
            au.sps = nal;
        else if (nal.type == BF_NAL_PPS)
            au.pps = nal;
        else if (nal.type == BF_NAL_SEI && au.capture_us == 0)
            au.capture_us = sei_capture(&nal);
    }
    *ret = au;
}

/* Appends one byte of RBSP, with an emulation prevention byte in front where 7.4.1 wants it. */
static void put_escaped(uint8_t *to, size_t *at, uint8_t byte)
{
    if (byte <= 3 && to[*at - 1] == 0 && to[*at - 2] == 0)
        to[(*at)++] = 3;
    to[(*at)++] = byte;
}

size_t bf_sei_capture_write(uint8_t ret[static BF_SEI_MAX], uint64_t capture_us)
{
    static const uint8_t head[] = { 0, 0, 0, 1, BF_NAL_SEI, SEI_USER_DATA_UNREGISTERED, SEI_CAPTURE_SIZE };
    memcpy(ret, head, sizeof(head));
    size_t at = sizeof(head);
    memcpy(ret + at, capture_uuid, sizeof(capture_uuid));
    at += sizeof(capture_uuid);

    for (unsigned shift = 64; shift > 0; shift -= 8)
        put_escaped(ret, &at, (uint8_t)(capture_us >> (shift - 8)));
    put_escaped(ret, &at, 0x80); /* rbsp_trailing_bits */
    return at;
}
