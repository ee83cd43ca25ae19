/*
 * Parameters in all styles: what is read is a well-formed document without repeated names, a second
 * reading gives the same, and what one schema says is valid stays so.
 * Input: place and style, schema, text.
 */
#include "base/assert.h"
#include "base/utf8.h"
#include "json/build.h"
#include "schema/parameter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const SCHEMAS[] = {
    "{\"type\":\"string\",\"maxLength\":5}",
    "{\"type\":[\"integer\",\"null\",\"boolean\"]}",
    "{\"type\":\"array\",\"items\":{\"type\":\"integer\"}}",
    "{\"type\":\"array\",\"items\":{\"type\":[\"integer\",\"string\"],\"maximum\":5}}",
    "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\"},\"b\":{\"type\":\"array\"}},"
    "\"additionalProperties\":false}",
    "{\"type\":\"object\",\"additionalProperties\":{\"type\":[\"string\",\"array\"]}}",
    "{\"type\":[\"string\",\"array\",\"object\"],\"maxLength\":2,\"maxItems\":3}",
    "{\"anyOf\":[{\"type\":\"array\",\"prefixItems\":[{\"type\":\"string\"}]},{\"type\":\"null\"}]"
    "}",
    "true",
    "false",
};
#define SCHEMA_COUNT (sizeof(SCHEMAS) / sizeof(SCHEMAS[0]))

struct compiled {
    struct gh_arena arena;
    struct gh_schemas *schemas;
    uint32_t schema;
};

static void compile(struct compiled *compiled, const char *text)
{
    static const struct gh_schema_options OPTIONS = {0};
    struct gh_schema_error error;
    gh_arena_init(&compiled->arena, 4096, 1 << 24);
    struct gh_json_doc *doc = gh_arena_alloc(&compiled->arena, sizeof(*doc));
    compiled->schemas = gh_schemas_new(&compiled->arena, &OPTIONS);
    GH_ASSERT(doc && compiled->schemas);
    GH_ASSERT(gh_json_parse(&compiled->arena, gh_str_from_c(text), &gh_json_small, doc, NULL) ==
              GH_JSON_OK);
    GH_ASSERT(gh_schemas_add(compiled->schemas, GH_STR("t:s"), doc, GH_SCHEMA_IS_SCHEMA, &error) ==
              GH_OK);
    GH_ASSERT(gh_schemas_compile(compiled->schemas, GH_STR("t:s"), &compiled->schema, &error) ==
              GH_OK);
}

static void check_value(const struct gh_json_doc *doc, uint32_t at)
{
    const struct gh_json_value *value = &doc->values[at];
    uint32_t count = 0, child = at + 1;
    GH_ASSERT(value->next > at && value->next <= doc->count);
    if (value->kind == GH_JSON_NUMBER)
        GH_ASSERT(gh_json_is_number(value->text));
    if (value->kind == GH_JSON_STRING)
        GH_ASSERT(value->text.ptr && gh_utf8_is_valid(value->text));
    if (value->kind != GH_JSON_ARRAY && value->kind != GH_JSON_OBJECT) {
        GH_ASSERT(value->next == at + 1);
        return;
    }
    for (; child < value->next; child = doc->values[child].next, count++) {
        const struct gh_json_value *member = &doc->values[child];
        GH_ASSERT((member->name.ptr != NULL) == (value->kind == GH_JSON_OBJECT));
        GH_ASSERT(gh_utf8_is_valid(member->name));
        if (value->kind == GH_JSON_OBJECT)
            GH_ASSERT(gh_json_get(doc, value, member->name) == member);
    }
    GH_ASSERT(count == value->count && child == value->next);
}

static void check_doc(const struct gh_json_doc *doc)
{
    GH_ASSERT(doc->count && doc->values[0].next == doc->count);
    for (uint32_t i = 0; i < doc->count; i++)
        check_value(doc, i);
}

static enum gh_parameter_status read_text(const struct compiled *compiled,
                                          const struct gh_parameter *parameter,
                                          struct gh_arena *arena, struct gh_str text,
                                          struct gh_json_doc *out_doc)
{
    struct gh_form form;
    bool used[256] = {false};
    if (parameter->in == GH_IN_PATH || parameter->in == GH_IN_HEADER)
        return gh_parameter_read_text(compiled->schemas, parameter, arena, text, out_doc);
    if (gh_form_parse(arena, text, &gh_form_small, &form, NULL) != GH_FORM_OK)
        return GH_PARAMETER_ABSENT;
    enum gh_parameter_status status =
        gh_parameter_read_form(compiled->schemas, parameter, arena, &form, used, out_doc);
    size_t used_count = 0;
    for (size_t i = 0; i < form.count; i++)
        used_count += used[i];
    GH_ASSERT((status == GH_PARAMETER_ABSENT) == (used_count == 0));
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct compiled compiled[SCHEMA_COUNT];
    if (size < 3)
        return 0;
    struct compiled *chosen = &compiled[data[2] % SCHEMA_COUNT];
    if (!chosen->schemas)
        compile(chosen, SCHEMAS[data[2] % SCHEMA_COUNT]);
    const struct gh_parameter parameter = {
        .name = GH_STR("p"),
        .in = (enum gh_parameter_in)(data[0] % 4),
        .style = (enum gh_parameter_style)(data[1] % 7),
        .explode = data[0] & 4,
        .is_json = (data[0] & 0x18) == 0x18,
        .schema = data[1] & 0x80 ? UINT32_MAX : chosen->schema,
    };
    struct gh_arena arena;
    struct gh_json_doc first, second;
    gh_arena_init(&arena, 1 << 14, 1 << 24);
    struct gh_str text = gh_str_of((const char *)data + 3, size - 3);
    enum gh_parameter_status status = read_text(chosen, &parameter, &arena, text, &first);
    GH_ASSERT(status != GH_PARAMETER_NO_MEMORY);
    GH_ASSERT(read_text(chosen, &parameter, &arena, text, &second) == status);
    if (status == GH_PARAMETER_OK) {
        check_doc(&first);
        GH_ASSERT(first.count == second.count);
        for (size_t i = 0; i < first.count; i++)
            GH_ASSERT(first.values[i].kind == second.values[i].kind);
    }
    gh_arena_done(&arena);
    return 0;
}
