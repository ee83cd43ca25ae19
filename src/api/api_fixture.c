#include "api/api_fixture.h"

#include <stdarg.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/base64.h"
#include "crypto/totp.h"
#include "openapi/check.h"

#define CALL_BYTES_MAX (16u * 1024 * 1024) /* as the gateway has it */

/* Of the document with all that it needs. */
#define INPUTS_BYTES_MAX (16u * 1024 * 1024)

/* An export or the document; deeper than any body. */
static const struct gh_json_limits ANSWER_LIMITS = {4u << 20, 64, 200000, 1000};

/* ---- The fixture ---- */

static const struct gh_identity_keys *keys_take(void *context)
{
    struct gh_api_fixture *fixture = context;
    fixture->keys_taken++;
    return &fixture->identity.keys;
}

static void keys_give(void *context, const struct gh_identity_keys *keys)
{
    struct gh_api_fixture *fixture = context;
    assert_ptr_equal(keys, &fixture->identity.keys);
    fixture->keys_taken--;
}

void gh_api_fixture_open(struct gh_api_fixture *fixture)
{
    *fixture = (struct gh_api_fixture){.call_count = 0};
    gh_identity_fixture_open(&fixture->identity);
    assert_true(gh_str_eq(FIXTURE_PASSWORD, GH_STR(PASSWORD_TEXT)));
    assert_true(gh_str_eq(FIXTURE_PASSWORD2, GH_STR(PASSWORD2_TEXT)));
    fixture->api = (struct gh_api){.identity = &fixture->identity.identity,
                                   .keys_take = keys_take,
                                   .keys_give = keys_give,
                                   .context = fixture};
    gh_arena_init(&fixture->inputs, 64 * 1024, INPUTS_BYTES_MAX);
    assert_int_equal(
        gh_api_load_inputs(&fixture->api, &fixture->inputs, &fixture->identity.settings, true),
        GH_OK);
}

void gh_api_fixture_close(struct gh_api_fixture *fixture)
{
    for (size_t i = 0; i < fixture->call_count; i++) {
        gh_arena_done(&fixture->calls[i]->arena);
        free(fixture->calls[i]);
    }
    gh_arena_done(&fixture->inputs);
    gh_identity_fixture_close(&fixture->identity);
}

int gh_api_fixture_setup(void **state)
{
    struct gh_api_fixture *fixture = calloc(1, sizeof(*fixture));
    assert_non_null(fixture);
    gh_api_fixture_open(fixture);
    *state = fixture;
    return 0;
}

int gh_api_fixture_teardown(void **state)
{
    gh_api_fixture_close(*state);
    free(*state);
    return 0;
}

/* ---- Calls ---- */

size_t gh_api_endpoint_index(const char *operation)
{
    size_t count;
    gh_api_endpoints(&count);
    for (size_t i = 0; i < count; i++)
        if (strcmp(gh_endpoint_at(i)->operation, operation) == 0)
            return i;
    fail_msg("no operation %s", operation);
    return 0;
}

struct gh_service_call *gh_api_fixture_call(struct gh_api_fixture *fixture,
                                            const struct gh_api_ask *ask)
{
    struct gh_service_call *call = calloc(1, sizeof(*call));
    assert_non_null(call);
    assert_true(fixture->call_count < FIXTURE_CALLS_MAX);
    fixture->calls[fixture->call_count++] = call;
    gh_arena_init(&call->arena, 4096, CALL_BYTES_MAX);
    call->endpoint = gh_api_endpoint_index(ask->operation);
    call->identity = &fixture->identity.settings;
    call->query = gh_str_from_c(ask->query);
    call->body = gh_str_from_c(ask->body);
    call->content_type = GH_STR("application/json");
    call->refresh_cookie = ask->refresh_cookie;
    call->device_cookie = ask->device_cookie;
    call->user_agent = GH_STR("Fixture/1.0");
    call->client = call->network = gh_str_from_c(ask->client ? ask->client : "192.0.2.1");
    call->request_id = GH_STR("0123456789abcdef");
    call->base_url = GH_STR("https://api.example.com");
    call->https = true;
    call->now_us = fixture->identity.now_us;
    call->reply.status = 500;
    if (ask->id) {
        call->params[0] = (struct gh_path_param){GH_STR("id"), gh_str_from_c(ask->id)};
        call->param_count = 1;
    }
    if (ask->access.len) {
        call->signed_in = true;
        call->subject = *gh_fixture_call_as(&fixture->identity, ask->access).subject;
    }
    return call;
}

