/* What a start asks for, and what of it survives the gateway's restart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "gateway/intents.h"
#include "gateway/want.h"

#define SESSION "01KAN3Q7X2M4D9B6TVJ0W8HYRE"
#define PROFILE(word) BELFRY__V1__PROFILE__PROFILE_##word

static void a_start_that_says_nothing(void **state)
{
    struct bf_camera_config c = { .profile = (char *)"economy", .gop_ms = 1000, .record = true };

    (void)state;
    struct bf_want w = bf_want_of(&c);
    assert_true(w.record);
    assert_int_equal(w.profile, PROFILE(ECONOMY));
    assert_string_equal(bf_want_profile_name(&w), "economy");
    assert_int_equal(w.gop_ms, 0);
    assert_null(bf_want_profile_name(&(struct bf_want){ 0 }));
}

static void a_gop_is_at_most_a_segment(void **state)
{
    static const struct {
        Belfry__V1__Profile profile;
        uint32_t asked, configured, sent;
    } table[] = {
        { PROFILE(REALTIME), 0, 1000, 500 },   { PROFILE(REALTIME), 0, 250, 250 },
        { PROFILE(REALTIME), 400, 250, 400 },  { PROFILE(BALANCED), 0, 500, 500 },
        { PROFILE(BALANCED), 0, 1000, 1000 },  { PROFILE(ECONOMY), 0, 1000, 1000 },
        { PROFILE(ECONOMY), 2000, 500, 2000 },
    };

    (void)state;
    for (size_t i = 0; i < BF_COUNT_OF(table); i++) {
        struct bf_camera_config c = { .profile = (char *)"balanced", .gop_ms = table[i].configured };
        struct bf_want w = { .profile = table[i].profile, .gop_ms = table[i].asked };

        assert_int_equal(bf_want_gop_ms(&w, &c), table[i].sent);
    }
}

static int make_directory(void)
{
    char path[] = "/tmp/belfry-want-XXXXXX";

    assert_non_null(mkdtemp(path));
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static void drop_directory(int fd)
{
    char link[32], path[64];

    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    assert_true(n > 0);
    path[n] = '\0';
    unlinkat(fd, BF_INTENTS_NAME, 0);
    unlinkat(fd, BF_INTENTS_NAME ".bad", 0);
    close(fd);
    assert_int_equal(rmdir(path), 0);
}

static void a_session_of_viewers_ends_with_on_demand(void **state)
{
    const struct bf_camera_config demand = { .on_demand = true }, plain = { .on_demand = false };
    const struct bf_want viewers = { .on_demand = true }, by_hand = { .record = true };

    (void)state;
    assert_true(bf_want_goes_on(&viewers, &demand));
    assert_false(bf_want_goes_on(&viewers, &plain));
    assert_true(bf_want_goes_on(&by_hand, &demand));
    assert_true(bf_want_goes_on(&by_hand, &plain));
}

static void an_intent_keeps_its_profile(void **state)
{
    struct bf_intent intents[2] = {
        { .camera = "cam-1",
          .session = SESSION,
          .ingest = "in-1",
          .want = { .profile = PROFILE(REALTIME), .fps = 25 } },
        { .camera = "cam-2",
          .session = SESSION,
          .ingest = "in-1",
          .want = { .profile = PROFILE(ECONOMY), .on_demand = true } },
    };
    _cleanup_(bf_freep) struct bf_intent *loaded = NULL;
    int fd = make_directory();
    struct bf_error e;
    size_t n = 0;

    (void)state;
    assert_int_equal(bf_intents_store(fd, intents, 2), 0);
    assert_int_equal(bf_intents_load(fd, &loaded, &n, &e), 0);
    assert_int_equal(n, 2);
    assert_int_equal(loaded[0].want.profile, PROFILE(REALTIME));
    assert_int_equal(loaded[0].want.fps, 25);
    assert_int_equal(loaded[1].want.profile, PROFILE(ECONOMY));
    assert_false(loaded[0].want.on_demand);
    assert_true(loaded[1].want.on_demand);
    drop_directory(fd);
}

static void what_a_file_may_say(void **state)
{
    static const struct {
        const char *profile;
        int result;
        Belfry__V1__Profile loaded;
    } table[] = {
        { "", 0, PROFILE(BALANCED) }, /* it does not say */
        { "\"profile\": \"realtime\",", 0, PROFILE(REALTIME) },
        { "\"profile\": \"fast\",", -EBADMSG, PROFILE(UNSPECIFIED) },
        { "\"profile\": 1,", -EBADMSG, PROFILE(UNSPECIFIED) },
    };
    static const char form[] =
        "{\"version\": 1, \"streams\": [{\"camera\": \"cam-1\", \"session\": \"" SESSION "\", \"ingest\": \"in-1\", "
        "\"stopping\": false, \"record\": true, %s \"width\": 0, \"height\": 0, \"fps\": 0, \"bitrate_kbps\": 0, "
        "\"gop_ms\": 0}]}";

    (void)state;
    for (size_t i = 0; i < BF_COUNT_OF(table); i++) {
        _cleanup_(bf_freep) struct bf_intent *loaded = NULL;
        int fd = make_directory();
        struct bf_error e;
        char text[400];
        size_t n = 0;

        snprintf(text, sizeof text, form, table[i].profile);
        assert_int_equal(bf_replace_file(fd, BF_INTENTS_NAME, text, strlen(text), 0600), 0);
        assert_int_equal(bf_intents_load(fd, &loaded, &n, &e), table[i].result);
        if (table[i].result == 0)
            assert_int_equal(loaded[0].want.profile, table[i].loaded);
        drop_directory(fd);
    }
}

