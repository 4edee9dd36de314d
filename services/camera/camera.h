/* The camera service: moves one camera towards what the gateway desires, and reports. Loop thread only. */
#ifndef BELFRY_CAMERA_CAMERA_H
#define BELFRY_CAMERA_CAMERA_H

#include "service/service.h"

/* The functions of struct bf_service_def; `state` and `user` are what bf_camera_start made. */
int bf_camera_start(struct bf_service *s, void **ret_state, struct bf_error *e);
void bf_camera_drain(void *state);
void bf_camera_free(void *state);
int bf_camera_with_state(void *state, Belfry__V1__NodeStatus *node, int (*pack)(void *pack_user, ProtobufCMessage *m),
                         void *pack_user);
void bf_camera_on_desired(void *user, const struct bf_incoming *m);

#endif
