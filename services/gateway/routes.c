#include "gateway/app.h"

#include "base/cleanup.h"

void bf_routes_collect(struct bf_app *app)
{
    const struct bf_http_route *const groups[] = {
        bf_routes_cameras, bf_routes_recordings,       bf_routes_events, bf_routes_article,
        bf_routes_media,   bf_routes_recordings_media, bf_routes_ops,    bf_routes_static,
    };

    app->n_routes = 0;
    for (size_t i = 0; i < BF_COUNT_OF(groups); i++)
        for (const struct bf_http_route *r = groups[i]; r->handle != NULL && app->n_routes < BF_ROUTES_MAX; r++)
            app->routes[app->n_routes++] = r;
}
