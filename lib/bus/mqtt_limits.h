/* What AWS IoT Core allows, held locally for every broker, and lists of filters. Internal to the bus. Pure. */
#ifndef BELFRY_BUS_MQTT_LIMITS_H
#define BELFRY_BUS_MQTT_LIMITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bus/mqtt.h"

#define BF_MQTT_PAYLOAD_MAX (128 * 1024)
#define BF_MQTT_TOPIC_MAX 256
#define BF_MQTT_SLASHES_MAX 7
#define BF_MQTT_FILTERS_MAX 50
#define BF_MQTT_FILTERS_AT_ONCE 8 /* in one SUBSCRIBE */
#define BF_MQTT_PUBLISHES_PER_S 100
#define BF_MQTT_BYTES_PER_S (512 * 1000)
#define BF_MQTT_UNACKNOWLEDGED_MAX 64 /* AWS: 100 */

int bf_mqtt_check_options(const struct bf_mqtt_options *o, struct bf_error *e);
int bf_publication_check(const char *topic, size_t size); /* -EINVAL */

/* The publications of the last second: at most BF_MQTT_PUBLISHES_PER_S and BF_MQTT_BYTES_PER_S within any. Starts as zeros. */
struct bf_mqtt_rate {
    struct {
        uint64_t at_us;
        size_t bytes;
    } left[BF_MQTT_PUBLISHES_PER_S]; /* a ring: n of them from `first` on, oldest first */
    unsigned first, n;
    size_t bytes; /* of those n */
};
/* Room for one more of `bytes`, topic and payload? Then it counts as sent now. */
bool bf_mqtt_rate_take(struct bf_mqtt_rate *r, size_t bytes, uint64_t now_us);

int bf_filters_check(const char *const *filters, size_t n, struct bf_error *e);
int bf_filters_copy(char ***ret, size_t *ret_n, const char *const *filters, size_t n);
bool bf_filters_have(char *const *filters, size_t n, const char *filter);
void bf_filters_free(char **filters, size_t n);

#endif
