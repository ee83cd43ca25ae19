/*
 * Messages about sessions that ended. Bytes of strangers are never taken, whatever they are; the
 * same bytes under the right MAC are read or refused, and what is read is written the same again.
 */
#include "base/assert.h"
#include "store/redis_revocations_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t KEY[GH_KEY_BYTES] = {7};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gh_revocation_note notes[GH_REVOCATION_NOTES_MAX];
    uint8_t message[2 * GH_REVOCATION_MESSAGE_BYTES_MAX], again[GH_REVOCATION_MESSAGE_BYTES_MAX];
    uint8_t mac[GH_SHA256_BYTES];
    size_t count;
    gh_crypto_init();
    GH_ASSERT(!gh_revocation_message_read(KEY, gh_str_of((const char *)data, size), notes, &count));
    if (size > sizeof(message) - GH_REVOCATION_MAC_BYTES)
        return 0;
    if (size)
        memcpy(message, data, size);
    gh_hmac_sha256(gh_str_of((const char *)KEY, sizeof(KEY)), gh_str_of((char *)message, size),
                   mac);
    memcpy(message + size, mac, GH_REVOCATION_MAC_BYTES);
    size += GH_REVOCATION_MAC_BYTES;
    if (!gh_revocation_message_read(KEY, gh_str_of((char *)message, size), notes, &count))
        return 0;
    GH_ASSERT(count <= GH_REVOCATION_NOTES_MAX);
    GH_ASSERT(gh_revocation_message_write(KEY, notes, count, again) == size);
    for (size_t i = 0; i < count; i++) {
        struct gh_id id;
        GH_ASSERT(gh_id_parse(gh_id_str(&notes[i].session_id), &id));
    }
    struct gh_revocation_note twice[GH_REVOCATION_NOTES_MAX];
    GH_ASSERT(gh_revocation_message_read(KEY, gh_str_of((char *)again, size), twice, &count));
    for (size_t i = 0; i < count; i++) {
        GH_ASSERT(gh_str_eq(gh_id_str(&notes[i].session_id), gh_id_str(&twice[i].session_id)));
        GH_ASSERT(notes[i].until_s == twice[i].until_s);
    }
    return 0;
}
