/* Verification of logs that are as they were written, and of what is said of them. forgery_test.c
   has the attacks. */
#include "audit/verify.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "audit/log_fixture.h"
#include "audit/personal.h"

struct fixture {
    struct gh_arena arena;
    struct gh_pkey *key;
    struct gh_audit_verifier verifier;
    struct gh_log log;
};

static int set_up(void **state)
{
    static struct fixture fixture;
    gh_arena_init(&fixture.arena, 64 * 1024, 64 << 20);
    fixture.key = gh_log_key(0);
    fixture.verifier = gh_log_verifier(&fixture.arena, fixture.key);
    gh_log_init(&fixture.log, &fixture.arena, fixture.key);
    for (unsigned i = 1; i <= 30; i++) {
        if (i % 10 == 0)
            gh_log_append_checkpoint(&fixture.log);
        else
            gh_log_append(&fixture.log, (struct gh_audit_record){.time_us = GH_LOG_START_US + i,
                                                                 .event = GH_AUDIT_LOGIN,
                                                                 .user_id = GH_STR("u")});
    }
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    gh_pkey_unref(fixture->verifier.key);
    gh_pkey_unref(fixture->key);
    gh_arena_done(&fixture->arena);
    return 0;
}

static struct gh_audit_verdict verify(struct fixture *fixture, size_t from, size_t to,
                                      struct gh_audit_verify_options options)
{
    struct gh_audit_verdict verdict;
    struct gh_audit_verification *run = gh_audit_verify_begin(&fixture->arena, &options);
    assert_non_null(run);
    for (size_t i = from; i < to && gh_audit_verify_row(run, &fixture->log.rows[i]); i++)
        ;
    assert_int_equal(gh_audit_verify_end(run, &verdict), GH_OK);
    return verdict;
}

static void a_log_as_written_is_good_and_says_what_was_proven(void **state)
{
    struct fixture *fixture = *state;
    struct gh_audit_checkpoint saved[] = {gh_log_checkpoint(&fixture->log, 29),
                                          gh_log_checkpoint(&fixture->log, 4)};
    struct gh_audit_verdict verdict =
        verify(fixture, 0, 30,
               (struct gh_audit_verify_options){.verifiers = &fixture->verifier,
                                                .verifier_count = 1,
                                                .saved = saved,
                                                .saved_count = 2,
                                                .unsigned_records_max = 10});
    assert_int_equal(verdict.fault, GH_AUDIT_FAULT_NONE);
    assert_int_equal(verdict.records, 30);
    assert_int_equal(verdict.first_seq, 1);
    assert_int_equal(verdict.last_seq, 30);
    assert_int_equal(verdict.checkpoints, 3);
    assert_int_equal(verdict.signed_through, 29);
    assert_int_equal(verdict.saved_met, 2);
    assert_memory_equal(verdict.last_hash, fixture->log.rows[29].hash, GH_SHA256_BYTES);
}

static void lines_are_as_good_as_rows(void **state)
{
    struct fixture *fixture = *state;
    struct gh_audit_verify_options options = {.verifiers = &fixture->verifier, .verifier_count = 1};
    struct gh_audit_verdict verdict;
    struct gh_audit_verification *run = gh_audit_verify_begin(&fixture->arena, &options);
    for (size_t i = 0; i < 30; i++)
        assert_true(gh_audit_verify_line(
            run, gh_log_line(&fixture->arena, &fixture->log.rows[i], gh_str_of(NULL, 0))));
    assert_int_equal(gh_audit_verify_end(run, &verdict), GH_OK);
    assert_int_equal(verdict.fault, GH_AUDIT_FAULT_NONE);
    assert_int_equal(verdict.records, 30);
    assert_int_equal(verdict.signed_through, 29);
}

static void without_keys_nothing_counts_as_signed(void **state)
{
    struct fixture *fixture = *state;
    struct gh_audit_verdict verdict =
        verify(fixture, 0, 30, (struct gh_audit_verify_options){.unsigned_records_max = 3});
    assert_int_equal(verdict.fault, GH_AUDIT_FAULT_NONE);
    assert_int_equal(verdict.checkpoints, 3);
    assert_int_equal(verdict.signed_through, 0);
}

static void an_empty_log_is_good_unless_a_checkpoint_knows_better(void **state)
{
    struct fixture *fixture = *state;
    struct gh_audit_checkpoint saved = gh_log_checkpoint(&fixture->log, 0);
    struct gh_audit_verdict verdict =
        verify(fixture, 0, 0, (struct gh_audit_verify_options){.saved_count = 0});
    assert_int_equal(verdict.fault, GH_AUDIT_FAULT_NONE);
    assert_int_equal(verdict.records, 0);
    verdict =
        verify(fixture, 0, 0, (struct gh_audit_verify_options){.saved = &saved, .saved_count = 1});
    assert_int_equal(verdict.fault, GH_AUDIT_FAULT_TRUNCATED);
    assert_int_equal(verdict.seq, 1);
}

