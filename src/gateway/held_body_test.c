#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <pthread.h>

#include "gateway/held_body.h"

static struct gh_arena arena;

static int setup(void **state)
{
    (void)state;
    gh_arena_init(&arena, 4096, 64 * 1024);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    gh_arena_done(&arena);
    return 0;
}

static void pieces_become_one_body(void **state)
{
    (void)state;
    struct gh_held_body held = {0};
    for (int i = 0; i < 3000; i++)
        assert_int_equal(gh_held_body_add(&held, &arena, GH_STR("abc"), 0, 100000), GH_HOLD_OK);
    assert_int_equal(held.len, 9000);
    for (size_t i = 0; i < held.len; i++)
        assert_int_equal(held.ptr[i], "abc"[i % 3]);
}

static void a_known_length_takes_its_room_at_once(void **state)
{
    (void)state;
    struct gh_body_budget budget = {.max = 10};
    struct gh_held_body held = {.budget = &budget};
    assert_int_equal(gh_held_body_add(&held, &arena, GH_STR("a"), 10, 10), GH_HOLD_OK);
    assert_int_equal(budget.taken, 10);
    assert_int_equal(gh_held_body_add(&held, &arena, GH_STR("bcdefghij"), 10, 10), GH_HOLD_OK);
    assert_int_equal(budget.taken, 10);
    assert_true(gh_str_eq(gh_held_body_str(&held), GH_STR("abcdefghij")));
    gh_held_body_release(&held);
    assert_int_equal(budget.taken, 0);
}

static void room_never_grows_past_what_may_come(void **state)
{
    (void)state;
    struct gh_body_budget budget = {.max = 1000};
    struct gh_held_body held = {.budget = &budget};
    assert_int_equal(gh_held_body_add(&held, &arena, GH_STR("a"), 0, 20), GH_HOLD_OK);
    assert_int_equal(held.cap, 20);
    assert_int_equal(budget.taken, 20);
}

static void what_is_outgrown_stays_charged(void **state)
{
    (void)state;
    struct gh_body_budget budget = {.max = 100000};
    struct gh_held_body held = {.budget = &budget};
    char bytes[4096] = {0};
    assert_int_equal(gh_held_body_add(&held, &arena, gh_str_of(bytes, sizeof(bytes)), 0, 100000),
                     GH_HOLD_OK);
    assert_int_equal(gh_held_body_add(&held, &arena, GH_STR("x"), 0, 100000), GH_HOLD_OK);
    assert_int_equal(budget.taken, 4096 + 8192);
    gh_held_body_release(&held);
    gh_held_body_release(&held);
    assert_int_equal(budget.taken, 0);
}

static void over_the_budget_nothing_changes(void **state)
{
    (void)state;
    struct gh_body_budget budget = {.max = 10};
    struct gh_held_body held = {.budget = &budget};
    assert_int_equal(gh_held_body_add(&held, &arena, GH_STR("01234567"), 8, 100), GH_HOLD_OK);
    assert_int_equal(gh_held_body_add(&held, &arena, GH_STR("89a"), 0, 100), GH_HOLD_OVER_BUDGET);
    assert_int_equal(budget.taken, 8);
    assert_true(gh_str_eq(gh_held_body_str(&held), GH_STR("01234567")));
}

static void a_full_arena_is_no_memory(void **state)
{
    (void)state;
    static char bytes[70000];
    struct gh_held_body held = {0};
    assert_int_equal(gh_held_body_add(&held, &arena, gh_str_of(bytes, sizeof(bytes)), 70000, 70000),
                     GH_HOLD_NO_MEMORY);
    assert_int_equal(held.len, 0);
}

static void a_long_body_takes_room_as_it_comes_not_as_it_is_promised(void **state)
{
    (void)state;
    static char bytes[64 * 1024];
    struct gh_arena own;
    struct gh_body_budget budget = {.max = 4 << 20};
    struct gh_held_body held = {.budget = &budget};
    gh_arena_init(&own, 4096, 4 << 20);
    assert_int_equal(gh_held_body_add(&held, &own, GH_STR("x"), 1 << 20, 1 << 20), GH_HOLD_OK);
    assert_int_equal(budget.taken, 4 * 1024);
    for (size_t left = (1 << 20) - 1; left;) {
        size_t len = left < sizeof(bytes) ? left : sizeof(bytes);
        assert_int_equal(gh_held_body_add(&held, &own, gh_str_of(bytes, len), 1 << 20, 1 << 20),
                         GH_HOLD_OK);
        left -= len;
    }
    assert_int_equal(held.cap, 1 << 20); /* and not a byte more than was said */
    assert_int_equal(budget.taken, (4 + 256 + 1024) * 1024 + 4); /* 4: of the first byte */
    assert_true(held.ptr[0] == 'x' && held.len == 1 << 20);
    gh_held_body_release(&held);
    assert_int_equal(budget.taken, 0);
    gh_arena_done(&own);
}

static void a_promise_takes_no_more_than_four_times_what_has_come(void **state)
{
    (void)state;
    static char bytes[5000];
    struct gh_body_budget budget = {.max = 1 << 20};
    struct gh_held_body held = {.budget = &budget};
    assert_int_equal(gh_held_body_add(&held, &arena, GH_STR("x"), 20480, 65536), GH_HOLD_OK);
    assert_int_equal(budget.taken, 4096);
    assert_int_equal(gh_held_body_add(&held, &arena, gh_str_of(bytes, 4999), 20480, 65536),
                     GH_HOLD_OK);
    assert_int_equal(budget.taken, 4096 + 20000);
    gh_held_body_release(&held);
}

