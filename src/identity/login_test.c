/* Signing in by password: what must look alike, what is counted, what a success writes. */
#include "identity/login.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "identity/identity_fixture.h"
#include "identity/passwords.h"
#include "identity/person.h"
#include "identity/store_trace.h"

#define ALICE "alice@example.com"
#define USER  1
#define ADMIN 2
#define WRONG GH_STR("not the password")

static int setup(void **state)
{
    static struct gh_identity_fixture fixture;
    gh_identity_fixture_open(&fixture);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    gh_identity_fixture_close(*state);
    return 0;
}

/* Each try from a network of its own. */
static struct gh_identity_call fresh_call(struct gh_identity_fixture *fixture)
{
    struct gh_identity_call call = gh_fixture_call(fixture);
    call.network = gh_arena_format(&fixture->arena, "net %llu",
                                   (unsigned long long)atomic_fetch_add(&fixture->drawn, 1));
    return call;
}

static enum gh_identity_result try_login(struct gh_identity_fixture *fixture, const char *email,
                                         struct gh_str password)
{
    struct gh_identity_call call = fresh_call(fixture);
    struct gh_login request = {.email = gh_str_from_c(email), .password = password};
    struct gh_login_answer answer;
    return gh_login(&call, &request, &answer);
}

static struct gh_session_grant login_on(struct gh_identity_fixture *fixture, struct gh_str device)
{
    struct gh_identity_call call = fresh_call(fixture);
    struct gh_login request = {.email = GH_STR(ALICE), .password = FIXTURE_PASSWORD};
    struct gh_login_answer answer;
    call.device = device;
    assert_int_equal(gh_login(&call, &request, &answer), GH_IDENTITY_OK);
    return answer.grant;
}

/* The four accounts that must look alike. */
static void make_kinds(struct gh_identity_fixture *fixture)
{
    struct gh_account account;
    gh_fixture_account(fixture, "known@example.com", FIXTURE_PASSWORD, USER);
    struct gh_str id = gh_fixture_account(fixture, "disabled@example.com", FIXTURE_PASSWORD, USER);
    assert_true(gh_fixture_account_row(fixture, id, &account));
    account.status = GH_ACCOUNT_DISABLED;
    gh_fixture_account_put(fixture, &account);
    id = gh_fixture_account(fixture, "unverified@example.com", FIXTURE_PASSWORD, USER);
    assert_true(gh_fixture_account_row(fixture, id, &account));
    account.email_verified_us = 0;
    gh_fixture_account_put(fixture, &account);
    gh_fixture_account(fixture, "nopassword@example.com", GH_STR(""), USER);
}

static const struct {
    const char *email;
    struct gh_str password;
    const char *reason;
} KINDS[] = {
    {"unknown@example.com", GH_STR_INIT("unsung-kettle-73-orbit"), "unknown"},
    {"not an address", GH_STR_INIT("unsung-kettle-73-orbit"), "unknown"},
    {"known@example.com", GH_STR_INIT("not the password"), "password"},
    {"known@example.com", GH_STR_INIT(""), "password"},
    {"nopassword@example.com", GH_STR_INIT("unsung-kettle-73-orbit"), "password"},
    {"nopassword@example.com", GH_STR_INIT(""), "password"},
    {"disabled@example.com", GH_STR_INIT("unsung-kettle-73-orbit"), "disabled"},
    {"disabled@example.com", GH_STR_INIT("not the password"), "password"},
    {"unverified@example.com", GH_STR_INIT("unsung-kettle-73-orbit"), "unverified"},
};
#define KIND_COUNT (sizeof(KINDS) / sizeof(KINDS[0]))

/* ---- What must look alike ---- */