/* ---- What all answers are ---- */

static void check_fields(const struct gh_api_answer *answer)
{
    const char *type = answer->status < 400 ? "application/json" : "application/problem+json";
    assert_int_equal(gh_api_answer_count(answer, "Content-Type"), 1);
    assert_true(gh_str_eq(gh_api_answer_field(answer, "Content-Type"), gh_str_from_c(type)));
    for (size_t i = 0; i < answer->reply->field_count; i++) {
        const struct gh_field *field = &answer->reply->fields[i];
        assert_int_equal(field->id, gh_field_id_of(field->name));
        for (size_t at = 0; at < field->value.len; at++)
            assert_in_range((unsigned char)field->value.ptr[at], 0x20, 0x7e);
    }
    assert_true((answer->status == 429 || answer->status == 503) ==
                (gh_api_answer_field(answer, "Retry-After").ptr != NULL));
}

/* Only what is the same for everybody may be kept. */
static void check_cache_control(const struct gh_service_endpoint *route,
                                const struct gh_api_answer *answer)
{
    bool same_for_all = route->access.kind == GH_ACCESS_PUBLIC && !route->sets_session;
    const char *wanted = same_for_all && answer->status == 200 ? "public, max-age=300" : "no-store";
    assert_true(gh_str_eq(gh_api_answer_field(answer, "Cache-Control"), gh_str_from_c(wanted)));
}

static void check_problem(const struct gh_api_answer *answer)
{
    int64_t status;
    assert_true(gh_json_int64(gh_api_answer_at(answer, "status"), &status));
    assert_int_equal(status, answer->status);
    assert_true(gh_api_answer_text(answer, "type").len > 0);
    assert_true(gh_api_answer_text(answer, "title").len > 0);
    assert_true(gh_api_answer_text(answer, "detail").len > 0);
    assert_true(gh_api_answer_has(answer, "request_id", "0123456789abcdef"));
}

static void check_documented(const struct gh_api_fixture *fixture,
                             const struct gh_service_call *call, const struct gh_api_answer *answer)
{
    struct gh_input_limits limits = gh_input_usual;
    struct gh_input_report report;
    struct gh_arena arena;
    gh_arena_init(&arena, 64 * 1024, 64u << 20);
    limits.json = ANSWER_LIMITS;
    const struct gh_input_response response = {
        .openapi = fixture->api.inputs->document,
        .operation = fixture->api.inputs->operations[call->endpoint],
        .limits = &limits,
        .status = answer->status,
        .content_type = gh_api_answer_field(answer, "Content-Type"),
        .body = call->reply.body,
    };
    if (gh_input_check_response(&response, &arena, &report) != GH_INPUT_OK)
        fail_msg("%s %u: %.*s %.*s %.*s", gh_endpoint_at(call->endpoint)->operation, answer->status,
                 GH_STR_ARG(report.violations[0].name), GH_STR_ARG(report.violations[0].pointer),
                 GH_STR_ARG(report.violations[0].message));
    gh_arena_done(&arena);
}

struct gh_api_answer gh_api_ask(struct gh_api_fixture *fixture, const struct gh_api_ask *ask)
{
    struct gh_service_call *call = gh_api_fixture_call(fixture, ask);
    gh_api_handle(&fixture->api, call);
    assert_int_equal(fixture->keys_taken, 0);
    struct gh_api_answer answer = {.status = call->reply.status, .reply = &call->reply};
    assert_int_equal(
        gh_json_parse(&call->arena, call->reply.body, &ANSWER_LIMITS, &answer.json, NULL),
        GH_JSON_OK);
    assert_int_equal(gh_json_root(&answer.json)->kind, GH_JSON_OBJECT);
    check_fields(&answer);
    if (answer.status >= 400)
        check_problem(&answer);
    size_t count;
    const struct gh_service_endpoint *route = &gh_api_endpoints(&count)[call->endpoint];
    check_cache_control(route, &answer);
    check_documented(fixture, call, &answer);
    return answer;
}

