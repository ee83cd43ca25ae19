/*
 * What the files of the vault share; nobody else looks inside. Readers take no lock: keys and roots
 * stand in lists that only grow until the vault is closed, and which of them seals or wraps is one
 * pointer. A handful is made in the life of a process.
 */
#ifndef GH_IDENTITY_VAULT_STATE_H
#define GH_IDENTITY_VAULT_STATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "identity/vault.h"

#define GH_VAULT_WRAP_LABEL GH_STR("gatehouse wrap 1")

/* Constant once it is in its list. All that holds keys is of gh_secret_alloc. */
struct gh_vault_field_key {
    struct gh_vault_field_key *older;
    uint32_t id;
    uint64_t made_us;
    uint64_t known_us; /* when this process took it over; 0: at its start */
    uint8_t bytes[GH_KEY_BYTES];
};
struct gh_vault_root {
    struct gh_vault_root *older;
    uint64_t since_us;
    uint8_t wrap[GH_KEY_BYTES]; /* derived of the root */
};

struct gh_vault {
    struct gh_random random;
    struct gh_vault_field_key *_Atomic fields;  /* all that open */
    struct gh_vault_field_key *_Atomic sealing; /* one of them */
    struct gh_vault_root *_Atomic roots;        /* all that open */
    struct gh_vault_root *_Atomic wrapping;     /* one of them */
    struct gh_vault_root *preferred; /* one of them: what this process was started with */
    /* Others have replaced the keys, and this process can't open the new ones: it makes nothing
       that might be lost to them. */
    atomic_bool cut_off;
    atomic_uint_fast64_t *unknown; /* texts met whose key is not known here: gh_vault_unknown */
    atomic_uint_fast64_t changes;  /* keys taken over since the start */
    pthread_mutex_t changing;      /* one thread at a time changes anything, and holds this */
    uint64_t tried_us;             /* when gh_vault_catch_up looked last; under `changing` */
    uint32_t announced;            /* a field key that waits to seal; 0: none; under `changing` */
    struct gh_vault_other_keys {
        uint8_t index[GH_KEY_BYTES];
        struct gh_fernet_key fernet[GH_VAULT_FERNET_MAX];
        size_t fernet_count;
    } * other;
};

/* NULL: no memory. In no list yet. */
struct gh_vault_root *gh_vault_make_root(const uint8_t wrap_key[GH_KEY_BYTES], uint64_t since_us);
void gh_vault_add_root(struct gh_vault *vault, struct gh_vault_root *root);
struct gh_vault_field_key *gh_vault_find_field_key(const struct gh_vault *vault, uint64_t id);
/* What is there already stays. False: no memory, or no key of ours. */
bool gh_vault_add_field_key(struct gh_vault *vault, const struct gh_key_row *row,
                            struct gh_str bytes, uint64_t known_us);

/* Calls at the same time hardly ever share a counter, and it costs them a second run of a unit. */
#define GH_VAULT_UNKNOWN_COUNTERS 1024
static inline atomic_uint_fast64_t *gh_vault_unknown_of(const struct gh_vault *vault,
                                                        const struct gh_arena *arena)
{
    uint64_t mixed = (uint64_t)(uintptr_t)arena * 0x9e3779b97f4a7c15u;
    return &vault->unknown[(mixed >> 32) % GH_VAULT_UNKNOWN_COUNTERS];
}

/* The row of the field key that seals: the oldest that is not retired. What is newer was announced
   and has sealed nothing yet. NULL: there is none. */
struct gh_key_row *gh_vault_sealing_row(struct gh_key_row *rows, size_t count);
/* Seals with this key from now on; never back to an older one, whoever comes late. */
void gh_vault_seal_with(struct gh_vault *vault, uint64_t id);
/* Takes over what others have changed in a store that is shared; wraps what is not wrapped yet
   under the root of the key that seals. `changing` is held. */
enum gh_err gh_vault_follow(struct gh_vault *vault, struct gh_store *store, uint64_t now_us,
                            struct gh_arena *arena);
enum gh_err gh_vault_audit_rotated(struct gh_tx *tx, uint64_t now_us, struct gh_str metadata);
bool gh_vault_same_root(const struct gh_vault_root *a, const struct gh_vault_root *b);

struct gh_str gh_vault_wrap_under(const struct gh_vault *vault, const struct gh_vault_root *root,
                                  struct gh_arena *arena, const char *use, struct gh_str key);
/* *out_root: the one that opened it; *out_since_us: since when that was in use. */
struct gh_str gh_vault_unwrap_by(const struct gh_vault *vault, struct gh_arena *arena,
                                 const char *use, struct gh_str wrapped,
                                 const struct gh_vault_root **out_root, uint64_t *out_since_us);

#endif
