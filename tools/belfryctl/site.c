#include "belfryctl/site.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <sodium.h>

#include "base/file.h"
#include "belfryctl/text.h"

char *ctl_path_in(const char *dir, const char *name)
{
    return name[0] == '/' ? strdup(name) : ctl_format("%s/%s", dir, name);
}

int ctl_public_key_parse(uint8_t ret[static BF_PUBLIC_KEY_SIZE], const char *text)
{
    uint8_t key[BF_PUBLIC_KEY_SIZE];
    size_t length;
    const char *end;
    if (sodium_hex2bin(key, sizeof key, text, strlen(text), NULL, &length, &end) != 0 || length != sizeof key)
        return -EBADMSG;
    if (strcmp(end, "\n") != 0 && *end != '\0')
        return -EBADMSG;
    memcpy(ret, key, sizeof key);
    return 0;
}

static int load_config(struct ctl_site *s, struct bf_error *e)
{
    _cleanup_(bf_freep) char *path = ctl_path_in(s->dir, CTL_CONFIG_NAME);
    if (path == NULL)
        return -ENOMEM;
    if (access(path, F_OK) < 0)
        return bf_fail(e, -ENOENT,
                       "%s: no site here; make one with belfryctl init --dir %s --site NAME, or name its"
                       " directory with --site-dir",
                       path, s->dir);

    int r = bf_config_load(&s->config, path, environ, e);
    if (r < 0)
        return r;
    s->keys_dir = ctl_path_in(s->config->directory, s->config->keys.dir);
    s->state_dir = ctl_path_in(s->config->directory, s->config->storage.state);
    return s->keys_dir != NULL && s->state_dir != NULL ? 0 : -ENOMEM;
}

static int load_root_public(struct ctl_site *s, struct bf_error *e)
{
    _cleanup_(bf_freep) uint8_t *text = NULL;
    size_t size;
    int r = bf_read_file(s->keysfd, CTL_ROOT_PUBLIC_NAME, 256, &text, &size);
    if (r < 0)
        return bf_fail(e, r, "%s/%s: %s", s->keys_dir, CTL_ROOT_PUBLIC_NAME, strerror(-r));
    if (ctl_public_key_parse(s->root_public, (const char *)text) < 0)
        return bf_fail(e, -EBADMSG, "%s/%s: expected 64 hex digits", s->keys_dir, CTL_ROOT_PUBLIC_NAME);
    return 0;
}

static int load_bundle(struct ctl_site *s, struct bf_error *e)
{
    _cleanup_(bf_freep) uint8_t *envelope = NULL;
    size_t size;
    int r = bf_read_file(s->keysfd, CTL_BUNDLE_NAME, CTL_BUNDLE_MAX_BYTES, &envelope, &size);
    if (r < 0)
        return bf_fail(e, r, "%s/%s: %s", s->keys_dir, CTL_BUNDLE_NAME, strerror(-r));

    r = ctl_bundle_open(&s->bundle, envelope, size, s->root_public, e);
    if (r == 0)
        r = bf_trust_open(&s->trust, envelope, size, s->root_public, s->config->site, 0, e);
    return r < 0 ? bf_fail_in(e, r, CTL_BUNDLE_NAME) : 0;
}

static int open_site(struct ctl_site *s, const char *dir, struct bf_error *e)
{
    s->dir = realpath(dir, NULL);
    if (s->dir == NULL)
        return bf_fail(e, -errno, "%s: %s", dir, strerror(errno));
    s->dirfd = bf_open_dir(AT_FDCWD, s->dir, 0, 0);
    if (s->dirfd < 0)
        return bf_fail(e, s->dirfd, "%s: %s", s->dir, strerror(-s->dirfd));

    int r = load_config(s, e);
    if (r < 0)
        return r;
    s->keysfd = bf_open_dir(AT_FDCWD, s->keys_dir, 0, 0);
    if (s->keysfd < 0)
        return bf_fail(e, s->keysfd, "%s: %s", s->keys_dir, strerror(-s->keysfd));
    r = load_root_public(s, e);
    return r < 0 ? r : load_bundle(s, e);
}

int ctl_site_open(struct ctl_site **ret, const char *dir, struct bf_error *e)
{
    _cleanup_(ctl_site_freep) struct ctl_site *s = calloc(1, sizeof *s);
    if (s == NULL)
        return bf_fail(e, -ENOMEM, "out of memory");
    s->dirfd = s->keysfd = -1;
    int r = open_site(s, dir, e);
    if (r < 0)
        return r;
    *ret = BF_TAKE(s);
    return 0;
}

void ctl_site_free(struct ctl_site *s)
{
    if (s == NULL)
        return;
    bf_trust_free(s->trust);
    ctl_bundle_free(s->bundle);
    bf_config_free(s->config);
    bf_closep(&s->dirfd);
    bf_closep(&s->keysfd);
    free(s->keys_dir);
    free(s->state_dir);
    free(s->dir);
    free(s);
}

int ctl_site_lock(struct ctl_site *s, struct bf_error *e)
{
    if (flock(s->dirfd, LOCK_EX | LOCK_NB) == 0)
        return 0;
    return bf_fail(e, errno == EWOULDBLOCK ? -EBUSY : -errno, "%s: another belfryctl is changing this site; try again",
                   s->dir);
}
