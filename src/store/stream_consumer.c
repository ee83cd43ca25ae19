/* A consumer of a stream: what it asks of Redis, in which order, and its life. One command at a
   time. The entries in hand are in stream_consumer_batch.c. */
#include "store/stream_consumer.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/stream_consumer_state.h"

#define TRIES_DEFAULT 5
#define CLAIM_MS      (30u * 1000)
#define KEEP_MS       (7ull * 24 * 3600 * 1000)
#define BLOCK_MS      500
#define CALL_MS       5000
#define HEARTBEAT_MS  3000
#define PAUSE_MIN_MS  100
#define PAUSE_MAX_MS  5000
#define INFO_EVERY_MS 2000
/* Marks are forgotten: now and then, and at once again while there are many. */
#define FORGET_EVERY_MS      (60u * 1000)
#define FORGET_MORE_AFTER_MS 200
#define ARENA_BLOCK          (64u * 1024)
#define ARENA_BYTES_MAX      (96u * 1024 * 1024)

static void go_on(struct gh_stream_consumer *consumer);

void gh_stream_consumer_tell(struct gh_stream_consumer *consumer, bool is_error, const char *format,
                             ...)
{
    char text[640];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (consumer->options.tell)
        consumer->options.tell(consumer->options.context, is_error, text);
}

static uint64_t now_ms(const struct gh_stream_consumer *consumer)
{
    return gh_loop_now_ms(consumer->loop);
}

/* ---- Pauses and the end ---- */

static void end_pause(struct gh_timer *timer)
{
    go_on(
        (struct gh_stream_consumer *)((char *)timer - offsetof(struct gh_stream_consumer, timer)));
}

static void pause(struct gh_stream_consumer *consumer)
{
    uint64_t pause_ms = (uint64_t)PAUSE_MIN_MS << (consumer->pauses < 6 ? consumer->pauses : 6);
    consumer->pauses++;
    gh_timer_start(consumer->loop, &consumer->timer,
                   pause_ms < PAUSE_MAX_MS ? pause_ms : PAUSE_MAX_MS, end_pause);
}

static void end(struct gh_stream_consumer *consumer)
{
    if (consumer->ended)
        return;
    consumer->ended = true;
    gh_timer_stop(consumer->loop, &consumer->timer);
    gh_redis_close(consumer->redis);
    consumer->redis = NULL;
    consumer->options.ended(consumer->options.context);
}

void gh_stream_consumer_stop(struct gh_stream_consumer *consumer)
{
    consumer->stopping = true;
    if (!consumer->calling)
        end(consumer);
}

/* Reads its own entries again, those that were delivered to it and not acknowledged. */
static void begin_own(struct gh_stream_consumer *consumer)
{
    consumer->own = true;
    consumer->has_unnoted = false;
    consumer->own_since_ms = now_ms(consumer);
    snprintf(consumer->own_from, sizeof(consumer->own_from), "0");
}

/* ---- Commands ---- */

static void call(struct gh_stream_consumer *consumer, const struct gh_str *argv, size_t argc,
                 gh_redis_answer_fn *callback)
{
    enum gh_err err =
        gh_redis_call(consumer->redis, argv, argc, BLOCK_MS + CALL_MS, callback, consumer);
    consumer->calling = err == GH_OK;
    if (err != GH_OK && gh_redis_is_ready(consumer->redis))
        pause(consumer); /* a full queue: not of one command at a time */
    /* Else the state's hook goes on once it is there again. */
}

static bool is_error(const struct gh_redis_reply *reply, struct gh_str beginning)
{
    return reply && reply->type == GH_REDIS_ERROR && gh_str_starts_with(reply->text, beginning);
}

