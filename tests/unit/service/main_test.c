/* bf_service_main as a whole, around a service that does nothing, without a broker. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "bus/bus_internal.h"
#include "scratch.h"
#include "service/exit_code.h"
#include "service/private.h"
#include "site.h"

#include "camera.pb-c.h"

#define CONFIG "site: home\nbroker:\n  port: 1\n  tls: false\ncameras:\n  - id: cam-1\n"

/* What the service of a test does and what was done to it. */
struct fake {
    int start_result;
    bool drains;                 /* calls bf_service_drained itself */
    void (*act)(struct fake *f); /* on the loop, once it runs */
    int reload_result;
    struct bf_service *service;
    uv_timer_t timer;
    unsigned starts, drains_seen, frees, reloads;
    uint32_t reloaded_fps;
    uint64_t ended_after_ms;
};

static struct fake fake;
static struct site site;
static uint64_t ended_at_ms;

static void on_timer(uv_timer_t *timer)
{
    struct fake *f = timer->data;
    f->act(f);
}

static int fake_start(struct bf_service *s, void **ret_state, struct bf_error *e)
{
    fake.starts++;
    fake.service = s;
    if (fake.start_result < 0)
        return bf_fail(e, fake.start_result, "the sensor is not there");
    assert_non_null(bf_service_bus(s));
    assert_string_equal(bf_service_node(s), "cam-1");
    assert_string_equal(bf_service_config(s)->site, "home");
    assert_non_null(bf_service_key(s));
    assert_non_null(bf_service_trust(s));
    assert_true(bf_service_state_dir(s) >= 0);

    uv_timer_init(bf_service_loop(s), &fake.timer);
    fake.timer.data = &fake;
    if (fake.act != NULL)
        uv_timer_start(&fake.timer, on_timer, 30, 0);
    *ret_state = &fake;
    return 0;
}

static void fake_drain(void *state)
{
    struct fake *f = state;
    f->drains_seen++;
    ended_at_ms = bf_mono_ms();
    if (f->drains)
        bf_service_drained(f->service);
}

static void fake_free(void *state)
{
    struct fake *f = state;
    f->frees++;
    f->ended_after_ms = bf_mono_ms() - ended_at_ms;
    uv_close((uv_handle_t *)&f->timer, NULL);
}

static int fake_with_state(void *state, Belfry__V1__NodeStatus *node, int (*pack)(void *pack_user, ProtobufCMessage *m),
                           void *pack_user)
{
    (void)state;
    Belfry__V1__CameraState m = BELFRY__V1__CAMERA_STATE__INIT;
    m.node = node;
    return pack(pack_user, &m.base);
}

static int fake_reload(void *state, const struct bf_config *new_config, struct bf_error *e)
{
    struct fake *f = state;
    f->reloads++;
    f->reloaded_fps = new_config->cameras[0].fps;
    return f->reload_result < 0 ? bf_fail(e, f->reload_result, "cameras[0].width needs a restart") : 0;
}

static struct bf_service_def def = {
    .program = "belfry-test",
    .summary = "does nothing",
    .role = BF_ROLE_CAMERA,
    .start = fake_start,
    .drain = fake_drain,
    .free = fake_free,
    .with_state = fake_with_state,
    .reload = fake_reload,
    .drain_ms = 200,
};

struct call {
    const char *args[4];
    int status;
};

static void call_main(void *user)
{
    struct call *c = user;
    char *argv[6] = { (char *)(uintptr_t) "belfry-test" };
    int argc = 1;
    for (; c->args[argc - 1] != NULL; argc++)
        argv[argc] = (char *)(uintptr_t)c->args[argc - 1];
    c->status = bf_service_main(argc, argv, &def);
}

/* Runs with arguments; returns what it wrote to `fd` and checks how it ended. */
static const char *run_with(int fd, int status, const char *first, const char *second)
{
    struct call c = { .args = { first, second } };
    const char *text = scratch_capture(fd, call_main, &c);
    if (c.status != status)
        fail_msg("ended with %d, expected %d:\n%s", c.status, status, text);
    return text;
}

