/*
 * Personal values of a row in clear again. What was sealed is not believed for that: a value counts
 * when the row committed to it, and one that the row did not commit to is an error.
 */
#include "audit/personal.h"
#include "audit/personal_sealed.h"
#include "base/assert.h"
#include "base/num.h"
#include "crypto/seal.h"
#include "json/canonical.h"
#include "json/writer.h"

#define FRAME_BYTES_MAX 64
#define ESCAPED_MAX     6

/* ---- Openings ---- */

struct opening {
    bool there;
    struct gh_str text; /* of the object */
    struct gh_json_doc doc;
    const struct gh_json_value *object; /* of doc */
    uint8_t salt[GH_SHA256_BYTES];
    size_t used; /* members that the row has committed to */
};

/* Lower case only: one text for one value. */
static bool read_salt(struct gh_str text, uint8_t out[GH_SHA256_BYTES])
{
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

static enum gh_err parse(struct gh_arena *arena, struct gh_str text, struct gh_json_doc *out_doc)
{
    enum gh_json_status status = gh_json_parse(arena, text, &gh_json_small, out_doc, NULL);
    if (status != GH_JSON_OK)
        return status == GH_JSON_MEMORY ? GH_ERR_MEMORY : GH_ERR_INVALID;
    return gh_json_root(out_doc)->kind == GH_JSON_OBJECT ? GH_OK : GH_ERR_INVALID;
}

static enum gh_err opening_read(const struct gh_json_doc *doc, const struct gh_json_value *object,
                                struct gh_str text, struct opening *out)
{
    struct opening opening = {.there = true, .doc = *doc, .object = object, .text = text};
    if (object->kind != GH_JSON_OBJECT)
        return GH_ERR_INVALID;
    if (!read_salt(gh_json_string(gh_json_get(doc, object, GH_STR("salt"))), opening.salt))
        return GH_ERR_INVALID;
    *out = opening;
    return GH_OK;
}

/* The value that was committed to. ptr NULL: it is not there, or another one. */
static struct gh_str opening_take(struct opening *opening, struct gh_str field,
                                  struct gh_str commitment)
{
    char expected[GH_AUDIT_COMMITMENT_LEN + 1];
    struct gh_str value = gh_json_string(gh_json_get(&opening->doc, opening->object, field));
    if (!value.ptr || value.len > GH_AUDIT_PERSONAL_BYTES_MAX)
        return (struct gh_str){NULL, 0};
    gh_audit_commit(opening->salt, field, value, expected);
    if (!gh_str_eq(gh_str_of(expected, GH_AUDIT_COMMITMENT_LEN), commitment))
        return (struct gh_str){NULL, 0};
    opening->used++;
    return value;
}

/* ---- From what is sealed ---- */

static const struct gh_audit_person *find_person(const struct gh_audit_person *persons,
                                                 size_t count, struct gh_str name)
{
    for (size_t i = 0; i < count; i++)
        if (gh_str_eq(persons[i].name, name))
            return &persons[i];
    return NULL;
}

static enum gh_err unseal(struct gh_arena *arena, enum gh_audit_role role,
                          const struct gh_sealed_part *part, const struct gh_audit_person *person,
                          struct opening *out)
{
    char context[GH_SEALED_CONTEXT_MAX];
    struct gh_json_doc doc;
    struct gh_str text =
        gh_unseal(arena, person->key, gh_sealed_context(context, role, part->name), part->box);
    if (!text.ptr)
        return GH_ERR_INVALID;
    enum gh_err err = parse(arena, text, &doc);
    return err ? err : opening_read(&doc, gh_json_root(&doc), text, out);
}

static enum gh_err unseal_all(struct gh_arena *arena, struct gh_str sealed,
                              const struct gh_audit_person *persons, size_t count,
                              struct opening openings[GH_AUDIT_ROLE_COUNT])
{
    struct gh_sealed_part parts[GH_AUDIT_ROLE_COUNT];
    if (!gh_sealed_parse(sealed, parts))
        return GH_ERR_INVALID;
    for (unsigned i = 0; i < GH_AUDIT_ROLE_COUNT; i++) {
        const struct gh_audit_person *person =
            parts[i].name.ptr ? find_person(persons, count, parts[i].name) : NULL;
        if (!person)
            continue;
        enum gh_err err = unseal(arena, (enum gh_audit_role)i, &parts[i], person, &openings[i]);
        if (err)
            return err;
    }
    return GH_OK;
}

/* ---- Putting the values back ---- */

/* A committed text: its value; empty where nothing opens it (*erased). */
static enum gh_err reveal_text(struct opening *opening, struct gh_str name, struct gh_str *text,
                               bool *erased)
{
    if (!text->len)
        return GH_OK;
    struct gh_str value = GH_STR("");
    if (opening->there)
        value = opening_take(opening, name, *text);
    else
        *erased = true;
    *text = value;
    return value.ptr ? GH_OK : GH_ERR_INVALID;
}

struct metadata {
    struct gh_arena *arena;
    enum gh_audit_event event;
    struct gh_str text;
    struct gh_json_doc doc;
    struct opening *subject;
    struct gh_buf out;
    bool erased;
};

static enum gh_err put_personal(struct metadata *metadata, const struct gh_json_value *value)
{
    struct gh_str field = gh_personal_member_field(metadata->arena, value->name);
    if (!field.ptr)
        return GH_ERR_MEMORY;
    if (!metadata->subject->there) {
        metadata->erased = true;
        gh_json_put_name(&metadata->out, value->name);
        gh_buf_put(&metadata->out, GH_STR("null"));
        return GH_OK;
    }
    struct gh_str text = opening_take(metadata->subject, field, gh_json_string(value));
    if (!text.ptr)
        return GH_ERR_INVALID;
    gh_json_put_member(&metadata->out, value->name, text);
    return GH_OK;
}

static enum gh_err put_members(struct metadata *metadata)
{
    const struct gh_json_value *root = gh_json_root(&metadata->doc);
    for (const struct gh_json_value *value = gh_json_first(&metadata->doc, root); value;
         value = gh_json_after(&metadata->doc, root, value)) {
        const struct gh_audit_member *member = gh_audit_member_find(metadata->event, value->name);
        if (member && member->personal) {
            enum gh_err err = put_personal(metadata, value);
            if (err)
                return err;
            continue;
        }
        gh_json_put_name(&metadata->out, value->name);
        gh_buf_put(&metadata->out,
                   gh_str_of(metadata->text.ptr + value->start, value->end - value->start));
    }
    return GH_OK;
}

static bool has_personal_members(enum gh_audit_event event)
{
    size_t count;
    const struct gh_audit_member *members = gh_audit_event_members(event, &count);
    for (size_t i = 0; i < count; i++)
        if (members[i].personal)
            return true;
    return false;
}

static enum gh_err reveal_metadata(struct gh_arena *arena, struct gh_audit_record *record,
                                   struct opening *subject, bool *erased)
{
    struct metadata metadata = {
        .arena = arena, .event = record->event, .text = record->metadata, .subject = subject};
    if (!record->metadata.len || !has_personal_members(record->event))
        return GH_OK;
    enum gh_err err = parse(arena, record->metadata, &metadata.doc);
    if (err)
        return err;
    /* Names may be escaped in the row, and come out longer than they stand there. */
    size_t cap = (record->metadata.len + subject->text.len) * ESCAPED_MAX + FRAME_BYTES_MAX;
    char *memory = gh_arena_alloc(arena, cap);
    if (!memory)
        return GH_ERR_MEMORY;
    metadata.out = gh_buf_over(memory, cap);
    gh_buf_put_char(&metadata.out, '{');
    err = put_members(&metadata);
    if (err)
        return err;
    gh_buf_put_char(&metadata.out, '}');
    GH_ASSERT(!metadata.out.overflow);
    record->metadata = gh_buf_str(&metadata.out);
    *erased |= metadata.erased;
    return GH_OK;
}

/* All that is opened but the salt must have been committed to. */
static bool is_used_up(const struct opening *opening)
{
    return !opening->there || opening->object->count == opening->used + 1;
}

static enum gh_err reveal(struct gh_arena *arena, const struct gh_audit_row *row,
                          struct opening openings[GH_AUDIT_ROLE_COUNT],
                          struct gh_audit_record *out_clear, bool *out_erased)
{
    struct opening *actor = &openings[GH_AUDIT_ROLE_ACTOR];
    struct opening *subject = &openings[GH_AUDIT_ROLE_SUBJECT];
    struct gh_audit_record record = row->record;
    bool erased = false;
    enum gh_err err = reveal_text(actor, GH_STR("ip_address"), &record.ip_address, &erased);
    if (err == GH_OK)
        err = reveal_text(actor, GH_STR("user_agent"), &record.user_agent, &erased);
    if (err == GH_OK)
        err = reveal_metadata(arena, &record, subject, &erased);
    if (err == GH_OK && !(is_used_up(actor) && is_used_up(subject)))
        err = GH_ERR_INVALID;
    if (err == GH_OK) {
        *out_clear = record;
        *out_erased = erased;
    }
    return err;
}

/* ---- For all ---- */

enum gh_err gh_audit_persons(struct gh_str sealed, struct gh_str out_names[GH_AUDIT_PERSONS_MAX],
                             size_t *out_count)
{
    struct gh_sealed_part parts[GH_AUDIT_ROLE_COUNT];
    size_t count = 0;
    if (!gh_sealed_parse(sealed, parts))
        return GH_ERR_INVALID;
    for (size_t i = 0; i < GH_AUDIT_ROLE_COUNT; i++)
        if (parts[i].name.ptr && !(count && gh_str_eq(out_names[0], parts[i].name)))
            out_names[count++] = parts[i].name;
    *out_count = count;
    return GH_OK;
}

enum gh_err gh_audit_reveal(struct gh_arena *arena, const struct gh_audit_row *row,
                            const struct gh_audit_person *persons, size_t count,
                            struct gh_audit_record *out_clear, bool *out_erased)
{
    struct opening openings[GH_AUDIT_ROLE_COUNT] = {{.there = false}};
    enum gh_err err = unseal_all(arena, row->sealed, persons, count, openings);
    if (err == GH_OK)
        err = reveal(arena, row, openings, out_clear, out_erased);
    gh_wipe(openings, sizeof(openings));
    return err;
}

enum gh_err gh_audit_put_openings(struct gh_buf *buf, struct gh_arena *arena,
                                  const struct gh_audit_row *row,
                                  const struct gh_audit_person *persons, size_t count)
{
    struct opening openings[GH_AUDIT_ROLE_COUNT] = {{.there = false}};
    struct gh_audit_record record;
    bool erased, any = false;
    enum gh_err err = unseal_all(arena, row->sealed, persons, count, openings);
    if (err == GH_OK)
        err = reveal(arena, row, openings, &record, &erased);
    for (unsigned i = 0; err == GH_OK && i < GH_AUDIT_ROLE_COUNT; i++) {
        if (!openings[i].there)
            continue;
        gh_buf_put(buf, any ? GH_STR(",\"") : GH_STR("{\""));
        gh_buf_put(buf, gh_audit_role_name((enum gh_audit_role)i));
        gh_buf_put(buf, GH_STR("\":"));
        gh_buf_put(buf, openings[i].text);
        any = true;
    }
    if (any)
        gh_buf_put_char(buf, '}');
    gh_wipe(openings, sizeof(openings));
    return err == GH_OK && buf->overflow ? GH_ERR_FULL : err;
}
