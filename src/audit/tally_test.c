#include "audit/tally.h"

#include <pthread.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <setjmp.h>
#include <cmocka.h>

static const struct gh_hash_key KEY = {7, 11};

static struct gh_refusal denied(const char *client, const char *route)
{
    return (struct gh_refusal){
        .event = GH_AUDIT_ACCESS_DENIED,
        .reason = GH_STR("not_owner"),
        .client = gh_str_from_c(client),
        .route = gh_str_from_c(route),
        .user_agent = GH_STR("curl/8"),
        .request_id = GH_STR("r1"),
        .time_us = 1000,
    };
}

static void assert_str(struct gh_str got, const char *expected)
{
    assert_int_equal(got.len, strlen(expected));
    assert_memory_equal(got.ptr, expected, got.len);
}

static void counts_what_is_alike_and_keeps_the_first(void **state)
{
    (void)state;
    struct gh_tally *tally = gh_tally_new(8, KEY);
    struct gh_tally_taken taken;
    struct gh_refusal refusal = denied("192.0.2.1", "/a");
    gh_tally_note(tally, &refusal);
    refusal.user_agent = GH_STR("another");
    refusal.request_id = GH_STR("r2");
    refusal.time_us = 5000;
    gh_tally_note(tally, &refusal);
    refusal.time_us = 3000;
    gh_tally_note(tally, &refusal);
    gh_tally_take(tally, &taken);
    assert_int_equal(taken.entry_count, 1);
    assert_int_equal(taken.entries[0].count, 3);
    assert_int_equal(taken.entries[0].first_us, 1000);
    assert_int_equal(taken.entries[0].last_us, 5000);
    assert_str(taken.entries[0].reason, "not_owner");
    assert_str(taken.entries[0].client, "192.0.2.1");
    assert_str(taken.entries[0].route, "/a");
    assert_str(taken.entries[0].user_agent, "curl/8");
    assert_str(taken.entries[0].request_id, "r1");
    gh_tally_free(tally);
}

static void tells_apart_by_event_reason_detail_client_route_and_user(void **state)
{
    (void)state;
    struct gh_tally *tally = gh_tally_new(16, KEY);
    struct gh_tally_taken taken;
    struct gh_refusal all[7];
    for (size_t i = 0; i < 7; i++)
        all[i] = denied("192.0.2.1", "/a");
    all[1].event = GH_AUDIT_REQUEST_REJECTED;
    all[2].reason = GH_STR("role_missing");
    all[3].detail = GH_STR("login");
    all[4].client = GH_STR("192.0.2.2");
    all[5].route = GH_STR("/b");
    all[6].user_id = GH_STR("00000000-0000-4000-8000-000000000001");
    for (size_t i = 0; i < 7; i++)
        gh_tally_note(tally, &all[i]);
    gh_tally_take(tally, &taken);
    assert_int_equal(taken.entry_count, 7);
    for (size_t i = 0; i < 7; i++)
        assert_int_equal(taken.entries[i].count, 1);
    gh_tally_free(tally);
}

static void texts_do_not_run_into_each_other(void **state)
{
    (void)state;
    struct gh_tally *tally = gh_tally_new(8, KEY);
    struct gh_tally_taken taken;
    struct gh_refusal one = {.reason = GH_STR("ab"), .client = GH_STR("c")};
    struct gh_refusal two = {.reason = GH_STR("a"), .client = GH_STR("bc")};
    gh_tally_note(tally, &one);
    gh_tally_note(tally, &two);
    gh_tally_take(tally, &taken);
    assert_int_equal(taken.entry_count, 2);
    gh_tally_free(tally);
}

