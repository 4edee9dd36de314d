#include "viewers.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* --- lines --- */

static void keep(struct lines *l, const char *text, size_t size)
{
    size_t room = sizeof l->kept - l->n;

    memcpy(l->kept + l->n, text, size < room ? size : room);
    l->n += size < room ? size : room;
}

bool lines_next(struct lines *l, const char **at, const char *end, const char **ret, size_t *ret_size)
{
    const char *begin = *at;
    const char *newline = begin < end ? memchr(begin, '\n', (size_t)(end - begin)) : NULL;

    if (newline == NULL) {
        keep(l, begin, (size_t)(end - begin));
        *at = end;
        return false;
    }
    *at = newline + 1;
    if (l->n == 0) {
        *ret = begin;
        *ret_size = (size_t)(newline - begin);
    } else {
        keep(l, begin, (size_t)(newline - begin));
        *ret = l->kept;
        *ret_size = l->n;
        l->n = 0;
    }
    if (*ret_size > 0 && (*ret)[*ret_size - 1] == '\r')
        (*ret_size)--;
    return true;
}

static bool starts(const char *line, size_t size, const char *with)
{
    size_t n = strlen(with);

    return size >= n && memcmp(line, with, n) == 0;
}

/* Digits at the beginning; 0 where there are none. */
static uint64_t number(const char *text, const char *end)
{
    uint64_t n = 0;

    for (; text < end && *text >= '0' && *text <= '9'; text++)
        n = n * 10 + (uint64_t)(*text - '0');
    return n;
}

/* --- the head of an answer --- */

/* The value of "Name: value", if it is that field. */
static const char *field(const char *line, size_t size, const char *name)
{
    size_t n = strlen(name);

    if (size <= n || line[n] != ':' || strncasecmp(line, name, n) != 0)
        return NULL;
    for (n++; n < size && line[n] == ' '; n++)
        continue;
    return line + n;
}

bool answer_line(struct answer *a, const char *line, size_t size)
{
    const char *end = line + size;
    const char *value;

    if (a->status == 0) {
        if (!starts(line, size, "HTTP/1.1 "))
            return false;
        a->status = (int)number(line + 9, end);
        return a->status >= 200 && a->status < 600;
    }
    if (size == 0) {
        a->head_done = true;
        return a->has_length || a->status == 204 || a->status == 304;
    }
    if ((value = field(line, size, "Content-Length")) != NULL) {
        a->has_length = true;
        a->left = number(value, end);
    } else if ((value = field(line, size, "Connection")) != NULL) {
        a->close = end - value >= 5 && strncasecmp(value, "close", 5) == 0;
    } else if ((value = field(line, size, "Retry-After")) != NULL) {
        a->retry_after_s = (unsigned)number(value, end);
    }
    return true;
}

/* --- playlists --- */

/* The value of NAME="value" or NAME=value within a tag; NULL where the tag has none. */
static const char *attribute(const char *line, size_t size, const char *name, size_t *ret_size)
{
    const char *end = line + size;
    const char *found = memmem(line, size, name, strlen(name));

    if (found == NULL)
        return NULL;
    found += strlen(name);
    bool quoted = found < end && *found == '"';
    const char *value = found + quoted;
    const char *stop = value < end ? memchr(value, quoted ? '"' : ',', (size_t)(end - value)) : NULL;
    *ret_size = (size_t)((stop == NULL ? end : stop) - value);
    return value;
}

static void copy(char to[static NAME_MAX_BYTES], const char *text, size_t size)
{
    size_t n = size < NAME_MAX_BYTES - 1 ? size : NAME_MAX_BYTES - 1;

    memcpy(to, text, n);
    to[n] = '\0';
}

/* The counter in "part-<counter>.m4s". */
static bool part_counter(const char *line, size_t size, uint64_t *ret)
{
    static const char prefix[] = "part-";
    size_t n;
    const char *uri = attribute(line, size, "URI=", &n);

    if (uri == NULL || !starts(uri, n, prefix))
        return false;
    *ret = number(uri + sizeof prefix - 1, uri + n);
    return true;
}

static void take_part(struct playlist *p, const char *line, size_t size)
{
    uint64_t counter;

    if (!part_counter(line, size, &counter))
        return;
    if (!p->has_parts)
        p->first_part = p->last_independent = counter;
    p->has_parts = true;
    p->last_part = counter;
    p->open_parts++;
    if (memmem(line, size, "INDEPENDENT=YES", 15) != NULL)
        p->last_independent = counter;
}

static void take_segment(struct playlist *p)
{
    p->segments++;
    p->open_parts = 0;
}

static void take_map(struct playlist *p, const char *line, size_t size)
{
    size_t n;
    const char *uri = attribute(line, size, "URI=", &n);

    if (uri != NULL)
        copy(p->map, uri, n);
}

/* "0.234" in milliseconds, rounded up. */
static void take_part_target(struct playlist *p, const char *line, size_t size)
{
    size_t n;
    const char *value = attribute(line, size, "PART-TARGET=", &n);

    if (value == NULL)
        return;
    uint64_t fraction = 0, scale = 1000000;
    const char *end = value + n, *dot = memchr(value, '.', n);
    for (const char *digit = dot == NULL ? end : dot + 1; digit < end && scale >= 10; digit++) {
        scale /= 10;
        fraction += (uint64_t)(*digit - '0') * scale;
    }
    p->part_target_ms = (uint32_t)(number(value, end) * 1000 + (fraction + 999) / 1000);
}

void playlist_line(struct playlist *p, const char *line, size_t size)
{
    if (starts(line, size, "#EXT-X-PART:"))
        take_part(p, line, size);
    else if (starts(line, size, "#EXTINF:"))
        take_segment(p);
    else if (starts(line, size, "#EXT-X-SKIP:"))
        p->segments += number(line + 29, line + size); /* "#EXT-X-SKIP:SKIPPED-SEGMENTS=" */
    else if (starts(line, size, "#EXT-X-PRELOAD-HINT:"))
        p->has_hint = part_counter(line, size, &p->hint);
    else if (starts(line, size, "#EXT-X-MEDIA-SEQUENCE:"))
        p->media_sequence = number(line + 22, line + size);
    else if (starts(line, size, "#EXT-X-PART-INF:"))
        take_part_target(p, line, size);
    else if (starts(line, size, "#EXT-X-MAP:"))
        take_map(p, line, size);
    else if (starts(line, size, "#EXT-X-ENDLIST"))
        p->ended = true;
    else if (starts(line, size, "#EXTM3U"))
        p->is_playlist = true;
    else if (size > 0 && line[0] != '#' && p->first_uri[0] == '\0')
        copy(p->first_uri, line, size);
}
