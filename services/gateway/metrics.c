#include "gateway/metrics.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define VIEWER_SLOTS 8192
#define VIEWER_PROBES 16
#define VIEWER_MS 10000
#define VIEWER_NOTED_MS 250 /* a viewer who asks more often than that is noted as often */

static const int statuses[] = { 200, 201, 204, 206, 304, 307, 400, 403, 404, 405, 408, 409, 411,
                                413, 414, 415, 416, 417, 422, 429, 431, 500, 502, 503, 504, 505 };
#define N_STATUSES (sizeof statuses / sizeof statuses[0])

static const unsigned bounds_ms[] = { 100, 200, 300, 400, 500, 700, 1000, 1500, 2000, 3000, 5000, 10000 };
#define N_BOUNDS (sizeof bounds_ms / sizeof bounds_ms[0])

/* Two threads that note two new viewers in the same place at once lose one of them until it asks again. */
struct viewer {
    atomic_ullong key;    /* 0: empty */
    atomic_ullong camera; /* hash of its id */
    atomic_ullong seen_ms;
};

static const struct {
    const char *name, *label, *help;
} http_events[BF_HTTP_EVENTS] = {
    [BF_HTTP_REFUSED_VIEWERS] = { "belfry_http_refused_total", "viewers", "Requests refused for want of a worker." },
    [BF_HTTP_REFUSED_BUSY] = { "belfry_http_refused_total", "busy", NULL },
    [BF_HTTP_CUT_HEADER] = { "belfry_http_cut_off_total", "late_header", "Connections ended by the gateway." },
    [BF_HTTP_CUT_SILENT] = { "belfry_http_cut_off_total", "silent", NULL },
    [BF_HTTP_CUT_IDLE] = { "belfry_http_cut_off_total", "idle", NULL },
    [BF_HTTP_CUT_BODY] = { "belfry_http_cut_off_total", "late_body", NULL },
    [BF_HTTP_CUT_READER] = { "belfry_http_cut_off_total", "slow_reader", NULL },
    [BF_HTTP_REPLAYED] = { "belfry_http_repeated_total", "replayed", "Requests whose Idempotency-Key was known." },
    [BF_HTTP_JOINED] = { "belfry_http_repeated_total", "joined", NULL },
    [BF_HTTP_KEY_REUSED] = { "belfry_http_repeated_total", "key_reused", NULL },
    [BF_HTTP_DEMAND_STARTED] = { "belfry_on_demand_total", "started",
                                 "Viewers who found nothing live on a camera that starts on demand." },
    [BF_HTTP_DEMAND_LATE] = { "belfry_on_demand_total", "late", NULL },
    [BF_HTTP_DEMAND_FAILED] = { "belfry_on_demand_total", "failed", NULL },
    [BF_HTTP_DEMAND_FULL] = { "belfry_on_demand_total", "full", NULL },
    [BF_HTTP_DEMAND_STOPPED] = { "belfry_on_demand_total", "stopped_by_hand", NULL },
    [BF_HTTP_DEMAND_FOREIGN] = { "belfry_on_demand_total", "foreign_origin", NULL },
};

struct bf_metrics {
    const struct bf_http_route *const *routes;
    size_t n_routes;
    atomic_ullong *requests; /* [n_routes + 1][N_STATUSES + 1]; the last column is for any other status */
    atomic_ullong bytes_sent, starts_failed;
    atomic_ullong http_events[BF_HTTP_EVENTS];
    atomic_uint connections[BF_CONN_KINDS], workers, free_workers;
    struct viewer *viewers; /* open addressing, VIEWER_SLOTS */

    pthread_mutex_t lock;
    uint64_t start_buckets[N_BOUNDS + 1], start_sum_ms, starts;
    struct bf_gauges gauges;
    struct bf_camera_gauge *cameras;
};

int bf_metrics_new(struct bf_metrics **ret, const struct bf_http_route *const *routes, size_t n_routes)
{
    struct bf_metrics *m = calloc(1, sizeof *m);
    if (m == NULL)
        return -ENOMEM;

    m->routes = routes;
    m->n_routes = n_routes;
    pthread_mutex_init(&m->lock, NULL);
    m->requests = calloc((n_routes + 1) * (N_STATUSES + 1), sizeof *m->requests);
    m->viewers = calloc(VIEWER_SLOTS, sizeof *m->viewers);
    if (m->requests == NULL || m->viewers == NULL) {
        bf_metrics_free(m);
        return -ENOMEM;
    }
    *ret = m;
    return 0;
}

