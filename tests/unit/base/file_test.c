#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"

static char root[] = "/tmp/belfry-file-XXXXXX";
static int dir = -1;

static int make_root(void **state)
{
    (void)state;
    if (mkdtemp(root) == NULL)
        return -1;
    dir = bf_open_dir(AT_FDCWD, root, 0, 0);
    return dir < 0 ? -1 : 0;
}

static int remove_tree(int at, const char *name)
{
    int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (fd < 0)
        return unlinkat(at, name, 0);
    DIR *d = fdopendir(fd);
    for (struct dirent *entry; (entry = readdir(d)) != NULL;)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            remove_tree(fd, entry->d_name);
    closedir(d);
    return unlinkat(at, name, AT_REMOVEDIR);
}

static int drop_root(void **state)
{
    (void)state;
    close(dir);
    return remove_tree(AT_FDCWD, root);
}

static void put(const char *name, const char *text)
{
    assert_int_equal(bf_replace_file(dir, name, text, strlen(text), 0644), 0);
}

static void expect(const char *name, const char *text)
{
    _cleanup_(bf_freep) uint8_t *data = NULL;
    size_t size = 0;

    assert_int_equal(bf_read_file(dir, name, 4096, &data, &size), 0);
    assert_int_equal(size, strlen(text));
    assert_string_equal((const char *)data, text); /* a zero byte follows */
}

static unsigned count_entries(void)
{
    unsigned n = 0;
    int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY);
    DIR *d = fdopendir(fd);
    while (readdir(d) != NULL)
        n++;
    closedir(d);
    return n - 2;
}

