/* Everything of a request that is parsed by hand: path, query, range, headers, and the choice of the route. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/http_parse.h"
#include "gateway/router.h"

static void test_paths(void **state)
{
    static const struct {
        const char *raw;
        int result;
        const char *joined; /* with '|' between the segments */
    } table[] = {
        { "/", 0, "" },
        { "/a", 0, "a" },
        { "/a/", 0, "a|" },
        { "/live/door/x.m3u8", 0, "live|door|x.m3u8" },
        { "/%61bc", 0, "abc" },
        { "/a//b", 0, "a||b" },
        { "/...", 0, "..." },
        { "/1/2/3/4/5/6/7/8", 0, "1|2|3|4|5|6|7|8" },
        { "/1/2/3/4/5/6/7/8/9", -2, NULL },
        { "", -74, NULL },
        { "a", -74, NULL },
        { "/..", -74, NULL },
        { "/a/../b", -74, NULL },
        { "/./a", -74, NULL },
        { "/%2e%2e/a", -74, NULL },
        { "/%2E%2e", -74, NULL },
        { "/a%2fb", -74, NULL },
        { "/a%2Fb", -74, NULL },
        { "/a%5cb", -74, NULL },
        { "/a\\b", -74, NULL },
        { "/a%00b", -74, NULL },
        { "/a%0ab", -74, NULL },
        { "/a%7f", -74, NULL },
        { "/a%ff", -74, NULL },
        { "/a%20b", -74, NULL },
        { "/a%", -74, NULL },
        { "/a%2", -74, NULL },
        { "/a%zz", -74, NULL },
        { "/\xc3\xa4", -74, NULL },
    };

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct bf_path path;
        char joined[256] = "";
        int result = bf_path_parse(&path, table[i].raw);

        if (result != table[i].result)
            print_error("%s: %d\n", table[i].raw, result);
        assert_int_equal(result, table[i].result);
        for (size_t k = 0; result == 0 && k < path.n; k++)
            snprintf(joined + strlen(joined), sizeof joined - strlen(joined), "%s%s", k == 0 ? "" : "|",
                     path.segment[k]);
        if (result == 0)
            assert_string_equal(joined, table[i].joined);
    }
}

static void test_path_length(void **state)
{
    char raw[BF_PATH_MAX + 3];
    struct bf_path path;

    (void)state;
    memset(raw, 'a', sizeof raw);
    raw[0] = '/';
    raw[BF_PATH_MAX] = '\0';
    assert_int_equal(bf_path_parse(&path, raw), 0);
    raw[BF_PATH_MAX] = 'a';
    raw[BF_PATH_MAX + 1] = '\0';
    assert_int_equal(bf_path_parse(&path, raw), -36);
}

static void test_query(void **state)
{
    char value[8];

    (void)state;
    assert_int_equal(bf_query_get("a=1&b=2", "b", value, sizeof value), 0);
    assert_string_equal(value, "2");
    assert_int_equal(bf_query_get("a=1&b=2", "c", value, sizeof value), -2);
    assert_int_equal(bf_query_get(NULL, "a", value, sizeof value), -2);
    assert_int_equal(bf_query_get("&&a=x%20y", "a", value, sizeof value), 0);
    assert_string_equal(value, "x y");
    assert_int_equal(bf_query_get("aa=1", "a", value, sizeof value), -2);
    assert_int_equal(bf_query_get("b=1&a", "a", value, sizeof value), 0);
    assert_string_equal(value, "");
    assert_int_equal(bf_query_get("a=1&a=2", "a", value, sizeof value), -74);
    assert_int_equal(bf_query_get("a=1&a", "a", value, sizeof value), -74);
    assert_int_equal(bf_query_get("a=12345678", "a", value, sizeof value), -74);
    assert_int_equal(bf_query_get("a=%0a", "a", value, sizeof value), -74);
    assert_int_equal(bf_query_get("a=%4", "a", value, sizeof value), -74);
}

static void test_numbers(void **state)
{
    static const char *const bad[] = {
        "", "-1", "+1", " 1", "1 ", "01", "00", "1.0", "0x1", "18446744073709551616", "999999999999999999999"
    };
    uint64_t value;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(bf_parse_u64(bad[i], &value));
    assert_true(bf_parse_u64("0", &value) && value == 0);
    assert_true(bf_parse_u64("18446744073709551615", &value) && value == UINT64_MAX);
}

