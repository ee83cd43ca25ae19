/*
 * Field keys seal (the newest that is not retired; all open), the index key hashes and never
 * changes, as rows are found by what it made. A sealed text is a form byte, the id of its key (4
 * bytes, big-endian) and the sealed box; id, field and row are authenticated. A wrapped key is a
 * form byte, the time since when its root is in use (8 bytes) and the sealed box; use and time are
 * authenticated.
 */
#include "identity/vault.h"

#include <stdlib.h>

#include "base/assert.h"
#include "crypto/seal.h"
#include "crypto/secret.h"
#include "identity/vault_state.h"

#define FORM              1
#define PREFIX_BYTES      5
#define WRAP_FORM         1
#define WRAP_PREFIX_BYTES 9
#define CONTEXT_BYTES_MAX 160
#define LABEL_BYTES_MAX   64

const char *gh_vault_key_use(enum gh_key_purpose purpose)
{
    switch (purpose) {
    case GH_KEY_FIELD:
        return "keys.field";
    case GH_KEY_INDEX:
        return "keys.index";
    case GH_KEY_COOKIE:
        return "keys.cookie";
    case GH_KEY_SIGNING:
        return "keys.signing";
    case GH_KEY_AUDIT:
        return "keys.audit";
    }
    return "";
}

static void put_number(struct gh_buf *buf, uint64_t number, unsigned bytes)
{
    while (bytes-- > 0)
        gh_buf_put_char(buf, (char)(number >> (8 * bytes)));
}

static uint64_t read_number(const char *from, unsigned bytes)
{
    uint64_t number = 0;
    for (unsigned i = 0; i < bytes; i++)
        number = number << 8 | (unsigned char)from[i];
    return number;
}

/* `prefix` and the box behind it; ptr NULL: the arena is full. */
static struct gh_str join(struct gh_arena *arena, struct gh_str prefix, struct gh_str box)
{
    char *memory = box.ptr ? gh_arena_alloc(arena, prefix.len + box.len) : NULL;
    if (!memory)
        return (struct gh_str){NULL, 0};
    memcpy(memory, prefix.ptr, prefix.len);
    memcpy(memory + prefix.len, box.ptr, box.len);
    return gh_str_of(memory, prefix.len + box.len);
}

/* ---- Wrapping ---- */

struct gh_str gh_vault_wrap_under(const struct gh_vault *vault, const struct gh_vault_root *root,
                                  struct gh_arena *arena, const char *use, struct gh_str key)
{
    char memory[CONTEXT_BYTES_MAX];
    struct gh_buf context = gh_buf_over(memory, sizeof(memory));
    gh_buf_put_char(&context, WRAP_FORM);
    put_number(&context, root->since_us, 8);
    struct gh_str prefix = gh_buf_str(&context);
    gh_buf_put(&context, gh_str_from_c(use));
    GH_ASSERT(!context.overflow);
    return join(arena, prefix,
                gh_seal(arena, &vault->random, root->wrap, gh_buf_str(&context), key));
}

struct gh_str gh_vault_unwrap_by(const struct gh_vault *vault, struct gh_arena *arena,
                                 const char *use, struct gh_str wrapped,
                                 const struct gh_vault_root **out_root, uint64_t *out_since_us)
{
    char memory[CONTEXT_BYTES_MAX];
    struct gh_buf context = gh_buf_over(memory, sizeof(memory));
    if (wrapped.len < WRAP_PREFIX_BYTES || wrapped.ptr[0] != WRAP_FORM)
        return (struct gh_str){NULL, 0};
    gh_buf_put(&context, gh_str_first(wrapped, WRAP_PREFIX_BYTES));
    gh_buf_put(&context, gh_str_from_c(use));
    GH_ASSERT(!context.overflow);
    for (const struct gh_vault_root *root = vault->roots; root; root = root->older) {
        struct gh_str key = gh_unseal(arena, root->wrap, gh_buf_str(&context),
                                      gh_str_skip(wrapped, WRAP_PREFIX_BYTES));
        if (!key.ptr)
            continue;
        *out_root = root;
        *out_since_us = read_number(wrapped.ptr + 1, 8);
        return key;
    }
    return (struct gh_str){NULL, 0};
}

struct gh_str gh_vault_wrap(const struct gh_vault *vault, struct gh_arena *arena, const char *use,
                            struct gh_str key)
{
    if (vault->cut_off)
        return (struct gh_str){NULL, 0};
    return gh_vault_wrap_under(vault, vault->wrapping, arena, use, key);
}

struct gh_str gh_vault_unwrap(const struct gh_vault *vault, struct gh_arena *arena, const char *use,
                              struct gh_str wrapped)
{
    const struct gh_vault_root *root;
    uint64_t since_us;
    return gh_vault_unwrap_by(vault, arena, use, wrapped, &root, &since_us);
}

/* ---- The lists ---- */

struct gh_vault_root *gh_vault_make_root(const uint8_t wrap_key[GH_KEY_BYTES], uint64_t since_us)
{
    struct gh_vault_root *root = gh_secret_alloc(sizeof(*root));
    if (root) {
        root->since_us = since_us;
        memcpy(root->wrap, wrap_key, GH_KEY_BYTES);
    }
    return root;
}

void gh_vault_add_root(struct gh_vault *vault, struct gh_vault_root *root)
{
    root->older = vault->roots;
    while (!atomic_compare_exchange_weak(&vault->roots, &root->older, root))
        ;
}

struct gh_vault_field_key *gh_vault_find_field_key(const struct gh_vault *vault, uint64_t id)
{
    struct gh_vault_field_key *key = vault->fields;
    while (key && key->id != id)
        key = key->older;
    return key;
}

