/* The way out, one step after another: drain the service, say good-bye on the bus, free, close, end the loop. */
#include "service/private.h"

#define DEFAULT_DRAIN_MS 5000U
#define GOOD_BYE_MS 2000U
#define STUCK_MS 3000U

static void after(struct bf_service *s, uint64_t ms, uv_timer_cb step)
{
    uv_update_time(&s->loop);
    uv_timer_start(&s->next, step, ms, 0);
}

static void on_stuck(uv_timer_t *timer)
{
    struct bf_service *s = timer->data;

    bf_err("ended with work left open", NULL);
    s->forced = true;
    uv_stop(&s->loop);
}

static void end(uv_timer_t *timer)
{
    struct bf_service *s = timer->data;

    s->phase = BF_PHASE_ENDING;
    uv_timer_start(&s->stuck, on_stuck, STUCK_MS, 0);
    uv_unref((uv_handle_t *)&s->stuck);

    if (s->def->free != NULL && s->state != NULL)
        s->def->free(s->state);
    s->state = NULL;
    bf_bus_free(s->bus);
    s->bus = NULL;

    for (int i = 0; i < BF_SIGNALS; i++)
        uv_close((uv_handle_t *)&s->signals[i], NULL);
    uv_close((uv_handle_t *)&s->beat, NULL);
    uv_close((uv_handle_t *)&s->report, NULL);
    uv_close((uv_handle_t *)&s->next, NULL);
}

/* Not from inside the bus, which calls this: what is freed next is still on its stack. */
static void on_bus_stopped(void *user)
{
    after(user, 0, end);
}

static void leave(struct bf_service *s)
{
    s->phase = BF_PHASE_LEAVING;
    uv_timer_stop(&s->next);
    uv_timer_stop(&s->report);

    if (s->bus != NULL)
        bf_bus_stop(s->bus, GOOD_BYE_MS, on_bus_stopped, s);
    else
        after(s, 0, end);
}

static void on_drain_timeout(uv_timer_t *timer)
{
    bf_warning("not drained in time", NULL);
    leave(timer->data);
}

static void on_drain(uv_timer_t *timer)
{
    struct bf_service *s = timer->data;
    if (s->state == NULL || s->def->drain == NULL) {
        leave(s);
        return;
    }

    after(s, s->def->drain_ms != 0 ? s->def->drain_ms : DEFAULT_DRAIN_MS, on_drain_timeout);
    s->def->drain(s->state);
}

void bf_service_begin_end(struct bf_service *s)
{
    if (s->phase < BF_PHASE_DRAINING) {
        s->phase = BF_PHASE_DRAINING;
        after(s, 0, on_drain);
    } else if (s->phase == BF_PHASE_DRAINING) {
        leave(s);
    }
}

void bf_service_drained(struct bf_service *s)
{
    if (s->phase == BF_PHASE_DRAINING)
        leave(s);
}

void bf_service_quit(struct bf_service *s, int status)
{
    if (s->exit_code == 0)
        s->exit_code = status;
    if (s->phase < BF_PHASE_DRAINING)
        bf_service_begin_end(s);
}
