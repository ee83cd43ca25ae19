/*
 * Units per second of the PostgreSQL adapter, as sqlite_bench.c has them: what a login writes (a
 * session, a counter, a record), and what a refresh reads. One line per number of threads, which
 * have a connection each. Arguments: URL of an empty database, seconds for each line (2).
 */
#include <stdio.h>
#include <stdlib.h>

#include "store/logins_load.h"
#include "store/postgres.h"

#define THREADS_MAX 16

static void measure(struct gh_store *store, unsigned threads, unsigned first, bool reads,
                    double seconds)
{
    struct gh_postgres_counts before = {0}, after = {0};
    gh_postgres_counts_of(store, &before);
    struct gh_logins logins = gh_logins_measure(store, threads, first, reads, seconds);
    gh_postgres_counts_of(store, &after);
    gh_logins_print(&logins, threads, reads);
    printf(", %llu run again\n", (unsigned long long)(after.retries - before.retries));
}

int main(int argc, char **argv)
{
    static const unsigned THREADS[] = {1, 4, 16};
    double seconds = argc > 2 ? strtod(argv[2], NULL) : 2;
    struct gh_arena arena;
    struct gh_store *store;
    struct gh_str message;
    if (argc < 2) {
        fprintf(stderr, "usage: postgres_bench URL [SECONDS]\n");
        return 2;
    }
    gh_crypto_init();
    gh_arena_init(&arena, 4096, 4 << 20);
    const struct gh_postgres_options options = {
        .url = gh_str_from_c(argv[1]), .connection_count = THREADS_MAX, .writes = true};
    if (gh_postgres_open(&options, &arena, &store, &message) != GH_OK) {
        fprintf(stderr, "%.*s\n", GH_STR_ARG(message));
        return 1;
    }
    unsigned first = 1;
    for (size_t i = 0; i < sizeof(THREADS) / sizeof(THREADS[0]); i++) {
        measure(store, THREADS[i], first, false, seconds);
        first += THREADS[i];
    }
    for (size_t i = 0; i < sizeof(THREADS) / sizeof(THREADS[0]); i++)
        measure(store, THREADS[i], 1, true, seconds);
    store->ops->close(store);
    gh_arena_done(&arena);
    return 0;
}
