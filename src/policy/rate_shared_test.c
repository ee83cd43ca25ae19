/* The rate stage where limits are shared: what it asks, what becomes of the answer, and what it
   does alone. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "policy/policy_fixture.h"
#include "policy/policy_fixture_yaml.h"
#include "policy/rate.h"

#define GET "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"

/* ---- A port that a test answers for ---- */

struct toy {
    struct gh_limit_shared port; /* first */
    struct gh_hash_key secret;
    bool away;
    unsigned looks;
};

static bool toy_ready(struct gh_limit_shared *shared, struct gh_hash_key *out_secret)
{
    struct toy *toy = (struct toy *)shared;
    toy->looks++;
    *out_secret = toy->secret;
    return !toy->away;
}

static const struct gh_limit_shared_ops TOY_OPS = {.ready = toy_ready};

static struct toy new_toy(void)
{
    return (struct toy){.port.ops = &TOY_OPS, .secret = {11, 12}};
}

/* ---- Runs ---- */

static void open_yaml(struct gh_fixture *f, const char *limits_and_routes)
{
    char yaml[2048];
    struct gh_buf buf = gh_buf_over(yaml, sizeof(yaml) - 1);
    gh_buf_format(&buf, DEVELOPMENT "%s", limits_and_routes);
    yaml[buf.len] = '\0';
    gh_fixture_open(f, yaml);
    assert_non_null(f->policy);
}

static enum gh_verdict_kind run(struct gh_fixture *f, struct toy *toy, const char *bytes)
{
    gh_fixture_begin(f, bytes);
    f->request.now_ms = 1000;
    f->request.shared_limits = toy ? &toy->port : NULL;
    return gh_policy_run(&f->request).kind;
}

static struct gh_limit_ask *expect_question(struct gh_fixture *f, size_t count, size_t together)
{
    struct gh_request *request = &f->request;
    assert_int_equal(request->verdict.kind, GH_VERDICT_ASK);
    assert_int_equal(request->ask, GH_ASK_LIMITS);
    assert_non_null(request->limit_ask);
    assert_false(request->limits_known);
    assert_int_equal(request->limit_ask->count, count);
    assert_int_equal(request->limit_ask->together, together);
    return request->limit_ask;
}

/* The answer: what is left of each, or less than nothing when it refuses. */
static enum gh_verdict_kind answer(struct gh_fixture *f, const int *left, size_t count)
{
    struct gh_limit_ask *ask = f->request.limit_ask;
    ask->decided = ask->admitted = true;
    ask->decided_count = count;
    for (size_t i = 0; i < count; i++) {
        bool allowed = left[i] >= 0;
        ask->decisions[i] = (struct gh_limit_decision){
            .allowed = allowed,
            .remaining = allowed ? (uint32_t)left[i] : 0,
            .retry_after_ms = allowed ? 0 : 41001,
            .reset_ms = allowed ? 7001 : 41001,
        };
        if (i < ask->together)
            ask->admitted &= allowed;
    }
    f->request.limits_known = true;
    return gh_policy_run(&f->request).kind;
}

static enum gh_verdict_kind answer_one(struct gh_fixture *f, int left)
{
    return answer(f, &left, 1);
}

static enum gh_verdict_kind answer_away(struct gh_fixture *f)
{
    f->request.limit_ask->decided = false;
    f->request.limits_known = true;
    return gh_policy_run(&f->request).kind;
}

static void expect_extra(const struct gh_fixture *f, const char *name, const char *value)
{
    for (size_t i = 0; i < f->request.extra_count; i++) {
        if (gh_str_eq(f->request.extra[i].name, gh_str_from_c(name))) {
            struct gh_str found = f->request.extra[i].value;
            if (!gh_str_eq(found, gh_str_from_c(value)))
                fail_msg("%s: %.*s", name, GH_STR_ARG(found));
            return;
        }
    }
    fail_msg("no %s", name);
}

#define LOGIN                                                                                      \
    "rate_limits: {login: {limit: 2/minute, key: client}}\n"                                       \
    "routes: [{path: /**, upstream: api, rate_limit: login}]\n"

/* ---- Tests ---- */

static void the_answer_decides(void **state)
{
    (void)state;
    struct gh_fixture f;
    struct toy toy = new_toy();
    open_yaml(&f, LOGIN);
    run(&f, &toy, GET);
    expect_question(&f, 1, 1);
    assert_int_equal(answer_one(&f, 0), GH_VERDICT_NEXT);
    expect_extra(&f, "RateLimit", "\"login\";r=0;t=8");
    assert_null(f.request.limit_ask);

    run(&f, &toy, GET);
    assert_int_equal(answer_one(&f, -1), GH_VERDICT_RESPOND);
    assert_int_equal(f.request.verdict.reason, GH_REASON_RATE_LIMITED);
    const char *reply = gh_fixture_reply(&f);
    assert_memory_equal(reply, "429\n", 4);
    assert_string_equal(gh_fixture_value(&f, reply, "Retry-After"), "42");
    assert_string_equal(gh_fixture_value(&f, reply, "RateLimit"), "\"login\";r=0;t=42");
    gh_fixture_close(&f);
}

