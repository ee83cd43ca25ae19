/* A consumer of a stream: how far its group is, and which marks can be forgotten. */
#include "store/stream_consumer_state.h"

#define INFO_EVERY_MS 2000
/* Marks are forgotten: now and then, and at once again while there are many. */
#define FORGET_EVERY_MS      (60u * 1000)
#define FORGET_MORE_AFTER_MS 200

static uint64_t number_of(const struct gh_redis_reply *group, struct gh_str name)
{
    for (size_t i = 0; i + 1 < group->item_count; i += 2)
        if (gh_str_eq(group->items[i].text, name))
            return group->items[i + 1].type == GH_REDIS_INTEGER && group->items[i + 1].integer >= 0
                       ? (uint64_t)group->items[i + 1].integer
                       : UINT64_MAX;
    return UINT64_MAX;
}

static void on_info(void *context, enum gh_err err, const struct gh_redis_reply *reply)
{
    struct gh_stream_consumer *consumer = context;
    if (!gh_stream_consumer_take_answer(consumer, err, reply, "looking"))
        return;
    for (size_t i = 0; reply->type == GH_REDIS_ARRAY && i < reply->item_count; i++) {
        const struct gh_redis_reply *group = &reply->items[i];
        if (group->item_count < 2 || !gh_str_eq(group->items[1].text, consumer->options.group))
            continue;
        consumer->counts.lag = number_of(group, GH_STR("lag"));
        consumer->counts.pending = number_of(group, GH_STR("pending"));
    }
    gh_stream_consumer_go_on(consumer);
}

/* [count, lowest id, highest id, ...]; nil where nothing is pending. Marks of what is pending are
   kept, however old. Also the look at the database when nothing comes. */
static void on_pending(void *context, enum gh_err err, const struct gh_redis_reply *reply)
{
    struct gh_stream_consumer *consumer = context;
    struct gh_stream_id below = {UINT64_MAX, UINT64_MAX};
    bool more = false;
    if (!gh_stream_consumer_take_answer(consumer, err, reply, "looking at what is pending"))
        return;
    bool good =
        reply->type == GH_REDIS_ARRAY && reply->item_count >= 2 &&
        (reply->items[1].type == GH_REDIS_NIL || gh_stream_id_parse(reply->items[1].text, &below));
    if (!good)
        below = (struct gh_stream_id){0, 0};
    if (gh_stream_sink_forget(consumer->options.sink, below, consumer->options.keep_ms, &more) ==
        GH_OK) {
        gh_stream_consumer_note_success(consumer);
    } else {
        gh_stream_consumer_note_failure(consumer);
        consumer->forget_at_ms = gh_loop_now_ms(consumer->loop) + INFO_EVERY_MS;
    }
    if (more)
        consumer->forget_at_ms = gh_loop_now_ms(consumer->loop) + FORGET_MORE_AFTER_MS;
    gh_stream_consumer_go_on(consumer);
}

void gh_stream_consumer_look(struct gh_stream_consumer *consumer)
{
    const struct gh_str argv[] = {GH_STR("XINFO"), GH_STR("GROUPS"), consumer->options.stream};
    consumer->info_at_ms = gh_loop_now_ms(consumer->loop) + INFO_EVERY_MS;
    gh_stream_consumer_call(consumer, argv, 3, on_info);
}

void gh_stream_consumer_look_at_pending(struct gh_stream_consumer *consumer)
{
    const struct gh_str argv[] = {GH_STR("XPENDING"), consumer->options.stream,
                                  consumer->options.group};
    consumer->forget_at_ms = gh_loop_now_ms(consumer->loop) + FORGET_EVERY_MS;
    gh_stream_consumer_call(consumer, argv, 3, on_pending);
}
