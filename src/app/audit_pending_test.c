/* Every refusal is in one place: saved, or in the log; and a process that is killed leaves both. */
#include "app/audit_pending.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <setjmp.h>
#include <cmocka.h>

#include "audit/verify.h"
#include "identity/audit_check.h"
#include "identity/audit_log.h"
#include "identity/identity_fixture.h"
#include "identity/rotation.h"
#include "store/memory.h"

#define AGENT   "Annotator/3.1 (of Ann)"
#define CLIENT  "198.51.100.77"
#define MOST    64
#define ALL     1000
#define MANY    5 /* more than SLICE */
#define SLICE   2
#define ANOTHER GH_STR("another root secret of the tests, long enough")

static struct gh_identity_fixture f;
static struct gh_window *window;
static struct gh_str ann;

static int open_fixture(void **state)
{
    (void)state;
    gh_identity_fixture_open(&f);
    ann = gh_fixture_account(&f, "ann@example.org", FIXTURE_PASSWORD, 1);
    window = gh_window_new(16, (struct gh_hash_key){1, 2});
    return window ? 0 : -1;
}

static int close_fixture(void **state)
{
    (void)state;
    gh_window_free(window);
    gh_identity_fixture_close(&f);
    return 0;
}

/* ---- What happens ---- */

static void refuse(struct gh_str user_id, const char *route, uint64_t count)
{
    struct gh_tally_entry entry = {
        .event = GH_AUDIT_ACCESS_DENIED,
        .count = count,
        .first_us = f.now_us,
        .last_us = f.now_us,
        .reason = GH_STR("not_owner"),
        .client = GH_STR(CLIENT),
        .route = gh_str_from_c(route),
        .user_id = user_id,
        .session = user_id.len ? GH_STR("a session") : GH_STR(""),
        .user_agent = GH_STR(AGENT),
    };
    struct gh_tally_taken taken = {.entries = &entry, .entry_count = 1};
    gh_window_add(window, &taken, f.now_us);
}

static size_t invalid; /* of the last writing */

static enum gh_err read_times(struct gh_tx *tx, void *args)
{
    struct gh_audit_own own;
    enum gh_err err = tx->ops->audit_own(tx, &own);
    *(uint64_t *)args = own.times;
    return err;
}

static uint64_t times_now(void)
{
    uint64_t times = 0;
    assert_int_equal(f.store->ops->read(f.store, read_times, &times, &f.arena), GH_OK);
    return times;
}

static enum gh_err write_due(bool all)
{
    struct gh_window_entry due[MOST];
    size_t count = gh_window_due(window, f.now_us, all, due, MOST);
    enum gh_err err =
        gh_audit_pending_write(&f.identity, &f.arena, due, count, times_now(), f.now_us, &invalid);
    if (err == GH_OK)
        gh_window_written(window, f.now_us);
    return err;
}

static enum gh_err save(void)
{
    struct gh_window_entry unsaved[MOST];
    size_t count = gh_window_unsaved(window, unsaved, MOST);
    enum gh_err err =
        gh_audit_pending_save(&f.identity, &f.arena, unsaved, count, times_now(), f.now_us);
    if (err == GH_OK)
        gh_window_saved(window);
    return err;
}

/* A first that is written, and `rest` that wait and are saved. */
static void refuse_and_save(struct gh_str user_id, const char *route, uint64_t rest)
{
    refuse(user_id, route, 1);
    assert_int_equal(write_due(false), GH_OK);
    refuse(user_id, route, rest);
    assert_int_equal(save(), GH_OK);
}

static void kill_and_start(void)
{
    gh_window_free(window);
    window = gh_window_new(16, (struct gh_hash_key){1, 2});
    assert_non_null(window);
    gh_identity_fixture_restart(&f);
}

/* All of it, in slices; how many came into the log. */
static size_t recover(void)
{
    struct gh_audit_recovered recovered;
    size_t records = 0;
    for (bool left = true; left;) {
        assert_int_equal(
            gh_audit_pending_recover(&f.identity, &f.arena, 0, SLICE, f.now_us, &recovered, &left),
            GH_OK);
        assert_int_equal(recovered.damaged, 0);
        records += recovered.records;
    }
    return records;
}

/* What is left of a chain that nobody holds. */
static size_t recover_of(uint32_t chain, enum gh_err expected)
{
    struct gh_audit_recovered recovered = {.records = 0};
    bool left = false;
    assert_int_equal(
        gh_audit_pending_recover(&f.identity, &f.arena, chain, MOST, f.now_us, &recovered, &left),
        expected);
    assert_false(left);
    return recovered.records;
}

