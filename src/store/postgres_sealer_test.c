/* The PostgreSQL adapter: chains of several processes, and what becomes of them when a process is
   killed, its connections are cut, or its rows are none. */
#include "store/contract_suite.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "store/postgres_fixture.h"
#include "store/postgres_libpq.h"
#include "store/postgres_sealer.h"

#define WAIT_S 30

/* The holders of chains. */
#define HOLDERS                                                                                    \
    "FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2 AND "                              \
    "classid = 'audit_chains'::regclass::oid AND database = "                                      \
    "(SELECT oid FROM pg_database WHERE datname = current_database())"
#define UNSEALED "SELECT count(*) FROM audit_unsealed"

static struct gh_postgres_fixture server;

static int fresh_database(void **state)
{
    gh_postgres_fixture_fresh(&server);
    return 0;
}

static struct gh_contract open_contract(void)
{
    struct gh_contract contract;
    struct gh_store *store = gh_postgres_fixture_open(&server);
    if (!store)
        abort();
    gh_contract_init(&contract, store);
    return contract;
}

static uint64_t ask(const char *sql)
{
    return gh_postgres_fixture_sql(&server, sql);
}

/* Until the number is `wanted`: what others do takes its time, but not for ever. */
static void wait_for(const char *sql, uint64_t wanted)
{
    const struct timespec pause = {.tv_nsec = 20000000};
    for (int i = 0; ask(sql) != wanted; i++) {
        if (i == WAIT_S * 50)
            fail_msg("%s: never %u", sql, (unsigned)wanted);
        nanosleep(&pause, NULL);
    }
}

/* ---- A connection of the test's own, to hold locks ---- */

static PGconn *connect_raw(void)
{
    const char *const keywords[] = {"dbname", NULL}, *const values[] = {server.url, NULL};
    return gh_libpq_get()->connectdbParams(keywords, values, 1);
}

static void run_raw(PGconn *connection, const char *sql)
{
    const struct gh_libpq *lib = gh_libpq_get();
    PGresult *result = lib->exec(connection, sql);
    ExecStatusType status = lib->resultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
        fail_msg("%s: %s", sql, lib->errorMessage(connection));
    lib->clear(result);
}

/* Nobody can seal until it ends. */
static PGconn *hold_up_sealing(void)
{
    PGconn *connection = connect_raw();
    run_raw(connection, "BEGIN; LOCK TABLE security_audit_log IN EXCLUSIVE MODE");
    return connection;
}

/* ---- Appending ---- */

struct appending {
    struct gh_store *store;
    unsigned first, count;
    bool in_bulk;
    enum gh_err result;
};

struct numbers {
    unsigned first, count;
};

/* Records that are told apart by a number in their metadata. */
static enum gh_err append_numbers(struct gh_tx *tx, void *args)
{
    const struct numbers *numbers = args;
    enum gh_err err = GH_OK;
    for (unsigned i = 0; err == GH_OK && i < numbers->count; i++) {
        char metadata[32];
        struct gh_audit_row row = gh_contract_row(numbers->first + i);
        snprintf(metadata, sizeof(metadata), "{\"n\":%u}", numbers->first + i);
        row.record.metadata = gh_str_from_c(metadata);
        err = tx->ops->audit_append(tx, &row);
    }
    return err;
}

static enum gh_err append(struct gh_store *store, unsigned first, unsigned count, bool in_bulk)
{
    struct numbers numbers = {first, count};
    struct gh_arena arena;
    gh_arena_init(&arena, 4096, 1 << 20);
    enum gh_err err =
        (in_bulk ? store->ops->run_bulk : store->ops->run)(store, append_numbers, &numbers, &arena);
    gh_arena_done(&arena);
    return err;
}

/* Small units, or fewer of twenty in bulk. */
static void *append_all(void *argument)
{
    struct appending *appending = argument;
    unsigned at_once = appending->in_bulk ? 20 : 1;
    for (unsigned i = 0; i < appending->count && appending->result == GH_OK; i += at_once)
        appending->result =
            append(appending->store, appending->first + i, at_once, appending->in_bulk);
    return NULL;
}

