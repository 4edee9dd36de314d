/* Reading a whole session from its journal. Blocking. */
#ifndef BELFRY_JANITOR_SESSION_LOAD_H
#define BELFRY_JANITOR_SESSION_LOAD_H

#include "base/error.h"
#include "stream/session_view.h"

/* Applies every whole record to *v, which the caller has initialised and releases. A torn tail is left out. -ENOENT:
 * there is no journal; -EBADMSG: it is damaged, and *v holds what stands before that. */
int bf_session_load(int dirfd, struct bf_session_view *v, struct bf_error *e);

#endif
