#include "http/field.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "base/assert.h"
#include "http/byte_class.h"

static const struct gh_str NAMES[GH_FIELD_ID_COUNT] = {[GH_FIELD_OTHER] = GH_STR_INIT(""),
#define X(id, name) [GH_FIELD_##id] = GH_STR_INIT(name),
                                                       GH_FIELD_NAMES(X)
#undef X
};

/*
 * One byte made of a name's length, first and last letter, for each id: looking a name up means
 * comparing its key with all of these at once, and then the few names (mostly none or one) that
 * share it. So a new line in GH_FIELD_NAMES needs no table to be made again.
 */
#define KEY_OF(len, first, last)                                                                   \
    ((uint8_t)((len)*11u + ((unsigned)(uint8_t)(first) | 0x20u) * 3u +                             \
               ((unsigned)(uint8_t)(last) | 0x20u) * 29u))

#define KEYS_PER_STEP 16
/* Whole steps, and room in the 64-bit set of candidates below. */
#define KEY_COUNT 64
_Static_assert(GH_FIELD_ID_COUNT <= KEY_COUNT, "more field names than bits in a candidate set");

static const uint8_t KEYS[KEY_COUNT] __attribute__((aligned(KEYS_PER_STEP))) = {
#define X(id, name) [GH_FIELD_##id] = KEY_OF(sizeof(name) - 1, (name)[0], (name)[sizeof(name) - 2]),
    GH_FIELD_NAMES(X)
#undef X
};

/* Bit n is set when KEYS[n] == key. */
static uint64_t candidates_of(uint8_t key)
{
    uint64_t found = 0;
#if defined(__SSE2__)
    const __m128i wanted = _mm_set1_epi8((char)key);
    for (int i = 0; i < KEY_COUNT; i += KEYS_PER_STEP) {
        __m128i keys = _mm_load_si128((const __m128i *)(const void *)(KEYS + i));
        found |= (uint64_t)(unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(keys, wanted)) << i;
    }
#else
    for (int i = 0; i < KEY_COUNT; i++)
        found |= (uint64_t)(KEYS[i] == key) << i;
#endif
    return found;
}

/*
 * Eight bytes against eight of a lower-case name. Bits may differ only where the name has a letter
 * (they, unlike digits and '-', have bit 6), and there only in bit 5, which is the case.
 */
static bool words_match(uint64_t bytes, uint64_t name)
{
    const uint64_t bit6 = UINT64_C(0x4040404040404040);
    return ((bytes ^ name) & ~((name & bit6) >> 1)) == 0;
}

static uint64_t load8(const char *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof(word));
    return word;
}

static bool matches(struct gh_str text, struct gh_str name)
{
    if (text.len != name.len)
        return false;
    if (text.len < 8)
        return gh_str_ieq(text, name);
    for (size_t i = 0; i + 8 < text.len; i += 8) {
        if (!words_match(load8(text.ptr + i), load8(name.ptr + i)))
            return false;
    }
    /* The last eight bytes, of which some may have been looked at already. */
    return words_match(load8(text.ptr + text.len - 8), load8(name.ptr + name.len - 8));
}

enum gh_field_id gh_field_id_of(struct gh_str name)
{
    if (name.len == 0)
        return GH_FIELD_OTHER;
    uint8_t key = KEY_OF((unsigned)name.len, name.ptr[0], name.ptr[name.len - 1]);
    uint64_t left = candidates_of(key);
    while (left) {
        int id = __builtin_ctzll(left);
        if (id < GH_FIELD_ID_COUNT && matches(name, NAMES[id]))
            return (enum gh_field_id)id;
        left &= left - 1;
    }
    return GH_FIELD_OTHER;
}

struct gh_str gh_field_name(enum gh_field_id id)
{
    GH_ASSERT((unsigned)id < GH_FIELD_ID_COUNT);
    return NAMES[id];
}

void gh_fields_init(struct gh_fields *fields, struct gh_field *items, size_t cap)
{
    GH_ASSERT(cap <= GH_FIELDS_MAX);
    *fields = (struct gh_fields){.items = items, .cap = cap};
}

bool gh_fields_add(struct gh_fields *fields, struct gh_str name, struct gh_str value)
{
    if (fields->count == fields->cap)
        return false;
    enum gh_field_id id = gh_field_id_of(name);
    fields->items[fields->count++] = (struct gh_field){.name = name, .value = value, .id = id};
    if (id != GH_FIELD_OTHER && fields->first[id] == 0)
        fields->first[id] = (uint8_t)fields->count;
    return true;
}

static struct gh_field *find_from(const struct gh_fields *fields, enum gh_field_id id, size_t from)
{
    for (size_t i = from; i < fields->count; i++) {
        if (fields->items[i].id == id && !fields->items[i].dropped)
            return &fields->items[i];
    }
    return NULL;
}

struct gh_field *gh_fields_find(const struct gh_fields *fields, enum gh_field_id id)
{
    GH_ASSERT((unsigned)id < GH_FIELD_ID_COUNT);
    size_t first = fields->first[id];
    return first ? find_from(fields, id, first - 1) : NULL;
}

struct gh_field *gh_fields_find_next(const struct gh_fields *fields,
                                     const struct gh_field *previous)
{
    return find_from(fields, previous->id, (size_t)(previous - fields->items) + 1);
}

struct gh_str gh_fields_value(const struct gh_fields *fields, enum gh_field_id id)
{
    const struct gh_field *field = gh_fields_find(fields, id);
    return field ? field->value : (struct gh_str){NULL, 0};
}

void gh_fields_drop(struct gh_fields *fields, enum gh_field_id id)
{
    struct gh_field *field = gh_fields_find(fields, id);
    while (field) {
        field->dropped = true;
        field = gh_fields_find_next(fields, field);
    }
}

bool gh_is_token_char(char c)
{
    return gh_byte_is(c, GH_BYTE_TOKEN);
}

bool gh_is_token(struct gh_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (!gh_byte_is(s.ptr[i], GH_BYTE_TOKEN))
            return false;
    }
    return s.len > 0;
}
