/* Who reads the log in clear is in the log: once for a question, however many pages it has. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "identity/audit_read.h"
#include "identity/identity_fixture.h"

#define ANN "ann@example.org"

static struct gh_identity_fixture f;
static struct gh_str ann;
static struct gh_subject subject;

static int open_fixture(void **state)
{
    gh_identity_fixture_open(&f);
    ann = gh_fixture_account(&f, ANN, FIXTURE_PASSWORD, 3);
    subject = (struct gh_subject){.id = ann};
    return 0;
}

static int close_fixture(void **state)
{
    gh_identity_fixture_close(&f);
    return 0;
}

static struct gh_identity_call by_admin(void)
{
    struct gh_identity_call call = gh_fixture_call(&f);
    call.subject = &subject;
    return call;
}

static struct gh_identity_call by_command(void)
{
    struct gh_identity_call call = gh_fixture_call(&f);
    call.by = GH_STR("command");
    return call;
}

static size_t reads(void)
{
    return gh_fixture_audit_count(&f, GH_AUDIT_AUDIT_READ, NULL);
}

static void read_as(struct gh_identity_call call, struct gh_audit_query query, bool goes_on)
{
    assert_int_equal(gh_audit_read_note(&call, &query, goes_on), GH_IDENTITY_OK);
}

static void an_admins_reading_says_who_and_what(void **state)
{
    struct gh_audit_record last;
    const struct gh_audit_query query = {.event = GH_STR("login"),
                                         .user_id = ann,
                                         .by_outcome = true,
                                         .outcome = GH_AUDIT_FAILURE,
                                         .since_us = FIXTURE_BEGIN_US};
    read_as(by_admin(), query, false);
    assert_int_equal(gh_fixture_audit_count(&f, GH_AUDIT_AUDIT_READ, &last), 1);
    assert_true(gh_str_eq(last.actor_id, ann));
    assert_true(gh_str_eq(
        last.metadata,
        gh_arena_format(&f.arena,
                        "{\"by\":\"%.*s\",\"query\":\"event=login user=%.*s outcome=failure "
                        "since=2027-01-15T08:00:00.000000Z\"}",
                        GH_STR_ARG(ann), GH_STR_ARG(ann))));
}

static void a_commands_reading_has_no_account(void **state)
{
    struct gh_audit_record last;
    read_as(by_command(), (struct gh_audit_query){.limit = 1}, false);
    assert_int_equal(gh_fixture_audit_count(&f, GH_AUDIT_AUDIT_READ, &last), 1);
    assert_int_equal(last.actor_id.len, 0);
    assert_true(gh_str_eq(last.metadata, GH_STR("{\"by\":\"command\",\"query\":\"all\"}")));
}

static void a_session_that_is_none_is_not_repeated(void **state)
{
    struct gh_audit_record last;
    read_as(by_command(), (struct gh_audit_query){.session = GH_STR(ANN)}, false);
    assert_int_equal(gh_fixture_audit_count(&f, GH_AUDIT_AUDIT_READ, &last), 1);
    assert_true(
        gh_str_eq(last.metadata, GH_STR("{\"by\":\"command\",\"query\":\"session=unknown\"}")));
}

static void pages_of_one_question_stand_under_its_first(void **state)
{
    const struct gh_audit_query query = {.event = GH_STR("login")};
    read_as(by_admin(), query, false);
    read_as(by_admin(), query, true);
    f.now_us += GH_AUDIT_READING_US - 1;
    read_as(by_admin(), query, true);
    assert_int_equal(reads(), 1);
    read_as(by_admin(), query, false);
    assert_int_equal(reads(), 2);
}

static void who_begins_in_the_middle_is_noted_all_the_same(void **state)
{
    read_as(by_admin(), (struct gh_audit_query){.before_seq = 1000}, true);
    assert_int_equal(reads(), 1);
}

static void another_question_or_reader_or_hour_is_noted_again(void **state)
{
    const struct gh_audit_query query = {.event = GH_STR("login")};
    read_as(by_admin(), query, false);
    read_as(by_admin(), (struct gh_audit_query){.event = GH_STR("signup")}, true);
    assert_int_equal(reads(), 2);
    read_as(by_command(), (struct gh_audit_query){.event = GH_STR("signup")}, true);
    assert_int_equal(reads(), 3);
    f.now_us += GH_AUDIT_READING_US;
    read_as(by_command(), (struct gh_audit_query){.event = GH_STR("signup")}, true);
    assert_int_equal(reads(), 4);
}

static void a_record_of_the_future_covers_nothing(void **state)
{
    read_as(by_admin(), (struct gh_audit_query){.limit = 1}, false);
    f.now_us -= FIXTURE_DAY;
    read_as(by_admin(), (struct gh_audit_query){.limit = 1}, true);
    assert_int_equal(reads(), 2);
}

static void what_can_not_be_noted_is_said(void **state)
{
    struct gh_identity_call call = by_admin();
    struct gh_audit_query query = {.limit = 1};
    gh_fixture_store_fail(f.store, 1, GH_ERR_FULL);
    assert_int_equal(gh_audit_read_note(&call, &query, false), GH_IDENTITY_UNAVAILABLE);
    assert_int_equal(reads(), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_admins_reading_says_who_and_what),
        TEST(a_commands_reading_has_no_account),
        TEST(a_session_that_is_none_is_not_repeated),
        TEST(pages_of_one_question_stand_under_its_first),
        TEST(who_begins_in_the_middle_is_noted_all_the_same),
        TEST(another_question_or_reader_or_hour_is_noted_again),
        TEST(a_record_of_the_future_covers_nothing),
        TEST(what_can_not_be_noted_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
