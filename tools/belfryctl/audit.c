#include "belfryctl/audit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include <sodium.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "bus/dsse.h"
#include "bus/verify.h"
#include "stream/chain.h"
#include "stream/journal.h"
#include "stream/layout.h"
#include "stream/session_view.h"

#define FRAME_HEAD 8
#define JOURNAL_MAX_BYTES (1u << 30)
#define RECORDING_MAX_BYTES BF_ENVELOPE_MAX
#define RECORDING_TYPE "application/vnd.belfry.recording.v1+protobuf"

struct walk {
    struct ctl_audit *a;
    int dirfd;
    struct bf_session_view view;
    uint8_t link[32]; /* of the newest segment */
    bool seen_file;   /* a segment file was there: from now on, none may be missing */
    uint64_t end_segments;
    uint8_t end_head[32];
    struct bf_error *e;
};

static void walk_done(struct walk *w)
{
    bf_session_view_done(&w->view);
}

const char *ctl_verdict_name(enum ctl_verdict v)
{
    static const char *const names[] = { "authentic", "gaps", "truncated", "unknown key", "tampered" };
    return names[v];
}

__attribute__((format(printf, 3, 4))) static void find(struct ctl_audit *a, enum ctl_verdict v, const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    a->finding(a->user, v, text);
    if (v > a->verdict)
        a->verdict = v;
}

/* -ENOENT when there is no such file; anything but a regular file is -EINVAL. */
static int hash_file(int dirfd, const char *name, uint8_t ret[static 32], uint64_t *ret_bytes)
{
    _cleanup_(bf_closep) int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat st;
    if (fd < 0)
        return -errno;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return -EINVAL;

    crypto_hash_sha256_state state;
    uint8_t buffer[65536];
    uint64_t total = 0;
    crypto_hash_sha256_init(&state);
    for (;;) {
        ssize_t n = read(fd, buffer, sizeof buffer);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        crypto_hash_sha256_update(&state, buffer, (size_t)n);
        total += (uint64_t)n;
    }
    crypto_hash_sha256_final(&state, ret);
    *ret_bytes = total;
    return 0;
}

static void check_init(struct walk *w, const Belfry__V1__Init *init)
{
    uint8_t hash[32];
    uint64_t bytes;
    int r = hash_file(w->dirfd, init->file, hash, &bytes);
    if (r < 0)
        find(w->a, CTL_TAMPERED, "%s: %s", init->file, strerror(-r));
    else if (init->sha256.len != sizeof hash || memcmp(hash, init->sha256.data, sizeof hash) != 0)
        find(w->a, CTL_TAMPERED, "%s is not the file that was written: its hash differs", init->file);
}

static void check_segment_file(struct walk *w, const Belfry__V1__SegmentEnd *s)
{
    char name[BF_NAME_SIZE];
    uint8_t hash[32];
    uint64_t bytes;
    bf_segment_name(name, s->msn);
    int r = hash_file(w->dirfd, name, hash, &bytes);
    /* Live segments leave in order, from the first. */
    if (r == -ENOENT && !w->view.record && !w->seen_file) {
        w->a->expired++;
        return;
    }
    if (r < 0) {
        find(w->a, CTL_TAMPERED, "%s: %s", name, r == -ENOENT ? "is missing" : strerror(-r));
        return;
    }

    w->seen_file = true;
    if (bytes != s->bytes)
        find(w->a, CTL_TAMPERED, "%s has %" PRIu64 " bytes; %" PRIu64 " were written", name, bytes, s->bytes);
    else if (memcmp(hash, s->sha256.data, sizeof hash) != 0)
        find(w->a, CTL_TAMPERED, "%s is not the file that was written: its hash differs", name);
    else
        w->a->checked++;
    w->a->bytes += bytes;
}

struct signature {
    const Belfry__V1__SegmentEnd *segment;
    bool known;
};

static int try_key(void *user, const struct bf_trusted_key *k)
{
    struct signature *s = user;
    if (s->segment->keyid.len != BF_KEYID_SIZE || memcmp(s->segment->keyid.data, k->keyid, BF_KEYID_SIZE) != 0)
        return 0;
    s->known = true;
    return s->segment->signature.len == BF_SIGNATURE_SIZE &&
           bf_dsse_verify_detached(s->segment->signature.data, BF_LINK_PAYLOAD_TYPE, s->segment->link.data,
                                   s->segment->link.len, k->public_key) == 0;
}

