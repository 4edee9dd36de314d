/* What a person has to act on: told to listeners, to the log, and in this gateway's own state. */
#include "gateway/gateway_internal.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"

void bf_gateway_alarm(struct bf_gateway *g, const char *node, const char *code, const char *detail, bool active)
{
    json_t *alarm =
        json_pack("{s:s, s:s, s:s, s:b}", "node", node, "code", code, "detail", detail, "active", (int)active);
    _cleanup_(bf_freep) char *text = json_dumps(alarm, JSON_COMPACT);

    json_decref(alarm);
    if (text != NULL)
        bf_events_publish(g->app.events, "alarm", text);
}

/* --- two gateways: told when it begins and when it ends, by the node that says so --- */

struct bf_standing bf_gateway_standing(const struct bf_gateway *g, enum bf_role role, const char *id)
{
    const struct bf_node *n = bf_orch_node(g->orch, role, id);

    return n == NULL ? (struct bf_standing){ .superseded = false }
                     : (struct bf_standing){ n->superseded, n->contested, n->cloned, n->clock_ahead_ms != 0 };
}

static void tell_superseded(struct bf_gateway *g, const struct bf_node *n)
{
    struct bf_error e = { "" };

    if (n->superseded) {
        bf_orch_superseded_detail(g->orch, n, e.text, sizeof e.text);
        bf_service_failed(g->service, "superseded", &e);
    } else {
        snprintf(e.text, sizeof e.text, "%s %s takes orders from here again.", bf_role_name(n->role), n->id);
        bf_info("a node takes orders from here again", "role=%s node=%s", bf_role_name(n->role), n->id);
    }
    bf_gateway_alarm(g, n->id, "superseded", e.text, n->superseded);
}

static void tell_contested(struct bf_gateway *g, const struct bf_node *n, const char *detail)
{
    char quoted[600];

    if (n->contested)
        bf_warning("another gateway orders our nodes", "role=%s node=%s detail=%s", bf_role_name(n->role), n->id,
                   bf_log_quote(quoted, sizeof quoted, detail));
    bf_gateway_alarm(g, n->id, "lease_conflict", detail, n->contested);
}

static void tell_cloned(struct bf_gateway *g, const struct bf_node *n, const struct bf_node_report *report)
{
    char detail[512], quoted[600];

    if (n->cloned) {
        snprintf(detail, sizeof detail, "%s %s says: %s", bf_role_name(n->role), n->id, report->error_detail);
        bf_warning("two processes have one node's id and key", "role=%s node=%s detail=%s", bf_role_name(n->role),
                   n->id, bf_log_quote(quoted, sizeof quoted, report->error_detail));
    } else {
        snprintf(detail, sizeof detail, "%s %s no longer says that another process has its id and key.",
                 bf_role_name(n->role), n->id);
    }
    bf_gateway_alarm(g, n->id, "node_cloned", detail, n->cloned);
}

static void tell_clock(struct bf_gateway *g, const struct bf_node *n)
{
    char detail[384];

    if (n->clock_ahead_ms != 0) {
        bf_orch_clock_detail(g->orch, n, detail, sizeof detail);
    } else {
        snprintf(detail, sizeof detail, "%s %s is heard again: its clock and this gateway's agree.",
                 bf_role_name(n->role), n->id);
        bf_info("clocks agree again", "role=%s node=%s", bf_role_name(n->role), n->id);
    }
    bf_gateway_alarm(g, n->id, "clock_gap", detail, n->clock_ahead_ms != 0);
}

void bf_gateway_on_clock_gap(void *state, const struct bf_clock_gap *gap)
{
    struct bf_gateway *g = state;
    const struct bf_standing before = bf_gateway_standing(g, gap->role, gap->node);

    bf_orch_clock_gap(g->orch, gap->role, gap->node, gap->ahead_ms, bf_mono_ms());
    const struct bf_node *n = bf_orch_node(g->orch, gap->role, gap->node);
    if (n != NULL && n->clock_ahead_ms != 0 && !before.clock_off)
        tell_clock(g, n);
    bf_gateway_settle(g);
}

void bf_gateway_tell_standing(struct bf_gateway *g, enum bf_role role, const char *id, struct bf_standing before,
                              const struct bf_node_report *report)
{
    const struct bf_node *n = bf_orch_node(g->orch, role, id);

    if (n != NULL && n->superseded != before.superseded)
        tell_superseded(g, n);
    if (n != NULL && before.clock_off && n->clock_ahead_ms == 0)
        tell_clock(g, n);
    if (n != NULL && n->contested != before.contested)
        tell_contested(g, n, report->error_detail);
    if (n != NULL && n->cloned != before.cloned)
        tell_cloned(g, n, report);
}
