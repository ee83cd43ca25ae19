/*
 * The cases of httpwg/structured-field-tests: what must parse, to which value, how it is written
 * again, and what must fail. Cases marked can_fail may go either way, but not wrong.
 */
#include "http/sfv.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define FOLDER GH_SOURCE_ROOT "/../shared/conformance/structured-fields/"

static const char *const PARSING_FILES[] = {
    "binary",
    "boolean",
    "date",
    "dictionary",
    "display-string",
    "examples",
    "item",
    "list",
    "listlist",
    "number",
    "param-dict",
    "param-list",
    "string",
    "token",
    "param-listlist",
    "key-generated",
    "large-generated",
    "number-generated",
    "string-generated",
    "token-generated",
};

static const char *const WRITING_FILES[] = {
    "serialisation-tests/key-generated",
    "serialisation-tests/number",
    "serialisation-tests/string-generated",
    "serialisation-tests/token-generated",
};

static struct gh_str str_of_json(const json_t *json)
{
    return gh_str_of(json_string_value(json), json_string_length(json));
}

static const char *text_member(const json_t *json, const char *name)
{
    const char *text = json_string_value(json_object_get(json, name));
    return text ? text : "";
}

/* Byte sequences stand there in base32 (RFC 4648). */
static struct gh_str decode_base32(struct gh_arena *arena, struct gh_str text)
{
    static const char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    char *out = gh_arena_alloc(arena, text.len + 1);
    size_t len = 0;
    uint64_t bits = 0;
    unsigned count = 0;
    for (size_t i = 0; i < text.len && text.ptr[i] != '='; i++) {
        bits = bits << 5 | (uint64_t)(strchr(DIGITS, text.ptr[i]) - DIGITS);
        count += 5;
        if (count >= 8) {
            count -= 8;
            out[len++] = (char)(bits >> count);
        }
    }
    return gh_str_of(out, len);
}

static struct gh_sfv_item bare_item_of_object(struct gh_arena *arena, const json_t *json)
{
    struct gh_str type = gh_str_from_c(text_member(json, "__type"));
    const json_t *value = json_object_get(json, "value");
    if (gh_str_eq(type, GH_STR("date")))
        return (struct gh_sfv_item){.type = GH_SFV_DATE, .integer = json_integer_value(value)};
    if (gh_str_eq(type, GH_STR("binary")))
        return (struct gh_sfv_item){.type = GH_SFV_BYTES,
                                    .bytes = decode_base32(arena, str_of_json(value))};
    bool token = gh_str_eq(type, GH_STR("token"));
    return (struct gh_sfv_item){.type = token ? GH_SFV_TOKEN : GH_SFV_DISPLAY_STRING,
                                .bytes = str_of_json(value)};
}

static struct gh_sfv_item bare_item_of(struct gh_arena *arena, const json_t *json)
{
    if (json_is_object(json))
        return bare_item_of_object(arena, json);
    if (json_is_boolean(json))
        return (struct gh_sfv_item){.type = GH_SFV_BOOLEAN, .integer = json_is_true(json)};
    if (json_is_integer(json))
        return (struct gh_sfv_item){.type = GH_SFV_INTEGER, .integer = json_integer_value(json)};
    if (json_is_real(json)) /* rounds half to even, as section 4.1.5 wants it */
        return (struct gh_sfv_item){.type = GH_SFV_DECIMAL,
                                    .integer = llrint(json_real_value(json) * 1000)};
    return (struct gh_sfv_item){.type = GH_SFV_STRING, .bytes = str_of_json(json)};
}

/* [[key, bare item], ...] */
static void read_params(struct gh_arena *arena, const json_t *json, struct gh_sfv_item *item)
{
    item->param_count = json_array_size(json);
    item->params = gh_arena_zalloc(arena, item->param_count, sizeof(*item->params));
    for (size_t i = 0; i < item->param_count; i++) {
        const json_t *pair = json_array_get(json, i);
        item->params[i].key = str_of_json(json_array_get(pair, 0));
        item->params[i].item = bare_item_of(arena, json_array_get(pair, 1));
    }
}

