/*
 * Writers take a lock. A reader looks before and after it reads a slot how often that was given to
 * another, so nobody is held for another's sanction.
 */
#include "limit/sanction.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#define WAYS            4
#define PACE_DEFAULT_MS 2000

struct slot {
    _Atomic uint64_t key;   /* 0: free */
    _Atomic uint64_t turns; /* how often it was given away */
    _Atomic uint64_t since_s[GH_SANCTION_KIND_COUNT], until_s[GH_SANCTION_KIND_COUNT];
    _Atomic uint64_t next_ms; /* when a slowed one may come again */
};

struct gh_sanctions {
    struct gh_hash_key key;
    _Atomic uint64_t last_s; /* when the last one ends */
    _Atomic uint64_t pace_ms;
    atomic_bool writing;
    size_t set_count;
    struct slot slots[];
};

struct gh_sanctions *gh_sanctions_new(size_t capacity, struct gh_hash_key key)
{
    size_t set_count = 1;
    while (set_count * WAYS < capacity)
        set_count *= 2;
    struct gh_sanctions *sanctions =
        calloc(1, sizeof(*sanctions) + set_count * WAYS * sizeof(struct slot));
    if (!sanctions)
        return NULL;
    sanctions->key = key;
    sanctions->set_count = set_count;
    atomic_init(&sanctions->pace_ms, PACE_DEFAULT_MS);
    return sanctions;
}

void gh_sanctions_free(struct gh_sanctions *sanctions)
{
    free(sanctions);
}

/* ---- Whom ---- */

/* `kind` keeps an account's id from ever being a network's bytes; 0 is the key of free slots. */
static uint64_t key_of(const struct gh_sanctions *sanctions, char kind, struct gh_str name)
{
    struct gh_hash_key key = sanctions->key;
    key.k1 ^= (uint64_t)(unsigned char)kind;
    uint64_t hash = gh_hash64(key, name);
    return hash ? hash : 1;
}

uint64_t gh_sanctions_network(const struct gh_sanctions *sanctions, const struct gh_ip *client)
{
    struct gh_ip network = gh_ip_mask(client, GH_SANCTION_V4_BITS, GH_SANCTION_V6_BITS);
    return key_of(sanctions, network.family == GH_IP_V4 ? '4' : '6',
                  gh_str_of((const char *)network.bytes, sizeof(network.bytes)));
}

uint64_t gh_sanctions_account(const struct gh_sanctions *sanctions, struct gh_str id)
{
    return key_of(sanctions, 'a', id);
}

static struct slot *set_of(const struct gh_sanctions *sanctions, uint64_t whom)
{
    size_t set = (size_t)(whom & (sanctions->set_count - 1));
    return (struct slot *)&sanctions->slots[set * WAYS];
}

static struct slot *find(const struct gh_sanctions *sanctions, uint64_t whom)
{
    struct slot *set = set_of(sanctions, whom);
    for (unsigned i = 0; i < WAYS; i++)
        if (atomic_load(&set[i].key) == whom)
            return &set[i];
    return NULL;
}

/* ---- Writing ---- */

static void lock(struct gh_sanctions *sanctions)
{
    while (atomic_exchange(&sanctions->writing, true))
        sched_yield();
}

static void unlock(struct gh_sanctions *sanctions)
{
    atomic_store(&sanctions->writing, false);
}

static uint64_t end_of(const struct slot *slot)
{
    uint64_t end = 0;
    for (unsigned kind = 0; kind < GH_SANCTION_KIND_COUNT; kind++)
        if (atomic_load(&slot->until_s[kind]) > end)
            end = atomic_load(&slot->until_s[kind]);
    return end;
}

static void wipe(struct slot *slot)
{
    atomic_store(&slot->key, 0);
    atomic_fetch_add(&slot->turns, 1);
    for (unsigned kind = 0; kind < GH_SANCTION_KIND_COUNT; kind++) {
        atomic_store(&slot->until_s[kind], 0);
        atomic_store(&slot->since_s[kind], 0);
    }
    atomic_store(&slot->next_ms, 0);
}

static struct slot *make_room(struct gh_sanctions *sanctions, uint64_t whom)
{
    struct slot *set = set_of(sanctions, whom), *first = &set[0];
    for (unsigned i = 1; i < WAYS; i++)
        if (end_of(&set[i]) < end_of(first))
            first = &set[i];
    wipe(first);
    return first;
}

void gh_sanctions_put(struct gh_sanctions *sanctions, uint64_t whom,
                      const struct gh_sanction_term *term)
{
    lock(sanctions);
    struct slot *slot = find(sanctions, whom);
    if (!slot)
        slot = make_room(sanctions, whom);
    uint64_t until_s = atomic_load(&slot->until_s[term->kind]);
    if (until_s <= term->since_s)
        atomic_store(&slot->since_s[term->kind], term->since_s);
    if (until_s < term->until_s)
        atomic_store(&slot->until_s[term->kind], term->until_s);
    atomic_store(&slot->key, whom);
    if (atomic_load(&sanctions->last_s) < term->until_s)
        atomic_store(&sanctions->last_s, term->until_s);
    unlock(sanctions);
}

void gh_sanctions_clear(struct gh_sanctions *sanctions)
{
    lock(sanctions);
    for (size_t i = 0; i < sanctions->set_count * WAYS; i++)
        wipe(&sanctions->slots[i]);
    atomic_store(&sanctions->last_s, 0);
    unlock(sanctions);
}

/* ---- Asking ---- */

bool gh_sanctions_any(const struct gh_sanctions *sanctions, uint64_t now_s)
{
    return atomic_load_explicit(&sanctions->last_s, memory_order_acquire) > now_s;
}

struct gh_sanction gh_sanctions_find(const struct gh_sanctions *sanctions, uint64_t whom,
                                     uint64_t now_s)
{
    struct gh_sanction found = {.since_s = {0}}, none = found;
    const struct slot *slot = find(sanctions, whom);
    if (!slot)
        return none;
    uint64_t turns = atomic_load(&slot->turns);
    if (atomic_load(&slot->key) != whom)
        return none;
    for (unsigned kind = 0; kind < GH_SANCTION_KIND_COUNT; kind++) {
        uint64_t until_s = atomic_load(&slot->until_s[kind]);
        if (until_s <= now_s)
            continue;
        found.until_s[kind] = until_s;
        found.since_s[kind] = atomic_load(&slot->since_s[kind]);
    }
    return atomic_load(&slot->turns) == turns ? found : none;
}

void gh_sanctions_set_pace(struct gh_sanctions *sanctions, uint64_t interval_ms)
{
    atomic_store(&sanctions->pace_ms, interval_ms);
}

bool gh_sanctions_pace(struct gh_sanctions *sanctions, uint64_t whom, uint64_t now_ms,
                       uint64_t *out_wait_ms)
{
    struct slot *slot = find(sanctions, whom);
    if (!slot)
        return true;
    uint64_t interval_ms = atomic_load(&sanctions->pace_ms);
    uint64_t next_ms = atomic_load(&slot->next_ms);
    while (next_ms <= now_ms)
        if (atomic_compare_exchange_weak(&slot->next_ms, &next_ms, now_ms + interval_ms))
            return true;
    *out_wait_ms = next_ms - now_ms;
    return false;
}
