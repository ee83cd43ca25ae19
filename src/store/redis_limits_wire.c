#include "store/redis_limits_wire.h"

#include <string.h>

#include "base/assert.h"
#include "base/buf.h"

#define SECRET_NAME GH_STR("{gh}k")
#define LIMIT_NAME  "{gh}l:"

#define NS_PER_MS 1000000u

/* As in redis_limits.lua. */
enum { FORM_LOG = 1, FORM_SUBWINDOWS = 2, FORM_GCRA = 3 };

_Static_assert(sizeof(LIMIT_NAME) - 1 + sizeof(struct gh_hash128) == GH_REDIS_LIMITS_KEY_BYTES,
               "a prefix and the hash");
_Static_assert(sizeof(struct gh_hash_key) == GH_REDIS_LIMITS_SECRET_BYTES, "two words");

static void put_name(char *out, struct gh_hash128 key)
{
    memcpy(out, LIMIT_NAME, sizeof(LIMIT_NAME) - 1);
    memcpy(out + sizeof(LIMIT_NAME) - 1, &key, sizeof(key));
}

struct numbers {
    struct gh_redis_limits_call *call;
    struct gh_buf text;
};

static void put_number(struct numbers *numbers, uint64_t number)
{
    size_t at = numbers->text.len;
    gh_buf_put_u64(&numbers->text, number);
    numbers->call->arguments[numbers->call->argument_count++] =
        gh_str_of(numbers->call->numbers + at, numbers->text.len - at);
}

static void put_rule(struct numbers *numbers, const struct gh_limit_rule *rule)
{
    if (rule->kind == GH_LIMIT_GCRA) {
        put_number(numbers, FORM_GCRA);
        put_number(numbers, rule->burst);
        put_number(numbers, rule->step / NS_PER_MS);
        put_number(numbers, rule->step % NS_PER_MS);
        return;
    }
    bool log = rule->count <= GH_LIMIT_LOG_COUNT_MAX;
    put_number(numbers, log ? FORM_LOG : FORM_SUBWINDOWS);
    put_number(numbers, rule->count);
    put_number(numbers, log ? rule->window_ms : rule->step);
    put_number(numbers, log ? 0 : rule->unit);
}

void gh_redis_limits_write(const struct gh_limit_ask *ask, struct gh_hash_key secret,
                           struct gh_redis_limits_call *out_call)
{
    struct numbers numbers = {out_call, gh_buf_over(out_call->numbers, sizeof(out_call->numbers))};
    size_t count = ask ? ask->count : 0;
    GH_ASSERT(count <= GH_LIMIT_CHARGES_MAX);
    memcpy(out_call->secret, &secret, sizeof(out_call->secret));
    out_call->keys[0] = SECRET_NAME;
    out_call->arguments[0] = gh_str_of(out_call->secret, sizeof(out_call->secret));
    out_call->argument_count = 1;
    put_number(&numbers, ask ? ask->together : 0);
    for (size_t i = 0; i < count; i++) {
        put_name(out_call->names[i], ask->charges[i].key);
        out_call->keys[1 + i] = gh_str_of(out_call->names[i], GH_REDIS_LIMITS_KEY_BYTES);
        put_rule(&numbers, ask->charges[i].rule);
    }
    out_call->key_count = 1 + count;
    GH_ASSERT(!numbers.text.overflow);
}

/* ---- The answer ---- */

static bool read_number(const struct gh_redis_reply *reply, uint64_t max, uint64_t *out_number)
{
    if (reply->type != GH_REDIS_INTEGER || reply->integer < 0 || (uint64_t)reply->integer > max)
        return false;
    *out_number = (uint64_t)reply->integer;
    return true;
}

static bool read_decision(const struct gh_redis_reply *items, struct gh_limit_decision *out)
{
    const uint64_t wait_ms_max = 2 * GH_LIMIT_REFILL_MS_MAX;
    uint64_t allowed, remaining;
    if (!read_number(&items[0], 1, &allowed) || !read_number(&items[1], UINT32_MAX, &remaining) ||
        !read_number(&items[2], wait_ms_max, &out->retry_after_ms) ||
        !read_number(&items[3], wait_ms_max, &out->reset_ms))
        return false;
    out->allowed = allowed;
    out->remaining = (uint32_t)remaining;
    return true;
}

static enum gh_redis_limits_answer read_decisions(const struct gh_redis_reply *reply,
                                                  struct gh_limit_ask *ask)
{
    size_t count = reply->item_count / GH_REDIS_LIMITS_NUMBERS;
    size_t asked = ask ? ask->count : 0, together = ask ? ask->together : 0;
    if (reply->item_count % GH_REDIS_LIMITS_NUMBERS || (count != together && count != asked))
        return GH_REDIS_LIMITS_SAID_NOTHING;
    if (!ask)
        return GH_REDIS_LIMITS_SAID_DECISIONS;
    ask->admitted = true;
    for (size_t i = 0; i < count; i++) {
        if (!read_decision(reply->items + GH_REDIS_LIMITS_NUMBERS * i, &ask->decisions[i]))
            return GH_REDIS_LIMITS_SAID_NOTHING;
        if (i < together)
            ask->admitted &= ask->decisions[i].allowed;
    }
    if (ask->admitted != (count == asked) && together != asked)
        return GH_REDIS_LIMITS_SAID_NOTHING;
    ask->decided_count = count;
    ask->decided = true;
    return GH_REDIS_LIMITS_SAID_DECISIONS;
}

enum gh_redis_limits_answer gh_redis_limits_read(const struct gh_redis_reply *reply,
                                                 struct gh_limit_ask *ask,
                                                 struct gh_hash_key *out_secret)
{
    if (reply->type == GH_REDIS_ARRAY)
        return read_decisions(reply, ask);
    if (reply->type != GH_REDIS_STRING || reply->text.len != sizeof(*out_secret))
        return GH_REDIS_LIMITS_SAID_NOTHING;
    memcpy(out_secret, reply->text.ptr, sizeof(*out_secret));
    return GH_REDIS_LIMITS_SAID_SECRET;
}
