/*
 * Any bytes as JSON to be made canonical. Properties: the canonical text is canonical, parses to
 * the same values, has its members in order, and only numbers can keep a document from having one.
 */
#include "base/assert.h"
#include "json/canonical.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_same(const struct gh_json_doc *a, const struct gh_json_value *x,
                       const struct gh_json_doc *b, const struct gh_json_value *y)
{
    int64_t m, n;
    GH_ASSERT(x->kind == y->kind && x->count == y->count && x->boolean == y->boolean);
    if (x->kind == GH_JSON_STRING)
        GH_ASSERT(gh_str_eq(x->text, y->text));
    if (x->kind == GH_JSON_NUMBER)
        GH_ASSERT(gh_json_int64(x, &m) && gh_json_int64(y, &n) && m == n && y->is_integer);
    const struct gh_json_value *other = gh_json_first(b, y);
    for (const struct gh_json_value *child = gh_json_first(a, x); child;
         child = gh_json_after(a, x, child)) {
        if (x->kind == GH_JSON_OBJECT)
            other = gh_json_get(b, y, child->name);
        GH_ASSERT(other);
        check_same(a, child, b, other);
        if (x->kind == GH_JSON_ARRAY)
            other = gh_json_after(b, y, other);
    }
}

static bool has_only_safe_numbers(const struct gh_json_doc *doc)
{
    for (size_t i = 0; i < doc->count; i++) {
        int64_t number;
        if (doc->values[i].kind == GH_JSON_NUMBER &&
            (!gh_json_int64(&doc->values[i], &number) || number > GH_JSON_SAFE_INTEGER_MAX ||
             number < -GH_JSON_SAFE_INTEGER_MAX))
            return false;
    }
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gh_arena arena;
    struct gh_json_doc doc, canonical_doc;
    struct gh_str text = gh_str_of((const char *)data, size), canonical, again;
    /* Small enough that what grows still fits the limits. */
    struct gh_json_limits limits = gh_json_small;
    limits.bytes_max /= 4;
    gh_arena_init(&arena, 64 * 1024, 16 << 20);
    enum gh_err err = gh_json_canonicalise(&arena, text, &limits, &canonical);
    if (gh_json_parse(&arena, text, &limits, &doc, NULL) != GH_JSON_OK) {
        GH_ASSERT(err == GH_ERR_INVALID);
    } else if (!has_only_safe_numbers(&doc)) {
        GH_ASSERT(err == GH_ERR_INVALID);
    } else {
        GH_ASSERT(err == GH_OK);
        GH_ASSERT(gh_json_canonicalise(&arena, canonical, &gh_json_small, &again) == GH_OK);
        GH_ASSERT(gh_str_eq(canonical, again));
        GH_ASSERT(gh_json_parse(&arena, canonical, &gh_json_small, &canonical_doc, NULL) ==
                  GH_JSON_OK);
        check_same(&doc, gh_json_root(&doc), &canonical_doc, gh_json_root(&canonical_doc));
    }
    gh_arena_done(&arena);
    return 0;
}
