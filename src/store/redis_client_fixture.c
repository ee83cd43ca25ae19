#include "store/redis_client_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "net/loop_state.h"

/* So that nothing in a test pauses for long, and pauses are not all the same. */
static void fill_from_counter(void *context, void *out, size_t count)
{
    static unsigned char next;
    (void)context;
    for (size_t i = 0; i < count; i++)
        ((unsigned char *)out)[i] = (unsigned char)(next++ * 37);
}
static const struct gh_random COUNTER = {.fill = fill_from_counter};

static void hear(struct client_test *test, char what)
{
    GH_ASSERT(test->heard_count + 1 < CLIENT_HOOKS_MAX);
    test->heard[test->heard_count++] = what;
}

static void on_state(void *context, const struct gh_redis_status *status)
{
    struct client_test *test = context;
    GH_ASSERT(status->state != GH_REDIS_CONNECTING);
    GH_ASSERT((status->state == GH_REDIS_READY) == (*status->message == '\0'));
    hear(test, status->state == GH_REDIS_READY ? 'R' : 'A');
    if (test->in_state)
        test->in_state(test);
}

static void on_subscribed(void *context)
{
    hear(context, 's');
}

static void on_message(void *context, struct gh_str channel, struct gh_str payload)
{
    struct client_test *test = context;
    test->messages++;
    snprintf(test->message, sizeof test->message, "%.*s=%.*s", GH_STR_ARG(channel),
             GH_STR_ARG(payload));
    hear(test, 'm');
}

void client_test_open(struct client_test *test)
{
    *test = (struct client_test){0};
    gh_arena_init(&test->arena, 4096, 1 << 20);
    GH_ASSERT(gh_loop_open(&test->loop) == GH_OK);
    test->options = (struct gh_redis_options){
        .url = &test->url,
        .random = &COUNTER,
        .backoff_min_ms = 1,
        .backoff_max_ms = 20,
        .hooks = {.on_state = on_state, .on_subscribed = on_subscribed, .on_message = on_message},
        .context = test,
    };
}

void client_test_close(struct client_test *test)
{
    gh_redis_close(test->redis);
    gh_loop_stop(test->loop);
    gh_loop_run(test->loop);
    gh_loop_close(test->loop);
    gh_arena_done(&test->arena);
}

void client_test_turn(struct client_test *test)
{
    gh_loop_turn(test->loop, true);
}

void client_test_connect(struct client_test *test, const char *url)
{
    struct gh_str message;
    const char *problem = gh_redis_url_parse(gh_str_from_c(url), &test->arena, &test->url);
    GH_ASSERT(!problem);
    GH_ASSERT(gh_redis_open(test->loop, &test->options, &test->arena, &test->redis, &message) ==
              GH_OK);
    GH_ASSERT(gh_redis_status(test->redis).state == GH_REDIS_CONNECTING);
}

void client_test_until(struct client_test *test, enum gh_redis_state state)
{
    CLIENT_RUN_UNTIL(test, gh_redis_status(test->redis).state == state);
}

void client_test_connect_ready(struct client_test *test, const char *url)
{
    client_test_connect(test, url);
    client_test_until(test, GH_REDIS_READY);
}

void client_test_on_answer(void *context, enum gh_err err, const struct gh_redis_reply *reply)
{
    struct client_answer *answer = context;
    answer->calls++;
    answer->err = err;
    answer->has_reply = reply != NULL;
    if (reply) {
        GH_ASSERT((err == GH_OK) == (reply->type != GH_REDIS_ERROR));
        answer->type = reply->type;
        answer->integer = reply->integer;
        answer->item_count = reply->item_count;
        snprintf(answer->text, sizeof answer->text, "%.*s", GH_STR_ARG(reply->text));
    }
    if (answer->in_answer)
        answer->in_answer(answer);
}

enum gh_err client_test_call(struct client_test *test, const char *command, uint32_t timeout_ms,
                             struct client_answer *answer)
{
    struct gh_str argv[16];
    size_t argc = 0;
    for (struct gh_str rest = gh_str_from_c(command); rest.ptr;) {
        GH_ASSERT(argc < 16);
        argv[argc++] = gh_str_split(&rest, ' ');
    }
    answer->test = test;
    return gh_redis_call(test->redis, argv, argc, timeout_ms, client_test_on_answer, answer);
}

void client_test_ask(struct client_test *test, const char *command, struct client_answer *answer)
{
    *answer = (struct client_answer){0};
    GH_ASSERT(client_test_call(test, command, 20000, answer) == GH_OK);
    GH_ASSERT(answer->calls == 0);
    CLIENT_RUN_UNTIL(test, answer->calls);
}

void client_test_expect(struct client_test *test, const char *command, const char *text)
{
    struct client_answer answer;
    client_test_ask(test, command, &answer);
    if (answer.err != GH_OK || strcmp(answer.text, text) != 0)
        fprintf(stderr, "%s: %s, \"%s\"\n", command, gh_err_text(answer.err), answer.text);
    GH_ASSERT(answer.err == GH_OK && strcmp(answer.text, text) == 0);
}
