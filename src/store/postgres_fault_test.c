/* The PostgreSQL adapter when the server, the way to it, or others come in between. */
#include "store/contract_suite.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "store/postgres_libpq.h"
#include "store/postgres_pool.h"
#include "store/postgres_relay_fixture.h"

#define TERMINATE_ALL                                                                              \
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = "               \
    "current_database() AND application_name = 'gatehouse'"
#define MIGRATORS 4

static struct gh_postgres_fixture fixture;

static struct gh_store *open_with(struct gh_postgres_options options)
{
    struct gh_store *store = NULL;
    options.writes = true;
    gh_postgres_fixture_fresh(&fixture);
    if (gh_postgres_fixture_try(&fixture, &options, &store) != GH_OK)
        fail_msg("%.*s", GH_STR_ARG(fixture.message));
    return store;
}

static struct gh_postgres_counts counts_of(struct gh_store *store)
{
    struct gh_postgres_counts counts = {0};
    assert_true(gh_postgres_counts_of(store, &counts));
    return counts;
}

/* A unit that says how often it ran, and what to do in its middle. */
struct adding {
    unsigned number, runs;
    void (*between)(struct adding *adding); /* two changes; NULL: nothing */
};

static enum gh_err add_account(struct gh_tx *tx, void *args)
{
    struct adding *adding = args;
    struct gh_account account = gh_contract_account(adding->number);
    struct gh_mail_row mail = gh_contract_mail(adding->number, adding->number);
    adding->runs++;
    enum gh_err err = tx->ops->account_insert(tx, &account);
    if (err == GH_OK && adding->between)
        adding->between(adding);
    return err == GH_OK ? tx->ops->mail_insert(tx, &mail) : err;
}

static enum gh_err run(struct gh_store *store, gh_store_unit *unit, void *args)
{
    struct gh_arena arena;
    gh_arena_init(&arena, 4096, 1 << 20);
    enum gh_err err = store->ops->run(store, unit, args, &arena);
    gh_arena_done(&arena);
    return err;
}

static enum gh_err add(struct gh_store *store, unsigned number)
{
    struct adding adding = {.number = number};
    return run(store, add_account, &adding);
}

static uint64_t accounts(void)
{
    return gh_postgres_fixture_sql(&fixture, "SELECT count(*) FROM accounts");
}

/* ---- The server ---- */

static void goes_on_behind_a_restart_of_the_server(void **state)
{
    struct gh_store *store = open_with((struct gh_postgres_options){.connection_count = 3});
    gh_contract_assert_ok(add(store, 1));
    gh_postgres_fixture_stop(&fixture, SIGINT);
    gh_postgres_fixture_restart(&fixture);
    gh_contract_assert_ok(add(store, 2));
    assert_int_equal(accounts(), 2);
    assert_true(counts_of(store).losses > 0);
    store->ops->close(store);
}

static void says_so_while_the_server_is_away(void **state)
{
    struct gh_store *store =
        open_with((struct gh_postgres_options){.retry_ms = 300, .wait_ms = 200});
    gh_postgres_fixture_stop(&fixture, SIGQUIT);
    assert_int_equal(add(store, 1), GH_ERR_IO);
    assert_true(counts_of(store).connect_failures > 0);
    assert_int_equal(counts_of(store).failures, 1);
    gh_postgres_fixture_restart(&fixture);
    enum gh_err err = GH_ERR_IO;
    for (int tries = 0; err == GH_ERR_IO && tries < 100; tries++) /* it waits before it tries */
        err = add(store, 1);
    gh_contract_assert_ok(err);
    assert_int_equal(accounts(), 1);
    store->ops->close(store);
}

static void cut_backends(struct adding *adding)
{
    if (adding->runs == 1)
        assert_true(gh_postgres_fixture_sql(&fixture, TERMINATE_ALL) > 0);
}

static void runs_a_unit_again_whose_connection_was_cut(void **state)
{
    struct adding adding = {.number = 1, .between = cut_backends};
    struct gh_store *store = open_with((struct gh_postgres_options){.writes = true});
    gh_contract_assert_ok(run(store, add_account, &adding));
    assert_int_equal(adding.runs, 2);
    assert_int_equal(accounts(), 1);
    assert_int_equal(counts_of(store).lost_answers, 0);
    store->ops->close(store);
}