static void test_hls_query(void **state)
{
    static const char *const bad[] = {
        "_HLS_msn=",
        "_HLS_msn",
        "_HLS_msn&_HLS_part=1",
        "_HLS_msn=x",
        "_HLS_msn=-1",
        "_HLS_msn=1 ",
        "_HLS_msn=1&_HLS_part=1.5",
        "_HLS_msn=1&_HLS_msn=2",
        "_HLS_msn=1&_HLS_msn=1",
        "_HLS_msn=1&_HLS_part=",
        "_HLS_msn=18446744073709551616",
        "_HLS_msn=0000000000000000000000000000000001",
        "_HLS_skip=YES&_HLS_skip=v2",
        "_HLS_skip=%zz",
        "_HLS_skip=0123456789012345678901234567890123456789",
        "_HLS_msn=%31%",
    };
    struct bf_hls_query q;
    struct bf_error e;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        e.text[0] = '\0';
        assert_int_equal(bf_hls_query_parse(&q, bad[i], &e), -74);
        assert_true(e.text[0] != '\0');
    }
    assert_int_equal(bf_hls_query_parse(&q, "tok=abc&_HLS_msn=12&_HLS_part=3&_HLS_skip=v2", &e), 0);
    assert_true(q.has_msn && q.has_part && q.msn == 12 && q.part == 3 && q.skip == BF_HLS_SKIP_V2);
    assert_int_equal(bf_hls_query_parse(&q, "_HLS_part=3&_HLS_msn=%31%32&_HLS_push=1&_HLS_msnx=z&_HLS_ms=&", &e), 0);
    assert_true(q.has_msn && q.has_part && q.msn == 12 && q.part == 3 && q.skip == BF_HLS_SKIP_NO);
    assert_int_equal(bf_hls_query_parse(&q, "_HLS_msn=18446744073709551615&_HLS_skip=YES", &e), 0);
    assert_true(q.msn == UINT64_MAX && q.skip == BF_HLS_SKIP_YES);
    assert_int_equal(bf_hls_query_parse(&q, "_HLS_skip=v3", &e), 0); /* a word of another time */
    assert_true(q.skip == BF_HLS_SKIP_NO);
    assert_int_equal(bf_hls_query_parse(&q, NULL, &e), 0);
    assert_false(q.has_msn || q.has_part || q.skip != BF_HLS_SKIP_NO);
}

static void test_ranges(void **state)
{
    static const struct {
        const char *header;
        uint64_t size;
        struct bf_range expected;
    } table[] = {
        { NULL, 100, { BF_RANGE_WHOLE, 0, 0 } },
        { "bytes=0-", 100, { BF_RANGE_SLICE, 0, 100 } },
        { "bytes=0-0", 100, { BF_RANGE_SLICE, 0, 1 } },
        { "bytes=10-19", 100, { BF_RANGE_SLICE, 10, 10 } },
        { "Bytes=10-19", 100, { BF_RANGE_SLICE, 10, 10 } },
        { "bytes= 10-19 ", 100, { BF_RANGE_SLICE, 10, 10 } },
        { "bytes=90-1000", 100, { BF_RANGE_SLICE, 90, 10 } },
        { "bytes=99-", 100, { BF_RANGE_SLICE, 99, 1 } },
        { "bytes=100-", 100, { BF_RANGE_UNSATISFIABLE, 0, 0 } },
        { "bytes=0-", 0, { BF_RANGE_UNSATISFIABLE, 0, 0 } },
        { "bytes=-10", 100, { BF_RANGE_SLICE, 90, 10 } },
        { "bytes=-1000", 100, { BF_RANGE_SLICE, 0, 100 } },
        { "bytes=-0", 100, { BF_RANGE_UNSATISFIABLE, 0, 0 } },
        { "bytes=-5", 0, { BF_RANGE_UNSATISFIABLE, 0, 0 } },
        { "bytes=5-4", 100, { BF_RANGE_WHOLE, 0, 0 } },
        { "bytes=-", 100, { BF_RANGE_WHOLE, 0, 0 } },
        { "bytes=0-1,5-6", 100, { BF_RANGE_WHOLE, 0, 0 } },
        { "bytes=a-b", 100, { BF_RANGE_WHOLE, 0, 0 } },
        { "items=0-1", 100, { BF_RANGE_WHOLE, 0, 0 } },
        { "bytes=18446744073709551616-", 100, { BF_RANGE_WHOLE, 0, 0 } },
        { "bytes=0-18446744073709551615", 100, { BF_RANGE_SLICE, 0, 100 } },
    };

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct bf_range r = bf_range_parse(table[i].header, table[i].size);

        if (r.kind != table[i].expected.kind)
            print_error("%s\n", table[i].header);
        assert_int_equal(r.kind, table[i].expected.kind);
        assert_int_equal(r.first, table[i].expected.first);
        assert_int_equal(r.length, table[i].expected.length);
    }
}

