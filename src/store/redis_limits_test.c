/* The adapter over a real redis-server: when it is ready, what it decides, and what it says when
   the server is away, hangs, was emptied, started again, or can't be written to. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <unistd.h>

#include "store/redis_client_fixture.h"
#include "store/redis_limits.h"

#define ASKS_MAX 300
#define ALARM_S  60

struct rig {
    struct client_test client;
    struct gh_redis_server server;
    struct gh_redis_limits *limits;
    struct gh_limit_rule rule;
    bool ready;
    unsigned changes;
    char why[128];
};

struct question {
    struct gh_limit_ask ask;
    unsigned answers;
    struct rig *rig;
    bool closes; /* the adapter, when it is answered */
};

static void on_change(void *context, bool ready, const char *why)
{
    struct rig *rig = context;
    rig->ready = ready;
    rig->changes++;
    snprintf(rig->why, sizeof(rig->why), "%s", why);
}

static void open_limits(struct rig *rig, struct gh_hash_key secret)
{
    struct gh_redis_limits_options options = {
        .redis = &rig->client.options,
        .secret = secret,
        .on_change = on_change,
        .context = rig,
    };
    char url[128];
    struct gh_str message;
    snprintf(url, sizeof(url), "unix:%s", rig->server.path);
    assert_null(gh_redis_url_parse(gh_str_from_c(url), &rig->client.arena, &rig->client.url));
    rig->client.options.url = &rig->client.url;
    assert_int_equal(gh_redis_limits_open(rig->client.loop, &options, &rig->client.arena,
                                          &rig->limits, &message),
                     GH_OK);
}

static void open_rig(struct rig *rig)
{
    *rig = (struct rig){.rule = {.kind = GH_LIMIT_EXACT, .count = 5, .window_ms = 60000}};
    assert_true(gh_limit_rule_prepare(&rig->rule));
    alarm(ALARM_S);
    gh_redis_server_open(&rig->server, NULL);
    client_test_open(&rig->client);
    open_limits(rig, (struct gh_hash_key){1, 2});
}

static void close_rig(struct rig *rig)
{
    gh_redis_limits_close(rig->limits);
    client_test_close(&rig->client);
    gh_redis_server_close(&rig->server);
    alarm(0);
}

static void until_ready(struct rig *rig, bool ready)
{
    CLIENT_RUN_UNTIL(&rig->client, rig->changes && rig->ready == ready);
}

static void on_answered(struct gh_limit_ask *ask)
{
    struct question *question = ask->owner;
    question->answers++;
    if (question->closes) {
        struct gh_redis_limits *limits = question->rig->limits;
        question->rig->limits = NULL;
        gh_redis_limits_close(limits);
    }
}

static bool begin(struct rig *rig, struct question *question, uint64_t key)
{
    struct gh_hash_key secret;
    struct gh_limit_shared *port = gh_redis_limits_port(rig->limits);
    *question = (struct question){.rig = rig};
    question->ask.count = question->ask.together = 1;
    question->ask.charges[0] = (struct gh_limit_charge){&rig->rule, {key, key}};
    question->ask.answered = on_answered;
    question->ask.owner = question;
    return port->ops->ready(port, &secret) &&
           port->ops->ask(port, &question->ask) == GH_LIMIT_ASKED;
}

static void wait_for(struct rig *rig, struct question *question)
{
    CLIENT_RUN_UNTIL(&rig->client, question->answers);
}

static struct gh_limit_decision decide(struct rig *rig, uint64_t key)
{
    struct question question;
    assert_true(begin(rig, &question, key));
    assert_int_equal(question.answers, 0);
    wait_for(rig, &question);
    assert_true(question.ask.decided);
    assert_int_equal(question.ask.decided_count, 1);
    assert_int_equal(question.ask.admitted, question.ask.decisions[0].allowed);
    return question.ask.decisions[0];
}

/* ---- There ---- */

