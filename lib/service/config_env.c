#include "service/config_env.h"

#include <errno.h>
#include <string.h>

#define PREFIX "BELFRY_"

/* "GATEWAY_START_TIMEOUT_MS" to section "gateway" and key "start_timeout_ms"; no underscore: a key at the top. */
static int split_name(const char *name, size_t length, char section[static 64], char key[static 64])
{
    const char *bar = memchr(name, '_', length);
    size_t n_section = bar != NULL ? (size_t)(bar - name) : 0;
    const char *rest = bar != NULL ? bar + 1 : name;
    size_t n_key = length - (size_t)(rest - name);
    if (n_section >= 64 || n_key == 0 || n_key >= 64)
        return -EINVAL;

    for (size_t i = 0; i < n_section; i++)
        section[i] = (char)(name[i] >= 'A' && name[i] <= 'Z' ? name[i] | 0x20 : name[i]);
    for (size_t i = 0; i < n_key; i++)
        key[i] = (char)(rest[i] >= 'A' && rest[i] <= 'Z' ? rest[i] | 0x20 : rest[i]);
    section[n_section] = key[n_key] = '\0';
    return 0;
}

/* A service called belfry-gateway makes Kubernetes set BELFRY_GATEWAY_SERVICE_HOST, BELFRY_GATEWAY_PORT_8080_TCP and
 * the like in every pod; they are not ours. BELFRY_GATEWAY_PORT is one of them where the section has no such key, or
 * where it holds a URL. */
static bool is_service_link(const struct bf_section *s, const char *key, const char *value)
{
    if (strncmp(key, "service_", 8) == 0 || strncmp(key, "port_", 5) == 0)
        return bf_field_find(s, key) == NULL;
    return strcmp(key, "port") == 0 && strstr(value, "://") != NULL;
}

static int override(struct bf_origins *o, const struct bf_section *s, const char *key, const char *variable,
                    const char *value, struct bf_error *e)
{
    const struct bf_field *f = bf_field_find(s, key);
    char path[BF_CONFIG_PATH_SIZE], keys[320];
    bf_field_path(path, s, -1, key);

    if (f != NULL && f->type != BF_FIELD_LIST)
        return bf_origins_add(o, path, value, variable, 0);
    if (f != NULL)
        return bf_fail(e, -EINVAL, "%s: a list: expected in the file, as %s", variable, path);
    return bf_fail(e, -EINVAL, "%s: unknown key: expected one of %s in section %s", variable,
                   bf_section_keys(s, keys, sizeof keys), s->name);
}

static int take_variable(struct bf_origins *o, const char *entry, struct bf_error *e)
{
    const char *equals = strchr(entry, '=');
    if (strncmp(entry, PREFIX, sizeof PREFIX - 1) != 0 || equals == NULL)
        return 0;

    const char *name = entry + sizeof PREFIX - 1;
    char section[64], key[64], variable[sizeof PREFIX + 128];
    if (equals <= name || split_name(name, (size_t)(equals - name), section, key) < 0)
        return 0;
    snprintf(variable, sizeof variable, "%.*s", (int)(equals - entry), entry);

    if (strcmp(section, bf_config_camera_section.name) == 0)
        return bf_fail(e, -EINVAL, "%s: cameras have no variables: expected in the file, as cameras", variable);
    const struct bf_section *s = bf_section_find(section);
    if (s == NULL || (section[0] == '\0' && bf_field_find(s, key) == NULL) || is_service_link(s, key, equals + 1))
        return 0;
    return override(o, s, key, variable, equals + 1, e);
}

int bf_config_env(struct bf_origins *o, char **environ_, struct bf_error *e)
{
    for (char **entry = environ_; entry != NULL && *entry != NULL; entry++) {
        int r = take_variable(o, *entry, e);
        if (r < 0)
            return r;
    }
    return 0;
}
