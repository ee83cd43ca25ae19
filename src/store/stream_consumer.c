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
#define ARENA_BLOCK   (64u * 1024)
/* Others that the statement is tried with, where those in hand can't be run. */
#define OTHERS_MAX 16

static void ask_for_others(struct gh_stream_consumer *consumer);

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
    gh_stream_consumer_go_on(
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

void gh_stream_consumer_call(struct gh_stream_consumer *consumer, const struct gh_str *argv,
                             size_t argc, gh_redis_answer_fn *callback)
{
    enum gh_err err =
        gh_redis_call(consumer->redis, argv, argc, BLOCK_MS + CALL_MS, callback, consumer);
    consumer->calling = err == GH_OK;
    consumer->reads_own = consumer->reads_alone = false;
    if (err != GH_OK && gh_redis_is_ready(consumer->redis))
        pause(consumer); /* a full queue: not of one command at a time */
    /* Else the state's hook goes on once it is there again. */
}

bool gh_stream_consumer_is_error(const struct gh_redis_reply *reply, struct gh_str beginning)
{
    return reply && reply->type == GH_REDIS_ERROR && gh_str_starts_with(reply->text, beginning);
}

/* False: nothing more is to be done with this answer. */
bool gh_stream_consumer_take_answer(struct gh_stream_consumer *consumer, enum gh_err err,
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
    } else if (gh_stream_consumer_is_error(reply, GH_STR("NOGROUP")) ||
               gh_stream_consumer_is_error(reply, GH_STR("ERR no such key"))) {
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
    if (gh_stream_consumer_take_answer(consumer, err, reply, "acknowledging"))
        gh_stream_consumer_go_on(consumer);
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
        gh_stream_consumer_call(consumer, argv, argc, on_acknowledged);
    else
        gh_stream_consumer_go_on(consumer);
}

void gh_stream_consumer_note_failure(struct gh_stream_consumer *consumer)
{
    consumer->counts.failures++;
    consumer->counts.database_is_up = false;
    if (!consumer->database_was_lost)
        gh_stream_consumer_tell(consumer, true,
                                "the database does not take entries, they wait: %.*s",
                                GH_STR_ARG(gh_stream_sink_shown(consumer->options.sink)));
    consumer->database_was_lost = true;
}

void gh_stream_consumer_note_success(struct gh_stream_consumer *consumer)
{
    if (consumer->database_was_lost)
        gh_stream_consumer_tell(consumer, false, "the database takes entries again");
    consumer->database_was_lost = false;
    consumer->counts.database_is_up = true;
    consumer->pauses = 0;
}

void gh_stream_consumer_wait_for_database(struct gh_stream_consumer *consumer)
{
    gh_stream_consumer_note_failure(consumer);
    if (consumer->stopping)
        end(consumer);
    else
        pause(consumer);
}

static void use_outcome(struct gh_stream_consumer *consumer, enum gh_stream_became became)
{
    switch (became) {
    case GH_STREAM_BATCH_DONE:
        gh_stream_consumer_note_success(consumer);
        acknowledge(consumer);
        return;
    case GH_STREAM_BATCH_IN_QUESTION:
        if (!consumer->stopping && gh_redis_is_ready(consumer->redis)) {
            ask_for_others(consumer);
            return;
        }
        break;
    case GH_STREAM_BATCH_WAITS:
        break;
    }
    gh_stream_consumer_wait_for_database(consumer);
}

/* Whether the statement can be run with one of these tells whose fault it is that it can't be run
   with those in hand. Where it can't, it may be mended by now, but not for this connection. */
static void on_others(void *context, enum gh_err err, const struct gh_redis_reply *reply)
{
    struct gh_stream_consumer *consumer = context;
    consumer->calling = false;
    if (consumer->ended)
        return;
    if (err == GH_OK && gh_stream_batch_try_others(consumer, reply)) {
        use_outcome(consumer, gh_stream_batch_blame(consumer));
        return;
    }
    gh_stream_sink_begin_anew(consumer->options.sink);
    gh_stream_consumer_wait_for_database(consumer);
}

/* From the end, where new ones are, and from the beginning, in turn: either may be too large. */
static void ask_for_others(struct gh_stream_consumer *consumer)
{
    char count[24];
    consumer->others_of_the_end = !consumer->others_of_the_end;
    bool of_the_end = consumer->others_of_the_end;
    snprintf(count, sizeof(count), "%zu",
             consumer->batch < OTHERS_MAX ? consumer->batch : OTHERS_MAX);
    const struct gh_str argv[] = {of_the_end ? GH_STR("XREVRANGE") : GH_STR("XRANGE"),
                                  consumer->options.stream,
                                  of_the_end ? GH_STR("+") : GH_STR("-"),
                                  of_the_end ? GH_STR("-") : GH_STR("+"),
                                  GH_STR("COUNT"),
                                  gh_str_from_c(count)};
    gh_stream_consumer_call(consumer, argv, 6, on_others);
}

static void work(struct gh_stream_consumer *consumer)
{
    if (consumer->item_count)
        use_outcome(consumer, gh_stream_batch_apply(consumer));
    else
        gh_stream_consumer_go_on(consumer);
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
    if (gh_stream_consumer_take_answer(consumer, err, reply, "reading"))
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
    gh_stream_id_put(id, consumer->own_from, sizeof(consumer->own_from));
    return true;
}

static void on_own(void *context, enum gh_err err, const struct gh_redis_reply *reply)
{
    struct gh_stream_consumer *consumer = context;
    if (!gh_stream_consumer_take_answer(consumer, err, reply, "reading again"))
        return;
    const struct gh_redis_reply *entries = entries_of(reply);
    consumer->own = entries->item_count > 0 && go_behind(consumer, entries);
    consumer->looks_for_large &= consumer->own;
    if (!consumer->own) /* what was due and did not come is somebody else's by now */
        gh_stream_trials_drop(&consumer->trials, consumer->own_since_ms);
    use_entries(consumer, entries);
}

/* [next cursor, [entry, ...], [deleted, ...]] */
static void on_claimed(void *context, enum gh_err err, const struct gh_redis_reply *reply)
{
    struct gh_stream_consumer *consumer = context;
    snprintf(consumer->claim_from, sizeof(consumer->claim_from), "0-0");
    if (!gh_stream_consumer_take_answer(consumer, err, reply, "taking over"))
        return;
    if (reply->type != GH_REDIS_ARRAY || reply->item_count < 2 ||
        reply->items[1].type != GH_REDIS_ARRAY) {
        gh_stream_consumer_go_on(consumer);
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

/* ---- What is next ---- */

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
    gh_stream_consumer_call(consumer, argv, argc, callback);
    consumer->reads_own = callback == on_own;
}

/* ---- What is too large ---- */

/* It is not: somebody else had taken over the one that is. It is gone on with as if it came again:
   the answer is a little shorter than that one would be. */
static void on_read_alone(void *context, enum gh_err err, const struct gh_redis_reply *reply)
{
    struct gh_stream_consumer *consumer = context;
    if (!gh_stream_consumer_take_answer(consumer, err, reply, "reading one entry"))
        return;
    consumer->has_unread = false;
    if (reply->type == GH_REDIS_ARRAY)
        use_entries(consumer, reply);
    else
        gh_stream_consumer_go_on(consumer);
}

/* [[id, consumer, idle, deliveries]]: of which it may be. It is read alone, to be sure. */
static void on_unread(void *context, enum gh_err err, const struct gh_redis_reply *reply)
{
    struct gh_stream_consumer *consumer = context;
    struct gh_stream_id id;
    if (!gh_stream_consumer_take_answer(consumer, err, reply, "looking for what can't be read"))
        return;
    if (reply->type != GH_REDIS_ARRAY || !reply->item_count ||
        reply->items[0].type != GH_REDIS_ARRAY || !reply->items[0].item_count ||
        !gh_stream_id_parse(reply->items[0].items[0].text, &id)) {
        consumer->has_unread = false;
        gh_stream_consumer_go_on(consumer);
        return;
    }
    gh_stream_id_put(id, consumer->unread_id, sizeof(consumer->unread_id));
    const struct gh_str one = gh_str_from_c(consumer->unread_id);
    const struct gh_str argv[] = {GH_STR("XRANGE"), consumer->options.stream, one, one};
    gh_stream_consumer_call(consumer, argv, 4, on_read_alone);
    consumer->reads_alone = true;
}

static void ask_for_unread(struct gh_stream_consumer *consumer)
{
    bool of_all = strcmp(consumer->unread_from, "0") == 0;
    char from[GH_STREAM_ID_BYTES_MAX + 1];
    snprintf(from, sizeof(from), "%s%s", of_all ? "-" : "(", of_all ? "" : consumer->unread_from);
    const struct gh_str argv[] = {GH_STR("XPENDING"),
                                  consumer->options.stream,
                                  consumer->options.group,
                                  gh_str_from_c(from),
                                  GH_STR("+"),
                                  GH_STR("1"),
                                  consumer->options.name};
    gh_stream_consumer_call(consumer, argv, 7, on_unread);
}

static void park_unread(struct gh_stream_consumer *consumer)
{
    consumer->has_unread = consumer->is_unreadable = false;
    if (gh_stream_batch_take_unread(consumer, gh_str_from_c(consumer->unread_id)))
        work(consumer);
    else
        gh_stream_consumer_go_on(consumer);
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
    gh_stream_consumer_call(consumer, argv, 8, on_claimed);
}

static void go_on_reading(struct gh_stream_consumer *consumer)
{
    uint64_t now = now_ms(consumer);
    bool is_full = gh_stream_trials_are_full(&consumer->trials);
    if (consumer->has_unread) {
        if (consumer->is_unreadable)
            park_unread(consumer);
        else
            ask_for_unread(consumer);
        return;
    }
    if (!consumer->own &&
        (gh_stream_trials_any_due(&consumer->trials, now) || (consumer->has_unnoted && !is_full)))
        begin_own(consumer);
    if (consumer->own)
        read_group(consumer, gh_str_from_c(consumer->own_from), false, on_own);
    else if (is_full)
        pause(consumer); /* until some of them are applied or parked */
    else if (now >= consumer->forget_at_ms)
        gh_stream_consumer_look_at_pending(consumer);
    else if (now >= consumer->claim_at_ms)
        claim(consumer);
    else
        read_group(consumer, GH_STR(">"), true, on_new);
}

void gh_stream_consumer_go_on(struct gh_stream_consumer *consumer)
{
    if (consumer->ended || consumer->calling)
        return;
    gh_timer_stop(consumer->loop, &consumer->timer);
    if (consumer->stopping && !consumer->item_count)
        end(consumer);
    else if (gh_redis_is_ready(consumer->redis) && consumer->group_is_made &&
             now_ms(consumer) >= consumer->info_at_ms)
        gh_stream_consumer_look(consumer); /* also while entries wait: the lag is what tells */
    else if (consumer->item_count)
        work(consumer);
    else if (gh_redis_is_ready(consumer->redis) && !consumer->group_is_made)
        gh_stream_consumer_make_group(consumer);
    else if (gh_redis_is_ready(consumer->redis))
        go_on_reading(consumer);
}

/* ---- Life ---- */

/* What came was too large. It was delivered, so its entries come again as its own, one by one; one
   that is too large alone never can be read. */
static void note_large(struct gh_stream_consumer *consumer)
{
    if (consumer->reads_alone) {
        consumer->is_unreadable = true;
    } else if (consumer->batch > 1) {
        consumer->batch_max = consumer->batch / 2;
        consumer->batch = 1;
    } else if (consumer->reads_own) {
        consumer->has_unread = true;
        memcpy(consumer->unread_from, consumer->own_from, sizeof(consumer->unread_from));
    }
    consumer->reads_own = consumer->reads_alone = false;
    consumer->looks_for_large = true;
}

static void on_state(void *context, const struct gh_redis_status *status)
{
    struct gh_stream_consumer *consumer = context;
    consumer->counts.redis_is_up = status->state == GH_REDIS_READY;
    if (status->state == GH_REDIS_READY) {
        /* What was under way when the last connection broke is its own and not acknowledged. */
        consumer->group_is_made = false;
        begin_own(consumer);
        gh_stream_consumer_tell(consumer, false, "Redis is there");
        gh_stream_consumer_go_on(consumer);
        return;
    }
    consumer->counts.lag = UINT64_MAX;
    if (status->failure == GH_REDIS_FAIL_LARGE)
        note_large(consumer);
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
    consumer->batch = consumer->batch_max = consumer->options.batch;
    gh_arena_init(&consumer->arena, ARENA_BLOCK, GH_STREAM_ARENA_BYTES_MAX);
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
