#include "service/config.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "service/config_check.h"
#include "service/config_env.h"
#include "service/config_schema.h"

#define MAX_FILE_BYTES (256U * 1024U)

BF_DEFINE_CLEANUP(struct bf_config, bf_config_free)

struct load {
    struct bf_config *config;
    struct bf_origins origins;
    struct bf_error *e;
};

static int release_field(void *user, const struct bf_section *s, int camera, const struct bf_field *f, void *base)
{
    (void)user;
    (void)s;
    (void)camera;
    bf_field_release(f, base);
    return 0;
}

void bf_config_free(struct bf_config *c)
{
    if (c == NULL)
        return;
    bf_config_each(c, release_field, NULL);
    free(c->cameras);
    free(c->directory);
    free(c);
}

const struct bf_camera_config *bf_config_camera(const struct bf_config *c, const char *id)
{
    for (size_t i = 0; id != NULL && i < c->n_cameras; i++)
        if (c->cameras[i].id != NULL && strcmp(c->cameras[i].id, id) == 0)
            return &c->cameras[i];
    return NULL;
}

static int settle_list(struct load *l, const char *path, const struct bf_field *f, const void *base)
{
    size_t n;
    char **entries = bf_field_list(f, base, &n);
    if (n > BF_CONFIG_MAX_LIST)
        return bf_config_refuse(&l->origins, l->e, path, "expected at most %d entries, not %zu", BF_CONFIG_MAX_LIST, n);

    for (size_t i = 0; i < n; i++) {
        char entry_path[BF_CONFIG_PATH_SIZE + 24];
        snprintf(entry_path, sizeof entry_path, "%s[%zu]", path, i);
        if (!bf_field_takes(f, entries[i]))
            return bf_config_refuse(&l->origins, l->e, entry_path, "expected %s", f->accepted);
    }
    return 0;
}

/* What was given, else the default, goes through the table's own parser: libcyaml takes "5k" for 5. */
static int settle_field(void *user, const struct bf_section *s, int camera, const struct bf_field *f, void *base)
{
    struct load *l = user;
    char path[BF_CONFIG_PATH_SIZE], accepted[160];
    bf_field_path(path, s, camera, f->key);
    if (f->type == BF_FIELD_LIST)
        return settle_list(l, path, f, base);

    const struct bf_origin *given = bf_origin_of(&l->origins, path);
    const char *text = given != NULL ? given->value : f->initial;
    if (text == NULL)
        return 0;

    int r = bf_field_set(f, base, text);
    if (r == -EINVAL)
        return bf_config_refuse(&l->origins, l->e, path, "expected %s",
                                bf_field_accepted(f, accepted, sizeof accepted));
    return r;
}

/* Makes *path absolute, and where it exists already resolves symbolic links: the services open their directories
 * without following any. */
static int resolve_path(const char *directory, char **path)
{
    if (*path == NULL)
        return 0;

    char joined[PATH_MAX];
    int n = snprintf(joined, sizeof joined, "%s%s%s", **path == '/' ? "" : directory, **path == '/' ? "" : "/", *path);
    if (n < 0 || (size_t)n >= sizeof joined)
        return -ENAMETOOLONG;

    char *resolved = realpath(joined, NULL);
    if (resolved == NULL)
        resolved = strdup(joined);
    if (resolved == NULL)
        return -ENOMEM;
    free(*path);
    *path = resolved;
    return 0;
}

static int resolve_paths(struct bf_config *c)
{
    char **paths[] = { &c->keys.dir, &c->storage.media, &c->storage.state, &c->gateway.web };
    int r = 0;

    for (size_t i = 0; i < BF_COUNT_OF(paths) && r == 0; i++)
        r = resolve_path(c->directory, paths[i]);
    for (size_t i = 0; i < c->n_cameras && r == 0; i++)
        r = resolve_path(c->directory, &c->cameras[i].file);
    return r;
}

static int find_directory(char **ret, const char *path)
{
    const char *slash = strrchr(path, '/');
    char parent[PATH_MAX] = ".";
    if (slash != NULL)
        snprintf(parent, sizeof parent, "%.*s", slash == path ? 1 : (int)(slash - path), path);

    *ret = realpath(parent, NULL);
    return *ret != NULL ? 0 : -errno;
}

/* Unlike the files of lib/base, this one may be a symbolic link or a pipe: it is the administrator's own. */
static int read_text(const char *path, char **ret, size_t *ret_size, struct bf_error *e)
{
    _cleanup_(bf_fclosep) FILE *f = fopen(path, "re");
    _cleanup_(bf_freep) char *text = malloc(MAX_FILE_BYTES + 1);
    if (text == NULL)
        return -ENOMEM;
    if (f == NULL)
        return bf_fail(e, -errno, "%s: cannot be opened: %s", path, strerror(errno));

    errno = 0;
    size_t size = fread(text, 1, MAX_FILE_BYTES + 1, f);
    if (ferror(f))
        return bf_fail(e, errno != 0 ? -errno : -EIO, "%s: cannot be read: %s", path, strerror(errno));
    if (size > MAX_FILE_BYTES)
        return bf_fail(e, -EFBIG, "%s: longer than %u bytes: expected a belfry.yml", path, MAX_FILE_BYTES);

    *ret = BF_TAKE(text);
    *ret_size = size;
    return 0;
}

static int load_into(struct load *l, const char *path, char **environ_)
{
    _cleanup_(bf_freep) char *text = NULL;
    size_t size = 0;

    int r = read_text(path, &text, &size, l->e);
    if (r == 0)
        r = bf_origins_scan(&l->origins, text, size, l->e);
    if (r == 0)
        r = bf_config_parse(&l->config, text, size, &l->origins, l->e);
    if (r == 0)
        r = bf_config_env(&l->origins, environ_, l->e);
    if (r == 0)
        r = bf_config_each(l->config, settle_field, l);
    if (r == 0)
        r = bf_config_complete(l->config, &l->origins);
    if (r == 0)
        r = bf_config_validate(l->config, &l->origins, l->e);
    if (r == 0)
        r = find_directory(&l->config->directory, path);
    if (r == 0)
        r = resolve_paths(l->config);
    return r;
}

int bf_config_load(struct bf_config **ret, const char *path, char **environ_, struct bf_error *e)
{
    struct bf_error reason = { "" };
    struct load l = { .origins = { .file = path }, .e = &reason };

    int r = load_into(&l, path, environ_);
    bf_origins_done(&l.origins);
    _cleanup_(bf_config_freep) struct bf_config *config = l.config;
    bf_text_clean(reason.text, strlen(reason.text)); /* it quotes the file */
    if (r < 0 && reason.text[0] == '\0')
        return bf_fail(e, r, "%s: %s", path, strerror(-r));
    if (r < 0)
        return bf_fail(e, r, "%s", reason.text);

    *ret = BF_TAKE(config);
    return 0;
}
