#include "janitor/purge.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "janitor/names.h"
#include "janitor/session_load.h"
#include "stream/layout.h"

static void dir_closep(DIR **dir)
{
    if (*dir != NULL)
        closedir(*dir);
}

/* A descriptor of its own: reading must not move that of the caller. */
static DIR *open_listing(int dirfd)
{
    int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (dir == NULL)
        bf_closep(&fd);
    return dir;
}

static bool is_dot(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static bool goes_first(enum bf_name_kind kind)
{
    return kind == BF_NAME_MEDIA || kind == BF_NAME_MADE || kind == BF_NAME_TEMPORARY;
}

/* One pass over everything but the journal and the mark, without which a crash could not be taken up again. */
static int remove_some(const struct bf_file_ops *ops, int dirfd, const struct bf_journal_extent *extent,
                       unsigned *ret_removed, unsigned *ret_foreign, struct bf_error *e)
{
    _cleanup_(dir_closep) DIR *dir = open_listing(dirfd);
    if (dir == NULL)
        return bf_fail(e, -errno, "listing: %s", strerror(errno));

    *ret_removed = *ret_foreign = 0;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        enum bf_name_kind kind = bf_name_kind(entry->d_name, extent);
        if (is_dot(entry->d_name))
            continue;
        *ret_foreign += kind == BF_NAME_FOREIGN;
        if (!goes_first(kind))
            continue;
        int r = ops->remove(ops->user, dirfd, entry->d_name);
        if (r < 0)
            return bf_fail(e, r, "%s: %s", entry->d_name, strerror(-r));
        (*ret_removed)++;
    }
    return 0;
}

/* A listing may miss names while others are removed from it, so the last pass is one that finds nothing more. */
static int remove_contents(const struct bf_file_ops *ops, int dirfd, const struct bf_journal_extent *extent,
                           struct bf_error *e)
{
    unsigned removed, foreign;
    do {
        int r = remove_some(ops, dirfd, extent, &removed, &foreign, e);
        if (r < 0)
            return r;
    } while (removed > 0);

    if (foreign > 0)
        return bf_fail(e, -ENOTEMPTY, "holds %u files that are not of this session; move them away by hand", foreign);
    return 0;
}

/* What the journal accounts for; a journal that is gone was deleted by an earlier run, after everything else. */
static int read_extent(int dirfd, struct bf_journal_extent *ret, struct bf_error *e)
{
    struct bf_session_view view;
    bf_session_view_init(&view);
    int r = bf_session_load(dirfd, &view, e);
    *ret = (struct bf_journal_extent){ .next_msn = view.next_msn, .n_inits = (unsigned)view.n_inits };
    bf_session_view_done(&view);
    return r == -ENOENT ? 0 : r;
}

int bf_purge_session(const struct bf_file_ops *ops, int camera_dirfd, const char *session_id, struct bf_error *e)
{
    _cleanup_(bf_closep) int dirfd = bf_open_dir(camera_dirfd, session_id, 0, 0);
    struct bf_journal_extent extent;
    if (dirfd == -ENOENT)
        return 0;
    if (dirfd < 0)
        return bf_fail(e, dirfd, "%s", strerror(-dirfd));

    int r = read_extent(dirfd, &extent, e);
    if (r == 0)
        r = remove_contents(ops, dirfd, &extent, e);
    if (r < 0)
        return r;
    r = ops->remove(ops->user, dirfd, BF_JOURNAL_NAME);
    if (r == 0)
        r = ops->remove(ops->user, dirfd, BF_DELETED_NAME);
    if (r == 0)
        r = ops->remove_dir(ops->user, camera_dirfd, session_id);
    if (r == 0)
        r = ops->sync_dir(ops->user, camera_dirfd);
    return r < 0 ? bf_fail(e, r, "%s", strerror(-r)) : 0;
}

int bf_purge_mark(const struct bf_file_ops *ops, int dirfd)
{
    int r = ops->rename(ops->user, dirfd, BF_RECORDING_NAME, BF_DELETED_NAME);
    return r < 0 ? r : ops->sync_dir(ops->user, dirfd);
}

int bf_purge_temporaries(const struct bf_file_ops *ops, int dirfd)
{
    _cleanup_(dir_closep) DIR *dir = open_listing(dirfd);
    if (dir == NULL)
        return -errno;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        int r = bf_name_is_temporary(entry->d_name) ? ops->remove(ops->user, dirfd, entry->d_name) : 0;
        if (r < 0)
            return r;
    }
    return 0;
}
