/* What a client of Redis is made of, and what its files share. Private to redis_client_*.c and
   redis_script.c. */
#ifndef GH_STORE_REDIS_CLIENT_STATE_H
#define GH_STORE_REDIS_CLIENT_STATE_H

#include "base/arena.h"
#include "base/buf.h"
#include "net/lookup.h"
#include "net/stream.h"
#include "store/redis_client.h"
#include "store/redis_script.h"

enum gh_redis_call_kind {
    GH_REDIS_CALL_USER,
    /* of the handshake */
    GH_REDIS_CALL_HELLO,
    GH_REDIS_CALL_SELECT,
    GH_REDIS_CALL_READY, /* PING: answered when the server serves commands */
    /* later */
    GH_REDIS_CALL_HEARTBEAT,
};

/* A command that waits for its answer. */
struct gh_redis_call {
    enum gh_redis_call_kind kind;
    bool ends_batch;              /* the last one of a write */
    uint64_t written_us;          /* when that was */
    gh_redis_answer_fn *callback; /* NULL: nobody waits for it (any more) */
    void *context;
    uint64_t due_ms; /* UINT64_MAX: has been told that it is overdue */
    /* Of a script: what stands behind text or hash, encoded, to be sent again as EVAL. */
    const struct gh_redis_script *script;
    char *tail;
    size_t tail_len, tail_count;
};

/* One connection. It outlives its being given up until the stream is closed. */
struct gh_redis_link {
    struct gh_stream stream;
    struct gh_redis *redis; /* NULL: given up */
    struct gh_redis_reader *reader;
};

enum gh_redis_phase {
    GH_REDIS_PHASE_START, /* the task begins the first attempt */
    GH_REDIS_PHASE_PAUSE, /* the timer begins the next one; else it ends the phase */
    GH_REDIS_PHASE_LOOKUP,
    GH_REDIS_PHASE_CONNECT,
    GH_REDIS_PHASE_HANDSHAKE,
    GH_REDIS_PHASE_READY,
    GH_REDIS_PHASE_CLOSED, /* the task frees it */
};

struct gh_redis {
    struct gh_loop *loop;
    struct gh_redis_options options; /* numbers filled in; texts in the arena */
    struct gh_redis_url url;
    struct gh_arena arena; /* wiped when closed: the password is here */
    struct gh_tls_client *tls;
    enum gh_redis_phase phase;
    struct gh_loop_task task;        /* flushes the queue at the end of the turn, and see above */
    struct gh_timer timer;           /* of the phase */
    struct gh_timer call_timer;      /* of the calls */
    uint64_t call_timer_due_ms;      /* when that is armed */
    bool overdue_seen;               /* once; the next time it counts */
    struct gh_timer heartbeat_timer; /* in phase READY */
    unsigned attempt;                /* failed ones in a row */
    struct gh_lookup *lookup;        /* under way, perhaps begun by an earlier attempt */
    struct gh_ip addresses[GH_LOOKUP_ADDRESSES_MAX];
    size_t address_count, address_next;
    struct gh_redis_link *link; /* NULL: none */
    size_t subscribed;          /* channels that the server has confirmed */
    unsigned unheard;           /* subscriber: heartbeats since PING was sent, nothing heard */
    /* Commands without an answer: a ring, oldest first. */
    struct gh_redis_call *calls;
    size_t call_first, call_count, call_unwritten;
    struct gh_buf output; /* not yet given to the stream */
    bool paused;          /* the stream wants to drain first */
    uint64_t heard_ms, ready_ms;
    struct gh_redis_status status;
    char message[256];
    struct gh_redis_counters counters;
};

static inline bool gh_redis_is_subscriber(const struct gh_redis *redis)
{
    return redis->options.channel_count > 0;
}

/* ---- redis_client_queue.c: commands and their answers ---- */

/* GH_OK: a user's command may be added now; else what gh_redis_call returns. */
GH_MUST_USE enum gh_err gh_redis_queue_admit(struct gh_redis *redis, size_t argc);
/* "$3\r\nabc\r\n" */
void gh_redis_put_argument(struct gh_buf *out, struct gh_str argument);
/* Encodes a command; false, with the output as before: no room. */
bool gh_redis_queue_put(struct gh_redis *redis, const struct gh_str *argv, size_t argc);
/* Adds the call whose command was put last. */
void gh_redis_queue_add(struct gh_redis *redis, const struct gh_redis_call *call);
/* A command of the client's own. */
void gh_redis_queue_own(struct gh_redis *redis, enum gh_redis_call_kind kind,
                        const struct gh_str *argv, size_t argc, uint64_t timeout_ms);
/* Writes what is queued. */
void gh_redis_queue_flush(struct gh_redis *redis);
/* Takes out the oldest call, NULL: none. Valid until the next one is added. */
struct gh_redis_call *gh_redis_queue_take(struct gh_redis *redis);
/* Gives a user's call its answer. */
void gh_redis_queue_answer(struct gh_redis *redis, struct gh_redis_call *call,
                           const struct gh_redis_reply *reply);
/* All calls fail; what is not written is forgotten. */
void gh_redis_queue_fail(struct gh_redis *redis, enum gh_redis_failure failure);
/* What a command that could not be put gets: FULL, or INVALID when it never fits. */
GH_MUST_USE enum gh_err gh_redis_queue_no_room(struct gh_redis *redis);

/* ---- redis_client_link.c: connecting, losing, reading ---- */

/* Begins an attempt. */
void gh_redis_connect(struct gh_redis *redis);
/* Loses the connection or the attempt at it, and pauses. `detail` (may be "") stands behind what
   the failure says. Hooks and callbacks run inside: the client may be closed behind it. */
void gh_redis_give_up(struct gh_redis *redis, enum gh_redis_failure failure, const char *detail);
/* Lets the connection go without a word to anyone. */
void gh_redis_drop_link(struct gh_redis *redis);

/* ---- redis_client_talk.c: handshake, replies ---- */

/* The connection stands. */
void gh_redis_greet(struct gh_redis *redis);
void gh_redis_on_reply(struct gh_redis *redis, const struct gh_redis_reply *reply);

#endif
