/* Nagle's algorithm off on this process's connections to the broker. Internal to the bus. */
#ifndef BELFRY_BUS_NODELAY_H
#define BELFRY_BUS_NODELAY_H

#include <stdint.h>

/* Paho has no such option and hides its socket, and small packets then wait up to 40 ms for the peer's delayed
 * acknowledgement. So: sets TCP_NODELAY on every socket of this process whose peer has that port; harmless for others.
 * Returns how many it found, or a negative errno when /proc/self/fd cannot be read. */
int bf_nodelay_to_port(uint16_t port);

#endif
