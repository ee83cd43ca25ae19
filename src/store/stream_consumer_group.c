/* A consumer of a stream: its group is there, and the database knows from where on it was read. */
#include "store/stream_consumer_state.h"

static void have_group(struct gh_stream_consumer *consumer)
{
    consumer->group_is_made = true;
    gh_stream_consumer_go_on(consumer);
}

/* ---- A group that was there, of which nothing was noted ---- */

static bool is_before(struct gh_stream_id a, struct gh_stream_id b)
{
    return a.ms < b.ms || (a.ms == b.ms && a.seq < b.seq);
}

static struct gh_stream_id one_before(struct gh_stream_id id)
{
    if (id.seq)
        return (struct gh_stream_id){id.ms, id.seq - 1};
    return (struct gh_stream_id){id.ms ? id.ms - 1 : 0, id.ms ? UINT64_MAX : 0};
}

/* [count, lowest id, highest id, ...]; nil where nothing is pending. */
static void on_pending(void *context, enum gh_err err, const struct gh_redis_reply *reply)
{
    struct gh_stream_consumer *consumer = context;
    struct gh_stream_id through = consumer->group_through, lowest;
    if (!gh_stream_consumer_take_answer(consumer, err, reply, "looking at what is pending"))
        return;
    bool good = reply->type == GH_REDIS_ARRAY && reply->item_count >= 2;
    if (good && reply->items[1].type != GH_REDIS_NIL) {
        good = gh_stream_id_parse(reply->items[1].text, &lowest);
        if (good && !is_before(through, lowest))
            through = one_before(lowest);
    }
    bool any = good && (through.ms || through.seq);
    if (any && gh_stream_sink_begin_behind(consumer->options.sink, through) != GH_OK)
        gh_stream_consumer_wait_for_database(consumer);
    else
        have_group(consumer);
}

static struct gh_stream_id delivered_through(const struct gh_redis_reply *group)
{
    struct gh_stream_id id;
    for (size_t i = 0; i + 1 < group->item_count; i += 2)
        if (gh_str_eq(group->items[i].text, GH_STR("last-delivered-id")) &&
            gh_stream_id_parse(group->items[i + 1].text, &id))
            return id;
    return (struct gh_stream_id){0, 0};
}

static void on_groups(void *context, enum gh_err err, const struct gh_redis_reply *reply)
{
    struct gh_stream_consumer *consumer = context;
    if (!gh_stream_consumer_take_answer(consumer, err, reply, "looking at the group"))
        return;
    consumer->group_through = (struct gh_stream_id){0, 0};
    for (size_t i = 0; reply->type == GH_REDIS_ARRAY && i < reply->item_count; i++) {
        const struct gh_redis_reply *group = &reply->items[i];
        if (group->item_count >= 2 && gh_str_eq(group->items[1].text, consumer->options.group))
            consumer->group_through = delivered_through(group);
    }
    const struct gh_str argv[] = {GH_STR("XPENDING"), consumer->options.stream,
                                  consumer->options.group};
    gh_stream_consumer_call(consumer, argv, 3, on_pending);
}

/* How far it has delivered first: what it delivers meanwhile is behind that, or pending. */
static void note_beginning(struct gh_stream_consumer *consumer)
{
    const struct gh_str argv[] = {GH_STR("XINFO"), GH_STR("GROUPS"), consumer->options.stream};
    gh_stream_consumer_call(consumer, argv, 3, on_groups);
}

/* ---- Making it ---- */

static void on_group(void *context, enum gh_err err, const struct gh_redis_reply *reply)
{
    struct gh_stream_consumer *consumer = context;
    bool is_there = gh_stream_consumer_is_error(reply, GH_STR("BUSYGROUP"));
    bool is_noted = consumer->group_through.ms || consumer->group_through.seq;
    if (!gh_stream_consumer_take_answer(consumer, is_there ? GH_OK : err, reply,
                                        "making the group"))
        return;
    if (is_there && !is_noted)
        note_beginning(consumer);
    else
        have_group(consumer);
}

/* One that was made anew begins where marks begin: what is before was applied, and is no longer
   known one by one. */
void gh_stream_consumer_make_group(struct gh_stream_consumer *consumer)
{
    char from[GH_STREAM_ID_BYTES_MAX];
    if (gh_stream_sink_forgotten(consumer->options.sink, &consumer->group_through) != GH_OK) {
        gh_stream_consumer_wait_for_database(consumer);
        return;
    }
    if (!consumer->item_count)
        gh_stream_consumer_note_success(consumer);
    gh_stream_id_put(consumer->group_through, from, sizeof(from));
    const struct gh_str argv[] = {GH_STR("XGROUP"),         GH_STR("CREATE"),
                                  consumer->options.stream, consumer->options.group,
                                  gh_str_from_c(from),      GH_STR("MKSTREAM")};
    gh_stream_consumer_call(consumer, argv, 6, on_group);
}
