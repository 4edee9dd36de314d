#include "gateway/request.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"

void bf_routes_collect(struct bf_app *app)
{
    const struct bf_http_route *const groups[] = {
        bf_routes_cameras,  bf_routes_recordings,       bf_routes_events, bf_routes_article, bf_routes_media,
        bf_routes_segments, bf_routes_recordings_media, bf_routes_ops,    bf_routes_static,
    };

    app->n_routes = 0;
    for (size_t i = 0; i < BF_COUNT_OF(groups); i++)
        for (const struct bf_http_route *r = groups[i]; r->handle != NULL && app->n_routes < BF_ROUTES_MAX; r++)
            app->routes[app->n_routes++] = r;
}

static int refuse_change(struct bf_request *r)
{
    size_t route;
    struct bf_params params;
    unsigned methods = 0;
    char allow[64], detail[200];

    bf_route_find(r->app->routes, r->app->n_routes, BF_GET, &r->path, &route, &params, &methods);
    snprintf(detail, sizeof detail,
             "This gateway serves media only: it starts, stops and changes nothing. Ask gateway %s of this site.",
             r->app->config->gateway.node);
    const struct bf_problem_text p = { .status = 405, .code = "media_only", .detail = detail, .instance = r->uri };
    _cleanup_(bf_freep) char *text = bf_problem_json(&p);
    return bf_respond(r,
                      &(struct bf_response){
                          .status = 405,
                          .type = "application/problem+json",
                          .body = text,
                          .size = text == NULL ? 0 : strlen(text),
                          .allow = bf_methods_format((methods & (BF_GET | BF_HEAD)) | BF_OPTIONS, allow, sizeof allow),
                      });
}

void bf_routes_refuse_changes(struct bf_app *app)
{
    for (size_t i = 0; i < app->n_routes; i++) {
        if (app->routes[i]->method == BF_GET)
            continue;
        app->refused[i] = *app->routes[i];
        app->refused[i].handle = refuse_change;
        app->routes[i] = &app->refused[i];
    }
}
