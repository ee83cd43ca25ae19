/*
 * See keys.h. A kind of key is a cookie secret or a key of the ring; of each, rows in the order of
 * their ids tell all: the newest that is ten minutes old signs (the oldest, when none is), those
 * before it are retired, and go when no token of theirs can be good any more. Reading comes first,
 * then keys are made outside of any unit, then one unit looks again and writes: of two nodes that
 * find a key due, one makes it.
 */
#include "identity/keys.h"

#include <stdlib.h>

#include "base/base64.h"
#include "crypto/secret.h"

#define MINUTE_US  (60 * 1000000ull)
#define PUBLISH_US GH_IDENTITY_KEYS_PUBLISH_US
#define KEEP_US    (24 * 60 * MINUTE_US) /* behind the life of an access token */
#define KID_BYTES  12
/* A set has no place for more: what an early one pushed out would verify no more. */
#define EARLY_KEYS_MAX (GH_TOKEN_SET_KEYS_MAX - 2)
#define KINDS          2

struct kind {
    enum gh_key_purpose purpose;
    enum gh_token_alg alg;
    const char *name; /* in the audit log */
};

/* A key that was made, before it is known whether it is needed. It is wrapped in the unit that
   stores it: so the root that wraps it is the one that holds then. */
struct fresh {
    bool made;
    struct gh_str material, kid;
};

struct keeping {
    const struct gh_vault *vault;
    const struct gh_identity_settings *settings;
    const struct gh_random *random;
    uint64_t now_us;
    struct gh_arena *arena;
    struct kind kinds[KINDS];
    struct fresh fresh[KINDS];
    struct gh_key_row *rows; /* in the order of their ids */
    size_t row_count;
    bool early;      /* new ones are wanted before they are due */
    bool shared;     /* other processes read what is written here */
    bool due[KINDS]; /* a new key of the kind */
    bool overdue;    /* something to retire or to drop */
    bool changed;
};

/* ---- What is due ---- */

static bool is_of(const struct gh_key_row *row, const struct kind *kind)
{
    if (row->purpose != kind->purpose)
        return false;
    return kind->purpose == GH_KEY_COOKIE || gh_str_eq(row->alg, gh_token_alg_name(kind->alg));
}

static bool is_ripe(const struct gh_key_row *row, uint64_t now_us)
{
    return row->created_us + PUBLISH_US <= now_us;
}

/* The one that signs: the newest ripe one of the kind; while there is none (the algorithm was
   changed just now), the newest ripe one of another algorithm; at the very first the oldest. NULL:
   there is none at all. */
static struct gh_key_row *signer(const struct keeping *keeping, const struct kind *kind)
{
    struct gh_key_row *ripe = NULL, *ripe_other = NULL, *first = NULL, *first_other = NULL;
    for (size_t i = 0; i < keeping->row_count; i++) {
        struct gh_key_row *row = &keeping->rows[i];
        if (row->purpose != kind->purpose || row->retired_us)
            continue;
        bool own = is_of(row, kind), is_now = is_ripe(row, keeping->now_us);
        ripe = own && is_now ? row : ripe;
        ripe_other = !own && is_now ? row : ripe_other;
        first = own && !first ? row : first;
        first_other = !own && !first_other ? row : first_other;
    }
    if (ripe || ripe_other)
        return ripe ? ripe : ripe_other;
    return first ? first : first_other;
}

/* Is the newest of the kind so old that the next must be published? One that comes from the future
   was made under a wrong clock. */
static bool is_due(const struct keeping *keeping, const struct kind *kind)
{
    const struct gh_key_row *newest = NULL;
    size_t count = 0;
    for (size_t i = 0; i < keeping->row_count; i++) {
        count += keeping->rows[i].purpose == kind->purpose;
        if (is_of(&keeping->rows[i], kind) && !keeping->rows[i].retired_us)
            newest = &keeping->rows[i];
    }
    uint64_t rotate_us = keeping->settings->tokens.rotate_after_ms * 1000;
    if (newest && keeping->early && is_ripe(newest, keeping->now_us))
        return count < EARLY_KEYS_MAX;
    return !newest || newest->created_us + rotate_us <= keeping->now_us ||
           newest->created_us > keeping->now_us + PUBLISH_US;
}

