#include "audit/window.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <setjmp.h>
#include <cmocka.h>

#define SECOND  UINT64_C(1000000)
#define START   (1000 * SECOND)
#define DUE_MAX 64

static const struct gh_hash_key KEY = {3, 5};

static struct gh_tally_entry entry_of(const char *client, uint64_t count, uint64_t time_us)
{
    return (struct gh_tally_entry){
        .event = GH_AUDIT_RATE_LIMITED,
        .count = count,
        .first_us = time_us,
        .last_us = time_us,
        .reason = GH_STR("rate_limited"),
        .client = gh_str_from_c(client),
        .request_id = GH_STR("r"),
    };
}

static void add(struct gh_window *window, const char *client, uint64_t count, uint64_t now_us)
{
    struct gh_tally_entry entry = entry_of(client, count, now_us);
    struct gh_tally_taken taken = {.entries = &entry, .entry_count = 1};
    gh_window_add(window, &taken, now_us);
}

/* Asks for what is due, and says that it was written. */
static size_t write(struct gh_window *window, uint64_t now_us, bool all,
                    struct gh_window_entry out[DUE_MAX])
{
    size_t count = gh_window_due(window, now_us, all, out, DUE_MAX);
    if (count)
        gh_window_written(window, now_us);
    return count;
}

static void the_first_is_due_at_once_and_the_rest_when_its_minute_is_over(void **state)
{
    (void)state;
    struct gh_window *window = gh_window_new(4, KEY);
    struct gh_window_entry due[DUE_MAX];
    add(window, "192.0.2.1", 1, START);
    assert_int_equal(write(window, START, false, due), 1);
    assert_int_equal(due[0].entry.count, 1);
    assert_int_equal(due[0].entry.request_id.len, 1);
    add(window, "192.0.2.1", 7, START + SECOND);
    add(window, "192.0.2.1", 3, START + 50 * SECOND);
    assert_int_equal(write(window, START + 59 * SECOND, false, due), 0);
    assert_int_equal(write(window, START + 60 * SECOND, false, due), 1);
    assert_int_equal(due[0].entry.count, 10);
    assert_int_equal(due[0].entry.first_us, START + SECOND);
    assert_int_equal(due[0].entry.last_us, START + 50 * SECOND);
    assert_int_equal(due[0].entry.request_id.len, 0); /* is that of the first */
    assert_int_equal(gh_window_state(window).kinds, 0);
    gh_window_free(window);
}

static void a_flood_makes_two_records_a_minute_and_the_sum_is_exact(void **state)
{
    (void)state;
    struct gh_window *window = gh_window_new(4, KEY);
    struct gh_window_entry due[DUE_MAX];
    uint64_t sum = 0, added = 0, records = 0, now_us = START;
    for (int i = 0; i < 6000; i++, now_us += SECOND / 10) { /* ten minutes */
        add(window, "192.0.2.1", (uint64_t)i % 13 + 1, now_us);
        added += (uint64_t)i % 13 + 1;
        size_t count = write(window, now_us, false, due);
        for (size_t k = 0; k < count; k++)
            sum += due[k].entry.count;
        records += count;
    }
    records += write(window, now_us, true, due);
    sum += due[0].entry.count;
    assert_int_equal(sum, added);
    assert_in_range(records, 11, 20);
    gh_window_free(window);
}

static void what_is_quiet_for_a_minute_is_a_first_again(void **state)
{
    (void)state;
    struct gh_window *window = gh_window_new(4, KEY);
    struct gh_window_entry due[DUE_MAX];
    add(window, "192.0.2.1", 1, START);
    assert_int_equal(write(window, START, false, due), 1);
    add(window, "192.0.2.1", 1, START + 90 * SECOND); /* nobody asked in between */
    assert_int_equal(write(window, START + 90 * SECOND, false, due), 1);
    add(window, "192.0.2.1", 1, START + 91 * SECOND);
    assert_int_equal(write(window, START + 91 * SECOND, false, due), 0);
    assert_int_equal(write(window, START + 150 * SECOND, false, due), 1);
    gh_window_free(window);
}

