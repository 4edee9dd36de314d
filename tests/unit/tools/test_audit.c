/* A recording as ingest and janitor make it, and every way of tampering with it. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <sodium.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "belfryctl/audit.h"
#include "belfryctl/bundle.h"
#include "scratch.h"
#include "stream/chain.h"
#include "stream/journal.h"
#include "stream/layout.h"

#define SESSION "01JD8V5T7MZX3K9QW4R2N6P0AB"
#define STARTED_MS 1700000000000ull
#define SEGMENTS 4
#define SEGMENT_BYTES 100

struct world {
    struct scratch scratch;
    int dirfd;
    struct bf_key *root, *ingest, *janitor, *stranger;
    struct bf_trust *trust;
    uint8_t link[32];
    char findings[2048];
};

static void append(struct bf_journal_writer *j, Belfry__V1__Record *record)
{
    assert_int_equal(bf_journal_append(j, record), 0);
}

static void write_start(struct world *w, struct bf_journal_writer *j, bool record)
{
    uint8_t packed[512];
    Belfry__V1__SessionStart start = BELFRY__V1__SESSION_START__INIT;
    start.site = (char *)"home";
    start.camera = (char *)"front";
    start.session_id = (char *)SESSION;
    start.ingest = (char *)"ingest-1";
    start.started_at_ms = STARTED_MS;
    start.record = record;
    start.part_target_us = 1000000;
    start.target_duration_s = 1;
    start.profile = BELFRY__V1__PROFILE__PROFILE_BALANCED;
    start.segment_us = 1000000;
    start.window_ms = 3000;
    Belfry__V1__Record r = BELFRY__V1__RECORD__INIT;
    r.kind_case = BELFRY__V1__RECORD__KIND_START;
    r.start = &start;
    append(j, &r);
    bf_chain_start(w->link, packed, belfry__v1__record__pack(&r, packed));
}

static void write_init(struct world *w, struct bf_journal_writer *j)
{
    static const char text[] = "made-up init segment";
    uint8_t hash[32];
    assert_int_equal(bf_replace_file(w->dirfd, "init.mp4", text, sizeof text - 1, 0644), 0);
    crypto_hash_sha256(hash, (const uint8_t *)text, sizeof text - 1);
    Belfry__V1__Init init = BELFRY__V1__INIT__INIT;
    init.file = (char *)"init.mp4";
    init.codecs = (char *)"avc1.42c01f";
    init.sha256 = (ProtobufCBinaryData){ sizeof hash, hash };
    Belfry__V1__Record r = BELFRY__V1__RECORD__INIT;
    r.kind_case = BELFRY__V1__RECORD__KIND_INIT;
    r.init = &init;
    append(j, &r);
}

static void write_part(struct world *w, struct bf_journal_writer *j, uint64_t msn)
{
    uint8_t bytes[SEGMENT_BYTES];
    char name[BF_NAME_SIZE];
    memset(bytes, (int)('a' + msn), sizeof bytes);
    bf_segment_name(name, msn);
    assert_int_equal(bf_replace_file(w->dirfd, name, bytes, sizeof bytes, 0644), 0);
    Belfry__V1__Part part = BELFRY__V1__PART__INIT;
    part.counter = part.msn = msn;
    part.length = sizeof bytes;
    part.duration_90k = 90000;
    part.decode_time_90k = msn * 90000;
    part.frames = 30;
    part.independent = true;
    Belfry__V1__Record r = BELFRY__V1__RECORD__INIT;
    r.kind_case = BELFRY__V1__RECORD__KIND_PART;
    r.part = &part;
    append(j, &r);
}

static void write_segment(struct world *w, struct bf_journal_writer *j, uint64_t msn, const struct bf_key *key)
{
    uint8_t bytes[SEGMENT_BYTES], hash[32], signature[64], keyid[16];
    write_part(w, j, msn);
    memset(bytes, (int)('a' + msn), sizeof bytes);
    crypto_hash_sha256(hash, bytes, sizeof bytes);
    bf_chain_next(w->link, w->link, msn, msn * 90000, 90000, hash);
    bf_dsse_sign_detached(signature, BF_LINK_PAYLOAD_TYPE, w->link, sizeof w->link, bf_key_secret(key));
    bf_keyid(keyid, bf_key_public(key));

    Belfry__V1__SegmentEnd end = BELFRY__V1__SEGMENT_END__INIT;
    end.msn = msn;
    end.bytes = sizeof bytes;
    end.duration_90k = 90000;
    end.decode_time_90k = msn * 90000;
    end.sha256 = (ProtobufCBinaryData){ sizeof hash, hash };
    end.link = (ProtobufCBinaryData){ sizeof w->link, w->link };
    end.signature = (ProtobufCBinaryData){ sizeof signature, signature };
    end.keyid = (ProtobufCBinaryData){ sizeof keyid, keyid };
    Belfry__V1__Record r = BELFRY__V1__RECORD__INIT;
    r.kind_case = BELFRY__V1__RECORD__KIND_SEGMENT_END;
    r.segment_end = &end;
    append(j, &r);
}

static void write_gap(struct bf_journal_writer *j, uint64_t msn)
{
    Belfry__V1__Gap gap = BELFRY__V1__GAP__INIT;
    gap.msn = msn;
    gap.duration_90k = 90000;
    gap.reason = (char *)"disk_full";
    Belfry__V1__Record r = BELFRY__V1__RECORD__INIT;
    r.kind_case = BELFRY__V1__RECORD__KIND_GAP;
    r.gap = &gap;
    append(j, &r);
}

static void write_end(struct world *w, struct bf_journal_writer *j, uint64_t segments)
{
    Belfry__V1__SessionEnd end = BELFRY__V1__SESSION_END__INIT;
    end.ended_at_ms = STARTED_MS + 4000;
    end.reason = (char *)"stopped";
    end.segments = segments;
    end.chain_head = (ProtobufCBinaryData){ sizeof w->link, w->link };
    Belfry__V1__Record r = BELFRY__V1__RECORD__INIT;
    r.kind_case = BELFRY__V1__RECORD__KIND_END;
    r.end = &end;
    append(j, &r);
}

static struct bf_journal_writer *begin(struct world *w, bool record)
{
    struct bf_journal_writer *j;
    struct bf_error e;
    assert_int_equal(bf_journal_writer_open(&j, w->dirfd, &e), 0);
    write_start(w, j, record);
    write_init(w, j);
    return j;
}

static void make_session(struct world *w, bool record)
{
    struct bf_journal_writer *j = begin(w, record);
    for (uint64_t msn = 0; msn < SEGMENTS; msn++)
        write_segment(w, j, msn, w->ingest);
    write_end(w, j, SEGMENTS);
    bf_journal_writer_free(j);
}

static void make_recording(struct world *w, const struct bf_key *key)
{
    uint8_t packed[512], *envelope;
    size_t envelope_size;
    Belfry__V1__Recording r = BELFRY__V1__RECORDING__INIT;
    r.site = (char *)"home";
    r.camera = (char *)"front";
    r.session_id = (char *)SESSION;
    r.segments = SEGMENTS;
    r.chain_head = (ProtobufCBinaryData){ sizeof w->link, w->link };
    size_t size = belfry__v1__recording__pack(&r, packed);
    assert_int_equal(bf_dsse_seal("application/vnd.belfry.recording.v1+protobuf", packed, size, bf_key_secret(key),
                                  &envelope, &envelope_size),
                     0);
    assert_int_equal(bf_replace_file(w->dirfd, BF_RECORDING_NAME, envelope, envelope_size, 0644), 0);
    free(envelope);
}

static void on_finding(void *user, enum ctl_verdict v, const char *text)
{
    struct world *w = user;
    size_t used = strlen(w->findings);
    snprintf(w->findings + used, sizeof w->findings - used, "%s: %s\n", ctl_verdict_name(v), text);
}

static enum ctl_verdict audit_with(struct world *w, const uint8_t *head, struct ctl_audit *a)
{
    struct bf_error e = { 0 };
    w->findings[0] = '\0';
    *a = (struct ctl_audit){
        .trust = w->trust, .now_ms = STARTED_MS + 9000, .head = head, .finding = on_finding, .user = w
    };
    if (ctl_audit_session(a, w->dirfd, &e) < 0)
        fail_msg("%s", e.text);
    return a->verdict;
}

static enum ctl_verdict audit(struct world *w)
{
    struct ctl_audit a;
    return audit_with(w, NULL, &a);
}

static void assert_finding(const struct world *w, const char *text)
{
    if (strstr(w->findings, text) == NULL)
        fail_msg("\"%s\" is not among:\n%s", text, w->findings);
}

/* ---- what is good ---- */

