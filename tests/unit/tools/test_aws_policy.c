#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>

#include "base/cleanup.h"
#include "belfryctl/acl.h"
#include "belfryctl/aws_policy.h"
#include "bus/topic.h"

#define ARN "arn:aws:iot:eu-central-1:123456789012:"

static const struct ctl_aws aws = { "eu-central-1", "123456789012" };
static const struct ctl_node site[] = {
    { "gateway-1", BF_ROLE_GATEWAY }, { "ingest-1", BF_ROLE_INGEST }, { "janitor-1", BF_ROLE_JANITOR },
    { "operator", BF_ROLE_OPERATOR }, { "front", BF_ROLE_CAMERA },    { "yard", BF_ROLE_CAMERA },
};

static json_t *policies_of(const struct ctl_node *node, const struct ctl_node *nodes, size_t n)
{
    json_t *documents = NULL;
    struct bf_error e = { "" };

    if (ctl_aws_policies(&documents, &aws, "home", node, nodes, n, &e) < 0)
        fail_msg("%s: %s", node->id, e.text);
    return documents;
}

static bool lists(const json_t *array, const char *text)
{
    for (size_t i = 0; i < json_array_size(array); i++)
        if (strcmp(json_string_value(json_array_get(array, i)), text) == 0)
            return true;
    return false;
}

/* The i-th statement of all documents together; NULL behind the last. */
static const json_t *statement_at(const json_t *documents, size_t i)
{
    for (size_t d = 0; d < json_array_size(documents); d++) {
        const json_t *statements = json_object_get(json_array_get(documents, d), "Statement");

        if (i < json_array_size(statements))
            return json_array_get(statements, i);
        i -= json_array_size(statements);
    }
    return NULL;
}

/* As AWS decides without wildcards: some statement allows the action on exactly this resource. */
static bool allows(const json_t *documents, const char *action, const char *resource)
{
    const json_t *s;

    for (size_t i = 0; (s = statement_at(documents, i)) != NULL; i++)
        if (lists(json_object_get(s, "Action"), action) && lists(json_object_get(s, "Resource"), resource))
            return true;
    return false;
}

/* Pairs of an action and a resource that the documents allow. */
static size_t count_allowed(const json_t *documents)
{
    const json_t *s;
    size_t n = 0;

    for (size_t i = 0; (s = statement_at(documents, i)) != NULL; i++)
        n += json_array_size(json_object_get(s, "Action")) * json_array_size(json_object_get(s, "Resource"));
    return n;
}

/* Compares one right, and returns how many pairs it must have made. */
static size_t check(const json_t *documents, const char *node, const char *action, const char *kind, const char *topic,
                    bool expected)
{
    char resource[256];

    snprintf(resource, sizeof resource, ARN "%s/%s", kind, topic);
    if (allows(documents, action, resource) != expected)
        fail_msg("%s: %s on %s: expected %s", node, action, topic, expected ? "allowed" : "denied");
    return expected;
}

static size_t check_topics(const json_t *documents, const struct ctl_node *node, const struct ctl_node *owner)
{
    size_t n = 0;

    for (enum bf_channel channel = BF_CHANNEL_STATE; channel <= BF_CHANNEL_EVT; channel++) {
        unsigned access = ctl_acl_access(node, owner, channel);
        bool reads = (access & CTL_READ) != 0, writes = (access & CTL_WRITE) != 0;
        char topic[BF_TOPIC_SIZE];

        assert_int_equal(bf_topic_format(topic, "home", owner->role, owner->id, channel), 0);
        n += check(documents, node->id, "iot:Publish", "topic", topic, writes);
        n += check(documents, node->id, "iot:RetainPublish", "topic", topic, writes && channel == BF_CHANNEL_STATE);
        n += check(documents, node->id, "iot:Subscribe", "topicfilter", topic, reads);
        n += check(documents, node->id, "iot:Receive", "topic", topic, reads);
    }
    return n;
}

/* Every topic of the table, for every node: what the access list gives is allowed, the rest is not, and there is
 * nothing else in the documents. */
