/* The client against a real redis-server. What a server never does is in
   redis_client_peer_test.c; losing it, in redis_client_loss_test.c. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/test_certificate.h"
#include "store/redis_client_fixture.h"

#define DAY 86400L

/* One server for all: with TCP, TLS, and users. */
static struct gh_redis_server server;
static struct test_certificates certificates;

static int open_server(void **state)
{
    (void)state;
    test_certificates_open(&certificates);
    test_certificate_make(&certificates, "redis", "DNS:localhost,IP:127.0.0.1", -DAY, DAY);
    test_certificate_make(&certificates, "other", "DNS:localhost,IP:127.0.0.1", -DAY, DAY);
    const struct gh_redis_server_options options = {
        .tcp = true,
        .certificate_path = test_certificate_path(&certificates, "redis.crt"),
        .key_path = test_certificate_path(&certificates, "redis.key"),
        .config = "bind 127.0.0.1 127.0.0.2\n"
                  "user gate on >p@ss/w0rd ~* &* +@all\n"
                  "user reader on >reader ~* &* -@all +get +ping +hello\n"
                  "user silent on >silent ~* -@all\n",
    };
    gh_redis_server_open(&server, &options);
    return 0;
}

static int close_server(void **state)
{
    (void)state;
    gh_redis_server_close(&server);
    test_certificates_close(&certificates);
    return 0;
}

static int set_up(void **state)
{
    struct client_test *test = malloc(sizeof *test);
    client_test_open(test);
    *state = test;
    gh_redis_server_ask(&server, "FLUSHALL");
    gh_redis_server_ask(&server, "SCRIPT FLUSH");
    return 0;
}

static int tear_down(void **state)
{
    client_test_close(*state);
    free(*state);
    return 0;
}

static const char *unix_url(void)
{
    static char url[128];
    snprintf(url, sizeof url, "unix:%s", server.path);
    return url;
}

static const char *tcp_url(const char *before, uint16_t port, const char *after)
{
    static char url[128];
    snprintf(url, sizeof url, "%s:%u%s", before, (unsigned)port, after);
    return url;
}

/* ---- Commands ---- */

static void answers_commands_of_each_kind(void **state)
{
    struct client_test *test = *state;
    struct client_answer answer;
    client_test_connect_ready(test, unix_url());
    assert_string_equal(test->heard, "R");
    client_test_expect(test, "SET a 1", "OK");
    client_test_expect(test, "GET a", "1");
    client_test_ask(test, "INCR a", &answer);
    assert_int_equal(answer.integer, 2);
    client_test_ask(test, "GET none", &answer);
    assert_int_equal(answer.err, GH_OK);
    assert_int_equal(answer.type, GH_REDIS_NIL);
    client_test_ask(test, "MGET a none", &answer);
    assert_int_equal(answer.type, GH_REDIS_ARRAY);
    assert_int_equal(answer.item_count, 2);
}

static void sends_any_bytes(void **state)
{
    struct client_test *test = *state;
    struct client_answer answer = {0};
    static const struct gh_str set[] = {GH_STR_INIT("SET"), GH_STR_INIT("k\r\n\0$9"),
                                        GH_STR_INIT("")};
    static const struct gh_str get[] = {GH_STR_INIT("STRLEN"), GH_STR_INIT("k\r\n\0$9")};
    client_test_connect_ready(test, unix_url());
    assert_int_equal(gh_redis_call(test->redis, set, 3, 5000, client_test_on_answer, &answer),
                     GH_OK);
    assert_int_equal(gh_redis_call(test->redis, get, 2, 5000, client_test_on_answer, &answer),
                     GH_OK);
    CLIENT_RUN_UNTIL(test, answer.calls == 2);
    assert_int_equal(answer.type, GH_REDIS_INTEGER);
    assert_int_equal(answer.integer, 0);
    client_test_ask(test, "DBSIZE", &answer);
    assert_int_equal(answer.integer, 1);
}

