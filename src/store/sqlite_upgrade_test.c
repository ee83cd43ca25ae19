/* The SQLite adapter over a file of an earlier schema: what is there comes along. */
#include "store/contract_suite.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "audit/chain.h"
#include "store/migrations.h"
#include "store/sqlite_connection.h"
#include "store/sqlite_fixture.h"

#define PEOPLE 3

static int set_up(void **state)
{
    struct gh_sqlite_fixture *fixture = malloc(sizeof(*fixture));
    if (!fixture)
        return -1;
    gh_sqlite_fixture_init(fixture);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    gh_sqlite_fixture_done(*state);
    free(*state);
    return 0;
}

static void exec(sqlite3 *db, const char *sql)
{
    char *message = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s: %s", sql, message);
}

/* A file as the gatehouse of version 1 left it: accounts 1 to 3, a session of each, a key, and
   records without a chain. */
static void make_version_1(const struct gh_sqlite_fixture *fixture)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(fixture->path, &db), SQLITE_OK);
    exec(db, "PRAGMA journal_mode = WAL; PRAGMA foreign_keys = ON; CREATE TABLE schema_version ("
             "version INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL, "
             "applied_us INTEGER NOT NULL) STRICT");
    exec(db, gh_migrations[0].sql);
    exec(db, "INSERT INTO schema_version VALUES (1, '0001_identity', 1)");
    for (unsigned number = 1; number <= PEOPLE; number++) {
        char sql[1024];
        struct gh_id id = gh_contract_id(number);
        snprintf(sql, sizeof(sql),
                 "INSERT INTO accounts VALUES ('%s', randomblob(32), x'00ff%02x', 1, 'hash', 2, "
                 "NULL, 'de', 'user', 0, 3, 4, NULL, 0, 5);"
                 "INSERT INTO sessions VALUES ('%s', '%s', '%s', x'11', 1, zeroblob(32), "
                 "zeroblob(64), 1, 2, 9, 3, 4, 0, 0, 0, NULL, x'22')",
                 id.text, number, id.text, id.text, id.text);
        exec(db, sql);
        exec(db, "INSERT INTO security_audit_log (time, event_type, outcome, metadata) VALUES "
                 "(1, 'login', 'success', '{}')");
    }
    exec(db, "INSERT INTO keys VALUES (NULL, 0, NULL, NULL, x'33', 1, 0)");
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void assert_people(struct gh_tx *tx)
{
    for (unsigned number = 1; number <= PEOPLE; number++) {
        struct gh_id id = gh_contract_id(number);
        struct gh_account account;
        struct gh_session_row session;
        char email[] = {0, (char)0xff, (char)number};
        gh_contract_assert_ok(tx->ops->account_by_id(tx, gh_id_str(&id), &account));
        gh_contract_assert_text(account.email, gh_str_of(email, sizeof(email)));
        gh_contract_assert_text(account.locale, GH_STR("de"));
        gh_contract_assert_ok(tx->ops->session_by_id(tx, gh_id_str(&id), &session));
        assert_string_equal(session.account.text, id.text);
    }
}

static void a_file_of_version_1_keeps_its_people_and_begins_its_log_anew(void **state)
{
    struct gh_sqlite_fixture *fixture = *state;
    struct gh_contract contract;
    struct gh_audit_query query = {.limit = 10};
    struct gh_audit_row row = gh_contract_row(1), *rows;
    struct gh_key_row *keys;
    size_t count;
    make_version_1(fixture);
    gh_contract_init(&contract, gh_sqlite_fixture_open(fixture));
    assert_non_null(contract.store);
    struct gh_tx *tx = gh_contract_begin(&contract);
    assert_people(tx);
    gh_contract_assert_ok(tx->ops->keys_all(tx, &keys, &count));
    assert_int_equal(count, 1);
    gh_contract_assert_ok(tx->ops->audit_page(tx, &query, &rows, &count));
    assert_int_equal(count, 0);
    gh_contract_assert_ok(tx->ops->audit_append(tx, &row));
    gh_contract_assert_ok(tx->ops->audit_page(tx, &query, &rows, &count));
    assert_int_equal(count, 1);
    assert_int_equal(rows[0].record.seq, 1);
    gh_contract_commit(&contract);
    gh_contract_done(&contract);
}

