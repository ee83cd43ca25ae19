/*
 * JSON against jansson: what we accept it accepts too, with the same values, and the other way
 * round, but for numbers out of its range, its depth, names with a NUL in them, and NUL bytes
 * behind a token, which it takes for an end.
 */
#include <jansson.h>

#include "base/assert.h"
#include "json/parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct gh_json_limits LIMITS = {
    .bytes_max = 1 << 20, .depth_max = 1 << 16, .values_max = 1 << 18, .members_max = 1 << 16};

static void check_number(const struct gh_json_value *ours, const json_t *theirs)
{
    int64_t whole;
    GH_ASSERT(ours->is_integer == json_is_integer(theirs));
    if (!ours->is_integer)
        return;
    GH_ASSERT(gh_json_int64(ours, &whole) && whole == json_integer_value(theirs));
}

static void check_scalar(const struct gh_json_value *ours, const json_t *theirs)
{
    switch (ours->kind) {
    case GH_JSON_NULL:
        GH_ASSERT(json_is_null(theirs));
        return;
    case GH_JSON_BOOL:
        GH_ASSERT(json_is_boolean(theirs) && json_is_true(theirs) == ours->boolean);
        return;
    case GH_JSON_NUMBER:
        GH_ASSERT(json_is_number(theirs));
        check_number(ours, theirs);
        return;
    case GH_JSON_STRING:
        GH_ASSERT(json_is_string(theirs));
        GH_ASSERT(gh_str_eq(ours->text,
                            gh_str_of(json_string_value(theirs), json_string_length(theirs))));
        return;
    case GH_JSON_ARRAY:
        GH_ASSERT(json_is_array(theirs) && json_array_size(theirs) == ours->count);
        return;
    case GH_JSON_OBJECT:
        GH_ASSERT(json_is_object(theirs) && json_object_size(theirs) == ours->count);
        return;
    }
}

/* jansson's parser recurses to a depth of its own, so this may. */
static void check_value(const struct gh_json_doc *doc, const struct gh_json_value *ours,
                        const json_t *theirs)
{
    check_scalar(ours, theirs);
    size_t index = 0;
    const struct gh_json_value *child = gh_json_first(doc, ours);
    for (; child; child = gh_json_after(doc, ours, child), index++) {
        const json_t *other = child->name.ptr
                                  ? json_object_getn(theirs, child->name.ptr, child->name.len)
                                  : json_array_get(theirs, index);
        GH_ASSERT(other);
        check_value(doc, child, other);
    }
}

/* It has integers of 64 bits and doubles only, a depth of its own, and no names with a NUL. */
static bool is_over_its_range(const json_error_t *error)
{
    enum json_error_code code = json_error_code(error);
    return code == json_error_numeric_overflow || code == json_error_stack_overflow ||
           code == json_error_null_byte_in_key;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gh_str text = gh_str_of((const char *)data, size);
    struct gh_arena arena;
    struct gh_json_doc doc;
    json_error_t error;
    gh_arena_init(&arena, 1 << 14, 1 << 26);
    enum gh_json_status status = gh_json_parse(&arena, text, &LIMITS, &doc, NULL);
    json_t *theirs = json_loadb(text.ptr, text.len,
                                JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    if (status == GH_JSON_OK && !theirs)
        GH_ASSERT(is_over_its_range(&error));
    if (theirs && gh_str_find_char(text, '\0') == text.len)
        GH_ASSERT(status == GH_JSON_OK);
    if (status == GH_JSON_OK && theirs)
        check_value(&doc, gh_json_root(&doc), theirs);
    json_decref(theirs);
    gh_arena_done(&arena);
    return 0;
}
