/* The log of a store, verified: what is found there, and what is no fault. */
#include "identity/audit_check.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "identity/audit_key.h"
#include "identity/audit_log.h"
#include "identity/identity_fixture.h"
#include "store/memory.h"

#define MANY 1200 /* several pages */

static struct gh_identity_fixture f;
static struct gh_audit_keys keys;

static int open_fixture(void **state)
{
    gh_identity_fixture_open(&f);
    assert_int_equal(gh_audit_keys_load(&f.identity, f.now_us, &f.arena, &keys), GH_OK);
    return 0;
}

static int close_fixture(void **state)
{
    gh_audit_keys_done(&keys);
    gh_identity_fixture_close(&f);
    return 0;
}

/* ---- Logs ---- */

static void append(size_t count)
{
    struct gh_audit_record *records = gh_arena_zalloc(&f.arena, count, sizeof(*records));
    struct gh_arena arena;
    assert_non_null(records);
    gh_arena_init(&arena, 64 * 1024, 64u << 20);
    for (size_t i = 0; i < count; i++)
        records[i] = (struct gh_audit_record){.time_us = f.now_us,
                                              .event = GH_AUDIT_HOST_REJECTED,
                                              .outcome = GH_AUDIT_FAILURE,
                                              .metadata = GH_STR("{\"count\":1}")};
    assert_int_equal(gh_audit_log_append_many(&f.identity, &arena, records, count), GH_OK);
    gh_arena_done(&arena);
}

static enum gh_err sign_unit(struct gh_tx *tx, void *args)
{
    struct gh_audit_signed result;
    return gh_audit_keys_sign(tx, &f.identity, &keys, NULL, f.now_us, &result);
}

static void sign(void)
{
    assert_int_equal(f.store->ops->run(f.store, sign_unit, NULL, &f.arena), GH_OK);
}

/* Forgets the oldest records, and says so. */
static enum gh_err drop_unit(struct gh_tx *tx, void *args)
{
    const uint64_t *through = args;
    struct gh_audit_signed result;
    struct gh_audit_front front;
    uint64_t removed;
    enum gh_err err = tx->ops->audit_drop(tx, *through, MANY, &removed);
    if (err == GH_OK)
        err = tx->ops->audit_first(tx, &front.seq, front.prev_hash);
    return err == GH_OK ? gh_audit_keys_sign(tx, &f.identity, &keys, &front, f.now_us, &result)
                        : err;
}

static enum gh_err cut_unit(struct gh_tx *tx, void *args)
{
    const uint64_t *through = args;
    uint64_t removed;
    return tx->ops->audit_drop(tx, *through, MANY, &removed);
}

static void drop(gh_store_unit *unit, uint64_t through)
{
    struct gh_arena arena;
    gh_arena_init(&arena, 64 * 1024, 1u << 20);
    assert_int_equal(f.store->ops->run(f.store, unit, &through, &arena), GH_OK);
    gh_arena_done(&arena);
}

/* ---- A store to which something happens between two readings ---- */

struct meddled {
    struct gh_store store;
    unsigned reads;
    void (*meddle)(unsigned reads);
};

static enum gh_err meddled_read(struct gh_store *store, gh_store_unit *unit, void *args,
                                struct gh_arena *arena)
{
    struct meddled *meddled = (struct meddled *)store;
    enum gh_err err = f.store->ops->read(f.store, unit, args, arena);
    meddled->meddle(++meddled->reads);
    return err;
}

static enum gh_err check_of(struct gh_store *store, uint64_t max, struct gh_audit_verdict *verdict)
{
    const struct gh_audit_verify_options options = {.verifiers = keys.verifiers,
                                                    .verifier_count = keys.verifier_count};
    return gh_audit_check_store(store, &options, max, verdict);
}

static struct gh_audit_verdict check(void)
{
    struct gh_audit_verdict verdict;
    assert_int_equal(check_of(f.store, 0, &verdict), GH_OK);
    return verdict;
}

