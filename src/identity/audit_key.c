#include "identity/audit_key.h"

#include "identity/audit_chains.h"
#include "identity/audit_log.h"
#include "json/parse.h"
#include "json/writer.h"

#define NAME_PREFIX    GH_STR("gatehouse/audit/")
#define NAME_BYTES     8
#define ALG            GH_STR("Ed25519")
#define NOTE_JSON_MAX  (2 * GH_AUDIT_NOTE_BYTES_MAX)
#define KEY_TEXT_BYTES 256

/* ---- Reading ---- */

struct reading {
    struct gh_key_row *rows[GH_AUDIT_KEYS_MAX + 1]; /* by id; the last one is spare */
    size_t count;
};

/* Where there are too many the second oldest goes: the oldest names the chain. */
static void keep_row(struct reading *reading, struct gh_key_row *row)
{
    size_t at = reading->count++;
    for (; at > 0 && reading->rows[at - 1]->id > row->id; at--)
        reading->rows[at] = reading->rows[at - 1];
    reading->rows[at] = row;
    if (reading->count <= GH_AUDIT_KEYS_MAX)
        return;
    reading->count--;
    memmove(&reading->rows[1], &reading->rows[2], (reading->count - 1) * sizeof(reading->rows[0]));
}

static enum gh_err read_rows(struct gh_tx *tx, void *args)
{
    struct reading *reading = args;
    struct gh_key_row *rows;
    size_t count;
    reading->count = 0;
    enum gh_err err = tx->ops->keys_all(tx, &rows, &count);
    for (size_t i = 0; err == GH_OK && i < count; i++) {
        if (rows[i].purpose == GH_KEY_AUDIT)
            keep_row(reading, &rows[i]);
    }
    return err;
}

static enum gh_err open_key(const struct gh_identity *identity, struct gh_arena *arena,
                            const struct gh_key_row *row, struct gh_audit_verifier *out)
{
    struct gh_str der =
        gh_vault_unwrap(identity->vault, arena, gh_vault_key_use(GH_KEY_AUDIT), row->wrapped);
    struct gh_pkey *key = der.ptr ? gh_pkey_from_private(GH_PKEY_ED25519, der) : NULL;
    if (der.ptr)
        gh_wipe((char *)der.ptr, der.len);
    if (!key)
        return GH_ERR_INVALID;
    char memory[KEY_TEXT_BYTES];
    struct gh_buf text = gh_buf_over(memory, sizeof(memory));
    gh_audit_put_verifier(&text, row->kid, key);
    /* Reading it back gives the key's id, and a public half of its own. */
    struct gh_str kept = gh_arena_dup(arena, gh_buf_str(&text));
    bool good = !text.overflow && kept.ptr && gh_audit_verifier_parse(arena, kept, out);
    if (good) {
        gh_pkey_unref(out->key);
        out->key = key;
    } else {
        gh_pkey_unref(key);
    }
    return good ? GH_OK : GH_ERR_INVALID;
}

/* The newest that is not retired signs. */
static void choose(struct gh_audit_keys *keys, const struct reading *reading)
{
    keys->origin = keys->verifiers[0].name;
    for (size_t i = reading->count; i-- > 0;) {
        if (reading->rows[i]->retired_us)
            continue;
        struct gh_audit_verifier signer = keys->verifiers[i];
        keys->verifiers[i] = keys->verifiers[0];
        keys->verifiers[0] = signer;
        keys->name = signer.name;
        keys->key = signer.key;
        return;
    }
}

enum gh_err gh_audit_keys_read(const struct gh_identity *identity, struct gh_arena *arena,
                               struct gh_audit_keys *out_keys)
{
    struct reading reading;
    enum gh_err err = identity->store->ops->read(identity->store, read_rows, &reading, arena);
    if (err != GH_OK || !reading.count)
        return err != GH_OK ? err : GH_ERR_NOT_FOUND;
    struct gh_audit_keys keys = {
        .verifiers = gh_arena_zalloc(arena, reading.count, sizeof(*keys.verifiers))};
    err = keys.verifiers ? GH_OK : GH_ERR_MEMORY;
    for (size_t i = 0; err == GH_OK && i < reading.count; i++) {
        err = open_key(identity, arena, reading.rows[i], &keys.verifiers[i]);
        keys.verifier_count += err == GH_OK;
    }
    if (err != GH_OK) {
        gh_audit_keys_done(&keys);
        return err;
    }
    choose(&keys, &reading);
    *out_keys = keys;
    return GH_OK;
}