static pid_t silent;

static void stop_backend(struct adding *adding)
{
    if (adding->runs > 1)
        return;
    silent = (pid_t)gh_postgres_fixture_sql(
        &fixture, "SELECT pid FROM pg_stat_activity WHERE state = 'idle in transaction' AND "
                  "datname = current_database()");
    assert_true(silent > 0);
    assert_int_equal(kill(silent, SIGSTOP), 0);
}

/* It still has what the unit would write. */
static void a_silent_server_does_not_hold_a_unit_up_for_ever(void **state)
{
    struct adding adding = {.number = 1, .between = stop_backend};
    struct gh_store *store =
        open_with((struct gh_postgres_options){.statement_ms = 200, .retry_ms = 1000});
    assert_int_equal(run(store, add_account, &adding), GH_ERR_IO);
    assert_int_equal(counts_of(store).losses, 1);
    kill(silent, SIGCONT);
    enum gh_err err = GH_ERR_IO;
    for (int tries = 0; err == GH_ERR_IO && tries < 100; tries++) /* it ends what it had begun */
        err = add(store, 1);
    gh_contract_assert_ok(err);
    assert_int_equal(accounts(), 1);
    store->ops->close(store);
}

/* ---- The COMMIT ---- */

static struct gh_store *open_through(struct gh_postgres_relay *relay, unsigned retry_ms)
{
    struct gh_store *store = NULL;
    struct gh_arena arena;
    struct gh_str message;
    gh_postgres_fixture_fresh(&fixture);
    gh_postgres_relay_start(relay, &fixture);
    gh_arena_init(&arena, 4096, 4 << 20);
    struct gh_postgres_options options = {
        .url = gh_str_from_c(relay->url), .writes = true, .retry_ms = retry_ms};
    gh_contract_assert_ok(gh_postgres_open(&options, &arena, &store, &message));
    gh_arena_done(&arena);
    return store;
}

static void commit_through(enum gh_relay_cut cut, unsigned runs)
{
    struct gh_postgres_relay relay;
    struct adding adding = {.number = 1};
    struct gh_store *store = open_through(&relay, 0);
    atomic_store(&relay.cut, cut);
    gh_contract_assert_ok(run(store, add_account, &adding));
    assert_int_equal(accounts(), 1);
    assert_int_equal(gh_postgres_fixture_sql(&fixture, "SELECT count(*) FROM mails"), 1);
    assert_int_equal(counts_of(store).lost_answers, 1);
    if (runs)
        assert_int_equal(adding.runs, runs);
    store->ops->close(store);
    gh_postgres_relay_stop(&relay);
}

#define SOON_MS 20

/* Until the unit is late, which it began before. */
static void be_late(struct adding *adding)
{
    int64_t until_ms = gh_postgres_now_ms() + SOON_MS;
    while (gh_postgres_now_ms() <= until_ms)
        assert_int_equal(accounts(), 0);
}

static void commit_late(enum gh_relay_cut cut, enum gh_err err, uint64_t count)
{
    struct gh_postgres_relay relay;
    struct adding adding = {.number = 1, .between = be_late};
    struct gh_store *store = open_through(&relay, SOON_MS);
    atomic_store(&relay.cut, cut);
    assert_int_equal(run(store, add_account, &adding), err);
    assert_int_equal(adding.runs, 1);
    assert_int_equal(counts_of(store).lost_answers, 1);
    assert_int_equal(accounts(), count);
    store->ops->close(store);
    gh_postgres_relay_stop(&relay);
}

static void a_late_unit_that_never_happened_is_not_said_to_be_done(void **state)
{
    commit_late(GH_RELAY_CUT_QUESTION, GH_ERR_IO, 0);
}

static void a_late_unit_that_happened_is_said_to_be_done(void **state)
{
    commit_late(GH_RELAY_CUT_ANSWER, GH_OK, 1);
}