/* Keys of the vault are not ours to drop: what they sealed is there. */
static bool is_over(const struct keeping *keeping, const struct gh_key_row *row)
{
    uint64_t keep_us = keeping->settings->tokens.access_ms * 1000 + KEEP_US;
    bool ours = row->purpose == GH_KEY_COOKIE || row->purpose == GH_KEY_SIGNING;
    return ours && row->retired_us && row->retired_us + keep_us <= keeping->now_us;
}

/* Does another sign in its place, now and from now on? */
static bool is_replaced(const struct keeping *keeping, const struct gh_key_row *row,
                        const struct kind *kind)
{
    const struct gh_key_row *signing = signer(keeping, kind);
    if (row->purpose != kind->purpose || row->retired_us || !signing || row == signing ||
        !is_ripe(signing, keeping->now_us) || !is_of(signing, kind))
        return false;
    return row->id < signing->id || (!is_of(row, kind) && is_ripe(row, keeping->now_us));
}

static int by_id(const void *a, const void *b)
{
    uint64_t left = ((const struct gh_key_row *)a)->id, right = ((const struct gh_key_row *)b)->id;
    return left < right ? -1 : left > right;
}

static enum gh_err read_rows(struct gh_tx *tx, struct keeping *keeping)
{
    enum gh_err err = tx->ops->keys_all(tx, &keeping->rows, &keeping->row_count);
    if (err == GH_OK && keeping->row_count)
        qsort(keeping->rows, keeping->row_count, sizeof(*keeping->rows), by_id);
    return err;
}

static enum gh_err look(struct gh_tx *tx, void *args)
{
    struct keeping *keeping = args;
    enum gh_err err = read_rows(tx, keeping);
    keeping->overdue = false;
    for (size_t k = 0; k < KINDS; k++) {
        keeping->due[k] = is_due(keeping, &keeping->kinds[k]);
        for (size_t i = 0; i < keeping->row_count; i++)
            keeping->overdue |= is_replaced(keeping, &keeping->rows[i], &keeping->kinds[k]) ||
                                is_over(keeping, &keeping->rows[i]);
    }
    return err;
}

/* ---- Making ---- */

static enum gh_pkey_alg pkey_alg(enum gh_token_alg alg)
{
    switch (alg) {
    case GH_TOKEN_EDDSA:
    case GH_TOKEN_HS256: /* is no pair */
        return GH_PKEY_ED25519;
    case GH_TOKEN_ES256:
        return GH_PKEY_ES256;
    case GH_TOKEN_RS256:
        return GH_PKEY_RS256;
    }
    return GH_PKEY_ED25519;
}

static enum gh_err make_secret(struct keeping *keeping, struct fresh *fresh)
{
    uint8_t random[KID_BYTES];
    char text[GH_BASE64URL_LEN(KID_BYTES)], *secret = gh_arena_alloc(keeping->arena, GH_KEY_BYTES);
    struct gh_buf kid = gh_buf_over(text, sizeof(text));
    if (!secret)
        return GH_ERR_MEMORY;
    gh_random_fill(keeping->random, secret, GH_KEY_BYTES);
    gh_random_fill(keeping->random, random, sizeof(random));
    gh_base64url_put(&kid, random, sizeof(random));
    fresh->material = gh_str_of(secret, GH_KEY_BYTES);
    fresh->kid = gh_arena_dup(keeping->arena, gh_buf_str(&kid));
    return fresh->kid.ptr ? GH_OK : GH_ERR_MEMORY;
}

