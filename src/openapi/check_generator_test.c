/*
 * Each constraint of a document, broken once in a request that is valid else: the right pointer and
 * rule must come back. The constraints are found by walking through the document, so what is added
 * to it below is tested by that alone.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <cmocka.h>

#include "openapi/check_fixture.h"
#include "openapi/load_fixture.h"
#include "schema/pointer.h"

#define TEXT_BYTES_MAX 4096
/* In the document below: a walk that passes some over is noticed. */
#define CONSTRAINT_COUNT 66

#define PATHS                                                                                      \
    "info: {title: t, version: '1'}\n"                                                             \
    "paths:\n"                                                                                     \
    "  /shops/{shop}/orders:\n"                                                                    \
    "    post:\n"                                                                                  \
    "      parameters:\n"                                                                          \
    "        - {name: shop, in: path, required: true, schema: {type: integer, minimum: 2,\n"       \
    "           maximum: 9}}\n"                                                                    \
    "        - {name: mode, in: query, required: true, schema: {type: string,\n"                   \
    "           enum: [fast, slow]}}\n"                                                            \
    "        - {name: note, in: query, schema: {type: string, minLength: 2, maxLength: 8,\n"       \
    "           pattern: '^[a-z]+$'}}\n"                                                           \
    "        - {name: ratio, in: query, schema: {type: number, multipleOf: 3}}\n"                  \
    "        - {name: sure, in: query, schema: {type: boolean}}\n"                                 \
    "        - {name: X-Day, in: header, required: true, schema: {type: string,\n"                 \
    "           format: date}}\n"                                                                  \
    "        - {name: theme, in: cookie, schema: {type: string, maxLength: 4}}\n"                  \
    "      requestBody: {required: true, content: {application/json: {schema:\n"                   \
    "        {$ref: '#/components/schemas/Order'}}}}\n"                                            \
    "      responses: {'200': {description: d}}\n"                                                 \
    "components:\n"                                                                                \
    "  schemas:\n"                                                                                 \
    "    Order: {type: object, required: [lines, customer], additionalProperties: false,\n"        \
    "      properties: {id: {type: integer, readOnly: true},\n"                                    \
    "        lines: {type: array, minItems: 1, maxItems: 3, items:\n"                              \
    "          {$ref: '#/components/schemas/Line'}},\n"                                            \
    "        customer: {$ref: '#/components/schemas/Customer'},\n"                                 \
    "        state: {type: string, enum: [new, paid]},\n"                                          \
    "        tags: {type: array, uniqueItems: true, maxItems: 4, items: {type: string,\n"          \
    "          minLength: 1, maxLength: 5, pattern: '^[a-z~/]*$'}},\n"                             \
    "        paid/at: {type: string, format: date-time}}}\n"                                       \
    "    Line: {type: object, required: [sku, count], minProperties: 2, properties: {\n"           \
    "      sku: {type: string, pattern: '^[A-Z]{2}-[0-9]{3}$', maxLength: 6},\n"                   \
    "      count: {type: integer, minimum: 1, maximum: 99},\n"                                     \
    "      step: {type: integer, multipleOf: 5}, gift: {type: boolean}" EXTRA "}}\n"               \
    "    Person: {type: object, required: [name], properties: {name: {type: string,\n"             \
    "      minLength: 1, maxLength: 20}}}\n"                                                       \
    "    Customer: {allOf: [{$ref: '#/components/schemas/Person'}, {type: object,\n"               \
    "      required: [mail], properties: {mail: {type: string, format: email,\n"                   \
    "      maxLength: 40}}}]}\n"

#define EXTRA ", price: {type: number, exclusiveMinimum: 0, exclusiveMaximum: 100}"
static const char API_31[] = "openapi: 3.1.0\n" PATHS;
#undef EXTRA
#define EXTRA                                                                                      \
    ", price: {type: number, minimum: 0, exclusiveMinimum: true, maximum: 100,\n"                  \
    "          exclusiveMaximum: true}"
static const char API_30[] = "openapi: 3.0.3\n" PATHS;

static const char BODY[] =
    "{\"lines\":[{\"sku\":\"AB-123\",\"count\":2,\"step\":10,\"gift\":false,\"price\":9.5}],"
    "\"customer\":{\"name\":\"Ada\",\"mail\":\"ada@example.com\"},\"state\":\"new\","
    "\"tags\":[\"a\",\"b\"],\"paid/at\":\"2026-01-02T03:04:05Z\"}";

