/* What requests leave in the table, told as the lines that lint reads. */
#include "openapi/evidence_collect.h"

#include "openapi/check_fixture.h"
#include "openapi/load_fixture.h"

#include <pthread.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define TEXT_BYTES_MAX ((size_t)1 << 22)
#define JSON_TYPE      "application/json"
#define FORM_TYPE      "application/x-www-form-urlencoded"

static const char API[] =
    "openapi: 3.1.0\n"
    "info: {title: t, version: '1'}\n"
    "paths:\n"
    "  /things/{id}:\n"
    "    get:\n"
    "      operationId: look\n"
    "      parameters:\n"
    "        - {name: id, in: path, required: true, schema: {type: integer}}\n"
    "        - {name: q, in: query, schema: {type: string, maxLength: 8}}\n"
    "        - {name: X-Trace, in: header, schema: {type: string}}\n"
    "        - {name: tags, in: query, schema: {type: array, items: {type: string}}}\n"
    "      responses: {'200': {description: d}}\n"
    "  /things:\n"
    "    post:\n"
    "      parameters: [{name: q, in: query, schema: {type: string, maxLength: 8}}]\n"
    "      requestBody: {content: {application/json: {schema: {$ref: "
    "'#/components/schemas/Thing'}},\n"
    "        application/x-www-form-urlencoded: {schema: {$ref: '#/components/schemas/Thing'}}}}\n"
    "      responses: {'200': {description: d}}\n"
    "  /wide:\n"
    "    post:\n"
    "      operationId: wide\n"
    "      requestBody: {content: {application/json: {schema: {$ref: "
    "'#/components/schemas/Wide'}}}}\n"
    "      responses: {'200': {description: d}}\n"
    "components:\n"
    "  schemas:\n"
    "    Base: {type: object, properties: {a/b: {type: string}}}\n"
    "    Cat: {type: object, required: [meows], properties: {meows: {type: integer}}}\n"
    "    Dog: {type: object, required: [barks], properties: {barks: {type: number}}}\n"
    "    Wide: {type: object, properties: {l: {$ref: '#/components/schemas/Wide'},\n"
    "      r: {$ref: '#/components/schemas/Wide'}}}\n"
    "    Thing:\n"
    "      type: object\n"
    "      required: [name]\n"
    "      allOf: [{$ref: '#/components/schemas/Base'}]\n"
    "      properties:\n"
    "        name: {type: string}\n"
    "        age: {type: integer}\n"
    "        size: {type: number}\n"
    "        list: {type: array, items: {type: string}}\n"
    "        pair: {type: array, prefixItems: [{type: string}, {$ref: "
    "'#/components/schemas/Cat'}]}\n"
    "        map: {type: object, additionalProperties: {type: object, properties: {k: {}}}}\n"
    "        named: {type: object, patternProperties: {'^x': {type: string}}}\n"
    "        open: {type: object, additionalProperties: true}\n"
    "        pet: {oneOf: [{$ref: '#/components/schemas/Cat'}, {$ref: "
    "'#/components/schemas/Dog'}]}\n";

static struct gh_test_load load;
static struct gh_arena arena;
static struct gh_evidence_collector *collector;

static int open_document(void **state)
{
    static const struct gh_test_text TEXTS[] = {{"api.yaml", API}, {NULL, NULL}};
    (void)state;
    load = (struct gh_test_load){.texts = TEXTS};
    gh_test_load(&load);
    if (!load.openapi)
        print_message("%s", gh_test_problems(&load));
    return load.openapi ? 0 : -1;
}

static int close_document(void **state)
{
    (void)state;
    gh_test_load_done(&load);
    return 0;
}

static int begin(void **state)
{
    (void)state;
    gh_arena_init(&arena, 1 << 16, 1 << 28);
    collector = gh_evidence_collector_new(&arena, load.openapi);
    return collector ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    gh_arena_done(&arena);
    return 0;
}

/* In memory of its own, which is gone when the lines are read. */
static void send(struct gh_test_request request, size_t step, const char *want)
{
    struct gh_arena own;
    gh_arena_init(&own, 1 << 12, 1 << 28);
    request.evidence = collector;
    assert_string_equal(gh_test_check(load.openapi, &own, &request, step), want);
    gh_arena_done(&own);
}

static void post(const char *body)
{
    send(
        (struct gh_test_request){
            .method = "POST", .path = "/things", .type = JSON_TYPE, .body = body},
        0, "ok");
}

