/* The exchange's surroundings as toys, for its tests: a codec, an upstream call, a policy, a
   worker, a lane and a loop that write what they were asked into one trace. They take the places of
   the real ones at link time. */
#ifndef GH_GATEWAY_EXCHANGE_TOYS_H
#define GH_GATEWAY_EXCHANGE_TOYS_H

#include "gateway/exchange.h"
#include "gateway/exchange_pool.h"
#include "gateway/service.h"

#define GH_TOYS_JOBS_MAX 4

struct gh_toys_job {
    void (*fn)(void *arg);
    void *arg;
};

struct gh_toys {
    /* What the toys shall do. */
    struct gh_verdict verdict; /* of the stages */
    enum gh_target_kind target;
    bool policy_replaces; /* the upstream's answer is scrubbed */
    bool ready_at_start;  /* the upstream is connected at once */
    bool upstream_is_full, client_is_full;
    size_t ask_body_max; /* not 0: a stage asks for the body */
    bool asks_limits;    /* a stage asks about shared limits, first of all */
    bool limits_refused; /* ... and nobody takes the question */
    bool limits_known;   /* ... and the answer is known at once */
    bool asks_again;     /* after the first answer, once */
    bool input_is_full;  /* no memory for judging the next piece of a body */
    bool answer_is_observed;
    struct gh_exchange *ends_when_answered; /* with the last bytes that the codec is given */
    bool lane_is_full;
    unsigned loop_full_times;    /* posts to the loop that find it full first */
    bool fill_fails, copy_fails; /* no memory for a call, for its answer */
    /* What they have seen. */
    struct gh_upstream_call *call;
    enum gh_reason logged_reason;
    struct gh_toys_job lane[GH_TOYS_JOBS_MAX], loop[GH_TOYS_JOBS_MAX]; /* posted, not yet run */
    size_t lane_count, loop_count;
    struct gh_limit_ask *question; /* put, neither answered nor forgotten */
    struct gh_shared shared;
    struct gh_worker worker;
    struct gh_request_head head; /* of the request under test */
};

extern struct gh_toys gh_toys;

/* An exchange on fresh toys; its head is in gh_toys.head, not yet given. */
struct gh_exchange *gh_toys_begin(enum gh_method method, enum gh_body_kind body);
/* Another one on the same toys, as further streams of HTTP/2 are. */
struct gh_exchange *gh_toys_begin_stream(gh_stream_id stream);
/* A GET that waits for the upstream's answer. */
struct gh_exchange *gh_toys_begin_get(void);
/* A chunked upload of which one part is in and which the upstream is taking. */
struct gh_exchange *gh_toys_begin_upload(void);
/* The upstream's head comes. */
void gh_toys_upstream_head(unsigned status);
/* What was posted to the lane is run there; what was posted back to the loop is run. */
void gh_toys_run_lane(void);
void gh_toys_run_loop(void);
/* The question about limits is answered. */
void gh_toys_answer_limits(void);
size_t gh_toys_pin_users(void);
void gh_toys_end(struct gh_exchange *exchange, bool client_gone);
/* Compares the trace since the last call. */
void gh_toys_expect(const char *trace);

#endif
