/* The PostgreSQL adapter: what becomes of the log when connections are cut, the server crashes, or
   a process is killed. */
#include "store/postgres_sealer_fixture.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "store/postgres_relay_fixture.h"
#include "store/postgres_sealer.h"

/* ---- Many at once ---- */

#define THREADS 4

static void run_threads(struct gh_store *store, struct gh_sealing_appending appending[THREADS + 2],
                        pthread_t threads[THREADS + 2])
{
    for (unsigned i = 0; i < THREADS + 2; i++) {
        appending[i] = (struct gh_sealing_appending){
            .store = store, .first = i * 200, .count = 200, .in_bulk = i >= THREADS};
        assert_int_equal(pthread_create(&threads[i], NULL, gh_sealing_append_all, &appending[i]),
                         0);
    }
}

static void assert_threads_did_well(struct gh_sealing_appending appending[THREADS + 2],
                                    pthread_t threads[THREADS + 2])
{
    for (unsigned i = 0; i < THREADS + 2; i++)
        pthread_join(threads[i], NULL);
    for (unsigned i = 0; i < THREADS + 2; i++)
        assert_int_equal(appending[i].result, GH_OK);
}

static void four_threads_append_while_bulk_units_run(void **state)
{
    struct gh_contract contract = gh_sealing_open();
    struct gh_sealing_appending appending[THREADS + 2];
    pthread_t threads[THREADS + 2];
    run_threads(contract.store, appending, threads);
    assert_threads_did_well(appending, threads);
    gh_contract_assert_chain(&contract, 1, 1, (THREADS + 2) * 200);
    gh_sealing_assert_each_once((THREADS + 2) * 200);
    gh_contract_done(&contract);
}

/* Cuts connections while records come; none is lost, and none there twice. */
static void append_while_cutting(const char *cut)
{
    struct gh_contract contract = gh_sealing_open();
    struct gh_sealing_appending appending[THREADS + 2];
    pthread_t threads[THREADS + 2];
    const struct timespec pause = {.tv_nsec = 30000000};
    run_threads(contract.store, appending, threads);
    for (unsigned i = 0; i < 15; i++) {
        gh_sealing_ask(cut);
        nanosleep(&pause, NULL); /* for more to come */
    }
    assert_threads_did_well(appending, threads);
    gh_contract_assert_ok(gh_sealing_append(contract.store, (THREADS + 2) * 200, 1, true));
    gh_sealing_assert_all_chains(&contract);
    gh_sealing_assert_each_once((THREADS + 2) * 200 + 1);
    gh_contract_done(&contract);
    contract = gh_sealing_open();
    gh_sealing_assert_all_chains(&contract);
    gh_contract_done(&contract);
}

static void loses_nothing_when_the_sealers_connection_is_cut(void **state)
{
    append_while_cutting("SELECT count(pg_terminate_backend(pid)) " GH_SEALING_HOLDERS);
}

static void loses_nothing_when_all_connections_are_cut(void **state)
{
    append_while_cutting("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE "
                         "datname = current_database() AND pid <> pg_backend_pid()");
}

/* Units may fail while it is away, and those that were under way then may be there or not. */
static void loses_nothing_acknowledged_when_the_server_crashes(void **state)
{
    struct gh_contract contract = gh_sealing_open();
    struct gh_sealing_appending appending[THREADS + 2];
    pthread_t threads[THREADS + 2];
    run_threads(contract.store, appending, threads);
    gh_sealing_wait_for("SELECT least(count(*), 50) FROM security_audit_log", 50);
    gh_postgres_fixture_stop(&gh_sealing_server, SIGQUIT);
    gh_postgres_fixture_restart(&gh_sealing_server);
    for (unsigned i = 0; i < THREADS + 2; i++)
        pthread_join(threads[i], NULL);
    gh_contract_done(&contract);
    contract = gh_sealing_open();
    gh_contract_assert_ok(gh_sealing_append(contract.store, 100000, 1, true));
    gh_sealing_assert_all_chains(&contract);
    gh_sealing_assert_acknowledged(appending, THREADS + 2);
    gh_contract_done(&contract);
}

/* In the middle: the rows are taken, and wait to be inserted. */
static void a_connection_that_is_cut_while_it_seals_seals_nothing_twice(void **state)
{
    struct gh_contract contract = gh_sealing_open();
    PGconn *lock = gh_sealing_hold_up();
    gh_contract_assert_ok(gh_sealing_append(contract.store, 0, 5, false));
    gh_sealing_wait_for("SELECT count(*) FROM pg_locks WHERE NOT granted", 1);
    gh_sealing_ask("SELECT count(pg_terminate_backend(pid)) " GH_SEALING_HOLDERS);
    gh_sealing_wait_for("SELECT count(*) FROM pg_locks WHERE NOT granted",
                        1); /* it is back, and tries again */
    gh_libpq_get()->finish(lock);
    gh_contract_assert_chain(&contract, 1, 1, 5);
    gh_sealing_assert_each_once(5);
    gh_contract_done(&contract);
}

