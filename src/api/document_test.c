/* The OpenAPI document: against the table of endpoints, both ways, and against what it promises. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>

#include "api/api_fixture.h"

static struct gh_arena arena;
static struct gh_json_doc doc;
static struct gh_identity_settings settings;

static int open_document(void **state)
{
    gh_arena_init(&arena, 64 * 1024, 32u << 20);
    settings.base_path = GH_STR("/api/v1");
    doc = gh_api_document_read(&arena, &settings);
    return 0;
}

static int close_document(void **state)
{
    gh_arena_done(&arena);
    return 0;
}

static const struct gh_json_value *at(const struct gh_json_value *value, const char *path)
{
    for (struct gh_str rest = gh_str_from_c(path); rest.ptr && value;)
        value = gh_json_get(&doc, value, gh_str_split(&rest, '.'));
    return value;
}

static bool has(const struct gh_json_value *value, const char *path, const char *text)
{
    return gh_str_eq(gh_json_string(at(value, path)), gh_str_from_c(text));
}

static int64_t number(const struct gh_json_value *value, const char *path)
{
    int64_t result;
    if (!gh_json_int64(at(value, path), &result))
        fail_msg("no number %s", path);
    return result;
}

static struct gh_str path_of(const struct gh_service_endpoint *route)
{
    return gh_arena_format(&arena, "%s%s", route->absolute ? "" : "/api/v1", route->path);
}

static const struct gh_json_value *operation_of(size_t index)
{
    size_t count;
    const struct gh_service_endpoint *route = &gh_api_endpoints(&count)[index];
    const struct gh_json_value *operation =
        gh_api_document_operation(&doc, path_of(route), route->method);
    if (!operation)
        fail_msg("%s %s is not in the document", route->method, route->path);
    return operation;
}

static const struct gh_json_value *operation_named(const char *name)
{
    return operation_of(gh_api_endpoint_index(name));
}

static const struct gh_json_value *body_of(const struct gh_json_value *operation)
{
    const struct gh_json_value *content = at(operation, "requestBody.content");
    return at(gh_json_get(&doc, content, GH_STR("application/json")), "schema");
}

static bool lists(const struct gh_json_value *array, const char *text)
{
    for (const struct gh_json_value *item = gh_json_first(&doc, array); item;
         item = gh_json_after(&doc, array, item))
        if (gh_str_eq(gh_json_string(item), gh_str_from_c(text)))
            return true;
    return false;
}

/* ---- Both ways ---- */

static void has_every_endpoint_of_the_table(void **state)
{
    size_t count;
    gh_api_endpoints(&count);
    for (size_t i = 0; i < count; i++)
        assert_true(has(operation_of(i), "operationId", gh_endpoint_at(i)->operation));
}

static void has_nothing_that_is_not_in_the_table(void **state)
{
    size_t count, found = 0;
    gh_api_endpoints(&count);
    const struct gh_json_value *paths = at(gh_json_root(&doc), "paths");
    for (const struct gh_json_value *path = gh_json_first(&doc, paths); path;
         path = gh_json_after(&doc, paths, path))
        found += path->count;
    assert_int_equal(found, count);
}

/* ---- Bodies ---- */

static void check_member(const struct gh_json_value *schema, const struct gh_body_member *member)
{
    const struct gh_json_value *property =
        gh_json_get(&doc, at(schema, "properties"), gh_str_from_c(member->name));
    assert_non_null(property);
    assert_int_equal(lists(at(schema, "required"), member->name), member->required);
    switch (member->type) {
    case GH_BODY_BOOLEAN:
        assert_true(has(property, "type", "boolean"));
        return;
    case GH_BODY_STRINGS:
        assert_true(has(property, "type", "array"));
        assert_int_equal(number(property, "maxItems"), GH_BODY_ROLES_MAX);
        property = at(property, "items");
        break;
    case GH_BODY_STRING:
        assert_int_equal(has(property, "format", "email"), strcmp(member->name, "email") == 0);
        break;
    }
    assert_true(has(property, "type", "string"));
    assert_int_equal(number(property, "minLength"), member->length_min);
    assert_int_equal(number(property, "maxLength"), member->length_max);
}