static void test_authentic(void **state)
{
    struct world *w = *state;
    struct ctl_audit a;
    make_session(w, true);
    make_recording(w, w->janitor);
    assert_int_equal(audit_with(w, w->link, &a), CTL_AUTHENTIC);
    assert_int_equal(a.segments, SEGMENTS);
    assert_int_equal(a.checked, SEGMENTS);
    assert_int_equal(a.bytes, SEGMENTS * SEGMENT_BYTES);
    assert_true(a.witnessed && a.is_recording && a.ended);
    assert_string_equal(a.ingest, "ingest-1");
}

static void test_gaps(void **state)
{
    struct world *w = *state;
    struct bf_journal_writer *j = begin(w, true);
    write_segment(w, j, 0, w->ingest);
    write_gap(j, 1);
    write_end(w, j, 2);
    bf_journal_writer_free(j);
    assert_int_equal(audit(w), CTL_GAPS);
    assert_finding(w, "segment 1: disk_full");
}

static void test_trimmed_live_session(void **state)
{
    struct world *w = *state;
    struct ctl_audit a;
    make_session(w, false);
    unlinkat(w->dirfd, "seg-0.m4s", 0);
    unlinkat(w->dirfd, "seg-1.m4s", 0);
    assert_int_equal(audit_with(w, NULL, &a), CTL_AUTHENTIC);
    assert_int_equal(a.expired, 2);

    unlinkat(w->dirfd, "seg-3.m4s", 0); /* trimming does not do that */
    assert_int_equal(audit(w), CTL_TAMPERED);
    assert_finding(w, "seg-3.m4s: is missing");
}

