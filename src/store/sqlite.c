#include "store/sqlite.h"

#include <stdlib.h>
#include <unistd.h>

#include "store/sqlite_file.h"
#include "store/sqlite_ops.h"
#include "store/sqlite_schema.h"
#include "store/sqlite_writer.h"

#define READERS_DEFAULT 2
#define READERS_MAX     16
#define QUEUE_DEFAULT   1024

const struct gh_tx_ops gh_sqlite_tx_ops = {
    .account_insert = gh_sqlite_account_insert,
    .account_by_id = gh_sqlite_account_by_id,
    .account_by_email = gh_sqlite_account_by_email,
    .account_update = gh_sqlite_account_update,
    .account_delete = gh_sqlite_account_delete,
    .account_page = gh_sqlite_account_page,
    .account_count = gh_sqlite_account_count,
    .session_insert = gh_sqlite_session_insert,
    .session_by_family = gh_sqlite_session_by_family,
    .session_by_id = gh_sqlite_session_by_id,
    .session_update = gh_sqlite_session_update,
    .sessions_of = gh_sqlite_sessions_of,
    .ticket_insert = gh_sqlite_ticket_insert,
    .ticket_get = gh_sqlite_ticket_get,
    .ticket_update = gh_sqlite_ticket_update,
    .ticket_delete = gh_sqlite_ticket_delete,
    .tickets_delete_of = gh_sqlite_tickets_delete_of,
    .recovery_set = gh_sqlite_recovery_set,
    .recovery_take = gh_sqlite_recovery_take,
    .recovery_count = gh_sqlite_recovery_count,
    .throttle_get = gh_sqlite_throttle_get,
    .throttle_put = gh_sqlite_throttle_put,
    .throttle_delete = gh_sqlite_throttle_delete,
    .device_put = gh_sqlite_device_put,
    .device_get = gh_sqlite_device_get,
    .device_delete = gh_sqlite_device_delete,
    .devices_of = gh_sqlite_devices_of,
    .devices_delete_of = gh_sqlite_devices_delete_of,
    .mail_insert = gh_sqlite_mail_insert,
    .mail_take = gh_sqlite_mail_take,
    .mail_update = gh_sqlite_mail_update,
    .mail_delete = gh_sqlite_mail_delete,
    .mail_count = gh_sqlite_mail_count,
    .key_insert = gh_sqlite_key_insert,
    .key_update = gh_sqlite_key_update,
    .key_delete = gh_sqlite_key_delete,
    .keys_all = gh_sqlite_keys_all,
    .revocation_insert = gh_sqlite_revocation_insert,
    .revocations_since = gh_sqlite_revocations_since,
    .audit_chains = gh_sqlite_audit_chains,
    .audit_own = gh_sqlite_audit_own,
    .audit_written = gh_sqlite_audit_written,
    .audit_append = gh_sqlite_audit_append,
    .audit_page = gh_sqlite_audit_page,
    .audit_head = gh_sqlite_audit_head,
    .audit_first = gh_sqlite_audit_first,
    .audit_last_of = gh_sqlite_audit_last_of,
    .audit_drop = gh_sqlite_audit_drop,
    .audit_count = gh_sqlite_audit_count,
    .pending_put = gh_sqlite_pending_put,
    .pending_set = gh_sqlite_pending_set,
    .pending_delete = gh_sqlite_pending_delete,
    .pending_some = gh_sqlite_pending_some,
    .person_key_get = gh_sqlite_person_key_get,
    .person_key_insert = gh_sqlite_person_key_insert,
    .person_key_delete = gh_sqlite_person_key_delete,
    .person_keys_drop_days = gh_sqlite_person_keys_drop_days,
    .sealed_page = gh_sqlite_sealed_page,
    .sealed_put = gh_sqlite_sealed_put,
    .purge = gh_sqlite_purge,
};

struct sqlite_store {
    struct gh_store store; /* first */
    int lock_descriptor;   /* -1: not exclusive */
    bool writes;           /* the writer runs */
    struct gh_sqlite_writer writer;
    pthread_mutex_t lock; /* of the readers that are free */
    pthread_cond_t freed;
    struct gh_sqlite_connection readers[READERS_MAX];
    unsigned reader_count, free_count;
    struct gh_sqlite_connection *free[READERS_MAX];
};

/* ---- Reading and writing ---- */

static enum gh_err store_run(struct gh_store *base, gh_store_unit *unit, void *args,
                             struct gh_arena *arena)
{
    struct sqlite_store *store = (struct sqlite_store *)base;
    if (!store->writes)
        return GH_ERR_INVALID;
    return gh_sqlite_writer_run(&store->writer, GH_SQLITE_URGENT, unit, args, arena);
}

static enum gh_err store_run_bulk(struct gh_store *base, gh_store_unit *unit, void *args,
                                  struct gh_arena *arena)
{
    struct sqlite_store *store = (struct sqlite_store *)base;
    if (!store->writes)
        return GH_ERR_INVALID;
    return gh_sqlite_writer_run(&store->writer, GH_SQLITE_BULK, unit, args, arena);
}

static enum gh_err store_scrub(struct gh_store *base)
{
    struct sqlite_store *store = (struct sqlite_store *)base;
    if (!store->writes)
        return GH_ERR_INVALID;
    return gh_sqlite_writer_run(&store->writer, GH_SQLITE_SCRUB, NULL, NULL, NULL);
}

static struct gh_sqlite_connection *take_reader(struct sqlite_store *store)
{
    pthread_mutex_lock(&store->lock);
    while (!store->free_count)
        pthread_cond_wait(&store->freed, &store->lock);
    struct gh_sqlite_connection *reader = store->free[--store->free_count];
    pthread_mutex_unlock(&store->lock);
    return reader;
}