static void what_was_not_written_is_due_again_and_grows(void **state)
{
    (void)state;
    struct gh_window *window = gh_window_new(4, KEY);
    struct gh_window_entry due[DUE_MAX];
    uint64_t now_us = START;
    for (int i = 1; i <= 300; i++, now_us += SECOND) { /* the disk is full for five minutes */
        add(window, "192.0.2.1", 2, now_us);
        assert_int_equal(gh_window_due(window, now_us, false, due, DUE_MAX), 1);
        assert_int_equal(due[0].entry.count, 2 * i);
        assert_int_equal(due[0].entry.first_us, START);
    }
    assert_int_equal(gh_window_state(window).waiting, 600);
    gh_window_written(window, now_us);
    assert_int_equal(gh_window_state(window).waiting, 0);
    add(window, "192.0.2.1", 1, now_us); /* its minute began with the writing */
    assert_int_equal(write(window, now_us, false, due), 0);
    assert_int_equal(write(window, now_us + 60 * SECOND, false, due), 1);
    gh_window_free(window);
}

static void what_came_between_due_and_written_is_not_lost(void **state)
{
    (void)state;
    struct gh_window *window = gh_window_new(4, KEY);
    struct gh_window_entry due[DUE_MAX];
    add(window, "192.0.2.1", 5, START);
    assert_int_equal(gh_window_due(window, START, false, due, DUE_MAX), 1);
    add(window, "192.0.2.1", 4, START);
    gh_window_written(window, START);
    assert_int_equal(write(window, START, true, due), 1);
    assert_int_equal(due[0].entry.count, 4);
    gh_window_free(window);
}

static void what_was_not_asked_for_last_is_not_taken_for_written(void **state)
{
    (void)state;
    struct gh_window *window = gh_window_new(4, KEY);
    struct gh_window_entry due[DUE_MAX];
    add(window, "192.0.2.1", 5, START);
    add(window, "192.0.2.2", 6, START);
    assert_int_equal(gh_window_due(window, START, false, due, DUE_MAX), 2);
    assert_int_equal(gh_window_due(window, START, false, due, 1), 1); /* only this one counts */
    gh_window_written(window, START);
    assert_int_equal(gh_window_state(window).waiting, 6);
    gh_window_free(window);
}

static void what_finds_no_place_is_counted_by_event_alone(void **state)
{
    (void)state;
    struct gh_window *window = gh_window_new(2, KEY);
    struct gh_window_entry due[DUE_MAX];
    char client[32];
    for (int i = 0; i < 10; i++) {
        snprintf(client, sizeof(client), "192.0.2.%d", i);
        add(window, client, 3, START);
    }
    assert_int_equal(write(window, START, false, due), 3);
    assert_int_equal(due[0].entry.count, 3);
    assert_int_equal(due[1].entry.count, 3);
    assert_int_equal(due[2].entry.count, 24);
    assert_int_equal(due[2].entry.event, GH_AUDIT_RATE_LIMITED);
    assert_int_equal(
        due[2].entry.client.len + due[2].entry.reason.len + due[2].entry.request_id.len, 0);
    add(window, "192.0.2.77", 1, START + SECOND);
    assert_int_equal(write(window, START + SECOND, false, due), 0);
    assert_int_equal(write(window, START + 60 * SECOND, false, due), 1);
    assert_int_equal(due[0].entry.count, 1);
    gh_window_free(window);
}

/* Adds one of as many clients as `count`; how many of them are told apart. */
static size_t flood(struct gh_window *window, unsigned first, unsigned count, uint64_t now_us)
{
    size_t before = gh_window_state(window).kinds;
    char client[32];
    for (unsigned i = first; i < first + count; i++) {
        snprintf(client, sizeof(client), "10.0.%u.%u", i / 256, i % 256);
        add(window, client, 1, now_us);
    }
    return gh_window_state(window).kinds - before;
}

static void new_kinds_begin_at_a_pace(void **state)
{
    (void)state;
    struct gh_window *window = gh_window_new(4096, KEY);
    gh_window_set_pace(window,
                       (struct gh_window_pace){.kinds_per_second = 16, .kinds_at_once = 16});
    assert_int_equal(flood(window, 0, 100, START), 14); /* an eighth is for those signed in */
    assert_int_equal(flood(window, 100, 100, START), 0);
    assert_int_equal(flood(window, 200, 100, START + SECOND / 4), 4);
    assert_int_equal(flood(window, 300, 100, START + 3 * SECOND), 14);
    assert_int_equal(gh_window_state(window).waiting, 400);        /* none is lost */
    assert_int_equal(flood(window, 0, 14, START + 3 * SECOND), 0); /* known ones go on */
    assert_int_equal(gh_window_state(window).waiting, 414);
    assert_int_equal(flood(window, 400, 100, START - 60 * SECOND), 14); /* the clock went back */

    struct gh_tally_entry entry = entry_of("10.9.9.9", 1, START - 60 * SECOND);
    entry.user_id = GH_STR("01234567-89ab-4def-8123-456789abcdef");
    struct gh_tally_taken taken = {.entries = &entry, .entry_count = 1};
    size_t kinds = gh_window_state(window).kinds;
    gh_window_add(window, &taken, START - 60 * SECOND);
    assert_int_equal(gh_window_state(window).kinds, kinds + 1);
    gh_window_free(window);
}

