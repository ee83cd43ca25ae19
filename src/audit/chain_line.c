/* Rows as lines of an export, and back. */
#include "audit/base64.h"
#include "audit/chain.h"
#include "audit/fields.h"
#include "audit/time_text.h"
#include "base/num.h"
#include "json/canonical.h"
#include "json/writer.h"

/* ---- Writing ---- */

static const enum gh_audit_field LINE_ORDER[GH_AUDIT_FIELD_COUNT] = {
    GH_AUDIT_FIELD_SEQ,        GH_AUDIT_FIELD_CHAIN,      GH_AUDIT_FIELD_TIME,
    GH_AUDIT_FIELD_EVENT_TYPE, GH_AUDIT_FIELD_USER_ID,    GH_AUDIT_FIELD_ACTOR_ID,
    GH_AUDIT_FIELD_IP_ADDRESS, GH_AUDIT_FIELD_USER_AGENT, GH_AUDIT_FIELD_SESSION,
    GH_AUDIT_FIELD_REQUEST_ID, GH_AUDIT_FIELD_OUTCOME,    GH_AUDIT_FIELD_METADATA,
    GH_AUDIT_FIELD_PREV_HASH,
};

static enum gh_err put_openings(struct gh_arena *arena, struct gh_buf *buf, struct gh_str openings)
{
    struct gh_str canonical;
    enum gh_err err = gh_json_canonicalise(arena, openings, &gh_json_small, &canonical);
    if (err)
        return err;
    if (canonical.ptr[0] != '{')
        return GH_ERR_INVALID;
    gh_buf_put(buf, GH_STR(",\"personal\":"));
    gh_json_put_tame(buf, canonical);
    return GH_OK;
}

static enum gh_err put_members(struct gh_arena *arena, struct gh_buf *buf,
                               const struct gh_audit_row *row, struct gh_str openings)
{
    enum gh_err err = gh_audit_put_fields(buf, arena, row, LINE_ORDER);
    if (err)
        return err;
    gh_buf_put(buf, GH_STR(",\"hash\":\""));
    gh_buf_put_hex_bytes(buf, row->hash, GH_SHA256_BYTES);
    gh_buf_put_char(buf, '"');
    if (openings.ptr)
        return openings.len ? put_openings(arena, buf, openings) : GH_OK;
    if (row->sealed.len) {
        gh_buf_put(buf, GH_STR(",\"sealed\":\""));
        gh_base64_put(buf, (const uint8_t *)row->sealed.ptr, row->sealed.len);
        gh_buf_put_char(buf, '"');
    }
    return GH_OK;
}

enum gh_err gh_audit_put_line(struct gh_arena *arena, struct gh_buf *buf,
                              const struct gh_audit_row *row, struct gh_str openings)
{
    size_t start = buf->len;
    enum gh_err err = put_members(arena, buf, row, openings);
    gh_buf_put(buf, GH_STR("}\n"));
    if (err)
        return err;
    return buf->overflow || buf->len - start > GH_AUDIT_LINE_BYTES_MAX ? GH_ERR_FULL : GH_OK;
}

/* ---- Reading ---- */

/* Text or null. An empty text is null, so "" is refused. */
static bool read_text(const struct gh_json_value *value, struct gh_str *out)
{
    *out = gh_str_of(NULL, 0);
    if (value->kind == GH_JSON_NULL)
        return true;
    *out = gh_json_string(value);
    return out->len > 0;
}

static bool read_seq(const struct gh_json_value *value, uint64_t *out)
{
    return value->kind == GH_JSON_NUMBER &&
           gh_num_parse_u64(value->text, GH_JSON_SAFE_INTEGER_MAX, out) && *out > 0;
}

/* One text for one record: 1 is not written. */
static bool read_chain(const struct gh_json_value *value, uint32_t *out)
{
    uint64_t chain;
    if (value->kind != GH_JSON_NUMBER || !gh_num_parse_u64(value->text, UINT32_MAX, &chain) ||
        chain < 2)
        return false;
    *out = (uint32_t)chain;
    return true;
}

/* Lower case only: one text for one value. */
static bool read_hash(const struct gh_json_value *value, uint8_t out[GH_SHA256_BYTES])
{
    struct gh_str text = gh_json_string(value);
    if (text.len != 2 * GH_SHA256_BYTES)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        int digit = gh_num_hex_digit(text.ptr[i]);
        if (digit < 0 || (text.ptr[i] >= 'A' && text.ptr[i] <= 'F'))
            return false;
        out[i / 2] = (uint8_t)(out[i / 2] << 4 | digit);
    }
    return true;
}