/* The pool says at once that there is no server, once it was away for two seconds. */
static void asks_with_pauses_what_became_of_a_commit(void **state)
{
    struct gh_postgres_relay relay;
    struct gh_store *store = open_through(&relay, 3000);
    atomic_store(&relay.cut, GH_RELAY_CUT_OFF);
    assert_int_equal(add(store, 1), GH_ERR_IO);
    assert_int_equal(counts_of(store).lost_answers, 1);
    assert_in_range(counts_of(store).refusals, 1, 200); /* without pauses: some hundred thousand */
    store->ops->close(store);
    gh_postgres_relay_stop(&relay);
}

static void looks_up_what_became_of_a_commit_without_an_answer(void **state)
{
    commit_through(GH_RELAY_CUT_ANSWER, 1);
}

static void runs_a_unit_again_whose_commit_did_not_arrive(void **state)
{
    commit_through(GH_RELAY_CUT_QUESTION, 2);
}

/* Whether the server had seen it is by chance; what is there is there once. */
static void a_commit_that_may_be_under_way_is_done_once(void **state)
{
    for (int i = 0; i < 5; i++)
        commit_through(GH_RELAY_CUT_BOTH, 0);
}

/* It lets in, and then is silent: the process ends all the same. */
static void a_server_that_falls_silent_while_one_connects_is_given_up(void **state)
{
    struct gh_postgres_relay relay;
    struct gh_store *store = open_through(&relay, 1000);
    atomic_store(&relay.cut, GH_RELAY_MUTE);
    store->ops->hurry(store);
    int64_t before_ms = gh_postgres_now_ms();
    assert_int_equal(add(store, 1), GH_ERR_IO);
    assert_in_range(gh_postgres_now_ms() - before_ms, 0, 4900); /* haste, not the set-up's bound */
    assert_int_equal(counts_of(store).connect_failures, 1);
    store->ops->close(store);
    gh_postgres_relay_stop(&relay);
}

static enum gh_err look(struct gh_tx *tx, void *args)
{
    uint64_t count;
    return tx->ops->account_count(tx, GH_STR("user"), &count);
}

static void leaves_an_id_for_each_unit_that_wrote(void **state)
{
    struct gh_store *store = open_with((struct gh_postgres_options){.writes = true});
    gh_contract_assert_ok(run(store, look, NULL));
    assert_int_equal(gh_postgres_fixture_sql(&fixture, "SELECT count(*) FROM units"), 0);
    gh_contract_assert_ok(add(store, 1));
    gh_contract_assert_ok(add(store, 2));
    assert_int_equal(add(store, 2), GH_ERR_EXISTS);
    assert_int_equal(gh_postgres_fixture_sql(&fixture, "SELECT count(*) FROM units"), 2);
    store->ops->close(store);
}

/* ---- Waiting ---- */

static PGconn *hold(const char *sql)
{
    const struct gh_libpq *lib = gh_libpq_get();
    const char *const keywords[] = {"dbname", NULL}, *const values[] = {fixture.url, NULL};
    PGconn *connection = lib->connectdbParams(keywords, values, 1);
    lib->clear(lib->exec(connection, sql));
    assert_int_equal(lib->transactionStatus(connection), PQTRANS_INTRANS);
    return connection;
}

static enum gh_err change_account(struct gh_tx *tx, void *args)
{
    struct gh_account account = gh_contract_account(1);
    account.name = GH_STR("changed");
    return tx->ops->account_update(tx, &account);
}

static void a_statement_that_takes_too_long_fails(void **state)
{
    struct gh_store *store =
        open_with((struct gh_postgres_options){.statement_ms = 200, .retry_ms = 400});
    gh_contract_assert_ok(add(store, 1));
    PGconn *holder = hold("BEGIN; SELECT FROM accounts FOR UPDATE");
    assert_int_equal(run(store, change_account, NULL), GH_ERR_IO);
    gh_libpq_get()->finish(holder);
    gh_contract_assert_ok(run(store, change_account, NULL));
    store->ops->close(store);
}

static struct gh_store *full_store;

static void try_beside(struct adding *adding)
{
    assert_int_equal(add(full_store, 2), GH_ERR_FULL);
}

