/* The PostgreSQL adapter keeps the contract of every store. */
#include "store/contract_suite.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "store/postgres_fixture.h"

static struct gh_store *open_postgres(void *context)
{
    gh_postgres_fixture_fresh(context);
    return gh_postgres_fixture_open(context);
}

int main(void)
{
    struct gh_postgres_fixture fixture;
    const struct gh_contract_adapter adapter = {"postgresql", open_postgres, NULL, &fixture};
    if (!gh_postgres_fixture_start(&fixture))
        return GH_POSTGRES_SKIPPED;
    int failed = gh_contract_run(&adapter);
    gh_postgres_fixture_done(&fixture);
    return failed;
}