static struct gh_audit_verdict check_meddled(void (*meddle)(unsigned reads), unsigned *out_reads)
{
    static const struct gh_store_ops OPS = {.read = meddled_read};
    struct meddled meddled = {.store = {&OPS}, .meddle = meddle};
    struct gh_audit_verdict verdict;
    assert_int_equal(check_of(&meddled.store, 0, &verdict), GH_OK);
    *out_reads = meddled.reads;
    return verdict;
}

/* ---- Tests ---- */

static void an_empty_log_is_intact(void **state)
{
    struct gh_audit_verdict verdict = check();
    assert_int_equal(verdict.fault, GH_AUDIT_FAULT_NONE);
    assert_int_equal(verdict.records, 0);
}

static void every_page_of_a_log_is_read(void **state)
{
    append(MANY);
    sign();
    append(3);
    struct gh_audit_verdict verdict = check();
    assert_int_equal(verdict.fault, GH_AUDIT_FAULT_NONE);
    assert_int_equal(verdict.records, MANY + 4);
    assert_int_equal(verdict.last_seq, MANY + 4);
    assert_int_equal(verdict.signed_through, MANY);
    assert_int_equal(verdict.checkpoints, 1);
}

static void a_front_that_no_checkpoint_speaks_of_is_found(void **state)
{
    append(MANY);
    sign();
    drop(cut_unit, 700);
    struct gh_audit_verdict verdict = check();
    assert_int_equal(verdict.fault, GH_AUDIT_FAULT_FRONT);
}

static void checkpoints_of_a_key_that_is_not_there_are_found(void **state)
{
    append(2);
    sign();
    struct gh_audit_keys others = {.key = NULL};
    struct gh_identity_fixture other;
    gh_identity_fixture_open(&other);
    other.now_us += FIXTURE_DAY;
    gh_random_fill(&other.identity.random, (uint8_t[8]){0}, 8); /* another name */
    assert_int_equal(gh_audit_keys_load(&other.identity, other.now_us, &other.arena, &others),
                     GH_OK);
    const struct gh_audit_verify_options options = {.verifiers = others.verifiers,
                                                    .verifier_count = others.verifier_count};
    struct gh_audit_verdict verdict;
    assert_int_equal(gh_audit_check_store(f.store, &options, 0, &verdict), GH_OK);
    assert_int_equal(verdict.fault, GH_AUDIT_FAULT_CHECKPOINT);
    assert_int_equal(verdict.seq, 3);
    gh_audit_keys_done(&others);
    gh_identity_fixture_close(&other);
}

static void a_log_that_is_too_long_has_no_verdict(void **state)
{
    struct gh_audit_verdict verdict = {.seq = 77};
    append(MANY);
    assert_int_equal(check_of(f.store, MANY - 1, &verdict), GH_ERR_FULL);
    assert_int_equal(verdict.seq, 77);
    assert_int_equal(check_of(f.store, MANY, &verdict), GH_OK);
    assert_int_equal(verdict.records, MANY);
}

static void drop_and_say_so(unsigned reads)
{
    if (reads == 2)
        drop(drop_unit, 900);
}

static void retention_between_two_pages_is_no_fault(void **state)
{
    unsigned reads;
    append(MANY);
    sign();
    struct gh_audit_verdict verdict = check_meddled(drop_and_say_so, &reads);
    assert_int_equal(verdict.fault, GH_AUDIT_FAULT_NONE);
    assert_int_equal(verdict.first_seq, 901);
    assert_int_equal(verdict.records, MANY + 2 - 900);
}

static void drop_and_say_nothing(unsigned reads)
{
    if (reads == 2)
        drop(cut_unit, 900);
}

static void a_cut_between_two_pages_is_a_fault(void **state)
{
    unsigned reads;
    append(MANY);
    sign();
    assert_int_equal(check_meddled(drop_and_say_nothing, &reads).fault, GH_AUDIT_FAULT_FRONT);
}

static void drop_each_time(unsigned reads)
{
    drop(drop_unit, reads * 100);
}

