#include "gateway/h2_slots.h"

#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/assert.h"
#include "base/poison.h"
#include "http/h2_codec.h"

#define SLOTS_OF_CHUNK 32
#define CHUNK_BYTES    (SLOTS_OF_CHUNK * GH_H2_SLOT_BYTES)
/* Free slots whose pages are kept, for the next connections. */
#define WARM_SLOTS 64

struct chunk {
    struct chunk *next;
    char *bytes;
};

struct gh_h2_slots {
    struct chunk *chunks;
    char **free_slots; /* room for all that there are; the last one is lent next */
    size_t free_count, slot_count;
};

struct gh_h2_slots *gh_h2_slots_open(void)
{
    return calloc(1, sizeof(struct gh_h2_slots));
}

void gh_h2_slots_close(struct gh_h2_slots *slots)
{
    GH_ASSERT(slots->free_count == slots->slot_count);
    while (slots->chunks) {
        struct chunk *chunk = slots->chunks;
        slots->chunks = chunk->next;
        gh_unpoison(chunk->bytes, CHUNK_BYTES);
        munmap(chunk->bytes, CHUNK_BYTES);
        free(chunk);
    }
    free(slots->free_slots);
    free(slots);
}

static bool add_chunk(struct gh_h2_slots *slots)
{
    size_t count = slots->slot_count + SLOTS_OF_CHUNK;
    char **free_slots = realloc(slots->free_slots, count * sizeof(*free_slots));
    if (!free_slots)
        return false;
    slots->free_slots = free_slots;
    struct chunk *chunk = malloc(sizeof(*chunk));
    if (!chunk)
        return false;
    chunk->bytes =
        mmap(NULL, CHUNK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (chunk->bytes == MAP_FAILED) {
        free(chunk);
        return false;
    }
    /* A huge page would be touched as a whole. Where it is refused, memory is all it costs. */
    (void)madvise(chunk->bytes, CHUNK_BYTES, MADV_NOHUGEPAGE);
    gh_poison(chunk->bytes, CHUNK_BYTES);
    chunk->next = slots->chunks;
    slots->chunks = chunk;
    for (size_t i = SLOTS_OF_CHUNK; i-- > 0;)
        free_slots[slots->free_count++] = chunk->bytes + i * GH_H2_SLOT_BYTES;
    slots->slot_count = count;
    return true;
}

void *gh_h2_slots_take(struct gh_h2_slots *slots)
{
    if (!slots->free_count && !add_chunk(slots))
        return NULL;
    char *slot = slots->free_slots[--slots->free_count];
    gh_unpoison(slot, GH_H2_SLOT_BYTES);
    return slot;
}

void gh_h2_slots_give(struct gh_h2_slots *slots, void *slot)
{
    if (!slot)
        return;
    gh_poison(slot, GH_H2_SLOT_BYTES);
    if (slots->free_count >= WARM_SLOTS)
        (void)madvise(slot, GH_H2_SLOT_BYTES, MADV_DONTNEED);
    slots->free_slots[slots->free_count++] = slot;
}
