#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "belfryctl/acl.h"

static const struct ctl_node front = { "front", BF_ROLE_CAMERA }, yard = { "yard", BF_ROLE_CAMERA },
                             ingest = { "ingest-1", BF_ROLE_INGEST }, gateway = { "gateway-1", BF_ROLE_GATEWAY },
                             janitor = { "janitor-1", BF_ROLE_JANITOR }, operator= { "operator", BF_ROLE_OPERATOR };

enum { NONE = 0, READ = CTL_READ, WRITE = CTL_WRITE, BOTH = CTL_READ | CTL_WRITE };

/* Who may do what on whose state, desired, cmd, rsp and evt. */
static const struct {
    const struct ctl_node *node, *owner;
    unsigned state, desired, cmd, rsp, evt;
} cases[] = {
    { &front, &front, BOTH, READ, NONE, NONE, WRITE },      { &front, &yard, NONE, NONE, NONE, NONE, NONE },
    { &front, &ingest, NONE, NONE, NONE, NONE, NONE },      { &front, &gateway, NONE, NONE, NONE, NONE, NONE },
    { &front, &janitor, NONE, NONE, NONE, NONE, NONE },     { &front, &operator, NONE, NONE, NONE, NONE, NONE },
    { &ingest, &ingest, BOTH, READ, NONE, NONE, WRITE },    { &ingest, &front, NONE, NONE, NONE, NONE, NONE },
    { &ingest, &janitor, NONE, NONE, NONE, NONE, NONE },    { &gateway, &gateway, BOTH, NONE, READ, READ, BOTH },
    { &gateway, &front, READ, WRITE, NONE, NONE, READ },    { &gateway, &ingest, READ, WRITE, NONE, NONE, READ },
    { &gateway, &janitor, READ, WRITE, WRITE, NONE, READ }, { &gateway, &operator, NONE, NONE, NONE, WRITE, NONE },
    { &janitor, &janitor, BOTH, READ, READ, NONE, BOTH },   { &janitor, &ingest, READ, NONE, NONE, NONE, READ },
    { &janitor, &gateway, READ, NONE, NONE, WRITE, READ },  { &operator, & operator, NONE, NONE, NONE, READ, NONE },
    { &operator, & gateway, READ, NONE, BOTH, READ, READ }, { &operator, & front, READ, READ, NONE, NONE, READ },
    { &operator, & janitor, READ, READ, READ, NONE, READ },
};

static void test_access(void **state)
{
    (void)state;
    for (size_t i = 0; i < BF_COUNT_OF(cases); i++) {
        const unsigned expected[] = { cases[i].state, cases[i].desired, cases[i].cmd, cases[i].rsp, cases[i].evt };
        for (unsigned c = 0; c < BF_COUNT_OF(expected); c++) {
            enum bf_channel channel = BF_CHANNEL_STATE + c;
            unsigned access = ctl_acl_access(cases[i].node, cases[i].owner, channel);
            if (access != expected[c])
                fail_msg("%s on %s/%s: %u, expected %u", cases[i].node->id, cases[i].owner->id,
                         bf_channel_name(channel), access, expected[c]);
        }
    }
}

/* Nobody but the owner writes a state or an event, whatever the table of messages becomes. */
static void test_only_owners_speak_for_themselves(void **state)
{
    (void)state;
    const struct ctl_node *all[] = { &front, &yard, &ingest, &gateway, &janitor, &operator};
    for (size_t i = 0; i < BF_COUNT_OF(all); i++)
        for (size_t j = 0; j < BF_COUNT_OF(all); j++)
            if (i != j) {
                assert_int_equal(ctl_acl_access(all[i], all[j], BF_CHANNEL_STATE) & CTL_WRITE, 0);
                assert_int_equal(ctl_acl_access(all[i], all[j], BF_CHANNEL_EVT) & CTL_WRITE, 0);
            }
}

static void test_text(void **state)
{
    (void)state;
    const struct ctl_node nodes[] = { front, gateway };
    char *text;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    ctl_acl_print(f, "home", nodes, BF_COUNT_OF(nodes));
    fclose(f);
    assert_non_null(strstr(text, "\nuser front\ntopic readwrite belfry/v1/home/camera/front/state\n"
                                 "topic read belfry/v1/home/camera/front/desired\n"
                                 "topic write belfry/v1/home/camera/front/evt\n"));
    assert_non_null(strstr(text, "\ntopic write belfry/v1/home/camera/front/desired\n"));
    assert_null(strchr(text, '+'));
    assert_null(strstr(text, "/#"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_access),
                                        cmocka_unit_test(test_only_owners_speak_for_themselves),
                                        cmocka_unit_test(test_text) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
