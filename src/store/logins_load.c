#include "store/logins_load.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/assert.h"

struct load {
    struct gh_store *store;
    uint64_t until_ns;
    unsigned thread, number;
    bool reads;
    struct gh_logins done;
};

uint64_t gh_logins_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

struct gh_id gh_logins_id(char kind, unsigned thread, unsigned number)
{
    struct gh_id id;
    unsigned mixed = number * 2654435761u;
    snprintf(id.text, sizeof(id.text), "%08x-%04x-4000-8000-00000000000%c", mixed, thread & 0xffff,
             kind);
    return id;
}

static enum gh_err add_account(struct gh_tx *tx, void *args)
{
    unsigned thread = *(const unsigned *)args;
    struct gh_account account = {.id = gh_logins_id('a', thread, 0), .roles = GH_STR("user")};
    account.email_index[0] = (uint8_t)thread;
    return tx->ops->account_insert(tx, &account);
}

static enum gh_err log_in(struct gh_tx *tx, void *args)
{
    static const char SEALED[120] = {1};
    const struct load *load = args;
    struct gh_session_row session = {
        .family = gh_logins_id('f', load->thread, load->number),
        .session_id = gh_logins_id('5', load->thread, load->number),
        .account = gh_logins_id('a', load->thread, 0),
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
    struct gh_id id = gh_logins_id('5', load->thread, 1);
    return tx->ops->session_by_id(tx, gh_id_str(&id), &session);
}

static void *run_load(void *argument)
{
    struct load *load = argument;
    const struct gh_store_ops *ops = load->store->ops;
    struct gh_arena arena;
    gh_arena_init(&arena, 4096, 1 << 20);
    for (uint64_t before = gh_logins_now_ns(); before < load->until_ns; load->done.units++) {
        load->number++;
        enum gh_err err = load->reads ? ops->read(load->store, look_up, load, &arena)
                                      : ops->run(load->store, log_in, load, &arena);
        gh_arena_reset(&arena);
        uint64_t after = gh_logins_now_ns(), took = after - before;
        load->done.failures += err != GH_OK;
        load->done.sum_ns += took;
        if (took > load->done.worst_ns)
            load->done.worst_ns = took;
        before = after;
    }
    gh_arena_done(&arena);
    return NULL;
}

static void add(struct gh_logins *sum, const struct gh_logins *more)
{
    sum->units += more->units;
    sum->failures += more->failures;
    sum->sum_ns += more->sum_ns;
    if (more->worst_ns > sum->worst_ns)
        sum->worst_ns = more->worst_ns;
}

struct gh_logins gh_logins_measure(struct gh_store *store, unsigned threads, unsigned first,
                                   bool reads, double seconds)
{
    struct load loads[GH_LOGINS_THREADS_MAX];
    pthread_t ids[GH_LOGINS_THREADS_MAX];
    struct gh_logins sum = {.units = 0};
    struct gh_arena arena;
    GH_ASSERT(threads <= GH_LOGINS_THREADS_MAX);
    gh_arena_init(&arena, 4096, 1 << 20);
    uint64_t begin = gh_logins_now_ns(), until = begin + (uint64_t)(seconds * 1e9);
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
        add(&sum, &loads[i].done);
    }
    sum.seconds = (double)(gh_logins_now_ns() - begin) / 1e9;
    gh_arena_done(&arena);
    return sum;
}

void gh_logins_print(const struct gh_logins *logins, unsigned threads, bool reads)
{
    printf("%3u %s: %8.0f units/s, %7.0f us each, worst %7.0f us, %llu failed", threads,
           reads ? "readers" : "writers", (double)logins->units / logins->seconds,
           (double)logins->sum_ns / (double)logins->units / 1e3, (double)logins->worst_ns / 1e3,
           (unsigned long long)logins->failures);
}
