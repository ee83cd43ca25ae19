/* For tests of consumers of streams: a Redis, a PostgreSQL, a consumer between them. */
#ifndef GH_STORE_STREAM_CONSUMER_FIXTURE_H
#define GH_STORE_STREAM_CONSUMER_FIXTURE_H

#include "store/postgres_fixture.h"
#include "store/redis_fixture.h"
#include "store/stream_consumer.h"

/* Turns the loop until `condition`; fails after most of a minute, and says what it waited for. */
#define CONSUMER_RUN_UNTIL(test, condition)                                                        \
    while (!(condition))                                                                           \
    consumer_test_turn(test, #condition)

/* Of the test program. The newest database is the test's. */
extern struct gh_postgres_fixture consumer_test_postgres;
extern struct gh_redis_server consumer_test_redis;

struct consumer_test {
    struct gh_loop *loop;
    struct gh_arena arena;
    struct gh_redis_url url;
    struct gh_stream_sink *sink;
    struct gh_stream_consumer *consumer;
    struct gh_stream_consumer_options options;
    struct gh_stream_sink_options sink_options;
    bool ended;
    uint64_t since_ms; /* of the first turn */
    char told[8192];
};

/* Starts both servers, runs the tests, ends them; without the servers it skips. */
int consumer_test_main(int (*run)(void));
/* Of each test: Redis is empty, the database has a table `counts` and a function `add_one`, which
   refuses texts longer than 8 bytes. */
int consumer_test_set_up(void **state);

/* A consumer of that name of the stream "votes", group "counters"; its options may be changed
   before it is begun. */
void consumer_test_prepare(struct consumer_test *test, const char *name);
void consumer_test_begin(struct consumer_test *test);
/* Stops it, and gives all back. */
void consumer_test_finish(struct consumer_test *test);
void consumer_test_turn(struct consumer_test *test, const char *condition);
struct gh_stream_counts consumer_test_counts(const struct consumer_test *test);

uint64_t consumer_test_sql(const char *text);
const char *consumer_test_ask(const char *command); /* of Redis */
void consumer_test_add(const char *choice, unsigned count);
uint64_t consumer_test_count_of(const char *choice);
void consumer_test_assert_nothing_pending(void);

#endif