static void it_decides_as_soon_as_it_says_so(void **state)
{
    (void)state;
    struct rig rig;
    struct question question;
    open_rig(&rig);
    assert_false(begin(&rig, &question, 7)); /* not connected yet */
    until_ready(&rig, true);
    for (uint32_t left = 5; left-- > 0;)
        assert_int_equal(decide(&rig, 7).remaining, left);
    struct gh_limit_decision sixth = decide(&rig, 7);
    assert_false(sixth.allowed);
    assert_in_range(sixth.retry_after_ms, 1, 60000);
    assert_true(decide(&rig, 8).allowed);
    close_rig(&rig);
}

static void questions_of_one_turn_go_together_and_are_decided_one_after_the_other(void **state)
{
    (void)state;
    static struct question questions[ASKS_MAX];
    struct rig rig;
    unsigned admitted = 0;
    open_rig(&rig);
    until_ready(&rig, true);
    for (size_t i = 0; i < ASKS_MAX; i++)
        assert_true(begin(&rig, &questions[i], 7));
    wait_for(&rig, &questions[ASKS_MAX - 1]);
    for (size_t i = 0; i < ASKS_MAX; i++) {
        assert_int_equal(questions[i].answers, 1);
        assert_int_equal(questions[i].ask.admitted, i < 5);
        admitted += questions[i].ask.admitted;
    }
    assert_int_equal(admitted, 5);
    close_rig(&rig);
}

static void too_many_questions_are_not_taken(void **state)
{
    (void)state;
    static struct question questions[ASKS_MAX];
    struct rig rig;
    size_t taken = 0;
    open_rig(&rig);
    gh_redis_limits_close(rig.limits);
    rig.client.options.calls_max = 10;
    open_limits(&rig, (struct gh_hash_key){1, 2});
    until_ready(&rig, true);
    while (taken < ASKS_MAX && begin(&rig, &questions[taken], 7))
        taken++;
    assert_int_equal(taken, 10);
    wait_for(&rig, &questions[9]);
    assert_true(rig.ready);
    assert_true(decide(&rig, 8).allowed);
    close_rig(&rig);
}

static void a_forgotten_question_is_not_answered(void **state)
{
    (void)state;
    struct rig rig;
    struct question forgotten;
    open_rig(&rig);
    until_ready(&rig, true);
    assert_true(begin(&rig, &forgotten, 7));
    struct gh_limit_shared *port = gh_redis_limits_port(rig.limits);
    port->ops->forget(port, &forgotten.ask);
    decide(&rig, 8);
    assert_int_equal(forgotten.answers, 0);
    close_rig(&rig);
}

static void an_answer_may_close_it(void **state)
{
    (void)state;
    struct rig rig;
    struct question first, second;
    open_rig(&rig);
    until_ready(&rig, true);
    assert_true(begin(&rig, &first, 7));
    assert_true(begin(&rig, &second, 7));
    first.closes = true;
    wait_for(&rig, &first);
    assert_int_equal(second.answers, 1);
    assert_false(second.ask.decided);
    close_rig(&rig);
}

static void what_waits_is_answered_when_it_closes(void **state)
{
    (void)state;
    struct rig rig;
    struct question question;
    open_rig(&rig);
    until_ready(&rig, true);
    assert_true(begin(&rig, &question, 7));
    gh_redis_limits_close(rig.limits);
    rig.limits = NULL;
    assert_int_equal(question.answers, 1);
    assert_false(question.ask.decided);
    close_rig(&rig);
}

static void a_refusal_is_remembered_for_a_second_and_not_longer(void **state)
{
    (void)state;
    struct rig rig;
    struct question question;
    open_rig(&rig);
    until_ready(&rig, true);
    for (int i = 0; i < 5; i++)
        decide(&rig, 7);
    struct gh_limit_decision refusal = decide(&rig, 7);
    assert_false(refusal.allowed);
    gh_redis_server_ask(&rig.server, "FLUSHALL");
    assert_false(begin(&rig, &question, 7));
    assert_true(question.ask.decided);
    assert_false(question.ask.admitted);
    assert_int_equal(question.ask.decided_count, 1);
    assert_in_range(question.ask.decisions[0].retry_after_ms, refusal.retry_after_ms - 1000,
                    refusal.retry_after_ms);
    assert_true(decide(&rig, 8).allowed);
    uint64_t began_ms = gh_loop_now_ms(rig.client.loop);
    while (!begin(&rig, &question, 7)) {
        usleep(10000);
        client_test_turn(&rig.client);
    }
    assert_in_range(gh_loop_now_ms(rig.client.loop) - began_ms, 500, 20000);
    wait_for(&rig, &question);
    assert_true(question.ask.admitted);
    close_rig(&rig);
}

