/* Making a row of a record in clear; personal_reveal.c is the way back. */
#include "audit/personal.h"

#include "audit/personal_sealed.h"
#include "base/assert.h"
#include "base/utf8.h"
#include "crypto/seal.h"
#include "json/canonical.h"
#include "json/writer.h"

#define REPLACEMENT     GH_STR("\xef\xbf\xbd") /* U+FFFD */
#define FIELD_BYTES_MAX 64
#define FRAME_BYTES_MAX 160 /* names, salt and punctuation of an opening */
#define ESCAPED_MAX     6   /* bytes that one byte of a string takes in JSON */

void gh_audit_day(uint64_t time_us, char out[GH_AUDIT_DAY_LEN + 1])
{
    char time[GH_AUDIT_TIME_LEN + 16]; /* years may be longer than four digits */
    struct gh_buf time_buf = gh_buf_over(time, sizeof(time));
    gh_audit_put_time(&time_buf, time_us);
    struct gh_buf buf = gh_buf_over(out, GH_AUDIT_DAY_LEN);
    gh_buf_put(&buf, GH_STR("day:"));
    gh_buf_put(&buf, gh_str_first(gh_buf_str(&time_buf), GH_AUDIT_DAY_LEN - 4));
    out[buf.len] = 0;
}

/* The zero byte parts field and value: no field's name has one. */
static void put_mac(struct gh_buf *out, const uint8_t salt[GH_SHA256_BYTES], struct gh_str field,
                    struct gh_str value)
{
    char memory[FIELD_BYTES_MAX + 1 + GH_AUDIT_PERSONAL_BYTES_MAX];
    struct gh_buf data = gh_buf_over(memory, sizeof(memory));
    uint8_t mac[GH_SHA256_BYTES];
    gh_buf_put(&data, field);
    gh_buf_put_char(&data, '\0');
    gh_buf_put(&data, value);
    gh_hmac_sha256(gh_str_of((const char *)salt, GH_SHA256_BYTES), gh_buf_str(&data), mac);
    gh_wipe(memory, data.len);
    gh_buf_put_hex_bytes(out, mac, sizeof(mac));
}

void gh_audit_commit(const uint8_t salt[GH_SHA256_BYTES], struct gh_str field, struct gh_str value,
                     char out[GH_AUDIT_COMMITMENT_LEN + 1])
{
    struct gh_buf buf = gh_buf_over(out, GH_AUDIT_COMMITMENT_LEN);
    gh_buf_put(&buf, GH_STR("hmac-sha256:"));
    if (field.len <= FIELD_BYTES_MAX && value.len <= GH_AUDIT_PERSONAL_BYTES_MAX)
        put_mac(&buf, salt, field, value);
    else
        gh_buf_put(&buf, GH_STR("too long"));
    out[buf.len] = 0;
}

struct gh_audit_needs gh_audit_needs(const struct gh_audit_record *clear)
{
    struct gh_audit_needs needs = {.actor = clear->ip_address.len || clear->user_agent.len};
    size_t count;
    const struct gh_audit_member *members = gh_audit_event_members(clear->event, &count);
    for (size_t i = 0; i < count && clear->metadata.len; i++)
        needs.subject |= members[i].personal;
    return needs;
}

/* ---- Texts ---- */

/* Valid UTF-8, at most GH_AUDIT_PERSONAL_BYTES_MAX. ptr NULL: arena full. */
static struct gh_str clean_text(struct gh_arena *arena, struct gh_str text)
{
    if (gh_utf8_is_valid(text) && text.len <= GH_AUDIT_PERSONAL_BYTES_MAX)
        return gh_str_of(text.len ? text.ptr : "", text.len);
    char *memory = gh_arena_alloc(arena, GH_AUDIT_PERSONAL_BYTES_MAX);
    if (!memory)
        return (struct gh_str){NULL, 0};
    struct gh_buf buf = gh_buf_over(memory, GH_AUDIT_PERSONAL_BYTES_MAX);
    while (text.len && !buf.overflow) {
        size_t len = gh_utf8_sequence_len(text);
        gh_buf_put(&buf, len ? gh_str_first(text, len) : REPLACEMENT);
        text = gh_str_skip(text, len ? len : 1);
    }
    return gh_buf_str(&buf);
}

static bool clean_record(struct gh_arena *arena, struct gh_audit_record *record)
{
    struct gh_str *texts[] = {&record->user_id,    &record->actor_id, &record->ip_address,
                              &record->user_agent, &record->session,  &record->request_id};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        *texts[i] = clean_text(arena, *texts[i]);
        if (!texts[i]->ptr)
            return false;
    }
    return true;
}

