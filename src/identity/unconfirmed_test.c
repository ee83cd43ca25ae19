#include "identity/unconfirmed.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "identity/account.h"
#include "identity/admin.h"
#include "identity/identity_fixture.h"

#define USER 1

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

static void sweep(struct gh_identity_fixture *fixture)
{
    struct gh_id cursor = {.text = ""};
    bool more = true;
    while (more) {
        struct gh_identity_call call = gh_fixture_call(fixture);
        call.by = GH_STR("command");
        assert_int_equal(gh_unconfirmed_drop(&call, &cursor, &more), GH_IDENTITY_OK);
    }
}

static struct gh_str sign_up(struct gh_identity_fixture *fixture, const char *email)
{
    struct gh_identity_call call = gh_fixture_call(fixture);
    struct gh_sign_up request = {gh_str_from_c(email), FIXTURE_PASSWORD, GH_STR("")};
    struct gh_account_view view;
    struct gh_audit_record record;
    assert_int_equal(gh_sign_up(&call, &request, &view), GH_IDENTITY_OK);
    gh_fixture_audit_count(fixture, GH_AUDIT_SIGNUP, &record);
    return gh_arena_dup(&fixture->arena, record.user_id);
}

static bool is_there(struct gh_identity_fixture *fixture, struct gh_str id)
{
    struct gh_account account;
    return gh_fixture_account_row(fixture, id, &account);
}

static void drops_a_sign_up_that_nobody_confirmed_in_a_week(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_str id = sign_up(fixture, "alice@example.com");
    fixture->now_us += 7 * FIXTURE_DAY - 1;
    sweep(fixture);
    assert_true(is_there(fixture, id));
    fixture->now_us++;
    sweep(fixture);
    assert_false(is_there(fixture, id));
    assert_int_equal(gh_fixture_audit_count(fixture, GH_AUDIT_ACCOUNT_DELETED, NULL), 1);
    assert_int_equal(gh_fixture_mail_count(fixture), 0); /* its link went with it */
    sign_up(fixture, "alice@example.com");               /* the address is free again */
}

static void keeps_who_confirmed_or_was_imported(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_identity_call call = gh_fixture_call(fixture);
    struct gh_account_view imported;
    struct gh_user_import user = {
        .email = GH_STR("old@example.com"),
        .password_hash = GH_STR("$2b$10$XpCj.N0tHY5Huq8EVrftcuBSDgeW8.G.jArojL3k/B8lQlDWSaxTO"),
        .name = GH_STR(""),
        .totp_secret = GH_STR(""),
    };
    assert_int_equal(gh_user_import(&call, &user, &imported), GH_IDENTITY_OK);
    struct gh_str confirmed =
        gh_fixture_account(fixture, "bob@example.com", FIXTURE_PASSWORD, USER);
    fixture->now_us += 400 * FIXTURE_DAY;
    sweep(fixture);
    assert_true(is_there(fixture, confirmed));
    assert_true(is_there(fixture, gh_id_str(&imported.id)));
    assert_int_equal(gh_fixture_audit_count(fixture, GH_AUDIT_ACCOUNT_DELETED, NULL), 0);
}

static void looks_at_all_pages(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    for (unsigned i = 0; i < GH_UNCONFIRMED_ROWS + 20; i++) {
        struct gh_account account;
        struct gh_str email = gh_arena_format(&fixture->arena, "user%u@example.com", i);
        struct gh_str id = gh_fixture_account(fixture, email.ptr, GH_STR(""), USER);
        assert_true(gh_fixture_account_row(fixture, id, &account));
        account.email_verified_us = 0;
        gh_fixture_account_put(fixture, &account);
    }
    fixture->now_us += 8 * FIXTURE_DAY;
    sweep(fixture);
    assert_int_equal(gh_fixture_audit_count(fixture, GH_AUDIT_ACCOUNT_DELETED, NULL),
                     GH_UNCONFIRMED_ROWS + 20);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(drops_a_sign_up_that_nobody_confirmed_in_a_week),
        TEST(keeps_who_confirmed_or_was_imported),
        TEST(looks_at_all_pages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