void bf_metrics_free(struct bf_metrics *m)
{
    if (m == NULL)
        return;
    pthread_mutex_destroy(&m->lock);
    free(m->cameras);
    free(m->viewers);
    free(m->requests);
    free(m);
}

void bf_metrics_request(struct bf_metrics *m, size_t route, int status)
{
    size_t column = 0;

    while (column < N_STATUSES && statuses[column] != status)
        column++;
    if (route > m->n_routes)
        route = m->n_routes;
    atomic_fetch_add_explicit(&m->requests[route * (N_STATUSES + 1) + column], 1, memory_order_relaxed);
}

void bf_metrics_sent(struct bf_metrics *m, uint64_t bytes)
{
    atomic_fetch_add_explicit(&m->bytes_sent, bytes, memory_order_relaxed);
}

void bf_metrics_start_failed(struct bf_metrics *m)
{
    atomic_fetch_add_explicit(&m->starts_failed, 1, memory_order_relaxed);
}

void bf_metrics_started(struct bf_metrics *m, uint64_t took_ms)
{
    size_t bucket = 0;

    while (bucket < N_BOUNDS && took_ms > bounds_ms[bucket])
        bucket++;
    pthread_mutex_lock(&m->lock);
    m->start_buckets[bucket]++;
    m->start_sum_ms += took_ms;
    m->starts++;
    pthread_mutex_unlock(&m->lock);
}

/* --- viewers --- */

#define FNV_BASIS UINT64_C(14695981039346656037)

/* FNV-1a: spreads; nobody gains anything by a collision. */
static uint64_t mix(uint64_t hash, const char *text)
{
    for (; text != NULL && *text != '\0'; text++)
        hash = (hash ^ (unsigned char)*text) * UINT64_C(1099511628211);
    return (hash ^ 0xff) * UINT64_C(1099511628211);
}

/* How long nothing was heard of it; 0 also where another thread, whose time is later, has noted it meanwhile. */
static uint64_t silence_ms(const struct viewer *v, uint64_t now_ms)
{
    uint64_t seen_ms = atomic_load_explicit(&v->seen_ms, memory_order_relaxed);

    return now_ms > seen_ms ? now_ms - seen_ms : 0;
}

/* The viewer's place: its own, or else one that nobody has needed for long. NULL: the table is as good as full. */
static struct viewer *place_of(struct bf_metrics *m, uint64_t key, uint64_t now_ms)
{
    struct viewer *stale = NULL;

    for (size_t i = 0; i < VIEWER_PROBES; i++) {
        struct viewer *v = &m->viewers[(key + i) % VIEWER_SLOTS];
        uint64_t owner = atomic_load_explicit(&v->key, memory_order_relaxed);

        if (owner == key)
            return v;
        if (stale == NULL && (owner == 0 || silence_ms(v, now_ms) > VIEWER_MS))
            stale = v;
    }
    return stale;
}

bool bf_metrics_viewer(struct bf_metrics *m, const char *camera, const char *address, const char *agent,
                       uint64_t now_ms)
{
    uint64_t camera_hash = mix(FNV_BASIS, camera), key = mix(mix(camera_hash, address), agent) | 1;
    struct viewer *v = place_of(m, key, now_ms);

    if (v == NULL)
        return false;
    uint64_t since_ms = silence_ms(v, now_ms);
    bool is_known = atomic_load_explicit(&v->key, memory_order_relaxed) == key && since_ms <= VIEWER_MS;
    if (atomic_load_explicit(&v->key, memory_order_relaxed) != key) {
        atomic_store_explicit(&v->camera, camera_hash, memory_order_relaxed);
        atomic_store_explicit(&v->key, key, memory_order_relaxed);
    } else if (since_ms < VIEWER_NOTED_MS) {
        return true; /* many threads read this, few write it */
    }
    atomic_store_explicit(&v->seen_ms, now_ms, memory_order_relaxed);
    return is_known;
}

static unsigned count_viewers(const struct bf_metrics *m, const char *camera, uint64_t now_ms)
{
    uint64_t camera_hash = mix(FNV_BASIS, camera);
    unsigned n = 0;

    for (size_t i = 0; i < VIEWER_SLOTS; i++) {
        struct viewer *v = &m->viewers[i];
        n += atomic_load_explicit(&v->key, memory_order_relaxed) != 0 && silence_ms(v, now_ms) <= VIEWER_MS &&
             atomic_load_explicit(&v->camera, memory_order_relaxed) == camera_hash;
    }
    return n;
}

