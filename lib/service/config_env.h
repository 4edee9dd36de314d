/* Overrides from the environment: BELFRY_<SECTION>_<KEY>, and BELFRY_SITE. */
#ifndef BELFRY_SERVICE_CONFIG_ENV_H
#define BELFRY_SERVICE_CONFIG_ENV_H

#include "service/config_origin.h"
#include "service/config_table.h"

/* Notes each override in `o`, where it counts before the file. Refuses a key that its section does not have; names of
 * other things (BELFRY_CLOCK_SYNCED) and the service links that Kubernetes adds are left alone. */
int bf_config_env(struct bf_origins *o, char **environ_, struct bf_error *e);

#endif