/* ---- What is there ---- */

struct saved {
    struct gh_audit_pending *items;
    size_t count;
};

static enum gh_err read_saved(struct gh_tx *tx, void *args)
{
    struct saved *saved = args;
    return tx->ops->pending_some(tx, ALL, &saved->items, &saved->count);
}

static struct saved all_saved(void)
{
    struct saved saved;
    assert_int_equal(f.store->ops->read(f.store, read_saved, &saved, &f.arena), GH_OK);
    return saved;
}

static struct gh_audit_entries log_entries(void)
{
    struct gh_audit_query query = {.oldest_first = true, .limit = ALL};
    struct gh_audit_entries entries;
    assert_int_equal(gh_audit_log_page(&f.identity, &f.arena, &query, &entries), GH_OK);
    return entries;
}

static unsigned long long count_of(struct gh_str metadata)
{
    unsigned long long count = 0;
    assert_int_equal(sscanf(metadata.ptr, "{\"count\":%llu", &count), 1);
    return count;
}

static unsigned long long logged(void)
{
    struct gh_audit_entries entries = log_entries();
    unsigned long long sum = 0;
    for (size_t i = 0; i < entries.count; i++)
        if (entries.items[i].record.event == GH_AUDIT_ACCESS_DENIED)
            sum += count_of(entries.items[i].record.metadata);
    return sum;
}

static bool has(struct gh_str text, const char *needle)
{
    return gh_str_find(text, gh_str_from_c(needle)) < text.len;
}

static struct gh_audit_entry newest(void)
{
    struct gh_audit_entries entries = log_entries();
    assert_true(entries.count > 0);
    return entries.items[entries.count - 1];
}

/* ---- Tests ---- */

static void what_was_saved_is_a_record_after_a_kill(void **state)
{
    (void)state;
    refuse_and_save(ann, "/users/{id}", 6);
    assert_int_equal(logged(), 1);
    assert_int_equal(all_saved().count, 1);
    kill_and_start();
    f.now_us += FIXTURE_SECOND;
    assert_int_equal(recover(), 1);
    assert_int_equal(all_saved().count, 0);
    assert_int_equal(logged(), 7);
    struct gh_audit_entry entry = newest();
    assert_false(entry.erased || entry.damaged);
    assert_int_equal(entry.record.time_us, f.now_us);
    assert_int_equal(entry.record.outcome, GH_AUDIT_FAILURE);
    assert_true(gh_str_eq(entry.record.user_id, ann));
    assert_true(gh_str_eq(entry.record.ip_address, GH_STR(CLIENT)));
    assert_true(gh_str_eq(entry.record.user_agent, GH_STR(AGENT)));
    assert_int_equal(entry.record.session.len, GH_AUDIT_SESSION_LEN);
    assert_true(has(entry.record.metadata, "\"route\":\"/users/{id}\""));
}

static void it_comes_once(void **state)
{
    (void)state;
    refuse_and_save(ann, "/a", 6);
    kill_and_start();
    assert_int_equal(recover(), 1);
    kill_and_start();
    assert_int_equal(recover(), 0);
    assert_int_equal(logged(), 7);
}

static void a_count_that_grows_takes_the_place_of_the_one_before(void **state)
{
    (void)state;
    refuse_and_save(ann, "/a", 6);
    struct saved before = all_saved();
    refuse(ann, "/a", 10);
    assert_int_equal(save(), GH_OK);
    struct saved after = all_saved();
    assert_int_equal(after.count, 1);
    assert_true(gh_str_eq(after.items[0].row.sealed, before.items[0].row.sealed));
    kill_and_start();
    assert_int_equal(recover(), 1);
    assert_int_equal(logged(), 17);
    assert_false(newest().damaged);
}

static void what_is_written_is_not_saved_any_more(void **state)
{
    (void)state;
    refuse_and_save(ann, "/a", 6);
    f.now_us += FIXTURE_MINUTE;
    assert_int_equal(write_due(false), GH_OK);
    assert_int_equal(all_saved().count, 0);
    assert_int_equal(logged(), 7);
    kill_and_start();
    assert_int_equal(recover(), 0);
}

