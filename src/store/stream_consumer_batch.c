/* A consumer of a stream: the entries it has in hand, from Redis's answer to what became of them.
 */
#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "json/writer.h"
#include "store/stream_consumer_state.h"

#define FIELDS_BYTES_MAX (64u * 1024)

/* ---- Taking ---- */

bool gh_stream_id_parse(struct gh_str text, struct gh_stream_id *out_id)
{
    size_t dash = gh_str_find(text, GH_STR("-"));
    return dash < text.len && gh_num_parse_u64(gh_str_first(text, dash), UINT64_MAX, &out_id->ms) &&
           gh_num_parse_u64(gh_str_skip(text, dash + 1), UINT64_MAX, &out_id->seq);
}

static bool take_fields(struct gh_stream_consumer *consumer, struct gh_stream_item *item,
                        const struct gh_redis_reply *fields)
{
    item->fields = gh_arena_zalloc(&consumer->arena, fields->item_count + 1, sizeof(*item->fields));
    for (size_t i = 0; item->fields && i < fields->item_count; i++) {
        struct gh_str text = fields->items[i].text;
        item->fields[i] = gh_arena_dup(&consumer->arena, text.ptr ? text : GH_STR(""));
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

/* [id, [name, value, ...]]; [id, nil] when it was deleted meanwhile. *out_skip: it is neither. */
static bool take_item(struct gh_stream_consumer *consumer, const struct gh_redis_reply *reply,
                      bool *out_skip)
{
    struct gh_stream_item *item = &consumer->items[consumer->item_count];
    *item = (struct gh_stream_item){.state = GH_STREAM_ITEM_NEW};
    *out_skip = reply->type != GH_REDIS_ARRAY || reply->item_count != 2 ||
                reply->items[0].text.len >= sizeof(item->id) ||
                !gh_stream_id_parse(reply->items[0].text, &item->entry.id);
    if (*out_skip) /* of Redis 6: a claimed one that was deleted */
        return true;
    snprintf(item->id, sizeof(item->id), "%.*s", GH_STR_ARG(reply->items[0].text));
    if (reply->items[1].type != GH_REDIS_ARRAY) {
        item->state = GH_STREAM_ITEM_DONE;
        consumer->counts.vanished++;
        gh_stream_consumer_tell(consumer, true, "entry %s was deleted before it was acknowledged",
                                item->id);
        return true;
    }
    if (!take_fields(consumer, item, &reply->items[1]))
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

/* ---- Applying ---- */

void gh_stream_batch_shrink(struct gh_stream_consumer *consumer)
{
    consumer->batch = consumer->batch > 1 ? consumer->batch / 2 : 1;
}

static void grow(struct gh_stream_consumer *consumer)
{
    consumer->batch += 1 + consumer->options.batch / 16;
    if (consumer->batch > consumer->options.batch)
        consumer->batch = consumer->options.batch;
}

static struct gh_str fields_json(struct gh_stream_consumer *consumer,
                                 const struct gh_stream_item *item)
{
    char *memory = gh_arena_zalloc(&consumer->arena, FIELDS_BYTES_MAX, 1);
    if (!memory)
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

static bool refuse(struct gh_stream_consumer *consumer, struct gh_stream_item *item)
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
    snprintf(shown, sizeof(shown), "SQLSTATE %s", gh_stream_sink_sqlstate(consumer->options.sink));
    snprintf(reason, sizeof(reason), "%s: %.*s", shown,
             GH_STR_ARG(gh_stream_sink_message(consumer->options.sink)));
    return park(consumer, item, gh_str_from_c(reason), shown, tries);
}

static void count_applied(struct gh_stream_consumer *consumer, size_t count, size_t applied)
{
    consumer->counts.batches++;
    consumer->counts.applied += applied;
    consumer->counts.repeated += count - applied;
}

static bool apply_alone(struct gh_stream_consumer *consumer, struct gh_stream_item *item)
{
    size_t applied = 0;
    if (item->trouble)
        return park(consumer, item, gh_str_from_c(item->trouble), item->trouble, 1);
    enum gh_err err = gh_stream_sink_apply(consumer->options.sink, &item->entry, 1, &applied);
    if (err == GH_ERR_REFUSED)
        return refuse(consumer, item);
    if (err != GH_OK)
        return false;
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
    if (err != GH_OK && err != GH_ERR_REFUSED)
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

bool gh_stream_batch_apply(struct gh_stream_consumer *consumer)
{
    struct gh_stream_item *chosen[GH_STREAM_ITEMS_MAX];
    for (size_t count; (count = choose(consumer, chosen)) > 0;)
        if (!apply_some(consumer, chosen, count))
            return false;
    for (size_t i = 0; i < consumer->item_count; i++)
        if (consumer->items[i].state == GH_STREAM_ITEM_ALONE &&
            !apply_alone(consumer, &consumer->items[i]))
            return false;
    return true;
}