static const char *run(int status, void (*act)(struct fake *f))
{
    fake = (struct fake){ .act = act, .drains = true };
    return run_with(STDERR_FILENO, status, NULL, NULL);
}

static void has(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("\"%s\" is not in:\n%s", part, text);
}

static void has_not(const char *text, const char *part)
{
    if (strstr(text, part) != NULL)
        fail_msg("\"%s\" is in:\n%s", part, text);
}

static int make(void **state)
{
    (void)state;
    site_make(&site, "cam-1");
    site_trust(&site, "home", 1, "cam-1", BF_ROLE_CAMERA, site.node);
    scratch_write("belfry.yml", CONFIG);
    setenv("BELFRY_CLOCK_SYNCED", "1", 1);
    fake = (struct fake){ .drains = true };
    return 0;
}

static int drop(void **state)
{
    (void)state;
    site_done(&site);
    return system("rm -rf keys state belfry.yml");
}

static void usage_and_configuration_have_their_exit_codes(void **state)
{
    (void)state;
    assert_string_equal(run_with(STDERR_FILENO, BF_EXIT_USAGE, "--nonsense", NULL),
                        "belfry-test: --nonsense: unknown option; see belfry-test --help\n");
    has(run_with(STDOUT_FILENO, BF_EXIT_OK, "--help", NULL), "belfry-test: does nothing");
    assert_string_equal(run_with(STDOUT_FILENO, BF_EXIT_OK, "--version", NULL), "belfry-test " BELFRY_VERSION "\n");
    assert_string_equal(run_with(STDERR_FILENO, BF_EXIT_CONFIG, "--config", "absent.yml"),
                        "belfry-test: absent.yml: cannot be opened: No such file or directory\n");
    assert_string_equal(run_with(STDERR_FILENO, BF_EXIT_CONFIG, "--node", "cam-9"),
                        "belfry-test: --node cam-9: expected the id of one of cameras\n");

    scratch_write("belfry.yml", "site: home\ngateway:\n  listen: 0.0.0.0\n");
    static const char *const modes[] = { "--check", "--health", NULL };
    for (size_t i = 0; i < BF_COUNT_OF(modes); i++)
        assert_string_equal(run_with(STDERR_FILENO, BF_EXIT_CONFIG, modes[i], NULL),
                            "belfry-test: belfry.yml:3: gateway.listen: \"0.0.0.0\": expected address:port, as in "
                            "127.0.0.1:8080\n");
    assert_int_equal(unlink("belfry.yml"), 0);
    assert_string_equal(run_with(STDERR_FILENO, BF_EXIT_CONFIG, NULL, NULL),
                        "belfry-test: no ./belfry.yml and no /etc/belfry/belfry.yml: name one with --config\n");
    assert_int_equal(fake.starts, 0);
}

static void check_prints_what_would_be_used(void **state)
{
    (void)state;
    setenv("BELFRY_BROKER_PORT", "1883", 1);
    const char *text = run_with(STDOUT_FILENO, BF_EXIT_OK, "--check", NULL);
    unsetenv("BELFRY_BROKER_PORT");

    has(text, "# belfry-test as node cam-1\nsite: \"home\"\nbroker:\n  host: \"127.0.0.1\"\n  port: 1883\n");
    assert_int_equal(access("state", F_OK), -1); /* and touches nothing */
}

static void missing_keys_are_a_config_error(void **state)
{
    (void)state;
    assert_int_equal(unlink("keys/trust.bundle"), 0);
    has(run(BF_EXIT_CONFIG, NULL),
        "/keys/trust.bundle: cannot be read: No such file or directory; belfryctl init makes");
    assert_int_equal(fake.starts, 0);
}

