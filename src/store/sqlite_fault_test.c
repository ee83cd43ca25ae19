/*
 * The SQLite adapter on a disk that fails: every change of a file fails once, and from there on,
 * as SQLite's own tests do it. What was acknowledged is there, what was refused is not, nothing is
 * half there, and the store goes on when the disk does.
 */
#include "store/contract_suite.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "store/sqlite_disk_fixture.h"
#include "store/sqlite_fixture.h"

#define UNITS       4
#define PARTS       5    /* of a unit */
#define CHANGES_MAX 1000 /* no run has that many: the loop must end by itself */

struct trial {
    struct gh_disk disk;
    struct gh_sqlite_fixture fixture;
    struct gh_store *store;
    enum gh_err results[UNITS];
    enum gh_err scrubbed; /* after the last units */
};

/* An account with all that hangs on it, over several pages of several tables. */
static enum gh_err add_much(struct gh_tx *tx, void *args)
{
    unsigned number = *(const unsigned *)args;
    static const char LONG[6000];
    struct gh_account account = gh_contract_account(number);
    struct gh_session_row session = gh_contract_session(number, number);
    struct gh_mail_row mail = gh_contract_mail(number, number);
    struct gh_audit_row row = gh_contract_row(number);
    struct gh_person_key_row key = {.person = gh_id_str(&account.id), .wrapped = GH_STR("key")};
    mail.message = gh_str_of(LONG, sizeof(LONG));
    enum gh_err err = tx->ops->account_insert(tx, &account);
    if (err == GH_OK)
        err = tx->ops->session_insert(tx, &session);
    if (err == GH_OK)
        err = tx->ops->mail_insert(tx, &mail);
    if (err == GH_OK)
        err = tx->ops->person_key_insert(tx, &key);
    return err == GH_OK ? tx->ops->audit_append(tx, &row) : err;
}

struct looked {
    unsigned number;
    unsigned parts; /* found of one unit's five */
};

static enum gh_err look(struct gh_tx *tx, void *args)
{
    struct looked *looked = args;
    struct gh_account account = gh_contract_account(looked->number);
    struct gh_session_row session = gh_contract_session(looked->number, looked->number), *sessions;
    struct gh_audit_query query = {.since_us = GH_CONTRACT_NOW_US + looked->number,
                                   .until_us = GH_CONTRACT_NOW_US + looked->number + 1,
                                   .limit = 10};
    struct gh_audit_row *records;
    struct gh_person_key_row key;
    size_t session_count, record_count;
    looked->parts = tx->ops->account_by_id(tx, gh_id_str(&account.id), &account) == GH_OK;
    looked->parts += tx->ops->session_by_id(tx, gh_id_str(&session.session_id), &session) == GH_OK;
    looked->parts += tx->ops->person_key_get(tx, gh_id_str(&account.id), &key) == GH_OK;
    enum gh_err err = tx->ops->sessions_of(tx, gh_id_str(&account.id), &sessions, &session_count);
    if (err == GH_OK)
        err = tx->ops->audit_page(tx, &query, &records, &record_count);
    if (err == GH_OK)
        looked->parts += (unsigned)(session_count + record_count);
    return err;
}

static unsigned parts_of(struct trial *trial, unsigned number)
{
    struct looked looked = {.number = number};
    struct gh_arena arena;
    gh_arena_init(&arena, 16384, 1 << 20);
    enum gh_err err = trial->store->ops->read(trial->store, look, &looked, &arena);
    gh_arena_done(&arena);
    assert_int_equal(err, GH_OK);
    return looked.parts;
}

/* `is_sure`: a refused unit can't be there; else it may, but only whole. */
static void assert_whole(struct trial *trial, bool is_sure)
{
    for (unsigned number = 0; number < UNITS; number++) {
        unsigned parts = parts_of(trial, number);
        if (trial->results[number] == GH_OK)
            assert_int_equal(parts, PARTS);
        else if (is_sure)
            assert_int_equal(parts, 0);
        else
            assert_true(parts == 0 || parts == PARTS);
    }
}

static void run_units(struct trial *trial, unsigned first, unsigned last)
{
    struct gh_arena arena;
    gh_arena_init(&arena, 4096, 1 << 20);
    for (unsigned number = first; number <= last; number++)
        trial->results[number] = trial->store->ops->run(trial->store, add_much, &number, &arena);
    trial->scrubbed = trial->store->ops->scrub(trial->store);
    gh_arena_done(&arena);
}

static void assert_failures_are_named(const struct trial *trial, enum gh_disk_fault fault)
{
    if (trial->scrubbed != GH_OK)
        assert_int_equal(trial->scrubbed, fault == GH_DISK_FULL ? GH_ERR_FULL : GH_ERR_IO);
    for (unsigned number = 0; number < UNITS; number++)
        if (trial->results[number] != GH_OK && trial->results[number] != GH_ERR_CLOSED)
            assert_int_equal(trial->results[number],
                             fault == GH_DISK_FULL ? GH_ERR_FULL : GH_ERR_IO);
}

