/* Losing a real redis-server, and having it back: commands, scripts, channels. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/redis_client_fixture.h"

struct loss_test {
    struct client_test client;
    struct gh_redis_server server;
    char url[128];
};

static int set_up(void **state)
{
    struct loss_test *test = malloc(sizeof *test);
    client_test_open(&test->client);
    gh_redis_server_open(&test->server, NULL);
    snprintf(test->url, sizeof test->url, "unix:%s", test->server.path);
    *state = test;
    return 0;
}

static int tear_down(void **state)
{
    struct loss_test *test = *state;
    client_test_close(&test->client);
    gh_redis_server_close(&test->server);
    free(test);
    return 0;
}

static const struct gh_redis_counters *counters_of(const struct loss_test *test)
{
    return gh_redis_counters(test->client.redis);
}

/* ---- Away ---- */

static void a_server_that_is_not_there_is_away_and_then_taken(void **state)
{
    struct loss_test *test = *state;
    struct client_answer answer = {0};
    gh_redis_server_kill(&test->server);
    client_test_connect(&test->client, test->url);
    client_test_until(&test->client, GH_REDIS_AWAY);
    assert_int_equal(gh_redis_status(test->client.redis).failure, GH_REDIS_FAIL_CONNECT);
    assert_int_equal(client_test_call(&test->client, "PING", 1000, &answer), GH_ERR_CLOSED);
    assert_int_equal(gh_redis_heard_ms(test->client.redis), 0);
    uint64_t since_ms = gh_redis_status(test->client.redis).since_ms;
    CLIENT_RUN_UNTIL(&test->client, counters_of(test)->losses[GH_REDIS_FAIL_CONNECT] >= 5);
    assert_int_equal(gh_redis_status(test->client.redis).since_ms, since_ms);
    gh_redis_server_start(&test->server);
    client_test_until(&test->client, GH_REDIS_READY);
    client_test_expect(&test->client, "PING", "PONG");
    assert_string_equal(test->client.heard, "AR");
    assert_int_equal(answer.calls, 0);
}

static void a_killed_server_fails_what_waits_once_each_and_comes_back(void **state)
{
    struct loss_test *test = *state;
    static struct client_answer answers[100];
    memset(answers, 0, sizeof answers);
    client_test_connect_ready(&test->client, test->url);
    gh_redis_server_freeze(&test->server); /* so that none is answered */
    for (int i = 0; i < 100; i++)
        assert_int_equal(client_test_call(&test->client, "INCR n", 20000, &answers[i]), GH_OK);
    CLIENT_RUN_UNTIL(&test->client, counters_of(test)->batches);
    gh_redis_server_kill(&test->server);
    client_test_until(&test->client, GH_REDIS_AWAY);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(answers[i].calls, 1);
        assert_int_equal(answers[i].err, GH_ERR_CLOSED);
        assert_false(answers[i].has_reply);
    }
    assert_int_equal(counters_of(test)->failures[GH_REDIS_FAIL_CLOSED], 100);
    gh_redis_server_start(&test->server);
    client_test_until(&test->client, GH_REDIS_READY);
    client_test_expect(&test->client, "SET n 0", "OK");
    assert_string_equal(test->client.heard, "RAR");
    assert_int_equal(counters_of(test)->connects, 2);
}

static void a_closed_client_connection_is_made_anew(void **state)
{
    struct loss_test *test = *state;
    client_test_connect_ready(&test->client, test->url);
    for (unsigned i = 1; i <= 10; i++) {
        gh_redis_server_ask(&test->server, "CLIENT KILL TYPE normal SKIPME yes");
        CLIENT_RUN_UNTIL(&test->client, counters_of(test)->connects == i + 1);
        client_test_expect(&test->client, "PING", "PONG");
    }
    assert_int_equal(counters_of(test)->losses[GH_REDIS_FAIL_CLOSED], 10);
}

/* ---- Deadlines ---- */

