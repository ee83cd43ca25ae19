/* The contract suite: units as a whole, alone and against each other. */
#include "store/contract_suite.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>

#define RIVALS 50

/* ---- One unit ---- */

/* Something in every table. */
static void write_all_over(struct gh_tx *tx)
{
    struct gh_account account = gh_contract_account(2), changed = gh_contract_account(1);
    struct gh_session_row session = gh_contract_session(1, 1);
    struct gh_ticket ticket = gh_contract_ticket(1, 1);
    struct gh_throttle_row throttle = gh_contract_throttle(1);
    struct gh_device_row device = gh_contract_device(1, 1);
    struct gh_mail_row mail = gh_contract_mail(1, 1);
    struct gh_key_row key = gh_contract_key(1);
    struct gh_revocation_row revocation = {gh_contract_id(1), GH_CONTRACT_NOW_US};
    struct gh_audit_row row = gh_contract_row(1);
    changed.name = GH_STR("changed");
    gh_contract_assert_ok(tx->ops->account_insert(tx, &account));
    gh_contract_assert_ok(tx->ops->account_update(tx, &changed));
    gh_contract_assert_ok(tx->ops->session_insert(tx, &session));
    gh_contract_assert_ok(tx->ops->ticket_insert(tx, &ticket));
    gh_contract_assert_ok(tx->ops->throttle_put(tx, &throttle));
    gh_contract_assert_ok(tx->ops->device_put(tx, &device));
    gh_contract_assert_ok(tx->ops->mail_insert(tx, &mail));
    gh_contract_assert_ok(tx->ops->key_insert(tx, &key, &key.id));
    gh_contract_assert_ok(tx->ops->revocation_insert(tx, &revocation));
    gh_contract_assert_ok(tx->ops->audit_append(tx, &row));
    gh_contract_set_codes(tx, 1, 1, 1);
}

/* Nothing but account 1 as it was made. */
static void assert_untouched(struct gh_contract *contract)
{
    struct gh_account account = gh_contract_account(1), *accounts;
    struct gh_session_row *sessions;
    struct gh_ticket ticket = gh_contract_ticket(1, 1);
    struct gh_throttle_row throttle = gh_contract_throttle(1);
    struct gh_device_row *devices;
    struct gh_key_row *keys;
    struct gh_revocation_row *revocations;
    struct gh_audit_row *records;
    struct gh_account_query all_accounts = {.limit = 10};
    struct gh_audit_query all_records = {.limit = 10};
    struct gh_str id = gh_id_str(&account.id);
    uint64_t mails, codes, cursor;
    size_t count;
    struct gh_tx *tx = gh_contract_begin_read(contract);
    gh_contract_assert_ok(tx->ops->account_page(tx, &all_accounts, &accounts, &count));
    assert_int_equal(count, 1);
    gh_contract_assert_account(&accounts[0], &account);
    gh_contract_assert_ok(tx->ops->sessions_of(tx, id, &sessions, &count));
    assert_int_equal(count, 0);
    assert_int_equal(tx->ops->ticket_get(tx, ticket.hash, &ticket), GH_ERR_NOT_FOUND);
    assert_int_equal(tx->ops->throttle_get(tx, throttle.key, &throttle), GH_ERR_NOT_FOUND);
    gh_contract_assert_ok(tx->ops->devices_of(tx, id, &devices, &count));
    assert_int_equal(count, 0);
    gh_contract_assert_ok(tx->ops->mail_count(tx, &mails));
    gh_contract_assert_ok(tx->ops->recovery_count(tx, id, &codes));
    assert_int_equal(mails + codes, 0);
    gh_contract_assert_ok(tx->ops->keys_all(tx, &keys, &count));
    assert_int_equal(count, 0);
    gh_contract_assert_ok(tx->ops->revocations_since(tx, 0, 0, &revocations, &count, &cursor));
    assert_int_equal(count, 0);
    gh_contract_assert_ok(tx->ops->audit_page(tx, &all_records, &records, &count));
    assert_int_equal(count, 0);
    gh_contract_commit(contract);
}

