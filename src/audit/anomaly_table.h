/*
 * A table of fixed size under keys that are hashes already (keyed ones: outsiders choose what is
 * hashed). Eight places for each key; when all are taken the least weighty makes room, of these the
 * one idle the longest. What was idle for `keep_s` weighs nothing.
 */
#ifndef GH_AUDIT_ANOMALY_TABLE_H
#define GH_AUDIT_ANOMALY_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What every slot begins with; weight 0 and key 0: free. */
struct gh_anomaly_slot {
    uint64_t key;
    uint32_t last_s; /* of the last place */
    uint32_t weight; /* how much it would be missed; the user sets it */
};

struct gh_anomaly_table {
    unsigned char *memory;
    size_t slot_bytes, set_count;
    uint32_t keep_s;
};

/* False: no memory. It is touched only where it is used. */
bool gh_anomaly_table_init(struct gh_anomaly_table *table, size_t slot_bytes, size_t count,
                           uint32_t keep_s);
void gh_anomaly_table_done(struct gh_anomaly_table *table);
void gh_anomaly_table_clear(struct gh_anomaly_table *table);
/* NULL: not there. */
void *gh_anomaly_table_find(const struct gh_anomaly_table *table, uint64_t key);
/* The slot of the key; made of zeros when it was not there. `out_evicted` (NULL: not wanted) gets
   what had to make room, or zeros. */
void *gh_anomaly_table_place(struct gh_anomaly_table *table, uint64_t key, uint32_t now_s,
                             void *out_evicted);

#endif
