/* Readers without a lock beside writers: run it under ThreadSanitizer too. */
#include "session/revocation.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#define WRITERS  2
#define READERS  2
#define SESSIONS 20000
#define NOW      1700000000u

struct shared {
    struct gh_revocations *revocations;
    atomic_uint written[WRITERS]; /* sessions of each that must be refused from now on */
    atomic_uint running;
    atomic_uint missed;
};

struct worker {
    pthread_t thread;
    struct shared *shared;
    unsigned index;
};

static struct gh_str name_of(char memory[32], unsigned writer, unsigned n)
{
    int len = snprintf(memory, 32, "%u-%u", writer, n);
    return gh_str_of(memory, (size_t)len);
}

/* The table is far too small, so that sessions are folded all the time. */
static void *write_all(void *argument)
{
    struct worker *worker = argument;
    char memory[32];
    for (unsigned n = 0; n < SESSIONS; n++) {
        uint64_t now_s = NOW + n / 64;
        gh_revocations_add(worker->shared->revocations, name_of(memory, worker->index, n),
                           now_s + 960, now_s);
        atomic_store(&worker->shared->written[worker->index], n + 1);
    }
    atomic_fetch_sub(&worker->shared->running, 1);
    return NULL;
}

/* What a writer has said is refused in that moment and later, though its slot is taken over. */
static void *read_all(void *argument)
{
    struct worker *worker = argument;
    struct shared *shared = worker->shared;
    char memory[32];
    unsigned seed = worker->index + 1;
    while (atomic_load(&shared->running)) {
        seed = seed * 1664525u + 1013904223u;
        unsigned writer = seed >> 30 & 1;
        unsigned count = atomic_load(&shared->written[writer]);
        if (count == 0)
            continue;
        unsigned back = (seed >> 8) % (count < 50 ? count : 50);
        unsigned n = count - 1 - back;
        uint64_t version = gh_revocations_version(shared->revocations);
        if (version == 0 || !gh_revocations_has(shared->revocations, name_of(memory, writer, n),
                                                NOW + n / 64, NOW + n / 64))
            atomic_fetch_add(&shared->missed, 1);
    }
    return NULL;
}

static void readers_never_miss_what_was_said(void **state)
{
    struct shared shared = {.revocations = gh_revocations_new(256, (struct gh_hash_key){5, 6})};
    struct worker workers[WRITERS + READERS];
    atomic_store(&shared.running, WRITERS);
    for (unsigned i = 0; i < WRITERS + READERS; i++) {
        workers[i] = (struct worker){.shared = &shared, .index = i};
        assert_int_equal(pthread_create(&workers[i].thread, NULL,
                                        i < WRITERS ? write_all : read_all, &workers[i]),
                         0);
    }
    for (unsigned i = 0; i < WRITERS + READERS; i++)
        assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
    assert_int_equal(atomic_load(&shared.missed), 0);
    assert_int_equal(gh_revocations_version(shared.revocations), WRITERS * SESSIONS);
    gh_revocations_free(shared.revocations);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(readers_never_miss_what_was_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
