/*
 * One try of a unit on a connection: begin, run, commit or roll back; and what is to be done next.
 */
#ifndef GH_STORE_POSTGRES_UNIT_H
#define GH_STORE_POSTGRES_UNIT_H

#include "store/postgres_call.h"

enum gh_postgres_next {
    GH_POSTGRES_DONE,      /* what was returned is the outcome */
    GH_POSTGRES_TRY_AGAIN, /* nothing of it is left; also on another connection */
    GH_POSTGRES_SETTLE,    /* it may have committed: gh_postgres_unit_settle tells */
    GH_POSTGRES_SEAL,      /* as TRY_AGAIN, after the sealer has caught up */
};

/* Of a try that may write. They begin with their time, so that old ones are found. */
struct gh_postgres_unit_id {
    uint8_t bytes[16];
};

/*
 * `tx` has its connection, kind, arena, chain, sealer and has_caught_up; all else is set here. A
 * unit that wrote leaves *out_id in the table `units`. Where TRY_AGAIN and SEAL are the answer,
 * GH_ERR_IO or GH_ERR_FULL is what to return when there is no time left.
 */
GH_MUST_USE enum gh_err gh_postgres_unit_try(struct gh_postgres_tx *tx, gh_store_unit *unit,
                                             void *args, struct gh_postgres_unit_id *out_id,
                                             enum gh_postgres_next *out_next);
/*
 * On a new connection: whether the unit committed. When it has not, it never will: its id is taken
 * now. Waits for a transaction of it that is still under way. May be asked again.
 */
GH_MUST_USE enum gh_err gh_postgres_unit_settle(struct gh_postgres_connection *connection,
                                                const struct gh_postgres_unit_id *id,
                                                bool *out_committed);
/* Removes ids that nobody can ask for any more, some at a time; what fails the next one does. */
enum gh_err gh_postgres_unit_drop_old(struct gh_postgres_connection *connection);

#endif
