/*
 * redis_limits.lua beside gh_limit_decide: random questions, asked of both at the same instants,
 * get the same answers. The server's clock is replaced in the script's text by an argument; one
 * trace runs on the real one.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "store/redis_fixture.h"
#include "store/redis_limits_wire.h"

#define SLOTS        4096
#define RULES_MAX    12
#define SOURCES      3
#define REPLY_VALUES 64

struct rig {
    struct gh_redis_server server;
    redisContext *redis;
    struct gh_limit_table *table;
    struct gh_hash_key secret;
    char *script;
    uint64_t now_ms; /* 0: the server's clock */
    uint64_t seed;
};

static const struct gh_hash_key SECRET = {0x0123456789abcdef, 0xfedcba9876543210};

/* ---- The script ---- */

/* `text` with `old`, which stands there once, replaced. */
static char *replaced(const char *text, const char *old, const char *new)
{
    const char *at = strstr(text, old);
    assert_non_null(at);
    assert_null(strstr(at + 1, old));
    char *out = NULL;
    size_t len;
    FILE *stream = open_memstream(&out, &len);
    assert_non_null(stream);
    fprintf(stream, "%.*s%s%s", (int)(at - text), text, new, at + strlen(old));
    fclose(stream);
    return out;
}

static struct rig open_rig(const char *clock)
{
    struct rig rig = {.secret = SECRET, .seed = 20260731};
    gh_redis_server_open(&rig.server, NULL);
    rig.redis = redisConnectUnix(rig.server.path);
    assert_non_null(rig.redis);
    assert_int_equal(rig.redis->err, 0);
    assert_int_equal(gh_limit_table_open(SLOTS, SECRET, &rig.table), GH_OK);
    rig.script = clock ? replaced(gh_redis_limits_script, "redis.call('TIME')", clock)
                       : strdup(gh_redis_limits_script);
    return rig;
}

/* Time is the last argument. */
#define ARGUED_CLOCK "{ARGV[#ARGV - 1], ARGV[#ARGV]}"

static void close_rig(struct rig *rig)
{
    free(rig->script);
    gh_limit_table_close(rig->table);
    redisFree(rig->redis);
    gh_redis_server_close(&rig->server);
}

static redisReply *command(struct rig *rig, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    redisReply *reply = redisvCommand(rig->redis, format, args);
    va_end(args);
    assert_non_null(reply);
    return reply;
}

static void run(struct rig *rig, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    redisReply *reply = redisvCommand(rig->redis, format, args);
    va_end(args);
    assert_non_null(reply);
    if (reply->type == REDIS_REPLY_ERROR)
        fail_msg("%s: %s", format, reply->str);
    freeReplyObject(reply);
}

static redisReply *evaluate(struct rig *rig, const struct gh_limit_ask *ask)
{
    struct gh_redis_limits_call call;
    const char *argv[3 + 2 * GH_REDIS_LIMITS_ARGUMENTS_MAX];
    size_t lengths[3 + 2 * GH_REDIS_LIMITS_ARGUMENTS_MAX], argc = 0;
    char key_count[8], seconds[24], micros[24];
    gh_redis_limits_write(ask, rig->secret, &call);
    snprintf(key_count, sizeof(key_count), "%zu", call.key_count);
    snprintf(seconds, sizeof(seconds), "%llu", (unsigned long long)rig->now_ms / 1000);
    snprintf(micros, sizeof(micros), "%llu", (unsigned long long)rig->now_ms % 1000 * 1000 + 999);
    const struct gh_str first[] = {GH_STR("EVAL"), gh_str_from_c(rig->script),
                                   gh_str_from_c(key_count)};
    const struct gh_str last[] = {gh_str_from_c(seconds), gh_str_from_c(micros)};
    const struct {
        const struct gh_str *items;
        size_t count;
    } parts[] = {{first, 3},
                 {call.keys, call.key_count},
                 {call.arguments, call.argument_count},
                 {last, rig->now_ms ? 2 : 0}};
    for (size_t part = 0; part < sizeof(parts) / sizeof(parts[0]); part++) {
        for (size_t i = 0; i < parts[part].count; i++) {
            argv[argc] = parts[part].items[i].ptr;
            lengths[argc++] = parts[part].items[i].len;
        }
    }
    redisReply *reply = redisCommandArgv(rig->redis, (int)argc, argv, lengths);
    assert_non_null(reply);
    return reply;
}

