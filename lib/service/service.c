#include "service/service.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <sodium.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "service/exit_code.h"
#include "service/private.h"
#include "service/tls_pair.h"

#define REPORT_EVERY_S 5U
#define STATISTICS_EVERY_S 60U

static void on_beat(uv_timer_t *timer)
{
    struct bf_service *s = timer->data;

    s->beats++;
    if (!s->alone)
        bf_health_touch(&s->health, bf_boot_ms());
    if (s->phase > BF_PHASE_RUNNING)
        return;
    if (s->beats % REPORT_EVERY_S == 0)
        bf_service_report(s);
    if (s->beats % STATISTICS_EVERY_S == 0)
        bf_service_log_statistics(s);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct bf_service *s = handle->data;

    if (number == SIGHUP) {
        if (s->phase == BF_PHASE_RUNNING)
            bf_service_reload(s);
        return;
    }
    bf_info(s->phase < BF_PHASE_DRAINING ? "ending" : "ending at once", "signal=%s", sigabbrev_np(number));
    bf_service_begin_end(s);
}

static void make_loop(struct bf_service *s)
{
    static const int numbers[BF_SIGNALS] = { SIGTERM, SIGINT, SIGHUP };
    uv_timer_t *timers[] = { &s->beat, &s->report, &s->next, &s->stuck };

    for (size_t i = 0; i < BF_COUNT_OF(timers); i++) {
        uv_timer_init(&s->loop, timers[i]);
        timers[i]->data = s;
    }
    for (size_t i = 0; i < BF_SIGNALS; i++) {
        uv_signal_init(&s->loop, &s->signals[i]);
        s->signals[i].data = s;
        uv_signal_start(&s->signals[i], on_signal, numbers[i]);
    }
}

static int make_health(struct bf_service *s, struct bf_error *e)
{
    int r = bf_health_open(&s->health, s->identity.state_dir, s->identity.node);
    return r < 0 ? bf_fail(e, r, "%s/%s: %s", s->config->storage.state, s->health.name, strerror(-r)) : 0;
}

static int make_service(struct bf_service *s, struct bf_error *e)
{
    return s->def->start(s, &s->state, e);
}

static int start_bus(struct bf_service *s, struct bf_error *e)
{
    (void)e;
    return bf_bus_start(s->bus);
}

/* Makes everything in order; what exists when a step fails is taken down by the ordinary way out. */
static int start(struct bf_service *s)
{
    static const struct {
        int (*make)(struct bf_service *s, struct bf_error *e);
        const char *failed;
        bool alone; /* also where there is no broker and no state directory */
    } steps[] = {
        { make_health, "cannot make the health file", false },
        { bf_service_load_lease_epoch, "cannot read the state directory", false },
        { bf_service_make_bus, "cannot make the bus", false },
        { make_service, "cannot start", true },
        { start_bus, "cannot start the bus", false },
    };

    for (size_t i = 0; i < BF_COUNT_OF(steps); i++) {
        struct bf_error e = { "" };
        char quoted[sizeof e.text + 32];
        if (s->alone && !steps[i].alone)
            continue;
        int r = steps[i].make(s, &e);
        if (r < 0) {
            bf_err(steps[i].failed, "error=%s",
                   bf_log_quote(quoted, sizeof quoted, e.text[0] != '\0' ? e.text : strerror(-r)));
            return r;
        }
    }
    return 0;
}

static void announce(const struct bf_service *s)
{
    if (s->alone) {
        bf_info("started", "version=%s site=%s alone=1", BELFRY_VERSION, s->config->site);
        return;
    }
    bf_info("started", "version=%s site=%s epoch=%" PRIu64 " trust=%" PRIu64 " clock_synced=%d", BELFRY_VERSION,
            s->config->site, s->identity.epoch, bf_trust_version(s->identity.trust), bf_clock_synced());
    if (bf_trust_expired(s->identity.trust, bf_unix_ms()))
        bf_warning("the trust bundle has expired: make a new one with belfryctl and send SIGHUP", NULL);
    bf_info("waiting for the broker", "broker=%s:%u tls=%d", s->config->broker.host, s->config->broker.port,
            s->config->broker.tls);
}

/* Once the loop has nothing left, or somebody forgot a handle: gives back what the service holds. */
static void finish(struct bf_service *s)
{
    if (!s->forced) {
        uv_close((uv_handle_t *)&s->stuck, NULL);
        uv_run(&s->loop, UV_RUN_DEFAULT);
        uv_loop_close(&s->loop);
    }
    bf_health_close(&s->health);
    free(s->routes);
    bf_service_free_reloaded(s);
}

