#include "identity/audit_read.h"

#include "audit/record.h"
#include "identity/metadata.h"
#include "json/writer.h"

#define METADATA_BYTES_MAX 1024
#define QUERY_BYTES_MAX    512

struct reading {
    const struct gh_identity_call *call;
    struct gh_str reader; /* an id; empty: a command */
    struct gh_str metadata;
    bool goes_on;
};

/* ---- The question ---- */

static void put_name(struct gh_buf *buf, const char *name)
{
    gh_buf_format(buf, "%s%s=", buf->len ? " " : "", name);
}

static void put_filter(struct gh_buf *buf, const char *name, struct gh_str value)
{
    if (!value.len)
        return;
    put_name(buf, name);
    gh_buf_put(buf, value);
}

static void put_time(struct gh_buf *buf, const char *name, uint64_t time_us)
{
    if (!time_us)
        return;
    put_name(buf, name);
    gh_audit_put_time(buf, time_us);
}

/* Free text may be a person's: what is no hash of a session is not repeated. */
static struct gh_str session_of(const struct gh_audit_query *query)
{
    bool hash = query->session.len == GH_AUDIT_SESSION_LEN;
    for (size_t i = 0; hash && i < query->session.len; i++)
        hash = gh_str_find_char(GH_STR("0123456789abcdef"), query->session.ptr[i]) < 16;
    return hash || !query->session.len ? query->session : GH_STR("unknown");
}

/* "event=login user=018f... since=2026-01-31T00:00:00.000000Z", or "all". */
static void put_question(struct gh_buf *buf, const struct gh_audit_query *query)
{
    put_filter(buf, "event", query->event);
    put_filter(buf, "user", query->user_id);
    put_filter(buf, "session", session_of(query));
    if (query->by_outcome)
        put_filter(buf, "outcome", gh_audit_outcome_name(query->outcome));
    put_time(buf, "since", query->since_us);
    put_time(buf, "until", query->until_us);
    if (!buf->len)
        gh_buf_put(buf, GH_STR("all"));
}

/* Canonical (RFC 8785), as the log has it; ptr NULL: the arena is full. */
static struct gh_str metadata_of(const struct gh_identity_call *call,
                                 const struct gh_audit_query *query)
{
    char question[QUERY_BYTES_MAX], memory[METADATA_BYTES_MAX];
    struct gh_buf text = gh_buf_over(question, sizeof(question));
    struct gh_buf json = gh_buf_over(memory, sizeof(memory));
    put_question(&text, query);
    gh_buf_put_char(&json, '{');
    gh_json_put_member(&json, GH_STR("by"), gh_metadata_actor(call));
    gh_json_put_member(&json, GH_STR("query"), gh_buf_str(&text));
    gh_buf_put_char(&json, '}');
    return text.overflow || json.overflow ? (struct gh_str){NULL, 0}
                                          : gh_arena_dup(call->arena, gh_buf_str(&json));
}

/* ---- The record ---- */

/* By the newest record of this reader: another question asked meanwhile, and this one counts
   anew. */
static enum gh_err find_standing(struct gh_tx *tx, const struct reading *reading, bool *out_stands)
{
    struct gh_audit_query query = {
        .every_chain = true, /* the pages before may have come of another process */
        .event = gh_audit_event_facts(GH_AUDIT_AUDIT_READ)->name,
        .user_id = reading->reader,
        .limit = 1,
    };
    struct gh_audit_row *rows;
    size_t count;
    uint64_t now_us = reading->call->now_us;
    *out_stands = false;
    enum gh_err err = tx->ops->audit_page(tx, &query, &rows, &count);
    if (err == GH_OK && count)
        *out_stands = gh_str_eq(rows[0].record.metadata, reading->metadata) &&
                      rows[0].record.time_us <= now_us &&
                      now_us - rows[0].record.time_us < GH_AUDIT_READING_US;
    return err;
}

static enum gh_err note(struct gh_tx *tx, void *args)
{
    const struct reading *reading = args;
    bool stands = false;
    enum gh_err err = reading->goes_on ? find_standing(tx, reading, &stands) : GH_OK;
    if (err != GH_OK || stands)
        return err;
    return gh_identity_audit(tx, reading->call, GH_AUDIT_AUDIT_READ, GH_AUDIT_SUCCESS,
                             reading->reader, reading->metadata);
}

enum gh_identity_result gh_audit_read_note(struct gh_identity_call *call,
                                           const struct gh_audit_query *query, bool goes_on)
{
    struct reading reading = {
        .call = call,
        .reader = call->subject ? call->subject->id : GH_STR(""),
        .metadata = metadata_of(call, query),
        .goes_on = goes_on,
    };
    return reading.metadata.ptr ? gh_identity_run(call, note, &reading) : GH_IDENTITY_UNAVAILABLE;
}
