/* Does the gateway of this configuration answer? Asked over HTTP, since one that serves media only leaves no file that
 * would say so. */
#include "gateway/gateway.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"

#define PROBE_S 2

/* "address:port" or "[address]:port", as the configuration has checked it. */
static int find_address(const char *listen, struct addrinfo **ret)
{
    const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV };
    const char *colon = strrchr(listen, ':');
    bool brackets = listen[0] == '[';
    char host[64];

    snprintf(host, sizeof host, "%.*s", (int)(colon - listen) - 2 * brackets, listen + brackets);
    return getaddrinfo(host, colon + 1, &hints, ret) == 0 ? 0 : -EINVAL;
}

static int connect_to(const char *listen)
{
    const struct timeval limit = { .tv_sec = PROBE_S };
    struct addrinfo *address;
    int r = find_address(listen, &address);
    if (r < 0)
        return r;

    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0) {
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    }
    r = fd < 0 || connect(fd, address->ai_addr, address->ai_addrlen) < 0 ? -errno : fd;
    if (r < 0)
        bf_closep(&fd);
    freeaddrinfo(address);
    return r;
}

/* The status line is all that counts; it comes in one piece. */
static int ask(int fd)
{
    static const char request[] = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    static const char well[] = "HTTP/1.1 200 ";
    char answer[512];

    int r = bf_write_all(fd, request, sizeof request - 1);
    if (r < 0)
        return r;
    ssize_t n = recv(fd, answer, sizeof answer, 0);
    if (n < 0)
        return -errno;
    return n < (ssize_t)sizeof well - 1 || memcmp(answer, well, sizeof well - 1) != 0 ? -EBADMSG : 0;
}

int bf_gateway_probe(const struct bf_config *c, struct bf_error *e)
{
    _cleanup_(bf_closep) int fd = connect_to(c->gateway.listen);
    int r = fd < 0 ? fd : ask(fd);

    return r < 0 ? bf_fail(e, r, "http://%s/healthz does not answer: %s", c->gateway.listen, strerror(-r)) : 0;
}
