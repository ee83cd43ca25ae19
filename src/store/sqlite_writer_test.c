/* The SQLite adapter: units in groups, the bounded queue, readers beside a writer. */
#include "store/contract_suite.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>

#include "store/sqlite_disk_fixture.h"
#include "store/sqlite_fixture.h"

#define WRITERS   16
#define QUEUE_MAX 5

struct state {
    struct gh_sqlite_fixture fixture;
    struct gh_contract contract; /* lends the writer's transaction, which holds all others up */
};

static bool begin(struct state *state)
{
    gh_sqlite_fixture_init(&state->fixture);
    state->fixture.queue_max = QUEUE_MAX;
    struct gh_store *store = gh_sqlite_fixture_open(&state->fixture);
    if (store)
        gh_contract_init(&state->contract, store);
    return store;
}

static void end(struct state *state)
{
    gh_contract_done(&state->contract);
    gh_sqlite_fixture_done(&state->fixture);
}

static int open_store(void **out_state)
{
    struct state *state = calloc(1, sizeof(*state));
    *out_state = state;
    return state && begin(state) ? 0 : -1;
}

static int close_store(void **state)
{
    end(*state);
    free(*state);
    return 0;
}

/* ---- Writers that queue behind the one that is open ---- */

struct crowd {
    struct gh_store *store;
    gh_store_unit *unit;
    bool is_bulk;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned next; /* number of the writer that comes next */
    unsigned answered, ok, full, exists;
    enum gh_err results[WRITERS];
};

static void *run_one_of_the_crowd(void *argument)
{
    struct crowd *crowd = argument;
    struct gh_arena arena;
    gh_arena_init(&arena, 4096, 1 << 20);
    pthread_mutex_lock(&crowd->lock);
    unsigned number = crowd->next++;
    pthread_mutex_unlock(&crowd->lock);
    const struct gh_store_ops *ops = crowd->store->ops;
    enum gh_err err =
        (crowd->is_bulk ? ops->run_bulk : ops->run)(crowd->store, crowd->unit, &number, &arena);
    pthread_mutex_lock(&crowd->lock);
    crowd->results[number] = err;
    crowd->answered++;
    crowd->ok += err == GH_OK;
    crowd->full += err == GH_ERR_FULL;
    crowd->exists += err == GH_ERR_EXISTS;
    pthread_cond_broadcast(&crowd->changed);
    pthread_mutex_unlock(&crowd->lock);
    gh_arena_done(&arena);
    return NULL;
}

static void start(struct crowd *crowd, pthread_t threads[WRITERS], unsigned count)
{
    pthread_mutex_init(&crowd->lock, NULL);
    pthread_cond_init(&crowd->changed, NULL);
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run_one_of_the_crowd, crowd), 0);
}

static void start_crowd(struct crowd *crowd, struct state *state, gh_store_unit *unit,
                        pthread_t threads[WRITERS], unsigned count)
{
    *crowd = (struct crowd){.store = state->contract.store, .unit = unit};
    start(crowd, threads, count);
}

static void wait_for_answers(struct crowd *crowd, unsigned count)
{
    pthread_mutex_lock(&crowd->lock);
    while (crowd->answered < count)
        pthread_cond_wait(&crowd->changed, &crowd->lock);
    pthread_mutex_unlock(&crowd->lock);
}

static void end_crowd(struct crowd *crowd, pthread_t threads[WRITERS], unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    pthread_cond_destroy(&crowd->changed);
    pthread_mutex_destroy(&crowd->lock);
}

/* Account 100 + number; odd ones then change their mind. */
static enum gh_err add_or_refuse(struct gh_tx *tx, void *args)
{
    unsigned number = *(const unsigned *)args;
    struct gh_account account = gh_contract_account(100 + number);
    enum gh_err err = tx->ops->account_insert(tx, &account);
    return err == GH_OK && number % 2 ? GH_ERR_EXISTS : err;
}

static bool account_is_there(struct state *state, unsigned number)
{
    struct gh_account account = gh_contract_account(number), found;
    struct gh_tx *tx = gh_contract_begin_read(&state->contract);
    enum gh_err err = tx->ops->account_by_id(tx, gh_id_str(&account.id), &found);
    gh_contract_commit(&state->contract);
    return err == GH_OK;
}

