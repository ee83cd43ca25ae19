#include "store/postgres_unit.h"

#include <sys/random.h>
#include <time.h>

#include "base/assert.h"

#define KEPT_MS     3600000 /* far longer than anybody asks */
#define DROPPED_MAX 5000

static void put_time(struct gh_postgres_unit_id *id, uint64_t ms)
{
    for (int i = 0; i < 6; i++)
        id->bytes[i] = (uint8_t)(ms >> (40 - 8 * i));
}

static uint64_t wall_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* UUID version 7 (RFC 9562). */
static void make_id(struct gh_postgres_unit_id *id)
{
    GH_ASSERT(getrandom(id->bytes, sizeof(id->bytes), 0) == sizeof(id->bytes));
    put_time(id, wall_ms());
    id->bytes[6] = (uint8_t)(0x70 | (id->bytes[6] & 0x0f));
    id->bytes[8] = (uint8_t)(0x80 | (id->bytes[8] & 0x3f));
}

static enum gh_postgres_next next_after(const struct gh_postgres_tx *tx, bool commit_was_sent)
{
    switch (tx->connection->fault) {
    case GH_POSTGRES_FINE:
        return tx->must_seal ? GH_POSTGRES_SEAL : GH_POSTGRES_DONE;
    case GH_POSTGRES_REFUSED:
        return GH_POSTGRES_DONE;
    case GH_POSTGRES_AGAIN:
        return GH_POSTGRES_TRY_AGAIN;
    case GH_POSTGRES_LOST:
        return commit_was_sent && tx->wrote ? GH_POSTGRES_SETTLE : GH_POSTGRES_TRY_AGAIN;
    }
    return GH_POSTGRES_DONE;
}

enum gh_err gh_postgres_unit_try(struct gh_postgres_tx *tx, gh_store_unit *unit, void *args,
                                 struct gh_postgres_unit_id *out_id,
                                 enum gh_postgres_next *out_next)
{
    struct gh_postgres_connection *connection = tx->connection;
    bool reads = tx->kind == GH_POSTGRES_READ;
    tx->failure = GH_OK;
    tx->appended = 0;
    tx->wrote = tx->must_seal = false;
    gh_postgres_begin_later(connection, reads ? GH_POSTGRES_SNAPSHOT : GH_POSTGRES_SERIALIZABLE);
    enum gh_err err = unit(&tx->tx, args);
    if (err == GH_OK)
        err = tx->failure;
    bool commits =
        err == GH_OK && !reads && !tx->must_seal && connection->fault == GH_POSTGRES_FINE;
    if (commits) {
        make_id(out_id);
        err = gh_postgres_commit(connection, tx->wrote ? out_id->bytes : NULL);
    }
    gh_postgres_rollback(connection); /* what is still open */
    *out_next = next_after(tx, commits);
    if (*out_next == GH_POSTGRES_TRY_AGAIN)
        return connection->fault == GH_POSTGRES_AGAIN ? GH_ERR_FULL : GH_ERR_IO;
    return *out_next == GH_POSTGRES_SEAL ? GH_ERR_IO : err;
}

enum gh_err gh_postgres_unit_settle(struct gh_postgres_connection *connection,
                                    const struct gh_postgres_unit_id *id, bool *out_committed)
{
    struct gh_postgres_tx tx = {.connection = connection};
    struct gh_postgres_call call = gh_postgres_begin(&tx.tx, GH_POSTGRES_UNIT_SETTLE);
    gh_postgres_put_bytes(&call, id->bytes, sizeof(id->bytes));
    bool found = gh_postgres_next(&call);
    if (found)
        *out_committed = !gh_postgres_take_flag(&call);
    enum gh_err err = gh_postgres_end(&call);
    return err == GH_OK && !found ? GH_ERR_IO : err;
}

enum gh_err gh_postgres_unit_drop_old(struct gh_postgres_connection *connection)
{
    struct gh_postgres_tx tx = {.connection = connection};
    struct gh_postgres_unit_id bound = {{0}};
    struct gh_postgres_call call = gh_postgres_begin(&tx.tx, GH_POSTGRES_UNITS_DROP);
    put_time(&bound, wall_ms() - KEPT_MS);
    gh_postgres_put_limit(&call, DROPPED_MAX);
    gh_postgres_put_bytes(&call, bound.bytes, sizeof(bound.bytes));
    return gh_postgres_change_any(&call);
}