static void commands_of_one_turn_go_out_in_one_write_and_come_back_in_order(void **state)
{
    struct client_test *test = *state;
    static struct client_answer answers[500];
    memset(answers, 0, sizeof answers);
    client_test_connect_ready(test, unix_url());
    for (int i = 0; i < 500; i++)
        assert_int_equal(client_test_call(test, "INCR n", 5000, &answers[i]), GH_OK);
    const struct gh_redis_counters *counters = gh_redis_counters(test->redis);
    assert_int_equal(counters->batches, 0);
    CLIENT_RUN_UNTIL(test, answers[499].calls);
    for (int i = 0; i < 500; i++) {
        assert_int_equal(answers[i].calls, 1);
        assert_int_equal(answers[i].integer, i + 1);
    }
    assert_int_equal(counters->commands, 500);
    assert_int_equal(counters->batches, 1);
    assert_int_equal(counters->round_trips, 1);
    assert_true(counters->round_trip_us > 0);
}

static void ask_again(struct client_answer *answer)
{
    if (answer->calls < 50)
        assert_int_equal(client_test_call(answer->test, "INCR n", 5000, answer), GH_OK);
}

static void a_callback_may_ask_again(void **state)
{
    struct client_test *test = *state;
    struct client_answer first = {.in_answer = ask_again}, second = first;
    client_test_connect_ready(test, unix_url());
    assert_int_equal(client_test_call(test, "INCR n", 5000, &first), GH_OK);
    assert_int_equal(client_test_call(test, "INCR n", 5000, &second), GH_OK);
    CLIENT_RUN_UNTIL(test, first.calls == 50 && second.calls == 50);
    assert_int_equal(second.integer, 100);
    assert_int_equal(gh_redis_counters(test->redis)->batches, 50);
}

static void long_values_pass_both_ways(void **state)
{
    struct client_test *test = *state;
    struct client_answer answer = {0};
    enum { BYTES = 400 * 1024 };
    char *value = malloc(BYTES);
    memset(value, 'v', BYTES);
    const struct gh_str set[] = {GH_STR("SET"), GH_STR("long"), gh_str_of(value, BYTES)};
    client_test_connect_ready(test, unix_url());
    for (int i = 1; i <= 5; i++) {
        assert_int_equal(gh_redis_call(test->redis, set, 3, 20000, client_test_on_answer, &answer),
                         GH_OK);
        assert_int_equal(client_test_call(test, "GET long", 20000, &answer), GH_OK);
        CLIENT_RUN_UNTIL(test, answer.calls == 2u * (unsigned)i);
        assert_int_equal(answer.err, GH_OK);
        assert_int_equal(answer.type, GH_REDIS_STRING);
    }
    free(value);
}

static void refuses_what_the_queue_does_not_hold(void **state)
{
    struct client_test *test = *state;
    static struct client_answer answers[12];
    memset(answers, 0, sizeof answers);
    test->options.calls_max = 8;
    test->options.queued_bytes_max = 32 * 1024;
    client_test_connect_ready(test, unix_url());
    for (int i = 0; i < 12; i++)
        assert_int_equal(client_test_call(test, "INCR n", 5000, &answers[i]),
                         i < 8 ? GH_OK : GH_ERR_FULL);
    CLIENT_RUN_UNTIL(test, answers[7].calls);
    static char value[20 * 1024];
    const struct gh_str set[] = {GH_STR("SET"), GH_STR("k"), gh_str_of(value, sizeof value),
                                 gh_str_of(value, sizeof value)};
    struct client_answer answer = {0};
    /* Two do not fit beside each other, and one of twice the size never. */
    assert_int_equal(gh_redis_call(test->redis, set, 3, 5000, client_test_on_answer, &answer),
                     GH_OK);
    assert_int_equal(gh_redis_call(test->redis, set, 3, 5000, client_test_on_answer, &answer),
                     GH_ERR_FULL);
    CLIENT_RUN_UNTIL(test, answer.calls);
    assert_int_equal(gh_redis_call(test->redis, set, 4, 5000, client_test_on_answer, &answer),
                     GH_ERR_INVALID);
    assert_int_equal(gh_redis_call(test->redis, set, 0, 5000, client_test_on_answer, &answer),
                     GH_ERR_INVALID);
    client_test_expect(test, "GET n", "8");
    assert_int_equal(gh_redis_counters(test->redis)->failures[GH_REDIS_FAIL_FULL], 5);
}

