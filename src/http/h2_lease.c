#include "http/h2_lease.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/poison.h"
#include "http/h2_codec.h"

#define ALIGNMENT 16

/* Stands before each block in a slot: realloc has to know how much to copy. */
union block_head {
    size_t bytes;
    char aligned[ALIGNMENT];
};

struct gh_h2_lease gh_h2_lease_begin(void *slot)
{
    if (slot)
        gh_unpoison(slot, GH_H2_SLOT_BYTES);
    return (struct gh_h2_lease){.slot = slot, .filling = slot};
}

static bool is_in_slot(const struct gh_h2_lease *lease, const void *block)
{
    return lease->slot && (uintptr_t)block - (uintptr_t)lease->slot < GH_H2_SLOT_BYTES;
}

static const union block_head *head_of(const void *block)
{
    return (const union block_head *)block - 1;
}

static size_t aligned(size_t bytes)
{
    return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

void *gh_h2_lease_alloc(struct gh_h2_lease *lease, size_t bytes)
{
    size_t left = GH_H2_SLOT_BYTES - lease->used;
    if (!lease->filling || left < sizeof(union block_head) ||
        bytes > left - sizeof(union block_head))
        return malloc(bytes);
    union block_head *head = (union block_head *)(void *)(lease->slot + lease->used);
    head->bytes = bytes;
    /* Never beyond the slot: it is whole alignments long. */
    lease->used += sizeof(*head) + aligned(bytes);
    return head + 1;
}

/* A hole in a slot stays until its session ends. */
void gh_h2_lease_free(struct gh_h2_lease *lease, void *block)
{
    if (is_in_slot(lease, block))
        gh_poison(block, aligned(head_of(block)->bytes));
    else
        free(block);
}

static void *on_malloc(size_t bytes, void *lease)
{
    return gh_h2_lease_alloc(lease, bytes);
}

static void on_free(void *block, void *lease)
{
    gh_h2_lease_free(lease, block);
}

static void *on_calloc(size_t count, size_t bytes, void *lease)
{
    size_t all;
    if (!((struct gh_h2_lease *)lease)->filling)
        return calloc(count, bytes);
    if (__builtin_mul_overflow(count, bytes, &all))
        return NULL;
    void *block = gh_h2_lease_alloc(lease, all);
    if (block)
        memset(block, 0, all);
    return block;
}

static void *on_realloc(void *block, size_t bytes, void *lease)
{
    if (!is_in_slot(lease, block))
        return block ? realloc(block, bytes) : gh_h2_lease_alloc(lease, bytes);
    void *moved = malloc(bytes);
    if (moved) {
        size_t before = head_of(block)->bytes;
        memcpy(moved, block, before < bytes ? before : bytes);
        gh_poison(block, aligned(before));
    }
    return moved;
}

nghttp2_mem gh_h2_lease_hooks(struct gh_h2_lease *lease)
{
    return (nghttp2_mem){lease, on_malloc, on_free, on_calloc, on_realloc};
}
