/* Bodies of every endpoint, by the table: what is missing, unknown, of another type or length. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "api/api_fixture.h"

#define TEXT_MAX 16384

/* One reading: the request, and the document of the refusal. */
struct reading {
    struct gh_service_call call;
    struct gh_api_request request;
    bool ok;
    struct gh_json_doc json; /* when not ok */
};

static struct gh_api_fixture fixture; /* of the whole group: compiling the document takes time */

static void read_bytes(struct reading *reading, const char *operation, struct gh_str body)
{
    size_t index = gh_api_endpoint_index(operation);
    *reading = (struct reading){.call = {.endpoint = index, .body = body}};
    gh_arena_init(&reading->call.arena, 4096, 16u << 20);
    reading->call.request_id = GH_STR("0123456789abcdef");
    reading->request = (struct gh_api_request){
        .call = &reading->call, .api = &fixture.api, .endpoint = gh_endpoint_at(index)};
    size_t count;
    if (strstr(gh_api_endpoints(&count)[index].path, "{id}")) {
        reading->call.params[0] =
            (struct gh_path_param){GH_STR("id"), GH_STR("0190a5d0-0000-7000-8000-000000000000")};
        reading->call.param_count = 1;
    }
    reading->ok = gh_api_check_input(&reading->request);
    if (!reading->ok)
        assert_int_equal(gh_json_parse(&reading->call.arena, reading->call.reply.body,
                                       &gh_json_small, &reading->json, NULL),
                         GH_JSON_OK);
}

static void read_body(struct reading *reading, const char *operation, const char *body)
{
    read_bytes(reading, operation, gh_str_from_c(body));
}

static void done(struct reading *reading)
{
    gh_arena_done(&reading->call.arena);
}

static const struct gh_json_value *errors_of(const struct reading *reading)
{
    assert_false(reading->ok);
    return gh_json_get(&reading->json, gh_json_root(&reading->json), GH_STR("errors"));
}

static bool names(const struct reading *reading, const char *pointer)
{
    const struct gh_json_value *errors = errors_of(reading);
    assert_non_null(errors);
    for (const struct gh_json_value *error = gh_json_first(&reading->json, errors); error;
         error = gh_json_after(&reading->json, errors, error)) {
        assert_true(gh_json_string(gh_json_get(&reading->json, error, GH_STR("message"))).len > 0);
        assert_true(gh_json_string(gh_json_get(&reading->json, error, GH_STR("rule"))).len > 0);
        assert_true(
            gh_str_eq(gh_json_string(gh_json_get(&reading->json, error, GH_STR("location"))),
                      GH_STR("body")));
        struct gh_str at = gh_json_string(gh_json_get(&reading->json, error, GH_STR("pointer")));
        struct gh_str whole = gh_str_from_c(pointer), rest = gh_str_skip(at, whole.len);
        if (gh_str_starts_with(at, whole) &&
            (!rest.len || rest.ptr[0] == '/')) /* or an item of it */
            return true;
    }
    return false;
}

static void assert_refused(const char *operation, const char *body, unsigned status)
{
    struct reading reading;
    read_body(&reading, operation, body);
    if (reading.ok || reading.call.reply.status != status)
        fail_msg("%s %s: %u", operation, body, reading.ok ? 0 : reading.call.reply.status);
    done(&reading);
}

/* Refused with 422 for that one member alone. */
static void assert_refuses_member(const char *operation, const char *body, const char *pointer)
{
    struct reading reading;
    read_body(&reading, operation, body);
    assert_false(reading.ok);
    assert_int_equal(reading.call.reply.status, 422);
    if (!names(&reading, pointer) || errors_of(&reading)->count != 1)
        fail_msg("%s %s: %.*s", operation, body, GH_STR_ARG(reading.call.reply.body));
    done(&reading);
}

static void assert_taken(const char *operation, const char *body)
{
    struct reading reading;
    read_body(&reading, operation, body);
    if (!reading.ok)
        fail_msg("%s %s: %.*s", operation, body, GH_STR_ARG(reading.call.reply.body));
    done(&reading);
}

/* ---- What is no object ---- */

