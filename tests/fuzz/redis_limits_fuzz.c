/* Answers about shared limits, as a server that is none might send them: either they are no answer,
   or every decision is one that gh_limit_decide could have given. The first byte says what was
   asked. */
#include "base/assert.h"
#include "store/redis_limits_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REPLY_BYTES_MAX 65536

static void check(const struct gh_limit_ask *ask)
{
    bool admitted = true;
    GH_ASSERT(ask->decided);
    GH_ASSERT(ask->decided_count == ask->together || ask->decided_count == ask->count);
    for (size_t i = 0; i < ask->decided_count; i++) {
        const struct gh_limit_decision *decision = &ask->decisions[i];
        GH_ASSERT(decision->retry_after_ms <= 2 * GH_LIMIT_REFILL_MS_MAX);
        GH_ASSERT(decision->reset_ms <= 2 * GH_LIMIT_REFILL_MS_MAX);
        if (i < ask->together)
            admitted &= decision->allowed;
    }
    GH_ASSERT(ask->admitted == admitted);
    /* What is charged each for itself comes after the first ones have admitted, and then all do. */
    if (ask->together < ask->count)
        GH_ASSERT(admitted == (ask->decided_count == ask->count));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gh_redis_reader *reader;
    const struct gh_redis_reply *reply;
    struct gh_hash_key secret = {0, 0};
    if (size == 0 || gh_redis_reader_open(REPLY_BYTES_MAX, &reader) != GH_OK)
        return 0;
    struct gh_limit_ask ask = {.count = 1 + data[0] % GH_LIMIT_CHARGES_MAX};
    ask.together = data[0] / GH_LIMIT_CHARGES_MAX % (ask.count + 1);
    gh_redis_reader_feed(reader, gh_str_of((const char *)data + 1, size - 1));
    while (gh_redis_reader_next(reader, &reply) == GH_REDIS_READ_REPLY) {
        ask.decided = false;
        switch (gh_redis_limits_read(reply, &ask, &secret)) {
        case GH_REDIS_LIMITS_SAID_NOTHING:
        case GH_REDIS_LIMITS_SAID_SECRET:
            GH_ASSERT(!ask.decided);
            break;
        case GH_REDIS_LIMITS_SAID_DECISIONS:
            check(&ask);
            break;
        }
        gh_redis_limits_read(reply, NULL, &secret);
    }
    gh_redis_reader_close(reader);
    return 0;
}
