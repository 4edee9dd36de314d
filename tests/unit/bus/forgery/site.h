/* A site as it is after some years: several nodes of a role, a node of two roles, and of every node a current key, the
 * one before it in its overlap, and keys that have ended, not begun or been revoked. Site "barn" has the same nodes and
 * keys, as where one person runs two sites and was lazy. Fixed seeds; time is FX_NOW. */
#ifndef BELFRY_TESTS_FORGERY_SITE_H
#define BELFRY_TESTS_FORGERY_SITE_H

#include <stdbool.h>
#include <stdint.h>

#include "bus/message.h"
#include "bus/trust.h"

#define SITE_HOME "home"
#define SITE_BARN "barn"

enum site_node {
    SITE_CAM_1,
    SITE_CAM_2,
    SITE_INGEST,
    SITE_GATEWAY_1,
    SITE_GATEWAY_2,
    SITE_JANITOR,
    SITE_OPERATOR,
    SITE_EDGE, /* ingest and janitor at once */
    SITE_NODES
};

enum site_key { KEY_CURRENT, KEY_PREVIOUS, KEY_ENDED, KEY_NOT_BEGUN, KEY_REVOKED, KEY_UNLISTED, SITE_KEYS };

const char *site_node_name(enum site_node node);
uint32_t site_node_roles(enum site_node node); /* bit (1 << enum bf_role) */
const char *site_key_word(enum site_key key);
bool site_key_counts(enum site_key key); /* may a receiver rely on it at FX_NOW, and for a day around it? */

const uint8_t *site_public(enum site_node node, enum site_key key);
const uint8_t *site_secret(enum site_node node, enum site_key key);
/* 16 bytes; `starts` is how often the node has started: its present start, or an earlier one. */
void site_boot_id(uint8_t ret[static 16], enum site_node node, unsigned starts);

/* The bundle of `site`; `lax`: with revoked keys and such as have ended taken for good ones. */
struct bf_trust *site_trust(const char *site, bool lax);

#endif