static void test_headers(void **state)
{
    (void)state;
    assert_true(bf_accepts_gzip("gzip"));
    assert_true(bf_accepts_gzip("br, gzip, deflate"));
    assert_true(bf_accepts_gzip("GZIP;q=0.5"));
    assert_true(bf_accepts_gzip("*"));
    assert_false(bf_accepts_gzip("gzip;q=0"));
    assert_false(bf_accepts_gzip("gzip; q=0.000, *"));
    assert_false(bf_accepts_gzip("identity"));
    assert_false(bf_accepts_gzip("xgzip"));
    assert_false(bf_accepts_gzip(""));
    assert_false(bf_accepts_gzip(NULL));

    assert_true(bf_etag_matches("\"a\"", "\"a\""));
    assert_true(bf_etag_matches("\"b\", W/\"a\"", "\"a\""));
    assert_true(bf_etag_matches("*", "\"a\""));
    assert_false(bf_etag_matches("\"ab\"", "\"a\""));
    assert_false(bf_etag_matches(NULL, "\"a\""));

    assert_true(bf_is_json_type("application/json"));
    assert_true(bf_is_json_type("Application/JSON; charset=utf-8"));
    assert_false(bf_is_json_type("application/jsonx"));
    assert_false(bf_is_json_type("text/plain"));
    assert_false(bf_is_json_type(NULL));
}

/* --- routes --- */

static int nothing(struct bf_request *r)
{
    (void)r;
    return 0;
}

static const struct bf_http_route routes[] = {
    { BF_GET, "/", nothing },
    { BF_GET, "/api/v1/cameras/{camera}", nothing },
    { BF_GET, "/api/v1/cameras/{camera}/stream", nothing },
    { BF_POST, "/api/v1/cameras/{camera}/stream", nothing },
    { BF_GET, "/live/{camera}/{session}/media.m3u8", nothing },
    { BF_GET, "/live/{camera}/{session}/part-{number}.m4s", nothing },
    { BF_GET, "/web/{path}", nothing },
};

static int find(const char *raw, enum bf_method method, size_t *index, struct bf_params *p, unsigned *methods)
{
    static struct bf_path path;
    const struct bf_http_route *table[sizeof routes / sizeof routes[0]];

    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++)
        table[i] = &routes[i];
    assert_int_equal(bf_path_parse(&path, raw), 0);
    return bf_route_find(table, sizeof table / sizeof table[0], method, &path, index, p, methods);
}

#define SESSION "01HZZZZZZZZZZZZZZZZZZZZZZA"