static void test_rights_are_the_access_lists(void **state)
{
    (void)state;
    for (size_t i = 0; i < BF_COUNT_OF(site); i++) {
        json_t *documents = policies_of(&site[i], site, BF_COUNT_OF(site));
        char client[128];
        size_t n = 1;

        snprintf(client, sizeof client, ARN "client/%s", site[i].id);
        assert_true(allows(documents, "iot:Connect", client));
        for (size_t j = 0; j < BF_COUNT_OF(site); j++)
            n += check_topics(documents, &site[i], &site[j]);
        assert_int_equal(count_allowed(documents), n);
        json_decref(documents);
    }
}

/* Straight from the table of messages, without the access list between: whoever may sign a message may publish it, and
 * the owner of the topic it is addressed to may receive it. */
static void test_every_message_can_travel(void **state)
{
    (void)state;
    for (enum bf_message_type type = 0; type < BF_MSG_TYPES; type++) {
        const struct bf_message_row *row = bf_message_row(type);

        for (size_t i = 0; i < BF_COUNT_OF(site); i++)
            for (size_t j = 0; j < BF_COUNT_OF(site); j++) {
                bool sends = (row->sender_roles & (1u << site[i].role)) != 0 && (!row->own_topic || i == j);
                char topic[BF_TOPIC_SIZE];
                json_t *sender, *owner;

                if (!sends || (row->topic_roles & (1u << site[j].role)) == 0)
                    continue;
                assert_int_equal(bf_topic_format(topic, "home", site[j].role, site[j].id, row->channel), 0);
                sender = policies_of(&site[i], site, BF_COUNT_OF(site));
                owner = policies_of(&site[j], site, BF_COUNT_OF(site));
                check(sender, site[i].id, "iot:Publish", "topic", topic, true);
                if (!row->own_topic) {
                    check(owner, site[j].id, "iot:Subscribe", "topicfilter", topic, true);
                    check(owner, site[j].id, "iot:Receive", "topic", topic, true);
                }
                json_decref(sender);
                json_decref(owner);
            }
    }
}

static void test_camera_document(void **state)
{
    static const char expected[] =
        "{'Version':'2012-10-17','Statement':["
        "{'Sid':'Connect','Effect':'Allow','Action':['iot:Connect'],'Resource':['" ARN "client/front'],"
        "'Condition':{'Bool':{'iot:Connection.Thing.IsAttached':'true'},"
        "'ForAllValues:StringEquals':{'iot:ConnectAttributes':['LastWill']}}},"
        "{'Sid':'State','Effect':'Allow','Action':['iot:Publish','iot:RetainPublish'],"
        "'Resource':['" ARN "topic/belfry/v1/home/camera/front/state']},"
        "{'Sid':'Subscribe','Effect':'Allow','Action':['iot:Subscribe'],"
        "'Resource':['" ARN "topicfilter/belfry/v1/home/camera/front/state',"
        "'" ARN "topicfilter/belfry/v1/home/camera/front/desired']},"
        "{'Sid':'Receive','Effect':'Allow','Action':['iot:Receive'],"
        "'Resource':['" ARN "topic/belfry/v1/home/camera/front/state',"
        "'" ARN "topic/belfry/v1/home/camera/front/desired']},"
        "{'Sid':'Publish','Effect':'Allow','Action':['iot:Publish'],"
        "'Resource':['" ARN "topic/belfry/v1/home/camera/front/evt']}]}";
    json_t *documents = policies_of(&site[4], site, BF_COUNT_OF(site));
    char *text = json_dumps(json_array_get(documents, 0), JSON_COMPACT);

    (void)state;
    for (char *c = text; *c != '\0'; c++)
        if (*c == '"')
            *c = '\'';
    assert_int_equal(json_array_size(documents), 1);
    assert_string_equal(text, expected);
    free(text);
    json_decref(documents);
}

/* Only what signs a state has a last will. */
static void test_operator_has_no_last_will(void **state)
{
    json_t *documents = policies_of(&site[3], site, BF_COUNT_OF(site));
    char *text = json_dumps(documents, JSON_COMPACT);

    (void)state;
    assert_null(strstr(text, "LastWill"));
    assert_null(strstr(text, "RetainPublish"));
    assert_non_null(strstr(text, "IsAttached"));
    free(text);
    json_decref(documents);
}

