#include "audit/anomaly_table.h"

#include <stdlib.h>
#include <string.h>

#define WAYS 8

static size_t table_bytes(const struct gh_anomaly_table *table)
{
    return table->set_count * WAYS * table->slot_bytes;
}

bool gh_anomaly_table_init(struct gh_anomaly_table *table, size_t slot_bytes, size_t count,
                           uint32_t keep_s)
{
    size_t set_count = 1;
    while (set_count * WAYS < count)
        set_count *= 2;
    *table = (struct gh_anomaly_table){.memory = calloc(set_count * WAYS, slot_bytes),
                                       .slot_bytes = slot_bytes,
                                       .set_count = set_count,
                                       .keep_s = keep_s};
    return table->memory;
}

void gh_anomaly_table_done(struct gh_anomaly_table *table)
{
    free(table->memory);
    *table = (struct gh_anomaly_table){.memory = NULL};
}

void gh_anomaly_table_clear(struct gh_anomaly_table *table)
{
    memset(table->memory, 0, table_bytes(table));
}

static struct gh_anomaly_slot *slot_at(const struct gh_anomaly_table *table, uint64_t key,
                                       unsigned way)
{
    size_t set = (size_t)(key & (table->set_count - 1));
    return (struct gh_anomaly_slot *)(void *)(table->memory +
                                              (set * WAYS + way) * table->slot_bytes);
}

/* Zero is the key of free slots. */
static uint64_t stored_key(uint64_t key)
{
    return key ? key : 1;
}

void *gh_anomaly_table_find(const struct gh_anomaly_table *table, uint64_t key)
{
    key = stored_key(key);
    for (unsigned way = 0; way < WAYS; way++) {
        struct gh_anomaly_slot *slot = slot_at(table, key, way);
        if (slot->key == key)
            return slot;
    }
    return NULL;
}

/* Order of leaving: free ones, idle ones, then by weight and age. */
static uint64_t worth(const struct gh_anomaly_table *table, const struct gh_anomaly_slot *slot,
                      uint32_t now_s)
{
    if (!slot->key)
        return 0;
    bool idle = now_s > slot->last_s && now_s - slot->last_s > table->keep_s;
    uint64_t weight = idle ? 0 : slot->weight;
    return weight << 32 | slot->last_s | 1;
}

void *gh_anomaly_table_place(struct gh_anomaly_table *table, uint64_t key, uint32_t now_s,
                             void *out_evicted)
{
    struct gh_anomaly_slot *slot = gh_anomaly_table_find(table, key);
    if (out_evicted)
        memset(out_evicted, 0, table->slot_bytes);
    if (slot) {
        slot->last_s = now_s;
        return slot;
    }
    key = stored_key(key);
    slot = slot_at(table, key, 0);
    for (unsigned way = 1; way < WAYS; way++) {
        struct gh_anomaly_slot *other = slot_at(table, key, way);
        if (worth(table, other, now_s) < worth(table, slot, now_s))
            slot = other;
    }
    if (out_evicted && slot->key)
        memcpy(out_evicted, slot, table->slot_bytes);
    memset(slot, 0, table->slot_bytes);
    *slot = (struct gh_anomaly_slot){.key = key, .last_s = now_s};
    return slot;
}
