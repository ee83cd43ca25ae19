#include "app/audit_redis.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "store/redis_client.h"

#define DEADLINE_MS     10000
#define LOOK_MS         50 /* whether it is to stop */
#define HOST_NAME_BYTES 128
/* Of a command, around its line. */
#define COMMAND_BYTES 1024

struct delivery {
    const struct gh_audit_destination *destination;
    const struct gh_str *messages;
    size_t count, answered;
    const atomic_bool *stop;
    struct gh_arena *arena;
    struct gh_loop *loop;
    struct gh_redis *redis;
    struct gh_timer timer;
    uint64_t until_ms;
    char host[HOST_NAME_BYTES];
    enum gh_err err;
    struct gh_str detail;
    bool is_over;
};

/* The first thing that is known stands. */
static void end(struct delivery *delivery, enum gh_err err, const char *detail)
{
    if (delivery->is_over)
        return;
    delivery->is_over = true;
    delivery->err = err;
    delivery->detail = gh_arena_dup(delivery->arena, gh_str_from_c(detail));
    gh_timer_stop(delivery->loop, &delivery->timer);
    gh_redis_close(delivery->redis);
    gh_loop_stop(delivery->loop);
}

static void on_answer(void *context, enum gh_err err, const struct gh_redis_reply *reply)
{
    struct delivery *delivery = context;
    if (err != GH_OK)
        end(delivery, err,
            reply ? gh_redis_failure_facts[gh_redis_reply_failure(reply)].text
                  : "the connection was lost");
    else if (++delivery->answered == delivery->count)
        end(delivery, GH_OK, "");
}

static enum gh_err add(struct delivery *delivery, struct gh_str line)
{
    char length[24];
    snprintf(length, sizeof(length), "%" PRIu64, delivery->destination->length_max);
    if (line.len && line.ptr[line.len - 1] == '\n')
        line.len--;
    const struct gh_str argv[] = {GH_STR("XADD"),        delivery->destination->stream,
                                  GH_STR("MAXLEN"),      GH_STR("~"),
                                  gh_str_from_c(length), GH_STR("*"),
                                  GH_STR("node"),        gh_str_from_c(delivery->host),
                                  GH_STR("record"),      line};
    return gh_redis_call(delivery->redis, argv, 10, DEADLINE_MS, on_answer, delivery);
}

static void on_state(void *context, const struct gh_redis_status *status)
{
    struct delivery *delivery = context;
    if (status->state != GH_REDIS_READY) {
        end(delivery, GH_ERR_IO, status->message);
        return;
    }
    for (size_t i = 0; i < delivery->count && !delivery->is_over; i++) {
        enum gh_err err = add(delivery, delivery->messages[i]);
        if (err != GH_OK)
            end(delivery, err, "a record does not fit");
    }
}

static void look(struct gh_timer *timer)
{
    struct delivery *delivery =
        (struct delivery *)((char *)timer - offsetof(struct delivery, timer));
    if (atomic_load(delivery->stop))
        end(delivery, GH_ERR_CLOSED, "stopped");
    else if (gh_loop_now_ms(delivery->loop) >= delivery->until_ms)
        end(delivery, GH_ERR_TIMEOUT, "no answer in time");
    else
        gh_timer_start(delivery->loop, timer, LOOK_MS, look);
}

static size_t bytes_of(const struct gh_str *messages, size_t count)
{
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++)
        bytes += messages[i].len + COMMAND_BYTES;
    return bytes;
}

static enum gh_err connect_to(struct delivery *delivery)
{
    const struct gh_redis_target *target = delivery->destination->redis;
    const struct gh_redis_options options = {
        .url = &target->url,
        .ca_path = target->ca,
        .client_name = "gatehouse-audit",
        .calls_max = (uint32_t)delivery->count + 8,
        .queued_bytes_max = bytes_of(delivery->messages, delivery->count),
        .hooks = {.on_state = on_state},
        .context = delivery,
    };
    return gh_redis_open(delivery->loop, &options, delivery->arena, &delivery->redis,
                         &delivery->detail);
}

enum gh_err gh_audit_redis_send(const struct gh_audit_destination *destination,
                                const struct gh_str *messages, size_t count,
                                const atomic_bool *stop, struct gh_arena *arena,
                                struct gh_str *out_detail)
{
    struct delivery delivery = {.destination = destination,
                                .messages = messages,
                                .count = count,
                                .stop = stop,
                                .arena = arena};
    *out_detail = GH_STR("there is no `redis`, or its URL can't be used");
    if (!count || !destination->redis)
        return count ? GH_ERR_INVALID : GH_OK;
    gethostname(delivery.host, sizeof(delivery.host) - 1);
    delivery.err = gh_loop_open(&delivery.loop);
    if (delivery.err != GH_OK)
        return delivery.err;
    delivery.until_ms = gh_loop_now_ms(delivery.loop) + DEADLINE_MS;
    delivery.err = connect_to(&delivery);
    if (delivery.err == GH_OK)
        gh_timer_start(delivery.loop, &delivery.timer, LOOK_MS, look);
    else
        gh_loop_stop(delivery.loop);
    gh_loop_run(delivery.loop);
    gh_loop_close(delivery.loop);
    *out_detail = delivery.detail;
    return delivery.err;
}