static void a_part_is_good_when_it_is_said_to_be_one(void **state)
{
    struct fixture *fixture = *state;
    struct gh_audit_checkpoint saved[] = {gh_log_checkpoint(&fixture->log, 29),
                                          gh_log_checkpoint(&fixture->log, 14)};
    struct gh_audit_verify_options options = {.verifiers = &fixture->verifier,
                                              .verifier_count = 1,
                                              .saved = saved,
                                              .saved_count = 2,
                                              .partial = true};
    struct gh_audit_verdict verdict = verify(fixture, 15, 25, options);
    assert_int_equal(verdict.fault, GH_AUDIT_FAULT_NONE);
    assert_int_equal(verdict.first_seq, 16);
    assert_int_equal(verdict.saved_met, 1); /* by the hash before the first */
    assert_int_equal(verdict.signed_through, 19);
    options.partial = false;
    verdict = verify(fixture, 15, 30, options);
    assert_int_equal(verdict.fault, GH_AUDIT_FAULT_FRONT);
    assert_int_equal(verdict.seq, 1);
}

static void a_log_that_retention_shortened_is_good(void **state)
{
    struct fixture *fixture = *state;
    struct gh_log *log = &fixture->log;
    size_t count = log->count;
    log->first_seq = 11;
    memcpy(log->first_prev_hash, log->rows[9].hash, GH_SHA256_BYTES);
    gh_log_append_checkpoint(log);
    struct gh_audit_verify_options options = {.verifiers = &fixture->verifier, .verifier_count = 1};
    assert_int_equal(verify(fixture, 10, log->count, options).fault, GH_AUDIT_FAULT_NONE);
    /* A crash between the checkpoint and the dropping. */
    assert_int_equal(verify(fixture, 0, log->count, options).fault, GH_AUDIT_FAULT_NONE);
    assert_int_equal(verify(fixture, 5, log->count, options).fault, GH_AUDIT_FAULT_NONE);
    struct gh_audit_verdict verdict = verify(fixture, 11, log->count, options);
    assert_int_equal(verdict.fault, GH_AUDIT_FAULT_FRONT);
    assert_int_equal(verdict.seq, 11);
    assert_int_equal(verdict.line, 0);
    log->count = count;
    log->first_seq = 1;
    memset(log->first_prev_hash, 0, GH_SHA256_BYTES);
}

static void saved_checkpoints_of_dropped_records_alone_prove_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct gh_log *log = &fixture->log;
    size_t count = log->count;
    struct gh_audit_checkpoint saved[] = {gh_log_checkpoint(log, 3), gh_log_checkpoint(log, 12)};
    log->first_seq = 11;
    memcpy(log->first_prev_hash, log->rows[9].hash, GH_SHA256_BYTES);
    gh_log_append_checkpoint(log);
    struct gh_audit_verify_options options = {
        .verifiers = &fixture->verifier, .verifier_count = 1, .saved = saved, .saved_count = 1};
    struct gh_audit_verdict verdict = verify(fixture, 10, log->count, options);
    assert_int_equal(verdict.fault, GH_AUDIT_FAULT_UNMET);
    assert_int_equal(verdict.seq, 11);
    options.partial = true;
    assert_int_equal(verify(fixture, 10, log->count, options).fault, GH_AUDIT_FAULT_NONE);
    options.partial = false;
    options.saved_count = 2;
    assert_int_equal(verify(fixture, 10, log->count, options).fault, GH_AUDIT_FAULT_NONE);
    log->count = count;
    log->first_seq = 1;
    memset(log->first_prev_hash, 0, GH_SHA256_BYTES);
}

