/* The gateway service: what main.c's table names. */
#ifndef BELFRY_GATEWAY_GATEWAY_H
#define BELFRY_GATEWAY_GATEWAY_H

#include "service/service.h"

/* Of the service's table: does the configuration make it a gateway that orders nothing? Is one running that answers? */
bool bf_gateway_alone(const struct bf_config *c);
int bf_gateway_probe(const struct bf_config *c, struct bf_error *e);

int bf_gateway_start(struct bf_service *s, void **ret_state, struct bf_error *e);
void bf_gateway_drain(void *state);
void bf_gateway_free(void *state);
int bf_gateway_with_state(void *state, Belfry__V1__NodeStatus *node, int (*pack)(void *pack_user, ProtobufCMessage *m),
                          void *pack_user);
void bf_gateway_connected(void *state);
void bf_gateway_disconnected(void *state);
void bf_gateway_on_clock_gap(void *state, const struct bf_clock_gap *gap);

void bf_gateway_on_camera_state(void *state, const struct bf_incoming *m);
void bf_gateway_on_ingest_state(void *state, const struct bf_incoming *m);
void bf_gateway_on_janitor_state(void *state, const struct bf_incoming *m);
void bf_gateway_on_janitor_reply(void *state, const struct bf_incoming *m);
void bf_gateway_on_event(void *state, const struct bf_incoming *m);
void bf_gateway_on_command(void *state, const struct bf_incoming *m);

#endif
