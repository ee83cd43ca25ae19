/* The SQLite adapter: its file, lock, schema and settings, and what it refuses to open. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/migrations.h"
#include "store/sqlite_connection.h"
#include "store/sqlite_fixture.h"

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

static struct gh_store *open_store(struct gh_sqlite_fixture *fixture)
{
    struct gh_store *store = gh_sqlite_fixture_open(fixture);
    assert_non_null(store);
    return store;
}

static void close_store(struct gh_store *store)
{
    store->ops->close(store);
}

static bool message_says(const struct gh_sqlite_fixture *fixture, const char *what)
{
    return gh_str_find(fixture->message, gh_str_from_c(what)) < fixture->message.len;
}

static void expect_refusal(struct gh_sqlite_fixture *fixture, bool exclusive, enum gh_err expected,
                           const char *message)
{
    struct gh_store *store = NULL;
    assert_int_equal(gh_sqlite_fixture_try(fixture, exclusive, &store), expected);
    assert_null(store);
    if (!message_says(fixture, message) || !message_says(fixture, fixture->path))
        fail_msg("the message was: %.*s", GH_STR_ARG(fixture->message));
}

/* Changes the file as another program would. */
static void exec_raw(const struct gh_sqlite_fixture *fixture, const char *sql)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(fixture->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void write_file(const char *path, const char *bytes, size_t count, mode_t mode)
{
    int descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC, mode);
    assert_true(descriptor >= 0);
    assert_int_equal(fchmod(descriptor, mode), 0);
    assert_int_equal(write(descriptor, bytes, count), count);
    close(descriptor);
}

static enum gh_err put_throttle(struct gh_tx *tx, void *args)
{
    struct gh_throttle_row row = {.key = {7}, .failures = *(const uint64_t *)args};
    return tx->ops->throttle_put(tx, &row);
}

static enum gh_err get_throttle(struct gh_tx *tx, void *args)
{
    static const uint8_t KEY[16] = {7};
    struct gh_throttle_row row;
    enum gh_err err = tx->ops->throttle_get(tx, KEY, &row);
    if (err == GH_OK)
        *(uint64_t *)args = row.failures;
    return err;
}

static enum gh_err write_number(struct gh_sqlite_fixture *fixture, struct gh_store *store,
                                uint64_t number)
{
    return store->ops->run(store, put_throttle, &number, &fixture->arena);
}

static uint64_t read_number(struct gh_sqlite_fixture *fixture, struct gh_store *store)
{
    uint64_t number = 0;
    assert_int_equal(store->ops->read(store, get_throttle, &number, &fixture->arena), GH_OK);
    return number;
}

/* ---- The file ---- */

static mode_t mode_of(const struct gh_sqlite_fixture *fixture, const char *suffix)
{
    char path[128];
    struct stat status;
    snprintf(path, sizeof(path), "%s%s", fixture->path, suffix);
    assert_int_equal(stat(path, &status), 0);
    return status.st_mode & 07777;
}

static void only_the_owner_may_read_any_of_its_files(void **state)
{
    struct gh_sqlite_fixture *fixture = *state;
    mode_t before = umask(0);
    struct gh_store *store = open_store(fixture);
    assert_int_equal(write_number(fixture, store, 1), GH_OK);
    assert_int_equal(mode_of(fixture, ""), 0600);
    assert_int_equal(mode_of(fixture, "-wal"), 0600);
    assert_int_equal(mode_of(fixture, "-shm"), 0600);
    assert_int_equal(mode_of(fixture, ".lock"), 0600);
    close_store(store);
    umask(before);
}

static void takes_the_rights_of_others_away_from_a_file_that_was_there(void **state)
{
    struct gh_sqlite_fixture *fixture = *state;
    write_file(fixture->path, "", 0, 0666);
    struct gh_store *store = open_store(fixture);
    assert_int_equal(mode_of(fixture, ""), 0600);
    close_store(store);
}

static void what_was_written_is_there_after_reopening(void **state)
{
    struct gh_sqlite_fixture *fixture = *state;
    for (uint64_t i = 1; i <= 3; i++) {
        struct gh_store *store = open_store(fixture);
        if (i > 1)
            assert_int_equal(read_number(fixture, store), i - 1);
        assert_int_equal(write_number(fixture, store, i), GH_OK);
        close_store(store);
    }
}