static void cuts_texts_at_their_bounds_before_it_compares(void **state)
{
    (void)state;
    char text[400];
    memset(text, 'x', sizeof(text));
    struct gh_tally *tally = gh_tally_new(8, KEY);
    struct gh_tally_taken taken;
    struct gh_str is_long = gh_str_of(text, sizeof(text)), is_short = gh_str_of(text, 300);
    struct gh_refusal refusal = {.event = GH_AUDIT_RATE_LIMITED,
                                 .reason = is_long,
                                 .detail = is_long,
                                 .client = is_long,
                                 .route = is_long,
                                 .user_id = is_long,
                                 .session = is_long,
                                 .user_agent = is_long,
                                 .request_id = is_long};
    gh_tally_note(tally, &refusal);
    refusal.route = refusal.reason = refusal.client = is_short;
    gh_tally_note(tally, &refusal);
    gh_tally_take(tally, &taken);
    assert_int_equal(taken.entry_count, 1);
    assert_int_equal(taken.entries[0].count, 2);
    assert_int_equal(taken.entries[0].reason.len, GH_TALLY_REASON_MAX);
    assert_int_equal(taken.entries[0].detail.len, GH_TALLY_DETAIL_MAX);
    assert_int_equal(taken.entries[0].client.len, GH_TALLY_CLIENT_MAX);
    assert_int_equal(taken.entries[0].route.len, GH_TALLY_ROUTE_MAX);
    assert_int_equal(taken.entries[0].user_id.len, GH_TALLY_ID_MAX);
    assert_int_equal(taken.entries[0].session.len, GH_TALLY_ID_MAX);
    assert_int_equal(taken.entries[0].user_agent.len, GH_TALLY_USER_AGENT_MAX);
    assert_int_equal(taken.entries[0].request_id.len, GH_TALLY_REQUEST_ID_MAX);
    gh_tally_free(tally);
}

static void strangers_leave_room_for_people_who_are_signed_in(void **state)
{
    (void)state;
    struct gh_tally *tally = gh_tally_new(16, KEY);
    struct gh_tally_taken taken;
    struct gh_str user = GH_STR("0a1b2c3d-0000-4000-8000-000000000001");
    struct gh_refusal refusal = denied("192.0.2.1", "/a");
    char client[32];
    for (int i = 0; i < 100; i++) {
        snprintf(client, sizeof(client), "2001:db8::%d", i);
        struct gh_refusal stranger = denied(client, "/a");
        gh_tally_note(tally, &stranger);
        gh_tally_request(tally, GH_STR(""), GH_STR(""), gh_str_from_c(client), true);
    }
    refusal.user_id = user;
    gh_tally_note(tally, &refusal);
    gh_tally_request(tally, user, GH_STR("s"), GH_STR("192.0.2.1"), true);
    gh_tally_take(tally, &taken);
    assert_int_equal(taken.entry_count, 15);
    assert_true(gh_str_eq(taken.entries[14].user_id, user));
    assert_int_equal(taken.overflow[GH_AUDIT_ACCESS_DENIED], 100 - 14);
    assert_int_equal(taken.traffic_count, 15);
    assert_true(gh_str_eq(taken.traffic[14].user_id, user));
    gh_tally_free(tally);
}

static void what_finds_no_place_is_counted_by_event(void **state)
{
    (void)state;
    struct gh_tally *tally = gh_tally_new(2, KEY);
    struct gh_tally_taken taken;
    char client[32];
    for (int i = 0; i < 10; i++) {
        snprintf(client, sizeof(client), "192.0.2.%d", i);
        struct gh_refusal refusal = denied(client, "/a");
        refusal.event = i < 7 ? GH_AUDIT_ACCESS_DENIED : GH_AUDIT_RATE_LIMITED;
        gh_tally_note(tally, &refusal);
    }
    struct gh_refusal known = denied("192.0.2.1", "/a");
    gh_tally_note(tally, &known); /* has its place */
    gh_tally_take(tally, &taken);
    assert_int_equal(taken.entry_count, 2);
    assert_int_equal(taken.entries[0].count + taken.entries[1].count, 3);
    assert_int_equal(taken.overflow[GH_AUDIT_ACCESS_DENIED], 5);
    assert_int_equal(taken.overflow[GH_AUDIT_RATE_LIMITED], 3);
    gh_tally_take(tally, &taken);
    gh_tally_take(tally, &taken);
    assert_int_equal(taken.overflow[GH_AUDIT_RATE_LIMITED], 0);
    gh_tally_free(tally);
}

