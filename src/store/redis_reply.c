/*
 * hiredis builds replies through functions that its user gives it. Ours put the values of a reply
 * into one arena, the items of an array side by side, and refuse what would go over a bound.
 */
#include "store/redis_reply.h"

#include <hiredis/read.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/assert.h"

#define ARENA_BLOCK_BYTES 4096

const struct gh_redis_failure_facts gh_redis_failure_facts[GH_REDIS_FAIL_COUNT] = {
#define FACTS(name, label, err, word, gives_up, text)                                              \
    [GH_REDIS_FAIL_##name] = {label, err, word, gives_up, text},
    GH_REDIS_FAILURES(FACTS)
#undef FACTS
};

bool gh_redis_reply_is(const struct gh_redis_reply *reply, struct gh_str text)
{
    return (reply->type == GH_REDIS_STATUS || reply->type == GH_REDIS_STRING) &&
           gh_str_eq(reply->text, text);
}

enum gh_redis_failure gh_redis_reply_failure(const struct gh_redis_reply *reply)
{
    if (reply->type != GH_REDIS_ERROR)
        return GH_REDIS_FAIL_NONE;
    /* The whole first word: BUSYGROUP is not BUSY. */
    struct gh_str word = gh_str_first(reply->text, gh_str_find_char(reply->text, ' '));
    for (int i = 0; i < GH_REDIS_FAIL_COUNT; i++) {
        const char *known = gh_redis_failure_facts[i].word;
        if (known && gh_str_eq(word, gh_str_from_c(known)))
            return (enum gh_redis_failure)i;
    }
    return GH_REDIS_FAIL_OTHER;
}

/* ---- Reading ---- */

struct gh_redis_reader {
    redisReader *reader;
    struct gh_arena arena; /* of one reply */
    bool arena_used;
    size_t bytes_max;
    size_t value_count; /* of this reply */
    const char *problem;
};

static const char OUT_OF_MEMORY[] = "out of memory";
static const char TOO_LARGE[] = "a reply is too large";

/* The place of a value: in its array, or its own. */
static struct gh_redis_reply *place_of(const redisReadTask *task)
{
    struct gh_redis_reader *reader = task->privdata;
    if (task->parent) {
        struct gh_redis_reply *array = task->parent->obj;
        GH_ASSERT(task->idx >= 0 && (size_t)task->idx < array->item_count);
        return (struct gh_redis_reply *)&array->items[task->idx];
    }
    reader->value_count = 1;
    struct gh_redis_reply *place = gh_arena_zalloc(&reader->arena, 1, sizeof *place);
    if (!place)
        reader->problem = OUT_OF_MEMORY;
    return place;
}

static void *create_string(const redisReadTask *task, char *bytes, size_t len)
{
    struct gh_redis_reader *reader = task->privdata;
    struct gh_redis_reply *reply = place_of(task);
    if (!reply)
        return NULL;
    struct gh_str text = gh_arena_dup(&reader->arena, gh_str_of(bytes, len));
    if (!text.ptr) {
        reader->problem = TOO_LARGE;
        return NULL;
    }
    reply->type = task->type == REDIS_REPLY_ERROR    ? GH_REDIS_ERROR
                  : task->type == REDIS_REPLY_STATUS ? GH_REDIS_STATUS
                                                     : GH_REDIS_STRING;
    reply->text = text;
    return reply;
}

static void *create_array(const redisReadTask *task, int count)
{
    struct gh_redis_reader *reader = task->privdata;
    struct gh_redis_reply *reply = place_of(task);
    if (!reply)
        return NULL;
    struct gh_redis_reply *items = NULL;
    if (count >= 0 && (size_t)count <= GH_REDIS_REPLY_VALUES_MAX - reader->value_count)
        items = gh_arena_zalloc(&reader->arena, (size_t)count + (count == 0), sizeof *items);
    if (!items) {
        reader->problem = TOO_LARGE;
        return NULL;
    }
    reader->value_count += (size_t)count;
    *reply = (struct gh_redis_reply){
        .type = GH_REDIS_ARRAY, .items = items, .item_count = (size_t)count};
    return reply;
}

static void *create_integer(const redisReadTask *task, long long value)
{
    struct gh_redis_reply *reply = place_of(task);
    if (reply)
        *reply = (struct gh_redis_reply){.type = GH_REDIS_INTEGER, .integer = value};
    return reply;
}

static void *create_nil(const redisReadTask *task)
{
    struct gh_redis_reply *reply = place_of(task);
    if (reply)
        *reply = (struct gh_redis_reply){.type = GH_REDIS_NIL};
    return reply;
}

/* They live in the arena. */
static void free_object(void *object)
{
    (void)object;
}

static const redisReplyObjectFunctions FUNCTIONS = {
    .createString = create_string,
    .createArray = create_array,
    .createInteger = create_integer,
    .createNil = create_nil,
    .freeObject = free_object,
};

enum gh_err gh_redis_reader_open(size_t reply_bytes_max, struct gh_redis_reader **out_reader)
{
    struct gh_redis_reader *reader = calloc(1, sizeof *reader);
    if (!reader)
        return GH_ERR_MEMORY;
    /* hiredis only reads them. */
    reader->reader = redisReaderCreateWithFunctions((redisReplyObjectFunctions *)&FUNCTIONS);
    if (!reader->reader) {
        free(reader);
        return GH_ERR_MEMORY;
    }
    reader->reader->privdata = reader;
    reader->bytes_max = reply_bytes_max;
    reader->problem = "";
    gh_arena_init(&reader->arena, ARENA_BLOCK_BYTES, reply_bytes_max + ARENA_BLOCK_BYTES);
    *out_reader = reader;
    return GH_OK;
}

void gh_redis_reader_close(struct gh_redis_reader *reader)
{
    if (!reader)
        return;
    redisReaderFree(reader->reader);
    gh_arena_done(&reader->arena);
    free(reader);
}

void gh_redis_reader_feed(struct gh_redis_reader *reader, struct gh_str bytes)
{
    size_t kept = reader->reader->len - reader->reader->pos;
    if (*reader->problem || bytes.len == 0)
        return;
    if (kept > reader->bytes_max)
        reader->problem = TOO_LARGE;
    else if (redisReaderFeed(reader->reader, bytes.ptr, bytes.len) != REDIS_OK)
        reader->problem = OUT_OF_MEMORY;
}

enum gh_redis_failure gh_redis_reader_failure(const struct gh_redis_reader *reader)
{
    return reader->problem == TOO_LARGE ? GH_REDIS_FAIL_LARGE : GH_REDIS_FAIL_PROTOCOL;
}

const char *gh_redis_reader_problem(const struct gh_redis_reader *reader)
{
    return reader->problem;
}

enum gh_redis_read gh_redis_reader_next(struct gh_redis_reader *reader,
                                        const struct gh_redis_reply **out_reply)
{
    void *reply = NULL;
    if (reader->arena_used)
        gh_arena_reset(&reader->arena);
    reader->arena_used = false;
    if (*reader->problem)
        return GH_REDIS_READ_BROKEN;
    int status = redisReaderGetReply(reader->reader, &reply);
    if (*reader->problem)
        return GH_REDIS_READ_BROKEN;
    if (status != REDIS_OK) {
        /* hiredis's own text may quote the byte that it found. */
        reader->problem = "no reply of Redis";
        return GH_REDIS_READ_BROKEN;
    }
    if (!reply)
        return GH_REDIS_READ_MORE;
    reader->arena_used = true;
    *out_reply = reply;
    return GH_REDIS_READ_REPLY;
}