static void a_unit_that_fails_leaves_nothing_behind(struct gh_contract *contract)
{
    static const enum gh_err VERDICTS[] = {
        GH_ERR_MEMORY, GH_ERR_FULL,      GH_ERR_IO,      GH_ERR_REFUSED, GH_ERR_TIMEOUT,
        GH_ERR_CLOSED, GH_ERR_NOT_FOUND, GH_ERR_INVALID, GH_ERR_EXISTS,
    };
    gh_contract_add_accounts(contract, 1, 1);
    for (size_t i = 0; i < sizeof(VERDICTS) / sizeof(VERDICTS[0]); i++) {
        struct gh_tx *tx = gh_contract_begin(contract);
        write_all_over(tx);
        assert_int_equal(gh_contract_end(contract, VERDICTS[i]), VERDICTS[i]);
        assert_untouched(contract);
    }
}

static void a_removal_that_is_rolled_back_removes_nothing(struct gh_contract *contract)
{
    struct gh_session_row session = gh_contract_session(1, 1), found;
    struct gh_id id = gh_contract_id(1);
    gh_contract_add_accounts(contract, 1, 1);
    struct gh_tx *tx = gh_contract_begin(contract);
    gh_contract_assert_ok(tx->ops->session_insert(tx, &session));
    gh_contract_commit(contract);
    tx = gh_contract_begin(contract);
    gh_contract_assert_ok(tx->ops->account_delete(tx, gh_id_str(&id)));
    assert_int_equal(gh_contract_end(contract, GH_ERR_INVALID), GH_ERR_INVALID);
    tx = gh_contract_begin_read(contract);
    gh_contract_assert_ok(tx->ops->session_by_family(tx, gh_id_str(&session.family), &found));
    gh_contract_assert_session(&found, &session);
    gh_contract_commit(contract);
}

static void a_unit_sees_what_it_has_written(struct gh_contract *contract)
{
    struct gh_account account = gh_contract_account(1), found;
    struct gh_tx *tx = gh_contract_begin(contract);
    gh_contract_assert_ok(tx->ops->account_insert(tx, &account));
    account.name = GH_STR("changed");
    gh_contract_assert_ok(tx->ops->account_update(tx, &account));
    gh_contract_assert_ok(tx->ops->account_by_email(tx, account.email_index, &found));
    gh_contract_assert_account(&found, &account);
    gh_contract_assert_ok(tx->ops->account_delete(tx, gh_id_str(&account.id)));
    assert_int_equal(tx->ops->account_by_email(tx, account.email_index, &found), GH_ERR_NOT_FOUND);
    gh_contract_commit(contract);
}

/* What a caller learns from a read that refuses is the refusal. */
static void a_read_gives_its_verdict_back(struct gh_contract *contract)
{
    gh_contract_begin_read(contract);
    assert_int_equal(gh_contract_end(contract, GH_ERR_NOT_FOUND), GH_ERR_NOT_FOUND);
    gh_contract_begin_read(contract);
    assert_int_equal(gh_contract_end(contract, GH_OK), GH_OK);
}

static void a_read_writes_nothing(struct gh_contract *contract)
{
    struct gh_account account = gh_contract_account(2), changed = gh_contract_account(1);
    struct gh_mail_row mail = gh_contract_mail(1, 1);
    uint64_t removed;
    gh_contract_add_accounts(contract, 1, 1);
    changed.name = GH_STR("changed");
    struct gh_tx *tx = gh_contract_begin_read(contract);
    assert_int_not_equal(tx->ops->account_insert(tx, &account), GH_OK);
    assert_int_not_equal(tx->ops->account_update(tx, &changed), GH_OK);
    assert_int_not_equal(tx->ops->account_delete(tx, gh_id_str(&changed.id)), GH_OK);
    assert_int_not_equal(tx->ops->mail_insert(tx, &mail), GH_OK);
    assert_int_not_equal(tx->ops->purge(tx, UINT32_MAX, 10, &removed), GH_OK);
    gh_contract_end(contract, GH_OK);
    assert_untouched(contract);
}

