/*
 * See revocation.h. A session is a keyed hash of 64 bits (it is random itself; two that share one
 * are one in 2^64, and cost the second a refresh) in one of the seven slots of its place. Slots are
 * written under a lock and read without; what readers rely on stands beside each store.
 */
#include "session/revocation.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/assert.h"

#define SLOTS_PER_PLACE 7
/* At capacity four of the seven slots are taken on average; one place in twenty folds. */
#define SESSIONS_PER_PLACE 4
#define CAPACITY_MAX       ((size_t)1 << 28)

/* `hash` 0: free. `times`: until_s in the upper half, added_s in the lower. */
struct slot {
    _Atomic uint64_t hash, times;
};

struct place {
    _Atomic uint64_t folded_s; /* 0: never */
    uint64_t unused;           /* 128 bytes, two cache lines */
    struct slot slots[SLOTS_PER_PLACE];
};

struct gh_revocations {
    struct gh_hash_key key;
    size_t place_mask;
    _Atomic uint64_t version;
    atomic_size_t count;
    uint64_t age_max_ms;         /* 0: nobody else revokes */
    _Atomic uint64_t learned_ms; /* one more than gh_revocations_learned was told; 0: never */
    pthread_mutex_t writing;
    struct place *places;
};

struct gh_revocations *gh_revocations_new(size_t capacity, struct gh_hash_key hash_key)
{
    size_t places = 1;
    if (capacity > CAPACITY_MAX)
        return NULL;
    while (places * SESSIONS_PER_PLACE < capacity)
        places *= 2;
    struct gh_revocations *revocations = calloc(1, sizeof(*revocations));
    if (!revocations)
        return NULL;
    /* Fresh pages of the kernel: they cost nothing until a session comes there. */
    revocations->places = calloc(places, sizeof(*revocations->places));
    if (!revocations->places || pthread_mutex_init(&revocations->writing, NULL) != 0) {
        free(revocations->places);
        free(revocations);
        return NULL;
    }
    revocations->key = hash_key;
    revocations->place_mask = places - 1;
    return revocations;
}

void gh_revocations_free(struct gh_revocations *revocations)
{
    if (!revocations)
        return;
    pthread_mutex_destroy(&revocations->writing);
    free(revocations->places);
    free(revocations);
}

static uint64_t hash_of(const struct gh_revocations *revocations, struct gh_str session_id)
{
    uint64_t hash = gh_hash64(revocations->key, session_id);
    return hash ? hash : 1;
}

static struct place *place_of(const struct gh_revocations *revocations, uint64_t hash)
{
    return &revocations->places[hash >> 32 & revocations->place_mask];
}

static uint32_t clamp_s(uint64_t seconds)
{
    return seconds < UINT32_MAX ? (uint32_t)seconds : UINT32_MAX;
}

static uint64_t until_of(uint64_t times)
{
    return times >> 32;
}

static uint64_t added_of(uint64_t times)
{
    return times & UINT32_MAX;
}

static uint64_t relaxed(const _Atomic uint64_t *value)
{
    return atomic_load_explicit(value, memory_order_relaxed);
}

/* The slot of `hash`; else a free or expired one; else the one that was added first. */
static struct slot *choose_slot(struct place *place, uint64_t hash, uint64_t now_s)
{
    struct slot *free_slot = NULL, *oldest = &place->slots[0];
    for (size_t i = 0; i < SLOTS_PER_PLACE; i++) {
        struct slot *slot = &place->slots[i];
        uint64_t held = relaxed(&slot->hash), times = relaxed(&slot->times);
        if (held == hash)
            return slot;
        if (!free_slot && (held == 0 || until_of(times) < now_s))
            free_slot = slot;
        if (added_of(times) < added_of(relaxed(&oldest->times)))
            oldest = slot;
    }
    return free_slot ? free_slot : oldest;
}