static const char *text_of(const struct gh_evidence *evidence)
{
    struct gh_str text;
    assert_int_equal(gh_evidence_write(&arena, evidence, TEXT_BYTES_MAX, &text), GH_OK);
    return gh_arena_dup(&arena, text).ptr;
}

/* All lines since the last time, in order. */
static struct gh_evidence take_lines(void)
{
    struct gh_evidence_counts *room = gh_evidence_counts_new(&arena);
    struct gh_evidence_taken taken;
    struct gh_evidence lines, sorted, none = {NULL, 0};
    assert_non_null(room);
    assert_true(gh_evidence_take(collector, room, &taken));
    assert_int_equal(gh_evidence_lines_of(collector, &taken, &arena, &lines), GH_OK);
    assert_int_equal(gh_evidence_merge(&arena, &lines, &none, &sorted), GH_OK);
    return sorted;
}

static void expect(const char *want)
{
    const struct gh_evidence lines = take_lines();
    assert_string_equal(text_of(&lines), want);
}

#define OF(operation, place) "{\"operation\":\"" operation "\",\"location\":" place
#define BODY(pointer)        OF("POST /things", "\"body\",\"pointer\":\"" pointer "\"")
#define KIND(kind, min, max, count)                                                                \
    ",\"kind\":\"" kind "\",\"min\":" #min ",\"max\":" #max ",\"count\":" #count

static void parameters_are_noted_by_their_names(void **state)
{
    (void)state;
    struct gh_test_request request = {.method = "GET", .path = "/things/{id}", .values = {"17"}};
    request.query = "q=h%C3%A9llo&tags=ab&tags=c";
    request.fields = "x-trace: 12345678\n";
    send(request, 0, "ok");
    request.values[0] = "5";
    request.query = "q=";
    send(request, 0, "ok");
    expect(OF("look", "\"header\",\"name\":\"X-Trace\"")
               KIND("string", 8, 8, 2) "}\n" OF("look", "\"path\",\"name\":\"id\"")
                   KIND("integer", 5, 17, 2) "}\n" OF("look", "\"query\",\"name\":\"q\"")
                       KIND("string", 0, 5, 2) "}\n" OF("look", "\"query\",\"name\":\"tags\"")
                           KIND("array", 2, 2, 1) "}\n" OF(
                               "look", "\"query\",\"name\":\"tags\",\"pointer\":\"/*\"")
                               KIND("string", 1, 2, 2) "}\n");
}

static void members_and_items_are_noted_by_their_places(void **state)
{
    (void)state;
    post("{\"name\":\"\\u00e9\\ud83d\\ude00x\",\"a/b\":\"abc\",\"list\":[\"a\",\"abcd\"],"
         "\"size\":-2.5}");
    expect(OF("POST /things", "\"body\"") KIND("object", 4, 4, 1) "}\n" BODY("/a~1b") KIND(
        "string", 3, 3, 1) "}\n" BODY("/list") KIND("array", 2, 2, 1) "}\n" BODY("/list/*")
               KIND("string", 1, 4, 2) "}\n" BODY("/name")
                   KIND("string", 3, 3, 1) "}\n" BODY("/size") KIND("number", -2.5, -2.5, 1) "}\n");
}

static void names_that_are_not_declared_are_never_told(void **state)
{
    (void)state;
    post("{\"name\":\"n\",\"secret\":\"hunter2\",\"map\":{\"secret\":{\"k\":1,\"secret\":2}},"
         "\"named\":{\"xsecret\":\"a\"},\"open\":{\"secret\":{\"secret\":\"b\"}}}");
    const struct gh_evidence lines = take_lines();
    const char *text = text_of(&lines);
    assert_null(strstr(text, "secret"));
    assert_null(strstr(text, "hunter2"));
    assert_non_null(strstr(text, BODY("/map/*/k") KIND("integer", 1, 1, 1)));
    assert_non_null(strstr(text, BODY("/map/*/*") KIND("integer", 2, 2, 1)));
    assert_non_null(strstr(text, BODY("/named/*") KIND("string", 1, 1, 1)));
    assert_non_null(strstr(text, BODY("/open/*/*") KIND("string", 1, 1, 1)));
}

static void an_object_with_members_of_its_own_is_marked(void **state)
{
    (void)state;
    post("{\"name\":\"n\",\"map\":{\"any\":{}},\"named\":{\"x\":\"a\"},\"open\":{}}");
    struct gh_evidence lines = take_lines();
    assert_null(strstr(text_of(&lines), "extra"));
    post("{\"name\":\"n\",\"map\":{\"any\":{\"z\":1}},\"open\":{\"z\":1}}");
    lines = take_lines();
    const char *text = text_of(&lines);
    assert_non_null(strstr(text, BODY("/map/*") KIND("object", 1, 1, 1) ",\"extra\":true}"));
    assert_non_null(strstr(text, BODY("/open") KIND("object", 1, 1, 1) ",\"extra\":true}"));
    assert_non_null(strstr(text, BODY("/map") KIND("object", 1, 1, 1) "}"));
}

