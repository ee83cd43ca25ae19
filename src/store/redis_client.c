/* A client of Redis: its life. Commands are in redis_client_queue.c, the connection in
   redis_client_link.c, what is said over it in redis_client_talk.c. */
#include "store/redis_client.h"

#include <stdlib.h>

#include "crypto/hash.h"
#include "store/redis_client_state.h"

#define CALLS_MAX          1024
#define QUEUED_BYTES_MAX   (512 * 1024)
#define QUEUED_BYTES_MIN   (32 * 1024) /* handshake and SUBSCRIBE fit at their longest */
#define REPLY_BYTES_MAX    (1024 * 1024)
#define CONNECT_TIMEOUT_MS 2000
#define HEARTBEAT_MS       1000
#define BACKOFF_MIN_MS     100
#define BACKOFF_MAX_MS     5000
#define NAME_BYTES_MAX     256 /* of a client, of a channel */
#define ARENA_BYTES_MAX    (64 * 1024)

/* ---- Opening ---- */

static void fill_numbers(struct gh_redis_options *options)
{
#define OR(member, otherwise) options->member = options->member ? options->member : (otherwise)
    OR(calls_max, CALLS_MAX);
    OR(queued_bytes_max, QUEUED_BYTES_MAX);
    OR(reply_bytes_max, REPLY_BYTES_MAX);
    OR(connect_timeout_ms, CONNECT_TIMEOUT_MS);
    OR(heartbeat_ms, HEARTBEAT_MS);
    OR(backoff_min_ms, BACKOFF_MIN_MS);
    OR(backoff_max_ms, BACKOFF_MAX_MS);
    OR(random, &gh_kernel_random);
    OR(client_name, "gatehouse");
#undef OR
    /* The handshake alone has four commands. */
    if (options->calls_max < 4)
        options->calls_max = 4;
    if (options->queued_bytes_max < QUEUED_BYTES_MIN)
        options->queued_bytes_max = QUEUED_BYTES_MIN;
}

static const char *problem_of(const struct gh_redis_options *options)
{
    struct gh_str name = gh_str_from_c(options->client_name);
    bool is_valid = name.len > 0 && name.len <= NAME_BYTES_MAX;
    for (size_t i = 0; i < name.len; i++)
        is_valid = is_valid && name.ptr[i] > ' ' && name.ptr[i] <= '~';
    if (!is_valid)
        return "a client of Redis has a printable name without spaces";
    if (options->channel_count > GH_REDIS_CHANNELS_MAX)
        return "too many channels of Redis";
    for (size_t i = 0; i < options->channel_count; i++) {
        if (options->channels[i].len == 0 || options->channels[i].len > NAME_BYTES_MAX)
            return "a channel of Redis has a name of at most 256 bytes";
    }
    return NULL;
}

/* A copy of `text`, which may be empty; what could not be had shows in *out_failed. */
static struct gh_str keep(struct gh_redis *redis, struct gh_str text, bool *out_failed)
{
    struct gh_str copy = gh_arena_dup(&redis->arena, text.ptr ? text : GH_STR(""));
    if (!copy.ptr)
        *out_failed = true;
    return copy;
}

static enum gh_err copy_texts(struct gh_redis *redis)
{
    struct gh_redis_options *options = &redis->options;
    struct gh_redis_url *url = &redis->url;
    bool failed = false;
    url->host = keep(redis, url->host, &failed);
    url->path = keep(redis, url->path, &failed);
    url->user = keep(redis, url->user, &failed);
    url->password = keep(redis, url->password, &failed);
    url->text = keep(redis, url->text, &failed);
    options->client_name = keep(redis, gh_str_from_c(options->client_name), &failed).ptr;
    struct gh_str *channels =
        gh_arena_zalloc(&redis->arena, options->channel_count + 1, sizeof *channels);
    for (size_t i = 0; channels && i < options->channel_count; i++)
        channels[i] = keep(redis, options->channels[i], &failed);
    options->channels = channels;
    options->url = url;
    options->ca_path = NULL;
    return failed || !channels ? GH_ERR_MEMORY : GH_OK;
}

