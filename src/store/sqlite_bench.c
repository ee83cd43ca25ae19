/*
 * Units per second of the SQLite adapter: many writers share a sync of the disk. One line per
 * number of writers, then readers. Arguments: seconds for each line (1), directory (/tmp).
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "store/sqlite.h"

#define THREADS_MAX 64

/* What a login writes: a session, a counter, a record. */
struct load {
    struct gh_store *store;
    uint64_t until_ns;
    unsigned number;
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

struct login {
    unsigned thread, number;
};

static enum gh_err log_in(struct gh_tx *tx, void *args)
{
    static const char SEALED[120] = {1};
    const struct login *login = args;
    struct gh_session_row session = {
        .family = id_of('f', login->thread, login->number),
        .session_id = id_of('5', login->thread, login->number),
        .account = id_of('a', login->thread, 0),
        .secret = gh_str_of(SEALED, 80),
        .device = gh_str_of(SEALED, sizeof(SEALED)),
        .ip = gh_str_of(SEALED, 60),
        .expires_us = 1 + login->number,
    };
    struct gh_throttle_row throttle = {.key = {(uint8_t)login->thread}, .last_us = 1};
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
    const struct login *login = args;
    struct gh_session_row session;
    struct gh_id id = id_of('5', login->thread, 1);
    return tx->ops->session_by_id(tx, gh_id_str(&id), &session);
}

static void *run_load(void *argument)
{
    struct load *load = argument;
    const struct gh_store_ops *ops = load->store->ops;
    struct gh_arena arena;
    struct login login = {.thread = load->number};
    gh_arena_init(&arena, 4096, 1 << 20);
    for (uint64_t before = now_ns(); before < load->until_ns; load->units++) {
        login.number++;
        enum gh_err err = load->reads ? ops->read(load->store, look_up, &login, &arena)
                                      : ops->run(load->store, log_in, &login, &arena);
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
        struct gh_id who = id_of('a', 0, number * 7919u % BATCH_PEOPLE);
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
    for (uint64_t before = now_ns(); before < load->until_ns; load->batch.number += BATCH) {
        if (load->store->ops->run_bulk(load->store, append_batch, &load->batch, &arena) != GH_OK)
            abort();
        gh_arena_reset(&arena);
        uint64_t after = now_ns();
        if (after - before > load->worst_ns)
            load->worst_ns = after - before;
        before = after;
    }
    gh_arena_done(&arena);
    return NULL;
}

static struct log_load begin_log(struct gh_store *store, double seconds)
{
    return (struct log_load){.store = store, .until_ns = now_ns() + (uint64_t)(seconds * 1e9)};
}

static void print_log(const struct log_load *load, double seconds)
{
    printf("audit log:   %8.0f records/s in units of %u, worst unit %7.0f us\n",
           load->batch.number / seconds, BATCH, (double)load->worst_ns / 1e3);
}

/* ---- Lines ---- */

/* Threads of different lines have numbers of their own, and so rows. */
static void measure(struct gh_store *store, unsigned threads, unsigned first, bool reads,
                    double seconds)
{
    struct load loads[THREADS_MAX];
    pthread_t ids[THREADS_MAX];
    struct gh_arena arena;
    struct load sum = {.units = 0};
    gh_arena_init(&arena, 4096, 1 << 20);
    uint64_t begin = now_ns(), until = begin + (uint64_t)(seconds * 1e9);
    for (unsigned i = 0; i < threads; i++) {
        unsigned number = first + i;
        if (!reads && store->ops->run(store, add_account, &number, &arena) != GH_OK)
            abort();
        loads[i] = (struct load){store, until, number, reads, 0, 0, 0, 0};
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
    double took = (double)(now_ns() - begin) / 1e9;
    printf("%3u %s: %8.0f units/s, %7.0f us each, worst %7.0f us, %llu failed\n", threads,
           reads ? "readers" : "writers", (double)sum.units / took,
           (double)sum.sum_ns / (double)sum.units / 1e3, (double)sum.worst_ns / 1e3,
           (unsigned long long)sum.failures);
    gh_arena_done(&arena);
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
