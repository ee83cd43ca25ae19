#include "limit/table.h"

#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/assert.h"

/* 64 locks keep two workers out of each other's way 98 times in 100; a small table has one shard,
   so that its few buckets serve all keys. */
#define SHARD_BITS        6
#define SHARD_BUCKETS_MIN 8
#define SLOTS_MAX         ((uint64_t)1 << 32)

/* From here on pages of 2 MiB, which spare a walk through the page tables for each decision. Small
   tables keep small pages, so that few clients cost little memory. */
#define HUGE_PAGES_BYTES_MIN ((size_t)128 << 20)

/* Spins before the thread gives its core away: the holder has lost its own. */
#define SPINS_MAX 200

enum gh_err gh_limit_table_open(size_t slot_count, struct gh_hash_key key,
                                struct gh_limit_table **out_table)
{
    if (slot_count == 0 || slot_count > SLOTS_MAX)
        return GH_ERR_INVALID;
    size_t buckets = (slot_count + GH_LIMIT_BUCKET_SLOTS - 1) / GH_LIMIT_BUCKET_SLOTS;
    unsigned shard_bits = buckets >> SHARD_BITS >= SHARD_BUCKETS_MIN ? SHARD_BITS : 0;
    size_t shard_count = (size_t)1 << shard_bits;
    size_t per_shard = (buckets + shard_count - 1) >> shard_bits;
    size_t bytes = (per_shard << shard_bits) * sizeof(struct gh_limit_bucket);

    size_t table_bytes =
        sizeof(struct gh_limit_table) + shard_count * sizeof(struct gh_limit_shard);
    struct gh_limit_table *table = aligned_alloc(alignof(struct gh_limit_table), table_bytes);
    if (!table)
        return GH_ERR_MEMORY;
    memset(table, 0, table_bytes);
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) {
        free(table);
        return GH_ERR_MEMORY;
    }
    if (bytes >= HUGE_PAGES_BYTES_MIN)
        madvise(memory, bytes, MADV_HUGEPAGE); /* a wish */
    table->key = key;
    table->buckets = memory;
    table->buckets_per_shard = per_shard;
    table->shard_bits = shard_bits;
    table->mapped_bytes = bytes;
    *out_table = table;
    return GH_OK;
}

void gh_limit_table_close(struct gh_limit_table *table)
{
    if (!table)
        return;
    munmap(table->buckets, table->mapped_bytes);
    free(table);
}

struct gh_hash_key gh_limit_table_key(const struct gh_limit_table *table)
{
    return table->key;
}

/* `hash` scaled to 0 .. count - 1 by its high bits (Lemire, "Fast random integer generation in an
   interval", 2019). */
static size_t scale(uint32_t hash, size_t count)
{
    return (size_t)((uint64_t)hash * count >> 32);
}

struct gh_limit_spot gh_limit_table_spot(const struct gh_limit_table *table, struct gh_hash128 key)
{
    struct gh_limit_spot spot = {.tag = key.lo ? key.lo : 1};
    spot.shard = (unsigned)(key.hi & (((uint64_t)1 << table->shard_bits) - 1));
    struct gh_limit_bucket *buckets = table->buckets + spot.shard * table->buckets_per_shard;
    spot.start = (unsigned)(key.hi >> SHARD_BITS) & (GH_LIMIT_BUCKET_SLOTS - 1);
    spot.first = buckets + scale((uint32_t)(key.hi >> 32), table->buckets_per_shard);
    spot.second = buckets + scale((uint32_t)(key.lo >> 32), table->buckets_per_shard);
    return spot;
}

void gh_limit_prefetch(const struct gh_limit_table *table, struct gh_hash128 key)
{
    struct gh_limit_spot spot = gh_limit_table_spot(table, key);
    __builtin_prefetch(&spot.first->slots[spot.start], 1);
}

void gh_limit_shard_lock(struct gh_limit_shard *shard)
{
    unsigned spins = 0;
    while (atomic_exchange_explicit(&shard->locked, true, memory_order_acquire)) {
        while (atomic_load_explicit(&shard->locked, memory_order_relaxed)) {
            if (++spins % SPINS_MAX == 0)
                sched_yield();
#if defined(__x86_64__)
            __builtin_ia32_pause();
#endif
        }
    }
}

void gh_limit_shard_unlock(struct gh_limit_shard *shard)
{
    atomic_store_explicit(&shard->locked, false, memory_order_release);
}

static struct gh_limit_slot *slot_at(const struct gh_limit_spot *spot,
                                     struct gh_limit_bucket *bucket, unsigned i)
{
    return &bucket->slots[spot->start ^ i];
}

/* True when the search is over: enough found, or an empty slot seen. */
static bool find_in(const struct gh_limit_spot *spot, struct gh_limit_bucket *bucket,
                    size_t count_max, struct gh_limit_view *view)
{
    for (unsigned i = 0; i < GH_LIMIT_BUCKET_SLOTS; i++) {
        struct gh_limit_slot *slot = slot_at(spot, bucket, i);
        if (slot->tag == 0)
            return true;
        if (slot->tag != spot->tag)
            continue;
        view->entries[view->count++] = &slot->entry;
        if (view->count == count_max)
            return true;
    }
    return false;
}