static void members_of_every_alternative_are_declared(void **state)
{
    (void)state;
    post("{\"name\":\"n\",\"pet\":{\"meows\":3},\"pair\":[\"a\",{\"meows\":2}]}");
    post("{\"name\":\"n\",\"pet\":{\"barks\":1.5}}");
    const struct gh_evidence lines = take_lines();
    const char *text = text_of(&lines);
    assert_non_null(strstr(text, BODY("/pet/meows") KIND("integer", 3, 3, 1)));
    assert_non_null(strstr(text, BODY("/pet/barks") KIND("number", 1.5, 1.5, 1)));
    assert_non_null(strstr(text, BODY("/pair/*/meows") KIND("integer", 2, 2, 1)));
    assert_null(strstr(text, "extra"));
}

/* All of it or nothing: nobody widens bounds by what is refused. */
static void a_request_with_a_violation_is_no_evidence(void **state)
{
    static const size_t STEPS[] = {0, 1, 5};
    (void)state;
    struct gh_test_request request = {
        .method = "POST", .path = "/things", .type = JSON_TYPE, .body = "{\"name\":\"fine\"}"};
    for (size_t i = 0; i < 3; i++) {
        request.query = "q=muchtoolong";
        send(request, STEPS[i], "query:q: maxLength");
        request.query = "q=good";
        request.body = "{\"name\":\"fine\",\"age\":\"old\"}";
        send(request, STEPS[i], "body::/age type");
        request.body = "{\"name\":\"fine\"";
        send(request, STEPS[i], "body:: syntax");
        request.body = "{\"name\":\"fine\"}";
        request.type = "text/plain";
        send(request, 0, "415 body:: content_type");
        request.type = JSON_TYPE;
        expect("");
    }
}

static void a_body_counts_once_however_it_comes(void **state)
{
    static const size_t STEPS[] = {0, 1, 7, 1000};
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        send((struct gh_test_request){.method = "POST",
                                      .path = "/things",
                                      .query = "q=a",
                                      .type = i % 2 ? FORM_TYPE : JSON_TYPE,
                                      .body = i % 2 ? "name=abc" : "{\"name\":\"abc\"}"},
             STEPS[i], "ok");
        expect(OF("POST /things", "\"body\"") KIND("object", 1, 1, 1) "}\n" BODY("/name")
                   KIND("string", 3, 3, 1) "}\n" OF("POST /things", "\"query\",\"name\":\"q\"")
                       KIND("string", 1, 1, 1) "}\n");
    }
}

static void a_request_without_its_optional_body_counts(void **state)
{
    (void)state;
    struct gh_test_request request = {.method = "POST", .path = "/things", .query = "q=abc"};
    send(request, 0, "ok");
    request.type = JSON_TYPE;
    request.body = ""; /* chunked, and nothing came */
    send(request, 0, "ok");
    send(request, 1, "ok");
    expect(OF("POST /things", "\"query\",\"name\":\"q\"") KIND("string", 3, 3, 3) "}\n");
}

static void numbers_of_endless_digits_are_left_out(void **state)
{
    (void)state;
    post("{\"name\":\"n\",\"size\":1234567890123456789012345678901234567890123456789012345678901234"
         "5}");
    const struct gh_evidence lines = take_lines();
    assert_null(strstr(text_of(&lines), "/size"));
}

/* A schema in itself has endless places. */
static void places_are_bounded_by_depth_and_operation(void **state)
{
    char body[16384];
    (void)state;
    for (unsigned way = 0; way < 2048; way++) {
        struct gh_buf buf = gh_buf_over(body, sizeof(body) - 1);
        for (unsigned i = 0; i < 20; i++)
            gh_buf_format(&buf, "{\"%c\":", way >> i % 11 & 1 ? 'l' : 'r');
        gh_buf_put(&buf, GH_STR("{}"));
        for (unsigned i = 0; i < 20; i++)
            gh_buf_put_char(&buf, '}');
        body[buf.len] = '\0';
        send(
            (struct gh_test_request){
                .method = "POST", .path = "/wide", .type = JSON_TYPE, .body = body},
            0, "ok");
    }
    assert_true(gh_evidence_without_room(collector) > 0);
    post("{\"name\":\"n\"}");
    const struct gh_evidence lines = take_lines();
    assert_int_equal(lines.count, GH_EVIDENCE_OPERATION_PLACES_MAX + 2);
    for (size_t i = 0; i < lines.count; i++)
        assert_true(lines.lines[i].pointer.len <= 2 * GH_EVIDENCE_DEPTH_MAX || i == 0);
}