static void an_intent_keeps_why_it_is_undone(void **state)
{
    static const struct bf_stream_error error = { .outcome = BF_OUTCOME_STEP_TIMEOUT,
                                                  .step = BF_STEP_MEDIA,
                                                  .code = "timeout",
                                                  .detail = "The start waited \"too\" long for \xe2\x80\xa6" };
    struct bf_intent intents[2] = {
        { .camera = "cam-1", .session = SESSION, .ingest = "in-1", .stopping = true, .error = error },
        { .camera = "cam-2", .session = SESSION, .ingest = "in-1", .stopping = true },
    };
    _cleanup_(bf_freep) struct bf_intent *loaded = NULL;
    int fd = make_directory();
    struct bf_error e;
    size_t n = 0;

    (void)state;
    for (int i = 0; i < 2; i++)
        intents[i].want.profile = PROFILE(BALANCED);
    assert_int_equal(bf_intents_store(fd, intents, 2), 0);
    assert_int_equal(bf_intents_load(fd, &loaded, &n, &e), 0);
    assert_int_equal(n, 2);
    assert_int_equal(loaded[0].error.outcome, error.outcome);
    assert_int_equal(loaded[0].error.step, error.step);
    assert_string_equal(loaded[0].error.code, error.code);
    assert_string_equal(loaded[0].error.detail, error.detail);
    assert_string_equal(loaded[1].error.code, "");
    drop_directory(fd);
}

#define SIXTEEN "0123456789abcdef"
#define REASON(outcome, step, code, detail)                                                                            \
    "{\"outcome\": " outcome ", \"step\": " step ", \"code\": " code ", \"detail\": " detail "}"

