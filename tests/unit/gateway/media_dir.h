/* A media directory in /tmp with real journals and segment files, and a loop to run. */
#ifndef BELFRY_TESTS_MEDIA_DIR_H
#define BELFRY_TESTS_MEDIA_DIR_H

#include <stdbool.h>

#include <uv.h>

#include "stream/journal.h"
#include "view_builder.h"

struct media_dir {
    char path[64];
    int dirfd;
    struct builder builder;
    struct bf_journal_writer *writer;
    int session_dirfd; /* of the session that is being written; -1: none */
};

void media_dir_make(struct media_dir *m);
void media_dir_remove(struct media_dir *m);
/* <path>/<camera>/<BUILDER_SESSION>/ with an empty journal; `builder` writes there, segment files included. */
void media_dir_begin(struct media_dir *m, const char *camera);
void media_dir_close(struct media_dir *m); /* the writer, not the files */
/* Removes the session's files, the journal last, then its directory. */
void media_dir_purge(struct media_dir *m, const char *camera);

/* Runs the loop until `done` says so; fails the test after five seconds. */
void run_until(uv_loop_t *loop, bool (*done)(void *user), void *user);

#endif