static bool read_outcome(const struct gh_json_value *value, enum gh_audit_outcome *out)
{
    return gh_audit_outcome_parse(gh_json_string(value), out);
}

static bool read_field(enum gh_audit_field field, const struct gh_json_value *value,
                       struct gh_str line, struct gh_audit_row *row)
{
    switch (field) {
    case GH_AUDIT_FIELD_CHAIN:
        return read_chain(value, &row->record.chain);
    case GH_AUDIT_FIELD_SEQ:
        return read_seq(value, &row->record.seq);
    case GH_AUDIT_FIELD_TIME:
        return gh_audit_parse_time(gh_json_string(value), &row->record.time_us);
    case GH_AUDIT_FIELD_EVENT_TYPE:
        return gh_audit_event_parse(gh_json_string(value), &row->record.event);
    case GH_AUDIT_FIELD_OUTCOME:
        return read_outcome(value, &row->record.outcome);
    case GH_AUDIT_FIELD_METADATA:
        row->record.metadata = gh_str_of(line.ptr + value->start, value->end - value->start);
        return value->kind == GH_JSON_OBJECT;
    case GH_AUDIT_FIELD_PREV_HASH:
        return read_hash(value, row->prev_hash);
    case GH_AUDIT_FIELD_ACTOR_ID:
    case GH_AUDIT_FIELD_IP_ADDRESS:
    case GH_AUDIT_FIELD_REQUEST_ID:
    case GH_AUDIT_FIELD_SESSION:
    case GH_AUDIT_FIELD_USER_AGENT:
    case GH_AUDIT_FIELD_USER_ID:
        return read_text(value, gh_audit_field_text(&row->record, field));
    case GH_AUDIT_FIELD_COUNT:
        break;
    }
    return false;
}

static enum gh_err read_sealed(struct gh_arena *arena, const struct gh_json_value *value,
                               struct gh_str *out)
{
    struct gh_str text = gh_json_string(value);
    if (text.len == 0)
        return GH_ERR_INVALID;
    uint8_t *bytes = gh_arena_alloc(arena, text.len);
    if (!bytes)
        return GH_ERR_MEMORY;
    size_t len;
    if (!gh_base64_decode(text, bytes, text.len, &len))
        return GH_ERR_INVALID;
    *out = gh_str_of((const char *)bytes, len);
    return GH_OK;
}

static enum gh_err read_members(struct gh_arena *arena, struct gh_str line,
                                const struct gh_json_doc *doc, struct gh_audit_row *row,
                                struct gh_str *openings)
{
    const struct gh_json_value *root = gh_json_root(doc);
    size_t members = GH_AUDIT_FIELD_COUNT + 1; /* with the hash */
    row->record.chain = 1;
    for (unsigned field = 0; field < GH_AUDIT_FIELD_COUNT; field++) {
        const struct gh_json_value *value =
            gh_json_get(doc, root, gh_audit_field_name((enum gh_audit_field)field));
        if (!value && field == GH_AUDIT_FIELD_CHAIN) {
            members--;
            continue;
        }
        if (!value || !read_field((enum gh_audit_field)field, value, line, row))
            return GH_ERR_INVALID;
    }
    const struct gh_json_value *hash = gh_json_get(doc, root, GH_STR("hash"));
    if (!hash || !read_hash(hash, row->hash))
        return GH_ERR_INVALID;
    const struct gh_json_value *personal = gh_json_get(doc, root, GH_STR("personal"));
    const struct gh_json_value *sealed = gh_json_get(doc, root, GH_STR("sealed"));
    if (root->count != members + (personal != NULL) + (sealed != NULL) ||
        (personal && (sealed || personal->kind != GH_JSON_OBJECT)))
        return GH_ERR_INVALID;
    if (personal)
        *openings = gh_str_of(line.ptr + personal->start, personal->end - personal->start);
    return sealed ? read_sealed(arena, sealed, &row->sealed) : GH_OK;
}

enum gh_err gh_audit_parse_line(struct gh_arena *arena, struct gh_str line,
                                struct gh_audit_row *out_row, struct gh_str *out_openings)
{
    struct gh_json_doc doc;
    enum gh_json_status status = gh_json_parse(arena, line, &gh_json_small, &doc, NULL);
    if (status != GH_JSON_OK)
        return status == GH_JSON_MEMORY ? GH_ERR_MEMORY : GH_ERR_INVALID;
    struct gh_audit_row row = {0};
    struct gh_str openings = {NULL, 0};
    enum gh_err err = read_members(arena, line, &doc, &row, &openings);
    if (err)
        return err;
    *out_row = row;
    if (out_openings)
        *out_openings = openings;
    return GH_OK;
}
