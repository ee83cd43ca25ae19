/* For tests of the client of Redis: a loop, a client, and what was heard of it. */
#ifndef GH_STORE_REDIS_CLIENT_FIXTURE_H
#define GH_STORE_REDIS_CLIENT_FIXTURE_H

#include "store/redis_client.h"
#include "store/redis_fixture.h"
#include "store/redis_script.h"

/* Turns the loop until `condition`; alarm(2) of the test ends what would never end. */
#define CLIENT_RUN_UNTIL(test, condition)                                                          \
    while (!(condition))                                                                           \
    client_test_turn(test)

#define CLIENT_HOOKS_MAX 64

struct client_test {
    struct gh_loop *loop;
    struct gh_arena arena;
    struct gh_redis_options options; /* filled with hooks and short times */
    struct gh_redis_url url;
    struct gh_redis *redis;
    /* What the hooks have heard, in order: 'R' ready, 'A' away, 's' subscribed, 'm' message. */
    char heard[CLIENT_HOOKS_MAX];
    unsigned heard_count, messages;
    char message[256]; /* the last one, "channel=payload" */
    /* Called by the state hook. NULL: nothing more. */
    void (*in_state)(struct client_test *test);
};

/* What became of a command. */
struct client_answer {
    unsigned calls;
    enum gh_err err;
    bool has_reply;
    enum gh_redis_type type;
    int64_t integer;
    size_t item_count;
    char text[4096];
    /* Called by the callback. NULL: nothing more. */
    void (*in_answer)(struct client_answer *answer);
    struct client_test *test;
};

void client_test_open(struct client_test *test);
/* Closes the client, ends the loop, and with it finds what was left over. */
void client_test_close(struct client_test *test);
/* One turn, which waits for something to happen. */
void client_test_turn(struct client_test *test);

/* Opens the client with test->options at this URL. */
void client_test_connect(struct client_test *test, const char *url);
/* The same, and waits until it is ready. */
void client_test_connect_ready(struct client_test *test, const char *url);
void client_test_until(struct client_test *test, enum gh_redis_state state);

/* Sends a command, words separated by one space; the answer is written down in *answer. */
enum gh_err client_test_call(struct client_test *test, const char *command, uint32_t timeout_ms,
                             struct client_answer *answer);
/* The same, and waits for it. */
void client_test_ask(struct client_test *test, const char *command, struct client_answer *answer);
/* The callback that writes down. */
void client_test_on_answer(void *context, enum gh_err err, const struct gh_redis_reply *reply);

/* ask, and the answer is a status or string of this text. */
void client_test_expect(struct client_test *test, const char *command, const char *text);

#endif