static void answers_all_refusals_alike(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    make_kinds(fixture);
    for (size_t i = 0; i < KIND_COUNT; i++) {
        struct gh_audit_record record;
        assert_int_equal(try_login(fixture, KINDS[i].email, KINDS[i].password),
                         GH_IDENTITY_BAD_CREDENTIALS);
        assert_int_equal(gh_fixture_audit_count(fixture, GH_AUDIT_LOGIN_FAILED, &record), i + 1);
        struct gh_str expected =
            gh_arena_format(&fixture->arena, "{\"email\":\"%s\",\"reason\":\"%s\"}", KINDS[i].email,
                            KINDS[i].reason);
        assert_true(gh_str_eq(record.metadata, expected));
        assert_int_equal(record.outcome, GH_AUDIT_FAILURE);
        assert_true(gh_str_eq(record.ip_address, GH_STR("192.0.2.1")));
    }
    assert_int_equal(gh_fixture_audit_count(fixture, GH_AUDIT_LOGIN, NULL), 0);
}

static enum gh_identity_result try_where_a_second_factor_is_wanted(
    struct gh_identity_fixture *fixture, struct gh_login_answer *answer)
{
    struct gh_identity_call call = fresh_call(fixture);
    struct gh_login request = {.email = GH_STR(ALICE), .password = FIXTURE_PASSWORD};
    call.wants_second_factor = true;
    return gh_login(&call, &request, answer);
}

static void refuses_who_has_no_second_factor_where_one_is_wanted(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_login_answer answer;
    struct gh_audit_record record;
    struct gh_account account;
    struct gh_str id = gh_fixture_account(fixture, ALICE, FIXTURE_PASSWORD, USER);
    assert_int_equal(try_where_a_second_factor_is_wanted(fixture, &answer),
                     GH_IDENTITY_BAD_CREDENTIALS);
    assert_int_equal(gh_fixture_audit_count(fixture, GH_AUDIT_LOGIN_FAILED, &record), 1);
    assert_true(gh_str_ends_with(record.metadata, GH_STR("\"reason\":\"second_factor\"}")));
    assert_true(gh_fixture_account_row(fixture, id, &account));
    account.totp_enabled = true;
    gh_fixture_account_put(fixture, &account);
    assert_int_equal(try_where_a_second_factor_is_wanted(fixture, &answer), GH_IDENTITY_OK);
    assert_true(answer.challenge.len > 0);
}

static enum gh_err make_key_of_the_day(struct gh_tx *tx, void *args)
{
    const struct gh_identity_fixture *fixture = args;
    struct gh_audit_person person;
    return gh_person_key(tx, &fixture->identity, GH_STR(""), fixture->now_us, &person);
}

static void asks_the_store_the_same_for_all_refusals(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_store_trace trace;
    struct gh_str first = {NULL, 0};
    make_kinds(fixture);
    try_login(fixture, "earlier@example.com", WRONG); /* the rows over all accounts are there */
    gh_store_trace_init(&trace, fixture->store);
    fixture->identity.store = &trace.store;
    for (size_t i = 0; i < KIND_COUNT; i++) {
        fixture->now_us += FIXTURE_DAY; /* all counters as new */
        assert_int_equal(
            fixture->store->ops->run(fixture->store, make_key_of_the_day, fixture, &fixture->arena),
            GH_OK);
        try_login(fixture, KINDS[i].email, KINDS[i].password);
        struct gh_str asked = gh_arena_dup(&fixture->arena, gh_store_trace_take(&trace));
        assert_true(gh_str_starts_with(
            asked, GH_STR("read(account_by_email throttle_get throttle_get ) run(throttle_get ")));
        if (i > 1) /* the first has no minute before its own */
            assert_true(gh_str_eq(asked, first));
        first = asked;
    }
    fixture->identity.store = fixture->store;
}

