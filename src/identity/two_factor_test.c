/* The second factor over the store in memory: every code is good once, whoever asks and how often.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <pthread.h>

#include "base/base64.h"
#include "crypto/totp.h"
#include "identity/identity_fixture.h"
#include "identity/sessions.h"
#include "identity/two_factor.h"
#include "store/memory.h"

#define THREADS 50
#define EMAIL   "ann@example.org"

static struct gh_identity_fixture f;
static struct gh_session_grant grant; /* of Ann, signed in */
static struct gh_str ann;

static int open_fixture(void **state)
{
    gh_identity_fixture_open(&f);
    ann = gh_fixture_account(&f, EMAIL, FIXTURE_PASSWORD, 1);
    grant = gh_fixture_login(&f, EMAIL, FIXTURE_PASSWORD);
    return 0;
}

static int close_fixture(void **state)
{
    gh_identity_fixture_close(&f);
    return 0;
}

/* ---- Helpers ---- */

struct code {
    char text[GH_TOTP_DIGITS + 1];
};

static struct code code_at(struct gh_str secret, int64_t steps)
{
    uint8_t bytes[64];
    size_t len;
    struct code code;
    uint64_t step = f.now_us / FIXTURE_SECOND / GH_TOTP_STEP_SECONDS + (uint64_t)steps;
    assert_true(gh_base32_decode(secret, bytes, sizeof(bytes), &len));
    gh_totp_code(gh_str_of((char *)bytes, len), step, code.text);
    return code;
}

static struct gh_str set_up(void)
{
    struct gh_identity_call call = gh_fixture_call_as(&f, grant.access_token);
    struct gh_two_factor_setup setup;
    assert_int_equal(gh_two_factor_setup(&call, &setup), GH_IDENTITY_OK);
    return setup.secret;
}

static enum gh_identity_result enable_with(const char *code, struct gh_recovery_codes *out_codes)
{
    struct gh_identity_call call = gh_fixture_call_as(&f, grant.access_token);
    return gh_two_factor_enable(&call, gh_str_from_c(code), out_codes, &grant);
}

/* On, with the code of now used up. */
static struct gh_str switch_on(struct gh_recovery_codes *out_codes)
{
    struct gh_str secret = set_up();
    assert_int_equal(enable_with(code_at(secret, 0).text, out_codes), GH_IDENTITY_OK);
    return secret;
}

struct taking {
    struct gh_identity_call call;
    struct gh_str code;
    enum gh_factor_used used;
};

static enum gh_err take(struct gh_tx *tx, void *args)
{
    struct taking *taking = args;
    struct gh_account account;
    enum gh_err err = tx->ops->account_by_id(tx, ann, &account);
    return err == GH_OK
               ? gh_two_factor_take(tx, &taking->call, &account, taking->code, &taking->used)
               : err;
}

static enum gh_factor_used take_code(const char *code)
{
    struct taking taking = {.call = gh_fixture_call(&f), .code = gh_str_from_c(code)};
    assert_int_equal(f.store->ops->run(f.store, take, &taking, &f.arena), GH_OK);
    return taking.used;
}

static enum gh_identity_result second_step(const char *code)
{
    struct gh_identity_call call = gh_fixture_call(&f);
    struct gh_login request = {.email = GH_STR(EMAIL), .password = FIXTURE_PASSWORD};
    struct gh_login_answer answer;
    struct gh_session_grant entered;
    assert_int_equal(gh_login(&call, &request, &answer), GH_IDENTITY_OK);
    assert_true(answer.two_factor_required);
    return gh_login_second_step(&call, answer.challenge, gh_str_from_c(code), &entered);
}

/* ---- Enrolment ---- */

