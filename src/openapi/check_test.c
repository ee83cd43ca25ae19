/* Parameters, limits and answers, against a document that has every place an input can stand in. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "openapi/check_cases.h"

struct get_case {
    const char *id, *tags, *query, *fields, *want;
};

static void run_gets(const struct get_case *cases, size_t count,
                     struct gh_input_undeclared undeclared)
{
    for (size_t i = 0; i < count; i++)
        expect(&(struct gh_test_request){.method = "GET",
                                         .path = "/pets/{id}/{tags}",
                                         .values = {cases[i].id, cases[i].tags},
                                         .query = cases[i].query,
                                         .fields = cases[i].fields,
                                         .undeclared = undeclared},
               cases[i].want);
}

#define RUN_GETS(cases, ...)                                                                       \
    run_gets(cases, sizeof(cases) / sizeof((cases)[0]), (struct gh_input_undeclared){__VA_ARGS__})

static void parameters_are_checked_in_their_places(void **state)
{
    (void)state;
    static const struct get_case CASES[] = {
        {"1", ";tags=a,b", "need=x", NULL, "ok"},
        {"1", ";tags=a",
         "need=x&limit=100&flag&filter[min]=1&filter[max]=2.5&from=1&to=2"
         "&where=%7B%22x%22:1%7D",
         "X-Trace: ab\nX-List: 1, 2\nX-List: 3\nAccept: text/html\nCookie: theme=dark; a=\"b\"\n"
         "Cookie: ids=1,2\n",
         "ok"},
        {"1", ";tags=a", "need=x&flag=true", NULL, "ok"},
        {"1", ";tags=a", "need=x&api_key=k", NULL, "ok"},
        {"1", ";tags=a", "need=x&session=k", NULL, "query:session: undeclared"},
        {"1", ";tags=a", "need=x&flag=", NULL, "ok"},
        {"0", ";tags=a", "need=x", NULL, "path:id: minimum"},
        {"x", ";tags=a", "need=x", NULL, "path:id: type"},
        {"1.5", ";tags=a", "need=x", NULL, "path:id: type"},
        {"%31", ";tags=a", "need=x", NULL, "ok"},
        {"1%", ";tags=a", "need=x", NULL, "path:id: style"},
        {"1", ";tags=a,long", "need=x", NULL, "path:tags:/1 maxLength"},
        {"1", "tags=a", "need=x", NULL, "path:tags: style"},
        {"1", NULL, "need=x", NULL, "path:tags: required"},
        {"1", ";tags=a", NULL, NULL, "query:need: required"},
        {"1", ";tags=a", "", NULL, "query:need: required"},
        {"1", ";tags=a", "need=", NULL, "query:need: minLength"},
        {"1", ";tags=a", "Need=x", NULL, "query:need: required, query:Need: undeclared"},
        {"1", ";tags=a", "need=x&limit=101", NULL, "query:limit: maximum"},
        {"1", ";tags=a", "need=x&limit=ten", NULL, "query:limit: type"},
        {"1", ";tags=a", "need=x&limit=", NULL, "query:limit: type"},
        {"1", ";tags=a", "need=x&limit=1&limit=2", NULL, "query:limit: style"},
        {"1", ";tags=a", "need=x&flag=yes", NULL, "query:flag: type"},
        {"1", ";tags=a", "need=x&flag&flag", NULL, "query:flag: style"},
        {"1", ";tags=a", "need=x&filter[min]=a", NULL, "query:filter:/min type"},
        {"1", ";tags=a", "need=x&filter[mid]=1", NULL, "query:filter:/mid additionalProperties"},
        {"1", ";tags=a", "need=x&filter[min=1", NULL, "query:filter: style"},
        {"1", ";tags=a", "need=x&filter=1", NULL, "query:filter: undeclared"},
        {"1", ";tags=a", "need=x&where={}", NULL, "query:where:/x required"},
        {"1", ";tags=a", "need=x&where=%7B", NULL, "query:where: syntax"},
        {"1", ";tags=a", "need=x&where=%7B%22x%22:%22%22%7D", NULL, "query:where:/x type"},
        {"1", ";tags=a", "need=x&from=a", NULL, "query:page:/from type"},
        {"1", ";tags=a", "need=x&from=1&from=2", NULL, "query:page: style"},
        {"1", ";tags=a", "need=x&other=1&other=2&a%0a=1", NULL,
         "query:other: undeclared, query:: undeclared"},
        {"1", ";tags=a", "need=x&limit=%zz", NULL, "query:: syntax"},
        {"1", ";tags=a", "need=x;limit=1", NULL, "query:: syntax"},
        {"1", ";tags=a", "need=%c0%af", NULL, "query:: syntax"},
        {"1", ";tags=a", "need=x", "X-Trace: xyz\n", "header:X-Trace: pattern"},
        {"1", ";tags=a", "need=x", "x-trace: ab\nX-TRACE: cd\n", "header:X-Trace: style"},
        {"1", ";tags=a", "need=x", "x_trace: ab\n", "header:X-Trace: style"},
        {"1", ";tags=a", "need=x", "X.Trace: xyz\nX-Trace: ab\n", "header:X-Trace: style"},
        {"1", ";tags=a", "need=x", "X-List: 1,a\nX-List: 3\n", "header:X-List:/1 type"},
        {"1", ";tags=a", "need=x", "X-List: 1,2\nX-List: 3,4\n", "header:X-List: maxItems"},
        {"1", ";tags=a", "need=x", "Cookie: theme=blue\n", "cookie:theme: enum"},
        {"1", ";tags=a", "need=x", "Cookie: theme=dark; theme=light\n", "cookie:theme: style"},
        {"1", ";tags=a", "need=x", "Cookie: theme=dark\nCookie: theme=dark\n",
         "cookie:theme: style"},
        {"1", ";tags=a", "need=x", "Cookie: theme=\"dark\"\n", "cookie:theme: style"},
        {"1", ";tags=a", "need=x", "Cookie: theme =dark\n", "cookie:theme: style"},
        {"1", ";tags=a", "need=x", "Cookie: theme=da%\n", "cookie:theme: style"},
        {"1", ";tags=a", "need=x", "Cookie: theme\n", "cookie:theme: style"},
        {"1", ";tags=a", "need=x", "Cookie: ids=1,b\n", "cookie:ids:/1 type"},
        {"0", ";tags=long", "limit=x&z=1", "X-Trace: -\nCookie: theme=x\n",
         "path:id: minimum, path:tags:/0 maxLength, query:limit: type, query:need: required, "
         "query:z: undeclared, header:X-Trace: pattern, cookie:theme: enum"},
    };
    RUN_GETS(CASES, .query = true);
}

static void undeclared_names_are_as_configured(void **state)
{
    (void)state;
    static const struct get_case LENIENT[] = {
        {"1", ";tags=a", "need=x&other=1", "Cookie: sid=x\n", "ok"},
    };
    static const struct get_case STRICT[] = {
        {"1", ";tags=a", "need=x", "Cookie: session=x; theme=dark\n", "ok"},
        {"1", ";tags=a", "need=x&other=1", "Cookie: sid=x; theme=dark; other; api_key=x\n",
         "cookie:sid: undeclared, cookie:other: undeclared, cookie:api_key: undeclared"},
    };
    RUN_GETS(LENIENT, .query = false);
    RUN_GETS(STRICT, .cookies = true);
}

struct body_case {
    const char *type, *body, *want;
};

#define PART(head, body) "--b\r\nContent-Disposition: form-data; name=" head "\r\n\r\n" body "\r\n"
#define END              "--b--\r\n"
#define TITLE            PART("\"title\"", "abc")
#define PNG              "\r\nContent-Type: image/png"
#define DOC              PART("\"doc\"; filename=\"d.png\"" PNG, "12345")

static void limits_are_violations_of_their_own(void **state)
{
    (void)state;
    struct gh_input_limits limits = gh_input_usual;
    limits.json =
        (struct gh_json_limits){.bytes_max = 40, .depth_max = 3, .values_max = 8, .members_max = 3};
    limits.form = (struct gh_form_limits){.bytes_max = 40, .fields_max = 3, .name_bytes_max = 8};
    limits.multipart.parts_max = 2;
    static const struct {
        const char *path;
        struct body_case body;
    } CASES[] = {
        {"/json", {JSON_TYPE, "[[[[]]]]", "body:: too_complex"}},
        {"/json", {JSON_TYPE, "[1,2,3,4,5,6,7,8]", "body:: too_complex"}},
        {"/json", {JSON_TYPE, "                                         {}", "body:: too_complex"}},
        {"/json",
         {"text/plain", "12345678901234567890123456789012345678901", "body:: too_complex"}},
        {"/form", {FORM_TYPE, "a=1&b=2&c=3&d=4", "body:: too_complex"}},
        {"/form", {FORM_TYPE, "a=1234567890123456789012345678901234567890", "body:: too_complex"}},
        {"/form", {FORM_TYPE, "a12345678=1", "body:: too_complex"}},
        {"/parts", {PARTS_TYPE, TITLE DOC DOC END, "body:: too_complex"}},
        {"/parts",
         {PARTS_TYPE, TITLE PART("\"count\"", "12345678901234567890123456789012345678901") END,
          "body::/count too_complex"}},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++)
        expect(&(struct gh_test_request){.method = "POST",
                                         .path = CASES[i].path,
                                         .type = CASES[i].body.type,
                                         .body = CASES[i].body.body,
                                         .limits = &limits},
               CASES[i].body.want);
    limits = gh_input_usual;
    limits.schema.steps_max = 1;
    expect(&(struct gh_test_request){.method = "POST",
                                     .path = "/json",
                                     .type = JSON_TYPE,
                                     .body = "{\"name\":\"ada\"}",
                                     .limits = &limits},
           "body:: too_complex");
}

static void no_more_violations_than_asked_for_come_back(void **state)
{
    (void)state;
    struct gh_input_limits limits = gh_input_usual;
    struct gh_test_request request = {.method = "POST",
                                      .path = "/json",
                                      .query = "a=1&b=2",
                                      .type = JSON_TYPE,
                                      .body = "{\"name\":1,\"tags\":[1,2]}",
                                      .limits = &limits,
                                      .undeclared = {.query = true}};
    limits.violations_max = 3;
    expect(&request, "query:a: undeclared, query:b: undeclared, body::/name type");
    limits.violations_max = 1;
    expect(&request, "query:a: undeclared");
    limits.violations_max = 0;
    expect(&request, "query:a: undeclared");
}

static void messages_repeat_no_values(void **state)
{
    (void)state;
    struct gh_fields fields;
    struct gh_field items[4];
    struct gh_input_checked checked;
    const struct gh_str values[] = {GH_STR("hunter2"), GH_STR(";tags=hunter2")};
    gh_fields_init(&fields, items, 4);
    assert_true(gh_fields_add(&fields, GH_STR("X-Trace"), GH_STR("hunter2")));
    assert_true(gh_fields_add(&fields, GH_STR("Cookie"), GH_STR("theme=hunter2")));
    const struct gh_input_request request = {
        .openapi = load.openapi,
        .operation = gh_test_operation(load.openapi, "GET", "/pets/{id}/{tags}"),
        .limits = &gh_input_usual,
        .undeclared = {.query = true},
        .path_values = values,
        .path_value_count = 2,
        .query = GH_STR("limit=hunter2&filter[min]=hunter2&where=hunter2&x=hunter2"),
        .fields = &fields,
    };
    assert_int_equal(gh_input_check_head(&request, &arena, &checked), GH_INPUT_VIOLATIONS);
    assert_int_equal(checked.report.count, 9);
    for (size_t i = 0; i < checked.report.count; i++) {
        const struct gh_input_violation *found = &checked.report.violations[i];
        assert_int_equal(gh_str_find(found->message, GH_STR("hunter2")), found->message.len);
        assert_int_equal(gh_str_find(found->pointer, GH_STR("hunter2")), found->pointer.len);
    }
}

static void a_stream_refuses_at_the_first_wrong_byte(void **state)
{
    (void)state;
    struct gh_fields fields;
    struct gh_field items[1];
    struct gh_input_checked checked;
    gh_fields_init(&fields, items, 1);
    assert_true(gh_fields_add(&fields, GH_STR("Content-Type"), GH_STR(JSON_TYPE)));
    const struct gh_input_request request = {
        .openapi = load.openapi,
        .operation = gh_test_operation(load.openapi, "POST", "/json"),
        .limits = &gh_input_usual,
        .fields = &fields,
        .has_body = true,
    };
    assert_int_equal(gh_input_check_head(&request, &arena, &checked), GH_INPUT_OK);
    struct gh_input_stream *stream = gh_input_stream_new(&request, &arena, &checked);
    assert_int_equal(gh_input_stream_feed(stream, GH_STR("{\"name\":")), GH_INPUT_OK);
    assert_int_equal(gh_input_stream_feed(stream, GH_STR("!")), GH_INPUT_VIOLATIONS);
    assert_int_equal(gh_input_stream_feed(stream, GH_STR("\"ada\"}")), GH_INPUT_VIOLATIONS);
    assert_int_equal(gh_input_stream_finish(stream), GH_INPUT_VIOLATIONS);
    assert_int_equal(checked.report.count, 1);
    struct gh_str message = checked.report.violations[0].message;
    assert_true(gh_str_ends_with(message, GH_STR("at byte 8")));
}

static void answers_are_checked_too(void **state)
{
    (void)state;
    static const struct {
        unsigned status;
        const char *type, *body, *want;
    } CASES[] = {
        {200, JSON_TYPE, "{\"id\":1}", "ok"},
        {200, JSON_TYPE, "{\"id\":1,\"seen\":\"x\"}", "ok"},
        {204, NULL, "", "ok"},
        {404, "application/problem+json", "{\"title\":\"x\"}", "ok"},
        {200, JSON_TYPE, "{\"id\":1,\"secret\":\"x\"}", "body::/secret writeOnly"},
        {200, JSON_TYPE, "{}", "body::/id required"},
        {200, JSON_TYPE, "{\"id\":\"1\"}", "body::/id type"},
        {200, JSON_TYPE, "{", "body:: syntax"},
        {200, JSON_TYPE, "", "body:: required"},
        {200, NULL, "{\"id\":1}", "415 body:: content_type"},
        {200, "text/html", "{\"id\":1}", "415 body:: content_type"},
        {204, NULL, "x", "body:: undeclared"},
        {404, "application/problem+json", "{}", "body::/title required"},
        {500, JSON_TYPE, "{}", "body:status: undeclared"},
        {201, JSON_TYPE, "{\"id\":1}", "body:status: undeclared"},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct gh_input_report report;
        char line[512];
        struct gh_buf buf = gh_buf_over(line, sizeof(line) - 1);
        const struct gh_input_response response = {
            .openapi = load.openapi,
            .operation = gh_test_operation(load.openapi, "GET", "/pets/{id}/{tags}"),
            .limits = &gh_input_usual,
            .status = CASES[i].status,
            .content_type = CASES[i].type ? gh_str_from_c(CASES[i].type) : (struct gh_str){0},
            .body = gh_str_from_c(CASES[i].body),
        };
        enum gh_input_outcome outcome = gh_input_check_response(&response, &arena, &report);
        gh_test_put_report(&buf, outcome, &report);
        line[buf.len] = '\0';
        assert_string_equal(line, CASES[i].want);
    }
}

/* Only a request that is not as declared. */
static enum gh_input_outcome check_in(struct gh_arena *small,
                                      const struct gh_input_request *request, struct gh_str body)
{
    struct gh_input_checked checked;
    enum gh_input_outcome outcome = gh_input_check_head(request, small, &checked);
    if (outcome == GH_INPUT_NO_MEMORY || !checked.media)
        return outcome;
    return gh_input_check_body(request, small, body, &checked);
}