/* Holds the loop up for longer than anything waits, and lets the server answer meanwhile. */
static void hold_up(void *arg)
{
    struct loss_test *test = arg;
    gh_redis_server_thaw(&test->server);
    while (strcmp(gh_redis_server_ask(&test->server, "GET n"), "2") != 0)
        usleep(1000);
    usleep(100 * 1000);
}

static void an_overdue_command_closes_the_connection_and_fails_all(void **state)
{
    struct loss_test *test = *state;
    struct client_answer first = {0}, second = {0}, third = {0};
    client_test_connect_ready(&test->client, test->url);
    gh_redis_server_freeze(&test->server);
    uint64_t begun_ms = gh_loop_now_ms(test->client.loop);
    assert_int_equal(client_test_call(&test->client, "INCR n", 1500, &first), GH_OK);
    assert_int_equal(client_test_call(&test->client, "INCR n", 30, &second), GH_OK);
    assert_int_equal(client_test_call(&test->client, "INCR n", 20000, &third), GH_OK);
    CLIENT_RUN_UNTIL(&test->client, second.calls);
    /* Not the oldest: it is told alone, for the oldest has its time still. */
    assert_int_equal(second.err, GH_ERR_TIMEOUT);
    assert_int_equal(first.calls + third.calls, 0);
    assert_true(gh_redis_is_ready(test->client.redis));
    CLIENT_RUN_UNTIL(&test->client, first.calls);
    assert_true(gh_loop_now_ms(test->client.loop) - begun_ms >= 1500);
    assert_int_equal(first.err, GH_ERR_TIMEOUT);
    assert_int_equal(third.err, GH_ERR_TIMEOUT);
    assert_int_equal(second.calls + first.calls + third.calls, 3);
    assert_int_equal(gh_redis_status(test->client.redis).failure, GH_REDIS_FAIL_TIMEOUT);
    assert_int_equal(counters_of(test)->failures[GH_REDIS_FAIL_TIMEOUT], 3);
    gh_redis_server_thaw(&test->server);
    client_test_until(&test->client, GH_REDIS_READY);
    client_test_expect(&test->client, "PING", "PONG");
}

static void a_command_behind_one_that_blocks_is_told_alone_and_shifts_no_answer(void **state)
{
    struct loss_test *test = *state;
    struct client_answer blocked = {0}, behind = {0}, last = {0};
    client_test_connect_ready(&test->client, test->url);
    assert_int_equal(client_test_call(&test->client, "BLPOP list 1", 20000, &blocked), GH_OK);
    assert_int_equal(client_test_call(&test->client, "ECHO behind", 30, &behind), GH_OK);
    assert_int_equal(client_test_call(&test->client, "ECHO last", 20000, &last), GH_OK);
    CLIENT_RUN_UNTIL(&test->client, behind.calls);
    assert_int_equal(behind.err, GH_ERR_TIMEOUT);
    assert_int_equal(blocked.calls, 0);
    CLIENT_RUN_UNTIL(&test->client, last.calls);
    assert_int_equal(blocked.err, GH_OK);
    assert_int_equal(blocked.type, GH_REDIS_NIL);
    assert_string_equal(last.text, "last");
    assert_int_equal(behind.calls, 1);
    assert_string_equal(test->client.heard, "R");
}

static void a_loop_that_was_held_up_still_reads_what_came_in_time(void **state)
{
    struct loss_test *test = *state;
    struct client_answer first = {0}, second = {0};
    client_test_connect_ready(&test->client, test->url);
    gh_redis_server_freeze(&test->server);
    assert_int_equal(client_test_call(&test->client, "INCR n", 30, &first), GH_OK);
    assert_int_equal(client_test_call(&test->client, "INCR n", 30, &second), GH_OK);
    /* Written in this turn, answered while nobody looks; timers come first in the next. */
    assert_int_equal(gh_loop_post(test->client.loop, hold_up, test), GH_OK);
    CLIENT_RUN_UNTIL(&test->client, second.calls);
    assert_int_equal(first.err, GH_OK);
    assert_int_equal(second.err, GH_OK);
    assert_int_equal(second.integer, 2);
    assert_string_equal(test->client.heard, "R");
}

