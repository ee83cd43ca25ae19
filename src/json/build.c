/* While a container is open its `next` is the one around it, as in the parser. */
#include "json/build.h"

#include "base/assert.h"

#define NONE       UINT32_MAX
#define VALUES_MIN 8

void gh_json_build_init(struct gh_json_builder *builder, struct gh_arena *arena,
                        const struct gh_json_limits *limits)
{
    *builder = (struct gh_json_builder){.arena = arena, .limits = *limits, .open = NONE};
}

static bool stop(struct gh_json_builder *builder, enum gh_json_status status)
{
    if (builder->status == GH_JSON_OK)
        builder->status = status;
    return false;
}

static bool reserve(struct gh_json_builder *builder, size_t more)
{
    struct gh_json_value *values = builder->values;
    size_t want = builder->count + more, cap = builder->cap ? builder->cap : VALUES_MIN;
    if (more > builder->limits.values_max || want > builder->limits.values_max)
        return stop(builder, GH_JSON_TOO_LARGE);
    if (want <= builder->cap)
        return true;
    while (cap < want)
        cap *= 2;
    values = gh_arena_zalloc(builder->arena, cap, sizeof(*values));
    if (!values)
        return stop(builder, GH_JSON_MEMORY);
    if (builder->count)
        memcpy(values, builder->values, builder->count * sizeof(*values));
    builder->values = values;
    builder->cap = (uint32_t)cap;
    return true;
}

static bool has_member(const struct gh_json_builder *builder, struct gh_str name, uint32_t hash)
{
    const struct gh_json_value *values = builder->values;
    for (uint32_t at = builder->open + 1; at < builder->count; at = values[at].next) {
        if (values[at].name_hash == hash && gh_str_eq(values[at].name, name))
            return true;
    }
    return false;
}

/* Room for `count` values, the first of which stands in the open container. NULL: stopped. */
static struct gh_json_value *add(struct gh_json_builder *builder, struct gh_str name, size_t count)
{
    if (builder->status != GH_JSON_OK || !reserve(builder, count))
        return NULL;
    struct gh_json_value value = {.next = (uint32_t)(builder->count + count)};
    GH_ASSERT(builder->open != NONE || builder->count == 0);
    if (builder->open != NONE) {
        struct gh_json_value *parent = &builder->values[builder->open];
        bool is_object = parent->kind == GH_JSON_OBJECT;
        if (is_object) {
            value.name = name.ptr ? name : GH_STR("");
            value.name_hash = gh_json_name_hash(name);
        }
        if (is_object && parent->count == builder->limits.members_max) {
            stop(builder, GH_JSON_TOO_LARGE);
            return NULL;
        }
        if (is_object && has_member(builder, name, value.name_hash)) {
            stop(builder, GH_JSON_DUPLICATE_NAME);
            return NULL;
        }
        parent->count++;
    }
    struct gh_json_value *place = &builder->values[builder->count];
    *place = value;
    builder->count += (uint32_t)count;
    return place;
}

void gh_json_build_begin(struct gh_json_builder *builder, struct gh_str name,
                         enum gh_json_kind kind)
{
    GH_ASSERT(kind == GH_JSON_ARRAY || kind == GH_JSON_OBJECT);
    if (builder->depth == builder->limits.depth_max)
        stop(builder, GH_JSON_TOO_DEEP);
    struct gh_json_value *value = add(builder, name, 1);
    if (!value)
        return;
    value->kind = kind;
    value->next = builder->open;
    builder->open = (uint32_t)(value - builder->values);
    builder->depth++;
}

void gh_json_build_end(struct gh_json_builder *builder)
{
    if (builder->status != GH_JSON_OK)
        return;
    GH_ASSERT(builder->open != NONE);
    struct gh_json_value *value = &builder->values[builder->open];
    builder->open = value->next;
    value->next = builder->count;
    builder->depth--;
}

void gh_json_build_string(struct gh_json_builder *builder, struct gh_str name, struct gh_str text)
{
    struct gh_json_value *value = add(builder, name, 1);
    if (!value)
        return;
    value->kind = GH_JSON_STRING;
    value->text = text.ptr ? text : GH_STR("");
}

void gh_json_build_number(struct gh_json_builder *builder, struct gh_str name, struct gh_str text)
{
    struct gh_json_value *value = add(builder, name, 1);
    if (!value)
        return;
    value->kind = GH_JSON_NUMBER;
    value->text = text;
    value->is_integer = true;
    for (size_t i = 0; i < text.len; i++) {
        if (strchr(".eE", text.ptr[i]))
            value->is_integer = false;
    }
}

void gh_json_build_bool(struct gh_json_builder *builder, struct gh_str name, bool boolean)
{
    struct gh_json_value *value = add(builder, name, 1);
    if (!value)
        return;
    value->kind = GH_JSON_BOOL;
    value->boolean = boolean;
}

void gh_json_build_null(struct gh_json_builder *builder, struct gh_str name)
{
    struct gh_json_value *value = add(builder, name, 1);
    if (value)
        value->kind = GH_JSON_NULL;
}

void gh_json_build_copy(struct gh_json_builder *builder, struct gh_str name,
                        const struct gh_json_doc *doc)
{
    struct gh_json_value *root = add(builder, name, doc->count);
    if (!root)
        return;
    struct gh_json_value placed = *root;
    uint32_t shift = (uint32_t)(root - builder->values);
    for (size_t i = 0; i < doc->count; i++) {
        root[i] = doc->values[i];
        root[i].next += shift;
        root[i].start = root[i].end = 0;
    }
    root->name = placed.name;
    root->name_hash = placed.name_hash;
}

enum gh_json_status gh_json_build_finish(struct gh_json_builder *builder,
                                         struct gh_json_doc *out_doc)
{
    if (builder->status != GH_JSON_OK)
        return builder->status;
    GH_ASSERT(builder->open == NONE && builder->count);
    *out_doc = (struct gh_json_doc){.values = builder->values, .count = builder->count};
    return GH_JSON_OK;
}

static size_t digits(struct gh_str text, size_t at)
{
    while (at < text.len && text.ptr[at] >= '0' && text.ptr[at] <= '9')
        at++;
    return at;
}

bool gh_json_is_number(struct gh_str text)
{
    size_t at = text.len && text.ptr[0] == '-' ? 1 : 0;
    size_t end = digits(text, at);
    if (end == at || (text.ptr[at] == '0' && end > at + 1))
        return false;
    if (end < text.len && text.ptr[end] == '.') {
        at = end + 1;
        end = digits(text, at);
        if (end == at)
            return false;
    }
    if (end < text.len && (text.ptr[end] == 'e' || text.ptr[end] == 'E')) {
        at = end + 1;
        if (at < text.len && (text.ptr[at] == '+' || text.ptr[at] == '-'))
            at++;
        end = digits(text, at);
        if (end == at)
            return false;
    }
    return end == text.len;
}
