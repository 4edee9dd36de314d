#include "camera/control.h"

#include <stdio.h>
#include <string.h>

static unsigned enter(struct bf_control *c, enum bf_control_phase phase)
{
    c->phase = phase;
    return BF_CONTROL_REPORT;
}

static unsigned launch(struct bf_control *c)
{
    memcpy(c->running, c->wanted, sizeof(c->running));
    return enter(c, BF_CONTROL_STARTING) | BF_CONTROL_START_WORKER;
}

/* Without a worker: what is wanted begins at once, else the camera is off. */
static unsigned settle(struct bf_control *c)
{
    if (c->wanted[0] != '\0')
        return launch(c);

    return c->phase == BF_CONTROL_OFF ? 0 : enter(c, BF_CONTROL_OFF);
}

static uint64_t retry_delay_ms(unsigned failures)
{
    uint64_t delay_ms = BF_CONTROL_RETRY_FIRST_MS;

    while (--failures > 0 && delay_ms < BF_CONTROL_RETRY_LAST_MS)
        delay_ms *= 2;

    return delay_ms < BF_CONTROL_RETRY_LAST_MS ? delay_ms : BF_CONTROL_RETRY_LAST_MS;
}

const char *bf_control_session(const struct bf_control *c)
{
    return c->running[0] != '\0' ? c->running : c->wanted;
}

unsigned bf_control_desire(struct bf_control *c, const char *session)
{
    const char *wanted = session != NULL ? session : "";

    if (strcmp(wanted, c->wanted) == 0)
        return 0;

    snprintf(c->wanted, sizeof(c->wanted), "%s", wanted);
    c->failures = 0;
    if (c->running[0] == '\0')
        return settle(c);

    /* A worker that is on its way out ends first; bf_control_ended goes on from there. */
    return c->phase == BF_CONTROL_STOPPING ? 0 : enter(c, BF_CONTROL_STOPPING) | BF_CONTROL_STOP_WORKER;
}

unsigned bf_control_redirect(struct bf_control *c)
{
    if (c->phase != BF_CONTROL_STARTING && c->phase != BF_CONTROL_STREAMING)
        return 0;

    return bf_control_interrupted(c) | BF_CONTROL_REDIRECT_WORKER;
}

unsigned bf_control_streaming(struct bf_control *c, uint64_t now_ms)
{
    if (c->phase != BF_CONTROL_STARTING)
        return 0;

    c->streaming_since_ms = now_ms;
    return enter(c, BF_CONTROL_STREAMING);
}

unsigned bf_control_interrupted(struct bf_control *c)
{
    return c->phase == BF_CONTROL_STREAMING ? enter(c, BF_CONTROL_STARTING) : 0;
}

unsigned bf_control_ended(struct bf_control *c, bool failed, uint64_t now_ms)
{
    bool same = strcmp(c->running, c->wanted) == 0;

    c->running[0] = '\0';
    if (c->phase == BF_CONTROL_STREAMING && now_ms - c->streaming_since_ms >= BF_CONTROL_HEALTHY_MS)
        c->failures = 0;
    if (!failed || !same || c->wanted[0] == '\0')
        return settle(c);

    c->retry_at_ms = now_ms + retry_delay_ms(++c->failures);
    return enter(c, BF_CONTROL_FAILED);
}

unsigned bf_control_tick(struct bf_control *c, uint64_t now_ms)
{
    return c->phase == BF_CONTROL_FAILED && now_ms >= c->retry_at_ms ? launch(c) : 0;
}
