/*
 * Replies of Redis: the first byte says how the others are cut. Whatever comes, the replies are the
 * same as of one piece, and each keeps the bounds.
 */
#include "base/assert.h"
#include "store/redis_reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REPLY_BYTES_MAX 65536

struct seen {
    uint64_t digest;
    size_t count;
    bool broken;
};

static void add(struct seen *seen, uint64_t value)
{
    seen->digest = (seen->digest ^ value) * UINT64_C(0x100000001b3);
}

static size_t check(struct seen *seen, const struct gh_redis_reply *reply, unsigned depth)
{
    size_t values = 1;
    GH_ASSERT(depth <= GH_REDIS_REPLY_DEPTH_MAX);
    add(seen, (uint64_t)reply->type);
    add(seen, (uint64_t)reply->integer);
    for (size_t i = 0; i < reply->text.len; i++)
        add(seen, (uint8_t)reply->text.ptr[i]);
    GH_ASSERT(reply->text.len <= REPLY_BYTES_MAX);
    GH_ASSERT(reply->type == GH_REDIS_ARRAY || reply->item_count == 0);
    for (size_t i = 0; i < reply->item_count; i++)
        values += check(seen, &reply->items[i], depth + 1);
    GH_ASSERT((gh_redis_reply_failure(reply) == GH_REDIS_FAIL_NONE) ==
              (reply->type != GH_REDIS_ERROR));
    return values;
}

static struct seen read_all(struct gh_str bytes, size_t piece)
{
    struct seen seen = {0};
    struct gh_redis_reader *reader;
    const struct gh_redis_reply *reply;
    if (gh_redis_reader_open(REPLY_BYTES_MAX, &reader) != GH_OK)
        return seen;
    while (bytes.len > 0 && !seen.broken) {
        enum gh_redis_read read;
        gh_redis_reader_feed(reader, gh_str_first(bytes, piece));
        bytes = gh_str_skip(bytes, piece);
        while ((read = gh_redis_reader_next(reader, &reply)) == GH_REDIS_READ_REPLY) {
            seen.count++;
            GH_ASSERT(check(&seen, reply, 0) <= GH_REDIS_REPLY_VALUES_MAX);
        }
        seen.broken = read == GH_REDIS_READ_BROKEN;
        GH_ASSERT(seen.broken == (*gh_redis_reader_problem(reader) != '\0'));
    }
    gh_redis_reader_close(reader);
    return seen;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* Longer ones could be cut by the bound on what waits, which depends on the pieces. */
    if (size == 0 || size > REPLY_BYTES_MAX / 2)
        return 0;
    struct gh_str bytes = gh_str_of((const char *)data + 1, size - 1);
    struct seen whole = read_all(bytes, bytes.len), cut = read_all(bytes, 1u + data[0]);
    GH_ASSERT(whole.digest == cut.digest && whole.count == cut.count);
    GH_ASSERT(whole.broken == cut.broken);
    return 0;
}