/* False: nothing more is to be done with this answer. */
static bool take_answer(struct gh_stream_consumer *consumer, enum gh_err err,
                        const struct gh_redis_reply *reply, const char *what)
{
    consumer->calling = false;
    if (err == GH_OK) {
        if (!consumer->database_was_lost)
            consumer->pauses = 0;
        return true;
    }
    if (consumer->stopping) {
        end(consumer);
    } else if (is_error(reply, GH_STR("NOGROUP")) || is_error(reply, GH_STR("ERR no such key"))) {
        /* It was flushed, or a server without it took over. */
        consumer->group_is_made = false;
        gh_stream_consumer_tell(consumer, true, "the group is gone; it is made again");
        pause(consumer);
    } else if (gh_redis_is_ready(consumer->redis)) {
        if (!consumer->pauses)
            gh_stream_consumer_tell(consumer, true, "%s: Redis %s", what,
                                    gh_redis_failure_facts[gh_redis_reply_failure(reply)].text);
        pause(consumer);
    }
    return false;
}

/* ---- Entries ---- */

static void on_acknowledged(void *context, enum gh_err err, const struct gh_redis_reply *reply)
{
    struct gh_stream_consumer *consumer = context;
    if (err != GH_OK)
        begin_own(consumer); /* they are applied, and come again to be acknowledged */
    if (take_answer(consumer, err, reply, "acknowledging"))
        go_on(consumer);
}

static void acknowledge(struct gh_stream_consumer *consumer)
{
    struct gh_str argv[GH_REDIS_ARGUMENTS_MAX] = {GH_STR("XACK"), consumer->options.stream,
                                                  consumer->options.group};
    size_t argc = 3;
    for (size_t i = 0; i < consumer->item_count; i++)
        if (consumer->items[i].state == GH_STREAM_ITEM_DONE)
            argv[argc++] = gh_str_from_c(consumer->items[i].id);
    consumer->item_count = 0;
    if (argc > 3)
        call(consumer, argv, argc, on_acknowledged);
    else
        go_on(consumer);
}

static void note_failure(struct gh_stream_consumer *consumer)
{
    consumer->counts.failures++;
    consumer->counts.database_is_up = false;
    if (!consumer->database_was_lost)
        gh_stream_consumer_tell(consumer, true,
                                "the database does not take entries, they wait: %.*s",
                                GH_STR_ARG(gh_stream_sink_message(consumer->options.sink)));
    consumer->database_was_lost = true;
}

static void note_success(struct gh_stream_consumer *consumer)
{
    if (consumer->database_was_lost)
        gh_stream_consumer_tell(consumer, false, "the database takes entries again");
    consumer->database_was_lost = false;
    consumer->counts.database_is_up = true;
    consumer->pauses = 0;
}

static void work(struct gh_stream_consumer *consumer)
{
    if (!consumer->item_count) {
        go_on(consumer);
    } else if (gh_stream_batch_apply(consumer)) {
        note_success(consumer);
        acknowledge(consumer);
    } else {
        note_failure(consumer);
        if (consumer->stopping)
            end(consumer);
        else
            pause(consumer);
    }
}

static void use_entries(struct gh_stream_consumer *consumer, const struct gh_redis_reply *entries)
{
    if (!gh_stream_batch_take(consumer, entries))
        begin_own(consumer); /* what did not fit comes again */
    work(consumer);
}

/* [[stream, [entry, ...]]]; nil: nothing came. */
static const struct gh_redis_reply *entries_of(const struct gh_redis_reply *reply)
{
    static const struct gh_redis_reply NONE = {.type = GH_REDIS_ARRAY};
    if (reply->type != GH_REDIS_ARRAY || !reply->item_count)
        return &NONE;
    const struct gh_redis_reply *stream = &reply->items[0];
    bool good = stream->type == GH_REDIS_ARRAY && stream->item_count == 2 &&
                stream->items[1].type == GH_REDIS_ARRAY;
    return good ? &stream->items[1] : &NONE;
}

static void on_new(void *context, enum gh_err err, const struct gh_redis_reply *reply)
{
    struct gh_stream_consumer *consumer = context;
    if (take_answer(consumer, err, reply, "reading"))
        use_entries(consumer, entries_of(reply));
}

