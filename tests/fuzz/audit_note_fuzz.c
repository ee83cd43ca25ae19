/*
 * Any bytes as notes and as a verifier key. Properties: a note that opens under keys that signed
 * nothing is of an unknown key, and its checkpoint, signed by us, opens to the same; notes of a
 * file are all there; a key that is read is written the same.
 */
#include "audit/checkpoint.h"
#include "base/assert.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    gh_crypto_init();
    return 0;
}

static struct gh_pkey *fixed_key(void)
{
    static const uint8_t DER[48] = {0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06,
                                    0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20};
    return gh_pkey_from_private(GH_PKEY_ED25519, gh_str_of((const char *)DER, sizeof(DER)));
}

static void check_signed_again(struct gh_arena *arena, const struct gh_audit_checkpoint *checkpoint,
                               const struct gh_pkey *key)
{
    static char memory[64 * 1024], key_memory[256];
    struct gh_buf note = gh_buf_over(memory, sizeof(memory));
    struct gh_buf key_text = gh_buf_over(key_memory, sizeof(key_memory));
    struct gh_audit_verifier verifier;
    struct gh_audit_checkpoint again;
    /* An origin may be anything where others write it. */
    if (gh_audit_put_checkpoint(&note, checkpoint, GH_STR("fuzz"), key))
        return;
    gh_audit_put_verifier(&key_text, GH_STR("fuzz"), key);
    GH_ASSERT(gh_audit_verifier_parse(arena, gh_buf_str(&key_text), &verifier));
    GH_ASSERT(gh_audit_checkpoint_open(gh_buf_str(&note), &verifier, 1, &again) ==
              GH_AUDIT_NOTE_GOOD);
    GH_ASSERT(gh_str_eq(again.origin, checkpoint->origin) && again.seq == checkpoint->seq);
    GH_ASSERT(again.chain == checkpoint->chain);
    GH_ASSERT(again.first_seq == checkpoint->first_seq && again.time_us == checkpoint->time_us);
    GH_ASSERT(memcmp(again.hash, checkpoint->hash, sizeof(again.hash)) == 0);
    gh_pkey_unref(verifier.key);
}

static void check_notes(struct gh_arena *arena, struct gh_str text, const struct gh_pkey *key)
{
    struct gh_str rest = text, note;
    const char *at = text.ptr;
    while (gh_audit_next_note(&rest, &note)) {
        struct gh_audit_checkpoint checkpoint;
        GH_ASSERT(note.len && note.ptr >= at);
        for (; at < note.ptr; at++)
            GH_ASSERT(*at == '\n');
        at = note.ptr + note.len;
        enum gh_audit_note judgement = gh_audit_checkpoint_open(note, NULL, 0, &checkpoint);
        GH_ASSERT(judgement == GH_AUDIT_NOTE_MALFORMED || judgement == GH_AUDIT_NOTE_UNKNOWN_KEY);
        if (judgement == GH_AUDIT_NOTE_UNKNOWN_KEY)
            check_signed_again(arena, &checkpoint, key);
    }
}

static void check_key(struct gh_arena *arena, struct gh_str text)
{
    struct gh_audit_verifier verifier;
    if (!gh_audit_verifier_parse(arena, text, &verifier))
        return;
    char *memory = gh_arena_alloc(arena, text.len);
    GH_ASSERT(memory);
    struct gh_buf buf = gh_buf_over(memory, text.len);
    gh_audit_put_verifier(&buf, verifier.name, verifier.key);
    GH_ASSERT(!buf.overflow && gh_str_ieq(gh_buf_str(&buf), text));
    gh_pkey_unref(verifier.key);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gh_arena arena;
    struct gh_str text = gh_str_of((const char *)data, size);
    struct gh_pkey *key = fixed_key();
    GH_ASSERT(key);
    gh_arena_init(&arena, 16 * 1024, 4 << 20);
    check_notes(&arena, text, key);
    check_key(&arena, text);
    gh_arena_done(&arena);
    gh_pkey_unref(key);
    return 0;
}