/* ---- A client's share ---- */

#define PROMISED ((size_t)20480)

static struct gh_ip ip_of(const char *text)
{
    struct gh_ip ip;
    assert_true(gh_ip_parse(gh_str_from_c(text), &ip));
    return ip;
}

/* The first byte of a long body. */
static enum gh_hold begin_long_body(struct gh_held_body *held)
{
    return gh_held_body_add(held, &arena, GH_STR("x"), PROMISED, PROMISED);
}

/* Room for 16 bodies that have begun, and their clients counted. */
static struct gh_body_budget open_budget(void)
{
    struct gh_body_budget budget = {.max = 16 * 4096};
    arena.allocated_max += budget.max;
    assert_int_equal(gh_client_count_open((struct gh_hash_key){1, 2}, &budget.clients), GH_OK);
    return budget;
}

static void one_client_leaves_half_of_the_budget_to_others(void **state)
{
    (void)state;
    struct gh_ip one = ip_of("192.0.2.1"), other = ip_of("192.0.2.2");
    struct gh_body_budget budget = open_budget();
    struct gh_held_body ones[9], others[2];
    for (size_t i = 0; i < 9; i++) {
        ones[i] = (struct gh_held_body){.budget = &budget, .client = &one};
        assert_int_equal(begin_long_body(&ones[i]), i < 8 ? GH_HOLD_OK : GH_HOLD_OVER_BUDGET);
    }
    assert_int_equal(budget.taken, budget.max / 2);
    for (size_t i = 0; i < 2; i++) { /* a sixteenth is left to each */
        others[i] = (struct gh_held_body){.budget = &budget, .client = &other};
        assert_int_equal(begin_long_body(&others[i]), i < 1 ? GH_HOLD_OK : GH_HOLD_OVER_BUDGET);
    }
    for (size_t i = 0; i < 9; i++)
        gh_held_body_release(&ones[i]);
    assert_int_equal(gh_client_count_of(budget.clients, &one), 0);
    assert_int_equal(begin_long_body(&others[1]), GH_HOLD_OK);
    assert_int_equal(gh_client_count_of(budget.clients, &other), 2 * 4096);
    for (size_t i = 0; i < 2; i++)
        gh_held_body_release(&others[i]);
    assert_int_equal(gh_client_count_of(budget.clients, &other), 0);
    assert_int_equal(budget.taken, 0);
    gh_client_count_close(budget.clients);
}

static void what_is_nobodys_has_no_share(void **state)
{
    (void)state;
    struct gh_body_budget budget = open_budget();
    struct gh_held_body held[17];
    for (size_t i = 0; i < 17; i++) {
        held[i] = (struct gh_held_body){.budget = &budget};
        assert_int_equal(begin_long_body(&held[i]), i < 16 ? GH_HOLD_OK : GH_HOLD_OVER_BUDGET);
    }
    for (size_t i = 0; i < 17; i++)
        gh_held_body_release(&held[i]);
    assert_int_equal(budget.taken, 0);
    gh_client_count_close(budget.clients);
}

/* As a reload may bring it about. */
static void a_budget_that_becomes_smaller_than_what_is_taken_gives_nothing(void **state)
{
    (void)state;
    struct gh_body_budget budget = {.max = 100};
    assert_true(gh_body_budget_take(&budget, 60));
    budget.max = 50;
    assert_false(gh_body_budget_take(&budget, 1));
    gh_body_budget_give(&budget, 20);
    assert_true(gh_body_budget_take(&budget, 10));
    assert_false(gh_body_budget_take(&budget, 1));
}

/* ---- Over threads ---- */

static void *take_and_give(void *arg)
{
    struct gh_body_budget *budget = arg;
    for (int i = 0; i < 20000; i++) {
        if (gh_body_budget_take(budget, 3)) {
            assert_true(atomic_load(&budget->taken) <= budget->max);
            gh_body_budget_give(budget, 3);
        }
    }
    return NULL;
}

static void the_budget_holds_over_threads(void **state)
{
    (void)state;
    struct gh_body_budget budget = {.max = 7};
    pthread_t threads[4];
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_and_give, &budget), 0);
    for (size_t i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(budget.taken, 0);
    assert_false(gh_body_budget_take(&budget, 8));
    assert_false(gh_body_budget_take(&budget, SIZE_MAX));
    assert_true(gh_body_budget_take(&budget, 7));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(pieces_become_one_body),
        TEST(a_known_length_takes_its_room_at_once),
        TEST(room_never_grows_past_what_may_come),
        TEST(what_is_outgrown_stays_charged),
        TEST(over_the_budget_nothing_changes),
        TEST(a_full_arena_is_no_memory),
        TEST(a_long_body_takes_room_as_it_comes_not_as_it_is_promised),
        TEST(a_promise_takes_no_more_than_four_times_what_has_come),
        TEST(one_client_leaves_half_of_the_budget_to_others),
        TEST(what_is_nobodys_has_no_share),
        TEST(a_budget_that_becomes_smaller_than_what_is_taken_gives_nothing),
        TEST(the_budget_holds_over_threads),
    };
    return cmocka_run_group_tests_name("held_body", tests, NULL, NULL);
}
