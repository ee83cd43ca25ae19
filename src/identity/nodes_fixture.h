/*
 * What tests of several processes (nodes) stand on: three of them over one store in memory or, with
 * GH_TEST_POSTGRESQL in the environment, each with its own way to one PostgreSQL.
 */
#ifndef GH_IDENTITY_NODES_FIXTURE_H
#define GH_IDENTITY_NODES_FIXTURE_H

#include "identity/identity_fixture.h"
#include "identity/session_news.h"

struct gh_postgres_fixture; /* store/postgres_fixture.h */

#define NODES 3

struct gh_nodes {
    struct gh_postgres_fixture *postgres; /* NULL: in memory */
    struct gh_identity_fixture nodes[NODES];
    struct gh_session_news news[NODES];
    struct gh_arena work;
};

/* *state becomes a struct gh_nodes. */
int gh_nodes_open(void **state);
int gh_nodes_close(void **state);
/* How many records of an event all of them have left. */
size_t gh_nodes_audited(struct gh_nodes *nodes, enum gh_audit_event event);

/* Runs the tests of a program, with a server around them where they need one: what main returns. */
int gh_nodes_main(int (*run)(void));

#endif