static void look_and_terminate(struct fake *f)
{
    struct bf_error e;
    assert_int_equal(bf_health_check("state", "cam-1", bf_boot_ms(), &e), 0);
    assert_false(bf_bus_connected(bf_service_bus(f->service)));
    bf_service_count(f->service, "frames", 12);
    bf_service_report(f->service); /* nobody to tell: no harm */
    bf_service_log_statistics(f->service);
    raise(SIGTERM);
}

static void without_a_broker_it_waits_and_goes_on(void **state)
{
    (void)state;
    setenv("http_proxy", "http://proxy:3128", 1);
    setenv("https_proxy", "http://proxy:3128", 1);
    const char *text = run(BF_EXIT_OK, look_and_terminate);

    has(text, "level=info service=belfry-test node=cam-1 msg=\"started\" version=" BELFRY_VERSION
              " site=home epoch=1 trust=1");
    has(text, "msg=\"waiting for the broker\" broker=127.0.0.1:1 tls=0");
    has(text, "msg=\"statistics\" uptime_s=");
    has(text, " frames=12\n");
    has(text, "msg=\"ending\" signal=TERM");
    has(text, "msg=\"ended\" status=0");
    has_not(text, "left open");
    assert_int_equal(fake.drains_seen, 1);
    assert_int_equal(fake.frees, 1);
    assert_null(getenv("http_proxy"));
    assert_null(getenv("https_proxy"));

    assert_int_equal(access("state/cam-1.health", F_OK), -1);
    has(run_with(STDERR_FILENO, BF_EXIT_FAILURE, "--health", NULL), "cam-1 does not run");
    has(run(BF_EXIT_OK, look_and_terminate), " epoch=2 ");
}

static void health_of_a_running_process(struct fake *f)
{
    (void)f;
    struct call c = { .args = { "--health" } };
    call_main(&c);
    assert_int_equal(c.status, BF_EXIT_OK);
    raise(SIGINT);
}

static void health_is_asked_beside_a_running_process(void **state)
{
    (void)state;
    has(run(BF_EXIT_OK, health_of_a_running_process), "msg=\"ending\" signal=INT");
}

static void start_fails_with_its_reason(void **state)
{
    (void)state;
    fake = (struct fake){ .start_result = -ENODEV, .drains = true };
    const char *text = run_with(STDERR_FILENO, BF_EXIT_FAILURE, NULL, NULL);

    has(text, "level=error service=belfry-test node=cam-1 msg=\"cannot start\" error=\"the sensor is not there\"");
    has_not(text, "left open");
    assert_int_equal(fake.drains_seen, 0);
    assert_int_equal(fake.frees, 0);
    assert_int_equal(access("state/cam-1.health", F_OK), -1);
}

static void terminate(struct fake *f)
{
    (void)f;
    raise(SIGTERM);
}

/* Reload happens when the loop comes to the signal; the end is asked for after it. */
static void hang_up_then_end(struct fake *f)
{
    raise(SIGHUP);
    f->act = terminate;
    uv_timer_start(&f->timer, on_timer, 50, 0);
}

static unsigned come_backs; /* bf_bus_come_back is counted */

void __wrap_bf_bus_come_back(struct bf_bus *b);
void __real_bf_bus_come_back(struct bf_bus *b);

void __wrap_bf_bus_come_back(struct bf_bus *b)
{
    come_backs++;
    __real_bf_bus_come_back(b);
}

static void hang_up_ends_an_absence_without_new_keys(void **state)
{
    (void)state;
    come_backs = 0;
    has_not(run(BF_EXIT_OK, hang_up_then_end), "keys reloaded");
    assert_int_equal(come_backs, 1);
}

/* --- a process that works alone --- */

static bool always(const struct bf_config *c)
{
    return strcmp(c->site, "home") == 0;
}

static int ask(const struct bf_config *c, struct bf_error *e)
{
    return c->log.level[0] == 'd' ? 0 : bf_fail(e, -ECONNREFUSED, "nobody answers");
}

