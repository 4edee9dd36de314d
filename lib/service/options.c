#include "service/options.h"

#include <errno.h>
#include <getopt.h>
#include <stddef.h>

#include "base/id.h"

static const struct option known[] = {
    { "config", required_argument, NULL, 'c' },
    { "node", required_argument, NULL, 'n' },
    { "check", no_argument, NULL, 'k' },
    { "health", no_argument, NULL, 'e' },
    { "version", no_argument, NULL, 'V' },
    { "help", no_argument, NULL, 'h' },
    { NULL, 0, NULL, 0 },
};

static int take_option(struct bf_options *o, int option, struct bf_error *e)
{
    switch (option) {
    case 'c':
        o->config = optarg;
        return 0;
    case 'n':
        o->node = optarg;
        return bf_id_valid(optarg) ? 0 : bf_fail(e, -EINVAL, "--node: expected 1 to 32 characters of a-z, 0-9 and -");
    case 'k':
        o->mode = BF_MODE_CHECK;
        return 0;
    case 'e':
        o->mode = BF_MODE_HEALTH;
        return 0;
    case 'V':
        o->mode = BF_MODE_VERSION;
        return 0;
    case 'h':
        o->mode = BF_MODE_HELP;
        return 0;
    default:
        return -EINVAL;
    }
}

int bf_options_parse(struct bf_options *ret, int argc, char **argv, struct bf_error *e)
{
    struct bf_options o = { .mode = BF_MODE_RUN };

    optind = 0; /* start afresh: getopt keeps its place between calls */
    opterr = 0;
    for (;;) {
        int before = optind > 0 ? optind : 1;
        int option = getopt_long(argc, argv, "+:", known, NULL);
        if (option == -1)
            break;
        if (option == ':')
            return bf_fail(e, -EINVAL, "%s: expected a value after it", argv[before]);
        if (option == '?')
            return bf_fail(e, -EINVAL, "%s: unknown option", argv[before]);
        int r = take_option(&o, option, e);
        if (r < 0)
            return r;
    }
    if (optind < argc)
        return bf_fail(e, -EINVAL, "%s: expected no arguments but options", argv[optind]);

    *ret = o;
    return 0;
}

void bf_options_usage(FILE *f, const char *program, const char *summary)
{
    fprintf(f,
            "%s: %s\n\n"
            "usage: %s [--config FILE] [--node ID] [--check | --health | --version | --help]\n\n"
            "  --config FILE  configuration; default ./belfry.yml, then /etc/belfry/belfry.yml\n"
            "  --node ID      which node of the site this is; default: as configured\n"
            "  --check        check the configuration, print what would be used, exit 0 or 78\n"
            "  --health       exit 0 when the running process of this node is well, else 1\n"
            "  --version      print the version\n"
            "  --help         print this\n\n"
            "BELFRY_<SECTION>_<KEY> overrides a value of the configuration, as in BELFRY_BROKER_PORT=8884.\n"
            "SIGHUP reloads, SIGTERM and SIGINT end in order. Exit codes: 0, 1 failure, 64 usage, 78 configuration or\n"
            "keys.\n",
            program, summary, program);
}
