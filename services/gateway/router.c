#include "gateway/router.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    enum bf_method method;
} methods[] = {
    { "GET", BF_GET },     { "HEAD", BF_HEAD },     { "POST", BF_POST },
    { "PATCH", BF_PATCH }, { "DELETE", BF_DELETE }, { "OPTIONS", BF_OPTIONS },
};

enum bf_method bf_method_parse(const char *word)
{
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        if (strcmp(methods[i].name, word) == 0)
            return methods[i].method;
    return (enum bf_method)0;
}

const char *bf_method_name(enum bf_method method)
{
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        if (methods[i].method == method)
            return methods[i].name;
    return "other";
}

const char *bf_methods_format(unsigned bits, char *buf, size_t size)
{
    size_t at = 0;

    buf[0] = '\0';
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        if ((bits & methods[i].method) != 0 && at < size)
            at += (size_t)snprintf(buf + at, size - at, "%s%s", at == 0 ? "" : ", ", methods[i].name);
    return buf;
}

static bool take_param(const char *name, size_t name_length, const char *value, struct bf_params *p)
{
    if (name_length == 6 && memcmp(name, "camera", 6) == 0) {
        if (!bf_id_valid(value))
            return false;
        memcpy(p->camera, value, strlen(value) + 1);
        return true;
    }
    if ((name_length == 7 && memcmp(name, "session", 7) == 0) ||
        (name_length == 9 && memcmp(name, "recording", 9) == 0)) {
        if (!bf_ulid_valid(value))
            return false;
        memcpy(p->session, value, BF_ULID_SIZE);
        return true;
    }
    return name_length == 6 && memcmp(name, "number", 6) == 0 && bf_parse_u64(value, &p->number);
}

/* One segment against one segment of the pattern ("part-{number}.m4s"). */
static bool segment_fits(const char *pattern, size_t length, const char *segment, struct bf_params *p)
{
    const char *open = memchr(pattern, '{', length);
    const char *close = memchr(pattern, '}', length);
    size_t size = strlen(segment);
    char value[64];

    if (open == NULL || close == NULL)
        return size == length && memcmp(pattern, segment, length) == 0;
    size_t before = (size_t)(open - pattern), after = length - (size_t)(close - pattern) - 1;
    if (size < before + after || size - before - after >= sizeof value)
        return false;
    if (memcmp(pattern, segment, before) != 0 || memcmp(close + 1, segment + size - after, after) != 0)
        return false;
    memcpy(value, segment + before, size - before - after);
    value[size - before - after] = '\0';
    return take_param(open + 1, (size_t)(close - open - 1), value, p);
}

static bool pattern_fits(const char *pattern, const struct bf_path *path, struct bf_params *ret)
{
    struct bf_params p = { 0 };
    size_t i = 0;

    for (const char *at = pattern + 1; *at != '\0'; i++) {
        size_t length = strcspn(at, "/");

        if (i >= path->n)
            return false;
        if (length == 6 && memcmp(at, "{path}", 6) == 0) {
            p.rest = i;
            *ret = p;
            return true;
        }
        if (!segment_fits(at, length, path->segment[i], &p))
            return false;
        at += length + (at[length] == '/');
    }
    if (i != path->n)
        return false;
    *ret = p;
    return true;
}

int bf_route_find(const struct bf_http_route *const *routes, size_t n, enum bf_method method,
                  const struct bf_path *path, size_t *ret_index, struct bf_params *ret_params, unsigned *ret_methods)
{
    enum bf_method wanted = method == BF_HEAD ? BF_GET : method;
    struct bf_params p, first;
    unsigned found = 0;
    size_t index = n;

    for (size_t i = 0; i < n; i++) {
        if (!pattern_fits(routes[i]->pattern, path, &p))
            continue;
        found |= routes[i]->method == BF_GET ? BF_GET | BF_HEAD : (unsigned)routes[i]->method;
        if (index == n && routes[i]->method == wanted) {
            index = i;
            first = p;
        }
    }
    if (found == 0)
        return -ENOENT;
    *ret_methods = found;
    if (index == n)
        return -EPERM;
    *ret_index = index;
    *ret_params = first;
    return 0;
}