static int start_alone(struct bf_service *s, void **ret_state, struct bf_error *e)
{
    (void)e;
    fake.starts++;
    fake.service = s;
    assert_null(bf_service_bus(s));
    assert_null(bf_service_key(s));
    assert_int_equal(bf_service_state_dir(s), -1);
    assert_string_equal(bf_service_node(s), "cam-1");
    uv_timer_init(bf_service_loop(s), &fake.timer);
    fake.timer.data = &fake;
    uv_timer_start(&fake.timer, on_timer, 30, 0);
    *ret_state = &fake;
    return 0;
}

static const char *run_alone(int status, void (*act)(struct fake *f))
{
    struct bf_service_def before = def;

    def.alone = always;
    def.probe = ask;
    def.start = start_alone;
    const char *text = run(status, act);
    def = before;
    return text;
}

static void look_alone_and_terminate(struct fake *f)
{
    bf_service_count(f->service, "frames", 12);
    bf_service_report(f->service);
    bf_service_log_statistics(f->service);
    raise(SIGTERM);
}

static void alone_it_needs_no_keys_and_leaves_nothing(void **state)
{
    (void)state;
    assert_int_equal(system("rm -rf keys"), 0);
    const char *text = run_alone(BF_EXIT_OK, look_alone_and_terminate);

    has(text, "msg=\"started\" version=" BELFRY_VERSION " site=home alone=1\n");
    has(text, "msg=\"statistics\" uptime_s=");
    has(text, "msg=\"ended\" status=0");
    has_not(text, "broker");
    has_not(text, "left open");
    assert_int_equal(fake.drains_seen, 1);
    assert_int_equal(fake.frees, 1);
    assert_int_equal(access("state", F_OK), -1);
}

static void renew_trust_alone(struct fake *f)
{
    assert_int_equal(bf_trust_version(bf_service_trust(f->service)), 1);
    site_trust(&site, "home", 2, "cam-1", BF_ROLE_CAMERA, site.node);
    hang_up_then_end(f);
}

static void age_trust_alone(struct fake *f)
{
    site_trust(&site, "home", 1, "cam-1", BF_ROLE_CAMERA, site.node);
    hang_up_then_end(f);
}

static void alone_it_checks_what_the_bundle_lists(void **state)
{
    (void)state;
    has(run_alone(BF_EXIT_OK, renew_trust_alone), "msg=\"trust bundle reloaded\" version=2 before=1");
    has(run_alone(BF_EXIT_OK, age_trust_alone), "msg=\"trust bundle not reloaded, the one before holds\"");

    scratch_write("keys/trust.bundle", "nonsense");
    has(run_alone(BF_EXIT_CONFIG, NULL), "/keys/trust.bundle: ");
    assert_int_equal(access("state", F_OK), -1);
}

static void alone_health_is_asked_of_the_service(void **state)
{
    (void)state;
    struct bf_service_def before = def;

    def.alone = always;
    def.probe = ask;
    assert_string_equal(run_with(STDERR_FILENO, BF_EXIT_FAILURE, "--health", NULL), "belfry-test: nobody answers\n");
    setenv("BELFRY_LOG_LEVEL", "debug", 1);
    run_with(STDERR_FILENO, BF_EXIT_OK, "--health", NULL);
    unsetenv("BELFRY_LOG_LEVEL");
    def = before;
}

static void a_drain_that_hangs_ends_in_time(void **state)
{
    (void)state;
    fake = (struct fake){ .act = terminate, .drains = false };
    has(run_with(STDERR_FILENO, BF_EXIT_OK, NULL, NULL), "msg=\"not drained in time\"");
    assert_true(fake.ended_after_ms >= 190); /* 200, on another clock */
    assert_int_equal(fake.frees, 1);
}

static void again(struct fake *f);

static void terminate_twice(struct fake *f)
{
    raise(SIGTERM);
    f->act = again;
    uv_timer_start(&f->timer, on_timer, 10, 0);
}

static void again(struct fake *f)
{
    terminate(f);
}

