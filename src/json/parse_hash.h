/* The hash of names; see gh_json_name_hash. For parse*.c only. */
#ifndef GH_JSON_PARSE_HASH_H
#define GH_JSON_PARSE_HASH_H

#include "json/parse.h"
#include "json/parse_scan.h"

#define GH_JSON_HASH_STEP 16

__extension__ typedef unsigned __int128 gh_json_u128;

/* Sixteen bytes of a name. */
struct gh_json_hash_words {
    uint64_t words[2];
};

/* Where a short name has no byte. */
static inline uint64_t gh_json_hash_begin(struct gh_str name)
{
    return (uint64_t)name.len << 56;
}

static inline uint64_t gh_json_hash_mix(uint64_t hash, struct gh_json_hash_words step)
{
    gh_json_u128 product = (gh_json_u128)(hash ^ step.words[0] ^ 0x9e3779b97f4a7c15u) *
                           (step.words[1] ^ 0xd6e8feb86659fd93u);
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint32_t gh_json_hash_end(uint64_t hash)
{
    return (uint32_t)(hash ^ hash >> 32);
}

/* The last bytes of a name, sixteen at most, with zeros behind them. */
static inline struct gh_json_hash_words gh_json_hash_load(struct gh_str rest)
{
    struct gh_json_hash_words step = {{0, 0}};
    if (rest.len)
        memcpy(&step, rest.ptr, rest.len);
    return step;
}

#if defined(__SSE2__)

/* The same where sixteen bytes can be read, without a branch on the length. */
static inline struct gh_json_hash_words gh_json_hash_load_within(struct gh_str rest)
{
    static const uint8_t MASKS[2 * GH_JSON_HASH_STEP] = {255, 255, 255, 255, 255, 255, 255, 255,
                                                         255, 255, 255, 255, 255, 255, 255, 255};
    struct gh_json_hash_words step;
    const char *mask = (const char *)MASKS + GH_JSON_HASH_STEP - rest.len;
    __m128i bytes = _mm_and_si128(gh_json_load(rest.ptr), gh_json_load(mask));
    _mm_storeu_si128((__m128i *)(void *)&step, bytes);
    return step;
}

#else

static inline struct gh_json_hash_words gh_json_hash_load_within(struct gh_str rest)
{
    return gh_json_hash_load(rest);
}

#endif

/* gh_json_name_hash of a name in a text that can be read up to `end`. */
static inline uint32_t gh_json_hash_within(struct gh_str name, const char *end)
{
    if (name.len > GH_JSON_HASH_STEP || end - name.ptr < GH_JSON_HASH_STEP)
        return gh_json_name_hash(name);
    return gh_json_hash_end(
        gh_json_hash_mix(gh_json_hash_begin(name), gh_json_hash_load_within(name)));
}

/* Up to so many hashes are compared each with each. */
#define GH_JSON_FEW      16
#define GH_JSON_FEW_STEP 4

/* How many of four are equal to one of `count`. */
static inline uint32_t gh_json_count_equal_scalar(const uint32_t four[], const uint32_t hashes[],
                                                  uint32_t count)
{
    uint32_t equal = 0;
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t k = 0; k < GH_JSON_FEW_STEP; k++)
            equal += four[k] == hashes[i];
    }
    return equal;
}

#if defined(__SSE2__)

static inline uint32_t gh_json_count_equal(const uint32_t four[], const uint32_t hashes[],
                                           uint32_t count)
{
    __m128i step = _mm_loadu_si128((const __m128i *)(const void *)four),
            equal = _mm_setzero_si128();
    for (uint32_t i = 0; i < count; i++)
        equal = _mm_sub_epi32(equal, _mm_cmpeq_epi32(step, _mm_set1_epi32((int)hashes[i])));
    equal = _mm_add_epi32(equal, _mm_srli_si128(equal, 8));
    equal = _mm_add_epi32(equal, _mm_srli_si128(equal, 4));
    return (uint32_t)_mm_cvtsi128_si32(equal);
}

#else

static inline uint32_t gh_json_count_equal(const uint32_t four[], const uint32_t hashes[],
                                           uint32_t count)
{
    return gh_json_count_equal_scalar(four, hashes, count);
}

#endif

/* False: two are equal, or one is 0. The hashes behind `count` up to a whole
   step are overwritten. */
static inline bool gh_json_are_distinct(uint32_t hashes[], uint32_t count)
{
    uint32_t equal = 0;
    for (uint32_t i = count; i % GH_JSON_FEW_STEP; i++)
        hashes[i] = 0;
    /* Each is equal to itself; whatever is equal besides comes on top. */
    for (uint32_t i = 0; i < count; i += GH_JSON_FEW_STEP)
        equal += gh_json_count_equal(hashes + i, hashes + i, count - i);
    return equal == count;
}

#endif