static void refuses_units_over_the_queue_at_once_and_runs_those_within(void **out_state)
{
    struct state *state = *out_state;
    struct crowd crowd;
    pthread_t threads[WRITERS];
    gh_contract_begin(&state->contract);
    start_crowd(&crowd, state, add_or_refuse, threads, WRITERS);
    wait_for_answers(&crowd, WRITERS - QUEUE_MAX); /* while the writer is held up */
    assert_int_equal(crowd.full, WRITERS - QUEUE_MAX);
    gh_contract_commit(&state->contract);
    end_crowd(&crowd, threads, WRITERS);
    assert_int_equal(crowd.full, WRITERS - QUEUE_MAX);
    assert_int_equal(crowd.ok + crowd.exists, QUEUE_MAX);
    for (unsigned number = 0; number < WRITERS; number++)
        assert_int_equal(account_is_there(state, 100 + number), crowd.results[number] == GH_OK);
    /* Afterwards there is room again. */
    gh_contract_add_accounts(&state->contract, 1, 1);
}

static void a_unit_that_refuses_does_not_touch_its_neighbours(void **out_state)
{
    struct state *state = *out_state;
    struct crowd crowd;
    pthread_t threads[WRITERS];
    gh_contract_begin(&state->contract);
    start_crowd(&crowd, state, add_or_refuse, threads, QUEUE_MAX);
    gh_contract_commit(&state->contract);
    end_crowd(&crowd, threads, QUEUE_MAX);
    for (unsigned number = 0; number < QUEUE_MAX; number++) {
        assert_int_equal(crowd.results[number], number % 2 ? GH_ERR_EXISTS : GH_OK);
        assert_int_equal(account_is_there(state, 100 + number), number % 2 == 0);
    }
}

/* Those that had refused too: what they refused because of is gone. */
static void a_commit_that_fails_fails_its_whole_group(void **out_state)
{
    struct gh_disk disk;
    struct crowd crowd;
    pthread_t threads[WRITERS];
    struct state state;
    gh_disk_init(&disk); /* before the store opens its files */
    assert_true(begin(&state));
    gh_contract_begin(&state.contract);
    start_crowd(&crowd, &state, add_or_refuse, threads, WRITERS);
    wait_for_answers(&crowd, WRITERS - QUEUE_MAX); /* so the queue is full: one group */
    gh_disk_fail(&disk, GH_DISK_BROKEN, 1, false);
    gh_contract_commit(&state.contract); /* which has nothing to write */
    end_crowd(&crowd, threads, WRITERS);
    assert_int_equal(gh_disk_mend(&disk), 1);
    assert_int_equal(crowd.ok + crowd.exists, 0);
    assert_int_equal(crowd.full, WRITERS - QUEUE_MAX);
    for (unsigned number = 0; number < WRITERS; number++) {
        assert_true(crowd.results[number] == GH_ERR_IO || crowd.results[number] == GH_ERR_FULL);
        assert_false(account_is_there(&state, 100 + number));
    }
    gh_contract_add_accounts(&state.contract, 1, 1);
    end(&state);
    gh_disk_done(&disk);
}

/* ---- Readers ---- */

static void a_reader_does_not_wait_for_a_writer_nor_see_what_is_open(void **out_state)
{
    struct state *state = *out_state;
    struct gh_contract reader;
    struct gh_account account = gh_contract_account(1), found;
    gh_contract_init(&reader, state->contract.store);
    struct gh_tx *tx = gh_contract_begin(&state->contract);
    gh_contract_assert_ok(tx->ops->account_insert(tx, &account));
    struct gh_tx *read = gh_contract_begin_read(&reader);
    assert_int_equal(read->ops->account_by_id(read, gh_id_str(&account.id), &found),
                     GH_ERR_NOT_FOUND);
    gh_contract_commit(&state->contract);
    /* The view stays what it was. */
    assert_int_equal(read->ops->account_by_id(read, gh_id_str(&account.id), &found),
                     GH_ERR_NOT_FOUND);
    gh_contract_commit(&reader);
    read = gh_contract_begin_read(&reader);
    gh_contract_assert_ok(read->ops->account_by_id(read, gh_id_str(&account.id), &found));
    gh_contract_commit(&reader);
    gh_arena_done(&reader.arena);
}

