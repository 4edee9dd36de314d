/* The description of the API names every route of the table, and the table has every route that it names. */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "gateway/app.h"
#include "gateway/openapi.h"

static json_t *document;
static struct bf_app app;

static int setup(void **state)
{
    json_error_t e;

    (void)state;
    bf_routes_collect(&app);
    document = json_loadb(bf_openapi, bf_openapi_size, JSON_REJECT_DUPLICATES, &e);
    if (document == NULL)
        print_error("line %d: %s\n", e.line, e.text);
    return document == NULL;
}

static int teardown(void **state)
{
    (void)state;
    json_decref(document);
    return 0;
}

static const char *lower(enum bf_method method, char word[static 16])
{
    snprintf(word, 16, "%s", bf_method_name(method));
    for (char *c = word; *c != '\0'; c++)
        *c = (char)tolower((unsigned char)*c);
    return word;
}

static void test_version(void **state)
{
    (void)state;
    assert_string_equal(json_string_value(json_object_get(document, "openapi")), "3.1.0");
}

static void test_every_route_is_described(void **state)
{
    json_t *paths = json_object_get(document, "paths");
    char word[16];

    (void)state;
    assert_in_range(app.n_routes, 20, BF_ROUTES_MAX - 1);
    for (size_t i = 0; i < app.n_routes; i++) {
        json_t *operation =
            json_object_get(json_object_get(paths, app.routes[i]->pattern), lower(app.routes[i]->method, word));
        if (operation == NULL)
            fail_msg("not described: %s %s", word, app.routes[i]->pattern);
        assert_true(json_object_size(json_object_get(operation, "responses")) > 0);
    }
}

static bool in_table(const char *method, const char *path)
{
    char word[16];

    for (size_t i = 0; i < app.n_routes; i++)
        if (strcmp(app.routes[i]->pattern, path) == 0 && strcmp(lower(app.routes[i]->method, word), method) == 0)
            return true;
    return false;
}

static void test_every_description_is_a_route(void **state)
{
    const char *path, *method;
    json_t *item, *operation;
    size_t n = 0;

    (void)state;
    json_object_foreach(json_object_get(document, "paths"), path, item) json_object_foreach(item, method, operation)
    {
        if (!in_table(method, path))
            fail_msg("no such route: %s %s", method, path);
        n++;
    }
    assert_int_equal(n, app.n_routes);
}

/* Every {parameter} of a path is declared, and every reference leads somewhere. */
static json_t *resolve(const char *reference)
{
    json_t *at = document;
    char text[256];

    assert_int_equal(strncmp(reference, "#/", 2), 0);
    snprintf(text, sizeof text, "%s", reference + 2);
    for (char *part = strtok(text, "/"); part != NULL && at != NULL; part = strtok(NULL, "/"))
        at = json_object_get(at, part);
    return at;
}

static void check_references(json_t *at)
{
    const char *key;
    json_t *value;
    size_t i;

    json_object_foreach(at, key, value)
    {
        if (strcmp(key, "$ref") == 0 && resolve(json_string_value(value)) == NULL)
            fail_msg("dangling: %s", json_string_value(value));
        check_references(value);
    }
    json_array_foreach(at, i, value) check_references(value);
}

static bool declares(json_t *operation, const char *name, size_t length)
{
    json_t *parameter;
    size_t i;

    json_array_foreach(json_object_get(operation, "parameters"), i, parameter)
    {
        json_t *reference = json_object_get(parameter, "$ref");
        const char *found = json_string_value(
            json_object_get(reference == NULL ? parameter : resolve(json_string_value(reference)), "name"));
        if (found != NULL && strlen(found) == length && strncmp(found, name, length) == 0)
            return true;
    }
    return false;
}

static void test_references_and_parameters(void **state)
{
    const char *path, *method;
    json_t *item, *operation;

    (void)state;
    check_references(document);
    json_object_foreach(json_object_get(document, "paths"), path, item) json_object_foreach(
        item, method, operation) for (const char *at = strchr(path, '{'); at != NULL;
                                      at = strchr(at + 1, '{')) if (!declares(operation, at + 1, strcspn(at + 1, "}")))
        fail_msg("undeclared parameter: %s %s", method, path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_version),
        cmocka_unit_test(test_every_route_is_described),
        cmocka_unit_test(test_every_description_is_a_route),
        cmocka_unit_test(test_references_and_parameters),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