static enum gh_redis_limits_answer read_reply(const redisReply *reply, struct gh_limit_ask *ask,
                                              struct gh_hash_key *out_secret)
{
    struct gh_redis_reply items[REPLY_VALUES];
    if (reply->type == REDIS_REPLY_ERROR)
        fail_msg("%s", reply->str);
    struct gh_redis_reply whole = {.type = GH_REDIS_ARRAY, .items = items};
    if (reply->type == REDIS_REPLY_STRING) {
        whole.type = GH_REDIS_STRING;
        whole.text = gh_str_of(reply->str, (size_t)reply->len);
    }
    assert_true(reply->elements <= REPLY_VALUES);
    whole.item_count = reply->elements;
    for (size_t i = 0; i < reply->elements; i++) {
        assert_int_equal(reply->element[i]->type, REDIS_REPLY_INTEGER);
        items[i] = (struct gh_redis_reply){.type = GH_REDIS_INTEGER,
                                           .integer = reply->element[i]->integer};
    }
    return gh_redis_limits_read(&whole, ask, out_secret);
}

static void ask_redis(struct rig *rig, struct gh_limit_ask *ask)
{
    struct gh_hash_key other;
    redisReply *reply = evaluate(rig, ask);
    assert_int_equal(read_reply(reply, ask, &other), GH_REDIS_LIMITS_SAID_DECISIONS);
    freeReplyObject(reply);
}

/* ---- The model ---- */

static void expect_same(const struct gh_limit_decision *redis,
                        const struct gh_limit_decision *memory, const char *where, size_t step)
{
    if (redis->allowed == memory->allowed && redis->remaining == memory->remaining &&
        redis->retry_after_ms == memory->retry_after_ms && redis->reset_ms == memory->reset_ms)
        return;
    fail_msg("%s, step %zu: redis %d %u %llu %llu, memory %d %u %llu %llu", where, step,
             redis->allowed, redis->remaining, (unsigned long long)redis->retry_after_ms,
             (unsigned long long)redis->reset_ms, memory->allowed, memory->remaining,
             (unsigned long long)memory->retry_after_ms, (unsigned long long)memory->reset_ms);
}

/* Asks memory as the script is asked, and compares. */
static void compare(struct rig *rig, struct gh_limit_ask *ask, const char *where, size_t step)
{
    struct gh_limit_decision decisions[GH_LIMIT_CHARGES_MAX];
    size_t count = ask->together;
    bool admitted = !ask->together || gh_limit_decide(rig->table, ask->charges, ask->together,
                                                      rig->now_ms, false, decisions);
    for (size_t i = ask->together; admitted && i < ask->count; i++, count++)
        gh_limit_decide(rig->table, &ask->charges[i], 1, rig->now_ms, false, &decisions[i]);
    ask_redis(rig, ask);
    assert_int_equal(ask->admitted, admitted);
    assert_int_equal(ask->decided_count, count);
    for (size_t i = 0; i < count; i++)
        expect_same(&ask->decisions[i], &decisions[i], where, step);
}

/* xorshift64*: the same traces in every run. */
static uint64_t next_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545f4914f6cdd1du;
}

static uint64_t below(struct rig *rig, uint64_t bound)
{
    return next_random(&rig->seed) % bound;
}

static struct gh_limit_rule rule_of(enum gh_limit_kind kind, uint32_t count, uint64_t window_ms,
                                    uint32_t burst)
{
    struct gh_limit_rule rule = {
        .kind = kind, .count = count, .window_ms = window_ms, .burst = burst};
    assert_true(gh_limit_rule_prepare(&rule));
    return rule;
}