static void of_a_group_only_those_that_refuse_are_remembered(void **state)
{
    (void)state;
    struct rig rig;
    struct question question;
    open_rig(&rig);
    until_ready(&rig, true);
    struct gh_limit_shared *port = gh_redis_limits_port(rig.limits);
    for (int i = 0; i < 6; i++)
        decide(&rig, 7);
    assert_false(begin(&rig, &question, 7));
    question.ask.charges[1] = (struct gh_limit_charge){&rig.rule, {8, 8}};
    question.ask.count = question.ask.together = 2;
    assert_int_equal(port->ops->ask(port, &question.ask), GH_LIMIT_ANSWERED);
    assert_false(question.ask.decisions[0].allowed);
    assert_true(question.ask.decisions[1].allowed);
    assert_int_equal(decide(&rig, 8).remaining, 4);
    close_rig(&rig);
}

/* ---- Secrets ---- */

static void the_second_node_takes_the_secret_of_the_first_over(void **state)
{
    (void)state;
    struct rig rig;
    struct gh_hash_key first, second;
    open_rig(&rig);
    until_ready(&rig, true);
    struct gh_limit_shared *port = gh_redis_limits_port(rig.limits);
    assert_true(port->ops->ready(port, &first));
    gh_redis_limits_close(rig.limits);
    rig.changes = 0;
    open_limits(&rig, (struct gh_hash_key){3, 4});
    until_ready(&rig, true);
    port = gh_redis_limits_port(rig.limits);
    assert_true(port->ops->ready(port, &second));
    assert_memory_equal(&first, &second, sizeof(first));
    close_rig(&rig);
}

static void a_secret_that_was_replaced_is_taken_over_with_the_next_question(void **state)
{
    (void)state;
    struct rig rig;
    struct question question;
    struct gh_hash_key secret;
    open_rig(&rig);
    until_ready(&rig, true);
    gh_redis_server_ask(&rig.server, "SET {gh}k 0123456789abcdef");
    assert_true(begin(&rig, &question, 7));
    wait_for(&rig, &question);
    assert_false(question.ask.decided);
    struct gh_limit_shared *port = gh_redis_limits_port(rig.limits);
    assert_true(port->ops->ready(port, &secret));
    assert_memory_equal(&secret, "0123456789abcdef", sizeof(secret));
    assert_true(decide(&rig, 7).allowed);
    assert_int_equal(rig.changes, 1); /* it was there all the time */
    close_rig(&rig);
}

/* ---- Away and back ---- */

static void a_server_that_hangs_is_away_after_the_deadline(void **state)
{
    (void)state;
    struct rig rig;
    struct question first, second, third;
    open_rig(&rig);
    until_ready(&rig, true);
    gh_redis_server_freeze(&rig.server);
    uint64_t began_us = gh_loop_now_us(rig.client.loop);
    assert_true(begin(&rig, &first, 7));
    assert_true(begin(&rig, &second, 8));
    wait_for(&rig, &first);
    uint64_t took_us = gh_loop_now_us(rig.client.loop) - began_us;
    assert_in_range(took_us, GH_REDIS_LIMITS_DEADLINE_MS * 1000u - 1000, 5000000);
    wait_for(&rig, &second); /* one waits, all are told */
    assert_false(first.ask.decided);
    assert_false(second.ask.decided);
    until_ready(&rig, false);
    assert_false(begin(&rig, &third, 7)); /* nobody else waits for it */
    gh_redis_server_thaw(&rig.server);
    until_ready(&rig, true);
    assert_true(decide(&rig, 9).allowed);
    assert_int_equal(rig.changes, 3);
    close_rig(&rig);
}

static void a_server_that_was_started_again_is_used_again(void **state)
{
    (void)state;
    struct rig rig;
    struct question question;
    open_rig(&rig);
    until_ready(&rig, true);
    decide(&rig, 7);
    gh_redis_server_kill(&rig.server);
    until_ready(&rig, false);
    assert_false(begin(&rig, &question, 7));
    gh_redis_server_start(&rig.server); /* empty, and it does not know the script */
    until_ready(&rig, true);
    assert_int_equal(decide(&rig, 7).remaining, 4);
    close_rig(&rig);
}

