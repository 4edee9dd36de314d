/* Everything of an HTTP request that the gateway parses by hand: path and route, query, headers, JSON body; and what
 * blocking reload makes of the query, for a session of each kind. The input is lines: path, query, Range, If-None-Match,
 * Accept-Encoding, of which the last two stand for Idempotency-Key as well; the rest is the body. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/app.h"
#include "gateway/body.h"
#include "gateway/http_parse.h"
#include "gateway/playlist.h"
#include "gateway/router.h"
#include "stream/layout.h"

#define LINES 5

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The last segment of a path is never taken for a file that it does not name. */
static void names(const char *text)
{
    char name[BF_NAME_SIZE];
    uint64_t number;
    unsigned index;

    if (bf_segment_name_parse(text, &number)) {
        bf_segment_name(name, number);
        assert(strcmp(name, text) == 0);
    }
    if (bf_init_name_parse(text, &index)) {
        bf_init_name(name, index);
        assert(strcmp(name, text) == 0);
    }
    bf_part_name_parse(text, &number);
}

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
    if (path.n > 0)
        names(path.segment[path.n - 1]);
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        if (bf_route_find(app.routes, app.n_routes, methods[i], &path, &index, &p, &allowed) == 0) {
            assert(index < app.n_routes);
            assert(p.camera[0] == '\0' || bf_id_valid(p.camera));
            assert(p.session[0] == '\0' || bf_ulid_valid(p.session));
        }
}

/* Two whole segments of five parts and an open one of two. */
static const struct bf_session_view *session(Belfry__V1__Profile profile, bool ended)
{
    static struct bf_part_view parts[12];
    static struct bf_segment_view segments[3];
    static struct bf_session_view v;

    for (size_t i = 0; i < 12; i++)
        parts[i] =
            (struct bf_part_view){ .counter = i, .msn = i / 5, .duration_90k = 18000, .independent = i % 5 == 0 };
    for (size_t i = 0; i < 3; i++)
        segments[i] = (struct bf_segment_view){ .msn = i, .first_part = i * 5, .n_parts = i < 2 ? 5 : 2 };
    segments[0].complete = segments[1].complete = true;
    v = (struct bf_session_view){ .started = true,
                                  .ended = ended,
                                  .profile = profile,
                                  .part_target_us = 216217,
                                  .target_duration_s = 1,
                                  .next_msn = 3,
                                  .next_counter = 12,
                                  .segments = segments,
                                  .n_segments = 3,
                                  .parts = parts,
                                  .n_parts = 12 };
    return &v;
}

static void reload(const struct bf_hls_query *q)
{
    struct bf_error e = { "" };
    enum bf_reload then = bf_playlist_reload(session(BELFRY__V1__PROFILE__PROFILE_BALANCED, false), q, &e);

    assert((then == BF_RELOAD_REFUSE) == (q->has_part && !q->has_msn));
    if (then == BF_RELOAD_WAIT) /* what is waited for is near */
        assert(q->has_msn && q->msn >= 2 && q->msn <= 3 && (!q->has_part || q->part <= 16));
    if (q->has_msn && q->msn > 3)
        assert(then == BF_RELOAD_TOO_EARLY);
    assert(bf_playlist_reload(session(BELFRY__V1__PROFILE__PROFILE_BALANCED, true), q, &e) == BF_RELOAD_READY);
    assert(bf_playlist_reload(session(BELFRY__V1__PROFILE__PROFILE_ECONOMY, false), q, &e) == BF_RELOAD_READY);
}

static void query(const char *text)
{
    struct bf_hls_query q;
    struct bf_error e = { "" };
    char camera[BF_ID_SIZE];

    if (bf_hls_query_parse(&q, text, &e) == 0)
        reload(&q);
    else
        assert(e.text[0] != '\0');
    if (bf_query_get(text, "camera", camera, sizeof camera) == 0)
        assert(strlen(camera) < sizeof camera);
}

/* What is taken for a key is one, and is the same key when it is sent in quotes. */
static void idempotency_key(const char *header)
{
    char key[BF_IDEMPOTENCY_KEY_SIZE], again[BF_IDEMPOTENCY_KEY_SIZE], quoted[2 * BF_IDEMPOTENCY_KEY_SIZE + 2];
    size_t n = 0;

    if (bf_idempotency_key_parse(key, header) < 0)
        return;
    assert(key[0] != '\0' && strlen(key) < sizeof key);
    quoted[n++] = '"';
    for (const char *at = key; *at != '\0'; at++) {
        assert(*at >= ' ' && *at <= '~');
        if (*at == '"' || *at == '\\')
            quoted[n++] = '\\';
        quoted[n++] = *at;
    }
    quoted[n++] = '"';
    quoted[n] = '\0';
    assert(bf_idempotency_key_parse(again, quoted) == 0 && strcmp(key, again) == 0);
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
    idempotency_key(etags);
    idempotency_key(codings);
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