static void refuses_paths_that_are_none(void **state)
{
    struct gh_sqlite_fixture *fixture = *state;
    static const struct gh_str PATHS[] = {GH_STR_INIT(""), GH_STR_INIT("a\0b"), GH_STR_INIT("/tmp"),
                                          GH_STR_INIT("/nowhere/at/all.db")};
    for (size_t i = 0; i < sizeof(PATHS) / sizeof(PATHS[0]); i++) {
        for (int exclusive = 0; exclusive < 2; exclusive++) {
            struct gh_sqlite_options options = {.path = PATHS[i], .exclusive = exclusive};
            struct gh_store *store = NULL;
            struct gh_str message = GH_STR("");
            assert_int_not_equal(gh_sqlite_open(&options, &fixture->arena, &store, &message),
                                 GH_OK);
            assert_null(store);
            assert_true(message.len > 0);
        }
    }
    unlink("/tmp.lock");
}

static void a_name_that_sqlite_takes_for_memory_is_a_file(void **state)
{
    struct gh_sqlite_fixture *fixture = *state;
    char before[4096];
    assert_non_null(getcwd(before, sizeof(before)));
    assert_int_equal(chdir(fixture->directory), 0);
    struct gh_sqlite_options options = {.path = GH_STR(":memory:"), .exclusive = true};
    struct gh_store *store = NULL;
    struct gh_str message;
    assert_int_equal(gh_sqlite_open(&options, &fixture->arena, &store, &message), GH_OK);
    close_store(store);
    assert_int_equal(unlink(":memory:"), 0);
    assert_int_equal(unlink(":memory:.lock"), 0);
    assert_int_equal(chdir(before), 0);
}

/* ---- The lock ---- */

static void refuses_a_second_opening_and_names_who_has_it(void **state)
{
    struct gh_sqlite_fixture *fixture = *state;
    char holder[64];
    struct gh_store *store = open_store(fixture);
    snprintf(holder, sizeof(holder), "in use by process %ld;", (long)getpid());
    expect_refusal(fixture, true, GH_ERR_EXISTS, holder);
    assert_int_equal(write_number(fixture, store, 5), GH_OK); /* unharmed */
    close_store(store);
    close_store(open_store(fixture));
}

/* Opens in a process of its own, says so, and waits to be killed. */
static pid_t open_in_child(struct gh_sqlite_fixture *fixture)
{
    int ready[2];
    char byte = 0;
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct gh_store *store = gh_sqlite_fixture_open(fixture);
        byte = store != NULL;
        if (write(ready[1], &byte, 1) == 1)
            pause();
        _exit(1);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(byte, 1);
    close(ready[0]);
    close(ready[1]);
    return child;
}

static void the_lock_goes_with_a_killed_process(void **state)
{
    struct gh_sqlite_fixture *fixture = *state;
    char holder[64];
    pid_t child = open_in_child(fixture);
    snprintf(holder, sizeof(holder), "in use by process %ld;", (long)child);
    expect_refusal(fixture, true, GH_ERR_EXISTS, holder);
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
    close_store(open_store(fixture));
}

/* ---- Reading beside the writer ---- */

static void a_reader_sees_what_the_writer_commits_and_can_t_write(void **state)
{
    struct gh_sqlite_fixture *fixture = *state;
    struct gh_store *writer = open_store(fixture), *reader = NULL;
    assert_int_equal(write_number(fixture, writer, 1), GH_OK);
    assert_int_equal(gh_sqlite_fixture_try(fixture, false, &reader), GH_OK);
    assert_int_equal(read_number(fixture, reader), 1);
    assert_int_equal(write_number(fixture, reader, 2), GH_ERR_INVALID);
    uint64_t number = 3;
    assert_int_equal(reader->ops->read(reader, put_throttle, &number, &fixture->arena),
                     GH_ERR_INVALID);
    assert_int_equal(write_number(fixture, writer, 4), GH_OK);
    assert_int_equal(read_number(fixture, reader), 4);
    close_store(reader);
    assert_int_equal(write_number(fixture, writer, 5), GH_OK);
    assert_int_equal(read_number(fixture, writer), 5);
    close_store(writer);
}

static void a_reader_makes_no_file(void **state)
{
    struct gh_sqlite_fixture *fixture = *state;
    expect_refusal(fixture, false, GH_ERR_INVALID, "no such file");
    assert_int_equal(access(fixture->path, F_OK), -1);
}

/* ---- The schema ---- */

static void refuses_a_newer_schema_and_leaves_it_alone(void **state)
{
    struct gh_sqlite_fixture *fixture = *state;
    struct gh_store *store = open_store(fixture);
    assert_int_equal(write_number(fixture, store, 9), GH_OK);
    close_store(store);
    exec_raw(fixture, "INSERT INTO schema_version VALUES (7777, 'later', 0)");
    expect_refusal(fixture, true, GH_ERR_INVALID, "version 7777");
    expect_refusal(fixture, false, GH_ERR_INVALID, "version 7777");
    exec_raw(fixture, "DELETE FROM schema_version WHERE version = 7777");
    store = open_store(fixture);
    assert_int_equal(read_number(fixture, store), 9);
    close_store(store);
}

