/* mosquitto.conf: mutual TLS, one user per certificate, and the limits of AWS IoT Core, so that what runs here runs
 * there. Pure. */
#ifndef BELFRY_CTL_BROKER_CONF_H
#define BELFRY_CTL_BROKER_CONF_H

#include <stdint.h>
#include <stdio.h>

struct ctl_broker_conf {
    const char *dir;     /* absolute path of the directory with ca.crt, broker.crt, broker.key and acl */
    const char *address; /* to listen on; NULL: every address */
    uint16_t port;
    const char *user; /* account that owns the files; mosquitto changes to it when started by root */
};

void ctl_broker_conf_print(FILE *f, const struct ctl_broker_conf *c);

#endif