/* Each number of 0..count-1 is in the log once. */
static void assert_each_once(unsigned count)
{
    assert_int_equal(ask(UNSEALED), 0);
    assert_int_equal(ask("SELECT count(*) FROM security_audit_log"), count);
    assert_int_equal(ask("SELECT count(DISTINCT metadata) FROM security_audit_log"), count);
    assert_int_equal(
        ask("SELECT coalesce(max((metadata::json ->> 'n')::int), -1) + 1 FROM security_audit_log"),
        count);
}

/* Every chain is recomputed from its first record to its last. */
static void assert_all_chains(struct gh_contract *contract)
{
    uint64_t chains = ask("SELECT max(id) FROM audit_chains");
    for (uint32_t chain = 1; chain <= chains; chain++) {
        char sql[96];
        snprintf(sql, sizeof(sql), "SELECT count(*) FROM security_audit_log WHERE chain = %u",
                 chain);
        uint64_t count = ask(sql);
        if (count)
            gh_contract_assert_chain(contract, chain, 1, count);
    }
    assert_int_equal(ask("SELECT count(*) FROM audit_chains c WHERE seq <> (SELECT "
                         "coalesce(max(seq), 0) FROM security_audit_log WHERE chain = c.id)"),
                     0);
}

static uint32_t chain_of(struct gh_contract *contract)
{
    struct gh_audit_chain *chains;
    uint32_t own = 0;
    size_t count;
    struct gh_tx *tx = gh_contract_begin_read(contract);
    gh_contract_assert_ok(tx->ops->audit_chains(tx, &chains, &count));
    for (size_t i = 0; i < count; i++)
        if (chains[i].holder == GH_AUDIT_HELD_HERE)
            own = chains[i].id;
    gh_contract_commit(contract);
    return own;
}

/* ---- Chains ---- */

static void each_process_writes_a_chain_of_its_own(void **state)
{
    struct gh_contract first = open_contract(), second = open_contract();
    assert_int_equal(chain_of(&first), 1);
    assert_int_equal(chain_of(&second), 2);
    for (unsigned i = 0; i < 10; i++) {
        gh_contract_assert_ok(append(first.store, 4 * i, 1, false));
        gh_contract_assert_ok(append(second.store, 4 * i + 1, 1, false));
        gh_contract_assert_ok(append(first.store, 4 * i + 2, 1, true));
        gh_contract_assert_ok(append(second.store, 4 * i + 3, 1, true));
    }
    gh_contract_assert_chain(&first, 1, 1, 20);
    gh_contract_assert_chain(&second, 2, 1, 20);
    gh_contract_assert_chain(&first, 2, 1, 20);
    assert_each_once(40);
    gh_contract_done(&second);
    gh_contract_done(&first);
}

static void seals_what_is_left_when_it_closes_and_gives_its_chain_up(void **state)
{
    for (unsigned round = 0; round < 5; round++) {
        struct gh_contract contract = open_contract();
        assert_int_equal(chain_of(&contract), 1);
        for (unsigned i = 0; i < 20; i++)
            gh_contract_assert_ok(append(contract.store, 20 * round + i, 1, false));
        gh_contract_done(&contract);
        assert_int_equal(ask(UNSEALED), 0);
        assert_int_equal(ask("SELECT count(*) " HOLDERS), 0);
    }
    struct gh_contract contract = open_contract();
    gh_contract_assert_chain(&contract, 1, 1, 100);
    assert_int_equal(ask("SELECT count(*) FROM audit_chains"), 1);
    assert_each_once(100);
    gh_contract_done(&contract);
}

