#include "gateway/blob.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>

#include <zlib.h>

struct counted {
    struct bf_blob blob; /* first, so that one is the other */
    atomic_uint refs;
};

struct bf_blob *bf_blob_new(char *data, size_t size)
{
    struct counted *c = malloc(sizeof *c);
    if (c == NULL)
        return NULL;

    c->blob = (struct bf_blob){ .size = size, .data = data };
    atomic_init(&c->refs, 1);
    return &c->blob;
}

struct bf_blob *bf_blob_ref(struct bf_blob *b)
{
    atomic_fetch_add_explicit(&((struct counted *)b)->refs, 1, memory_order_relaxed);
    return b;
}

void bf_blob_unref(struct bf_blob *b)
{
    if (b == NULL || atomic_fetch_sub_explicit(&((struct counted *)b)->refs, 1, memory_order_acq_rel) != 1)
        return;
    free(b->data);
    free(b);
}

struct bf_blob *bf_blob_gzip(const struct bf_blob *b)
{
    const int window_bits = 15 + 16; /* 16: a gzip header and trailer around it */
    const int memory_level = 7;      /* playlists are a few KB: less memory, same result */
    z_stream z = { 0 };

    if (b->size > INT32_MAX || deflateInit2(&z, 5, Z_DEFLATED, window_bits, memory_level, Z_DEFAULT_STRATEGY) != Z_OK)
        return NULL;
    size_t room = deflateBound(&z, (uLong)b->size);
    char *data = malloc(room + 1);
    z.next_in = (Bytef *)b->data;
    z.avail_in = (uInt)b->size;
    z.next_out = (Bytef *)data;
    z.avail_out = (uInt)room;
    int done = data == NULL ? Z_MEM_ERROR : deflate(&z, Z_FINISH);
    size_t size = z.total_out;
    deflateEnd(&z);

    struct bf_blob *packed = done == Z_STREAM_END ? bf_blob_new(data, size) : NULL;
    if (packed == NULL)
        free(data);
    else
        data[size] = '\0';
    return packed;
}

static int make_room(struct bf_text *t, size_t more)
{
    size_t room = t->room == 0 ? 1024 : t->room;

    while (room < t->size + more + 1)
        room *= 2;
    if (room == t->room)
        return 0;
    char *grown = realloc(t->data, room);
    if (grown == NULL)
        return -ENOMEM;
    t->data = grown;
    t->room = room;
    return 0;
}

void bf_text_add(struct bf_text *t, const char *format, ...)
{
    va_list args, again;

    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (t->failed == 0 && length >= 0)
        t->failed = make_room(t, (size_t)length);
    if (t->failed == 0 && length >= 0) {
        vsnprintf(t->data + t->size, (size_t)length + 1, format, again);
        t->size += (size_t)length;
    }
    va_end(again);
}

void bf_text_done(struct bf_text *t)
{
    free(t->data);
    *t = (struct bf_text){ 0 };
}

struct bf_blob *bf_text_take(struct bf_text *t)
{
    struct bf_blob *b = NULL;

    if (t->failed == 0 && make_room(t, 0) == 0) {
        t->data[t->size] = '\0';
        b = bf_blob_new(t->data, t->size);
    }
    if (b != NULL)
        t->data = NULL;
    bf_text_done(t);
    return b;
}
