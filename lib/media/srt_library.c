#include "media/srt_library.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "base/log.h"

static void to_debug_log(void *user, int level, const char *file, int line, const char *area, const char *message)
{
    char quoted[300];
    (void)user, (void)level, (void)file, (void)line, (void)area;
    bf_debug("libsrt says", "text=%s", bf_log_quote(quoted, sizeof(quoted), message));
}

static void quiet(void)
{
    srt_setlogflags(SRT_LOGF_DISABLE_TIME | SRT_LOGF_DISABLE_THREADNAME | SRT_LOGF_DISABLE_SEVERITY |
                    SRT_LOGF_DISABLE_EOL);
    srt_setloghandler(NULL, to_debug_log);
}

/* libsrt counts srt_startup itself, but not in every version: 1.5.4 closes everything at the first srt_cleanup. */
static pthread_mutex_t users_lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned users;

int bf_srt_library_start(void)
{
    pthread_mutex_lock(&users_lock);
    int r = users > 0 ? 0 : srt_startup();
    if (r >= 0 && users++ == 0)
        quiet();
    pthread_mutex_unlock(&users_lock);
    return r < 0 ? -EIO : 0;
}

void bf_srt_library_stop(void)
{
    pthread_mutex_lock(&users_lock);
    if (--users == 0)
        srt_cleanup();
    pthread_mutex_unlock(&users_lock);
}

/* The last failed call of this thread. */
int bf_srt_error(void)
{
    int system = 0;
    int code = srt_getlasterror(&system);
    if (code == SRT_EDUPLISTEN || system == EADDRINUSE)
        return -EADDRINUSE;
    if (code == SRT_EASYNCSND || code == SRT_EASYNCRCV || code == SRT_ETIMEOUT)
        return -EAGAIN;
    return system > 0 ? -system : -EIO;
}

int bf_srt_fail(struct bf_error *e, const struct bf_transport_options *o, const char *what)
{
    int code = bf_srt_error();
    return bf_fail(e, code, "SRT %s %s port %u: %s", what, o->host, o->port,
                   code == -EADDRINUSE ? strerror(EADDRINUSE) : srt_getlasterror_str());
}