static void places_are_free_again_after_their_minute(void **state)
{
    (void)state;
    struct gh_window *window = gh_window_new(3, KEY);
    struct gh_window_entry due[DUE_MAX];
    char client[32];
    uint64_t now_us = START;
    for (int round = 0; round < 20; round++, now_us += 60 * SECOND) {
        for (int i = 0; i < 3; i++) {
            snprintf(client, sizeof(client), "192.0.%d.%d", round, i);
            add(window, client, 1, now_us);
        }
        assert_int_equal(write(window, now_us, false, due), 3);
        for (size_t i = 0; i < 3; i++)
            assert_true(due[i].entry.client.len > 0);
        assert_int_equal(write(window, now_us + 60 * SECOND, false, due), 0);
        assert_int_equal(gh_window_state(window).kinds, 0);
    }
    gh_window_free(window);
}

static void strangers_leave_room_for_people_who_are_signed_in(void **state)
{
    (void)state;
    struct gh_window *window = gh_window_new(16, KEY);
    struct gh_window_entry due[DUE_MAX];
    struct gh_tally_entry entry = entry_of("192.0.2.9", 1, START);
    struct gh_tally_taken taken = {.entries = &entry, .entry_count = 1};
    char client[32];
    for (int i = 0; i < 100; i++) {
        snprintf(client, sizeof(client), "2001:db8::%d", i);
        add(window, client, 1, START);
    }
    assert_int_equal(write(window, START, false, due), 14 + 1); /* and the rest as one */
    entry.user_id = GH_STR("0a1b2c3d-0000-4000-8000-000000000001");
    gh_window_add(window, &taken, START);
    assert_int_equal(write(window, START, false, due), 1);
    assert_int_equal(due[0].entry.user_id.len, 36);
    gh_window_free(window);
}

static void overflow_of_a_tally_is_due_by_event(void **state)
{
    (void)state;
    struct gh_window *window = gh_window_new(2, KEY);
    struct gh_window_entry due[DUE_MAX];
    struct gh_tally_taken taken = {.overflow = {[GH_AUDIT_HOST_REJECTED] = 9}};
    gh_window_add(window, &taken, START);
    assert_int_equal(write(window, START, false, due), 1);
    assert_int_equal(due[0].entry.event, GH_AUDIT_HOST_REJECTED);
    assert_int_equal(due[0].entry.count, 9);
    assert_int_equal(due[0].entry.first_us, START);
    gh_window_free(window);
}

static void at_the_end_all_is_due(void **state)
{
    (void)state;
    struct gh_window *window = gh_window_new(4, KEY);
    struct gh_window_entry due[DUE_MAX];
    add(window, "192.0.2.1", 1, START);
    assert_int_equal(write(window, START, false, due), 1);
    add(window, "192.0.2.1", 4, START + SECOND);
    assert_int_equal(write(window, START + SECOND, false, due), 0);
    assert_int_equal(write(window, START + SECOND, true, due), 1);
    assert_int_equal(due[0].entry.count, 4);
    assert_int_equal(gh_window_state(window).waiting, 0);
    gh_window_free(window);
}

static void a_clock_that_goes_back_holds_nothing_for_longer_than_a_minute(void **state)
{
    (void)state;
    struct gh_window *window = gh_window_new(4, KEY);
    struct gh_window_entry due[DUE_MAX];
    uint64_t back_us = START - 500 * SECOND;
    add(window, "192.0.2.1", 1, START);
    assert_int_equal(write(window, START, false, due), 1);
    add(window, "192.0.2.1", 2, back_us);
    assert_int_equal(write(window, back_us, false, due), 0);
    assert_int_equal(write(window, back_us + 60 * SECOND, false, due), 1);
    assert_int_equal(due[0].entry.count, 2);
    gh_window_free(window);
}

/* ---- What is saved meanwhile ---- */

/* Asks for what is not saved, and says that it was. */
static size_t save(struct gh_window *window, struct gh_window_entry out[DUE_MAX])
{
    size_t count = gh_window_unsaved(window, out, DUE_MAX);
    gh_window_saved(window);
    return count;
}