static void a_cancelled_command_says_nothing_and_shifts_no_answer(void **state)
{
    struct client_test *test = *state;
    struct client_answer first = {0}, cancelled = {0}, last = {0};
    client_test_connect_ready(test, unix_url());
    assert_int_equal(client_test_call(test, "INCR n", 5000, &first), GH_OK);
    assert_int_equal(client_test_call(test, "INCR n", 5000, &cancelled), GH_OK);
    assert_int_equal(client_test_call(test, "INCR n", 5000, &cancelled), GH_OK);
    assert_int_equal(client_test_call(test, "INCR n", 5000, &last), GH_OK);
    gh_redis_cancel(test->redis, &cancelled);
    CLIENT_RUN_UNTIL(test, last.calls);
    assert_int_equal(first.integer, 1);
    assert_int_equal(last.integer, 4);
    assert_int_equal(cancelled.calls, 0);
}

/* ---- Errors of the server ---- */

static void an_error_of_a_command_is_its_own_affair(void **state)
{
    struct client_test *test = *state;
    struct client_answer answer;
    client_test_connect_ready(test, unix_url());
    client_test_expect(test, "SET text x", "OK");
    client_test_ask(test, "LPUSH text y", &answer);
    assert_int_equal(answer.err, GH_ERR_INVALID);
    assert_true(answer.has_reply);
    assert_int_equal(strncmp(answer.text, "WRONGTYPE ", 10), 0);
    client_test_ask(test, "NOSUCHCOMMAND", &answer);
    assert_int_equal(answer.err, GH_ERR_INVALID);
    assert_string_equal(test->heard, "R");
    assert_int_equal(gh_redis_counters(test->redis)->failures[GH_REDIS_FAIL_OTHER], 2);
}

static void a_server_out_of_memory_is_full_and_stays(void **state)
{
    struct client_test *test = *state;
    struct client_answer answer;
    client_test_connect_ready(test, unix_url());
    gh_redis_server_ask(&server, "CONFIG SET maxmemory 1");
    client_test_ask(test, "SET a 1", &answer);
    gh_redis_server_ask(&server, "CONFIG SET maxmemory 0");
    assert_int_equal(answer.err, GH_ERR_FULL);
    assert_int_equal(gh_redis_counters(test->redis)->failures[GH_REDIS_FAIL_OOM], 1);
    client_test_expect(test, "SET a 1", "OK");
    assert_string_equal(test->heard, "R");
}

static void what_the_user_may_not_do_is_refused_and_the_rest_goes_on(void **state)
{
    struct client_test *test = *state;
    struct client_answer answer;
    client_test_connect_ready(test, tcp_url("redis://reader:reader@127.0.0.1", server.port, ""));
    client_test_ask(test, "SET a 1", &answer);
    assert_int_equal(answer.err, GH_ERR_REFUSED);
    client_test_ask(test, "GET a", &answer);
    assert_int_equal(answer.err, GH_OK);
    assert_string_equal(test->heard, "R");
}

static void a_server_that_became_a_replica_is_left_until_it_is_none(void **state)
{
    struct client_test *test = *state;
    struct client_answer answer;
    client_test_connect_ready(test, unix_url());
    gh_redis_server_ask(&server, "REPLICAOF 127.0.0.1 1");
    client_test_ask(test, "SET a 1", &answer);
    assert_int_equal(answer.err, GH_ERR_REFUSED);
    assert_int_equal(gh_redis_status(test->redis).failure, GH_REDIS_FAIL_READONLY);
    assert_int_equal(client_test_call(test, "SET a 1", 100, &answer), GH_ERR_REFUSED);
    /* It is asked again, and says itself what it is. */
    const struct gh_redis_counters *counters = gh_redis_counters(test->redis);
    CLIENT_RUN_UNTIL(test, counters->losses[GH_REDIS_FAIL_READONLY] >= 3);
    assert_string_equal(test->heard, "RA");
    gh_redis_server_ask(&server, "REPLICAOF NO ONE");
    client_test_until(test, GH_REDIS_READY);
    client_test_expect(test, "SET a 1", "OK");
    assert_string_equal(test->heard, "RAR");
}

static void a_replica_that_lost_its_primary_is_left(void **state)
{
    struct client_test *test = *state;
    struct client_answer answer;
    client_test_connect_ready(test, unix_url());
    gh_redis_server_ask(&server, "CONFIG SET replica-serve-stale-data no");
    gh_redis_server_ask(&server, "REPLICAOF 127.0.0.1 1");
    client_test_ask(test, "GET a", &answer);
    assert_int_equal(answer.err, GH_ERR_REFUSED);
    assert_int_equal(gh_redis_status(test->redis).failure, GH_REDIS_FAIL_MASTERDOWN);
    gh_redis_server_ask(&server, "REPLICAOF NO ONE");
    gh_redis_server_ask(&server, "CONFIG SET replica-serve-stale-data yes");
    client_test_until(test, GH_REDIS_READY);
}

