#include "limit/limit.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#define DAY_MS 86400000u

static struct gh_limit_table *open_table(size_t slots)
{
    struct gh_limit_table *table = NULL;
    assert_int_equal(gh_limit_table_open(slots, (struct gh_hash_key){7, 8}, &table), GH_OK);
    return table;
}

static struct gh_limit_rule exact(uint32_t count, uint64_t window_ms)
{
    struct gh_limit_rule rule = {.kind = GH_LIMIT_EXACT, .count = count, .window_ms = window_ms};
    assert_true(gh_limit_rule_prepare(&rule));
    return rule;
}

static struct gh_limit_rule gcra(uint32_t count, uint64_t window_ms, uint32_t burst)
{
    struct gh_limit_rule rule = {
        .kind = GH_LIMIT_GCRA, .count = count, .window_ms = window_ms, .burst = burst};
    assert_true(gh_limit_rule_prepare(&rule));
    return rule;
}

static const struct gh_hash128 ALICE = {0x1234567890abcdef, 0xfedcba0987654321};
static const struct gh_hash128 BOB = {0x2222222222222222, 0x1111111111111111};

static struct gh_limit_decision ask(struct gh_limit_table *table, const struct gh_limit_rule *rule,
                                    struct gh_hash128 key, uint64_t now_ms, bool peek)
{
    struct gh_limit_charge charge = {rule, key};
    struct gh_limit_decision decision;
    bool allowed = gh_limit_decide(table, &charge, 1, now_ms, peek, &decision);
    assert_int_equal(allowed, decision.allowed);
    return decision;
}

static bool admits(struct gh_limit_table *table, const struct gh_limit_rule *rule, uint64_t now_ms)
{
    return ask(table, rule, ALICE, now_ms, false).allowed;
}

/* xorshift64*: the same traces in every run. */
static uint64_t next_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545f4914f6cdd1du;
}

/* ---- The model: all admitted instants ---- */

#define TRACE_MAX 6000

struct model {
    uint64_t admitted_ms[TRACE_MAX];
    size_t count, oldest;
};

/* How many were admitted in the window that ends now. */
static size_t model_used(struct model *model, uint64_t window_ms, uint64_t now_ms)
{
    while (model->oldest < model->count && model->admitted_ms[model->oldest] + window_ms <= now_ms)
        model->oldest++;
    return model->count - model->oldest;
}

/* Quiet, busy and bursty stretches, in parts of the window. */
static uint64_t next_gap_ms(uint64_t *seed, const struct gh_limit_rule *rule)
{
    uint64_t kind = next_random(seed) % 8;
    uint64_t typical = rule->window_ms / rule->count + 1;
    if (kind < 4)
        return next_random(seed) % (typical + 1);
    if (kind == 4)
        return next_random(seed) % (4 * typical);
    if (kind == 5)
        return next_random(seed) % 50 == 0 ? next_random(seed) % (2 * rule->window_ms) : 0;
    return 0;
}

static void check_log_against_model(uint32_t count, uint64_t window_ms, uint64_t seed)
{
    static struct model model;
    struct gh_limit_rule rule = exact(count, window_ms);
    struct gh_limit_table *table = open_table(64);
    uint64_t now_ms = seed % 100000;
    memset(&model, 0, sizeof(model));
    for (size_t i = 0; i < TRACE_MAX; i++) {
        now_ms += next_gap_ms(&seed, &rule);
        size_t used = model_used(&model, window_ms, now_ms);
        uint64_t oldest_ms = used ? model.admitted_ms[model.oldest] : now_ms;
        struct gh_limit_decision decision = ask(table, &rule, ALICE, now_ms, false);
        assert_int_equal(decision.allowed, used < count);
        assert_int_equal(decision.remaining, used < count ? count - used - 1 : 0);
        assert_int_equal(decision.reset_ms, oldest_ms + window_ms - now_ms);
        assert_int_equal(decision.retry_after_ms,
                         used < count ? 0 : oldest_ms + window_ms - now_ms);
        if (decision.allowed)
            model.admitted_ms[model.count++] = now_ms;
    }
    gh_limit_table_close(table);
}

