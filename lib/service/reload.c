/* SIGHUP: what can be taken over while running, and saying what cannot. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "service/config_table.h"
#include "service/private.h"

#define PATH_TEXT 512

BF_DEFINE_CLEANUP(struct bf_config, bf_config_free)

static void reload_trust(struct bf_service *s)
{
    struct bf_trust *trust = NULL;
    struct bf_error e = { "" };
    char quoted[PATH_TEXT];

    int r = bf_identity_read_trust(&s->identity, &trust, &e);
    if (r < 0) {
        bf_err("trust bundle not reloaded, the one before holds", "error=%s",
               bf_log_quote(quoted, sizeof quoted, e.text[0] != '\0' ? e.text : strerror(-r)));
        return;
    }

    struct bf_trust *before = s->identity.trust;
    uint64_t version_before = before == NULL ? 0 : bf_trust_version(before);
    s->identity.trust = trust;
    if (s->bus != NULL)
        bf_bus_set_trust(s->bus, trust);
    bf_info("trust bundle reloaded", "version=%" PRIu64 " before=%" PRIu64, bf_trust_version(trust), version_before);
    bf_trust_free(before);
}

/* The connection is made anew even where only the signing key has changed: the old one's last will is signed by a key
 * that will be refused. */
static void reload_keys(struct bf_service *s)
{
    bool key = false, tls = false;
    struct bf_error e = { "" };
    char quoted[PATH_TEXT];

    int r = bf_identity_check_tls(&s->identity, &e); /* half of a copy: the connection that there is stays */
    if (r == 0)
        r = bf_identity_reload_key(&s->identity, &key, &e);
    if (r == 0)
        r = bf_identity_reload_tls(&s->identity, &tls, &e);
    if (r < 0)
        bf_err("keys not reloaded, those before hold", "error=%s",
               bf_log_quote(quoted, sizeof quoted, e.text[0] != '\0' ? e.text : strerror(-r)));
    if (!key && !tls)
        return;
    bf_info("keys reloaded", "signing_key=%d tls=%d", key, tls);
    if (s->bus != NULL)
        bf_bus_renew(s->bus);
}

/* What differs between the configuration of the start and a fresh one, row by row; `cameras` by their place. */
struct comparison {
    const struct bf_service *service;
    unsigned changed;  /* for the service to take over */
    unsigned unheeded; /* what counts at a start only */
};

static void count_change(struct comparison *c, bool of_service, const char *key)
{
    if (of_service && c->service->def->reload != NULL) {
        c->changed++;
        return;
    }
    c->unheeded++;
    bf_warning("changed in the file, takes a restart", "key=%s", key);
}

static bool is_service_section(const char *name)
{
    return bf_role_parse(name) != BF_ROLE_NONE;
}

static int compare_field(void *user, const struct bf_section *section, int camera, const struct bf_field *f, void *base)
{
    struct comparison *c = user;
    const struct bf_config *now = c->service->config;
    if (camera >= 0 && (size_t)camera >= now->n_cameras)
        return 0; /* a new one: the number has changed */
    if (bf_field_equal(f, base, camera >= 0 ? (const void *)&now->cameras[camera] : now))
        return 0;

    bool own = camera >= 0 || strcmp(section->name, bf_role_name(c->service->def->role)) == 0;
    bool applied = strcmp(section->name, "log") == 0;
    char path[BF_CONFIG_PATH_SIZE];
    if (own || (!applied && !is_service_section(section->name)))
        count_change(c, own, bf_field_path(path, section, camera, f->key));
    return 0;
}

static void reload_log_level(const struct bf_service *s, const struct bf_config *fresh)
{
    enum bf_log_level level = BF_LOG_INFO;

    bf_log_level_parse(&level, fresh->log.level);
    bf_log_init(s->def->program, s->identity.node, level);
}

/* Every configuration that a service was given lives as long as the process. */
static int keep(struct bf_service *s, struct bf_config *fresh)
{
    struct bf_config **all = reallocarray(s->reloaded, s->n_reloaded + 1, sizeof(struct bf_config *));
    if (all == NULL)
        return -ENOMEM;
    s->reloaded = all;
    s->reloaded[s->n_reloaded++] = fresh;
    return 0;
}

static void reload_service(struct bf_service *s, struct bf_config *fresh)
{
    struct bf_error e = { "" };
    char quoted[PATH_TEXT];

    int r = s->def->reload(s->state, fresh, &e);
    if (r < 0)
        bf_warning("not all of the configuration could be taken over", "error=%s",
                   bf_log_quote(quoted, sizeof quoted, e.text[0] != '\0' ? e.text : strerror(-r)));
}

static void reload_config(struct bf_service *s)
{
    _cleanup_(bf_config_freep) struct bf_config *fresh = NULL;
    struct bf_error e = { "" };
    char quoted[PATH_TEXT];

    int r = bf_config_load(&fresh, s->config_path, environ, &e);
    if (r < 0) {
        bf_err("configuration not reloaded, the one before holds", "error=%s",
               bf_log_quote(quoted, sizeof quoted, e.text));
        return;
    }

    struct comparison c = { .service = s };
    reload_log_level(s, fresh);
    if (fresh->n_cameras != s->config->n_cameras)
        count_change(&c, true, "cameras");
    bf_config_each(fresh, compare_field, &c);
    if (c.changed > 0 && keep(s, fresh) == 0)
        reload_service(s, BF_TAKE(fresh));
    bf_info("configuration reloaded", "changed=%u need_restart=%u", c.changed, c.unheeded);
}

void bf_service_reload(struct bf_service *s)
{
    if (!s->alone || s->identity.trust != NULL)
        reload_trust(s);
    if (!s->alone)
        reload_keys(s);
    if (s->bus != NULL)
        bf_bus_come_back(s->bus); /* whoever stopped the twin has no new keys for it */
    reload_config(s);
    bf_service_report(s);
}

void bf_service_free_reloaded(struct bf_service *s)
{
    for (size_t i = 0; i < s->n_reloaded; i++)
        bf_config_free(s->reloaded[i]);
    free(s->reloaded);
}
