#include "gateway/http_parse.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One character of `*at`, escapes decoded; moves *at on. -EBADMSG for a bad escape. */
static int next_char(const char **at)
{
    unsigned char c = (unsigned char)**at;

    (*at)++;
    if (c != '%')
        return c;
    int high = hex_digit((*at)[0]);
    int low = high < 0 ? -1 : hex_digit((*at)[1]);
    if (low < 0)
        return -EBADMSG;
    *at += 2;
    return high * 16 + low;
}

static bool is_dots(const char *segment)
{
    return strcmp(segment, ".") == 0 || strcmp(segment, "..") == 0;
}

static int decode_path(struct bf_path *ret, const char *raw)
{
    char *to = ret->text;

    for (const char *at = raw; *at != '\0';) {
        bool escaped = *at == '%';
        int c = next_char(&at);

        if (c < 0x21 || c > 0x7e || c == '\\' || (escaped && c == '/'))
            return -EBADMSG;
        *to++ = c == '/' ? '\0' : (char)c;
    }
    *to = '\0';
    return (int)(to - ret->text);
}

int bf_path_parse(struct bf_path *ret, const char *raw)
{
    if (strnlen(raw, BF_PATH_MAX + 1) > BF_PATH_MAX)
        return -ENAMETOOLONG;
    if (raw[0] != '/')
        return -EBADMSG;
    ret->n = 0;
    if (raw[1] == '\0')
        return 0;

    int length = decode_path(ret, raw + 1);
    if (length < 0)
        return length;
    for (const char *at = ret->text; at <= ret->text + length; at += strlen(at) + 1) {
        if (is_dots(at))
            return -EBADMSG;
        if (ret->n == BF_PATH_SEGMENTS)
            return -ENOENT;
        ret->segment[ret->n++] = at;
    }
    return 0;
}

/* --- query --- */

static int decode_value(const char *at, char *ret, size_t size)
{
    size_t n = 0;

    while (*at != '\0' && *at != '&') {
        int c = next_char(&at);
        if (c < 0x20 || c == 0x7f || n + 1 >= size)
            return -EBADMSG;
        ret[n++] = (char)c;
    }
    ret[n] = '\0';
    return 0;
}

int bf_query_get(const char *query, const char *key, char *ret, size_t size)
{
    size_t key_length = strlen(key);
    const char *found = NULL;

    for (const char *at = query; at != NULL;) {
        if (strncmp(at, key, key_length) == 0 && strchr("=&", at[key_length]) != NULL) {
            if (found != NULL)
                return -EBADMSG;
            found = at + key_length + (at[key_length] == '=');
        }
        const char *next = strchr(at, '&');
        at = next == NULL ? NULL : next + 1;
    }
    return found == NULL ? -ENOENT : decode_value(found, ret, size);
}

bool bf_parse_u64(const char *text, uint64_t *ret)
{
    size_t digits = strspn(text, "0123456789");

    if (digits == 0 || text[digits] != '\0' || (text[0] == '0' && digits > 1) || digits > 20)
        return false;
    errno = 0;
    unsigned long long value = strtoull(text, NULL, 10);
    if (errno != 0)
        return false;
    *ret = value;
    return true;
}

static int query_number(const char *query, const char *key, bool *ret_has, uint64_t *ret, struct bf_error *e)
{
    char value[24];
    int found = bf_query_get(query, key, value, sizeof value);

    *ret_has = false;
    if (found == -ENOENT)
        return 0;
    if (found < 0 || !bf_parse_u64(value, ret))
        return bf_fail(e, -EBADMSG, "%s: expected one whole number from 0 without leading zeros", key);
    *ret_has = true;
    return 0;
}

int bf_hls_query_parse(struct bf_hls_query *ret, const char *query, struct bf_error *e)
{
    struct bf_hls_query q = { 0 };
    char skip[24];
    int failed = query_number(query, "_HLS_msn", &q.has_msn, &q.msn, e);

    if (failed == 0)
        failed = query_number(query, "_HLS_part", &q.has_part, &q.part, e);
    if (failed != 0)
        return failed;
    int found = bf_query_get(query, "_HLS_skip", skip, sizeof skip);
    if (found == 0 && strcmp(skip, "YES") == 0)
        q.skip = BF_HLS_SKIP_YES;
    else if (found == 0 && strcmp(skip, "v2") == 0)
        q.skip = BF_HLS_SKIP_V2;
    else if (found == -EBADMSG)
        return bf_fail(e, -EBADMSG, "_HLS_skip: expected one word, YES or v2");
    *ret = q;
    return 0;
}

/* --- headers --- */

static const char *skip_blanks(const char *at)
{
    return at + strspn(at, " \t");
}