/* [bare item, params] or [[items], params] */
static struct gh_sfv_item item_of(struct gh_arena *arena, const json_t *json)
{
    const json_t *value = json_array_get(json, 0);
    struct gh_sfv_item item;
    if (json_is_array(value)) {
        item = (struct gh_sfv_item){.type = GH_SFV_INNER_LIST};
        item.item_count = json_array_size(value);
        item.items = gh_arena_zalloc(arena, item.item_count, sizeof(*item.items));
        for (size_t i = 0; i < item.item_count; i++) {
            const json_t *inner = json_array_get(value, i);
            item.items[i].item = bare_item_of(arena, json_array_get(inner, 0));
            read_params(arena, json_array_get(inner, 1), &item.items[i].item);
        }
    } else {
        item = bare_item_of(arena, value);
    }
    read_params(arena, json_array_get(json, 1), &item);
    return item;
}

/* A value of any of the three header types; an item is the only member of its list. */
static struct gh_sfv_list list_of(struct gh_arena *arena, const json_t *json, char kind)
{
    struct gh_sfv_list list = {.count = kind == 'i' ? 1 : json_array_size(json)};
    list.members = gh_arena_zalloc(arena, list.count, sizeof(*list.members));
    for (size_t i = 0; i < list.count; i++) {
        const json_t *member = kind == 'i' ? json : json_array_get(json, i);
        if (kind == 'd') {
            list.members[i].key = str_of_json(json_array_get(member, 0));
            member = json_array_get(member, 1);
        }
        list.members[i].item = item_of(arena, member);
    }
    return list;
}

static bool parse(struct gh_str text, char kind, struct gh_arena *arena, struct gh_sfv_list *list)
{
    if (kind == 'l')
        return gh_sfv_parse_list(text, arena, list);
    if (kind == 'd')
        return gh_sfv_parse_dictionary(text, arena, list);
    list->count = 1;
    list->members = gh_arena_zalloc(arena, 1, sizeof(*list->members));
    return gh_sfv_parse_item(text, arena, &list->members[0].item);
}

static bool write(struct gh_buf *buf, char kind, const struct gh_sfv_list *list)
{
    if (kind == 'l')
        return gh_sfv_write_list(buf, list);
    return kind == 'd' ? gh_sfv_write_dictionary(buf, list)
                       : gh_sfv_write_item(buf, &list->members[0].item);
}

static bool equal_bare(const struct gh_sfv_item *a, const struct gh_sfv_item *b)
{
    return a->type == b->type && a->integer == b->integer && gh_str_eq(a->bytes, b->bytes);
}

static bool equal_params(const struct gh_sfv_item *a, const struct gh_sfv_item *b)
{
    bool equal = a->param_count == b->param_count;
    for (size_t i = 0; equal && i < a->param_count; i++)
        equal = gh_str_eq(a->params[i].key, b->params[i].key) &&
                equal_bare(&a->params[i].item, &b->params[i].item);
    return equal;
}

static bool equal_items(const struct gh_sfv_item *a, const struct gh_sfv_item *b)
{
    bool equal = equal_bare(a, b) && equal_params(a, b) && a->item_count == b->item_count;
    for (size_t i = 0; equal && i < a->item_count; i++)
        equal = equal_bare(&a->items[i].item, &b->items[i].item) &&
                equal_params(&a->items[i].item, &b->items[i].item);
    return equal;
}

static bool equal_lists(const struct gh_sfv_list *a, const struct gh_sfv_list *b)
{
    bool equal = a->count == b->count;
    for (size_t i = 0; equal && i < a->count; i++)
        equal = gh_str_eq(a->members[i].key, b->members[i].key) &&
                equal_items(&a->members[i].item, &b->members[i].item);
    return equal;
}