static void what_can_not_be_written_stays_saved(void **state)
{
    (void)state;
    refuse_and_save(ann, "/a", 6);
    gh_fixture_store_fail(f.store, 1, GH_ERR_FULL);
    assert_int_equal(write_due(true), GH_ERR_FULL);
    assert_int_equal(all_saved().count, 1);
    assert_int_equal(logged(), 1);
    gh_fixture_store_fail(f.store, 1, GH_ERR_FULL);
    refuse(ann, "/a", 1);
    assert_int_equal(save(), GH_ERR_FULL);
    assert_int_equal(count_of(all_saved().items[0].row.record.metadata), 6);
    assert_int_equal(save(), GH_OK);
    assert_int_equal(write_due(true), GH_OK);
    assert_int_equal(logged(), 8);
    assert_int_equal(all_saved().count, 0);
}

static void what_could_not_be_recovered_is_still_there(void **state)
{
    (void)state;
    struct gh_audit_recovered recovered;
    bool left;
    refuse_and_save(ann, "/a", 6);
    kill_and_start();
    gh_fixture_store_fail(f.store, 1, GH_ERR_FULL);
    assert_int_equal(
        gh_audit_pending_recover(&f.identity, &f.arena, 0, SLICE, f.now_us, &recovered, &left),
        GH_ERR_FULL);
    assert_int_equal(logged(), 1);
    assert_int_equal(recover(), 1);
    assert_int_equal(logged(), 7);
}

static void slices_bring_all(void **state)
{
    (void)state;
    char route[16];
    for (unsigned i = 0; i < MANY; i++) {
        snprintf(route, sizeof(route), "/%u", i);
        refuse_and_save(i % 2 ? ann : GH_STR(""), route, 10 + i);
    }
    assert_int_equal(all_saved().count, MANY);
    kill_and_start();
    assert_int_equal(recover(), MANY);
    assert_int_equal(logged(), MANY + 10 + 11 + 12 + 13 + 14);
}

static void what_is_left_of_a_chain_of_nobody_comes_into_the_own_one(void **state)
{
    struct gh_audit_verify_options options = {.partial = false};
    struct gh_audit_verdict verdict;
    (void)state;
    refuse_and_save(ann, "/a", 6);
    refuse_and_save(GH_STR(""), "/b", 7);
    kill_and_start();
    gh_memory_store_hold(f.store, 2);
    assert_int_equal(recover(), 0); /* nothing of its own */
    assert_int_equal(recover_of(1, GH_OK), 2);
    assert_int_equal(recover_of(1, GH_OK), 0);
    assert_int_equal(gh_audit_check_store(f.store, &options, 0, &verdict), GH_OK);
    assert_int_equal(verdict.fault, GH_AUDIT_FAULT_NONE);
    assert_int_equal(verdict.chains, 2);
    assert_int_equal(verdict.records - verdict.last_seq, 2); /* in the second one */
    gh_memory_store_hold(f.store, 1);
    assert_int_equal(recover(), 0);
}

static void what_is_left_of_a_chain_is_recovered_by_who_takes_it(void **state)
{
    (void)state;
    refuse_and_save(ann, "/a", 6);
    kill_and_start();
    gh_memory_store_hold(f.store, 2);
    gh_memory_store_hold_elsewhere(f.store, 1);
    assert_int_equal(recover_of(1, GH_ERR_EXISTS), 0);
    gh_memory_store_hold(f.store, 1);
    assert_int_equal(recover(), 1);
}

static void nothing_personal_is_saved_in_clear(void **state)
{
    (void)state;
    refuse_and_save(ann, "/a", 6);
    refuse_and_save(GH_STR(""), "/b", 6);
    refuse(ann, "/a", 1);
    assert_int_equal(save(), GH_OK);
    struct saved saved = all_saved();
    assert_int_equal(saved.count, 2);
    for (size_t i = 0; i < saved.count; i++) {
        const struct gh_audit_row *row = &saved.items[i].row;
        const struct gh_str texts[] = {row->record.ip_address, row->record.user_agent,
                                       row->record.session, row->record.metadata, row->sealed};
        for (size_t k = 0; k < sizeof(texts) / sizeof(texts[0]); k++) {
            assert_true(texts[k].len > 0 || k == 2);
            assert_false(has(texts[k], CLIENT) || has(texts[k], AGENT) ||
                         has(texts[k], "a session"));
        }
    }
}

static enum gh_err erase_ann(struct gh_tx *tx, void *args)
{
    (void)args;
    return tx->ops->account_delete(tx, ann);
}