bool gh_vault_add_field_key(struct gh_vault *vault, const struct gh_key_row *row,
                            struct gh_str bytes, uint64_t known_us)
{
    if (gh_vault_find_field_key(vault, row->id))
        return true;
    struct gh_vault_field_key *key = gh_secret_alloc(sizeof(*key));
    if (!key || row->id == 0 || row->id > UINT32_MAX || bytes.len != GH_KEY_BYTES) {
        gh_secret_free(key);
        return false;
    }
    key->id = (uint32_t)row->id;
    key->made_us = row->created_us;
    memcpy(key->bytes, bytes.ptr, GH_KEY_BYTES);
    key->known_us = known_us;
    key->older = vault->fields;
    while (!atomic_compare_exchange_weak(&vault->fields, &key->older, key))
        ;
    atomic_fetch_add(&vault->changes, 1);
    return true;
}

struct gh_vault_state gh_vault_state(const struct gh_vault *vault)
{
    const struct gh_vault_field_key *sealing = vault->sealing;
    const struct gh_vault_root *wrapping = vault->wrapping;
    return (struct gh_vault_state){
        .root_since_us = wrapping->since_us,
        .sealing_id = sealing->id,
        .sealing_made_us = sealing->made_us,
        .sealing_since_us = sealing->known_us,
    };
}

void gh_vault_close(struct gh_vault *vault)
{
    if (!vault)
        return;
    for (struct gh_vault_field_key *key = vault->fields, *older; key; key = older) {
        older = key->older;
        gh_secret_free(key);
    }
    for (struct gh_vault_root *root = vault->roots, *older; root; root = older) {
        older = root->older;
        gh_secret_free(root);
    }
    pthread_mutex_destroy(&vault->changing);
    free(vault->unknown);
    gh_secret_free(vault->other);
    gh_wipe(vault, sizeof(*vault));
    free(vault);
}

/* ---- Fields ---- */

/* What binds a text to its place. False: longer than any place that we have. */
static bool put_context(struct gh_buf *context, uint32_t id, const char *field, struct gh_str row)
{
    put_number(context, id, 4);
    gh_buf_put(context, gh_str_from_c(field));
    gh_buf_put_char(context, '\0'); /* in no field's name */
    gh_buf_put(context, row);
    return !context->overflow;
}

struct gh_str gh_vault_seal(const struct gh_vault *vault, struct gh_arena *arena, const char *field,
                            struct gh_str row, struct gh_str plain)
{
    char memory[CONTEXT_BYTES_MAX], prefix[PREFIX_BYTES] = {FORM};
    struct gh_buf context = gh_buf_over(memory, sizeof(memory));
    if (!plain.len)
        return GH_STR("");
    if (vault->cut_off)
        return (struct gh_str){NULL, 0};
    const struct gh_vault_field_key *key = vault->sealing;
    bool fits = put_context(&context, key->id, field, row);
    GH_ASSERT(fits);
    memcpy(prefix + 1, memory, PREFIX_BYTES - 1); /* the context begins with the id */
    return join(arena, gh_str_of(prefix, PREFIX_BYTES),
                gh_seal(arena, &vault->random, key->bytes, gh_buf_str(&context), plain));
}

uint32_t gh_vault_key_id(struct gh_str sealed)
{
    if (sealed.len < PREFIX_BYTES || sealed.ptr[0] != FORM)
        return 0;
    return (uint32_t)read_number(sealed.ptr + 1, PREFIX_BYTES - 1);
}

struct gh_str gh_vault_open_field(const struct gh_vault *vault, struct gh_arena *arena,
                                  const char *field, struct gh_str row, struct gh_str sealed)
{
    char memory[CONTEXT_BYTES_MAX];
    struct gh_buf context = gh_buf_over(memory, sizeof(memory));
    if (!sealed.len)
        return GH_STR("");
    const struct gh_vault_field_key *key = gh_vault_find_field_key(vault, gh_vault_key_id(sealed));
    if (!key)
        atomic_fetch_add(gh_vault_unknown_of(vault, arena), 1);
    if (!key || !put_context(&context, key->id, field, row))
        return (struct gh_str){NULL, 0};
    return gh_unseal(arena, key->bytes, gh_buf_str(&context), gh_str_skip(sealed, PREFIX_BYTES));
}

/* ---- Keyed hashes ---- */

void gh_vault_index(const struct gh_vault *vault, const char *use, struct gh_str value,
                    uint8_t out[GH_SHA256_BYTES])
{
    uint8_t key[GH_KEY_BYTES];
    char memory[LABEL_BYTES_MAX];
    struct gh_buf label = gh_buf_over(memory, sizeof(memory));
    gh_buf_put(&label, GH_STR("index "));
    gh_buf_put(&label, gh_str_from_c(use));
    GH_ASSERT(!label.overflow);
    gh_derive_key(vault->other->index, gh_buf_str(&label), key);
    gh_hmac_sha256(gh_str_of((char *)key, sizeof(key)), value, out);
    gh_wipe(key, sizeof(key));
}

/* ---- Values of an existing system ---- */

void gh_vault_set_fernet(struct gh_vault *vault, const struct gh_fernet_key *keys, size_t count)
{
    GH_ASSERT(count <= GH_VAULT_FERNET_MAX);
    if (count)
        memcpy(vault->other->fernet, keys, count * sizeof(*keys));
    vault->other->fernet_count = count;
}

struct gh_str gh_vault_open_fernet(const struct gh_vault *vault, struct gh_arena *arena,
                                   struct gh_str token)
{
    return gh_fernet_open(arena, vault->other->fernet, vault->other->fernet_count, token);
}
