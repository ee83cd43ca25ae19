#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "gateway/service_call_fill.h"
#include "policy/policy.h"
#include "session/cookies.h"

#define FIELDS_MAX 8

/* ---- What it calls, as toys ---- */

uint64_t gh_wall_now_us(void)
{
    return 1700000000000001;
}

struct gh_str gh_session_cookie_name(enum gh_session_cookie cookie, bool plain)
{
    assert_true(cookie == GH_COOKIE_REFRESH || cookie == GH_COOKIE_DEVICE);
    if (cookie == GH_COOKIE_REFRESH)
        return plain ? GH_STR("r") : GH_STR("__Secure-r");
    return plain ? GH_STR("d") : GH_STR("__Host-d");
}

/* ---- A request that the stages have let on ---- */

struct fixture {
    struct gh_arena arena;
    struct gh_policy policy;
    struct gh_snapshot snapshot;
    struct gh_request_head head;
    struct gh_field fields[FIELDS_MAX];
    struct gh_request request;
    struct gh_service_call call;
};

static int setup(void **state)
{
    static struct fixture fixture;
    memset(&fixture, 0, sizeof(fixture));
    gh_arena_init(&fixture.arena, 4096, 64 * 1024);
    gh_arena_init(&fixture.call.arena, 4096, 64 * 1024);
    gh_fields_init(&fixture.head.fields, fixture.fields, FIELDS_MAX);
    struct gh_request *request = &fixture.request;
    request->arena = &fixture.arena;
    request->policy = &fixture.policy;
    request->head = &fixture.head;
    request->authority = (struct gh_authority){.host = GH_STR("api.example.com")};
    request->request_id = GH_STR("id-1");
    assert_true(gh_ip_parse(GH_STR("2001:db8:1:2:3:4:5:6"), &request->client));
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    gh_arena_done(&fixture->arena);
    gh_arena_done(&fixture->call.arena);
    return 0;
}

static void add_field(struct fixture *fixture, const char *name, const char *value)
{
    assert_true(gh_fields_add(&fixture->head.fields, gh_str_from_c(name), gh_str_from_c(value)));
}

static const struct gh_service_call *fill(struct fixture *fixture)
{
    assert_int_equal(gh_service_call_fill(&fixture->call, &fixture->request, &fixture->snapshot),
                     GH_OK);
    return &fixture->call;
}

#define assert_text(text, expected) assert_true(gh_str_eq((text), GH_STR(expected)))

/* ---- Into the call ---- */

static void all_of_the_request_is_copied(void **state)
{
    struct fixture *fixture = *state;
    struct gh_request *request = &fixture->request;
    char body[] = "{\"a\":1}", id[] = "user-1";
    add_field(fixture, "Content-Type", "application/json");
    add_field(fixture, "User-Agent", "curl/8");
    add_field(fixture, "Cookie", "x=1; __Secure-r=refresh; __Host-d=device");
    request->endpoint = 3;
    request->query = GH_STR("a=b%20c");
    request->body = gh_str_of(body, sizeof(body) - 1);
    request->body_known = request->https = request->wants_second_factor = true;
    request->params[0] = (struct gh_path_param){GH_STR("id"), GH_STR("42")};
    request->param_count = 1;
    request->signed_in = true;
    request->subject = (struct gh_subject){.id = gh_str_of(id, sizeof(id) - 1),
                                           .session_id = GH_STR("session-1"),
                                           .email = GH_STR("a@b"),
                                           .issuer = GH_STR(""),
                                           .roles = 5,
                                           .two_factor = true};
    const struct gh_service_call *call = fill(fixture);
    memset(body, 'x', sizeof(body) - 1);
    memset(id, 'x', sizeof(id) - 1);
    assert_int_equal(call->endpoint, 3);
    assert_text(call->query, "a=b%20c");
    assert_text(call->content_type, "application/json");
    assert_text(call->body, "{\"a\":1}");
    assert_text(call->refresh_cookie, "refresh");
    assert_text(call->device_cookie, "device");
    assert_text(call->user_agent, "curl/8");
    assert_text(call->params[0].value, "42");
    assert_int_equal(call->param_count, 1);
    assert_text(call->subject.id, "user-1");
    assert_text(call->subject.session_id, "session-1");
    assert_true(call->subject.roles == 5 && call->subject.two_factor && call->signed_in);
    assert_text(call->request_id, "id-1");
    assert_true(call->https);
    assert_true(call->wants_second_factor);
    assert_true(call->now_us == 1700000000000001);
}

static void what_the_client_did_not_send_is_absent(void **state)
{
    const struct gh_service_call *call = fill(*state);
    assert_null(call->query.ptr);
    assert_null(call->refresh_cookie.ptr);
    assert_null(call->device_cookie.ptr);
    assert_int_equal(call->content_type.len, 0);
    assert_int_equal(call->user_agent.len, 0);
    assert_int_equal(call->body.len, 0);
    assert_false(call->signed_in);
    assert_int_equal(call->subject.id.len, 0);
}

static void a_body_that_was_not_asked_for_is_not_given(void **state)
{
    struct fixture *fixture = *state;
    fixture->request.body = GH_STR("left over");
    assert_int_equal(fill(fixture)->body.len, 0);
}