static enum gh_err make_pair(struct keeping *keeping, const struct kind *kind, struct fresh *fresh)
{
    struct gh_pkey *pkey = gh_pkey_generate(pkey_alg(kind->alg));
    if (!pkey)
        return GH_ERR_MEMORY;
    fresh->material = gh_pkey_private_der(pkey, keeping->arena);
    fresh->kid = gh_jwk_thumbprint(keeping->arena, pkey);
    gh_pkey_unref(pkey);
    return fresh->kid.ptr && fresh->material.ptr ? GH_OK : GH_ERR_MEMORY;
}

static enum gh_err make_due(struct keeping *keeping)
{
    enum gh_err err = GH_OK;
    for (size_t k = 0; k < KINDS && err == GH_OK; k++) {
        const struct kind *kind = &keeping->kinds[k];
        if (!keeping->due[k])
            continue;
        err = kind->alg == GH_TOKEN_HS256 ? make_secret(keeping, &keeping->fresh[k])
                                          : make_pair(keeping, kind, &keeping->fresh[k]);
        keeping->fresh[k].made = err == GH_OK;
    }
    return err;
}

/* ---- Writing ---- */

static enum gh_err audit_rotated(struct gh_tx *tx, const struct keeping *keeping,
                                 const struct kind *kind)
{
    struct gh_str metadata = gh_arena_format(tx->arena, "{\"purpose\":\"%s\"}", kind->name);
    struct gh_audit_row row = {.record = {.time_us = keeping->now_us,
                                          .event = GH_AUDIT_SECRET_ROTATED,
                                          .metadata = metadata}};
    return metadata.ptr ? tx->ops->audit_append(tx, &row) : GH_ERR_MEMORY;
}

static enum gh_err insert(struct gh_tx *tx, struct keeping *keeping, size_t k)
{
    const struct kind *kind = &keeping->kinds[k];
    bool is_successor = signer(keeping, kind) != NULL;
    struct gh_key_row row = {
        .purpose = kind->purpose,
        .alg = kind->purpose == GH_KEY_SIGNING ? gh_token_alg_name(kind->alg) : GH_STR(""),
        .kid = keeping->fresh[k].kid,
        .wrapped = gh_vault_wrap(keeping->vault, tx->arena, gh_vault_key_use(kind->purpose),
                                 keeping->fresh[k].material),
        .created_us = keeping->now_us,
    };
    keeping->changed = true;
    enum gh_err err = row.wrapped.ptr ? tx->ops->key_insert(tx, &row, &row.id) : GH_ERR_MEMORY;
    return err == GH_OK && is_successor ? audit_rotated(tx, keeping, kind) : err;
}

static enum gh_err retire_or_drop(struct gh_tx *tx, struct keeping *keeping, struct gh_key_row *row)
{
    bool replaced = false;
    for (size_t k = 0; k < KINDS; k++)
        replaced |= is_replaced(keeping, row, &keeping->kinds[k]);
    bool over = is_over(keeping, row);
    keeping->changed |= replaced || over;
    if (over)
        return tx->ops->key_delete(tx, row->id);
    struct gh_key_row retired = *row;
    retired.retired_us = keeping->now_us;
    return replaced ? tx->ops->key_update(tx, &retired) : GH_OK;
}

static enum gh_err write(struct gh_tx *tx, void *args)
{
    struct keeping *keeping = args;
    keeping->changed = false;
    enum gh_err err = read_rows(tx, keeping);
    if (err == GH_OK && keeping->shared && (keeping->fresh[0].made || keeping->fresh[1].made) &&
        !gh_vault_wraps_like(keeping->vault, tx->arena, keeping->rows, keeping->row_count))
        return GH_ERR_INVALID; /* once the vault has taken over the root of the others */
    for (size_t k = 0; k < KINDS && err == GH_OK; k++)
        if (keeping->fresh[k].made && is_due(keeping, &keeping->kinds[k]))
            err = insert(tx, keeping, k);
    if (err == GH_OK)
        err = read_rows(tx, keeping);
    for (size_t i = 0; i < keeping->row_count && err == GH_OK; i++)
        err = retire_or_drop(tx, keeping, &keeping->rows[i]);
    return err == GH_OK ? read_rows(tx, keeping) : err;
}

