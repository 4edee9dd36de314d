#include "gateway/intents.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "gateway/want.h"
#include "stream/profile.h"

#define VERSION 1
#define FILE_MAX (1 << 20)
#define PUT_ASIDE BF_INTENTS_NAME ".bad"

static json_t *error_json(const struct bf_stream_error *e)
{
    if (e->code[0] == '\0')
        return NULL;
    return json_pack("{s:s, s:s, s:s, s:s}", "outcome", bf_outcome_name(e->outcome), "step", bf_step_name(e->step),
                     "code", e->code, "detail", e->detail);
}

static json_t *intent_json(const struct bf_intent *i)
{
    return json_pack("{s:s, s:s, s:s, s:b, s:b, s:b, s:s*, s:i, s:i, s:i, s:i, s:i, s:o*}", "camera", i->camera,
                     "session", i->session, "ingest", i->ingest, "stopping", (int)i->stopping, "record",
                     (int)i->want.record, "on_demand", (int)i->want.on_demand, "profile",
                     bf_want_profile_name(&i->want), "width", (int)i->want.width, "height", (int)i->want.height, "fps",
                     (int)i->want.fps, "bitrate_kbps", (int)i->want.bitrate_kbps, "gop_ms", (int)i->want.gop_ms,
                     "error", error_json(&i->error));
}

int bf_intents_store(int state_dirfd, const struct bf_intent *list, size_t n)
{
    json_t *array = json_array();

    for (size_t i = 0; i < n; i++)
        json_array_append_new(array, intent_json(&list[i]));
    json_t *root = json_pack("{s:i, s:o}", "version", VERSION, "streams", array);
    _cleanup_(bf_freep) char *text = root == NULL ? NULL : json_dumps(root, JSON_INDENT(1));

    json_decref(root);
    if (text == NULL)
        return -ENOMEM;
    return bf_replace_file(state_dirfd, BF_INTENTS_NAME, text, strlen(text), 0600);
}

static bool parse_outcome(enum bf_outcome *ret, const char *name)
{
    for (int i = BF_OUTCOME_BUS_OFFLINE; i <= BF_OUTCOME_SUPERSEDED; i++)
        if (strcmp(name, bf_outcome_name((enum bf_outcome)i)) == 0) {
            *ret = (enum bf_outcome)i;
            return true;
        }
    return false;
}

static bool parse_step(enum bf_step *ret, const char *name)
{
    for (int i = BF_STEP_PERSIST; i <= BF_STEP_PLAYLIST; i++)
        if (strcmp(name, bf_step_name((enum bf_step)i)) == 0) {
            *ret = (enum bf_step)i;
            return true;
        }
    return false;
}

static bool parse_error(struct bf_stream_error *ret, json_t *json)
{
    const char *outcome, *step, *code, *detail;

    if (json_unpack(json, "{s:s, s:s, s:s, s:s !}", "outcome", &outcome, "step", &step, "code", &code, "detail",
                    &detail) != 0)
        return false;
    if (!parse_outcome(&ret->outcome, outcome) || !parse_step(&ret->step, step) || code[0] == '\0' ||
        !bf_text_valid(code, sizeof ret->code - 1) || !bf_text_valid(detail, sizeof ret->detail - 1))
        return false;
    memcpy(ret->code, code, strlen(code) + 1);
    memcpy(ret->detail, detail, strlen(detail) + 1);
    return true;
}

static bool parse_intent(struct bf_intent *ret, json_t *json)
{
    const char *camera, *session, *ingest, *profile = "balanced"; /* of files that do not say */
    int stopping, record, on_demand = 0, width, height, fps, bitrate, gop;
    json_t *error = NULL;

    if (json_unpack(json, "{s:s, s:s, s:s, s:b, s:b, s?b, s?s, s:i, s:i, s:i, s:i, s:i, s?o}", "camera", &camera,
                    "session", &session, "ingest", &ingest, "stopping", &stopping, "record", &record, "on_demand",
                    &on_demand, "profile", &profile, "width", &width, "height", &height, "fps", &fps, "bitrate_kbps",
                    &bitrate, "gop_ms", &gop, "error", &error) != 0)
        return false;
    const struct bf_profile *known = bf_profile_named(profile);
    if (known == NULL || !bf_id_valid(camera) || !bf_ulid_valid(session) || !bf_id_valid(ingest) || width < 0 ||
        height < 0 || fps < 0 || bitrate < 0 || gop < 0)
        return false;
    *ret = (struct bf_intent){
        .want = { .record = record != 0,
                  .on_demand = on_demand != 0,
                  .profile = known->id,
                  .width = (uint32_t)width,
                  .height = (uint32_t)height,
                  .fps = (uint32_t)fps,
                  .bitrate_kbps = (uint32_t)bitrate,
                  .gop_ms = (uint32_t)gop },
        .stopping = stopping != 0,
    };
    if (error != NULL && (!ret->stopping || !parse_error(&ret->error, error)))
        return false;
    memcpy(ret->camera, camera, strlen(camera) + 1);
    memcpy(ret->session, session, BF_ULID_SIZE);
    memcpy(ret->ingest, ingest, strlen(ingest) + 1);
    return true;
}

static int parse(json_t *root, struct bf_intent **ret, size_t *ret_n)
{
    json_t *streams = json_object_get(root, "streams");
    size_t n = json_array_size(streams);

    if (json_integer_value(json_object_get(root, "version")) != VERSION || !json_is_array(streams))
        return -EBADMSG;
    struct bf_intent *list = calloc(n + 1, sizeof *list);
    if (list == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++)
        if (!parse_intent(&list[i], json_array_get(streams, i))) {
            free(list);
            return -EBADMSG;
        }
    *ret = list;
    *ret_n = n;
    return 0;
}

int bf_intents_load(int state_dirfd, struct bf_intent **ret, size_t *ret_n, struct bf_error *e)
{
    _cleanup_(bf_freep) uint8_t *data = NULL;
    size_t size;
    int r = bf_read_file(state_dirfd, BF_INTENTS_NAME, FILE_MAX, &data, &size);

    if (r == -ENOENT) {
        *ret = NULL;
        *ret_n = 0;
        return 0;
    }
    if (r < 0 && r != -EFBIG)
        return bf_fail(e, r, "%s: %s", BF_INTENTS_NAME, strerror(-r));
    json_t *root = r < 0 ? NULL : json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL);
    r = root == NULL ? -EBADMSG : parse(root, ret, ret_n);
    json_decref(root);
    if (r != -EBADMSG)
        return r;
    renameat(state_dirfd, BF_INTENTS_NAME, state_dirfd, PUT_ASIDE);
    return bf_fail(e, r, "%s is damaged and has been put aside as %s: what ran before is left to its lease",
                   BF_INTENTS_NAME, PUT_ASIDE);
}
