/* See gate_cache.h. */
#include "session/gate_cache.h"

#include <stdlib.h>

#include "crypto/hash.h"

#define SETS (GH_GATE_CACHE_ENTRIES / GH_GATE_CACHE_WAYS)

void gh_gate_cache_drop(struct gh_gate_entry *entry)
{
    gh_wipe(entry->bytes, entry->size);
    free(entry->bytes);
    *entry = (struct gh_gate_entry){0};
}

void gh_gate_cache_clear(struct gh_gate_cache *cache)
{
    for (size_t i = 0; i < GH_GATE_CACHE_ENTRIES; i++)
        if (cache->entries[i].used)
            gh_gate_cache_drop(&cache->entries[i]);
}

static uint64_t hash_of(const struct gh_gate_cache *cache, struct gh_str key)
{
    size_t bytes = cache->hashed_bytes;
    if (bytes && key.len > bytes)
        key = gh_str_skip(key, key.len - bytes);
    return gh_hash64(cache->hash_key, key);
}

static struct gh_gate_entry *set_of(struct gh_gate_cache *cache, uint64_t hash)
{
    return &cache->entries[hash % SETS * GH_GATE_CACHE_WAYS];
}

struct gh_gate_entry *gh_gate_cache_find(struct gh_gate_cache *cache, unsigned kind,
                                         struct gh_str key)
{
    uint64_t hash = hash_of(cache, key);
    struct gh_gate_entry *set = set_of(cache, hash);
    for (size_t i = 0; i < GH_GATE_CACHE_WAYS; i++) {
        /* Nobody without the hash's key gets as far as the comparison with anything but the right
           bytes, so its time tells nothing; one in constant time would cost half of a signature. */
        if (set[i].used && set[i].hash == hash && set[i].kind == kind &&
            gh_str_eq(set[i].key, key)) {
            set[i].used = ++cache->clock;
            return &set[i];
        }
    }
    return NULL;
}

struct gh_gate_entry *gh_gate_cache_add(struct gh_gate_cache *cache, unsigned kind,
                                        struct gh_str key, size_t more, char **out_rest)
{
    if (key.len > GH_GATE_CACHE_ENTRY_BYTES_MAX || more > GH_GATE_CACHE_ENTRY_BYTES_MAX - key.len)
        return NULL;
    char *bytes = malloc(key.len + more + 1);
    if (!bytes)
        return NULL;
    uint64_t hash = hash_of(cache, key);
    struct gh_gate_entry *set = set_of(cache, hash), *entry = set;
    for (size_t i = 1; i < GH_GATE_CACHE_WAYS; i++)
        if (set[i].used < entry->used)
            entry = &set[i];
    if (entry->used)
        gh_gate_cache_drop(entry);
    memcpy(bytes, key.ptr, key.len);
    *entry = (struct gh_gate_entry){.hash = hash,
                                    .used = ++cache->clock,
                                    .bytes = bytes,
                                    .size = key.len + more,
                                    .key = gh_str_of(bytes, key.len),
                                    .kind = kind};
    *out_rest = bytes + key.len;
    return entry;
}

size_t gh_subject_bytes(const struct gh_subject *subject)
{
    return subject->id.len + subject->session_id.len + subject->email.len + subject->issuer.len;
}

static char *move(struct gh_str *text, char *to)
{
    if (text->len)
        memcpy(to, text->ptr, text->len);
    text->ptr = to;
    return to + text->len;
}

void gh_subject_move(struct gh_subject *subject, char *to)
{
    to = move(&subject->id, to);
    to = move(&subject->session_id, to);
    to = move(&subject->email, to);
    (void)move(&subject->issuer, to);
}
