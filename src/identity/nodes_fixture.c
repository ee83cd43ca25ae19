#include "identity/nodes_fixture.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>

#include "store/postgres_fixture.h"

static struct gh_nodes world;

static struct gh_store *open_store(void)
{
    struct gh_store *store = gh_postgres_fixture_open(world.postgres);
    assert_non_null(store);
    return store;
}

int gh_nodes_open(void **state)
{
    if (world.postgres) {
        gh_postgres_fixture_fresh(world.postgres);
        gh_identity_fixture_open_over(&world.nodes[0], open_store());
    } else {
        gh_identity_fixture_open(&world.nodes[0]);
    }
    for (size_t i = 1; i < NODES; i++)
        gh_identity_fixture_join(&world.nodes[i], &world.nodes[0],
                                 world.postgres ? open_store() : NULL);
    for (size_t i = 0; i < NODES; i++) {
        world.news[i] = (struct gh_session_news){.cursor = 0};
        gh_revocations_share(world.nodes[i].identity.revocations, 1000);
    }
    gh_arena_init(&world.work, 8192, 16 << 20);
    *state = &world;
    return 0;
}

int gh_nodes_close(void **state)
{
    (void)state;
    for (size_t i = NODES; i-- > 0;)
        gh_identity_fixture_close(&world.nodes[i]);
    gh_arena_done(&world.work);
    return 0;
}

/* Each has a chain of the log to itself where it has its own way to the store. */
size_t gh_nodes_audited(struct gh_nodes *nodes, enum gh_audit_event event)
{
    size_t count = gh_fixture_audit_count(&nodes->nodes[0], event, NULL);
    for (size_t i = 1; nodes->postgres && i < NODES; i++)
        count += gh_fixture_audit_count(&nodes->nodes[i], event, NULL);
    return count;
}

int gh_nodes_main(int (*run)(void))
{
    static struct gh_postgres_fixture postgres;
    if (!getenv("GH_TEST_POSTGRESQL"))
        return run();
    if (!gh_postgres_fixture_start(&postgres))
        return GH_POSTGRES_SKIPPED;
    world.postgres = &postgres;
    int failed = run();
    gh_postgres_fixture_done(&postgres);
    return failed;
}
