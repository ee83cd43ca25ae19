/*
 * The contract of identity/store.h as tests, the same for every adapter. An adapter's test calls
 * gh_contract_run with a way to open an empty store; cases stand in contract_*_test.c by subject.
 *
 * A unit runs on a thread of the store, where cmocka can't assert. So a case borrows the
 * transaction of a unit that waits for it (begin, end) and reads as straight-line code.
 */
#ifndef GH_STORE_CONTRACT_SUITE_H
#define GH_STORE_CONTRACT_SUITE_H

#include <pthread.h>

#include "identity/store.h"

/* Some time in 2027. */
#define GH_CONTRACT_NOW_US 1800000000000000ull
#define GH_CONTRACT_DAY_US 86400000000ull

enum gh_contract_phase {
    GH_CONTRACT_IDLE,
    GH_CONTRACT_STARTING,
    GH_CONTRACT_OPEN,
    GH_CONTRACT_ENDING,
    GH_CONTRACT_ENDED,
};

enum gh_contract_kind { GH_CONTRACT_READ, GH_CONTRACT_RUN, GH_CONTRACT_RUN_BULK };

struct gh_contract {
    struct gh_store *store;
    struct gh_arena arena; /* of what transactions read */
    pthread_t thread;      /* waits in the unit */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    enum gh_contract_phase phase;
    enum gh_contract_kind kind;
    struct gh_tx *tx;
    enum gh_err verdict, result;
};

struct gh_contract_adapter {
    const char *name;
    struct gh_store *(*open)(void *context); /* an empty store */
    void (*closed)(void *context);           /* afterwards; NULL: nothing to do */
    void *context;
    /* The store, which is empty and writes chain 1, gets chain 2, which another process holds, and
       chain 3, which nobody does. NULL: its log is one chain. */
    bool (*add_chains)(void *context, struct gh_store *store);
};

struct gh_contract_case {
    const char *name; /* NULL: behind the last one */
    void (*run)(struct gh_contract *contract);
};
extern const struct gh_contract_case gh_contract_account_cases[];
extern const struct gh_contract_case gh_contract_session_cases[];
extern const struct gh_contract_case gh_contract_factor_cases[];
extern const struct gh_contract_case gh_contract_outbox_cases[];
extern const struct gh_contract_case gh_contract_log_cases[];
extern const struct gh_contract_case gh_contract_chain_cases[];
extern const struct gh_contract_case gh_contract_many_chains_cases[]; /* of add_chains alone */
extern const struct gh_contract_case gh_contract_pending_cases[];
extern const struct gh_contract_case gh_contract_sealed_cases[];
extern const struct gh_contract_case gh_contract_unit_cases[];

/* Runs all cases, each on a store of its own; what main returns. */
int gh_contract_run(const struct gh_contract_adapter *adapter);

/* ---- Transactions ---- */

/* A store for use outside gh_contract_run. */
void gh_contract_init(struct gh_contract *contract, struct gh_store *store);
/* Rolls back what is open and closes the store. */
void gh_contract_done(struct gh_contract *contract);

struct gh_tx *gh_contract_begin(struct gh_contract *contract);
/* A unit that appends to the log and looks at it is one of these. */
struct gh_tx *gh_contract_begin_bulk(struct gh_contract *contract);
struct gh_tx *gh_contract_begin_read(struct gh_contract *contract);
/* Returns what run or read did: the unit's answer is `verdict`. */
enum gh_err gh_contract_end(struct gh_contract *contract, enum gh_err verdict);
/* The same for a unit that has to succeed. */
void gh_contract_commit(struct gh_contract *contract);

/* ---- Values ---- */

/* Greater numbers give greater ids and hashes. */
struct gh_id gh_contract_id(unsigned number);
void gh_contract_hash(unsigned number, uint8_t out[GH_SHA256_BYTES]);

/* Rows with every field set, to something that depends on the number. */
struct gh_account gh_contract_account(unsigned number);
struct gh_session_row gh_contract_session(unsigned number, unsigned account);
struct gh_ticket gh_contract_ticket(unsigned number, unsigned account);
struct gh_throttle_row gh_contract_throttle(unsigned number);
struct gh_device_row gh_contract_device(unsigned number, unsigned account);
struct gh_mail_row gh_contract_mail(unsigned number, unsigned account);
struct gh_key_row gh_contract_key(unsigned number);
struct gh_audit_row gh_contract_row(unsigned number); /* without number and hashes */

/* Gives the account the codes of the hashes first, first + 1, ... (at most 10), and no others. */
void gh_contract_set_codes(struct gh_tx *tx, unsigned account, unsigned first, unsigned count);
/* Inserts accounts first..last in a unit of their own. */
void gh_contract_add_accounts(struct gh_contract *contract, unsigned first, unsigned last);

/* The chain (0: the own one) has the records first..last, each linked to the one before, and both
   ends say so. */
void gh_contract_assert_chain(struct gh_contract *contract, uint32_t chain, uint64_t first,
                              uint64_t last);

void gh_contract_assert_text(struct gh_str actual, struct gh_str expected);
void gh_contract_assert_account(const struct gh_account *actual, const struct gh_account *expected);
void gh_contract_assert_session(const struct gh_session_row *actual,
                                const struct gh_session_row *expected);

/* Needs cmocka.h, as all that includes this does. */
#define gh_contract_assert_ok(call) assert_int_equal((call), GH_OK)

#endif
