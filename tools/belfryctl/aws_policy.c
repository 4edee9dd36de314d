#include "belfryctl/aws_policy.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "belfryctl/acl.h"
#include "bus/topic.h"

#define ARN_SIZE 256

/* One statement of a document for each; the actions apply to every resource in it. */
enum grant { PUBLISH, PUBLISH_RETAINED, SUBSCRIBE, RECEIVE, GRANTS };

static const struct {
    const char *sid;
    const char *actions[2];
    const char *resource; /* kind of the ARN */
} grants[GRANTS] = {
    [PUBLISH] = { "Publish", { "iot:Publish", NULL }, "topic" },
    [PUBLISH_RETAINED] = { "State", { "iot:Publish", "iot:RetainPublish" }, "topic" },
    [SUBSCRIBE] = { "Subscribe", { "iot:Subscribe", NULL }, "topicfilter" },
    [RECEIVE] = { "Receive", { "iot:Receive", NULL }, "topic" },
};

struct policies {
    const struct ctl_aws *aws;
    const char *site;
    json_t *documents; /* the last one is being filled */
};

int ctl_aws_check(const struct ctl_aws *aws, struct bf_error *e)
{
    static const char of_region[] = "abcdefghijklmnopqrstuvwxyz0123456789-";

    if (aws->region == NULL || strlen(aws->region) < 5 || strlen(aws->region) > 32 ||
        aws->region[strspn(aws->region, of_region)] != '\0')
        return bf_fail(e, -EINVAL, "--region: expected a region of AWS, as in eu-central-1");
    if (aws->account == NULL || strlen(aws->account) != 12 || strspn(aws->account, "0123456789") != 12)
        return bf_fail(e, -EINVAL,
                       "--account: expected the 12 digits of an account, as aws sts get-caller-identity"
                       " prints them");
    return 0;
}

/* The parts of AWS that have names of their own begin their regions with them. */
static const char *partition(const char *region)
{
    if (strncmp(region, "cn-", 3) == 0)
        return "aws-cn";
    return strncmp(region, "us-gov-", 7) == 0 ? "aws-us-gov" : "aws";
}

static json_t *arn(const struct ctl_aws *aws, const char *kind, const char *name)
{
    char text[ARN_SIZE];

    snprintf(text, sizeof text, "arn:%s:iot:%s:%s:%s/%s", partition(aws->region), aws->region, aws->account, kind,
             name);
    return json_string(text);
}

static size_t size_of(const json_t *document)
{
    return json_dumpb(document, NULL, 0, JSON_COMPACT); /* no string in it has a blank */
}

static json_t *begin_document(struct policies *p)
{
    json_t *document = json_pack("{s:s, s:[]}", "Version", "2012-10-17", "Statement");

    return json_array_append_new(p->documents, document) == 0 ? document : NULL;
}

static json_t *statements_of(const json_t *document)
{
    return json_object_get(document, "Statement");
}

static json_t *find_statement(const json_t *document, const char *sid)
{
    const json_t *statements = statements_of(document);

    for (size_t i = 0; i < json_array_size(statements); i++) {
        json_t *statement = json_array_get(statements, i);
        if (strcmp(json_string_value(json_object_get(statement, "Sid")), sid) == 0)
            return statement;
    }
    return NULL;
}

static json_t *begin_statement(json_t *document, enum grant grant)
{
    json_t *statement = json_pack("{s:s, s:s, s:[s, s*], s:[]}", "Sid", grants[grant].sid, "Effect", "Allow", "Action",
                                  grants[grant].actions[0], grants[grant].actions[1], "Resource");

    return json_array_append_new(statements_of(document), statement) == 0 ? statement : NULL;
}

/* Adds the resource to the document; false when it then is too long, or without memory, and leaves it as it was. */
static bool try_add(json_t *document, enum grant grant, json_t *resource)
{
    json_t *statement = find_statement(document, grants[grant].sid);
    bool fresh = statement == NULL;

    if (fresh)
        statement = begin_statement(document, grant);
    json_t *resources = json_object_get(statement, "Resource");
    if (json_array_append(resources, resource) < 0)
        return false;
    if (size_of(document) <= CTL_AWS_POLICY_MAX)
        return true;

    json_array_remove(resources, json_array_size(resources) - 1);
    if (fresh)
        json_array_remove(statements_of(document), json_array_size(statements_of(document)) - 1);
    return false;
}