static void free_redis(struct gh_redis *redis)
{
    gh_tls_client_unref(redis->tls);
    if (redis->output.ptr)
        gh_wipe(redis->output.ptr, redis->output.len);
    free(redis->output.ptr);
    free(redis->calls);
    gh_arena_done(&redis->arena);
    free(redis);
}

static enum gh_err open_parts(struct gh_redis *redis, struct gh_arena *arena,
                              struct gh_str *out_message)
{
    const char *ca_path = redis->options.ca_path;
    enum gh_err err = copy_texts(redis);
    redis->calls = calloc(redis->options.calls_max, sizeof *redis->calls);
    redis->output =
        gh_buf_over(malloc(redis->options.queued_bytes_max), redis->options.queued_bytes_max);
    if (err == GH_OK && (!redis->calls || !redis->output.ptr))
        err = GH_ERR_MEMORY;
    if (err == GH_OK && redis->url.tls)
        return gh_tls_client_open(ca_path, arena, &redis->tls, out_message);
    return err;
}

static void on_turn_end(void *arg)
{
    struct gh_redis *redis = arg;
    if (redis->phase == GH_REDIS_PHASE_CLOSED)
        free_redis(redis);
    else if (redis->phase == GH_REDIS_PHASE_START)
        gh_redis_connect(redis);
    else
        gh_redis_queue_flush(redis);
}

enum gh_err gh_redis_open(struct gh_loop *loop, const struct gh_redis_options *options,
                          struct gh_arena *arena, struct gh_redis **out_redis,
                          struct gh_str *out_message)
{
    struct gh_redis *redis = calloc(1, sizeof *redis);
    *out_message = GH_STR("out of memory");
    if (!redis)
        return GH_ERR_MEMORY;
    redis->loop = loop;
    redis->options = *options;
    redis->url = *options->url;
    redis->status = (struct gh_redis_status){.since_ms = gh_loop_now_ms(loop), .message = ""};
    gh_arena_init(&redis->arena, 4096, ARENA_BYTES_MAX);
    fill_numbers(&redis->options);
    const char *problem = problem_of(&redis->options);
    if (problem)
        *out_message = gh_str_from_c(problem);
    enum gh_err err = problem ? GH_ERR_INVALID : open_parts(redis, arena, out_message);
    if (err != GH_OK) {
        free_redis(redis);
        return err;
    }
    redis->task = (struct gh_loop_task){.fn = on_turn_end, .arg = redis};
    gh_loop_task_start(loop, &redis->task);
    *out_redis = redis;
    return GH_OK;
}

void gh_redis_close(struct gh_redis *redis)
{
    if (!redis || redis->phase == GH_REDIS_PHASE_CLOSED)
        return;
    redis->phase = GH_REDIS_PHASE_CLOSED;
    redis->options.hooks = (struct gh_redis_hooks){0};
    redis->status = (struct gh_redis_status){.state = GH_REDIS_AWAY,
                                             .since_ms = gh_loop_now_ms(redis->loop),
                                             .failure = GH_REDIS_FAIL_CLOSED,
                                             .message = ""};
    gh_redis_drop_link(redis);
    if (redis->lookup)
        gh_lookup_cancel(redis->lookup);
    gh_redis_queue_fail(redis, GH_REDIS_FAIL_CLOSED);
    /* Not here: it may have been called from inside of a callback. */
    gh_loop_task_start(redis->loop, &redis->task);
}

/* ---- Looking ---- */

struct gh_redis_status gh_redis_status(const struct gh_redis *redis)
{
    return redis->status;
}

uint64_t gh_redis_heard_ms(const struct gh_redis *redis)
{
    return redis->heard_ms;
}

const struct gh_redis_counters *gh_redis_counters(const struct gh_redis *redis)
{
    return &redis->counters;
}
