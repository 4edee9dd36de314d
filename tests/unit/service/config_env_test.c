#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "scratch.h"
#include "service/config.h"

static int load(struct bf_config **ret, const char *variable, struct bf_error *e)
{
    char *environment[] = { (char *)(uintptr_t) "PATH=/bin", (char *)(uintptr_t)variable, NULL };
    return bf_config_load(ret, "belfry.yml", environment, e);
}

static int write_file(void **state)
{
    int r = scratch_enter(state);
    if (r == 0)
        scratch_write("belfry.yml", "site: home\nbroker:\n  port: 1000\n  tls: true\ncameras:\n  - id: cam-1\n");
    return r;
}

static void variables_come_before_the_file(void **state)
{
    (void)state;
    struct bf_config *c = NULL;
    struct bf_error e = { "" };

    assert_int_equal(load(&c, "BELFRY_SITE=away", &e), 0);
    assert_string_equal(c->site, "away");
    assert_int_equal(c->broker.port, 1000);
    bf_config_free(c);
    assert_int_equal(load(&c, "BELFRY_BROKER_PORT=8884", &e), 0);
    assert_int_equal(c->broker.port, 8884);
    bf_config_free(c);
    assert_int_equal(load(&c, "BELFRY_BROKER_TLS=false", &e), 0);
    assert_false(c->broker.tls);
    bf_config_free(c);
    assert_int_equal(load(&c, "BELFRY_GATEWAY_START_TIMEOUT_MS=700", &e), 0);
    assert_int_equal(c->gateway.start_timeout_ms, 700);
    bf_config_free(c);
    assert_int_equal(load(&c, "BELFRY_STORAGE_MEDIA=/srv/other", &e), 0);
    assert_string_equal(c->storage.media, "/srv/other");
    bf_config_free(c);
    assert_int_equal(load(&c, "BELFRY_JANITOR_MAX_BYTES=0", &e), 0);
    bf_config_free(c);
}

static void bad_variables_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *variable, *error;
    } rows[] = {
        { "BELFRY_BROKER_PORT=http", "BELFRY_BROKER_PORT: \"http\": expected a whole number from 1 to 65535" },
        { "BELFRY_BROKER_PORT=", "BELFRY_BROKER_PORT: \"\": expected a whole number from 1 to 65535" },
        { "BELFRY_SITE=A", "BELFRY_SITE: \"A\": expected 1 to 32 characters of a-z, 0-9 and -" },
        { "BELFRY_BROKER_HOST=lan", NULL },
        { "BELFRY_BROKER_PROT=1",
          "BELFRY_BROKER_PROT: unknown key: expected one of host, port, keepalive_s, alpn, tls in section broker" },
        { "BELFRY_LOG_LEVEL=loud", "BELFRY_LOG_LEVEL: \"loud\": expected debug, info, warning or error" },
        { "BELFRY_GATEWAY_CORS=*", "BELFRY_GATEWAY_CORS: a list: expected in the file, as gateway.cors" },
        { "BELFRY_CAMERAS_WIDTH=640",
          "BELFRY_CAMERAS_WIDTH: cameras have no variables: expected in the file, as cameras" },
        { "BELFRY_CAMERA_NODE=cam-2",
          "BELFRY_CAMERA_NODE: \"cam-2\": expected the id of one of cameras, one without input" },
        { "BELFRY_INGEST_PORT_LAST=1", "BELFRY_INGEST_PORT_LAST: \"1\": expected at least ingest.port_first, 20000" },
    };

    for (size_t i = 0; i < BF_COUNT_OF(rows); i++) {
        struct bf_config *c = NULL;
        struct bf_error e = { "" };
        assert_int_equal(load(&c, rows[i].variable, &e), rows[i].error != NULL ? -EINVAL : 0);
        assert_string_equal(e.text, rows[i].error != NULL ? rows[i].error : "");
        bf_config_free(c);
    }
}

static void other_names_are_left_alone(void **state)
{
    (void)state;
    static const char *const names[] = {
        "BELFRY_CLOCK_SYNCED=1",
        "BELFRY_=x",
        "BELFRY",
        "BELFRY_X",
        "BELFRY_VERSION=9",
        "belfry_site=A",
        /* what Kubernetes adds for a service called belfry-gateway or belfry-broker */
        "BELFRY_GATEWAY_SERVICE_HOST=10.0.0.1",
        "BELFRY_GATEWAY_SERVICE_PORT=80",
        "BELFRY_GATEWAY_PORT=tcp://10.0.0.1:80",
        "BELFRY_GATEWAY_PORT_80_TCP_ADDR=10.0.0.1",
        "BELFRY_BROKER_PORT=tcp://10.0.0.1:8883",
        "BELFRY_INGEST_PORT_5004_UDP=udp://10.0.0.1:5004",
    };

    for (size_t i = 0; i < BF_COUNT_OF(names); i++) {
        struct bf_config *c = NULL;
        struct bf_error e = { "" };
        if (load(&c, names[i], &e) < 0)
            fail_msg("%s: %s", names[i], e.text);
        assert_string_equal(c->site, "home");
        assert_int_equal(c->broker.port, 1000);
        bf_config_free(c);
    }
}

static void a_variable_heals_the_file(void **state)
{
    (void)state;
    struct bf_config *c = NULL;
    struct bf_error e = { "" };
    scratch_write("belfry.yml", "broker:\n  keepalive_s: 3\n");

    char *environment[] = { (char *)(uintptr_t) "BELFRY_SITE=away", (char *)(uintptr_t) "BELFRY_BROKER_KEEPALIVE_S=10",
                            NULL };
    assert_int_equal(bf_config_load(&c, "belfry.yml", environment, &e), 0);
    assert_int_equal(c->broker.keepalive_s, 10);
    bf_config_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(variables_come_before_the_file),
        cmocka_unit_test(bad_variables_are_named),
        cmocka_unit_test(other_names_are_left_alone),
        cmocka_unit_test(a_variable_heals_the_file),
    };
    return cmocka_run_group_tests(tests, write_file, scratch_leave);
}