/* --- connections --- */

void bf_metrics_http_event(struct bf_metrics *m, enum bf_http_event event)
{
    atomic_fetch_add_explicit(&m->http_events[event], 1, memory_order_relaxed);
}

void bf_metrics_connections(struct bf_metrics *m, const unsigned counts[static BF_CONN_KINDS], unsigned workers,
                            unsigned free_workers)
{
    for (int i = 0; i < BF_CONN_KINDS; i++)
        atomic_store_explicit(&m->connections[i], counts[i], memory_order_relaxed);
    atomic_store_explicit(&m->workers, workers, memory_order_relaxed);
    atomic_store_explicit(&m->free_workers, free_workers, memory_order_relaxed);
}

int bf_metrics_set(struct bf_metrics *m, const struct bf_gauges *g)
{
    struct bf_camera_gauge *copy = malloc((g->n_cameras == 0 ? 1 : g->n_cameras) * sizeof *copy);

    if (copy == NULL)
        return -ENOMEM;
    if (g->n_cameras > 0)
        memcpy(copy, g->cameras, g->n_cameras * sizeof *copy);
    pthread_mutex_lock(&m->lock);
    free(m->cameras);
    m->cameras = copy;
    m->gauges = *g;
    m->gauges.cameras = copy;
    pthread_mutex_unlock(&m->lock);
    return 0;
}

/* --- text --- */

