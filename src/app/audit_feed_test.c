/* What those are told of the log who look at all of it: every record once, of each chain in order.
 */
#include "app/audit_feed.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <setjmp.h>
#include <cmocka.h>

#include "identity/identity_fixture.h"
#include "store/memory.h"

#define TOLD_MAX 2048

static struct gh_identity_fixture f;
static struct gh_audit_feed feed;
static struct gh_arena arena; /* of a page */
static struct told {
    uint32_t chain;
    uint64_t seq;
    bool replayed, own;
} told[TOLD_MAX];
static size_t told_count;

/* What a store hides that units read through; see below. */
static struct {
    uint32_t chain;
    uint64_t from_seq; /* nothing of that chain from here on is seen; 0: all is */
    size_t walk_max;   /* so many records are looked at for one page at most; 0: any number */
} hidden;

static int open_fixture(void **state)
{
    memset(&hidden, 0, sizeof(hidden));
    gh_identity_fixture_open(&f);
    gh_arena_init(&arena, 64 * 1024, 16u << 20);
    told_count = 0;
    return 0;
}

static int close_fixture(void **state)
{
    gh_audit_feed_end(&feed);
    gh_arena_done(&arena);
    gh_identity_fixture_close(&f);
    return 0;
}

static void note(void *context, const struct gh_audit_record *record,
                 struct gh_audit_feed_from from)
{
    (void)context;
    assert_true(told_count < TOLD_MAX);
    told[told_count++] = (struct told){record->chain, record->seq, from.replayed, from.own};
}

static void append(size_t count)
{
    struct gh_audit_record record = {.time_us = f.now_us,
                                     .event = GH_AUDIT_HOST_REJECTED,
                                     .outcome = GH_AUDIT_FAILURE,
                                     .metadata = GH_STR("{\"count\":1}")};
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(gh_audit_log_append_many(&f.identity, &arena, &record, 1), GH_OK);
        gh_arena_reset(&arena);
    }
}

/* As the process that writes that chain. */
static void append_to(uint32_t chain, size_t count)
{
    gh_memory_store_hold(f.store, chain);
    append(count);
}

static void begin(uint64_t since_us)
{
    assert_int_equal(gh_audit_feed_begin(&feed, &f.identity, since_us, &arena), GH_OK);
    gh_audit_feed_add(&feed, note, NULL);
}

static void turn_at(uint64_t now_us, bool whole)
{
    bool more = true;
    for (unsigned i = 0; more; i++) {
        assert_true(i < 100);
        assert_int_equal(gh_audit_feed_turn(&feed, &arena, now_us, whole, &more), GH_OK);
    }
}

static void turn(void)
{
    turn_at(f.now_us, false);
}

/* Each chain is told of in its order, from the first that was told, without gaps. */
static void assert_in_order(uint32_t chain, uint64_t first, uint64_t last)
{
    uint64_t next = first;
    for (size_t i = 0; i < told_count; i++)
        if (told[i].chain == chain)
            assert_int_equal(told[i].seq, next++);
    assert_int_equal(next, last + 1);
}

static void one_chain_is_told_as_it_grows(void **state)
{
    append(3);
    begin(0);
    append(2);
    turn();
    append(300);
    turn();
    turn();
    assert_int_equal(told_count, 305);
    assert_in_order(1, 1, 305);
    assert_true(told[2].replayed && !told[3].replayed && told[3].own);
    assert_int_equal(feed.told, 305);
    assert_int_equal(gh_audit_feed_own(&feed)->cursor, 305);
}

static void what_is_older_than_asked_for_is_not_told(void **state)
{
    append(3);
    append_to(2, 2);
    f.now_us += FIXTURE_DAY;
    append_to(1, 2);
    begin(f.now_us);
    append_to(2, 2); /* nothing of it was young enough */
    append_to(3, 1);
    turn();
    assert_in_order(1, 4, 5);
    assert_in_order(2, 3, 4);
    assert_in_order(3, 1, 1);
    assert_true(told[0].replayed && !told[told_count - 1].replayed);
}