static void nothing_of_somebody_who_was_erased_opens_any_more(void **state)
{
    (void)state;
    refuse_and_save(ann, "/a", 6);
    assert_int_equal(f.store->ops->run(f.store, erase_ann, NULL, &f.arena), GH_OK);
    refuse(ann, "/a", 1); /* the count goes on; what is sealed stays as it is */
    assert_int_equal(save(), GH_OK);
    kill_and_start();
    assert_int_equal(recover(), 1);
    assert_int_equal(logged(), 8);
    struct gh_audit_entry entry = newest();
    assert_true(entry.erased);
    assert_false(entry.damaged);
    assert_int_equal(entry.record.ip_address.len + entry.record.user_agent.len, 0);
}

static void what_waits_of_somebody_who_was_erased_is_written_without_what_they_were(void **state)
{
    (void)state;
    refuse(ann, "/a", 1);
    assert_int_equal(write_due(false), GH_OK);
    refuse(ann, "/a", 4); /* waits for its minute, not saved */
    refuse(ann, "/b", 2); /* and a first that is not written yet */
    refuse(GH_STR(""), "/c", 1);
    assert_int_equal(f.store->ops->run(f.store, erase_ann, NULL, &f.arena), GH_OK);
    assert_int_equal(save(), GH_OK);
    assert_int_equal(write_due(true), GH_OK);
    assert_int_equal(logged(), 8);
    struct gh_audit_entries entries = log_entries();
    unsigned of_ann = 0;
    for (size_t i = 0; i < entries.count; i++) {
        const struct gh_audit_entry *entry = &entries.items[i];
        bool hers = gh_str_eq(entry->record.user_id, ann);
        of_ann += hers;
        assert_false(entry->damaged);
        assert_int_equal(entry->erased, hers);
        assert_int_equal(entry->record.ip_address.len > 0, !hers);
        assert_int_equal(entry->record.user_agent.len > 0, !hers);
    }
    assert_int_equal(of_ann, 3);
}

static void another_key_at_rest_is_no_hindrance(void **state)
{
    (void)state;
    struct gh_rotation rotation;
    struct gh_arena work; /* is reset */
    bool changed;
    gh_arena_init(&work, 1u << 16, 1u << 24);
    refuse_and_save(ann, "/a", 6);
    assert_int_equal(gh_rotation_begin(f.vault, f.store, ANOTHER, f.now_us, &work, &changed),
                     GH_OK);
    assert_true(changed);
    refuse(ann, "/a", 1);
    refuse(GH_STR(""), "/b", 3); /* saved under the new key, what is before under the old one */
    assert_int_equal(save(), GH_OK);
    gh_rotation_init(&rotation, f.vault, f.store, f.now_us);
    while (!rotation.over)
        assert_int_equal(gh_rotation_step(&rotation, &work), GH_OK);
    assert_int_equal(rotation.unreadable, 0);
    gh_arena_done(&work);
    gh_window_free(window);
    window = gh_window_new(16, (struct gh_hash_key){1, 2});
    assert_int_equal(recover(), 2);
    assert_int_equal(logged(), 1 + 7 + 3);
    struct gh_audit_entries entries = log_entries();
    for (size_t i = 0; i < entries.count; i++)
        assert_false(entries.items[i].erased || entries.items[i].damaged);
}

static enum gh_err put_pending(struct gh_tx *tx, void *args)
{
    return tx->ops->pending_put(tx, args);
}

static void what_is_damaged_hinders_nothing_else(void **state)
{
    (void)state;
    struct gh_audit_recovered recovered;
    bool left;
    refuse_and_save(ann, "/a", 6);
    struct gh_audit_pending spoilt = all_saved().items[0];
    spoilt.place = 9;
    spoilt.row.record.metadata = GH_STR("{\"count\":");
    assert_int_equal(f.store->ops->run(f.store, put_pending, &spoilt, &f.arena), GH_OK);
    kill_and_start();
    assert_int_equal(
        gh_audit_pending_recover(&f.identity, &f.arena, 0, MOST, f.now_us, &recovered, &left),
        GH_OK);
    assert_false(left);
    assert_int_equal(recovered.records, 1);
    assert_int_equal(recovered.damaged, 1);
    assert_int_equal(all_saved().count, 0);
    assert_int_equal(logged(), 7);
}

