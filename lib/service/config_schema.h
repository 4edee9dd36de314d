/* libcyaml at work: the schema made from the table, the load, and its log turned into one error. */
#ifndef BELFRY_SERVICE_CONFIG_SCHEMA_H
#define BELFRY_SERVICE_CONFIG_SCHEMA_H

#include "service/config_origin.h"
#include "service/config_table.h"

/* Loads the YAML text into a fresh struct bf_config: structure, keys and allocation are libcyaml's; values that it takes
 * too leniently ("5k" as 5) are the caller's to check against the table. `o` names lines and values in errors. */
int bf_config_parse(struct bf_config **ret, const void *text, size_t size, const struct bf_origins *o,
                    struct bf_error *e);

#endif
