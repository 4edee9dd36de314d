#include <errno.h>
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

static void tell_alarm(struct bf_janitor *j, Belfry__V1__EventKind kind, const char *code, const char *camera,
                       const char *id, const char *detail)
{
    Belfry__V1__Failure failure = BELFRY__V1__FAILURE__INIT;
    failure.code = (char *)code;
    failure.detail = (char *)detail;
    failure.at_ms = bf_unix_ms();
    Belfry__V1__Event event = BELFRY__V1__EVENT__INIT;
    event.kind = kind;
    event.camera = (char *)(camera != NULL ? camera : "");
    event.session_id = (char *)(id != NULL ? id : "");
    event.failure = &failure;
    bf_bus_send_event(bf_service_bus(j->service), &event.base);
}

static char *find_alarm(struct bf_janitor *j, const char *code)
{
    for (size_t i = 0; i < BF_ALARMS_MAX; i++)
        if (strcmp(j->alarms[i], code) == 0)
            return j->alarms[i];
    return NULL;
}

void bf_janitor_alarm(struct bf_janitor *j, const char *code, const char *camera, const char *id,
                      const struct bf_error *e)
{
    bf_service_failed(j->service, code, e);
    char *slot = find_alarm(j, code) == NULL ? find_alarm(j, "") : NULL;
    if (slot == NULL)
        return;
    snprintf(slot, sizeof j->alarms[0], "%s", code);
    tell_alarm(j, BELFRY__V1__EVENT_KIND__EVENT_KIND_ALARM, code, camera, id, e->text);
}

void bf_janitor_alarm_clear(struct bf_janitor *j, const char *code)
{
    char *slot = find_alarm(j, code);
    if (slot == NULL)
        return;
    slot[0] = '\0';
    bf_info("over", "alarm=%s", code);
    tell_alarm(j, BELFRY__V1__EVENT_KIND__EVENT_KIND_ALARM_CLEARED, code, NULL, NULL, "");
}

const char *bf_janitor_code(int r, const char *other)
{
    return r == -ENOSPC || r == -EDQUOT ? "disk_full" : other;
}