static void bodies_are_those_of_the_table(void **state)
{
    size_t count;
    gh_api_endpoints(&count);
    for (size_t i = 0; i < count; i++) {
        const struct gh_endpoint *endpoint = gh_endpoint_at(i);
        const struct gh_json_value *schema = body_of(operation_of(i));
        assert_int_equal(schema != NULL, endpoint->member_count > 0);
        if (!schema)
            continue;
        assert_true(has(schema, "type", "object"));
        assert_false(at(schema, "additionalProperties")->boolean);
        assert_int_equal(at(schema, "properties")->count, endpoint->member_count);
        bool required = false;
        for (size_t m = 0; m < endpoint->member_count; m++) {
            check_member(schema, &endpoint->members[m]);
            required |= endpoint->members[m].required;
        }
        assert_int_equal(at(operation_of(i), "requestBody.required")->boolean, required);
    }
}

/* ---- Every schema, inputs and answers ---- */

static bool is_type(const struct gh_json_value *schema, const char *type)
{
    const struct gh_json_value *types = gh_json_get(&doc, schema, GH_STR("type"));
    return types && (types->kind == GH_JSON_ARRAY ? lists(types, type)
                                                  : gh_str_eq(types->text, gh_str_from_c(type)));
}

/* What `openapi lint` asks (SPEC section 8), of all objects that say a type. Two are left open: an
   audit record's metadata and a JWK, and answers that are somebody else's JSON. */
static void strings_numbers_and_arrays_have_bounds_everywhere(void **state)
{
    size_t strings = 0;
    for (size_t i = 0; i < doc.count; i++) {
        const struct gh_json_value *schema = &doc.values[i];
        const struct gh_json_value *type =
            schema->kind == GH_JSON_OBJECT ? gh_json_get(&doc, schema, GH_STR("type")) : NULL;
        if (!type || (type->kind != GH_JSON_STRING && type->kind != GH_JSON_ARRAY) ||
            gh_json_get(&doc, schema, GH_STR("scheme")) || has(schema, "type", "apiKey"))
            continue;
        if (is_type(schema, "string")) {
            assert_true(number(schema, "maxLength") > 0);
            strings++;
        }
        if (is_type(schema, "integer"))
            assert_true(number(schema, "minimum") <= number(schema, "maximum"));
        if (is_type(schema, "array"))
            assert_true(number(schema, "maxItems") > 0 && at(schema, "items"));
        if (is_type(schema, "object") && at(schema, "properties"))
            assert_false(at(schema, "additionalProperties")->boolean);
    }
    assert_true(strings > 50);
}

static void references_lead_to_schemas_and_none_is_unused(void **state)
{
    const struct gh_json_value *schemas = at(gh_json_root(&doc), "components.schemas");
    struct gh_str prefix = GH_STR("#/components/schemas/");
    bool *used = calloc(schemas->count, sizeof(*used));
    for (size_t i = 0; i < doc.count; i++) {
        if (!doc.values[i].name.ptr || !gh_str_eq(doc.values[i].name, GH_STR("$ref")))
            continue;
        assert_true(gh_str_starts_with(doc.values[i].text, prefix));
        struct gh_str name = gh_str_skip(doc.values[i].text, prefix.len);
        const struct gh_json_value *target = gh_json_get(&doc, schemas, name);
        assert_non_null(target);
        size_t index = 0;
        for (const struct gh_json_value *item = gh_json_first(&doc, schemas); item != target;
             item = gh_json_after(&doc, schemas, item))
            index++;
        used[index] = true;
    }
    for (size_t i = 0; i < schemas->count; i++)
        assert_true(used[i]);
    free(used);
}

