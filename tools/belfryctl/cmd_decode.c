/* belfryctl decode: signed messages from a file or standard input, shown and, where a site is at hand, checked. */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "belfryctl/args.h"
#include "belfryctl/decode_input.h"
#include "belfryctl/describe.h"
#include "belfryctl/json.h"
#include "belfryctl/site.h"
#include "bus/verify.h"

#include "journal.pb-c.h"

#define UNVERIFIED "unverified" /* there is no site here to check with */

BF_DEFINE_CLEANUP(struct bf_dsse, bf_dsse_free)

struct decode {
    struct ctl_site *site;   /* NULL: nothing to check with */
    struct bf_error no_site; /* why */
    const char *topic;       /* --topic */
    bool json;
    unsigned failed;
};

/* Signed documents at rest, beside the messages of the table. */
static const struct document {
    const char *payload_type;
    const ProtobufCMessageDescriptor *descriptor;
    enum bf_role signer; /* BF_ROLE_NONE: the root key */
} documents[] = {
    { CTL_BUNDLE_TYPE, &belfry__v1__trust_bundle__descriptor, BF_ROLE_NONE },
    { "application/vnd.belfry.recording.v1+protobuf", &belfry__v1__recording__descriptor, BF_ROLE_JANITOR },
};

/* One envelope on its way through: what it is and what became of the check. */
struct decoded {
    const char *topic;
    const char *type;
    ProtobufCMessage *message;
    const char *verdict;
    struct bf_error why;
};

static const struct document *find_document(const char *type)
{
    for (size_t i = 0; i < BF_COUNT_OF(documents); i++)
        if (strcmp(documents[i].payload_type, type) == 0)
            return &documents[i];
    return NULL;
}

static void check_document(const struct decode *d, const struct document *document, const struct bf_dsse *dsse,
                           const uint8_t *data, size_t size, struct decoded *ret)
{
    _cleanup_(bf_freep) uint8_t *payload = NULL;
    size_t payload_size;
    int r;
    if (document->signer == BF_ROLE_NONE)
        r = bf_dsse_verify(dsse, d->site->root_public) < 0
                ? bf_fail(&ret->why, -EBADMSG, "not signed by this site's root key")
                : 0;
    else
        r = bf_document_open(d->site->trust, document->signer, document->payload_type, data, size, bf_unix_ms(),
                             &payload, &payload_size, &ret->why);
    ret->verdict = r < 0 ? bf_refusal_name(BF_REFUSED_SIGNATURE) : bf_refusal_name(BF_OK);
}

static void check_message(const struct decode *d, const uint8_t *data, size_t size, struct decoded *ret)
{
    struct bf_verifier verifier = { .site = d->site->config->site, .trust = d->site->trust };
    struct bf_incoming incoming;
    if (ret->topic == NULL) {
        const Belfry__V1__Header *header = *bf_message_header(ret->message);
        ret->topic = header != NULL ? header->topic : "";
    }
    /* A message from a file is old by nature: its age says nothing, hence no synchronised clock. */
    enum bf_refusal verdict = bf_verify(&verifier, ret->topic, data, size, bf_unix_ms(), false, &incoming, &ret->why);
    if (verdict == BF_OK || verdict == BF_DUPLICATE)
        bf_incoming_done(&incoming);
    ret->verdict = bf_refusal_name(verdict);
}

static void check(const struct decode *d, const struct bf_dsse *dsse, const uint8_t *data, size_t size,
                  struct decoded *ret)
{
    const struct document *document = find_document(ret->type);
    const struct bf_message_row *row = bf_message_by_payload_type(ret->type);
    const ProtobufCMessageDescriptor *descriptor = document ? document->descriptor : row ? row->descriptor : NULL;
    size_t payload_size;
    const uint8_t *payload = bf_dsse_payload(dsse, &payload_size);
    if (descriptor != NULL)
        ret->message = protobuf_c_message_unpack(descriptor, NULL, payload_size, payload);

    if (descriptor == NULL) {
        ret->verdict = bf_refusal_name(BF_REFUSED_TYPE);
        bf_fail(&ret->why, 0, "a payload type that this version does not know");
    } else if (ret->message == NULL) {
        ret->verdict = bf_refusal_name(BF_REFUSED_PAYLOAD);
        bf_fail(&ret->why, 0, "the payload does not parse");
    } else if (d->site == NULL) {
        ret->verdict = UNVERIFIED;
        ret->why = d->no_site;
    } else if (document != NULL) {
        check_document(d, document, dsse, data, size, ret);
    } else {
        check_message(d, data, size, ret);
    }
}

static bool holds(const struct decoded *decoded)
{
    return strcmp(decoded->verdict, bf_refusal_name(BF_OK)) == 0;
}