static void what_goes_on_for_ever_is_not_waited_for(void **state)
{
    unsigned reads;
    append(MANY);
    sign();
    check_meddled(drop_each_time, &reads);
    assert_in_range(reads, 2, 12);
}

/* ---- A store with a row that is no record ---- */

static uint64_t damaged_seq;
static const struct gh_tx_ops *whole_ops;

static enum gh_err damaged_page(struct gh_tx *tx, const struct gh_audit_query *query,
                                struct gh_audit_row **out_rows, size_t *out_count)
{
    enum gh_err err = whole_ops->audit_page(tx, query, out_rows, out_count);
    for (size_t i = 0; err == GH_OK && i < *out_count; i++)
        if ((*out_rows)[i].record.seq == damaged_seq)
            return GH_ERR_INVALID;
    return err;
}

static enum gh_err (*changed_page)(struct gh_tx *tx, const struct gh_audit_query *query,
                                   struct gh_audit_row **out_rows,
                                   size_t *out_count) = damaged_page;

struct damaged_unit {
    gh_store_unit *unit;
    void *args;
};

static enum gh_err damaged_unit(struct gh_tx *tx, void *args)
{
    const struct damaged_unit *damaged = args;
    struct gh_tx_ops ops = *tx->ops;
    whole_ops = tx->ops;
    ops.audit_page = changed_page;
    tx->ops = &ops;
    enum gh_err err = damaged->unit(tx, damaged->args);
    tx->ops = whole_ops;
    return err;
}

static enum gh_err damaged_read(struct gh_store *store, gh_store_unit *unit, void *args,
                                struct gh_arena *arena)
{
    struct damaged_unit damaged = {unit, args};
    (void)store;
    return f.store->ops->read(f.store, damaged_unit, &damaged, arena);
}

static void a_row_that_is_no_record_is_named(void **state)
{
    static const struct gh_store_ops OPS = {.read = damaged_read};
    static const uint64_t SEQS[] = {1, 2, 499, 500, 501, 777, MANY, MANY + 1};
    struct gh_store damaged = {&OPS};
    struct gh_audit_verdict verdict;
    append(MANY);
    sign();
    for (size_t i = 0; i < sizeof(SEQS) / sizeof(SEQS[0]); i++) {
        damaged_seq = SEQS[i];
        assert_int_equal(check_of(&damaged, 0, &verdict), GH_OK);
        assert_int_equal(verdict.fault, GH_AUDIT_FAULT_UNREADABLE);
        assert_int_equal(verdict.seq, SEQS[i]);
        assert_int_equal(verdict.line, SEQS[i]);
        assert_int_equal(verdict.records, SEQS[i] - 1);
    }
    damaged_seq = MANY + 2;
    assert_int_equal(check_of(&damaged, 0, &verdict), GH_OK);
    assert_int_equal(verdict.fault, GH_AUDIT_FAULT_NONE);
    assert_int_equal(verdict.records, MANY + 1);
    drop(drop_unit, 600);
    damaged_seq = 601;
    assert_int_equal(check_of(&damaged, 0, &verdict), GH_OK);
    assert_int_equal(verdict.fault, GH_AUDIT_FAULT_UNREADABLE);
    assert_int_equal(verdict.seq, 601);
}

/* ---- A store with a row that is at another position ---- */

static uint64_t moved_seq, moved_position;

static enum gh_err moved_page(struct gh_tx *tx, const struct gh_audit_query *query,
                              struct gh_audit_row **out_rows, size_t *out_count)
{
    enum gh_err err = whole_ops->audit_page(tx, query, out_rows, out_count);
    for (size_t i = 0; err == GH_OK && i < *out_count; i++)
        if ((*out_rows)[i].record.seq == moved_seq)
            (*out_rows)[i].position = moved_position;
    return err;
}