static void refuses_what_is_not_one_json_object(void **state)
{
    static const char *const BAD[] = {
        "{",
        "}",
        " ",
        "{}{}",
        "{},",
        "{\"token\"}",
        "{'token':'a'}",
        "{\"token\":\"\\ud800aaaaaaaaaaaaaaaa\"}",
        "\xef\xbb\xbf{}",
        "{\"token\":\"aaaaaaaaaaaaaaaa\",}",
        "{\"token\":\"a\xff\"}",
        "token=aaaaaaaaaaaaaaaa",
        "{\"token\":\"aaaaaaaaaaaaaaaa\",\"token\":\"aaaaaaaaaaaaaaaa\"}",
        "{\"token\":\"a\naaaaaaaaaaaaaaaa\"}",
        "{/**/}",
    };
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++)
        assert_refused("verifyEmail", BAD[i], 400);
    static const char *const OTHERS[] = {"[]", "null", "true", "7", "\"text\""};
    for (size_t i = 0; i < sizeof(OTHERS) / sizeof(OTHERS[0]); i++)
        assert_refused("verifyEmail", OTHERS[i], 422);
}

static void refuses_json_that_is_deep_or_wide(void **state)
{
    char text[TEXT_MAX];
    struct gh_buf buf = gh_buf_over(text, sizeof(text));
    for (size_t i = 0; i < 100; i++)
        gh_buf_put(&buf, GH_STR("{\"a\":"));
    gh_buf_put_char(&buf, 0);
    assert_refused("verifyEmail", text, 422);
    buf = gh_buf_over(text, sizeof(text));
    gh_buf_put_char(&buf, '{');
    for (unsigned i = 0; i < 300; i++)
        gh_buf_format(&buf, "%s\"a%u\":0", i ? "," : "", i);
    gh_buf_put(&buf, GH_STR("}\0"));
    assert_false(buf.overflow);
    assert_refused("verifyEmail", text, 422);
}

static void refuses_a_byte_of_nul_in_the_text(void **state)
{
    struct reading reading;
    read_bytes(&reading, "verifyEmail", GH_STR("{\"token\":\"aaaaaaaaaaaaaaaa\"}\0"));
    assert_false(reading.ok);
    assert_int_equal(reading.call.reply.status, 400);
    done(&reading);
}

/* ---- By the table, for every endpoint ---- */

static void put_good_value(struct gh_buf *buf, const struct gh_body_member *member)
{
    switch (member->type) {
    case GH_BODY_BOOLEAN:
        gh_buf_put(buf, GH_STR("true"));
        return;
    case GH_BODY_STRINGS:
        gh_buf_put(buf, GH_STR("[\"a\"]"));
        return;
    case GH_BODY_STRING:
        gh_buf_put_char(buf, '"');
        for (size_t i = 0; i < member->length_min || i == 0; i++)
            gh_buf_put_char(buf, 'a');
        gh_buf_put_char(buf, '"');
        return;
    }
}

/* All members but the one at `without` with values that they take; `instead` for that one. */
static struct gh_str body_without(struct gh_arena *arena, const struct gh_endpoint *endpoint,
                                  size_t without, const char *instead)
{
    struct gh_buf buf = gh_buf_over(gh_arena_alloc(arena, TEXT_MAX), TEXT_MAX);
    const char *comma = "";
    gh_buf_put_char(&buf, '{');
    for (size_t i = 0; i < endpoint->member_count; i++) {
        if (i == without && !instead)
            continue;
        gh_buf_format(&buf, "%s\"%s\":", comma, endpoint->members[i].name);
        if (i == without)
            gh_buf_put(&buf, gh_str_from_c(instead));
        else
            put_good_value(&buf, &endpoint->members[i]);
        comma = ",";
    }
    gh_buf_put_char(&buf, '}');
    gh_buf_put_char(&buf, 0);
    assert_false(buf.overflow);
    return gh_buf_str(&buf);
}

typedef void each_member(const struct gh_endpoint *endpoint, size_t index, struct gh_arena *arena,
                         const char *pointer);

static void for_each_member(each_member *fn)
{
    size_t count;
    gh_api_endpoints(&count);
    for (size_t i = 0; i < count; i++)
        for (size_t m = 0; m < gh_endpoint_at(i)->member_count; m++) {
            struct gh_arena arena;
            gh_arena_init(&arena, 4096, 1u << 20);
            fn(gh_endpoint_at(i), m, &arena,
               gh_arena_format(&arena, "/%s", gh_endpoint_at(i)->members[m].name).ptr);
            gh_arena_done(&arena);
        }
}