/* A key that has ended since still proves what it signed while it was valid. */
static void check_signature(struct walk *w, const Belfry__V1__SegmentEnd *s)
{
    struct signature signature = { .segment = s };
    int good = bf_trust_each(w->a->trust, w->view.ingest, BF_ROLE_INGEST, w->view.started_at_ms, try_key, &signature);
    if (good == 0 && !signature.known)
        good = bf_trust_each(w->a->trust, w->view.ingest, BF_ROLE_INGEST, w->a->now_ms, try_key, &signature);
    if (!signature.known)
        find(w->a, CTL_UNKNOWN_KEY, "segment %" PRIu64 " is signed by a key that the trust bundle does not give to %s",
             s->msn, w->view.ingest);
    else if (good == 0)
        find(w->a, CTL_TAMPERED, "segment %" PRIu64 ": the signature does not match", s->msn);
}

static void check_segment(struct walk *w, const Belfry__V1__SegmentEnd *s)
{
    uint8_t link[32];
    bf_chain_next(link, w->link, s->msn, s->decode_time_90k, s->duration_90k, s->sha256.data);
    if (memcmp(link, s->link.data, sizeof link) != 0)
        find(w->a, CTL_TAMPERED, "segment %" PRIu64 ": the hash chain is broken here", s->msn);
    /* What follows is judged from what the journal says, so that one wrong segment is one finding. */
    memcpy(w->link, s->link.data, sizeof w->link);

    check_signature(w, s);
    check_segment_file(w, s);
    w->a->segments++;
}

static void check_record(struct walk *w, const Belfry__V1__Record *record, const uint8_t *packed, size_t size)
{
    switch (record->kind_case) {
    case BELFRY__V1__RECORD__KIND_START:
        bf_chain_start(w->link, packed, size);
        break;
    case BELFRY__V1__RECORD__KIND_INIT:
        check_init(w, record->init);
        break;
    case BELFRY__V1__RECORD__KIND_SEGMENT_END:
        check_segment(w, record->segment_end);
        break;
    case BELFRY__V1__RECORD__KIND_GAP:
        w->a->gaps++;
        find(w->a, CTL_GAPS, "media is missing at segment %" PRIu64 ": %s", record->gap->msn, record->gap->reason);
        break;
    case BELFRY__V1__RECORD__KIND_END:
        w->end_segments = record->end->segments;
        if (record->end->chain_head.len == sizeof w->end_head)
            memcpy(w->end_head, record->end->chain_head.data, sizeof w->end_head);
        break;
    default:
        break;
    }
}

static int walk_journal(struct walk *w, const uint8_t *data, size_t size)
{
    size_t offset = 0;
    while (offset < size) {
        Belfry__V1__Record *record;
        long used = bf_journal_parse(data + offset, size - offset, &record);
        if (used == 0) {
            find(w->a, CTL_TRUNCATED, "the journal ends in the middle of a record, at byte %zu", offset);
            return 0;
        }
        if (used < 0) {
            find(w->a, CTL_TAMPERED, "the journal is damaged at byte %zu, in or after segment %" PRIu64, offset,
                 w->view.next_msn);
            return 0;
        }

        int r = bf_session_view_apply(&w->view, record);
        if (r == 0)
            check_record(w, record, data + offset + FRAME_HEAD, (size_t)used - FRAME_HEAD);
        belfry__v1__record__free_unpacked(record, NULL);
        if (r == -EBADMSG) {
            find(w->a, CTL_TAMPERED, "the journal's record at byte %zu does not follow from those before it", offset);
            return 0;
        }
        if (r < 0)
            return bf_fail(w->e, r, "reading the journal: %s", strerror(-r));
        offset += (size_t)used;
    }
    return 0;
}

static void check_end(struct walk *w)
{
    uint64_t signed_segments = w->a->segments, all_segments = w->a->segments + w->a->gaps;
    if (!w->view.ended) {
        find(w->a, CTL_TRUNCATED, "the journal has no end after segment %" PRIu64 ": it runs still, or its end is gone",
             w->view.next_msn);
        return;
    }
    if (w->end_segments != signed_segments && w->end_segments != all_segments)
        find(w->a, CTL_TAMPERED, "the journal's end counts %" PRIu64 " segments; there are %" PRIu64, w->end_segments,
             signed_segments);
    if (memcmp(w->end_head, w->link, sizeof w->link) != 0)
        find(w->a, CTL_TAMPERED, "the journal's end names another last link than its last segment has");
}

static void check_witness(struct walk *w)
{
    if (w->a->head == NULL)
        return;
    w->a->witnessed = true;
    if (memcmp(w->a->head, w->link, sizeof w->link) != 0)
        find(w->a, CTL_TRUNCATED, "the last link is not the one that the witness saw: segments are missing at the end");
}