static void takes_the_lowest_chain_that_nobody_holds_and_no_lock_more(void **state)
{
    struct gh_contract stores[4];
    for (unsigned i = 0; i < 4; i++)
        stores[i] = open_contract();
    assert_int_equal(ask("SELECT count(*) " HOLDERS), 4);
    gh_contract_done(&stores[1]);
    gh_contract_done(&stores[2]);
    stores[1] = open_contract();
    assert_int_equal(chain_of(&stores[1]), 2);
    assert_int_equal(ask("SELECT count(*) " HOLDERS), 3);
    stores[2] = open_contract();
    assert_int_equal(chain_of(&stores[2]), 3);
    for (unsigned i = 0; i < 4; i++)
        gh_contract_done(&stores[i]);
}

/* ---- Seeing what is not sealed yet ---- */

struct reading {
    struct gh_store *store;
    unsigned runs;
    uint64_t seq;
    enum gh_err result;
};

/* Has seen the database before it comes to the log. */
static enum gh_err look_twice(struct gh_tx *tx, void *args)
{
    struct reading *reading = args;
    uint8_t hash[GH_SHA256_BYTES];
    uint64_t mails;
    reading->runs++;
    enum gh_err err = tx->ops->mail_count(tx, &mails);
    return err == GH_OK ? tx->ops->audit_head(tx, &reading->seq, hash) : err;
}

static void *read_twice(void *argument)
{
    struct reading *reading = argument;
    struct gh_arena arena;
    gh_arena_init(&arena, 4096, 1 << 20);
    reading->result = reading->store->ops->read(reading->store, look_twice, reading, &arena);
    gh_arena_done(&arena);
    return NULL;
}

static void what_reads_waits_for_what_this_process_has_appended(void **state)
{
    struct gh_contract contract = open_contract();
    struct reading reading = {.store = contract.store};
    pthread_t thread;
    PGconn *lock = hold_up_sealing();
    gh_contract_assert_ok(append(contract.store, 0, 3, false));
    assert_int_equal(ask(UNSEALED), 3);
    assert_int_equal(pthread_create(&thread, NULL, read_twice, &reading), 0);
    /* The reader has come so far: the sealer waits for the lock. */
    wait_for("SELECT count(*) FROM pg_locks WHERE NOT granted", 1);
    gh_libpq_get()->finish(lock);
    pthread_join(thread, NULL);
    gh_contract_assert_ok(reading.result);
    assert_int_equal(reading.seq, 3);
    gh_contract_done(&contract);
}

static void a_bulk_unit_comes_behind_what_was_committed_before_it(void **state)
{
    struct gh_contract contract = open_contract();
    for (unsigned i = 0; i < 50; i++) {
        uint8_t hash[GH_SHA256_BYTES];
        uint64_t seq;
        gh_contract_assert_ok(append(contract.store, 2 * i, 1, false));
        struct gh_tx *tx = gh_contract_begin_bulk(&contract);
        struct numbers one = {2 * i + 1, 1};
        gh_contract_assert_ok(append_numbers(tx, &one));
        gh_contract_assert_ok(tx->ops->audit_head(tx, &seq, hash));
        assert_int_equal(seq, 2 * i + 2);
        gh_contract_commit(&contract);
    }
    assert_each_once(100);
    gh_contract_done(&contract);
}

/* ---- Many at once ---- */

#define THREADS 4

static void run_threads(struct gh_store *store, struct appending appending[THREADS + 2],
                        pthread_t threads[THREADS + 2])
{
    for (unsigned i = 0; i < THREADS + 2; i++) {
        appending[i] = (struct appending){
            .store = store, .first = i * 200, .count = 200, .in_bulk = i >= THREADS};
        assert_int_equal(pthread_create(&threads[i], NULL, append_all, &appending[i]), 0);
    }
}

static void assert_threads_did_well(struct appending appending[THREADS + 2],
                                    pthread_t threads[THREADS + 2])
{
    for (unsigned i = 0; i < THREADS + 2; i++)
        pthread_join(threads[i], NULL);
    for (unsigned i = 0; i < THREADS + 2; i++)
        assert_int_equal(appending[i].result, GH_OK);
}

