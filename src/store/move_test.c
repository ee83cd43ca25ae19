/* A deployment that moves from SQLite to PostgreSQL: all of it, or nothing. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <sqlite3.h>
#include <stdio.h>

#include "store/contract_suite.h"
#include "store/postgres_fixture.h"
#include "store/sqlite_fixture.h"
#include "store/move.h"

#define RECORDS 700

static struct gh_postgres_fixture server;

struct world {
    struct gh_sqlite_fixture file;
    struct gh_contract contract;
    struct gh_arena arena;
    struct gh_move_result result;
    struct gh_str message;
};

static int set_up(void **state)
{
    struct world *world = test_calloc(1, sizeof(*world));
    gh_sqlite_fixture_init(&world->file);
    gh_arena_init(&world->arena, 64 * 1024, 16 * 1024 * 1024);
    gh_postgres_fixture_bare(&server);
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    gh_arena_done(&world->arena);
    gh_sqlite_fixture_done(&world->file);
    test_free(world);
    return 0;
}

static enum gh_err transfer(struct world *world)
{
    const struct gh_move_options options = {
        .sqlite_path = gh_str_from_c(world->file.path),
        .postgres_url = server.url,
    };
    return gh_move_run(&options, &world->arena, &world->result, &world->message);
}

static void assert_moves(struct world *world)
{
    enum gh_err err = transfer(world);
    if (err != GH_OK)
        fail_msg("%s: %.*s", gh_err_text(err), GH_STR_ARG(world->message));
}

static uint64_t rows_of(const struct world *world, const char *table)
{
    for (size_t i = 0; i < world->result.table_count; i++)
        if (gh_str_eq(world->result.tables[i].name, gh_str_from_c(table)))
            return world->result.tables[i].rows;
    fail_msg("%s was not moved", table);
    return 0;
}

static void open_file(struct world *world)
{
    struct gh_store *store = gh_sqlite_fixture_open(&world->file);
    assert_non_null(store);
    gh_contract_init(&world->contract, store);
}

static void add_people(struct gh_tx *tx)
{
    for (unsigned number = 1; number <= 3; number++) {
        struct gh_account account = gh_contract_account(number);
        struct gh_session_row session = gh_contract_session(number, number);
        struct gh_ticket ticket = gh_contract_ticket(number, number);
        struct gh_device_row device = gh_contract_device(number, number);
        struct gh_mail_row mail = gh_contract_mail(number, number);
        gh_contract_assert_ok(tx->ops->account_insert(tx, &account));
        gh_contract_assert_ok(tx->ops->session_insert(tx, &session));
        gh_contract_assert_ok(tx->ops->ticket_insert(tx, &ticket));
        gh_contract_assert_ok(tx->ops->device_put(tx, &device));
        gh_contract_assert_ok(tx->ops->mail_insert(tx, &mail));
        gh_contract_set_codes(tx, number, 10 * number, 5);
    }
    struct gh_throttle_row throttle = gh_contract_throttle(1);
    gh_contract_assert_ok(tx->ops->throttle_put(tx, &throttle));
}

static void add_rest(struct gh_tx *tx)
{
    uint64_t id;
    for (unsigned number = 1; number <= 3; number++) {
        struct gh_key_row key = gh_contract_key(number);
        key.id = 0;
        gh_contract_assert_ok(tx->ops->key_insert(tx, &key, &id));
    }
    gh_contract_assert_ok(tx->ops->key_delete(tx, id));
    const struct gh_person_key_row person = {
        .person = GH_STR("day:2027-01-15"), .wrapped = GH_STR("\x00\xffwrapped"), .created_us = 5};
    const struct gh_revocation_row revocation = {gh_contract_id(9), GH_CONTRACT_NOW_US};
    const struct gh_audit_pending pending = {.place = 4, .row = gh_contract_row(1)};
    gh_contract_assert_ok(tx->ops->person_key_insert(tx, &person));
    gh_contract_assert_ok(tx->ops->revocation_insert(tx, &revocation));
    gh_contract_assert_ok(tx->ops->pending_put(tx, &pending));
    for (unsigned number = 1; number <= RECORDS; number++) {
        struct gh_audit_row row = gh_contract_row(number);
        gh_contract_assert_ok(tx->ops->audit_append(tx, &row));
    }
}

/* Something in every table. */
static void fill(struct world *world)
{
    open_file(world);
    struct gh_tx *tx = gh_contract_begin(&world->contract);
    add_people(tx);
    add_rest(tx);
    gh_contract_commit(&world->contract);
    gh_contract_done(&world->contract);
}

static void open_database(struct world *world)
{
    struct gh_store *store = gh_postgres_fixture_open(&server);
    assert_non_null(store);
    gh_contract_init(&world->contract, store);
}