#define MINUTE 60000ull
#define DAY    (1440 * MINUTE)

/* What people write, and the corners. None is back to full within the time that a trace takes in
   truth, since keys expire by the server's own clock. */
static size_t make_rules(struct gh_limit_rule *rules)
{
    size_t count = 0;
    rules[count++] = rule_of(GH_LIMIT_EXACT, 5, MINUTE, 0);
    rules[count++] = rule_of(GH_LIMIT_EXACT, 1, MINUTE, 0);
    rules[count++] = rule_of(GH_LIMIT_EXACT, 16, 60 * MINUTE, 0);
    rules[count++] = rule_of(GH_LIMIT_EXACT, 3, 30 * DAY, 0);
    rules[count++] = rule_of(GH_LIMIT_EXACT, 17, 12 * MINUTE + 1, 0);
    rules[count++] = rule_of(GH_LIMIT_EXACT, 1000, 60 * MINUTE, 0);
    rules[count++] = rule_of(GH_LIMIT_EXACT, 4000000000u, 30 * DAY, 0);
    rules[count++] = rule_of(GH_LIMIT_GCRA, 7, 5 * MINUTE, 20);
    rules[count++] = rule_of(GH_LIMIT_GCRA, 1, MINUTE, 1);
    rules[count++] = rule_of(GH_LIMIT_GCRA, 7, DAY, 25000); /* nine years: beyond 2^53 ns */
    rules[count++] = rule_of(GH_LIMIT_GCRA, 13, 10 * MINUTE, 3);
    return count;
}

static struct gh_hash128 key_of(size_t rule, uint64_t source)
{
    return (struct gh_hash128){rule * 1000 + source, 0x9e3779b97f4a7c15ull * (source + 1)};
}

/* Nothing, a little, up to a window, more than one. */
static uint64_t next_gap_ms(struct rig *rig, const struct gh_limit_rule *rule)
{
    switch (below(rig, 16)) {
    case 0:
        return below(rig, rule->window_ms);
    case 1:
        return below(rig, rule->window_ms / 12 + 2);
    case 2:
        return below(rig, 40) ? 1 : 2 * rule->window_ms;
    case 3:
    case 4:
    case 5:
        return below(rig, rule->window_ms / rule->count + 2);
    default:
        return 0;
    }
}

static void a_limit_alone_answers_as_in_memory(void **state)
{
    (void)state;
    struct rig rig = open_rig(ARGUED_CLOCK);
    struct gh_limit_rule rules[RULES_MAX];
    size_t rule_count = make_rules(rules);
    rig.now_ms = 1790000000123;
    for (size_t r = 0; r < rule_count; r++) {
        char where[32];
        snprintf(where, sizeof(where), "rule %zu", r);
        for (size_t step = 0; step < 700; step++) {
            struct gh_limit_ask ask = {.count = 1, .together = 1};
            ask.charges[0] = (struct gh_limit_charge){&rules[r], key_of(r, below(&rig, SOURCES))};
            rig.now_ms += next_gap_ms(&rig, &rules[r]);
            compare(&rig, &ask, where, step);
        }
    }
    close_rig(&rig);
}

static void a_large_count_answers_as_in_memory(void **state)
{
    (void)state;
    struct rig rig = open_rig(ARGUED_CLOCK);
    struct gh_limit_rule rule = rule_of(GH_LIMIT_EXACT, 600, 12 * MINUTE, 0);
    rig.now_ms = 1790000000000;
    for (size_t step = 0; step < 5000; step++) {
        struct gh_limit_ask ask = {.count = 1, .together = 1};
        ask.charges[0] = (struct gh_limit_charge){&rule, key_of(0, 0)};
        rig.now_ms += below(&rig, 100) ? below(&rig, 2000) : below(&rig, 2 * MINUTE);
        compare(&rig, &ask, "600 in 12 minutes", step);
    }
    close_rig(&rig);
}

