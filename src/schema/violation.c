/* What is reported: where, by which keyword, and a sentence that repeats nothing of the value. */
#include "schema/pointer.h"
#include "schema/run.h"

/* Names of kinds in a list: seven of at most 15 bytes, with their joints. */
#define KINDS_TEXT_MAX 160

static struct gh_str pointer_to(struct gh_schema_run *run, const struct gh_json_doc *doc,
                                uint32_t value)
{
    char memory[GH_SCHEMA_POINTER_BYTES_MAX];
    struct gh_buf buf = gh_buf_over(memory, sizeof(memory));
    gh_json_pointer_put(&buf, doc, value);
    return gh_arena_dup(run->arena, gh_buf_str(&buf));
}

/* A schema `false` goes by the keyword it stands at, where that says why; another schema, which is
   named where no keyword is to blame, has no name. */
static struct gh_str keyword_name(const struct gh_json_value *keyword, bool is_schema)
{
    static const char *const TELLING[] = {"additionalProperties", "unevaluatedProperties",
                                          "unevaluatedItems",     "items",
                                          "propertyNames",        "not"};
    if (keyword->kind != GH_JSON_BOOL || keyword->boolean)
        return is_schema ? GH_STR("") : keyword->name;
    for (size_t i = 0; i < sizeof(TELLING) / sizeof(TELLING[0]); i++) {
        if (gh_str_eq(keyword->name, gh_str_from_c(TELLING[i])))
            return keyword->name;
    }
    return GH_STR("false");
}

bool gh_run_report_name(struct gh_schema_run *run, const struct gh_schema_node *node,
                        uint32_t keyword, uint32_t value, struct gh_str name, struct gh_str message)
{
    const struct gh_schema_document *document = &run->schemas->documents[node->place.document];
    if (run->quiet || run->violation_count == run->violation_max)
        return false;
    if (run->named_member != GH_SCHEMA_NONE)
        value = run->named_member;
    struct gh_schema_violation violation = {
        .value = value,
        .pointer = pointer_to(run, run->whole_doc, value),
        .keyword = keyword_name(&document->doc->values[keyword], keyword == node->place.value),
        .name = name,
        .schema_uri = document->uri,
        .schema_pointer = pointer_to(run, document->doc, keyword),
        .message = message,
    };
    if (!violation.pointer.ptr || !violation.schema_pointer.ptr || !message.ptr)
        return gh_run_stop(run, GH_SCHEMA_NO_MEMORY);
    run->violations[run->violation_count++] = violation;
    return false;
}

bool gh_run_report(struct gh_schema_run *run, const struct gh_schema_node *node, uint32_t keyword,
                   uint32_t value, struct gh_str message)
{
    return gh_run_report_name(run, node, keyword, value, (struct gh_str){0}, message);
}

bool gh_run_report_access(struct gh_schema_run *run, const struct gh_schema_node *node,
                          uint32_t value)
{
    const struct gh_json_doc *doc = run->schemas->documents[node->place.document].doc;
    bool is_read_only = run->refused & GH_ACCESS_READ_ONLY;
    const struct gh_json_value *keyword =
        gh_json_get(doc, gh_place_value(run->schemas, node->place),
                    is_read_only ? GH_STR("readOnly") : GH_STR("writeOnly"));
    return gh_run_report(run, node, (uint32_t)(keyword - doc->values), value,
                         is_read_only ? GH_STR("can only be read, not sent")
                                      : GH_STR("can only be sent, not returned"));
}

static const char *kind_text(enum gh_json_kind kind)
{
    static const char *const TEXTS[] = {"null",     "a boolean", "a number",
                                        "a string", "an array",  "an object"};
    return TEXTS[kind];
}

static void put_kinds(struct gh_buf *buf, unsigned kinds)
{
    if (kinds & GH_KIND_BIT(GH_JSON_NUMBER))
        kinds &= ~GH_KIND_WHOLE;
    for (unsigned bit = 0; bit <= 6; bit++) {
        if (!(kinds & 1u << bit))
            continue;
        kinds &= ~(1u << bit);
        if (buf->len)
            gh_buf_put(buf, kinds ? GH_STR(", ") : GH_STR(" or "));
        gh_buf_put(buf, bit == 6 ? GH_STR("a whole number")
                                 : gh_str_from_c(kind_text((enum gh_json_kind)bit)));
    }
}

bool gh_run_report_kind(struct gh_schema_run *run, const struct gh_schema_node *node,
                        uint32_t value)
{
    char memory[KINDS_TEXT_MAX];
    struct gh_buf buf = gh_buf_over(memory, sizeof(memory));
    const struct gh_json_value *at = gh_run_value(run, value);
    if (!gh_run_goes_on(run))
        return false;
    if (node->kinds == 0)
        return gh_run_report(run, node, node->place.value, value, GH_STR("is not allowed here"));
    put_kinds(&buf, node->kinds);
    bool is_broken = at->kind == GH_JSON_NUMBER; /* a number was wanted, but a whole one */
    return gh_run_report(run, node, node->type_keyword, value,
                         gh_arena_format(run->arena, "must be %.*s, not %s", (int)buf.len, buf.ptr,
                                         is_broken && (node->kinds & GH_KIND_WHOLE)
                                             ? "a broken number"
                                             : kind_text(at->kind)));
}
