/* The lobby, with the test in the place of the HTTP library: it polls the listening descriptor and takes what comes. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "gateway/lobby.h"

#define GET "GET / HTTP/1.1\r\n\r\n"
#define SOON_MS 2000
#define NEVER_MS 30 /* for what must not come */

static struct {
    struct bf_lobby *lobby;
    int door;
    struct sockaddr_in address;
    unsigned events[BF_LOBBY_EVENTS];
    int visitors[16]; /* closed at the end */
    size_t n_visitors;
} t;

static void on_event(void *user, enum bf_lobby_event event)
{
    (void)user;
    t.events[event]++;
}

static void open_lobby(unsigned workers, unsigned room, uint64_t header_ms)
{
    const struct bf_lobby_options o = {
        .workers = workers, .spare = 0, .room = room, .header_ms = header_ms, .header_max = 1024, .event = on_event
    };
    socklen_t size = sizeof t.address;

    memset(&t, 0, sizeof t);
    t.address = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_ANY) };
    t.door = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(t.door, (const struct sockaddr *)&t.address, size), 0);
    assert_int_equal(listen(t.door, 100), 0);
    assert_int_equal(getsockname(t.door, (struct sockaddr *)&t.address, &size), 0);
    t.address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bf_lobby_new(&t.lobby, &o), 0);
}

static int close_lobby(void **state)
{
    (void)state;
    bf_lobby_shut(t.lobby, 0);
    bf_lobby_free(t.lobby);
    close(t.door);
    while (t.n_visitors > 0)
        close(t.visitors[--t.n_visitors]);
    return 0;
}

/* The next connection, or -1 when none comes in time. */
static int next(int ms, struct bf_connection **ret)
{
    struct pollfd p = { .fd = t.door, .events = POLLIN };
    uint64_t until_ms = bf_mono_ms() + (uint64_t)ms;
    struct sockaddr_in client;

    for (uint64_t now_ms; (now_ms = bf_mono_ms()) < until_ms;)
        if (poll(&p, 1, (int)(until_ms - now_ms)) > 0) {
            int fd = bf_lobby_next(t.lobby, t.door, &client);
            if (fd < 0)
                continue;
            *ret = bf_lobby_find(t.lobby, &client);
            assert_non_null(*ret);
            assert_int_equal((*ret)->fd, fd);
            return fd;
        }
    return -1;
}

static void serve_none(int ms)
{
    struct bf_connection *c;

    assert_int_equal(next(ms, &c), -1);
}

static struct bf_connection *serve_one(void)
{
    struct bf_connection *c = NULL;

    assert_true(next(SOON_MS, &c) >= 0);
    return c;
}

static void leave(struct bf_connection *c)
{
    int fd = c->fd;

    bf_lobby_leave(t.lobby, c);
    close(fd);
}

static int visit_from(uint32_t source)
{
    const struct sockaddr_in from = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(source) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(fd, (const struct sockaddr *)&from, sizeof from), 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&t.address, sizeof t.address), 0);
    assert_true(t.n_visitors < BF_COUNT_OF(t.visitors));
    t.visitors[t.n_visitors++] = fd;
    return fd;
}

static int visit(const char *says)
{
    int fd = visit_from(INADDR_LOOPBACK);

    assert_int_equal(send(fd, says, strlen(says), MSG_NOSIGNAL), strlen(says));
    return fd;
}

/* What comes until the end of the connection; -1: it has not ended. */
static ssize_t read_to_end(int fd, char *buf, size_t size)
{
    const struct timeval soon = { .tv_sec = SOON_MS / 1000 };
    size_t n = 0;

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof soon);
    for (ssize_t got = 1; got != 0; n += (size_t)got) {
        got = recv(fd, buf + n, size - n, 0);
        if (got < 0)
            return errno == ECONNRESET ? (ssize_t)n : -1;
    }
    return (ssize_t)n;
}

static unsigned silent(void)
{
    unsigned counts[BF_CONN_KINDS];

    bf_lobby_census(t.lobby, counts);
    return counts[BF_CONN_SILENT];
}