static void a_log_of_up_to_sixteen_is_exactly_the_model(void **state)
{
    (void)state;
    for (uint32_t count = 1; count <= GH_LIMIT_LOG_COUNT_MAX; count++) {
        check_log_against_model(count, 60000, 77 + count);
        check_log_against_model(count, 1, 770 + count);
        check_log_against_model(count, GH_LIMIT_WINDOW_MS_MAX, 7700 + count);
    }
}

static void check_subwindows_against_model(uint32_t count, uint64_t window_ms, uint64_t seed)
{
    static struct model model;
    struct gh_limit_rule rule = exact(count, window_ms);
    struct gh_limit_table *table = open_table(64);
    /* Twelve sub-windows and a byte each: a thirteenth more window, 12/255 of rounding. */
    uint64_t longer_ms = 12 * rule.step + rule.step;
    uint64_t now_ms = seed % 100000;
    memset(&model, 0, sizeof(model));
    for (size_t i = 0; i < TRACE_MAX; i++) {
        now_ms += next_gap_ms(&seed, &rule);
        size_t used = model_used(&model, window_ms, now_ms);
        size_t used_longer = 0;
        for (size_t at = model.count; at > 0; at--) {
            if (model.admitted_ms[at - 1] + longer_ms <= now_ms)
                break;
            used_longer++;
        }
        struct gh_limit_decision decision = ask(table, &rule, ALICE, now_ms, false);
        if (decision.allowed) {
            assert_true(used < count); /* never more than the limit in any window */
            model.admitted_ms[model.count++] = now_ms;
        } else { /* and never much less */
            assert_true(used_longer + 12 * (rule.unit - 1) >= count);
            assert_int_equal(decision.remaining, 0);
            assert_true(decision.retry_after_ms > 0);
            assert_true(decision.retry_after_ms <= 13 * rule.step);
        }
    }
    gh_limit_table_close(table);
}

static void sub_windows_never_admit_more_and_little_less_than_the_model(void **state)
{
    (void)state;
    static const uint32_t counts[] = {17, 20, 60, 100, 255, 256, 300, 1000, 1021};
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        check_subwindows_against_model(counts[i], 60000, 5 + i);
        check_subwindows_against_model(counts[i], 1000, 50 + i);
        check_subwindows_against_model(counts[i], 7, 500 + i);
        check_subwindows_against_model(counts[i], GH_LIMIT_WINDOW_MS_MAX, 5000 + i);
    }
}

/* What retry_after_ms promises, for all kinds: not a millisecond earlier, and then for sure. */
static void check_retry(const struct gh_limit_rule *rule, uint64_t seed, bool to_the_millisecond)
{
    struct gh_limit_table *table = open_table(64);
    uint64_t now_ms = 12345;
    for (int i = 0; i < 2000; i++) {
        now_ms += next_gap_ms(&seed, rule) / 2;
        struct gh_limit_decision decision = ask(table, rule, ALICE, now_ms, false);
        if (decision.allowed)
            continue;
        uint64_t then_ms = now_ms + decision.retry_after_ms;
        if (to_the_millisecond)
            assert_false(ask(table, rule, ALICE, then_ms - 1, true).allowed);
        assert_true(ask(table, rule, ALICE, then_ms, true).allowed);
    }
    gh_limit_table_close(table);
}

static void retry_after_is_when_one_more_is_admitted(void **state)
{
    (void)state;
    struct gh_limit_rule rules[] = {
        exact(1, 1000),    exact(5, 60000),        exact(11, 60000),     exact(16, 3600000),
        exact(100, 60000), gcra(100, 1000, 200),   gcra(3, 1000, 1),     gcra(7, 60000, 20),
        exact(255, 1000),  gcra(3000, 1000, 3000), gcra(1, DAY_MS, 300),
    };
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
        check_retry(&rules[i], 99 + i, true);
    struct gh_limit_rule scaled = exact(10000, 1000);
    check_retry(&scaled, 9, false);
}

