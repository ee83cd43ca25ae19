#include "schema/equal.h"

#include "schema/decimal.h"

/* As deep as any parser of ours reads; deeper is taken for too much work. */
#define DEPTH_MAX 1024

static uint64_t mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
    return hash ^ hash >> 32;
}

static inline uint64_t load_64(const char *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof(word));
    return word;
}

static inline uint64_t load_32(const char *bytes)
{
    uint32_t word;
    memcpy(&word, bytes, sizeof(word));
    return word;
}

/* Less than a word; together with the length every byte counts. */
static uint64_t load_few(struct gh_str text)
{
    const size_t half = sizeof(uint32_t);
    if (text.len >= half)
        return load_32(text.ptr) | load_32(text.ptr + text.len - half) << 32;
    if (text.len == 0)
        return 0;
    return (uint64_t)(uint8_t)text.ptr[0] << 16 | (uint64_t)(uint8_t)text.ptr[text.len / 2] << 8 |
           (uint8_t)text.ptr[text.len - 1];
}

/* The last word has some bytes again. */
static uint64_t hash_text(struct gh_str text)
{
    const size_t step = sizeof(uint64_t);
    uint64_t hash = text.len;
    if (text.len < step)
        return mix(hash, load_few(text));
    for (; text.len > step; text = gh_str_skip(text, step)) {
        hash = mix(hash, load_64(text.ptr));
        if (text.len < 2 * step)
            return mix(hash, load_64(text.ptr + text.len - step));
    }
    return mix(hash, load_64(text.ptr));
}

/* Of a scalar, or the start of a container's. */
static uint64_t hash_own(const struct gh_json_value *value)
{
    struct gh_decimal number;
    switch (value->kind) {
    case GH_JSON_NULL:
        return mix(1, 0);
    case GH_JSON_BOOL:
        return mix(2, value->boolean);
    case GH_JSON_NUMBER:
        number = gh_decimal_read(value->text);
        return mix(3, gh_decimal_hash(&number));
    case GH_JSON_STRING:
        return mix(4, hash_text(value->text));
    case GH_JSON_ARRAY:
        return mix(5, value->count);
    case GH_JSON_OBJECT:
        return mix(6, value->count);
    }
    return 0;
}

static bool take_steps(uint64_t *steps, uint64_t count)
{
    if (*steps < count) {
        *steps = 0;
        return false;
    }
    *steps -= count;
    return true;
}

static uint64_t hash_container(const struct gh_json_doc *doc, uint32_t index,
                               const uint64_t *hashes, uint32_t first)
{
    const struct gh_json_value *value = &doc->values[index];
    uint64_t hash = hash_own(value), sum = 0;
    for (uint32_t at = index + 1; at < value->next; at = doc->values[at].next) {
        if (value->kind == GH_JSON_ARRAY)
            hash = mix(hash, hashes[at - first]);
        else /* in any order */
            sum += mix(hash_text(doc->values[at].name), hashes[at - first]);
    }
    return mix(hash, sum);
}

/* Children stand behind their parent: from the end, each container finds theirs done. */
const uint64_t *gh_json_child_hashes(const struct gh_json_doc *doc, uint32_t value,
                                     struct gh_arena *arena, uint64_t *steps)
{
    uint32_t first = value + 1, end = doc->values[value].next;
    size_t bytes = doc->values[value].end - doc->values[value].start;
    if (!take_steps(steps, 2 * (uint64_t)(end - value) + bytes / 8))
        return NULL;
    uint64_t *hashes = gh_arena_zalloc(arena, end - value, sizeof(*hashes));
    if (!hashes)
        return NULL;
    for (uint32_t i = end; i-- > first;) {
        bool is_container =
            doc->values[i].kind == GH_JSON_ARRAY || doc->values[i].kind == GH_JSON_OBJECT;
        hashes[i - first] =
            is_container ? hash_container(doc, i, hashes, first) : hash_own(&doc->values[i]);
    }
    return hashes;
}

bool gh_json_hash(const struct gh_json_doc *doc, uint32_t value, struct gh_arena *arena,
                  uint64_t *steps, uint64_t *out_hash)
{
    const struct gh_json_value *at = &doc->values[value];
    if (at->kind != GH_JSON_ARRAY && at->kind != GH_JSON_OBJECT) {
        if (!take_steps(steps, 1 + (at->end - at->start) / 8))
            return false;
        *out_hash = hash_own(at);
        return true;
    }
    const uint64_t *hashes = gh_json_child_hashes(doc, value, arena, steps);
    if (!hashes)
        return false;
    *out_hash = hash_container(doc, value, hashes, value + 1);
    return true;
}

struct comparison {
    const struct gh_json_doc *a, *b;
    uint64_t *steps;
};

static bool equal_numbers(const struct gh_json_value *x, const struct gh_json_value *y)
{
    if (gh_str_eq(x->text, y->text))
        return true;
    struct gh_decimal a = gh_decimal_read(x->text), b = gh_decimal_read(y->text);
    return gh_decimal_compare(&a, &b) == 0;
}

static bool equal_values(const struct comparison *comparison, uint32_t x, uint32_t y,
                         unsigned depth);

/* Members mostly come in the same order, so the one at the same place is tried first. */
static bool equal_objects(const struct comparison *comparison, uint32_t x, uint32_t y,
                          unsigned depth)
{
    const struct gh_json_value *a = comparison->a->values, *b = comparison->b->values;
    uint32_t other = y + 1;
    for (uint32_t at = x + 1; at < a[x].next; at = a[at].next, other = b[other].next) {
        uint32_t found = other;
        if (a[at].name_hash != b[other].name_hash || !gh_str_eq(a[at].name, b[other].name)) {
            if (!take_steps(comparison->steps, b[y].count))
                return false;
            const struct gh_json_value *member = gh_json_get(comparison->b, &b[y], a[at].name);
            if (!member)
                return false;
            found = (uint32_t)(member - b);
        }
        if (!equal_values(comparison, at, found, depth + 1))
            return false;
    }
    return true;
}

static bool equal_values(const struct comparison *comparison, uint32_t x, uint32_t y,
                         unsigned depth)
{
    const struct gh_json_value *a = &comparison->a->values[x], *b = &comparison->b->values[y];
    if (depth > DEPTH_MAX)
        *comparison->steps = 0;
    if (a->kind != b->kind || !take_steps(comparison->steps, 1 + (a->end - a->start) / 64))
        return false;
    switch (a->kind) {
    case GH_JSON_NULL:
        return true;
    case GH_JSON_BOOL:
        return a->boolean == b->boolean;
    case GH_JSON_NUMBER:
        return equal_numbers(a, b);
    case GH_JSON_STRING:
        return gh_str_eq(a->text, b->text);
    case GH_JSON_ARRAY:
    case GH_JSON_OBJECT:
        break;
    }
    if (a->count != b->count)
        return false;
    if (a->kind == GH_JSON_OBJECT)
        return equal_objects(comparison, x, y, depth);
    for (x++, y++; x < a->next;
         x = comparison->a->values[x].next, y = comparison->b->values[y].next) {
        if (!equal_values(comparison, x, y, depth + 1))
            return false;
    }
    return true;
}

bool gh_json_equal(const struct gh_json_doc *a, uint32_t x, const struct gh_json_doc *b, uint32_t y,
                   uint64_t *steps)
{
    struct comparison comparison = {a, b, steps};
    return equal_values(&comparison, x, y, 0);
}
