/* The PostgreSQL adapter keeps the contract of every store. */
#include "store/contract_suite.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "store/postgres_fixture.h"

struct context {
    struct gh_postgres_fixture fixture;
    struct gh_store *another; /* as another process would have it */
};

static struct gh_store *open_postgres(void *argument)
{
    struct context *context = argument;
    gh_postgres_fixture_fresh(&context->fixture);
    return gh_postgres_fixture_open(&context->fixture);
}

static bool add_chains(void *argument, struct gh_store *store)
{
    struct context *context = argument;
    context->another = gh_postgres_fixture_open(&context->fixture);
    struct gh_store *third = context->another ? gh_postgres_fixture_open(&context->fixture) : NULL;
    if (third)
        third->ops->close(third);
    return third;
}

static void closed(void *argument)
{
    struct context *context = argument;
    if (context->another)
        context->another->ops->close(context->another);
    context->another = NULL;
}

int main(void)
{
    struct context context = {.another = NULL};
    const struct gh_contract_adapter adapter = {"postgresql", open_postgres, closed, &context,
                                                add_chains};
    if (!gh_postgres_fixture_start(&context.fixture))
        return GH_POSTGRES_SKIPPED;
    int failed = gh_contract_run(&adapter);
    gh_postgres_fixture_done(&context.fixture);
    return failed;
}