static void check_presence(const struct gh_endpoint *endpoint, size_t index, struct gh_arena *arena,
                           const char *pointer)
{
    struct gh_str body = body_without(arena, endpoint, index, NULL);
    assert_taken(endpoint->operation,
                 body_without(arena, endpoint, endpoint->member_count, NULL).ptr);
    if (endpoint->members[index].required)
        assert_refuses_member(endpoint->operation, body.ptr, pointer);
    else
        assert_taken(endpoint->operation, body.ptr);
}

static void a_required_member_is_missed_another_is_not(void **state)
{
    for_each_member(check_presence);
}

static void check_types(const struct gh_endpoint *endpoint, size_t index, struct gh_arena *arena,
                        const char *pointer)
{
    static const char *const VALUES[] = {"null", "7", "1e40", "{}", "[[]]", "[7]", "[null]"};
    enum gh_body_type type = endpoint->members[index].type;
    for (size_t i = 0; i < sizeof(VALUES) / sizeof(VALUES[0]); i++)
        assert_refuses_member(endpoint->operation,
                              body_without(arena, endpoint, index, VALUES[i]).ptr, pointer);
    if (type != GH_BODY_BOOLEAN)
        assert_refuses_member(endpoint->operation, body_without(arena, endpoint, index, "true").ptr,
                              pointer);
    if (type != GH_BODY_STRING)
        assert_refuses_member(endpoint->operation,
                              body_without(arena, endpoint, index, "\"true\"").ptr, pointer);
    if (type != GH_BODY_STRINGS)
        assert_refuses_member(endpoint->operation,
                              body_without(arena, endpoint, index, "[\"aaaaaaaaaaaaaaaaaa\"]").ptr,
                              pointer);
}

static void a_value_of_another_type_is_refused(void **state)
{
    for_each_member(check_types);
}

/* A string of `count` characters of four bytes each. */
static const char *wide(struct gh_arena *arena, size_t count, bool listed)
{
    struct gh_buf buf = gh_buf_over(gh_arena_alloc(arena, TEXT_MAX), TEXT_MAX);
    gh_buf_put(&buf, listed ? GH_STR("[\"") : GH_STR("\""));
    for (size_t i = 0; i < count; i++)
        gh_buf_put(&buf, GH_STR("\xf0\x9f\x98\x80"));
    gh_buf_put(&buf, listed ? GH_STR("\"]\0") : GH_STR("\"\0"));
    assert_false(buf.overflow);
    return buf.ptr;
}

static void check_lengths(const struct gh_endpoint *endpoint, size_t index, struct gh_arena *arena,
                          const char *pointer)
{
    const struct gh_body_member *member = &endpoint->members[index];
    bool listed = member->type == GH_BODY_STRINGS;
    const char *operation = endpoint->operation;
    if (member->type == GH_BODY_BOOLEAN)
        return;
    assert_true(member->length_max > 0 && member->length_min <= member->length_max);
    assert_taken(operation,
                 body_without(arena, endpoint, index, wide(arena, member->length_max, listed)).ptr);
    assert_taken(operation,
                 body_without(arena, endpoint, index, wide(arena, member->length_min, listed)).ptr);
    assert_refuses_member(
        operation,
        body_without(arena, endpoint, index, wide(arena, member->length_max + 1u, listed)).ptr,
        pointer);
    if (member->length_min)
        assert_refuses_member(
            operation,
            body_without(arena, endpoint, index, wide(arena, member->length_min - 1u, listed)).ptr,
            pointer);
}

static void lengths_are_counted_in_characters(void **state)
{
    for_each_member(check_lengths);
}

static void check_controls(const struct gh_endpoint *endpoint, size_t index, struct gh_arena *arena,
                           const char *pointer)
{
    static const char *const CONTROLS[] = {"\\u0000", "\\n", "\\r", "\\t", "\\u001f", "\\u007f"};
    const struct gh_body_member *member = &endpoint->members[index];
    if (member->type != GH_BODY_STRING)
        return;
    for (size_t i = 0; i < sizeof(CONTROLS) / sizeof(CONTROLS[0]); i++) {
        struct gh_str value =
            gh_arena_format(arena, "\"aaaaaaaaaaaaaaaa%saaaaaaaaa\"", CONTROLS[i]);
        assert_refuses_member(endpoint->operation,
                              body_without(arena, endpoint, index, value.ptr).ptr, pointer);
    }
}

static void control_characters_are_refused(void **state)
{
    for_each_member(check_controls);
}

