#include "store/stream_consumer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/num.h"
#include "json/writer.h"
#include "store/stream_trials.h"

#define BATCH_DEFAULT 256
#define TRIES_DEFAULT 5
#define CLAIM_MS      (30u * 1000)
#define KEEP_MS       (7ull * 24 * 3600 * 1000)
#define BLOCK_MS      500
#define CALL_MS       5000
/* Longer than BLOCK_MS, in which the server says nothing. */
#define HEARTBEAT_MS    3000
#define PAUSE_MIN_MS    100
#define PAUSE_MAX_MS    5000
#define INFO_EVERY_MS   2000
#define FORGET_EVERY_MS (60u * 1000)
/* XACK, the stream, the group, ids. */
#define BATCH_MAX        (GH_REDIS_ARGUMENTS_MAX - 4)
#define ID_BYTES_MAX     48
#define FIELDS_BYTES_MAX (64u * 1024)
#define ARENA_BLOCK      (64u * 1024)
#define ARENA_BYTES_MAX  (64u * 1024 * 1024)

enum item_state {
    ITEM_NEW,
    ITEM_REFUSED, /* with others, or alone: not applied yet */
    ITEM_WAITS,   /* for its next try: not acknowledged */
    ITEM_DONE,    /* to be acknowledged */
};

struct item {
    struct gh_stream_entry entry;
    const struct gh_redis_reply *fields; /* a copy in the arena; NULL: the entry was deleted */
    const char *trouble;                 /* it can't be applied at all; NULL: it can */
    enum item_state state;
    char id[ID_BYTES_MAX];
};

struct gh_stream_consumer {
    struct gh_stream_consumer_options options;
    struct gh_loop *loop;
    struct gh_redis *redis;
    struct gh_timer timer; /* of a pause, after which what was in hand goes on */
    bool calling;          /* a command has no answer yet */
    bool stopping, ended;
    bool group_is_made, database_was_lost;
    bool own; /* its own entries are being read again, behind own_from */
    char own_from[ID_BYTES_MAX], claim_from[ID_BYTES_MAX];
    uint64_t own_since_ms, claim_at_ms, info_at_ms, forget_at_ms;
    unsigned pauses; /* in a row */
    struct item *items;
    size_t item_count;
    struct gh_arena arena; /* of the batch */
    struct gh_stream_trials trials;
    struct gh_stream_counts counts;
};

static void go_on(struct gh_stream_consumer *consumer);