static void a_reader_does_not_migrate(void **state)
{
    struct gh_sqlite_fixture *fixture = *state;
    write_file(fixture->path, "", 0, 0600);
    expect_refusal(fixture, false, GH_ERR_INVALID, "start the server once");
}

static void refuses_a_database_of_another_program(void **state)
{
    struct gh_sqlite_fixture *fixture = *state;
    exec_raw(fixture, "CREATE TABLE accounts (id INTEGER)");
    expect_refusal(fixture, true, GH_ERR_INVALID, "another program");
    expect_refusal(fixture, false, GH_ERR_INVALID, "another program");
}

static void refuses_a_file_that_is_no_database(void **state)
{
    struct gh_sqlite_fixture *fixture = *state;
    char text[4096];
    memset(text, 'x', sizeof(text));
    write_file(fixture->path, text, sizeof(text), 0600);
    expect_refusal(fixture, true, GH_ERR_INVALID, "not a database");
    expect_refusal(fixture, false, GH_ERR_INVALID, "not a database");
}

static void every_migration_is_noted_once(void **state)
{
    struct gh_sqlite_fixture *fixture = *state;
    struct gh_sqlite_connection connection;
    sqlite3_int64 count = 0, last = 0;
    close_store(open_store(fixture));
    close_store(open_store(fixture));
    assert_int_equal(gh_sqlite_connect(&connection, fixture->path, true), GH_OK);
    assert_true(gh_sqlite_number(&connection, "SELECT count(*) FROM schema_version", &count));
    assert_true(gh_sqlite_number(&connection, "SELECT max(version) FROM schema_version", &last));
    gh_sqlite_disconnect(&connection);
    assert_int_equal(count, gh_migration_count);
    assert_int_equal(last, gh_migration_count);
}

/* ---- Connections and statements ---- */

static void expect_number(struct gh_sqlite_connection *connection, const char *sql,
                          sqlite3_int64 expected)
{
    sqlite3_int64 number = -1;
    if (!gh_sqlite_number(connection, sql, &number) || number != expected)
        fail_msg("%s gives %lld", sql, (long long)number);
}

static void connections_are_durable_and_distrustful(void **state)
{
    struct gh_sqlite_fixture *fixture = *state;
    struct gh_sqlite_connection connection;
    close_store(open_store(fixture));
    for (int read_only = 0; read_only < 2; read_only++) {
        assert_int_equal(gh_sqlite_connect(&connection, fixture->path, read_only), GH_OK);
        expect_number(&connection, "SELECT journal_mode = 'wal' FROM pragma_journal_mode", 1);
        expect_number(&connection, "PRAGMA synchronous", 2); /* FULL */
        expect_number(&connection, "PRAGMA foreign_keys", 1);
        expect_number(&connection, "PRAGMA trusted_schema", 0);
        expect_number(&connection, "PRAGMA query_only", read_only);
        expect_number(&connection, "PRAGMA temp_store", 2); /* MEMORY */
        gh_sqlite_disconnect(&connection);
    }
    assert_int_equal(gh_sqlite_connect(&connection, fixture->path, false), GH_OK);
    expect_number(&connection, "PRAGMA secure_delete", 1);
    gh_sqlite_disconnect(&connection);
}

/* These read whole tables, and may: small ones, or ones whose every row is asked for. */
static bool may_scan(int statement)
{
    return statement == GH_SQLITE_ACCOUNT_COUNT || statement == GH_SQLITE_MAIL_COUNT ||
           statement == GH_SQLITE_KEYS_ALL || statement == GH_SQLITE_RECORDS_COUNT;
}

static void expect_no_scan(sqlite3 *db, int id, const char *sql)
{
    char explain[4096];
    sqlite3_stmt *plan = NULL;
    snprintf(explain, sizeof(explain), "EXPLAIN QUERY PLAN %s", sql);
    assert_int_equal(sqlite3_prepare_v2(db, explain, -1, &plan, NULL), SQLITE_OK);
    while (sqlite3_step(plan) == SQLITE_ROW) {
        const char *step = (const char *)sqlite3_column_text(plan, 3);
        /* Over the few numbers that a subquery has found is right, and over no table. */
        bool is_scan = strncmp(step, "SCAN ", 5) == 0 && strncmp(step, "SCAN (", 6) != 0 &&
                       strcmp(step, "SCAN CONSTANT ROW") != 0;
        if (is_scan && !may_scan(id))
            fail_msg("%s: %s", sql, step);
    }
    sqlite3_finalize(plan);
}