static void six_logins_in_a_minute_are_one_too_many(void **state)
{
    (void)state;
    struct gh_limit_rule rule = exact(5, 60000);
    struct gh_limit_table *table = open_table(1024);
    for (uint64_t i = 0; i < 5; i++) {
        struct gh_limit_decision decision = ask(table, &rule, ALICE, 1000 * i, false);
        assert_true(decision.allowed);
        assert_int_equal(decision.remaining, 4 - i);
        assert_int_equal(decision.reset_ms, 60000 - 1000 * i);
    }
    struct gh_limit_decision decision = ask(table, &rule, ALICE, 18000, false);
    assert_false(decision.allowed);
    assert_int_equal(decision.retry_after_ms, 42000);
    assert_false(admits(table, &rule, 59999));
    assert_true(admits(table, &rule, 60000));
    assert_false(admits(table, &rule, 60999));
    assert_true(admits(table, &rule, 61000));
    gh_limit_table_close(table);
}

static void refused_requests_do_not_prolong_the_wait(void **state)
{
    (void)state;
    struct gh_limit_rule rules[] = {exact(2, 1000), exact(20, 1000), gcra(2, 1000, 2)};
    for (size_t i = 0; i < 3; i++) {
        struct gh_limit_table *table = open_table(64);
        for (uint64_t now_ms = 0; now_ms < 400; now_ms++)
            admits(table, &rules[i], now_ms);
        assert_true(admits(table, &rules[i], 1100));
        gh_limit_table_close(table);
    }
}

static void an_entry_of_long_ago_is_not_taken_for_a_new_one(void **state)
{
    (void)state;
    /* Offsets of 32 bits come round after 49.7 days, and so would a log without a base. */
    struct gh_limit_rule rule = exact(2, GH_LIMIT_WINDOW_MS_MAX);
    struct gh_limit_table *table = open_table(64);
    const uint64_t around_ms = (uint64_t)1 << 32;
    assert_true(admits(table, &rule, 5000));
    assert_true(admits(table, &rule, 5000));
    assert_false(admits(table, &rule, 4000 + GH_LIMIT_WINDOW_MS_MAX));
    for (uint64_t turn = 1; turn < 5; turn++) {
        assert_true(admits(table, &rule, turn * around_ms + 5001));
        assert_true(admits(table, &rule, turn * around_ms + 5001));
        assert_false(admits(table, &rule, turn * around_ms + 5001));
    }
    gh_limit_table_close(table);
}

/* ---- GCRA against the textbook, in exact fractions of a millisecond ---- */

/* ITU-T I.371 annex A with time in units of 1/count ms, in which an interval is window_ms. */
__extension__ typedef __int128 wide_int;

struct textbook {
    wide_int tat;
};

static bool textbook_admits(struct textbook *book, const struct gh_limit_rule *rule,
                            uint64_t now_ms)
{
    wide_int now = (wide_int)now_ms * rule->count;
    wide_int interval = (wide_int)rule->window_ms;
    wide_int tat = book->tat > now ? book->tat : now;
    if (tat - now > interval * (rule->burst - 1))
        return false;
    book->tat = tat + interval;
    return true;
}

static void check_gcra(struct gh_limit_rule rule, uint64_t seed)
{
    struct gh_limit_table *table = open_table(64);
    struct textbook book = {0};
    uint64_t now_ms = 1000;
    for (int i = 0; i < 20000; i++) {
        now_ms += next_gap_ms(&seed, &rule);
        wide_int ahead = book.tat - (wide_int)now_ms * rule.count;
        struct gh_limit_decision decision = ask(table, &rule, ALICE, now_ms, false);
        assert_int_equal(decision.allowed, textbook_admits(&book, &rule, now_ms));
        ahead = book.tat - (wide_int)now_ms * rule.count;
        wide_int room = (wide_int)rule.window_ms * rule.burst - ahead;
        assert_int_equal(decision.remaining, (uint64_t)(room / rule.window_ms));
    }
    gh_limit_table_close(table);
}

static void gcra_is_the_textbook(void **state)
{
    (void)state;
    /* Intervals that are whole nanoseconds; others are rounded up by less than one. */
    check_gcra(gcra(100, 1000, 200), 3);
    check_gcra(gcra(5, 60000, 1), 4);
    check_gcra(gcra(5, 60000, 7), 5);
    check_gcra(gcra(1000, 1000, 1), 6);
    check_gcra(gcra(1000000, 1000, 50), 7);
    check_gcra(gcra(1, DAY_MS, 30), 8);
}

