#include "audit/fields.h"

#include "audit/time_text.h"
#include "json/canonical.h"

struct gh_str gh_audit_field_name(enum gh_audit_field field)
{
    static const struct gh_str NAMES[GH_AUDIT_FIELD_COUNT] = {
#define X(id, name) GH_STR_INIT(name),
        GH_AUDIT_FIELDS(X)
#undef X
    };
    return NAMES[field];
}

bool gh_audit_field_is_there(enum gh_audit_field field, const struct gh_audit_record *record)
{
    return field != GH_AUDIT_FIELD_CHAIN || gh_audit_chain_of(record) > 1;
}

struct gh_str *gh_audit_field_text(struct gh_audit_record *record, enum gh_audit_field field)
{
    switch (field) {
    case GH_AUDIT_FIELD_ACTOR_ID:
        return &record->actor_id;
    case GH_AUDIT_FIELD_IP_ADDRESS:
        return &record->ip_address;
    case GH_AUDIT_FIELD_REQUEST_ID:
        return &record->request_id;
    case GH_AUDIT_FIELD_SESSION:
        return &record->session;
    case GH_AUDIT_FIELD_USER_AGENT:
        return &record->user_agent;
    case GH_AUDIT_FIELD_USER_ID:
        return &record->user_id;
    case GH_AUDIT_FIELD_CHAIN:
    case GH_AUDIT_FIELD_EVENT_TYPE:
    case GH_AUDIT_FIELD_METADATA:
    case GH_AUDIT_FIELD_OUTCOME:
    case GH_AUDIT_FIELD_PREV_HASH:
    case GH_AUDIT_FIELD_SEQ:
    case GH_AUDIT_FIELD_TIME:
    case GH_AUDIT_FIELD_COUNT:
        break;
    }
    return NULL;
}

static enum gh_err put_metadata(struct gh_buf *buf, struct gh_arena *arena, struct gh_str text)
{
    struct gh_str canonical = GH_STR("{}");
    if (text.len && !gh_str_eq(text, canonical)) {
        enum gh_err err = gh_json_canonicalise(arena, text, &gh_json_small, &canonical);
        if (err)
            return err;
    }
    if (canonical.ptr[0] != '{')
        return GH_ERR_INVALID;
    gh_buf_put(buf, canonical);
    return GH_OK;
}

static enum gh_err put_seq(struct gh_buf *buf, uint64_t seq)
{
    if (seq > GH_JSON_SAFE_INTEGER_MAX)
        return GH_ERR_INVALID;
    gh_buf_put_u64(buf, seq);
    return GH_OK;
}

static enum gh_err put_time(struct gh_buf *buf, uint64_t time_us)
{
    if (time_us > GH_AUDIT_TIME_US_MAX)
        return GH_ERR_INVALID;
    gh_buf_put_char(buf, '"');
    gh_audit_put_time(buf, time_us);
    gh_buf_put_char(buf, '"');
    return GH_OK;
}

static enum gh_err put_text(struct gh_buf *buf, struct gh_str text)
{
    if (text.len)
        return gh_json_put_canonical_string(buf, text);
    gh_buf_put(buf, GH_STR("null"));
    return GH_OK;
}

static enum gh_err put_value(struct gh_buf *buf, struct gh_arena *arena,
                             const struct gh_audit_row *row, enum gh_audit_field field)
{
    struct gh_audit_record record = row->record;
    const struct gh_str *text = gh_audit_field_text(&record, field);
    if (text)
        return put_text(buf, *text);
    switch (field) {
    case GH_AUDIT_FIELD_CHAIN:
        gh_buf_put_u64(buf, record.chain);
        return GH_OK;
    case GH_AUDIT_FIELD_EVENT_TYPE:
        return put_text(buf, gh_audit_event_facts(record.event)->name);
    case GH_AUDIT_FIELD_METADATA:
        return put_metadata(buf, arena, record.metadata);
    case GH_AUDIT_FIELD_OUTCOME:
        return put_text(buf, gh_audit_outcome_name(record.outcome));
    case GH_AUDIT_FIELD_PREV_HASH:
        gh_buf_put_char(buf, '"');
        gh_buf_put_hex_bytes(buf, row->prev_hash, GH_SHA256_BYTES);
        gh_buf_put_char(buf, '"');
        return GH_OK;
    case GH_AUDIT_FIELD_SEQ:
        return put_seq(buf, record.seq);
    case GH_AUDIT_FIELD_TIME:
        return put_time(buf, record.time_us);
    case GH_AUDIT_FIELD_ACTOR_ID:
    case GH_AUDIT_FIELD_IP_ADDRESS:
    case GH_AUDIT_FIELD_REQUEST_ID:
    case GH_AUDIT_FIELD_SESSION:
    case GH_AUDIT_FIELD_USER_AGENT:
    case GH_AUDIT_FIELD_USER_ID:
    case GH_AUDIT_FIELD_COUNT:
        break;
    }
    return GH_ERR_INVALID;
}

enum gh_err gh_audit_put_fields(struct gh_buf *buf, struct gh_arena *arena,
                                const struct gh_audit_row *row,
                                const enum gh_audit_field order[GH_AUDIT_FIELD_COUNT])
{
    for (unsigned i = 0; i < GH_AUDIT_FIELD_COUNT; i++) {
        if (!gh_audit_field_is_there(order[i], &row->record))
            continue;
        gh_buf_put(buf, i ? GH_STR(",\"") : GH_STR("{\""));
        gh_buf_put(buf, gh_audit_field_name(order[i]));
        gh_buf_put(buf, GH_STR("\":"));
        enum gh_err err = put_value(buf, arena, row, order[i]);
        if (err)
            return err;
    }
    return GH_OK;
}

/* A byte of a text becomes six at most; metadata grow as numbers do (json/canonical.c). */
size_t gh_audit_fields_bytes_max(const struct gh_audit_row *row)
{
    enum { NAMES_AND_FIXED_VALUES = 512 };
    const struct gh_audit_record *record = &row->record;
    size_t texts = record->user_id.len + record->actor_id.len + record->ip_address.len +
                   record->user_agent.len + record->session.len + record->request_id.len;
    return NAMES_AND_FIXED_VALUES + texts * 6 + record->metadata.len * 4;
}