static void every_statement_can_be_prepared_and_none_scans_a_table_that_grows(void **state)
{
    struct gh_sqlite_fixture *fixture = *state;
    struct gh_sqlite_connection connection;
    close_store(open_store(fixture));
    assert_int_equal(gh_sqlite_connect(&connection, fixture->path, false), GH_OK);
    for (int id = 0; id < GH_SQLITE_STATEMENT_COUNT; id++) {
        enum gh_err err = GH_OK;
        sqlite3_stmt *statement =
            gh_sqlite_statement(&connection, (enum gh_sqlite_statement)id, &err);
        if (!statement)
            fail_msg("statement %d: %s", id, sqlite3_errmsg(connection.db));
        expect_no_scan(connection.db, id, sqlite3_sql(statement));
    }
    gh_sqlite_disconnect(&connection);
}

/* How many steps of the statement's plan use the index. */
static unsigned uses_of(sqlite3 *db, const char *sql, const char *index)
{
    char explain[4096];
    sqlite3_stmt *plan = NULL;
    unsigned count = 0;
    snprintf(explain, sizeof(explain), "EXPLAIN QUERY PLAN %s", sql);
    assert_int_equal(sqlite3_prepare_v2(db, explain, -1, &plan, NULL), SQLITE_OK);
    while (sqlite3_step(plan) == SQLITE_ROW)
        count += strstr((const char *)sqlite3_column_text(plan, 3), index) != NULL;
    sqlite3_finalize(plan);
    return count;
}

static void what_speaks_of_somebody_is_found_by_the_indexes_of_users_and_actors(void **state)
{
    static const enum gh_sqlite_statement STATEMENTS[] = {
        GH_SQLITE_RECORDS_NEWEST_OF, GH_SQLITE_RECORDS_NEWEST_OF_NAMED, GH_SQLITE_RECORDS_OLDEST_OF,
        GH_SQLITE_RECORDS_OLDEST_OF_NAMED};
    struct gh_sqlite_fixture *fixture = *state;
    struct gh_sqlite_connection connection;
    close_store(open_store(fixture));
    assert_int_equal(gh_sqlite_connect(&connection, fixture->path, false), GH_OK);
    for (size_t i = 0; i < sizeof(STATEMENTS) / sizeof(STATEMENTS[0]); i++) {
        enum gh_err err = GH_OK;
        const char *sql = sqlite3_sql(gh_sqlite_statement(&connection, STATEMENTS[i], &err));
        assert_int_equal(uses_of(connection.db, sql, "security_audit_log_user"), 1);
        assert_int_equal(uses_of(connection.db, sql, "security_audit_log_actor"), 1);
    }
    gh_sqlite_disconnect(&connection);
}

static void refuses_numbers_that_sqlite_has_not(void **state)
{
    struct gh_sqlite_fixture *fixture = *state;
    struct gh_store *store = open_store(fixture);
    assert_int_equal(write_number(fixture, store, (uint64_t)INT64_MAX), GH_OK);
    assert_int_equal(write_number(fixture, store, (uint64_t)INT64_MAX + 1), GH_ERR_INVALID);
    assert_int_equal(read_number(fixture, store), (uint64_t)INT64_MAX);
    close_store(store);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(only_the_owner_may_read_any_of_its_files),
        TEST(takes_the_rights_of_others_away_from_a_file_that_was_there),
        TEST(what_was_written_is_there_after_reopening),
        TEST(refuses_paths_that_are_none),
        TEST(a_name_that_sqlite_takes_for_memory_is_a_file),
        TEST(refuses_a_second_opening_and_names_who_has_it),
        TEST(the_lock_goes_with_a_killed_process),
        TEST(a_reader_sees_what_the_writer_commits_and_can_t_write),
        TEST(a_reader_makes_no_file),
        TEST(refuses_a_newer_schema_and_leaves_it_alone),
        TEST(a_reader_does_not_migrate),
        TEST(refuses_a_database_of_another_program),
        TEST(refuses_a_file_that_is_no_database),
        TEST(every_migration_is_noted_once),
        TEST(connections_are_durable_and_distrustful),
        TEST(every_statement_can_be_prepared_and_none_scans_a_table_that_grows),
        TEST(what_speaks_of_somebody_is_found_by_the_indexes_of_users_and_actors),
        TEST(refuses_numbers_that_sqlite_has_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