static void throttles_all_alike(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    make_kinds(fixture);
    for (size_t i = 0; i < KIND_COUNT; i++) {
        fixture->now_us += FIXTURE_DAY;
        for (unsigned n = 0; n < 6; n++)
            assert_int_equal(try_login(fixture, KINDS[i].email, WRONG),
                             GH_IDENTITY_BAD_CREDENTIALS);
        struct gh_identity_call call = fresh_call(fixture);
        struct gh_login request = {.email = gh_str_from_c(KINDS[i].email), .password = WRONG};
        struct gh_login_answer answer;
        assert_int_equal(gh_login(&call, &request, &answer), GH_IDENTITY_THROTTLED);
        assert_int_equal(call.retry_after_s, 1);
        request.password = FIXTURE_PASSWORD; /* right or wrong */
        assert_int_equal(gh_login(&call, &request, &answer), GH_IDENTITY_THROTTLED);
        assert_int_equal(call.retry_after_s, 1);
    }
}

static void does_not_hash_or_write_when_throttled(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_store_trace trace;
    for (unsigned n = 0; n < 6; n++)
        try_login(fixture, ALICE, WRONG);
    gh_store_trace_init(&trace, fixture->store);
    fixture->identity.store = &trace.store;
    assert_int_equal(try_login(fixture, ALICE, WRONG), GH_IDENTITY_THROTTLED);
    assert_true(gh_str_eq(gh_store_trace_take(&trace),
                          GH_STR("read(account_by_email throttle_get throttle_get ) ")));
    assert_int_equal(gh_fixture_audit_count(fixture, GH_AUDIT_LOGIN_FAILED, NULL), 6);
}

static void keeps_throttles_over_a_restart(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    gh_fixture_account(fixture, ALICE, FIXTURE_PASSWORD, USER);
    for (unsigned n = 0; n < 8; n++) {
        fixture->now_us += FIXTURE_MINUTE;
        try_login(fixture, ALICE, WRONG);
    }
    gh_identity_fixture_restart(fixture);
    assert_int_equal(try_login(fixture, ALICE, FIXTURE_PASSWORD), GH_IDENTITY_THROTTLED);
    fixture->now_us += 4 * FIXTURE_SECOND;
    assert_int_equal(try_login(fixture, ALICE, FIXTURE_PASSWORD), GH_IDENTITY_OK);
    assert_int_equal(try_login(fixture, ALICE, WRONG), GH_IDENTITY_BAD_CREDENTIALS);
    assert_int_equal(try_login(fixture, ALICE, FIXTURE_PASSWORD), GH_IDENTITY_OK);
}

struct quota {
    const char *policy;
    struct gh_str keys[4];
    size_t count;
    struct gh_arena *arena;
};

static bool take(void *context, const char *policy, struct gh_str key, uint64_t *out_s)
{
    struct quota *quota = context;
    if (strcmp(policy, quota->policy) != 0)
        return true;
    quota->keys[quota->count++] = gh_arena_dup(quota->arena, key);
    *out_s = 42;
    return quota->count < 3;
}

static void asks_for_a_quota_by_address_before_anything_else(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_store_trace trace;
    struct quota quota = {.policy = "login_account", .arena = &fixture->arena};
    fixture->identity.quota = (struct gh_identity_quota){take, &quota};
    gh_store_trace_init(&trace, fixture->store);
    fixture->identity.store = &trace.store;
    try_login(fixture, "a@example.com", WRONG);
    try_login(fixture, "A@Example.COM", WRONG);
    gh_store_trace_take(&trace);
    assert_int_equal(try_login(fixture, "b@example.com", WRONG), GH_IDENTITY_THROTTLED);
    assert_int_equal(gh_store_trace_take(&trace).len, 0);
    assert_true(gh_str_eq(quota.keys[0], quota.keys[1]));
    assert_false(gh_str_eq(quota.keys[0], quota.keys[2]));
}

/* ---- A success ---- */

