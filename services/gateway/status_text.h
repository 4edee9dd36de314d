/* Reason phrases of the statuses that the gateway sends (RFC 9110 section 15). */
#ifndef BELFRY_GATEWAY_STATUS_TEXT_H
#define BELFRY_GATEWAY_STATUS_TEXT_H

const char *bf_status_text(int status);

#endif