static void test_whoever_has_asked_is_served(void **state)
{
    char text[64] = "";

    (void)state;
    open_lobby(2, 8, 5000);
    visit(GET);
    struct bf_connection *c = serve_one();
    assert_int_equal(c->client.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
    assert_int_equal(recv(c->fd, text, sizeof text, 0), sizeof GET - 1); /* nothing of it has been read */
    assert_string_equal(text, GET);
    assert_int_equal(bf_lobby_free_workers(t.lobby), 1);
    leave(c);
    assert_int_equal(bf_lobby_free_workers(t.lobby), 2);
}

static void test_the_silent_wait(void **state)
{
    (void)state;
    open_lobby(2, 8, 5000);
    visit("");
    int half = visit("GET / HT");
    visit(GET);
    struct bf_connection *c = serve_one();
    serve_none(NEVER_MS);
    assert_int_equal(silent(), 3); /* the one served has no kind yet either */
    assert_int_equal(send(half, "TP/1.1\r\n\r", 9, 0), 9);
    serve_none(NEVER_MS);
    assert_int_equal(send(half, "\n", 1, 0), 1);
    leave(serve_one());
    leave(c);
    assert_int_equal(silent(), 1);
}

static void test_what_is_too_long_is_handed_over_to_be_refused(void **state)
{
    char text[1025];

    (void)state;
    open_lobby(1, 8, 5000);
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    visit(text);
    leave(serve_one());
}

static void test_late_headers(void **state)
{
    char text[128] = "";

    (void)state;
    open_lobby(2, 8, 40);
    int says_nothing = visit("");
    int half = visit("GET /");
    serve_none(80);
    assert_int_equal(t.events[BF_LOBBY_LATE_HEADER], 2);
    assert_int_equal(read_to_end(says_nothing, text, sizeof text - 1), 0);
    assert_true(read_to_end(half, text, sizeof text - 1) > 0);
    assert_ptr_equal(strstr(text, "HTTP/1.1 408 "), text);
    assert_int_equal(silent(), 0);
}

static void test_half_closed(void **state)
{
    char text[16];

    (void)state;
    open_lobby(2, 8, 5000);
    int whole = visit(GET);
    int half = visit("GET /");
    shutdown(whole, SHUT_WR);
    shutdown(half, SHUT_WR);
    struct bf_connection *c = serve_one(); /* who has asked may still read the answer */
    serve_none(NEVER_MS);
    assert_int_equal(read_to_end(half, text, sizeof text), 0);
    leave(c);
}

static void test_no_more_than_there_are_workers(void **state)
{
    (void)state;
    open_lobby(1, 8, 5000);
    visit(GET);
    visit(GET);
    struct bf_connection *c = serve_one();
    serve_none(NEVER_MS);
    leave(c);
    leave(serve_one());
}

static void test_same_client_again(void **state)
{
    const struct linger at_once = { .l_onoff = 1 };
    struct sockaddr_in from = { 0 };
    socklen_t size = sizeof from;

    (void)state;
    open_lobby(2, 8, 5000);
    int first = visit(GET);
    struct bf_connection *c = serve_one();
    assert_int_equal(getsockname(first, (struct sockaddr *)&from, &size), 0);
    setsockopt(first, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(first);
    t.n_visitors = 0;
    int again = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(again, (const struct sockaddr *)&from, sizeof from), 0);
    assert_int_equal(connect(again, (const struct sockaddr *)&t.address, sizeof t.address), 0);
    assert_int_equal(send(again, GET, sizeof GET - 1, 0), sizeof GET - 1);
    serve_none(NEVER_MS); /* its worker has not noticed */
    leave(c);
    leave(serve_one());
    close(again);
}

static void test_who_is_idle_makes_way(void **state)
{
    char c;

    (void)state;
    open_lobby(2, 8, 5000);
    visit(GET);
    visit(GET);
    struct bf_connection *one = serve_one(), *two = serve_one();
    visit(GET);
    serve_none(NEVER_MS); /* nobody is idle */
    one->idle_since_ms = bf_mono_ms();
    assert_int_equal(recv(one->fd, &c, 1, MSG_PEEK), 1);
    serve_none(400);
    char text[64];
    assert_int_equal(recv(one->fd, text, sizeof text, 0), sizeof GET - 1); /* what it had asked stays readable … */
    assert_int_equal(recv(one->fd, text, sizeof text, 0), 0);              /* … then it is asked to end */
    assert_int_equal(t.events[BF_LOBBY_IDLE], 1);
    leave(one);
    leave(serve_one());
    leave(two);
}

static void test_a_crowd_gets_in_its_own_way(void **state)
{
    enum { ROOM = 6 };
    char text[8];
    int crowd[ROOM + 2];

    (void)state;
    open_lobby(2, ROOM, 5000);
    int shy = visit_from(INADDR_LOOPBACK + 1);
    serve_none(NEVER_MS);
    for (int i = 0; i < ROOM + 2; i++)
        crowd[i] = visit_from(INADDR_LOOPBACK + 2);
    serve_none(NEVER_MS);
    assert_int_equal(t.events[BF_LOBBY_CROWDED_OUT], 3);
    assert_int_equal(silent(), ROOM);
    assert_int_equal(read_to_end(crowd[0], text, sizeof text), 0); /* those who have waited longest */
    assert_int_equal(send(shy, GET, sizeof GET - 1, 0), sizeof GET - 1);
    struct bf_connection *c = serve_one();
    assert_int_equal(c->client.sin_addr.s_addr, htonl(INADDR_LOOPBACK + 1));
    leave(c);
}

static void test_out_of_descriptors(void **state)
{
    struct rlimit before, few;

    (void)state;
    open_lobby(2, 8, 5000);
    visit(GET);
    leave(serve_one());
    visit(GET);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = before;
    few.rlim_cur = 3;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    serve_none(NEVER_MS);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    leave(serve_one());
}

static void test_shut(void **state)
{
    char text[64];

    (void)state;
    open_lobby(2, 8, 5000);
    visit(GET);
    int says_nothing = visit("");
    struct bf_connection *c = serve_one();
    serve_none(NEVER_MS);
    bf_lobby_shut(t.lobby, 0);
    assert_int_equal(read_to_end(says_nothing, text, sizeof text), 0);
    struct pollfd p = { .fd = t.door, .events = POLLIN };
    assert_int_equal(poll(&p, 1, 0), 1); /* whoever accepts looks whether it is to end */
    serve_none(NEVER_MS);
    assert_true(recv(c->fd, text, sizeof text, 0) >= 0);
    leave(c);
}

#define TEST(name) cmocka_unit_test_teardown(name, close_lobby)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_whoever_has_asked_is_served),
        TEST(test_the_silent_wait),
        TEST(test_what_is_too_long_is_handed_over_to_be_refused),
        TEST(test_late_headers),
        TEST(test_half_closed),
        TEST(test_no_more_than_there_are_workers),
        TEST(test_same_client_again),
        TEST(test_who_is_idle_makes_way),
        TEST(test_a_crowd_gets_in_its_own_way),
        TEST(test_out_of_descriptors),
        TEST(test_shut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
