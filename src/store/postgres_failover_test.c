/* What ended is read of PostgreSQL by numbers of transactions: of one server, not of the next. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <signal.h>

#include "store/contract_suite.h"
#include "store/postgres_fixture.h"

static struct gh_postgres_fixture fixture;

static enum gh_err run(struct gh_store *store, gh_store_unit *unit, void *args)
{
    struct gh_arena arena;
    gh_arena_init(&arena, 4096, 1 << 20);
    enum gh_err err = store->ops->run(store, unit, args, &arena);
    gh_arena_done(&arena);
    return err;
}

static enum gh_err put_revocation(struct gh_tx *tx, void *args)
{
    const struct gh_revocation_row row = {gh_contract_id(1), GH_CONTRACT_NOW_US};
    return tx->ops->revocation_insert(tx, &row);
}

struct news {
    uint64_t cursor;
    size_t count;
};

static enum gh_err read_news(struct gh_tx *tx, void *args)
{
    struct news *news = args;
    struct gh_revocation_row *rows;
    return tx->ops->revocations_since(tx, news->cursor, 0, &rows, &news->count, &news->cursor);
}

/* A standby that takes over may have given fewer numbers than were read of the one before. */
static void begins_again_when_it_reads_of_another_server(void **state)
{
    gh_postgres_fixture_fresh(&fixture);
    struct gh_store *store = gh_postgres_fixture_open(&fixture);
    assert_non_null(store);
    struct news news = {.cursor = 0};
    gh_contract_assert_ok(run(store, put_revocation, NULL));
    gh_contract_assert_ok(run(store, read_news, &news));
    assert_int_equal(news.count, 1);
    gh_postgres_fixture_sql(&fixture, "UPDATE revocations SET put_by = 1");
    gh_contract_assert_ok(run(store, read_news, &news));
    assert_int_equal(news.count, 0);
    gh_postgres_fixture_stop(&fixture, SIGINT);
    gh_postgres_fixture_restart(&fixture);
    gh_contract_assert_ok(run(store, read_news, &news));
    assert_int_equal(news.count, 1);
    gh_contract_assert_ok(run(store, read_news, &news));
    assert_int_equal(news.count, 0);
    store->ops->close(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(begins_again_when_it_reads_of_another_server),
    };
    if (!gh_postgres_fixture_start(&fixture))
        return GH_POSTGRES_SKIPPED;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    gh_postgres_fixture_done(&fixture);
    return failed;
}