static void required_members_of_answers_are_declared(void **state)
{
    for (size_t i = 0; i < doc.count; i++) {
        const struct gh_json_value *schema = &doc.values[i];
        const struct gh_json_value *properties =
            schema->kind == GH_JSON_OBJECT ? gh_json_get(&doc, schema, GH_STR("properties")) : NULL;
        const struct gh_json_value *required =
            properties ? gh_json_get(&doc, schema, GH_STR("required")) : NULL;
        if (!required)
            continue;
        for (const struct gh_json_value *name = gh_json_first(&doc, required); name;
             name = gh_json_after(&doc, required, name))
            assert_non_null(gh_json_get(&doc, properties, name->text));
    }
}

/* ---- Operations ---- */

static void operations_say_what_they_do_and_who_may(void **state)
{
    size_t count;
    const struct gh_service_endpoint *routes = gh_api_endpoints(&count);
    for (size_t i = 0; i < count; i++) {
        const struct gh_json_value *operation = operation_of(i);
        bool is_public = routes[i].access.kind == GH_ACCESS_PUBLIC;
        assert_true(gh_json_string(at(operation, "summary")).len > 5);
        assert_int_equal(at(operation, "security")->count, is_public ? 0 : 2);
    }
}

static const struct gh_json_value *parameter(const struct gh_json_value *operation,
                                             const char *name)
{
    const struct gh_json_value *list = at(operation, "parameters");
    for (const struct gh_json_value *item = gh_json_first(&doc, list); item;
         item = gh_json_after(&doc, list, item))
        if (has(item, "name", name))
            return item;
    return NULL;
}

static void parameters_of_paths_are_declared(void **state)
{
    size_t count;
    const struct gh_service_endpoint *routes = gh_api_endpoints(&count);
    for (size_t i = 0; i < count; i++) {
        const struct gh_json_value *id = parameter(operation_of(i), "id");
        assert_int_equal(id != NULL, strstr(routes[i].path, "{id}") != NULL);
        if (id)
            assert_true(has(id, "in", "path") && at(id, "required")->boolean);
    }
}

/* The bounds are those that the handlers hold. */
static void parameters_of_queries_have_the_bounds_of_their_handlers(void **state)
{
    static const char *const PAGED[] = {"users", "audit", "activity", "anomalies"};
    for (size_t i = 0; i < sizeof(PAGED) / sizeof(PAGED[0]); i++) {
        const struct gh_json_value *limit = parameter(operation_named(PAGED[i]), "limit");
        assert_non_null(limit);
        assert_true(has(limit, "in", "query"));
        assert_int_equal(number(limit, "schema.minimum"), 1);
        assert_int_equal(number(limit, "schema.maximum"), 200);
    }
    assert_int_equal(number(parameter(operation_named("users"), "after"), "schema.maxLength"),
                     GH_ID_LEN);
    assert_non_null(parameter(operation_named("audit"), "event"));
    assert_non_null(parameter(operation_named("audit"), "user"));
    assert_non_null(parameter(operation_named("activity"), "before"));
}

static const struct gh_json_value *problem_schema(const struct gh_json_value *response)
{
    const struct gh_json_value *content =
        gh_json_get(&doc, at(response, "content"), GH_STR("application/problem+json"));
    return at(content, "schema");
}

static void refusals_are_problem_documents(void **state)
{
    size_t count;
    gh_api_endpoints(&count);
    for (size_t i = 0; i < count; i++) {
        const struct gh_json_value *responses = at(operation_of(i), "responses");
        unsigned successes = 0;
        for (const struct gh_json_value *response = gh_json_first(&doc, responses); response;
             response = gh_json_after(&doc, responses, response)) {
            successes += response->name.ptr[0] == '2';
            assert_true(gh_json_string(at(response, "description")).len > 0);
            if (response->name.ptr[0] != '2')
                assert_true(has(problem_schema(response), "$ref", "#/components/schemas/Problem"));
        }
        assert_in_range(successes, 1, 2);
    }
}

