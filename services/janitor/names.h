/* What a name in a session's directory is: only names that the journal accounts for and those that the janitor itself
 * makes are ever deleted. Pure. */
#ifndef BELFRY_JANITOR_NAMES_H
#define BELFRY_JANITOR_NAMES_H

#include <stdbool.h>
#include <stdint.h>

#define BF_DELETED_NAME ".deleted" /* the `recording` of a recording whose deletion has begun */
#define BF_DOWNLOAD_TEMPORARY ".tmp-download.mp4"
#define BF_RECORDING_TEMPORARY ".tmp-recording"
#define BF_SNAPSHOT_NAME_SIZE 40

enum bf_name_kind {
    BF_NAME_FOREIGN,   /* not ours: stays */
    BF_NAME_MEDIA,     /* segments and init segments */
    BF_NAME_MADE,      /* playlist, download, poster, recording, snapshots */
    BF_NAME_TEMPORARY, /* left by a process that died */
    BF_NAME_JOURNAL,
    BF_NAME_DELETED
};

/* How far the journal goes. Data is written before the record that names it, so one segment and one init segment more
 * than it names may be there. */
struct bf_journal_extent {
    uint64_t next_msn;
    unsigned n_inits;
};

enum bf_name_kind bf_name_kind(const char *name, const struct bf_journal_extent *extent);
/* A temporary name of the janitor's own or of bf_replace_file. */
bool bf_name_is_temporary(const char *name);

void bf_snapshot_name(char ret[static BF_SNAPSHOT_NAME_SIZE], uint64_t unix_ms); /* "snapshot-<unix ms>.jpg" */

#endif