/* What is valid for each parameter, as JSON. */
static const struct {
    const char *name, *value;
} PARAMETERS[] = {{"shop", "7"},        {"mode", "\"fast\""}, {"note", "\"abc\""},
                  {"ratio", "9"},       {"sure", "true"},     {"X-Day", "\"2026-01-02\""},
                  {"theme", "\"dark\""}};
#define PARAMETER_COUNT (sizeof(PARAMETERS) / sizeof(PARAMETERS[0]))

struct generator {
    const struct gh_openapi *openapi;
    struct gh_arena arena;
    const struct gh_openapi_parameter *parameter; /* NULL: the body */
    size_t parameter_index;
    struct gh_str text; /* the value, valid */
    struct gh_json_doc doc;
    unsigned count;
};

static const char *format(struct generator *g, const char *pattern, ...)
    __attribute__((format(printf, 2, 3)));
static const char *format(struct generator *g, const char *pattern, ...)
{
    va_list arguments;
    char *text = gh_arena_alloc(&g->arena, TEXT_BYTES_MAX);
    assert_non_null(text);
    va_start(arguments, pattern);
    assert_in_range(vsnprintf(text, TEXT_BYTES_MAX, pattern, arguments), 0, TEXT_BYTES_MAX - 1);
    va_end(arguments);
    return text;
}

/* A scalar as it stands in a parameter; escaped but in header fields. */
static const char *as_parameter(struct generator *g, const char *json, bool is_escaped)
{
    char memory[TEXT_BYTES_MAX];
    struct gh_buf buf = gh_buf_over(memory, sizeof(memory));
    struct gh_str text = gh_str_from_c(json);
    if (gh_str_starts_with(text, GH_STR("\"")))
        text = gh_str_of(text.ptr + 1, text.len - 2);
    for (size_t i = 0; i < text.len; i++) {
        if (is_escaped && !strchr("abcdefghijklmnopqrstuvwxyz0123456789", text.ptr[i]))
            gh_buf_format(&buf, "%%%02x", (unsigned char)text.ptr[i]);
        else
            gh_buf_put_char(&buf, text.ptr[i]);
    }
    return format(g, "%.*s", (int)buf.len, buf.ptr);
}

/* The request with one parameter (NULL: left out) or the body in another form. */
static const char *check(struct generator *g, const char *value, bool is_left_out)
{
    const char *texts[PARAMETER_COUNT];
    for (size_t i = 0; i < PARAMETER_COUNT; i++) {
        bool is_chosen = g->parameter && i == g->parameter_index;
        texts[i] = as_parameter(g, is_chosen ? value : PARAMETERS[i].value, i != 5);
    }
    bool has_mode = !is_left_out || g->parameter_index != 1;
    bool has_day = !is_left_out || g->parameter_index != 5;
    const struct gh_test_request request = {
        .method = "POST",
        .path = "/shops/{shop}/orders",
        .values = {texts[0]},
        .query =
            format(g, "%s%s%snote=%s&ratio=%s&sure=%s", has_mode ? "mode=" : "",
                   has_mode ? texts[1] : "", has_mode ? "&" : "", texts[2], texts[3], texts[4]),
        .fields = format(g, "%s%s%sCookie: theme=%s\n", has_day ? "X-Day: " : "",
                         has_day ? texts[5] : "", has_day ? "\n" : "", texts[6]),
        .type = "application/json",
        .body = g->parameter ? BODY : value,
        .undeclared = {.query = true},
    };
    const char *whole = gh_test_check(g->openapi, &g->arena, &request, 0);
    assert_string_equal(whole, gh_test_check(g->openapi, &g->arena, &request, 3));
    return whole;
}

static struct gh_str part_of(const struct generator *g)
{
    static const enum gh_input_part PARTS[] = {GH_INPUT_PATH, GH_INPUT_QUERY, GH_INPUT_HEADER,
                                               GH_INPUT_COOKIE};
    return gh_input_part_name(g->parameter ? PARTS[g->parameter->in] : GH_INPUT_BODY);
}