static void an_account_of_version_1_can_have_a_key_and_be_removed(void **state)
{
    struct gh_sqlite_fixture *fixture = *state;
    struct gh_contract contract;
    struct gh_id id = gh_contract_id(2);
    struct gh_person_key_row key = {.person = gh_id_str(&id), .wrapped = GH_STR("wrapped")};
    make_version_1(fixture);
    gh_contract_init(&contract, gh_sqlite_fixture_open(fixture));
    assert_non_null(contract.store);
    struct gh_tx *tx = gh_contract_begin(&contract);
    gh_contract_assert_ok(tx->ops->person_key_insert(tx, &key));
    gh_contract_assert_ok(tx->ops->account_delete(tx, gh_id_str(&id)));
    assert_int_equal(tx->ops->person_key_get(tx, gh_id_str(&id), &key), GH_ERR_NOT_FOUND);
    gh_contract_commit(&contract);
    gh_contract_done(&contract);
}

/* The names of all tables and indexes with the SQL that made them, but notes of versions. */
static struct gh_str schema_of(struct gh_sqlite_fixture *fixture)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *statement = NULL;
    assert_int_equal(sqlite3_open(fixture->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db,
                                        "SELECT group_concat(name || ': ' || ifnull(sql, ''), ';') "
                                        "FROM (SELECT name, sql FROM sqlite_schema WHERE name NOT "
                                        "LIKE '%schema_version%' ORDER BY name)",
                                        -1, &statement, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    struct gh_str schema = gh_arena_dup(
        &fixture->arena, gh_str_from_c((const char *)sqlite3_column_text(statement, 0)));
    sqlite3_finalize(statement);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    return schema;
}

static void an_upgraded_file_has_the_schema_of_a_new_one(void **state)
{
    struct gh_sqlite_fixture *fixture = *state, fresh;
    make_version_1(fixture);
    struct gh_store *store = gh_sqlite_fixture_open(fixture);
    assert_non_null(store);
    store->ops->close(store);
    gh_sqlite_fixture_init(&fresh);
    store = gh_sqlite_fixture_open(&fresh);
    assert_non_null(store);
    store->ops->close(store);
    struct gh_str upgraded = schema_of(fixture), new = schema_of(&fresh);
    assert_true(gh_str_find(new, GH_STR("person_keys")) < new.len);
    gh_contract_assert_text(upgraded, new);
    gh_sqlite_fixture_done(&fresh);
}

static void the_log_takes_no_row_without_its_hashes(void **state)
{
    static const char *const ROWS[] = {
        "INSERT INTO security_audit_log (seq, time, event_type, outcome, metadata) VALUES "
        "(1, 1, 'login', 'success', '{}')",
        "INSERT INTO security_audit_log (seq, time, event_type, outcome, metadata, prev_hash, "
        "hash) VALUES (1, 1, 'login', 'success', '{}', zeroblob(32), zeroblob(31))",
        "INSERT INTO security_audit_log (seq, time, event_type, outcome, metadata, prev_hash, "
        "hash) VALUES (0, 1, 'login', 'success', '{}', zeroblob(32), zeroblob(32))",
        "INSERT INTO security_audit_log (seq, time, event_type, outcome, metadata, prev_hash, "
        "hash) VALUES (1, 1, 'login', 'perhaps', '{}', zeroblob(32), zeroblob(32))",
        "INSERT INTO person_keys (person, wrapped, created_us) VALUES ('day:2026-01-31', NULL, 1)",
        "INSERT INTO audit_pending (place, event_type, outcome) VALUES (1, 'login', 'success')",
    };
    struct gh_sqlite_fixture *fixture = *state;
    sqlite3 *db = NULL;
    struct gh_store *store = gh_sqlite_fixture_open(fixture);
    assert_non_null(store);
    store->ops->close(store);
    assert_int_equal(sqlite3_open(fixture->path, &db), SQLITE_OK);
    for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++)
        assert_int_equal(sqlite3_exec(db, ROWS[i], NULL, NULL, NULL), SQLITE_CONSTRAINT);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_file_of_version_1_keeps_its_people_and_begins_its_log_anew),
        TEST(an_account_of_version_1_can_have_a_key_and_be_removed),
        TEST(an_upgraded_file_has_the_schema_of_a_new_one),
        TEST(the_log_takes_no_row_without_its_hashes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
