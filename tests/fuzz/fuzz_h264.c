/* Annex B scan, SPS and capture time out of any bytes. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "media/h264.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bf_au au;
    struct bf_sps sps;
    char codecs[12];
    bf_au_scan(data, size, &au);
    if (au.sps.size > 0 && bf_sps_parse(au.sps.data, au.sps.size, &sps) == 0)
        bf_sps_codecs(&sps, codecs);
    if (bf_sps_parse(data, size, &sps) == 0 && (sps.width == 0 || sps.height == 0 || sps.fps_den == 0))
        abort();
    return 0;
}