static void opens_a_session(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_audit_record record;
    struct gh_account account;
    struct gh_str id = gh_fixture_account(fixture, ALICE, FIXTURE_PASSWORD, USER);
    fixture->now_us += FIXTURE_HOUR;
    struct gh_session_grant grant = gh_fixture_login(fixture, ALICE, FIXTURE_PASSWORD);
    struct gh_identity_call call = gh_fixture_call_as(fixture, grant.access_token);
    assert_true(gh_str_eq(call.subject->id, id));
    assert_true(gh_str_eq(call.subject->email, GH_STR(ALICE)));
    assert_int_equal(call.subject->roles, USER);
    assert_false(call.subject->two_factor);
    assert_false(call.subject->must_enrol);
    assert_int_equal(call.subject->authenticated_s, fixture->now_us / FIXTURE_SECOND);
    assert_int_equal(grant.access_s, 15 * 60);
    assert_int_equal(grant.refresh_s, 0);
    assert_non_null(grant.refresh_token.ptr);
    assert_non_null(grant.device.ptr);
    assert_true(gh_fixture_account_row(fixture, id, &account));
    assert_true(account.last_login_us == fixture->now_us);
    assert_int_equal(gh_fixture_audit_count(fixture, GH_AUDIT_LOGIN, &record), 1);
    assert_true(
        gh_str_eq(record.metadata, GH_STR("{\"method\":\"password\",\"new_device\":true}")));
    assert_true(gh_str_eq(record.actor_id, id));
    assert_int_equal(record.session.len, GH_AUDIT_SESSION_LEN);
}

static void signs_bearer_tokens_by_the_ring(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    fixture->settings.transport = GH_TRANSPORT_BEARER;
    gh_fixture_account(fixture, ALICE, FIXTURE_PASSWORD, USER);
    struct gh_session_grant grant = gh_fixture_login(fixture, ALICE, FIXTURE_PASSWORD);
    gh_fixture_call_as(fixture, grant.access_token); /* verifies it by the ring */
}

static void gives_new_ids_at_each_login(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    gh_fixture_account(fixture, ALICE, FIXTURE_PASSWORD, USER);
    struct gh_session_grant first = gh_fixture_login(fixture, ALICE, FIXTURE_PASSWORD);
    struct gh_session_grant second = gh_fixture_login(fixture, ALICE, FIXTURE_PASSWORD);
    assert_string_not_equal(first.session_id.text, second.session_id.text);
    assert_false(gh_str_eq(first.refresh_token, second.refresh_token));
}

static void finds_an_address_in_any_case(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    gh_fixture_account(fixture, ALICE, FIXTURE_PASSWORD, USER);
    assert_int_equal(try_login(fixture, " Alice@EXAMPLE.com ", FIXTURE_PASSWORD), GH_IDENTITY_OK);
}

static void knows_its_devices(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_audit_record record;
    gh_fixture_account(fixture, ALICE, FIXTURE_PASSWORD, USER);
    struct gh_session_grant first = login_on(fixture, (struct gh_str){NULL, 0});
    struct gh_session_grant second = login_on(fixture, first.device);
    assert_null(second.device.ptr);
    gh_fixture_audit_count(fixture, GH_AUDIT_LOGIN, &record);
    assert_true(
        gh_str_eq(record.metadata, GH_STR("{\"method\":\"password\",\"new_device\":false}")));
    struct gh_session_grant third = login_on(fixture, GH_STR("somebody's rubbish"));
    assert_non_null(third.device.ptr);
    assert_false(gh_str_eq(first.device, third.device));
}

struct devices {
    struct gh_str account;
    struct gh_device_row *rows;
    size_t count;
};

static enum gh_err read_devices(struct gh_tx *tx, void *args)
{
    struct devices *devices = args;
    return tx->ops->devices_of(tx, devices->account, &devices->rows, &devices->count);
}

static void keeps_the_newest_hundred_devices_of_an_account(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct devices devices = {.account =
                                  gh_fixture_account(fixture, ALICE, FIXTURE_PASSWORD, USER)};
    uint64_t began_us = fixture->now_us;
    for (unsigned i = 0; i < 103; i++, fixture->now_us += FIXTURE_SECOND)
        login_on(fixture, (struct gh_str){NULL, 0});
    assert_int_equal(
        fixture->store->ops->read(fixture->store, read_devices, &devices, &fixture->arena), GH_OK);
    assert_int_equal(devices.count, 100);
    assert_int_equal(devices.rows[99].created_us, began_us + 3 * FIXTURE_SECOND);
}

