/*
 * Any bytes as cursors of the audit log's chains. Properties: what is read is in order and within
 * its bounds; written again it reads back the same, and is then written the same.
 */
#include "base/assert.h"
#include "identity/audit_chains.h"
#include "json/canonical.h"

enum { CURSORS_MAX = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct gh_str write(const struct gh_audit_cursors *cursors, char *memory, size_t size)
{
    struct gh_buf buf = gh_buf_over(memory, size);
    gh_audit_cursors_put(&buf, cursors);
    GH_ASSERT(!buf.overflow);
    return gh_buf_str(&buf);
}

static void check(struct gh_arena *arena, const struct gh_audit_cursors *cursors)
{
    char first_memory[GH_AUDIT_CURSORS_BYTES_MAX(CURSORS_MAX)],
        second_memory[GH_AUDIT_CURSORS_BYTES_MAX(CURSORS_MAX)];
    struct gh_audit_cursors again;
    GH_ASSERT(cursors->count > 0 && cursors->count <= CURSORS_MAX);
    struct gh_str first = write(cursors, first_memory, sizeof(first_memory));
    GH_ASSERT(gh_audit_cursors_parse(arena, first, CURSORS_MAX, &again));
    GH_ASSERT(again.count == cursors->count);
    for (size_t i = 0; i < again.count; i++) {
        const struct gh_audit_cursor *one = &cursors->items[i];
        GH_ASSERT(one->chain > 0 && (!i || one[-1].chain < one->chain));
        GH_ASSERT(one->seq <= GH_JSON_SAFE_INTEGER_MAX);
        GH_ASSERT(again.items[i].chain == one->chain && again.items[i].seq == one->seq);
        GH_ASSERT(gh_audit_cursor_of(cursors, one->chain) == one->seq);
    }
    GH_ASSERT(gh_str_eq(first, write(&again, second_memory, sizeof(second_memory))));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gh_arena arena;
    struct gh_audit_cursors cursors;
    gh_arena_init(&arena, 4096, 64 * 1024);
    if (gh_audit_cursors_parse(&arena, gh_str_of((const char *)data, size), CURSORS_MAX, &cursors))
        check(&arena, &cursors);
    gh_arena_done(&arena);
    return 0;
}
