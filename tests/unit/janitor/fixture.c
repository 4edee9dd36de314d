#include "fixture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "base/file.h"
#include "bus/dsse.h"
#include "stream/layout.h"

#include "trust.pb-c.h"

void media_make(struct media *m)
{
    assert_true(sodium_init() >= 0);
    snprintf(m->path, sizeof m->path, "/tmp/belfry-janitor-XXXXXX");
    assert_non_null(mkdtemp(m->path));
    m->mediafd = open(m->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(m->mediafd >= 0);
}

static int remove_entry(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st;
    (void)kind;
    (void)ftw;
    return remove(path);
}

void media_remove(struct media *m)
{
    close(m->mediafd);
    nftw(m->path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static void append(struct session *s, Belfry__V1__Record *record)
{
    assert_int_equal(bf_journal_append(s->journal, record), 0);
}

void session_begin(struct session *s, const struct media *m, const char *camera, const char *id, bool record)
{
    char path[80];
    struct bf_error e;
    *s = (struct session){ 0 };
    snprintf(path, sizeof path, "%s/%s", camera, id);
    s->dirfd = bf_open_dir(m->mediafd, path, 1, 0755);
    assert_true(s->dirfd >= 0);
    assert_int_equal(bf_journal_writer_open(&s->journal, s->dirfd, &e), 0);

    Belfry__V1__SessionStart start = BELFRY__V1__SESSION_START__INIT;
    start.site = (char *)SITE;
    start.camera = (char *)camera;
    start.session_id = (char *)id;
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
    append(s, &r);
}

void session_init(struct session *s, unsigned index)
{
    uint8_t hash[32] = { 0 };
    char name[BF_NAME_SIZE];
    bf_init_name(name, index);
    write_file(s->dirfd, name, "init");

    Belfry__V1__Init init = BELFRY__V1__INIT__INIT;
    init.file = name;
    init.codecs = (char *)"avc1.42c01f";
    init.width = 640;
    init.height = 480;
    init.sha256 = (ProtobufCBinaryData){ sizeof hash, hash };
    Belfry__V1__Record r = BELFRY__V1__RECORD__INIT;
    r.kind_case = BELFRY__V1__RECORD__KIND_INIT;
    r.init = &init;
    append(s, &r);
}

static void add_part(struct session *s, bool discontinuity)
{
    char name[BF_NAME_SIZE], bytes[SEGMENT_BYTES + 1];
    bf_segment_name(name, s->msn);
    memset(bytes, 'x', SEGMENT_BYTES);
    bytes[SEGMENT_BYTES] = '\0';
    write_file(s->dirfd, name, bytes);

    Belfry__V1__Part part = BELFRY__V1__PART__INIT;
    part.counter = s->counter++;
    part.msn = s->msn;
    part.length = SEGMENT_BYTES;
    part.duration_90k = SEGMENT_90K;
    part.independent = true;
    part.capture_us = STARTED_MS * 1000ull + s->decode_time_90k * 100 / 9;
    part.decode_time_90k = s->decode_time_90k;
    part.frames = 30;
    part.discontinuity = discontinuity;
    Belfry__V1__Record r = BELFRY__V1__RECORD__INIT;
    r.kind_case = BELFRY__V1__RECORD__KIND_PART;
    r.part = &part;
    append(s, &r);
}

static void end_segment(struct session *s)
{
    uint8_t hash[32] = { (uint8_t)s->msn }, signature[64] = { 0 }, keyid[16] = { 0 };
    Belfry__V1__SegmentEnd end = BELFRY__V1__SEGMENT_END__INIT;
    end.msn = s->msn++;
    end.bytes = SEGMENT_BYTES;
    end.duration_90k = SEGMENT_90K;
    end.decode_time_90k = s->decode_time_90k;
    end.sha256 = (ProtobufCBinaryData){ sizeof hash, hash };
    end.link = (ProtobufCBinaryData){ sizeof hash, hash };
    end.signature = (ProtobufCBinaryData){ sizeof signature, signature };
    end.keyid = (ProtobufCBinaryData){ sizeof keyid, keyid };
    s->decode_time_90k += SEGMENT_90K;
    Belfry__V1__Record r = BELFRY__V1__RECORD__INIT;
    r.kind_case = BELFRY__V1__RECORD__KIND_SEGMENT_END;
    r.segment_end = &end;
    append(s, &r);
}

void session_segments(struct session *s, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        add_part(s, false);
        end_segment(s);
    }
}

void session_discontinuity(struct session *s)
{
    s->decode_time_90k += 10 * SEGMENT_90K;
    add_part(s, true);
    end_segment(s);
}

void session_open_segment(struct session *s)
{
    add_part(s, false);
}

void session_gap(struct session *s)
{
    Belfry__V1__Gap gap = BELFRY__V1__GAP__INIT;
    gap.msn = s->msn++;
    gap.duration_90k = SEGMENT_90K;
    gap.reason = (char *)"disk_full";
    s->decode_time_90k += SEGMENT_90K;
    Belfry__V1__Record r = BELFRY__V1__RECORD__INIT;
    r.kind_case = BELFRY__V1__RECORD__KIND_GAP;
    r.gap = &gap;
    append(s, &r);
}

void session_end(struct session *s)
{
    uint8_t head[32] = { (uint8_t)(s->msn - 1) };
    Belfry__V1__SessionEnd end = BELFRY__V1__SESSION_END__INIT;
    end.ended_at_ms = STARTED_MS + s->decode_time_90k / 90;
    end.reason = (char *)"stopped";
    end.segments = s->msn;
    end.chain_head = (ProtobufCBinaryData){ sizeof head, head };
    Belfry__V1__Record r = BELFRY__V1__RECORD__INIT;
    r.kind_case = BELFRY__V1__RECORD__KIND_END;
    r.end = &end;
    append(s, &r);
}

void session_close(struct session *s)
{
    bf_journal_writer_free(s->journal);
    if (s->dirfd > 0)
        close(s->dirfd);
    *s = (struct session){ 0 };
}

int make_ended_session(const struct media *m, const char *id, bool record, unsigned n)
{
    struct session s;
    session_begin(&s, m, CAMERA, id, record);
    session_init(&s, 0);
    session_segments(&s, n);
    session_end(&s);
    int dirfd = dup(s.dirfd);
    session_close(&s);
    return dirfd;
}

bool exists(int dirfd, const char *name)
{
    return faccessat(dirfd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

size_t count_entries(int dirfd)
{
    DIR *dir = fdopendir(openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    size_t n = 0;
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
        n += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    closedir(dir);
    return n;
}

void write_file(int dirfd, const char *name, const char *text)
{
    int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(bf_write_all(fd, text, strlen(text)), 0);
    close(fd);
}

char *read_text(int dirfd, const char *name)
{
    uint8_t *data;
    size_t size;
    assert_int_equal(bf_read_file(dirfd, name, 1u << 20, &data, &size), 0);
    return (char *)data;
}

static void add_janitor(Belfry__V1__TrustBundle *b, Belfry__V1__TrustedKey *key, Belfry__V1__Role *role,
                        const struct bf_key *janitor)
{
    *role = BELFRY__V1__ROLE__ROLE_JANITOR;
    key->node = (char *)"janitor-1";
    key->roles = role;
    key->n_roles = 1;
    key->public_key = (ProtobufCBinaryData){ BF_PUBLIC_KEY_SIZE, (uint8_t *)bf_key_public(janitor) };
    b->n_keys = 1;
}

void make_trust(struct bf_key **ret_key, struct bf_trust **ret_trust)
{
    struct bf_key *root;
    struct bf_error e;
    uint8_t packed[512], *envelope;
    size_t envelope_size;
    assert_int_equal(bf_key_generate(&root), 0);
    assert_int_equal(bf_key_generate(ret_key), 0);

    Belfry__V1__TrustedKey key = BELFRY__V1__TRUSTED_KEY__INIT, *keys[] = { &key };
    Belfry__V1__TrustBundle b = BELFRY__V1__TRUST_BUNDLE__INIT;
    Belfry__V1__Role role;
    b.version = 1;
    b.site = (char *)SITE;
    b.issued_at_ms = STARTED_MS;
    b.expires_at_ms = UINT64_C(4000000000000);
    b.keys = keys;
    add_janitor(&b, &key, &role, *ret_key);
    size_t size = belfry__v1__trust_bundle__pack(&b, packed);
    assert_int_equal(bf_dsse_seal(BF_TRUST_BUNDLE_TYPE, packed, size, bf_key_secret(root), &envelope, &envelope_size),
                     0);
    assert_int_equal(bf_trust_open(ret_trust, envelope, envelope_size, bf_key_public(root), SITE, 0, &e), 0);
    free(envelope);
    bf_key_free(root);
}
