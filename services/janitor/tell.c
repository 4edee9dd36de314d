#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "janitor/janitor.h"

void bf_janitor_tell(struct bf_janitor *j, Belfry__V1__EventKind kind, const char *camera, const char *id,
                     const Belfry__V1__Recording *recording)
{
    Belfry__V1__Event event = BELFRY__V1__EVENT__INIT;
    event.kind = kind;
    event.camera = (char *)(camera != NULL ? camera : "");
    event.session_id = (char *)(id != NULL ? id : "");
    if (recording != NULL) {
        event.segments = recording->segments;
        event.bytes = recording->bytes;
        event.chain_head = recording->chain_head;
    }
    bf_bus_send_event(bf_service_bus(j->service), &event.base);
}

static void tell_alarm(struct bf_janitor *j, Belfry__V1__EventKind kind, const struct bf_alarm *a)
{
    Belfry__V1__Failure failure = BELFRY__V1__FAILURE__INIT;
    failure.code = (char *)a->code;
    failure.detail = (char *)a->error.text;
    failure.at_ms = bf_unix_ms();
    Belfry__V1__Event event = BELFRY__V1__EVENT__INIT;
    event.kind = kind;
    event.camera = (char *)a->camera;
    event.session_id = (char *)a->id;
    event.failure = &failure;
    bf_bus_send_event(bf_service_bus(j->service), &event.base);
}

static struct bf_alarm *find_alarm(struct bf_janitor *j, const char *code)
{
    for (size_t i = 0; i < BF_ALARMS_MAX; i++)
        if (strcmp(j->alarms[i].code, code) == 0)
            return &j->alarms[i];
    return NULL;
}

void bf_janitor_alarm(struct bf_janitor *j, const char *code, const char *camera, const char *id,
                      const struct bf_error *e)
{
    bf_service_failed(j->service, code, e);
    struct bf_alarm *a = find_alarm(j, code) == NULL ? find_alarm(j, "") : NULL;
    if (a == NULL)
        return;
    snprintf(a->code, sizeof a->code, "%s", code);
    snprintf(a->camera, sizeof a->camera, "%s", camera != NULL ? camera : "");
    snprintf(a->id, sizeof a->id, "%s", id != NULL ? id : "");
    a->error = *e;
    tell_alarm(j, BELFRY__V1__EVENT_KIND__EVENT_KIND_ALARM, a);
}

void bf_janitor_alarm_clear(struct bf_janitor *j, const char *code)
{
    struct bf_alarm *a = find_alarm(j, code);
    if (a == NULL)
        return;
    bf_info("over", "alarm=%s", code);
    tell_alarm(j, BELFRY__V1__EVENT_KIND__EVENT_KIND_ALARM_CLEARED, a);
    *a = (struct bf_alarm){ 0 };
}

void bf_janitor_connected(void *state)
{
    struct bf_janitor *j = state;
    for (size_t i = 0; i < BF_ALARMS_MAX; i++)
        if (j->alarms[i].code[0] != '\0')
            tell_alarm(j, BELFRY__V1__EVENT_KIND__EVENT_KIND_ALARM, &j->alarms[i]);
}

const char *bf_janitor_code(int r, const char *other)
{
    return r == -ENOSPC || r == -EDQUOT ? "disk_full" : other;
}
