/* Command lines: every command declares its options in a table; parsing and --help follow from it. */
#ifndef BELFRY_CTL_ARGS_H
#define BELFRY_CTL_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What belfryctl exits with; `verify` and `status` add their own and list them in --help. */
enum ctl_exit {
    CTL_OK = 0,
    CTL_FAILED = 1,
    CTL_USAGE = 64,
    CTL_UNAVAILABLE = 69, /* no broker, or the other side is offline */
    CTL_TIMEOUT = 75,     /* it did not happen in time */
    CTL_CONFIG = 78       /* site, config or keys */
};

/* What every command gets. */
struct ctl {
    const char *site_dir; /* --site-dir, BELFRY_SITE_DIR, or "." */
};

#define CTL_LIST_MAX 64

struct ctl_list {
    const char *item[CTL_LIST_MAX]; /* borrowed from argv */
    size_t n;
};

enum ctl_option_kind {
    CTL_FLAG,    /* bool */
    CTL_STRING,  /* const char * */
    CTL_ID,      /* const char *, [a-z0-9-]{1,32} */
    CTL_LIST,    /* struct ctl_list, may be given several times */
    CTL_NUMBER,  /* uint64_t, min..max */
    CTL_DURATION /* uint64_t in ms: "500ms", "30s", "15m", "24h", "7d"; min..max in ms */
};

struct ctl_option {
    const char *name; /* without the dashes */
    enum ctl_option_kind kind;
    void *value;          /* of the kind's type; keeps its value where the option is not given */
    const char *argument; /* how --help calls it; NULL for flags */
    const char *help;
    uint64_t min, max; /* numbers and durations */
};

struct ctl_usage {
    const char *synopsis; /* "start CAMERA [OPTION]..." */
    const char *text;     /* what it does, with examples; ends with a newline */
    const struct ctl_option *options;
    size_t n_options;
    int min_words, max_words; /* words beside the options; max < 0: any number */
};

/* Parses argv[1..] (argv[0] is the command); --site-dir and --help are added by itself. Options may stand anywhere.
 * Returns the index of the first word, -ECANCELED when --help was printed, -EINVAL when the complaint was printed. */
int ctl_parse(struct ctl *ctl, const struct ctl_usage *u, int argc, char **argv);
/* The exit status for a negative result of ctl_parse. */
int ctl_parse_exit(int result);

struct ctl_command {
    const char *name;
    const char *summary;
    int (*run)(struct ctl *ctl, int argc, char **argv); /* returns the exit status */
};

/* Runs the command that argv[0] names; `prefix` is what stands before it ("belfryctl node"). */
int ctl_dispatch(struct ctl *ctl, const struct ctl_command *commands, size_t n, const char *prefix, int argc,
                 char **argv);
void ctl_print_commands(const struct ctl_command *commands, size_t n);

/* "500ms", "30s", "15m", "24h", "7d"; -EINVAL otherwise, and -ERANGE when it does not fit. */
int ctl_parse_duration(uint64_t *ret_ms, const char *text);
int ctl_parse_number(uint64_t *ret, const char *text, uint64_t min, uint64_t max);

/* "belfryctl: <text>" on stderr. */
void ctl_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Complains unless `id` may be the id of a node or camera (`what`); -EINVAL. */
int ctl_check_id(const char *what, const char *id);
/* Complains about a failure; the exit status. */
struct bf_error;
int ctl_finish(int r, const struct bf_error *e);

int ctl_cmd_init(struct ctl *ctl, int argc, char **argv);
int ctl_cmd_node(struct ctl *ctl, int argc, char **argv);
int ctl_cmd_node_list(struct ctl *ctl, int argc, char **argv);
int ctl_cmd_node_export(struct ctl *ctl, int argc, char **argv);
int ctl_cmd_node_aws_policy(struct ctl *ctl, int argc, char **argv);
int ctl_cmd_broker(struct ctl *ctl, int argc, char **argv);
int ctl_cmd_watch(struct ctl *ctl, int argc, char **argv);
int ctl_cmd_start(struct ctl *ctl, int argc, char **argv);
int ctl_cmd_stop(struct ctl *ctl, int argc, char **argv);
int ctl_cmd_status(struct ctl *ctl, int argc, char **argv);
int ctl_cmd_decode(struct ctl *ctl, int argc, char **argv);
int ctl_cmd_verify(struct ctl *ctl, int argc, char **argv);

#endif
