/* Topics: what can be built, what parses, and that nothing else does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "bus/topic.h"

#define ID_32 "abcdefghijklmnopqrstuvwxyz012345"

static void test_format(void **state)
{
    static const struct {
        const char *site, *id;
        enum bf_role role;
        enum bf_channel channel;
        const char *expected; /* NULL: -EINVAL */
    } rows[] = {
        { "home", "cam-1", BF_ROLE_CAMERA, BF_CHANNEL_STATE, "belfry/v1/home/camera/cam-1/state" },
        { "home", "gateway-1", BF_ROLE_GATEWAY, BF_CHANNEL_RSP, "belfry/v1/home/gateway/gateway-1/rsp" },
        { ID_32, ID_32, BF_ROLE_OPERATOR, BF_CHANNEL_DESIRED, "belfry/v1/" ID_32 "/operator/" ID_32 "/desired" },
        { "", "cam-1", BF_ROLE_CAMERA, BF_CHANNEL_STATE, NULL },
        { "home", "", BF_ROLE_CAMERA, BF_CHANNEL_STATE, NULL },
        { "home", NULL, BF_ROLE_CAMERA, BF_CHANNEL_STATE, NULL },
        { "home", "+", BF_ROLE_CAMERA, BF_CHANNEL_STATE, NULL },
        { "home", "#", BF_ROLE_CAMERA, BF_CHANNEL_STATE, NULL },
        { "home", "a/b", BF_ROLE_CAMERA, BF_CHANNEL_STATE, NULL },
        { "Home", "cam-1", BF_ROLE_CAMERA, BF_CHANNEL_STATE, NULL },
        { "home", ID_32 "6", BF_ROLE_CAMERA, BF_CHANNEL_STATE, NULL },
        { "home", "cam-1", BF_ROLE_NONE, BF_CHANNEL_STATE, NULL },
        { "home", "cam-1", (enum bf_role)17, BF_CHANNEL_STATE, NULL },
        { "home", "cam-1", BF_ROLE_CAMERA, BF_CHANNEL_NONE, NULL },
    };

    (void)state;
    for (size_t i = 0; i < BF_COUNT_OF(rows); i++) {
        char topic[BF_TOPIC_SIZE] = "untouched";
        int r = bf_topic_format(topic, rows[i].site, rows[i].role, rows[i].id, rows[i].channel);

        assert_int_equal(r, rows[i].expected == NULL ? -EINVAL : 0);
        assert_string_equal(topic, rows[i].expected == NULL ? "untouched" : rows[i].expected);
    }
}

static void test_parse_is_the_inverse(void **state)
{
    (void)state;
    for (enum bf_role role = BF_ROLE_CAMERA; role <= BF_ROLE_OPERATOR; role++)
        for (enum bf_channel channel = BF_CHANNEL_STATE; channel <= BF_CHANNEL_EVT; channel++) {
            char topic[BF_TOPIC_SIZE];
            struct bf_topic t;

            assert_int_equal(bf_topic_format(topic, "site-9", role, ID_32, channel), 0);
            assert_int_equal(bf_topic_parse(&t, topic), 0);
            assert_string_equal(t.site, "site-9");
            assert_string_equal(t.id, ID_32);
            assert_int_equal(t.role, role);
            assert_int_equal(t.channel, channel);
        }
}

static void test_parse_refuses(void **state)
{
    static const char *const rows[] = {
        "",
        "/",
        "belfry",
        "belfry/v1",
        "belfry/v1/",
        "belfry/v1/home",
        "belfry/v1/home/camera",
        "belfry/v1/home/camera/cam-1",
        "belfry/v1/home/camera/cam-1/",
        "belfry/v1/home/camera/cam-1/state/",
        "belfry/v1/home/camera/cam-1/state/x",
        "belfry/v1/home/camera/cam-1/states",
        "belfry/v1/home/camera/cam-1/State",
        "belfry/v1/home/camera//state",
        "belfry/v1//camera/cam-1/state",
        "belfry/v1/home/kamera/cam-1/state",
        "belfry/v1/home/camera/cam_1/state",
        "belfry/v1/home/camera/+/state",
        "belfry/v1/home/camera/#",
        "belfry/v2/home/camera/cam-1/state",
        "Belfry/v1/home/camera/cam-1/state",
        "/belfry/v1/home/camera/cam-1/state",
        " belfry/v1/home/camera/cam-1/state",
        "belfry/v1/home/camera/cam-1/state ",
        "$SYS/broker/uptime",
        "belfry/v1/home/camera/" ID_32 "6/state",
    };
    struct bf_topic t = { .role = BF_ROLE_JANITOR };

    (void)state;
    for (size_t i = 0; i < BF_COUNT_OF(rows); i++)
        assert_int_equal(bf_topic_parse(&t, rows[i]), -EINVAL);
    assert_int_equal(t.role, BF_ROLE_JANITOR);
}

static void test_names(void **state)
{
    (void)state;
    assert_null(bf_role_name(BF_ROLE_NONE));
    assert_null(bf_channel_name(BF_CHANNEL_NONE));
    assert_null(bf_role_name((enum bf_role)99));
    assert_int_equal(bf_role_parse("root"), BF_ROLE_NONE);
    assert_int_equal(bf_channel_parse(""), BF_CHANNEL_NONE);
    assert_int_equal(bf_role_parse(bf_role_name(BF_ROLE_INGEST)), BF_ROLE_INGEST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_format),
        cmocka_unit_test(test_parse_is_the_inverse),
        cmocka_unit_test(test_parse_refuses),
        cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests_name("topic", tests, NULL, NULL);
}