static void a_server_busy_with_a_script_is_left_until_it_is_done(void **state)
{
    struct client_test *test = *state;
    struct client_test other;
    struct client_answer endless = {0}, answer = {0};
    client_test_open(&other);
    client_test_connect_ready(test, unix_url());
    client_test_connect_ready(&other, unix_url());
    gh_redis_server_ask(&server, "CONFIG SET busy-reply-threshold 1");
    static const struct gh_str eval[] = {GH_STR_INIT("EVAL"), GH_STR_INIT("while true do end"),
                                         GH_STR_INIT("0")};
    assert_int_equal(gh_redis_call(other.redis, eval, 3, 20000, client_test_on_answer, &endless),
                     GH_OK);
    uint64_t written = gh_redis_counters(other.redis)->batches;
    CLIENT_RUN_UNTIL(&other, gh_redis_counters(other.redis)->batches > written);
    client_test_ask(test, "GET a", &answer);
    assert_int_equal(answer.err, GH_ERR_REFUSED);
    assert_int_equal(gh_redis_status(test->redis).failure, GH_REDIS_FAIL_BUSY);
    const struct gh_redis_counters *counters = gh_redis_counters(test->redis);
    CLIENT_RUN_UNTIL(test, counters->losses[GH_REDIS_FAIL_BUSY] >= 3);
    assert_string_equal(gh_redis_server_ask(&server, "SCRIPT KILL"), "+OK");
    client_test_until(test, GH_REDIS_READY);
    CLIENT_RUN_UNTIL(&other, endless.calls);
    assert_int_equal(endless.err, GH_ERR_INVALID);
    client_test_close(&other);
}

/* ---- Handshake ---- */

static void tells_name_user_and_database(void **state)
{
    struct client_test *test = *state;
    struct client_answer answer;
    test->options.client_name = "gatehouse-7";
    client_test_connect_ready(test,
                              tcp_url("redis://gate:p%40ss%2Fw0rd@127.0.0.1", server.port, "/3"));
    client_test_ask(test, "CLIENT INFO", &answer);
    assert_non_null(strstr(answer.text, " name=gatehouse-7 "));
    assert_non_null(strstr(answer.text, " db=3 "));
    assert_non_null(strstr(answer.text, " user=gate "));
}

static void expect_away(struct client_test *test, const char *url, enum gh_redis_failure failure)
{
    struct client_answer answer = {0};
    client_test_connect(test, url);
    assert_int_equal(client_test_call(test, "PING", 100, &answer), GH_ERR_CLOSED);
    client_test_until(test, GH_REDIS_AWAY);
    struct gh_redis_status status = gh_redis_status(test->redis);
    assert_int_equal(status.failure, failure);
    assert_null(strstr(status.message, "p@ss"));
    assert_null(strstr(status.message, "hunter2"));
    assert_string_equal(test->heard, "A");
    assert_int_equal(gh_redis_counters(test->redis)->connects, 0);
}

static void a_wrong_password_is_told_without_it(void **state)
{
    expect_away(*state, tcp_url("redis://gate:hunter2@127.0.0.1", server.port, ""),
                GH_REDIS_FAIL_WRONGPASS);
    struct client_test *test = *state;
    struct client_answer answer = {0};
    assert_int_equal(client_test_call(test, "PING", 100, &answer), GH_ERR_REFUSED);
    char expected[128];
    snprintf(expected, sizeof expected, "127.0.0.1:%u/0: refuses user and password",
             (unsigned)server.port);
    assert_string_equal(gh_redis_status(test->redis).message, expected);
}

static void a_user_who_may_do_nothing_is_told(void **state)
{
    expect_away(*state, tcp_url("redis://silent:silent@127.0.0.1", server.port, ""),
                GH_REDIS_FAIL_NOPERM);
}

