#include "store/redis_revocations_wire.h"

#include <endian.h>

#include "base/assert.h"

#define VERSION  1
#define ID_BYTES 16

static int digit_of(char c)
{
    return c <= '9' ? c - '0' : c - 'a' + 10;
}

/* The bytes of an id, whose form gh_id_parse has seen. */
static void pack_id(const struct gh_id *id, uint8_t out[ID_BYTES])
{
    size_t at = 0;
    for (size_t i = 0; i < GH_ID_LEN; i++) {
        if (id->text[i] == '-')
            continue;
        uint8_t digit = (uint8_t)digit_of(id->text[i]);
        out[at / 2] = (uint8_t)(at % 2 ? out[at / 2] | digit : digit << 4);
        at++;
    }
    GH_ASSERT(at == 2 * (size_t)ID_BYTES);
}

static void mac_of(const uint8_t key[GH_KEY_BYTES], struct gh_str bytes,
                   uint8_t out[GH_REVOCATION_MAC_BYTES])
{
    uint8_t whole[GH_SHA256_BYTES];
    gh_hmac_sha256(gh_str_of((const char *)key, GH_KEY_BYTES), bytes, whole);
    memcpy(out, whole, GH_REVOCATION_MAC_BYTES);
}

size_t gh_revocation_message_write(const uint8_t key[GH_KEY_BYTES],
                                   const struct gh_revocation_note *notes, size_t count,
                                   uint8_t out[GH_REVOCATION_MESSAGE_BYTES_MAX])
{
    struct gh_id ignored;
    uint8_t *at = out;
    GH_ASSERT(count <= GH_REVOCATION_NOTES_MAX);
    *at++ = VERSION;
    *at++ = (uint8_t)count;
    for (size_t i = 0; i < count; i++) {
        uint64_t until = htobe64(notes[i].until_s);
        if (!gh_id_parse(gh_id_str(&notes[i].session_id), &ignored))
            return 0;
        pack_id(&notes[i].session_id, at);
        memcpy(at + ID_BYTES, &until, sizeof(until));
        at += GH_REVOCATION_NOTE_BYTES;
    }
    mac_of(key, gh_str_of((const char *)out, (size_t)(at - out)), at);
    return (size_t)(at - out) + GH_REVOCATION_MAC_BYTES;
}

static bool is_genuine(const uint8_t key[GH_KEY_BYTES], struct gh_str message)
{
    uint8_t mac[GH_REVOCATION_MAC_BYTES];
    size_t len = message.len - sizeof(mac);
    mac_of(key, gh_str_first(message, len), mac);
    return gh_secret_eq(gh_str_of((const char *)mac, sizeof(mac)),
                        gh_str_of(message.ptr + len, sizeof(mac)));
}

bool gh_revocation_message_read(const uint8_t key[GH_KEY_BYTES], struct gh_str message,
                                struct gh_revocation_note out_notes[GH_REVOCATION_NOTES_MAX],
                                size_t *out_count)
{
    const uint8_t *at = (const uint8_t *)message.ptr;
    if (message.len < GH_REVOCATION_HEAD_BYTES + GH_REVOCATION_MAC_BYTES || at[0] != VERSION ||
        at[1] > GH_REVOCATION_NOTES_MAX)
        return false;
    size_t count = at[1];
    if (message.len !=
            GH_REVOCATION_HEAD_BYTES + count * GH_REVOCATION_NOTE_BYTES + GH_REVOCATION_MAC_BYTES ||
        !is_genuine(key, message))
        return false;
    at += GH_REVOCATION_HEAD_BYTES;
    for (size_t i = 0; i < count; i++, at += GH_REVOCATION_NOTE_BYTES) {
        uint64_t until;
        memcpy(&until, at + ID_BYTES, sizeof(until));
        /* Ours are random ids already: what gh_id_make sets is set. */
        out_notes[i] = (struct gh_revocation_note){gh_id_make(at), be64toh(until)};
    }
    *out_count = count;
    return true;
}