static void is_empty_after_it_was_taken_and_starts_anew(void **state)
{
    (void)state;
    struct gh_tally *tally = gh_tally_new(4, KEY);
    struct gh_tally_taken taken;
    struct gh_refusal refusal = denied("192.0.2.1", "/a");
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i <= round; i++)
            gh_tally_note(tally, &refusal);
        gh_tally_take(tally, &taken);
        assert_int_equal(taken.entry_count, 1);
        assert_int_equal(taken.entries[0].count, round + 1);
        gh_tally_take(tally, &taken);
        assert_int_equal(taken.entry_count, 0);
    }
    gh_tally_free(tally);
}

static void what_was_taken_stays_while_others_note(void **state)
{
    (void)state;
    struct gh_tally *tally = gh_tally_new(4, KEY);
    struct gh_tally_taken taken;
    struct gh_refusal first = denied("192.0.2.1", "/a"), second = denied("192.0.2.2", "/b");
    gh_tally_note(tally, &first);
    gh_tally_take(tally, &taken);
    gh_tally_note(tally, &second);
    assert_int_equal(taken.entry_count, 1);
    assert_str(taken.entries[0].client, "192.0.2.1");
    assert_str(taken.entries[0].route, "/a");
    gh_tally_free(tally);
}

static void finds_all_when_every_kind_is_in_one_bucket(void **state)
{
    (void)state;
    struct gh_tally *tally = gh_tally_new(1, KEY); /* one bucket */
    struct gh_tally_taken taken;
    struct gh_refusal first = denied("192.0.2.1", "/a"), second = denied("192.0.2.2", "/a");
    gh_tally_note(tally, &first);
    gh_tally_note(tally, &second);
    gh_tally_note(tally, &first);
    gh_tally_take(tally, &taken);
    assert_int_equal(taken.entry_count, 1);
    assert_int_equal(taken.entries[0].count, 2);
    assert_int_equal(taken.overflow[GH_AUDIT_ACCESS_DENIED], 1);
    gh_tally_free(tally);
}

static void full_tables_tell_all_kinds_apart(void **state)
{
    (void)state;
    struct gh_tally *tally = gh_tally_new(800, KEY); /* 700 for strangers */
    struct gh_tally_taken taken;
    char client[32];
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 700; i++) {
            snprintf(client, sizeof(client), "10.0.%d.%d", i / 256, i % 256);
            struct gh_refusal refusal = denied(client, "/a");
            gh_tally_note(tally, &refusal);
            gh_tally_request(tally, GH_STR(""), GH_STR(""), gh_str_from_c(client), false);
        }
    }
    gh_tally_take(tally, &taken);
    assert_int_equal(taken.entry_count, 700);
    assert_int_equal(taken.traffic_count, 700);
    for (size_t i = 0; i < 700; i++) {
        assert_int_equal(taken.entries[i].count, 3);
        assert_int_equal(taken.traffic[i].requests, 3);
    }
    assert_int_equal(taken.overflow[GH_AUDIT_ACCESS_DENIED], 0);
    gh_tally_free(tally);
}

static void counts_requests_of_users_wherever_they_come_from(void **state)
{
    (void)state;
    struct gh_tally *tally = gh_tally_new(2, KEY);
    struct gh_tally_taken taken;
    gh_tally_request(tally, GH_STR("u1"), GH_STR(""), GH_STR("192.0.2.1"), false);
    gh_tally_request(tally, GH_STR("u1"), GH_STR(""), GH_STR("2001:db8::1"), true);
    gh_tally_request(tally, GH_STR(""), GH_STR(""), GH_STR("192.0.2.1"), true);
    gh_tally_request(tally, GH_STR("u2"), GH_STR(""), GH_STR("192.0.2.1"), false);
    gh_tally_take(tally, &taken);
    assert_int_equal(taken.traffic_count, 2);
    assert_str(taken.traffic[0].user_id, "u1");
    assert_str(taken.traffic[0].client, "2001:db8::1");
    assert_int_equal(taken.traffic[0].requests, 2);
    assert_int_equal(taken.traffic[0].missing, 1);
    assert_str(taken.traffic[1].user_id, "");
    assert_int_equal(taken.traffic[1].missing, 1);
    assert_int_equal(taken.traffic_overflow, 1);
    gh_tally_free(tally);
}

