/*
 * Units per second of the SQLite adapter: many writers share a sync of the disk. One line per
 * number of writers, then readers. Arguments: seconds for each line (1), directory (/tmp).
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "store/logins_load.h"
#include "store/sqlite.h"

/* ---- The audit log: what the thread of the tallies writes ---- */

#define BATCH        256
#define BATCH_PEOPLE 5000

struct batch {
    unsigned number;
};

/* A record as it is kept: personal values are commitments, and what opens them is sealed. */
static enum gh_err append_batch(struct gh_tx *tx, void *args)
{
    static const char SEALED[260] = {1};
    struct batch *batch = args;
    for (unsigned i = 0; i < BATCH; i++) {
        unsigned number = batch->number + i;
        struct gh_id who = gh_logins_id('a', 0, number * 7919u % BATCH_PEOPLE);
        struct gh_audit_row row = {
            .record =
                {
                    .time_us = 1800000000000000 + number,
                    .event = (enum gh_audit_event)(number % GH_AUDIT_EVENT_COUNT),
                    .user_id = gh_id_str(&who),
                    .actor_id = gh_id_str(&who),
                    .ip_address = GH_STR("hmac-sha256:0123456789abcdef0123456789abcdef"
                                         "0123456789abcdef0123456789abcdef"),
                    .user_agent = GH_STR("hmac-sha256:fedcba9876543210fedcba9876543210"
                                         "fedcba9876543210fedcba9876543210"),
                    .session = GH_STR("0123456789abcdef0123456789abcdef"),
                    .request_id = GH_STR("0123456789abcdef"),
                    .outcome = GH_AUDIT_FAILURE,
                    .metadata = GH_STR("{\"count\":1,\"reason\":\"not_owner\","
                                       "\"route\":\"/api/orders/{id}\"}"),
                },
            .sealed = gh_str_of(SEALED, sizeof(SEALED)),
        };
        enum gh_err err = tx->ops->audit_append(tx, &row);
        if (err != GH_OK)
            return err;
    }
    return GH_OK;
}

/* One thread, a unit for each batch, as the log grows. */
struct log_load {
    struct gh_store *store;
    uint64_t until_ns, worst_ns;
    struct batch batch;
};

static void *write_log(void *argument)
{
    struct log_load *load = argument;
    struct gh_arena arena;
    gh_arena_init(&arena, 4096, 1 << 20);
    for (uint64_t before = gh_logins_now_ns(); before < load->until_ns;
         load->batch.number += BATCH) {
        if (load->store->ops->run_bulk(load->store, append_batch, &load->batch, &arena) != GH_OK)
            abort();
        gh_arena_reset(&arena);
        uint64_t after = gh_logins_now_ns();
        if (after - before > load->worst_ns)
            load->worst_ns = after - before;
        before = after;
    }
    gh_arena_done(&arena);
    return NULL;
}

static struct log_load begin_log(struct gh_store *store, double seconds)
{
    return (struct log_load){.store = store,
                             .until_ns = gh_logins_now_ns() + (uint64_t)(seconds * 1e9)};
}

static void print_log(const struct log_load *load, double seconds)
{
    printf("audit log:   %8.0f records/s in units of %u, worst unit %7.0f us\n",
           load->batch.number / seconds, BATCH, (double)load->worst_ns / 1e3);
}

/* ---- Lines ---- */

static void measure(struct gh_store *store, unsigned threads, unsigned first, bool reads,
                    double seconds)
{
    struct gh_logins logins = gh_logins_measure(store, threads, first, reads, seconds);
    gh_logins_print(&logins, threads, reads);
    putchar('\n');
}

/* The log alone, and while people sign in. */
static void measure_log(struct gh_store *store, unsigned first, double seconds)
{
    struct log_load alone = begin_log(store, seconds);
    write_log(&alone);
    print_log(&alone, seconds);
    pthread_t thread;
    struct log_load beside = begin_log(store, seconds);
    if (pthread_create(&thread, NULL, write_log, &beside) != 0)
        abort();
    measure(store, 4, first, false, seconds);
    pthread_join(thread, NULL);
    print_log(&beside, seconds);
}

int main(int argc, char **argv)
{
    static const unsigned WRITERS[] = {1, 4, 16, 64};
    double seconds = argc > 1 ? strtod(argv[1], NULL) : 1;
    const char *directory = argc > 2 ? argv[2] : "/tmp";
    struct gh_arena arena;
    struct gh_store *store;
    struct gh_str message;
    gh_crypto_init();
    gh_arena_init(&arena, 4096, 1 << 20);
    struct gh_str path =
        gh_arena_format(&arena, "%s/gatehouse-bench-%ld.db", directory, (long)getpid());
    struct gh_sqlite_options options = {.path = path, .exclusive = true};
    if (gh_sqlite_open(&options, &arena, &store, &message) != GH_OK) {
        fprintf(stderr, "%.*s\n", GH_STR_ARG(message));
        return 1;
    }
    unsigned first = 1;
    for (size_t i = 0; i < sizeof(WRITERS) / sizeof(WRITERS[0]); i++) {
        measure(store, WRITERS[i], first, false, seconds);
        first += WRITERS[i];
    }
    measure(store, 1, 1, true, seconds);
    measure(store, 4, 1, true, seconds);
    measure_log(store, first, seconds);
    store->ops->close(store);
    unlink(path.ptr);
    unlink(gh_arena_format(&arena, "%.*s.lock", GH_STR_ARG(path)).ptr);
    gh_arena_done(&arena);
    return 0;
}