static void expect(struct generator *g, const char *got, const char *pointer, const char *rule)
{
    struct gh_str name = g->parameter ? g->parameter->name : GH_STR("");
    const char *want =
        format(g, "%.*s:%.*s:%s %s", GH_STR_ARG(part_of(g)), GH_STR_ARG(name), pointer, rule);
    g->count++;
    struct gh_str rest = gh_str_from_c(got);
    for (; rest.len; rest = gh_str_skip(rest, gh_str_find_char(rest, ' ') + 1)) {
        struct gh_str tail = gh_str_skip(rest, strlen(want));
        if (gh_str_starts_with(rest, gh_str_from_c(want)) && (!tail.len || tail.ptr[0] == ','))
            return;
    }
    print_message("wanted \"%s\", got \"%s\"\n", want, got);
    fail();
}

/* With `value` written as `text`. */
static void mutate(struct generator *g, const struct gh_json_value *value, const char *text,
                   const char *pointer, const char *rule)
{
    const char *all = format(g, "%.*s%s%.*s", (int)value->start, g->text.ptr, text,
                             (int)(g->text.len - value->end), g->text.ptr + value->end);
    expect(g, check(g, all, false), pointer, rule);
}

static struct gh_str text_of(const struct generator *g, const struct gh_json_value *value)
{
    return gh_str_of(g->text.ptr + value->start, value->end - value->start);
}

/* An object without the member of that name, or with another one; texts as they are. */
static const char *object_with(struct generator *g, const struct gh_json_value *object,
                               struct gh_str without, const char *addition)
{
    char memory[TEXT_BYTES_MAX];
    struct gh_buf buf = gh_buf_over(memory, sizeof(memory));
    gh_buf_put_char(&buf, '{');
    for (const struct gh_json_value *member = gh_json_first(&g->doc, object); member;
         member = gh_json_after(&g->doc, object, member)) {
        if (gh_str_eq(member->name, without))
            continue;
        gh_buf_format(&buf, "%s\"%.*s\":%.*s", buf.len > 1 ? "," : "", GH_STR_ARG(member->name),
                      GH_STR_ARG(text_of(g, member)));
    }
    gh_buf_format(&buf, "%s%s}", buf.len > 1 && *addition ? "," : "", addition);
    assert_false(buf.overflow);
    return format(g, "%.*s", (int)buf.len, buf.ptr);
}

static const char *pointer_to(struct generator *g, const char *pointer, struct gh_str name)
{
    char memory[128];
    struct gh_buf buf = gh_buf_over(memory, sizeof(memory));
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] == '/')
            gh_buf_put(&buf, GH_STR("~1"));
        else
            gh_buf_put_char(&buf, name.ptr[i]);
    }
    return format(g, "%s/%.*s", pointer, (int)buf.len, buf.ptr);
}

/* Where a walk through the document and the value is. */
struct step {
    const struct gh_json_doc *api;
    const struct gh_json_value *schema;
    const struct gh_json_value *value;
    const char *pointer;
};

static int64_t number_of(const struct gh_json_value *keyword)
{
    int64_t number = 0;
    assert_true(gh_json_int64(keyword, &number));
    return number;
}

static void break_string(struct generator *g, const struct step *s,
                         const struct gh_json_value *keyword)
{
    struct gh_str name = keyword->name;
    if (gh_str_eq(name, GH_STR("minLength")))
        mutate(g, s->value, "\"\"", s->pointer, "minLength");
    if (gh_str_eq(name, GH_STR("maxLength")))
        mutate(g, s->value, format(g, "\"%0*d\"", (int)number_of(keyword) + 1, 0), s->pointer,
               "maxLength");
    /* Of the same length. */
    if (gh_str_eq(name, GH_STR("pattern")))
        mutate(g, s->value,
               format(g, "\"!%.*s\"", (int)s->value->text.len - 1, s->value->text.ptr + 1),
               s->pointer, "pattern");
    if (gh_str_eq(name, GH_STR("format")))
        mutate(g, s->value, "\"!\"", s->pointer, "format");
    if (gh_str_eq(name, GH_STR("enum")))
        mutate(g, s->value, "\"none\"", s->pointer, "enum");
}

