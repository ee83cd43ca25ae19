/*
 * See tally.h. Two halves: one is noted into, the other is what was taken last. Taking changes
 * them over, a few instructions under the lock. A half is kinds in the order in which they came,
 * found by chains under a keyed hash.
 */
#include "audit/tally.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "audit/tally_entry.h"
#include "base/assert.h"

#define NONE UINT32_MAX
/* 2^24 kinds are more than anybody has memory for. */
#define ENTRIES_MAX (1u << 24)

struct kind_memory {
    uint32_t bucket, next;
    char text[GH_TALLY_TEXT_BYTES];
};
struct traffic_memory {
    uint32_t bucket, next;
    char user_id[GH_TALLY_ID_MAX], session[GH_TALLY_ID_MAX], client[GH_TALLY_CLIENT_MAX];
};

struct half {
    struct gh_tally_entry *entries;
    struct kind_memory *kinds;
    uint32_t *kind_heads; /* by bucket: an index into entries */
    size_t entry_count;
    struct gh_tally_traffic *traffic;
    struct traffic_memory *callers;
    uint32_t *caller_heads;
    size_t traffic_count;
    uint64_t overflow[GH_AUDIT_EVENT_COUNT];
    uint64_t traffic_overflow;
};

struct gh_tally {
    struct gh_hash_key key;
    size_t entries_max;
    uint32_t mask; /* of buckets */
    atomic_flag lock;
    struct half halves[2];
    unsigned active; /* the half that is noted into; under the lock */
};

/* ---- Memory ---- */

static bool half_init(struct half *half, size_t entries_max, size_t buckets)
{
    half->entries = calloc(entries_max, sizeof(*half->entries));
    half->kinds = calloc(entries_max, sizeof(*half->kinds));
    half->traffic = calloc(entries_max, sizeof(*half->traffic));
    half->callers = calloc(entries_max, sizeof(*half->callers));
    half->kind_heads = malloc(buckets * sizeof(*half->kind_heads));
    half->caller_heads = malloc(buckets * sizeof(*half->caller_heads));
    if (!half->entries || !half->kinds || !half->traffic || !half->callers || !half->kind_heads ||
        !half->caller_heads)
        return false;
    for (size_t i = 0; i < buckets; i++)
        half->kind_heads[i] = half->caller_heads[i] = NONE;
    return true;
}

static void half_done(struct half *half)
{
    free(half->entries);
    free(half->kinds);
    free(half->kind_heads);
    free(half->traffic);
    free(half->callers);
    free(half->caller_heads);
}

/* Empties it at the cost of what is in it. */
static void half_clear(struct half *half)
{
    for (size_t i = 0; i < half->entry_count; i++)
        half->kind_heads[half->kinds[i].bucket] = NONE;
    for (size_t i = 0; i < half->traffic_count; i++)
        half->caller_heads[half->callers[i].bucket] = NONE;
    half->entry_count = half->traffic_count = 0;
    memset(half->overflow, 0, sizeof(half->overflow));
    half->traffic_overflow = 0;
}

struct gh_tally *gh_tally_new(size_t entries_max, struct gh_hash_key key)
{
    GH_ASSERT(entries_max > 0 && entries_max <= ENTRIES_MAX);
    struct gh_tally *tally = calloc(1, sizeof(*tally));
    size_t buckets = 1;
    while (buckets < entries_max)
        buckets *= 2;
    if (!tally)
        return NULL;
    tally->key = key;
    tally->entries_max = entries_max;
    tally->mask = (uint32_t)(buckets - 1);
    atomic_flag_clear(&tally->lock);
    if (!half_init(&tally->halves[0], entries_max, buckets) ||
        !half_init(&tally->halves[1], entries_max, buckets)) {
        gh_tally_free(tally);
        return NULL;
    }
    return tally;
}

void gh_tally_free(struct gh_tally *tally)
{
    if (!tally)
        return;
    half_done(&tally->halves[0]);
    half_done(&tally->halves[1]);
    free(tally);
}

/* ---- Noting ---- */

/* Each worker has a tally of its own: whoever meets the lock taken meets the taker, for the time of
   a few instructions. */
static struct half *enter(struct gh_tally *tally)
{
    while (atomic_flag_test_and_set_explicit(&tally->lock, memory_order_acquire)) {
    }
    return &tally->halves[tally->active];
}

static void leave(struct gh_tally *tally)
{
    atomic_flag_clear_explicit(&tally->lock, memory_order_release);
}