/* The lines of a field in one text, as gh_sfv_parse_* want it. */
static struct gh_str joined(struct gh_arena *arena, const json_t *lines)
{
    struct gh_str text = GH_STR("");
    for (size_t i = 0; i < json_array_size(lines); i++) {
        struct gh_str line = str_of_json(json_array_get(lines, i));
        struct gh_buf buf =
            gh_buf_over(gh_arena_alloc(arena, text.len + 2 + line.len), text.len + 2 + line.len);
        gh_buf_put(&buf, text);
        gh_buf_put(&buf, i ? GH_STR(", ") : GH_STR(""));
        gh_buf_put(&buf, line);
        text = gh_buf_str(&buf);
    }
    return text;
}

/* What the value must be written as: `canonical` if it differs from `raw`. */
static void check_writing(struct gh_arena *arena, const json_t *test, char kind,
                          const struct gh_sfv_list *list)
{
    const json_t *canonical = json_object_get(test, "canonical");
    struct gh_str expected = joined(arena, canonical ? canonical : json_object_get(test, "raw"));
    size_t cap = 1 << 16;
    struct gh_buf buf = gh_buf_over(gh_arena_alloc(arena, cap), cap);
    bool ok = write(&buf, kind, list);
    if (ok == json_is_true(json_object_get(test, "must_fail")))
        fail_msg("%s: written: %d", text_member(test, "name"), ok);
    if (ok && !gh_str_eq(gh_buf_str(&buf), expected))
        fail_msg("%s: written as %.*s", text_member(test, "name"), GH_STR_ARG(gh_buf_str(&buf)));
}

static void check_parsing(struct gh_arena *arena, const json_t *test, char kind)
{
    const char *name = text_member(test, "name");
    struct gh_sfv_list list;
    bool ok = parse(joined(arena, json_object_get(test, "raw")), kind, arena, &list);
    if (!ok && json_is_true(json_object_get(test, "can_fail")))
        return;
    if (ok == json_is_true(json_object_get(test, "must_fail")))
        fail_msg("%s: parsed: %d", name, ok);
    if (!ok)
        return;
    struct gh_sfv_list expected = list_of(arena, json_object_get(test, "expected"), kind);
    if (!equal_lists(&list, &expected))
        fail_msg("%s: another value", name);
    check_writing(arena, test, kind, &list);
}

/* Runs all cases of a file; how many there were. */
static size_t run_file(const char *name, bool writing)
{
    char path[512];
    snprintf(path, sizeof(path), "%s%s.json", FOLDER, name);
    json_t *tests = json_load_file(path, JSON_ALLOW_NUL, NULL);
    if (!tests)
        return 0;
    for (size_t i = 0; i < json_array_size(tests); i++) {
        const json_t *test = json_array_get(tests, i);
        char kind = text_member(test, "header_type")[0]; /* item, list or dictionary */
        struct gh_arena arena;
        gh_arena_init(&arena, 1 << 16, 1 << 24);
        if (writing) {
            struct gh_sfv_list list = list_of(&arena, json_object_get(test, "expected"), kind);
            check_writing(&arena, test, kind, &list);
        } else {
            check_parsing(&arena, test, kind);
        }
        gh_arena_done(&arena);
    }
    size_t count = json_array_size(tests);
    json_decref(tests);
    return count;
}

static void run_files(const char *const *names, size_t name_count, bool writing)
{
    size_t cases = 0;
    for (size_t i = 0; i < name_count; i++)
        cases += run_file(names[i], writing);
    if (cases == 0) {
        print_message("no cases in " FOLDER "\n");
        skip();
    }
    print_message("%zu cases\n", cases);
}

static void reads_the_public_cases(void **state)
{
    run_files(PARSING_FILES, sizeof(PARSING_FILES) / sizeof(PARSING_FILES[0]), false);
}

static void writes_the_public_cases(void **state)
{
    run_files(WRITING_FILES, sizeof(WRITING_FILES) / sizeof(WRITING_FILES[0]), true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_the_public_cases),
        cmocka_unit_test(writes_the_public_cases),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
