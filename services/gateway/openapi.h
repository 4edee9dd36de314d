/* docs/api/openapi.json, built in. */
#ifndef BELFRY_GATEWAY_OPENAPI_H
#define BELFRY_GATEWAY_OPENAPI_H

#include <stddef.h>

extern const char bf_openapi[];
extern const size_t bf_openapi_size;

#endif
