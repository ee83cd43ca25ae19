/* Changed bytes in the lines of an export: each is found, and the line named. */
#include "audit/verify.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "audit/log_fixture.h"
#include "json/canonical.h"

enum { LINES = 4, CHECKPOINT = 2 };

struct attack {
    struct gh_arena arena, scratch; /* `scratch`: of one verification */
    struct gh_pkey *key;
    struct gh_audit_verifier verifier;
    struct gh_str lines[LINES];
    size_t count;
};

static bool means_the_same(struct gh_arena *arena, struct gh_str a, struct gh_str b)
{
    struct gh_str x, y;
    return gh_json_canonicalise(arena, a, &gh_json_small, &x) == GH_OK &&
           gh_json_canonicalise(arena, b, &gh_json_small, &y) == GH_OK && gh_str_eq(x, y);
}

static struct gh_audit_verdict verify(struct attack *attack)
{
    const struct gh_audit_verify_options options = {.verifiers = &attack->verifier,
                                                    .verifier_count = 1};
    struct gh_audit_verdict verdict;
    gh_arena_reset(&attack->scratch);
    struct gh_audit_verification *run = gh_audit_verify_begin(&attack->scratch, &options);
    assert_non_null(run);
    for (size_t i = 0; i < attack->count && gh_audit_verify_line(run, attack->lines[i]); i++)
        ;
    assert_int_equal(gh_audit_verify_end(run, &verdict), GH_OK);
    return verdict;
}

/* The third is a checkpoint. */
static int set_up(void **state)
{
    static struct attack attack;
    static struct gh_log log;
    gh_arena_init(&attack.arena, 64 * 1024, 16 << 20);
    gh_arena_init(&attack.scratch, 64 * 1024, 4 << 20);
    attack.key = gh_log_key(0);
    attack.verifier = gh_log_verifier(&attack.arena, attack.key);
    gh_log_init(&log, &attack.arena, attack.key);
    for (unsigned i = 0; i < LINES; i++) {
        if (i == CHECKPOINT)
            gh_log_append_checkpoint(&log);
        else
            gh_log_append(
                &log, (struct gh_audit_record){.time_us = GH_LOG_START_US + i,
                                               .event = GH_AUDIT_LOGIN_FAILED,
                                               .user_id = GH_STR("u-1"),
                                               .user_agent = GH_STR("agent \"x\" \xc3\xa9\x1b"),
                                               .outcome = GH_AUDIT_FAILURE,
                                               .metadata = GH_STR("{\"n\":10,\"reason\":\"r\"}")});
        attack.lines[i] = gh_log_line(&attack.arena, &log.rows[i], gh_str_of(NULL, 0));
    }
    attack.count = LINES;
    *state = &attack;
    return 0;
}

static int tear_down(void **state)
{
    struct attack *attack = *state;
    gh_pkey_unref(attack->key);
    gh_pkey_unref(attack->verifier.key);
    gh_arena_done(&attack->arena);
    gh_arena_done(&attack->scratch);
    return 0;
}

/* False: the changed line means the same, so nothing was changed. */
static bool try_change(struct attack *attack, size_t target, struct gh_str good)
{
    gh_arena_reset(&attack->scratch);
    if (means_the_same(&attack->scratch, good, attack->lines[target]))
        return false;
    struct gh_audit_verdict verdict = verify(attack);
    assert_int_not_equal(verdict.fault, GH_AUDIT_FAULT_NONE);
    assert_int_equal(verdict.line, target + 1);
    /* Of the first line of all nothing else says which number it had. */
    assert_true(target == 0 || verdict.seq == target + 1);
    return true;
}

static void each_changed_byte_of_a_line_is_named(void **state)
{
    static const char REPLACEMENTS[] = "0a\"\\ ,}\xff\n";
    struct attack *attack = *state;
    unsigned harmless = 0;
    for (size_t target = 0; target <= CHECKPOINT; target++) {
        struct gh_str good = attack->lines[target];
        attack->lines[target] = gh_arena_dup(&attack->arena, good);
        char *bytes = (char *)(uintptr_t)attack->lines[target].ptr;
        for (size_t i = 0; i < good.len; i++) {
            for (size_t r = 0; r < sizeof(REPLACEMENTS); r++) {
                bool listed = r + 1 < sizeof(REPLACEMENTS);
                bytes[i] = listed ? REPLACEMENTS[r] : (char)(good.ptr[i] ^ 1);
                if (bytes[i] != good.ptr[i])
                    harmless += !try_change(attack, target, good);
            }
            bytes[i] = good.ptr[i];
        }
        attack->lines[target] = good;
    }
    /* The newline as a space. */
    assert_int_equal(harmless, CHECKPOINT + 1);
}

static void a_line_that_is_cut_or_joined_is_named(void **state)
{
    struct attack *attack = *state;
    struct gh_str good = attack->lines[1];
    for (size_t len = 0; len + 1 < good.len; len++) {
        attack->lines[1] = gh_str_first(good, len);
        struct gh_audit_verdict verdict = verify(attack);
        assert_int_equal(verdict.fault, GH_AUDIT_FAULT_UNREADABLE);
        assert_int_equal(verdict.seq, 2);
        assert_int_equal(verdict.line, 2);
    }
    attack->lines[1] =
        gh_arena_format(&attack->arena, "%.*s%.*s", GH_STR_ARG(good), GH_STR_ARG(attack->lines[2]));
    assert_int_equal(verify(attack).fault, GH_AUDIT_FAULT_UNREADABLE);
    attack->lines[1] = good;
}

static void a_line_that_is_too_long_is_named(void **state)
{
    struct attack *attack = *state;
    struct gh_str good = attack->lines[1];
    char *bytes = gh_arena_alloc(&attack->arena, GH_AUDIT_LINE_BYTES_MAX + 1);
    assert_non_null(bytes);
    memset(bytes, ' ', GH_AUDIT_LINE_BYTES_MAX + 1); /* white space, which means nothing */
    memcpy(bytes, good.ptr, good.len - 1);
    attack->lines[1] = gh_str_of(bytes, GH_AUDIT_LINE_BYTES_MAX);
    assert_int_equal(verify(attack).fault, GH_AUDIT_FAULT_NONE);
    attack->lines[1].len++;
    struct gh_audit_verdict verdict = verify(attack);
    assert_int_equal(verdict.fault, GH_AUDIT_FAULT_UNREADABLE);
    assert_int_equal(verdict.seq, 2);
    assert_int_equal(verdict.line, 2);
    attack->lines[1] = good;
}

static void hashes_cover_no_more_than_they_say(void **state)
{
    /* What is sealed is not hashed, so that it can be erased. */
    struct attack *attack = *state;
    struct gh_str good = attack->lines[0];
    attack->lines[0] =
        gh_arena_format(&attack->arena, "%.*s,\"sealed\":\"AAAA\"}", (int)good.len - 2, good.ptr);
    struct gh_audit_verdict verdict = verify(attack);
    assert_int_equal(verdict.fault, GH_AUDIT_FAULT_NONE);
    assert_int_equal(verdict.sealed, 1);
    attack->lines[0] = good;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_changed_byte_of_a_line_is_named),
        cmocka_unit_test(a_line_that_is_cut_or_joined_is_named),
        cmocka_unit_test(a_line_that_is_too_long_is_named),
        cmocka_unit_test(hashes_cover_no_more_than_they_say),
    };
    gh_crypto_init();
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