static void a_frozen_server_is_noticed_without_any_command(void **state)
{
    struct loss_test *test = *state;
    test->client.options.heartbeat_ms = 50;
    test->client.options.connect_timeout_ms = 100;
    client_test_connect_ready(&test->client, test->url);
    gh_redis_server_freeze(&test->server);
    client_test_until(&test->client, GH_REDIS_AWAY);
    assert_int_equal(gh_redis_status(test->client.redis).failure, GH_REDIS_FAIL_TIMEOUT);
    /* The kernel still takes connections for it. */
    CLIENT_RUN_UNTIL(&test->client, counters_of(test)->losses[GH_REDIS_FAIL_TIMEOUT] >= 3);
    assert_non_null(strstr(gh_redis_status(test->client.redis).message, "after it was connected"));
    gh_redis_server_thaw(&test->server);
    client_test_until(&test->client, GH_REDIS_READY);
    assert_string_equal(test->client.heard, "RAR");
}

static void a_connection_at_rest_is_kept_by_heartbeats(void **state)
{
    struct loss_test *test = *state;
    test->client.options.heartbeat_ms = 20;
    client_test_connect_ready(&test->client, test->url);
    uint64_t ready_ms = gh_redis_heard_ms(test->client.redis);
    CLIENT_RUN_UNTIL(&test->client, gh_redis_heard_ms(test->client.redis) - ready_ms > 200);
    assert_string_equal(test->client.heard, "R");
    assert_int_equal(counters_of(test)->commands, 0);
    assert_int_equal(counters_of(test)->batches, 0);
}

static void a_server_that_does_not_read_fills_the_queue_and_no_more(void **state)
{
    struct loss_test *test = *state;
    static char value[20 * 1024];
    const struct gh_str set[] = {GH_STR("SET"), GH_STR("k"), gh_str_of(value, sizeof value)};
    struct client_answer answer = {0};
    unsigned taken = 0;
    enum gh_err err = GH_OK;
    test->client.options.heartbeat_ms = 20; /* so that each turn ends */
    client_test_connect_ready(&test->client, test->url);
    gh_redis_server_freeze(&test->server);
    while (err == GH_OK && taken < 1000) {
        for (unsigned i = 0; i < 10 && err == GH_OK; i++, taken += err == GH_OK)
            err = gh_redis_call(test->client.redis, set, 3, 20000, client_test_on_answer, &answer);
        client_test_turn(&test->client);
    }
    assert_int_equal(err, GH_ERR_FULL);
    assert_in_range(taken, 20, 500);
    assert_int_equal(answer.calls, 0);
    gh_redis_server_thaw(&test->server);
    CLIENT_RUN_UNTIL(&test->client, answer.calls == taken);
    assert_int_equal(answer.err, GH_OK);
    client_test_expect(&test->client, "PING", "PONG");
    assert_string_equal(test->client.heard, "R");
}

/* ---- Closing ---- */

static void closing_answers_what_waits(void **state)
{
    struct loss_test *test = *state;
    struct client_answer written = {0}, queued = {0}, cancelled = {0};
    client_test_connect_ready(&test->client, test->url);
    gh_redis_server_freeze(&test->server);
    assert_int_equal(client_test_call(&test->client, "INCR n", 20000, &written), GH_OK);
    CLIENT_RUN_UNTIL(&test->client, counters_of(test)->batches);
    assert_int_equal(client_test_call(&test->client, "INCR n", 20000, &queued), GH_OK);
    assert_int_equal(client_test_call(&test->client, "INCR n", 20000, &cancelled), GH_OK);
    gh_redis_cancel(test->client.redis, &cancelled);
    gh_redis_close(test->client.redis);
    test->client.redis = NULL;
    assert_int_equal(written.calls, 1);
    assert_int_equal(queued.calls, 1);
    assert_int_equal(queued.err, GH_ERR_CLOSED);
    assert_int_equal(cancelled.calls, 0);
    assert_string_equal(test->client.heard, "R"); /* hooks say nothing of it */
}

