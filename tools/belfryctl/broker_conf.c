#include "belfryctl/broker_conf.h"

void ctl_broker_conf_print(FILE *f, const struct ctl_broker_conf *c)
{
    fprintf(f,
            "# Made by belfryctl init. Change what you like; belfryctl writes only `acl` again.\n"
            "user %s\n\n"
            "listener %u%s%s\n"
            "cafile %s/ca.crt\n"
            "certfile %s/broker.crt\n"
            "keyfile %s/broker.key\n"
            "tls_version tlsv1.2\n"
            "require_certificate true\n"
            "# The certificate's common name is the node id, the user name of `acl` and the client id.\n"
            "use_identity_as_username true\n"
            "use_username_as_clientid true\n"
            "allow_anonymous false\n"
            "acl_file %s/acl\n\n",
            c->user, c->port, c->address ? " " : "", c->address ? c->address : "", c->dir, c->dir, c->dir, c->dir);
    fputs("# The limits of AWS IoT Core, so that what runs here runs there.\n"
          "max_qos 1\n"
          "message_size_limit 131072\n"
          "max_packet_size 139264\n"
          "max_keepalive 1200\n"
          "max_inflight_messages 100\n"
          "persistent_client_expiration 1h\n\n"
          "# Nothing needs to outlive the broker: every node publishes its state again at once when it comes back.\n"
          "persistence false\n"
          "# Control messages are small; waiting to fill a packet costs 40 ms a step.\n"
          "set_tcp_nodelay true\n\n"
          "log_dest stderr\n"
          "log_type error\n"
          "log_type warning\n"
          "log_type notice\n"
          "log_type information\n"
          "log_timestamp_format %Y-%m-%dT%H:%M:%S\n",
          f);
}