static void two_readers_read_at_once(void **out_state)
{
    struct state *state = *out_state;
    struct gh_contract first, second;
    struct gh_id id = gh_contract_id(1);
    struct gh_account found;
    gh_contract_add_accounts(&state->contract, 1, 1);
    gh_contract_init(&first, state->contract.store);
    gh_contract_init(&second, state->contract.store);
    struct gh_tx *a = gh_contract_begin_read(&first), *b = gh_contract_begin_read(&second);
    gh_contract_assert_ok(a->ops->account_by_id(a, gh_id_str(&id), &found));
    gh_contract_assert_ok(b->ops->account_by_id(b, gh_id_str(&id), &found));
    gh_contract_commit(&first);
    gh_contract_commit(&second);
    gh_arena_done(&first.arena);
    gh_arena_done(&second.arena);
}

struct watch {
    struct gh_store *store;
    bool stop, is_torn; /* under the lock */
    pthread_mutex_t lock;
};

static enum gh_err count_twice(struct gh_tx *tx, void *args)
{
    bool *is_torn = args;
    struct gh_audit_query query = {.limit = 1};
    struct gh_audit_row *records;
    struct gh_throttle_row row = gh_contract_throttle(1);
    size_t count;
    enum gh_err err = tx->ops->throttle_get(tx, row.key, &row);
    if (err == GH_OK)
        err = tx->ops->audit_page(tx, &query, &records, &count);
    if (err == GH_OK)
        *is_torn = count != 1 || records[0].record.seq != row.failures;
    return err;
}

static void *watch_for_halves(void *argument)
{
    struct watch *watch = argument;
    struct gh_arena arena;
    gh_arena_init(&arena, 4096, 1 << 20);
    for (bool stop = false; !stop;) {
        bool is_torn = false;
        enum gh_err err = watch->store->ops->read(watch->store, count_twice, &is_torn, &arena);
        pthread_mutex_lock(&watch->lock);
        watch->is_torn |= is_torn || (err != GH_OK && err != GH_ERR_NOT_FOUND);
        stop = watch->stop;
        pthread_mutex_unlock(&watch->lock);
        gh_arena_reset(&arena);
    }
    gh_arena_done(&arena);
    return NULL;
}

/* The record and the count of one unit: a reader sees both or none. */
static enum gh_err count_and_record(struct gh_tx *tx, void *args)
{
    struct gh_throttle_row row = gh_contract_throttle(1);
    struct gh_audit_row record = gh_contract_row(1);
    enum gh_err err = tx->ops->throttle_get(tx, row.key, &row);
    row.failures = err == GH_OK ? row.failures + 1 : 1;
    err = tx->ops->throttle_put(tx, &row);
    return err == GH_OK ? tx->ops->audit_append(tx, &record) : err;
}

static void readers_see_whole_units_only(void **out_state)
{
    struct state *state = *out_state;
    struct watch watch = {.store = state->contract.store};
    struct crowd crowd;
    pthread_t watchers[3], threads[WRITERS];
    pthread_mutex_init(&watch.lock, NULL);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&watchers[i], NULL, watch_for_halves, &watch), 0);
    for (unsigned round = 0; round < 40; round++) {
        start_crowd(&crowd, state, count_and_record, threads, QUEUE_MAX);
        end_crowd(&crowd, threads, QUEUE_MAX);
        assert_int_equal(crowd.ok, QUEUE_MAX);
    }
    pthread_mutex_lock(&watch.lock);
    watch.stop = true;
    pthread_mutex_unlock(&watch.lock);
    for (size_t i = 0; i < 3; i++)
        pthread_join(watchers[i], NULL);
    pthread_mutex_destroy(&watch.lock);
    assert_false(watch.is_torn);
}

/* ---- Bulk units wait behind the others ---- */

static enum gh_err record(struct gh_tx *tx, enum gh_audit_event event)
{
    struct gh_audit_row row = gh_contract_row(1);
    row.record.event = event;
    return tx->ops->audit_append(tx, &row);
}

