#include "audit/opening.h"

#include "audit/personal.h"
#include "base/num.h"
#include "json/parse.h"

struct opening {
    const struct gh_audit_row *row;
    struct gh_json_doc doc;      /* the openings */
    struct gh_json_doc metadata; /* the row's */
};

static bool read_salt(const struct gh_json_value *value, uint8_t out[GH_SHA256_BYTES])
{
    struct gh_str text = gh_json_string(value);
    if (text.len != 2 * GH_SHA256_BYTES)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        int digit = gh_num_hex_digit(text.ptr[i]);
        if (digit < 0)
            return false;
        out[i / 2] = (uint8_t)(out[i / 2] << 4 | digit);
    }
    return true;
}

/* What the row commits to in this place; empty: nothing. */
static struct gh_str committed(const struct opening *opening, struct gh_str field)
{
    static const struct gh_str METADATA = GH_STR_INIT("metadata.");
    if (gh_str_eq(field, GH_STR("ip_address")))
        return opening->row->record.ip_address;
    if (gh_str_eq(field, GH_STR("user_agent")))
        return opening->row->record.user_agent;
    if (!gh_str_starts_with(field, METADATA))
        return GH_STR("");
    return gh_json_string(gh_json_get(&opening->metadata, gh_json_root(&opening->metadata),
                                      gh_str_skip(field, METADATA.len)));
}

static bool person_holds(const struct opening *opening, const struct gh_json_value *person)
{
    uint8_t salt[GH_SHA256_BYTES];
    const struct gh_json_value *salt_value = gh_json_get(&opening->doc, person, GH_STR("salt"));
    if (!read_salt(salt_value, salt))
        return false;
    for (const struct gh_json_value *value = gh_json_first(&opening->doc, person); value;
         value = gh_json_after(&opening->doc, person, value)) {
        char expected[GH_AUDIT_COMMITMENT_LEN + 1];
        if (value == salt_value)
            continue;
        if (value->kind != GH_JSON_STRING)
            return false;
        gh_audit_commit(salt, value->name, value->text, expected);
        if (!gh_str_eq(committed(opening, value->name), gh_str_from_c(expected)))
            return false;
    }
    return true;
}

static bool all_hold(const struct opening *opening)
{
    const struct gh_json_value *root = gh_json_root(&opening->doc);
    if (root->kind != GH_JSON_OBJECT)
        return false;
    for (const struct gh_json_value *person = gh_json_first(&opening->doc, root); person;
         person = gh_json_after(&opening->doc, root, person)) {
        bool known =
            gh_str_eq(person->name, GH_STR("actor")) || gh_str_eq(person->name, GH_STR("subject"));
        if (!known || person->kind != GH_JSON_OBJECT || !person_holds(opening, person))
            return false;
    }
    return true;
}

static enum gh_err parse(struct gh_arena *arena, struct gh_str text, struct gh_json_doc *out_doc)
{
    enum gh_json_status status = gh_json_parse(arena, text, &gh_json_small, out_doc, NULL);
    if (status == GH_JSON_OK)
        return GH_OK;
    return status == GH_JSON_MEMORY ? GH_ERR_MEMORY : GH_ERR_INVALID;
}

enum gh_err gh_audit_check_openings(struct gh_arena *arena, const struct gh_audit_row *row,
                                    struct gh_str openings)
{
    struct opening opening = {.row = row};
    enum gh_err err = parse(arena, openings, &opening.doc);
    if (!err && row->record.metadata.len)
        err = parse(arena, row->record.metadata, &opening.metadata);
    if (err)
        return err;
    return all_hold(&opening) ? GH_OK : GH_ERR_INVALID;
}
