/* What AWS IoT Core allows, held locally for every broker, and lists of filters. Internal to the bus. Pure. */
#ifndef BELFRY_BUS_MQTT_LIMITS_H
#define BELFRY_BUS_MQTT_LIMITS_H

#include <stdbool.h>
#include <stddef.h>

#include "bus/mqtt.h"

#define BF_MQTT_PAYLOAD_MAX (128 * 1024)
#define BF_MQTT_TOPIC_MAX 256
#define BF_MQTT_SLASHES_MAX 7
#define BF_MQTT_FILTERS_MAX 50

int bf_mqtt_check_options(const struct bf_mqtt_options *o, struct bf_error *e);
int bf_publication_check(const char *topic, size_t size); /* -EINVAL */

int bf_filters_check(const char *const *filters, size_t n, struct bf_error *e);
int bf_filters_copy(char ***ret, size_t *ret_n, const char *const *filters, size_t n);
bool bf_filters_have(char *const *filters, size_t n, const char *filter);
void bf_filters_free(char **filters, size_t n);

#endif
