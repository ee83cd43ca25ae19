/* The PostgreSQL adapter: chains of several processes, units that see what is not sealed yet, rows
   that are none, and the queue of bulk units. */
#include "store/postgres_sealer_fixture.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <sched.h>
#include <stdatomic.h>
#include <time.h>

#include "store/postgres_sealer.h"

/* ---- Chains ---- */

static void each_process_writes_a_chain_of_its_own(void **state)
{
    struct gh_contract first = gh_sealing_open(), second = gh_sealing_open();
    assert_int_equal(gh_sealing_chain_of(&first), 1);
    assert_int_equal(gh_sealing_chain_of(&second), 2);
    for (unsigned i = 0; i < 10; i++) {
        gh_contract_assert_ok(gh_sealing_append(first.store, 4 * i, 1, false));
        gh_contract_assert_ok(gh_sealing_append(second.store, 4 * i + 1, 1, false));
        gh_contract_assert_ok(gh_sealing_append(first.store, 4 * i + 2, 1, true));
        gh_contract_assert_ok(gh_sealing_append(second.store, 4 * i + 3, 1, true));
    }
    gh_contract_assert_chain(&first, 1, 1, 20);
    gh_contract_assert_chain(&second, 2, 1, 20);
    gh_contract_assert_chain(&first, 2, 1, 20);
    gh_sealing_assert_each_once(40);
    gh_contract_done(&second);
    gh_contract_done(&first);
}

static void seals_what_is_left_when_it_closes_and_gives_its_chain_up(void **state)
{
    for (unsigned round = 0; round < 5; round++) {
        struct gh_contract contract = gh_sealing_open();
        assert_int_equal(gh_sealing_chain_of(&contract), 1);
        for (unsigned i = 0; i < 20; i++)
            gh_contract_assert_ok(gh_sealing_append(contract.store, 20 * round + i, 1, false));
        gh_contract_done(&contract);
        assert_int_equal(gh_sealing_ask(GH_SEALING_UNSEALED), 0);
        assert_int_equal(gh_sealing_ask("SELECT count(*) " GH_SEALING_HOLDERS), 0);
    }
    struct gh_contract contract = gh_sealing_open();
    gh_contract_assert_chain(&contract, 1, 1, 100);
    assert_int_equal(gh_sealing_ask("SELECT count(*) FROM audit_chains"), 1);
    gh_sealing_assert_each_once(100);
    gh_contract_done(&contract);
}

static void takes_the_lowest_chain_that_nobody_holds_and_no_lock_more(void **state)
{
    struct gh_contract stores[4];
    for (unsigned i = 0; i < 4; i++)
        stores[i] = gh_sealing_open();
    assert_int_equal(gh_sealing_ask("SELECT count(*) " GH_SEALING_HOLDERS), 4);
    gh_contract_done(&stores[1]);
    gh_contract_done(&stores[2]);
    stores[1] = gh_sealing_open();
    assert_int_equal(gh_sealing_chain_of(&stores[1]), 2);
    assert_int_equal(gh_sealing_ask("SELECT count(*) " GH_SEALING_HOLDERS), 3);
    stores[2] = gh_sealing_open();
    assert_int_equal(gh_sealing_chain_of(&stores[2]), 3);
    for (unsigned i = 0; i < 4; i++)
        gh_contract_done(&stores[i]);
}

static void goes_on_behind_the_newest_record_when_the_table_of_chains_is_behind(void **state)
{
    struct gh_contract contract = gh_sealing_open();
    gh_contract_assert_ok(gh_sealing_append(contract.store, 0, 5, true));
    gh_contract_done(&contract);
    gh_sealing_ask("UPDATE audit_chains SET seq = 2, hash = decode(repeat('01', 32), 'hex')");
    contract = gh_sealing_open();
    gh_contract_assert_ok(gh_sealing_append(contract.store, 5, 1, true));
    gh_contract_assert_ok(gh_sealing_append(contract.store, 6, 1, false));
    gh_contract_assert_chain(&contract, 1, 1, 7);
    gh_sealing_assert_all_chains(&contract);
    gh_contract_done(&contract);
}

/* ---- Seeing what is not sealed yet ---- */