static void four_threads_append_while_bulk_units_run(void **state)
{
    struct gh_contract contract = open_contract();
    struct appending appending[THREADS + 2];
    pthread_t threads[THREADS + 2];
    run_threads(contract.store, appending, threads);
    assert_threads_did_well(appending, threads);
    gh_contract_assert_chain(&contract, 1, 1, (THREADS + 2) * 200);
    assert_each_once((THREADS + 2) * 200);
    gh_contract_done(&contract);
}

/* Cuts connections while records come; none is lost, and none there twice. */
static void append_while_cutting(const char *cut)
{
    struct gh_contract contract = open_contract();
    struct appending appending[THREADS + 2];
    pthread_t threads[THREADS + 2];
    const struct timespec pause = {.tv_nsec = 30000000};
    run_threads(contract.store, appending, threads);
    for (unsigned i = 0; i < 15; i++) {
        ask(cut);
        nanosleep(&pause, NULL); /* for more to come */
    }
    assert_threads_did_well(appending, threads);
    gh_contract_assert_ok(append(contract.store, (THREADS + 2) * 200, 1, true));
    assert_all_chains(&contract);
    assert_each_once((THREADS + 2) * 200 + 1);
    gh_contract_done(&contract);
    contract = open_contract();
    assert_all_chains(&contract);
    gh_contract_done(&contract);
}

static void loses_nothing_when_the_sealers_connection_is_cut(void **state)
{
    append_while_cutting("SELECT count(pg_terminate_backend(pid)) " HOLDERS);
}

static void loses_nothing_when_all_connections_are_cut(void **state)
{
    append_while_cutting("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE "
                         "datname = current_database() AND pid <> pg_backend_pid()");
}

/* In the middle: the rows are taken, and wait to be inserted. */
static void a_connection_that_is_cut_while_it_seals_seals_nothing_twice(void **state)
{
    struct gh_contract contract = open_contract();
    PGconn *lock = hold_up_sealing();
    gh_contract_assert_ok(append(contract.store, 0, 5, false));
    wait_for("SELECT count(*) FROM pg_locks WHERE NOT granted", 1);
    ask("SELECT count(pg_terminate_backend(pid)) " HOLDERS);
    wait_for("SELECT count(*) FROM pg_locks WHERE NOT granted",
             1); /* it is back, and tries again */
    gh_libpq_get()->finish(lock);
    gh_contract_assert_chain(&contract, 1, 1, 5);
    assert_each_once(5);
    gh_contract_done(&contract);
}

/* ---- Processes that die ---- */

