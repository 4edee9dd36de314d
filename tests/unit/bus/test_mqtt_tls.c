/* TLS to a real mosquitto: the right broker is taken; another name, another CA, no certificate are not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "broker.h"
#include "bus/mqtt.h"

#define PATIENCE_MS 20000

static char dir[] = "/tmp/belfry-tls-XXXXXX";

struct client {
    struct bf_mqtt *mqtt;
    unsigned disconnects;
    char reason[400];
    bool stopped;
};

static void on_connected(void *user)
{
    (void)user;
}

static void on_disconnected(void *user, const char *reason, uint64_t retry_in_ms)
{
    struct client *c = user;

    (void)retry_in_ms;
    c->disconnects++;
    snprintf(c->reason, sizeof(c->reason), "%s", reason);
}

static void on_message(void *user, const char *topic, const uint8_t *payload, size_t size, bool retained)
{
    (void)user;
    (void)topic;
    (void)payload;
    (void)size;
    (void)retained;
}

static void on_stopped(void *user)
{
    ((struct client *)user)->stopped = true;
}

static bool is_decided(void *user)
{
    const struct client *c = user;

    return c->disconnects > 0 || bf_mqtt_connected(c->mqtt);
}

static bool is_stopped(void *user)
{
    return ((struct client *)user)->stopped;
}

struct row {
    const char *what;
    const char *server; /* whose certificate the broker shows */
    const char *host;
    const char *ca, *cert;
    bool connects;
};

static const char *in_dir(char buf[static 96], const char *name, const char *suffix)
{
    snprintf(buf, 96, "%s/%s.%s", dir, name, suffix);
    return buf;
}

static void try_row(const struct row *row, const struct broker *broker)
{
    struct bf_mqtt_events events = { .connected = on_connected,
                                     .disconnected = on_disconnected,
                                     .message = on_message };
    struct bf_mqtt_options o = { .host = row->host, .port = broker->port, .client_id = "cam-1", .keepalive_s = 30 };
    char ca[96], cert[96], key[96];
    struct client c = { 0 };
    uv_loop_t loop;
    bool up;

    uv_loop_init(&loop);
    o.ca_file = in_dir(ca, row->ca, "crt");
    o.cert_file = row->cert != NULL ? in_dir(cert, row->cert, "crt") : NULL;
    o.key_file = row->cert != NULL ? in_dir(key, row->cert, "key") : NULL;
    assert_int_equal(bf_mqtt_new(&c.mqtt, &loop, &o, NULL, 0, &events, &c, NULL), 0);
    assert_int_equal(bf_mqtt_start(c.mqtt), 0);
    assert_true(run_until(&loop, is_decided, &c, PATIENCE_MS));
    up = bf_mqtt_connected(c.mqtt);
    print_message("%s: %s\n", row->what, up ? "connected" : c.reason);
    bf_mqtt_stop(c.mqtt, 1000, on_stopped, &c);
    assert_true(run_until(&loop, is_stopped, &c, PATIENCE_MS));
    bf_mqtt_free(c.mqtt);
    loop_done(&loop);
    if (up != row->connects)
        fail_msg("%s: %s", row->what, up ? "was accepted" : c.reason);
}

static void test_who_is_taken(void **state)
{
    static const struct row rows[] = {
        { "the right broker", "localhost", "localhost", "ca", "cam-1", true },
        { "a certificate for another host", "elsewhere", "localhost", "ca", "cam-1", false },
        { "an address that is not in the certificate", "localhost", "127.0.0.1", "ca", "cam-1", false },
        { "a broker of another authority", "localhost", "localhost", "other-ca", "cam-1", false },
        { "no client certificate", "localhost", "localhost", "ca", NULL, false },
    };

    (void)state;
    for (size_t i = 0; i < BF_COUNT_OF(rows); i++) {
        struct broker broker;
        char extra[400];

        snprintf(extra, sizeof(extra),
                 "cafile %s/ca.crt\ncertfile %s/%s.crt\nkeyfile %s/%s.key\nrequire_certificate true\n"
                 "use_identity_as_username true\ntls_version tlsv1.2\n",
                 dir, dir, rows[i].server, dir, rows[i].server);
        broker_start(&broker, extra);
        try_row(&rows[i], &broker);
        broker_done(&broker);
    }
}

static int make_dir(void **state)
{
    (void)state;
    if (mkdtemp(dir) == NULL)
        return -1;
    make_certificates(dir);
    return 0;
}

static int remove_dir(void **state)
{
    char command[64];

    (void)state;
    snprintf(command, sizeof(command), "rm -rf '%s'", dir);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_is_taken),
    };

    return cmocka_run_group_tests_name("mqtt-tls", tests, make_dir, remove_dir);
}
