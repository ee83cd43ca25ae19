#include "base/arena.h"

#include <stdarg.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"

struct gh_arena_block {
    struct gh_arena_block *next;
    size_t size; /* of `bytes` */
    alignas(max_align_t) char bytes[];
};

static void enter_block(struct gh_arena *arena, struct gh_arena_block *block)
{
    arena->current = block;
    arena->at = block->bytes;
    arena->end = block->bytes + block->size;
}

void gh_arena_init(struct gh_arena *arena, size_t block_bytes, size_t allocated_max)
{
    *arena = (struct gh_arena){.block_bytes = block_bytes, .allocated_max = allocated_max};
}

static void free_blocks(struct gh_arena_block *block)
{
    while (block) {
        struct gh_arena_block *next = block->next;
        explicit_bzero(block->bytes, block->size);
        free(block);
        block = next;
    }
}

void gh_arena_done(struct gh_arena *arena)
{
    free_blocks(arena->first);
    gh_arena_init(arena, arena->block_bytes, arena->allocated_max);
}

void gh_arena_reset(struct gh_arena *arena)
{
    struct gh_arena_block *first = arena->first;
    if (!first)
        return;
    bool only_first = arena->current == first;
    explicit_bzero(first->bytes, only_first ? (size_t)(arena->at - first->bytes) : first->size);
    free_blocks(first->next);
    first->next = NULL;
    arena->allocated_bytes = first->size;
    enter_block(arena, first);
}

static bool add_block(struct gh_arena *arena, size_t size)
{
    size_t bytes = size > arena->block_bytes ? size : arena->block_bytes;
    if (bytes > arena->allocated_max - arena->allocated_bytes) {
        bytes = size; /* a last, smaller block may still fit under the cap */
        if (bytes > arena->allocated_max - arena->allocated_bytes)
            return false;
    }
    struct gh_arena_block *block = malloc(sizeof(*block) + bytes);
    if (!block)
        return false;
    block->next = NULL;
    block->size = bytes;
    if (arena->current)
        arena->current->next = block;
    else
        arena->first = block;
    arena->allocated_bytes += bytes;
    enter_block(arena, block);
    return true;
}

void *gh_arena_alloc(struct gh_arena *arena, size_t size)
{
    const size_t align = alignof(max_align_t);
    if (size > arena->allocated_max)
        return NULL;
    size = size ? (size + align - 1) & ~(align - 1) : align;
    if (!arena->at || size > (size_t)(arena->end - arena->at)) {
        if (!add_block(arena, size))
            return NULL;
    }
    void *result = arena->at;
    arena->at += size;
    return result;
}

void *gh_arena_zalloc(struct gh_arena *arena, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes))
        return NULL;
    void *result = gh_arena_alloc(arena, bytes);
    if (result)
        memset(result, 0, bytes);
    return result;
}

struct gh_str gh_arena_dup(struct gh_arena *arena, struct gh_str s)
{
    char *copy = s.len == SIZE_MAX ? NULL : gh_arena_alloc(arena, s.len + 1);
    if (!copy)
        return (struct gh_str){NULL, 0};
    if (s.len)
        memcpy(copy, s.ptr, s.len);
    copy[s.len] = '\0';
    return (struct gh_str){copy, s.len};
}

struct gh_str gh_arena_format(struct gh_arena *arena, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    GH_ASSERT(len >= 0);
    char *text = gh_arena_alloc(arena, (size_t)len + 1);
    if (text)
        vsnprintf(text, (size_t)len + 1, format, again);
    va_end(again);
    return (struct gh_str){text, text ? (size_t)len : 0};
}
