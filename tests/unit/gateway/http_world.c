#include "http_world.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"

struct http_world t;

static void ignore_session(void *user, const char *camera, const char *session)
{
    (void)user;
    (void)camera;
    (void)session;
}

static void ignore_end(void *user, const char *camera, const char *session, const char *reason)
{
    (void)reason;
    ignore_session(user, camera, session);
}

static void on_call(void *user, struct bf_call *call)
{
    (void)user;
    t.want = call->want;
    t.calls++;
    if (t.hold != NULL && *t.hold == NULL) {
        *t.hold = bf_call_ref(call);
        return;
    }
    http_world_answer(call);
}

void http_world_answer(struct bf_call *call)
{
    t.present_asked |= call->kind == BF_CALL_PRESENT;
    call->status = t.status != 0 ? t.status : call->kind == BF_CALL_START ? 201 : 200;
    if (call->kind == BF_CALL_START && t.call_is_live)
        bf_live_set_current(t.app.live, call->camera, BUILDER_SESSION);
    if (call->kind == BF_CALL_START)
        snprintf(call->location, sizeof call->location, "/api/v1/cameras/%s/stream?call=%u", call->camera, t.calls);
    if (call->status >= 400 && t.code != NULL)
        snprintf(call->code, sizeof call->code, "%s", t.code);
    if (call->status >= 400)
        snprintf(call->detail, sizeof call->detail, "No.");
    call->body = strdup(call->kind == BF_CALL_PRESENT ? "event: camera\ndata: {}\n\n" : "{\"answered\":true}");
    bf_call_answer(call);
}

static void make_pages(void)
{
    assert_int_equal(mkdirat(t.media.dirfd, "pages", 0755), 0);
    assert_int_equal(mkdirat(t.media.dirfd, "pages/js", 0755), 0);
    int fd = openat(t.media.dirfd, "pages/index.html", O_WRONLY | O_CREAT, 0644);
    bf_write_all(fd, "<!doctype html>", 15);
    close(fd);
    fd = openat(t.media.dirfd, "pages/js/a.js", O_WRONLY | O_CREAT, 0644);
    bf_write_all(fd, "export {}", 9);
    close(fd);
    close(openat(t.media.dirfd, "pages/.secret.txt", O_WRONLY | O_CREAT, 0644));
    close(openat(t.media.dirfd, "pages/page.cgi", O_WRONLY | O_CREAT, 0644));
    assert_int_equal(symlinkat("/etc/hostname", t.media.dirfd, "pages/link.txt"), 0);
    t.app.web_dirfd = openat(t.media.dirfd, "pages", O_RDONLY | O_DIRECTORY);
}

static void make_session(void)
{
    media_dir_begin(&t.media, "door");
    build_start(&t.media.builder, "door", 233333, 1, 4000);
    build_init(&t.media.builder);
    build_segment(&t.media.builder, 5);
}

int http_world_begin(void **state)
{
    static const struct bf_live_events events = { ignore_session, ignore_end, ignore_session, ignore_session };
    static const char *const cameras[] = { "door" };
    struct bf_error e = { "" };

    (void)state;
    memset(&t, 0, sizeof t);
    uv_loop_init(&t.loop);
    media_dir_make(&t.media);
    make_session();
    t.origins[0] = (char *)"https://example.org";
    t.camera = (struct bf_camera_config){ .id = (char *)"door",
                                          .profile = (char *)"balanced",
                                          .max_width = 1920,
                                          .max_height = 1080,
                                          .max_fps = 60,
                                          .max_bitrate_kbps = 10000 };
    t.config.cameras = &t.camera;
    t.config.n_cameras = 1;
    t.config.gateway.cors = t.origins;
    t.config.gateway.n_cors = 1;
    t.config.gateway.threads = 16;
    t.config.gateway.start_timeout_ms = t.config.gateway.stop_timeout_ms = 3000;
    t.app.config = &t.config;
    t.app.max_listeners = 1;
    bf_routes_collect(&t.app);
    make_pages();
    t.app.media_dirfd = dup(t.media.dirfd);
    const struct bf_live_options o = {
        .media = t.media.path, .cameras = cameras, .n_cameras = 1, .max_waiting = 12, .events = &events
    };
    assert_int_equal(bf_live_new(&t.app.live, &t.loop, &o, &e), 0);
    assert_int_equal(bf_recordings_new(&t.app.recordings), 0);
    assert_int_equal(bf_events_new(&t.app.events), 0);
    assert_int_equal(bf_metrics_new(&t.app.metrics, t.app.routes, t.app.n_routes), 0);
    assert_int_equal(bf_idempotency_new(&t.app.idempotency, 4, 60000), 0);
    assert_int_equal(bf_calls_new(&t.app.calls, &t.loop, on_call, NULL), 0);
    assert_int_equal(bf_live_start(t.app.live, &e), 0);
    bf_live_set_current(t.app.live, "door", BUILDER_SESSION);
    assert_int_equal(bf_http_server_start(&t.server, &t.app, "127.0.0.1:0", 16, &e), 0);
    return 0;
}

int http_world_end(void **state)
{
    (void)state;
    bf_calls_shut(t.app.calls);
    bf_live_shut(t.app.live);
    bf_events_shut(t.app.events);
    bf_http_server_stop(t.server);
    bf_live_free(t.app.live);
    bf_calls_free(t.app.calls);
    bf_recordings_free(t.app.recordings);
    bf_events_free(t.app.events);
    bf_metrics_free(t.app.metrics);
    bf_idempotency_free(t.app.idempotency);
    bf_demand_free(t.app.demand);
    close(t.app.media_dirfd);
    close(t.app.web_dirfd);
    uv_run(&t.loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&t.loop), 0);
    media_dir_remove(&t.media);
    return 0;
}

/* --- clients --- */

static int connect_to_server(void)
{
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons(bf_http_server_port(t.server)),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    const struct timeval limit = { .tv_sec = 10 };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

static void *client_thread(void *user)
{
    struct client *c = user;
    int fd = connect_to_server();
    ssize_t n = send(fd, c->request, strlen(c->request), MSG_NOSIGNAL);

    while (n > 0 && c->size + 1 < sizeof c->answer) {
        n = recv(fd, c->answer + c->size, sizeof c->answer - 1 - c->size, 0);
        c->size += n > 0 ? (size_t)n : 0;
        c->answer[c->size] = '\0';
        if (c->until != NULL && strstr(c->answer, c->until) != NULL)
            break;
    }
    close(fd);
    c->done = true;
    uv_async_send(&c->wake);
    return NULL;
}

static void nothing(uv_async_t *handle)
{
    (void)handle;
}

void begin(struct client *c, const char *request, const char *until)
{
    memset(c, 0, sizeof *c);
    c->request = request;
    c->until = until;
    uv_async_init(&t.loop, &c->wake, nothing);
    assert_int_equal(pthread_create(&c->thread, NULL, client_thread, c), 0);
}

static bool is_done(void *user)
{
    return ((struct client *)user)->done;
}

void end(struct client *c)
{
    run_until(&t.loop, is_done, c);
    pthread_join(c->thread, NULL);
    uv_close((uv_handle_t *)&c->wake, NULL);
    uv_run(&t.loop, UV_RUN_NOWAIT);
}

const char *ask(const char *request)
{
    static struct client c;

    begin(&c, request, NULL);
    end(&c);
    return c.answer;
}

int status_of(const char *answer)
{
    int status = 0;

    sscanf(answer, "HTTP/1.1 %d ", &status);
    return status;
}

bool has(const char *answer, const char *what)
{
    return strstr(answer, what) != NULL;
}