static void a_password_that_is_missing_is_told(void **state)
{
    gh_redis_server_ask(&server, "ACL SETUSER default off");
    expect_away(*state, unix_url(), GH_REDIS_FAIL_NOAUTH);
    /* The fixture's own connections are nobody's now; the user gate helps. */
    struct client_test helper;
    client_test_open(&helper);
    client_test_connect_ready(&helper,
                              tcp_url("redis://gate:p%40ss%2Fw0rd@127.0.0.1", server.port, ""));
    client_test_expect(&helper, "ACL SETUSER default on nopass", "OK");
    client_test_close(&helper);
    client_test_until(*state, GH_REDIS_READY);
}

static void a_database_that_is_none_is_told(void **state)
{
    struct client_test *test = *state;
    expect_away(test, tcp_url("redis://127.0.0.1", server.port, "/9999"), GH_REDIS_FAIL_OTHER);
    assert_non_null(strstr(gh_redis_status(test->redis).message, "is there such a database?"));
}

static void finds_a_server_by_its_name(void **state)
{
    /* Of localhost's addresses only one is listened at. */
    client_test_connect_ready(*state, tcp_url("redis://localhost", server.port, ""));
    client_test_expect(*state, "PING", "PONG");
}

static void a_name_without_an_address_is_told(void **state)
{
    /* A label too long for the DNS, so that nobody is asked. */
    expect_away(*state,
                "redis://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                GH_REDIS_FAIL_LOOKUP);
}

/* ---- TLS ---- */

static void speaks_tls_with_a_server_of_a_known_authority(void **state)
{
    struct client_test *test = *state;
    test->options.ca_path = test_certificate_path(&certificates, "redis.crt");
    client_test_connect_ready(
        test, tcp_url("rediss://gate:p%40ss%2Fw0rd@localhost", server.tls_port, "/1"));
    client_test_expect(test, "SET a 1", "OK");
    client_test_expect(test, "GET a", "1");
}

static void refuses_a_certificate_of_another_authority(void **state)
{
    struct client_test *test = *state;
    test->options.ca_path = test_certificate_path(&certificates, "other.crt");
    expect_away(test, tcp_url("rediss://gate:hunter2@127.0.0.1", server.tls_port, ""),
                GH_REDIS_FAIL_TLS);
    assert_non_null(strstr(gh_redis_status(test->redis).message, "certificate"));
}

static void refuses_a_certificate_of_another_name(void **state)
{
    struct client_test *test = *state;
    test->options.ca_path = test_certificate_path(&certificates, "redis.crt");
    expect_away(test, tcp_url("rediss://127.0.0.2", server.tls_port, ""), GH_REDIS_FAIL_TLS);
    assert_non_null(strstr(gh_redis_status(test->redis).message, "mismatch"));
}

static void refuses_to_speak_tls_with_who_does_not(void **state)
{
    struct client_test *test = *state;
    test->options.ca_path = test_certificate_path(&certificates, "redis.crt");
    test->options.connect_timeout_ms = 300;
    client_test_connect(test, tcp_url("rediss://127.0.0.1", server.port, ""));
    client_test_until(test, GH_REDIS_AWAY);
    assert_int_equal(gh_redis_counters(test->redis)->connects, 0);
}

static void a_file_of_authorities_that_is_none_is_told_at_once(void **state)
{
    struct client_test *test = *state;
    struct gh_str message = {0};
    assert_null(gh_redis_url_parse(GH_STR("rediss://localhost"), &test->arena, &test->url));
    test->options.ca_path = test_certificate_path(&certificates, "redis.key");
    assert_int_not_equal(
        gh_redis_open(test->loop, &test->options, &test->arena, &test->redis, &message), GH_OK);
    assert_true(message.len > 0);
    test->options.ca_path = NULL;
    test->options.client_name = "two words";
    assert_int_equal(
        gh_redis_open(test->loop, &test->options, &test->arena, &test->redis, &message),
        GH_ERR_INVALID);
}

/* ---- Scripts ---- */

static const struct gh_str TEXT = GH_STR_INIT("return {KEYS[1], ARGV[1], redis.call('INCR', 'n')}");

static void runs_a_script_that_the_server_does_not_know(void **state)
{
    struct client_test *test = *state;
    struct gh_redis_script script;
    static struct client_answer answers[40];
    static const struct gh_str keys[] = {GH_STR_INIT("k\0\r\n")}, values[] = {GH_STR_INIT("$1")};
    memset(answers, 0, sizeof answers);
    gh_redis_script_init(&script, TEXT);
    client_test_connect_ready(test, unix_url());
    for (int round = 0; round < 4; round++) {
        gh_redis_server_ask(&server, "SCRIPT FLUSH");
        for (int i = round * 10; i < round * 10 + 10; i++)
            assert_int_equal(gh_redis_script_call(test->redis, &script, keys, 1, values, 1, 5000,
                                                  client_test_on_answer, &answers[i]),
                             GH_OK);
        CLIENT_RUN_UNTIL(test, answers[round * 10 + 9].calls);
    }
    for (int i = 0; i < 40; i++) {
        assert_int_equal(answers[i].calls, 1);
        assert_int_equal(answers[i].err, GH_OK);
        assert_int_equal(answers[i].item_count, 3);
    }
    client_test_expect(test, "GET n", "40");
    assert_int_equal(gh_redis_counters(test->redis)->commands, 41);
    assert_int_equal(gh_redis_counters(test->redis)->failures[GH_REDIS_FAIL_NOSCRIPT], 0);
}

static void a_script_that_is_known_goes_by_its_hash(void **state)
{
    struct client_test *test = *state;
    struct gh_redis_script script;
    struct client_answer answer = {0};
    gh_redis_script_init(&script, TEXT);
    client_test_connect_ready(test, unix_url());
    gh_redis_server_ask(&server, "CONFIG RESETSTAT");
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(gh_redis_script_call(test->redis, &script, &TEXT, 1, &TEXT, 1, 5000,
                                              client_test_on_answer, &answer),
                         GH_OK);
        CLIENT_RUN_UNTIL(test, answer.calls == i + 1);
    }
    client_test_ask(test, "INFO commandstats", &answer);
    assert_non_null(strstr(answer.text, "cmdstat_eval:calls=1,"));
    assert_non_null(strstr(answer.text, "cmdstat_evalsha:calls=5,"));
}

