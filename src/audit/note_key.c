/* The keys of signed notes (C2SP signed-note): names, ids, and verifier keys as text. */
#include "audit/note_key.h"

#include "audit/base64.h"
#include "audit/checkpoint.h"
#include "base/assert.h"
#include "base/num.h"
#include "base/utf8.h"

enum { KEY_ID_HEX = 2 * GH_NOTE_KEY_ID_BYTES, ED25519 = 1 /* signature type */ };

/* The spaces of Unicode that are not ASCII, as UTF-8. */
static bool begins_with_space(struct gh_str s)
{
    static const struct gh_str SPACES[] = {
        GH_STR_INIT("\xc2\x85"),     GH_STR_INIT("\xc2\xa0"),     GH_STR_INIT("\xe1\x9a\x80"),
        GH_STR_INIT("\xe2\x80\xa8"), GH_STR_INIT("\xe2\x80\xa9"), GH_STR_INIT("\xe2\x80\xaf"),
        GH_STR_INIT("\xe2\x81\x9f"), GH_STR_INIT("\xe3\x80\x80"),
    };
    for (size_t i = 0; i < sizeof(SPACES) / sizeof(SPACES[0]); i++)
        if (gh_str_starts_with(s, SPACES[i]))
            return true;
    /* U+2000 to U+200A. */
    return gh_str_starts_with(s, GH_STR("\xe2\x80")) && s.len > 2 &&
           (unsigned char)s.ptr[2] >= 0x80 && (unsigned char)s.ptr[2] <= 0x8a;
}

bool gh_note_is_key_name(struct gh_str name)
{
    if (name.len == 0 || !gh_utf8_is_valid(name))
        return false;
    for (; name.len; name = gh_str_skip(name, 1)) {
        unsigned char c = (unsigned char)*name.ptr;
        if (c <= ' ' || c == 0x7f || c == '+' || begins_with_space(name))
            return false;
    }
    return true;
}

uint32_t gh_note_read_key_id(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

void gh_note_write_key_id(uint8_t *out, uint32_t value)
{
    for (unsigned i = 0; i < GH_NOTE_KEY_ID_BYTES; i++)
        out[i] = (uint8_t)(value >> (24 - 8 * i));
}

/* `typed_key`: signature type and key. GH_ERR_MEMORY. */
static enum gh_err find_key_id(struct gh_arena *arena, struct gh_str name,
                               const uint8_t typed_key[GH_NOTE_TYPED_KEY_BYTES],
                               uint32_t *out_key_id)
{
    size_t cap = name.len + 1 + GH_NOTE_TYPED_KEY_BYTES;
    char *memory = gh_arena_alloc(arena, cap);
    if (!memory)
        return GH_ERR_MEMORY;
    struct gh_buf buf = gh_buf_over(memory, cap);
    uint8_t hash[GH_SHA256_BYTES];
    gh_buf_put(&buf, name);
    gh_buf_put_char(&buf, '\n');
    gh_buf_put(&buf, gh_str_of((const char *)typed_key, GH_NOTE_TYPED_KEY_BYTES));
    gh_sha256(gh_buf_str(&buf), hash);
    *out_key_id = gh_note_read_key_id(hash);
    return GH_OK;
}

enum gh_err gh_note_find_key_id(struct gh_str name, const struct gh_pkey *key,
                                uint8_t out_typed_key[GH_NOTE_TYPED_KEY_BYTES],
                                uint32_t *out_key_id)
{
    struct gh_arena arena;
    struct gh_str x, y;
    gh_arena_init(&arena, 512, 64 * 1024);
    enum gh_err err = gh_pkey_public_numbers(key, &arena, &x, &y);
    if (!err) {
        GH_ASSERT(x.len == GH_NOTE_TYPED_KEY_BYTES - 1);
        out_typed_key[0] = ED25519;
        memcpy(out_typed_key + 1, x.ptr, x.len);
        err = find_key_id(&arena, name, out_typed_key, out_key_id);
    }
    gh_arena_done(&arena);
    return err;
}

static bool parse_key_id(struct gh_str text, uint32_t *out_key_id)
{
    uint32_t key_id = 0;
    if (text.len != KEY_ID_HEX)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        int digit = gh_num_hex_digit(text.ptr[i]);
        if (digit < 0)
            return false;
        key_id = key_id << 4 | (uint32_t)digit;
    }
    *out_key_id = key_id;
    return true;
}

bool gh_audit_verifier_parse(struct gh_arena *arena, struct gh_str text,
                             struct gh_audit_verifier *out)
{
    struct gh_str rest = text;
    struct gh_str name = gh_str_split(&rest, '+');
    struct gh_str id = rest.ptr ? gh_str_split(&rest, '+') : rest;
    uint8_t typed_key[GH_NOTE_TYPED_KEY_BYTES];
    uint32_t key_id, own_id;
    size_t len;
    if (!rest.ptr || !gh_note_is_key_name(name) || !parse_key_id(id, &key_id) ||
        !gh_base64_decode(rest, typed_key, sizeof(typed_key), &len) || len != sizeof(typed_key) ||
        typed_key[0] != ED25519)
        return false;
    if (find_key_id(arena, name, typed_key, &own_id) || own_id != key_id)
        return false;
    struct gh_str kept = gh_arena_dup(arena, name);
    struct gh_pkey *key = kept.ptr ? gh_pkey_from_public(GH_PKEY_ED25519,
                                                         gh_str_of((const char *)typed_key + 1,
                                                                   GH_NOTE_TYPED_KEY_BYTES - 1),
                                                         GH_STR(""))
                                   : NULL;
    if (!key)
        return false;
    *out = (struct gh_audit_verifier){.name = kept, .key_id = key_id, .key = key};
    return true;
}

void gh_audit_put_verifier(struct gh_buf *buf, struct gh_str name, const struct gh_pkey *key)
{
    GH_ASSERT(gh_pkey_alg(key) == GH_PKEY_ED25519 && gh_note_is_key_name(name));
    uint8_t typed_key[GH_NOTE_TYPED_KEY_BYTES], id_bytes[GH_NOTE_KEY_ID_BYTES];
    uint32_t key_id;
    if (gh_note_find_key_id(name, key, typed_key, &key_id)) {
        buf->overflow = true;
        return;
    }
    gh_note_write_key_id(id_bytes, key_id);
    gh_buf_put(buf, name);
    gh_buf_put_char(buf, '+');
    gh_buf_put_hex_bytes(buf, id_bytes, sizeof(id_bytes));
    gh_buf_put_char(buf, '+');
    gh_base64_put(buf, typed_key, sizeof(typed_key));
}
