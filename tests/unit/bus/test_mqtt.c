/* The MQTT wrapper against a real mosquitto: round trips, last will, reconnecting, limits, and ending at any moment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "broker.h"
#include "bus/mqtt.h"
#include "bus/mqtt_limits.h"

#define PATIENCE_MS 15000

struct peer {
    struct bf_mqtt *mqtt;
    const char *will; /* payload; NULL: none */
    const char *will_topic;
    unsigned connects, disconnects, messages;
    bool stopped;
    bool echo; /* answers each message on "a/echo" */
    char reason[256];
    char payload[64];
    bool retained;
};

static int on_will(void *user, const char **ret_topic, uint8_t **ret_payload, size_t *ret_size)
{
    struct peer *p = user;

    *ret_topic = p->will_topic;
    *ret_payload = (uint8_t *)strdup(p->will);
    *ret_size = strlen(p->will);
    return 0;
}

static void on_connected(void *user)
{
    struct peer *p = user;

    p->connects++;
}

static void on_disconnected(void *user, const char *reason, uint64_t retry_in_ms)
{
    struct peer *p = user;

    p->disconnects++;
    assert_true(retry_in_ms <= 600000);
    snprintf(p->reason, sizeof(p->reason), "%s", reason);
}

static void on_message(void *user, const char *topic, const uint8_t *payload, size_t size, bool retained)
{
    struct peer *p = user;

    (void)topic;
    p->messages++;
    p->retained = retained;
    snprintf(p->payload, sizeof(p->payload), "%.*s", (int)size, (const char *)payload);
    if (p->echo)
        assert_int_equal(bf_mqtt_publish(p->mqtt, "a/echo", payload, size, false), 0);
}

static void on_stopped(void *user)
{
    ((struct peer *)user)->stopped = true;
}

static bool is_up(void *user)
{
    return bf_mqtt_connected(((struct peer *)user)->mqtt);
}

static bool is_stopped(void *user)
{
    return ((struct peer *)user)->stopped;
}

static bool was_disconnected(void *user)
{
    return ((struct peer *)user)->disconnects > 0;
}

static bool has_message(void *user)
{
    return ((struct peer *)user)->messages > 0;
}

static void peer_new(struct peer *p, uv_loop_t *loop, const struct bf_mqtt_options *o, const char *filter)
{
    struct bf_mqtt_events events = { .will = p->will != NULL ? on_will : NULL,
                                     .connected = on_connected,
                                     .disconnected = on_disconnected,
                                     .message = on_message };
    struct bf_error e = { 0 };

    if (bf_mqtt_new(&p->mqtt, loop, o, &filter, filter != NULL, &events, p, &e) != 0)
        fail_msg("%s", e.text);
    assert_int_equal(bf_mqtt_start(p->mqtt), 0);
}

static void peer_up(struct peer *p, uv_loop_t *loop, const struct bf_mqtt_options *o, const char *filter)
{
    peer_new(p, loop, o, filter);
    if (!run_until(loop, is_up, p, PATIENCE_MS))
        fail_msg("not connected: %s", p->reason);
}

static void peer_done(struct peer *p, uv_loop_t *loop)
{
    bf_mqtt_stop(p->mqtt, 2000, on_stopped, p);
    assert_true(run_until(loop, is_stopped, p, PATIENCE_MS));
    bf_mqtt_free(p->mqtt);
}