static void every_endpoint_refuses_a_member_that_it_does_not_know(void **state)
{
    size_t count;
    gh_api_endpoints(&count);
    for (size_t i = 0; i < count; i++) {
        struct gh_arena arena;
        const struct gh_endpoint *endpoint = gh_endpoint_at(i);
        gh_arena_init(&arena, 4096, 1u << 20);
        struct gh_str body = body_without(&arena, endpoint, endpoint->member_count, NULL);
        struct gh_str more = gh_arena_format(&arena, "%.*s%s\"is_admin\":true}", (int)body.len - 2,
                                             body.ptr, endpoint->member_count ? "," : "");
        assert_refuses_member(endpoint->operation, more.ptr,
                              endpoint->member_count ? "/is_admin" : "");
        gh_arena_done(&arena);
    }
}

/* Names are compared whole, and as they are. */
static void names_nearly_right_are_unknown(void **state)
{
    static const char *const NEARLY[] = {"Name", "nam", "names", "name ", "", "name\\u0000"};
    for (size_t i = 0; i < sizeof(NEARLY) / sizeof(NEARLY[0]); i++) {
        struct gh_arena arena;
        gh_arena_init(&arena, 4096, 65536);
        assert_refused("updateProfile", gh_arena_format(&arena, "{\"%s\":\"Ada\"}", NEARLY[i]).ptr,
                       422);
        gh_arena_done(&arena);
    }
}

/* ---- The answer ---- */

static void all_that_is_wrong_is_named_at_once(void **state)
{
    struct reading reading;
    read_body(&reading, "signUp", "{\"password\":7,\"name\":true,\"more\":null}");
    assert_int_equal(errors_of(&reading)->count, 4);
    assert_true(names(&reading, "/email") && names(&reading, "/password") &&
                names(&reading, "/name") && names(&reading, "/more"));
    done(&reading);
}

static void pointers_are_escaped(void **state)
{
    assert_refuses_member("logOut", "{\"a/b~c\":1}", "/a~1b~0c");
    assert_refuses_member("logOut", "{\"~1\":1}", "/~01");
    assert_refuses_member("logOut", "{\"\":1}", "/");
    assert_refuses_member("logOut", "{\"</script>\\n\":1}", "/<~1script>\n");
}

/* Whatever they are: the answer stays a list of those that fit, never none. */
static void many_unknown_names_give_a_list_that_is_cut(void **state)
{
    char text[TEXT_MAX];
    struct reading reading;
    struct gh_buf buf = gh_buf_over(text, sizeof(text));
    gh_buf_put_char(&buf, '{');
    for (unsigned i = 0; i < 200; i++)
        gh_buf_format(&buf, "%s\"\\u0001\\u0002<<<<<<<<<<<<<<<<%u\":0", i ? "," : "", i);
    gh_buf_put(&buf, GH_STR("}\0"));
    assert_false(buf.overflow);
    read_body(&reading, "signUp", text);
    assert_false(reading.ok);
    assert_int_equal(reading.call.reply.status, 422);
    assert_non_null(errors_of(&reading));
    assert_true(errors_of(&reading)->count >= 10);
    assert_true(names(&reading, "/\x01\x02<<<<<<<<<<<<<<<<0"));
    done(&reading);
}

static void a_long_unknown_name_is_cut(void **state)
{
    char text[TEXT_MAX];
    struct reading reading;
    struct gh_buf buf = gh_buf_over(text, sizeof(text));
    gh_buf_put(&buf, GH_STR("{\"a"));
    for (unsigned i = 0; i < 1000; i++)
        gh_buf_put(&buf, GH_STR("\xe2\x82\xac")); /* the cut is inside one */
    gh_buf_put(&buf, GH_STR("\":0}\0"));
    read_body(&reading, "logOut", text);
    assert_false(reading.ok);
    assert_int_equal(errors_of(&reading)->count, 1);
    assert_true(reading.call.reply.body.len < 1000);
    done(&reading);
}

static void values_are_never_in_the_answer(void **state)
{
    struct reading reading;
    read_body(&reading, "logIn", "{\"email\":[\"hunter2@x\"],\"password\":\"hunter2\\u0000\"}");
    assert_false(reading.ok);
    assert_int_equal(gh_str_find(reading.call.reply.body, GH_STR("hunter2")),
                     reading.call.reply.body.len);
    done(&reading);
}

/* ---- What is read ---- */

