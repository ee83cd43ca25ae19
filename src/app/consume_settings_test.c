#include "app/consume_settings.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>

#include "app/root_config.h"
#include "config/render_problems.h"

#define HEAD                                                                                       \
    "version: 1\nenvironment: production\nredis: redis://cache\n"                                  \
    "store: postgresql:///votes?host=/run/postgresql\n"
#define ENTRY(statement, fields)                                                                   \
    HEAD "consume:\n- {stream: votes, group: counters, statement: \"" statement                    \
         "\", fields: " fields "}\n"

static const char *const ENVIRONMENT[] = {
    "DATABASE",  "postgresql://consumer:kJ2-very-private@db/votes?sslmode=verify-full",
    "DATABASE2", "mysql://consumer:hunter2@db/votes",
    NULL,
};

static void expect(const char *text, const char *expected)
{
    struct test_load test;
    struct gh_root_settings settings;
    test_load_init(&test, ENVIRONMENT);
    if (gh_root_load(&test.load, gh_str_from_c(text), NULL, &settings))
        gh_root_check_consume(&test.load, &settings);
    assert_string_equal(test_load_problems(&test), expected);
    assert_null(strstr(test_load_problems(&test), "hunter"));
    test_load_done(&test);
}

static void takes_an_entry_and_fills_the_rest(void **state)
{
    (void)state;
    struct test_load test;
    struct gh_root_settings settings;
    test_load_init(&test, ENVIRONMENT);
    const char *text = ENTRY("SELECT increment_vote($1)", "[option]");
    expect(text, "");
    assert_true(gh_root_load(&test.load, gh_str_from_c(text), NULL, &settings));
    const struct gh_consume_settings *first = settings.consume.items;
    assert_int_equal(settings.consume.count, 1);
    assert_int_equal(first->tries, 5);
    assert_int_equal(first->claim_after_ms, 30000);
    assert_int_equal(first->batch, 252);
    assert_int_equal(first->keep_ms, 7 * 24 * 3600 * 1000ull);
    assert_int_equal(first->metrics.len, 0);
    assert_int_equal(first->source.len, 0);
    test_load_done(&test);
}

static void takes_statements_whose_numbers_fit_the_fields(void **state)
{
    (void)state;
    expect(ENTRY("INSERT INTO t VALUES ($1, $2, $1)", "[a, b]"), "");
    expect(ENTRY("select f($2, $1)", "[a, b]"), "");
    expect(ENTRY("CALL f('$2 it''s', $1) -- $3", "[a]"), "");
    expect(ENTRY("WITH x AS (SELECT $1::text /* $9 */) INSERT INTO t SELECT $$ $4 $$", "[a]"), "");
    expect(ENTRY("SELECT $q$ $7 $q$, $1", "a"), "");
    expect(ENTRY("SELECT f($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
                 "[a, b, c, d, e, f, g, h, i, j, k]"),
           "");
}

static void refuses_numbers_and_fields_that_differ(void **state)
{
    (void)state;
    static const struct {
        const char *statement, *fields;
        unsigned count;
    } cases[] = {
        {"SELECT f($1)", "[a, b]", 2},
        {"SELECT f($1, $2)", "[a]", 1},
        {"SELECT f($2)", "[a]", 1},
        {"SELECT f('$1')", "[a]", 1},
        {"SELECT f($1, $3)", "[a, b]", 2},
        {"SELECT f($1, $33)", "[a]", 1},
        {"SELECT f($1, $99999999999999999999)", "[a]", 1},
        {"SELECT f(a$1)", "[a]", 1},
        {"SELECT f(1) -- $1", "[a]", 1},
        {"SELECT f($0)", "[a]", 1},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[512], expected[256];
        snprintf(text, sizeof(text),
                 HEAD "consume:\n- stream: votes\n  group: counters\n  fields: %s\n"
                      "  statement: \"%s\"\n",
                 cases[i].fields, cases[i].statement);
        snprintf(expected, sizeof(expected),
                 "9:14 consume: the statement does not use the %u fields, each by its $number | "
                 "name a field for each of $1, $2, ..., and use each\n",
                 cases[i].count);
        expect(text, expected);
    }
}

