/*
 * An arena: memory that lives and dies together, with a cap.
 *
 * Used for a request, a job, and the frozen settings. Nothing is freed alone; `reset` wipes what
 * was used and keeps the first block for the next user. Passing an arena to a function says that
 * its result lives there.
 */
#ifndef GH_BASE_ARENA_H
#define GH_BASE_ARENA_H

#include "base/str.h"

struct gh_arena_block;

struct gh_arena {
    struct gh_arena_block *first; /* kept over reset */
    struct gh_arena_block *current;
    char *at, *end;         /* the free part of the current block */
    size_t block_bytes;     /* size of a block, larger objects get their own */
    size_t allocated_bytes; /* of all blocks */
    size_t allocated_max;   /* the cap: an allocation that would pass it fails */
};

/* Takes no memory yet. `block_bytes` is the unit of growth, `allocated_max` the cap in bytes. */
void gh_arena_init(struct gh_arena *arena, size_t block_bytes, size_t allocated_max);
/* Gives all memory back, wiped. The arena may be used again after `init`. */
void gh_arena_done(struct gh_arena *arena);
/* Wipes all that was handed out and frees all blocks but the first. */
void gh_arena_reset(struct gh_arena *arena);

/* `size` bytes aligned for any object, uninitialised; NULL over the cap or without memory. */
void *gh_arena_alloc(struct gh_arena *arena, size_t size);
/* The same, zeroed, for `count` objects of `size` bytes; the product is checked. */
void *gh_arena_zalloc(struct gh_arena *arena, size_t count, size_t size);
/* A copy of the bytes with a NUL behind them (not counted); ptr == NULL on failure. */
struct gh_str gh_arena_dup(struct gh_arena *arena, struct gh_str s);
/* printf into the arena; ptr == NULL on failure. */
struct gh_str gh_arena_format(struct gh_arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