static void values_are_decoded(void **state)
{
    struct reading reading;
    read_body(&reading, "logIn",
              " {\"remember\":true ,\"password\":\"p\\u00e4\\\"\\\\\",\"email\":\"a@b\"}\n");
    assert_true(reading.ok);
    assert_true(gh_str_eq(reading.request.body.password, GH_STR("p\xc3\xa4\"\\")));
    assert_true(gh_str_eq(reading.request.body.email, GH_STR("a@b")));
    assert_true(reading.request.body.remember);
    assert_null(reading.request.body.name.ptr);
    done(&reading);
}

static void not_given_and_empty_are_two_things(void **state)
{
    struct reading reading;
    read_body(&reading, "updateProfile", "{\"name\":\"\"}");
    assert_true(reading.ok);
    assert_non_null(reading.request.body.name.ptr);
    assert_int_equal(reading.request.body.name.len, 0);
    assert_null(reading.request.body.locale.ptr);
    done(&reading);
}

static void no_body_is_an_empty_object(void **state)
{
    assert_taken("logOut", "");
    assert_taken("updateProfile", "");
    assert_refuses_member("verifyEmail", "", "/token");
}

static void lists_of_roles_have_an_end(void **state)
{
    char text[TEXT_MAX];
    for (unsigned count = 0; count <= GH_BODY_ROLES_MAX + 1; count++) {
        struct reading reading;
        struct gh_buf buf = gh_buf_over(text, sizeof(text));
        gh_buf_put(&buf, GH_STR("{\"roles\":["));
        for (unsigned i = 0; i < count; i++)
            gh_buf_format(&buf, "%s\"r%u\"", i ? "," : "", i);
        gh_buf_put(&buf, GH_STR("]}\0"));
        read_body(&reading, "setRole", text);
        assert_int_equal(reading.ok, count <= GH_BODY_ROLES_MAX);
        if (reading.ok) {
            assert_true(reading.request.body.roles_given);
            assert_int_equal(reading.request.body.role_count, count);
        }
        done(&reading);
    }
}

/* Cut anywhere, a body is refused; nothing is read behind its end. */
static void every_beginning_of_a_body_is_refused(void **state)
{
    static const char BODY[] =
        "{\"email\":\"a@example.com\",\"password\":\"secret\",\"remember\":false}";
    for (size_t len = 1; len < sizeof(BODY) - 1; len++) {
        struct reading reading;
        struct gh_arena arena;
        gh_arena_init(&arena, 1, 4096);
        char *copy = gh_arena_alloc(&arena, len);
        memcpy(copy, BODY, len);
        read_bytes(&reading, "logIn", gh_str_of(copy, len));
        assert_false(reading.ok);
        assert_int_equal(reading.call.reply.status, 400);
        done(&reading);
        gh_arena_done(&arena);
    }
}

static int open_fixture(void **state)
{
    (void)state;
    gh_api_fixture_open(&fixture);
    return 0;
}

static int close_fixture(void **state)
{
    (void)state;
    gh_api_fixture_close(&fixture);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_what_is_not_one_json_object),
        cmocka_unit_test(refuses_json_that_is_deep_or_wide),
        cmocka_unit_test(refuses_a_byte_of_nul_in_the_text),
        cmocka_unit_test(a_required_member_is_missed_another_is_not),
        cmocka_unit_test(a_value_of_another_type_is_refused),
        cmocka_unit_test(lengths_are_counted_in_characters),
        cmocka_unit_test(control_characters_are_refused),
        cmocka_unit_test(every_endpoint_refuses_a_member_that_it_does_not_know),
        cmocka_unit_test(names_nearly_right_are_unknown),
        cmocka_unit_test(all_that_is_wrong_is_named_at_once),
        cmocka_unit_test(pointers_are_escaped),
        cmocka_unit_test(many_unknown_names_give_a_list_that_is_cut),
        cmocka_unit_test(a_long_unknown_name_is_cut),
        cmocka_unit_test(values_are_never_in_the_answer),
        cmocka_unit_test(values_are_decoded),
        cmocka_unit_test(not_given_and_empty_are_two_things),
        cmocka_unit_test(no_body_is_an_empty_object),
        cmocka_unit_test(lists_of_roles_have_an_end),
        cmocka_unit_test(every_beginning_of_a_body_is_refused),
    };
    return cmocka_run_group_tests(tests, open_fixture, close_fixture);
}