static void a_long_list_is_a_sample(void **state)
{
    const size_t items = 3 * GH_EVIDENCE_VALUES_MAX;
    struct gh_buf buf = gh_buf_over(gh_arena_alloc(&arena, 4 * items + 64), 4 * items + 63);
    (void)state;
    gh_buf_put(&buf, GH_STR("{\"name\":\"n\",\"list\":[\"a\""));
    for (size_t i = 1; i < items; i++)
        gh_buf_put(&buf, GH_STR(",\"a\""));
    gh_buf_put(&buf, GH_STR("]}"));
    buf.ptr[buf.len] = '\0';
    post(buf.ptr);
    const struct gh_evidence lines = take_lines();
    assert_int_equal(lines.lines[1].max, items);
    assert_in_range(lines.lines[2].count, GH_EVIDENCE_VALUES_MAX - 8, GH_EVIDENCE_VALUES_MAX);
}

static void what_could_not_be_written_is_taken_again(void **state)
{
    struct gh_evidence_taken taken;
    (void)state;
    post("{\"name\":\"abc\"}");
    assert_true(gh_evidence_take(collector, gh_evidence_counts_new(&arena), &taken));
    post("{\"name\":\"a\"}");
    assert_true(gh_evidence_give_back(collector, &taken));
    expect(OF("POST /things", "\"body\"") KIND("object", 1, 1, 2) "}\n" BODY("/name")
               KIND("string", 1, 3, 2) "}\n");
    assert_true(gh_evidence_take(collector, gh_evidence_counts_new(&arena), &taken));
    assert_int_equal(taken.count, 0);
}

static void *send_many(void *argument)
{
    (void)argument;
    for (unsigned i = 0; i < 500; i++)
        post("{\"name\":\"abc\",\"list\":[\"a\"]}");
    return NULL;
}

/* Threads share a table; what one finds in use it leaves out. */
static void threads_share_a_table(void **state)
{
    enum { THREADS = 3 };
    pthread_t threads[THREADS];
    struct gh_evidence_counts *room = gh_evidence_counts_new(&arena);
    struct gh_evidence all = {NULL, 0}, lines;
    (void)state;
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, send_many, NULL), 0);
    for (unsigned i = 0; i <= THREADS; i++) {
        struct gh_evidence_taken taken;
        if (i)
            pthread_join(threads[i - 1], NULL);
        if (!gh_evidence_take(collector, room, &taken))
            continue;
        assert_int_equal(gh_evidence_lines_of(collector, &taken, &arena, &lines), GH_OK);
        assert_int_equal(gh_evidence_merge(&arena, &all, &lines, &all), GH_OK);
    }
    assert_int_equal(all.count, 4);
    assert_in_range(all.lines[3].count, 1, 1500);
    assert_int_equal(all.lines[3].count, all.lines[0].count);
    assert_true(all.lines[3].min == 3 && all.lines[3].max == 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(parameters_are_noted_by_their_names, begin, end),
        cmocka_unit_test_setup_teardown(members_and_items_are_noted_by_their_places, begin, end),
        cmocka_unit_test_setup_teardown(names_that_are_not_declared_are_never_told, begin, end),
        cmocka_unit_test_setup_teardown(an_object_with_members_of_its_own_is_marked, begin, end),
        cmocka_unit_test_setup_teardown(members_of_every_alternative_are_declared, begin, end),
        cmocka_unit_test_setup_teardown(a_request_with_a_violation_is_no_evidence, begin, end),
        cmocka_unit_test_setup_teardown(a_body_counts_once_however_it_comes, begin, end),
        cmocka_unit_test_setup_teardown(a_request_without_its_optional_body_counts, begin, end),
        cmocka_unit_test_setup_teardown(numbers_of_endless_digits_are_left_out, begin, end),
        cmocka_unit_test_setup_teardown(places_are_bounded_by_depth_and_operation, begin, end),
        cmocka_unit_test_setup_teardown(a_long_list_is_a_sample, begin, end),
        cmocka_unit_test_setup_teardown(what_could_not_be_written_is_taken_again, begin, end),
        cmocka_unit_test_setup_teardown(threads_share_a_table, begin, end),
    };
    return cmocka_run_group_tests(tests, open_document, close_document);
}