struct gh_api_answer gh_api_ask_as(struct gh_api_fixture *fixture, struct gh_str access,
                                   const char *operation, const char *body)
{
    const struct gh_api_ask ask = {.operation = operation, .access = access, .body = body};
    return gh_api_ask(fixture, &ask);
}

const char *gh_api_body(struct gh_api_fixture *fixture, const char *format, ...)
{
    char text[4096];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    assert_in_range(len, 0, sizeof(text) - 1);
    return gh_arena_dup(&fixture->identity.arena, gh_str_from_c(text)).ptr;
}

void gh_api_assert_refused(const struct gh_api_answer *answer, unsigned status, const char *detail)
{
    assert_true(status >= 400);
    if (answer->status != status || (detail && !gh_api_answer_has(answer, "detail", detail)))
        fail_msg("%u, not %u: %.*s", answer->status, status, GH_STR_ARG(answer->reply->body));
}

void gh_api_assert_message(const struct gh_api_answer *answer)
{
    if (answer->status != 200)
        fail_msg("%u: %.*s", answer->status, GH_STR_ARG(answer->reply->body));
    assert_int_equal(gh_json_root(&answer->json)->count, 1);
    assert_true(gh_api_answer_text(answer, "message").len > 0);
}

/* ---- Answers ---- */

const struct gh_json_value *gh_api_answer_at(const struct gh_api_answer *answer, const char *path)
{
    const struct gh_json_value *value = gh_json_root(&answer->json);
    for (struct gh_str rest = gh_str_from_c(path); rest.ptr && value;)
        value = gh_json_get(&answer->json, value, gh_str_split(&rest, '.'));
    return value;
}

struct gh_str gh_api_answer_text(const struct gh_api_answer *answer, const char *path)
{
    struct gh_str text = gh_json_string(gh_api_answer_at(answer, path));
    if (!text.ptr)
        fail_msg("no text %s in %.*s", path, GH_STR_ARG(answer->reply->body));
    return text;
}

bool gh_api_answer_has(const struct gh_api_answer *answer, const char *path, const char *text)
{
    return gh_str_eq(gh_api_answer_text(answer, path), gh_str_from_c(text));
}

bool gh_api_answer_is(const struct gh_api_answer *answer, const char *path)
{
    const struct gh_json_value *value = gh_api_answer_at(answer, path);
    if (!value || value->kind != GH_JSON_BOOL)
        fail_msg("no boolean %s in %.*s", path, GH_STR_ARG(answer->reply->body));
    return value->boolean;
}

int64_t gh_api_answer_number(const struct gh_api_answer *answer, const char *path)
{
    int64_t number;
    if (!gh_json_int64(gh_api_answer_at(answer, path), &number))
        fail_msg("no number %s in %.*s", path, GH_STR_ARG(answer->reply->body));
    return number;
}

const struct gh_json_value *gh_api_answer_item(const struct gh_api_answer *answer, const char *path,
                                               size_t index)
{
    const struct gh_json_value *array = gh_api_answer_at(answer, path);
    if (!array || array->kind != GH_JSON_ARRAY)
        fail_msg("no array %s in %.*s", path, GH_STR_ARG(answer->reply->body));
    const struct gh_json_value *item = gh_json_first(&answer->json, array);
    for (; item && index; index--)
        item = gh_json_after(&answer->json, array, item);
    return item;
}

size_t gh_api_answer_count(const struct gh_api_answer *answer, const char *name)
{
    size_t count = 0;
    for (size_t i = 0; i < answer->reply->field_count; i++)
        count += gh_str_ieq(answer->reply->fields[i].name, gh_str_from_c(name));
    return count;
}

struct gh_str gh_api_answer_field(const struct gh_api_answer *answer, const char *name)
{
    assert_true(gh_api_answer_count(answer, name) <= 1);
    for (size_t i = 0; i < answer->reply->field_count; i++)
        if (gh_str_ieq(answer->reply->fields[i].name, gh_str_from_c(name)))
            return answer->reply->fields[i].value;
    return (struct gh_str){NULL, 0};
}

struct gh_str gh_api_answer_cookie(const struct gh_api_answer *answer, const char *name)
{
    struct gh_str found = {NULL, 0};
    for (size_t i = 0; i < answer->reply->field_count; i++) {
        struct gh_str line = answer->reply->fields[i].value;
        if (answer->reply->fields[i].id != GH_FIELD_SET_COOKIE ||
            !gh_str_eq(gh_str_first(line, gh_str_find_char(line, '=')), gh_str_from_c(name)))
            continue;
        assert_null(found.ptr); /* each but once */
        found = line;
    }
    return found;
}