/* With too little memory the answer is that, or the same as ever; never "ok" for what is not. */
static void a_full_arena_never_passes_anything(void **state)
{
    (void)state;
    static const struct {
        const char *method, *path, *type, *query, *cookie, *body;
    } CASES[] = {
        {"POST", "/json", JSON_TYPE, NULL, "", "{\"name\":\"a\",\"tags\":[\"long\"]}"},
        {"POST", "/json", "text/plain", NULL, "", "longer"},
        {"POST", "/form", FORM_TYPE, NULL, "", "name=%41da&tags=1&tags=x&csv=a,b&deep[a]=1"},
        {"POST", "/parts", PARTS_TYPE, NULL, "", TITLE DOC PART("\"meta\"", "{}") END},
        {"GET", "/pets/{id}/{tags}", NULL, "need=x&filter[min]=1&limit=%31&where=%7B%22x%22:1%7D",
         "ids=1,x", NULL},
    };
    const struct gh_str values[] = {GH_STR("%31"), GH_STR(";tags=a,b")};
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct gh_fields fields;
        struct gh_field items[2];
        gh_fields_init(&fields, items, 2);
        if (CASES[i].type)
            assert_true(
                gh_fields_add(&fields, GH_STR("Content-Type"), gh_str_from_c(CASES[i].type)));
        assert_true(gh_fields_add(&fields, GH_STR("Cookie"), gh_str_from_c(CASES[i].cookie)));
        const struct gh_input_request request = {
            .openapi = load.openapi,
            .operation = gh_test_operation(load.openapi, CASES[i].method, CASES[i].path),
            .limits = &gh_input_usual,
            .path_values = values,
            .path_value_count = 2,
            .query = gh_str_from_c(CASES[i].query),
            .fields = &fields,
            .has_body = CASES[i].body != NULL,
        };
        enum gh_input_outcome outcome = GH_INPUT_NO_MEMORY;
        for (size_t max = 0; outcome == GH_INPUT_NO_MEMORY; max += 64) {
            struct gh_arena small;
            assert_true(max < 65536);
            gh_arena_init(&small, 64, max);
            outcome = check_in(&small, &request, gh_str_from_c(CASES[i].body));
            assert_true(outcome == GH_INPUT_VIOLATIONS || outcome == GH_INPUT_NO_MEMORY);
            gh_arena_done(&small);
        }
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_arena, close_arena)
    const struct CMUnitTest tests[] = {
        TEST(parameters_are_checked_in_their_places),
        TEST(undeclared_names_are_as_configured),
        TEST(limits_are_violations_of_their_own),
        TEST(no_more_violations_than_asked_for_come_back),
        TEST(messages_repeat_no_values),
        TEST(a_stream_refuses_at_the_first_wrong_byte),
        TEST(answers_are_checked_too),
        TEST(a_full_arena_never_passes_anything),
    };
    return cmocka_run_group_tests(tests, open_document, close_document);
}