static enum gh_err record_urgent(struct gh_tx *tx, void *args)
{
    return record(tx, GH_AUDIT_LOGIN);
}

static enum gh_err record_bulk(struct gh_tx *tx, void *args)
{
    return record(tx, GH_AUDIT_RATE_LIMITED);
}

static void bulk_units_have_a_queue_of_their_own_and_wait_behind_the_others(void **out_state)
{
    struct state *state = *out_state;
    struct gh_audit_query query = {.oldest_first = true, .limit = 100};
    struct gh_audit_row *rows;
    size_t count;
    struct crowd bulk = {.store = state->contract.store, .unit = record_bulk, .is_bulk = true};
    struct crowd urgent = {.store = state->contract.store, .unit = record_urgent};
    pthread_t bulk_threads[WRITERS], urgent_threads[WRITERS];
    gh_contract_begin(&state->contract);
    start(&bulk, bulk_threads, WRITERS);
    wait_for_answers(&bulk, WRITERS - QUEUE_MAX); /* the others are in the queue */
    start(&urgent, urgent_threads, WRITERS);
    wait_for_answers(&urgent, WRITERS - QUEUE_MAX);
    gh_contract_commit(&state->contract);
    end_crowd(&bulk, bulk_threads, WRITERS);
    end_crowd(&urgent, urgent_threads, WRITERS);
    assert_int_equal(bulk.ok, QUEUE_MAX);
    assert_int_equal(urgent.ok, QUEUE_MAX);
    struct gh_tx *tx = gh_contract_begin_read(&state->contract);
    gh_contract_assert_ok(tx->ops->audit_page(tx, &query, &rows, &count));
    assert_int_equal(count, 2 * QUEUE_MAX);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(rows[i].record.event,
                         i < QUEUE_MAX ? GH_AUDIT_LOGIN : GH_AUDIT_RATE_LIMITED);
    gh_contract_commit(&state->contract);
}

struct stream {
    struct gh_store *store;
    bool stop, failed; /* under the lock */
    pthread_mutex_t lock;
};

static void *write_without_end(void *argument)
{
    struct stream *stream = argument;
    struct gh_arena arena;
    gh_arena_init(&arena, 4096, 1 << 20);
    for (bool stop = false; !stop;) {
        enum gh_err err = stream->store->ops->run(stream->store, record_urgent, NULL, &arena);
        gh_arena_reset(&arena);
        pthread_mutex_lock(&stream->lock);
        stream->failed |= err != GH_OK;
        stop = stream->stop;
        pthread_mutex_unlock(&stream->lock);
    }
    gh_arena_done(&arena);
    return NULL;
}

static void bulk_units_and_scrubs_are_not_held_up_for_ever(void **out_state)
{
    struct state *state = *out_state;
    struct gh_store *store = state->contract.store;
    struct stream stream = {.store = store};
    pthread_t threads[QUEUE_MAX];
    pthread_mutex_init(&stream.lock, NULL);
    for (size_t i = 0; i < QUEUE_MAX; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_without_end, &stream), 0);
    for (unsigned i = 0; i < 20; i++) {
        assert_int_equal(store->ops->run_bulk(store, record_bulk, NULL, &state->contract.arena),
                         GH_OK);
        assert_int_equal(store->ops->scrub(store), GH_OK);
    }
    pthread_mutex_lock(&stream.lock);
    stream.stop = true;
    pthread_mutex_unlock(&stream.lock);
    for (size_t i = 0; i < QUEUE_MAX; i++)
        pthread_join(threads[i], NULL);
    assert_false(stream.failed);
    pthread_mutex_destroy(&stream.lock);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_store, close_store)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(refuses_units_over_the_queue_at_once_and_runs_those_within),
        TEST(a_unit_that_refuses_does_not_touch_its_neighbours),
        cmocka_unit_test(a_commit_that_fails_fails_its_whole_group),
        TEST(a_reader_does_not_wait_for_a_writer_nor_see_what_is_open),
        TEST(two_readers_read_at_once),
        TEST(readers_see_whole_units_only),
        TEST(bulk_units_have_a_queue_of_their_own_and_wait_behind_the_others),
        TEST(bulk_units_and_scrubs_are_not_held_up_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
