/* The gateway's HTTP server, its routes and its JSON: nobody looks at them here. */
#include "gateway/gateway_internal.h"
#include "sim.h"

int bf_http_server_start(struct bf_http_server **ret, struct bf_app *app, const char *listen, unsigned threads,
                         struct bf_error *e)
{
    (void)listen;
    (void)threads;
    (void)e;
    *ret = (struct bf_http_server *)app; /* something that is there */
    return 0;
}

void bf_http_server_stop(struct bf_http_server *s)
{
    (void)s;
}

void bf_routes_collect(struct bf_app *app)
{
    app->n_routes = 0;
}

void bf_routes_refuse_changes(struct bf_app *app)
{
    (void)app;
}

json_t *bf_json_recording(const struct bf_recording *r)
{
    (void)r;
    return json_null();
}

json_t *bf_json_stream(const struct bf_orch *o, const struct bf_stream *s)
{
    (void)o;
    (void)s;
    return json_null();
}

json_t *bf_json_camera(const struct bf_orch *o, const struct bf_camera_config *c, const struct bf_camera_facts *f,
                       bool with_counters)
{
    (void)o;
    (void)c;
    (void)f;
    (void)with_counters;
    return json_null();
}
