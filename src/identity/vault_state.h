/*
 * What the files of the vault share; nobody else looks inside. Readers take no lock: keys and roots
 * stand in lists that only grow until the vault is closed, and which of them seals or wraps is one
 * pointer. A handful is made in the life of a process.
 */
#ifndef GH_IDENTITY_VAULT_STATE_H
#define GH_IDENTITY_VAULT_STATE_H

#include <stdatomic.h>

#include "identity/vault.h"

/* Constant once it is in its list. */
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
    uint8_t index[GH_KEY_BYTES];
    struct gh_fernet_key fernet[GH_VAULT_FERNET_MAX];
    size_t fernet_count;
};

/* NULL: no memory. In no list yet. */
struct gh_vault_root *gh_vault_make_root(const uint8_t wrap_key[GH_KEY_BYTES], uint64_t since_us);
void gh_vault_add_root(struct gh_vault *vault, struct gh_vault_root *root);
struct gh_vault_field_key *gh_vault_find_field_key(const struct gh_vault *vault, uint64_t id);
/* What is there already stays. False: no memory, or no key of ours. */
bool gh_vault_add_field_key(struct gh_vault *vault, const struct gh_key_row *row,
                            struct gh_str bytes, uint64_t known_us);

struct gh_str gh_vault_wrap_under(const struct gh_vault *vault, const struct gh_vault_root *root,
                                  struct gh_arena *arena, const char *use, struct gh_str key);
/* *out_root: the one that opened it; *out_since_us: since when that was in use. */
struct gh_str gh_vault_unwrap_by(const struct gh_vault *vault, struct gh_arena *arena,
                                 const char *use, struct gh_str wrapped,
                                 const struct gh_vault_root **out_root, uint64_t *out_since_us);

#endif