static size_t make_cameras(struct ctl_node *nodes, char (*names)[32], size_t n)
{
    nodes[0] = site[0];
    for (size_t i = 1; i <= n; i++) {
        snprintf(names[i], sizeof names[i], "camera-%zu", i);
        nodes[i] = (struct ctl_node){ names[i], BF_ROLE_CAMERA };
    }
    return n + 1;
}

/* What does not fit into one document goes on in the next; nothing gets lost on the way. */
static void test_long_policies_are_split(void **state)
{
    enum { CAMERAS = 20 };
    struct ctl_node nodes[CAMERAS + 1];
    char names[CAMERAS + 1][32];
    size_t n = make_cameras(nodes, names, CAMERAS), allowed = 1;
    json_t *documents = policies_of(&nodes[0], nodes, n);

    (void)state;
    assert_true(json_array_size(documents) > 1);
    assert_true(json_array_size(documents) <= CTL_AWS_POLICIES_MAX);
    for (size_t i = 0; i < json_array_size(documents); i++)
        assert_true(json_dumpb(json_array_get(documents, i), NULL, 0, JSON_COMPACT) <= CTL_AWS_POLICY_MAX);
    for (size_t i = 0; i < n; i++)
        allowed += check_topics(documents, &nodes[0], &nodes[i]);
    assert_int_equal(count_allowed(documents), allowed);
    json_decref(documents);
}

static void test_too_many_topics(void **state)
{
    enum { CAMERAS = 100 };
    static struct ctl_node nodes[CAMERAS + 1];
    static char names[CAMERAS + 1][32];
    size_t n = make_cameras(nodes, names, CAMERAS);
    json_t *documents = NULL;
    struct bf_error e = { "" };

    (void)state;
    assert_int_equal(ctl_aws_policies(&documents, &aws, "home", &nodes[0], nodes, n, &e), -E2BIG);
    assert_null(documents);
    assert_non_null(strstr(e.text, "split the site"));
}

static void test_where(void **state)
{
    static const struct {
        struct ctl_aws aws;
        const char *arn; /* NULL: refused */
    } rows[] = {
        { { "eu-central-1", "123456789012" }, "arn:aws:iot:eu-central-1:123456789012:client/front" },
        { { "cn-north-1", "123456789012" }, "arn:aws-cn:iot:cn-north-1:123456789012:client/front" },
        { { "us-gov-west-1", "123456789012" }, "arn:aws-us-gov:iot:us-gov-west-1:123456789012:client/front" },
        { { NULL, "123456789012" }, NULL },
        { { "eu-central-1", NULL }, NULL },
        { { "*", "123456789012" }, NULL },
        { { "EU-central-1", "123456789012" }, NULL },
        { { "eu-central-1:x", "123456789012" }, NULL },
        { { "eu-central-1", "12345678901" }, NULL },
        { { "eu-central-1", "1234567890123" }, NULL },
        { { "eu-central-1", "12345678901x" }, NULL },
    };

    (void)state;
    for (size_t i = 0; i < BF_COUNT_OF(rows); i++) {
        json_t *documents = NULL;
        struct bf_error e = { "" };
        int r = ctl_aws_policies(&documents, &rows[i].aws, "home", &site[4], site, BF_COUNT_OF(site), &e);

        assert_int_equal(r, rows[i].arn != NULL ? 0 : -EINVAL);
        if (r == 0)
            assert_true(allows(documents, "iot:Connect", rows[i].arn));
        else
            assert_non_null(strstr(e.text, "expected"));
        json_decref(documents);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rights_are_the_access_lists),
        cmocka_unit_test(test_every_message_can_travel),
        cmocka_unit_test(test_camera_document),
        cmocka_unit_test(test_operator_has_no_last_will),
        cmocka_unit_test(test_long_policies_are_split),
        cmocka_unit_test(test_too_many_topics),
        cmocka_unit_test(test_where),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