static void begin_trial(struct trial *trial)
{
    for (unsigned number = 0; number < UNITS; number++)
        trial->results[number] = GH_ERR_CLOSED; /* not run */
    gh_disk_init(&trial->disk);
    gh_sqlite_fixture_init_in_memory(&trial->fixture);
    trial->store = gh_sqlite_fixture_open(&trial->fixture);
    assert_non_null(trial->store);
}

static void reopen(struct trial *trial)
{
    trial->store->ops->close(trial->store);
    gh_disk_mend(&trial->disk);
    trial->store = gh_sqlite_fixture_open(&trial->fixture);
    assert_non_null(trial->store);
}

static void end_trial(struct trial *trial)
{
    trial->store->ops->close(trial->store);
    gh_sqlite_fixture_done(&trial->fixture);
    gh_disk_done(&trial->disk);
}

/* ---- While it runs ---- */

/* One change fails, then all is well. Returns whether there was such a change. */
static bool fail_once(enum gh_disk_fault fault, unsigned left)
{
    struct trial trial;
    begin_trial(&trial);
    gh_disk_fail(&trial.disk, fault, left, false);
    run_units(&trial, 0, UNITS - 2);
    bool failed = gh_disk_mend(&trial.disk) > 0;
    assert_failures_are_named(&trial, fault);
    run_units(&trial, UNITS - 1, UNITS - 1);
    assert_int_equal(trial.results[UNITS - 1], GH_OK);
    assert_int_equal(trial.scrubbed, GH_OK);
    assert_whole(&trial, true);
    reopen(&trial);
    assert_whole(&trial, true);
    end_trial(&trial);
    return failed;
}

/* The disk fails from a change on and is mended; the store is told nothing and goes on. */
static bool fail_and_mend(enum gh_disk_fault fault, unsigned left)
{
    struct trial trial;
    begin_trial(&trial);
    gh_disk_fail(&trial.disk, fault, left, true);
    run_units(&trial, 0, UNITS - 2);
    bool failed = gh_disk_mend(&trial.disk) > 0;
    assert_failures_are_named(&trial, fault);
    assert_whole(&trial, true);
    run_units(&trial, UNITS - 1, UNITS - 1);
    assert_int_equal(trial.results[UNITS - 1], GH_OK);
    assert_int_equal(trial.scrubbed, GH_OK);
    assert_whole(&trial, true);
    end_trial(&trial);
    return failed;
}

/* The disk fails from a change on, and the process ends before it is mended. */
static bool fail_and_end(enum gh_disk_fault fault, unsigned left)
{
    struct trial trial;
    begin_trial(&trial);
    gh_disk_fail(&trial.disk, fault, left, true);
    run_units(&trial, 0, UNITS - 1);
    bool failed = trial.results[UNITS - 1] != GH_OK;
    assert_failures_are_named(&trial, fault);
    reopen(&trial); /* closes on the broken disk */
    assert_whole(&trial, false);
    end_trial(&trial);
    return failed;
}

static void for_every_change(bool (*attempt)(enum gh_disk_fault fault, unsigned left))
{
    static const enum gh_disk_fault FAULTS[] = {GH_DISK_FULL, GH_DISK_BROKEN, GH_DISK_TORN};
    for (size_t i = 0; i < sizeof(FAULTS) / sizeof(FAULTS[0]); i++) {
        unsigned left = 1;
        while (attempt(FAULTS[i], left)) {
            assert_true(left < CHANGES_MAX);
            left++;
        }
        assert_true(left > 10); /* or nothing was tried */
    }
}

static void survives_any_one_change_that_fails(void **state)
{
    for_every_change(fail_once);
}

static void goes_on_when_a_failing_disk_is_mended(void **state)
{
    for_every_change(fail_and_mend);
}

static void keeps_what_it_acknowledged_over_a_disk_that_fails_to_the_end(void **state)
{
    for_every_change(fail_and_end);
}

/* ---- While it opens ---- */

static bool fail_opening(enum gh_disk_fault fault, unsigned left)
{
    struct trial trial = {.store = NULL};
    gh_disk_init(&trial.disk);
    gh_sqlite_fixture_init_in_memory(&trial.fixture);
    gh_disk_fail(&trial.disk, fault, left, true);
    enum gh_err err = gh_sqlite_fixture_try(&trial.fixture, true, &trial.store);
    if (err == GH_OK) {
        trial.store->ops->close(trial.store);
    } else {
        assert_int_equal(err, fault == GH_DISK_FULL ? GH_ERR_FULL : GH_ERR_IO);
        assert_true(trial.fixture.message.len > 0);
    }
    gh_disk_mend(&trial.disk);
    trial.store = gh_sqlite_fixture_open(&trial.fixture);
    assert_non_null(trial.store);
    run_units(&trial, 0, UNITS - 1);
    for (unsigned number = 0; number < UNITS; number++)
        assert_int_equal(trial.results[number], GH_OK);
    assert_whole(&trial, true);
    end_trial(&trial);
    return err != GH_OK;
}

static void migrates_wholly_or_not_at_all(void **state)
{
    for_every_change(fail_opening);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(survives_any_one_change_that_fails),
        cmocka_unit_test(goes_on_when_a_failing_disk_is_mended),
        cmocka_unit_test(keeps_what_it_acknowledged_over_a_disk_that_fails_to_the_end),
        cmocka_unit_test(migrates_wholly_or_not_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