static void a_row_at_a_position_that_does_not_rise_is_named(void **state)
{
    static const struct gh_store_ops OPS = {.read = damaged_read};
    static const struct {
        uint64_t seq, position, named; /* 0: none */
    } CASES[] = {{1, 0, 1},     {777, 0, 777},   {777, 776, 777},    {501, 500, 501},
                 {501, 1, 501}, {500, 501, 501}, {777, 100000, 778}, {MANY, 1, MANY},
                 {1, 1, 0},     {777, 777, 0},   {MANY, 100000, 0}};
    struct gh_store moved = {&OPS};
    struct gh_audit_verdict verdict;
    append(MANY);
    changed_page = moved_page;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        moved_seq = CASES[i].seq;
        moved_position = CASES[i].position;
        assert_int_equal(check_of(&moved, 0, &verdict), GH_OK);
        assert_int_equal(verdict.fault, CASES[i].named ? GH_AUDIT_FAULT_UNREADABLE : 0);
        assert_int_equal(verdict.seq, CASES[i].named);
    }
    changed_page = damaged_page;
}

/* ---- Several chains ---- */

static enum gh_err page_unit(struct gh_tx *tx, void *args)
{
    struct gh_audit_row **rows = args;
    const struct gh_audit_query query = {.limit = 1};
    size_t count;
    tx->chain = 2;
    return tx->ops->audit_page(tx, &query, rows, &count);
}

static void all_chains_are_read(void **state)
{
    append(MANY);
    sign();
    gh_memory_store_hold(f.store, 3); /* of the second there is nothing */
    append(700);
    sign();
    append(2);
    struct gh_audit_verdict verdict = check();
    assert_int_equal(verdict.fault, GH_AUDIT_FAULT_NONE);
    assert_int_equal(verdict.chains, 2);
    assert_int_equal(verdict.records, MANY + 704);
    assert_int_equal(verdict.checkpoints, 2);
    assert_int_equal(verdict.unsigned_records, 1 + 3);
    assert_int_equal(verdict.chain, 1);
    assert_int_equal(verdict.last_seq, MANY + 1);
}

static void the_bound_of_records_is_of_all_chains(void **state)
{
    struct gh_audit_verdict verdict;
    append(600);
    gh_memory_store_hold(f.store, 2);
    append(600);
    assert_int_equal(check_of(f.store, 1199, &verdict), GH_ERR_FULL);
    assert_int_equal(check_of(f.store, 1200, &verdict), GH_OK);
}

static void a_front_of_another_chain_is_found(void **state)
{
    append(MANY);
    sign();
    gh_memory_store_hold(f.store, 2);
    append(MANY);
    sign();
    drop(cut_unit, 700);
    struct gh_audit_verdict verdict = check();
    assert_int_equal(verdict.fault, GH_AUDIT_FAULT_FRONT);
    assert_int_equal(verdict.chain, 2);
    assert_int_equal(verdict.seq, 1);
    assert_int_equal(verdict.first_seq, 701);
}

static void drop_of_the_second(unsigned reads)
{
    if (reads == 7) /* chains, first, three pages, first, a page */
        drop(drop_unit, 900);
}

static void retention_of_another_chain_meanwhile_is_no_fault(void **state)
{
    unsigned reads;
    append(MANY);
    gh_memory_store_hold(f.store, 2);
    append(MANY);
    struct gh_audit_verdict verdict = check_meddled(drop_of_the_second, &reads);
    assert_int_equal(verdict.fault, GH_AUDIT_FAULT_NONE);
    assert_int_equal(verdict.chains, 2);
    assert_true(reads > 15); /* once more */
}

