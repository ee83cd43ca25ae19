/*
 * The vault: data keys, stored wrapped under keys derived from the root secret, and what is done
 * with them: fields sealed for their place, and keyed hashes that values are found by. Keys may be
 * replaced (rotation.h) while others read.
 */
#ifndef GH_IDENTITY_VAULT_H
#define GH_IDENTITY_VAULT_H

#include "crypto/fernet.h"
#include "crypto/random.h"
#include "identity/store.h"

struct gh_vault; /* used from all threads */

/*
 * Loads the keys, making those that are missing. `roots`: the root secret first, then previous
 * ones, which still open: what they had wrapped is wrapped under the first, and secret_rotated is
 * audited. In a store that is shared that has to wait for a rotation: others may not know the first
 * yet. GH_ERR_INVALID: no root opens a key (a wrong APP_SECRET_KEY); *out_message says so.
 */
GH_MUST_USE enum gh_err gh_vault_open(struct gh_store *store, const struct gh_str *roots,
                                      size_t root_count, const struct gh_random *random,
                                      uint64_t now_us, struct gh_arena *arena,
                                      struct gh_vault **out_vault, struct gh_str *out_message);
void gh_vault_close(struct gh_vault *vault);

/* `field`: "accounts.email"; `row`: the id it belongs to. ptr NULL: arena full, or the keys were
   replaced and this process can't open the new ones (gh_vault_refresh). An empty text is sealed to
   an empty one. */
struct gh_str gh_vault_seal(const struct gh_vault *vault, struct gh_arena *arena, const char *field,
                            struct gh_str row, struct gh_str plain);
/* ptr NULL: changed, or of another place, or of a key that is gone (or the arena is full). */
struct gh_str gh_vault_open_field(const struct gh_vault *vault, struct gh_arena *arena,
                                  const char *field, struct gh_str row, struct gh_str sealed);

/* A keyed hash by which a value is found, and other hashes under keys of their own by `use`:
   "accounts.email", "throttle", "ticket", "recovery". */
void gh_vault_index(const struct gh_vault *vault, const char *use, struct gh_str value,
                    uint8_t out[GH_SHA256_BYTES]);

/* Seals and opens key material for the key table (under the root), for keys.h. `use`: what
   gh_vault_key_use says of its purpose, by which gh_vault_open finds and rewraps it. ptr NULL of
   wrap: as of gh_vault_seal. */
const char *gh_vault_key_use(enum gh_key_purpose purpose);
struct gh_str gh_vault_wrap(const struct gh_vault *vault, struct gh_arena *arena, const char *use,
                            struct gh_str key);
struct gh_str gh_vault_unwrap(const struct gh_vault *vault, struct gh_arena *arena, const char *use,
                              struct gh_str wrapped);

/* ---- Values of an existing system ---- */

/* The keys of its Fernet tokens, in the order in which they are tried; before others use the
   vault. */
#define GH_VAULT_FERNET_MAX 8
void gh_vault_set_fernet(struct gh_vault *vault, const struct gh_fernet_key *keys, size_t count);
/* ptr NULL: of none of the keys. */
struct gh_str gh_vault_open_fernet(const struct gh_vault *vault, struct gh_arena *arena,
                                   struct gh_str token);

/* ---- For rotation.h and secret_status.h ---- */

/* What seals at this moment. */
struct gh_vault_state {
    uint64_t root_since_us;    /* when what is stored was first wrapped under this root */
    uint32_t sealing_id;       /* of the field key that seals */
    uint64_t sealing_made_us;  /* when it was made */
    uint64_t sealing_since_us; /* when this process began to seal with it; 0: when it started */
};
struct gh_vault_state gh_vault_state(const struct gh_vault *vault);
/* The id of the key that a text is sealed under; 0: it is no sealed text. */
uint32_t gh_vault_key_id(struct gh_str sealed);

/* Of a store that is not shared. The root that opens and wraps from now on; what is stored is
   wrapped anew in one transaction. The earlier ones still open what is under way. Audits
   secret_rotated when it is another root. */
GH_MUST_USE enum gh_err gh_vault_set_root(struct gh_vault *vault, struct gh_store *store,
                                          struct gh_str root, uint64_t now_us,
                                          struct gh_arena *arena, bool *out_changed);
/* Of a store that is not shared. A new field key, which seals from now on; those before it are
   retired. Audits. */
GH_MUST_USE enum gh_err gh_vault_renew_field_key(struct gh_vault *vault, struct gh_store *store,
                                                 uint64_t now_us, struct gh_arena *arena);
/* Takes over what the store knows and this vault does not: what others did, or a change whose
   commit seemed to fail. GH_ERR_INVALID: no root of this process opens what is there by now; in a
   store that is shared it seals and wraps nothing from then on, until it can. */
GH_MUST_USE enum gh_err gh_vault_refresh(struct gh_vault *vault, struct gh_store *store,
                                         uint64_t now_us, struct gh_arena *arena);

/* ---- In a store that others write, too (docs/decisions/0015) ----
 *
 * The oldest field key that is not retired seals. A newer one was announced: everybody loads it
 * while nobody seals with it yet, and who can't open it (another root wraps it) takes it back. It
 * seals when those before it are retired; then all else is wrapped under its root, by whoever comes
 * first.
 */

/* Announces a field key wrapped under `root` (ptr NULL: that which this process was started with),
   or takes up one that waits. GH_ERR_EXISTS: another one waits, which we can't go on with. */
GH_MUST_USE enum gh_err gh_vault_announce(struct gh_vault *vault, struct gh_store *store,
                                          struct gh_str root, uint64_t now_us,
                                          struct gh_arena *arena);
/* The announced key seals from now on, everywhere. Audits. GH_ERR_REFUSED: somebody can't open it,
   it is gone; GH_ERR_NOT_FOUND: this vault has announced none. */
GH_MUST_USE enum gh_err gh_vault_activate(struct gh_vault *vault, struct gh_store *store,
                                          uint64_t now_us, struct gh_arena *arena,
                                          bool *out_root_changed);
/* One more root that opens from now on: what a file that names a root has by now. */
GH_MUST_USE enum gh_err gh_vault_learn_root(struct gh_vault *vault, struct gh_str root);
/* Is `root` (ptr NULL: as above) another one than wraps now? */
bool gh_vault_is_other_root(const struct gh_vault *vault, struct gh_str root);
/* May a key be wrapped by this vault and stored beside these rows, all that there are? Asked in the
   transaction that stores it, so that nobody who has missed a rotation stores what others can't
   open. */
bool gh_vault_wraps_like(const struct gh_vault *vault, struct gh_arena *arena,
                         struct gh_key_row *rows, size_t count);

/* Texts that were to be opened into this arena and are under keys not known here: more than before
   a unit mean that it saw what another process has sealed meanwhile. (Or, once in a thousand times,
   that a call beside it did.) */
uint64_t gh_vault_unknown(const struct gh_vault *vault, const struct gh_arena *arena);
/* Grows with the keys that this vault knows. */
uint64_t gh_vault_changes(const struct gh_vault *vault);
/* Looks for keys that came since gh_vault_changes gave `seen`. False: there are none. Looks once a
   second at most: what is under no key at all costs no more. */
bool gh_vault_catch_up(struct gh_vault *vault, struct gh_store *store, uint64_t seen,
                       uint64_t now_us, struct gh_arena *arena);

#endif