static void says_so_when_the_arena_is_full(struct gh_contract *contract)
{
    struct gh_account_query query = {.limit = 1000};
    struct gh_account *rows;
    size_t count;
    gh_contract_add_accounts(contract, 1, 100);
    gh_arena_done(&contract->arena);
    gh_arena_init(&contract->arena, 512, 2048);
    struct gh_tx *tx = gh_contract_begin_read(contract);
    assert_int_equal(tx->ops->account_page(tx, &query, &rows, &count), GH_ERR_MEMORY);
    gh_contract_end(contract, GH_ERR_MEMORY);
    gh_arena_done(&contract->arena);
    gh_arena_init(&contract->arena, 4096, 1 << 20);
    tx = gh_contract_begin_read(contract);
    gh_contract_assert_ok(tx->ops->account_page(tx, &query, &rows, &count));
    assert_int_equal(count, 100);
    gh_contract_commit(contract);
}

/* ---- Rivals ---- */

struct race {
    struct gh_store *store;
    gh_store_unit *unit;
    pthread_barrier_t start;
    unsigned ok, not_found, other; /* by what run returned; under the lock */
    pthread_mutex_t lock;
};

static void *rival(void *argument)
{
    struct race *race = argument;
    struct gh_arena arena;
    gh_arena_init(&arena, 4096, 1 << 20);
    pthread_barrier_wait(&race->start);
    enum gh_err err = race->store->ops->run(race->store, race->unit, NULL, &arena);
    pthread_mutex_lock(&race->lock);
    race->ok += err == GH_OK;
    race->not_found += err == GH_ERR_NOT_FOUND;
    race->other += err != GH_OK && err != GH_ERR_NOT_FOUND;
    pthread_mutex_unlock(&race->lock);
    gh_arena_done(&arena);
    return NULL;
}

/* Runs the unit on all rivals' threads at once. */
static struct race run_race(struct gh_contract *contract, gh_store_unit *unit)
{
    struct race race = {.store = contract->store, .unit = unit};
    pthread_t threads[RIVALS];
    pthread_mutex_init(&race.lock, NULL);
    pthread_barrier_init(&race.start, NULL, RIVALS);
    for (size_t i = 0; i < RIVALS; i++)
        if (pthread_create(&threads[i], NULL, rival, &race) != 0)
            abort(); /* the others would wait for ever */
    for (size_t i = 0; i < RIVALS; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&race.start);
    pthread_mutex_destroy(&race.lock);
    return race;
}

static void assert_one_winner(const struct race *race)
{
    assert_int_equal(race->ok, 1);
    assert_int_equal(race->not_found, RIVALS - 1);
    assert_int_equal(race->other, 0);
}

static enum gh_err take_ticket(struct gh_tx *tx, void *args)
{
    struct gh_ticket ticket = gh_contract_ticket(1, 1);
    enum gh_err err = tx->ops->ticket_get(tx, ticket.hash, &ticket);
    return err == GH_OK ? tx->ops->ticket_delete(tx, ticket.hash) : err;
}

static void one_of_fifty_takes_a_ticket(struct gh_contract *contract)
{
    struct gh_ticket ticket = gh_contract_ticket(1, 1);
    gh_contract_add_accounts(contract, 1, 1);
    struct gh_tx *tx = gh_contract_begin(contract);
    gh_contract_assert_ok(tx->ops->ticket_insert(tx, &ticket));
    gh_contract_commit(contract);
    struct race race = run_race(contract, take_ticket);
    assert_one_winner(&race);
}

static enum gh_err take_code(struct gh_tx *tx, void *args)
{
    struct gh_id id = gh_contract_id(1);
    uint8_t hash[GH_SHA256_BYTES];
    gh_contract_hash(2, hash);
    return tx->ops->recovery_take(tx, gh_id_str(&id), hash);
}

static void one_of_fifty_takes_a_recovery_code(struct gh_contract *contract)
{
    struct gh_id id = gh_contract_id(1);
    uint64_t left;
    gh_contract_add_accounts(contract, 1, 1);
    struct gh_tx *tx = gh_contract_begin(contract);
    gh_contract_set_codes(tx, 1, 1, 2);
    gh_contract_commit(contract);
    struct race race = run_race(contract, take_code);
    assert_one_winner(&race);
    tx = gh_contract_begin_read(contract);
    gh_contract_assert_ok(tx->ops->recovery_count(tx, gh_id_str(&id), &left));
    assert_int_equal(left, 1);
    gh_contract_commit(contract);
}

