/* Everything of an HTTP request that the gateway parses by hand: path and route, query, headers, JSON body. The input
 * is lines: path, query, Range, If-None-Match, Accept-Encoding; the rest is the body. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/app.h"
#include "gateway/body.h"
#include "gateway/http_parse.h"
#include "gateway/router.h"

#define LINES 5

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void route(const char *path_text)
{
    static const enum bf_method methods[] = { BF_GET, BF_HEAD, BF_POST, BF_PATCH, BF_DELETE, (enum bf_method)0 };
    static struct bf_app app;
    struct bf_path path;
    struct bf_params p;
    size_t index;
    unsigned allowed;

    if (app.n_routes == 0)
        bf_routes_collect(&app);
    if (bf_path_parse(&path, path_text) < 0)
        return;
    assert(path.n <= BF_PATH_SEGMENTS);
    for (size_t i = 0; i < path.n; i++) /* what becomes part of a file's name */
        assert(strchr(path.segment[i], '/') == NULL && strcmp(path.segment[i], "..") != 0);
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        if (bf_route_find(app.routes, app.n_routes, methods[i], &path, &index, &p, &allowed) == 0) {
            assert(index < app.n_routes);
            assert(p.camera[0] == '\0' || bf_id_valid(p.camera));
            assert(p.session[0] == '\0' || bf_ulid_valid(p.session));
        }
}

static void query(const char *text)
{
    struct bf_hls_query q;
    struct bf_error e;
    char camera[BF_ID_SIZE];

    bf_hls_query_parse(&q, text, &e);
    if (bf_query_get(text, "camera", camera, sizeof camera) == 0)
        assert(strlen(camera) < sizeof camera);
}

static void headers(const char *range, const char *etags, const char *codings)
{
    static const uint64_t sizes[] = { 0, 1, 1000, UINT64_MAX };

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct bf_range r = bf_range_parse(range, sizes[i]);
        if (r.kind == BF_RANGE_SLICE)
            assert(r.length > 0 && r.first < sizes[i] && r.length <= sizes[i] - r.first);
    }
    bf_etag_matches(etags, "\"abc\"");
    bf_accepts_gzip(codings);
    bf_is_json_type(codings);
}

static void body(const char *text, size_t size)
{
    bool flag = false;
    uint32_t number = 64;
    char title[201] = "";
    struct bf_body_error e;
    const struct bf_body_field fields[] = {
        { .name = "record", .type = BF_BODY_BOOL, .value = &flag },
        { .name = "width", .type = BF_BODY_NUMBER, .value = &number, .min = 64, .max = 1920, .even = true },
        { .name = "title", .type = BF_BODY_TEXT, .value = title, .min = 1, .max = sizeof title - 1 },
    };

    if (bf_body_parse(text, size, fields, sizeof fields / sizeof fields[0], &e) == 0)
        assert(number >= 64 && number <= 1920 && number % 2 == 0 && strlen(title) < sizeof title);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    char *line[LINES];
    char *at = text;

    if (text == NULL)
        return 0;
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    for (int i = 0; i < LINES; i++) {
        char *end = memchr(at, '\n', (size_t)(text + size - at));
        line[i] = at;
        at = end == NULL ? text + size : end + 1;
        if (end != NULL)
            *end = '\0';
    }
    route(line[0]);
    query(line[1]);
    headers(line[2], line[3], line[4]);
    body(at, (size_t)(text + size - at));
    free(text);
    return 0;
}