static void groups_are_decided_whole_as_in_memory(void **state)
{
    (void)state;
    struct rig rig = open_rig(ARGUED_CLOCK);
    struct gh_limit_rule rules[RULES_MAX];
    size_t rule_count = make_rules(rules);
    size_t admitted = 0, steps = 6000;
    rig.now_ms = 1790000000000;
    for (size_t step = 0; step < steps; step++) {
        struct gh_limit_ask ask = {.count = 1 + below(&rig, GH_LIMIT_CHARGES_MAX)};
        ask.together = below(&rig, ask.count + 1);
        for (size_t i = 0; i < ask.count; i++) {
            size_t r = below(&rig, rule_count); /* now and then the same key twice */
            ask.charges[i] = (struct gh_limit_charge){&rules[r], key_of(r, below(&rig, SOURCES))};
        }
        rig.now_ms += next_gap_ms(&rig, &rules[below(&rig, 2)]);
        compare(&rig, &ask, "group", step);
        admitted += ask.admitted;
    }
    assert_in_range(admitted, steps / 20, steps - steps / 20);
    close_rig(&rig);
}

/* ---- What is left behind ---- */

static void expect_expiry_on_all(struct rig *rig, size_t keys_min)
{
    redisReply *keys = command(rig, "KEYS *");
    assert_true(keys->elements >= keys_min);
    for (size_t i = 0; i < keys->elements; i++) {
        redisReply *left =
            command(rig, "PTTL %b", keys->element[i]->str, (size_t)keys->element[i]->len);
        if (left->integer <= 0)
            fail_msg("%.10s has no expiry", keys->element[i]->str);
        assert_true(left->integer <= 10ll * 365 * (long long)DAY);
        freeReplyObject(left);
    }
    freeReplyObject(keys);
}

static void charge_all(struct rig *rig, const struct gh_limit_rule *rules, size_t count)
{
    for (size_t r = 0; r < count; r++) {
        struct gh_limit_ask ask = {.count = 1, .together = 1};
        ask.charges[0] = (struct gh_limit_charge){&rules[r], key_of(r, 0)};
        ask_redis(rig, &ask);
    }
}

static void every_key_expires(void **state)
{
    (void)state;
    struct rig rig = open_rig(NULL);
    struct gh_limit_rule rules[RULES_MAX];
    size_t rule_count = make_rules(rules);
    for (size_t i = 0; i < 3; i++)
        charge_all(&rig, rules, rule_count);
    expect_expiry_on_all(&rig, rule_count + 1);
    close_rig(&rig);
}

static void a_key_is_gone_when_its_limit_is_full_again(void **state)
{
    (void)state;
    struct rig rig = open_rig(NULL);
    struct gh_limit_rule rules[] = {rule_of(GH_LIMIT_EXACT, 2, 120, 0),
                                    rule_of(GH_LIMIT_EXACT, 30, 120, 0),
                                    rule_of(GH_LIMIT_GCRA, 100, 1000, 12)};
    charge_all(&rig, rules, 3);
    for (int i = 0; i < 100; i++) {
        redisReply *size = command(&rig, "DBSIZE");
        bool gone = size->integer == 1; /* the secret stays */
        freeReplyObject(size);
        if (gone)
            break;
        assert_true(i < 99);
        nanosleep(&(struct timespec){0, 10000000}, NULL);
    }
    close_rig(&rig);
}

static void a_script_that_fails_leaves_nothing_without_expiry(void **state)
{
    (void)state;
    struct rig rig = open_rig(NULL);
    struct gh_limit_rule rules[RULES_MAX];
    size_t rule_count = make_rules(rules);
    charge_all(&rig, rules, rule_count);
    char *broken = replaced(rig.script, "return reply", "error('broken')");
    free(rig.script);
    rig.script = broken;
    for (size_t r = 0; r < rule_count; r++) {
        struct gh_limit_ask ask = {.count = 1, .together = 1};
        ask.charges[0] = (struct gh_limit_charge){&rules[r], key_of(r, 1)};
        redisReply *reply = evaluate(&rig, &ask);
        assert_int_equal(reply->type, REDIS_REPLY_ERROR);
        freeReplyObject(reply);
    }
    expect_expiry_on_all(&rig, 2 * rule_count + 1);
    close_rig(&rig);
}