/* ---- What is opened: built up value by value, then sealed ---- */

struct opening {
    struct gh_arena *arena;
    const struct gh_random *random;
    const struct gh_audit_person *person;
    uint8_t salt[GH_SHA256_BYTES];
    struct gh_buf json; /* without its end */
    bool used;
};

static enum gh_err opening_begin(struct opening *opening, struct gh_arena *arena,
                                 const struct gh_random *random,
                                 const struct gh_audit_person *person, size_t values_bytes)
{
    size_t cap = values_bytes * ESCAPED_MAX + FRAME_BYTES_MAX;
    char *memory = gh_arena_alloc(arena, cap);
    if (!memory)
        return GH_ERR_MEMORY;
    *opening = (struct opening){
        .arena = arena, .random = random, .person = person, .json = gh_buf_over(memory, cap)};
    gh_buf_put_char(&opening->json, '{');
    return GH_OK;
}

/* Takes a value in; the commitment, in the arena, takes its place. */
static enum gh_err opening_take(struct opening *opening, struct gh_str field, struct gh_str *value)
{
    char *commitment = gh_arena_alloc(opening->arena, GH_AUDIT_COMMITMENT_LEN + 1);
    if (!commitment)
        return GH_ERR_MEMORY;
    GH_ASSERT(opening->person); /* gh_audit_needs said so */
    if (!opening->used)
        gh_random_fill(opening->random, opening->salt, sizeof(opening->salt));
    gh_audit_commit(opening->salt, field, *value, commitment);
    gh_json_put_member(&opening->json, field, *value);
    *value = gh_str_of(commitment, GH_AUDIT_COMMITMENT_LEN);
    opening->used = true;
    return GH_OK;
}

static enum gh_err opening_seal(struct opening *opening, enum gh_audit_role role,
                                struct gh_sealed_part *out_part)
{
    char hex[2 * GH_SHA256_BYTES], context[GH_SEALED_CONTEXT_MAX];
    struct gh_buf salt = gh_buf_over(hex, sizeof(hex));
    if (!opening->used)
        return GH_OK;
    gh_buf_put_hex_bytes(&salt, opening->salt, sizeof(opening->salt));
    gh_json_put_member(&opening->json, GH_STR("salt"), gh_buf_str(&salt));
    gh_wipe(hex, sizeof(hex));
    gh_buf_put_char(&opening->json, '}');
    GH_ASSERT(!opening->json.overflow);
    struct gh_str name = opening->person->name;
    GH_ASSERT(name.len && name.len <= GH_AUDIT_PERSON_LEN_MAX);
    struct gh_str box = gh_seal(opening->arena, opening->random, opening->person->key,
                                gh_sealed_context(context, role, name), gh_buf_str(&opening->json));
    if (!box.ptr)
        return GH_ERR_MEMORY;
    *out_part = (struct gh_sealed_part){name, box};
    return GH_OK;
}

/* ---- Metadata ---- */

static bool is_of_type(const struct gh_json_doc *doc, const struct gh_json_value *value,
                       enum gh_audit_member_type type)
{
    int64_t number;
    switch (type) {
    case GH_AUDIT_MEMBER_TEXT:
        return value->kind == GH_JSON_STRING;
    case GH_AUDIT_MEMBER_NUMBER:
        return gh_json_int64(value, &number);
    case GH_AUDIT_MEMBER_BOOL:
        return value->kind == GH_JSON_BOOL;
    case GH_AUDIT_MEMBER_OBJECT:
        return value->kind == GH_JSON_OBJECT;
    case GH_AUDIT_MEMBER_LIST:
        break;
    }
    if (value->kind != GH_JSON_ARRAY)
        return false;
    for (const struct gh_json_value *item = gh_json_first(doc, value); item;
         item = gh_json_after(doc, value, item))
        if (item->kind != GH_JSON_STRING)
            return false;
    return true;
}

/* `value` is a copy of what was read: a commitment takes a personal text's place. */
static enum gh_err protect_member(const struct gh_json_doc *doc, enum gh_audit_event event,
                                  struct opening *subject, struct gh_json_value *value)
{
    const struct gh_audit_member *member = gh_audit_member_find(event, value->name);
    if (!member || !is_of_type(doc, value, member->type))
        return GH_ERR_INVALID;
    if (!member->personal)
        return GH_OK;
    value->text = clean_text(subject->arena, value->text);
    struct gh_str field = gh_personal_member_field(subject->arena, member->name);
    if (!value->text.ptr || !field.ptr)
        return GH_ERR_MEMORY;
    return opening_take(subject, field, &value->text);
}