static void a_chain_that_is_gone_is_found_by_what_was_saved_of_it(void **state)
{
    struct gh_audit_row *rows;
    struct gh_audit_verdict verdict;
    struct gh_audit_checkpoint saved;
    append(2);
    sign();
    gh_memory_store_hold(f.store, 2);
    append(2);
    sign();
    assert_int_equal(f.store->ops->read(f.store, page_unit, &rows, &f.arena), GH_OK);
    assert_true(gh_audit_keys_open(&keys, &f.arena, &rows[0], &saved));
    assert_int_equal(saved.chain, 2);
    struct gh_audit_verify_options options = {.verifiers = keys.verifiers,
                                              .verifier_count = keys.verifier_count,
                                              .saved = &saved,
                                              .saved_count = 1};
    assert_int_equal(gh_audit_check_store(f.store, &options, 0, &verdict), GH_OK);
    assert_int_equal(verdict.fault, GH_AUDIT_FAULT_NONE);
    assert_int_equal(verdict.saved_met, 1);
    saved.chain = 3; /* as if that had been the third */
    assert_int_equal(gh_audit_check_store(f.store, &options, 0, &verdict), GH_OK);
    assert_int_equal(verdict.fault, GH_AUDIT_FAULT_TRUNCATED);
    assert_int_equal(verdict.chain, 3);
    assert_int_equal(verdict.seq, 1);
}

static void a_checkpoint_opens_for_its_own_chain_alone(void **state)
{
    struct gh_audit_row *rows;
    struct gh_audit_checkpoint out;
    gh_memory_store_hold(f.store, 2);
    append(2);
    sign();
    assert_int_equal(f.store->ops->read(f.store, page_unit, &rows, &f.arena), GH_OK);
    assert_true(gh_audit_keys_open(&keys, &f.arena, &rows[0], &out));
    rows[0].record.chain = 1;
    assert_false(gh_audit_keys_open(&keys, &f.arena, &rows[0], &out));
}

static enum gh_err broken_read(struct gh_store *store, gh_store_unit *unit, void *args,
                               struct gh_arena *arena)
{
    return GH_ERR_IO;
}

static void a_store_that_fails_gives_no_verdict(void **state)
{
    static const struct gh_store_ops OPS = {.read = broken_read};
    struct gh_store broken = {&OPS};
    struct gh_audit_verdict verdict = {.seq = 77};
    assert_int_equal(check_of(&broken, 0, &verdict), GH_ERR_IO);
    assert_int_equal(verdict.seq, 77);
}

static void the_longest_verdict_fits_into_its_json(void **state)
{
    char memory[GH_AUDIT_VERDICT_BYTES_MAX];
    for (unsigned fault = 0; fault < GH_AUDIT_FAULT_COUNT; fault++) {
        const struct gh_audit_verdict verdict = {
            .fault = (enum gh_audit_fault)fault,
            .chain = UINT32_MAX,
            .chains = UINT64_MAX,
            .absent_chain = UINT32_MAX,
            .unsigned_records = UINT64_MAX,
            .seq = UINT64_MAX,
            .line = UINT64_MAX,
            .records = UINT64_MAX,
            .first_seq = UINT64_MAX,
            .last_seq = UINT64_MAX,
            .checkpoints = UINT64_MAX,
            .saved_met = UINT64_MAX,
            .signed_through = UINT64_MAX,
        };
        struct gh_buf buf = gh_buf_over(memory, sizeof(memory));
        gh_audit_verdict_put_json(&buf, &verdict, false);
        assert_false(buf.overflow);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_empty_log_is_intact),
        TEST(every_page_of_a_log_is_read),
        TEST(a_front_that_no_checkpoint_speaks_of_is_found),
        TEST(checkpoints_of_a_key_that_is_not_there_are_found),
        TEST(a_log_that_is_too_long_has_no_verdict),
        TEST(retention_between_two_pages_is_no_fault),
        TEST(a_cut_between_two_pages_is_a_fault),
        TEST(what_goes_on_for_ever_is_not_waited_for),
        TEST(a_row_that_is_no_record_is_named),
        TEST(a_row_at_a_position_that_does_not_rise_is_named),
        TEST(all_chains_are_read),
        TEST(the_bound_of_records_is_of_all_chains),
        TEST(a_front_of_another_chain_is_found),
        TEST(retention_of_another_chain_meanwhile_is_no_fault),
        TEST(a_chain_that_is_gone_is_found_by_what_was_saved_of_it),
        TEST(a_checkpoint_opens_for_its_own_chain_alone),
        TEST(a_store_that_fails_gives_no_verdict),
        TEST(the_longest_verdict_fits_into_its_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
