#include "store/stream_trials.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

static struct gh_stream_id id_of(uint64_t ms, uint64_t seq)
{
    return (struct gh_stream_id){ms, seq};
}

static void one_that_was_never_refused_is_due(void **state)
{
    (void)state;
    static struct gh_stream_trials trials;
    trials.count = 0;
    assert_true(gh_stream_trials_is_due(&trials, id_of(1, 0), 0));
    assert_false(gh_stream_trials_any_due(&trials, UINT64_MAX));
}

static void counts_tries_and_doubles_the_pause_up_to_a_bound(void **state)
{
    (void)state;
    static struct gh_stream_trials trials;
    const uint64_t pauses[] = {500, 1000, 2000, 4000, 4000};
    uint64_t now = 1000;
    trials.count = 0;
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(gh_stream_trials_note(&trials, id_of(7, 1), now), i + 1);
        assert_false(gh_stream_trials_is_due(&trials, id_of(7, 1), now + pauses[i] - 1));
        assert_false(gh_stream_trials_any_due(&trials, now + pauses[i] - 1));
        assert_true(gh_stream_trials_is_due(&trials, id_of(7, 1), now + pauses[i]));
        assert_true(gh_stream_trials_any_due(&trials, now + pauses[i]));
        now += 10000;
    }
    for (unsigned i = 5; i < 200; i++) /* no shift out of its type */
        assert_int_equal(gh_stream_trials_note(&trials, id_of(7, 1), now), i + 1);
    assert_false(gh_stream_trials_is_due(&trials, id_of(7, 1), now));
    assert_true(gh_stream_trials_is_due(&trials, id_of(7, 1), now + 4000));
}

static void tells_entries_of_one_millisecond_apart(void **state)
{
    (void)state;
    static struct gh_stream_trials trials;
    trials.count = 0;
    assert_int_equal(gh_stream_trials_note(&trials, id_of(7, 1), 0), 1);
    assert_int_equal(gh_stream_trials_note(&trials, id_of(7, 2), 0), 1);
    assert_int_equal(gh_stream_trials_note(&trials, id_of(8, 1), 0), 1);
    assert_int_equal(trials.count, 3);
    gh_stream_trials_forget(&trials, id_of(7, 1));
    gh_stream_trials_forget(&trials, id_of(9, 9)); /* it is not there */
    assert_int_equal(trials.count, 2);
    assert_true(gh_stream_trials_is_due(&trials, id_of(7, 1), 0));
    assert_false(gh_stream_trials_is_due(&trials, id_of(7, 2), 0));
    assert_int_equal(gh_stream_trials_note(&trials, id_of(7, 1), 0), 1); /* from the beginning */
}

static void does_not_remember_more_than_it_has_room_for(void **state)
{
    (void)state;
    static struct gh_stream_trials trials;
    trials.count = 0;
    for (unsigned i = 0; i < GH_STREAM_TRIALS_MAX; i++) {
        assert_int_equal(gh_stream_trials_are_full(&trials), i > GH_STREAM_TRIALS_MAX - 256);
        assert_int_equal(gh_stream_trials_note(&trials, id_of(i, 0), 0), 1);
    }
    assert_int_equal(gh_stream_trials_note(&trials, id_of(9999, 0), 0), 0);
    assert_int_equal(gh_stream_trials_note(&trials, id_of(3, 0), 0), 2);
    gh_stream_trials_forget(&trials, id_of(0, 0));
    assert_int_equal(gh_stream_trials_note(&trials, id_of(9999, 0), 0), 1);
}

static void drops_what_was_due_and_did_not_come(void **state)
{
    (void)state;
    static struct gh_stream_trials trials;
    trials.count = 0;
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(gh_stream_trials_note(&trials, id_of(i, 0), i * 100), 1);
    gh_stream_trials_drop(&trials, 900); /* those of 0 to 400 */
    assert_int_equal(trials.count, 5);
    for (unsigned i = 5; i < 10; i++)
        assert_false(gh_stream_trials_is_due(&trials, id_of(i, 0), 900));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_that_was_never_refused_is_due),
        cmocka_unit_test(counts_tries_and_doubles_the_pause_up_to_a_bound),
        cmocka_unit_test(tells_entries_of_one_millisecond_apart),
        cmocka_unit_test(does_not_remember_more_than_it_has_room_for),
        cmocka_unit_test(drops_what_was_due_and_did_not_come),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
