/*
 * A client for tests: an event loop on its own thread with one worker's pools, and calls that
 * remember what was called back. The test's thread starts calls and waits for them, so that a test
 * reads from top to bottom.
 */
#ifndef GH_UPSTREAM_TEST_CLIENT_H
#define GH_UPSTREAM_TEST_CLIENT_H

#include <pthread.h>

#include "upstream/upstream.h"

struct test_client {
    struct gh_loop *loop;
    struct gh_metrics *metrics;
    struct gh_upstream_groups *groups;
    struct gh_upstream_group *group;
    struct gh_upstreams *upstreams;
    struct gh_upstream_settings settings;
    struct gh_arena arena;
    enum gh_err get_err; /* of the last client_get_group */
    struct gh_str message;
    pthread_t thread;
    pthread_mutex_t lock; /* guards what calls have seen */
    pthread_cond_t changed;
};

enum abort_place { ABORT_NEVER, ABORT_IN_READY, ABORT_IN_HEAD, ABORT_IN_BODY, ABORT_IN_LAST };

struct test_call {
    struct gh_upstream_call call;
    struct gh_upstream_request request;
    struct test_client *client;
    struct gh_arena arena;
    /* what it shall do */
    const char *body; /* written in on_ready, then ended, unless hold_end */
    bool hold_end;
    const char *late_body; /* of call_write */
    const char *lent_body; /* there while the call is started only */
    enum abort_place abort_place;
    bool pause_in_head;
    /* what it has seen; read it when the call is over, or through call_wait_... */
    unsigned ready_count, head_count, drain_count, status, body_events;
    char answer[8192]; /* of the body, as far as it fits */
    size_t answer_len; /* all of it */
    bool took_body;    /* what the last call_write returned */
    bool complete, failed;
    enum gh_upstream_failure failure;
    char field[128]; /* value of X-Test */
};

/* Settings with defaults fit for tests; then change client->settings. */
void client_init(struct test_client *client);
/* Starts the loop with a group of these servers. */
void client_start(struct test_client *client, unsigned server_count, const char *const *urls);
void client_open(struct test_client *client, const char *url);
void client_close(struct test_client *client);
/* Makes client->group anew, as a reload does: the old one is given back after. */
void client_reload(struct test_client *client);

/* Runs fn(arg) on the loop's thread and waits for it. */
void client_run(struct test_client *client, void (*fn)(void *arg), void *arg);

/* A GET that may be sent again. */
void call_init(struct test_call *call, struct test_client *client);
/* A POST with a body that must not be sent twice. */
void call_init_post(struct test_call *call, struct test_client *client, const char *body);
void call_start(struct test_call *call);
void call_wait(struct test_call *call); /* until it is over */
void call_wait_ready(struct test_call *call, unsigned count);
void call_wait_head(struct test_call *call);
void call_wait_drain(struct test_call *call);
void call_wait_body(struct test_call *call, size_t bytes);
/* init, start and wait. */
void call_get(struct test_call *call, struct test_client *client);
void call_abort(struct test_call *call);
void call_resume(struct test_call *call);
void call_write(struct test_call *call, const char *text);
void call_end(struct test_call *call);
void call_done(struct test_call *call);

#endif