static void a_second_signal_does_not_wait(void **state)
{
    (void)state;
    fake = (struct fake){ .act = terminate_twice, .drains = false };
    const char *text = run_with(STDERR_FILENO, BF_EXIT_OK, NULL, NULL);
    has(text, "msg=\"ending at once\" signal=TERM");
    has_not(text, "not drained in time");
    assert_int_equal(fake.frees, 1);
}

static void give_up(struct fake *f)
{
    struct bf_error e = { "the encoder stopped: \"no\"" };
    bf_service_failed(f->service, "encoder_failed", &e);
    bf_service_failed(f->service, "encoder_failed", &e);
    assert_string_equal(f->service->status.code, "encoder_failed");
    bf_service_quit(f->service, BF_EXIT_FAILURE);
    bf_service_quit(f->service, 7); /* the first reason counts */
}

static unsigned gaps_handed_on;

static void fake_clock_gap(void *state, const struct bf_clock_gap *gap)
{
    assert_ptr_equal(state, &fake);
    assert_string_equal(gap->node, "gateway-1");
    gaps_handed_on++;
}

static void meet_a_jumping_clock(struct fake *f)
{
    const struct bf_bus_options *o = &bf_service_bus(f->service)->o;
    struct bf_clock_gap gap = { .node = "gateway-1" };

    for (unsigned i = 1; i <= 100; i++) {
        gap.ahead_ms = (int64_t)i * 3600000;
        o->clock_gap(o->user, &gap);
    }
    terminate(f);
}

static void a_jumping_clock_is_told_once(void **state)
{
    (void)state;
    gaps_handed_on = 0;
    def.clock_gap = fake_clock_gap;
    const char *text = run(BF_EXIT_OK, meet_a_jumping_clock);
    def.clock_gap = NULL;

    const char *line = strstr(text, "msg=\"failed\" code=clock_gap detail=\"the clock of gateway-1 is ");
    assert_non_null(line);
    assert_null(strstr(line + 1, "msg=\"failed\""));
    assert_int_equal(gaps_handed_on, 1);
}

static void a_service_can_give_up(void **state)
{
    (void)state;
    const char *text = run(BF_EXIT_FAILURE, give_up);
    const char *line = strstr(text, "msg=\"failed\" code=encoder_failed detail=\"the encoder stopped: \\\"no\\\"\"\n");
    assert_non_null(line);
    assert_null(strstr(line + 1, "msg=\"failed\"")); /* said once */
    assert_int_equal(fake.drains_seen, 1);
    assert_int_equal(fake.frees, 1);
}

static void change_and_hang_up(struct fake *f)
{
    site_trust(&site, "home", 2, "cam-1", BF_ROLE_CAMERA, site.node);
    scratch_write("belfry.yml", "site: home\nbroker:\n  port: 2\n  tls: false\ncameras:\n  - id: cam-1\n    fps: 15\n"
                                "gateway:\n  threads: 9\nlog:\n  level: debug\n");
    hang_up_then_end(f);
}

static void hang_up_reloads_what_can_be(void **state)
{
    (void)state;
    const char *text = run(BF_EXIT_OK, change_and_hang_up);

    has(text, "msg=\"trust bundle reloaded\" version=2 before=1");
    has(text,
        "level=warning service=belfry-test node=cam-1 msg=\"changed in the file, takes a restart\" key=broker.port\n");
    has(text, "msg=\"configuration reloaded\" changed=1 need_restart=1");
    has_not(text, "gateway.threads"); /* another service's */
    assert_int_equal(fake.reloads, 1);
    assert_int_equal(fake.reloaded_fps, 15);

    scratch_write("belfry.yml", CONFIG); /* and the bundle's version is kept for the next start */
    site_trust(&site, "home", 1, "cam-1", BF_ROLE_CAMERA, site.node);
    has(run(BF_EXIT_CONFIG, NULL), "version 1; version 2 was accepted before");
}

static void break_and_hang_up(struct fake *f)
{
    scratch_write("keys/trust.bundle", "nonsense");
    scratch_write("belfry.yml", "site: home\nlog:\n  level: loud\n");
    hang_up_then_end(f);
}