static void gives_a_secret_and_a_uri_for_apps(void **state)
{
    struct gh_identity_call call = gh_fixture_call_as(&f, grant.access_token);
    struct gh_two_factor_setup setup;
    assert_int_equal(gh_two_factor_setup(&call, &setup), GH_IDENTITY_OK);
    assert_int_equal(setup.secret.len, 32);
    struct gh_str wanted =
        gh_arena_format(&f.arena,
                        "otpauth://totp/api.example.com:ann%%40example.org?secret=%.*s"
                        "&issuer=api.example.com&algorithm=SHA1&digits=6&period=30",
                        GH_STR_ARG(setup.secret));
    assert_true(gh_str_eq(setup.uri, wanted));
    struct gh_account row;
    assert_true(gh_fixture_account_row(&f, ann, &row));
    assert_false(row.totp_enabled);
    assert_true(gh_str_find(row.totp_secret, setup.secret) == row.totp_secret.len);
}

static void does_not_enrol_before_a_code_was_right(void **state)
{
    struct gh_recovery_codes codes;
    struct gh_str secret = set_up();
    struct gh_account row;
    assert_int_equal(enable_with("000000", &codes), GH_IDENTITY_BAD_CODE);
    assert_int_equal(enable_with(code_at(secret, 2).text, &codes), GH_IDENTITY_BAD_CODE);
    assert_int_equal(enable_with(code_at(secret, -2).text, &codes), GH_IDENTITY_BAD_CODE);
    assert_int_equal(enable_with("", &codes), GH_IDENTITY_BAD_CODE);
    assert_int_equal(enable_with("12345", &codes), GH_IDENTITY_BAD_CODE);
    assert_int_equal(enable_with("1234567", &codes), GH_IDENTITY_BAD_CODE);
    assert_true(gh_fixture_account_row(&f, ann, &row));
    assert_false(row.totp_enabled);
    assert_int_equal(gh_fixture_audit_count(&f, GH_AUDIT_TWO_FACTOR_FAILED, NULL), 6);
    assert_int_equal(gh_fixture_audit_count(&f, GH_AUDIT_TWO_FACTOR_ENABLED, NULL), 0);
    /* nobody is asked for a code that they can't have */
    gh_fixture_login(&f, EMAIL, FIXTURE_PASSWORD);
}

static void enables_by_a_right_code_and_gives_ten_recovery_codes(void **state)
{
    struct gh_recovery_codes codes;
    struct gh_account row;
    switch_on(&codes);
    assert_true(gh_fixture_account_row(&f, ann, &row));
    assert_true(row.totp_enabled);
    for (size_t i = 0; i < GH_RECOVERY_CODES; i++) {
        assert_int_equal(strlen(codes.codes[i]), GH_RECOVERY_CODE_LEN);
        for (size_t k = 0; k < GH_RECOVERY_CODE_LEN; k++)
            assert_int_equal(codes.codes[i][k] == '-', k % 5 == 4);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(codes.codes[i], codes.codes[k]);
    }
    assert_int_equal(gh_fixture_audit_count(&f, GH_AUDIT_TWO_FACTOR_ENABLED, NULL), 1);
    assert_int_equal(gh_fixture_mail_count(&f), 1);
}

static void refuses_to_enable_without_a_setup(void **state)
{
    struct gh_recovery_codes codes;
    assert_int_equal(enable_with("123456", &codes), GH_IDENTITY_CONFLICT);
    struct gh_str secret = switch_on(&codes);
    f.now_us += FIXTURE_MINUTE;
    assert_int_equal(enable_with(code_at(secret, 0).text, &codes), GH_IDENTITY_CONFLICT);
    struct gh_identity_call call = gh_fixture_call_as(&f, grant.access_token);
    struct gh_two_factor_setup setup;
    assert_int_equal(gh_two_factor_setup(&call, &setup), GH_IDENTITY_CONFLICT);
}

static void refuses_to_set_up_in_a_session_that_is_not_fresh(void **state)
{
    struct gh_two_factor_setup setup;
    f.now_us += 11 * FIXTURE_MINUTE;
    struct gh_identity_call call = gh_fixture_call_as(&f, grant.access_token);
    assert_int_equal(gh_two_factor_setup(&call, &setup), GH_IDENTITY_FORBIDDEN);
    assert_non_null(call.why);
}

