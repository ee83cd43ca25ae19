/*
 * A client of Redis or Valkey for one event loop: it never blocks, and whoever asks while the
 * server is away hears so at once, so that a fall-back can decide without waiting.
 *
 * One connection. Commands of one turn of the loop go out together in one write, answers come in
 * order. A command has its time; when the oldest is overdue the connection is closed, for nothing
 * that comes later could be told apart, and all its commands fail with GH_ERR_TIMEOUT. A lost
 * connection is made anew after a pause: exponential, with full jitter.
 *
 * Whether a command that failed was carried out is not known: send what may be repeated.
 *
 * Not here: clusters and Sentinel (a name that moves to the new primary works: it is looked up for
 * each connection), transactions, RESP3. All functions: on the loop's own thread only.
 */
#ifndef GH_STORE_REDIS_CLIENT_H
#define GH_STORE_REDIS_CLIENT_H

#include "crypto/random.h"
#include "net/loop.h"
#include "store/redis_reply.h"
#include "store/redis_url.h"

struct gh_redis;

enum gh_redis_state {
    GH_REDIS_CONNECTING, /* since it was opened; nothing is known yet */
    GH_REDIS_READY,
    GH_REDIS_AWAY, /* lost or never reached; it is tried again by itself */
};

struct gh_redis_status {
    enum gh_redis_state state;
    uint64_t since_ms;             /* of gh_loop_now_ms */
    enum gh_redis_failure failure; /* AWAY: why, as of the latest attempt */
    const char *message;           /* the same in words, with the place, without secrets; "" */
};

/* What happened so far, for metrics. */
struct gh_redis_counters {
    uint64_t commands;      /* sent, our own of the handshake and of the heartbeat left out */
    uint64_t batches;       /* writes that carried them */
    uint64_t round_trips;   /* batches that were answered to the end */
    uint64_t round_trip_us; /* the sum of what these took */
    uint64_t messages;      /* of channels */
    uint64_t connects;      /* connections that became ready; all but the first are reconnects */
    uint64_t failures[GH_REDIS_FAIL_COUNT]; /* commands, by what became of them */
    uint64_t losses[GH_REDIS_FAIL_COUNT];   /* connections, and attempts at one */
};

struct gh_redis_hooks {
    /* The state has changed (see gh_redis_status). May call anything of this header. NULL: none */
    void (*on_state)(void *context, const struct gh_redis_status *status);
    /* Subscriber: all channels are subscribed, for the first time or again. What was published
       before is lost: read back what was missed. Just before on_state says READY. */
    void (*on_subscribed)(void *context);
    /* Subscriber: a message; the slices are lent for the call. */
    void (*on_message)(void *context, struct gh_str channel, struct gh_str payload);
};

/* Numbers: 0 takes what stands behind it. All is copied but `random`, which must live on. */
struct gh_redis_options {
    const struct gh_redis_url *url;
    const char *ca_path;     /* PEM, for rediss://; NULL: the system's authorities */
    const char *client_name; /* shown by CLIENT LIST; printable, no spaces; NULL: gatehouse */
    const struct gh_random *random; /* for the jitter; NULL: the kernel's */
    /* Not NULL: a subscriber to these. It takes no commands. */
    const struct gh_str *channels;
    size_t channel_count;
    uint32_t calls_max;          /* unanswered commands: 1,024 */
    size_t queued_bytes_max;     /* of commands not yet written: 512 KiB */
    size_t reply_bytes_max;      /* 1 MiB */
    uint32_t connect_timeout_ms; /* look-up, connect, TLS and handshake together: 2 s */
    uint32_t heartbeat_ms;       /* silence after which PING is sent, and again until the
                                    connection is given up: 1 s */
    uint32_t backoff_min_ms;     /* the first pause is at most so long: 100 ms */
    uint32_t backoff_max_ms;     /* and any later one: 5 s */
    struct gh_redis_hooks hooks;
    void *context; /* of the hooks */
};
#define GH_REDIS_CHANNELS_MAX 16

/*
 * Begins to connect; hooks come from the loop, never inside this call. On failure (GH_ERR_MEMORY,
 * GH_ERR_INVALID: a file of authorities that can't be used, a name too long) *out_message, in
 * `arena`, says why. A server that is away is no failure.
 */
GH_MUST_USE enum gh_err gh_redis_open(struct gh_loop *loop, const struct gh_redis_options *options,
                                      struct gh_arena *arena, struct gh_redis **out_redis,
                                      struct gh_str *out_message);
/* Commands without an answer get GH_ERR_CLOSED inside this call; then nothing is called any more.
   The loop does not end before the connection is closed. NULL is fine. */
void gh_redis_close(struct gh_redis *redis);

/*
 * GH_OK: `reply` is the server's and no error. Else what GH_REDIS_FAILURES says; `reply` is the
 * server's error reply, or NULL when none came. It is lent for the call. May call anything of this
 * header. Never called inside gh_redis_call.
 */
typedef void gh_redis_answer_fn(void *context, enum gh_err err, const struct gh_redis_reply *reply);

/* At most so many arguments in a command. */
#define GH_REDIS_ARGUMENTS_MAX 256

/*
 * Sends a command; `callback` follows once, within `timeout_ms` (rounded up to the loop's timers).
 * Else no callback comes:
 * GH_ERR_CLOSED   not connected now (CONNECTING, AWAY);
 * GH_ERR_REFUSED  the same, and the server is there but will not serve (loading, read-only, ...);
 * GH_ERR_FULL     calls_max commands wait for their answers, or queued_bytes_max bytes to be sent;
 * GH_ERR_INVALID  no argument or too many, a command longer than the queue, or a subscriber.
 */
GH_MUST_USE enum gh_err gh_redis_call(struct gh_redis *redis, const struct gh_str *argv,
                                      size_t argc, uint32_t timeout_ms,
                                      gh_redis_answer_fn *callback, void *context);
/* Callbacks with this context aren't called any more; what was sent is carried out all the same.
   Looks through all unanswered commands. */
void gh_redis_cancel(struct gh_redis *redis, const void *context);

/* As of now; the message is valid until the state changes. */
struct gh_redis_status gh_redis_status(const struct gh_redis *redis);
static inline bool gh_redis_is_ready(const struct gh_redis *redis)
{
    return gh_redis_status(redis).state == GH_REDIS_READY;
}
/* When the server was last heard (of gh_loop_now_ms); 0: never. */
uint64_t gh_redis_heard_ms(const struct gh_redis *redis);
const struct gh_redis_counters *gh_redis_counters(const struct gh_redis *redis);

#endif