static void what_can_be_no_record_is_given_up_alone(void **state)
{
    (void)state;
    struct gh_window_entry due[MOST];
    refuse_and_save(ann, "/a", 6);
    refuse_and_save(ann, "/b", 5);
    uint64_t before = logged();
    size_t count = gh_window_due(window, f.now_us, true, due, MOST);
    assert_int_equal(count, 2);
    due[0].entry.event = GH_AUDIT_LOGOUT; /* which has no such members */
    uint64_t good = due[1].entry.count;
    assert_int_equal(
        gh_audit_pending_write(&f.identity, &f.arena, due, count, times_now(), f.now_us, &invalid),
        GH_OK);
    assert_int_equal(invalid, 1);
    assert_int_equal(all_saved().count, 0);
    assert_int_equal(logged(), before + good);
}

/* Counts of another process may be at those places by now. */
static void what_was_saved_before_the_chain_was_taken_again_is_let_alone(void **state)
{
    (void)state;
    struct gh_window_entry entries[MOST];
    refuse_and_save(ann, "/a", 6);
    uint64_t times = times_now();
    gh_memory_store_hold(f.store, 1);
    assert_int_equal(times_now(), times + 1);
    refuse(ann, "/a", 1);
    size_t count = gh_window_unsaved(window, entries, MOST);
    assert_int_equal(count, 1);
    assert_int_equal(gh_audit_pending_save(&f.identity, &f.arena, entries, count, times, f.now_us),
                     GH_ERR_EXISTS);
    assert_int_equal(count_of(all_saved().items[0].row.record.metadata), 6);
    count = gh_window_due(window, f.now_us, true, entries, MOST);
    assert_int_equal(count, 1);
    assert_int_equal(
        gh_audit_pending_write(&f.identity, &f.arena, entries, count, times, f.now_us, &invalid),
        GH_ERR_EXISTS);
    assert_int_equal(all_saved().count, 1);
    assert_int_equal(logged(), 1);
    entries[0].saved = false; /* nothing of it is */
    assert_int_equal(
        gh_audit_pending_write(&f.identity, &f.arena, entries, count, times, f.now_us, &invalid),
        GH_OK);
    assert_int_equal(all_saved().count, 1);
}

struct rows {
    struct gh_audit_row *items;
    size_t count;
};

static enum gh_err read_rows(struct gh_tx *tx, void *args)
{
    struct rows *rows = args;
    struct gh_audit_query query = {.oldest_first = true, .limit = ALL};
    return tx->ops->audit_page(tx, &query, &rows->items, &rows->count);
}

static void the_chain_goes_on(void **state)
{
    (void)state;
    struct gh_audit_verify_options options = {.verifier_count = 0};
    struct gh_audit_verdict verdict;
    refuse_and_save(ann, "/a", 6);
    refuse_and_save(GH_STR(""), "/b", 6);
    kill_and_start();
    assert_int_equal(recover(), 2);
    refuse_and_save(ann, "/a", 6);
    assert_int_equal(write_due(true), GH_OK);
    struct gh_audit_verification *run = gh_audit_verify_begin(&f.arena, &options);
    struct rows rows;
    assert_non_null(run);
    assert_int_equal(f.store->ops->read(f.store, read_rows, &rows, &f.arena), GH_OK);
    assert_int_equal(rows.count, 6);
    for (size_t i = 0; i < rows.count; i++)
        gh_audit_verify_row(run, &rows.items[i]);
    assert_int_equal(gh_audit_verify_end(run, &verdict), GH_OK);
    assert_int_equal(verdict.fault, GH_AUDIT_FAULT_NONE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_was_saved_is_a_record_after_a_kill),
        TEST(it_comes_once),
        TEST(a_count_that_grows_takes_the_place_of_the_one_before),
        TEST(what_is_written_is_not_saved_any_more),
        TEST(what_can_not_be_written_stays_saved),
        TEST(what_could_not_be_recovered_is_still_there),
        TEST(slices_bring_all),
        TEST(what_is_left_of_a_chain_of_nobody_comes_into_the_own_one),
        TEST(what_is_left_of_a_chain_is_recovered_by_who_takes_it),
        TEST(nothing_personal_is_saved_in_clear),
        TEST(nothing_of_somebody_who_was_erased_opens_any_more),
        TEST(what_waits_of_somebody_who_was_erased_is_written_without_what_they_were),
        TEST(another_key_at_rest_is_no_hindrance),
        TEST(what_is_damaged_hinders_nothing_else),
        TEST(what_can_be_no_record_is_given_up_alone),
        TEST(what_was_saved_before_the_chain_was_taken_again_is_let_alone),
        TEST(the_chain_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