static void tell(struct gh_stream_consumer *consumer, bool is_error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void tell(struct gh_stream_consumer *consumer, bool is_error, const char *format, ...)
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

/* ---- Entries ---- */

static bool parse_id(struct gh_str text, struct gh_stream_id *out)
{
    size_t dash = 0;
    while (dash < text.len && text.ptr[dash] != '-')
        dash++;
    return dash < text.len && gh_num_parse_u64(gh_str_first(text, dash), INT64_MAX, &out->ms) &&
           gh_num_parse_u64(gh_str_skip(text, dash + 1), INT64_MAX, &out->seq);
}

static const struct gh_redis_reply *copy_fields(struct gh_arena *arena,
                                                const struct gh_redis_reply *reply)
{
    struct gh_redis_reply *copy = gh_arena_zalloc(arena, 1, sizeof(*copy));
    struct gh_redis_reply *items =
        copy ? gh_arena_zalloc(arena, reply->item_count + 1, sizeof(*items)) : NULL;
    if (!items)
        return NULL;
    for (size_t i = 0; i < reply->item_count; i++) {
        items[i].type = GH_REDIS_STRING;
        items[i].text = gh_arena_dup(arena, reply->items[i].text);
        if (!items[i].text.ptr)
            return NULL;
    }
    *copy = (struct gh_redis_reply){
        .type = GH_REDIS_ARRAY, .items = items, .item_count = reply->item_count};
    return copy;
}

/* Fields come as name, value, name, value. */
static struct gh_str find_field(const struct gh_redis_reply *fields, struct gh_str name)
{
    for (size_t i = 0; i + 1 < fields->item_count; i += 2)
        if (gh_str_eq(fields->items[i].text, name))
            return fields->items[i + 1].text;
    return (struct gh_str){NULL, 0};
}

static const char *take_values(struct gh_stream_consumer *consumer, struct item *item)
{
    for (size_t i = 0; i < consumer->options.field_count; i++) {
        struct gh_str value = find_field(item->fields, consumer->options.fields[i]);
        if (!value.ptr)
            return "it has not all of the fields";
        if (memchr(value.ptr, '\0', value.len))
            return "a value has a NUL byte";
        item->entry.values[i] = gh_arena_dup(&consumer->arena, value).ptr;
        if (!item->entry.values[i])
            return "its values are too long";
    }
    return NULL;
}

/* One of [id, [name, value, ...]], or [id, nil] for one that was deleted meanwhile. */
static bool take_item(struct gh_stream_consumer *consumer, const struct gh_redis_reply *reply)
{
    struct item *item = &consumer->items[consumer->item_count];
    *item = (struct item){.state = ITEM_NEW};
    if (reply->type != GH_REDIS_ARRAY || reply->item_count != 2 ||
        !parse_id(reply->items[0].text, &item->entry.id))
        return false;
    snprintf(item->id, sizeof(item->id), "%.*s", GH_STR_ARG(reply->items[0].text));
    consumer->item_count++;
    if (reply->items[1].type != GH_REDIS_ARRAY) {
        item->state = ITEM_DONE;
        return true;
    }
    item->fields = copy_fields(&consumer->arena, &reply->items[1]);
    if (!item->fields)
        return false;
    item->trouble = take_values(consumer, item);
    if (!gh_stream_trials_is_due(&consumer->trials, item->entry.id, now_ms(consumer)))
        item->state = ITEM_WAITS;
    return true;
}

static bool take_items(struct gh_stream_consumer *consumer, const struct gh_redis_reply *entries)
{
    consumer->item_count = 0;
    gh_arena_reset(&consumer->arena);
    for (size_t i = 0; i < entries->item_count && i < BATCH_MAX; i++)
        if (!take_item(consumer, &entries->items[i]))
            return false;
    return true;
}

/* ---- Applying ---- */

/* The database is away, or will not do it: what is in hand waits. */
static void lose_database(struct gh_stream_consumer *consumer)
{
    struct gh_str message = gh_stream_sink_message(consumer->options.sink);
    consumer->counts.failures++;
    consumer->counts.database_is_up = false;
    if (!consumer->database_was_lost)
        tell(consumer, true, "the database does not take entries, they wait: %.*s",
             GH_STR_ARG(message));
    consumer->database_was_lost = true;
    if (consumer->stopping)
        end(consumer);
    else
        pause(consumer);
}

static void note_database(struct gh_stream_consumer *consumer)
{
    if (consumer->database_was_lost)
        tell(consumer, false, "the database takes entries again");
    consumer->database_was_lost = false;
    consumer->counts.database_is_up = true;
    consumer->pauses = 0;
}

static struct gh_str fields_json(struct gh_stream_consumer *consumer, const struct item *item)
{
    char *memory = gh_arena_zalloc(&consumer->arena, FIELDS_BYTES_MAX, 1);
    if (!memory)
        return GH_STR("{}");
    struct gh_buf buf = gh_buf_over(memory, FIELDS_BYTES_MAX);
    gh_buf_put_char(&buf, '[');
    for (size_t i = 0; i < item->fields->item_count; i++) {
        if (i)
            gh_buf_put_char(&buf, ',');
        gh_json_put_string(&buf, item->fields->items[i].text);
    }
    gh_buf_put_char(&buf, ']');
    return buf.overflow ? GH_STR("\"too long\"") : gh_buf_str(&buf);
}

/* False: the database is away. */
static bool park(struct gh_stream_consumer *consumer, struct item *item, struct gh_str reason,
                 unsigned tries)
{
    if (gh_stream_sink_park(consumer->options.sink, item->entry.id, fields_json(consumer, item),
                            reason, tries) != GH_OK)
        return false;
    tell(consumer, true, "entry %s is parked after %u tries: %.*s", item->id, tries,
         GH_STR_ARG(reason));
    gh_stream_trials_forget(&consumer->trials, item->entry.id);
    item->state = ITEM_DONE;
    consumer->counts.parked++;
    return true;
}

/* False: the database is away. */
static bool refuse(struct gh_stream_consumer *consumer, struct item *item)
{
    unsigned tries = gh_stream_trials_note(&consumer->trials, item->entry.id, now_ms(consumer));
    consumer->counts.refusals++;
    if (tries < consumer->options.tries_max) {
        item->state = ITEM_WAITS;
        return true;
    }
    return park(consumer, item, gh_stream_sink_message(consumer->options.sink), tries);
}

static void count_applied(struct gh_stream_consumer *consumer, size_t count, size_t applied)
{
    consumer->counts.batches++;
    consumer->counts.applied += applied;
    consumer->counts.repeated += count - applied;
    note_database(consumer);
}

/* False: the database is away. */
static bool apply_alone(struct gh_stream_consumer *consumer, struct item *item)
{
    size_t applied = 0;
    if (item->trouble)
        return park(consumer, item, gh_str_from_c(item->trouble), 1);
    enum gh_err err = gh_stream_sink_apply(consumer->options.sink, &item->entry, 1, &applied);
    if (err == GH_ERR_REFUSED)
        return refuse(consumer, item);
    if (err != GH_OK)
        return false;
    gh_stream_trials_forget(&consumer->trials, item->entry.id);
    item->state = ITEM_DONE;
    count_applied(consumer, 1, applied);
    return true;
}

/* All that are new in one transaction; which one was refused is found alone. False: as above. */
static bool apply_together(struct gh_stream_consumer *consumer)
{
    struct gh_stream_entry *entries =
        gh_arena_zalloc(&consumer->arena, BATCH_MAX, sizeof(*entries));
    size_t count = 0, applied = 0;
    for (size_t i = 0; i < consumer->item_count; i++) {
        struct item *item = &consumer->items[i];
        if (item->state == ITEM_NEW && (item->trouble || !entries))
            item->state = ITEM_REFUSED;
        else if (item->state == ITEM_NEW)
            entries[count++] = item->entry;
    }
    if (!count)
        return true;
    enum gh_err err = gh_stream_sink_apply(consumer->options.sink, entries, count, &applied);
    if (err != GH_OK && err != GH_ERR_REFUSED)
        return false;
    for (size_t i = 0; i < consumer->item_count; i++)
        if (consumer->items[i].state == ITEM_NEW)
            consumer->items[i].state = err == GH_OK ? ITEM_DONE : ITEM_REFUSED;
    if (err == GH_OK)
        count_applied(consumer, count, applied);
    return true;
}

static bool apply(struct gh_stream_consumer *consumer)
{
    if (!apply_together(consumer))
        return false;
    for (size_t i = 0; i < consumer->item_count; i++)
        if (consumer->items[i].state == ITEM_REFUSED && !apply_alone(consumer, &consumer->items[i]))
            return false;
    return true;
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

/* False: nothing more is to be done with this answer. */
static bool take_answer(struct gh_stream_consumer *consumer, enum gh_err err,
                        const struct gh_redis_reply *reply, const char *what)
{
    consumer->calling = false;
    if (err == GH_OK)
        return true;
    if (consumer->stopping) {
        end(consumer);
    } else if (reply && reply->type == GH_REDIS_ERROR &&
               gh_str_starts_with(reply->text, GH_STR("NOGROUP"))) {
        consumer->group_is_made = false; /* it was flushed, or another server took over */
        go_on(consumer);
    } else if (gh_redis_is_ready(consumer->redis)) {
        if (!consumer->pauses)
            tell(consumer, true, "%s: Redis %s", what,
                 gh_redis_failure_facts[gh_redis_reply_failure(reply)].text);
        pause(consumer);
    }
    return false;
}

static void on_acknowledged(void *context, enum gh_err err, const struct gh_redis_reply *reply)
{
    struct gh_stream_consumer *consumer = context;
    if (take_answer(consumer, err, reply, "acknowledging"))
        go_on(consumer);
}

/* True: a command is under way. */
static bool acknowledge(struct gh_stream_consumer *consumer)
{
    struct gh_str argv[GH_REDIS_ARGUMENTS_MAX] = {GH_STR("XACK"), consumer->options.stream,
                                                  consumer->options.group};
    size_t argc = 3;
    for (size_t i = 0; i < consumer->item_count; i++)
        if (consumer->items[i].state == ITEM_DONE)
            argv[argc++] = gh_str_from_c(consumer->items[i].id);
    consumer->item_count = 0;
    if (argc > 3)
        call(consumer, argv, argc, on_acknowledged);
    return argc > 3;
}

static void work(struct gh_stream_consumer *consumer)
{
    if (!apply(consumer))
        lose_database(consumer);
    else if (!acknowledge(consumer))
        go_on(consumer);
}

static void use_entries(struct gh_stream_consumer *consumer, const struct gh_redis_reply *entries)
{
    if (!take_items(consumer, entries)) {
        tell(consumer, true, "Redis sent entries that can't be read");
        consumer->item_count = 0;
        pause(consumer);
        return;
    }
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

static void on_own(void *context, enum gh_err err, const struct gh_redis_reply *reply)
{
    struct gh_stream_consumer *consumer = context;
    if (!take_answer(consumer, err, reply, "reading again"))
        return;
    const struct gh_redis_reply *entries = entries_of(reply);
    consumer->own = entries->item_count > 0;
    if (!consumer->own) /* what was due and did not come is somebody else's by now */
        gh_stream_trials_drop(&consumer->trials, consumer->own_since_ms);
    if (consumer->own)
        snprintf(consumer->own_from, sizeof(consumer->own_from), "%.*s",
                 GH_STR_ARG(entries->items[entries->item_count - 1].item_count
                                ? entries->items[entries->item_count - 1].items[0].text
                                : GH_STR("")));
    use_entries(consumer, entries);
}

/* [next cursor, [entry, ...], [deleted, ...]] */
static void on_claimed(void *context, enum gh_err err, const struct gh_redis_reply *reply)
{
    struct gh_stream_consumer *consumer = context;
    if (!take_answer(consumer, err, reply, "taking over"))
        return;
    bool good = reply->type == GH_REDIS_ARRAY && reply->item_count >= 2 &&
                reply->items[1].type == GH_REDIS_ARRAY;
    struct gh_str cursor = good ? reply->items[0].text : GH_STR("0-0");
    snprintf(consumer->claim_from, sizeof(consumer->claim_from), "%.*s", GH_STR_ARG(cursor));
    if (gh_str_eq(cursor, GH_STR("0-0")))
        consumer->claim_at_ms = now_ms(consumer) + consumer->options.claim_ms / 2;
    if (!good) {
        go_on(consumer);
        return;
    }
    consumer->counts.claimed += reply->items[1].item_count;
    use_entries(consumer, &reply->items[1]);
}

static void on_group(void *context, enum gh_err err, const struct gh_redis_reply *reply)
{
    struct gh_stream_consumer *consumer = context;
    bool is_there = reply && reply->type == GH_REDIS_ERROR &&
                    gh_str_starts_with(reply->text, GH_STR("BUSYGROUP"));
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

/* ---- What is next ---- */

static void read_group(struct gh_stream_consumer *consumer, struct gh_str from, bool blocks,
                       gh_redis_answer_fn *callback)
{
    char count[16], block[16];
    snprintf(count, sizeof(count), "%zu", consumer->options.batch);
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
    char idle[24], count[16];
    snprintf(idle, sizeof(idle), "%llu", (unsigned long long)consumer->options.claim_ms);
    snprintf(count, sizeof(count), "%zu", consumer->options.batch);
    const struct gh_str argv[] = {GH_STR("XAUTOCLAIM"),    consumer->options.stream,
                                  consumer->options.group, consumer->options.name,
                                  gh_str_from_c(idle),     gh_str_from_c(consumer->claim_from),
                                  GH_STR("COUNT"),         gh_str_from_c(count)};
    call(consumer, argv, 8, on_claimed);
}

static void forget(struct gh_stream_consumer *consumer)
{
    uint64_t wall_ms = gh_wall_now_us() / 1000;
    consumer->forget_at_ms = now_ms(consumer) + FORGET_EVERY_MS;
    if (wall_ms > consumer->options.keep_ms &&
        gh_stream_sink_forget(consumer->options.sink, wall_ms - consumer->options.keep_ms) != GH_OK)
        consumer->counts.failures++; /* the next time */
}

/* Reads its own entries again, those that were delivered to it and not acknowledged. */
static void begin_own(struct gh_stream_consumer *consumer)
{
    consumer->own = true;
    consumer->own_since_ms = now_ms(consumer);
    snprintf(consumer->own_from, sizeof(consumer->own_from), "0");
}

static void go_on_reading(struct gh_stream_consumer *consumer)
{
    uint64_t now = now_ms(consumer);
    if (!consumer->own && gh_stream_trials_any_due(&consumer->trials, now)) {
        begin_own(consumer);
    }
    if (now >= consumer->forget_at_ms)
        forget(consumer);
    if (consumer->own) {
        read_group(consumer, gh_str_from_c(consumer->own_from), false, on_own);
    } else if (now >= consumer->info_at_ms) {
        const struct gh_str argv[] = {GH_STR("XINFO"), GH_STR("GROUPS"), consumer->options.stream};
        consumer->info_at_ms = now + INFO_EVERY_MS;
        call(consumer, argv, 3, on_info);
    } else if (gh_stream_trials_are_full(&consumer->trials)) {
        pause(consumer); /* until some of them are applied or parked */
    } else if (now >= consumer->claim_at_ms) {
        claim(consumer);
    } else {
        read_group(consumer, GH_STR(">"), true, on_new);
    }
}

static void go_on(struct gh_stream_consumer *consumer)
{
    if (consumer->ended || consumer->calling)
        return;
    gh_timer_stop(consumer->loop, &consumer->timer);
    if (consumer->item_count) { /* from before a pause */
        work(consumer);
        return;
    }
    if (consumer->stopping) {
        end(consumer);
        return;
    }
    if (!gh_redis_is_ready(consumer->redis))
        return;
    if (consumer->group_is_made) {
        go_on_reading(consumer);
        return;
    }
    const struct gh_str argv[] = {
        GH_STR("XGROUP"),        GH_STR("CREATE"), consumer->options.stream,
        consumer->options.group, GH_STR("0"),      GH_STR("MKSTREAM")};
    call(consumer, argv, 6, on_group);
}

/* ---- Life ---- */

static void on_state(void *context, const struct gh_redis_status *status)
{
    struct gh_stream_consumer *consumer = context;
    bool is_up = status->state == GH_REDIS_READY;
    if (is_up) {
        /* What was under way when the last connection broke is its own and not acknowledged. */
        consumer->group_is_made = false;
        begin_own(consumer);
        tell(consumer, false, "Redis is there");
        go_on(consumer);
    } else if (consumer->counts.redis_is_up || status->state == GH_REDIS_AWAY) {
        if (consumer->counts.redis_is_up || !consumer->counts.failures)
            tell(consumer, true, "Redis is away: %s", status->message);
    }
    consumer->counts.redis_is_up = is_up;
}

static void set_defaults(struct gh_stream_consumer_options *options)
{
    if (!options->batch)
        options->batch = BATCH_DEFAULT;
    if (options->batch > BATCH_MAX)
        options->batch = BATCH_MAX;
    if (!options->tries_max)
        options->tries_max = TRIES_DEFAULT;
    if (!options->claim_ms)
        options->claim_ms = CLAIM_MS;
    if (!options->keep_ms)
        options->keep_ms = KEEP_MS;
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
    gh_arena_init(&consumer->arena, ARENA_BLOCK, ARENA_BYTES_MAX);
    consumer->items = calloc(BATCH_MAX, sizeof(*consumer->items));
    const struct gh_redis_options redis = {
        .url = options->url,
        .ca_path = options->redis_ca,
        .client_name = "gatehouse-consume",
        .reply_bytes_max = ARENA_BYTES_MAX / 2,
        .heartbeat_ms = HEARTBEAT_MS,
        .hooks = {.on_state = on_state},
        .context = consumer,
    };
    enum gh_err err = consumer->items
                          ? gh_redis_open(loop, &redis, arena, &consumer->redis, out_message)
                          : GH_ERR_MEMORY;
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