/* By what the table says: what it can't say (conflicts, say) tests of handlers look at. */
static void refusals_that_the_table_implies_are_declared(void **state)
{
    size_t count;
    const struct gh_service_endpoint *routes = gh_api_endpoints(&count);
    for (size_t i = 0; i < count; i++) {
        const struct gh_json_value *responses = at(operation_of(i), "responses");
        bool signed_in = routes[i].access.kind == GH_ACCESS_SIGNED_IN;
        assert_non_null(gh_json_get(&doc, responses, GH_STR("429"))); /* `global`, at least */
        assert_non_null(gh_json_get(&doc, responses, GH_STR("503")));
        assert_non_null(gh_json_get(&doc, responses, GH_STR("400")));
        if (signed_in)
            assert_non_null(gh_json_get(&doc, responses, GH_STR("401")));
        if (signed_in || routes[i].sets_session) /* a role, cross-site */
            assert_non_null(gh_json_get(&doc, responses, GH_STR("403")));
        if (strstr(routes[i].path, "{id}"))
            assert_non_null(gh_json_get(&doc, responses, GH_STR("404")));
        if (routes[i].body_max) {
            assert_non_null(gh_json_get(&doc, responses, GH_STR("413")));
            assert_non_null(gh_json_get(&doc, responses, GH_STR("415")));
            assert_non_null(gh_json_get(&doc, responses, GH_STR("422")));
        }
    }
}

/* ---- Settings ---- */

static void the_cookie_is_named_as_it_is_set(void **state)
{
    struct gh_identity_settings plain = settings;
    plain.plain_cookies = true;
    struct gh_json_doc other = gh_api_document_read(&arena, &plain);
    const struct gh_json_value *value = gh_json_root(&other);
    static const char *const PATH[] = {"components", "securitySchemes", "cookie", "name"};
    for (size_t i = 0; i < 4; i++)
        value = gh_json_get(&other, value, gh_str_from_c(PATH[i]));
    assert_true(gh_str_eq(gh_json_string(value), GH_STR("gh_access")));
    assert_true(
        has(gh_json_root(&doc), "components.securitySchemes.cookie.name", "__Host-gh_access"));
}

static void paths_follow_the_base_path_but_for_absolute_ones(void **state)
{
    struct gh_identity_settings moved = settings;
    moved.base_path = GH_STR("/id");
    struct gh_json_doc other = gh_api_document_read(&arena, &moved);
    assert_non_null(gh_api_document_operation(&other, GH_STR("/id/auth/login"), "POST"));
    assert_non_null(gh_api_document_operation(&other, GH_STR("/.well-known/jwks.json"), "GET"));
    assert_null(gh_api_document_operation(&other, GH_STR("/api/v1/auth/login"), "POST"));
}

/* Into any smaller buffer nothing is written behind its end. */
static void a_buffer_that_is_too_small_overflows_cleanly(void **state)
{
    for (size_t cap = 0; cap < 2000; cap += 37) {
        char *memory = malloc(cap + 1);
        struct gh_buf buf = gh_buf_over(memory, cap);
        gh_api_put_document(&buf, &settings);
        assert_true(buf.overflow);
        free(memory);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(has_every_endpoint_of_the_table),
        cmocka_unit_test(has_nothing_that_is_not_in_the_table),
        cmocka_unit_test(bodies_are_those_of_the_table),
        cmocka_unit_test(strings_numbers_and_arrays_have_bounds_everywhere),
        cmocka_unit_test(references_lead_to_schemas_and_none_is_unused),
        cmocka_unit_test(required_members_of_answers_are_declared),
        cmocka_unit_test(operations_say_what_they_do_and_who_may),
        cmocka_unit_test(parameters_of_paths_are_declared),
        cmocka_unit_test(parameters_of_queries_have_the_bounds_of_their_handlers),
        cmocka_unit_test(refusals_are_problem_documents),
        cmocka_unit_test(refusals_that_the_table_implies_are_declared),
        cmocka_unit_test(the_cookie_is_named_as_it_is_set),
        cmocka_unit_test(paths_follow_the_base_path_but_for_absolute_ones),
        cmocka_unit_test(a_buffer_that_is_too_small_overflows_cleanly),
    };
    return cmocka_run_group_tests(tests, open_document, close_document);
}