static void check_recording_payload(struct walk *w, const Belfry__V1__Recording *r)
{
    if (strcmp(r->session_id, w->view.session_id) != 0 || strcmp(r->camera, w->view.camera) != 0) {
        find(w->a, CTL_TAMPERED, BF_RECORDING_NAME ": is of session %s of another recording",
             bf_ulid_valid(r->session_id) ? r->session_id : "?");
        return;
    }
    w->a->witnessed = true;
    if (r->chain_head.len == sizeof w->link && memcmp(r->chain_head.data, w->link, sizeof w->link) == 0)
        return;
    find(w->a, CTL_TRUNCATED, "the janitor saw another end: %" PRIu64 " segments; the journal has %" PRIu64,
         r->segments, w->a->segments);
}

static int open_recording(struct walk *w, const uint8_t *data, size_t size, uint8_t **ret, size_t *ret_size,
                          struct bf_error *e)
{
    int r = bf_document_open(w->a->trust, BF_ROLE_JANITOR, RECORDING_TYPE, data, size, w->a->now_ms, ret, ret_size, e);
    if (r < 0 && w->view.ended)
        r = bf_document_open(w->a->trust, BF_ROLE_JANITOR, RECORDING_TYPE, data, size, w->view.ended_at_ms, ret,
                             ret_size, e);
    return r;
}

/* Present where the janitor made the session a recording; it is what makes a cut end show. */
static void check_recording(struct walk *w)
{
    _cleanup_(bf_freep) uint8_t *data = NULL, *payload = NULL;
    size_t size, payload_size;
    struct bf_error e = { 0 };
    int r = bf_read_file(w->dirfd, BF_RECORDING_NAME, RECORDING_MAX_BYTES, &data, &size);
    if (r == -ENOENT)
        return;
    w->a->is_recording = true;
    if (r < 0 || open_recording(w, data, size, &payload, &payload_size, &e) < 0) {
        find(w->a, CTL_TAMPERED, BF_RECORDING_NAME ": %s", r < 0 ? strerror(-r) : e.text);
        return;
    }

    Belfry__V1__Recording *recording = belfry__v1__recording__unpack(NULL, payload_size, payload);
    if (recording == NULL)
        find(w->a, CTL_TAMPERED, BF_RECORDING_NAME ": signed, but does not parse");
    else
        check_recording_payload(w, recording);
    belfry__v1__recording__free_unpacked(recording, NULL);
}

/* Segments that the journal does not name betray a journal that was cut. */
static void check_surplus(struct walk *w)
{
    int fd = openat(w->dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (dir == NULL) {
        bf_closep(&fd);
        return;
    }
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        uint64_t msn;
        if (bf_segment_name_parse(entry->d_name, &msn) && msn >= w->view.next_msn)
            find(w->a, CTL_TRUNCATED, "%s is there, but the journal does not name it", entry->d_name);
    }
    closedir(dir);
}

static void copy_facts(struct walk *w)
{
    struct ctl_audit *a = w->a;
    memcpy(a->camera, w->view.camera, sizeof a->camera);
    memcpy(a->session_id, w->view.session_id, sizeof a->session_id);
    memcpy(a->ingest, w->view.ingest, sizeof a->ingest);
    a->started_at_ms = w->view.started_at_ms;
    a->ended_at_ms = w->view.ended_at_ms;
    a->ended = w->view.ended;
}

int ctl_audit_session(struct ctl_audit *a, int dirfd, struct bf_error *e)
{
    _cleanup_(walk_done) struct walk w = { .a = a, .dirfd = dirfd, .e = e };
    _cleanup_(bf_freep) uint8_t *journal = NULL;
    size_t size;
    bf_session_view_init(&w.view);
    int r = bf_read_file(dirfd, BF_JOURNAL_NAME, JOURNAL_MAX_BYTES, &journal, &size);
    if (r < 0)
        return bf_fail(e, r, BF_JOURNAL_NAME ": %s", r == -ENOENT ? "not a session's directory" : strerror(-r));
    if (size == 0)
        return bf_fail(e, -ENODATA, BF_JOURNAL_NAME ": empty, nothing was ever recorded");

    r = walk_journal(&w, journal, size);
    if (r < 0)
        return r;
    copy_facts(&w);
    if (!w.view.started)
        return 0;
    check_end(&w);
    check_witness(&w);
    check_recording(&w);
    check_surplus(&w);
    return 0;
}