static void somebody_elses_data_is_no_count_and_no_failure(void **state)
{
    (void)state;
    static const char *const COMMANDS[] = {
        "RPUSH %b x y", "SADD %b x",         "HSET %b f v",   "ZADD %b 1 x",
        "SET %b junk",  "SET %b 1",          "XADD %b * f v", "SET %b 1abcdefghijklm",
        "SET %b 2junk", "SET %b 3xxxxxxxxxx"};
    struct rig rig = open_rig(NULL);
    struct gh_limit_rule rules[RULES_MAX];
    size_t rule_count = make_rules(rules);
    for (size_t c = 0; c < sizeof(COMMANDS) / sizeof(COMMANDS[0]); c++) {
        run(&rig, "FLUSHALL");
        for (size_t r = 0; r < rule_count; r++) {
            struct gh_limit_ask ask = {.count = 1, .together = 1};
            struct gh_redis_limits_call call;
            ask.charges[0] = (struct gh_limit_charge){&rules[r], key_of(r, 0)};
            gh_redis_limits_write(&ask, SECRET, &call);
            run(&rig, COMMANDS[c], call.keys[1].ptr, call.keys[1].len);
            ask_redis(&rig, &ask);
            assert_true(ask.admitted);
        }
        expect_expiry_on_all(&rig, rule_count + 1);
    }
    run(&rig, "DEL {gh}k");
    run(&rig, "RPUSH {gh}k x");
    charge_all(&rig, rules, 1);
    expect_expiry_on_all(&rig, rule_count + 1);
    close_rig(&rig);
}

/* ---- The secret ---- */

static void the_first_secret_is_everybodys(void **state)
{
    (void)state;
    struct rig rig = open_rig(NULL);
    struct gh_limit_rule rule = rule_of(GH_LIMIT_EXACT, 5, MINUTE, 0);
    struct gh_hash_key other = {0, 0};
    struct gh_limit_ask ask = {.count = 1, .together = 1};
    ask.charges[0] = (struct gh_limit_charge){&rule, key_of(0, 0)};
    ask_redis(&rig, &ask);
    rig.secret = (struct gh_hash_key){1, 2};
    redisReply *reply = evaluate(&rig, &ask);
    assert_int_equal(read_reply(reply, &ask, &other), GH_REDIS_LIMITS_SAID_SECRET);
    freeReplyObject(reply);
    assert_memory_equal(&other, &SECRET, sizeof(other));
    rig.secret = other;
    ask_redis(&rig, &ask);
    assert_int_equal(ask.decisions[0].remaining, 3); /* nothing was charged in between */
    run(&rig, "FLUSHALL");
    ask_redis(&rig, &ask); /* whoever asks brings it back */
    redisReply *kept = command(&rig, "GET {gh}k");
    assert_int_equal(kept->len, sizeof(SECRET));
    assert_memory_equal(kept->str, &SECRET, sizeof(SECRET));
    freeReplyObject(kept);
    close_rig(&rig);
}

static void a_question_without_limits_tells_who_may_write(void **state)
{
    (void)state;
    struct rig rig = open_rig(NULL);
    struct gh_hash_key other;
    redisReply *reply = evaluate(&rig, NULL);
    assert_int_equal(read_reply(reply, NULL, &other), GH_REDIS_LIMITS_SAID_DECISIONS);
    freeReplyObject(reply);
    expect_expiry_on_all(&rig, 1);
    run(&rig, "REPLICAOF 127.0.0.1 1");
    reply = evaluate(&rig, NULL);
    assert_int_equal(reply->type, REDIS_REPLY_ERROR);
    assert_memory_equal(reply->str, "READONLY", 8);
    freeReplyObject(reply);
    run(&rig, "REPLICAOF NO ONE");
    run(&rig, "CONFIG SET maxmemory 1");
    reply = evaluate(&rig, NULL);
    assert_int_equal(reply->type, REDIS_REPLY_ERROR);
    assert_memory_equal(reply->str, "OOM", 3);
    freeReplyObject(reply);
    close_rig(&rig);
}

