#include "gateway/client_count.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/assert.h"

/* 4,096 buckets of 8: 32,768 clients with open connections at one time are told apart. */
#define BUCKET_COUNT 4096u
#define BUCKET_SLOTS 8u
#define LOCK_COUNT   64u

struct slot {
    uint64_t client; /* hash of the address; meaningful while count > 0 */
    uint64_t count;
};

struct gh_client_count {
    struct gh_hash_key key;
    pthread_spinlock_t locks[LOCK_COUNT];
    struct slot slots[BUCKET_COUNT][BUCKET_SLOTS];
};

enum gh_err gh_client_count_open(struct gh_hash_key key, struct gh_client_count **out_table)
{
    struct gh_client_count *table = calloc(1, sizeof(*table));
    if (!table)
        return GH_ERR_MEMORY;
    table->key = key;
    for (unsigned i = 0; i < LOCK_COUNT; i++)
        pthread_spin_init(&table->locks[i], PTHREAD_PROCESS_PRIVATE);
    *out_table = table;
    return GH_OK;
}

void gh_client_count_close(struct gh_client_count *table)
{
    if (!table)
        return;
    for (unsigned i = 0; i < LOCK_COUNT; i++)
        pthread_spin_destroy(&table->locks[i]);
    free(table);
}

static uint64_t client_of(const struct gh_client_count *table, const struct gh_ip *ip)
{
    struct gh_ip network = gh_ip_mask(ip, 32, 64);
    return gh_hash64(table->key, gh_str_of((const char *)network.bytes, sizeof(network.bytes)));
}

/* The client's slot in its bucket; else a free one; else NULL. */
static struct slot *find_slot(struct slot *bucket, uint64_t client)
{
    struct slot *free_slot = NULL;
    for (unsigned i = 0; i < BUCKET_SLOTS; i++) {
        if (bucket[i].count == 0)
            free_slot = &bucket[i];
        else if (bucket[i].client == client)
            return &bucket[i];
    }
    return free_slot;
}

enum gh_client_entry gh_client_count_add(struct gh_client_count *table, const struct gh_ip *ip,
                                         uint64_t amount, uint64_t max)
{
    uint64_t client = client_of(table, ip);
    pthread_spinlock_t *lock = &table->locks[client % LOCK_COUNT];
    enum gh_client_entry entry = GH_CLIENT_UNCOUNTED;
    pthread_spin_lock(lock);
    struct slot *slot = find_slot(table->slots[client % BUCKET_COUNT], client);
    if (slot && (amount > max || slot->count > max - amount)) {
        entry = GH_CLIENT_REFUSED;
    } else if (slot) {
        slot->client = client;
        slot->count += amount;
        entry = GH_CLIENT_COUNTED;
    }
    pthread_spin_unlock(lock);
    return entry;
}

void gh_client_count_remove(struct gh_client_count *table, const struct gh_ip *ip, uint64_t amount)
{
    uint64_t client = client_of(table, ip);
    pthread_spinlock_t *lock = &table->locks[client % LOCK_COUNT];
    pthread_spin_lock(lock);
    struct slot *slot = find_slot(table->slots[client % BUCKET_COUNT], client);
    GH_ASSERT(slot && slot->count >= amount && slot->client == client);
    slot->count -= amount;
    pthread_spin_unlock(lock);
}

enum gh_client_entry gh_client_count_enter(struct gh_client_count *table, const struct gh_ip *ip,
                                           uint64_t max)
{
    return gh_client_count_add(table, ip, 1, max);
}

void gh_client_count_leave(struct gh_client_count *table, const struct gh_ip *ip)
{
    gh_client_count_remove(table, ip, 1);
}

uint64_t gh_client_count_of(struct gh_client_count *table, const struct gh_ip *ip)
{
    uint64_t client = client_of(table, ip);
    pthread_spinlock_t *lock = &table->locks[client % LOCK_COUNT];
    pthread_spin_lock(lock);
    const struct slot *slot = find_slot(table->slots[client % BUCKET_COUNT], client);
    uint64_t count = slot ? slot->count : 0;
    pthread_spin_unlock(lock);
    return count;
}
