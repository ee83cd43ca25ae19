/*
 * A connection to PostgreSQL with its prepared statements, its transaction, and what the answers
 * mean. One thread at a time. It is always in libpq's pipeline mode: what is due before a statement
 * (BEGIN, preparing it) travels with it, so that each call of gh_postgres_execute is one round
 * trip.
 */
#ifndef GH_STORE_POSTGRES_CONNECTION_H
#define GH_STORE_POSTGRES_CONNECTION_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "store/postgres_haste.h"
#include "store/postgres_libpq.h"
#include "store/postgres_statements.h"

#define GH_POSTGRES_PARAMETERS_MAX 24

enum gh_postgres_isolation {
    GH_POSTGRES_SERIALIZABLE,
    GH_POSTGRES_SNAPSHOT,  /* repeatable read, read only */
    GH_POSTGRES_COMMITTED, /* read committed: of what is guarded by locks */
};

/* What a failure says of the transaction and its connection. */
enum gh_postgres_fault {
    GH_POSTGRES_FINE,
    GH_POSTGRES_REFUSED, /* the statement; the transaction can only be rolled back */
    GH_POSTGRES_AGAIN,   /* another transaction came first: roll back and run the unit again */
    GH_POSTGRES_LOST,    /* the connection, and the transaction with it */
};

struct gh_postgres_target {
    const char *url;         /* postgresql://..., or another connection string of libpq */
    unsigned statement_ms;   /* a statement takes longer: GH_ERR_TIMEOUT */
    unsigned connect_s;      /* where the URL has none */
    const char *application; /* as the server shows it; NULL: gatehouse */
    const struct gh_postgres_haste *haste; /* NULL: there is all the time */
};

struct gh_postgres_connection {
    const struct gh_libpq *lib;
    PGconn *pg; /* NULL: there is none */
    unsigned statement_ms;
    const struct gh_postgres_haste *haste;
    bool is_ending; /* a ROLLBACK was sent, its answer not read yet */
    bool is_open;   /* a transaction */
    bool begin_due; /* BEGIN goes with the next statement */
    enum gh_postgres_isolation isolation;
    enum gh_postgres_fault fault; /* the worst since the transaction began */
    enum gh_err err;              /* of that */
    char sqlstate[6];             /* of the last refusal; empty: none */
    bool prepared[GH_POSTGRES_STATEMENT_COUNT];
    struct gh_arena scratch; /* of one operation: arrays of parameters */
};

/* Values in PostgreSQL's binary form; NULL: none. */
struct gh_postgres_values {
    int count;
    const char *values[GH_POSTGRES_PARAMETERS_MAX];
    int lengths[GH_POSTGRES_PARAMETERS_MAX];
};

/*
 * GH_ERR_INVALID: no libpq, or a URL, server or database that can't be worked with; GH_ERR_IO,
 * GH_ERR_MEMORY. *out_message (in `arena`, never with the password) says what. Nothing is left to
 * disconnect after a failure.
 */
GH_MUST_USE enum gh_err gh_postgres_connect(struct gh_postgres_connection *connection,
                                            const struct gh_postgres_target *target,
                                            struct gh_arena *arena, struct gh_str *out_message);
void gh_postgres_disconnect(struct gh_postgres_connection *connection);
/* Finds out, without a round trip, whether the server has closed it meanwhile. */
bool gh_postgres_is_up(struct gh_postgres_connection *connection);

/* Monotonic milliseconds, of deadlines. */
int64_t gh_postgres_now_ms(void);
/* Until libpq can tell the next answer without blocking; false: it never will. The server has a
   timeout of its own; this one is for a server, or a way to it, that is silent. */
bool gh_postgres_wait(struct gh_postgres_connection *connection, int64_t until_ms);

/* ---- One transaction ---- */

/* Sends nothing yet. Without it each statement is a transaction of its own. */
void gh_postgres_begin_later(struct gh_postgres_connection *connection,
                             enum gh_postgres_isolation isolation);
/* NULL: *out_err says why, `fault` what follows. */
PGresult *gh_postgres_execute(struct gh_postgres_connection *connection,
                              enum gh_postgres_statement statement,
                              const struct gh_postgres_values *values, enum gh_err *out_err);
/* For a statement without parameters and rows. */
GH_MUST_USE enum gh_err gh_postgres_do(struct gh_postgres_connection *connection,
                                       enum gh_postgres_statement statement);
/*
 * `unit_id` (16 bytes; NULL: none) is kept in the table `units` with it, in the same round trip.
 * GH_OK also where nothing had begun. After GH_POSTGRES_LOST it is not known whether it committed.
 */
GH_MUST_USE enum gh_err gh_postgres_commit(struct gh_postgres_connection *connection,
                                           const uint8_t unit_id[16]);
/* Sent, not waited for. Also the end of what only read. */
void gh_postgres_rollback(struct gh_postgres_connection *connection);

/* Runs SQL of several statements in the simple protocol, which together take no longer than one
   may. Not within a transaction of the functions above. */
GH_MUST_USE enum gh_err gh_postgres_script(struct gh_postgres_connection *connection,
                                           const char *sql);
/* Each of them may take as long as one may, and haste is not looked at: migrations. */
GH_MUST_USE enum gh_err gh_postgres_long_script(struct gh_postgres_connection *connection,
                                                const char *sql);
/* The number that such a query gives; no row, NULL: 0. */
GH_MUST_USE enum gh_err gh_postgres_number(struct gh_postgres_connection *connection,
                                           const char *sql, uint64_t *out_number);
/* What the server said last, in `arena`; one line. */
struct gh_str gh_postgres_explain(const struct gh_postgres_connection *connection,
                                  struct gh_arena *arena);

#endif
