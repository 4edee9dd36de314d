/* The janitor's steps on files: the real ones, without the making of films and pictures. What must never be deleted,
 * or be made twice, is watched for here. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "janitor/janitor.h"
#include "sim.h"

static void session_of(int dirfd, char ret[static BF_ULID_SIZE])
{
    char link[64], path[256];

    snprintf(link, sizeof link, "/proc/self/fd/%d", dirfd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    ret[0] = '\0';
    if (n < BF_ULID_LENGTH)
        return;
    path[n] = '\0';
    snprintf(ret, BF_ULID_SIZE, "%s", path + n - BF_ULID_LENGTH);
}

static int remove_file(void *user, int dirfd, const char *name)
{
    char session[BF_ULID_SIZE];

    session_of(dirfd, session);
    sim_check_removal(session, name);
    return bf_file_ops_real.remove(user, dirfd, name);
}

/* Pictures get their names by this; a command that comes twice must not make two. */
static int rename_to(void *user, int dirfd, const char *from, const char *to)
{
    char id[BF_ULID_SIZE];

    session_of(dirfd, id);
    struct sim_session *s = sim_session(id);
    if (s != NULL && strncmp(to, "snapshot-", 9) == 0 && ++s->pictures_taken > s->pictures_asked)
        sim_violate("session %s: %u pictures were taken, %u asked for", id, s->pictures_taken, s->pictures_asked);
    return bf_file_ops_real.rename(user, dirfd, from, to);
}

static int export_mp4(void *user, int dirfd, const struct bf_export_run *runs, size_t n_runs, int out_fd,
                      _Atomic unsigned *progress_percent, const atomic_bool *cancel, struct bf_error *e)
{
    (void)user;
    (void)dirfd;
    (void)runs;
    (void)n_runs;
    (void)cancel;
    (void)e;
    *progress_percent = 100;
    return bf_file_ops_real.write(NULL, out_fd, "film", 4);
}

static int export_jpeg(void *user, int dirfd, const char *init, const char *segment, uint64_t offset, uint64_t length,
                       uint32_t max_width, uint8_t **ret, size_t *ret_size, struct bf_error *e)
{
    (void)user;
    (void)dirfd;
    (void)init;
    (void)segment;
    (void)offset;
    (void)length;
    (void)max_width;
    (void)e;
    *ret = (uint8_t *)strdup("jpeg");
    *ret_size = 4;
    return *ret == NULL ? -ENOMEM : 0;
}

void sim_janitor_files(void *janitor)
{
    static struct bf_file_ops ops;
    struct bf_janitor *j = janitor;

    ops = bf_file_ops_real;
    ops.rename = rename_to;
    ops.remove = remove_file;
    ops.export_mp4 = export_mp4;
    ops.export_jpeg = export_jpeg;
    j->ops = &ops;
}
