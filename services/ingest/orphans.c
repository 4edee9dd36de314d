#include "ingest/orphans.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "stream/journal.h"
#include "stream/layout.h"

struct list {
    const char *node;
    struct bf_orphan *items;
    size_t n;
};

static void closedirp(DIR **d)
{
    if (*d != NULL)
        closedir(*d);
}

BF_DEFINE_CLEANUP(struct bf_journal_reader, bf_journal_reader_free)

/* Takes over fd. NULL when it is none. */
static DIR *open_listing(int fd)
{
    if (fd < 0)
        return NULL;
    DIR *listing = fdopendir(fd);
    if (listing == NULL)
        close(fd);
    return listing;
}

static int open_child(int dirfd, const char *name)
{
    return openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static bool begun_by(const Belfry__V1__Record *record, const char *node)
{
    return record->kind_case == BELFRY__V1__RECORD__KIND_START && strcmp(record->start->ingest, node) == 0;
}

/* Begun by this node, and no SessionEnd. */
static bool is_open(int dirfd, const char *node)
{
    _cleanup_(bf_journal_reader_freep) struct bf_journal_reader *r = NULL;
    Belfry__V1__Record *record = NULL;
    bool first = true, open = false;

    if (faccessat(dirfd, BF_RECORDING_NAME, F_OK, 0) == 0 || bf_journal_reader_open(&r, dirfd) != 0)
        return false;
    while (bf_journal_next(r, &record) == 0) {
        if (first)
            open = begun_by(record, node);
        else if (record->kind_case == BELFRY__V1__RECORD__KIND_END)
            open = false;
        first = false;
        belfry__v1__record__free_unpacked(record, NULL);
        if (!open)
            break;
    }
    return open;
}

static int add(struct list *l, const char *camera, const char *session_id)
{
    struct bf_orphan *grown = reallocarray(l->items, l->n + 1, sizeof *grown);

    if (grown == NULL)
        return -ENOMEM;
    l->items = grown;
    memcpy(grown[l->n].camera, camera, strlen(camera) + 1);
    memcpy(grown[l->n].session_id, session_id, BF_ULID_SIZE);
    l->n++;
    return 0;
}

static int find_in_camera(struct list *l, int media_fd, const char *camera)
{
    _cleanup_(closedirp) DIR *listing = open_listing(open_child(media_fd, camera));
    struct dirent *entry;
    int r = 0;

    while (listing != NULL && r == 0 && (entry = readdir(listing)) != NULL) {
        if (!bf_ulid_valid(entry->d_name))
            continue;
        _cleanup_(bf_closep) int fd = open_child(dirfd(listing), entry->d_name);
        if (fd >= 0 && is_open(fd, l->node))
            r = add(l, camera, entry->d_name);
    }
    return r;
}

int bf_orphans_find(int media_fd, const char *node, struct bf_orphan **ret, size_t *ret_n)
{
    _cleanup_(closedirp) DIR *listing = open_listing(open_child(media_fd, "."));
    struct list l = { .node = node };
    struct dirent *entry;
    int r = 0;

    while (listing != NULL && r == 0 && (entry = readdir(listing)) != NULL)
        if (bf_id_valid(entry->d_name))
            r = find_in_camera(&l, media_fd, entry->d_name);
    if (r != 0) {
        free(l.items);
        return r;
    }
    *ret = l.items;
    *ret_n = l.n;
    return 0;
}

int bf_orphan_close(const struct bf_orphan *o, int media_fd, const char *node, const struct bf_key *key,
                    const char *reason, uint64_t now_ms, struct bf_session_place *ret_place, struct bf_error *e)
{
    _cleanup_(bf_session_dir_freep) struct bf_session_dir *d = NULL;
    Belfry__V1__SessionStart start = BELFRY__V1__SESSION_START__INIT;

    start.camera = (char *)(uintptr_t)o->camera;
    start.session_id = (char *)(uintptr_t)o->session_id;
    start.ingest = (char *)(uintptr_t)node;
    const struct bf_session_dir_options options = {
        .media_fd = media_fd, .start = &start, .key = key, .existing = true
    };
    int r = bf_session_dir_open(&d, &options, e);
    if (r != 0)
        return r;
    r = bf_session_dir_end(d, reason, now_ms);
    if (r != 0)
        return bf_fail(e, r, "ending the journal of session %s: %s", o->session_id, strerror(-r));

    *ret_place = *bf_session_dir_place(d);
    return 0;
}