static void break_number(struct generator *g, const struct step *s,
                         const struct gh_json_value *keyword)
{
    struct gh_str name = keyword->name;
    bool is_lower = gh_str_eq(name, GH_STR("minimum"));
    bool is_upper = gh_str_eq(name, GH_STR("maximum"));
    bool is_exclusive = gh_str_starts_with(name, GH_STR("exclusive"));
    if (is_lower || is_upper)
        mutate(g, s->value, format(g, "%d", (int)number_of(keyword) + (is_upper ? 1 : -1)),
               s->pointer, is_upper ? "maximum" : "minimum");
    if (is_exclusive && keyword->kind == GH_JSON_NUMBER)
        mutate(g, s->value, format(g, "%d", (int)number_of(keyword)), s->pointer,
               format(g, "%.*s", GH_STR_ARG(name)));
    if (gh_str_eq(name, GH_STR("multipleOf")))
        mutate(g, s->value, format(g, "%d", (int)number_of(s->value) + 1), s->pointer,
               "multipleOf");
}

static void break_array(struct generator *g, const struct step *s,
                        const struct gh_json_value *keyword)
{
    struct gh_str item = text_of(g, gh_json_first(&g->doc, s->value));
    if (gh_str_eq(keyword->name, GH_STR("minItems")))
        mutate(g, s->value, "[]", s->pointer, "minItems");
    if (gh_str_eq(keyword->name, GH_STR("uniqueItems")))
        mutate(g, s->value, format(g, "[%.*s,%.*s]", GH_STR_ARG(item), GH_STR_ARG(item)),
               s->pointer, "uniqueItems");
    if (!gh_str_eq(keyword->name, GH_STR("maxItems")))
        return;
    const char *items = format(g, "%.*s", GH_STR_ARG(item));
    for (int64_t i = number_of(keyword); i > 0; i--)
        items = format(g, "%s,%.*s", items, GH_STR_ARG(item));
    mutate(g, s->value, format(g, "[%s]", items), s->pointer, "maxItems");
}

static void break_object(struct generator *g, const struct step *s,
                         const struct gh_json_value *keyword)
{
    const struct gh_str nothing = GH_STR("-");
    const struct gh_json_value *entry = gh_json_first(s->api, keyword);
    if (gh_str_eq(keyword->name, GH_STR("minProperties")))
        mutate(g, s->value, "{}", s->pointer, "minProperties");
    if (gh_str_eq(keyword->name, GH_STR("additionalProperties")))
        mutate(g, s->value, object_with(g, s->value, nothing, "\"zz\":1"),
               pointer_to(g, s->pointer, GH_STR("zz")), "additionalProperties");
    for (; entry && gh_str_eq(keyword->name, GH_STR("required"));
         entry = gh_json_after(s->api, keyword, entry))
        mutate(g, s->value, object_with(g, s->value, entry->text, ""),
               pointer_to(g, s->pointer, entry->text), "required");
    for (; entry && gh_str_eq(keyword->name, GH_STR("properties"));
         entry = gh_json_after(s->api, keyword, entry)) {
        if (gh_json_get(s->api, entry, GH_STR("readOnly")))
            mutate(
                g, s->value,
                object_with(g, s->value, nothing, format(g, "\"%.*s\":1", GH_STR_ARG(entry->name))),
                pointer_to(g, s->pointer, entry->name), "readOnly");
    }
}

/* Every text is a string already. */
static void break_type(struct generator *g, const struct step *s)
{
    const struct gh_json_value *type = gh_json_get(s->api, s->schema, GH_STR("type"));
    bool is_string = s->value->kind == GH_JSON_STRING;
    if (!type || (g->parameter && is_string))
        return;
    mutate(g, s->value, g->parameter ? "\"x\"" : is_string ? "[]" : "\"\"", s->pointer, "type");
    if (s->value->kind == GH_JSON_NUMBER && gh_str_eq(type->text, GH_STR("integer")))
        mutate(g, s->value, "2.5", s->pointer, "type");
}

static void break_all(struct generator *g, const struct step *s);

