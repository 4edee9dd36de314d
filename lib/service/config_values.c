#include "service/config_values.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/id.h"
#include "base/text.h"

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

bool bf_value_id(const char *s)
{
    return bf_id_valid(s);
}

bool bf_value_name(const char *s)
{
    return s[0] != '\0' && bf_text_valid(s, 64);
}

bool bf_value_path(const char *s)
{
    return s[0] != '\0' && bf_text_valid(s, 1023);
}

bool bf_value_alpn(const char *s)
{
    size_t n = strlen(s);

    for (size_t i = 0; i < n; i++)
        if (s[i] <= ' ' || s[i] > '~')
            return false;
    return n >= 1 && n <= 255;
}

bool bf_value_address(const char *s)
{
    unsigned char binary[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, s, binary) == 1 || inet_pton(AF_INET6, s, binary) == 1;
}

static bool is_ipv4(const char *s)
{
    struct in_addr a;
    return inet_pton(AF_INET, s, &a) == 1;
}

static bool is_ipv6(const char *s)
{
    struct in6_addr a;
    return inet_pton(AF_INET6, s, &a) == 1;
}

/* RFC 1123 labels. One that ends in a number would have to be an address (RFC 3696, section 2), and is not. */
static bool is_host_name(const char *s)
{
    const char *last = s;
    size_t n = strlen(s);
    if (n == 0 || n > 253 || strspn(s, LOWER UPPER DIGITS "-.") != n)
        return false;

    for (const char *label = s;; label += strcspn(label, ".") + 1) {
        size_t length = strcspn(label, ".");
        if (length == 0 || length > 63 || label[0] == '-' || label[length - 1] == '-')
            return false;
        last = label;
        if (label[length] == '\0')
            break;
    }
    return strspn(last, DIGITS) != strlen(last);
}

bool bf_value_host(const char *s)
{
    return bf_value_address(s) || is_host_name(s);
}

bool bf_value_loopback(const char *s)
{
    struct in_addr four;
    if (inet_pton(AF_INET, s, &four) == 1)
        return ntohl(four.s_addr) >> 24 == 127;
    return strcmp(s, "::1") == 0 || strcmp(s, "localhost") == 0;
}

/* Splits "a:1" and "[a]:1" into host and port; false when it is neither, or the port is not 1..65535. */
static bool split_port(const char *s, char host[static 256], bool *ret_brackets)
{
    const char *colon = strrchr(s, ':');
    uint64_t port;
    if (colon == NULL || bf_value_number(&port, colon + 1, 1, 65535) < 0)
        return false;

    size_t n = (size_t)(colon - s);
    bool brackets = n >= 2 && s[0] == '[' && s[n - 1] == ']';
    if (brackets) {
        s++;
        n -= 2;
    }
    if (n == 0 || n > 255)
        return false;
    memcpy(host, s, n);
    host[n] = '\0';
    *ret_brackets = brackets;
    return true;
}

bool bf_value_listen(const char *s)
{
    char host[256];
    bool brackets;
    return split_port(s, host, &brackets) && (brackets ? is_ipv6(host) : is_ipv4(host));
}

bool bf_value_udp_url(const char *s)
{
    return strncmp(s, "udp://", 6) == 0 && bf_value_listen(s + 6);
}

bool bf_value_origin(const char *s)
{
    size_t scheme = strncmp(s, "https://", 8) == 0 ? 8 : strncmp(s, "http://", 7) == 0 ? 7 : 0;
    if (scheme == 0 || strpbrk(s, UPPER) != NULL)
        return false;

    const char *rest = s + scheme;
    char host[256];
    bool brackets;
    if (!split_port(rest, host, &brackets))
        return is_host_name(rest) || is_ipv4(rest);
    return brackets ? is_ipv6(host) : is_host_name(host) || is_ipv4(host);
}

int bf_value_number(uint64_t *ret, const char *s, uint64_t least, uint64_t most)
{
    size_t n = strlen(s);
    if (n == 0 || strspn(s, DIGITS) != n || (s[0] == '0' && n > 1))
        return -EINVAL;

    uint64_t value = 0;
    for (; *s != '\0'; s++)
        if (__builtin_mul_overflow(value, UINT64_C(10), &value) ||
            __builtin_add_overflow(value, (uint64_t)(*s - '0'), &value))
            return -EINVAL;
    if (value < least || value > most)
        return -EINVAL;
    *ret = value;
    return 0;
}

bool bf_value_word(const char *s, const char *words)
{
    size_t n = strlen(s);

    for (const char *word = words; n > 0; word++) {
        size_t length = strcspn(word, "|");
        if (length == n && memcmp(word, s, n) == 0)
            return true;
        word += length;
        if (*word == '\0')
            break;
    }
    return false;
}

void bf_value_spell_words(const char *words, char *buf, size_t size)
{
    size_t n = 0;

    for (const char *word = words;;) {
        size_t length = strcspn(word, "|");
        bool last = word[length] == '\0', before_last = !last && strchr(word + length + 1, '|') == NULL;
        int w = snprintf(buf + n, size - n, "%.*s%s", (int)length, word, last ? "" : before_last ? " or " : ", ");
        n += (size_t)w < size - n ? (size_t)w : size - n - 1;
        if (last)
            return;
        word += length + 1;
    }
}
