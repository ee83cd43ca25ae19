#include "store/redis_script.h"

#include <stdlib.h>

#include "base/assert.h"
#include "crypto/hash.h"
#include "store/redis_client_state.h"

void gh_redis_script_init(struct gh_redis_script *script, struct gh_str text)
{
    uint8_t digest[GH_SHA1_BYTES];
    gh_sha1(text, digest);
    struct gh_buf sha = gh_buf_over(script->sha, sizeof script->sha);
    gh_buf_put_hex_bytes(&sha, digest, sizeof digest);
    GH_ASSERT(sha.len == sizeof script->sha - 1);
    script->sha[sha.len] = '\0';
    script->text = text;
}

/* Number of keys, keys, arguments. */
static void put_tail(struct gh_buf *out, const struct gh_str *keys, size_t key_count,
                     const struct gh_str *arguments, size_t argument_count)
{
    char digits[24];
    struct gh_buf number = gh_buf_over(digits, sizeof digits);
    gh_buf_put_u64(&number, key_count);
    gh_redis_put_argument(out, gh_buf_str(&number));
    for (size_t i = 0; i < key_count; i++)
        gh_redis_put_argument(out, keys[i]);
    for (size_t i = 0; i < argument_count; i++)
        gh_redis_put_argument(out, arguments[i]);
}

enum gh_err gh_redis_script_call(struct gh_redis *redis, const struct gh_redis_script *script,
                                 const struct gh_str *keys, size_t key_count,
                                 const struct gh_str *arguments, size_t argument_count,
                                 uint32_t timeout_ms, gh_redis_answer_fn *callback, void *context)
{
    if (key_count > GH_REDIS_ARGUMENTS_MAX || argument_count > GH_REDIS_ARGUMENTS_MAX)
        return GH_ERR_INVALID;
    enum gh_err err = gh_redis_queue_admit(redis, 3 + key_count + argument_count);
    if (err != GH_OK)
        return err;
    struct gh_buf *out = &redis->output;
    size_t before = out->len;
    gh_buf_put_char(out, '*');
    gh_buf_put_u64(out, 3 + key_count + argument_count);
    gh_buf_put(out, GH_STR("\r\n"));
    gh_redis_put_argument(out, GH_STR("EVALSHA"));
    gh_redis_put_argument(out, gh_str_of(script->sha, sizeof script->sha - 1));
    size_t tail_at = out->len;
    put_tail(out, keys, key_count, arguments, argument_count);
    /* Kept as it is encoded: EVAL takes the same. */
    char *tail = out->overflow ? NULL : malloc(out->len - tail_at);
    if (!tail) {
        bool overflow = out->overflow;
        out->overflow = false;
        out->len = before;
        return overflow ? gh_redis_queue_no_room(redis) : GH_ERR_MEMORY;
    }
    memcpy(tail, out->ptr + tail_at, out->len - tail_at);
    gh_redis_queue_add(redis, &(struct gh_redis_call){
                                  .callback = callback,
                                  .context = context,
                                  .due_ms = gh_loop_now_ms(redis->loop) + timeout_ms,
                                  .script = script,
                                  .tail = tail,
                                  .tail_len = out->len - tail_at,
                                  .tail_count = 1 + key_count + argument_count,
                              });
    return GH_OK;
}
