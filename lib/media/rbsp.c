#include "media/rbsp.h"

uint8_t bf_rbsp_byte(struct bf_rbsp *r)
{
    if (r->zeros >= 2 && r->at < r->size && r->data[r->at] == 3) {
        r->at++;
        r->zeros = 0;
    }
    if (r->at >= r->size) {
        r->failed = true;
        return 0;
    }
    uint8_t byte = r->data[r->at++];
    r->zeros = byte == 0 ? r->zeros + 1 : 0;
    return byte;
}

void bf_rbsp_skip(struct bf_rbsp *r, size_t bytes)
{
    while (bytes-- > 0 && !r->failed)
        (void)bf_rbsp_byte(r);
}

uint32_t bf_rbsp_bits(struct bf_rbsp *r, unsigned n)
{
    uint32_t value = 0;
    while (n-- > 0 && !r->failed) {
        if (r->bits_left == 0) {
            r->byte = bf_rbsp_byte(r);
            r->bits_left = 8;
        }
        r->bits_left--;
        value = value << 1 | ((uint32_t)r->byte >> r->bits_left & 1u);
    }
    return r->failed ? 0 : value;
}

uint32_t bf_rbsp_ue(struct bf_rbsp *r)
{
    unsigned zeros = 0;
    while (bf_rbsp_bits(r, 1) == 0 && !r->failed) {
        if (++zeros == 32)
            r->failed = true;
    }
    uint32_t suffix = bf_rbsp_bits(r, zeros);
    return r->failed ? 0 : (uint32_t)((UINT64_C(1) << zeros) - 1 + suffix);
}

uint32_t bf_rbsp_ue_max(struct bf_rbsp *r, uint32_t max)
{
    uint32_t value = bf_rbsp_ue(r);
    if (value > max)
        r->failed = true;
    return r->failed ? 0 : value;
}

int32_t bf_rbsp_se(struct bf_rbsp *r)
{
    int64_t k = bf_rbsp_ue(r);
    return (int32_t)(k % 2 != 0 ? (k + 1) / 2 : -(k / 2));
}
