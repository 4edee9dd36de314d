#include "bus/mqtt_limits.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int bf_mqtt_check_options(const struct bf_mqtt_options *o, struct bf_error *e)
{
    if (o->host == NULL || *o->host == '\0' || strlen(o->host) > 255 || strpbrk(o->host, "/ ") != NULL)
        return bf_fail(e, -EINVAL, "MQTT: host: expected a name or an address");
    if (o->port == 0)
        return bf_fail(e, -EINVAL, "MQTT: port: expected 1 to 65535");
    if (o->client_id == NULL || *o->client_id == '\0' || strlen(o->client_id) > 128)
        return bf_fail(e, -EINVAL, "MQTT: client id: expected 1 to 128 characters");
    if (o->keepalive_s < 5 || o->keepalive_s > 1200)
        return bf_fail(e, -EINVAL, "MQTT: keep-alive %u s: expected 5 to 1200", o->keepalive_s);
    if (o->alpn != NULL && (*o->alpn == '\0' || strlen(o->alpn) > 255))
        return bf_fail(e, -EINVAL, "MQTT: ALPN: expected 1 to 255 characters");
    if (o->ca_file == NULL && (o->cert_file != NULL || o->key_file != NULL))
        return bf_fail(e, -EINVAL, "MQTT: a client certificate without a CA file: TLS needs both");
    return 0;
}

/* Neither wildcards, which expect what AWS does not deliver, nor the broker's own topics. */
static bool is_plain_topic(const char *topic)
{
    size_t slashes = 0;

    if (*topic == '\0' || *topic == '$' || *topic == '/' || strpbrk(topic, "+#") != NULL)
        return false;
    for (const char *c = topic; *c != '\0'; c++)
        slashes += *c == '/';
    return slashes <= BF_MQTT_SLASHES_MAX && strlen(topic) <= BF_MQTT_TOPIC_MAX;
}

int bf_publication_check(const char *topic, size_t size)
{
    return is_plain_topic(topic) && size <= BF_MQTT_PAYLOAD_MAX ? 0 : -EINVAL;
}

static void forget_before(struct bf_mqtt_rate *r, uint64_t now_us)
{
    while (r->n > 0 && now_us - r->left[r->first].at_us >= 1000000) {
        r->bytes -= r->left[r->first].bytes;
        r->first = (r->first + 1) % BF_MQTT_PUBLISHES_PER_S;
        r->n--;
    }
}

bool bf_mqtt_rate_take(struct bf_mqtt_rate *r, size_t bytes, uint64_t now_us)
{
    unsigned at;

    forget_before(r, now_us);
    if (r->n == BF_MQTT_PUBLISHES_PER_S || r->bytes + bytes > BF_MQTT_BYTES_PER_S)
        return false;
    at = (r->first + r->n++) % BF_MQTT_PUBLISHES_PER_S;
    r->left[at].at_us = now_us;
    r->left[at].bytes = bytes;
    r->bytes += bytes;
    return true;
}

int bf_filters_check(const char *const *filters, size_t n, struct bf_error *e)
{
    if (n > BF_MQTT_FILTERS_MAX)
        return bf_fail(e, -EINVAL, "MQTT: %zu subscriptions; a connection may have %d", n, BF_MQTT_FILTERS_MAX);
    for (size_t i = 0; i < n; i++)
        if (!is_plain_topic(filters[i]))
            return bf_fail(e, -EINVAL,
                           "MQTT: subscription %zu: expected an exact topic of at most %d bytes and %d slashes", i,
                           BF_MQTT_TOPIC_MAX, BF_MQTT_SLASHES_MAX);
    return 0;
}

int bf_filters_copy(char ***ret, size_t *ret_n, const char *const *filters, size_t n)
{
    char **copy = calloc(n + 1, sizeof(*copy)); /* never zero bytes */

    if (copy == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        copy[i] = strdup(filters[i]);
        if (copy[i] == NULL) {
            bf_filters_free(copy, i);
            return -ENOMEM;
        }
    }
    *ret = copy;
    *ret_n = n;
    return 0;
}

bool bf_filters_have(char *const *filters, size_t n, const char *filter)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(filters[i], filter) == 0)
            return true;
    return false;
}

void bf_filters_free(char **filters, size_t n)
{
    if (filters == NULL)
        return;
    for (size_t i = 0; i < n; i++)
        free(filters[i]);
    free(filters);
}
