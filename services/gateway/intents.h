/* What must survive a restart of the gateway: one small JSON file in the state directory, replaced durably. */
#ifndef BELFRY_GATEWAY_INTENTS_H
#define BELFRY_GATEWAY_INTENTS_H

#include "base/error.h"
#include "gateway/orchestrator.h"

#define BF_INTENTS_NAME "gateway.intents"

int bf_intents_store(int state_dirfd, const struct bf_intent *list, size_t n);
/* *ret is malloc'd; no file is an empty list. -EBADMSG with the reason in e: the file has been put aside under another
 * name, so that the gateway can start without it. */
int bf_intents_load(int state_dirfd, struct bf_intent **ret, size_t *ret_n, struct bf_error *e);

#endif