static void gcra_with_odd_intervals_never_exceeds_its_rate(void **state)
{
    (void)state;
    struct gh_limit_rule rule = gcra(3, 1000, 4);
    struct gh_limit_table *table = open_table(64);
    uint64_t admitted = 0;
    for (uint64_t now_ms = 0; now_ms < 1000000; now_ms++)
        admitted += admits(table, &rule, now_ms);
    assert_in_range(admitted, 3 * 1000 + 2, 3 * 1000 + 4);
    gh_limit_table_close(table);
}

/* ---- Several charges ---- */

static bool ask_two(struct gh_limit_table *table, const struct gh_limit_charge *charges,
                    uint64_t now_ms, struct gh_limit_decision *decisions)
{
    return gh_limit_decide(table, charges, 2, now_ms, false, decisions);
}

static void nothing_is_charged_when_one_of_several_refuses(void **state)
{
    (void)state;
    struct gh_limit_rule wide = exact(5, 60000), narrow = exact(1, 60000);
    struct gh_limit_table *table = open_table(1 << 16);
    struct gh_limit_charge charges[] = {{&wide, ALICE}, {&narrow, BOB}};
    struct gh_limit_decision decisions[2];
    assert_true(ask_two(table, charges, 0, decisions));
    assert_int_equal(decisions[0].remaining, 4);
    assert_int_equal(decisions[1].remaining, 0);
    for (int i = 0; i < 10; i++) {
        assert_false(ask_two(table, charges, 10, decisions));
        assert_true(decisions[0].allowed);
        assert_int_equal(decisions[0].remaining, 4);
        assert_false(decisions[1].allowed);
        assert_int_equal(decisions[1].retry_after_ms, 59990);
    }
    assert_int_equal(ask(table, &wide, ALICE, 10, true).remaining, 4);
    gh_limit_table_close(table);
}

static void charges_of_one_key_count_one_after_the_other(void **state)
{
    (void)state;
    struct gh_limit_rule rules[] = {exact(3, 1000), exact(16, 1000), exact(17, 1000),
                                    gcra(3, 1000, 3)};
    uint32_t counts[] = {3, 16, 17, 3};
    for (size_t i = 0; i < 4; i++) {
        struct gh_limit_table *table = open_table(64);
        struct gh_limit_charge charges[] = {{&rules[i], ALICE}, {&rules[i], ALICE}};
        struct gh_limit_decision decisions[2];
        for (uint32_t used = 0; used + 2 <= counts[i]; used += 2) {
            assert_true(ask_two(table, charges, 5, decisions));
            assert_int_equal(decisions[1].remaining, counts[i] - used - 2);
        }
        assert_false(ask_two(table, charges, 5, decisions));
        if (counts[i] % 2) { /* the one that was left is left still */
            assert_true(decisions[0].allowed);
            assert_false(decisions[1].allowed);
            assert_true(decisions[1].retry_after_ms > 0);
            assert_true(admits(table, &rules[i], 5));
        }
        assert_false(admits(table, &rules[i], 5));
        gh_limit_table_close(table);
    }
}

static void more_charges_than_the_limit_can_never_be_admitted(void **state)
{
    (void)state;
    struct gh_limit_rule rule = exact(1, 1000);
    struct gh_limit_table *table = open_table(64);
    struct gh_limit_charge charges[] = {{&rule, ALICE}, {&rule, ALICE}};
    struct gh_limit_decision decisions[2];
    assert_false(ask_two(table, charges, 0, decisions));
    assert_int_equal(decisions[1].retry_after_ms, 1000);
    assert_true(admits(table, &rule, 0));
    gh_limit_table_close(table);
}

/* ---- Time and peeking ---- */

static void a_step_back_of_the_clock_is_no_step(void **state)
{
    (void)state;
    struct gh_limit_rule rules[] = {exact(2, 1000), exact(30, 1000), gcra(2, 1000, 2)};
    for (size_t i = 0; i < 3; i++) {
        struct gh_limit_table *table = open_table(64);
        while (admits(table, &rules[i], 5000))
            ;
        assert_false(admits(table, &rules[i], 0));
        struct gh_limit_decision decision = ask(table, &rules[i], ALICE, 0, false);
        assert_true(decision.retry_after_ms <= 1100);
        assert_true(admits(table, &rules[i], 6100));
        gh_limit_table_close(table);
    }
}

