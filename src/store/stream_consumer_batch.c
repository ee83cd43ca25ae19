/* A consumer of a stream: the entries it has in hand, from Redis's answer to what became of them.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "json/writer.h"
#include "store/stream_consumer_state.h"

#define FIELDS_BYTES_MAX (64u * 1024)
#define OTHERS_BLOCK     (64u * 1024)

/* ---- Taking ---- */

bool gh_stream_id_parse(struct gh_str text, struct gh_stream_id *out_id)
{
    size_t dash = gh_str_find(text, GH_STR("-"));
    return dash < text.len && gh_num_parse_u64(gh_str_first(text, dash), UINT64_MAX, &out_id->ms) &&
           gh_num_parse_u64(gh_str_skip(text, dash + 1), UINT64_MAX, &out_id->seq);
}

void gh_stream_id_put(struct gh_stream_id id, char *out, size_t size)
{
    snprintf(out, size, "%" PRIu64 "-%" PRIu64, id.ms, id.seq);
}

static bool take_fields(struct gh_arena *arena, struct gh_stream_item *item,
                        const struct gh_redis_reply *fields)
{
    item->fields = gh_arena_zalloc(arena, fields->item_count + 1, sizeof(*item->fields));
    for (size_t i = 0; item->fields && i < fields->item_count; i++) {
        struct gh_str text = fields->items[i].text;
        item->fields[i] = gh_arena_dup(arena, text.ptr ? text : GH_STR(""));
        if (!item->fields[i].ptr)
            return false;
    }
    item->field_count = fields->item_count;
    return item->fields != NULL;
}

/* The first of that name; NULL: there is none. */
static const struct gh_str *find_field(const struct gh_stream_item *item, struct gh_str name)
{
    for (size_t i = 0; i + 1 < item->field_count; i += 2)
        if (gh_str_eq(item->fields[i], name))
            return &item->fields[i + 1];
    return NULL;
}

static const char *take_values(const struct gh_stream_consumer *consumer,
                               struct gh_stream_item *item)
{
    for (size_t i = 0; i < consumer->options.field_count; i++) {
        const struct gh_str *value = find_field(item, consumer->options.fields[i]);
        if (!value)
            return "it has not all of the fields";
        if (memchr(value->ptr, '\0', value->len))
            return "a value has a NUL byte";
        item->entry.values[i] = value->ptr; /* a copy in the arena has a NUL behind it */
    }
    return NULL;
}

/* False: it is no entry. */
static bool take_id(const struct gh_redis_reply *reply, struct gh_stream_item *item)
{
    *item = (struct gh_stream_item){.state = GH_STREAM_ITEM_NEW};
    if (reply->type != GH_REDIS_ARRAY || reply->item_count != 2 ||
        reply->items[0].text.len >= sizeof(item->id) ||
        !gh_stream_id_parse(reply->items[0].text, &item->entry.id))
        return false;
    snprintf(item->id, sizeof(item->id), "%.*s", GH_STR_ARG(reply->items[0].text));
    return true;
}

/* [id, [name, value, ...]]; [id, nil] when it was deleted meanwhile. *out_skip: it is neither. */
static bool take_item(struct gh_stream_consumer *consumer, const struct gh_redis_reply *reply,
                      bool *out_skip)
{
    struct gh_stream_item *item = &consumer->items[consumer->item_count];
    *out_skip = !take_id(reply, item);
    if (*out_skip) /* of Redis 6: a claimed one that was deleted */
        return true;
    if (reply->items[1].type != GH_REDIS_ARRAY) {
        item->state = GH_STREAM_ITEM_DONE;
        consumer->counts.vanished++;
        gh_stream_consumer_tell(consumer, true, "entry %s was deleted before it was acknowledged",
                                item->id);
        return true;
    }
    if (!take_fields(&consumer->arena, item, &reply->items[1]))
        return false;
    item->trouble = take_values(consumer, item);
    if (!gh_stream_trials_is_due(&consumer->trials, item->entry.id, gh_loop_now_ms(consumer->loop)))
        item->state = GH_STREAM_ITEM_WAITS;
    return true;
}

bool gh_stream_batch_take(struct gh_stream_consumer *consumer, const struct gh_redis_reply *entries)
{
    consumer->item_count = 0;
    gh_arena_reset(&consumer->arena);
    for (size_t i = 0; i < entries->item_count; i++) {
        bool skip;
        if (consumer->item_count == GH_STREAM_ITEMS_MAX ||
            !take_item(consumer, &entries->items[i], &skip))
            return false;
        consumer->item_count += !skip;
    }
    return true;
}

