#include "gateway/want.h"

#include "stream/profile.h"

struct bf_want bf_want_of(const struct bf_camera_config *c)
{
    return (struct bf_want){ .record = c->record, .profile = bf_profile_named(c->profile)->id };
}

uint32_t bf_want_gop_max_ms(const struct bf_want *w)
{
    return bf_profile_of(w->profile)->segment_ms;
}

uint32_t bf_want_gop_ms(const struct bf_want *w, const struct bf_camera_config *c)
{
    uint32_t most = bf_want_gop_max_ms(w), wanted = w->gop_ms != 0 ? w->gop_ms : c->gop_ms;

    return wanted < most ? wanted : most;
}

bool bf_want_goes_on(const struct bf_want *w, const struct bf_camera_config *c)
{
    return !w->on_demand || c->on_demand;
}

const char *bf_want_profile_name(const struct bf_want *w)
{
    const struct bf_profile *p = bf_profile_of(w->profile);

    return p == NULL ? NULL : p->name;
}