/* ---- what is not ---- */

static void test_segment_changed(void **state)
{
    struct world *w = *state;
    make_session(w, true);
    for (off_t at = 0; at < SEGMENT_BYTES; at += 33) {
        _cleanup_(bf_closep) int fd = openat(w->dirfd, "seg-2.m4s", O_WRONLY | O_CLOEXEC);
        assert_int_equal(pwrite(fd, "!", 1, at), 1);
        assert_int_equal(audit(w), CTL_TAMPERED);
        assert_finding(w, "seg-2.m4s is not the file that was written");
        assert_int_equal(pwrite(fd, "c", 1, at), 1);
        assert_int_equal(audit(w), CTL_AUTHENTIC);
    }
}

static void test_segment_cut_longer_or_missing(void **state)
{
    struct world *w = *state;
    make_session(w, true);
    _cleanup_(bf_closep) int fd = openat(w->dirfd, "seg-1.m4s", O_WRONLY | O_CLOEXEC);
    assert_int_equal(ftruncate(fd, SEGMENT_BYTES - 1), 0);
    assert_int_equal(audit(w), CTL_TAMPERED);
    assert_finding(w, "seg-1.m4s has 99 bytes; 100 were written");
    assert_int_equal(ftruncate(fd, SEGMENT_BYTES + 1), 0);
    assert_int_equal(audit(w), CTL_TAMPERED);
    unlinkat(w->dirfd, "seg-1.m4s", 0);
    assert_int_equal(audit(w), CTL_TAMPERED);
    assert_finding(w, "seg-1.m4s: is missing");
}

static void test_segments_swapped(void **state)
{
    struct world *w = *state;
    make_session(w, true);
    assert_int_equal(renameat2(w->dirfd, "seg-1.m4s", w->dirfd, "seg-2.m4s", RENAME_EXCHANGE), 0);
    assert_int_equal(audit(w), CTL_TAMPERED);
    assert_finding(w, "seg-1.m4s");
    assert_finding(w, "seg-2.m4s");
}

