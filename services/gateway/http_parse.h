/* What a request says, parsed once and strictly: path, query, range, content codings, media types. Pure. */
#ifndef BELFRY_GATEWAY_HTTP_PARSE_H
#define BELFRY_GATEWAY_HTTP_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define BF_PATH_MAX 1024
#define BF_PATH_SEGMENTS 8

/* "/live/door/x.m3u8" as segments "live", "door", "x.m3u8"; "/" has none. A trailing slash is an empty last segment. */
struct bf_path {
    char text[BF_PATH_MAX + 1]; /* percent-decoded; zero bytes between the segments */
    const char *segment[BF_PATH_SEGMENTS];
    size_t n;
};
/* `raw` is the path as it was sent, without the query. -ENAMETOOLONG beyond BF_PATH_MAX; -EBADMSG for anything that no
 * client of ours sends: control bytes, bytes above 126, a bad escape, an escaped slash, backslash or zero, a backslash,
 * a "." or ".." segment; -ENOENT: more segments than any route has. */
int bf_path_parse(struct bf_path *ret, const char *raw);

/* Value of `key` in a query string ("a=1&b=2", NULL is fine), percent-decoded; "" for a key alone. -ENOENT; -EBADMSG:
 * twice, too long, or a bad escape. */
int bf_query_get(const char *query, const char *key, char *ret, size_t size);
/* Digits only, no sign, no leading zero but "0" itself, fits 64 bits. */
bool bf_parse_u64(const char *text, uint64_t *ret);

enum bf_hls_skip { BF_HLS_SKIP_NO, BF_HLS_SKIP_YES, BF_HLS_SKIP_V2 };

/* Delivery directives (rfc8216bis 6.2.5). */
struct bf_hls_query {
    bool has_msn, has_part;
    uint64_t msn, part;
    enum bf_hls_skip skip;
};
/* -EBADMSG for a number that is not one, or a directive twice, with the reason in e. Other keys are somebody else's. A
 * word that _HLS_skip does not know asks for nothing: the whole playlist is right for anybody. */
int bf_hls_query_parse(struct bf_hls_query *ret, const char *query, struct bf_error *e);

enum bf_range_kind { BF_RANGE_WHOLE, BF_RANGE_SLICE, BF_RANGE_UNSATISFIABLE };

struct bf_range {
    enum bf_range_kind kind;
    uint64_t first, length; /* of a slice */
};
/* RFC 9110 section 14: one range of bytes of something `size` long, closed, open or suffix. Anything else, several
 * ranges included, is answered with the whole (14.2 allows that). `header` may be NULL. */
struct bf_range bf_range_parse(const char *header, uint64_t size);

/* Does Accept-Encoding (or NULL) allow gzip? RFC 9110 12.5.3; "gzip;q=0" does not. */
bool bf_accepts_gzip(const char *header);
/* Does If-None-Match (or NULL) name this entity tag (with its quotes), weakly compared, or "*"? */
bool bf_etag_matches(const char *header, const char *etag);
#define BF_IDEMPOTENCY_KEY_SIZE 65
/* The value of Idempotency-Key: a string as RFC 8941 section 3.3.3 has it, as the draft asks for, or plain as most
 * clients send it; both give the same key. -EBADMSG unless it is 1 to 64 printable ASCII characters and nothing else. */
int bf_idempotency_key_parse(char ret[static BF_IDEMPOTENCY_KEY_SIZE], const char *header);
/* Is it application/json, with or without parameters? */
bool bf_is_json_type(const char *header);

#endif