static void several_chains_are_told_in_the_order_in_which_they_were_written(void **state)
{
    for (unsigned i = 0; i < 200; i++)
        append_to(i % 3 + 1, 2);
    begin(0);
    turn();
    assert_int_equal(told_count, 400);
    for (unsigned i = 0; i < 400; i++) {
        assert_int_equal(told[i].chain, i / 2 % 3 + 1);
        assert_true(told[i].replayed);
    }
    for (uint32_t chain = 1; chain <= 3; chain++)
        append_to(chain, 5);
    turn();
    assert_int_equal(told_count, 415);
    assert_in_order(1, 1, 139);
    assert_in_order(2, 1, 139);
    assert_in_order(3, 1, 137);
}

static void a_chain_that_begins_later_is_told_from_its_first_record(void **state)
{
    append(4);
    begin(0);
    turn();
    append_to(2, 3);
    turn_at(f.now_us + GH_AUDIT_FEED_LOOK_US, false);
    assert_in_order(2, 1, 3);
    assert_int_equal(feed.chain_count, 2);
    assert_int_equal(gh_audit_feed_own(&feed)->id, 2);
    append_to(1, 1);
    append_to(2, 1);
    turn_at(f.now_us + GH_AUDIT_FEED_LOOK_US, false);
    assert_in_order(1, 1, 5);
    assert_in_order(2, 1, 4);
}

/* ---- A store where a record is seen later than what was written after it ---- */

static const struct gh_tx_ops *whole_ops;

/* A store without an index by time looks at one record after another. */
static enum gh_err walk(struct gh_tx *tx, const struct gh_audit_query *query)
{
    struct gh_audit_query any_time = *query;
    struct gh_audit_row *rows;
    size_t count, met = 0;
    any_time.since_us = any_time.until_us = 0;
    any_time.limit = hidden.walk_max + 1;
    enum gh_err err = whole_ops->audit_page(tx, &any_time, &rows, &count);
    for (size_t i = 0; err == GH_OK && i < count && met < query->limit; i++) {
        uint64_t time_us = rows[i].record.time_us;
        met += time_us >= query->since_us && (!query->until_us || time_us < query->until_us);
    }
    return err == GH_OK && count > hidden.walk_max && met < query->limit ? GH_ERR_CLOSED : err;
}

static enum gh_err hidden_page(struct gh_tx *tx, const struct gh_audit_query *query,
                               struct gh_audit_row **out_rows, size_t *out_count)
{
    size_t kept = 0;
    enum gh_err err = hidden.walk_max ? walk(tx, query) : GH_OK;
    if (err == GH_OK)
        err = whole_ops->audit_page(tx, query, out_rows, out_count);
    for (size_t i = 0; err == GH_OK && i < *out_count; i++) {
        const struct gh_audit_record *record = &(*out_rows)[i].record;
        if (!hidden.from_seq || record->chain != hidden.chain || record->seq < hidden.from_seq)
            (*out_rows)[kept++] = (*out_rows)[i];
    }
    *out_count = kept;
    return err;
}

struct hidden_args {
    gh_store_unit *unit;
    void *args;
};

static enum gh_err hidden_unit(struct gh_tx *tx, void *args)
{
    const struct hidden_args *hidden_args = args;
    struct gh_tx_ops ops = *tx->ops;
    whole_ops = tx->ops;
    ops.audit_page = hidden_page;
    tx->ops = &ops;
    enum gh_err err = hidden_args->unit(tx, hidden_args->args);
    tx->ops = whole_ops;
    return err;
}

static enum gh_err hidden_read(struct gh_store *store, gh_store_unit *unit, void *args,
                               struct gh_arena *unit_arena)
{
    struct hidden_args hidden_args = {unit, args};
    (void)store;
    return f.store->ops->read(f.store, hidden_unit, &hidden_args, unit_arena);
}

