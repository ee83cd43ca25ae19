/* Whether a server has connections enough; the one of these tests takes 120, 3 of them reserved. */
#include "store/postgres_fixture.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

static struct gh_postgres_fixture server;

static int set_up(void **state)
{
    gh_postgres_fixture_fresh(&server);
    return 0;
}

static struct gh_store *open_store(unsigned connections, bool writes)
{
    const struct gh_postgres_options options = {.connection_count = connections, .writes = writes};
    struct gh_store *store = NULL;
    assert_int_equal(gh_postgres_fixture_try(&server, &options, &store), GH_OK);
    return store;
}

static void expect_text(struct gh_str text, const char *expected)
{
    assert_int_equal(text.len, strlen(expected));
    assert_memory_equal(text.ptr, expected, text.len);
}

static void warns_of_a_server_with_too_few_connections_for_all_processes(void **state)
{
    struct gh_store *first = open_store(57, true), *second = open_store(58, true);
    expect_text(gh_postgres_warning_of(first), "");
    expect_text(gh_postgres_warning_of(second),
                "PostgreSQL takes 117 connections (max_connections less what is reserved), and 2 "
                "processes of gatehouse may need 118: raise max_connections, or lower "
                "store.connections");
    second->ops->close(second);
    second = open_store(57, true);
    expect_text(gh_postgres_warning_of(second), "");
    second->ops->close(second);
    first->ops->close(first);
}

static struct gh_str probe(const char *url, unsigned connections, enum gh_err expected)
{
    const struct gh_postgres_options options = {.url = gh_str_from_c(url),
                                                .connection_count = connections};
    struct gh_str warning = GH_STR("nothing was said"), message = GH_STR("");
    assert_int_equal(gh_postgres_probe(&options, &server.arena, &warning, &message), expected);
    return expected == GH_OK ? warning : message;
}

static void probing_counts_those_that_run_and_changes_nothing(void **state)
{
    struct gh_store *first = open_store(58, true);
    expect_text(probe(server.url, 58, GH_OK), "");
    struct gh_store *second = open_store(58, true);
    struct gh_str warning = probe(server.url, 58, GH_OK);
    assert_true(gh_str_find(warning, GH_STR("and 2 processes")) < warning.len);
    second->ops->close(second);
    first->ops->close(first);
    gh_postgres_fixture_bare(&server);
    expect_text(probe(server.url, 58, GH_OK), "");
    assert_int_equal(gh_postgres_fixture_sql(&server,
                                             "SELECT count(*) FROM pg_tables WHERE schemaname = "
                                             "'public'"),
                     0);
}

static void probing_says_why_it_can_not_be_opened(void **state)
{
    expect_text(probe("postgresql:///x?nothing=hunter2", 8, GH_ERR_INVALID),
                "store postgresql: libpq can't read its URL");
    assert_true(gh_str_starts_with(probe("postgresql:///x?host=/nowhere", 8, GH_ERR_IO),
                                   GH_STR("store postgresql: connection to server on socket")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(warns_of_a_server_with_too_few_connections_for_all_processes,
                               set_up),
        cmocka_unit_test_setup(probing_counts_those_that_run_and_changes_nothing, set_up),
        cmocka_unit_test_setup(probing_says_why_it_can_not_be_opened, set_up),
    };
    if (!gh_postgres_fixture_start(&server))
        return GH_POSTGRES_SKIPPED;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    gh_postgres_fixture_done(&server);
    return failed;
}
