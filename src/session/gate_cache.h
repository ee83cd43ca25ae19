/*
 * What the gate remembers: a fixed number of entries in sets of four, the least recently used of
 * its set making room. Keys are found by a keyed hash and compared whole. For gate*.c only.
 */
#ifndef GH_SESSION_GATE_CACHE_H
#define GH_SESSION_GATE_CACHE_H

#include "base/hash.h"
#include "session/subject.h"

#define GH_GATE_CACHE_ENTRIES         1024
#define GH_GATE_CACHE_WAYS            4
#define GH_GATE_CACHE_ENTRY_BYTES_MAX 4096 /* so all of it stays under 4.5 MiB */

struct gh_gate_entry {
    uint64_t hash, used; /* `used` 0: free */
    char *bytes;         /* the key, and behind it what the rest points to */
    size_t size;
    struct gh_str key;
    unsigned kind; /* part of the key */
    /* What is remembered. */
    struct gh_subject subject;
    struct gh_str token;
    uint64_t issued_s;
};

struct gh_gate_cache {
    struct gh_hash_key hash_key;
    size_t hashed_bytes; /* so many at the end of a key make its hash; 0: all */
    uint64_t clock;      /* grows with each use */
    struct gh_gate_entry entries[GH_GATE_CACHE_ENTRIES];
};

/* Forgets all. */
void gh_gate_cache_clear(struct gh_gate_cache *cache);
/* NULL: not remembered. */
struct gh_gate_entry *gh_gate_cache_find(struct gh_gate_cache *cache, unsigned kind,
                                         struct gh_str key);
/* A new entry with `key` and `more` bytes behind it in out_rest. NULL: too large, or no memory. */
struct gh_gate_entry *gh_gate_cache_add(struct gh_gate_cache *cache, unsigned kind,
                                        struct gh_str key, size_t more, char **out_rest);
void gh_gate_cache_drop(struct gh_gate_entry *entry);

/* Bytes of all texts of `subject`; and copies them to `to`, where it points from then on. */
size_t gh_subject_bytes(const struct gh_subject *subject);
void gh_subject_move(struct gh_subject *subject, char *to);

#endif
