#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <unistd.h>

#include "net/lookup.h"
#include "net/test_peer.h"

struct answer {
    unsigned calls;
    struct gh_ip first;
    size_t count;
    char problem[128];
};

static void on_answer(void *context, const struct gh_ip *addresses, size_t count,
                      const char *problem)
{
    struct answer *answer = context;
    answer->calls++;
    answer->count = count;
    if (count)
        answer->first = addresses[0];
    snprintf(answer->problem, sizeof answer->problem, "%s", problem);
}

static struct gh_loop *loop_of_test(void)
{
    struct gh_loop *loop;
    assert_int_equal(gh_loop_open(&loop), GH_OK);
    return loop;
}

static void finds_the_addresses_of_localhost(void **state)
{
    (void)state;
    struct gh_loop *loop = loop_of_test();
    struct gh_lookup *lookup;
    struct answer answer = {0};
    assert_int_equal(gh_lookup_start(loop, "localhost", on_answer, &answer, &lookup), GH_OK);
    assert_int_equal(answer.calls, 0);
    TEST_RUN_UNTIL(loop, answer.calls);
    assert_true(answer.count >= 1);
    assert_true(answer.first.family == GH_IP_V4 ? answer.first.bytes[0] == 127
                                                : answer.first.bytes[15] == 1);
    assert_string_equal(answer.problem, "");
    gh_loop_close(loop);
}

static void says_why_a_name_has_none(void **state)
{
    (void)state;
    struct gh_loop *loop = loop_of_test();
    struct gh_lookup *lookup;
    struct answer answer = {0};
    /* No name of the DNS, so nobody is asked. */
    assert_int_equal(gh_lookup_start(loop, "no such name", on_answer, &answer, &lookup), GH_OK);
    TEST_RUN_UNTIL(loop, answer.calls);
    assert_int_equal(answer.count, 0);
    assert_string_not_equal(answer.problem, "");
    gh_loop_close(loop);
}

static void refuses_a_name_that_is_too_long(void **state)
{
    (void)state;
    char name[GH_LOOKUP_NAME_BYTES + 1];
    memset(name, 'a', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    struct gh_lookup *lookup;
    assert_int_equal(gh_lookup_start(NULL, name, on_answer, NULL, &lookup), GH_ERR_INVALID);
}

static void a_cancelled_one_says_nothing_and_may_outlive_the_loop(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++) {
        struct gh_loop *loop = loop_of_test();
        struct gh_lookup *lookup;
        struct answer answer = {0};
        assert_int_equal(gh_lookup_start(loop, "localhost", on_answer, &answer, &lookup), GH_OK);
        /* Now before, now after the answer is posted. */
        for (int turn = 0; turn < i % 8; turn++)
            usleep(50);
        gh_lookup_cancel(lookup);
        gh_loop_turn(loop, false);
        gh_loop_close(loop);
        assert_int_equal(answer.calls, 0);
    }
}

int main(void)
{
    alarm(60);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_addresses_of_localhost),
        cmocka_unit_test(says_why_a_name_has_none),
        cmocka_unit_test(refuses_a_name_that_is_too_long),
        cmocka_unit_test(a_cancelled_one_says_nothing_and_may_outlive_the_loop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
