/* The pool of connections to PostgreSQL, with a server. */
#include "store/postgres_pool.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <sched.h>

#include "store/postgres_fixture.h"

#define PLENTY_MS 20000
#define WAITERS   3

static struct gh_postgres_fixture fixture;

static void begin(struct gh_postgres_pool *pool, struct gh_postgres_target *target, unsigned size)
{
    gh_postgres_fixture_bare(&fixture);
    *target = (struct gh_postgres_target){.url = fixture.url, .statement_ms = 5000, .connect_s = 5};
    gh_postgres_pool_init(pool, target, size);
}

static struct gh_postgres_connection *take(struct gh_postgres_pool *pool, bool reads)
{
    struct gh_postgres_connection *connection = NULL;
    assert_int_equal(
        gh_postgres_pool_take(pool, reads, gh_postgres_now_ms() + PLENTY_MS, &connection), GH_OK);
    return connection;
}

/* Takes one when it can, writes down that it had its turn, and gives it back. */
struct turns {
    struct gh_postgres_pool *pool;
    pthread_mutex_t lock;
    unsigned order[WAITERS + 1], count;
};

struct waiter {
    struct turns *turns;
    unsigned number;
    bool reads;
    pthread_t thread;
};

static void note(struct turns *turns, unsigned number)
{
    pthread_mutex_lock(&turns->lock);
    turns->order[turns->count++] = number;
    pthread_mutex_unlock(&turns->lock);
}

static void *wait_for_one(void *argument)
{
    struct waiter *waiter = argument;
    struct gh_postgres_connection *connection = take(waiter->turns->pool, waiter->reads);
    note(waiter->turns, waiter->number);
    gh_postgres_pool_give(waiter->turns->pool, connection);
    return NULL;
}

static void begin_waiting(struct waiter *waiter)
{
    unsigned before = gh_postgres_pool_count(waiter->turns->pool).waiting;
    assert_int_equal(pthread_create(&waiter->thread, NULL, wait_for_one, waiter), 0);
    while (gh_postgres_pool_count(waiter->turns->pool).waiting == before)
        sched_yield();
}

static void gives_to_those_who_wait_in_the_order_of_their_coming(void **state)
{
    (void)state;
    struct gh_postgres_pool pool;
    struct gh_postgres_target target;
    begin(&pool, &target, 1);
    struct turns turns = {.pool = &pool, .lock = PTHREAD_MUTEX_INITIALIZER};
    struct waiter waiters[WAITERS];
    struct gh_postgres_connection *held = take(&pool, false);
    for (unsigned i = 0; i < WAITERS; i++) {
        waiters[i] = (struct waiter){.turns = &turns, .number = i + 1};
        begin_waiting(&waiters[i]);
    }
    gh_postgres_pool_give(&pool, held);
    held = take(&pool, false); /* at once, before any of them has woken */
    note(&turns, WAITERS + 1);
    gh_postgres_pool_give(&pool, held);
    for (unsigned i = 0; i < WAITERS; i++)
        pthread_join(waiters[i].thread, NULL);
    for (unsigned i = 0; i <= WAITERS; i++)
        assert_int_equal(turns.order[i], i + 1);
    gh_postgres_pool_done(&pool);
}

static void gives_the_last_one_to_a_reader_though_writers_wait(void **state)
{
    (void)state;
    struct gh_postgres_pool pool;
    struct gh_postgres_target target;
    begin(&pool, &target, 2);
    struct turns turns = {.pool = &pool, .lock = PTHREAD_MUTEX_INITIALIZER};
    struct waiter writer = {.turns = &turns, .number = 2};
    struct gh_postgres_connection *held = take(&pool, false);
    begin_waiting(&writer);
    struct gh_postgres_connection *last = take(&pool, true);
    note(&turns, 1);
    gh_postgres_pool_give(&pool, last);
    assert_int_equal(gh_postgres_pool_count(&pool).waiting, 1);
    gh_postgres_pool_give(&pool, held);
    pthread_join(writer.thread, NULL);
    assert_int_equal(turns.order[0], 1);
    assert_int_equal(turns.order[1], 2);
    gh_postgres_pool_done(&pool);
}

static void says_full_to_who_waited_in_vain_and_forgets_them(void **state)
{
    (void)state;
    struct gh_postgres_pool pool;
    struct gh_postgres_target target;
    begin(&pool, &target, 1);
    struct gh_postgres_connection *held = take(&pool, false), *none = NULL;
    assert_int_equal(gh_postgres_pool_take(&pool, false, gh_postgres_now_ms() + 1, &none),
                     GH_ERR_FULL);
    assert_null(none);
    assert_null(pool.first_waiter);
    gh_postgres_pool_give(&pool, held);
    gh_postgres_pool_give(&pool, take(&pool, false));
    assert_int_equal(gh_postgres_pool_count(&pool).refusals, 1);
    gh_postgres_pool_done(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_to_those_who_wait_in_the_order_of_their_coming),
        cmocka_unit_test(gives_the_last_one_to_a_reader_though_writers_wait),
        cmocka_unit_test(says_full_to_who_waited_in_vain_and_forgets_them),
    };
    if (!gh_postgres_fixture_start(&fixture))
        return GH_POSTGRES_SKIPPED;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    gh_postgres_fixture_done(&fixture);
    return failed;
}