/* As a TOTP code is used up: its step is compared, then set. */
static enum gh_err use_step(struct gh_tx *tx, void *args)
{
    const uint64_t step = 70000000;
    struct gh_id id = gh_contract_id(1);
    struct gh_account account;
    enum gh_err err = tx->ops->account_by_id(tx, gh_id_str(&id), &account);
    if (err != GH_OK || account.totp_last_step >= step)
        return err != GH_OK ? err : GH_ERR_NOT_FOUND;
    account.totp_last_step = step;
    return tx->ops->account_update(tx, &account);
}

static void one_of_fifty_uses_a_code_of_a_step(struct gh_contract *contract)
{
    gh_contract_add_accounts(contract, 1, 1);
    struct race race = run_race(contract, use_step);
    assert_one_winner(&race);
}

static enum gh_err sign_up(struct gh_tx *tx, void *args)
{
    struct gh_account account = gh_contract_account(1);
    enum gh_err err = tx->ops->account_insert(tx, &account);
    return err == GH_ERR_EXISTS ? GH_ERR_NOT_FOUND : err;
}

static void one_of_fifty_gets_an_address(struct gh_contract *contract)
{
    struct race race = run_race(contract, sign_up);
    assert_one_winner(&race);
}

static enum gh_err count_failure(struct gh_tx *tx, void *args)
{
    struct gh_throttle_row row = gh_contract_throttle(1);
    struct gh_audit_row record = gh_contract_row(1);
    enum gh_err err = tx->ops->throttle_get(tx, row.key, &row);
    if (err == GH_ERR_NOT_FOUND)
        row.failures = 0;
    else if (err != GH_OK)
        return err;
    row.failures++;
    err = tx->ops->throttle_put(tx, &row);
    return err == GH_OK ? tx->ops->audit_append(tx, &record) : err;
}

static void counts_the_failures_of_all_fifty(struct gh_contract *contract)
{
    struct gh_throttle_row row = gh_contract_throttle(1);
    struct gh_audit_query query = {.limit = 1000};
    struct gh_audit_row *records;
    size_t count;
    struct race race = run_race(contract, count_failure);
    assert_int_equal(race.ok, RIVALS);
    struct gh_tx *tx = gh_contract_begin_read(contract);
    gh_contract_assert_ok(tx->ops->throttle_get(tx, row.key, &row));
    assert_int_equal(row.failures, RIVALS);
    gh_contract_assert_ok(tx->ops->audit_page(tx, &query, &records, &count));
    assert_int_equal(count, RIVALS);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(records[i].record.seq, RIVALS - i);
    gh_contract_commit(contract);
}

static enum gh_err take_mail(struct gh_tx *tx, void *args)
{
    struct gh_mail_row mail;
    return tx->ops->mail_take(tx, GH_CONTRACT_NOW_US, GH_CONTRACT_NOW_US + 1000, &mail);
}

static void one_of_fifty_senders_gets_a_mail(struct gh_contract *contract)
{
    struct gh_mail_row mail = gh_contract_mail(1, 1);
    mail.next_us = 1;
    gh_contract_add_accounts(contract, 1, 1);
    struct gh_tx *tx = gh_contract_begin(contract);
    gh_contract_assert_ok(tx->ops->mail_insert(tx, &mail));
    gh_contract_commit(contract);
    struct race race = run_race(contract, take_mail);
    assert_one_winner(&race);
}

#define CASE(name)                                                                                 \
    {                                                                                              \
#name, name                                                                                \
    }
const struct gh_contract_case gh_contract_unit_cases[] = {
    CASE(a_unit_that_fails_leaves_nothing_behind),
    CASE(a_removal_that_is_rolled_back_removes_nothing),
    CASE(a_unit_sees_what_it_has_written),
    CASE(a_read_gives_its_verdict_back),
    CASE(a_read_writes_nothing),
    CASE(says_so_when_the_arena_is_full),
    CASE(one_of_fifty_takes_a_ticket),
    CASE(one_of_fifty_takes_a_recovery_code),
    CASE(one_of_fifty_uses_a_code_of_a_step),
    CASE(one_of_fifty_gets_an_address),
    CASE(counts_the_failures_of_all_fifty),
    CASE(one_of_fifty_senders_gets_a_mail),
    {NULL, NULL},
};