static void records_that_no_checkpoint_holds_for_too_long_are_a_fault(void **state)
{
    struct fixture *fixture = *state;
    struct gh_audit_verify_options options = {
        .verifiers = &fixture->verifier, .verifier_count = 1, .unsigned_records_max = 9};
    /* Nine and the checkpoint that is the last. */
    assert_int_equal(verify(fixture, 0, 28, options).fault, GH_AUDIT_FAULT_NONE);
    assert_int_equal(verify(fixture, 0, 30, options).fault, GH_AUDIT_FAULT_NONE);
    /* What a later checkpoint holds is signed, however long it took. */
    options.unsigned_records_max = 8;
    assert_int_equal(verify(fixture, 0, 30, options).fault, GH_AUDIT_FAULT_NONE);
    struct gh_audit_verdict verdict = verify(fixture, 0, 28, options);
    assert_int_equal(verdict.fault, GH_AUDIT_FAULT_NOT_SIGNED);
    assert_int_equal(verdict.seq, 20);
    assert_int_equal(verdict.line, 20);
    options.partial = true;
    verdict = verify(fixture, 20, 29, options);
    assert_int_equal(verdict.fault, GH_AUDIT_FAULT_NOT_SIGNED);
    assert_int_equal(verdict.seq, 21);
    assert_int_equal(verdict.line, 1);
    options.verifier_count = 0;
    assert_int_equal(verify(fixture, 0, 28, options).fault, GH_AUDIT_FAULT_NONE);
}

static void nobody_leaves_the_bound_of_what_is_unsigned_out(void **state)
{
    struct fixture *fixture = *state;
    struct gh_audit_verify_options options = {.verifiers = &fixture->verifier, .verifier_count = 1};
    struct gh_audit_verdict verdict;
    struct gh_audit_row row = {
        .record = {.time_us = GH_LOG_START_US, .event = GH_AUDIT_LOGIN, .metadata = GH_STR("{}")}};
    for (unsigned over = 0; over < 2; over++) {
        struct gh_audit_verification *run = gh_audit_verify_begin(&fixture->arena, &options);
        struct gh_arena scratch;
        gh_arena_init(&scratch, 64 * 1024, 1 << 20);
        for (uint64_t seq = 1; seq <= 10000 + over; seq++) {
            gh_arena_reset(&scratch);
            assert_int_equal(gh_audit_link(&scratch, &row, seq - 1, seq > 1 ? row.hash : NULL),
                             GH_OK);
            assert_true(gh_audit_verify_row(run, &row));
        }
        assert_int_equal(gh_audit_verify_end(run, &verdict), GH_OK);
        assert_int_equal(verdict.fault, over ? GH_AUDIT_FAULT_NOT_SIGNED : GH_AUDIT_FAULT_NONE);
        gh_arena_done(&scratch);
    }
    assert_int_equal(gh_audit_unsigned_records_max(0), 10000);
    assert_int_equal(gh_audit_unsigned_records_max(1000), 10000);
    assert_int_equal(gh_audit_unsigned_records_max(1001), 10010);
    assert_int_equal(gh_audit_unsigned_records_max(1000000), 10000000);
    assert_int_equal(gh_audit_unsigned_records_max(UINT64_MAX), UINT64_MAX);
}

static void after_a_fault_nothing_is_looked_at(void **state)
{
    struct fixture *fixture = *state;
    struct gh_audit_verify_options options = {.saved_count = 0};
    struct gh_audit_verdict verdict;
    struct gh_audit_verification *run = gh_audit_verify_begin(&fixture->arena, &options);
    assert_true(gh_audit_verify_row(run, &fixture->log.rows[0]));
    assert_false(gh_audit_verify_row(run, &fixture->log.rows[2]));
    assert_false(gh_audit_verify_row(run, &fixture->log.rows[1]));
    assert_false(gh_audit_verify_line(run, GH_STR("rubbish")));
    assert_int_equal(gh_audit_verify_end(run, &verdict), GH_OK);
    assert_int_equal(verdict.fault, GH_AUDIT_FAULT_MISSING);
    assert_int_equal(verdict.seq, 2);
    assert_int_equal(verdict.line, 2);
}

static void every_fault_has_a_name_and_a_text(void **state)
{
    for (unsigned i = 0; i < GH_AUDIT_FAULT_COUNT; i++) {
        assert_true(gh_audit_fault_name((enum gh_audit_fault)i).len > 0);
        assert_true(gh_audit_fault_text((enum gh_audit_fault)i).len > 0);
    }
    assert_true(gh_str_eq(gh_audit_fault_name(GH_AUDIT_FAULT_CHANGED), GH_STR("changed")));
}

/* ---- Openings ---- */

#define SALT  "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define OTHER "100102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
/* Computed apart, with Python's hmac. */
#define ADDRESS_COMMITMENT                                                                         \
    "hmac-sha256:5185fa25fb45e4125c001fdb81fa5bf662425512071ae3145d710f173200e763"
#define EMAIL_COMMITMENT                                                                           \
    "hmac-sha256:dcb06c7158832e087720bb02a04a712d52aaf2b6f98a29aebbb90d22b84dbcce"
#define ACTOR   "\"actor\":{\"ip_address\":\"192.0.2.1\",\"salt\":\"" SALT "\"}"
#define SUBJECT "\"subject\":{\"metadata.email\":\"a@example.com\",\"salt\":\"" SALT "\"}"