static void says_so_when_no_connection_is_free(void **state)
{
    struct adding adding = {.number = 1, .between = try_beside};
    full_store = open_with((struct gh_postgres_options){.connection_count = 1, .wait_ms = 100});
    gh_contract_assert_ok(run(full_store, add_account, &adding));
    gh_contract_assert_ok(add(full_store, 2));
    assert_int_equal(counts_of(full_store).refusals, 1);
    assert_int_equal(counts_of(full_store).in_use, 0);
    full_store->ops->close(full_store);
}

static enum gh_err find_nobody(struct gh_tx *tx, void *args)
{
    struct gh_account account;
    (void)args;
    enum gh_err err = tx->ops->account_by_id(tx, GH_STR("nobody"), &account);
    return err == GH_ERR_NOT_FOUND || err == GH_ERR_INVALID ? GH_OK : err;
}

static void read_beside(struct adding *adding)
{
    struct gh_arena arena;
    (void)adding;
    gh_arena_init(&arena, 4096, 65536);
    gh_contract_assert_ok(full_store->ops->read(full_store, find_nobody, NULL, &arena));
    assert_int_equal(add(full_store, 2), GH_ERR_FULL);
    gh_arena_done(&arena);
}

static void keeps_the_last_connection_for_who_reads(void **state)
{
    struct adding adding = {.number = 1, .between = read_beside};
    full_store = open_with((struct gh_postgres_options){.connection_count = 2, .wait_ms = 100});
    gh_contract_assert_ok(run(full_store, add_account, &adding));
    assert_int_equal(counts_of(full_store).refusals, 1);
    full_store->ops->close(full_store);
}

static void scrubs_when_nobody_sees_it_any_more(void **state)
{
    struct gh_store *store = open_with((struct gh_postgres_options){.writes = true});
    PGconn *reader = hold("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM keys");
    gh_contract_assert_ok(add(store, 1));
    assert_int_equal(store->ops->scrub(store), GH_ERR_TIMEOUT);
    gh_libpq_get()->finish(reader);
    gh_contract_assert_ok(store->ops->scrub(store));
    store->ops->close(store);
}

/* ---- Others at the same time ---- */

struct step_down {
    struct gh_store *store;
    pthread_barrier_t *counted;
    unsigned number, runs;
    enum gh_err err;
};

/* Each sees two admins before the other has gone. */
static enum gh_err step_down(struct gh_tx *tx, void *args)
{
    struct step_down *down = args;
    struct gh_account account = gh_contract_account(down->number);
    uint64_t admins;
    enum gh_err err = tx->ops->account_count(tx, GH_STR("admin"), &admins);
    if (down->runs++ == 0)
        pthread_barrier_wait(down->counted);
    if (err != GH_OK || admins < 2)
        return err == GH_OK ? GH_ERR_NOT_FOUND : err;
    account.roles = GH_STR("user");
    return tx->ops->account_update(tx, &account);
}

static void *step_down_main(void *argument)
{
    struct step_down *down = argument;
    down->err = run(down->store, step_down, down);
    return NULL;
}

static void the_last_of_two_admins_stays(void **state)
{
    pthread_barrier_t counted;
    pthread_t threads[2];
    struct gh_store *store = open_with((struct gh_postgres_options){.writes = true});
    struct step_down downs[2] = {{store, &counted, 1, 0, GH_OK}, {store, &counted, 3, 0, GH_OK}};
    gh_contract_assert_ok(add(store, 1)); /* odd numbers are admins */
    gh_contract_assert_ok(add(store, 3));
    pthread_barrier_init(&counted, NULL, 2);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, step_down_main, &downs[i]), 0);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal((downs[0].err == GH_OK) + (downs[1].err == GH_OK), 1);
    assert_int_equal((downs[0].err == GH_ERR_NOT_FOUND) + (downs[1].err == GH_ERR_NOT_FOUND), 1);
    assert_int_equal(gh_postgres_fixture_sql(
                         &fixture, "SELECT count(*) FROM accounts WHERE roles LIKE '%admin%'"),
                     1);
    assert_true(counts_of(store).retries > 0);
    pthread_barrier_destroy(&counted);
    store->ops->close(store);
}