static void a_bad_reload_changes_nothing(void **state)
{
    (void)state;
    const char *text = run(BF_EXIT_OK, break_and_hang_up);

    has(text, "msg=\"trust bundle not reloaded, the one before holds\" error=\"");
    has(text, "msg=\"configuration not reloaded, the one before holds\" error=\"belfry.yml:3: log.level: \\\"loud\\\": "
              "expected debug, info, warning or error\"");
    assert_int_equal(fake.reloads, 0);
}

static void add_a_camera_and_hang_up(struct fake *f)
{
    scratch_write("belfry.yml", CONFIG "  - id: cam-2\n");
    f->reload_result = -ENOTSUP;
    hang_up_then_end(f);
}

static void a_service_says_what_it_cannot_take_over(void **state)
{
    (void)state;
    const char *text = run(BF_EXIT_OK, add_a_camera_and_hang_up);
    has(text, "msg=\"not all of the configuration could be taken over\" error=\"cameras[0].width needs a restart\"");
    assert_int_equal(fake.reloads, 1);

    def.reload = NULL;
    scratch_write("belfry.yml", CONFIG);
    text = run(BF_EXIT_OK, add_a_camera_and_hang_up);
    def.reload = fake_reload;
    has(text, "msg=\"changed in the file, takes a restart\" key=cameras\n");
    has(text, "msg=\"configuration reloaded\" changed=0 need_restart=1");
}

static int observe_from(struct bf_service *s, const char *gateway, uint8_t boot, uint64_t epoch, uint64_t generation)
{
    Belfry__V1__Header header = BELFRY__V1__HEADER__INIT;
    Belfry__V1__Lease lease = BELFRY__V1__LEASE__INIT;
    uint8_t boot_id[16] = { boot };
    header.sender = (char *)(uintptr_t)gateway;
    lease.holder_boot_id = (ProtobufCBinaryData){ .len = boot == 0 ? 0 : sizeof boot_id, .data = boot_id };
    header.topic = (char *)(uintptr_t) "belfry/v1/home/camera/cam-1/desired";
    lease.epoch = epoch;
    lease.generation = generation;
    const struct bf_incoming m = { .row = bf_message_row(BF_MSG_CAMERA_DESIRED), .header = &header };
    return bf_service_observe(s, &m, &lease);
}

static int observe(struct bf_service *s, uint64_t epoch, uint64_t generation)
{
    return observe_from(s, "gateway-1", 0, epoch, generation);
}

static void observe_two_gateways(struct fake *f)
{
    assert_int_equal(observe(f->service, 5, 1), 0);
    assert_int_equal(observe(f->service, 5, 2), 0);
    assert_int_equal(observe(f->service, 4, 9), -ESTALE);
    assert_int_equal(bf_bus_refusals(f->service->bus, BF_REFUSED_LEASE_EPOCH), 1);
    assert_int_equal(f->service->status.observed_generation, 2);
    assert_int_equal(bf_service_observe(f->service, NULL, NULL), -EBADMSG);
    terminate(f);
}

static void observe_the_old_gateway(struct fake *f)
{
    assert_int_equal(f->service->status.lease_epoch, 5);
    assert_int_equal(observe(f->service, 4, 10), -ESTALE);
    assert_int_equal(observe(f->service, 6, 1), 0);
    terminate(f);
}

static void a_replaced_gateway_stays_refused(void **state)
{
    (void)state;
    has(run(BF_EXIT_OK, observe_two_gateways), "msg=\"refused a desired of a gateway that another one has replaced\" "
                                               "sender=gateway-1 lease_epoch=4 highest=5");
    run(BF_EXIT_OK, observe_the_old_gateway); /* after a restart as well */
}

