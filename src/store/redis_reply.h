/*
 * Replies of Redis as plain structs, read by hiredis's reader (RESP2) with bounds of our own. Knows
 * no socket: bytes in, replies out, in any cut.
 *
 * Protocol: https://redis.io/docs/reference/protocol-spec/
 */
#ifndef GH_STORE_REDIS_REPLY_H
#define GH_STORE_REDIS_REPLY_H

#include "base/err.h"
#include "base/str.h"

enum gh_redis_type {
    GH_REDIS_NIL,
    GH_REDIS_STRING,
    GH_REDIS_STATUS, /* "OK", "PONG" */
    GH_REDIS_ERROR,  /* `text` is the server's, "WRONGTYPE Operation against ..." */
    GH_REDIS_INTEGER,
    GH_REDIS_ARRAY,
};

struct gh_redis_reply {
    enum gh_redis_type type;
    struct gh_str text;                 /* STRING, STATUS, ERROR */
    int64_t integer;                    /* INTEGER */
    const struct gh_redis_reply *items; /* ARRAY */
    size_t item_count;
};

/* Arrays in each other; where hiredis stops. */
#define GH_REDIS_REPLY_DEPTH_MAX 8
/* Values in one reply, those in arrays of arrays included. */
#define GH_REDIS_REPLY_VALUES_MAX 65536

/* True for a status or string of just these bytes. */
bool gh_redis_reply_is(const struct gh_redis_reply *reply, struct gh_str text);

/*
 * What can go wrong with a command or a connection: X(NAME, label of metrics, what callers get,
 * first word of the server's error or NULL, whether the connection is given up for it, words).
 *
 * Given up is what says that this server serves nobody for now: asking again on a new connection,
 * after a pause, finds the one that took over, or when it is well again. The words are ours: a
 * server quotes what it did not understand, and that may be the password.
 */
#define GH_REDIS_FAILURES(X)                                                                       \
    X(NONE, "none", GH_OK, NULL, false, "")                                                        \
    X(AWAY, "away", GH_ERR_CLOSED, NULL, false, "not asked: there is no connection")               \
    X(FULL, "queue_full", GH_ERR_FULL, NULL, false, "not asked: too many commands wait")           \
    X(LOOKUP, "lookup", GH_ERR_NOT_FOUND, NULL, true, "its name has no address")                   \
    X(CONNECT, "connect", GH_ERR_REFUSED, NULL, true, "can't be connected to")                     \
    X(TLS, "tls", GH_ERR_TLS, NULL, true, "TLS failed")                                            \
    X(TIMEOUT, "timeout", GH_ERR_TIMEOUT, NULL, true, "did not answer in time")                    \
    X(CLOSED, "closed", GH_ERR_CLOSED, NULL, true, "closed the connection")                        \
    X(PROTOCOL, "protocol", GH_ERR_IO, NULL, true, "sent what is no answer")                       \
    X(LARGE, "too_large", GH_ERR_IO, NULL, true, "sent more than is taken")                        \
    X(LOADING, "loading", GH_ERR_REFUSED, "LOADING", true, "is loading its data")                  \
    X(READONLY, "readonly", GH_ERR_REFUSED, "READONLY", true, "is a replica, read-only")           \
    X(MASTERDOWN, "masterdown", GH_ERR_REFUSED, "MASTERDOWN", true, "has lost its primary")        \
    X(NOAUTH, "noauth", GH_ERR_REFUSED, "NOAUTH", true, "wants a password")                        \
    X(WRONGPASS, "wrongpass", GH_ERR_REFUSED, "WRONGPASS", true, "refuses user and password")      \
    X(BUSY, "busy", GH_ERR_REFUSED, "BUSY", true, "is busy with a script")                         \
    X(NOPERM, "noperm", GH_ERR_REFUSED, "NOPERM", false, "does not permit this to the user")       \
    X(OOM, "oom", GH_ERR_FULL, "OOM", false, "is out of memory")                                   \
    X(MISCONF, "misconf", GH_ERR_FULL, "MISCONF", false, "can't write to its disk")                \
    X(NOSCRIPT, "noscript", GH_ERR_NOT_FOUND, "NOSCRIPT", false, "does not know the script")       \
    X(OTHER, "other", GH_ERR_INVALID, NULL, false, "refuses the command")

enum gh_redis_failure {
#define GH_REDIS_FAILURE_NAME(name, label, err, word, gives_up, text) GH_REDIS_FAIL_##name,
    GH_REDIS_FAILURES(GH_REDIS_FAILURE_NAME)
#undef GH_REDIS_FAILURE_NAME
        GH_REDIS_FAIL_COUNT
};

struct gh_redis_failure_facts {
    const char *label;
    enum gh_err err;
    const char *word;
    bool gives_up;
    const char *text;
};
extern const struct gh_redis_failure_facts gh_redis_failure_facts[GH_REDIS_FAIL_COUNT];

/* What an error reply means; NONE for any other reply. */
enum gh_redis_failure gh_redis_reply_failure(const struct gh_redis_reply *reply);

/* ---- Reading ---- */

struct gh_redis_reader;

enum gh_redis_read {
    GH_REDIS_READ_BROKEN, /* no RESP2, or over a bound: the connection can't be gone on with */
    GH_REDIS_READ_MORE,   /* bytes are missing */
    GH_REDIS_READ_REPLY,
};

/* `reply_bytes_max` bounds what is kept of a reply, read and yet to be read, each. */
GH_MUST_USE enum gh_err gh_redis_reader_open(size_t reply_bytes_max,
                                             struct gh_redis_reader **out_reader);
/* NULL is fine. */
void gh_redis_reader_close(struct gh_redis_reader *reader);
/* Takes bytes (copied). Read all replies that are whole before feeding more. */
void gh_redis_reader_feed(struct gh_redis_reader *reader, struct gh_str bytes);
/* The next reply, valid until the reader is used again. After BROKEN always BROKEN. */
enum gh_redis_read gh_redis_reader_next(struct gh_redis_reader *reader,
                                        const struct gh_redis_reply **out_reply);
/* LARGE: it was over a bound; else PROTOCOL. */
enum gh_redis_failure gh_redis_reader_failure(const struct gh_redis_reader *reader);
/* Why it is broken, in words without the peer's bytes; "" when it is not. */
const char *gh_redis_reader_problem(const struct gh_redis_reader *reader);

#endif