static void what_a_reason_may_say(void **state)
{
    static const struct {
        const char *stopping, *error;
        int result;
    } table[] = {
        { "true", REASON("\"step_failed\"", "\"camera\"", "\"x\"", "\"\""), 0 },
        { "true", REASON("\"storage\"", "\"persist\"", "\"" SIXTEEN SIXTEEN SIXTEEN "\"", "\"y\""), 0 },
        { "false", REASON("\"step_failed\"", "\"camera\"", "\"x\"", "\"y\""), -EBADMSG },
        { "true", REASON("\"started\"", "\"camera\"", "\"x\"", "\"y\""), -EBADMSG },
        { "true", REASON("\"odd\"", "\"camera\"", "\"x\"", "\"y\""), -EBADMSG },
        { "true", REASON("8", "\"camera\"", "\"x\"", "\"y\""), -EBADMSG },
        { "true", REASON("\"step_failed\"", "\"none\"", "\"x\"", "\"y\""), -EBADMSG },
        { "true", REASON("\"step_failed\"", "\"janitor\"", "\"x\"", "\"y\""), -EBADMSG },
        { "true", REASON("\"step_failed\"", "\"camera\"", "\"\"", "\"y\""), -EBADMSG },
        { "true", REASON("\"step_failed\"", "\"camera\"", "\"" SIXTEEN SIXTEEN SIXTEEN "0\"", "\"y\""), -EBADMSG },
        { "true", REASON("\"step_failed\"", "\"camera\"", "\"x\"", "\"a\\nb\""), -EBADMSG },
        { "true", REASON("\"step_failed\"", "\"camera\"", "\"x\"", "\"y\", \"more\": 1"), -EBADMSG },
        { "true", "{}", -EBADMSG },
        { "true", "null", -EBADMSG },
        { "true", "\"timeout\"", -EBADMSG },
    };
    static const char form[] =
        "{\"version\": 1, \"streams\": [{\"camera\": \"cam-1\", \"session\": \"" SESSION "\", \"ingest\": \"in-1\", "
        "\"stopping\": %s, \"record\": true, \"width\": 0, \"height\": 0, \"fps\": 0, \"bitrate_kbps\": 0, "
        "\"gop_ms\": 0, \"error\": %s}]}";

    (void)state;
    for (size_t i = 0; i < BF_COUNT_OF(table); i++) {
        _cleanup_(bf_freep) struct bf_intent *loaded = NULL;
        int fd = make_directory();
        struct bf_error e;
        char text[600];
        size_t n = 0;

        snprintf(text, sizeof text, form, table[i].stopping, table[i].error);
        assert_int_equal(bf_replace_file(fd, BF_INTENTS_NAME, text, strlen(text), 0600), 0);
        assert_int_equal(bf_intents_load(fd, &loaded, &n, &e), table[i].result);
        drop_directory(fd);
    }
}

static void a_reason_is_at_most_as_long_as_one_is_kept(void **state)
{
    struct bf_intent one = { .camera = "cam-1", .session = SESSION, .ingest = "in-1", .stopping = true };
    const size_t longest = sizeof one.error.detail - 1;

    (void)state;
    for (size_t more = 0; more < 2; more++) {
        _cleanup_(bf_freep) struct bf_intent *loaded = NULL;
        int fd = make_directory();
        struct bf_error e;
        char text[1000], detail[500] = "";
        size_t n = 0;

        memset(detail, 'y', longest + more);
        snprintf(text, sizeof text,
                 "{\"version\": 1, \"streams\": [{\"camera\": \"cam-1\", \"session\": \"" SESSION
                 "\", \"ingest\": \"in-1\", \"stopping\": true, \"record\": true, \"width\": 0, \"height\": 0, "
                 "\"fps\": 0, \"bitrate_kbps\": 0, \"gop_ms\": 0, \"error\": " REASON("\"storage\"", "\"persist\"",
                                                                                      "\"x\"", "\"%s\"") "}]}",
                 detail);
        assert_int_equal(bf_replace_file(fd, BF_INTENTS_NAME, text, strlen(text), 0600), 0);
        assert_int_equal(bf_intents_load(fd, &loaded, &n, &e), more == 0 ? 0 : -EBADMSG);
        if (more == 0)
            assert_string_equal(loaded[0].error.detail, detail);
        drop_directory(fd);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_start_that_says_nothing),
        cmocka_unit_test(a_gop_is_at_most_a_segment),
        cmocka_unit_test(a_session_of_viewers_ends_with_on_demand),
        cmocka_unit_test(an_intent_keeps_its_profile),
        cmocka_unit_test(what_a_file_may_say),
        cmocka_unit_test(an_intent_keeps_why_it_is_undone),
        cmocka_unit_test(what_a_reason_may_say),
        cmocka_unit_test(a_reason_is_at_most_as_long_as_one_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
