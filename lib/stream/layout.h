/* Names in the stream directory: <media>/<camera>/<session>/{journal, init*.mp4, seg-<msn>.m4s, …}. Formatting and
 * strict parsing; nothing here touches a file. */
#ifndef BELFRY_STREAM_LAYOUT_H
#define BELFRY_STREAM_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>

#define BF_NAME_SIZE 40
#define BF_JOURNAL_NAME "journal"
#define BF_VOD_PLAYLIST_NAME "vod.m3u8"
#define BF_DOWNLOAD_NAME "download.mp4"
#define BF_POSTER_NAME "poster.jpg"
#define BF_RECORDING_NAME "recording"

void bf_segment_name(char ret[static BF_NAME_SIZE], uint64_t msn); /* "seg-0.m4s" */
void bf_init_name(char ret[static BF_NAME_SIZE], unsigned index);  /* "init.mp4", "init-1.mp4" */
bool bf_segment_name_parse(const char *name, uint64_t *ret_msn);   /* no sign, no leading zero, fits 64 bits */
bool bf_part_name_parse(const char *name, uint64_t *ret_counter);  /* "part-<n>.m4s", a URL, never a file */
bool bf_init_name_parse(const char *name, unsigned *ret_index);

#endif