static void note(struct gh_tally *tally, struct half *half, const struct gh_tally_entry *entry,
                 uint32_t bucket)
{
    for (uint32_t i = half->kind_heads[bucket]; i != NONE; i = half->kinds[i].next) {
        if (gh_tally_entry_alike(&half->entries[i], entry)) {
            gh_tally_entry_add(&half->entries[i], entry);
            return;
        }
    }
    if (half->entry_count >= gh_tally_places(tally->entries_max, entry->user_id)) {
        half->overflow[entry->event]++;
        return;
    }
    uint32_t index = (uint32_t)half->entry_count++;
    struct kind_memory *kind = &half->kinds[index];
    kind->bucket = bucket;
    kind->next = half->kind_heads[bucket];
    half->kind_heads[bucket] = index;
    gh_tally_entry_copy(&half->entries[index], kind->text, entry);
}

void gh_tally_note(struct gh_tally *tally, const struct gh_refusal *refusal)
{
    GH_ASSERT((unsigned)refusal->event < GH_AUDIT_EVENT_COUNT);
    struct gh_tally_entry entry = gh_tally_entry_of(refusal);
    uint32_t bucket = (uint32_t)gh_tally_entry_hash(tally->key, &entry) & tally->mask;
    note(tally, enter(tally), &entry, bucket);
    leave(tally);
}

static void set_client(struct half *half, uint32_t index, struct gh_str client)
{
    struct traffic_memory *caller = &half->callers[index];
    if (client.len)
        memcpy(caller->client, client.ptr, client.len);
    half->traffic[index].client = gh_str_of(caller->client, client.len);
}

/* NONE: there is no place. */
static uint32_t find_caller(struct gh_tally *tally, struct half *half, struct gh_str user_id,
                            struct gh_str session, struct gh_str client, uint32_t bucket)
{
    for (uint32_t i = half->caller_heads[bucket]; i != NONE; i = half->callers[i].next) {
        const struct gh_tally_traffic *traffic = &half->traffic[i];
        if (gh_str_eq(traffic->user_id, user_id) && gh_str_eq(traffic->session, session) &&
            (user_id.len || gh_str_eq(traffic->client, client)))
            return i;
    }
    if (half->traffic_count >= gh_tally_places(tally->entries_max, user_id))
        return NONE;
    uint32_t index = (uint32_t)half->traffic_count++;
    struct traffic_memory *caller = &half->callers[index];
    caller->bucket = bucket;
    caller->next = half->caller_heads[bucket];
    half->caller_heads[bucket] = index;
    if (user_id.len)
        memcpy(caller->user_id, user_id.ptr, user_id.len);
    if (session.len)
        memcpy(caller->session, session.ptr, session.len);
    half->traffic[index] =
        (struct gh_tally_traffic){.user_id = gh_str_of(caller->user_id, user_id.len),
                                  .session = gh_str_of(caller->session, session.len)};
    return index;
}

void gh_tally_request(struct gh_tally *tally, struct gh_str user_id, struct gh_str session,
                      struct gh_str client, bool missing)
{
    user_id = gh_str_first(user_id, GH_TALLY_ID_MAX);
    session = gh_str_first(session, GH_TALLY_ID_MAX);
    client = gh_str_first(client, GH_TALLY_CLIENT_MAX);
    uint32_t bucket = (uint32_t)gh_hash64(tally->key, user_id.len ? user_id : client) & tally->mask;
    struct half *half = enter(tally);
    uint32_t index = find_caller(tally, half, user_id, session, client, bucket);
    if (index == NONE) {
        half->traffic_overflow++;
    } else {
        set_client(half, index, client);
        half->traffic[index].requests++;
        half->traffic[index].missing += missing;
    }
    leave(tally);
}

/* ---- Taking ---- */

void gh_tally_take(struct gh_tally *tally, struct gh_tally_taken *out)
{
    /* Nobody but the taker touches this half or changes `active`. */
    half_clear(&tally->halves[1 - tally->active]);
    struct half *half = enter(tally);
    tally->active = 1 - tally->active;
    leave(tally);
    out->entries = half->entries;
    out->entry_count = half->entry_count;
    out->traffic = half->traffic;
    out->traffic_count = half->traffic_count;
    memcpy(out->overflow, half->overflow, sizeof(out->overflow));
    out->traffic_overflow = half->traffic_overflow;
}
