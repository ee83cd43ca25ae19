/*
 * A question about shared limits as the keys and arguments of redis_limits.lua, and its answer. No
 * I/O.
 *
 * Names of keys: `{gh}k` is the secret; `{gh}l:` and 16 bytes, the hash, are a limit, 22 in all.
 * One hash tag for all of them: a limit by route or header is charged together with the limits of
 * every client, so that nothing less than all could be kept on one node of a cluster.
 *
 * Redis keeps for each limit, beside some 90 bytes for key and expiry: 7 to 97 bytes for a log of 1
 * to 16 instants (31 for five), 23 for sub-windows, 10 for a limit with a burst.
 */
#ifndef GH_STORE_REDIS_LIMITS_WIRE_H
#define GH_STORE_REDIS_LIMITS_WIRE_H

#include "limit/shared.h"
#include "store/redis_reply.h"

#define GH_REDIS_LIMITS_KEY_BYTES    22
#define GH_REDIS_LIMITS_SECRET_BYTES 16
/* Of each limit: form, and three numbers of up to 13 digits. */
#define GH_REDIS_LIMITS_NUMBERS       4
#define GH_REDIS_LIMITS_ARGUMENTS_MAX (2 + GH_REDIS_LIMITS_NUMBERS * GH_LIMIT_CHARGES_MAX)

/* Points into itself: not to be copied. */
struct gh_redis_limits_call {
    struct gh_str keys[1 + GH_LIMIT_CHARGES_MAX];
    size_t key_count;
    struct gh_str arguments[GH_REDIS_LIMITS_ARGUMENTS_MAX];
    size_t argument_count;
    char names[GH_LIMIT_CHARGES_MAX][GH_REDIS_LIMITS_KEY_BYTES];
    char secret[GH_REDIS_LIMITS_SECRET_BYTES];
    char numbers[GH_REDIS_LIMITS_ARGUMENTS_MAX * 14];
};

/* `ask` NULL: a question without limits, which tells whether others would be answered. */
void gh_redis_limits_write(const struct gh_limit_ask *ask, struct gh_hash_key secret,
                           struct gh_redis_limits_call *out_call);

enum gh_redis_limits_answer {
    GH_REDIS_LIMITS_SAID_NOTHING,   /* no answer of this script */
    GH_REDIS_LIMITS_SAID_DECISIONS, /* the ask has its decisions */
    GH_REDIS_LIMITS_SAID_SECRET,    /* others hash with *out_secret; nothing was charged */
};
/* `ask` as for writing. */
enum gh_redis_limits_answer gh_redis_limits_read(const struct gh_redis_reply *reply,
                                                 struct gh_limit_ask *ask,
                                                 struct gh_hash_key *out_secret);

extern const char gh_redis_limits_script[];

#endif