static void observe_a_conflict(struct fake *f)
{
    assert_int_equal(observe_from(f->service, "gateway-1", 1, 5, 1), 0);
    assert_int_equal(observe_from(f->service, "gateway-2", 2, 5, 1), -EEXIST);
    assert_int_equal(observe_from(f->service, "gateway-1", 3, 5, 1), -EEXIST); /* a copy of it */
    assert_int_equal(observe_from(f->service, "gateway-1", 1, 5, 2), 0);
    assert_int_equal(bf_bus_refusals(f->service->bus, BF_REFUSED_LEASE_EPOCH), 2);
    assert_string_equal(f->service->status.code, "lease_conflict");
    terminate(f);
}

static void observe_the_conflict_again(struct fake *f)
{
    assert_string_equal(f->service->status.holder.node, "gateway-1");
    assert_int_equal(observe_from(f->service, "gateway-2", 2, 5, 1), -EEXIST);
    assert_int_equal(observe_from(f->service, "gateway-1", 1, 5, 3), 0);
    assert_int_equal(observe_from(f->service, "gateway-2", 2, 6, 1), 0);
    assert_int_equal(observe_from(f->service, "gateway-1", 1, 5, 4), -ESTALE);
    terminate(f);
}

static void the_first_of_two_equal_gateways_is_obeyed(void **state)
{
    (void)state;
    has(run(BF_EXIT_OK, observe_a_conflict),
        "code=lease_conflict detail=\"gateways gateway-1 and gateway-2 both order this node with lease epoch 5; gateway-1 "
        "was first and is obeyed");
    run(BF_EXIT_OK, observe_the_conflict_again); /* after a restart as well */
}

static void a_broken_state_file_ends_the_start(void **state)
{
    (void)state;
    close(bf_open_dir(AT_FDCWD, "state", 1, 0700));
    scratch_write("state/cam-1.lease-epoch.seen", "x");
    has(run(BF_EXIT_FAILURE, NULL),
        "/state/cam-1.lease-epoch.seen: expected the highest lease epoch seen: Bad message");
    scratch_write("state/cam-1.lease-epoch.seen", "5\n");
    scratch_write("state/cam-1.lease-holder.seen", "5 gateway-1 00ff\n");
    has(run(BF_EXIT_FAILURE, NULL),
        "/state/cam-1.lease-holder.seen: expected the highest lease epoch seen: Bad message");
    assert_int_equal(fake.starts, 0);
}

static void the_same_node_runs_once(void **state)
{
    (void)state;
    close(bf_open_dir(AT_FDCWD, "state", 1, 0700));
    struct bf_identity other;
    struct bf_config *config = NULL;
    struct bf_error e;
    int code;
    assert_int_equal(bf_config_load(&config, "belfry.yml", NULL, &e), 0);
    assert_int_equal(bf_identity_open(&other, config, BF_ROLE_CAMERA, "cam-1", &code, &e), 0);

    has(run(BF_EXIT_FAILURE, NULL), "cannot be locked: another process of this node is running");
    bf_identity_close(&other);
    bf_config_free(config);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make, drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(usage_and_configuration_have_their_exit_codes),
        TEST(check_prints_what_would_be_used),
        TEST(missing_keys_are_a_config_error),
        TEST(without_a_broker_it_waits_and_goes_on),
        TEST(health_is_asked_beside_a_running_process),
        TEST(start_fails_with_its_reason),
        TEST(alone_it_needs_no_keys_and_leaves_nothing),
        TEST(alone_it_checks_what_the_bundle_lists),
        TEST(alone_health_is_asked_of_the_service),
        TEST(a_drain_that_hangs_ends_in_time),
        TEST(a_second_signal_does_not_wait),
        TEST(a_jumping_clock_is_told_once),
        TEST(a_service_can_give_up),
        TEST(hang_up_reloads_what_can_be),
        TEST(hang_up_ends_an_absence_without_new_keys),
        TEST(a_bad_reload_changes_nothing),
        TEST(a_service_says_what_it_cannot_take_over),
        TEST(a_replaced_gateway_stays_refused),
        TEST(the_first_of_two_equal_gateways_is_obeyed),
        TEST(a_broken_state_file_ends_the_start),
        TEST(the_same_node_runs_once),
    };
    return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