/* ---- A clock that was set back ---- */

static void a_clock_set_back_holds_nobody_longer_than_a_window(void **state)
{
    (void)state;
    struct gh_limit_rule rules[] = {rule_of(GH_LIMIT_EXACT, 5, MINUTE, 0),
                                    rule_of(GH_LIMIT_EXACT, 24, MINUTE, 0),
                                    rule_of(GH_LIMIT_GCRA, 6, MINUTE, 6)};
    for (size_t r = 0; r < 3; r++) {
        struct rig rig = open_rig(ARGUED_CLOCK);
        struct gh_limit_ask ask = {.count = 1, .together = 1};
        ask.charges[0] = (struct gh_limit_charge){&rules[r], key_of(r, 0)};
        rig.now_ms = 1790000000000;
        do {
            ask_redis(&rig, &ask);
        } while (ask.admitted);
        rig.now_ms -= DAY;
        ask_redis(&rig, &ask);
        assert_false(ask.admitted); /* it is no way to get more either */
        assert_true(ask.decisions[0].retry_after_ms <= MINUTE * 13 / 12 + 1);
        rig.now_ms += ask.decisions[0].retry_after_ms;
        ask_redis(&rig, &ask);
        assert_true(ask.admitted);
        close_rig(&rig);
    }
}

/* ---- The server's own clock ---- */

static uint64_t wall_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* With the clock as it is no window ever admits more, and what was told to wait is admitted then.
 */
static void the_servers_clock_admits_no_more_than_the_limit(void **state)
{
    (void)state;
    enum { COUNT = 5, WINDOW_MS = 80, ADMITTED_MAX = 1000 };
    static uint64_t before_ms[ADMITTED_MAX], after_ms[ADMITTED_MAX];
    struct rig rig = open_rig(NULL);
    struct gh_limit_rule rule = rule_of(GH_LIMIT_EXACT, COUNT, WINDOW_MS, 0);
    size_t admitted = 0;
    for (uint64_t end_ms = wall_ms() + 1000; wall_ms() < end_ms;) {
        struct gh_limit_ask ask = {.count = 1, .together = 1};
        ask.charges[0] = (struct gh_limit_charge){&rule, key_of(0, 0)};
        uint64_t asked_ms = wall_ms();
        ask_redis(&rig, &ask);
        if (!ask.admitted)
            continue;
        assert_true(admitted < ADMITTED_MAX);
        before_ms[admitted] = asked_ms;
        after_ms[admitted++] = wall_ms();
    }
    assert_true(admitted >= 3 * COUNT);
    for (size_t i = COUNT; i < admitted; i++)
        assert_true(after_ms[i] >= before_ms[i - COUNT] + WINDOW_MS);
    close_rig(&rig);
}

int main(void)
{
    if (!gh_redis_server_is_installed()) {
        fprintf(stderr, "redis-server is not installed: skipped\n");
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_limit_alone_answers_as_in_memory),
        cmocka_unit_test(a_large_count_answers_as_in_memory),
        cmocka_unit_test(groups_are_decided_whole_as_in_memory),
        cmocka_unit_test(every_key_expires),
        cmocka_unit_test(a_key_is_gone_when_its_limit_is_full_again),
        cmocka_unit_test(a_script_that_fails_leaves_nothing_without_expiry),
        cmocka_unit_test(somebody_elses_data_is_no_count_and_no_failure),
        cmocka_unit_test(the_first_secret_is_everybodys),
        cmocka_unit_test(a_question_without_limits_tells_who_may_write),
        cmocka_unit_test(a_clock_set_back_holds_nobody_longer_than_a_window),
        cmocka_unit_test(the_servers_clock_admits_no_more_than_the_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