/* Behind the last of these; false: it can't be told. */
static bool go_behind(struct gh_stream_consumer *consumer, const struct gh_redis_reply *entries)
{
    const struct gh_redis_reply *last = &entries->items[entries->item_count - 1];
    struct gh_stream_id id;
    if (last->type != GH_REDIS_ARRAY || !last->item_count ||
        !gh_stream_id_parse(last->items[0].text, &id))
        return false;
    snprintf(consumer->own_from, sizeof(consumer->own_from), "%" PRIu64 "-%" PRIu64, id.ms, id.seq);
    return true;
}

static void on_own(void *context, enum gh_err err, const struct gh_redis_reply *reply)
{
    struct gh_stream_consumer *consumer = context;
    if (!take_answer(consumer, err, reply, "reading again"))
        return;
    const struct gh_redis_reply *entries = entries_of(reply);
    consumer->own = entries->item_count > 0 && go_behind(consumer, entries);
    if (!consumer->own) /* what was due and did not come is somebody else's by now */
        gh_stream_trials_drop(&consumer->trials, consumer->own_since_ms);
    use_entries(consumer, entries);
}

/* [next cursor, [entry, ...], [deleted, ...]] */
static void on_claimed(void *context, enum gh_err err, const struct gh_redis_reply *reply)
{
    struct gh_stream_consumer *consumer = context;
    snprintf(consumer->claim_from, sizeof(consumer->claim_from), "0-0");
    if (!take_answer(consumer, err, reply, "taking over"))
        return;
    if (reply->type != GH_REDIS_ARRAY || reply->item_count < 2 ||
        reply->items[1].type != GH_REDIS_ARRAY) {
        go_on(consumer);
        return;
    }
    struct gh_str cursor = reply->items[0].text;
    if (cursor.len < sizeof(consumer->claim_from) && !gh_str_eq(cursor, GH_STR("0-0"))) {
        snprintf(consumer->claim_from, sizeof(consumer->claim_from), "%.*s", GH_STR_ARG(cursor));
        consumer->claim_at_ms = now_ms(consumer); /* there are more */
    }
    if (reply->item_count > 2)
        consumer->counts.vanished += reply->items[2].item_count;
    consumer->counts.claimed += reply->items[1].item_count;
    use_entries(consumer, &reply->items[1]);
}

/* ---- All else ---- */

static void on_group(void *context, enum gh_err err, const struct gh_redis_reply *reply)
{
    struct gh_stream_consumer *consumer = context;
    bool is_there = is_error(reply, GH_STR("BUSYGROUP"));
    if (!take_answer(consumer, is_there ? GH_OK : err, reply, "making the group"))
        return;
    consumer->group_is_made = true;
    go_on(consumer);
}

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
    if (!take_answer(consumer, err, reply, "looking"))
        return;
    for (size_t i = 0; reply->type == GH_REDIS_ARRAY && i < reply->item_count; i++) {
        const struct gh_redis_reply *group = &reply->items[i];
        if (group->item_count < 2 || !gh_str_eq(group->items[1].text, consumer->options.group))
            continue;
        consumer->counts.lag = number_of(group, GH_STR("lag"));
        consumer->counts.pending = number_of(group, GH_STR("pending"));
    }
    go_on(consumer);
}

/* [count, lowest id, highest id, ...]; nil where nothing is pending. Marks of what is pending are
   kept, however old. Also the look at the database when nothing comes. */
static void on_pending(void *context, enum gh_err err, const struct gh_redis_reply *reply)
{
    struct gh_stream_consumer *consumer = context;
    struct gh_stream_id below = {UINT64_MAX, UINT64_MAX};
    bool more = false;
    if (!take_answer(consumer, err, reply, "looking at what is pending"))
        return;
    bool good =
        reply->type == GH_REDIS_ARRAY && reply->item_count >= 2 &&
        (reply->items[1].type == GH_REDIS_NIL || gh_stream_id_parse(reply->items[1].text, &below));
    if (!good)
        below = (struct gh_stream_id){0, 0};
    if (gh_stream_sink_forget(consumer->options.sink, below, consumer->options.keep_ms, &more) ==
        GH_OK) {
        note_success(consumer);
    } else {
        note_failure(consumer);
        consumer->forget_at_ms = now_ms(consumer) + INFO_EVERY_MS;
    }
    if (more)
        consumer->forget_at_ms = now_ms(consumer) + FORGET_MORE_AFTER_MS;
    go_on(consumer);
}

