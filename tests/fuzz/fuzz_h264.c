/* Annex B scan, SEI, SPS and capture time out of any bytes; and our own SEI in front of them, which must be read as it was
 * written whatever follows. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "media/h264.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Every unit lies inside the buffer, behind the one before it. */
static void walk(const uint8_t *data, size_t size)
{
    const uint8_t *end = data;
    struct bf_nal nal;

    for (size_t offset = 0; bf_nal_next(data, size, &offset, &nal); end = nal.data + nal.size)
        if (nal.size == 0 || nal.data < end || nal.data + nal.size > data + size || nal.type > 31)
            abort();
}

static void own_capture(const uint8_t *data, size_t size)
{
    uint64_t capture_us;
    struct bf_au au;
    uint8_t *buffer;
    size_t sei;

    if (size < sizeof(capture_us))
        return;
    memcpy(&capture_us, data, sizeof(capture_us));
    buffer = malloc(BF_SEI_MAX + size);
    if (buffer == NULL)
        return;
    sei = bf_sei_capture_write(buffer, capture_us);
    memcpy(buffer + sei, "\0\0\1", 3);
    memcpy(buffer + sei + 3, data + sizeof(capture_us), size - sizeof(capture_us));
    bf_au_scan(buffer, sei + 3 + size - sizeof(capture_us), &au);
    if (capture_us != 0 && au.capture_us != capture_us)
        abort();
    free(buffer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bf_au au;
    struct bf_sps sps;
    char codecs[12];

    walk(data, size);
    own_capture(data, size);
    bf_au_scan(data, size, &au);
    if (au.sps.size > 0 && bf_sps_parse(au.sps.data, au.sps.size, &sps) == 0)
        bf_sps_codecs(&sps, codecs);
    if (bf_sps_parse(data, size, &sps) == 0 && (sps.width == 0 || sps.height == 0 || sps.fps_den == 0))
        abort();
    return 0;
}
