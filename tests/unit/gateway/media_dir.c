#include "media_dir.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "stream/layout.h"

void media_dir_make(struct media_dir *m)
{
    *m = (struct media_dir){ .path = "/tmp/belfry-gateway-XXXXXX", .session_dirfd = -1 };
    assert_non_null(mkdtemp(m->path));
    m->dirfd = open(m->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(m->dirfd >= 0);
}

static void empty(int dirfd)
{
    int fd = dup(dirfd);
    DIR *d = fdopendir(fd);

    assert_non_null(d);
    rewinddir(d);
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 || unlinkat(dirfd, e->d_name, 0) == 0)
            continue;
        int sub = openat(dirfd, e->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(sub >= 0);
        empty(sub);
        close(sub);
        assert_int_equal(unlinkat(dirfd, e->d_name, AT_REMOVEDIR), 0);
    }
    closedir(d);
}

void media_dir_remove(struct media_dir *m)
{
    media_dir_close(m);
    empty(m->dirfd);
    close(m->dirfd);
    rmdir(m->path);
}

/* Segment bytes say where they lie: byte i of segment n is n + i, cut to eight bits. */
static void write_media(struct media_dir *m, const Belfry__V1__Part *p)
{
    char name[BF_NAME_SIZE];
    uint8_t *bytes = malloc(p->length);

    assert_non_null(bytes);
    for (uint64_t i = 0; i < p->length; i++)
        bytes[i] = (uint8_t)(p->msn + p->offset + i);
    bf_segment_name(name, p->msn);
    int fd = openat(m->session_dirfd, name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(bf_write_all(fd, bytes, p->length), 0);
    close(fd);
    free(bytes);
}

static void write_init(struct media_dir *m, const Belfry__V1__Init *i)
{
    int fd = openat(m->session_dirfd, i->file, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

    assert_true(fd >= 0);
    assert_int_equal(bf_write_all(fd, "ftyp", 4), 0);
    close(fd);
}

static int put(void *user, const Belfry__V1__Record *r)
{
    struct media_dir *m = user;

    if (r->kind_case == BELFRY__V1__RECORD__KIND_PART)
        write_media(m, r->part);
    if (r->kind_case == BELFRY__V1__RECORD__KIND_INIT)
        write_init(m, r->init);
    return bf_journal_append(m->writer, r);
}

void media_dir_begin(struct media_dir *m, const char *camera)
{
    char path[160];
    struct bf_error e;

    mkdirat(m->dirfd, camera, 0755);
    snprintf(path, sizeof path, "%s/" BUILDER_SESSION, camera);
    assert_int_equal(mkdirat(m->dirfd, path, 0755), 0);
    m->session_dirfd = openat(m->dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(m->session_dirfd >= 0);
    assert_int_equal(bf_journal_writer_open(&m->writer, m->session_dirfd, &e), 0);
    m->builder = (struct builder){ .put = put, .user = m };
}

void media_dir_close(struct media_dir *m)
{
    bf_journal_writer_free(m->writer);
    m->writer = NULL;
    if (m->session_dirfd >= 0)
        close(m->session_dirfd);
    m->session_dirfd = -1;
}

void media_dir_purge(struct media_dir *m, const char *camera)
{
    char path[160];

    media_dir_close(m);
    snprintf(path, sizeof path, "%s/" BUILDER_SESSION, camera);
    int fd = openat(m->dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(fd >= 0);
    empty(fd);
    close(fd);
    assert_int_equal(unlinkat(m->dirfd, path, AT_REMOVEDIR), 0);
}

static void on_guard(uv_timer_t *timer)
{
    *(bool *)timer->data = true;
}

void run_until(uv_loop_t *loop, bool (*done)(void *user), void *user)
{
    uv_timer_t guard;
    bool late = false;

    uv_timer_init(loop, &guard);
    guard.data = &late;
    uv_timer_start(&guard, on_guard, 5000, 0);
    while (!done(user) && !late)
        uv_run(loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&guard, NULL);
    uv_run(loop, UV_RUN_NOWAIT);
    assert_false(late);
}