static void close_inside(struct client_answer *answer)
{
    gh_redis_close(answer->test->redis);
    answer->test->redis = NULL;
}

static void a_callback_may_close_the_client(void **state)
{
    struct loss_test *test = *state;
    struct client_answer first = {.in_answer = close_inside}, second = {0};
    client_test_connect_ready(&test->client, test->url);
    assert_int_equal(client_test_call(&test->client, "INCR n", 20000, &first), GH_OK);
    assert_int_equal(client_test_call(&test->client, "INCR n", 20000, &second), GH_OK);
    CLIENT_RUN_UNTIL(&test->client, second.calls);
    assert_int_equal(first.err, GH_OK);
    assert_int_equal(second.err, GH_ERR_CLOSED);
}

static void a_callback_that_fails_may_close_the_client(void **state)
{
    struct loss_test *test = *state;
    struct client_answer first = {.in_answer = close_inside}, second = {0};
    client_test_connect_ready(&test->client, test->url);
    gh_redis_server_freeze(&test->server);
    assert_int_equal(client_test_call(&test->client, "INCR n", 50, &first), GH_OK);
    assert_int_equal(client_test_call(&test->client, "INCR n", 20, &second), GH_OK);
    CLIENT_RUN_UNTIL(&test->client, first.calls);
    assert_int_equal(first.calls + second.calls, 2);
}

static void close_in_state(struct client_test *test)
{
    gh_redis_close(test->redis);
    test->redis = NULL;
}

static void a_hook_may_close_the_client(void **state)
{
    struct loss_test *test = *state;
    test->client.in_state = close_in_state;
    client_test_connect(&test->client, test->url);
    CLIENT_RUN_UNTIL(&test->client, !test->client.redis);
    gh_redis_server_kill(&test->server);
    client_test_connect(&test->client, test->url);
    CLIENT_RUN_UNTIL(&test->client, !test->client.redis);
    assert_string_equal(test->client.heard, "RA");
}

static void closing_before_it_began_is_fine(void **state)
{
    struct loss_test *test = *state;
    client_test_connect(&test->client, test->url);
    gh_redis_close(test->client.redis);
    client_test_connect(&test->client, "redis://localhost:1");
    client_test_turn(&test->client); /* the name is being looked up */
    gh_redis_close(test->client.redis);
    test->client.redis = NULL;
    gh_redis_close(NULL);
    assert_string_equal(test->client.heard, "");
}

/* ---- Channels ---- */

static const struct gh_str CHANNELS[] = {GH_STR_INIT("one"), GH_STR_INIT("two")};

static void subscribe(struct loss_test *test)
{
    test->client.options.channels = CHANNELS;
    test->client.options.channel_count = 2;
    client_test_connect_ready(&test->client, test->url);
}

static void a_subscriber_hears_its_channels_and_takes_no_commands(void **state)
{
    struct loss_test *test = *state;
    struct client_answer answer = {0};
    subscribe(test);
    assert_string_equal(test->client.heard, "sR");
    assert_string_equal(gh_redis_server_ask(&test->server, "PUBLISH one hello"), ":1");
    CLIENT_RUN_UNTIL(&test->client, test->client.messages == 1);
    assert_string_equal(test->client.message, "one=hello");
    assert_string_equal(gh_redis_server_ask(&test->server, "PUBLISH other hello"), ":0");
    assert_string_equal(gh_redis_server_ask(&test->server, "PUBLISH two \"\""), ":1");
    CLIENT_RUN_UNTIL(&test->client, test->client.messages == 2);
    assert_string_equal(test->client.message, "two=");
    assert_int_equal(client_test_call(&test->client, "GET a", 1000, &answer), GH_ERR_INVALID);
    assert_int_equal(counters_of(test)->messages, 2);
}