static struct bf_mqtt_options options(const struct broker *b, const char *client_id)
{
    return (struct bf_mqtt_options){ .host = "127.0.0.1", .port = b->port, .client_id = client_id, .keepalive_s = 30 };
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

static void test_round_trip(void **state)
{
    enum { ROUNDS = 200 };
    static uint64_t took_us[ROUNDS];
    struct peer a = { 0 }, b = { .echo = true };
    struct bf_mqtt_options a_o, b_o;
    struct broker broker;
    uv_loop_t loop;
    uint64_t begun;

    (void)state;
    broker_start(&broker, NULL);
    a_o = options(&broker, "a");
    b_o = options(&broker, "b");
    uv_loop_init(&loop);
    begun = bf_mono_us();
    peer_up(&a, &loop, &a_o, "a/echo");
    print_message("connected and subscribed in %u us\n", (unsigned)(bf_mono_us() - begun));
    peer_up(&b, &loop, &b_o, "a/ask");

    for (unsigned i = 0; i < ROUNDS; i++) {
        a.messages = 0;
        begun = bf_mono_us();
        assert_int_equal(bf_mqtt_publish(a.mqtt, "a/ask", "ping", 4, false), 0);
        assert_true(run_until(&loop, has_message, &a, PATIENCE_MS));
        took_us[i] = bf_mono_us() - begun;
        assert_string_equal(a.payload, "ping");
    }
    qsort(took_us, ROUNDS, sizeof(took_us[0]), compare);
    print_message("ask and answer: p50 %u us, p95 %u us, max %u us\n", (unsigned)took_us[ROUNDS / 2],
                  (unsigned)took_us[ROUNDS * 95 / 100], (unsigned)took_us[ROUNDS - 1]);
    assert_true(took_us[ROUNDS / 2] < 30000); /* Nagle's algorithm would cost 40 ms and more */

    peer_done(&a, &loop);
    peer_done(&b, &loop);
    loop_done(&loop);
    broker_done(&broker);
}

static bool has_four(void *user)
{
    return ((struct peer *)user)->messages >= 4;
}

/* Several at once, again and again: paho's send thread may sleep through one of them for a second. */
static void test_bursts(void **state)
{
    enum { ROUNDS = 500 };
    static uint64_t took_us[ROUNDS];
    struct bf_mqtt_options o;
    struct broker broker;
    struct peer p = { 0 };
    uv_loop_t loop;
    uint64_t begun;

    (void)state;
    broker_start(&broker, NULL);
    o = options(&broker, "node");
    uv_loop_init(&loop);
    peer_up(&p, &loop, &o, "a/burst");
    for (unsigned i = 0; i < ROUNDS; i++) {
        p.messages = 0;
        begun = bf_mono_us();
        for (unsigned n = 0; n < 4; n++)
            assert_int_equal(bf_mqtt_publish(p.mqtt, "a/burst", "x", 1, false), 0);
        assert_true(run_until(&loop, has_four, &p, PATIENCE_MS));
        took_us[i] = bf_mono_us() - begun;
    }
    qsort(took_us, ROUNDS, sizeof(took_us[0]), compare);
    print_message("four at once: p50 %u us, p99 %u us, max %u us\n", (unsigned)took_us[ROUNDS / 2],
                  (unsigned)took_us[ROUNDS * 99 / 100], (unsigned)took_us[ROUNDS - 1]);
    assert_true(took_us[ROUNDS - 1] < 900000);
    peer_done(&p, &loop);
    loop_done(&loop);
    broker_done(&broker);
}

/* A client in a process of its own, to be killed. */
static pid_t start_victim(const struct broker *broker, const char *will)
{
    int up[2];
    char byte;
    pid_t pid;

    assert_int_equal(pipe(up), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct peer p = { .will = will, .will_topic = "a/state" };
        struct bf_mqtt_options o = options(broker, "victim");
        uv_loop_t loop;

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        uv_loop_init(&loop);
        peer_up(&p, &loop, &o, NULL);
        if (write(up[1], "u", 1) == 1)
            uv_run(&loop, UV_RUN_DEFAULT);
        _exit(1);
    }
    close(up[1]);
    assert_int_equal(read(up[0], &byte, 1), 1);
    close(up[0]);
    return pid;
}

static void test_last_will(void **state)
{
    struct peer watcher = { 0 }, late = { 0 };
    struct bf_mqtt_options o, late_o;
    struct broker broker;
    uv_loop_t loop;
    pid_t victim;

    (void)state;
    broker_start(&broker, NULL);
    victim = start_victim(&broker, "gone"); /* forks: before this process has threads */
    o = options(&broker, "watcher");
    late_o = options(&broker, "late");
    uv_loop_init(&loop);
    peer_up(&watcher, &loop, &o, "a/state");
    assert_int_equal(watcher.messages, 0);

    kill(victim, SIGKILL);
    waitpid(victim, NULL, 0);
    assert_true(run_until(&loop, has_message, &watcher, PATIENCE_MS));
    assert_string_equal(watcher.payload, "gone");
    assert_false(watcher.retained);

    peer_up(&late, &loop, &late_o, "a/state"); /* and it is retained */
    assert_true(run_until(&loop, has_message, &late, PATIENCE_MS));
    assert_string_equal(late.payload, "gone");
    assert_true(late.retained);

    peer_done(&watcher, &loop);
    peer_done(&late, &loop);
    loop_done(&loop);
    broker_done(&broker);
}

static void test_no_will_after_stop(void **state)
{
    struct peer watcher = { 0 }, node = { .will = "gone", .will_topic = "a/state" };
    struct bf_mqtt_options o, node_o;
    struct broker broker;
    uv_loop_t loop;

    (void)state;
    broker_start(&broker, NULL);
    o = options(&broker, "watcher");
    node_o = options(&broker, "node");
    uv_loop_init(&loop);
    peer_up(&watcher, &loop, &o, "a/state");
    peer_up(&node, &loop, &node_o, NULL);
    assert_int_equal(bf_mqtt_publish(node.mqtt, "a/state", "good-bye", 8, true), 0);
    peer_done(&node, &loop);
    assert_true(run_until(&loop, has_message, &watcher, PATIENCE_MS));
    assert_string_equal(watcher.payload, "good-bye");

    /* Whatever the broker still had to say would come before the answer to this. */
    watcher.messages = 0;
    assert_int_equal(bf_mqtt_publish(watcher.mqtt, "a/state", "last", 4, false), 0);
    assert_true(run_until(&loop, has_message, &watcher, PATIENCE_MS));
    assert_string_equal(watcher.payload, "last");
    peer_done(&watcher, &loop);
    loop_done(&loop);
    broker_done(&broker);
}

static unsigned entries(const char *path)
{
    DIR *dir = opendir(path);
    unsigned n = 0;

    assert_non_null(dir);
    while (readdir(dir) != NULL)
        n++;
    closedir(dir);
    return n;
}

static void test_reconnects_and_subscribes_again(void **state)
{
    unsigned fds, threads;
    struct bf_mqtt_counters counters;
    struct bf_mqtt_options o;
    struct broker broker;
    struct peer p = { 0 };
    uv_loop_t loop;
    uint64_t begun;

    (void)state;
    broker_start(&broker, NULL);
    o = options(&broker, "node");
    uv_loop_init(&loop);
    peer_up(&p, &loop, &o, "a/topic");
    fds = entries("/proc/self/fd");
    threads = entries("/proc/self/task");
    for (unsigned round = 1; round <= 3; round++) {
        p.disconnects = p.messages = 0;
        broker_stop(&broker);
        assert_true(run_until(&loop, was_disconnected, &p, PATIENCE_MS));
        assert_int_equal(bf_mqtt_publish(p.mqtt, "a/topic", "x", 1, false), -ENOTCONN);
        broker_restart(&broker);
        begun = bf_mono_ms();
        assert_true(run_until(&loop, is_up, &p, PATIENCE_MS));
        print_message("connected again %u ms after the broker was back\n", (unsigned)(bf_mono_ms() - begun));
        assert_int_equal(bf_mqtt_publish(p.mqtt, "a/topic", "again", 5, false), 0);
        assert_true(run_until(&loop, has_message, &p, PATIENCE_MS));
        assert_string_equal(p.payload, "again");
        assert_int_equal(entries("/proc/self/fd"), fds);
        assert_int_equal(entries("/proc/self/task"), threads);
    }
    counters = bf_mqtt_counters(p.mqtt);
    assert_int_equal(counters.connects, 4);
    assert_int_equal(counters.disconnects, 3);
    peer_done(&p, &loop);
    loop_done(&loop);
    broker_done(&broker);
}

static void test_session_taken_over(void **state)
{
    struct peer first = { 0 }, second = { 0 };
    struct bf_mqtt_options o;
    struct broker broker;
    uv_loop_t loop;

    (void)state;
    broker_start(&broker, NULL);
    o = options(&broker, "twin");
    uv_loop_init(&loop);
    peer_up(&first, &loop, &o, NULL);
    peer_up(&second, &loop, &o, NULL);
    assert_true(run_until(&loop, was_disconnected, &first, PATIENCE_MS));
    assert_true(strlen(first.reason) > 0);
    peer_done(&first, &loop);
    peer_done(&second, &loop);
    loop_done(&loop);
    broker_done(&broker);
}

/* A broker that says why, as mosquitto does from 2.0.15 on and AWS IoT Core does: CONNACK, then DISCONNECT 0x8E. */
static void *answer_and_throw_out(void *listening)
{
    static const uint8_t answer[] = { 0x20, 3, 0, 0, 0, 0xe0, 2, 0x8e, 0 };
    uint8_t connect[512];
    int fd = accept(*(int *)listening, NULL, NULL);

    if (read(fd, connect, sizeof(connect)) > 0 && write(fd, answer, sizeof(answer)) == sizeof(answer))
        while (read(fd, connect, sizeof(connect)) > 0)
            continue;
    close(fd);
    return NULL;
}

static int listen_at(uint16_t port)
{
    struct sockaddr_in at = { .sin_family = AF_INET,
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                              .sin_port = htons(port) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(fd, 1), 0);
    return fd;
}

static void test_taken_over_with_a_reason(void **state)
{
    struct bf_mqtt_options o = {
        .host = "127.0.0.1", .port = free_port(), .client_id = "twin", .keepalive_s = 30, .lease_ms = 6000
    };
    int listening = listen_at(o.port);
    struct peer p = { 0 };
    pthread_t broker;
    uv_loop_t loop;

    (void)state;
    uv_loop_init(&loop);
    assert_int_equal(pthread_create(&broker, NULL, answer_and_throw_out, &listening), 0);
    peer_new(&p, &loop, &o, NULL);
    assert_true(run_until(&loop, was_disconnected, &p, PATIENCE_MS));
    assert_non_null(strstr(p.reason, "took its place"));
    assert_int_equal(bf_mqtt_counters(p.mqtt).taken_over, 1);
    assert_int_equal(bf_mqtt_counters(p.mqtt).disconnects, 1);
    close(listening);
    peer_done(&p, &loop);
    pthread_join(broker, NULL);
    loop_done(&loop);
}

/* Away until told otherwise, and without a last will. */
static void test_stay_away(void **state)
{
    struct peer node = { .will = "gone", .will_topic = "a/state" }, watcher = { 0 };
    struct bf_mqtt_options o;
    struct broker broker;
    uv_loop_t loop;

    (void)state;
    broker_start(&broker, NULL);
    uv_loop_init(&loop);
    o = options(&broker, "watcher");
    peer_up(&watcher, &loop, &o, "a/state");
    o = options(&broker, "node");
    peer_up(&node, &loop, &o, NULL);

    bf_mqtt_stay_away(node.mqtt, 600000);
    assert_true(run_until(&loop, was_disconnected, &node, PATIENCE_MS));
    assert_false(run_until(&loop, is_up, &node, 1500));
    assert_int_equal(node.disconnects, 1);
    bf_mqtt_renew(node.mqtt);
    assert_true(run_until(&loop, is_up, &node, PATIENCE_MS));
    bf_mqtt_come_back(node.mqtt); /* it is there */
    assert_true(bf_mqtt_connected(node.mqtt));
    assert_int_equal(watcher.messages, 0);

    bf_mqtt_stay_away(node.mqtt, 50); /* comes back by itself, too */
    assert_true(run_until(&loop, is_up, &node, PATIENCE_MS));
    assert_int_equal(bf_mqtt_counters(node.mqtt).connects, 3);
    bf_mqtt_stay_away(node.mqtt, 600000);
    peer_done(&node, &loop); /* and can be stopped meanwhile */
    peer_done(&watcher, &loop);
    loop_done(&loop);
    broker_done(&broker);
}

static void test_many_filters(void **state)
{
    char topics[50][32];
    const char *filters[50], *fewer[] = { "a/49", "a/new" };
    struct bf_mqtt_events events = { .connected = on_connected,
                                     .disconnected = on_disconnected,
                                     .message = on_message };
    struct bf_mqtt_options o;
    struct broker broker;
    struct peer p = { 0 };
    uv_loop_t loop;

    (void)state;
    for (unsigned i = 0; i < 50; i++) {
        snprintf(topics[i], sizeof(topics[i]), "a/%u", i);
        filters[i] = topics[i];
    }
    broker_start(&broker, NULL);
    o = options(&broker, "node");
    uv_loop_init(&loop);
    assert_int_equal(bf_mqtt_new(&p.mqtt, &loop, &o, filters, 50, &events, &p, NULL), 0);
    assert_int_equal(bf_mqtt_start(p.mqtt), 0);
    assert_true(run_until(&loop, is_up, &p, PATIENCE_MS));
    for (unsigned i = 0; i < 50; i += 7) {
        p.messages = 0;
        assert_int_equal(bf_mqtt_publish(p.mqtt, topics[i], "x", 1, false), 0);
        assert_true(run_until(&loop, has_message, &p, PATIENCE_MS));
    }

    /* After a change only the new ones are heard. */
    assert_int_equal(bf_mqtt_set_filters(p.mqtt, fewer, 2, NULL), 0);
    p.messages = 0;
    assert_int_equal(bf_mqtt_publish(p.mqtt, "a/0", "old", 3, false), 0);
    assert_int_equal(bf_mqtt_publish(p.mqtt, "a/new", "new", 3, false), 0);
    assert_true(run_until(&loop, has_message, &p, PATIENCE_MS));
    assert_string_equal(p.payload, "new");
    assert_int_equal(p.messages, 1);
    peer_done(&p, &loop);
    loop_done(&loop);
    broker_done(&broker);
}

/* While the loop stands still, a flood fills the inbox and no more. */
static void test_inbound_is_bounded(void **state)
{
    struct bf_mqtt_counters counters = { 0 };
    struct bf_mqtt_options o;
    struct broker broker;
    struct peer p = { 0 };
    char command[256];
    uv_loop_t loop;

    (void)state;
    broker_start(&broker, "max_queued_messages 0\n");
    o = options(&broker, "node");
    uv_loop_init(&loop);
    peer_up(&p, &loop, &o, "a/flood");
    snprintf(command, sizeof(command), "seq 2000 | mosquitto_pub -h 127.0.0.1 -p %u -q 1 -t a/flood -l", broker.port);
    assert_int_equal(system(command), 0);
    for (uint64_t end = bf_mono_ms() + PATIENCE_MS; counters.dropped_inbound < 1000 && bf_mono_ms() < end;)
        counters = bf_mqtt_counters(p.mqtt); /* paho's thread counts */
    assert_true(counters.dropped_inbound >= 1000);
    assert_true(run_until(&loop, has_message, &p, PATIENCE_MS));
    assert_true(p.messages <= 2000 - counters.dropped_inbound);
    peer_done(&p, &loop);
    loop_done(&loop);
    broker_done(&broker);
}

static bool heard_quiet(void *user)
{
    return strcmp(((struct peer *)user)->payload, "quiet") == 0;
}

/* The loud topic fills its share of the inbox, not the other's; and the loop has its turn between the messages. */
static void test_a_flood_leaves_room(void **state)
{
    const char *both[] = { "a/flood", "a/quiet" };
    struct bf_mqtt_options o;
    struct broker broker;
    struct peer p = { 0 };
    char command[512];
    unsigned before = 0;
    uv_loop_t loop;

    (void)state;
    broker_start(&broker, "max_queued_messages 0\n");
    o = options(&broker, "node");
    uv_loop_init(&loop);
    peer_up(&p, &loop, &o, both[0]);
    assert_int_equal(bf_mqtt_set_filters(p.mqtt, both, 2, NULL), 0);
    assert_int_equal(bf_mqtt_publish(p.mqtt, "a/quiet", "both", 4, false), 0);
    assert_true(run_until(&loop, has_message, &p, PATIENCE_MS));
    snprintf(command, sizeof(command),
             "seq 2000 | mosquitto_pub -h 127.0.0.1 -p %u -q 1 -t a/flood -l && "
             "mosquitto_pub -h 127.0.0.1 -p %u -q 1 -t a/quiet -m quiet",
             broker.port, broker.port);
    assert_int_equal(system(command), 0);
    for (uint64_t end = bf_mono_ms() + PATIENCE_MS; !heard_quiet(&p) && bf_mono_ms() < end; before = p.messages) {
        uv_run(&loop, UV_RUN_NOWAIT);
        assert_true(p.messages - before <= 20);
    }
    assert_true(heard_quiet(&p));
    assert_true(bf_mqtt_counters(p.mqtt).dropped_inbound > 0);
    peer_done(&p, &loop);
    loop_done(&loop);
    broker_done(&broker);
}

static void test_unacknowledged_are_bounded(void **state)
{
    struct bf_mqtt_options o;
    struct broker broker;
    struct peer p = { 0 };
    uv_loop_t loop;
    int r = 0, n = 0;

    (void)state;
    broker_start(&broker, NULL);
    o = options(&broker, "node");
    uv_loop_init(&loop);
    peer_up(&p, &loop, &o, NULL);
    while (r == 0 && n < 1000) /* the loop does not run: no acknowledgement is seen */
        n += (r = bf_mqtt_publish(p.mqtt, "a/topic", "x", 1, false)) == 0;
    assert_int_equal(r, -ENOBUFS);
    assert_int_equal(n, 64);
    peer_done(&p, &loop);
    loop_done(&loop);
    broker_done(&broker);
}

static void test_limits(void **state)
{
    static char long_topic[258], big[128 * 1024 + 1];
    const struct {
        const char *topic;
        size_t size;
        int expected;
    } rows[] = {
        { "a/b/c/d/e/f/g/h", 1, 0 },
        { "a/b/c/d/e/f/g/h/i", 1, -EINVAL },
        { "a/+/b", 1, -EINVAL },
        { "a/#", 1, -EINVAL },
        { "$SYS/x", 1, -EINVAL },
        { "/a", 1, -EINVAL },
        { "", 1, -EINVAL },
        { long_topic + 1, 1, 0 },
        { long_topic, 1, -EINVAL },
        { "a/b", sizeof(big) - 1, 0 },
        { "a/b", sizeof(big), -EINVAL },
        { "a/b", 0, 0 },
    };
    struct bf_mqtt_options o;
    struct bf_error e;
    struct broker broker;
    struct peer p = { 0 };
    uv_loop_t loop;

    (void)state;
    memset(long_topic, 't', 257);
    memset(big, 'x', sizeof(big));
    broker_start(&broker, NULL);
    o = options(&broker, "node");
    uv_loop_init(&loop);
    peer_up(&p, &loop, &o, NULL);
    for (size_t i = 0; i < BF_COUNT_OF(rows); i++)
        assert_int_equal(bf_mqtt_publish(p.mqtt, rows[i].topic, big, rows[i].size, false), rows[i].expected);
    assert_int_equal(bf_mqtt_set_filters(p.mqtt, (const char *const[]){ "a/+/state" }, 1, &e), -EINVAL);
    assert_non_null(strstr(e.text, "exact topic"));
    peer_done(&p, &loop);
    loop_done(&loop);
    broker_done(&broker);
}

/* As a client of AWS IoT Core may: a hundred within any second, on whatever connection. */
static void test_rate(void **state)
{
    struct bf_mqtt_rate rate = { 0 };
    uint64_t now_us = 5000000;

    (void)state;
    for (unsigned i = 0; i < BF_MQTT_PUBLISHES_PER_S; i++)
        assert_true(bf_mqtt_rate_take(&rate, 1, now_us + i));
    assert_false(bf_mqtt_rate_take(&rate, 1, now_us + 100));
    assert_false(bf_mqtt_rate_take(&rate, 1, now_us + 999999));
    assert_true(bf_mqtt_rate_take(&rate, 1, now_us + 1000000));
    assert_false(bf_mqtt_rate_take(&rate, 1, now_us + 1000000)); /* the second of them left a microsecond later */
    assert_true(bf_mqtt_rate_take(&rate, 1, now_us + 1000001));
    assert_true(bf_mqtt_rate_take(&rate, 1, now_us + 9000000));
}

/* And so many bytes, in few large messages or in many small ones. */
static void test_rate_of_bytes(void **state)
{
    struct bf_mqtt_rate rate = { 0 };
    const size_t quarter = BF_MQTT_BYTES_PER_S / 4;
    uint64_t now_us = 5000000;

    (void)state;
    for (unsigned i = 0; i < 4; i++)
        assert_true(bf_mqtt_rate_take(&rate, quarter, now_us + i));
    assert_false(bf_mqtt_rate_take(&rate, 1, now_us + 999999));
    assert_true(bf_mqtt_rate_take(&rate, quarter, now_us + 1000000)); /* the first of them is a second ago */
    assert_false(bf_mqtt_rate_take(&rate, 1, now_us + 1000000));
    assert_true(bf_mqtt_rate_take(&rate, quarter, now_us + 1000001));
    assert_false(bf_mqtt_rate_take(&rate, BF_MQTT_BYTES_PER_S + 1, now_us + 9000000));
    assert_true(bf_mqtt_rate_take(&rate, BF_MQTT_BYTES_PER_S, now_us + 9000000));
    assert_false(bf_mqtt_rate_take(&rate, 1, now_us + 9000000)); /* what was refused is not counted, what left is */
    assert_true(bf_mqtt_rate_take(&rate, 1, now_us + 10000000));
}

static void test_rate_is_held(void **state)
{
    struct bf_mqtt_options o;
    struct broker broker;
    struct peer p = { 0 };
    unsigned sent = 0;
    uv_loop_t loop;
    int r = 0;

    (void)state;
    broker_start(&broker, NULL);
    o = options(&broker, "node");
    o.limit_rate = true;
    uv_loop_init(&loop);
    peer_up(&p, &loop, &o, "a/burst");
    for (uint64_t begun = bf_mono_us(); r == 0 && bf_mono_us() - begun < 900000; sent += r == 0) {
        p.messages = 0;
        r = bf_mqtt_publish(p.mqtt, "a/burst", "x", 1, false);
        if (r == 0)
            assert_true(run_until(&loop, has_message, &p, PATIENCE_MS));
    }
    if (r < 0) { /* a slow machine gets a hundred messages through in more than a second */
        assert_int_equal(r, -ENOBUFS);
        assert_int_equal(sent, BF_MQTT_PUBLISHES_PER_S);
        assert_int_equal(bf_mqtt_counters(p.mqtt).over_limit, 1);
    }
    peer_done(&p, &loop);
    loop_done(&loop);
    broker_done(&broker);
}

/* An orderly end and a new beginning: no last will, a new one made, subscribed again, nothing that was sent is lost. */
static void test_renew(void **state)
{
    struct peer node = { .will = "first", .will_topic = "a/state" }, watcher = { 0 };
    struct bf_mqtt_options o;
    struct broker broker;
    uv_loop_t loop;
    uint64_t begun;

    (void)state;
    broker_start(&broker, NULL);
    uv_loop_init(&loop);
    o = options(&broker, "watcher");
    peer_up(&watcher, &loop, &o, "a/state");
    o = options(&broker, "node");
    peer_up(&node, &loop, &o, "a/b");

    node.will = "second";
    begun = bf_mono_ms();
    assert_int_equal(bf_mqtt_publish(node.mqtt, "a/state", "before", 6, false), 0);
    bf_mqtt_renew(node.mqtt);
    assert_false(bf_mqtt_connected(node.mqtt));
    assert_int_equal(bf_mqtt_publish(node.mqtt, "a/state", "between", 7, false), -ENOTCONN);
    assert_true(run_until(&loop, is_up, &node, PATIENCE_MS));
    print_message("renewed in %u ms: %s\n", (unsigned)(bf_mono_ms() - begun), node.reason);
    assert_int_equal(node.disconnects, 1);
    assert_int_equal(bf_mqtt_counters(node.mqtt).connects, 2);
    assert_true(run_until(&loop, has_message, &watcher, PATIENCE_MS));
    assert_string_equal(watcher.payload, "before");

    assert_int_equal(bf_mqtt_publish(node.mqtt, "a/b", "after", 5, false), 0);
    assert_true(run_until(&loop, has_message, &node, PATIENCE_MS));
    assert_string_equal(node.payload, "after");
    assert_int_equal(watcher.messages, 1); /* and not the first will */

    bf_mqtt_renew(node.mqtt); /* a stop that comes meanwhile wins */
    peer_done(&node, &loop);
    peer_done(&watcher, &loop);
    loop_done(&loop);
    broker_done(&broker);
}

static void test_bad_options(void **state)
{
    static const struct bf_mqtt_options rows[] = {
        { .host = "", .port = 1, .client_id = "a", .keepalive_s = 30 },
        { .host = NULL, .port = 1, .client_id = "a", .keepalive_s = 30 },
        { .host = "a/b", .port = 1, .client_id = "a", .keepalive_s = 30 },
        { .host = "h", .port = 0, .client_id = "a", .keepalive_s = 30 },
        { .host = "h", .port = 1, .client_id = "", .keepalive_s = 30 },
        { .host = "h", .port = 1, .client_id = "a", .keepalive_s = 4 },
        { .host = "h", .port = 1, .client_id = "a", .keepalive_s = 1201 },
        { .host = "h", .port = 1, .client_id = "a", .keepalive_s = 30, .cert_file = "c" },
        { .host = "h", .port = 1, .client_id = "a", .keepalive_s = 30, .alpn = "" },
        { .host = "h", .port = 1, .client_id = "a", .keepalive_s = 30, .ca_file = "/no/such/file" },
    };
    struct bf_mqtt_events events = { .connected = on_connected,
                                     .disconnected = on_disconnected,
                                     .message = on_message };
    struct bf_mqtt *m = NULL;
    uv_loop_t loop;

    (void)state;
    uv_loop_init(&loop);
    for (size_t i = 0; i < BF_COUNT_OF(rows); i++) {
        struct bf_error e = { 0 };

        assert_true(bf_mqtt_new(&m, &loop, &rows[i], NULL, 0, &events, NULL, &e) < 0);
        assert_true(strlen(e.text) > 0);
    }
    assert_null(m);
    loop_done(&loop);
}

static void test_never_started(void **state)
{
    struct bf_mqtt_options o = { .host = "127.0.0.1", .port = 1, .client_id = "a", .keepalive_s = 30 };
    struct bf_mqtt_events events = { .connected = on_connected,
                                     .disconnected = on_disconnected,
                                     .message = on_message };
    struct peer p = { 0 };
    uv_loop_t loop;

    (void)state;
    uv_loop_init(&loop);
    assert_int_equal(bf_mqtt_new(&p.mqtt, &loop, &o, NULL, 0, &events, &p, NULL), 0);
    bf_mqtt_free(p.mqtt);
    assert_int_equal(bf_mqtt_new(&p.mqtt, &loop, &o, NULL, 0, &events, &p, NULL), 0);
    assert_false(bf_mqtt_connected(p.mqtt));
    assert_int_equal(bf_mqtt_publish(p.mqtt, "a", "x", 1, false), -ENOTCONN);
    bf_mqtt_stop(p.mqtt, 1000, on_stopped, &p);
    assert_true(p.stopped);
    bf_mqtt_free(p.mqtt);
    loop_done(&loop);
}

/* Nobody listens: says why, tries again, and can be stopped or freed at any moment. */
static void test_refused(void **state)
{
    struct bf_mqtt_options o = { .host = "127.0.0.1", .client_id = "a", .keepalive_s = 30 };
    struct peer p = { 0 }, freed = { 0 }, unresolved = { 0 };
    uv_loop_t loop;

    (void)state;
    o.port = free_port();
    uv_loop_init(&loop);
    peer_new(&p, &loop, &o, "a/b");
    assert_true(run_until(&loop, was_disconnected, &p, PATIENCE_MS));
    print_message("refused: %s\n", p.reason);
    peer_done(&p, &loop);

    peer_new(&freed, &loop, &o, "a/b");
    bf_mqtt_free(freed.mqtt);
    peer_new(&freed, &loop, &o, "a/b");
    freed.disconnects = 0;
    assert_true(run_until(&loop, was_disconnected, &freed, PATIENCE_MS));
    bf_mqtt_free(freed.mqtt);

    o.host = "no-such-host.invalid";
    peer_new(&unresolved, &loop, &o, "a/b");
    assert_true(run_until(&loop, was_disconnected, &unresolved, 60000));
    assert_non_null(strstr(unresolved.reason, "does not resolve"));
    peer_done(&unresolved, &loop);
    loop_done(&loop);
}

/* Somebody listens but never answers CONNECT. */
static void test_stop_while_connecting(void **state)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct bf_mqtt_options o = { .host = "127.0.0.1", .client_id = "a", .keepalive_s = 30 };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct peer p = { 0 };
    uv_loop_t loop;
    uint64_t begun;

