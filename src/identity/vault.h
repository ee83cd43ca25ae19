/*
 * The vault: data keys, stored wrapped under keys derived from the root secret, and what is done
 * with them: fields sealed for their place, and keyed hashes that values are found by.
 */
#ifndef GH_IDENTITY_VAULT_H
#define GH_IDENTITY_VAULT_H

#include "crypto/random.h"
#include "identity/store.h"

struct gh_vault; /* read from all threads */

/*
 * Loads the keys, making those that are missing. `roots`: the root secret first, then previous
 * ones, which still open. GH_ERR_INVALID: no root opens a key (a wrong APP_SECRET_KEY);
 * *out_message says so.
 */
GH_MUST_USE enum gh_err gh_vault_open(struct gh_store *store, const struct gh_str *roots,
                                      size_t root_count, const struct gh_random *random,
                                      uint64_t now_us, struct gh_arena *arena,
                                      struct gh_vault **out_vault, struct gh_str *out_message);
void gh_vault_close(struct gh_vault *vault);

/* `field`: "accounts.email"; `row`: the id it belongs to. ptr NULL: arena full. An empty text is
   sealed to an empty one. */
struct gh_str gh_vault_seal(const struct gh_vault *vault, struct gh_arena *arena, const char *field,
                            struct gh_str row, struct gh_str plain);
/* ptr NULL: changed, or of another place, or of a key that is gone. */
struct gh_str gh_vault_open_field(const struct gh_vault *vault, struct gh_arena *arena,
                                  const char *field, struct gh_str row, struct gh_str sealed);

/* A keyed hash by which a value is found, and other hashes under keys of their own by `use`:
   "accounts.email", "throttle", "ticket", "recovery". */
void gh_vault_index(const struct gh_vault *vault, const char *use, struct gh_str value,
                    uint8_t out[GH_SHA256_BYTES]);

/* Seals and opens key material for the key table (under the root), for keys.h. `use`: what
   gh_vault_key_use says of its purpose, by which gh_vault_open finds and rewraps it. */
const char *gh_vault_key_use(enum gh_key_purpose purpose);
struct gh_str gh_vault_wrap(const struct gh_vault *vault, struct gh_arena *arena, const char *use,
                            struct gh_str key);
struct gh_str gh_vault_unwrap(const struct gh_vault *vault, struct gh_arena *arena, const char *use,
                              struct gh_str wrapped);

#endif