static void print_json(const struct decoded *decoded)
{
    const struct ctl_json_line l = { .topic = decoded->topic,
                                     .payload_type = decoded->type,
                                     .verdict = decoded->verdict,
                                     .verified = holds(decoded),
                                     .reason = decoded->why.text,
                                     .message = decoded->message };
    _cleanup_(json_decrefp) json_t *line = ctl_json_line(&l);
    if (line == NULL)
        return;
    json_dumpf(line, stdout, JSON_COMPACT);
    putchar('\n');
}

static void print_line(const struct decoded *decoded)
{
    if (decoded->topic != NULL)
        ctl_print_topic(stdout, decoded->topic);
    else
        fputs(decoded->message != NULL ? decoded->message->descriptor->short_name : "?", stdout);
    printf(" [%s%s%s]", decoded->verdict, decoded->why.text[0] != '\0' ? ": " : "", decoded->why.text);

    _cleanup_(json_decrefp) json_t *flat = decoded->message != NULL ? ctl_flatten(decoded->message) : NULL;
    if (flat != NULL)
        ctl_print_changes(stdout, NULL, flat);
    putchar('\n');
}

/* mosquitto_sub without -N ends a message with a line feed that is not part of it. */
static int open_envelope(struct bf_dsse **ret, const uint8_t *data, size_t *size)
{
    int r = bf_dsse_open(ret, data, *size);
    if (r < 0 && *size > 0 && data[*size - 1] == '\n') {
        (*size)--;
        r = bf_dsse_open(ret, data, *size);
    }
    return r;
}

static void on_message(void *user, const char *topic, const uint8_t *data, size_t size)
{
    struct decode *d = user;
    struct decoded decoded = { .topic = topic != NULL ? topic : d->topic };
    _cleanup_(bf_dsse_freep) struct bf_dsse *dsse = NULL;
    int r = open_envelope(&dsse, data, &size);
    if (r < 0) {
        decoded.verdict = bf_refusal_name(r == -EMSGSIZE ? BF_REFUSED_SIZE : BF_REFUSED_ENVELOPE);
    } else {
        decoded.type = bf_dsse_type(dsse);
        check(d, dsse, data, size, &decoded);
    }

    if (d->json)
        print_json(&decoded);
    else
        print_line(&decoded);
    fflush(stdout);
    if (!holds(&decoded) && strcmp(decoded.verdict, UNVERIFIED) != 0)
        d->failed++;
    if (decoded.message != NULL)
        protobuf_c_message_free_unpacked(decoded.message, NULL);
}

static void on_bad_line(void *user, size_t line)
{
    struct decode *d = user;
    d->failed++;
    ctl_complain("line %zu is neither hex digits nor a topic and hex digits (mosquitto_sub -F %%x or -F '%%t %%x')",
                 line);
}

static int decode_input(struct decode *d, const char *path)
{
    bool from_stdin = path == NULL || strcmp(path, "-") == 0;
    FILE *f = from_stdin ? stdin : fopen(path, "rbe");
    if (f == NULL) {
        ctl_complain("%s: %s", path, strerror(errno));
        return CTL_FAILED;
    }
    int r = ctl_decode_stream(f, on_message, on_bad_line, d);
    if (!from_stdin)
        fclose(f);
    if (r < 0) {
        ctl_complain("%s: %s", from_stdin ? "standard input" : path,
                     r == -EBADMSG ? "neither an envelope nor lines of hex digits" : strerror(-r));
        return CTL_FAILED;
    }
    return d->failed > 0 ? CTL_FAILED : CTL_OK;
}

int ctl_cmd_decode(struct ctl *ctl, int argc, char **argv)
{
    struct decode d = { 0 };
    const struct ctl_option options[] = {
        { "json", CTL_FLAG, &d.json, NULL, "one JSON object a line, with everything in it", 0, 0 },
        { "topic", CTL_STRING, &d.topic, "TOPIC", "topic that it came on (default: the one it was signed for)", 0, 0 },
    };
    const struct ctl_usage usage = {
        "decode [OPTION]... [FILE|-]",
        "Prints signed messages and says whether they hold: signature, key, topic and ranges, where a site is at\n"
        "hand; not their age. Reads one envelope, a trust bundle or a recording, or lines of hex digits:\n\n"
        "  mosquitto_sub ... -F '%t %x' | belfryctl decode\n"
        "  mosquitto_sub ... -C 1 -N | belfryctl decode --json\n\n"
        "Exit status: 0 everything holds, or there was no site to check with; 1 something does not.\n",
        options,
        BF_COUNT_OF(options),
        0,
        1
    };
    int word = ctl_parse(ctl, &usage, argc, argv);
    if (word < 0)
        return ctl_parse_exit(word);

    if (ctl_site_open(&d.site, ctl->site_dir, &d.no_site) < 0)
        d.site = NULL;
    int status = decode_input(&d, word < argc ? argv[word] : NULL);
    ctl_site_free(d.site);
    return status;
}