void gh_audit_keys_done(struct gh_audit_keys *keys)
{
    for (size_t i = 0; i < keys->verifier_count; i++)
        gh_pkey_unref(keys->verifiers[i].key);
    *keys = (struct gh_audit_keys){.key = NULL};
}

/* ---- Making ---- */

struct making {
    const struct gh_identity *identity;
    struct gh_str der;
    struct gh_key_row row;
};

/* Of two that find none, one makes it. */
static enum gh_err insert(struct gh_tx *tx, void *args)
{
    struct making *making = args;
    const struct gh_identity *identity = making->identity;
    struct gh_key_row *rows;
    size_t count;
    uint64_t id;
    enum gh_err err = tx->ops->keys_all(tx, &rows, &count);
    for (size_t i = 0; err == GH_OK && i < count; i++)
        if (rows[i].purpose == GH_KEY_AUDIT && !rows[i].retired_us)
            return GH_OK;
    if (err != GH_OK)
        return err;
    if (identity->store->shared && !gh_vault_wraps_like(identity->vault, tx->arena, rows, count))
        return GH_ERR_INVALID; /* once the vault has taken over the root of the others */
    /* In the unit: a change of the root wraps anew what is stored, and this is not yet. */
    making->row.wrapped =
        gh_vault_wrap(identity->vault, tx->arena, gh_vault_key_use(GH_KEY_AUDIT), making->der);
    return making->row.wrapped.ptr ? tx->ops->key_insert(tx, &making->row, &id) : GH_ERR_MEMORY;
}

static enum gh_err make(const struct gh_identity *identity, uint64_t now_us, struct gh_arena *arena)
{
    uint8_t random[NAME_BYTES];
    char memory[GH_AUDIT_KEY_NAME_LEN + 1]; /* gh_buf_format ends with a NUL */
    struct gh_buf name = gh_buf_over(memory, sizeof(memory));
    gh_random_fill(&identity->random, random, sizeof(random));
    gh_buf_put(&name, NAME_PREFIX);
    for (size_t i = 0; i < sizeof(random); i++)
        gh_buf_format(&name, "%02x", random[i]);
    struct gh_pkey *key = gh_pkey_generate(GH_PKEY_ED25519);
    struct gh_str der = key ? gh_pkey_private_der(key, arena) : (struct gh_str){NULL, 0};
    gh_pkey_unref(key);
    if (!der.ptr)
        return GH_ERR_MEMORY;
    struct making making = {.identity = identity,
                            .der = der,
                            .row = {
                                .purpose = GH_KEY_AUDIT,
                                .alg = ALG,
                                .kid = gh_arena_dup(arena, gh_buf_str(&name)),
                                .created_us = now_us,
                            }};
    enum gh_err err = GH_ERR_MEMORY;
    if (making.row.kid.ptr)
        err = identity->store->ops->run(identity->store, insert, &making, arena);
    gh_wipe((char *)der.ptr, der.len);
    return err;
}

enum gh_err gh_audit_keys_load(const struct gh_identity *identity, uint64_t now_us,
                               struct gh_arena *arena, struct gh_audit_keys *out_keys)
{
    struct gh_audit_keys keys = {.key = NULL};
    enum gh_err err = gh_audit_keys_read(identity, arena, &keys);
    if (err == GH_OK && keys.key) {
        *out_keys = keys;
        return GH_OK;
    }
    gh_audit_keys_done(&keys);
    if (err == GH_OK || err == GH_ERR_NOT_FOUND)
        err = make(identity, now_us, arena);
    return err == GH_OK ? gh_audit_keys_read(identity, arena, out_keys) : err;
}

/* ---- Signing ---- */