static enum gh_audit_fault verify_openings(struct fixture *fixture, const char *openings)
{
    struct gh_audit_row row = {
        .record = {.event = GH_AUDIT_LOGIN_FAILED,
                   .ip_address = GH_STR(ADDRESS_COMMITMENT),
                   .metadata = GH_STR("{\"email\":\"" EMAIL_COMMITMENT "\",\"reason\":\"x\"}")}};
    struct gh_audit_verify_options options = {.saved_count = 0};
    struct gh_audit_verdict verdict;
    struct gh_audit_verification *run = gh_audit_verify_begin(&fixture->arena, &options);
    assert_int_equal(gh_audit_link(&fixture->arena, &row, 0, NULL), GH_OK);
    (void)gh_audit_verify_line(run, gh_log_line(&fixture->arena, &row, gh_str_from_c(openings)));
    assert_int_equal(gh_audit_verify_end(run, &verdict), GH_OK);
    assert_int_equal(verdict.personal, 1);
    assert_true(verdict.fault == GH_AUDIT_FAULT_NONE || verdict.seq == 1);
    return verdict.fault;
}

static void personal_values_that_were_committed_to_are_good(void **state)
{
    static const char *const OPENINGS[] = {"{" ACTOR "," SUBJECT "}", "{" ACTOR "}",
                                           "{" SUBJECT "}", "{}"};
    for (size_t i = 0; i < sizeof(OPENINGS) / sizeof(OPENINGS[0]); i++)
        assert_int_equal(verify_openings(*state, OPENINGS[i]), GH_AUDIT_FAULT_NONE);
}

static void refuses_personal_values_that_were_not_committed_to(void **state)
{
    static const char *const OPENINGS[] = {
        "{\"actor\":{\"ip_address\":\"192.0.2.2\",\"salt\":\"" SALT "\"}}",
        "{\"actor\":{\"ip_address\":\"192.0.2.1\",\"salt\":\"" OTHER "\"}}",
        "{\"actor\":{\"ip_address\":\"192.0.2.1\"}}",
        "{\"actor\":{\"ip_address\":\"192.0.2.1\",\"salt\":\"00\"}}",
        "{\"actor\":{\"ip_address\":\"192.0.2.1\",\"salt\":null}}",
        "{\"actor\":{\"user_agent\":\"192.0.2.1\",\"salt\":\"" SALT "\"}}",
        "{\"actor\":{\"ip_address\":null,\"salt\":\"" SALT "\"}}",
        "{\"actor\":{\"user_id\":\"u\",\"salt\":\"" SALT "\"}}",
        "{\"subject\":{\"email\":\"a@example.com\",\"salt\":\"" SALT "\"}}",
        "{\"subject\":{\"metadata.reason\":\"x\",\"salt\":\"" SALT "\"}}",
        "{\"subject\":{\"metadata.other\":\"x\",\"salt\":\"" SALT "\"}}",
        "{\"somebody\":{\"ip_address\":\"192.0.2.1\",\"salt\":\"" SALT "\"}}",
        "{\"actor\":{\"metadata."
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        "\":\"192.0.2.1\",\"salt\":\"" SALT "\"}}",
        "{\"actor\":\"192.0.2.1\"}",
        "{\"actor\":[]}",
    };
    for (size_t i = 0; i < sizeof(OPENINGS) / sizeof(OPENINGS[0]); i++)
        assert_int_equal(verify_openings(*state, OPENINGS[i]), GH_AUDIT_FAULT_OPENING);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_log_as_written_is_good_and_says_what_was_proven),
        cmocka_unit_test(lines_are_as_good_as_rows),
        cmocka_unit_test(without_keys_nothing_counts_as_signed),
        cmocka_unit_test(an_empty_log_is_good_unless_a_checkpoint_knows_better),
        cmocka_unit_test(a_part_is_good_when_it_is_said_to_be_one),
        cmocka_unit_test(a_log_that_retention_shortened_is_good),
        cmocka_unit_test(saved_checkpoints_of_dropped_records_alone_prove_nothing),
        cmocka_unit_test(records_that_no_checkpoint_holds_for_too_long_are_a_fault),
        cmocka_unit_test(nobody_leaves_the_bound_of_what_is_unsigned_out),
        cmocka_unit_test(after_a_fault_nothing_is_looked_at),
        cmocka_unit_test(every_fault_has_a_name_and_a_text),
        cmocka_unit_test(personal_values_that_were_committed_to_are_good),
        cmocka_unit_test(refuses_personal_values_that_were_not_committed_to),
    };
    gh_crypto_init();
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
