/* belfryctl: makes sites and keys, shows and checks what their nodes say, starts and stops cameras. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/cleanup.h"
#include "belfryctl/args.h"
#include "service/tls_pair.h"

static const struct ctl_command commands[] = {
    { "init", "make a site: keys, trust bundle, certificates, broker files, belfry.yml", ctl_cmd_init },
    { "node", "add, rotate, revoke, list or export nodes", ctl_cmd_node },
    { "broker", "give the broker a new certificate", ctl_cmd_broker },
    { "watch", "print every message of the site, checked", ctl_cmd_watch },
    { "start", "start a camera's stream", ctl_cmd_start },
    { "stop", "stop a camera's stream", ctl_cmd_stop },
    { "status", "say what cameras do", ctl_cmd_status },
    { "decode", "print signed messages from a file or standard input", ctl_cmd_decode },
    { "verify", "prove that a recording is whole and unaltered", ctl_cmd_verify },
};

static void print_help(void)
{
    puts("Usage: belfryctl [--site-dir DIR] COMMAND [OPTION]...\n\nCommands:");
    ctl_print_commands(commands, BF_COUNT_OF(commands));
    puts("\nOptions:\n"
         "  --site-dir DIR   the site's directory (default: $BELFRY_SITE_DIR, or .)\n"
         "  --version        print the version\n"
         "  --help           this text; belfryctl COMMAND --help tells more\n\n"
         "Exit status: 0 done, 1 failed, 64 usage, 69 broker or node offline, 75 not in time, 78 site or keys.");
}

int main(int argc, char **argv)
{
    static const struct option longs[] = { { "site-dir", required_argument, NULL, 'd' },
                                           { "version", no_argument, NULL, 'V' },
                                           { "help", no_argument, NULL, 'h' },
                                           { NULL, 0, NULL, 0 } };
    const char *from_environment = getenv("BELFRY_SITE_DIR");
    struct ctl ctl = { .site_dir = from_environment && *from_environment ? from_environment : "." };
    bf_tls_begin();
    if (sodium_init() < 0) {
        ctl_complain("libsodium does not start: no source of random numbers");
        return CTL_FAILED;
    }

    for (int c; (c = getopt_long(argc, argv, "+hV", longs, NULL)) != -1;) {
        switch (c) {
        case 'd':
            ctl.site_dir = optarg;
            break;
        case 'V':
            puts("belfryctl " BELFRY_VERSION);
            return CTL_OK;
        case 'h':
            print_help();
            return CTL_OK;
        default:
            ctl_complain("try belfryctl --help");
            return CTL_USAGE;
        }
    }
    return ctl_dispatch(&ctl, commands, BF_COUNT_OF(commands), "belfryctl", argc - optind, argv + optind);
}
