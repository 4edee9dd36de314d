/* Deleting a session's directory for good, and marking a recording for it. Blocking; what a crash leaves behind is
 * finished by the next run. */
#ifndef BELFRY_JANITOR_PURGE_H
#define BELFRY_JANITOR_PURGE_H

#include "janitor/file_ops.h"

/* Deletes what the journal names and what the janitor made, the journal after that, the directory last. A file that is
 * neither stays, with the journal: -ENOTEMPTY, and e names it. A directory that is gone already is no error. */
int bf_purge_session(const struct bf_file_ops *ops, int camera_dirfd, const char *session_id, struct bf_error *e);

/* From here on the session is no recording but remains to be purged: atomic, and it survives a crash. */
int bf_purge_mark(const struct bf_file_ops *ops, int dirfd);

/* Removes what a dead process left under temporary names. */
int bf_purge_temporaries(const struct bf_file_ops *ops, int dirfd);

#endif