void gh_limit_table_find(const struct gh_limit_spot *spot, size_t count_max,
                         struct gh_limit_view *out_view)
{
    out_view->count = 0;
    if (!find_in(spot, spot->first, count_max, out_view) && spot->second != spot->first)
        find_in(spot, spot->second, count_max, out_view);
}

uint64_t gh_limit_entry_idle_at_ms(const struct gh_limit_entry *entry)
{
    uint64_t offset = 0;
    switch ((enum gh_limit_form)entry->form) {
    case GH_LIMIT_FORM_NONE:
        return 0;
    case GH_LIMIT_LOG:
        for (int cell = 0; cell < GH_LIMIT_LOG_CELLS; cell++)
            offset = entry->expiry[cell] > offset ? entry->expiry[cell] : offset;
        return gh_limit_entry_base_ms(entry) + offset;
    case GH_LIMIT_SUBWINDOWS:
        return gh_limit_entry_base_ms(entry) + entry->sub.idle_offset;
    case GH_LIMIT_TAT:
        return gh_limit_gcra_idle_at_ms(entry);
    }
    return 0;
}

/* The slots of both buckets, the first one's first; NULL when there is only one bucket. */
static struct gh_limit_slot *any_slot(const struct gh_limit_spot *spot, unsigned i)
{
    if (i < GH_LIMIT_BUCKET_SLOTS)
        return slot_at(spot, spot->first, i);
    return spot->first == spot->second ? NULL
                                       : slot_at(spot, spot->second, i - GH_LIMIT_BUCKET_SLOTS);
}

/* Whether the key that the entry belongs to is being refused now. Sub-windows, and logs that are
   spread over several entries, say so from their last charge until they are idle. */
static bool refuses(const struct gh_limit_entry *entry, uint64_t now_ms)
{
    switch ((enum gh_limit_form)entry->form) {
    case GH_LIMIT_FORM_NONE:
        return false;
    case GH_LIMIT_LOG:
        return entry->full || gh_limit_log_live(entry, now_ms) >= entry->count_max;
    case GH_LIMIT_SUBWINDOWS:
        return entry->full;
    case GH_LIMIT_TAT:
        return gh_limit_gcra_refuses(entry, now_ms);
    }
    return false;
}

static bool is_pinned(uint64_t tag, const struct gh_limit_spot *pinned, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (pinned[i].tag == tag)
            return true;
    }
    return false;
}

static void count_up(_Atomic uint64_t *counter)
{
    uint64_t value = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, value + 1, memory_order_relaxed); /* the lock is held */
}

static struct gh_limit_entry *claim(struct gh_limit_slot *slot, uint64_t tag)
{
    *slot = (struct gh_limit_slot){.tag = tag};
    return &slot->entry;
}

/* The one nearest to idle that may go, or NULL. */
static struct gh_limit_slot *find_victim(const struct gh_limit_spot *spot, uint64_t now_ms,
                                         const struct gh_limit_spot *pinned, size_t pinned_count)
{
    struct gh_limit_slot *victim = NULL;
    uint64_t victim_idle_ms = UINT64_MAX;
    for (unsigned i = 0; i < 2 * GH_LIMIT_BUCKET_SLOTS; i++) {
        struct gh_limit_slot *slot = any_slot(spot, i);
        if (!slot)
            break;
        uint64_t idle_ms = gh_limit_entry_idle_at_ms(&slot->entry);
        if (idle_ms >= victim_idle_ms || is_pinned(slot->tag, pinned, pinned_count) ||
            refuses(&slot->entry, now_ms))
            continue;
        victim = slot;
        victim_idle_ms = idle_ms;
    }
    return victim;
}

struct gh_limit_entry *gh_limit_table_place(struct gh_limit_shard *shard,
                                            const struct gh_limit_spot *spot, uint64_t now_ms,
                                            const struct gh_limit_spot *pinned, size_t pinned_count)
{
    for (unsigned i = 0; i < 2 * GH_LIMIT_BUCKET_SLOTS; i++) {
        struct gh_limit_slot *slot = any_slot(spot, i);
        if (!slot)
            break;
        if (slot->tag == 0)
            count_up(&shard->entries);
        if (slot->tag == 0 || gh_limit_entry_idle_at_ms(&slot->entry) <= now_ms)
            return claim(slot, spot->tag);
    }
    struct gh_limit_slot *victim = find_victim(spot, now_ms, pinned, pinned_count);
    count_up(victim ? &shard->evictions : &shard->unrecorded);
    return victim ? claim(victim, spot->tag) : NULL;
}

struct gh_limit_stats gh_limit_table_stats(const struct gh_limit_table *table)
{
    struct gh_limit_stats stats = {0};
    for (size_t i = 0; i < (size_t)1 << table->shard_bits; i++) {
        const struct gh_limit_shard *shard = &table->shards[i];
        stats.entries += atomic_load_explicit(&shard->entries, memory_order_relaxed);
        stats.evictions += atomic_load_explicit(&shard->evictions, memory_order_relaxed);
        stats.unrecorded += atomic_load_explicit(&shard->unrecorded, memory_order_relaxed);
    }
    return stats;
}
