/*
 * Units per second of the PostgreSQL adapter, as sqlite_bench.c has them: what a login writes (a
 * session, a counter, a record), and what a refresh reads. One line per number of threads, which
 * have a connection each. Arguments: URL of an empty database, seconds for each line (2).
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "store/postgres.h"

#define THREADS_MAX 16

struct load {
    struct gh_store *store;
    uint64_t until_ns;
    unsigned thread, number;
    bool reads;
    uint64_t units, failures, worst_ns, sum_ns;
};

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static struct gh_id id_of(char kind, unsigned thread, unsigned number)
{
    struct gh_id id;
    unsigned mixed = number * 2654435761u; /* ids come in no order */
    snprintf(id.text, sizeof(id.text), "%08x-%04x-4000-8000-00000000000%c", mixed, thread & 0xffff,
             kind);
    return id;
}

static enum gh_err add_account(struct gh_tx *tx, void *args)
{
    unsigned thread = *(const unsigned *)args;
    struct gh_account account = {.id = id_of('a', thread, 0), .roles = GH_STR("user")};
    account.email_index[0] = (uint8_t)thread;
    return tx->ops->account_insert(tx, &account);
}

static enum gh_err log_in(struct gh_tx *tx, void *args)
{
    static const char SEALED[120] = {1};
    const struct load *load = args;
    struct gh_session_row session = {
        .family = id_of('f', load->thread, load->number),
        .session_id = id_of('5', load->thread, load->number),
        .account = id_of('a', load->thread, 0),
        .secret = gh_str_of(SEALED, 80),
        .device = gh_str_of(SEALED, sizeof(SEALED)),
        .ip = gh_str_of(SEALED, 60),
        .expires_us = 1 + load->number,
    };
    struct gh_throttle_row throttle = {.key = {(uint8_t)load->thread}, .last_us = 1};
    struct gh_audit_row row = {
        .record = {
            .time_us = 1,
            .event = GH_AUDIT_LOGIN,
            .user_id = gh_id_str(&session.account),
            .actor_id = gh_id_str(&session.account),
            .ip_address = GH_STR("192.0.2.1"),
            .user_agent = GH_STR("Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101"),
            .session = GH_STR("0123456789abcdef0123456789abcdef"),
            .request_id = GH_STR("0123456789abcdef"),
            .metadata = GH_STR("{\"method\":\"password\",\"new_device\":false}"),
        }};
    enum gh_err err = tx->ops->session_insert(tx, &session);
    if (err == GH_OK)
        err = tx->ops->throttle_put(tx, &throttle);
    return err == GH_OK ? tx->ops->audit_append(tx, &row) : err;
}

static enum gh_err look_up(struct gh_tx *tx, void *args)
{
    const struct load *load = args;
    struct gh_session_row session;
    struct gh_id id = id_of('5', load->thread, 1);
    return tx->ops->session_by_id(tx, gh_id_str(&id), &session);
}

static void *run_load(void *argument)
{
    struct load *load = argument;
    const struct gh_store_ops *ops = load->store->ops;
    struct gh_arena arena;
    gh_arena_init(&arena, 4096, 1 << 20);
    for (uint64_t before = now_ns(); before < load->until_ns; load->units++) {
        load->number++;
        enum gh_err err = load->reads ? ops->read(load->store, look_up, load, &arena)
                                      : ops->run(load->store, log_in, load, &arena);
        gh_arena_reset(&arena);
        uint64_t after = now_ns(), took = after - before;
        load->failures += err != GH_OK;
        load->sum_ns += took;
        if (took > load->worst_ns)
            load->worst_ns = took;
        before = after;
    }
    gh_arena_done(&arena);
    return NULL;
}

static void print_line(const struct load *sum, unsigned threads, double took, uint64_t retries)
{
    printf("%3u %s: %8.0f units/s, %7.0f us each, worst %7.0f us, %llu failed, %llu run again\n",
           threads, sum->reads ? "readers" : "writers", (double)sum->units / took,
           (double)sum->sum_ns / (double)sum->units / 1e3, (double)sum->worst_ns / 1e3,
           (unsigned long long)sum->failures, (unsigned long long)retries);
}

/* Threads of different lines have numbers of their own, and so rows. */
static void measure(struct gh_store *store, unsigned threads, unsigned first, bool reads,
                    double seconds)
{
    struct load loads[THREADS_MAX], sum = {.reads = reads};
    pthread_t ids[THREADS_MAX];
    struct gh_postgres_counts before = {0}, after = {0};
    struct gh_arena arena;
    gh_arena_init(&arena, 4096, 1 << 20);
    gh_postgres_counts_of(store, &before);
    uint64_t begin = now_ns(), until = begin + (uint64_t)(seconds * 1e9);
    for (unsigned i = 0; i < threads; i++) {
        unsigned number = first + i;
        if (!reads && store->ops->run(store, add_account, &number, &arena) != GH_OK)
            abort();
        loads[i] =
            (struct load){.store = store, .until_ns = until, .thread = number, .reads = reads};
        if (pthread_create(&ids[i], NULL, run_load, &loads[i]) != 0)
            abort();
    }
    for (unsigned i = 0; i < threads; i++) {
        pthread_join(ids[i], NULL);
        sum.units += loads[i].units;
        sum.failures += loads[i].failures;
        sum.sum_ns += loads[i].sum_ns;
        if (loads[i].worst_ns > sum.worst_ns)
            sum.worst_ns = loads[i].worst_ns;
    }
    gh_postgres_counts_of(store, &after);
    print_line(&sum, threads, (double)(now_ns() - begin) / 1e9, after.retries - before.retries);
    gh_arena_done(&arena);
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