bool gh_stream_batch_take_unread(struct gh_stream_consumer *consumer, struct gh_str id)
{
    struct gh_stream_item *item = &consumer->items[0];
    *item = (struct gh_stream_item){.state = GH_STREAM_ITEM_NEW,
                                    .trouble = "it is larger than what is read of one"};
    consumer->item_count = 0;
    gh_arena_reset(&consumer->arena);
    if (id.len >= sizeof(item->id) || !gh_stream_id_parse(id, &item->entry.id))
        return false;
    snprintf(item->id, sizeof(item->id), "%.*s", GH_STR_ARG(id));
    consumer->item_count = 1;
    return true;
}

/* ---- Applying ---- */

void gh_stream_batch_shrink(struct gh_stream_consumer *consumer)
{
    consumer->batch = consumer->batch > 1 ? consumer->batch / 2 : 1;
}

/* The bound comes back slowly: it is met again where all entries are large. */
static void grow(struct gh_stream_consumer *consumer)
{
    if (consumer->batch_max < consumer->options.batch)
        consumer->batch_max++;
    if (consumer->looks_for_large)
        return;
    consumer->batch += 1 + consumer->options.batch / 16;
    if (consumer->batch > consumer->batch_max)
        consumer->batch = consumer->batch_max;
}

static struct gh_str fields_json(struct gh_stream_consumer *consumer,
                                 const struct gh_stream_item *item)
{
    char *memory = gh_arena_zalloc(&consumer->arena, FIELDS_BYTES_MAX, 1);
    if (!memory || !item->fields)
        return GH_STR("\"too long\"");
    struct gh_buf buf = gh_buf_over(memory, FIELDS_BYTES_MAX);
    gh_buf_put_char(&buf, '[');
    for (size_t i = 0; i < item->field_count; i++) {
        if (i)
            gh_buf_put_char(&buf, ',');
        gh_json_put_string(&buf, item->fields[i]);
    }
    gh_buf_put_char(&buf, ']');
    return buf.overflow ? GH_STR("\"too long\"") : gh_buf_str(&buf);
}

/* What the log is told has no values of the entry, what the table keeps may have. */
static bool park(struct gh_stream_consumer *consumer, struct gh_stream_item *item,
                 struct gh_str reason, const char *shown, unsigned tries)
{
    if (gh_stream_sink_park(consumer->options.sink, item->entry.id, fields_json(consumer, item),
                            reason, tries) != GH_OK)
        return false;
    gh_stream_consumer_tell(consumer, true, "entry %s is parked after %u tries: %s", item->id,
                            tries, shown);
    gh_stream_trials_forget(&consumer->trials, item->entry.id);
    item->state = GH_STREAM_ITEM_DONE;
    consumer->counts.parked++;
    return true;
}

static bool refuse(struct gh_stream_consumer *consumer, struct gh_stream_item *item,
                   const char *sqlstate, struct gh_str message)
{
    unsigned tries =
        gh_stream_trials_note(&consumer->trials, item->entry.id, gh_loop_now_ms(consumer->loop));
    char reason[640], shown[40];
    consumer->counts.refusals++;
    if (tries < consumer->options.tries_max) {
        item->state = GH_STREAM_ITEM_WAITS;
        consumer->has_unnoted = consumer->has_unnoted || !tries;
        return true;
    }
    snprintf(shown, sizeof(shown), "SQLSTATE %s", sqlstate);
    snprintf(reason, sizeof(reason), "%s: %.*s", shown, GH_STR_ARG(message));
    return park(consumer, item, gh_str_from_c(reason), shown, tries);
}

/* What the server said is kept until it is known whose fault it was. */
static void suspect(struct gh_stream_consumer *consumer, struct gh_stream_item *item)
{
    const struct gh_stream_sink *sink = consumer->options.sink;
    item->state = GH_STREAM_ITEM_SUSPECT;
    item->message = gh_arena_dup(&consumer->arena, gh_stream_sink_message(sink));
    snprintf(item->sqlstate, sizeof(item->sqlstate), "%s", gh_stream_sink_sqlstate(sink));
}

static void count_applied(struct gh_stream_consumer *consumer, size_t count, size_t applied)
{
    consumer->counts.batches++;
    consumer->counts.applied += applied;
    consumer->statement_works |= applied > 0; /* what had been applied before was not run */
    consumer->counts.repeated += count - applied;
}

static bool apply_alone(struct gh_stream_consumer *consumer, struct gh_stream_item *item)
{
    size_t applied = 0;
    if (item->trouble)
        return park(consumer, item, gh_str_from_c(item->trouble), item->trouble, 1);
    enum gh_err err = gh_stream_sink_apply(consumer->options.sink, &item->entry, 1, &applied);
    if (err == GH_ERR_REFUSED)
        return refuse(consumer, item, gh_stream_sink_sqlstate(consumer->options.sink),
                      gh_stream_sink_message(consumer->options.sink));
    if (err == GH_ERR_INVALID)
        suspect(consumer, item);
    if (err != GH_OK)
        return err == GH_ERR_INVALID;
    gh_stream_trials_forget(&consumer->trials, item->entry.id);
    item->state = GH_STREAM_ITEM_DONE;
    count_applied(consumer, 1, applied);
    return true;
}

