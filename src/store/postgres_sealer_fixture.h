/*
 * For tests of the sealer: a database of the test's own server for each test, records that are told
 * apart by a number, and what must hold of the log whatever happened.
 */
#ifndef GH_STORE_POSTGRES_SEALER_FIXTURE_H
#define GH_STORE_POSTGRES_SEALER_FIXTURE_H

#include "store/contract_suite.h"
#include "store/postgres_fixture.h"
#include "store/postgres_libpq.h"

/* The holders of chains, as a FROM clause of their locks. */
#define GH_SEALING_HOLDERS                                                                         \
    "FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2 AND "                              \
    "classid = 'audit_chains'::regclass::oid AND database = "                                      \
    "(SELECT oid FROM pg_database WHERE datname = current_database())"
#define GH_SEALING_UNSEALED "SELECT count(*) FROM audit_unsealed"

extern struct gh_postgres_fixture gh_sealing_server; /* main starts and ends it */

/* The setup of each test. */
int gh_sealing_fresh(void **state);
/* Another process, as the database sees it. */
struct gh_contract gh_sealing_open(void);

uint64_t gh_sealing_ask(const char *sql);
/* Until the number is `wanted`: what others do takes its time, but not for ever. */
void gh_sealing_wait_for(const char *sql, uint64_t wanted);

/* ---- A connection of the test's own, to hold locks; its end gives them up ---- */

PGconn *gh_sealing_connect(void);
void gh_sealing_run_sql(PGconn *connection, const char *sql);
/* Nobody can seal until it ends. */
PGconn *gh_sealing_hold_up(void);

/* ---- Records ---- */

struct gh_sealing_numbers {
    unsigned first, count;
};
/* A unit: appends records with these numbers in their metadata; `args` are the numbers. */
enum gh_err gh_sealing_append_numbers(struct gh_tx *tx, void *args);
enum gh_err gh_sealing_append(struct gh_store *store, unsigned first, unsigned count, bool in_bulk);

/* For a thread: small units, or fewer of twenty in bulk, until one fails. */
struct gh_sealing_appending {
    struct gh_store *store;
    unsigned first, count;
    bool in_bulk;
    unsigned done; /* of count: they were acknowledged */
    enum gh_err result;
};
void *gh_sealing_append_all(void *appending);

/* Each number of 0..count-1 is in the log once. */
void gh_sealing_assert_each_once(unsigned count);
/* What was acknowledged is there, and nothing twice. */
void gh_sealing_assert_acknowledged(const struct gh_sealing_appending *appending, size_t count);
/* Every chain is recomputed from its first record to its last. */
void gh_sealing_assert_all_chains(struct gh_contract *contract);
uint32_t gh_sealing_chain_of(struct gh_contract *contract);

#endif