/* Appends `count` records as another process, which then waits to be killed. */
static pid_t start_process(unsigned count)
{
    int ready[2];
    char byte;
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (!child) {
        struct gh_store *store = gh_postgres_fixture_open(&server);
        bool is_fine = store;
        for (unsigned i = 0; is_fine && i < count; i++)
            is_fine = append(store, i, 1, false) == GH_OK;
        if (!is_fine || write(ready[1], "x", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    return child;
}

static void kill_process(pid_t child)
{
    int status;
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
}

static void what_a_killed_process_left_goes_into_its_own_chain(void **state)
{
    PGconn *lock = hold_up_sealing();
    pid_t child = start_process(7);
    struct gh_contract second = open_contract();
    assert_int_equal(chain_of(&second), 2);
    gh_contract_assert_ok(append(second.store, 7, 1, false));
    kill_process(child);
    assert_int_equal(ask(UNSEALED), 8);
    gh_libpq_get()->finish(lock);
    wait_for(UNSEALED, 0); /* the second one seals its own, and then comes by */
    gh_contract_assert_chain(&second, 1, 1, 7);
    gh_contract_assert_chain(&second, 2, 1, 1);

    struct gh_contract third = open_contract();
    assert_int_equal(chain_of(&third), 1);
    gh_contract_assert_ok(append(third.store, 8, 1, false));
    gh_contract_assert_ok(append(third.store, 9, 1, true));
    gh_contract_assert_chain(&third, 1, 1, 9);
    assert_each_once(10);
    gh_contract_done(&third);
    gh_contract_done(&second);
}

static void who_takes_a_killed_ones_chain_goes_on_with_what_it_left(void **state)
{
    PGconn *lock = hold_up_sealing();
    kill_process(start_process(30));
    gh_libpq_get()->finish(lock);
    wait_for("SELECT count(*) " HOLDERS, 0);
    struct gh_contract next = open_contract();
    assert_int_equal(chain_of(&next), 1);
    gh_contract_assert_ok(append(next.store, 30, 1, true));
    gh_contract_assert_chain(&next, 1, 1, 31);
    assert_each_once(31);
    assert_int_equal(ask("SELECT (metadata::json ->> 'n')::int FROM security_audit_log "
                         "ORDER BY seq DESC LIMIT 1"),
                     30);
    gh_contract_done(&next);
}

/* Cut off, and somebody was faster. */
static void a_process_whose_chain_was_taken_writes_another_one(void **state)
{
    struct gh_contract contract = open_contract();
    gh_contract_assert_ok(append(contract.store, 0, 2, true));
    PGconn *other = connect_raw();
    run_raw(other, "SELECT pg_terminate_backend(pid) " HOLDERS);
    run_raw(other, "SELECT pg_advisory_lock('audit_chains'::regclass::oid::int4, 1)");
    gh_contract_assert_ok(append(contract.store, 2, 1, true));
    assert_int_equal(chain_of(&contract), 2);
    /* A unit that was under way still wrote to the old one. */
    run_raw(other, "INSERT INTO audit_unsealed (chain, time, event_type, outcome, metadata) VALUES "
                   "(1, 5, 'login', 'success', '{\"n\":3}')");
    gh_libpq_get()->finish(other);
    gh_contract_assert_ok(append(contract.store, 4, 1, false));
    wait_for(UNSEALED, 0);
    gh_contract_assert_chain(&contract, 1, 1, 3);
    gh_contract_assert_chain(&contract, 2, 1, 2);
    assert_each_once(5);
    gh_contract_done(&contract);
}

/* ---- Rows that are none ---- */

static void leaves_what_can_be_no_record_where_it_is(void **state)
{
    struct gh_contract contract = open_contract();
    ask("INSERT INTO audit_unsealed (chain, time, event_type, outcome, metadata) VALUES "
        "(1, 5, 'login', 'success', '{\"n\":0}'), (1, 5, 'login', 'success', '{\"n\":'), "
        "(1, -5, 'login', 'success', '{}'), (1, 5, 'of_a_later_version', 'success', '{}'), "
        "(1, 5, 'login', 'failure', '{\"n\":1}'), (99, 5, 'login', 'success', '{}')");
    gh_contract_assert_ok(append(contract.store, 2, 1, false));
    gh_contract_assert_chain(&contract, 1, 1, 3);
    assert_int_equal(ask("SELECT count(*) FROM audit_unsealed WHERE refused"), 3);
    assert_int_equal(ask("SELECT count(*) FROM audit_unsealed WHERE NOT refused"), 1);
    gh_contract_done(&contract);
    ask("DELETE FROM audit_unsealed WHERE time < 0 OR chain = 99");
    ask("UPDATE audit_unsealed SET event_type = 'logout', metadata = '{\"n\":' || id || '}'");
    contract = open_contract(); /* of a version that knows it */
    gh_contract_assert_chain(&contract, 1, 1, 5);
    assert_int_equal(ask(UNSEALED), 0);
    gh_contract_done(&contract);
}

/* ---- The queue ---- */

struct gate {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool is_entered, is_open;
    struct gh_postgres_sealer *sealer;
    atomic_uint done;
};

static enum gh_err pass_gate(struct gh_tx *tx, void *args)
{
    struct gate *gate = args;
    pthread_mutex_lock(&gate->lock);
    gate->is_entered = true;
    pthread_cond_broadcast(&gate->changed);
    while (!gate->is_open)
        pthread_cond_wait(&gate->changed, &gate->lock);
    pthread_mutex_unlock(&gate->lock);
    return GH_OK;
}

static void *run_at_gate(void *argument)
{
    struct gate *gate = argument;
    struct gh_arena arena;
    gh_arena_init(&arena, 4096, 1 << 20);
    if (gh_postgres_sealer_run(gate->sealer, pass_gate, gate, &arena) == GH_OK)
        gate->done++;
    gh_arena_done(&arena);
    return NULL;
}

static void refuses_bulk_units_over_its_queue(void **state)
{
    const struct gh_postgres_sealer_options options = {.target = {.url = server.url},
                                                       .bulk_queue_max = 1};
    struct gate gate = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    struct gh_str message;
    struct gh_arena arena;
    pthread_t first, second;
    gh_arena_init(&arena, 4096, 1 << 20);
    gh_contract_assert_ok(gh_postgres_sealer_open(&options, &arena, &gate.sealer, &message));
    pthread_create(&first, NULL, run_at_gate, &gate);
    pthread_mutex_lock(&gate.lock);
    while (!gate.is_entered)
        pthread_cond_wait(&gate.changed, &gate.lock);
    pthread_mutex_unlock(&gate.lock);
    pthread_create(&second, NULL, run_at_gate, &gate);
    while (gh_postgres_sealer_queued(gate.sealer) < 1)
        sched_yield();
    assert_int_equal(gh_postgres_sealer_run(gate.sealer, pass_gate, &gate, &arena), GH_ERR_FULL);
    pthread_mutex_lock(&gate.lock);
    gate.is_open = true;
    pthread_cond_broadcast(&gate.changed);
    pthread_mutex_unlock(&gate.lock);
    pthread_join(first, NULL);
    pthread_join(second, NULL);
    assert_int_equal(gate.done, 2);
    gh_postgres_sealer_close(gate.sealer);
    gh_arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(each_process_writes_a_chain_of_its_own, fresh_database),
        cmocka_unit_test_setup(seals_what_is_left_when_it_closes_and_gives_its_chain_up,
                               fresh_database),
        cmocka_unit_test_setup(takes_the_lowest_chain_that_nobody_holds_and_no_lock_more,
                               fresh_database),
        cmocka_unit_test_setup(what_reads_waits_for_what_this_process_has_appended, fresh_database),
        cmocka_unit_test_setup(a_bulk_unit_comes_behind_what_was_committed_before_it,
                               fresh_database),
        cmocka_unit_test_setup(four_threads_append_while_bulk_units_run, fresh_database),
        cmocka_unit_test_setup(loses_nothing_when_the_sealers_connection_is_cut, fresh_database),
        cmocka_unit_test_setup(loses_nothing_when_all_connections_are_cut, fresh_database),
        cmocka_unit_test_setup(a_connection_that_is_cut_while_it_seals_seals_nothing_twice,
                               fresh_database),
        cmocka_unit_test_setup(what_a_killed_process_left_goes_into_its_own_chain, fresh_database),
        cmocka_unit_test_setup(who_takes_a_killed_ones_chain_goes_on_with_what_it_left,
                               fresh_database),
        cmocka_unit_test_setup(a_process_whose_chain_was_taken_writes_another_one, fresh_database),
        cmocka_unit_test_setup(leaves_what_can_be_no_record_where_it_is, fresh_database),
        cmocka_unit_test_setup(refuses_bulk_units_over_its_queue, fresh_database),
    };
    if (!gh_postgres_fixture_start(&server))
        return GH_POSTGRES_SKIPPED;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    gh_postgres_fixture_done(&server);
    return failed;
}