static void test_init_changed(void **state)
{
    struct world *w = *state;
    make_session(w, true);
    assert_int_equal(bf_replace_file(w->dirfd, "init.mp4", "other", 5, 0644), 0);
    assert_int_equal(audit(w), CTL_TAMPERED);
    assert_finding(w, "init.mp4");
}

/* No byte of the journal can change without being noticed. */
static void test_journal_changed_anywhere(void **state)
{
    struct world *w = *state;
    make_session(w, true);
    make_recording(w, w->janitor);
    _cleanup_(bf_freep) uint8_t *journal = NULL;
    size_t size;
    assert_int_equal(bf_read_file(w->dirfd, BF_JOURNAL_NAME, 1u << 20, &journal, &size), 0);
    _cleanup_(bf_closep) int fd = openat(w->dirfd, BF_JOURNAL_NAME, O_WRONLY | O_CLOEXEC);
    for (size_t at = 0; at < size; at++) {
        uint8_t changed = journal[at] ^ 0x10;
        assert_int_equal(pwrite(fd, &changed, 1, (off_t)at), 1);
        enum ctl_verdict v = audit(w);
        if (v == CTL_AUTHENTIC)
            fail_msg("byte %zu of the journal changed unnoticed", at);
        assert_int_equal(pwrite(fd, &journal[at], 1, (off_t)at), 1);
    }
    assert_int_equal(audit(w), CTL_AUTHENTIC);
}

/* A forger who rebuilds checksums and chain but lacks the key. */
static void test_rebuilt_by_a_stranger(void **state)
{
    struct world *w = *state;
    struct bf_journal_writer *j = begin(w, true);
    for (uint64_t msn = 0; msn < SEGMENTS; msn++)
        write_segment(w, j, msn, w->stranger);
    write_end(w, j, SEGMENTS);
    bf_journal_writer_free(j);
    assert_int_equal(audit(w), CTL_UNKNOWN_KEY);
    assert_finding(w, "segment 0 is signed by a key");
}

static void test_signed_by_the_wrong_role(void **state)
{
    struct world *w = *state;
    struct bf_journal_writer *j = begin(w, true);
    write_segment(w, j, 0, w->janitor);
    write_end(w, j, 1);
    bf_journal_writer_free(j);
    assert_int_equal(audit(w), CTL_UNKNOWN_KEY);
}

static void test_cut_end(void **state)
{
    struct world *w = *state;
    make_session(w, true);
    uint8_t witnessed[32];
    memcpy(witnessed, w->link, sizeof witnessed);

    struct world *v = w; /* the same directory, one segment less, ended again by the forger */
    unlinkat(v->dirfd, BF_JOURNAL_NAME, 0);
    unlinkat(v->dirfd, "seg-3.m4s", 0);
    struct bf_journal_writer *j = begin(v, true);
    for (uint64_t msn = 0; msn + 1 < SEGMENTS; msn++)
        write_segment(v, j, msn, v->ingest);
    write_end(v, j, SEGMENTS - 1);
    bf_journal_writer_free(j);

    struct ctl_audit a;
    assert_int_equal(audit_with(w, NULL, &a), CTL_AUTHENTIC); /* nobody can tell, and it says so */
    assert_false(a.witnessed);
    assert_int_equal(audit_with(w, witnessed, &a), CTL_TRUNCATED);
    memcpy(w->link, witnessed, sizeof witnessed);
    make_recording(w, w->janitor);
    assert_int_equal(audit_with(w, NULL, &a), CTL_TRUNCATED);
    assert_finding(w, "the janitor saw another end: 4 segments; the journal has 3");
}

