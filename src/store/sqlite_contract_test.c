/* The SQLite adapter keeps the contract of every store. */
#include "store/contract_suite.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "store/sqlite_fixture.h"

static struct gh_store *open_sqlite(void *context)
{
    struct gh_sqlite_fixture *fixture = context;
    gh_sqlite_fixture_init(fixture);
    return gh_sqlite_fixture_open(fixture);
}

static void closed(void *context)
{
    gh_sqlite_fixture_done(context);
}

int main(void)
{
    struct gh_sqlite_fixture fixture;
    const struct gh_contract_adapter adapter = {"sqlite", open_sqlite, closed, &fixture};
    return gh_contract_run(&adapter);
}