struct migrator {
    pthread_barrier_t *start;
    struct gh_store *store;
    enum gh_err err;
};

static void *migrate(void *argument)
{
    struct migrator *migrator = argument;
    struct gh_arena arena;
    struct gh_str message;
    const struct gh_postgres_options options = {.url = gh_str_from_c(fixture.url), .writes = true};
    gh_arena_init(&arena, 4096, 4 << 20);
    pthread_barrier_wait(migrator->start);
    migrator->err = gh_postgres_open(&options, &arena, &migrator->store, &message);
    gh_arena_done(&arena);
    return NULL;
}

static void those_who_come_at_once_migrate_once(void **state)
{
    pthread_barrier_t start;
    pthread_t threads[MIGRATORS];
    struct migrator migrators[MIGRATORS];
    gh_postgres_fixture_bare(&fixture);
    pthread_barrier_init(&start, NULL, MIGRATORS);
    for (int i = 0; i < MIGRATORS; i++) {
        migrators[i] = (struct migrator){.start = &start};
        assert_int_equal(pthread_create(&threads[i], NULL, migrate, &migrators[i]), 0);
    }
    for (int i = 0; i < MIGRATORS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < MIGRATORS; i++) {
        gh_contract_assert_ok(migrators[i].err);
        gh_contract_assert_ok(add(migrators[i].store, (unsigned)i + 1));
        migrators[i].store->ops->close(migrators[i].store);
    }
    assert_int_equal(accounts(), MIGRATORS);
    pthread_barrier_destroy(&start);
}

/* ---- Refusals ---- */

static void assert_refused(bool writes, enum gh_err err, const char *why)
{
    struct gh_store *store = NULL;
    const struct gh_postgres_options options = {.writes = writes};
    assert_int_equal(gh_postgres_fixture_try(&fixture, &options, &store), err);
    if (gh_str_find(fixture.message, gh_str_from_c(why)) == fixture.message.len)
        fail_msg("%.*s", GH_STR_ARG(fixture.message));
}

static void refuses_a_newer_schema(void **state)
{
    struct gh_store *store = open_with((struct gh_postgres_options){.writes = true});
    store->ops->close(store);
    gh_postgres_fixture_sql(&fixture, "INSERT INTO schema_version VALUES (999, 'later', 0)");
    assert_refused(true, GH_ERR_INVALID, "version 999");
    assert_refused(false, GH_ERR_INVALID, "version 999");
    gh_postgres_fixture_sql(&fixture, "DELETE FROM schema_version WHERE version = 999");
}

static void refuses_a_database_of_another_program(void **state)
{
    gh_postgres_fixture_bare(&fixture);
    gh_postgres_fixture_sql(&fixture, "CREATE TABLE theirs (id int)");
    assert_refused(true, GH_ERR_INVALID, "another program");
    assert_int_equal(gh_postgres_fixture_sql(&fixture, "SELECT count(*) FROM theirs"), 0);
}

static void makes_no_tables_for_reading(void **state)
{
    gh_postgres_fixture_bare(&fixture);
    assert_refused(false, GH_ERR_INVALID, "start the server once");
}

static void keeps_the_password_out_of_what_it_says(void **state)
{
    struct gh_store *store = NULL;
    struct gh_arena arena;
    struct gh_str message;
    gh_arena_init(&arena, 4096, 1 << 20);
    struct gh_postgres_options options = {
        .url = gh_arena_format(&arena, "postgresql:///none?user=gatehouse&password=geheim&host=%s",
                               fixture.directory)};
    assert_int_equal(gh_postgres_open(&options, &arena, &store, &message), GH_ERR_IO);
    assert_true(message.len > 0);
    assert_int_equal(gh_str_find(message, GH_STR("geheim")), message.len);
    options.url = GH_STR("postgresql://u:geheim@[::1/none");
    assert_int_equal(gh_postgres_open(&options, &arena, &store, &message), GH_ERR_INVALID);
    assert_int_equal(gh_str_find(message, GH_STR("geheim")), message.len);
    gh_arena_done(&arena);
}