/* ---- The keys of this moment ---- */

static enum gh_err open_key(const struct keeping *keeping, const struct gh_key_row *row,
                            struct gh_token_key *out_key)
{
    struct gh_token_key key = {.alg = GH_TOKEN_HS256, .kid = row->kid};
    struct gh_str material = gh_vault_unwrap(keeping->vault, keeping->arena,
                                             gh_vault_key_use(row->purpose), row->wrapped);
    if (!material.ptr ||
        (row->purpose == GH_KEY_SIGNING && !gh_token_alg_parse(row->alg, &key.alg)))
        return GH_ERR_INVALID;
    if (key.alg == GH_TOKEN_HS256) {
        key.secret = gh_secret_dup(material);
        gh_wipe((char *)material.ptr, material.len);
        if (!key.secret.ptr)
            return GH_ERR_MEMORY;
    } else {
        key.pkey = gh_pkey_from_private(pkey_alg(key.alg), material);
        gh_wipe((char *)material.ptr, material.len);
        if (!key.pkey)
            return GH_ERR_INVALID;
    }
    *out_key = key;
    return GH_OK;
}

static void set_done(struct gh_token_key_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        gh_pkey_unref(set->keys[i].pkey);
        gh_secret_free((char *)set->keys[i].secret.ptr);
    }
    *set = (struct gh_token_key_set){.keys = NULL};
}

/* The signing one first, the others from the newest to the oldest. */
static enum gh_err open_set(const struct keeping *keeping, const struct kind *kind,
                            struct gh_token_key_set *out_set)
{
    const struct gh_key_row *signing = signer(keeping, kind);
    struct gh_token_key *keys =
        gh_arena_zalloc(keeping->arena, GH_TOKEN_SET_KEYS_MAX, sizeof(*keys));
    if (!keys || !signing)
        return keys ? GH_ERR_INVALID : GH_ERR_MEMORY;
    *out_set = (struct gh_token_key_set){.keys = keys};
    enum gh_err err = open_key(keeping, signing, &keys[0]);
    out_set->count = err == GH_OK;
    for (size_t i = keeping->row_count; i-- > 0 && err == GH_OK;) {
        const struct gh_key_row *row = &keeping->rows[i];
        if (row->purpose != kind->purpose || row == signing ||
            out_set->count == GH_TOKEN_SET_KEYS_MAX)
            continue;
        err = open_key(keeping, row, &keys[out_set->count]);
        out_set->count += err == GH_OK;
    }
    if (err != GH_OK)
        set_done(out_set);
    return err;
}

static struct keeping keeping_of(const struct gh_vault *vault,
                                 const struct gh_identity_settings *settings,
                                 const struct gh_random *random, uint64_t now_us,
                                 struct gh_arena *arena)
{
    return (struct keeping){
        .vault = vault,
        .settings = settings,
        .random = random,
        .now_us = now_us,
        .arena = arena,
        .kinds = {{GH_KEY_COOKIE, GH_TOKEN_HS256, "cookie"},
                  {GH_KEY_SIGNING, settings->tokens.algorithm, "signing"}},
    };
}

/* Looks, makes what is due, and writes what there is to write. */
static enum gh_err keep(struct gh_store *store, struct keeping *keeping)
{
    keeping->shared = store->shared;
    enum gh_err err = store->ops->read(store, look, keeping, keeping->arena);
    if (err == GH_OK)
        err = make_due(keeping);
    if (err == GH_OK && (keeping->overdue || keeping->due[0] || keeping->due[1]))
        err = store->ops->run(store, write, keeping, keeping->arena);
    for (size_t k = 0; k < KINDS; k++)
        if (keeping->fresh[k].material.len)
            gh_wipe((char *)keeping->fresh[k].material.ptr, keeping->fresh[k].material.len);
    return err;
}

