/* Counts that wait, while the process loses its chain of the log and takes others: every refusal
   comes into the log once, by exactly one process. */
#include "app/audit_waiting.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <setjmp.h>
#include <cmocka.h>

#include "identity/audit_log.h"
#include "identity/identity_fixture.h"
#include "store/memory.h"

#define ALL 1000

static struct gh_identity_fixture f;
static struct gh_arena arena;          /* of one step */
static struct gh_audit_waiting ours;   /* of the process of the test */
static struct gh_audit_waiting theirs; /* of another one, over the same store */

static void open_waiting(struct gh_audit_waiting *waiting)
{
    assert_true(gh_audit_waiting_open(waiting, 16, (struct gh_hash_key){1, 2}));
    waiting->identity = &f.identity;
}

static int open_fixture(void **state)
{
    (void)state;
    gh_identity_fixture_open(&f);
    gh_arena_init(&arena, 64 * 1024, 16u << 20);
    open_waiting(&ours);
    open_waiting(&theirs);
    return 0;
}

static int close_fixture(void **state)
{
    (void)state;
    gh_audit_waiting_close(&ours);
    gh_audit_waiting_close(&theirs);
    gh_arena_done(&arena);
    gh_identity_fixture_close(&f);
    return 0;
}

static void refuse(struct gh_audit_waiting *waiting, const char *client, uint64_t count)
{
    struct gh_tally_entry entry = {
        .event = GH_AUDIT_RATE_LIMITED,
        .count = count,
        .first_us = f.now_us,
        .last_us = f.now_us,
        .reason = GH_STR("rate_limited"),
        .client = gh_str_from_c(client),
        .route = GH_STR("/a"),
    };
    struct gh_tally_taken taken = {.entries = &entry, .entry_count = 1};
    gh_window_add(waiting->window, &taken, f.now_us);
}

/* One turn, as the audit log's thread has them; how many records were recovered. */
static size_t turn(struct gh_audit_waiting *waiting, bool last)
{
    struct gh_audit_recovered recovered;
    struct gh_audit_waiting_written written = {.more = true};
    assert_int_equal(gh_audit_waiting_recover(waiting, &arena, f.now_us, &recovered), GH_OK);
    for (unsigned i = 0; written.more; i++) {
        assert_true(i < 10);
        assert_int_equal(gh_audit_waiting_write(waiting, &arena, f.now_us, last, &written), GH_OK);
        assert_int_equal(written.invalid, 0);
    }
    assert_int_equal(gh_audit_waiting_save(waiting, &arena, f.now_us, true), GH_OK);
    return recovered.records;
}

/* A first that is written, and `rest` that wait and are saved. */
static void refuse_and_save(struct gh_audit_waiting *waiting, const char *client, uint64_t rest)
{
    refuse(waiting, client, 1);
    turn(waiting, false);
    refuse(waiting, client, rest);
    turn(waiting, false);
}

static unsigned long long logged_of(const char *client)
{
    struct gh_audit_query query = {.every_chain = true, .oldest_first = true, .limit = ALL};
    struct gh_audit_entries entries;
    unsigned long long sum = 0, count;
    assert_int_equal(gh_audit_log_page(&f.identity, &f.arena, &query, &entries), GH_OK);
    for (size_t i = 0; i < entries.count; i++) {
        const struct gh_audit_record *record = &entries.items[i].record;
        if (record->event != GH_AUDIT_RATE_LIMITED ||
            !gh_str_eq(record->ip_address, gh_str_from_c(client)))
            continue;
        assert_int_equal(sscanf(record->metadata.ptr, "{\"count\":%llu", &count), 1);
        sum += count;
    }
    return sum;
}

struct saved {
    uint32_t chain;
    struct gh_audit_pending *items;
    size_t count;
};

static enum gh_err read_saved(struct gh_tx *tx, void *args)
{
    struct saved *saved = args;
    tx->chain = saved->chain;
    return tx->ops->pending_some(tx, ALL, &saved->items, &saved->count);
}

static size_t saved_under(uint32_t chain)
{
    struct saved saved = {.chain = chain};
    assert_int_equal(f.store->ops->read(f.store, read_saved, &saved, &f.arena), GH_OK);
    return saved.count;
}

/* What is left there is moved to the own chain, by us. */
static size_t take_over(uint32_t chain)
{
    struct gh_audit_recovered recovered;
    assert_int_equal(gh_audit_waiting_recover_chain(&ours, &arena, chain, f.now_us, &recovered),
                     GH_OK);
    return recovered.records;
}

#define OURS   "198.51.100.1"
#define THEIRS "203.0.113.9"

static void who_loses_its_chain_writes_nothing_twice(void **state)
{
    (void)state;
    refuse_and_save(&ours, OURS, 6);
    gh_memory_store_hold(f.store, 2); /* chain 1 is nobody's */
    refuse(&ours, OURS, 4);
    turn(&ours, false);
    assert_int_equal(saved_under(1), 1);
    assert_int_equal(saved_under(2), 1);
    assert_int_equal(logged_of(OURS), 1);
    assert_int_equal(take_over(1), 1);
    assert_int_equal(logged_of(OURS), 7);
    turn(&ours, true);
    assert_int_equal(logged_of(OURS), 11);
    assert_int_equal(saved_under(1) + saved_under(2), 0);
}

