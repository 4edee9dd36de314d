/* accept(2) as the HTTP library finds it. The library has no way to be given a connection: it accepts by itself and puts a
 * thread behind each. A definition in the program comes before the one in the C library wherever symbols are
 * looked up, so its accepting thread gets connections out of the lobby, and any other thread what it would have got. */
#include "gateway/http_internal.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

static _Thread_local struct bf_lobby *lobby_of_thread;

void bf_http_accept_from(struct bf_lobby *lobby)
{
    lobby_of_thread = lobby;
}

int accept(int fd, __SOCKADDR_ARG address, socklen_t *restrict size)
{
    struct sockaddr_in client = { 0 };

    if (lobby_of_thread == NULL)
        return accept4(fd, address, size, 0);
    int r = bf_lobby_next(lobby_of_thread, fd, &client);
    if (r < 0) {
        errno = -r;
        return -1;
    }
    memcpy(address.__sockaddr__, &client, *size < sizeof client ? *size : sizeof client);
    *size = sizeof client;
    return r;
}