static void add_head(struct bf_text *t, const char *name, const char *type, const char *help)
{
    bf_text_add(t, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void add_one(struct bf_text *t, const char *name, const char *type, const char *help, uint64_t value)
{
    add_head(t, name, type, help);
    bf_text_add(t, "%s %" PRIu64 "\n", name, value);
}

static void add_requests(struct bf_text *t, struct bf_metrics *m)
{
    add_head(t, "belfry_http_requests_total", "counter", "HTTP requests answered, by route and status.");
    for (size_t i = 0; i < (m->n_routes + 1) * (N_STATUSES + 1); i++) {
        size_t route = i / (N_STATUSES + 1), column = i % (N_STATUSES + 1);
        uint64_t n = atomic_load_explicit(&m->requests[i], memory_order_relaxed);

        if (n == 0)
            continue;
        bf_text_add(t, "belfry_http_requests_total{method=\"%s\",route=\"%s\",status=\"%d\"} %" PRIu64 "\n",
                    route < m->n_routes ? bf_method_name(m->routes[route]->method) : "other",
                    route < m->n_routes ? m->routes[route]->pattern : "other",
                    column < N_STATUSES ? statuses[column] : 0, n);
    }
}

static void add_http_events(struct bf_text *t, struct bf_metrics *m)
{
    for (int i = 0; i < BF_HTTP_EVENTS; i++) {
        if (http_events[i].help != NULL)
            add_head(t, http_events[i].name, "counter", http_events[i].help);
        bf_text_add(t, "%s{reason=\"%s\"} %" PRIu64 "\n", http_events[i].name, http_events[i].label,
                    (uint64_t)atomic_load_explicit(&m->http_events[i], memory_order_relaxed));
    }
}

static void add_connections(struct bf_text *t, struct bf_metrics *m)
{
    add_head(t, "belfry_http_connections", "gauge", "Open connections, by what they did last; silent: nothing yet.");
    for (int i = 0; i < BF_CONN_KINDS; i++)
        bf_text_add(t, "belfry_http_connections{kind=\"%s\"} %u\n", bf_conn_kind_name((enum bf_conn_kind)i),
                    atomic_load_explicit(&m->connections[i], memory_order_relaxed));
    add_one(t, "belfry_http_workers", "gauge", "Threads that serve connections.",
            atomic_load_explicit(&m->workers, memory_order_relaxed));
    add_one(t, "belfry_http_workers_free", "gauge", "Those of them that serve nobody.",
            atomic_load_explicit(&m->free_workers, memory_order_relaxed));
}

static void add_starts(struct bf_text *t, const struct bf_metrics *m)
{
    uint64_t sum = 0;

    add_head(t, "belfry_start_seconds", "histogram", "From the request for a stream to its first playable part.");
    for (size_t i = 0; i < N_BOUNDS; i++) {
        sum += m->start_buckets[i];
        bf_text_add(t, "belfry_start_seconds_bucket{le=\"%u.%u\"} %" PRIu64 "\n", bounds_ms[i] / 1000,
                    bounds_ms[i] % 1000 / 100, sum);
    }
    bf_text_add(t, "belfry_start_seconds_bucket{le=\"+Inf\"} %" PRIu64 "\n", m->starts);
    bf_text_add(t, "belfry_start_seconds_sum %" PRIu64 ".%03" PRIu64 "\n", m->start_sum_ms / 1000,
                m->start_sum_ms % 1000);
    bf_text_add(t, "belfry_start_seconds_count %" PRIu64 "\n", m->starts);
}

static void add_cameras(struct bf_text *t, const struct bf_metrics *m, uint64_t now_ms)
{
    const struct bf_gauges *g = &m->gauges;

    add_head(t, "belfry_camera_online", "gauge", "Has the camera's service been heard of lately?");
    for (size_t i = 0; i < g->n_cameras; i++)
        bf_text_add(t, "belfry_camera_online{camera=\"%s\"} %d\n", g->cameras[i].id, g->cameras[i].online);
    add_head(t, "belfry_camera_live", "gauge", "Can the camera be watched now?");
    for (size_t i = 0; i < g->n_cameras; i++)
        bf_text_add(t, "belfry_camera_live{camera=\"%s\"} %d\n", g->cameras[i].id, g->cameras[i].live);
    add_head(t, "belfry_viewers", "gauge", "Distinct clients that asked for the camera's playlist in the last 10 s.");
    for (size_t i = 0; i < g->n_cameras; i++)
        bf_text_add(t, "belfry_viewers{camera=\"%s\"} %u\n", g->cameras[i].id,
                    count_viewers(m, g->cameras[i].id, now_ms));
}

static void add_refusals(struct bf_text *t, const struct bf_gauges *g)
{
    add_head(t, "belfry_bus_refused_total", "counter", "Messages from the broker that were refused, by reason.");
    for (int i = BF_OK + 1; i < BF_DUPLICATE; i++)
        bf_text_add(t, "belfry_bus_refused_total{reason=\"%s\"} %" PRIu64 "\n", bf_refusal_name((enum bf_refusal)i),
                    g->refusals[i]);
}

struct bf_blob *bf_metrics_render(struct bf_metrics *m, uint64_t now_ms)
{
    struct bf_text t = { 0 };

    add_requests(&t, m);
    add_http_events(&t, m);
    add_connections(&t, m);
    add_one(&t, "belfry_http_sent_bytes_total", "counter", "Bytes of bodies sent.", atomic_load(&m->bytes_sent));
    add_one(&t, "belfry_starts_failed_total", "counter", "Starts that did not come up.",
            atomic_load(&m->starts_failed));
    pthread_mutex_lock(&m->lock);
    const struct bf_gauges *g = &m->gauges;
    add_starts(&t, m);
    add_cameras(&t, m, now_ms);
    add_head(&t, "belfry_nodes_online", "gauge", "Nodes heard of lately, by role.");
    bf_text_add(&t, "belfry_nodes_online{role=\"ingest\"} %u\n", g->ingest_online);
    bf_text_add(&t, "belfry_nodes_online{role=\"janitor\"} %u\n", g->janitor_online);
    add_head(&t, "belfry_nodes_superseded", "gauge", "Nodes that obey another gateway, by role.");
    for (int role = BF_ROLE_CAMERA; role <= BF_ROLE_JANITOR; role++)
        if (role != BF_ROLE_GATEWAY)
            bf_text_add(&t, "belfry_nodes_superseded{role=\"%s\"} %u\n", bf_role_name((enum bf_role)role),
                        g->superseded[role]);
    add_one(&t, "belfry_lease_epoch", "gauge", "This gateway's fencing token; 0: it orders nothing.", g->lease_epoch);
    add_one(&t, "belfry_bus_connected", "gauge", "Is there a connection to the broker?", g->bus_connected);
    add_one(&t, "belfry_streams_live", "gauge", "Streams that can be watched.", g->streams_live);
    add_one(&t, "belfry_sessions", "gauge", "Session directories that are followed or served.", g->sessions_followed);
    add_one(&t, "belfry_recordings", "gauge", "Recordings in the index.", g->recordings);
    add_one(&t, "belfry_requests_held", "gauge", "Requests that wait for the next part.", g->requests_waiting);
    add_refusals(&t, g);
    pthread_mutex_unlock(&m->lock);
    return bf_text_take(&t);
}