static void ends_the_other_sessions_and_renews_its_own(void **state)
{
    struct gh_recovery_codes codes;
    struct gh_session_grant other = gh_fixture_login(&f, EMAIL, FIXTURE_PASSWORD);
    struct gh_session_grant before = grant;
    switch_on(&codes);
    assert_true(gh_fixture_is_revoked(&f, other.access_token));
    assert_true(gh_fixture_is_revoked(&f, before.access_token));
    assert_false(gh_fixture_is_revoked(&f, grant.access_token));
    assert_true(grant.two_factor);
    assert_true(gh_fixture_call_as(&f, grant.access_token).subject->two_factor);
    struct gh_identity_call call = gh_fixture_call_as(&f, grant.access_token);
    struct gh_session_grant refreshed;
    assert_int_equal(gh_session_refresh(&call, before.refresh_token, &refreshed), GH_IDENTITY_OK);
    assert_true(refreshed.two_factor);
    call = gh_fixture_call(&f);
    assert_int_equal(gh_session_refresh(&call, other.refresh_token, &refreshed),
                     GH_IDENTITY_SESSION_ENDED);
}

static void a_setup_that_begins_again_has_another_secret(void **state)
{
    struct gh_recovery_codes codes;
    struct gh_str first = set_up(), second = set_up();
    assert_false(gh_str_eq(first, second));
    assert_int_equal(enable_with(code_at(first, 0).text, &codes), GH_IDENTITY_BAD_CODE);
    assert_int_equal(enable_with(code_at(second, 0).text, &codes), GH_IDENTITY_OK);
}

static void changes_nothing_when_the_store_fails(void **state)
{
    struct gh_recovery_codes codes;
    struct gh_account row;
    struct gh_str secret = set_up();
    gh_memory_store_fail(f.store, 1, GH_ERR_IO);
    assert_int_equal(enable_with(code_at(secret, 0).text, &codes), GH_IDENTITY_UNAVAILABLE);
    assert_true(gh_fixture_account_row(&f, ann, &row));
    assert_false(row.totp_enabled);
    assert_int_equal(gh_fixture_mail_count(&f), 0);
    assert_int_equal(enable_with(code_at(secret, 0).text, &codes), GH_IDENTITY_OK);
}

/* ---- Good once ---- */

static void the_enrolment_code_is_used_up(void **state)
{
    struct gh_recovery_codes codes;
    struct gh_str secret = switch_on(&codes);
    assert_int_equal(second_step(code_at(secret, 0).text), GH_IDENTITY_BAD_CODE);
    assert_int_equal(second_step(code_at(secret, -1).text), GH_IDENTITY_BAD_CODE);
    assert_int_equal(second_step(code_at(secret, 1).text), GH_IDENTITY_OK);
}

static void a_code_is_good_once_and_older_ones_with_it(void **state)
{
    struct gh_recovery_codes codes;
    struct gh_str secret = switch_on(&codes);
    f.now_us += 2 * FIXTURE_MINUTE;
    assert_int_equal(take_code(code_at(secret, 0).text), GH_FACTOR_TOTP);
    assert_int_equal(take_code(code_at(secret, 0).text), GH_FACTOR_NONE);
    assert_int_equal(take_code(code_at(secret, -1).text), GH_FACTOR_NONE);
    assert_int_equal(take_code(code_at(secret, 1).text), GH_FACTOR_TOTP);
    assert_int_equal(take_code(code_at(secret, 1).text), GH_FACTOR_NONE);
}

