#include "gateway/exchange_parts.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>

#include "policy/input.h"

static const struct gh_input_rule RULE = {.mode = GH_MODE_OBSERVE, .observe_responses = true};
static const struct gh_input_operation OPERATION = {.number = 0};
static struct gh_input input = {.rule = &RULE, .operation = &OPERATION};

struct fixture {
    struct gh_shared shared;
    struct gh_worker worker;
    struct gh_exchange exchange;
};

static struct fixture *open_fixture(size_t budget_bytes)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    assert_non_null(fixture);
    struct gh_body_budget *budget = &fixture->shared.held_bodies;
    budget->max = budget_bytes;
    assert_int_equal(gh_client_count_open((struct gh_hash_key){1, 2}, &budget->clients), GH_OK);
    fixture->worker.shared = &fixture->shared;
    struct gh_exchange *exchange = &fixture->exchange;
    gh_arena_init(&exchange->arena, 4096, 65536);
    exchange->worker = &fixture->worker;
    exchange->request.input = &input;
    exchange->request.client = (struct gh_ip){.family = GH_IP_V4, .bytes = {192, 0, 2, 1}};
    return fixture;
}

static void close_fixture(struct fixture *fixture)
{
    gh_exchange_input_end(&fixture->exchange);
    assert_int_equal(fixture->shared.held_bodies.taken, 0);
    assert_int_equal(
        gh_client_count_of(fixture->shared.held_bodies.clients, &fixture->exchange.request.client),
        0);
    gh_arena_done(&fixture->exchange.arena);
    gh_client_count_close(fixture->shared.held_bodies.clients);
    free(fixture);
}

static void copy_answer(struct fixture *fixture, size_t len)
{
    static char bytes[8192];
    struct gh_field items[1];
    struct gh_response_head head = {.status = 200, .body = GH_BODY_CHUNKED};
    gh_fields_init(&head.fields, items, 1);
    assert_true(gh_fields_add(&head.fields, GH_STR("Content-Type"), GH_STR("application/json")));
    gh_exchange_answer_copy_begin(&fixture->exchange, &head);
    assert_non_null(fixture->exchange.answer_copy);
    gh_exchange_answer_copy_add(&fixture->exchange, gh_str_of(bytes, len));
}

static void a_copy_of_an_answer_counts_among_what_its_client_has(void **state)
{
    (void)state;
    struct fixture *fixture = open_fixture((size_t)1 << 20);
    copy_answer(fixture, 5000);
    size_t taken = fixture->shared.held_bodies.taken;
    assert_in_range(taken, 5000, 8192);
    assert_int_equal(
        gh_client_count_of(fixture->shared.held_bodies.clients, &fixture->exchange.request.client),
        taken);
    close_fixture(fixture);
}

static void a_client_over_its_share_has_no_answer_copied_when_the_budget_is_scarce(void **state)
{
    (void)state;
    struct fixture *fixture = open_fixture(16 * 4096);
    struct gh_body_budget *budget = &fixture->shared.held_bodies;
    assert_true(gh_body_budget_take(budget, 9 * 4096)); /* others' */
    copy_answer(fixture, 4097);
    assert_int_equal(budget->taken, 9 * 4096);
    gh_body_budget_give(budget, 9 * 4096);
    close_fixture(fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_copy_of_an_answer_counts_among_what_its_client_has),
        cmocka_unit_test(a_client_over_its_share_has_no_answer_copied_when_the_budget_is_scarce),
    };
    return cmocka_run_group_tests_name("exchange_input", tests, NULL, NULL);
}
