/* Idle time counts from the last request. */
#include "identity/session_touch.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <setjmp.h>
#include <cmocka.h>

#include "identity/identity_fixture.h"
#include "identity/sessions.h"
#include "store/memory.h"

#define ALICE "alice@example.com"
#define USER  1

static struct gh_identity_fixture f;
static struct gh_session_touches *touches;
static struct gh_arena scratch;

static int setup(void **state)
{
    (void)state;
    gh_identity_fixture_open(&f);
    gh_fixture_account(&f, ALICE, FIXTURE_PASSWORD, USER);
    touches = gh_session_touches_new((struct gh_hash_key){1, 2});
    assert_non_null(touches);
    gh_arena_init(&scratch, 4096, 1024 * 1024);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    gh_arena_done(&scratch);
    gh_session_touches_free(touches);
    gh_identity_fixture_close(&f);
    return 0;
}

static enum gh_err flush(void)
{
    return gh_session_touches_write(touches, f.store, &scratch);
}

static bool refreshes(const struct gh_session_grant *grant)
{
    struct gh_session_grant next;
    struct gh_identity_call call = gh_fixture_call(&f);
    return gh_session_refresh(&call, grant->refresh_token, &next) == GH_IDENTITY_OK;
}

static void a_session_that_is_used_is_not_idle(void **state)
{
    (void)state;
    struct gh_session_grant grant = gh_fixture_login(&f, ALICE, FIXTURE_PASSWORD);
    f.now_us += 14 * FIXTURE_MINUTE;
    gh_session_touches_add(touches, gh_id_str(&grant.session_id), f.now_us);
    assert_int_equal(flush(), GH_OK);
    f.now_us += 29 * FIXTURE_MINUTE; /* 43 after the login */
    assert_true(refreshes(&grant));
}

static void without_use_it_ends_when_it_did(void **state)
{
    (void)state;
    struct gh_session_grant used = gh_fixture_login(&f, ALICE, FIXTURE_PASSWORD);
    struct gh_session_grant idle = gh_fixture_login(&f, ALICE, FIXTURE_PASSWORD);
    f.now_us += 14 * FIXTURE_MINUTE;
    gh_session_touches_add(touches, gh_id_str(&used.session_id), f.now_us);
    assert_int_equal(flush(), GH_OK);
    f.now_us += 17 * FIXTURE_MINUTE;
    assert_false(refreshes(&idle));
    f.now_us += 14 * FIXTURE_MINUTE; /* 31 after its last use */
    assert_false(refreshes(&used));
}

static void an_older_use_changes_nothing(void **state)
{
    (void)state;
    struct gh_session_grant grant = gh_fixture_login(&f, ALICE, FIXTURE_PASSWORD);
    gh_session_touches_add(touches, gh_id_str(&grant.session_id), f.now_us - FIXTURE_HOUR);
    assert_int_equal(flush(), GH_OK);
    f.now_us += 29 * FIXTURE_MINUTE;
    assert_true(refreshes(&grant));
}

static void a_session_that_was_ended_stays_so(void **state)
{
    (void)state;
    struct gh_session_grant grant = gh_fixture_login(&f, ALICE, FIXTURE_PASSWORD);
    struct gh_identity_call call = gh_fixture_call_as(&f, grant.access_token);
    assert_int_equal(gh_logout(&call, GH_STR("")), GH_IDENTITY_OK);
    gh_session_touches_add(touches, gh_id_str(&grant.session_id), f.now_us + FIXTURE_MINUTE);
    assert_int_equal(flush(), GH_OK);
    assert_false(refreshes(&grant));
}

static void unknown_sessions_and_rubbish_are_passed_over(void **state)
{
    (void)state;
    gh_session_touches_add(touches, GH_STR("00000000-0000-4000-8000-000000000000"), f.now_us);
    gh_session_touches_add(touches, GH_STR("rubbish"), f.now_us);
    gh_session_touches_add(touches, GH_STR(""), f.now_us);
    assert_int_equal(flush(), GH_OK);
}

static void what_could_not_be_written_is_written_later(void **state)
{
    (void)state;
    struct gh_session_grant grant = gh_fixture_login(&f, ALICE, FIXTURE_PASSWORD);
    f.now_us += 20 * FIXTURE_MINUTE;
    gh_session_touches_add(touches, gh_id_str(&grant.session_id), f.now_us);
    gh_memory_store_fail(f.store, 1, GH_ERR_FULL);
    assert_int_equal(flush(), GH_ERR_FULL);
    assert_int_equal(flush(), GH_OK);
    f.now_us += 29 * FIXTURE_MINUTE;
    assert_true(refreshes(&grant));
}

static void more_than_there_is_room_for_are_passed_over(void **state)
{
    (void)state;
    struct gh_session_grant grant = gh_fixture_login(&f, ALICE, FIXTURE_PASSWORD);
    for (unsigned i = 0; i < GH_SESSION_TOUCHES_MAX + 100; i++) {
        char id[37];
        snprintf(id, sizeof(id), "%08x-0000-4000-8000-000000000000", i);
        gh_session_touches_add(touches, gh_str_from_c(id), f.now_us);
    }
    f.now_us += 20 * FIXTURE_MINUTE;
    gh_session_touches_add(touches, gh_id_str(&grant.session_id), f.now_us);
    assert_int_equal(flush(), GH_OK);
    gh_session_touches_add(touches, gh_id_str(&grant.session_id),
                           f.now_us); /* there is room again */
    assert_int_equal(flush(), GH_OK);
    f.now_us += 29 * FIXTURE_MINUTE;
    assert_true(refreshes(&grant));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_session_that_is_used_is_not_idle),
        TEST(without_use_it_ends_when_it_did),
        TEST(an_older_use_changes_nothing),
        TEST(a_session_that_was_ended_stays_so),
        TEST(unknown_sessions_and_rubbish_are_passed_over),
        TEST(what_could_not_be_written_is_written_later),
        TEST(more_than_there_is_room_for_are_passed_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