static void what_waits_is_saved_whole_and_only_when_it_changed(void **state)
{
    (void)state;
    struct gh_window *window = gh_window_new(4, KEY);
    struct gh_window_entry due[DUE_MAX];
    add(window, "192.0.2.1", 1, START);
    assert_int_equal(write(window, START, false, due), 1);
    assert_false(due[0].saved);
    assert_int_equal(save(window, due), 0);
    add(window, "192.0.2.1", 7, START + SECOND);
    assert_int_equal(save(window, due), 1);
    assert_int_equal(due[0].entry.count, 7);
    assert_false(due[0].saved);
    uint32_t place = due[0].place;
    assert_int_equal(save(window, due), 0);
    add(window, "192.0.2.1", 3, START + 2 * SECOND);
    assert_int_equal(save(window, due), 1);
    assert_int_equal(due[0].entry.count, 10);
    assert_int_equal(due[0].place, place);
    assert_true(due[0].saved);
    assert_int_equal(write(window, START + 60 * SECOND, false, due), 1);
    assert_int_equal(due[0].entry.count, 10);
    assert_int_equal(due[0].place, place);
    assert_true(due[0].saved);
    assert_int_equal(save(window, due), 0);
    gh_window_free(window);
}

static void what_could_not_be_saved_is_unsaved_again(void **state)
{
    (void)state;
    struct gh_window *window = gh_window_new(4, KEY);
    struct gh_window_entry due[DUE_MAX];
    add(window, "192.0.2.1", 5, START);
    assert_int_equal(gh_window_unsaved(window, due, DUE_MAX), 1);
    add(window, "192.0.2.1", 4, START);
    assert_int_equal(gh_window_unsaved(window, due, DUE_MAX), 1);
    assert_int_equal(due[0].entry.count, 9);
    assert_false(due[0].saved);
    gh_window_saved(window);
    gh_window_saved(window);
    assert_int_equal(gh_window_unsaved(window, due, DUE_MAX), 0);
    gh_window_free(window);
}

static void what_came_between_unsaved_and_saved_is_unsaved(void **state)
{
    (void)state;
    struct gh_window *window = gh_window_new(4, KEY);
    struct gh_window_entry due[DUE_MAX];
    add(window, "192.0.2.1", 5, START);
    assert_int_equal(gh_window_unsaved(window, due, DUE_MAX), 1);
    add(window, "192.0.2.1", 4, START);
    gh_window_saved(window);
    assert_int_equal(save(window, due), 1);
    assert_int_equal(due[0].entry.count, 9);
    assert_true(due[0].saved);
    gh_window_free(window);
}

static void what_is_unsaved_comes_in_parts(void **state)
{
    (void)state;
    struct gh_window *window = gh_window_new(8, KEY);
    struct gh_window_entry due[DUE_MAX];
    char client[32];
    bool seen[8 + GH_AUDIT_EVENT_COUNT] = {false};
    size_t sum = 0, parts = 0;
    assert_int_equal(gh_window_places(window), sizeof(seen) / sizeof(seen[0]));
    for (int i = 0; i < 9; i++) { /* two find no place */
        snprintf(client, sizeof(client), "192.0.2.%d", i);
        add(window, client, 1, START);
    }
    for (size_t count; (count = gh_window_unsaved(window, due, 3)) > 0; parts++) {
        gh_window_saved(window);
        for (size_t i = 0; i < count; i++) {
            assert_false(seen[due[i].place]);
            seen[due[i].place] = true;
            sum += due[i].entry.count;
        }
    }
    assert_int_equal(parts, 3);
    assert_int_equal(sum, 9);
    assert_true(seen[8 + GH_AUDIT_RATE_LIMITED]);
    gh_window_free(window);
}

static void a_place_that_was_written_begins_with_nothing_saved(void **state)
{
    (void)state;
    struct gh_window *window = gh_window_new(2, KEY);
    struct gh_window_entry due[DUE_MAX];
    uint64_t now_us = START;
    for (int round = 0; round < 3; round++, now_us += 60 * SECOND) {
        char client[32];
        snprintf(client, sizeof(client), "192.0.2.%d", round);
        add(window, client, 2, now_us);
        add(window, "192.0.2.99", 2, now_us); /* the crowd */
        assert_int_equal(save(window, due), 2);
        assert_false(due[0].saved || due[1].saved);
        assert_int_equal(write(window, now_us, true, due), 2);
        assert_true(due[0].saved && due[1].saved);
    }
    gh_window_free(window);
}