static void replace_makes_and_replaces(void **state)
{
    (void)state;
    unsigned before = count_entries();
    struct stat st;

    put("a", "first");
    expect("a", "first");
    put("a", "second, longer");
    expect("a", "second, longer");
    put("a", "");
    expect("a", "");
    assert_int_equal(count_entries(), before + 1); /* no temporary file stays */

    mode_t umask_before = umask(0077);
    assert_int_equal(bf_replace_file(dir, "a", "x", 1, 0640), 0);
    umask(umask_before);
    assert_int_equal(fstatat(dir, "a", &st, 0), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
}

static void replace_works_on_paths(void **state)
{
    (void)state;
    char absolute[64];
    snprintf(absolute, sizeof absolute, "%s/b", root);

    assert_int_equal(bf_replace_file(AT_FDCWD, absolute, "x", 1, 0600), 0);
    expect("b", "x");
    close(bf_open_dir(dir, "inner", 1, 0700));
    put("inner/c", "y");
    expect("inner/c", "y");
    assert_int_equal(bf_replace_file(dir, "absent/c", "y", 1, 0600), -ENOENT);
    assert_int_equal(bf_replace_file(dir, "..", "y", 1, 0600), -EINVAL);
    assert_int_equal(bf_replace_file(dir, "inner/", "y", 1, 0600), -EINVAL);
    assert_int_equal(bf_replace_file(dir, "", "y", 1, 0600), -EINVAL);
}

static void failed_replace_leaves_the_old_one(void **state)
{
    (void)state;
    close(bf_open_dir(dir, "occupied", 1, 0700));
    put("occupied/inside", "kept");
    unsigned before = count_entries();

    assert_true(bf_replace_file(dir, "occupied", "x", 1, 0600) < 0); /* a directory is in the place */
    assert_int_equal(count_entries(), before);
    expect("occupied/inside", "kept");
}

static bool is_empty_of_temporaries(void)
{
    DIR *d = opendir(root);
    bool found = false;
    for (struct dirent *entry; (entry = readdir(d)) != NULL;)
        found |= strncmp(entry->d_name, ".tmp-", 5) == 0;
    closedir(d);
    return !found;
}

static void a_pair_is_replaced_whole_or_not_at_all(void **state)
{
    (void)state;
    static const char large[8192];
    const struct bf_replacement fresh[] = { { "key", "new", 3 }, { "cert", "new too", 7 } };
    const struct bf_replacement too_large[] = { { "key", "newer", 5 }, { "cert", large, sizeof large } };
    struct rlimit before, small;

    put("key", "old");
    put("cert", "old too");
    assert_int_equal(bf_replace_pair(dir, fresh, 0600), 0);
    expect("key", "new");
    expect("cert", "new too");

    /* A disk that is full after the first. */
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = (struct rlimit){ 4096, before.rlim_max };
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    int r = bf_replace_pair(dir, too_large, 0600);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(r, -EFBIG);
    expect("key", "new");
    expect("cert", "new too");
    assert_true(is_empty_of_temporaries());
}

static void who_owned_a_pair_goes_on_owning_it(void **state)
{
    (void)state;
    const struct bf_replacement pair[] = { { "key", "new", 3 }, { "cert", "new too", 7 } };
    struct stat st;

    if (geteuid() != 0)
        skip(); /* nobody else may give files away */
    put("key", "old");
    put("cert", "old too");
    assert_int_equal(fchownat(dir, "key", 1883, 1884, 0), 0);
    assert_int_equal(bf_replace_pair(dir, pair, 0600), 0);
    assert_int_equal(fstatat(dir, "key", &st, 0), 0);
    assert_int_equal(st.st_uid, 1883);
    assert_int_equal(st.st_gid, 1884);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(fstatat(dir, "cert", &st, 0), 0);
    assert_int_equal(st.st_uid, 0);
}

static void read_refuses_what_is_no_small_regular_file(void **state)
{
    (void)state;
    uint8_t *data = NULL;
    size_t size = 77;
    put("long", "12345");

    assert_int_equal(bf_read_file(dir, "absent", 10, &data, &size), -ENOENT);
    assert_int_equal(bf_read_file(dir, "long", 4, &data, &size), -EFBIG);
    assert_int_equal(bf_read_file(dir, ".", 10, &data, &size), -EISDIR);
    assert_int_equal(symlinkat("long", dir, "link"), 0);
    assert_int_equal(bf_read_file(dir, "link", 10, &data, &size), -ELOOP);
    assert_int_equal(mkfifoat(dir, "fifo", 0600), 0);
    assert_int_equal(bf_read_file(dir, "fifo", 10, &data, &size), -EINVAL);
    assert_null(data);
    assert_int_equal(size, 77); /* outputs stay as they are */

    assert_int_equal(bf_read_file(dir, "long", 5, &data, &size), 0);
    free(data);
}

static void pread_says_when_the_file_is_shorter(void **state)
{
    (void)state;
    char buf[6] = "";
    put("digits", "0123456789");
    _cleanup_(bf_closep) int fd = openat(dir, "digits", O_RDONLY);

    assert_int_equal(bf_pread_all(fd, buf, 5, 3), 0);
    assert_string_equal(buf, "34567");
    assert_int_equal(bf_pread_all(fd, buf, 5, 6), -ENODATA);
    assert_int_equal(bf_pread_all(-1, buf, 5, 0), -EBADF);
    assert_int_equal(bf_write_all(fd, "x", 1), -EBADF);
}

static void open_dir_makes_parents(void **state)
{
    (void)state;
    struct stat st;
    _cleanup_(bf_closep) int fd = bf_open_dir(dir, "p/q//r/", 1, 0700);

    assert_true(fd >= 0);
    assert_int_equal(fstatat(dir, "p/q/r", &st, 0), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);

    put("plain", "x");
    assert_int_equal(bf_open_dir(dir, "plain", 0, 0), -ENOTDIR);
    assert_int_equal(bf_open_dir(dir, "plain/inner", 1, 0700), -ENOTDIR);
    assert_int_equal(bf_open_dir(dir, "absent", 0, 0), -ENOENT);
    assert_int_equal(bf_open_dir(dir, "", 1, 0700), -ENOENT);
    assert_int_equal(symlinkat("p", dir, "p-link"), 0);
    assert_int_equal(bf_open_dir(dir, "p-link", 0, 0), -ENOTDIR);
}

static void free_bytes_are_told(void **state)
{
    (void)state;
    uint64_t bytes = 0;

    assert_int_equal(bf_free_bytes(dir, &bytes), 0);
    assert_true(bytes > 0);
    assert_int_equal(bf_free_bytes(-1, &bytes), -EBADF);
}

static void counter_goes_up_by_one(void **state)
{
    (void)state;
    uint64_t value = 99;

    assert_int_equal(bf_counter_read(dir, "starts", &value), 0);
    assert_int_equal(value, 0);
    for (uint64_t expected = 1; expected <= 12; expected++) {
        assert_int_equal(bf_counter_next(dir, "starts", &value), 0);
        assert_int_equal(value, expected);
    }
    expect("starts", "12\n");
    assert_int_equal(bf_counter_store(dir, "starts", UINT64_MAX), 0);
    assert_int_equal(bf_counter_read(dir, "starts", &value), 0);
    assert_true(value == UINT64_MAX);
    assert_int_equal(bf_counter_next(dir, "starts", &value), -EBADMSG);
}

static void counter_is_never_guessed(void **state)
{
    (void)state;
    static const char *const bad[] = { "",
                                       "\n",
                                       " 1",
                                       "1 ",
                                       "-1",
                                       "+1",
                                       "1\n\n",
                                       "0x10",
                                       "one",
                                       "1.0",
                                       "18446744073709551616",
                                       "99999999999999999999999999999999999999" };

    for (size_t i = 0; i < BF_COUNT_OF(bad); i++) {
        uint64_t value = 5;
        put("counter", bad[i]);
        assert_int_equal(bf_counter_next(dir, "counter", &value), -EBADMSG);
        assert_int_equal(value, 5);
        expect("counter", bad[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replace_makes_and_replaces),
        cmocka_unit_test(replace_works_on_paths),
        cmocka_unit_test(failed_replace_leaves_the_old_one),
        cmocka_unit_test(a_pair_is_replaced_whole_or_not_at_all),
        cmocka_unit_test(who_owned_a_pair_goes_on_owning_it),
        cmocka_unit_test(read_refuses_what_is_no_small_regular_file),
        cmocka_unit_test(pread_says_when_the_file_is_shorter),
        cmocka_unit_test(open_dir_makes_parents),
        cmocka_unit_test(free_bytes_are_told),
        cmocka_unit_test(counter_goes_up_by_one),
        cmocka_unit_test(counter_is_never_guessed),
    };
    return cmocka_run_group_tests(tests, make_root, drop_root);
}