static void a_subscriber_subscribes_again_and_says_so_before_it_is_ready(void **state)
{
    struct loss_test *test = *state;
    subscribe(test);
    for (unsigned i = 1; i <= 3; i++) {
        gh_redis_server_kill(&test->server);
        client_test_until(&test->client, GH_REDIS_AWAY);
        gh_redis_server_start(&test->server);
        client_test_until(&test->client, GH_REDIS_READY);
        assert_string_equal(gh_redis_server_ask(&test->server, "PUBLISH two again"), ":1");
        CLIENT_RUN_UNTIL(&test->client, test->client.messages == i);
    }
    assert_string_equal(test->client.heard, "sRAsRmAsRmAsRm");
}

static void a_subscriber_notices_a_server_that_says_nothing(void **state)
{
    struct loss_test *test = *state;
    test->client.options.heartbeat_ms = 50;
    test->client.options.connect_timeout_ms = 100;
    subscribe(test);
    uint64_t ready_ms = gh_redis_heard_ms(test->client.redis);
    /* Its answers to PING count as being heard. */
    CLIENT_RUN_UNTIL(&test->client, gh_redis_heard_ms(test->client.redis) - ready_ms > 300);
    assert_string_equal(test->client.heard, "sR");
    gh_redis_server_freeze(&test->server);
    client_test_until(&test->client, GH_REDIS_AWAY);
    gh_redis_server_thaw(&test->server);
    client_test_until(&test->client, GH_REDIS_READY);
    assert_string_equal(test->client.heard, "sRAsR");
}

static void a_subscriber_without_the_right_to_a_channel_is_away(void **state)
{
    struct loss_test *test = *state;
    gh_redis_server_ask(&test->server, "ACL SETUSER default resetchannels &one");
    test->client.options.channels = CHANNELS;
    test->client.options.channel_count = 2;
    client_test_connect(&test->client, test->url);
    client_test_until(&test->client, GH_REDIS_AWAY);
    assert_int_equal(gh_redis_status(test->client.redis).failure, GH_REDIS_FAIL_NOPERM);
    gh_redis_server_ask(&test->server, "ACL SETUSER default allchannels");
    client_test_until(&test->client, GH_REDIS_READY);
    assert_string_equal(test->client.heard, "AsR");
}

int main(void)
{
    if (!gh_redis_server_is_installed()) {
        printf("skipped: there is no redis-server\n");
        return 77;
    }
    alarm(120);
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        T(a_server_that_is_not_there_is_away_and_then_taken),
        T(a_killed_server_fails_what_waits_once_each_and_comes_back),
        T(a_closed_client_connection_is_made_anew),
        T(an_overdue_command_closes_the_connection_and_fails_all),
        T(a_command_behind_one_that_blocks_is_told_alone_and_shifts_no_answer),
        T(a_loop_that_was_held_up_still_reads_what_came_in_time),
        T(a_frozen_server_is_noticed_without_any_command),
        T(a_connection_at_rest_is_kept_by_heartbeats),
        T(a_server_that_does_not_read_fills_the_queue_and_no_more),
        T(closing_answers_what_waits),
        T(a_callback_may_close_the_client),
        T(a_callback_that_fails_may_close_the_client),
        T(a_hook_may_close_the_client),
        T(closing_before_it_began_is_fine),
        T(a_subscriber_hears_its_channels_and_takes_no_commands),
        T(a_subscriber_subscribes_again_and_says_so_before_it_is_ready),
        T(a_subscriber_notices_a_server_that_says_nothing),
        T(a_subscriber_without_the_right_to_a_channel_is_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
