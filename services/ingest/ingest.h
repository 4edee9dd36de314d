/* The ingest service: keeps the sessions that the gateway desires, and says how they are. */
#ifndef BELFRY_INGEST_INGEST_H
#define BELFRY_INGEST_INGEST_H

#include "service/service.h"

/* A state message with all of them, endpoints and sealed keys included, must fit an envelope. */
#define BF_INGEST_SESSIONS 48

struct bf_ingest;

int bf_ingest_start(struct bf_service *service, void **ret, struct bf_error *e);
void bf_ingest_drain(void *state);
void bf_ingest_free(void *state);
int bf_ingest_with_state(void *state, Belfry__V1__NodeStatus *node, int (*pack)(void *pack_user, ProtobufCMessage *m),
                         void *pack_user);
void bf_ingest_connected(void *state);
void bf_ingest_on_desired(void *state, const struct bf_incoming *m);

#endif