/* The feed reads through it, the log is written beside it. */
static struct gh_identity *hiding(void)
{
    static const struct gh_store_ops OPS = {.read = hidden_read};
    static struct gh_store store = {&OPS};
    static struct gh_identity identity;
    memcpy((void *)&identity, &f.identity, sizeof(identity));
    identity.store = &store;
    return &identity;
}

static void open_behind_a_veil(void)
{
    append_to(2, 2);
    append_to(1, 2);
    hidden.from_seq = 0;
    assert_int_equal(gh_audit_feed_begin(&feed, hiding(), 0, &arena), GH_OK);
    gh_audit_feed_add(&feed, note, NULL);
    turn();
    hidden.chain = 2;
    hidden.from_seq = 3;
    append_to(2, 3); /* not seen yet */
    append_to(1, 3);
    turn();
    assert_in_order(1, 1, 5);
    assert_in_order(2, 1, 2);
    hidden.from_seq = 0;
}

static void what_comes_behind_its_turn_is_told_with_the_next_of_its_chain(void **state)
{
    open_behind_a_veil();
    turn();
    assert_in_order(2, 1, 2); /* its turn is over */
    append_to(2, 1);
    turn();
    assert_in_order(2, 1, 6);
    append_to(1, 1);
    append_to(2, 1);
    turn();
    assert_in_order(1, 1, 6);
    assert_in_order(2, 1, 7);
}

static void what_comes_behind_its_turn_is_told_by_a_sweep(void **state)
{
    open_behind_a_veil();
    turn_at(f.now_us + GH_AUDIT_FEED_SWEEP_US - 1, false);
    assert_in_order(2, 1, 2);
    turn_at(f.now_us + GH_AUDIT_FEED_SWEEP_US, false);
    assert_in_order(2, 1, 5);
}

static void the_last_turn_leaves_nothing(void **state)
{
    open_behind_a_veil();
    turn_at(f.now_us, true);
    assert_in_order(1, 1, 5);
    assert_in_order(2, 1, 5);
}

/* ---- The beginning of a long log ---- */

static void append_many_to(uint32_t chain, size_t thousands)
{
    static struct gh_audit_record records[1000];
    gh_memory_store_hold(f.store, chain);
    for (size_t i = 0; i < 1000; i++)
        records[i] = (struct gh_audit_record){.time_us = f.now_us,
                                              .event = GH_AUDIT_HOST_REJECTED,
                                              .outcome = GH_AUDIT_FAILURE,
                                              .metadata = GH_STR("{\"count\":1}")};
    for (size_t i = 0; i < thousands; i++) {
        assert_int_equal(gh_audit_log_append_many(&f.identity, &arena, records, 1000), GH_OK);
        gh_arena_reset(&arena);
    }
}

static void the_beginning_of_a_long_log_is_not_walked_to(void **state)
{
    append_many_to(1, GH_AUDIT_FEED_LOOK_BACK / 1000 + 2);
    append_many_to(2, 1);
    f.now_us += 2 * FIXTURE_DAY;
    append_to(1, 300);
    append_to(2, 5);
    hidden.walk_max = GH_AUDIT_FEED_LOOK_BACK + 1;
    assert_int_equal(gh_audit_feed_begin(&feed, hiding(), f.now_us - FIXTURE_DAY, &arena), GH_OK);
    hidden.walk_max = 0;
    gh_audit_feed_add(&feed, note, NULL);
    turn();
    assert_int_equal(told_count, 305);
    assert_in_order(1, GH_AUDIT_FEED_LOOK_BACK + 2001, GH_AUDIT_FEED_LOOK_BACK + 2300);
    assert_in_order(2, 1001, 1005);
    assert_int_equal(told[0].chain, 1);
    assert_int_equal(told[300].chain, 2);
}

static void a_long_log_of_old_records_alone_is_not_walked(void **state)
{
    append_many_to(1, GH_AUDIT_FEED_LOOK_BACK / 1000 + 2);
    hidden.walk_max = GH_AUDIT_FEED_LOOK_BACK + 1;
    assert_int_equal(gh_audit_feed_begin(&feed, hiding(), f.now_us + 1, &arena), GH_OK);
    gh_audit_feed_add(&feed, note, NULL);
    turn();
    assert_int_equal(told_count, 0);
    append(1);
    turn();
    assert_int_equal(told_count, 1);
}