static void refuses_statements_that_end_the_transaction_or_change_nothing(void **state)
{
    (void)state;
    static const char *const STATEMENTS[] = {
        "COMMIT", "ROLLBACK", "BEGIN", "", "DROP TABLE t", "selects($1)", "COPY t FROM STDIN"};
    for (size_t i = 0; i < sizeof(STATEMENTS) / sizeof(STATEMENTS[0]); i++) {
        char text[512];
        snprintf(text, sizeof(text),
                 HEAD "consume:\n- stream: votes\n  group: counters\n  fields: [a]\n"
                      "  statement: \"%s\"\n",
                 STATEMENTS[i]);
        expect(text, "9:14 consume: the statement is none that changes rows | begin it with "
                     "SELECT, INSERT, UPDATE, DELETE, WITH, CALL or MERGE\n");
    }
}

static void refuses_what_is_missing(void **state)
{
    (void)state;
    expect(HEAD "consume: {stream: s, group: g, statement: SELECT f($1), fields: []}\n",
           "5:65 consume: it takes 1 to 32 fields | name the fields for $1, $2, ...\n");
    expect(HEAD "consume: {stream: '', group: g, statement: SELECT f($1), fields: [a]}\n",
           "5:19 consume: a name is empty | name the stream's key and the group\n");
    expect("version: 1\nstore: postgresql:///v?host=/run\n"
           "consume: {stream: s, group: g, statement: SELECT f($1), fields: [a]}\n",
           "3:19 consume: streams are in Redis, and there is no redis | write redis: "
           "env:REDIS_URL\n");
    expect("version: 1\nredis: redis://cache\n"
           "consume: {stream: s, group: g, statement: SELECT f($1), fields: [a]}\n",
           "3:19 consume: rows are kept in PostgreSQL, and the store is none | write database: "
           "env:DATABASE_URL, which is postgresql://...\n");
}

static void takes_a_database_of_its_own(void **state)
{
    (void)state;
#define WITH(more)                                                                                 \
    "version: 1\nredis: redis://cache\n"                                                           \
    "consume: {stream: s, group: g, statement: SELECT f($1), fields: [a], " more "}\n"
    expect(WITH("database: env:DATABASE"), "");
    expect(WITH("database: env:NOT_HERE"), "");
    expect(WITH("database: env:DATABASE2"),
           "3:80 consume: rows are kept in PostgreSQL, and the database is none | write database: "
           "env:DATABASE_URL, which is postgresql://...\n");
    expect(WITH("database: env:DATABASE, metrics: '127.0.0.1:9464'"), "");
    expect(WITH("database: env:DATABASE, metrics: nowhere"),
           "3:103 consume: metrics is no address | write 127.0.0.1:9464\n");
    expect(WITH("database: 'postgresql://u:hunter2@db/v'"),
           "3:80 a password is written out in a URL | take it from the environment: ${NAME}\n");
    expect(WITH("database: env:DATABASE, source: 'redis-1.example.com:6379/0'"), "");
    expect(WITH("database: env:DATABASE, source: 'my redis'"),
           "3:102 consume: source takes up to 255 letters, digits and signs | write a name, as in "
           "source: redis-1\n");
}

static void refuses_one_group_twice(void **state)
{
    (void)state;
    expect(HEAD "consume:\n"
                "- {stream: s, group: g, statement: SELECT f($1), fields: [a]}\n"
                "- {stream: s, group: h, statement: SELECT f($1), fields: [a]}\n"
                "- {stream: s, group: g, statement: SELECT h($1), fields: [a]}\n",
           "8:12 consume: this stream and group stand here twice | give it a group of its own\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_an_entry_and_fills_the_rest),
        cmocka_unit_test(takes_statements_whose_numbers_fit_the_fields),
        cmocka_unit_test(refuses_numbers_and_fields_that_differ),
        cmocka_unit_test(refuses_statements_that_end_the_transaction_or_change_nothing),
        cmocka_unit_test(refuses_what_is_missing),
        cmocka_unit_test(takes_a_database_of_its_own),
        cmocka_unit_test(refuses_one_group_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