static int run(struct bf_service *s)
{
    int r = uv_loop_init(&s->loop);
    if (r < 0) {
        bf_err("cannot make a loop", "error=%s", uv_err_name(r));
        return BF_EXIT_FAILURE;
    }
    make_loop(s);

    if (start(s) < 0) {
        bf_service_quit(s, BF_EXIT_FAILURE);
    } else if (s->phase == BF_PHASE_STARTING) {
        s->phase = BF_PHASE_RUNNING;
        announce(s);
    }
    uv_timer_start(&s->beat, on_beat, 0, 1000);
    uv_run(&s->loop, UV_RUN_DEFAULT);

    finish(s);
    bf_info("ended", "status=%d", s->exit_code);
    return s->exit_code;
}

static bool works_alone(const struct bf_service_def *def, const struct bf_config *config)
{
    return def->alone != NULL && def->alone(config);
}

static int run_as(const struct bf_service_def *def, const char *path, struct bf_config *config, const char *node)
{
    enum bf_log_level level = BF_LOG_INFO;
    bf_log_level_parse(&level, config->log.level);
    bf_log_init(def->program, node, level);

    _cleanup_(bf_freep) struct bf_service *s = calloc(1, sizeof *s);
    if (s == NULL)
        return BF_EXIT_FAILURE;
    *s = (struct bf_service){ .def = def, .config_path = path, .config = config, .health.fd = -1 };
    s->alone = works_alone(def, config);

    struct bf_error e = { "" };
    int code = s->alone ? BF_EXIT_CONFIG : BF_EXIT_FAILURE;
    int r = s->alone ? bf_identity_open_alone(&s->identity, config, def->role, node, &e)
                     : bf_identity_open(&s->identity, config, def->role, node, &code, &e);
    if (r < 0)
        fprintf(stderr, "%s: %s\n", def->program, e.text[0] != '\0' ? e.text : strerror(-r));
    else
        code = run(s);
    bf_identity_close(&s->identity);
    return code;
}

static const char *find_config(const struct bf_options *o)
{
    static const char *const places[] = { "belfry.yml", "/etc/belfry/belfry.yml" };

    if (o->config != NULL)
        return o->config;
    for (size_t i = 0; i < BF_COUNT_OF(places); i++)
        if (access(places[i], F_OK) == 0)
            return places[i];
    return NULL;
}

static int check_health(const struct bf_service_def *def, const struct bf_config *config, const char *node,
                        struct bf_error *e)
{
    int r = works_alone(def, config) ? def->probe(config, e)
                                     : bf_health_check(config->storage.state, node, bf_boot_ms(), e);
    return r < 0 ? BF_EXIT_FAILURE : BF_EXIT_OK;
}

BF_DEFINE_CLEANUP(struct bf_config, bf_config_free)

/* Everything that needs the configuration; its failures carry the text in e. */
static int with_config(const struct bf_service_def *def, const struct bf_options *o, struct bf_error *e)
{
    const char *path = find_config(o);
    if (path == NULL) {
        bf_fail(e, -ENOENT, "no ./belfry.yml and no /etc/belfry/belfry.yml: name one with --config");
        return BF_EXIT_CONFIG;
    }

    _cleanup_(bf_config_freep) struct bf_config *config = NULL;
    char node[BF_ID_SIZE];
    if (bf_config_load(&config, path, environ, e) < 0 || bf_identity_choose(node, config, def->role, o->node, e) < 0)
        return BF_EXIT_CONFIG;

    if (o->mode == BF_MODE_CHECK) {
        printf("# %s as node %s\n", def->program, node);
        bf_config_print(config, stdout);
        return BF_EXIT_OK;
    }
    if (o->mode == BF_MODE_HEALTH)
        return check_health(def, config, node, e);
    return run_as(def, path, config, node);
}

static void prepare_process(void)
{
    signal(SIGPIPE, SIG_IGN); /* a peer that goes away is an error code, not the end */
    unsetenv("http_proxy");   /* paho before 1.3.14 would send MQTT through them */
    unsetenv("https_proxy");
}

int bf_service_main(int argc, char **argv, const struct bf_service_def *def)
{
    struct bf_options o;
    struct bf_error e = { "" };

    if (bf_options_parse(&o, argc, argv, &e) < 0) {
        fprintf(stderr, "%s: %s; see %s --help\n", def->program, e.text, def->program);
        return BF_EXIT_USAGE;
    }
    if (o.mode == BF_MODE_HELP) {
        bf_options_usage(stdout, def->program, def->summary);
        return BF_EXIT_OK;
    }
    if (o.mode == BF_MODE_VERSION) {
        printf("%s %s\n", def->program, BELFRY_VERSION);
        return BF_EXIT_OK;
    }

    prepare_process();
    bf_tls_begin();
    if (sodium_init() < 0) {
        fprintf(stderr, "%s: libsodium cannot be used on this machine\n", def->program);
        return BF_EXIT_FAILURE;
    }
    int code = with_config(def, &o, &e);
    if (e.text[0] != '\0')
        fprintf(stderr, "%s: %s\n", def->program, e.text);
    return code;
}