    (void)state;
    o.port = free_port();
    at.sin_port = htons(o.port);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(fd, 5), 0);
    uv_loop_init(&loop);
    peer_new(&p, &loop, &o, "a/b");
    begun = bf_mono_ms();
    assert_false(run_until(&loop, is_up, &p, 300));
    bf_mqtt_stop(p.mqtt, 2000, on_stopped, &p);
    assert_true(run_until(&loop, is_stopped, &p, PATIENCE_MS));
    print_message("stopped while connecting after %u ms\n", (unsigned)(bf_mono_ms() - begun - 300));
    bf_mqtt_free(p.mqtt);
    loop_done(&loop);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_last_will), /* forks: first */
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_bursts),
        cmocka_unit_test(test_no_will_after_stop),
        cmocka_unit_test(test_reconnects_and_subscribes_again),
        cmocka_unit_test(test_session_taken_over),
        cmocka_unit_test(test_taken_over_with_a_reason),
        cmocka_unit_test(test_stay_away),
        cmocka_unit_test(test_many_filters),
        cmocka_unit_test(test_inbound_is_bounded),
        cmocka_unit_test(test_a_flood_leaves_room),
        cmocka_unit_test(test_unacknowledged_are_bounded),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_rate),
        cmocka_unit_test(test_rate_of_bytes),
        cmocka_unit_test(test_rate_is_held),
        cmocka_unit_test(test_renew),
        cmocka_unit_test(test_bad_options),
        cmocka_unit_test(test_never_started),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_stop_while_connecting),
    };

    cmocka_set_test_filter(getenv("BELFRY_TEST_FILTER"));
    return cmocka_run_group_tests_name("mqtt", tests, NULL, NULL);
}