/* Runs SQL in the file, as somebody else might. */
static void tamper(struct world *world, const char *sql)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(world->file.path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void assert_says(const struct world *world, const char *text)
{
    char message[512];
    snprintf(message, sizeof(message), "%.*s", GH_STR_ARG(world->message));
    if (!strstr(message, text))
        fail_msg("\"%s\" does not say \"%s\"", message, text);
}

/* ---- All of it ---- */

static void moves_every_row_of_every_table(void **state)
{
    struct world *world = *state;
    fill(world);
    assert_moves(world);
    assert_int_equal(rows_of(world, "accounts"), 3);
    assert_int_equal(rows_of(world, "recovery_codes"), 15);
    assert_int_equal(rows_of(world, "keys"), 2);
    assert_int_equal(rows_of(world, "audit_pending"), 1);
    assert_int_equal(rows_of(world, "security_audit_log"), RECORDS);
    for (size_t i = 0; i < world->result.table_count; i++)
        assert_int_not_equal(world->result.tables[i].rows, 0); /* else this test forgets a table */
}

static void what_arrives_reads_as_it_was_written(void **state)
{
    struct world *world = *state;
    fill(world);
    assert_moves(world);
    open_database(world);
    struct gh_tx *tx = gh_contract_begin_read(&world->contract);
    struct gh_account expected = gh_contract_account(2), actual;
    gh_contract_assert_ok(
        tx->ops->account_by_id(tx, gh_str_from_c(gh_contract_id(2).text), &actual));
    gh_contract_assert_account(&actual, &expected);
    struct gh_session_row session, wanted = gh_contract_session(3, 3);
    gh_contract_assert_ok(
        tx->ops->session_by_id(tx, gh_str_from_c(wanted.session_id.text), &session));
    gh_contract_assert_session(&session, &wanted);
    struct gh_person_key_row person;
    gh_contract_assert_ok(tx->ops->person_key_get(tx, GH_STR("day:2027-01-15"), &person));
    gh_contract_assert_text(person.wrapped, GH_STR("\x00\xffwrapped"));
    gh_contract_assert_ok(gh_contract_end(&world->contract, GH_OK));
    gh_contract_done(&world->contract);
}

/* The hash of a record covers the one before it. */
static void the_chain_goes_on_behind_the_last_record(void **state)
{
    struct world *world = *state;
    uint8_t before[GH_SHA256_BYTES], hash[GH_SHA256_BYTES];
    uint64_t seq;
    fill(world);
    open_file(world);
    struct gh_tx *tx = gh_contract_begin_read(&world->contract);
    gh_contract_assert_ok(tx->ops->audit_head(tx, &seq, before));
    gh_contract_assert_ok(gh_contract_end(&world->contract, GH_OK));
    gh_contract_done(&world->contract);
    assert_moves(world);

    open_database(world);
    struct gh_audit_row row = gh_contract_row(5), *rows;
    size_t count;
    tx = gh_contract_begin(&world->contract);
    gh_contract_assert_ok(tx->ops->audit_append(tx, &row));
    gh_contract_commit(&world->contract);
    tx = gh_contract_begin_read(&world->contract);
    gh_contract_assert_ok(tx->ops->audit_head(tx, &seq, hash));
    assert_int_equal(seq, RECORDS + 1);
    const struct gh_audit_query query = {.limit = 1};
    gh_contract_assert_ok(tx->ops->audit_page(tx, &query, &rows, &count));
    assert_int_equal(count, 1);
    assert_memory_equal(rows[0].prev_hash, before, sizeof(before));
    gh_contract_assert_ok(gh_contract_end(&world->contract, GH_OK));
    gh_contract_done(&world->contract);
}

static void a_key_never_gets_the_number_of_one_that_was_deleted(void **state)
{
    struct world *world = *state;
    struct gh_key_row key = gh_contract_key(1);
    uint64_t id = 0;
    fill(world);
    assert_moves(world);
    open_database(world);
    struct gh_tx *tx = gh_contract_begin(&world->contract);
    key.id = 0;
    gh_contract_assert_ok(tx->ops->key_insert(tx, &key, &id));
    assert_int_equal(id, 4);
    gh_contract_commit(&world->contract);
    gh_contract_done(&world->contract);
}

static void no_key_gets_the_number_of_another_whatever_the_file_lost(void **state)
{
    struct world *world = *state;
    fill(world);
    tamper(world, "DELETE FROM sqlite_sequence WHERE name = 'keys'");
    assert_moves(world);
    uint64_t last = gh_postgres_fixture_sql(&server, "SELECT last FROM key_number");
    assert_true(last > 0);
    assert_int_equal(last, gh_postgres_fixture_sql(&server, "SELECT max(id) FROM keys"));
}

static void an_empty_deployment_moves_too(void **state)
{
    struct world *world = *state;
    open_file(world);
    gh_contract_done(&world->contract);
    assert_moves(world);
    assert_int_equal(rows_of(world, "accounts"), 0);
    open_database(world);
    gh_contract_done(&world->contract);
}

static void count_progress(void *context, uint64_t rows, uint64_t rows_max)
{
    unsigned *told = context;
    assert_true(rows <= rows_max);
    ++*told;
}

static void tells_how_far_it_is(void **state)
{
    struct world *world = *state;
    unsigned told = 0;
    const struct gh_move_options options = {
        .sqlite_path = gh_str_from_c(world->file.path),
        .postgres_url = server.url,
        .progress = count_progress,
        .context = &told,
    };
    fill(world);
    assert_int_equal(gh_move_run(&options, &world->arena, &world->result, &world->message), GH_OK);
    assert_int_not_equal(told, 0);
}

/* ---- Or nothing ---- */

static void assert_nothing_arrived(void)
{
    assert_int_equal(gh_postgres_fixture_sql(&server, "SELECT count(*) FROM accounts"), 0);
    assert_int_equal(gh_postgres_fixture_sql(&server, "SELECT count(*) FROM security_audit_log"),
                     0);
    assert_int_equal(gh_postgres_fixture_sql(&server, "SELECT count(*) FROM audit_chains"), 0);
}

static void refuses_a_database_that_is_not_empty(void **state)
{
    struct world *world = *state;
    fill(world);
    gh_postgres_fixture_fresh(&server);
    gh_postgres_fixture_sql(&server, "INSERT INTO person_keys VALUES ('x', 'y', 1)");
    assert_int_equal(transfer(world), GH_ERR_EXISTS);
    assert_says(world, "person_keys has rows");
    assert_nothing_arrived();
}

static void refuses_a_second_time(void **state)
{
    struct world *world = *state;
    fill(world);
    assert_moves(world);
    assert_int_equal(transfer(world), GH_ERR_EXISTS);
    assert_int_equal(gh_postgres_fixture_sql(&server, "SELECT count(*) FROM accounts"), 3);
}

static void refuses_a_database_that_a_server_has_begun_to_use(void **state)
{
    struct world *world = *state;
    fill(world);
    open_database(world); /* holds a chain */
    assert_int_equal(transfer(world), GH_ERR_EXISTS);
    gh_contract_done(&world->contract);
}

static void refuses_while_a_server_has_the_file(void **state)
{
    struct world *world = *state;
    open_file(world);
    assert_int_equal(transfer(world), GH_ERR_EXISTS);
    gh_contract_done(&world->contract);
}

static void refuses_a_file_that_is_not_there_and_makes_none(void **state)
{
    struct world *world = *state;
    assert_int_equal(transfer(world), GH_ERR_INVALID);
    assert_says(world, "there is no such file");
    FILE *file = fopen(world->file.path, "r");
    assert_null(file);
}

static void refuses_a_file_of_somebody_else(void **state)
{
    struct world *world = *state;
    tamper(world, "CREATE TABLE a (b)");
    assert_int_equal(transfer(world), GH_ERR_INVALID);
}

static void refuses_texts_that_postgresql_cannot_hold(void **state)
{
    static const char *const TEXTS[] = {"CAST(x'61ff62' AS TEXT)", "CAST(x'610062' AS TEXT)"};
    struct world *world = *state;
    fill(world);
    for (size_t i = 0; i < 2; i++) {
        char sql[128];
        snprintf(sql, sizeof(sql), "UPDATE accounts SET locale = %s", TEXTS[i]);
        tamper(world, sql);
        assert_int_equal(transfer(world), GH_ERR_INVALID);
        assert_nothing_arrived();
    }
}

static void refuses_a_table_that_it_does_not_know(void **state)
{
    struct world *world = *state;
    fill(world);
    tamper(world, "CREATE TABLE extra (a INTEGER PRIMARY KEY) STRICT");
    assert_int_not_equal(transfer(world), GH_OK);
    assert_says(world, "extra");
    assert_nothing_arrived();
}

static void a_server_that_is_away_is_told(void **state)
{
    struct world *world = *state;
    const struct gh_move_options options = {
        .sqlite_path = gh_str_from_c(world->file.path),
        .postgres_url = "postgresql:///x?host=/nowhere",
    };
    fill(world);
    assert_int_not_equal(gh_move_run(&options, &world->arena, &world->result, &world->message),
                         GH_OK);
    assert_int_not_equal(world->message.len, 0);
}

int main(void)
{
#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(moves_every_row_of_every_table),
        CASE(what_arrives_reads_as_it_was_written),
        CASE(the_chain_goes_on_behind_the_last_record),
        CASE(a_key_never_gets_the_number_of_one_that_was_deleted),
        CASE(no_key_gets_the_number_of_another_whatever_the_file_lost),
        CASE(an_empty_deployment_moves_too),
        CASE(tells_how_far_it_is),
        CASE(refuses_a_database_that_is_not_empty),
        CASE(refuses_a_second_time),
        CASE(refuses_a_database_that_a_server_has_begun_to_use),
        CASE(refuses_while_a_server_has_the_file),
        CASE(refuses_a_file_that_is_not_there_and_makes_none),
        CASE(refuses_a_file_of_somebody_else),
        CASE(refuses_texts_that_postgresql_cannot_hold),
        CASE(refuses_a_table_that_it_does_not_know),
        CASE(a_server_that_is_away_is_told),
    };
    if (!gh_postgres_fixture_start(&server))
        return GH_POSTGRES_SKIPPED;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    gh_postgres_fixture_done(&server);
    return failed;
}