static void drift_is_what_the_settings_say(void **state)
{
    struct gh_recovery_codes codes;
    struct gh_str secret = switch_on(&codes);
    f.now_us += FIXTURE_HOUR;
    f.settings.two_factor.drift = 0;
    assert_int_equal(take_code(code_at(secret, -1).text), GH_FACTOR_NONE);
    assert_int_equal(take_code(code_at(secret, 1).text), GH_FACTOR_NONE);
    f.settings.two_factor.drift = 1;
    assert_int_equal(take_code(code_at(secret, -2).text), GH_FACTOR_NONE);
    assert_int_equal(take_code(code_at(secret, -1).text), GH_FACTOR_TOTP);
    assert_int_equal(take_code(code_at(secret, 2).text), GH_FACTOR_NONE);
    assert_int_equal(take_code(code_at(secret, 1).text), GH_FACTOR_TOTP);
}

static void takes_codes_as_people_copy_them(void **state)
{
    struct gh_recovery_codes codes;
    struct gh_str secret = switch_on(&codes);
    f.now_us += FIXTURE_HOUR;
    struct code code = code_at(secret, 0);
    char spaced[] = "123 456";
    memcpy(spaced, code.text, 3);
    memcpy(spaced + 4, code.text + 3, 3);
    assert_int_equal(take_code(spaced), GH_FACTOR_TOTP);
    char text[64] = {0};
    size_t len = 0;
    for (const char *c = codes.codes[0]; *c; c++)
        if (*c != '-')
            text[len++] = *c >= 'a' ? (char)(*c - 'a' + 'A') : *c;
    assert_int_equal(take_code(text), GH_FACTOR_RECOVERY);
    assert_int_equal(take_code(codes.codes[1]), GH_FACTOR_RECOVERY);
}

static void a_recovery_code_is_good_once_and_its_use_is_mailed(void **state)
{
    struct gh_recovery_codes codes;
    switch_on(&codes);
    uint64_t mails = gh_fixture_mail_count(&f);
    assert_int_equal(second_step(codes.codes[3]), GH_IDENTITY_OK);
    assert_int_equal(gh_fixture_mail_count(&f), mails + 1);
    assert_int_equal(second_step(codes.codes[3]), GH_IDENTITY_BAD_CODE);
    assert_int_equal(take_code(codes.codes[4]), GH_FACTOR_RECOVERY);
}

static void refuses_recovery_codes_that_are_none(void **state)
{
    struct gh_recovery_codes codes;
    static const char *const BAD[] = {"",
                                      "-",
                                      "aaaa-aaaa-aaaa-aaaa",
                                      "aaaa-aaaa-aaaa-aaa",
                                      "aaaa-aaaa-aaaa-aaaa-aaaa",
                                      "aaaa aaaa aaaa 1111"};
    switch_on(&codes);
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++)
        assert_int_equal(take_code(BAD[i]), GH_FACTOR_NONE);
    char longer[GH_RECOVERY_CODE_LEN + 2];
    memcpy(longer, codes.codes[0], GH_RECOVERY_CODE_LEN);
    memcpy(longer + GH_RECOVERY_CODE_LEN, "a", 2);
    assert_int_equal(take_code(longer), GH_FACTOR_NONE);
}

static void codes_of_one_account_do_not_open_another(void **state)
{
    struct gh_recovery_codes codes;
    switch_on(&codes);
    struct gh_str owner = ann;
    struct gh_account row, other;
    assert_true(gh_fixture_account_row(&f, owner, &row));
    ann = gh_fixture_account(&f, "bob@example.org", FIXTURE_PASSWORD, 1);
    assert_true(gh_fixture_account_row(&f, ann, &other));
    other.totp_secret = row.totp_secret; /* as a thief with the store would */
    other.totp_enabled = true;
    gh_fixture_account_put(&f, &other);
    assert_int_equal(take_code(codes.codes[0]), GH_FACTOR_NONE);
    assert_int_equal(take_code("123456"), GH_FACTOR_NONE);
}

/* ---- At the same time ---- */

struct race {
    struct gh_str code;
    pthread_barrier_t *barrier;
    enum gh_factor_used used;
    enum gh_err err;
};