static void give_reader(struct sqlite_store *store, struct gh_sqlite_connection *reader)
{
    pthread_mutex_lock(&store->lock);
    store->free[store->free_count++] = reader;
    pthread_cond_signal(&store->freed);
    pthread_mutex_unlock(&store->lock);
}

static enum gh_err store_read(struct gh_store *base, gh_store_unit *unit, void *args,
                              struct gh_arena *arena)
{
    struct sqlite_store *store = (struct sqlite_store *)base;
    struct gh_sqlite_tx tx = {.tx = {.ops = &gh_sqlite_tx_ops, .arena = arena}};
    tx.connection = take_reader(store);
    enum gh_err err = gh_sqlite_exec(tx.connection, GH_SQLITE_BEGIN_READ);
    if (err == GH_OK)
        err = unit(&tx.tx, args);
    if (err == GH_OK)
        err = tx.failure;
    if (!sqlite3_get_autocommit(tx.connection->db)) {
        enum gh_err undone = gh_sqlite_exec(tx.connection, GH_SQLITE_ROLLBACK);
        if (err == GH_OK)
            err = undone;
    }
    give_reader(store, tx.connection);
    return err;
}

static void store_close(struct gh_store *base)
{
    struct sqlite_store *store = (struct sqlite_store *)base;
    if (store->writes)
        gh_sqlite_writer_stop(&store->writer);
    for (unsigned i = 0; i < store->reader_count; i++)
        gh_sqlite_disconnect(&store->readers[i]);
    gh_sqlite_disconnect(&store->writer.connection); /* last: it writes the journal back */
    pthread_cond_destroy(&store->freed);
    pthread_mutex_destroy(&store->lock);
    if (store->lock_descriptor >= 0)
        close(store->lock_descriptor);
    free(store);
}

static const struct gh_store_ops STORE_OPS = {.run = store_run,
                                              .run_bulk = store_run_bulk,
                                              .read = store_read,
                                              .scrub = store_scrub,
                                              .close = store_close};

/* ---- Opening ---- */

struct opening {
    const struct gh_sqlite_options *options;
    struct sqlite_store *store;
    const char *path;
    struct gh_arena *arena;
    struct gh_str *out_message;
};

static enum gh_err open_readers(struct opening *opening)
{
    struct sqlite_store *store = opening->store;
    unsigned wanted =
        opening->options->reader_count ? opening->options->reader_count : READERS_DEFAULT;
    if (wanted > READERS_MAX)
        wanted = READERS_MAX;
    for (unsigned i = 0; i < wanted; i++) {
        struct gh_sqlite_connection *reader = &store->readers[i];
        store->reader_count++;
        enum gh_err err = gh_sqlite_connect(reader, opening->path, true);
        if (err != GH_OK)
            return gh_sqlite_explain(reader, err, opening->arena, opening->out_message);
        store->free[store->free_count++] = reader;
    }
    return GH_OK;
}

static enum gh_err open_writer(struct opening *opening)
{
    struct gh_sqlite_connection *connection = &opening->store->writer.connection;
    enum gh_err err = gh_sqlite_file_lock(opening->path, opening->arena,
                                          &opening->store->lock_descriptor, opening->out_message);
    if (err == GH_OK)
        err = gh_sqlite_file_prepare(opening->path, opening->arena, opening->out_message);
    if (err != GH_OK)
        return err;
    err = gh_sqlite_connect(connection, opening->path, false);
    if (err != GH_OK)
        return gh_sqlite_explain(connection, err, opening->arena, opening->out_message);
    return gh_sqlite_schema_open(connection, true, opening->arena, opening->out_message);
}

static enum gh_err open_all(struct opening *opening)
{
    const struct gh_sqlite_options *options = opening->options;
    opening->path = gh_sqlite_file_path(opening->arena, options->path);
    if (!opening->path) {
        *opening->out_message = GH_STR("the store's path is not one");
        return GH_ERR_INVALID;
    }
    if (!options->exclusive) {
        if (!gh_sqlite_file_is_there(opening->path)) {
            *opening->out_message = GH_STR("there is no such file: start the server once");
            return GH_ERR_INVALID;
        }
        enum gh_err err = open_readers(opening);
        if (err != GH_OK)
            return err;
        return gh_sqlite_schema_open(&opening->store->readers[0], false, opening->arena,
                                     opening->out_message);
    }
    enum gh_err err = open_writer(opening);
    if (err == GH_OK)
        err = open_readers(opening);
    if (err == GH_OK)
        err = gh_sqlite_writer_start(&opening->store->writer,
                                     options->queue_max ? options->queue_max : QUEUE_DEFAULT);
    opening->store->writes = err == GH_OK;
    return err;
}

enum gh_err gh_sqlite_open(const struct gh_sqlite_options *options, struct gh_arena *arena,
                           struct gh_store **out_store, struct gh_str *out_message)
{
    struct gh_str message = GH_STR("");
    struct sqlite_store *store = calloc(1, sizeof(*store));
    if (!store) {
        *out_message = GH_STR("out of memory");
        return GH_ERR_MEMORY;
    }
    struct opening opening = {
        .options = options, .store = store, .arena = arena, .out_message = &message};
    store->store.ops = &STORE_OPS;
    store->lock_descriptor = -1;
    pthread_mutex_init(&store->lock, NULL);
    pthread_cond_init(&store->freed, NULL);
    enum gh_err err = open_all(&opening);
    if (err == GH_OK) {
        *out_store = &store->store;
        return GH_OK;
    }
    store_close(&store->store);
    *out_message = message.len ? gh_arena_format(arena, "store %.*s: %.*s",
                                                 GH_STR_ARG(options->path), GH_STR_ARG(message))
                               : GH_STR("out of memory");
    return err;
}
