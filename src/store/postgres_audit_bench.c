/*
 * Audit records per second into PostgreSQL: units of run_bulk of several sizes, then many threads
 * with a unit of one record each, and how long the sealer takes to have all of them in its chain.
 * Arguments: URL of an empty database, seconds for each line (2).
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "store/postgres.h"

#define THREADS_MAX 32

struct load {
    struct gh_store *store;
    uint64_t until_ns;
    unsigned at_once;
    bool in_bulk;
    uint64_t records, failures;
};

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* About 300 bytes, as of a sign-in. */
static enum gh_err append(struct gh_tx *tx, void *args)
{
    static const char SEALED[100] = {1};
    const struct load *load = args;
    enum gh_err err = GH_OK;
    for (unsigned i = 0; err == GH_OK && i < load->at_once; i++) {
        const struct gh_audit_row row = {
            .record = {.time_us = 1800000000000000,
                       .event = GH_AUDIT_LOGIN,
                       .user_id = GH_STR("0123abcd-0123-4123-8123-0123456789ab"),
                       .actor_id = GH_STR("0123abcd-0123-4123-8123-0123456789ab"),
                       .ip_address = GH_STR("sha256:0123456789abcdef0123456789abcdef"),
                       .user_agent = GH_STR("sha256:0123456789abcdef0123456789abcdef"),
                       .session = GH_STR("0123456789abcdef0123456789abcdef"),
                       .request_id = GH_STR("0123456789abcdef"),
                       .outcome = GH_AUDIT_SUCCESS,
                       .metadata = GH_STR("{\"method\":\"password\",\"remember\":true}")},
            .sealed = gh_str_of(SEALED, sizeof(SEALED)),
        };
        err = tx->ops->audit_append(tx, &row);
    }
    return err;
}

static void *run_load(void *argument)
{
    struct load *load = argument;
    const struct gh_store_ops *ops = load->store->ops;
    struct gh_arena arena;
    gh_arena_init(&arena, 4096, 1 << 20);
    while (now_ns() < load->until_ns) {
        if ((load->in_bulk ? ops->run_bulk : ops->run)(load->store, append, load, &arena) == GH_OK)
            load->records += load->at_once;
        else
            load->failures++;
        gh_arena_reset(&arena);
    }
    gh_arena_done(&arena);
    return NULL;
}

static enum gh_err read_head(struct gh_tx *tx, void *out_seq)
{
    uint8_t hash[GH_SHA256_BYTES];
    return tx->ops->audit_head(tx, out_seq, hash);
}

static void measure(struct gh_store *store, unsigned seconds, unsigned threads, unsigned at_once,
                    bool in_bulk)
{
    struct load loads[THREADS_MAX];
    pthread_t handles[THREADS_MAX];
    struct gh_arena arena;
    uint64_t records = 0, failures = 0, seq = 0, begin_ns = now_ns();
    for (unsigned i = 0; i < threads; i++) {
        loads[i] = (struct load){.store = store,
                                 .until_ns = begin_ns + (uint64_t)seconds * 1000000000,
                                 .at_once = at_once,
                                 .in_bulk = in_bulk};
        if (pthread_create(&handles[i], NULL, run_load, &loads[i]) != 0)
            abort();
    }
    for (unsigned i = 0; i < threads; i++) {
        pthread_join(handles[i], NULL);
        records += loads[i].records;
        failures += loads[i].failures;
    }
    uint64_t end_ns = now_ns();
    gh_arena_init(&arena, 4096, 1 << 20);
    enum gh_err err = store->ops->read(store, read_head, &seq, &arena);
    gh_arena_done(&arena);
    printf("%-8s %2u threads, %4u records a unit: %8.0f records/s, sealed %.1f ms later, %s%s\n",
           in_bulk ? "run_bulk" : "run", threads, at_once,
           (double)records * 1e9 / (double)(end_ns - begin_ns), (double)(now_ns() - end_ns) / 1e6,
           failures ? "with failures" : "all well", err == GH_OK ? "" : ", and not all sealed");
    fflush(stdout);
}

int main(int argc, char **argv)
{
    static const unsigned AT_ONCE[] = {1, 16, 64, 256, 1024}, THREADS[] = {1, 4, 8, 32};
    const unsigned seconds = argc > 2 ? (unsigned)atoi(argv[2]) : 2;
    struct gh_store *store;
    struct gh_str message;
    struct gh_arena arena;
    gh_crypto_init();
    gh_arena_init(&arena, 4096, 1 << 20);
    const struct gh_postgres_options options = {
        .url = gh_str_from_c(argc > 1 ? argv[1] : "postgresql:///gatehouse"), .writes = true};
    if (gh_postgres_open(&options, &arena, &store, &message) != GH_OK) {
        fprintf(stderr, "%.*s\n", GH_STR_ARG(message));
        return 1;
    }
    for (size_t i = 0; i < sizeof(AT_ONCE) / sizeof(AT_ONCE[0]); i++)
        measure(store, seconds, 1, AT_ONCE[i], true);
    for (size_t i = 0; i < sizeof(THREADS) / sizeof(THREADS[0]); i++)
        measure(store, seconds, THREADS[i], 1, false);
    store->ops->close(store);
    gh_arena_done(&arena);
    return 0;
}
