/* Sign-ins and confirmations with a look at what is hashed, and without memory to hash in. The
   linker puts the function of this file in the place of gh_password_verify. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "identity/identity_fixture.h"
#include "identity/sessions.h"

#define ALICE "alice@example.com"
#define USER  1
#define NONE  ((struct gh_str){NULL, 0})

enum gh_err __real_gh_password_verify(struct gh_str hash, struct gh_str password);
enum gh_err __wrap_gh_password_verify(struct gh_str hash, struct gh_str password);

static struct {
    struct gh_password_cost cost; /* of the last one */
    unsigned count;
    bool no_memory;
} hashed;

enum gh_err __wrap_gh_password_verify(struct gh_str hash, struct gh_str password)
{
    hashed.count++;
    assert_true(gh_password_cost_of(hash, &hashed.cost));
    return hashed.no_memory ? GH_ERR_MEMORY : __real_gh_password_verify(hash, password);
}

static int setup(void **state)
{
    static struct gh_identity_fixture fixture;
    memset(&hashed, 0, sizeof(hashed));
    gh_identity_fixture_open(&fixture);
    gh_fixture_account(&fixture, ALICE, FIXTURE_PASSWORD, USER);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    gh_identity_fixture_close(*state);
    return 0;
}

static enum gh_identity_result try_login(struct gh_identity_fixture *fixture, const char *email)
{
    struct gh_identity_call call = gh_fixture_call(fixture);
    struct gh_login request = {.email = gh_str_from_c(email), .password = FIXTURE_PASSWORD};
    struct gh_login_answer answer;
    return gh_login(&call, &request, &answer);
}

static void hashes_for_nobody_at_the_cost_of_now_at_first(void **state)
{
    assert_int_equal(try_login(*state, "nobody@example.com"), GH_IDENTITY_BAD_CREDENTIALS);
    assert_int_equal(hashed.count, 1);
    assert_int_equal(hashed.cost.scheme, GH_PASSWORD_ARGON2ID);
    assert_int_equal(hashed.cost.memory_bytes, 8 << 10);
}

static void hashes_for_nobody_at_the_cost_of_some_account(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    static const struct gh_password_cost COSTS[] = {
        {.scheme = GH_PASSWORD_BCRYPT, .log_rounds = 5},
        {.scheme = GH_PASSWORD_ARGON2I, .memory_bytes = 16 << 10, .passes = 3, .lanes = 1},
        {.scheme = GH_PASSWORD_ARGON2ID, .memory_bytes = 32 << 10, .passes = 2, .lanes = 1},
    };
    struct gh_hash_costs *costs = &fixture->identity.hash_costs;
    atomic_store(&costs->kinds[0].accounts, 1);
    atomic_store(&costs->count, 1);
    for (size_t i = 0; i < sizeof(COSTS) / sizeof(COSTS[0]); i++) {
        costs->kinds[0].cost = COSTS[i];
        assert_int_equal(try_login(fixture, "nobody@example.com"), GH_IDENTITY_BAD_CREDENTIALS);
        assert_int_equal(hashed.count, i + 1);
        assert_true(gh_password_cost_eq(&hashed.cost, &COSTS[i]));
    }
    assert_int_equal(try_login(fixture, ALICE), GH_IDENTITY_OK); /* has a cost of its own */
    assert_int_equal(hashed.cost.memory_bytes, 8 << 10);
}

static void counts_no_failure_of_a_sign_in_without_memory(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    hashed.no_memory = true;
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(try_login(fixture, ALICE), GH_IDENTITY_UNAVAILABLE);
    assert_int_equal(gh_fixture_audit_count(fixture, GH_AUDIT_LOGIN_FAILED, NULL), 0);
    hashed.no_memory = false;
    assert_int_equal(try_login(fixture, ALICE), GH_IDENTITY_OK);
}

static void counts_no_failure_of_a_confirmation_without_memory(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_session_grant grant = gh_fixture_login(fixture, ALICE, FIXTURE_PASSWORD), next;
    struct gh_identity_call call = gh_fixture_call_as(fixture, grant.access_token);
    hashed.no_memory = true;
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(gh_step_up(&call, FIXTURE_PASSWORD, NONE, &next), GH_IDENTITY_UNAVAILABLE);
    assert_int_equal(gh_fixture_audit_count(fixture, GH_AUDIT_LOGIN_FAILED, NULL), 0);
    hashed.no_memory = false;
    assert_int_equal(gh_step_up(&call, FIXTURE_PASSWORD, NONE, &next), GH_IDENTITY_OK);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(hashes_for_nobody_at_the_cost_of_now_at_first),
        TEST(hashes_for_nobody_at_the_cost_of_some_account),
        TEST(counts_no_failure_of_a_sign_in_without_memory),
        TEST(counts_no_failure_of_a_confirmation_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