static void test_routes(void **state)
{
    static const struct {
        const char *raw;
        enum bf_method method;
        int result;
        size_t index;
    } table[] = {
        { "/", BF_GET, 0, 0 },
        { "/", BF_HEAD, 0, 0 },
        { "/", BF_POST, -1, 0 },
        { "/api/v1/cameras/door", BF_GET, 0, 1 },
        { "/api/v1/cameras/door/", BF_GET, -2, 0 },
        { "/api/v1/cameras/DOOR", BF_GET, -2, 0 },
        { "/api/v1/cameras/", BF_GET, -2, 0 },
        { "/api/v1/cameras/door/stream", BF_POST, 0, 3 },
        { "/api/v1/cameras/door/stream", BF_DELETE, -1, 0 },
        { "/live/door/" SESSION "/media.m3u8", BF_GET, 0, 4 },
        { "/live/door/01hzzzzzzzzzzzzzzzzzzzzzza/media.m3u8", BF_GET, -2, 0 },
        { "/live/door/" SESSION "/part-12.m4s", BF_GET, 0, 5 },
        { "/live/door/" SESSION "/part-.m4s", BF_GET, -2, 0 },
        { "/live/door/" SESSION "/part-012.m4s", BF_GET, -2, 0 },
        { "/live/door/" SESSION "/part-1.m4sx", BF_GET, -2, 0 },
        { "/live/door/" SESSION "/part-99999999999999999999999.m4s", BF_GET, -2, 0 },
        { "/live/door/" SESSION "/.m4s", BF_GET, -2, 0 },
        { "/web/js/player.js", BF_GET, 0, 6 },
        { "/web", BF_GET, -2, 0 },
        { "/nothing", BF_GET, -2, 0 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        size_t index = 99;
        struct bf_params p;
        unsigned methods;
        int result = find(table[i].raw, table[i].method, &index, &p, &methods);

        if (result != table[i].result)
            print_error("%s: %d\n", table[i].raw, result);
        assert_int_equal(result, table[i].result);
        if (result == 0)
            assert_int_equal(index, table[i].index);
    }
}

static void test_route_parameters(void **state)
{
    size_t index;
    struct bf_params p;
    unsigned methods;
    char allow[64];

    (void)state;
    assert_int_equal(find("/live/door/" SESSION "/part-7.m4s", BF_GET, &index, &p, &methods), 0);
    assert_string_equal(p.camera, "door");
    assert_string_equal(p.session, SESSION);
    assert_int_equal(p.number, 7);
    assert_int_equal(find("/web/js/player.js", BF_GET, &index, &p, &methods), 0);
    assert_int_equal(p.rest, 1);
    assert_int_equal(find("/api/v1/cameras/door/stream", BF_PATCH, &index, &p, &methods), -1);
    assert_string_equal(bf_methods_format(methods, allow, sizeof allow), "GET, HEAD, POST");
    assert_int_equal(bf_method_parse("PUT"), 0);
    assert_int_equal(bf_method_parse("get"), 0);
    assert_int_equal(bf_method_parse("PATCH"), BF_PATCH);
}

static void test_idempotency_keys(void **state)
{
#define LONGEST "0123456789012345678901234567890123456789012345678901234567890123"
    static const struct {
        const char *header, *key; /* NULL: refused */
    } table[] = {
        { "\"8e03978e-40d5-43e8-bc93-6894a57f9324\"", "8e03978e-40d5-43e8-bc93-6894a57f9324" },
        { "8e03978e-40d5-43e8-bc93-6894a57f9324", "8e03978e-40d5-43e8-bc93-6894a57f9324" },
        { "  a  ", "a" },
        { "\"a b\"", "a b" },
        { "\"a\\\"\\\\b\"", "a\"\\b" },
        { LONGEST, LONGEST },
        { "\"" LONGEST "\"", LONGEST },
        { LONGEST "4", NULL },
        { "\"" LONGEST "4\"", NULL },
        { "", NULL },
        { "   ", NULL },
        { "\"\"", NULL },
        { "\"a", NULL },
        { "\"a\"b", NULL },
        { "\"a\";p=1", NULL },
        { "\"a\\b\"", NULL },
        { "\"a\\", NULL },
        { "a b", NULL },
        { "a, b", NULL },
        { "a\\", NULL },
        { "a\"", NULL },
        { "a\tb", NULL },
        { "\"a\tb\"", NULL },
        { "\xc3\xa4", NULL },
        { "\"\x7f\"", NULL },
    };
    char key[BF_IDEMPOTENCY_KEY_SIZE];

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        int r = bf_idempotency_key_parse(key, table[i].header);

        if ((r == 0) != (table[i].key != NULL))
            fail_msg("%s: %d", table[i].header, r);
        if (r == 0)
            assert_string_equal(key, table[i].key);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_idempotency_keys), cmocka_unit_test(test_paths),
        cmocka_unit_test(test_path_length),      cmocka_unit_test(test_query),
        cmocka_unit_test(test_numbers),          cmocka_unit_test(test_hls_query),
        cmocka_unit_test(test_ranges),           cmocka_unit_test(test_headers),
        cmocka_unit_test(test_routes),           cmocka_unit_test(test_route_parameters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