/* As after a kill at any moment: what is written and what is saved are all, but for what came since
   the last save. */
static void written_and_saved_add_up_to_what_was_added(void **state)
{
    (void)state;
    struct gh_window *window = gh_window_new(3, KEY);
    struct gh_window_entry due[DUE_MAX];
    uint64_t saved[3 + GH_AUDIT_EVENT_COUNT] = {0}, written = 0, added = 0, now_us = START;
    for (int i = 0; i < 5000; i++, now_us += SECOND / 3) {
        char client[32];
        snprintf(client, sizeof(client), "192.0.2.%d", i / 7 % 11);
        add(window, client, (uint64_t)i % 5 + 1, now_us);
        added += (uint64_t)i % 5 + 1;
        size_t count = write(window, now_us, false, due);
        for (size_t k = 0; k < count; k++) {
            assert_int_equal(due[k].saved, saved[due[k].place] > 0);
            saved[due[k].place] = 0;
            written += due[k].entry.count;
        }
        count = save(window, due);
        for (size_t k = 0; k < count; k++)
            saved[due[k].place] = due[k].entry.count;
        uint64_t sum = written;
        for (size_t k = 0; k < gh_window_places(window); k++)
            sum += saved[k];
        assert_int_equal(sum, added);
    }
    gh_window_free(window);
}

static void what_is_saved_and_disowned_is_not_written(void **state)
{
    (void)state;
    struct gh_window *window = gh_window_new(1, KEY);
    struct gh_window_entry due[DUE_MAX];
    add(window, "192.0.2.1", 1, START);
    add(window, "192.0.2.2", 1, START); /* finds no place */
    assert_int_equal(write(window, START, false, due), 2);
    add(window, "192.0.2.1", 7, START + SECOND);
    add(window, "192.0.2.2", 5, START + SECOND);
    assert_int_equal(save(window, due), 2);
    add(window, "192.0.2.1", 3, START + 2 * SECOND);
    assert_int_equal(gh_window_due(window, START + 2 * SECOND, true, due, DUE_MAX), 2);
    gh_window_disown_saved(window);
    gh_window_written(window, START + 2 * SECOND); /* nothing of what was due then */
    assert_int_equal(gh_window_state(window).waiting, 3);
    assert_int_equal(save(window, due), 1);
    assert_int_equal(due[0].entry.count, 3);
    assert_false(due[0].saved);
    gh_window_disown_saved(window);
    gh_window_disown_saved(window);
    assert_int_equal(gh_window_state(window).waiting, 0);
    assert_int_equal(write(window, START + 60 * SECOND, true, due), 0);
    assert_int_equal(gh_window_state(window).kinds, 0);
    gh_window_free(window);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_is_due_at_once_and_the_rest_when_its_minute_is_over),
        cmocka_unit_test(a_flood_makes_two_records_a_minute_and_the_sum_is_exact),
        cmocka_unit_test(what_is_quiet_for_a_minute_is_a_first_again),
        cmocka_unit_test(what_was_not_written_is_due_again_and_grows),
        cmocka_unit_test(what_came_between_due_and_written_is_not_lost),
        cmocka_unit_test(what_was_not_asked_for_last_is_not_taken_for_written),
        cmocka_unit_test(what_finds_no_place_is_counted_by_event_alone),
        cmocka_unit_test(strangers_leave_room_for_people_who_are_signed_in),
        cmocka_unit_test(new_kinds_begin_at_a_pace),
        cmocka_unit_test(places_are_free_again_after_their_minute),
        cmocka_unit_test(overflow_of_a_tally_is_due_by_event),
        cmocka_unit_test(at_the_end_all_is_due),
        cmocka_unit_test(a_clock_that_goes_back_holds_nothing_for_longer_than_a_minute),
        cmocka_unit_test(what_waits_is_saved_whole_and_only_when_it_changed),
        cmocka_unit_test(what_could_not_be_saved_is_unsaved_again),
        cmocka_unit_test(what_came_between_unsaved_and_saved_is_unsaved),
        cmocka_unit_test(what_is_unsaved_comes_in_parts),
        cmocka_unit_test(a_place_that_was_written_begins_with_nothing_saved),
        cmocka_unit_test(what_is_saved_and_disowned_is_not_written),
        cmocka_unit_test(written_and_saved_add_up_to_what_was_added),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
