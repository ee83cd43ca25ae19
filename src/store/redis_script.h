/*
 * Scripts of Redis: sent by their hash, and whole where the server does not know it (any more).
 */
#ifndef GH_STORE_REDIS_SCRIPT_H
#define GH_STORE_REDIS_SCRIPT_H

#include "store/redis_client.h"

/* Immutable after init; may be shared by threads. Must outlive the calls. */
struct gh_redis_script {
    struct gh_str text; /* Lua, borrowed */
    char sha[41];       /* SHA-1 in hexadecimal, as EVALSHA wants it */
};

void gh_redis_script_init(struct gh_redis_script *script, struct gh_str text);

/*
 * As gh_redis_call, of `script` with its keys and arguments: EVALSHA, and EVAL when the server says
 * NOSCRIPT (which `callback` never sees). Together at most GH_REDIS_ARGUMENTS_MAX - 3.
 */
GH_MUST_USE enum gh_err gh_redis_script_call(struct gh_redis *redis,
                                             const struct gh_redis_script *script,
                                             const struct gh_str *keys, size_t key_count,
                                             const struct gh_str *arguments, size_t argument_count,
                                             uint32_t timeout_ms, gh_redis_answer_fn *callback,
                                             void *context);

#endif
