/* A site made of fixed seeds and times, and one valid message of every type: what tests, golden files and fuzz targets
 * of the bus start from. */
#ifndef BELFRY_TESTS_BUS_FIXTURE_H
#define BELFRY_TESTS_BUS_FIXTURE_H

#include "bus/dsse.h"
#include "bus/keys.h"
#include "bus/message.h"
#include "bus/topic.h"
#include "bus/trust.h"

#include "header.pb-c.h"
#include "trust.pb-c.h"

#define FX_SITE "home"
#define FX_NOW UINT64_C(1767225600000) /* 2026-01-01T00:00:00Z */
#define FX_ULID "01KDVDNY00ABCDEFGHJKMNPQRS"

enum fx_node { FX_CAMERA, FX_CAMERA_2, FX_INGEST, FX_GATEWAY, FX_JANITOR, FX_OPERATOR, FX_STRANGER, FX_NODES };

extern const char *const fx_names[FX_NODES]; /* "cam-1" … */
extern const enum bf_role fx_roles[FX_NODES];

/* Keys from fixed seeds. */
const uint8_t *fx_secret(enum fx_node node);
const uint8_t *fx_public(enum fx_node node);
const uint8_t *fx_root_secret(void);
const uint8_t *fx_root_public(void);
struct bf_key *fx_key(enum fx_node node); /* free with bf_key_free */
extern const uint8_t fx_boot_id[16];      /* of the node under test */

/* The bundle of every node but the stranger: version 3, valid for a year around FX_NOW. Static; may be changed before
 * it is sealed, fresh with every call. */
Belfry__V1__TrustBundle *fx_bundle(void);
/* malloc'd. */
uint8_t *fx_seal_bundle(const Belfry__V1__TrustBundle *bundle, size_t *ret_size);
struct bf_trust *fx_trust(void);

/* A valid message of the type, with its header as its rightful sender would fill it. Static, fresh with every call for
 * that type; its strings are constants. */
ProtobufCMessage *fx_message(enum bf_message_type type);
Belfry__V1__Header *fx_header(ProtobufCMessage *m);
enum fx_node fx_sender(enum bf_message_type type);
const char *fx_topic(enum bf_message_type type);

/* Packs and signs as `signer`; malloc'd. */
uint8_t *fx_seal(enum bf_message_type type, const ProtobufCMessage *m, enum fx_node signer, size_t *ret_size);
/* The same under any payload type. */
uint8_t *fx_seal_as(const char *payload_type, const ProtobufCMessage *m, enum fx_node signer, size_t *ret_size);

#endif
