/*
 * Structured fields as lists, dictionaries and items. Properties: what parses can be written; what
 * is written parses, and is written the same again.
 */
#include "base/assert.h"
#include "http/sfv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TEXT_BYTES_MAX = 2048, WRITTEN_BYTES_MAX = 8 * TEXT_BYTES_MAX };

enum kind { LIST, DICTIONARY, ITEM, KIND_COUNT };

struct value {
    struct gh_sfv_list list;
    struct gh_sfv_item item;
};

static bool parse(enum kind kind, struct gh_str text, struct gh_arena *arena, struct value *value)
{
    if (kind == LIST)
        return gh_sfv_parse_list(text, arena, &value->list);
    if (kind == DICTIONARY)
        return gh_sfv_parse_dictionary(text, arena, &value->list);
    return gh_sfv_parse_item(text, arena, &value->item);
}

static struct gh_str write(enum kind kind, char *memory, const struct value *value)
{
    struct gh_buf buf = gh_buf_over(memory, WRITTEN_BYTES_MAX);
    bool ok = kind == LIST         ? gh_sfv_write_list(&buf, &value->list)
              : kind == DICTIONARY ? gh_sfv_write_dictionary(&buf, &value->list)
                                   : gh_sfv_write_item(&buf, &value->item);
    GH_ASSERT(ok);
    return gh_buf_str(&buf);
}

static void check(enum kind kind, struct gh_str text)
{
    static char first_memory[WRITTEN_BYTES_MAX], second_memory[WRITTEN_BYTES_MAX];
    struct gh_arena arena;
    struct value value, again;
    gh_arena_init(&arena, 1 << 14, 1 << 22);
    if (parse(kind, text, &arena, &value)) {
        struct gh_str first = write(kind, first_memory, &value);
        GH_ASSERT(parse(kind, first, &arena, &again));
        GH_ASSERT(gh_str_eq(write(kind, second_memory, &again), first));
        for (size_t i = 0; i < first.len; i++)
            GH_ASSERT(first.ptr[i] >= 0x20 && first.ptr[i] < 0x7f);
    }
    gh_arena_done(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > TEXT_BYTES_MAX)
        return 0;
    for (enum kind kind = LIST; kind < KIND_COUNT; kind++)
        check(kind, gh_str_of((const char *)data, size));
    return 0;
}