static enum gh_err protect_members(const struct gh_json_doc *doc, enum gh_audit_event event,
                                   struct opening *subject, struct gh_json_value *values)
{
    const struct gh_json_value *root = gh_json_root(doc);
    enum gh_err err = GH_OK;
    for (const struct gh_json_value *value = gh_json_first(doc, root); value && err == GH_OK;
         value = gh_json_after(doc, root, value))
        err = protect_member(doc, event, subject, &values[value - doc->values]);
    return err;
}

static enum gh_err parse_object(struct gh_arena *arena, struct gh_str text,
                                struct gh_json_doc *out_doc)
{
    enum gh_json_status status = gh_json_parse(arena, text, &gh_json_small, out_doc, NULL);
    if (status != GH_JSON_OK)
        return status == GH_JSON_MEMORY ? GH_ERR_MEMORY : GH_ERR_INVALID;
    return gh_json_root(out_doc)->kind == GH_JSON_OBJECT ? GH_OK : GH_ERR_INVALID;
}

static enum gh_err protect_metadata(struct gh_arena *arena, struct gh_audit_record *record,
                                    struct opening *subject)
{
    struct gh_json_doc doc;
    enum gh_err err =
        parse_object(arena, record->metadata.len ? record->metadata : GH_STR("{}"), &doc);
    if (err != GH_OK)
        return err;
    const struct gh_json_value *root = gh_json_root(&doc);
    size_t cap = gh_json_canonical_bytes_max(root) + (size_t)root->count * GH_AUDIT_COMMITMENT_LEN;
    struct gh_json_value *values = gh_arena_alloc(arena, doc.count * sizeof(*values));
    char *memory = gh_arena_alloc(arena, cap);
    if (!values || !memory)
        return GH_ERR_MEMORY;
    memcpy(values, doc.values, doc.count * sizeof(*values));
    err = protect_members(&doc, record->event, subject, values);
    const struct gh_json_doc changed = {values, doc.count};
    struct gh_buf buf = gh_buf_over(memory, cap);
    if (err == GH_OK)
        err = gh_json_put_canonical(&buf, arena, &changed, values);
    GH_ASSERT(!buf.overflow);
    record->metadata = gh_buf_str(&buf);
    return err;
}

/* ---- The record ---- */

static enum gh_err protect_actor(struct opening *actor, struct gh_audit_record *record)
{
    enum gh_err err = GH_OK;
    if (record->ip_address.len)
        err = opening_take(actor, GH_STR("ip_address"), &record->ip_address);
    if (err == GH_OK && record->user_agent.len)
        err = opening_take(actor, GH_STR("user_agent"), &record->user_agent);
    return err;
}

struct openings {
    struct opening actor, subject;
};

static enum gh_err protect_record(struct gh_arena *arena, struct openings *openings,
                                  struct gh_audit_row *row)
{
    struct gh_sealed_part parts[GH_AUDIT_ROLE_COUNT] = {{{NULL, 0}, {NULL, 0}}};
    enum gh_err err = protect_actor(&openings->actor, &row->record);
    if (err == GH_OK)
        err = protect_metadata(arena, &row->record, &openings->subject);
    if (err == GH_OK)
        err = opening_seal(&openings->actor, GH_AUDIT_ROLE_ACTOR, &parts[GH_AUDIT_ROLE_ACTOR]);
    if (err == GH_OK)
        err =
            opening_seal(&openings->subject, GH_AUDIT_ROLE_SUBJECT, &parts[GH_AUDIT_ROLE_SUBJECT]);
    if (err != GH_OK)
        return err;
    row->sealed = gh_sealed_write(arena, parts);
    return row->sealed.ptr ? GH_OK : GH_ERR_MEMORY;
}

enum gh_err gh_audit_protect(struct gh_arena *arena, const struct gh_random *random,
                             const struct gh_audit_record *clear,
                             const struct gh_audit_person *actor,
                             const struct gh_audit_person *subject, struct gh_audit_row *out_row)
{
    struct gh_audit_row row = {.record = *clear};
    struct openings openings;
    row.record.seq = 0;
    if (!clean_record(arena, &row.record))
        return GH_ERR_MEMORY;
    enum gh_err err = opening_begin(&openings.actor, arena, random, actor,
                                    row.record.ip_address.len + row.record.user_agent.len);
    if (err == GH_OK)
        err = opening_begin(&openings.subject, arena, random, subject,
                            gh_audit_needs(clear).subject ? clear->metadata.len : 0);
    if (err == GH_OK)
        err = protect_record(arena, &openings, &row);
    gh_wipe(&openings, sizeof(openings));
    if (err == GH_OK)
        *out_row = row;
    return err;
}