/* Every token of the session in `slot` was issued before it was added here. Readers look at the
   slots first and then at this, so they find the session in one or the other. */
static void fold(struct place *place, const struct slot *slot)
{
    uint64_t added_s = added_of(relaxed(&slot->times));
    if (added_s > relaxed(&place->folded_s))
        atomic_store_explicit(&place->folded_s, added_s, memory_order_release);
}

/* False: it stood there as long already. */
static bool put(struct gh_revocations *revocations, uint64_t hash, uint32_t until_s, uint32_t now_s)
{
    struct place *place = place_of(revocations, hash);
    struct slot *slot = choose_slot(place, hash, now_s);
    uint64_t held = relaxed(&slot->hash), times = relaxed(&slot->times);
    if (held == hash && until_of(times) >= until_s)
        return false;
    if (held == 0)
        atomic_fetch_add_explicit(&revocations->count, 1, memory_order_relaxed);
    else if (held != hash && until_of(times) >= now_s)
        fold(place, slot);
    /* Who still sees the old hash with the new times refuses a session that has ended anyway; who
       sees the new hash sees its times. */
    atomic_store_explicit(&slot->times, (uint64_t)until_s << 32 | now_s, memory_order_release);
    atomic_store_explicit(&slot->hash, hash, memory_order_release);
    return true;
}

void gh_revocations_add(struct gh_revocations *revocations, struct gh_str session_id,
                        uint64_t until_s, uint64_t now_s)
{
    uint64_t hash = hash_of(revocations, session_id);
    if (until_s < now_s)
        return;
    GH_ASSERT(pthread_mutex_lock(&revocations->writing) == 0);
    if (put(revocations, hash, clamp_s(until_s), clamp_s(now_s)))
        atomic_fetch_add_explicit(&revocations->version, 1, memory_order_release);
    GH_ASSERT(pthread_mutex_unlock(&revocations->writing) == 0);
}

bool gh_revocations_has(const struct gh_revocations *revocations, struct gh_str session_id,
                        uint64_t issued_s, uint64_t now_s)
{
    uint64_t hash = hash_of(revocations, session_id);
    const struct place *place = place_of(revocations, hash);
    for (size_t i = 0; i < SLOTS_PER_PLACE; i++) {
        const struct slot *slot = &place->slots[i];
        if (atomic_load_explicit(&slot->hash, memory_order_acquire) == hash &&
            until_of(atomic_load_explicit(&slot->times, memory_order_acquire)) >= now_s)
            return true;
    }
    uint64_t folded_s = atomic_load_explicit(&place->folded_s, memory_order_acquire);
    return folded_s && issued_s <= folded_s;
}

uint64_t gh_revocations_version(const struct gh_revocations *revocations)
{
    return atomic_load_explicit(&revocations->version, memory_order_acquire);
}

size_t gh_revocations_count(const struct gh_revocations *revocations)
{
    return atomic_load_explicit(&revocations->count, memory_order_relaxed);
}

void gh_revocations_share(struct gh_revocations *revocations, uint64_t age_max_ms)
{
    revocations->age_max_ms = age_max_ms;
}

/* Released behind the additions that it vouches for. */
void gh_revocations_learned(struct gh_revocations *revocations, uint64_t at_ms)
{
    uint64_t known = relaxed(&revocations->learned_ms);
    while (known < at_ms + 1 &&
           !atomic_compare_exchange_weak_explicit(&revocations->learned_ms, &known, at_ms + 1,
                                                  memory_order_release, memory_order_relaxed))
        ;
}

bool gh_revocations_is_current(const struct gh_revocations *revocations, uint64_t now_ms)
{
    if (!revocations->age_max_ms)
        return true;
    uint64_t known = atomic_load_explicit(&revocations->learned_ms, memory_order_acquire);
    /* A worker's clock is that of its turn, which may have begun before the reading. */
    return known && now_ms < known + revocations->age_max_ms;
}