/* ---- What is next ---- */

static void make_group(struct gh_stream_consumer *consumer)
{
    const struct gh_str argv[] = {
        GH_STR("XGROUP"),        GH_STR("CREATE"), consumer->options.stream,
        consumer->options.group, GH_STR("0"),      GH_STR("MKSTREAM")};
    call(consumer, argv, 6, on_group);
}

static void look(struct gh_stream_consumer *consumer)
{
    const struct gh_str argv[] = {GH_STR("XINFO"), GH_STR("GROUPS"), consumer->options.stream};
    consumer->info_at_ms = now_ms(consumer) + INFO_EVERY_MS;
    call(consumer, argv, 3, on_info);
}

static void look_at_pending(struct gh_stream_consumer *consumer)
{
    const struct gh_str argv[] = {GH_STR("XPENDING"), consumer->options.stream,
                                  consumer->options.group};
    consumer->forget_at_ms = now_ms(consumer) + FORGET_EVERY_MS;
    call(consumer, argv, 3, on_pending);
}

static void read_group(struct gh_stream_consumer *consumer, struct gh_str from, bool blocks,
                       gh_redis_answer_fn *callback)
{
    char count[24], block[16];
    snprintf(count, sizeof(count), "%zu", consumer->batch);
    snprintf(block, sizeof(block), "%u", BLOCK_MS);
    struct gh_str argv[12] = {GH_STR("XREADGROUP"),   GH_STR("GROUP"), consumer->options.group,
                              consumer->options.name, GH_STR("COUNT"), gh_str_from_c(count)};
    size_t argc = 6;
    if (blocks) {
        argv[argc++] = GH_STR("BLOCK");
        argv[argc++] = gh_str_from_c(block);
    }
    argv[argc++] = GH_STR("STREAMS");
    argv[argc++] = consumer->options.stream;
    argv[argc++] = from;
    call(consumer, argv, argc, callback);
}

static void claim(struct gh_stream_consumer *consumer)
{
    char idle[24], count[24];
    snprintf(idle, sizeof(idle), "%" PRIu64, consumer->options.claim_ms);
    snprintf(count, sizeof(count), "%zu", consumer->batch);
    const struct gh_str argv[] = {GH_STR("XAUTOCLAIM"),    consumer->options.stream,
                                  consumer->options.group, consumer->options.name,
                                  gh_str_from_c(idle),     gh_str_from_c(consumer->claim_from),
                                  GH_STR("COUNT"),         gh_str_from_c(count)};
    /* An error does not hold up the reading. */
    consumer->claim_at_ms = now_ms(consumer) + consumer->options.claim_ms / 2;
    call(consumer, argv, 8, on_claimed);
}

static void go_on_reading(struct gh_stream_consumer *consumer)
{
    uint64_t now = now_ms(consumer);
    bool is_full = gh_stream_trials_are_full(&consumer->trials);
    if (!consumer->own &&
        (gh_stream_trials_any_due(&consumer->trials, now) || (consumer->has_unnoted && !is_full)))
        begin_own(consumer);
    if (consumer->own)
        read_group(consumer, gh_str_from_c(consumer->own_from), false, on_own);
    else if (is_full)
        pause(consumer); /* until some of them are applied or parked */
    else if (now >= consumer->forget_at_ms)
        look_at_pending(consumer);
    else if (now >= consumer->claim_at_ms)
        claim(consumer);
    else
        read_group(consumer, GH_STR(">"), true, on_new);
}

