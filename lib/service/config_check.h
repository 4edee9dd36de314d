/* What holds between values, once each of them is well formed. Pure. */
#ifndef BELFRY_SERVICE_CONFIG_CHECK_H
#define BELFRY_SERVICE_CONFIG_CHECK_H

#include "service/config_origin.h"
#include "service/config_table.h"

/* Defaults that follow from other values: names, advertised address, default camera, limits. */
int bf_config_complete(struct bf_config *c, const struct bf_origins *o);

/* The one check of the whole. -EINVAL with the reason in e. */
int bf_config_validate(const struct bf_config *c, const struct bf_origins *o, struct bf_error *e);

#endif
