#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "gateway/request.h"
#include "gateway/status_text.h"

static void set(json_t *object, const char *key, const char *value)
{
    if (value != NULL && value[0] != '\0')
        json_object_set_new(object, key, json_string(value));
}

char *bf_problem_json(const struct bf_problem_text *p)
{
    json_t *problem = json_object();

    json_object_set_new(problem, "type", json_string("about:blank"));
    json_object_set_new(problem, "title", json_string(bf_status_text(p->status)));
    json_object_set_new(problem, "status", json_integer(p->status));
    set(problem, "detail", p->detail);
    set(problem, "instance", p->instance);
    set(problem, "code", p->code);
    set(problem, "field", p->field);
    set(problem, "accepted", p->accepted);
    set(problem, "step", p->step);
    char *text = json_dumps(problem, JSON_COMPACT);
    json_decref(problem);
    return text;
}