struct gh_str gh_api_answer_cookie_value(const struct gh_api_answer *answer, const char *name)
{
    struct gh_str line = gh_api_answer_cookie(answer, name);
    assert_non_null(line.ptr);
    line = gh_str_skip(line, gh_str_find_char(line, '=') + 1);
    return gh_str_first(line, gh_str_find_char(line, ';'));
}

struct gh_str gh_api_fixture_login(struct gh_api_fixture *fixture, const char *email)
{
    return gh_fixture_login(&fixture->identity, email, FIXTURE_PASSWORD).access_token;
}

const char *gh_api_fixture_code(struct gh_api_fixture *fixture, struct gh_str secret, int steps)
{
    uint8_t bytes[64];
    size_t len;
    char code[GH_TOTP_DIGITS + 1];
    uint64_t now_s = fixture->identity.now_us / FIXTURE_SECOND;
    assert_true(gh_base32_decode(secret, bytes, sizeof(bytes), &len));
    gh_totp_code(gh_str_of((const char *)bytes, len),
                 now_s / GH_TOTP_STEP_SECONDS + (uint64_t)(int64_t)steps, code);
    return gh_api_body(fixture, "%s", code);
}

static bool is_code_of_about_now(struct gh_api_fixture *fixture, struct gh_str secret,
                                 const char *text)
{
    for (int steps = -1; steps <= 1; steps++)
        if (strcmp(gh_api_fixture_code(fixture, secret, steps), text) == 0)
            return true;
    return false;
}

const char *gh_api_fixture_wrong_code(struct gh_api_fixture *fixture, struct gh_str secret)
{
    static const char *const CODES[] = {"000000", "111111", "222222", "333333"};
    size_t i = 0;
    while (is_code_of_about_now(fixture, secret, CODES[i]))
        i++;
    return CODES[i];
}

struct gh_str gh_api_fixture_enrol(struct gh_api_fixture *fixture, struct gh_str *access)
{
    struct gh_api_answer setup = gh_api_ask_as(fixture, *access, "setUpTwoFactor", NULL);
    assert_int_equal(setup.status, 200);
    struct gh_str secret = gh_api_answer_text(&setup, "secret");
    const char *code = gh_api_fixture_code(fixture, secret, 0);
    struct gh_api_answer on = gh_api_ask_as(fixture, *access, "verifyTwoFactor",
                                            gh_api_body(fixture, "{\"code\":\"%s\"}", code));
    assert_int_equal(on.status, 200);
    *access = fixture->identity.settings.transport == GH_TRANSPORT_COOKIE
                  ? gh_api_answer_cookie_value(&on, "__Host-gh_access")
                  : gh_api_answer_text(&on, "access_token");
    return secret;
}

void gh_api_fixture_break_store(struct gh_api_fixture *fixture)
{
    gh_fixture_store_fail(fixture->identity.store, UINT_MAX, GH_ERR_IO);
}

/* ---- The document ---- */

struct gh_json_doc gh_api_document_read(struct gh_arena *arena,
                                        const struct gh_identity_settings *settings)
{
    struct gh_json_doc document;
    char *memory = gh_arena_alloc(arena, GH_API_DOCUMENT_BYTES_MAX);
    assert_non_null(memory);
    struct gh_buf buf = gh_buf_over(memory, GH_API_DOCUMENT_BYTES_MAX);
    gh_api_put_document(&buf, settings);
    assert_false(buf.overflow);
    assert_int_equal(gh_json_parse(arena, gh_buf_str(&buf), &ANSWER_LIMITS, &document, NULL),
                     GH_JSON_OK);
    return document;
}

const struct gh_json_value *gh_api_document_operation(const struct gh_json_doc *document,
                                                      struct gh_str path, const char *method)
{
    char lower[16] = "";
    for (size_t i = 0; method[i] && i < sizeof(lower) - 1; i++)
        lower[i] = gh_ascii_lower(method[i]);
    const struct gh_json_value *paths =
        gh_json_get(document, gh_json_root(document), GH_STR("paths"));
    return gh_json_get(document, gh_json_get(document, paths, path), gh_str_from_c(lower));
}