static void knows_no_device_of_before_a_new_password(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_account account;
    struct gh_str id = gh_fixture_account(fixture, ALICE, FIXTURE_PASSWORD, USER);
    struct gh_session_grant grant = login_on(fixture, (struct gh_str){NULL, 0});
    fixture->now_us += FIXTURE_MINUTE;
    assert_true(gh_fixture_account_row(fixture, id, &account));
    account.password_changed_us = fixture->now_us;
    gh_fixture_account_put(fixture, &account);
    for (unsigned n = 0; n < 6; n++)
        try_login(fixture, ALICE, WRONG);
    struct gh_identity_call call = fresh_call(fixture);
    struct gh_login request = {.email = GH_STR(ALICE), .password = FIXTURE_PASSWORD};
    struct gh_login_answer answer;
    call.device = grant.device;
    assert_int_equal(gh_login(&call, &request, &answer), GH_IDENTITY_THROTTLED);
}

static void lets_the_owner_in_on_a_known_device_under_attack(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    gh_fixture_account(fixture, ALICE, FIXTURE_PASSWORD, USER);
    struct gh_session_grant grant = login_on(fixture, (struct gh_str){NULL, 0});
    for (unsigned n = 0; n < 6; n++)
        try_login(fixture, ALICE, WRONG);
    assert_int_equal(try_login(fixture, ALICE, FIXTURE_PASSWORD), GH_IDENTITY_THROTTLED);
    login_on(fixture, grant.device);
}

static void tells_whom_a_second_factor_is_required_of(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    gh_fixture_account(fixture, ALICE, FIXTURE_PASSWORD, USER | ADMIN);
    struct gh_session_grant grant = gh_fixture_login(fixture, ALICE, FIXTURE_PASSWORD);
    struct gh_identity_call call = gh_fixture_call_as(fixture, grant.access_token);
    assert_true(call.subject->must_enrol);
    assert_true(grant.account.must_enrol);
}

/* ---- Hashes ---- */

static void set_hash(struct gh_identity_fixture *fixture, struct gh_str id,
                     const struct gh_password_cost *cost, struct gh_str password)
{
    char hash[GH_PASSWORD_HASH_BYTES_MAX];
    struct gh_account account;
    assert_int_equal(gh_password_hash(cost, password, hash), GH_OK);
    assert_true(gh_fixture_account_row(fixture, id, &account));
    account.password_hash = gh_str_from_c(hash);
    gh_fixture_account_put(fixture, &account);
}

static struct gh_str hash_of(struct gh_identity_fixture *fixture, struct gh_str id)
{
    struct gh_account account;
    assert_true(gh_fixture_account_row(fixture, id, &account));
    return account.password_hash;
}

static void upgrades_a_hash_of_another_scheme_or_cost(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    static const struct gh_password_cost COSTS[] = {
        {.scheme = GH_PASSWORD_BCRYPT, .log_rounds = 4},
        {.scheme = GH_PASSWORD_ARGON2ID, .memory_bytes = 16 << 10, .passes = 1, .lanes = 1},
        {.scheme = GH_PASSWORD_ARGON2ID, .memory_bytes = 8 << 10, .passes = 2, .lanes = 1},
    };
    struct gh_str id = gh_fixture_account(fixture, ALICE, FIXTURE_PASSWORD, USER);
    for (size_t i = 0; i < sizeof(COSTS) / sizeof(COSTS[0]); i++) {
        set_hash(fixture, id, &COSTS[i], FIXTURE_PASSWORD);
        assert_int_equal(try_login(fixture, ALICE, WRONG), GH_IDENTITY_BAD_CREDENTIALS);
        struct gh_password_cost cost;
        assert_true(gh_password_cost_of(hash_of(fixture, id), &cost));
        assert_memory_equal(&cost.scheme, &COSTS[i].scheme, sizeof(cost.scheme));
        assert_int_equal(try_login(fixture, ALICE, FIXTURE_PASSWORD), GH_IDENTITY_OK);
        assert_true(gh_password_cost_of(hash_of(fixture, id), &cost));
        assert_int_equal(cost.scheme, GH_PASSWORD_ARGON2ID);
        assert_true(cost.memory_bytes == 8 << 10 && cost.passes == 1);
        assert_int_equal(try_login(fixture, ALICE, FIXTURE_PASSWORD), GH_IDENTITY_OK);
    }
}