static void sessions_of_one_user_are_counted_each(void **state)
{
    (void)state;
    struct gh_tally *tally = gh_tally_new(4, KEY);
    struct gh_tally_taken taken;
    gh_tally_request(tally, GH_STR("u1"), GH_STR("s1"), GH_STR("192.0.2.1"), false);
    gh_tally_request(tally, GH_STR("u1"), GH_STR("s2"), GH_STR("192.0.2.1"), false);
    gh_tally_request(tally, GH_STR("u1"), GH_STR("s1"), GH_STR("192.0.2.1"), false);
    gh_tally_take(tally, &taken);
    assert_int_equal(taken.traffic_count, 2);
    assert_str(taken.traffic[0].session, "s1");
    assert_int_equal(taken.traffic[0].requests, 2);
    assert_str(taken.traffic[1].session, "s2");
    gh_tally_free(tally);
}

static void a_user_is_not_taken_for_a_client_of_that_name(void **state)
{
    (void)state;
    struct gh_tally *tally = gh_tally_new(4, KEY);
    struct gh_tally_taken taken;
    gh_tally_request(tally, GH_STR("192.0.2.1"), GH_STR(""), GH_STR("192.0.2.1"), false);
    gh_tally_request(tally, GH_STR(""), GH_STR(""), GH_STR("192.0.2.1"), false);
    gh_tally_take(tally, &taken);
    assert_int_equal(taken.traffic_count, 2);
    gh_tally_free(tally);
}

/* ---- Threads ---- */

#define NOTERS 4
#define NOTES  20000

static void *noter(void *arg)
{
    struct gh_tally *tally = arg;
    char client[32];
    for (int i = 0; i < NOTES; i++) {
        snprintf(client, sizeof(client), "192.0.2.%d", i % 50);
        struct gh_refusal refusal = denied(client, "/a");
        gh_tally_note(tally, &refusal);
        gh_tally_request(tally, GH_STR("u"), GH_STR(""), refusal.client, true);
    }
    return NULL;
}

static uint64_t sum_of(const struct gh_tally_taken *taken, uint64_t *requests)
{
    uint64_t sum = taken->overflow[GH_AUDIT_ACCESS_DENIED];
    for (size_t i = 0; i < taken->entry_count; i++)
        sum += taken->entries[i].count;
    for (size_t i = 0; i < taken->traffic_count; i++)
        *requests += taken->traffic[i].missing;
    return sum;
}

static void no_count_is_lost_while_threads_note_and_one_takes(void **state)
{
    (void)state;
    struct gh_tally *tally = gh_tally_new(32, KEY); /* fewer than kinds: some overflow */
    pthread_t threads[NOTERS];
    struct gh_tally_taken taken;
    uint64_t sum = 0, requests = 0;
    for (int i = 0; i < NOTERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, noter, tally), 0);
    for (int i = 0; i < 2000; i++) {
        gh_tally_take(tally, &taken);
        sum += sum_of(&taken, &requests);
    }
    for (int i = 0; i < NOTERS; i++)
        pthread_join(threads[i], NULL);
    gh_tally_take(tally, &taken);
    sum += sum_of(&taken, &requests);
    assert_int_equal(sum, NOTERS * NOTES);
    assert_int_equal(requests, NOTERS * NOTES);
    gh_tally_free(tally);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_what_is_alike_and_keeps_the_first),
        cmocka_unit_test(tells_apart_by_event_reason_detail_client_route_and_user),
        cmocka_unit_test(texts_do_not_run_into_each_other),
        cmocka_unit_test(cuts_texts_at_their_bounds_before_it_compares),
        cmocka_unit_test(what_finds_no_place_is_counted_by_event),
        cmocka_unit_test(strangers_leave_room_for_people_who_are_signed_in),
        cmocka_unit_test(is_empty_after_it_was_taken_and_starts_anew),
        cmocka_unit_test(what_was_taken_stays_while_others_note),
        cmocka_unit_test(finds_all_when_every_kind_is_in_one_bucket),
        cmocka_unit_test(full_tables_tell_all_kinds_apart),
        cmocka_unit_test(counts_requests_of_users_wherever_they_come_from),
        cmocka_unit_test(sessions_of_one_user_are_counted_each),
        cmocka_unit_test(a_user_is_not_taken_for_a_client_of_that_name),
        cmocka_unit_test(no_count_is_lost_while_threads_note_and_one_takes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