/* It had been there all along, and starts nothing anew. */
static void a_living_process_that_takes_a_chain_writes_what_is_saved_there(void **state)
{
    (void)state;
    gh_memory_store_hold(f.store, 2);
    refuse_and_save(&theirs, THEIRS, 5); /* at the same place of its window */
    gh_memory_store_hold(f.store, 1);
    refuse_and_save(&ours, OURS, 6);
    gh_memory_store_hold(f.store, 3);
    turn(&ours, false);
    gh_memory_store_hold(f.store, 1); /* the other one, which has lost chain 2 */
    assert_int_equal(turn(&theirs, false), 1);
    assert_int_equal(logged_of(OURS), 7);
    refuse(&theirs, THEIRS, 2);
    turn(&theirs, true);
    assert_int_equal(logged_of(OURS), 7);
    assert_int_equal(logged_of(THEIRS), 3);
    gh_memory_store_hold(f.store, 3);
    turn(&ours, true);
    assert_int_equal(take_over(2), 1);
    assert_int_equal(logged_of(OURS), 7);
    assert_int_equal(logged_of(THEIRS), 8);
}

/* Between the look of a turn and its writing. */
static void a_chain_that_is_lost_in_the_middle_of_a_turn_is_noticed(void **state)
{
    struct gh_audit_waiting_written written;
    (void)state;
    refuse_and_save(&ours, OURS, 6);
    gh_memory_store_hold(f.store, 2);
    refuse(&ours, OURS, 3);
    f.now_us += GH_WINDOW_US;
    assert_int_equal(gh_audit_waiting_write(&ours, &arena, f.now_us, true, &written), GH_OK);
    assert_true(written.more);
    assert_int_equal(logged_of(OURS), 1);
    assert_int_equal(gh_audit_waiting_write(&ours, &arena, f.now_us, true, &written), GH_OK);
    assert_int_equal(logged_of(OURS), 4);
    gh_memory_store_hold(f.store, 1);
    refuse(&ours, OURS, 2);
    assert_int_equal(gh_audit_waiting_save(&ours, &arena, f.now_us, true), GH_OK);
    assert_int_equal(saved_under(1), 1); /* as it was: nothing takes its place */
    assert_int_equal(turn(&ours, true), 1);
    assert_int_equal(logged_of(OURS), 12);
}

static void a_chain_that_is_lost_between_the_turns_of_saving_overwrites_nothing(void **state)
{
    (void)state;
    gh_memory_store_hold(f.store, 2);
    refuse_and_save(&theirs, THEIRS, 5);
    gh_memory_store_hold(f.store, 1);
    refuse_and_save(&ours, OURS, 6);
    gh_memory_store_hold(f.store, 2);
    refuse(&ours, OURS, 1);
    assert_int_equal(gh_audit_waiting_save(&ours, &arena, f.now_us, true), GH_OK);
    assert_int_equal(turn(&ours, false), 1);
    assert_int_equal(logged_of(THEIRS), 6);
    turn(&ours, true);
    assert_int_equal(take_over(1), 1);
    assert_int_equal(logged_of(OURS), 8);
}

/* While its connection was gone somebody else took it over, or had it. */
static void the_same_chain_taken_again_counts_as_another(void **state)
{
    (void)state;
    refuse_and_save(&ours, OURS, 6);
    gh_memory_store_hold(f.store, 2); /* it is nobody's for a moment */
    struct gh_audit_recovered recovered;
    assert_int_equal(gh_audit_waiting_recover_chain(&theirs, &arena, 1, f.now_us, &recovered),
                     GH_OK);
    assert_int_equal(logged_of(OURS), 7);
    gh_memory_store_hold(f.store, 1);
    refuse(&ours, OURS, 3);
    turn(&ours, true);
    assert_int_equal(logged_of(OURS), 10);
}

static void what_can_not_be_recovered_yet_hinders_no_record(void **state)
{
    struct gh_audit_recovered recovered;
    struct gh_audit_waiting_written written;
    (void)state;
    refuse_and_save(&ours, OURS, 6);
    gh_memory_store_hold(f.store, 1);
    gh_fixture_store_fail(f.store, 1, GH_ERR_FULL);
    assert_int_equal(gh_audit_waiting_recover(&ours, &arena, f.now_us, &recovered), GH_ERR_FULL);
    refuse(&ours, THEIRS, 1);
    assert_int_equal(gh_audit_waiting_write(&ours, &arena, f.now_us, false, &written), GH_OK);
    assert_int_equal(logged_of(THEIRS), 1);
    refuse(&ours, THEIRS, 8);
    assert_int_equal(gh_audit_waiting_save(&ours, &arena, f.now_us, true), GH_OK);
    assert_int_equal(saved_under(1), 1); /* nothing is saved before that */
    assert_int_equal(turn(&ours, true), 1);
    assert_int_equal(logged_of(OURS), 7);
    assert_int_equal(logged_of(THEIRS), 9);
}

static void it_is_told_how_much_is_part_of_a_count(void **state)
{
    struct gh_audit_waiting_written written;
    (void)state;
    refuse(&ours, OURS, 5);
    assert_int_equal(gh_audit_waiting_write(&ours, &arena, f.now_us, false, &written), GH_OK);
    assert_int_equal(written.coalesced, 4);
    assert_int_equal(written.overflow, 0);
    assert_false(written.more);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(who_loses_its_chain_writes_nothing_twice),
        TEST(a_living_process_that_takes_a_chain_writes_what_is_saved_there),
        TEST(a_chain_that_is_lost_in_the_middle_of_a_turn_is_noticed),
        TEST(a_chain_that_is_lost_between_the_turns_of_saving_overwrites_nothing),
        TEST(the_same_chain_taken_again_counts_as_another),
        TEST(what_can_not_be_recovered_yet_hinders_no_record),
        TEST(it_is_told_how_much_is_part_of_a_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
