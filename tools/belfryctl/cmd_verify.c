/* belfryctl verify: the verdict over a session's directory, with its exit status. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include <sodium.h>

#include "base/clock.h"
#include "base/file.h"
#include "belfryctl/args.h"
#include "belfryctl/audit.h"
#include "belfryctl/site.h"

/* In the order of enum ctl_verdict. */
static const int exit_statuses[] = { 0, 2, 3, 5, 4 };

static void print_finding(void *user, enum ctl_verdict v, const char *text)
{
    (void)user;
    printf("%s: %s\n", ctl_verdict_name(v), text);
}

static void print_facts(const struct ctl_audit *a)
{
    char from[25], to[25];
    printf("session %s of camera %s, written by %s\n", a->session_id, a->camera, a->ingest);
    printf("from %s to %s\n", bf_rfc3339(from, a->started_at_ms),
           a->ended ? bf_rfc3339(to, a->ended_at_ms) : "(no end)");
    printf("%" PRIu64 " of %" PRIu64 " segments hold, %" PRIu64 " bytes", a->checked, a->segments, a->bytes);
    if (a->expired > 0)
        printf("; %" PRIu64 " left the live window and were trimmed", a->expired);
    if (a->gaps > 0)
        printf("; %" PRIu64 " gaps", a->gaps);
    putchar('\n');
    if (!a->witnessed)
        puts("nobody witnessed where it ends: a cut end shows only against the event SESSION_CLOSED (--head)");
}

static int parse_head(uint8_t ret[static 32], const char *hex)
{
    size_t size;
    const char *end;
    if (sodium_hex2bin(ret, 32, hex, strlen(hex), NULL, &size, &end) == 0 && size == 32 && *end == '\0')
        return 0;
    ctl_complain("--head: expected 64 hex digits, the chain_head of the event SESSION_CLOSED");
    return -EINVAL;
}

static int verify(struct ctl_audit *a, const char *path, struct bf_error *e)
{
    _cleanup_(bf_closep) int dirfd = bf_open_dir(AT_FDCWD, path, 0, 0);
    if (dirfd < 0)
        return bf_fail(e, dirfd, "%s: %s", path, strerror(-dirfd));
    int r = ctl_audit_session(a, dirfd, e);
    return r < 0 ? bf_fail_in(e, r, path) : 0;
}

int ctl_cmd_verify(struct ctl *ctl, int argc, char **argv)
{
    const char *head_hex = NULL;
    const struct ctl_option options[] = { { "head", CTL_STRING, &head_hex, "HEX",
                                            "the last link as a witness saw it: chain_head of SESSION_CLOSED", 0, 0 } };
    const struct ctl_usage usage = {
        "verify DIR [OPTION]...",
        "Proves that a session's directory is what ingest wrote: checksums and order of the journal, the hash of every\n"
        "segment, the hash chain, ingest's signatures, the janitor's signed record. Names the segment that is not.\n\n"
        "Exit status: 0 authentic, 2 authentic with gaps, 3 truncated (or still running), 4 tampered, 5 signed by an\n"
        "unknown key, 1 no verdict, 78 site.\n",
        options,
        BF_COUNT_OF(options),
        1,
        1
    };
    int word = ctl_parse(ctl, &usage, argc, argv);
    uint8_t head[32];
    if (word < 0)
        return ctl_parse_exit(word);
    if (head_hex != NULL && parse_head(head, head_hex) < 0)
        return CTL_USAGE;

    struct bf_error e = { "out of memory" };
    _cleanup_(ctl_site_freep) struct ctl_site *site = NULL;
    if (ctl_site_open(&site, ctl->site_dir, &e) < 0) {
        ctl_complain("%s", e.text);
        return CTL_CONFIG;
    }
    struct ctl_audit audit = {
        .trust = site->trust, .now_ms = bf_unix_ms(), .head = head_hex ? head : NULL, .finding = print_finding
    };
    if (verify(&audit, argv[word], &e) < 0) {
        ctl_complain("%s", e.text);
        return CTL_FAILED;
    }
    print_facts(&audit);
    printf("verdict: %s\n", ctl_verdict_name(audit.verdict));
    return exit_statuses[audit.verdict];
}