struct reading {
    struct gh_store *store;
    bool may_write;
    atomic_uint runs; /* of the unit, which have seen the database */
    uint64_t seq;
    enum gh_err result;
};

/* Has seen the database before it comes to the log. */
static enum gh_err look_twice(struct gh_tx *tx, void *args)
{
    struct reading *reading = args;
    uint8_t hash[GH_SHA256_BYTES];
    uint64_t mails;
    enum gh_err err = tx->ops->mail_count(tx, &mails);
    reading->runs++;
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

static void what_has_seen_too_little_of_the_log_is_read_again(void **state)
{
    struct gh_contract contract = gh_sealing_open();
    struct reading reading = {.store = contract.store};
    pthread_t thread;
    PGconn *lock = gh_sealing_hold_up();
    gh_contract_assert_ok(gh_sealing_append(contract.store, 0, 3, false));
    assert_int_equal(gh_sealing_ask(GH_SEALING_UNSEALED), 3);
    assert_int_equal(pthread_create(&thread, NULL, read_twice, &reading), 0);
    while (reading.runs < 1)
        sched_yield();
    gh_libpq_get()->finish(lock);
    pthread_join(thread, NULL);
    gh_contract_assert_ok(reading.result);
    assert_int_equal(reading.seq, 3);
    assert_int_equal(reading.runs, 2);
    gh_contract_done(&contract);
}

/* Always something is unsealed in what it sees. */
static enum gh_err look_under_traffic(struct gh_tx *tx, void *args)
{
    struct reading *reading = args;
    uint8_t hash[GH_SHA256_BYTES];
    uint64_t mails;
    PGconn *lock = gh_sealing_hold_up();
    enum gh_err err = gh_sealing_append(reading->store, reading->runs++, 1, false);
    if (err == GH_OK)
        err = tx->ops->mail_count(tx, &mails);
    gh_libpq_get()->finish(lock);
    if (err == GH_OK)
        err = tx->ops->audit_head(tx, &reading->seq, hash);
    return err == GH_OK ? tx->ops->audit_head(tx, &reading->seq, hash) : err;
}

static void a_unit_is_read_again_once_however_much_comes_meanwhile(void **state)
{
    struct gh_contract contract = gh_sealing_open();
    struct reading reading = {.store = contract.store};
    struct gh_arena arena;
    gh_arena_init(&arena, 4096, 1 << 20);
    gh_contract_assert_ok(
        contract.store->ops->read(contract.store, look_under_traffic, &reading, &arena));
    assert_int_equal(reading.runs, 2);
    assert_true(reading.seq >= 1);
    gh_arena_done(&arena);
    gh_contract_done(&contract);
}

#define READERS 8 /* as many as there are connections; the last of them is not for writers */

static enum gh_err look_at_once(struct gh_tx *tx, void *args)
{
    struct reading *reading = args;
    uint8_t hash[GH_SHA256_BYTES];
    reading->runs++;
    return tx->ops->audit_head(tx, &reading->seq, hash);
}

static void *read_at_once(void *argument)
{
    struct reading *reading = argument;
    struct gh_arena arena;
    gh_arena_init(&arena, 4096, 1 << 20);
    const struct gh_store_ops *ops = reading->store->ops;
    reading->result =
        (reading->may_write ? ops->run : ops->read)(reading->store, look_at_once, reading, &arena);
    gh_arena_done(&arena);
    return NULL;
}

static enum gh_err count_mails(struct gh_tx *tx, void *args)
{
    return tx->ops->mail_count(tx, args);
}

static void wait_for_sealing(unsigned count, bool may_write)
{
    struct gh_contract contract = gh_sealing_open();
    struct reading readings[READERS] = {{.store = NULL}};
    pthread_t threads[READERS];
    struct gh_arena arena;
    uint64_t mails;
    PGconn *lock = gh_sealing_hold_up();
    gh_contract_assert_ok(gh_sealing_append(contract.store, 0, 1, false));
    for (unsigned i = 0; i < count; i++) {
        readings[i].store = contract.store;
        readings[i].may_write = may_write;
        pthread_create(&threads[i], NULL, read_at_once, &readings[i]);
    }
    for (unsigned i = 0; i < count; i++)
        while (!readings[i].runs)
            sched_yield();
    gh_arena_init(&arena, 4096, 1 << 20);
    const struct gh_store_ops *ops = contract.store->ops;
    enum gh_err err =
        (may_write ? ops->run : ops->read)(contract.store, count_mails, &mails, &arena);
    gh_libpq_get()->finish(lock);
    for (unsigned i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    gh_contract_assert_ok(err);
    for (unsigned i = 0; i < count; i++) {
        gh_contract_assert_ok(readings[i].result);
        assert_int_equal(readings[i].seq, 1);
    }
    gh_arena_done(&arena);
    gh_contract_done(&contract);
}

static void who_waits_for_sealing_holds_no_connection(void **state)
{
    wait_for_sealing(READERS, false);
}

static void who_may_write_waits_for_sealing_without_a_connection_too(void **state)
{
    wait_for_sealing(READERS - 1, true);
}

static struct gh_postgres_counts counts_of(struct gh_contract *contract)
{
    struct gh_postgres_counts counts;
    assert_true(gh_postgres_counts_of(contract->store, &counts));
    assert_true(counts.seals);
    return counts;
}

static void counts_what_waits_and_what_was_sealed(void **state)
{
    struct gh_contract contract = gh_sealing_open();
    const struct timespec pause = {.tv_nsec = 20000000};
    PGconn *lock = gh_sealing_hold_up();
    assert_int_equal(counts_of(&contract).unsealed_ms, 0);
    gh_contract_assert_ok(gh_sealing_append(contract.store, 0, 3, false));
    nanosleep(&pause, NULL);
    gh_contract_assert_ok(gh_sealing_append(contract.store, 3, 1, false));
    assert_int_equal(counts_of(&contract).unsealed, 4);
    assert_true(counts_of(&contract).unsealed_ms >= 20);
    assert_int_equal(counts_of(&contract).sealed, 0);
    gh_libpq_get()->finish(lock);
    while (counts_of(&contract).unsealed)
        sched_yield();
    struct gh_postgres_counts counts = counts_of(&contract);
    assert_int_equal(counts.unsealed_ms, 0);
    assert_int_equal(counts.sealed, 4);
    assert_in_range(counts.batches, 1, 2);
    assert_int_equal(counts.foreign_chains, 0);
    assert_int_equal(counts.lost_chains, 0);
    gh_contract_assert_ok(gh_sealing_append(contract.store, 4, 20, true)); /* need no sealing */
    assert_int_equal(counts_of(&contract).sealed, 4);
    gh_contract_done(&contract);
}

static void a_bulk_unit_comes_behind_what_was_committed_before_it(void **state)
{
    struct gh_contract contract = gh_sealing_open();
    for (unsigned i = 0; i < 50; i++) {
        uint8_t hash[GH_SHA256_BYTES];
        uint64_t seq;
        gh_contract_assert_ok(gh_sealing_append(contract.store, 2 * i, 1, false));
        struct gh_tx *tx = gh_contract_begin_bulk(&contract);
        struct gh_sealing_numbers one = {2 * i + 1, 1};
        gh_contract_assert_ok(gh_sealing_append_numbers(tx, &one));
        gh_contract_assert_ok(tx->ops->audit_head(tx, &seq, hash));
        assert_int_equal(seq, 2 * i + 2);
        gh_contract_commit(&contract);
    }
    gh_sealing_assert_each_once(100);
    gh_contract_done(&contract);
}

/* ---- Rows that are none ---- */

static void leaves_what_can_be_no_record_where_it_is(void **state)
{
    struct gh_contract contract = gh_sealing_open();
    gh_sealing_ask(
        "INSERT INTO audit_unsealed (chain, time, event_type, outcome, metadata) VALUES "
        "(1, 5, 'login', 'success', '{\"n\":0}'), (1, 5, 'login', 'success', '{\"n\":'), "
        "(1, -5, 'login', 'success', '{}'), (1, 5, 'of_a_later_version', 'success', '{}'), "
        "(1, 5, 'login', 'failure', '{\"n\":1}'), (99, 5, 'login', 'success', '{}')");
    gh_contract_assert_ok(gh_sealing_append(contract.store, 2, 1, false));
    gh_contract_assert_chain(&contract, 1, 1, 3);
    assert_int_equal(gh_sealing_ask("SELECT count(*) FROM audit_unsealed WHERE refused"), 3);
    assert_int_equal(gh_sealing_ask("SELECT count(*) FROM audit_unsealed WHERE NOT refused"), 1);
    gh_contract_done(&contract);
    gh_sealing_ask("DELETE FROM audit_unsealed WHERE time < 0 OR chain = 99");
    gh_sealing_ask(
        "UPDATE audit_unsealed SET event_type = 'logout', metadata = '{\"n\":' || id || '}'");
    contract = gh_sealing_open(); /* of a version that knows it */
    gh_contract_assert_chain(&contract, 1, 1, 5);
    assert_int_equal(gh_sealing_ask(GH_SEALING_UNSEALED), 0);
    gh_contract_done(&contract);
}

/* ---- The queue ---- */

#define PATIENCE_MS 2000

/* Bulk units wait here, one after another, until they are let through. */
struct gate {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned entered, let_through;
    struct gh_postgres_sealer *sealer;
    struct gh_arena arena;
    atomic_uint done;
};

static enum gh_err pass_gate(struct gh_tx *tx, void *args)
{
    struct gate *gate = args;
    pthread_mutex_lock(&gate->lock);
    unsigned place = gate->entered++;
    pthread_cond_broadcast(&gate->changed);
    while (gate->let_through <= place)
        pthread_cond_wait(&gate->changed, &gate->lock);
    pthread_mutex_unlock(&gate->lock);
    return GH_OK;
}

static void wait_at_gate(struct gate *gate, unsigned entered)
{
    pthread_mutex_lock(&gate->lock);
    while (gate->entered < entered)
        pthread_cond_wait(&gate->changed, &gate->lock);
    pthread_mutex_unlock(&gate->lock);
}

static void let_through(struct gate *gate, unsigned count)
{
    pthread_mutex_lock(&gate->lock);
    gate->let_through = count;
    pthread_cond_broadcast(&gate->changed);
    pthread_mutex_unlock(&gate->lock);
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

static pthread_t start_at_gate(struct gate *gate)
{
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, run_at_gate, gate), 0);
    return thread;
}

static void wait_in_queue(struct gate *gate, unsigned count)
{
    while (gh_postgres_sealer_queued(gate->sealer) < count)
        sched_yield();
}

/* A sealer that has entered the gate with a unit of the thread that is returned. */
static pthread_t open_gate(struct gate *gate, unsigned queue_max)
{
    const struct gh_postgres_sealer_options options = {.target = {.url = gh_sealing_server.url},
                                                       .bulk_queue_max = queue_max,
                                                       .look_ms = 600000,
                                                       .patience_ms = PATIENCE_MS};
    struct gh_str message;
    *gate = (struct gate){.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    gh_arena_init(&gate->arena, 4096, 1 << 20);
    gh_contract_assert_ok(gh_postgres_sealer_open(&options, &gate->arena, &gate->sealer, &message));
    while (gh_postgres_sealer_is_behind(gate->sealer)) /* the first turn */
        sched_yield();
    pthread_t thread = start_at_gate(gate);
    wait_at_gate(gate, 1);
    return thread;
}

static void close_gate(struct gate *gate)
{
    gh_postgres_sealer_close(gate->sealer);
    gh_arena_done(&gate->arena);
}

static void refuses_bulk_units_over_its_queue(void **state)
{
    struct gate gate;
    pthread_t first = open_gate(&gate, 1), second = start_at_gate(&gate);
    wait_in_queue(&gate, 1);
    assert_int_equal(gh_postgres_sealer_run(gate.sealer, pass_gate, &gate, &gate.arena),
                     GH_ERR_FULL);
    let_through(&gate, 2);
    pthread_join(first, NULL);
    pthread_join(second, NULL);
    assert_int_equal(gate.done, 2);
    close_gate(&gate);
}

/* Sealing fails, so that the sealer counts the server as failing; then a bulk unit is done, and
   takes longer than anybody should wait for a server that fails. */
static void what_waits_is_not_answered_with_what_became_of_another_unit(void **state)
{
    struct gate gate;
    pthread_t first = open_gate(&gate, 4);
    PGconn *lock = gh_sealing_hold_up();
    gh_sealing_ask("INSERT INTO audit_unsealed (chain, time, event_type, outcome, metadata) VALUES "
                   "(1, 5, 'login', 'success', '{\"n\":0}')");
    gh_postgres_sealer_wake(gate.sealer);
    pthread_t second = start_at_gate(&gate), third = start_at_gate(&gate);
    wait_in_queue(&gate, 2);
    let_through(&gate, 1);
    gh_sealing_wait_for("SELECT count(*) FROM pg_locks WHERE NOT granted", 1);
    gh_sealing_ask("SELECT count(pg_terminate_backend(pid)) " GH_SEALING_HOLDERS);
    gh_libpq_get()->finish(lock);
    wait_at_gate(&gate, 2);
    const struct timespec pause = {.tv_sec = PATIENCE_MS / 1000, .tv_nsec = 100000000};
    nanosleep(&pause, NULL);
    let_through(&gate, 3);
    pthread_join(first, NULL);
    pthread_join(second, NULL);
    pthread_join(third, NULL);
    assert_int_equal(gate.done, 3);
    assert_int_equal(gate.entered, 3);
    close_gate(&gate);
}

static void *catch_up(void *argument)
{
    struct gate *gate = argument;
    if (gh_postgres_sealer_catch_up(gate->sealer) == GH_OK)
        gate->done += 100;
    return NULL;
}

static void who_waits_for_sealing_does_not_wait_for_the_bulk_unit_behind_it(void **state)
{
    struct gate gate;
    pthread_t reader, first = open_gate(&gate, 4), second = start_at_gate(&gate);
    wait_in_queue(&gate, 1);
    assert_false(gh_postgres_sealer_is_behind(gate.sealer));
    assert_int_equal(pthread_create(&reader, NULL, catch_up, &gate), 0);
    while (!gh_postgres_sealer_is_behind(gate.sealer))
        sched_yield();
    let_through(&gate, 1);
    wait_at_gate(&gate, 2);
    pthread_join(reader, NULL);
    assert_false(gh_postgres_sealer_is_behind(gate.sealer));
    let_through(&gate, 2);
    pthread_join(first, NULL);
    pthread_join(second, NULL);
    assert_int_equal(gate.done, 102);
    close_gate(&gate);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(each_process_writes_a_chain_of_its_own, gh_sealing_fresh),
        cmocka_unit_test_setup(seals_what_is_left_when_it_closes_and_gives_its_chain_up,
                               gh_sealing_fresh),
        cmocka_unit_test_setup(takes_the_lowest_chain_that_nobody_holds_and_no_lock_more,
                               gh_sealing_fresh),
        cmocka_unit_test_setup(goes_on_behind_the_newest_record_when_the_table_of_chains_is_behind,
                               gh_sealing_fresh),
        cmocka_unit_test_setup(what_has_seen_too_little_of_the_log_is_read_again, gh_sealing_fresh),
        cmocka_unit_test_setup(a_unit_is_read_again_once_however_much_comes_meanwhile,
                               gh_sealing_fresh),
        cmocka_unit_test_setup(who_waits_for_sealing_holds_no_connection, gh_sealing_fresh),
        cmocka_unit_test_setup(who_may_write_waits_for_sealing_without_a_connection_too,
                               gh_sealing_fresh),
        cmocka_unit_test_setup(counts_what_waits_and_what_was_sealed, gh_sealing_fresh),
        cmocka_unit_test_setup(a_bulk_unit_comes_behind_what_was_committed_before_it,
                               gh_sealing_fresh),
        cmocka_unit_test_setup(leaves_what_can_be_no_record_where_it_is, gh_sealing_fresh),
        cmocka_unit_test_setup(refuses_bulk_units_over_its_queue, gh_sealing_fresh),
        cmocka_unit_test_setup(what_waits_is_not_answered_with_what_became_of_another_unit,
                               gh_sealing_fresh),
        cmocka_unit_test_setup(who_waits_for_sealing_does_not_wait_for_the_bulk_unit_behind_it,
                               gh_sealing_fresh),
    };
    if (!gh_postgres_fixture_start(&gh_sealing_server))
        return GH_POSTGRES_SKIPPED;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    gh_postgres_fixture_done(&gh_sealing_server);
    return failed;
}