#define LATE_MS 300

struct cutting {
    struct gh_postgres_relay *relay;
    unsigned runs;
};

/* Its COMMIT will not arrive; by then nobody waits for it any more. */
static enum gh_err append_too_late(struct gh_tx *tx, void *args)
{
    struct cutting *cutting = args;
    struct gh_sealing_numbers one = {cutting->runs++, 1};
    const struct timespec pause = {.tv_nsec = 2 * LATE_MS * 1000000};
    enum gh_err err = gh_sealing_append_numbers(tx, &one);
    atomic_store(&cutting->relay->cut, GH_RELAY_CUT_QUESTION);
    nanosleep(&pause, NULL);
    return err;
}

static void a_bulk_unit_that_did_not_commit_is_never_said_to_be_done(void **state)
{
    struct gh_postgres_relay relay;
    struct gh_postgres_sealer *sealer;
    struct gh_str message;
    struct gh_arena arena;
    struct cutting cutting = {.relay = &relay};
    gh_arena_init(&arena, 4096, 1 << 20);
    gh_postgres_relay_start(&relay, &gh_sealing_server);
    const struct gh_postgres_sealer_options options = {.target = {.url = relay.url},
                                                       .patience_ms = LATE_MS};
    gh_contract_assert_ok(gh_postgres_sealer_open(&options, &arena, &sealer, &message));
    assert_int_equal(gh_postgres_sealer_run(sealer, append_too_late, &cutting, &arena), GH_ERR_IO);
    assert_int_equal(cutting.runs, 1);
    assert_int_equal(gh_sealing_ask("SELECT count(*) FROM security_audit_log"), 0);
    gh_postgres_sealer_close(sealer);
    gh_postgres_relay_stop(&relay);
    gh_arena_done(&arena);
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
        struct gh_store *store = gh_postgres_fixture_open(&gh_sealing_server);
        bool is_fine = store;
        for (unsigned i = 0; is_fine && i < count; i++)
            is_fine = gh_sealing_append(store, i, 1, false) == GH_OK;
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

static struct gh_postgres_counts counts_of(struct gh_contract *contract)
{
    struct gh_postgres_counts counts;
    assert_true(gh_postgres_counts_of(contract->store, &counts));
    return counts;
}

static void what_a_killed_process_left_goes_into_its_own_chain(void **state)
{
    PGconn *lock = gh_sealing_hold_up();
    pid_t child = start_process(7);
    struct gh_contract second = gh_sealing_open();
    assert_int_equal(gh_sealing_chain_of(&second), 2);
    gh_contract_assert_ok(gh_sealing_append(second.store, 7, 1, false));
    kill_process(child);
    assert_int_equal(gh_sealing_ask(GH_SEALING_UNSEALED), 8);
    gh_libpq_get()->finish(lock);
    gh_sealing_wait_for(GH_SEALING_UNSEALED,
                        0); /* the second one seals its own, and then comes by */
    gh_contract_assert_chain(&second, 1, 1, 7);
    gh_contract_assert_chain(&second, 2, 1, 1);
    while (counts_of(&second).sealed < 8) /* it commits, and then counts */
        sched_yield();
    assert_int_equal(counts_of(&second).foreign_chains, 1);
    assert_int_equal(counts_of(&second).lost_chains, 0);

    struct gh_contract third = gh_sealing_open();
    assert_int_equal(gh_sealing_chain_of(&third), 1);
    gh_contract_assert_ok(gh_sealing_append(third.store, 8, 1, false));
    gh_contract_assert_ok(gh_sealing_append(third.store, 9, 1, true));
    gh_contract_assert_chain(&third, 1, 1, 9);
    gh_sealing_assert_each_once(10);
    gh_contract_done(&third);
    gh_contract_done(&second);
}

static void who_takes_a_killed_ones_chain_goes_on_with_what_it_left(void **state)
{
    PGconn *lock = gh_sealing_hold_up();
    kill_process(start_process(30));
    gh_libpq_get()->finish(lock);
    gh_sealing_wait_for("SELECT count(*) " GH_SEALING_HOLDERS, 0);
    struct gh_contract next = gh_sealing_open();
    assert_int_equal(gh_sealing_chain_of(&next), 1);
    gh_contract_assert_ok(gh_sealing_append(next.store, 30, 1, true));
    gh_contract_assert_chain(&next, 1, 1, 31);
    gh_sealing_assert_each_once(31);
    assert_int_equal(gh_sealing_ask("SELECT (metadata::json ->> 'n')::int FROM security_audit_log "
                                    "ORDER BY seq DESC LIMIT 1"),
                     30);
    gh_contract_done(&next);
}

/* ---- What a process is told of its chains ---- */

struct told {
    struct gh_audit_own own;
    struct gh_audit_written *rows;
    size_t count;
};

static enum gh_err read_told(struct gh_tx *tx, void *args)
{
    struct told *told = args;
    enum gh_err err = tx->ops->audit_own(tx, &told->own);
    return err == GH_OK ? tx->ops->audit_written(tx, 0, &told->rows, &told->count) : err;
}

static struct told told_of(struct gh_contract *contract)
{
    struct told told;
    gh_contract_assert_ok(
        contract->store->ops->read(contract->store, read_told, &told, &contract->arena));
    return told;
}

static void assert_written(const struct gh_audit_written *row, uint32_t chain, uint64_t after,
                           uint64_t through)
{
    assert_int_equal(row->chain, chain);
    assert_int_equal(row->after_seq, after);
    assert_int_equal(row->through_seq, through);
}

static void a_chain_that_is_taken_again_may_have_been_anothers_meanwhile(void **state)
{
    struct gh_contract contract = gh_sealing_open();
    gh_contract_assert_ok(gh_sealing_append(contract.store, 0, 2, true));
    assert_int_equal(told_of(&contract).own.times, 1);
    gh_sealing_ask("SELECT count(pg_terminate_backend(pid)) " GH_SEALING_HOLDERS);
    gh_contract_assert_ok(gh_sealing_append(contract.store, 2, 1, true));
    struct told told = told_of(&contract);
    assert_int_equal(told.own.chain, 1);
    assert_int_equal(told.own.times, 2);
    assert_int_equal(told.count, 1); /* it goes on */
    assert_written(&told.rows[0], 1, 0, 0);
    gh_contract_done(&contract);
    contract = gh_sealing_open();
    told = told_of(&contract);
    assert_int_equal(told.own.times, 1);
    assert_int_equal(told.count, 1);
    assert_written(&told.rows[0], 1, 3, 0);
    gh_contract_done(&contract);
}

/* Cut off, and somebody was faster. */
static void a_process_whose_chain_was_taken_writes_another_one(void **state)
{
    struct gh_contract contract = gh_sealing_open();
    gh_contract_assert_ok(gh_sealing_append(contract.store, 0, 2, true));
    PGconn *other = gh_sealing_connect();
    gh_sealing_run_sql(other, "SELECT pg_terminate_backend(pid) " GH_SEALING_HOLDERS);
    gh_sealing_run_sql(other, "SELECT pg_advisory_lock('audit_chains'::regclass::oid::int4, 1)");
    gh_contract_assert_ok(gh_sealing_append(contract.store, 2, 1, true));
    assert_int_equal(gh_sealing_chain_of(&contract), 2);
    /* A unit that was under way still wrote to the old one. */
    gh_sealing_run_sql(
        other, "INSERT INTO audit_unsealed (chain, time, event_type, outcome, metadata) VALUES "
               "(1, 5, 'login', 'success', '{\"n\":3}')");
    gh_libpq_get()->finish(other);
    gh_contract_assert_ok(gh_sealing_append(contract.store, 4, 1, false));
    gh_sealing_wait_for(GH_SEALING_UNSEALED, 0);
    gh_contract_assert_chain(&contract, 1, 1, 3);
    gh_contract_assert_chain(&contract, 2, 1, 2);
    gh_sealing_assert_each_once(5);
    struct told told = told_of(&contract);
    assert_int_equal(told.own.chain, 2);
    assert_int_equal(told.count, 3);
    assert_written(&told.rows[0], 1, 0, 0);
    assert_written(&told.rows[1], 2, 0, 0);
    assert_written(&told.rows[2], 1, 2, 3); /* what it sealed there when it had it no more */
    gh_contract_done(&contract);
}

/* ---- A chain that another process has taken ---- */

#define TAKE_CHAIN_1                                                                               \
    "SELECT pg_terminate_backend(pid) " GH_SEALING_HOLDERS                                         \
    "; SELECT pg_advisory_lock('audit_chains'::regclass::oid::int4, 1)"
#define LEAVE_IN_CHAIN_1                                                                           \
    "INSERT INTO audit_unsealed (chain, time, event_type, outcome, metadata) VALUES "              \
    "(1, 5, 'login', 'success', '{\"n\":1000}') RETURNING id"

/* A process that has left its record 0 in chain 1, and writes chain 2 now. The holder of chain 1
   has left one there itself, seals nothing, and is the connection that is returned. */
static PGconn *lose_chain(struct gh_contract *contract)
{
    *contract = gh_sealing_open();
    PGconn *lock = gh_sealing_hold_up(), *other = gh_sealing_connect();
    gh_contract_assert_ok(gh_sealing_append(contract->store, 0, 1, false));
    gh_sealing_run_sql(other, TAKE_CHAIN_1);
    gh_sealing_run_sql(other, LEAVE_IN_CHAIN_1);
    gh_libpq_get()->finish(lock);
    while (!counts_of(contract).lost_chains)
        sched_yield();
    return other;
}

struct reading {
    struct gh_store *store;
    atomic_uint runs; /* of the unit */
    enum gh_err result;
};

static enum gh_err look_at_log(struct gh_tx *tx, void *args)
{
    struct reading *reading = args;
    uint8_t hash[GH_SHA256_BYTES];
    uint64_t seq;
    reading->runs++;
    enum gh_err err = tx->ops->audit_head(tx, &seq, hash);
    return err == GH_ERR_NOT_FOUND ? GH_OK : err;
}

static void *read_log(void *argument)
{
    struct reading *reading = argument;
    struct gh_arena arena;
    gh_arena_init(&arena, 4096, 1 << 20);
    reading->result = reading->store->ops->read(reading->store, look_at_log, reading, &arena);
    gh_arena_done(&arena);
    return NULL;
}

/* Who holds the chain writes there all the time: something is always unsealed in it. */
static void what_another_process_has_sealed_is_waited_for_no_longer(void **state)
{
    struct gh_contract contract;
    pthread_t thread;
    PGconn *other = lose_chain(&contract);
    struct reading reading = {.store = contract.store};
    assert_int_equal(pthread_create(&thread, NULL, read_log, &reading), 0);
    while (!reading.runs) /* then it waits for record 0 */
        sched_yield();
    assert_int_equal(counts_of(&contract).lost_chains, 1);
    assert_int_equal(counts_of(&contract).unsealed, 1);
    gh_sealing_run_sql(other, "DELETE FROM audit_unsealed WHERE metadata = '{\"n\":0}'");
    pthread_join(thread, NULL);
    gh_contract_assert_ok(reading.result);
    assert_int_equal(reading.runs, 2);
    assert_int_equal(gh_sealing_ask(GH_SEALING_UNSEALED), 1);
    assert_int_equal(counts_of(&contract).unsealed, 0);
    assert_int_equal(counts_of(&contract).sealed, 0); /* but by the other one */
    gh_libpq_get()->finish(other);
    gh_contract_done(&contract);
}

#define ALONE_S 15 /* for 40 records; a second for each is what a server that fails costs */

static void seals_as_fast_as_ever_while_another_process_has_its_former_chain(void **state)
{
    struct gh_contract contract;
    struct timespec begin, end;
    PGconn *other = lose_chain(&contract);
    clock_gettime(CLOCK_MONOTONIC, &begin);
    for (unsigned i = 1; i <= 40; i++) {
        gh_contract_assert_ok(gh_sealing_append(contract.store, i, 1, false));
        gh_sealing_wait_for(GH_SEALING_UNSEALED " WHERE chain = 2", 0);
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    assert_in_range(end.tv_sec - begin.tv_sec, 0, ALONE_S);
    gh_libpq_get()->finish(other);
    gh_contract_done(&contract);
}

static enum gh_err do_nothing(struct gh_tx *tx, void *args)
{
    return GH_OK;
}

/* The other one, which has the chain now, does not seal what is left there. */
static void bulk_units_run_while_another_process_has_to_seal_what_was_left(void **state)
{
    const struct gh_postgres_sealer_options options = {.target = {.url = gh_sealing_server.url},
                                                       .patience_ms = LATE_MS};
    const struct timespec pause = {.tv_sec = 1};
    struct gh_postgres_sealer *sealer;
    struct gh_str message;
    struct gh_arena arena;
    gh_arena_init(&arena, 4096, 1 << 20);
    gh_contract_assert_ok(gh_postgres_sealer_open(&options, &arena, &sealer, &message));
    PGconn *other = gh_sealing_connect();
    uint32_t chain = gh_postgres_sealer_enter(sealer);
    gh_sealing_run_sql(other, TAKE_CHAIN_1);
    gh_postgres_sealer_note(sealer, chain, gh_sealing_ask(LEAVE_IN_CHAIN_1));
    gh_postgres_sealer_leave(sealer, chain, 1);
    while (gh_postgres_sealer_chain(sealer) == 1)
        gh_postgres_sealer_wake(sealer);
    nanosleep(&pause, NULL); /* longer than its patience */
    assert_true(gh_postgres_sealer_is_behind(sealer));
    for (unsigned i = 0; i < 3; i++)
        gh_contract_assert_ok(gh_postgres_sealer_run(sealer, do_nothing, NULL, &arena));
    gh_libpq_get()->finish(other);
    gh_sealing_wait_for(GH_SEALING_UNSEALED, 0);
    gh_postgres_sealer_close(sealer);
    gh_arena_done(&arena);
}

/* It appends where it would have, and by then nobody else of this process does. */
static void a_unit_that_was_under_way_when_the_chain_was_lost_is_waited_for(void **state)
{
    const struct gh_postgres_sealer_options options = {.target = {.url = gh_sealing_server.url}};
    const struct timespec pause = {.tv_nsec = 300000000};
    struct gh_postgres_sealer *sealer;
    struct gh_str message;
    struct gh_arena arena;
    gh_arena_init(&arena, 4096, 1 << 20);
    gh_contract_assert_ok(gh_postgres_sealer_open(&options, &arena, &sealer, &message));
    uint32_t chain = gh_postgres_sealer_enter(sealer);
    PGconn *other = gh_sealing_connect();
    gh_sealing_run_sql(other, TAKE_CHAIN_1);
    while (gh_postgres_sealer_chain(sealer) == 1 || gh_postgres_sealer_is_behind(sealer))
        gh_contract_assert_ok(gh_postgres_sealer_run(sealer, do_nothing, NULL, &arena));
    gh_postgres_sealer_note(sealer, chain, gh_sealing_ask(LEAVE_IN_CHAIN_1));
    gh_postgres_sealer_leave(sealer, chain, 1);
    nanosleep(&pause, NULL); /* until the sealer has asked what became of it */
    assert_true(gh_postgres_sealer_is_behind(sealer));
    gh_sealing_run_sql(other, "DELETE FROM audit_unsealed");
    while (gh_postgres_sealer_is_behind(sealer))
        sched_yield();
    gh_libpq_get()->finish(other);
    gh_postgres_sealer_close(sealer);
    gh_arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(four_threads_append_while_bulk_units_run, gh_sealing_fresh),
        cmocka_unit_test_setup(loses_nothing_when_the_sealers_connection_is_cut, gh_sealing_fresh),
        cmocka_unit_test_setup(loses_nothing_when_all_connections_are_cut, gh_sealing_fresh),
        cmocka_unit_test_setup(loses_nothing_acknowledged_when_the_server_crashes,
                               gh_sealing_fresh),
        cmocka_unit_test_setup(a_connection_that_is_cut_while_it_seals_seals_nothing_twice,
                               gh_sealing_fresh),
        cmocka_unit_test_setup(a_bulk_unit_that_did_not_commit_is_never_said_to_be_done,
                               gh_sealing_fresh),
        cmocka_unit_test_setup(what_a_killed_process_left_goes_into_its_own_chain,
                               gh_sealing_fresh),
        cmocka_unit_test_setup(who_takes_a_killed_ones_chain_goes_on_with_what_it_left,
                               gh_sealing_fresh),
        cmocka_unit_test_setup(a_chain_that_is_taken_again_may_have_been_anothers_meanwhile,
                               gh_sealing_fresh),
        cmocka_unit_test_setup(a_process_whose_chain_was_taken_writes_another_one,
                               gh_sealing_fresh),
        cmocka_unit_test_setup(what_another_process_has_sealed_is_waited_for_no_longer,
                               gh_sealing_fresh),
        cmocka_unit_test_setup(seals_as_fast_as_ever_while_another_process_has_its_former_chain,
                               gh_sealing_fresh),
        cmocka_unit_test_setup(a_unit_that_was_under_way_when_the_chain_was_lost_is_waited_for,
                               gh_sealing_fresh),
        cmocka_unit_test_setup(bulk_units_run_while_another_process_has_to_seal_what_was_left,
                               gh_sealing_fresh),
    };
    if (!gh_postgres_fixture_start(&gh_sealing_server))
        return GH_POSTGRES_SKIPPED;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    gh_postgres_fixture_done(&gh_sealing_server);
    return failed;
}