static void keys_are_hashed_with_the_common_secret(void **state)
{
    (void)state;
    struct gh_fixture first, second;
    struct toy toy = new_toy();
    open_yaml(&first, LOGIN);
    open_yaml(&second, LOGIN);
    run(&first, &toy, GET);
    run(&second, &toy, GET);
    const struct gh_limit_charge *a = first.request.limit_ask->charges,
                                 *b = second.request.limit_ask->charges;
    assert_memory_equal(&a->key, &b->key, sizeof(a->key));
    toy.secret.k0++;
    run(&second, &toy, GET);
    b = second.request.limit_ask->charges;
    assert_memory_not_equal(&a->key, &b->key, sizeof(a->key));
    gh_fixture_close(&first);
    gh_fixture_close(&second);
}

static void what_was_admitted_is_counted_here_too(void **state)
{
    (void)state;
    struct gh_fixture f;
    struct toy toy = new_toy();
    open_yaml(&f, LOGIN);
    run(&f, &toy, GET);
    assert_int_equal(answer_one(&f, 1), GH_VERDICT_NEXT);
    toy.away = true;
    assert_int_equal(run(&f, &toy, GET), GH_VERDICT_NEXT);
    expect_extra(&f, "RateLimit", "\"login\";r=0;t=60");
    assert_int_equal(run(&f, &toy, GET), GH_VERDICT_RESPOND);
    gh_fixture_close(&f);
}

static void what_was_refused_is_not(void **state)
{
    (void)state;
    struct gh_fixture f;
    struct toy toy = new_toy();
    open_yaml(&f, LOGIN);
    run(&f, &toy, GET);
    assert_int_equal(answer_one(&f, -1), GH_VERDICT_RESPOND);
    toy.away = true;
    assert_int_equal(run(&f, &toy, GET), GH_VERDICT_NEXT);
    expect_extra(&f, "RateLimit", "\"login\";r=1;t=60");
    gh_fixture_close(&f);
}

static void nobody_is_asked_over_what_this_process_admitted_alone(void **state)
{
    (void)state;
    struct gh_fixture f;
    struct toy toy = new_toy();
    open_yaml(&f, LOGIN);
    for (int i = 0; i < 2; i++) {
        run(&f, &toy, GET);
        assert_int_equal(answer_one(&f, 5), GH_VERDICT_NEXT);
    }
    toy.looks = 0;
    assert_int_equal(run(&f, &toy, GET), GH_VERDICT_RESPOND);
    assert_int_equal(toy.looks, 0);
    assert_string_equal(gh_fixture_value(&f, gh_fixture_reply(&f), "Retry-After"), "60");
    gh_fixture_close(&f);
}

static void without_an_answer_it_decides_alone_and_charges_once(void **state)
{
    (void)state;
    struct gh_fixture f;
    struct toy toy = new_toy();
    open_yaml(&f, LOGIN);
    for (int left = 1; left >= 0; left--) {
        run(&f, &toy, GET);
        expect_question(&f, 1, 1);
        assert_int_equal(answer_away(&f), GH_VERDICT_NEXT);
        expect_extra(&f, "RateLimit", left ? "\"login\";r=1;t=60" : "\"login\";r=0;t=60");
    }
    assert_int_equal(run(&f, &toy, GET), GH_VERDICT_RESPOND);
    gh_fixture_close(&f);
}

static void away_it_does_not_ask(void **state)
{
    (void)state;
    struct gh_fixture f;
    struct toy toy = new_toy();
    open_yaml(&f, LOGIN);
    toy.away = true;
    assert_int_equal(run(&f, &toy, GET), GH_VERDICT_NEXT);
    assert_int_equal(toy.looks, 1);
    assert_null(f.request.limit_ask);
    gh_fixture_close(&f);
}

static void a_dry_run_and_a_route_without_limits_ask_nobody(void **state)
{
    (void)state;
    struct gh_fixture f;
    struct toy toy = new_toy();
    open_yaml(&f, "rate_limits: {global: {limit: 2/minute}}\n"
                  "routes: [{path: /free, upstream: api, rate_limit: []},"
                  " {path: /**, upstream: api}]\n");
    gh_fixture_begin(&f, GET);
    f.request.shared_limits = &toy.port;
    f.request.dry_run = true;
    assert_int_equal(gh_policy_run(&f.request).kind, GH_VERDICT_NEXT);
    assert_int_equal(run(&f, &toy, "GET /free HTTP/1.1\r\nHost: localhost\r\n\r\n"),
                     GH_VERDICT_NEXT);
    assert_int_equal(toy.looks, 0);
    gh_fixture_close(&f);
}