static int add(struct policies *p, enum grant grant, const char *topic, struct bf_error *e)
{
    _cleanup_(json_decrefp) json_t *resource = arn(p->aws, grants[grant].resource, topic);
    size_t n = json_array_size(p->documents);

    if (resource == NULL)
        return -ENOMEM;
    if (try_add(json_array_get(p->documents, n - 1), grant, resource))
        return 0;
    if (n == CTL_AWS_POLICIES_MAX)
        return bf_fail(e, -E2BIG, "more topics than %d policies of %d characters can name; split the site",
                       CTL_AWS_POLICIES_MAX, CTL_AWS_POLICY_MAX);
    json_t *next = begin_document(p);
    return next != NULL && try_add(next, grant, resource) ? 0 : -ENOMEM;
}

static bool has_state(enum bf_role role)
{
    for (enum bf_message_type type = 0; type < BF_MSG_TYPES; type++) {
        const struct bf_message_row *row = bf_message_row(type);
        if (row->channel == BF_CHANNEL_STATE && (row->sender_roles & (1u << role)) != 0)
            return true;
    }
    return false;
}

/* The certificate must be attached to the thing of that name, so that no other node's certificate can take its place.
 */
static int add_connect(struct policies *p, const struct ctl_node *node)
{
    json_t *condition = json_pack("{s:{s:s}}", "Bool", "iot:Connection.Thing.IsAttached", "true");
    json_t *document = begin_document(p);

    if (condition != NULL && has_state(node->role))
        json_object_set_new(condition, "ForAllValues:StringEquals",
                            json_pack("{s:[s]}", "iot:ConnectAttributes", "LastWill"));
    json_t *statement = json_pack("{s:s, s:s, s:[s], s:[o], s:o}", "Sid", "Connect", "Effect", "Allow", "Action",
                                  "iot:Connect", "Resource", arn(p->aws, "client", node->id), "Condition", condition);
    return document != NULL && json_array_append_new(statements_of(document), statement) == 0 ? 0 : -ENOMEM;
}

static int add_topic(struct policies *p, const char *topic, enum bf_channel channel, unsigned access,
                     struct bf_error *e)
{
    int r = 0;

    if ((access & CTL_WRITE) != 0)
        r = add(p, channel == BF_CHANNEL_STATE ? PUBLISH_RETAINED : PUBLISH, topic, e);
    if (r == 0 && (access & CTL_READ) != 0)
        r = add(p, SUBSCRIBE, topic, e);
    if (r == 0 && (access & CTL_READ) != 0)
        r = add(p, RECEIVE, topic, e);
    return r;
}

static int add_topics_of(struct policies *p, const struct ctl_node *node, const struct ctl_node *owner,
                         struct bf_error *e)
{
    int r = 0;

    for (enum bf_channel channel = BF_CHANNEL_STATE; channel <= BF_CHANNEL_EVT && r == 0; channel++) {
        unsigned access = ctl_acl_access(node, owner, channel);
        char topic[BF_TOPIC_SIZE];

        if (access != 0)
            r = bf_topic_format(topic, p->site, owner->role, owner->id, channel);
        if (access != 0 && r == 0)
            r = add_topic(p, topic, channel, access, e);
    }
    return r;
}

int ctl_aws_policies(json_t **ret, const struct ctl_aws *aws, const char *site, const struct ctl_node *node,
                     const struct ctl_node *nodes, size_t n_nodes, struct bf_error *e)
{
    _cleanup_(json_decrefp) json_t *documents = json_array();
    struct policies p = { .aws = aws, .site = site, .documents = documents };
    int r = documents != NULL ? ctl_aws_check(aws, e) : -ENOMEM;

    if (r == 0)
        r = add_connect(&p, node);
    for (size_t i = 0; i < n_nodes && r == 0; i++)
        r = add_topics_of(&p, node, &nodes[i], e);
    if (r < 0)
        return r;
    *ret = BF_TAKE(documents);
    return 0;
}
