/* /api/v1/recordings: list, look, protect and name, delete. */
#include "gateway/request.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "gateway/json.h"

#define JANITOR_MS 8000

BF_DEFINE_CLEANUP(struct bf_call, bf_call_unref)

static int respond_json(struct bf_request *r, json_t *json)
{
    _cleanup_(bf_freep) char *text = json_dumps(json, JSON_COMPACT);

    json_decref(json);
    if (text == NULL)
        return bf_problem(r, 503, "no_memory", "There is no memory for the answer.");
    return bf_respond(
        r, &(struct bf_response){ .status = 200, .type = "application/json", .body = text, .size = strlen(text) });
}

static int no_such_recording(struct bf_request *r)
{
    return bf_problem(r, 404, "no_such_recording", "There is no recording of that id (any more).");
}

static int get_recordings(struct bf_request *r)
{
    char camera[BF_ID_SIZE];
    _cleanup_(bf_freep) struct bf_recording *list = NULL;
    size_t n;
    int found = bf_query_get(r->query, "camera", camera, sizeof camera);

    if (found != -ENOENT && (found < 0 || !bf_id_valid(camera)))
        return bf_problem_body(r, &(struct bf_body_error){ .field = "camera",
                                                           .accepted = "the id of a camera",
                                                           .detail = "camera is not an id" });
    if (bf_recordings_list(r->app->recordings, found == 0 ? camera : NULL, &list, &n) < 0)
        return bf_problem(r, 503, "no_memory", "There is no memory for the list.");

    json_t *array = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(array, bf_json_recording(&list[i]));
    return respond_json(r, json_pack("{s:o}", "recordings", array));
}

static int get_recording(struct bf_request *r)
{
    struct bf_recording found;

    if (bf_recordings_find(r->app->recordings, r->params.session, &found) < 0)
        return no_such_recording(r);
    return respond_json(r, bf_json_recording(&found));
}

static int ask(struct bf_request *r, struct bf_call *call, const struct bf_recording *recording)
{
    memcpy(call->recording, recording->id, sizeof call->recording);
    memcpy(call->camera, recording->camera, sizeof call->camera);
    return bf_ask_and_respond(r, call, JANITOR_MS);
}

static int patch_recording(struct bf_request *r)
{
    _cleanup_(bf_call_unrefp) struct bf_call *call = bf_call_new(BF_CALL_PROTECT);
    struct bf_recording found;

    if (bf_recordings_find(r->app->recordings, r->params.session, &found) < 0)
        return no_such_recording(r);
    if (call == NULL)
        return bf_problem(r, 503, "no_memory", "There is no memory for the request.");
    call->is_protected = found.is_protected; /* what is not given stays */
    const struct bf_body_field fields[] = {
        { .name = "protected", .type = BF_BODY_BOOL, .value = &call->is_protected },
        { .name = "title", .type = BF_BODY_TEXT, .value = call->title, .min = 1, .max = sizeof call->title - 1 },
    };
    int failed = bf_request_json(r, fields, BF_COUNT_OF(fields));
    return failed != 0 ? failed : ask(r, call, &found);
}

static int delete_recording(struct bf_request *r)
{
    _cleanup_(bf_call_unrefp) struct bf_call *call = bf_call_new(BF_CALL_DELETE);
    struct bf_recording found;

    if (bf_recordings_find(r->app->recordings, r->params.session, &found) < 0)
        return no_such_recording(r);
    if (call == NULL)
        return bf_problem(r, 503, "no_memory", "There is no memory for the request.");
    return ask(r, call, &found);
}

const struct bf_http_route bf_routes_recordings[] = {
    { BF_GET, "/api/v1/recordings", get_recordings },
    { BF_GET, "/api/v1/recordings/{recording}", get_recording },
    { BF_PATCH, "/api/v1/recordings/{recording}", patch_recording },
    { BF_DELETE, "/api/v1/recordings/{recording}", delete_recording },
    { 0 },
};
