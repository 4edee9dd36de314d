/* Who may hold a worker. Each connection in the hands of the HTTP library holds one for as long as it lives, so the
 * kinds that stay long are bounded, and some workers are always left for control and health. Any thread. */
#ifndef BELFRY_GATEWAY_ADMISSION_H
#define BELFRY_GATEWAY_ADMISSION_H

#include <stdatomic.h>

/* What a connection did last. */
enum bf_conn_kind {
    BF_CONN_SILENT, /* has not completed a request yet */
    BF_CONN_OTHER,  /* API, pages */
    BF_CONN_OPS,    /* health, readiness, metrics */
    BF_CONN_MEDIA,  /* live media, recordings */
    BF_CONN_EVENTS, /* listens to events */
    BF_CONN_KINDS
};
const char *bf_conn_kind_name(enum bf_conn_kind kind);
/* What a request for a route is, from its pattern. */
enum bf_conn_kind bf_conn_kind_of(const char *pattern);

struct bf_limits {
    unsigned workers;
    unsigned staying; /* media and events together: the rest is the reserve, an eighth, at least eight, at most half */
    unsigned others;  /* half; from half of that on they are not kept either */
    unsigned crowded; /* so few free workers, half of the reserve: connections that do not stay are not kept */
    unsigned ops;     /* so few free workers, a quarter of the reserve: they are left to health and metrics */
};
struct bf_limits bf_limits_of(unsigned workers);

struct bf_admission {
    struct bf_limits limits;
    atomic_uint staying, others;
};
void bf_admission_init(struct bf_admission *a, unsigned workers);

enum bf_verdict {
    BF_ADMITTED,
    BF_ADMITTED_ONCE, /* many are here: the connection must not be kept for another request */
    BF_FULL_OF_VIEWERS,
    BF_FULL
};

/* A connection that was `from` asks for something of kind `to` while so many workers are free. Takes the place that it
 * needs and gives back the one it had; when it is refused, it keeps the one it had. */
enum bf_verdict bf_admit(struct bf_admission *a, enum bf_conn_kind from, enum bf_conn_kind to, unsigned free_workers);
/* The connection is gone. */
void bf_admission_left(struct bf_admission *a, enum bf_conn_kind from);

#endif