static void a_server_that_was_emptied_counts_afresh(void **state)
{
    (void)state;
    struct rig rig;
    open_rig(&rig);
    until_ready(&rig, true);
    decide(&rig, 7);
    gh_redis_server_ask(&rig.server, "FLUSHALL");
    gh_redis_server_ask(&rig.server, "SCRIPT FLUSH");
    assert_int_equal(decide(&rig, 7).remaining, 4);
    assert_int_equal(rig.changes, 1);
    close_rig(&rig);
}

static void a_replica_counts_as_away_until_it_may_be_written_to(void **state)
{
    (void)state;
    struct rig rig;
    struct question question;
    open_rig(&rig);
    until_ready(&rig, true);
    gh_redis_server_ask(&rig.server, "REPLICAOF 127.0.0.1 1");
    assert_true(begin(&rig, &question, 7));
    wait_for(&rig, &question);
    assert_false(question.ask.decided);
    until_ready(&rig, false);
    gh_redis_server_ask(&rig.server, "REPLICAOF NO ONE");
    until_ready(&rig, true);
    assert_true(decide(&rig, 7).allowed);
    close_rig(&rig);
}

static void a_full_server_counts_as_away_until_there_is_room(void **state)
{
    (void)state;
    struct rig rig;
    struct question question;
    open_rig(&rig);
    until_ready(&rig, true);
    gh_redis_server_ask(&rig.server, "CONFIG SET maxmemory 1");
    assert_true(begin(&rig, &question, 7));
    wait_for(&rig, &question);
    assert_false(question.ask.decided);
    until_ready(&rig, false);
    assert_string_equal(rig.why, "oom");
    assert_false(begin(&rig, &question, 7));
    gh_redis_server_ask(&rig.server, "CONFIG SET maxmemory 0");
    until_ready(&rig, true);
    assert_true(decide(&rig, 7).allowed);
    close_rig(&rig);
}

static void a_server_that_was_never_there_is_told_of_once(void **state)
{
    (void)state;
    struct rig rig;
    struct question question;
    open_rig(&rig);
    gh_redis_limits_close(rig.limits);
    gh_redis_server_kill(&rig.server);
    open_limits(&rig, (struct gh_hash_key){1, 2});
    until_ready(&rig, false);
    assert_int_not_equal(rig.why[0], '\0');
    assert_false(begin(&rig, &question, 7));
    gh_redis_server_start(&rig.server);
    until_ready(&rig, true);
    assert_int_equal(rig.changes, 2);
    close_rig(&rig);
}

int main(void)
{
    if (!gh_redis_server_is_installed()) {
        fprintf(stderr, "redis-server is not installed: skipped\n");
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_decides_as_soon_as_it_says_so),
        cmocka_unit_test(questions_of_one_turn_go_together_and_are_decided_one_after_the_other),
        cmocka_unit_test(too_many_questions_are_not_taken),
        cmocka_unit_test(a_forgotten_question_is_not_answered),
        cmocka_unit_test(an_answer_may_close_it),
        cmocka_unit_test(what_waits_is_answered_when_it_closes),
        cmocka_unit_test(a_refusal_is_remembered_for_a_second_and_not_longer),
        cmocka_unit_test(of_a_group_only_those_that_refuse_are_remembered),
        cmocka_unit_test(the_second_node_takes_the_secret_of_the_first_over),
        cmocka_unit_test(a_secret_that_was_replaced_is_taken_over_with_the_next_question),
        cmocka_unit_test(a_server_that_hangs_is_away_after_the_deadline),
        cmocka_unit_test(a_server_that_was_started_again_is_used_again),
        cmocka_unit_test(a_server_that_was_emptied_counts_afresh),
        cmocka_unit_test(a_replica_counts_as_away_until_it_may_be_written_to),
        cmocka_unit_test(a_full_server_counts_as_away_until_there_is_room),
        cmocka_unit_test(a_server_that_was_never_there_is_told_of_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
