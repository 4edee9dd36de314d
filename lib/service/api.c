/* What a service asks of its skeleton while it runs. */
#include "base/clock.h"
#include "service/private.h"

uv_loop_t *bf_service_loop(struct bf_service *s)
{
    return &s->loop;
}

struct bf_bus *bf_service_bus(struct bf_service *s)
{
    return s->bus;
}

const struct bf_config *bf_service_config(const struct bf_service *s)
{
    return s->config;
}

const char *bf_service_node(const struct bf_service *s)
{
    return s->identity.node;
}

const struct bf_key *bf_service_key(const struct bf_service *s)
{
    return s->identity.key;
}

const struct bf_trust *bf_service_trust(const struct bf_service *s)
{
    return s->identity.trust;
}

int bf_service_state_dir(const struct bf_service *s)
{
    return s->identity.state_dir;
}

uint64_t bf_service_epoch(const struct bf_service *s)
{
    return s->identity.epoch;
}

const uint8_t *bf_service_boot_id(const struct bf_service *s)
{
    return s->identity.boot_id;
}

void bf_service_failed(struct bf_service *s, const char *code, const struct bf_error *e)
{
    char quoted[sizeof e->text + 32];

    if (bf_status_fail(&s->status, code, e->text, bf_unix_ms()))
        bf_err("failed", "code=%s detail=%s", code, bf_log_quote(quoted, sizeof quoted, e->text));
    bf_service_report(s);
}

void bf_service_count(struct bf_service *s, const char *name, uint64_t value)
{
    bf_status_count(&s->status, name, value);
}