static void a_peek_charges_nothing(void **state)
{
    (void)state;
    struct gh_limit_rule rules[] = {exact(2, 1000), exact(30, 1000), gcra(2, 1000, 2)};
    uint32_t full[] = {2, 30, 2};
    for (size_t i = 0; i < 3; i++) {
        struct gh_limit_table *table = open_table(64);
        for (int k = 0; k < 100; k++)
            assert_int_equal(ask(table, &rules[i], ALICE, 0, true).remaining, full[i]);
        assert_int_equal(ask(table, &rules[i], ALICE, 0, true).reset_ms, 0);
        assert_int_equal(gh_limit_table_stats(table).entries, 0);
        /* nor does it move the clock */
        ask(table, &rules[i], ALICE, 1000000, true);
        while (admits(table, &rules[i], 500))
            ;
        assert_true(admits(table, &rules[i], 1600));
        gh_limit_table_close(table);
    }
}

static void rules_out_of_bounds_are_refused(void **state)
{
    (void)state;
    struct gh_limit_rule bad[] = {
        {GH_LIMIT_EXACT, 0, 1000, 0, 0, 0},
        {GH_LIMIT_EXACT, 1, 0, 0, 0, 0},
        {GH_LIMIT_EXACT, 1, GH_LIMIT_WINDOW_MS_MAX + 1, 0, 0, 0},
        {GH_LIMIT_EXACT, 1, UINT64_MAX, 0, 0, 0},
        {GH_LIMIT_GCRA, 1, 1000, 0, 0, 0},
        {GH_LIMIT_GCRA, 0, 1000, 1, 0, 0},
        {GH_LIMIT_GCRA, 1, DAY_MS, 3651, 0, 0},
        {GH_LIMIT_GCRA, 1, GH_LIMIT_WINDOW_MS_MAX, UINT32_MAX, 0, 0},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(gh_limit_rule_prepare(&bad[i]));
    struct gh_limit_rule fast = {GH_LIMIT_GCRA, UINT32_MAX, 1, UINT32_MAX, 0, 0};
    assert_true(gh_limit_rule_prepare(&fast));
    assert_int_equal(fast.step, 1);
}

static void the_largest_limits_count(void **state)
{
    (void)state;
    struct gh_limit_rule rules[] = {exact(UINT32_MAX, GH_LIMIT_WINDOW_MS_MAX),
                                    gcra(UINT32_MAX, 1000, UINT32_MAX),
                                    gcra(1, GH_LIMIT_WINDOW_MS_MAX, 121)};
    const uint64_t late_ms = ((uint64_t)1 << 43) - 1;
    for (size_t i = 0; i < 3; i++) {
        struct gh_limit_table *table = open_table(64);
        assert_true(admits(table, &rules[i], 0));
        assert_true(admits(table, &rules[i], late_ms));
        assert_true(ask(table, &rules[i], ALICE, late_ms, false).remaining > 100);
        gh_limit_table_close(table);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_log_of_up_to_sixteen_is_exactly_the_model),
        cmocka_unit_test(sub_windows_never_admit_more_and_little_less_than_the_model),
        cmocka_unit_test(retry_after_is_when_one_more_is_admitted),
        cmocka_unit_test(six_logins_in_a_minute_are_one_too_many),
        cmocka_unit_test(refused_requests_do_not_prolong_the_wait),
        cmocka_unit_test(an_entry_of_long_ago_is_not_taken_for_a_new_one),
        cmocka_unit_test(gcra_is_the_textbook),
        cmocka_unit_test(gcra_with_odd_intervals_never_exceeds_its_rate),
        cmocka_unit_test(nothing_is_charged_when_one_of_several_refuses),
        cmocka_unit_test(charges_of_one_key_count_one_after_the_other),
        cmocka_unit_test(more_charges_than_the_limit_can_never_be_admitted),
        cmocka_unit_test(a_step_back_of_the_clock_is_no_step),
        cmocka_unit_test(a_peek_charges_nothing),
        cmocka_unit_test(rules_out_of_bounds_are_refused),
        cmocka_unit_test(the_largest_limits_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