/* Recursion is as deep as the value, and as its schema's references. */
static void break_inner(struct generator *g, const struct step *s)
{
    const struct gh_json_value *properties = gh_json_get(s->api, s->schema, GH_STR("properties"));
    const struct gh_json_value *items = gh_json_get(s->api, s->schema, GH_STR("items"));
    const struct gh_json_value *all = gh_json_get(s->api, s->schema, GH_STR("allOf"));
    const struct gh_json_value *ref = gh_json_get(s->api, s->schema, GH_STR("$ref"));
    size_t ordinal = 0;
    struct step inner = *s;
    if (ref) {
        inner.schema = gh_json_pointer_find(s->api, s->api->values, gh_str_skip(ref->text, 1));
        assert_non_null(inner.schema);
        break_all(g, &inner);
    }
    for (inner.schema = all ? gh_json_first(s->api, all) : NULL; inner.schema;
         inner.schema = gh_json_after(s->api, all, inner.schema))
        break_all(g, &inner);
    if (s->value->kind != GH_JSON_ARRAY && s->value->kind != GH_JSON_OBJECT)
        return;
    for (inner.value = gh_json_first(&g->doc, s->value); inner.value;
         inner.value = gh_json_after(&g->doc, s->value, inner.value)) {
        inner.schema = properties ? gh_json_get(s->api, properties, inner.value->name) : items;
        inner.pointer = properties ? pointer_to(g, s->pointer, inner.value->name)
                                   : format(g, "%s/%zu", s->pointer, ordinal++);
        if (inner.schema)
            break_all(g, &inner);
    }
}

static void break_all(struct generator *g, const struct step *s)
{
    break_type(g, s);
    for (const struct gh_json_value *keyword = gh_json_first(s->api, s->schema); keyword;
         keyword = gh_json_after(s->api, s->schema, keyword)) {
        switch (s->value->kind) {
        case GH_JSON_NULL:
        case GH_JSON_BOOL:
            break;
        case GH_JSON_NUMBER:
            break_number(g, s, keyword);
            break;
        case GH_JSON_STRING:
            break_string(g, s, keyword);
            break;
        case GH_JSON_ARRAY:
            break_array(g, s, keyword);
            break;
        case GH_JSON_OBJECT:
            break_object(g, s, keyword);
            break;
        }
    }
    break_inner(g, s);
}

static void break_value(struct generator *g, const char *text, const struct gh_openapi_at *at)
{
    g->text = gh_str_from_c(text);
    assert_int_equal(gh_json_parse(&g->arena, g->text, &gh_json_small, &g->doc, NULL), GH_JSON_OK);
    break_all(g, &(struct step){&at->file->doc, at->value, g->doc.values, ""});
}

static void break_parameter(struct generator *g, const struct gh_openapi_parameter *parameter)
{
    size_t i = 0;
    while (i < PARAMETER_COUNT && !gh_str_eq(gh_str_from_c(PARAMETERS[i].name), parameter->name))
        i++;
    assert_true(i < PARAMETER_COUNT);
    g->parameter = parameter;
    g->parameter_index = i;
    break_value(g, PARAMETERS[i].value, &parameter->schema_at);
    if (parameter->required && parameter->in != GH_IN_PATH)
        expect(g, check(g, PARAMETERS[i].value, true), "", "required");
}

static unsigned break_document(const char *text)
{
    const struct gh_test_text texts[] = {{"api.yaml", text}, {NULL, NULL}};
    struct gh_test_load load = {.texts = texts, .options = {.assert_formats = true}};
    gh_test_load(&load);
    if (!load.openapi)
        print_message("%s", gh_test_problems(&load));
    assert_non_null(load.openapi);
    struct generator g = {.openapi = load.openapi};
    gh_arena_init(&g.arena, 1 << 20, (size_t)1 << 29);
    assert_string_equal(check(&g, BODY, false), "ok");
    const struct gh_openapi_operation *operation = &load.openapi->operations[0];
    break_value(&g, BODY, &operation->media[0].schema_at);
    for (size_t i = 0; i < operation->parameter_count; i++)
        break_parameter(&g, &operation->parameters[i]);
    gh_arena_done(&g.arena);
    gh_test_load_done(&load);
    return g.count;
}

static void each_constraint_of_3_1_is_found_broken(void **state)
{
    (void)state;
    assert_int_equal(break_document(API_31), CONSTRAINT_COUNT);
}

static void each_constraint_of_3_0_is_found_broken(void **state)
{
    (void)state;
    assert_int_equal(break_document(API_30), CONSTRAINT_COUNT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_constraint_of_3_1_is_found_broken),
        cmocka_unit_test(each_constraint_of_3_0_is_found_broken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
