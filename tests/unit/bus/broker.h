/* A real mosquitto on a free port of the loopback, and a loop that runs until something holds. For tests only. */
#ifndef BELFRY_TESTS_BUS_BROKER_H
#define BELFRY_TESTS_BUS_BROKER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <uv.h>

struct broker {
    pid_t pid; /* 0: not running */
    uint16_t port;
    char dir[64];
    int log_fd;
};

uint16_t free_port(void);

/* Starts it and returns when it says that it runs. `extra` are further lines of its configuration. Fails the test
 * otherwise. */
void broker_start(struct broker *b, const char *extra);
void broker_stop(struct broker *b);    /* keeps port and directory */
void broker_restart(struct broker *b); /* after broker_stop, with the same configuration */
void broker_done(struct broker *b);

/* Runs the loop until `holds(user)`; false after `ms`. */
bool run_until(uv_loop_t *loop, bool (*holds)(void *user), void *user, unsigned ms);
/* Closes a loop that has nothing left to do; fails the test when there is. */
void loop_done(uv_loop_t *loop);

/* In `dir`: ca.crt, other-ca.crt, and <name>.crt/.key for "localhost" (server), "elsewhere" (a server of another name)
 * and "cam-1" (client). Made by the openssl command. */
void make_certificates(const char *dir);

#endif