static void leaves_a_hash_of_the_right_cost(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_str id = gh_fixture_account(fixture, ALICE, FIXTURE_PASSWORD, USER);
    struct gh_str before = hash_of(fixture, id);
    assert_int_equal(try_login(fixture, ALICE, FIXTURE_PASSWORD), GH_IDENTITY_OK);
    assert_true(gh_str_eq(before, hash_of(fixture, id)));
}

static void lets_in_whose_password_bcrypt_can_not_take(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_str password = GH_STR("a passphrase of more than seventy-two bytes that was fine "
                                    "under argon2 when it was chosen");
    struct gh_str id = gh_fixture_account(fixture, ALICE, password, USER);
    struct gh_str before = hash_of(fixture, id);
    fixture->settings.passwords.hash = GH_PASSWORD_BCRYPT;
    assert_int_equal(try_login(fixture, ALICE, password), GH_IDENTITY_OK);
    assert_true(gh_str_eq(before, hash_of(fixture, id))); /* never cut */
}

/* ---- While it hashes ---- */

static void disable(struct gh_account *account)
{
    account->status = GH_ACCOUNT_DISABLED;
}

static void set_password(struct gh_account *account)
{
    account->password_changed_us++;
}

static void set_other_hash(struct gh_account *account)
{
    account->password_hash = GH_STR("upgraded by another login");
}

static enum gh_identity_result login_while(struct gh_identity_fixture *fixture, struct gh_str id,
                                           gh_fixture_change *change)
{
    gh_fixture_change_after_reads(fixture, id, change);
    enum gh_identity_result result = try_login(fixture, ALICE, FIXTURE_PASSWORD);
    gh_fixture_change_after_reads(fixture, id, NULL);
    return result;
}

static void leaves_a_hash_that_another_login_upgraded_meanwhile(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_str id = gh_fixture_account(fixture, ALICE, FIXTURE_PASSWORD, USER);
    assert_int_equal(login_while(fixture, id, set_other_hash), GH_IDENTITY_OK);
    assert_true(gh_str_eq(hash_of(fixture, id), GH_STR("upgraded by another login")));
}

static void opens_nothing_when_the_account_changes_meanwhile(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_str id = gh_fixture_account(fixture, ALICE, FIXTURE_PASSWORD, USER);
    assert_int_equal(login_while(fixture, id, set_password), GH_IDENTITY_BAD_CREDENTIALS);
    assert_int_equal(login_while(fixture, id, disable), GH_IDENTITY_BAD_CREDENTIALS);
    assert_int_equal(gh_fixture_audit_count(fixture, GH_AUDIT_LOGIN, NULL), 0);
    assert_int_equal(gh_fixture_audit_count(fixture, GH_AUDIT_LOGIN_FAILED, NULL), 2);
}

/* ---- The world ---- */

