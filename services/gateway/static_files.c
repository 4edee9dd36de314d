/* The player's pages: files below gateway.web, of the kinds that pages are made of and no others. */
#include "gateway/request.h"

#include <fcntl.h>
#include <string.h>

#include "base/cleanup.h"

static const struct {
    const char *suffix, *type;
} types[] = {
    { ".html", "text/html; charset=utf-8" },
    { ".css", "text/css; charset=utf-8" },
    { ".js", "text/javascript; charset=utf-8" },
    { ".mjs", "text/javascript; charset=utf-8" },
    { ".json", "application/json" },
    { ".map", "application/json" },
    { ".svg", "image/svg+xml" },
    { ".png", "image/png" },
    { ".ico", "image/x-icon" },
    { ".webp", "image/webp" },
    { ".woff2", "font/woff2" },
    { ".txt", "text/plain; charset=utf-8" },
    { ".webmanifest", "application/manifest+json" },
};

static const char *type_of(const char *name)
{
    const char *suffix = strrchr(name, '.');

    for (size_t i = 0; suffix != NULL && i < BF_COUNT_OF(types); i++)
        if (strcmp(types[i].suffix, suffix) == 0)
            return types[i].type;
    return NULL;
}

/* Names of our pages; hidden files are never among them. */
static bool is_plain(const char *name)
{
    return name[0] != '\0' && name[0] != '.' &&
           name[strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")] == '\0';
}

static int send_page(struct bf_request *r, int dirfd, const char *name)
{
    const char *type = type_of(name);

    if (type == NULL || !is_plain(name))
        return bf_problem(r, 404, "not_found", "There is no such page.");
    return bf_send_whole_file(r, dirfd, name, &(struct bf_response){ .type = type, .cache = "no-cache", .page = true });
}

static int get_root(struct bf_request *r)
{
    if (r->app->web_dirfd < 0)
        return bf_problem(r, 404, "no_pages", "The player's pages are not installed; see gateway.web.");
    return send_page(r, r->app->web_dirfd, "index.html");
}

static int get_file(struct bf_request *r)
{
    _cleanup_(bf_closep) int dirfd = r->app->web_dirfd < 0 ? -1 : openat(r->app->web_dirfd, ".", O_PATH | O_CLOEXEC);

    for (size_t i = r->params.rest; dirfd >= 0 && i + 1 < r->path.n; i++) {
        int next = is_plain(r->path.segment[i])
                       ? openat(dirfd, r->path.segment[i], O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
                       : -1;
        bf_closep(&dirfd);
        dirfd = next;
    }
    if (dirfd < 0)
        return bf_problem(r, 404, "not_found", "There is no such page.");
    return send_page(r, dirfd, r->path.segment[r->path.n - 1]);
}

const struct bf_http_route bf_routes_static[] = {
    { BF_GET, "/", get_root },
    { BF_GET, "/web/{path}", get_file },
    { 0 },
};