static void a_cookie_of_ours_sent_twice_counts_as_none(void **state)
{
    struct fixture *fixture = *state;
    add_field(fixture, "Cookie", "__Secure-r=one; __Host-d=device");
    add_field(fixture, "Cookie", "__Secure-r=two");
    const struct gh_service_call *call = fill(fixture);
    assert_null(call->refresh_cookie.ptr);
    assert_text(call->device_cookie, "device");
}

static void cookies_without_prefix_count_in_development_only(void **state)
{
    struct fixture *fixture = *state;
    add_field(fixture, "Cookie", "r=refresh");
    assert_null(fill(fixture)->refresh_cookie.ptr);
    fixture->snapshot.plain_cookies = true;
    assert_text(fill(fixture)->refresh_cookie, "refresh");
}

static void fields_sent_twice_say_nothing(void **state)
{
    struct fixture *fixture = *state;
    add_field(fixture, "Content-Type", "application/json");
    add_field(fixture, "content-type", "text/plain");
    add_field(fixture, "User-Agent", "one");
    add_field(fixture, "user-agent", "two");
    const struct gh_service_call *call = fill(fixture);
    assert_int_equal(call->content_type.len, 0);
    assert_int_equal(call->user_agent.len, 0);
}

static void the_network_of_a_client_is_its_64_in_ipv6_and_itself_in_ipv4(void **state)
{
    struct fixture *fixture = *state;
    const struct gh_service_call *call = fill(fixture);
    assert_text(call->client, "2001:db8:1:2:3:4:5:6");
    assert_text(call->network, "2001:db8:1:2::/64");
    assert_true(gh_ip_parse(GH_STR("192.0.2.7"), &fixture->request.client));
    call = fill(fixture);
    assert_text(call->client, "192.0.2.7");
    assert_text(call->network, "192.0.2.7");
    fixture->request.client = (struct gh_ip){0};
    call = fill(fixture);
    assert_text(call->client, "unknown");
    assert_text(call->network, "unknown");
}

static void links_lead_to_the_public_url_else_to_where_the_client_came(void **state)
{
    struct fixture *fixture = *state;
    assert_text(fill(fixture)->base_url, "http://api.example.com");
    fixture->request.https = true;
    fixture->request.authority.port = 8443;
    assert_text(fill(fixture)->base_url, "https://api.example.com:8443");
    fixture->policy.https.public_base = GH_STR("https://example.com");
    assert_text(fill(fixture)->base_url, "https://example.com");
}

static void a_call_over_its_cap_is_refused(void **state)
{
    struct fixture *fixture = *state;
    static char much[70000];
    fixture->request.body = gh_str_of(much, sizeof(much));
    fixture->request.body_known = true;
    assert_int_equal(gh_service_call_fill(&fixture->call, &fixture->request, &fixture->snapshot),
                     GH_ERR_MEMORY);
}

static void a_handler_that_answers_nothing_has_failed(void **state)
{
    assert_int_equal(fill(*state)->reply.status, 500);
}

/* ---- And back ---- */

static void an_answer_is_copied_out_of_the_call(void **state)
{
    struct fixture *fixture = *state;
    char value[] = "a=b", body[] = "{}";
    struct gh_reply reply = {.status = 201, .field_count = 1, .body = gh_str_of(body, 2)};
    reply.fields[0] = (struct gh_field){.name = GH_STR("Set-Cookie"), .value = gh_str_of(value, 3)};
    fixture->request.reply.field_count = 7;
    assert_int_equal(gh_service_reply_copy(&fixture->request, &reply), GH_OK);
    value[0] = body[0] = 'x';
    const struct gh_reply *got = &fixture->request.reply;
    assert_int_equal(got->status, 201);
    assert_int_equal(got->field_count, 1);
    assert_text(got->fields[0].name, "Set-Cookie");
    assert_text(got->fields[0].value, "a=b");
    assert_text(got->body, "{}");
}

static void an_answer_without_a_body_has_an_empty_one(void **state)
{
    struct fixture *fixture = *state;
    struct gh_reply reply = {.status = 204};
    assert_int_equal(gh_service_reply_copy(&fixture->request, &reply), GH_OK);
    assert_non_null(fixture->request.reply.body.ptr);
    assert_int_equal(fixture->request.reply.body.len, 0);
}

static void an_answer_over_the_requests_cap_is_refused(void **state)
{
    struct fixture *fixture = *state;
    static char much[70000];
    struct gh_reply reply = {.status = 200, .body = gh_str_of(much, sizeof(much))};
    assert_int_equal(gh_service_reply_copy(&fixture->request, &reply), GH_ERR_MEMORY);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(all_of_the_request_is_copied),
        TEST(what_the_client_did_not_send_is_absent),
        TEST(a_body_that_was_not_asked_for_is_not_given),
        TEST(a_cookie_of_ours_sent_twice_counts_as_none),
        TEST(cookies_without_prefix_count_in_development_only),
        TEST(fields_sent_twice_say_nothing),
        TEST(the_network_of_a_client_is_its_64_in_ipv6_and_itself_in_ipv4),
        TEST(links_lead_to_the_public_url_else_to_where_the_client_came),
        TEST(a_call_over_its_cap_is_refused),
        TEST(a_handler_that_answers_nothing_has_failed),
        TEST(an_answer_is_copied_out_of_the_call),
        TEST(an_answer_without_a_body_has_an_empty_one),
        TEST(an_answer_over_the_requests_cap_is_refused),
    };
    return cmocka_run_group_tests_name("service_call_fill", tests, NULL, NULL);
}