bool gh_audit_keys_open(const struct gh_audit_keys *keys, struct gh_arena *arena,
                        const struct gh_audit_row *row, struct gh_audit_checkpoint *out)
{
    struct gh_str note = gh_audit_note_of(arena, row->record.metadata);
    return note.ptr &&
           gh_audit_checkpoint_open(note, keys->verifiers, keys->verifier_count, out) ==
               GH_AUDIT_NOTE_GOOD &&
           out->chain == gh_audit_chain_of(&row->record) && out->seq + 1 == row->record.seq &&
           memcmp(out->hash, row->prev_hash, GH_SHA256_BYTES) == 0;
}

/* As the newest checkpoint has it; nothing that is signed says that it ever moved: the first record
   of all. */
static enum gh_err find_front(struct gh_tx *tx, const struct gh_audit_keys *keys,
                              struct gh_audit_front *out)
{
    struct gh_audit_checkpoint checkpoint;
    struct gh_audit_row row;
    *out = (struct gh_audit_front){.seq = 1};
    enum gh_err err = tx->ops->audit_last_of(tx, GH_AUDIT_AUDIT_CHECKPOINT, 0, &row);
    if (err == GH_OK && gh_audit_keys_open(keys, tx->arena, &row, &checkpoint)) {
        out->seq = checkpoint.first_seq;
        memcpy(out->prev_hash, checkpoint.first_prev_hash, sizeof(out->prev_hash));
    }
    return err == GH_ERR_NOT_FOUND ? GH_OK : err;
}

static enum gh_err put_note(struct gh_tx *tx, const struct gh_audit_keys *keys,
                            const struct gh_audit_front *moved, uint64_t now_us,
                            struct gh_buf *note)
{
    struct gh_audit_checkpoint checkpoint = {.origin = keys->origin, .time_us = now_us};
    struct gh_audit_front front;
    enum gh_err err = gh_audit_chain_of_unit(tx, &checkpoint.chain);
    if (err == GH_OK)
        err = tx->ops->audit_head(tx, &checkpoint.seq, checkpoint.hash);
    if (err == GH_OK && moved)
        front = *moved;
    else if (err == GH_OK)
        err = find_front(tx, keys, &front);
    if (err != GH_OK)
        return err;
    checkpoint.first_seq = front.seq;
    memcpy(checkpoint.first_prev_hash, front.prev_hash, sizeof(front.prev_hash));
    return gh_audit_put_checkpoint(note, &checkpoint, keys->name, keys->key);
}

enum gh_err gh_audit_keys_sign(struct gh_tx *tx, const struct gh_identity *identity,
                               const struct gh_audit_keys *keys, const struct gh_audit_front *front,
                               uint64_t now_us, struct gh_audit_signed *out_signed)
{
    char text[GH_AUDIT_NOTE_BYTES_MAX], memory[NOTE_JSON_MAX];
    struct gh_buf note = gh_buf_over(text, sizeof(text));
    struct gh_buf metadata = gh_buf_over(memory, sizeof(memory));
    enum gh_err err = put_note(tx, keys, front, now_us, &note);
    if (err != GH_OK)
        return err;
    gh_buf_put_char(&metadata, '{');
    gh_json_put_member(&metadata, GH_STR("note"), gh_buf_str(&note));
    gh_buf_put_char(&metadata, '}');
    struct gh_audit_record record = {
        .time_us = now_us,
        .event = GH_AUDIT_AUDIT_CHECKPOINT,
        .outcome = GH_AUDIT_SUCCESS,
        .metadata = gh_buf_str(&metadata),
    };
    struct gh_audit_signed result = {.note = gh_arena_dup(tx->arena, gh_buf_str(&note))};
    if (note.overflow || metadata.overflow || !result.note.ptr)
        return GH_ERR_MEMORY;
    err = gh_audit_log_append(tx, identity, &record);
    if (err == GH_OK)
        err = tx->ops->audit_head(tx, &result.seq, result.hash);
    if (err == GH_OK)
        *out_signed = result;
    return err;
}

struct gh_str gh_audit_note_of(struct gh_arena *arena, struct gh_str metadata)
{
    struct gh_json_doc doc;
    struct gh_str none = {NULL, 0};
    if (gh_json_parse(arena, metadata, &gh_json_small, &doc, NULL) != GH_JSON_OK)
        return none;
    return gh_json_string(gh_json_get(&doc, gh_json_root(&doc), GH_STR("note")));
}
