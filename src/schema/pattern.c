#include "schema/pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

/* A character becomes at most a class of all that is no white space. */
#define TRANSLATED_PER_BYTE 16
#define TRANSLATED_EXTRA    512
#define PATTERN_BYTES_MAX   4096
#define CHECK_BYTES_MAX     (4u << 20)
/* Frames of backtracking that one match may keep. */
#define MATCH_KIB_MAX 512
/* Units of PCRE2's match limit for a first try. */
#define FIRST_LIMIT    64
#define LIMIT_PER_BYTE 4
#define LIMIT_GROWTH   8
#define LIMIT_MAX      100000000u

struct gh_pattern_space {
    struct gh_arena *arena;
    pcre2_general_context *general;
    pcre2_compile_context *context;
};

struct gh_pattern {
    pcre2_code *code;
    const struct gh_pattern_plain *plain; /* does the same; or NULL */
    bool is_quadratic; /* what PCRE2 doesn't count may take the square of the length */
};

static void *arena_malloc(size_t size, void *arena)
{
    return gh_arena_alloc(arena, size);
}

static void arena_free(void *memory, void *arena)
{
    (void)memory;
    (void)arena;
}

struct gh_pattern_space *gh_pattern_space_new(struct gh_arena *arena)
{
    struct gh_pattern_space *space = gh_arena_zalloc(arena, 1, sizeof(*space));
    if (!space)
        return NULL;
    space->arena = arena;
    space->general = pcre2_general_context_create(arena_malloc, arena_free, arena);
    if (space->general)
        space->context = pcre2_compile_context_create(space->general);
    if (!space->context)
        return NULL;
    pcre2_set_newline(space->context, PCRE2_NEWLINE_LF);
    pcre2_set_bsr(space->context, PCRE2_BSR_ANYCRLF);
    return space;
}

static enum gh_err compile(struct gh_pattern_space *space, struct gh_pattern *pattern,
                           struct gh_str text, struct gh_str *out_reason)
{
    struct gh_pattern_facts facts;
    int code = 0;
    PCRE2_SIZE offset = 0;
    if (text.len > PATTERN_BYTES_MAX) {
        *out_reason = GH_STR("It is longer than 4096 bytes.");
        return GH_ERR_INVALID;
    }
    size_t cap = text.len * TRANSLATED_PER_BYTE + TRANSLATED_EXTRA;
    char *memory = gh_arena_alloc(space->arena, cap);
    if (!memory)
        return GH_ERR_MEMORY;
    struct gh_buf buf = gh_buf_over(memory, cap);
    if (!gh_pattern_translate(text, &buf, &facts, out_reason))
        return GH_ERR_INVALID;
    pattern->is_quadratic = facts.repeats + !facts.is_anchored >= 2;
    pattern->code =
        pcre2_compile((PCRE2_SPTR)buf.ptr, buf.len,
                      PCRE2_UTF | PCRE2_NO_UTF_CHECK | PCRE2_DOLLAR_ENDONLY |
                          PCRE2_MATCH_UNSET_BACKREF | PCRE2_NEVER_BACKSLASH_C | PCRE2_NEVER_UCP,
                      &code, &offset, space->context);
    if (pattern->code)
        return GH_OK;
    if (code == PCRE2_ERROR_NOMEMORY || code == 121 /* failed to allocate heap memory */)
        return GH_ERR_MEMORY;
    char message[160];
    int len = pcre2_get_error_message(code, (PCRE2_UCHAR *)message, sizeof(message));
    *out_reason = gh_arena_format(space->arena, "The engine says: %s.",
                                  len < 0 ? "it can't be used" : message);
    return out_reason->ptr ? GH_ERR_INVALID : GH_ERR_MEMORY;
}

enum gh_err gh_pattern_compile(struct gh_pattern_space *space, struct gh_str text,
                               const struct gh_pattern **out_pattern, struct gh_str *out_reason)
{
    struct gh_pattern *pattern = gh_arena_zalloc(space->arena, 1, sizeof(*pattern));
    if (!pattern)
        return GH_ERR_MEMORY;
    enum gh_err err = compile(space, pattern, text, out_reason);
    if (err != GH_OK)
        return err;
    pattern->plain = gh_pattern_plain_read(text, space->arena);
    *out_pattern = pattern;
    return GH_OK;
}

bool gh_pattern_is_valid(struct gh_str text)
{
    struct gh_arena arena;
    struct gh_pattern pattern;
    struct gh_str reason;
    gh_arena_init(&arena, 16 * 1024, CHECK_BYTES_MAX);
    struct gh_pattern_space *space = gh_pattern_space_new(&arena);
    bool valid = space && compile(space, &pattern, text, &reason) == GH_OK;
    gh_arena_done(&arena);
    return valid;
}

static bool prepare(struct gh_pattern_scratch *scratch)
{
    if (scratch->data)
        return true;
    scratch->general = pcre2_general_context_create(arena_malloc, arena_free, scratch->arena);
    if (!scratch->general)
        return false;
    scratch->context = pcre2_match_context_create(scratch->general);
    if (!scratch->context)
        return false;
    pcre2_set_heap_limit(scratch->context, MATCH_KIB_MAX);
    scratch->data = pcre2_match_data_create(1, scratch->general);
    return scratch->data;
}

/* In steps of about 10 ns. */
static uint64_t price(const struct gh_pattern *pattern, struct gh_str text, uint64_t limit)
{
    return pattern->is_quadratic ? limit + limit * text.len / 256 : 16 + limit / 16;
}

static enum gh_pattern_result match_plain(const struct gh_pattern_plain *plain, struct gh_str text,
                                          uint64_t *steps)
{
    uint64_t taken = 1 + text.len / 8;
    if (taken > *steps) {
        *steps = 0;
        return GH_PATTERN_TOO_COMPLEX;
    }
    *steps -= taken;
    return gh_pattern_plain_match(plain, text) ? GH_PATTERN_MATCH : GH_PATTERN_NO_MATCH;
}

enum gh_pattern_result gh_pattern_match(const struct gh_pattern *pattern, struct gh_str text,
                                        struct gh_pattern_scratch *scratch, uint64_t *steps)
{
    uint64_t limit = FIRST_LIMIT + (uint64_t)text.len * LIMIT_PER_BYTE;
    if (pattern->plain)
        return match_plain(pattern->plain, text, steps);
    if (!prepare(scratch))
        return GH_PATTERN_NO_MEMORY;
    for (; limit <= LIMIT_MAX; limit *= LIMIT_GROWTH) {
        uint64_t taken = price(pattern, text, limit);
        if (taken > *steps)
            break;
        *steps -= taken;
        pcre2_set_match_limit(scratch->context, (uint32_t)limit);
        pcre2_set_depth_limit(scratch->context, (uint32_t)limit);
        int result = pcre2_match(pattern->code, (PCRE2_SPTR)(text.ptr ? text.ptr : ""), text.len, 0,
                                 PCRE2_NO_UTF_CHECK, scratch->data, scratch->context);
        if (result >= 0)
            return GH_PATTERN_MATCH;
        if (result == PCRE2_ERROR_NOMATCH)
            return GH_PATTERN_NO_MATCH;
        if (result == PCRE2_ERROR_NOMEMORY)
            return GH_PATTERN_NO_MEMORY;
        if (result != PCRE2_ERROR_MATCHLIMIT && result != PCRE2_ERROR_DEPTHLIMIT)
            break;
    }
    *steps = 0;
    return GH_PATTERN_TOO_COMPLEX;
}
