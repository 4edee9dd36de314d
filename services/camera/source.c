#include "camera/source.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"

static const struct bf_source_ops *const sources[] = {
    &bf_source_test_pattern,
    &bf_source_file,
#ifdef BELFRY_LIBCAMERA
    &bf_source_libcamera,
#endif
};

int bf_source_find(const struct bf_source_ops **ret, const char *name, struct bf_error *e)
{
    for (size_t i = 0; i < BF_COUNT_OF(sources); i++)
        if (strcmp(sources[i]->name, name) == 0) {
            *ret = sources[i];
            return 0;
        }

#ifndef BELFRY_LIBCAMERA
    if (strcmp(name, "libcamera") == 0)
        return bf_fail(e, -EINVAL,
                       "source libcamera is not in this build: configure it with -DBELFRY_LIBCAMERA=ON, "
                       "or use source test-pattern or file");
#endif
    return bf_fail(e, -EINVAL, "source \"%s\" is unknown: expected test-pattern, file or libcamera", name);
}
