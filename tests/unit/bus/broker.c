#include "broker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define START_PATIENCE_MS 10000

uint16_t free_port(void)
{
    struct sockaddr_in any = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof(any);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&any, sizeof(any)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&any, &size), 0);
    close(fd);
    return ntohs(any.sin_port);
}

/* Reads the log until the line that says that it serves. */
static void wait_until_running(struct broker *b)
{
    char log[8192] = "";
    size_t n = 0;

    while (strstr(log, " running") == NULL) {
        struct pollfd p = { .fd = b->log_fd, .events = POLLIN };
        ssize_t got;

        assert_true(n < sizeof(log) - 1);
        if (poll(&p, 1, START_PATIENCE_MS) != 1)
            fail_msg("mosquitto did not start in time: %s", log);
        got = read(b->log_fd, log + n, sizeof(log) - 1 - n);
        if (got <= 0)
            fail_msg("mosquitto ended: %s", log);
        n += (size_t)got;
        log[n] = '\0';
    }
}

void broker_restart(struct broker *b)
{
    char config[96];
    int fds[2];

    snprintf(config, sizeof(config), "%s/mosquitto.conf", b->dir);
    assert_int_equal(pipe(fds), 0);
    b->pid = fork();
    assert_true(b->pid >= 0);
    if (b->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that dies leaves nothing behind */
        dup2(fds[1], STDERR_FILENO);
        dup2(fds[1], STDOUT_FILENO);
        close(fds[0]);
        close(fds[1]);
        execl("/usr/sbin/mosquitto", "mosquitto", "-c", config, (char *)NULL);
        dprintf(STDERR_FILENO, "mosquitto: %s\n", strerror(errno));
        _exit(127);
    }
    close(fds[1]);
    b->log_fd = fds[0];
    wait_until_running(b);
}

void broker_start(struct broker *b, const char *extra)
{
    char config[96];
    FILE *f;

    *b = (struct broker){ .port = free_port(), .log_fd = -1 };
    strcpy(b->dir, "/tmp/belfry-broker-XXXXXX");
    assert_non_null(mkdtemp(b->dir));
    snprintf(config, sizeof(config), "%s/mosquitto.conf", b->dir);
    f = fopen(config, "we");
    assert_non_null(f);
    fprintf(f,
            "listener %u 127.0.0.1\nallow_anonymous true\npersistence false\nset_tcp_nodelay true\nmax_qos 1\n"
            "log_dest stderr\nlog_type error\nlog_type warning\nlog_type notice\nlog_type information\n%s%s\n",
            b->port, geteuid() == 0 ? "user root\n" : "", extra != NULL ? extra : "");
    fclose(f);
    broker_restart(b);
}

void broker_stop(struct broker *b)
{
    if (b->pid <= 0)
        return;
    kill(b->pid, SIGKILL); /* at once: nothing of it is kept */
    waitpid(b->pid, NULL, 0);
    close(b->log_fd);
    b->pid = 0;
    b->log_fd = -1;
}

void broker_done(struct broker *b)
{
    char command[128];

    broker_stop(b);
    snprintf(command, sizeof(command), "rm -rf '%s'", b->dir);
    assert_int_equal(system(command), 0);
}

static void on_deadline(uv_timer_t *timer)
{
    *(bool *)timer->data = true;
}

static void on_timer_closed(uv_handle_t *handle)
{
    *(bool *)handle->data = true;
}

bool run_until(uv_loop_t *loop, bool (*holds)(void *user), void *user, unsigned ms)
{
    bool late = false, closed = false, held;
    uv_timer_t deadline;

    uv_update_time(loop);
    uv_timer_init(loop, &deadline);
    deadline.data = &late;
    uv_timer_start(&deadline, on_deadline, ms, 0);
    while (!(held = holds(user)) && !late)
        uv_run(loop, UV_RUN_ONCE);

    deadline.data = &closed;
    uv_close((uv_handle_t *)&deadline, on_timer_closed);
    while (!closed)
        uv_run(loop, UV_RUN_NOWAIT);
    return held;
}

void loop_done(uv_loop_t *loop)
{
    uv_run(loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(loop), 0);
}

void make_certificates(const char *dir)
{
    static const char script[] =
        "cd '%s' && set -e && "
        "ca() { openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj \"/CN=$1\" "
        "  -keyout $1.key -out $1.crt; }; "
        "leaf() { openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj \"/CN=$2\" -keyout $2.key "
        "  -out $2.csr; printf 'subjectAltName=DNS:%%s' \"$3\" > $2.ext; "
        "  openssl x509 -req -in $2.csr -CA $1.crt -CAkey $1.key -CAcreateserial -days 2 -extfile $2.ext -out $2.crt; }; "
        "(ca ca; ca other-ca; leaf ca localhost localhost; leaf ca elsewhere elsewhere.example; leaf ca cam-1 cam-1) "
        "> openssl.log 2>&1 || { cat openssl.log; exit 1; }";
    char command[2048];

    snprintf(command, sizeof(command), script, dir);
    assert_int_equal(system(command), 0);
}
