#include "fixture.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"

struct bf_frame *picture_new(uint32_t width, uint32_t height)
{
    struct bf_frame *f = calloc(1, sizeof(*f));
    uint8_t *samples = calloc(1, (size_t)width * height * 3 / 2);
    assert_non_null(f);
    assert_non_null(samples);
    *f = (struct bf_frame){
        .format = BF_I420, .width = width, .height = height, .strides = { width, width / 2, width / 2 }
    };
    f->planes[0] = samples;
    f->planes[1] = f->planes[0] + (size_t)width * height;
    f->planes[2] = f->planes[1] + (size_t)width * height / 4;
    return f;
}

void picture_paint(struct bf_frame *f, unsigned index)
{
    for (uint32_t y = 0; y < f->height; y++)
        for (uint32_t x = 0; x < f->width; x++)
            f->planes[0][y * f->strides[0] + x] = (uint8_t)(16 + (x * 3 + y * 5 + index * 7 + (x * y >> 5)) % 220);
    memset(f->planes[1], (int)(64 + index % 128), (size_t)f->strides[1] * f->height / 2);
    memset(f->planes[2], (int)(192 - index % 128), (size_t)f->strides[2] * f->height / 2);
    f->capture_us = 1000000 + (uint64_t)index * 40000;
    f->mono_us = f->capture_us + 7;
}

void picture_free(struct bf_frame *f)
{
    free(f->planes[0]);
    free(f);
}

struct access_unit *access_units_new(uint32_t width, uint32_t height, unsigned count, unsigned gop)
{
    const struct bf_encoder_options options = { .name = "libx264",
                                                .width = width,
                                                .height = height,
                                                .fps = 25,
                                                .bitrate_kbps = 800,
                                                .gop_frames = gop,
                                                .format = BF_I420 };
    struct bf_encoder *encoder = NULL;
    struct bf_error e = { "" };
    struct access_unit *aus = calloc(count, sizeof(*aus));
    struct bf_frame *f = picture_new(width, height);
    assert_non_null(aus);
    if (bf_encoder_new(&encoder, &options, &e) < 0)
        fail_msg("%s", e.text);

    for (unsigned i = 0; i < count; i++) {
        struct bf_encoded out;
        picture_paint(f, i);
        assert_int_equal(bf_encoder_encode(encoder, f, false, &out), 0);
        aus[i] = (struct access_unit){
            .data = malloc(out.size), .size = out.size, .idr = out.idr, .capture_us = out.capture_us
        };
        assert_non_null(aus[i].data);
        memcpy(aus[i].data, out.data, out.size);
    }
    picture_free(f);
    bf_encoder_free(encoder);
    return aus;
}

void access_units_free(struct access_unit *aus, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        free(aus[i].data);
    free(aus);
}

uint64_t be_read(const uint8_t *p, unsigned bytes)
{
    uint64_t value = 0;
    while (bytes-- > 0)
        value = value << 8 | *p++;
    return value;
}

bool box_next(const uint8_t *data, size_t size, size_t *offset, struct box *ret)
{
    if (*offset == size)
        return false;
    assert_true(size - *offset >= 8);
    const uint8_t *p = data + *offset;
    size_t length = (size_t)be_read(p, 4);
    assert_true(length >= 8 && length <= size - *offset);
    *ret = (struct box){ .body = p + 8, .body_size = length - 8, .box_size = length };
    memcpy(ret->type, p + 4, 4);
    *offset += length;
    return true;
}

struct box box_find(const uint8_t *data, size_t size, const char *path)
{
    struct box box = { .body = data, .body_size = size };
    while (*path != '\0') {
        size_t offset = 0;
        const uint8_t *inside = box.body;
        size_t inside_size = box.body_size;
        bool found = false;
        while (!found && box_next(inside, inside_size, &offset, &box))
            found = strncmp(box.type, path, 4) == 0;
        if (!found)
            fail_msg("no box %s", path);
        path += path[4] == '/' ? 5 : 4;
    }
    return box;
}

const char *output_of(const char *format, ...)
{
    static char text[65536];
    char command[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(command, sizeof(command), format, args);
    va_end(args);

    FILE *p = popen(command, "r");
    assert_non_null(p);
    size_t n = fread(text, 1, sizeof(text) - 1, p);
    while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == ' '))
        n--;
    text[n] = '\0';
    int status = pclose(p);
    if (status != 0)
        fail_msg("%s: exit status %d: %s", command, status, text);
    return text;
}

int make_dir(char ret_path[static 64])
{
    snprintf(ret_path, 64, "/tmp/belfry-media-XXXXXX");
    assert_non_null(mkdtemp(ret_path));
    int fd = open(ret_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

void remove_dir(int fd, const char *path)
{
    DIR *d = fdopendir(fd);
    assert_non_null(d);
    for (struct dirent *entry; (entry = readdir(d)) != NULL;)
        if (entry->d_name[0] != '.')
            assert_int_equal(unlinkat(fd, entry->d_name, 0), 0);
    closedir(d);
    assert_int_equal(rmdir(path), 0);
}

void write_file(int dirfd, const char *name, const void *data, size_t size)
{
    int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(bf_write_all(fd, data, size), 0);
    close(fd);
}

struct bf_transport *listen_on_loopback(enum bf_transport_kind kind, unsigned timeout_ms, const char *passphrase)
{
    const struct bf_transport_options options = {
        .kind = kind, .host = "127.0.0.1", .latency_ms = 20, .passphrase = passphrase, .timeout_ms = timeout_ms
    };
    struct bf_transport *t = NULL;
    struct bf_error e = { "" };
    if (bf_transport_listen(&t, &options, &e) < 0)
        fail_msg("%s", e.text);
    assert_int_not_equal(bf_transport_port(t), 0);
    return t;
}

struct bf_transport *dial_loopback(enum bf_transport_kind kind, uint16_t port, const char *passphrase)
{
    const struct bf_transport_options options = {
        .kind = kind, .host = "127.0.0.1", .port = port, .latency_ms = 20, .passphrase = passphrase, .timeout_ms = 3000
    };
    struct bf_transport *t = NULL;
    struct bf_error e = { "" };
    if (bf_transport_dial(&t, &options, &e) < 0)
        fail_msg("%s", e.text);
    return t;
}
