/* Everything in the media directory: sessions that are followed, and recordings. Loop thread. */
#ifndef BELFRY_JANITOR_CATALOG_H
#define BELFRY_JANITOR_CATALOG_H

#include "bus/trust.h"
#include "janitor/followed.h"

#include "journal.pb-c.h"

struct bf_kept_recording {
    char camera[BF_ID_SIZE];
    char id[BF_ULID_SIZE];
    uint64_t ended_at_ms; /* by its pictures, and not before the session was ordered */
    uint64_t bytes;       /* on disk */
    bool protected, present;
};

/* Both lists are in the order of session ids, which is that of time. */
struct bf_catalog {
    int mediafd; /* owned */
    struct bf_followed **followed;
    size_t n_followed;
    struct bf_kept_recording *recordings;
    size_t n_recordings;
};

void bf_catalog_done(struct bf_catalog *c);

/* Looks for directories that have come or gone. Returns whether anything changed, or a negative errno. */
int bf_catalog_scan(struct bf_catalog *c, const struct bf_trust *trust, uint64_t now_ms, uint64_t unix_ms);

struct bf_followed *bf_catalog_followed(const struct bf_catalog *c, const char *id);        /* or NULL */
struct bf_kept_recording *bf_catalog_recording(const struct bf_catalog *c, const char *id); /* or NULL */

struct bf_followed *bf_catalog_follow(struct bf_catalog *c, const char *camera, const char *id,
                                      uint64_t now_ms); /* or NULL */
void bf_catalog_unfollow(struct bf_catalog *c, struct bf_followed *f);
/* The followed session has become a recording. */
int bf_catalog_keep(struct bf_catalog *c, int dirfd, const Belfry__V1__Recording *recording);
void bf_catalog_drop(struct bf_catalog *c, struct bf_kept_recording *k);

/* Descriptor of <media>/<camera>, or of <media>/<camera>/<session>; the caller closes. */
int bf_catalog_open_camera(const struct bf_catalog *c, const char *camera);
int bf_catalog_open_session(const struct bf_catalog *c, const char *camera, const char *id);

uint64_t bf_catalog_recording_bytes(const struct bf_catalog *c);

#endif