/* The next that are new, in one transaction; which one was refused is found alone. */
static bool apply_some(struct gh_stream_consumer *consumer, struct gh_stream_item *const *chosen,
                       size_t count)
{
    struct gh_stream_entry *entries = gh_arena_zalloc(&consumer->arena, count, sizeof(*entries));
    size_t applied = 0;
    enum gh_err err = GH_ERR_REFUSED; /* without memory: one by one */
    for (size_t i = 0; entries && i < count; i++)
        entries[i] = chosen[i]->entry;
    if (entries)
        err = gh_stream_sink_apply(consumer->options.sink, entries, count, &applied);
    if (err == GH_ERR_TIMEOUT)
        gh_stream_batch_shrink(consumer);
    if (err != GH_OK && err != GH_ERR_REFUSED && err != GH_ERR_INVALID)
        return false;
    for (size_t i = 0; i < count; i++) {
        chosen[i]->state = err == GH_OK ? GH_STREAM_ITEM_DONE : GH_STREAM_ITEM_ALONE;
        if (err == GH_OK)
            gh_stream_trials_forget(&consumer->trials, chosen[i]->entry.id);
    }
    if (err == GH_OK) {
        count_applied(consumer, count, applied);
        grow(consumer);
    }
    return true;
}

static size_t choose(struct gh_stream_consumer *consumer, struct gh_stream_item **chosen)
{
    size_t count = 0;
    for (size_t i = 0; i < consumer->item_count && count < consumer->batch; i++) {
        struct gh_stream_item *item = &consumer->items[i];
        if (item->state == GH_STREAM_ITEM_NEW && item->trouble)
            item->state = GH_STREAM_ITEM_ALONE;
        else if (item->state == GH_STREAM_ITEM_NEW)
            chosen[count++] = item;
    }
    return count;
}

enum gh_stream_became gh_stream_batch_blame(struct gh_stream_consumer *consumer)
{
    for (size_t i = 0; i < consumer->item_count; i++) {
        struct gh_stream_item *item = &consumer->items[i];
        if (item->state == GH_STREAM_ITEM_SUSPECT &&
            !refuse(consumer, item, item->sqlstate, item->message))
            return GH_STREAM_BATCH_WAITS;
    }
    return GH_STREAM_BATCH_DONE;
}

enum gh_stream_became gh_stream_batch_apply(struct gh_stream_consumer *consumer)
{
    struct gh_stream_item *chosen[GH_STREAM_ITEMS_MAX];
    bool has_suspects = false;
    consumer->statement_works = false;
    for (size_t count; (count = choose(consumer, chosen)) > 0;)
        if (!apply_some(consumer, chosen, count))
            return GH_STREAM_BATCH_WAITS;
    for (size_t i = 0; i < consumer->item_count; i++) {
        struct gh_stream_item *item = &consumer->items[i];
        bool is_alone =
            item->state == GH_STREAM_ITEM_ALONE || item->state == GH_STREAM_ITEM_SUSPECT;
        if (is_alone && !apply_alone(consumer, item))
            return GH_STREAM_BATCH_WAITS;
        has_suspects |= item->state == GH_STREAM_ITEM_SUSPECT;
    }
    if (has_suspects && !consumer->statement_works)
        return GH_STREAM_BATCH_IN_QUESTION;
    return gh_stream_batch_blame(consumer);
}

/* ---- Whose fault it is ---- */

static bool is_suspect(const struct gh_stream_consumer *consumer, struct gh_stream_id id)
{
    for (size_t i = 0; i < consumer->item_count; i++)
        if (consumer->items[i].state == GH_STREAM_ITEM_SUSPECT &&
            consumer->items[i].entry.id.ms == id.ms && consumer->items[i].entry.id.seq == id.seq)
            return true;
    return false;
}

bool gh_stream_batch_try_others(struct gh_stream_consumer *consumer,
                                const struct gh_redis_reply *entries)
{
    enum gh_err err = GH_ERR_INVALID;
    struct gh_arena arena;
    gh_arena_init(&arena, OTHERS_BLOCK, GH_STREAM_ARENA_BYTES_MAX);
    /* One that can't be reached tells nothing; nor does one that is refused: it may have come no
       further than to a key that it has filled itself. */
    for (size_t i = 0; i < entries->item_count && (err == GH_ERR_INVALID || err == GH_ERR_REFUSED);
         i++) {
        const struct gh_redis_reply *entry = &entries->items[i];
        struct gh_stream_item item;
        gh_arena_reset(&arena);
        if (take_id(entry, &item) && !is_suspect(consumer, item.entry.id) &&
            entry->items[1].type == GH_REDIS_ARRAY &&
            take_fields(&arena, &item, &entry->items[1]) && !take_values(consumer, &item))
            err = gh_stream_sink_try(consumer->options.sink, &item.entry);
    }
    gh_arena_done(&arena);
    return err == GH_OK;
}