static void a_script_that_is_wrong_is_told(void **state)
{
    struct client_test *test = *state;
    struct gh_redis_script script;
    struct client_answer answer = {0};
    gh_redis_script_init(&script, GH_STR("this is no Lua"));
    client_test_connect_ready(test, unix_url());
    assert_int_equal(gh_redis_script_call(test->redis, &script, NULL, 0, NULL, 0, 5000,
                                          client_test_on_answer, &answer),
                     GH_OK);
    gh_redis_cancel(test->redis, test);
    CLIENT_RUN_UNTIL(test, answer.calls);
    assert_int_equal(answer.err, GH_ERR_INVALID);
    assert_int_equal(gh_redis_script_call(test->redis, &script, NULL, 1000, NULL, 0, 5000,
                                          client_test_on_answer, &answer),
                     GH_ERR_INVALID);
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
        T(answers_commands_of_each_kind),
        T(sends_any_bytes),
        T(commands_of_one_turn_go_out_in_one_write_and_come_back_in_order),
        T(a_callback_may_ask_again),
        T(long_values_pass_both_ways),
        T(refuses_what_the_queue_does_not_hold),
        T(a_cancelled_command_says_nothing_and_shifts_no_answer),
        T(an_error_of_a_command_is_its_own_affair),
        T(a_server_out_of_memory_is_full_and_stays),
        T(what_the_user_may_not_do_is_refused_and_the_rest_goes_on),
        T(a_server_that_became_a_replica_is_left_until_it_is_none),
        T(a_replica_that_lost_its_primary_is_left),
        T(a_server_busy_with_a_script_is_left_until_it_is_done),
        T(tells_name_user_and_database),
        T(a_wrong_password_is_told_without_it),
        T(a_user_who_may_do_nothing_is_told),
        T(a_password_that_is_missing_is_told),
        T(a_database_that_is_none_is_told),
        T(finds_a_server_by_its_name),
        T(a_name_without_an_address_is_told),
        T(speaks_tls_with_a_server_of_a_known_authority),
        T(refuses_a_certificate_of_another_authority),
        T(refuses_a_certificate_of_another_name),
        T(refuses_to_speak_tls_with_who_does_not),
        T(a_file_of_authorities_that_is_none_is_told_at_once),
        T(runs_a_script_that_the_server_does_not_know),
        T(a_script_that_is_known_goes_by_its_hash),
        T(a_script_that_is_wrong_is_told),
    };
    return cmocka_run_group_tests(tests, open_server, close_server);
}
