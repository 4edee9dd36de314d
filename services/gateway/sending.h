/* Bytes to a client that takes them at its own pace, within limits. */
#ifndef BELFRY_GATEWAY_SENDING_H
#define BELFRY_GATEWAY_SENDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#define BF_PACE_BYTES_PER_S 16384 /* slower than this for longer than its patience: cut off */

/* For how long the server may still be kept waiting by a client that does not take what it asked for. Taking bytes earns
 * time, never more than the patience it began with: who stops reading is cut off after that, who trickles soon
 * after, and who reads at BF_PACE_BYTES_PER_S or faster never. */
struct bf_pace {
    uint32_t patience_ms, left_ms;
};
void bf_pace_begin(struct bf_pace *p, uint32_t patience_ms);
void bf_pace_waited(struct bf_pace *p, uint64_t ms);
void bf_pace_taken(struct bf_pace *p, size_t bytes);

/* All of the pieces, which it changes; `more` says that the rest of the answer follows at once. `fd` does not
 * block. 0; -EPIPE: the client is gone; -ETIMEDOUT: it has used up its time. */
int bf_send_pieces(int fd, struct iovec *pieces, int n, bool more, struct bf_pace *pace);
/* Bytes of a file, out of the page cache. As above; -ENODATA: the file ends before; or what reading it failed with. */
int bf_send_range(int fd, int file, uint64_t offset, uint64_t length, struct bf_pace *pace);

#endif
