/* Real pictures, real access units, a box walker and ffprobe, for the tests of lib/media. */
#ifndef BELFRY_TESTS_MEDIA_FIXTURE_H
#define BELFRY_TESTS_MEDIA_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "media/encoder.h"
#include "media/frame.h"
#include "media/transport.h"

/* A picture that changes with `index`; free with picture_free. */
struct bf_frame *picture_new(uint32_t width, uint32_t height);
void picture_paint(struct bf_frame *f, unsigned index);
void picture_free(struct bf_frame *f);

struct access_unit {
    uint8_t *data;
    size_t size;
    bool idr;
    uint64_t capture_us;
};
/* `count` frames by libx264, 25 frames/s, an IDR every `gop`; capture_us = 1000000 + 40000 * index. */
struct access_unit *access_units_new(uint32_t width, uint32_t height, unsigned count, unsigned gop);
void access_units_free(struct access_unit *aus, unsigned count);

/* One box inside `size` bytes. Fails the test when lengths do not fit. */
struct box {
    char type[5];
    const uint8_t *body;
    size_t body_size, box_size;
};
bool box_next(const uint8_t *data, size_t size, size_t *offset, struct box *ret);
/* "moof/traf/tfdt"; fails the test when it is not there. */
struct box box_find(const uint8_t *data, size_t size, const char *path);
uint64_t be_read(const uint8_t *p, unsigned bytes);

/* What `command` prints, whitespace at the end removed; fails the test when it does not exit 0. Valid until the next. */
const char *output_of(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* A directory of its own under /tmp; remove_dir removes it and the files in it. */
int make_dir(char ret_path[static 64]);
void remove_dir(int fd, const char *path);
void write_file(int dirfd, const char *name, const void *data, size_t size);

struct bf_transport *listen_on_loopback(enum bf_transport_kind kind, unsigned timeout_ms, const char *passphrase);
struct bf_transport *dial_loopback(enum bf_transport_kind kind, uint16_t port, const char *passphrase);

#endif