static void *race_take(void *args)
{
    struct race *race = args;
    struct gh_arena arena;
    gh_arena_init(&arena, 64 * 1024, 16 * 1024 * 1024);
    struct taking taking = {.call = gh_fixture_call(&f), .code = race->code};
    taking.call.arena = &arena;
    pthread_barrier_wait(race->barrier);
    race->err = f.store->ops->run(f.store, take, &taking, &arena);
    race->used = taking.used;
    gh_arena_done(&arena);
    return NULL;
}

static unsigned run_race(const char *code)
{
    pthread_t threads[THREADS];
    struct race races[THREADS];
    pthread_barrier_t barrier;
    unsigned successes = 0;
    assert_int_equal(pthread_barrier_init(&barrier, NULL, THREADS), 0);
    for (size_t i = 0; i < THREADS; i++) {
        races[i] = (struct race){.code = gh_str_from_c(code), .barrier = &barrier};
        assert_int_equal(pthread_create(&threads[i], NULL, race_take, &races[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(races[i].err, GH_OK);
        successes += races[i].used != GH_FACTOR_NONE;
    }
    pthread_barrier_destroy(&barrier);
    return successes;
}

static void fifty_uses_of_one_code_have_one_success(void **state)
{
    struct gh_recovery_codes codes;
    struct gh_str secret = switch_on(&codes);
    f.now_us += FIXTURE_HOUR;
    assert_int_equal(run_race(code_at(secret, 0).text), 1);
    assert_int_equal(run_race(code_at(secret, 0).text), 0);
}

static void fifty_uses_of_one_recovery_code_have_one_success(void **state)
{
    struct gh_recovery_codes codes;
    switch_on(&codes);
    assert_int_equal(run_race(codes.codes[0]), 1);
    assert_int_equal(run_race(codes.codes[0]), 0);
}

/* ---- Switching off, renewing ---- */

static enum gh_identity_result disable_with(struct gh_str password, const char *code)
{
    struct gh_identity_call call = gh_fixture_call_as(&f, grant.access_token);
    return gh_two_factor_disable(&call, password, gh_str_from_c(code), &grant);
}

static void needs_password_and_code_to_switch_off(void **state)
{
    struct gh_recovery_codes codes;
    struct gh_account row;
    struct gh_str secret = switch_on(&codes);
    f.now_us += 2 * FIXTURE_MINUTE;
    assert_int_not_equal(disable_with(FIXTURE_PASSWORD2, code_at(secret, 0).text), GH_IDENTITY_OK);
    assert_int_not_equal(disable_with(FIXTURE_PASSWORD, "000000"), GH_IDENTITY_OK);
    assert_true(gh_fixture_account_row(&f, ann, &row));
    assert_true(row.totp_enabled);
    assert_int_equal(disable_with(FIXTURE_PASSWORD, code_at(secret, 1).text), GH_IDENTITY_OK);
    assert_true(gh_fixture_account_row(&f, ann, &row));
    assert_false(row.totp_enabled);
    assert_int_equal(row.totp_secret.len, 0);
    assert_int_equal(take_code(codes.codes[0]), GH_FACTOR_NONE);
    assert_int_equal(gh_fixture_audit_count(&f, GH_AUDIT_TWO_FACTOR_DISABLED, NULL), 1);
    assert_int_equal(disable_with(FIXTURE_PASSWORD, "000000"), GH_IDENTITY_CONFLICT);
}

static void switching_off_ends_other_sessions_and_weakens_its_own(void **state)
{
    struct gh_recovery_codes codes;
    struct gh_str refresh = grant.refresh_token;
    struct gh_str secret = switch_on(&codes);
    struct gh_str strong = grant.access_token;
    struct gh_identity_call call = gh_fixture_call(&f);
    struct gh_login request = {.email = GH_STR(EMAIL), .password = FIXTURE_PASSWORD};
    struct gh_login_answer answer;
    struct gh_session_grant other, refreshed;
    assert_int_equal(gh_login(&call, &request, &answer), GH_IDENTITY_OK);
    assert_int_equal(
        gh_login_second_step(&call, answer.challenge, gh_str_from_c(codes.codes[0]), &other),
        GH_IDENTITY_OK);
    f.now_us += FIXTURE_MINUTE;
    assert_int_equal(disable_with(FIXTURE_PASSWORD, code_at(secret, 0).text), GH_IDENTITY_OK);
    assert_true(gh_fixture_is_revoked(&f, other.access_token));
    assert_true(gh_fixture_is_revoked(&f, strong));
    assert_false(gh_fixture_is_revoked(&f, grant.access_token));
    call = gh_fixture_call_as(&f, grant.access_token);
    assert_false(call.subject->two_factor || grant.account.two_factor_enabled);
    assert_true(gh_session_is_fresh(&call));
    call = gh_fixture_call(&f);
    assert_int_equal(gh_session_refresh(&call, other.refresh_token, &refreshed),
                     GH_IDENTITY_SESSION_ENDED);
    assert_int_equal(gh_session_refresh(&call, refresh, &refreshed), GH_IDENTITY_OK);
    assert_false(refreshed.two_factor);
}

static void a_session_that_has_ended_switches_nothing_off(void **state)
{
    struct gh_recovery_codes codes;
    struct gh_account row;
    struct gh_str secret = switch_on(&codes);
    struct gh_identity_call call = gh_fixture_call_as(&f, grant.access_token);
    assert_int_equal(gh_logout(&call, (struct gh_str){NULL, 0}), GH_IDENTITY_OK);
    f.now_us += FIXTURE_MINUTE;
    assert_int_equal(disable_with(FIXTURE_PASSWORD, code_at(secret, 0).text),
                     GH_IDENTITY_SESSION_ENDED);
    assert_true(gh_fixture_account_row(&f, ann, &row));
    assert_true(row.totp_enabled);
    assert_int_equal(gh_fixture_audit_count(&f, GH_AUDIT_TWO_FACTOR_DISABLED, NULL), 0);
}

static void refuses_to_switch_off_what_a_role_needs(void **state)
{
    struct gh_recovery_codes codes;
    struct gh_str secret = switch_on(&codes);
    struct gh_account row;
    assert_true(gh_fixture_account_row(&f, ann, &row));
    row.roles = GH_STR("user,admin");
    gh_fixture_account_put(&f, &row);
    f.now_us += FIXTURE_MINUTE;
    assert_int_equal(disable_with(FIXTURE_PASSWORD, code_at(secret, 0).text),
                     GH_IDENTITY_FORBIDDEN);
    assert_int_equal(take_code(code_at(secret, 0).text), GH_FACTOR_TOTP); /* not used up */
}

static void can_be_enrolled_again_at_once(void **state)
{
    struct gh_recovery_codes codes;
    struct gh_str refresh = grant.refresh_token;
    struct gh_str secret = switch_on(&codes);
    assert_int_equal(disable_with(FIXTURE_PASSWORD, code_at(secret, 1).text), GH_IDENTITY_OK);
    struct gh_identity_call call = gh_fixture_call(&f);
    assert_int_equal(gh_session_refresh(&call, refresh, &grant), GH_IDENTITY_OK);
    switch_on(&codes); /* the step is one that the old secret has used */
}

static void delays_guesses_at_the_code_that_renews(void **state)
{
    struct gh_recovery_codes codes;
    struct gh_str secret = switch_on(&codes);
    f.now_us += FIXTURE_MINUTE;
    struct gh_identity_call call = gh_fixture_call_as(&f, grant.access_token);
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(gh_two_factor_recovery_codes(&call, GH_STR("000000"), &codes),
                         GH_IDENTITY_BAD_CODE);
    assert_int_equal(
        gh_two_factor_recovery_codes(&call, gh_str_from_c(code_at(secret, 0).text), &codes),
        GH_IDENTITY_THROTTLED);
}

static void renews_recovery_codes_by_a_code_of_the_app(void **state)
{
    struct gh_recovery_codes old, renewed;
    struct gh_str secret = switch_on(&old);
    f.now_us += FIXTURE_MINUTE;
    struct gh_identity_call call = gh_fixture_call_as(&f, grant.access_token);
    assert_int_equal(gh_two_factor_recovery_codes(&call, gh_str_from_c(old.codes[0]), &renewed),
                     GH_IDENTITY_BAD_CODE);
    assert_int_equal(
        gh_two_factor_recovery_codes(&call, gh_str_from_c(code_at(secret, 0).text), &renewed),
        GH_IDENTITY_OK);
    for (size_t i = 0; i < GH_RECOVERY_CODES; i++)
        assert_int_equal(take_code(old.codes[i]), GH_FACTOR_NONE);
    for (size_t i = 0; i < GH_RECOVERY_CODES; i++)
        assert_int_equal(take_code(renewed.codes[i]), GH_FACTOR_RECOVERY);
    assert_int_equal(
        gh_two_factor_recovery_codes(&call, gh_str_from_c(code_at(secret, 0).text), &renewed),
        GH_IDENTITY_BAD_CODE);
}

/* ---- Quota ---- */

static bool deny(void *context, const char *policy, struct gh_str key, uint64_t *out_retry_after_s)
{
    (void)context;
    assert_string_equal(policy, "two_factor");
    assert_true(gh_str_eq(key, ann));
    *out_retry_after_s = 42;
    return false;
}

static void looks_at_no_code_over_the_quota(void **state)
{
    struct gh_recovery_codes codes;
    struct gh_str secret = set_up();
    f.identity.quota.take = deny;
    struct gh_identity_call call = gh_fixture_call_as(&f, grant.access_token);
    assert_int_equal(
        gh_two_factor_enable(&call, gh_str_from_c(code_at(secret, 0).text), &codes, &grant),
        GH_IDENTITY_THROTTLED);
    assert_int_equal(call.retry_after_s, 42);
    assert_int_equal(
        gh_two_factor_recovery_codes(&call, gh_str_from_c(code_at(secret, 0).text), &codes),
        GH_IDENTITY_THROTTLED);
    assert_int_equal(gh_fixture_audit_count(&f, GH_AUDIT_TWO_FACTOR_FAILED, NULL), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(gives_a_secret_and_a_uri_for_apps),
        TEST(does_not_enrol_before_a_code_was_right),
        TEST(enables_by_a_right_code_and_gives_ten_recovery_codes),
        TEST(refuses_to_enable_without_a_setup),
        TEST(refuses_to_set_up_in_a_session_that_is_not_fresh),
        TEST(ends_the_other_sessions_and_renews_its_own),
        TEST(a_setup_that_begins_again_has_another_secret),
        TEST(changes_nothing_when_the_store_fails),
        TEST(the_enrolment_code_is_used_up),
        TEST(a_code_is_good_once_and_older_ones_with_it),
        TEST(drift_is_what_the_settings_say),
        TEST(takes_codes_as_people_copy_them),
        TEST(a_recovery_code_is_good_once_and_its_use_is_mailed),
        TEST(refuses_recovery_codes_that_are_none),
        TEST(codes_of_one_account_do_not_open_another),
        TEST(fifty_uses_of_one_code_have_one_success),
        TEST(fifty_uses_of_one_recovery_code_have_one_success),
        TEST(needs_password_and_code_to_switch_off),
        TEST(switching_off_ends_other_sessions_and_weakens_its_own),
        TEST(a_session_that_has_ended_switches_nothing_off),
        TEST(refuses_to_switch_off_what_a_role_needs),
        TEST(can_be_enrolled_again_at_once),
        TEST(delays_guesses_at_the_code_that_renews),
        TEST(renews_recovery_codes_by_a_code_of_the_app),
        TEST(looks_at_no_code_over_the_quota),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