static void test_no_end(void **state)
{
    struct world *w = *state;
    struct bf_journal_writer *j = begin(w, true);
    write_segment(w, j, 0, w->ingest);
    bf_journal_writer_free(j);
    assert_int_equal(audit(w), CTL_TRUNCATED);

    _cleanup_(bf_closep) int fd = openat(w->dirfd, BF_JOURNAL_NAME, O_WRONLY | O_APPEND | O_CLOEXEC);
    assert_int_equal(write(fd, "\x20\0\0\0torn", 8), 8);
    assert_int_equal(audit(w), CTL_TRUNCATED);
    assert_finding(w, "in the middle of a record");
}

static void test_surplus_segment(void **state)
{
    struct world *w = *state;
    make_session(w, true);
    assert_int_equal(bf_replace_file(w->dirfd, "seg-4.m4s", "x", 1, 0644), 0);
    assert_int_equal(audit(w), CTL_TRUNCATED);
    assert_finding(w, "seg-4.m4s is there");
}

static void test_recording_of_a_stranger(void **state)
{
    struct world *w = *state;
    make_session(w, true);
    make_recording(w, w->stranger);
    assert_int_equal(audit(w), CTL_TAMPERED);
    assert_finding(w, "recording: not signed");
}

static void test_no_session(void **state)
{
    struct world *w = *state;
    struct ctl_audit a = { .trust = w->trust, .finding = on_finding, .user = w };
    struct bf_error e;
    assert_int_equal(ctl_audit_session(&a, w->dirfd, &e), -ENOENT);
    assert_int_equal(bf_replace_file(w->dirfd, BF_JOURNAL_NAME, "", 0, 0644), 0);
    assert_int_equal(ctl_audit_session(&a, w->dirfd, &e), -ENODATA);
    assert_int_equal(bf_replace_file(w->dirfd, BF_JOURNAL_NAME, "no journal at all", 17, 0644), 0);
    assert_int_equal(audit(w), CTL_TAMPERED);
}

/* ---- */

static int make_trust(struct world *w)
{
    _cleanup_(ctl_bundle_freep) ctl_bundle *b = NULL;
    _cleanup_(bf_freep) uint8_t *envelope = NULL;
    struct bf_error e;
    size_t size;
    if (bf_key_generate(&w->root) < 0 || bf_key_generate(&w->ingest) < 0 || bf_key_generate(&w->janitor) < 0 ||
        bf_key_generate(&w->stranger) < 0 || ctl_bundle_new(&b, "home", UINT64_C(4000000000000)) < 0 ||
        ctl_bundle_add(b, "ingest-1", BF_ROLE_INGEST, bf_key_public(w->ingest), 0) < 0 ||
        ctl_bundle_add(b, "janitor-1", BF_ROLE_JANITOR, bf_key_public(w->janitor), 0) < 0 ||
        ctl_bundle_sign(b, w->root, STARTED_MS, &envelope, &size, &e) < 0)
        return -1;
    return bf_trust_open(&w->trust, envelope, size, bf_key_public(w->root), "home", 0, &e);
}

static int setup(void **state)
{
    static struct world w;
    w = (struct world){ 0 };
    *state = &w;
    if (scratch_make(&w.scratch) < 0 || make_trust(&w) < 0)
        return -1;
    w.dirfd = bf_open_dir(AT_FDCWD, w.scratch.path, 0, 0);
    return w.dirfd < 0 ? -1 : 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    bf_key_free(w->root);
    bf_key_free(w->ingest);
    bf_key_free(w->janitor);
    bf_key_free(w->stranger);
    bf_trust_free(w->trust);
    close(w->dirfd);
    scratch_remove(&w->scratch);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = { TEST(test_authentic),
                                        TEST(test_gaps),
                                        TEST(test_trimmed_live_session),
                                        TEST(test_segment_changed),
                                        TEST(test_segment_cut_longer_or_missing),
                                        TEST(test_segments_swapped),
                                        TEST(test_init_changed),
                                        TEST(test_journal_changed_anywhere),
                                        TEST(test_rebuilt_by_a_stranger),
                                        TEST(test_signed_by_the_wrong_role),
                                        TEST(test_cut_end),
                                        TEST(test_no_end),
                                        TEST(test_surplus_segment),
                                        TEST(test_recording_of_a_stranger),
                                        TEST(test_no_session) };
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