static void a_store_for_reading_writes_nothing(void **state)
{
    struct gh_store *writer = open_with((struct gh_postgres_options){.writes = true}), *reader;
    const struct gh_postgres_options options = {.writes = false};
    gh_contract_assert_ok(add(writer, 1));
    gh_contract_assert_ok(gh_postgres_fixture_try(&fixture, &options, &reader));
    assert_int_equal(add(reader, 2), GH_ERR_INVALID);
    assert_int_equal(reader->ops->scrub(reader), GH_ERR_INVALID);
    reader->ops->close(reader);
    writer->ops->close(writer);
}

static void refuses_texts_and_numbers_that_it_can_t_keep(void **state)
{
    static const struct gh_str TEXTS[] = {GH_STR_INIT("e\0n"), GH_STR_INIT("\xff"),
                                          GH_STR_INIT("\xed\xa0\x80"), GH_STR_INIT("\xc0\x80")};
    struct gh_contract contract;
    struct gh_account account = gh_contract_account(1), found;
    gh_contract_init(&contract, open_with((struct gh_postgres_options){.writes = true}));
    struct gh_tx *tx = gh_contract_begin(&contract);
    for (size_t i = 0; i < sizeof(TEXTS) / sizeof(TEXTS[0]); i++) {
        account.locale = TEXTS[i];
        assert_int_equal(tx->ops->account_insert(tx, &account), GH_ERR_INVALID);
        assert_int_equal(tx->ops->account_by_id(tx, TEXTS[i], &found), GH_ERR_NOT_FOUND);
        assert_int_equal(tx->ops->account_delete(tx, TEXTS[i]), GH_ERR_NOT_FOUND);
        assert_int_equal(tx->ops->tickets_delete_of(tx, TEXTS[i], GH_TICKET_RESET), GH_ERR_INVALID);
    }
    account = gh_contract_account(1);
    account.created_us = (uint64_t)INT64_MAX + 1;
    assert_int_equal(tx->ops->account_insert(tx, &account), GH_ERR_INVALID);
    account.created_us = INT64_MAX;
    gh_contract_assert_ok(tx->ops->account_insert(tx, &account));
    gh_contract_commit(&contract);
    gh_contract_done(&contract);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(goes_on_behind_a_restart_of_the_server),
        cmocka_unit_test(says_so_while_the_server_is_away),
        cmocka_unit_test(runs_a_unit_again_whose_connection_was_cut),
        cmocka_unit_test(a_silent_server_does_not_hold_a_unit_up_for_ever),
        cmocka_unit_test(looks_up_what_became_of_a_commit_without_an_answer),
        cmocka_unit_test(runs_a_unit_again_whose_commit_did_not_arrive),
        cmocka_unit_test(a_commit_that_may_be_under_way_is_done_once),
        cmocka_unit_test(a_late_unit_that_never_happened_is_not_said_to_be_done),
        cmocka_unit_test(a_late_unit_that_happened_is_said_to_be_done),
        cmocka_unit_test(asks_with_pauses_what_became_of_a_commit),
        cmocka_unit_test(a_server_that_falls_silent_while_one_connects_is_given_up),
        cmocka_unit_test(leaves_an_id_for_each_unit_that_wrote),
        cmocka_unit_test(a_statement_that_takes_too_long_fails),
        cmocka_unit_test(says_so_when_no_connection_is_free),
        cmocka_unit_test(keeps_the_last_connection_for_who_reads),
        cmocka_unit_test(scrubs_when_nobody_sees_it_any_more),
        cmocka_unit_test(the_last_of_two_admins_stays),
        cmocka_unit_test(those_who_come_at_once_migrate_once),
        cmocka_unit_test(refuses_a_newer_schema),
        cmocka_unit_test(refuses_a_database_of_another_program),
        cmocka_unit_test(makes_no_tables_for_reading),
        cmocka_unit_test(keeps_the_password_out_of_what_it_says),
        cmocka_unit_test(a_store_for_reading_writes_nothing),
        cmocka_unit_test(refuses_texts_and_numbers_that_it_can_t_keep),
    };
    if (!gh_postgres_fixture_start(&fixture))
        return GH_POSTGRES_SKIPPED;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    gh_postgres_fixture_done(&fixture);
    return failed;
}
