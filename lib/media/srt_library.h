/* libsrt as a whole: its threads run while someone uses it, its messages go to the debug log, its errors become ours.
 * Private to lib/media. */
#ifndef BELFRY_MEDIA_SRT_LIBRARY_H
#define BELFRY_MEDIA_SRT_LIBRARY_H

#include <srt/srt.h>

#include "media/transport.h"

int bf_srt_library_start(void); /* -EIO. Each success is matched by one stop; the last stop ends libsrt's threads */
void bf_srt_library_stop(void);

/* The last failed call of this thread as negative errno; -EAGAIN where it would have blocked, or did for as long as
 * it may. */
int bf_srt_error(void);
/* The same, with "SRT <what> <host> port <port>: <why>" in e. */
int bf_srt_fail(struct bf_error *e, const struct bf_transport_options *o, const char *what);

#endif