static void a_group_is_asked_whole_and_observed_ones_each_for_itself(void **state)
{
    (void)state;
    struct gh_fixture f;
    struct toy toy = new_toy();
    open_yaml(&f, "rate_limits: {a: {limit: 9/minute}, b: {limit: 9/hour}, "
                  "o: {limit: 9/minute, mode: observe}, p: {limit: 9/hour, mode: observe}, "
                  "off: {limit: 1/hour, mode: off}}\n"
                  "routes: [{path: /**, upstream: api, rate_limit: [o, a, off, b, p]}]\n");
    run(&f, &toy, GET);
    struct gh_limit_ask *ask = expect_question(&f, 4, 2);
    assert_int_equal(ask->charges[0].rule->window_ms, 60000);
    assert_int_equal(ask->charges[1].rule->window_ms, 3600000);
    const int admitted[] = {3, 2, 5, -1};
    assert_int_equal(answer(&f, admitted, 4), GH_VERDICT_NEXT);
    assert_int_equal(f.request.observed_count, 1);
    expect_extra(&f, "RateLimit", "\"a\";r=3;t=8, \"b\";r=2;t=8");

    run(&f, &toy, GET);
    const int refused[] = {3, -1};
    assert_int_equal(answer(&f, refused, 2), GH_VERDICT_RESPOND);
    assert_int_equal(f.request.observed_count, 0);
    assert_string_equal(gh_fixture_value(&f, gh_fixture_reply(&f), "RateLimit"), "\"b\";r=0;t=42");
    gh_fixture_close(&f);
}

static void observed_limits_alone_refuse_nobody(void **state)
{
    (void)state;
    struct gh_fixture f;
    struct toy toy = new_toy();
    open_yaml(&f, "rate_limits: {o: {limit: 1/minute, mode: observe}}\n"
                  "routes: [{path: /**, upstream: api, rate_limit: o}]\n");
    for (int left = 0; left >= -1; left--) {
        run(&f, &toy, GET);
        expect_question(&f, 1, 0);
        assert_int_equal(answer_one(&f, left), GH_VERDICT_NEXT);
        assert_int_equal(f.request.observed_count, left < 0);
    }
    gh_fixture_close(&f);
}

#define POST                                                                                       \
    "POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"                    \
    "Content-Length: 17\r\n\r\n"

static void each_point_asks_for_itself_and_no_stage_charges_twice(void **state)
{
    (void)state;
    struct gh_fixture f;
    struct toy toy = new_toy();
    open_yaml(&f, "rate_limits: {global: {limit: 9/minute}, mail: {limit: 3/hour, key: "
                  "\"body:email\"}}\n"
                  "routes: [{path: /**, upstream: api, rate_limit: mail}]\n");
    run(&f, &toy, POST);
    expect_question(&f, 1, 1);
    assert_int_equal(answer_one(&f, 8), GH_VERDICT_ASK);
    assert_int_equal(f.request.ask, GH_ASK_BODY);
    f.request.body = GH_STR("{\"email\":\"a@b.c\"}");
    f.request.body_known = true;
    gh_policy_run(&f.request);
    struct gh_limit_ask *ask = expect_question(&f, 1, 1);
    assert_int_equal(ask->charges[0].rule->count, 3);
    assert_int_equal(answer_one(&f, 2), GH_VERDICT_NEXT);
    expect_extra(&f, "RateLimit", "\"global\";r=8;t=8, \"mail\";r=2;t=8");
    toy.away = true;
    run(&f, &toy, POST);
    expect_extra(&f, "RateLimit", "\"global\";r=7;t=60"); /* one was charged before */
    gh_fixture_close(&f);
}

static void a_body_that_can_be_read_two_ways_is_refused_before_anybody_is_asked(void **state)
{
    (void)state;
    struct gh_fixture f;
    struct toy toy = new_toy();
    open_yaml(&f, "rate_limits: {mail: {limit: 3/hour, key: \"body:email\"}}\n"
                  "routes: [{path: /**, upstream: api, rate_limit: mail}]\n");
    run(&f, &toy, POST);
    f.request.body = GH_STR("{\"email\":\"a@b.c\",");
    f.request.body_known = true;
    assert_int_equal(gh_policy_run(&f.request).kind, GH_VERDICT_RESPOND);
    assert_int_equal(f.request.verdict.reason, GH_REASON_BODY_UNREADABLE);
    assert_int_equal(toy.looks, 0);
    gh_fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_answer_decides),
        cmocka_unit_test(keys_are_hashed_with_the_common_secret),
        cmocka_unit_test(what_was_admitted_is_counted_here_too),
        cmocka_unit_test(what_was_refused_is_not),
        cmocka_unit_test(nobody_is_asked_over_what_this_process_admitted_alone),
        cmocka_unit_test(without_an_answer_it_decides_alone_and_charges_once),
        cmocka_unit_test(away_it_does_not_ask),
        cmocka_unit_test(a_dry_run_and_a_route_without_limits_ask_nobody),
        cmocka_unit_test(a_group_is_asked_whole_and_observed_ones_each_for_itself),
        cmocka_unit_test(observed_limits_alone_refuse_nobody),
        cmocka_unit_test(each_point_asks_for_itself_and_no_stage_charges_twice),
        cmocka_unit_test(a_body_that_can_be_read_two_ways_is_refused_before_anybody_is_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