static void go_on(struct gh_stream_consumer *consumer)
{
    if (consumer->ended || consumer->calling)
        return;
    gh_timer_stop(consumer->loop, &consumer->timer);
    if (consumer->stopping && !consumer->item_count)
        end(consumer);
    else if (gh_redis_is_ready(consumer->redis) && consumer->group_is_made &&
             now_ms(consumer) >= consumer->info_at_ms)
        look(consumer); /* also while entries wait: the lag is what tells */
    else if (consumer->item_count)
        work(consumer);
    else if (gh_redis_is_ready(consumer->redis) && !consumer->group_is_made)
        make_group(consumer);
    else if (gh_redis_is_ready(consumer->redis))
        go_on_reading(consumer);
}

/* ---- Life ---- */

static void on_state(void *context, const struct gh_redis_status *status)
{
    struct gh_stream_consumer *consumer = context;
    consumer->counts.redis_is_up = status->state == GH_REDIS_READY;
    if (status->state == GH_REDIS_READY) {
        /* What was under way when the last connection broke is its own and not acknowledged. */
        consumer->group_is_made = false;
        begin_own(consumer);
        gh_stream_consumer_tell(consumer, false, "Redis is there");
        go_on(consumer);
        return;
    }
    consumer->counts.lag = UINT64_MAX;
    if (status->failure == GH_REDIS_FAIL_PROTOCOL) /* so much at a time may have been too long */
        gh_stream_batch_shrink(consumer);
    gh_stream_consumer_tell(consumer, true, "Redis is away: %s", status->message);
}

static void set_defaults(struct gh_stream_consumer_options *options)
{
    if (!options->batch || options->batch > GH_STREAM_ITEMS_MAX)
        options->batch = GH_STREAM_ITEMS_MAX;
    if (!options->tries_max)
        options->tries_max = TRIES_DEFAULT;
    if (!options->claim_ms)
        options->claim_ms = CLAIM_MS;
    if (!options->keep_ms)
        options->keep_ms = KEEP_MS;
}

static enum gh_err open_parts(struct gh_stream_consumer *consumer, struct gh_arena *arena,
                              struct gh_str *out_message)
{
    const struct gh_redis_options redis = {
        .url = consumer->options.url,
        .ca_path = consumer->options.redis_ca,
        .client_name = "gatehouse-consume",
        .reply_bytes_max = GH_STREAM_REPLY_BYTES_MAX,
        .heartbeat_ms = HEARTBEAT_MS,
        .hooks = {.on_state = on_state},
        .context = consumer,
    };
    consumer->items = calloc(GH_STREAM_ITEMS_MAX, sizeof(*consumer->items));
    if (!consumer->items)
        return GH_ERR_MEMORY;
    return gh_redis_open(consumer->loop, &redis, arena, &consumer->redis, out_message);
}

enum gh_err gh_stream_consumer_open(struct gh_loop *loop,
                                    const struct gh_stream_consumer_options *options,
                                    struct gh_arena *arena,
                                    struct gh_stream_consumer **out_consumer,
                                    struct gh_str *out_message)
{
    struct gh_stream_consumer *consumer = calloc(1, sizeof(*consumer));
    *out_message = GH_STR("out of memory");
    if (!consumer)
        return GH_ERR_MEMORY;
    consumer->options = *options;
    consumer->loop = loop;
    consumer->counts.lag = UINT64_MAX;
    snprintf(consumer->claim_from, sizeof(consumer->claim_from), "0-0");
    set_defaults(&consumer->options);
    consumer->batch = consumer->options.batch;
    gh_arena_init(&consumer->arena, ARENA_BLOCK, ARENA_BYTES_MAX);
    enum gh_err err = open_parts(consumer, arena, out_message);
    if (err == GH_OK)
        *out_consumer = consumer;
    else
        gh_stream_consumer_free(consumer);
    return err;
}

void gh_stream_consumer_free(struct gh_stream_consumer *consumer)
{
    if (!consumer)
        return;
    gh_arena_done(&consumer->arena);
    free(consumer->items);
    free(consumer);
}

struct gh_stream_counts gh_stream_consumer_counts(const struct gh_stream_consumer *consumer)
{
    return consumer->counts;
}