static void signs_nobody_in_when_the_store_fails(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    gh_fixture_account(fixture, ALICE, FIXTURE_PASSWORD, USER);
    gh_fixture_store_fail(fixture->store, 1, GH_ERR_IO);
    assert_int_equal(try_login(fixture, ALICE, FIXTURE_PASSWORD), GH_IDENTITY_UNAVAILABLE);
    gh_fixture_store_fail(fixture->store, 1, GH_ERR_IO);
    assert_int_equal(try_login(fixture, ALICE, WRONG), GH_IDENTITY_UNAVAILABLE);
    assert_int_equal(try_login(fixture, ALICE, FIXTURE_PASSWORD), GH_IDENTITY_OK);
}

/* ---- A unit that is run again, and finds that something else happened ---- */

struct again {
    struct gh_store store; /* first */
    struct gh_store *inner;
    struct gh_str id;
    gh_store_unit *unit;
    void *args;
};

static enum gh_err run_disabled(struct gh_tx *tx, void *args)
{
    struct again *again = args;
    struct gh_account account;
    assert_int_equal(tx->ops->account_by_id(tx, again->id, &account), GH_OK);
    account.status = GH_ACCOUNT_DISABLED;
    assert_int_equal(tx->ops->account_update(tx, &account), GH_OK);
    assert_int_equal(again->unit(tx, again->args), GH_OK);
    return GH_ERR_CLOSED; /* nothing of it happened */
}

static enum gh_err run_again(struct gh_store *store, gh_store_unit *unit, void *args,
                             struct gh_arena *arena)
{
    struct again *again = (struct again *)store;
    again->unit = unit;
    again->args = args;
    store = again->inner;
    assert_int_equal(store->ops->run(store, run_disabled, again, arena), GH_ERR_CLOSED);
    return store->ops->run(store, unit, args, arena);
}

static enum gh_err read_once(struct gh_store *store, gh_store_unit *unit, void *args,
                             struct gh_arena *arena)
{
    store = ((struct again *)store)->inner;
    return store->ops->read(store, unit, args, arena);
}

static void forgets_what_a_run_that_came_to_nothing_refused(void **state)
{
    static const struct gh_store_ops OPS = {.run = run_again, .read = read_once};
    struct gh_identity_fixture *fixture = *state;
    struct gh_store *inner = fixture->identity.store;
    struct again again = {{&OPS, inner->shared}, inner, GH_STR("")};
    again.id = gh_fixture_account(fixture, ALICE, FIXTURE_PASSWORD, USER);
    fixture->identity.store = &again.store;
    assert_int_equal(try_login(fixture, ALICE, FIXTURE_PASSWORD), GH_IDENTITY_OK);
    assert_int_equal(try_login(fixture, ALICE, WRONG), GH_IDENTITY_BAD_CREDENTIALS);
    fixture->identity.store = inner;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(answers_all_refusals_alike),
        TEST(refuses_who_has_no_second_factor_where_one_is_wanted),
        TEST(asks_the_store_the_same_for_all_refusals),
        TEST(throttles_all_alike),
        TEST(does_not_hash_or_write_when_throttled),
        TEST(keeps_throttles_over_a_restart),
        TEST(asks_for_a_quota_by_address_before_anything_else),
        TEST(opens_a_session),
        TEST(signs_bearer_tokens_by_the_ring),
        TEST(gives_new_ids_at_each_login),
        TEST(finds_an_address_in_any_case),
        TEST(knows_its_devices),
        TEST(keeps_the_newest_hundred_devices_of_an_account),
        TEST(knows_no_device_of_before_a_new_password),
        TEST(lets_the_owner_in_on_a_known_device_under_attack),
        TEST(tells_whom_a_second_factor_is_required_of),
        TEST(upgrades_a_hash_of_another_scheme_or_cost),
        TEST(leaves_a_hash_of_the_right_cost),
        TEST(lets_in_whose_password_bcrypt_can_not_take),
        TEST(leaves_a_hash_that_another_login_upgraded_meanwhile),
        TEST(opens_nothing_when_the_account_changes_meanwhile),
        TEST(signs_nobody_in_when_the_store_fails),
        TEST(forgets_what_a_run_that_came_to_nothing_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
