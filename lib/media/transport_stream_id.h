/* What an SRT caller says of itself in its stream id, in the form of libsrt's access-control guidelines:
 * "#!::m=publish,belfry_token=<16 hexadecimal digits>". Private to lib/media. */
#ifndef BELFRY_MEDIA_TRANSPORT_STREAM_ID_H
#define BELFRY_MEDIA_TRANSPORT_STREAM_ID_H

#include <stdint.h>

#define BF_STREAM_ID_SIZE 48

void bf_stream_id_make(char ret[static BF_STREAM_ID_SIZE], uint64_t fencing_token);
/* The token; 0 where there is none, or where the text is not of this form. NULL is fine. */
uint64_t bf_stream_id_token(const char *stream_id);

#endif
