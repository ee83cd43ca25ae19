/*
 * JSON: any bytes, whole, byte by byte and in two pieces, mean the same; a document that is
 * accepted is laid out as its header says, and what our writer makes of it reads the same again.
 */
#include "base/utf8.h"
#include "json/parse_cuts.h"
#include "json/writer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct gh_json_limits LIMITS = {
    .bytes_max = 2048, .depth_max = 24, .values_max = 300, .members_max = 64};

static void check_tape(const struct gh_json_doc *doc, const struct gh_json_value *parent)
{
    const struct gh_json_value *child = gh_json_first(doc, parent);
    uint32_t count = 0;
    for (; child; child = gh_json_after(doc, parent, child), count++) {
        GH_ASSERT(child > parent && child->start > parent->start && child->end < parent->end);
        GH_ASSERT((child->name.ptr != NULL) == (parent->kind == GH_JSON_OBJECT));
        if (child->name.ptr)
            GH_ASSERT(gh_json_get(doc, parent, child->name) == child);
    }
    GH_ASSERT(count == parent->count);
}

static void check_value(const struct gh_json_doc *doc, struct gh_str text, size_t i)
{
    const struct gh_json_value *value = &doc->values[i];
    int64_t whole;
    GH_ASSERT(value->next > i && value->next <= doc->count);
    GH_ASSERT(value->start < value->end && value->end <= text.len);
    GH_ASSERT(gh_utf8_is_valid(value->name));
    if (value->kind == GH_JSON_STRING)
        GH_ASSERT(gh_utf8_is_valid(value->text) && text.ptr[value->end - 1] == '"');
    if (value->kind == GH_JSON_NUMBER)
        GH_ASSERT(value->end - value->start == value->text.len);
    (void)gh_json_int64(value, &whole);
    check_tape(doc, value);
}

static void check_again(struct gh_arena *arena, const struct gh_json_value *value)
{
    char memory[6 * 2048 + 2];
    struct gh_buf buf = gh_buf_over(memory, sizeof(memory));
    struct gh_json_doc doc;
    struct gh_json_limits limits = LIMITS;
    limits.bytes_max = sizeof(memory);
    gh_json_put_string(&buf, value->text);
    GH_ASSERT(!buf.overflow);
    GH_ASSERT(gh_json_parse(arena, gh_buf_str(&buf), &limits, &doc, NULL) == GH_JSON_OK);
    GH_ASSERT(gh_str_eq(doc.values[0].text, value->text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    struct gh_str text = gh_str_of((const char *)data + 1, size - 1);
    struct gh_arena arena;
    gh_arena_init(&arena, 1 << 14, 1 << 24);
    struct gh_json_result whole = {0};
    whole.status = gh_json_parse(&arena, text, &LIMITS, &whole.doc, &whole.offset);
    GH_ASSERT(whole.status != GH_JSON_MEMORY && whole.offset <= text.len);
    GH_ASSERT((whole.status == GH_JSON_OK) == (whole.doc.count > 0));
    struct gh_json_result cut = gh_json_parse_cut(&arena, text, &LIMITS, 1, 1);
    gh_json_assert_same(&whole, &cut);
    cut = gh_json_parse_cut(&arena, text, &LIMITS, data[0], text.len);
    gh_json_assert_same(&whole, &cut);
    for (size_t i = 0; i < whole.doc.count; i++) {
        check_value(&whole.doc, text, i);
        if (whole.doc.values[i].kind == GH_JSON_STRING)
            check_again(&arena, &whole.doc.values[i]);
    }
    gh_arena_done(&arena);
    return 0;
}
