/* Workers over one table: run it under ThreadSanitizer to see that the locks hold. */
#include "limit/limit.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <pthread.h>

#define THREADS   4
#define ROUNDS    20000
#define CLIENTS   50
#define PER_OWNER 40

struct worker {
    pthread_t thread;
    struct gh_limit_table *table;
    const struct gh_limit_rule *client_rule, *global_rule;
    uint64_t admitted[CLIENTS];
    uint64_t seed;
};

static struct gh_hash128 key_of(uint64_t n)
{
    return gh_hash128((struct gh_hash_key){1, 1}, gh_str_of((const char *)&n, sizeof(n)));
}

/* Each decision charges a client and one of a few shared keys, in either order. */
static void *work(void *argument)
{
    struct worker *worker = argument;
    for (uint64_t i = 0; i < ROUNDS; i++) {
        worker->seed = worker->seed * 6364136223846793005u + 1442695040888963407u;
        uint64_t n = (worker->seed >> 33) % CLIENTS;
        struct gh_limit_charge client = {worker->client_rule, key_of(n)};
        struct gh_limit_charge global = {worker->global_rule, key_of(1000 + n % 3)};
        struct gh_limit_charge charges[2];
        struct gh_limit_decision decisions[2];
        charges[i % 2] = client;
        charges[1 - i % 2] = global;
        worker->admitted[n] += gh_limit_decide(worker->table, charges, 2, 5, false, decisions);
        (void)gh_limit_table_stats(worker->table);
    }
    return NULL;
}

static void run_all(const struct gh_limit_rule *client_rule)
{
    struct gh_limit_rule global_rule = {
        .kind = GH_LIMIT_EXACT, .count = 1000000, .window_ms = 60000};
    struct gh_limit_table *table = NULL;
    struct worker workers[THREADS] = {0};
    assert_true(gh_limit_rule_prepare(&global_rule));
    assert_int_equal(gh_limit_table_open(1 << 16, (struct gh_hash_key){2, 3}, &table), GH_OK);
    for (size_t i = 0; i < THREADS; i++) {
        workers[i].table = table;
        workers[i].client_rule = client_rule;
        workers[i].global_rule = &global_rule;
        workers[i].seed = i;
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(workers[i].thread, NULL), 0);

    uint64_t all = 0, in_groups[3] = {0};
    for (size_t n = 0; n < CLIENTS; n++) {
        uint64_t admitted = 0;
        for (size_t i = 0; i < THREADS; i++)
            admitted += workers[i].admitted[n];
        assert_int_equal(admitted, client_rule->count);
        in_groups[n % 3] += admitted;
        all += admitted;
    }
    assert_int_equal(all, (uint64_t)CLIENTS * client_rule->count);
    /* What the shared keys were charged is what was admitted: refusals charged nothing. */
    for (uint64_t group = 0; group < 3; group++) {
        struct gh_limit_charge charge = {&global_rule, key_of(1000 + group)};
        struct gh_limit_decision decision;
        assert_true(gh_limit_decide(table, &charge, 1, 5, true, &decision));
        assert_int_equal(global_rule.count - decision.remaining, in_groups[group]);
    }
    gh_limit_table_close(table);
}

static void threads_together_admit_exactly_the_limit(void **state)
{
    (void)state;
    struct gh_limit_rule rules[] = {
        {.kind = GH_LIMIT_EXACT, .count = 5, .window_ms = 60000},
        {.kind = GH_LIMIT_EXACT, .count = 16, .window_ms = 60000},
        {.kind = GH_LIMIT_EXACT, .count = PER_OWNER, .window_ms = 60000},
        {.kind = GH_LIMIT_GCRA, .count = PER_OWNER, .window_ms = 86400000, .burst = PER_OWNER},
    };
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        assert_true(gh_limit_rule_prepare(&rules[i]));
        run_all(&rules[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_together_admit_exactly_the_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