/* A clock that was two days late for a while. */
static void what_stands_before_a_record_that_seems_older_is_told_too(void **state)
{
    uint64_t now_us = f.now_us;
    for (uint32_t chain = 1; chain <= 2; chain++) {
        f.now_us = now_us - 2 * FIXTURE_DAY;
        append_to(chain, 3);
        f.now_us = now_us;
        append_to(chain, 5);
        f.now_us = now_us - 2 * FIXTURE_DAY;
        append_to(chain, 2);
    }
    f.now_us = now_us;
    append_to(1, 4);
    begin(now_us - FIXTURE_DAY);
    turn();
    assert_in_order(1, 4, 14);
    assert_in_order(2, 4, 10);
    for (size_t i = 0; i < 7; i++)
        assert_int_equal(told[i].chain, 1);
    for (size_t i = 7; i < 14; i++) /* by position: chain 2 was written before the last of 1 */
        assert_int_equal(told[i].chain, 2);
}

/* ---- Who holds what ---- */

static void the_own_chain_is_that_which_this_process_writes(void **state)
{
    append_to(1, 1);
    append_to(2, 1);
    gh_memory_store_hold_elsewhere(f.store, 1);
    begin(0);
    turn();
    assert_false(told[0].own);
    assert_true(told[1].own);
    assert_int_equal(gh_audit_feed_own(&feed)->id, 2);
}

static void who_holds_a_lower_chain_stands_before_this_process(void **state)
{
    append_to(3, 1);
    begin(0);
    turn();
    assert_int_equal(gh_audit_feed_place(&feed), 0); /* nobody holds chains 1 and 2 */
    gh_memory_store_hold_elsewhere(f.store, 1);
    gh_memory_store_hold_elsewhere(f.store, 4);
    turn();
    assert_int_equal(gh_audit_feed_place(&feed), 0); /* it looks now and then */
    turn_at(f.now_us + GH_AUDIT_FEED_LOOK_US, false);
    assert_int_equal(gh_audit_feed_place(&feed), 1);
    gh_memory_store_hold_elsewhere(f.store, 2);
    turn_at(f.now_us + 2 * GH_AUDIT_FEED_LOOK_US, false);
    assert_int_equal(gh_audit_feed_place(&feed), 2);
    gh_memory_store_give_up(f.store, 1);
    gh_memory_store_give_up(f.store, 2);
    turn_at(f.now_us + 3 * GH_AUDIT_FEED_LOOK_US, false);
    assert_int_equal(gh_audit_feed_place(&feed), 0);
}

static void a_clock_that_went_back_stops_no_look(void **state)
{
    begin(0);
    turn_at(f.now_us + FIXTURE_DAY, false);
    gh_memory_store_hold(f.store, 3);
    turn();
    assert_int_equal(feed.chain_count, 3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_chain_is_told_as_it_grows),
        TEST(what_is_older_than_asked_for_is_not_told),
        TEST(several_chains_are_told_in_the_order_in_which_they_were_written),
        TEST(a_chain_that_begins_later_is_told_from_its_first_record),
        TEST(what_comes_behind_its_turn_is_told_with_the_next_of_its_chain),
        TEST(what_comes_behind_its_turn_is_told_by_a_sweep),
        TEST(the_last_turn_leaves_nothing),
        TEST(the_beginning_of_a_long_log_is_not_walked_to),
        TEST(a_long_log_of_old_records_alone_is_not_walked),
        TEST(what_stands_before_a_record_that_seems_older_is_told_too),
        TEST(the_own_chain_is_that_which_this_process_writes),
        TEST(who_holds_a_lower_chain_stands_before_this_process),
        TEST(a_clock_that_went_back_stops_no_look),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