/* Digits at *at; moves it on. False when there are none or they do not fit. */
static bool take_number(const char **at, uint64_t *ret)
{
    char digits[21];
    size_t n = strspn(*at, "0123456789");

    if (n == 0 || n >= sizeof digits)
        return false;
    memcpy(digits, *at, n);
    digits[n] = '\0';
    errno = 0;
    *ret = strtoull(digits, NULL, 10);
    *at += n;
    return errno == 0;
}

struct bf_range bf_range_parse(const char *header, uint64_t size)
{
    const struct bf_range whole = { .kind = BF_RANGE_WHOLE }, never = { .kind = BF_RANGE_UNSATISFIABLE };
    uint64_t first = 0, last = UINT64_MAX;

    if (header == NULL || strncasecmp(header, "bytes=", 6) != 0)
        return whole;
    const char *at = skip_blanks(header + 6);
    bool has_first = take_number(&at, &first);
    if (*at++ != '-')
        return whole;
    bool has_last = take_number(&at, &last);
    if (*skip_blanks(at) != '\0' || (!has_first && !has_last) || (has_first && last < first))
        return whole;

    if (!has_first) { /* the last so many bytes */
        if (last == 0 || size == 0)
            return never;
        uint64_t length = last < size ? last : size;
        return (struct bf_range){ BF_RANGE_SLICE, size - length, length };
    }
    if (first >= size)
        return never;
    return (struct bf_range){ BF_RANGE_SLICE, first, (last < size ? last : size - 1) - first + 1 };
}

/* Is the weight in the parameters that start at `at` zero? */
static bool is_refused(const char *at, size_t length)
{
    for (size_t i = 0; i + 2 < length; i++)
        if ((at[i] | 0x20) == 'q' && at[i + 1] == '=' && at[i + 2] == '0')
            return i + 3 == length || strspn(at + i + 3, ".0 \t") >= length - i - 3;
    return false;
}

bool bf_accepts_gzip(const char *header)
{
    bool by_star = false;

    for (const char *at = header; at != NULL && *at != '\0';) {
        at = skip_blanks(at);
        size_t length = strcspn(at, ","), name = strcspn(at, ",; \t");
        bool taken = !is_refused(at + name, length - name);

        if (name == 4 && strncasecmp(at, "gzip", 4) == 0)
            return taken;
        if (name == 1 && at[0] == '*')
            by_star = taken;
        at += length + (at[length] == ',');
    }
    return by_star;
}

bool bf_etag_matches(const char *header, const char *etag)
{
    size_t etag_length = strlen(etag);

    for (const char *at = header; at != NULL && *at != '\0';) {
        at = skip_blanks(at);
        if (at[0] == '*')
            return true;
        if (strncmp(at, "W/", 2) == 0)
            at += 2;
        size_t length = strcspn(at, ", \t");
        if (length == etag_length && strncmp(at, etag, length) == 0)
            return true;
        at += length + strspn(at + length, ", \t");
    }
    return false;
}

/* Between quotes only a quote and a backslash are escaped. Returns how many bytes it took with the quotes, or 0. */
static size_t take_quoted(const char *header, char *ret, size_t size)
{
    const char *at = header + 1;
    size_t n = 0;

    for (; *at != '"'; at++) {
        if (*at == '\\' && (*++at != '"' && *at != '\\'))
            return 0;
        if (*at < ' ' || *at > '~' || n + 1 >= size)
            return 0;
        ret[n++] = *at;
    }
    ret[n] = '\0';
    return (size_t)(at + 1 - header);
}

/* A comma would be two headers that somebody has joined. */
static size_t take_plain(const char *header, char *ret, size_t size)
{
    size_t n = 0;

    for (const char *at = header; *at > ' ' && *at <= '~' && strchr("\"\\,;", *at) == NULL; at++) {
        if (n + 1 >= size)
            return 0;
        ret[n++] = *at;
    }
    ret[n] = '\0';
    return n;
}

int bf_idempotency_key_parse(char ret[static BF_IDEMPOTENCY_KEY_SIZE], const char *header)
{
    const char *at = skip_blanks(header);
    size_t taken =
        *at == '"' ? take_quoted(at, ret, BF_IDEMPOTENCY_KEY_SIZE) : take_plain(at, ret, BF_IDEMPOTENCY_KEY_SIZE);

    return taken == 0 || ret[0] == '\0' || *skip_blanks(at + taken) != '\0' ? -EBADMSG : 0;
}

bool bf_is_json_type(const char *header)
{
    static const char json[] = "application/json";

    if (header == NULL || strncasecmp(header, json, sizeof json - 1) != 0)
        return false;
    const char *rest = skip_blanks(header + sizeof json - 1);
    return *rest == '\0' || *rest == ';';
}