enum gh_err gh_identity_keys_maintain(struct gh_store *store, const struct gh_vault *vault,
                                      const struct gh_identity_settings *settings,
                                      const struct gh_random *random, uint64_t now_us,
                                      struct gh_arena *arena, struct gh_identity_keys *out_keys)
{
    struct keeping keeping = keeping_of(vault, settings, random, now_us, arena);
    struct gh_identity_keys keys = {.changed = false};
    enum gh_err err = keep(store, &keeping);
    if (err == GH_OK)
        err = open_set(&keeping, &keeping.kinds[0], &keys.cookie);
    if (err == GH_OK)
        err = open_set(&keeping, &keeping.kinds[1], &keys.ring);
    if (err != GH_OK) {
        gh_identity_keys_done(&keys);
        return err;
    }
    keys.changed = keeping.changed;
    *out_keys = keys;
    return GH_OK;
}

enum gh_err gh_identity_keys_rotate(struct gh_store *store, const struct gh_vault *vault,
                                    const struct gh_identity_settings *settings,
                                    const struct gh_random *random, uint64_t now_us,
                                    struct gh_arena *arena, bool *out_made)
{
    struct keeping keeping = keeping_of(vault, settings, random, now_us, arena);
    keeping.early = true;
    enum gh_err err = keep(store, &keeping);
    if (err == GH_OK)
        *out_made = keeping.due[0] || keeping.due[1];
    return err;
}

static bool sets_are_same(const struct gh_token_key_set *a, const struct gh_token_key_set *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (!gh_str_eq(a->keys[i].kid, b->keys[i].kid))
            return false;
    return true;
}

bool gh_identity_keys_are_same(const struct gh_identity_keys *a, const struct gh_identity_keys *b)
{
    return sets_are_same(&a->cookie, &b->cookie) && sets_are_same(&a->ring, &b->ring);
}

void gh_identity_keys_done(struct gh_identity_keys *keys)
{
    set_done(&keys->cookie);
    set_done(&keys->ring);
}

/* ---- Are they others? ---- */

struct digesting {
    struct gh_key_row *rows;
    size_t count;
};

static enum gh_err read_all(struct gh_tx *tx, void *args)
{
    struct digesting *digesting = args;
    return tx->ops->keys_all(tx, &digesting->rows, &digesting->count);
}

enum gh_err gh_identity_keys_digest(struct gh_store *store, struct gh_arena *arena,
                                    uint8_t out[GH_SHA256_BYTES])
{
    struct digesting digesting = {.count = 0};
    enum gh_err err = store->ops->read(store, read_all, &digesting, arena);
    if (err != GH_OK)
        return err;
    uint8_t digest[GH_SHA256_BYTES] = {0};
    for (size_t i = 0; i < digesting.count; i++) {
        const struct gh_key_row *row = &digesting.rows[i];
        struct gh_str text =
            gh_arena_format(arena, "%llu %d %llu ", (unsigned long long)row->id, (int)row->purpose,
                            (unsigned long long)row->retired_us);
        char *joined =
            text.ptr ? gh_arena_alloc(arena, sizeof(digest) + text.len + row->wrapped.len) : NULL;
        if (!joined)
            return GH_ERR_MEMORY;
        memcpy(joined, digest, sizeof(digest));
        memcpy(joined + sizeof(digest), text.ptr, text.len);
        if (row->wrapped.len)
            memcpy(joined + sizeof(digest) + text.len, row->wrapped.ptr, row->wrapped.len);
        gh_sha256(gh_str_of(joined, sizeof(digest) + text.len + row->wrapped.len), digest);
    }
    memcpy(out, digest, sizeof(digest));
    return GH_OK;
}
