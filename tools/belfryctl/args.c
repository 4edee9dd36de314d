#include "belfryctl/args.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/id.h"

#define OPTIONS_MAX 24

void ctl_complain(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("belfryctl: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
}

int ctl_check_id(const char *what, const char *id)
{
    if (bf_id_valid(id))
        return 0;
    ctl_complain("%s id: expected 1 to %d of the characters a-z 0-9 -", what, BF_ID_MAX);
    return -EINVAL;
}

int ctl_finish(int r, const struct bf_error *e)
{
    if (r < 0)
        ctl_complain("%s", e->text);
    return r >= 0 ? CTL_OK : CTL_FAILED;
}

int ctl_parse_number(uint64_t *ret, const char *text, uint64_t min, uint64_t max)
{
    if (text[0] < '0' || text[0] > '9')
        return -EINVAL;

    char *end;
    errno = 0;
    uint64_t value = strtoull(text, &end, 10);
    if (*end != '\0')
        return -EINVAL;
    if (errno == ERANGE || value < min || value > max)
        return -ERANGE;

    *ret = value;
    return 0;
}

int ctl_parse_duration(uint64_t *ret_ms, const char *text)
{
    static const struct {
        const char *unit;
        uint64_t ms;
    } units[] = { { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 }, { "d", 86400000 } };
    size_t digits = strspn(text, "0123456789");
    char number[20];
    if (digits == 0 || digits >= sizeof number)
        return -EINVAL;
    memcpy(number, text, digits);
    number[digits] = '\0';

    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(text + digits, units[i].unit) != 0)
            continue;
        uint64_t value;
        int r = ctl_parse_number(&value, number, 0, UINT64_MAX / units[i].ms);
        if (r == 0)
            *ret_ms = value * units[i].ms;
        return r;
    }
    return -EINVAL;
}

static int refuse(const struct ctl_option *o, const char *text, const char *expected)
{
    ctl_complain("--%s %s: expected %s", o->name, text, expected);
    return -EINVAL;
}

static int set_duration(const struct ctl_option *o, const char *text)
{
    uint64_t ms;
    if (ctl_parse_duration(&ms, text) < 0)
        return refuse(o, text, "a time with its unit, as in 500ms, 30s, 15m, 24h or 7d");
    if (ms < o->min || ms > o->max)
        return refuse(o, text, "a time within its limits (see --help)");
    *(uint64_t *)o->value = ms;
    return 0;
}

static int set_number(const struct ctl_option *o, const char *text)
{
    if (ctl_parse_number(o->value, text, o->min, o->max) == 0)
        return 0;
    char expected[80];
    snprintf(expected, sizeof expected, "a number from %" PRIu64 " to %" PRIu64, o->min, o->max);
    return refuse(o, text, expected);
}

static int set_option(const struct ctl_option *o, const char *text)
{
    struct ctl_list *list = o->value;
    switch (o->kind) {
    case CTL_FLAG:
        *(bool *)o->value = true;
        return 0;
    case CTL_ID:
        if (!bf_id_valid(text))
            return refuse(o, text, "1 to 32 of the characters a-z 0-9 -");
        *(const char **)o->value = text;
        return 0;
    case CTL_STRING:
        *(const char **)o->value = text;
        return 0;
    case CTL_LIST:
        if (list->n == CTL_LIST_MAX)
            return refuse(o, text, "it at most 64 times");
        list->item[list->n++] = text;
        return 0;
    case CTL_NUMBER:
        return set_number(o, text);
    case CTL_DURATION:
        return set_duration(o, text);
    }
    return -EINVAL;
}

static void print_option(const char *name, const char *argument, const char *help)
{
    char left[64];
    snprintf(left, sizeof left, "--%s%s%s", name, argument ? " " : "", argument ? argument : "");
    printf("  %-26s %s\n", left, help);
}

static void print_help(const struct ctl_usage *u)
{
    printf("Usage: belfryctl %s\n\n%s\nOptions:\n", u->synopsis, u->text);
    for (size_t i = 0; i < u->n_options; i++)
        print_option(u->options[i].name, u->options[i].argument, u->options[i].help);
    print_option("site-dir", "DIR", "the site's directory (default: $BELFRY_SITE_DIR, or .)");
    print_option("help", NULL, "this text");
}

static int check_words(const struct ctl_usage *u, int words)
{
    if (words >= u->min_words && (u->max_words < 0 || words <= u->max_words))
        return 0;
    ctl_complain("%s; usage: belfryctl %s", words < u->min_words ? "something is missing" : "too many words",
                 u->synopsis);
    return -EINVAL;
}

static size_t fill_long_options(struct option *longs, const struct ctl_usage *u)
{
    size_t n = 0;
    for (; n < u->n_options && n < OPTIONS_MAX; n++)
        longs[n] = (struct option){ u->options[n].name, u->options[n].argument ? required_argument : no_argument, NULL,
                                    (int)n + 1 };
    longs[n++] = (struct option){ "site-dir", required_argument, NULL, 'd' };
    longs[n++] = (struct option){ "help", no_argument, NULL, 'h' };
    longs[n] = (struct option){ NULL, 0, NULL, 0 };
    return n;
}

int ctl_parse(struct ctl *ctl, const struct ctl_usage *u, int argc, char **argv)
{
    struct option longs[OPTIONS_MAX + 3];
    fill_long_options(longs, u);

    optind = 0; /* starts getopt afresh: the main program has used it before */
    for (int c; (c = getopt_long(argc, argv, "h", longs, NULL)) != -1;) {
        if (c == 'h') {
            print_help(u);
            return -ECANCELED;
        }
        if (c == 'd') {
            ctl->site_dir = optarg;
        } else if (c == '?' || c < 1 || c > (int)u->n_options) {
            ctl_complain("try belfryctl %s --help", argv[0]);
            return -EINVAL;
        } else if (set_option(&u->options[c - 1], optarg) < 0) {
            return -EINVAL;
        }
    }
    int r = check_words(u, argc - optind);
    return r < 0 ? r : optind;
}

int ctl_parse_exit(int result)
{
    return result == -ECANCELED ? CTL_OK : CTL_USAGE;
}

void ctl_print_commands(const struct ctl_command *commands, size_t n)
{
    for (size_t i = 0; i < n; i++)
        printf("  %-10s %s\n", commands[i].name, commands[i].summary);
}

int ctl_dispatch(struct ctl *ctl, const struct ctl_command *commands, size_t n, const char *prefix, int argc,
                 char **argv)
{
    for (size_t i = 0; argc > 0 && i < n; i++)
        if (strcmp(argv[0], commands[i].name) == 0)
            return commands[i].run(ctl, argc, argv);

    if (argc == 0)
        ctl_complain("a command is missing; %s --help lists them", prefix);
    else
        ctl_complain("%s: no such command; %s --help lists them", argv[0], prefix);
    return CTL_USAGE;
}
