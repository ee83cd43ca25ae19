/*
 * Checkpoints as signed notes. The expected texts were computed apart from this code, with Python's
 * hashlib, base64 and the package cryptography: key id = SHA-256(name, "\n", 0x01, key)[:4],
 * signature over the text with its last newline (C2SP signed-note; golang.org/x/mod/sumdb/note).
 */
#include "audit/checkpoint.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "audit/log_fixture.h"

#define KEY GH_LOG_KEY_NAME "+5eaa6473+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4"
#define TEXT                                                                                       \
    GH_LOG_KEY_NAME "\n1000\niZnn6A9c6gG0ncdiSdW4raG+HrO1K5oVdqSxgDBGDnk=\n"                       \
                    "first 7 /yZd2sr4cpRcMb65q0ggAUv+H5mQln7mEtnpV42EMSY=\n"                       \
                    "time 2026-01-31T23:59:59.000001Z\n"
#define DASH "\xe2\x80\x94 "
#define SIGNATURE                                                                                  \
    DASH GH_LOG_KEY_NAME " XqpkcwEwg3iPM0sRlp+Mu6e3mgFnsyFaxRud2DNzLSBXw6y5tbQgZeveouwBZURL0EZaOj" \
                         "aHZS9oW5boVsUR5OsLTwQ=\n"
#define WITNESS                                                                                    \
    DASH "witness.example/w1 aMyl1A57nRnBWkV7b1t2vnGV2/0SzF75OMBwXFNASjukcf1TDtSR4JcmXFj0QqlkvUZ"  \
         "jliILkzYE/P1v+7z3+TqVUgI=\n"
#define WITNESS_KEY "witness.example/w1+68cca5d4+AepKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs"
#define NOTE        TEXT "\n" SIGNATURE

struct fixture {
    struct gh_arena arena;
    struct gh_audit_verifier ours, witness;
    struct gh_pkey *key;
};

static int set_up(void **state)
{
    static struct fixture fixture;
    gh_arena_init(&fixture.arena, 16 * 1024, 1 << 20);
    fixture.key = gh_log_key(0);
    assert_true(gh_audit_verifier_parse(&fixture.arena, GH_STR(KEY), &fixture.ours));
    assert_true(gh_audit_verifier_parse(&fixture.arena, GH_STR(WITNESS_KEY), &fixture.witness));
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    gh_pkey_unref(fixture->ours.key);
    gh_pkey_unref(fixture->witness.key);
    gh_pkey_unref(fixture->key);
    gh_arena_done(&fixture->arena);
    return 0;
}

static struct gh_audit_checkpoint example(void)
{
    struct gh_audit_checkpoint checkpoint = {.origin = GH_STR(GH_LOG_KEY_NAME),
                                             .seq = 1000,
                                             .first_seq = 7,
                                             .time_us = 1769903999000001};
    gh_sha256(GH_STR("record 1000"), checkpoint.hash);
    gh_sha256(GH_STR("record 6"), checkpoint.first_prev_hash);
    return checkpoint;
}

static enum gh_audit_note judge(const struct fixture *fixture, struct gh_str note)
{
    struct gh_audit_checkpoint out;
    return gh_audit_checkpoint_open(note, &fixture->ours, 1, &out);
}

static void a_note_is_byte_for_byte_that_of_other_tools(void **state)
{
    struct fixture *fixture = *state;
    struct gh_audit_checkpoint checkpoint = example();
    struct gh_str note = gh_log_note(&fixture->arena, &checkpoint, fixture->key);
    assert_int_equal(note.len, strlen(NOTE));
    assert_memory_equal(note.ptr, NOTE, note.len);
}

static void a_verifier_key_is_that_of_other_tools(void **state)
{
    struct fixture *fixture = *state;
    char text[256];
    struct gh_buf buf = gh_buf_over(text, sizeof(text));
    gh_audit_put_verifier(&buf, GH_STR(GH_LOG_KEY_NAME), fixture->key);
    assert_true(gh_str_eq(gh_buf_str(&buf), GH_STR(KEY)));
    assert_int_equal(fixture->ours.key_id, 0x5eaa6473);
    assert_true(gh_str_eq(fixture->ours.name, GH_STR(GH_LOG_KEY_NAME)));
    /* The example of golang.org/x/mod/sumdb/note. */
    struct gh_audit_verifier go;
    assert_true(gh_audit_verifier_parse(
        &fixture->arena,
        GH_STR("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"), &go));
    gh_pkey_unref(go.key);
}

static void a_good_note_opens_to_what_was_signed(void **state)
{
    struct fixture *fixture = *state;
    struct gh_audit_checkpoint out, expected = example();
    assert_int_equal(gh_audit_checkpoint_open(GH_STR(NOTE), &fixture->ours, 1, &out),
                     GH_AUDIT_NOTE_GOOD);
    assert_true(gh_str_eq(out.origin, expected.origin));
    assert_int_equal(out.seq, expected.seq);
    assert_int_equal(out.first_seq, expected.first_seq);
    assert_int_equal(out.time_us, expected.time_us);
    assert_memory_equal(out.hash, expected.hash, GH_SHA256_BYTES);
    assert_memory_equal(out.first_prev_hash, expected.first_prev_hash, GH_SHA256_BYTES);
}

static void a_note_names_its_chain_unless_it_is_the_first(void **state)
{
    static const char SECOND[] =
        GH_LOG_KEY_NAME "\n1000\niZnn6A9c6gG0ncdiSdW4raG+HrO1K5oVdqSxgDBGDnk=\nchain 2\n"
                        "first 7 /yZd2sr4cpRcMb65q0ggAUv+H5mQln7mEtnpV42EMSY=\n"
                        "time 2026-01-31T23:59:59.000001Z\n\n" DASH GH_LOG_KEY_NAME
                        " Xqpkc9dReCxIM1dav2ebHzyukcuuUIHLVGdHK5SAQUzPZo2SDyy9MOXYR0t2fAV66NYqB2yo"
                        "Gt6jfnG0lKF/EVe/jQA=\n";
    struct fixture *fixture = *state;
    struct gh_audit_checkpoint checkpoint = example(), out;
    checkpoint.chain = 1;
    assert_true(gh_str_eq(gh_log_note(&fixture->arena, &checkpoint, fixture->key), GH_STR(NOTE)));
    assert_int_equal(gh_audit_checkpoint_open(GH_STR(NOTE), &fixture->ours, 1, &out),
                     GH_AUDIT_NOTE_GOOD);
    assert_int_equal(out.chain, 1);
    checkpoint.chain = 2;
    assert_true(
        gh_str_eq(gh_log_note(&fixture->arena, &checkpoint, fixture->key), gh_str_from_c(SECOND)));
    assert_int_equal(gh_audit_checkpoint_open(gh_str_from_c(SECOND), &fixture->ours, 1, &out),
                     GH_AUDIT_NOTE_GOOD);
    assert_int_equal(out.chain, 2);
    assert_int_equal(out.first_seq, 7);
}

static void signatures_of_witnesses_are_passed_over_or_checked(void **state)
{
    struct fixture *fixture = *state;
    const struct gh_audit_verifier both[] = {fixture->ours, fixture->witness};
    struct gh_audit_checkpoint out;
    struct gh_str note = GH_STR(TEXT "\n" WITNESS SIGNATURE);
    assert_int_equal(judge(fixture, note), GH_AUDIT_NOTE_GOOD);
    assert_int_equal(gh_audit_checkpoint_open(note, both, 2, &out), GH_AUDIT_NOTE_GOOD);
    assert_int_equal(gh_audit_checkpoint_open(note, &fixture->witness, 1, &out),
                     GH_AUDIT_NOTE_GOOD);
    assert_int_equal(gh_audit_checkpoint_open(note, NULL, 0, &out), GH_AUDIT_NOTE_UNKNOWN_KEY);
    assert_int_equal(judge(fixture, GH_STR(TEXT "\n" WITNESS)), GH_AUDIT_NOTE_UNKNOWN_KEY);
}

static void a_wrong_signature_of_a_known_key_spoils_a_note(void **state)
{
    struct fixture *fixture = *state;
    const struct gh_audit_verifier both[] = {fixture->ours, fixture->witness};
    struct gh_audit_checkpoint out = {.seq = 77};
    static const char OTHER[] = "gatehouse/audit/0123456789abcdef\n1001\n"
                                "iZnn6A9c6gG0ncdiSdW4raG+HrO1K5oVdqSxgDBGDnk=\n"
                                "first 7 /yZd2sr4cpRcMb65q0ggAUv+H5mQln7mEtnpV42EMSY=\n"
                                "time 2026-01-31T23:59:59.000001Z\n\n" SIGNATURE;
    assert_int_equal(gh_audit_checkpoint_open(gh_str_from_c(OTHER), both, 2, &out),
                     GH_AUDIT_NOTE_FORGED);
    assert_int_equal(out.seq, 77);
    /* Our signature is good, the witness's is not. */
    struct gh_audit_checkpoint checkpoint = example();
    checkpoint.seq++;
    struct gh_str ours = gh_log_note(&fixture->arena, &checkpoint, fixture->key);
    struct gh_str mixed = gh_arena_format(&fixture->arena, "%.*s%s", GH_STR_ARG(ours), WITNESS);
    assert_int_equal(judge(fixture, mixed), GH_AUDIT_NOTE_GOOD);
    assert_int_equal(gh_audit_checkpoint_open(mixed, both, 2, &out), GH_AUDIT_NOTE_FORGED);
}

static void no_changed_byte_of_a_note_goes_unseen(void **state)
{
    struct fixture *fixture = *state;
    char note[] = NOTE;
    for (size_t i = 0; i < sizeof(note) - 1; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            note[i] = (char)(note[i] ^ 1 << bit);
            assert_int_not_equal(judge(fixture, gh_str_of(note, sizeof(note) - 1)),
                                 GH_AUDIT_NOTE_GOOD);
            note[i] = (char)(note[i] ^ 1 << bit);
        }
    }
    for (size_t len = 0; len < sizeof(note) - 1; len++)
        assert_int_not_equal(judge(fixture, gh_str_of(note, len)), GH_AUDIT_NOTE_GOOD);
}

#define HASH_LINE  "iZnn6A9c6gG0ncdiSdW4raG+HrO1K5oVdqSxgDBGDnk=\n"
#define FIRST_LINE "first 7 /yZd2sr4cpRcMb65q0ggAUv+H5mQln7mEtnpV42EMSY=\n"
#define TIME_LINE  "time 2026-01-31T23:59:59.000001Z\n"

static void refuses_notes_of_another_form(void **state)
{
    static const char *const TEXTS[] = {
        "",
        "\n",
        TEXT,
        TEXT "\n",
        TEXT SIGNATURE,
        TEXT "\n" SIGNATURE "\n",
        TEXT "\n" SIGNATURE "x\n",
        TEXT "\n\n" SIGNATURE,
        TEXT "\n- name AAAAAAA=\n",
        TEXT "\n" DASH "name\n",
        TEXT "\n" DASH "name AAAAAA==\n",
        TEXT "\n" DASH " AAAAAAA=\n",
        TEXT "\n" DASH "na+me AAAAAAA=\n",
        TEXT "\n" DASH "na\xc2\xa0me AAAAAAA=\n",
        TEXT "\n" DASH "na\xe2\x80\x89me AAAAAAA=\n",
        TEXT "\n" DASH "name AAAAAAA= \n",
        TEXT "\n" DASH "name AAAA-AA=\n",
        "o\n1\n" HASH_LINE FIRST_LINE "\n" WITNESS,
        "\n1\n" HASH_LINE FIRST_LINE TIME_LINE "\n" WITNESS,
        "o\n0\n" HASH_LINE FIRST_LINE TIME_LINE "\n" WITNESS,
        "o\n01\n" HASH_LINE FIRST_LINE TIME_LINE "\n" WITNESS,
        "o\n-9\n" HASH_LINE FIRST_LINE TIME_LINE "\n" WITNESS,
        "o\n5\n" HASH_LINE FIRST_LINE TIME_LINE "\n" WITNESS, /* first after the last */
        "o\n9\niZnn6A==\n" FIRST_LINE TIME_LINE "\n" WITNESS,
        "o\n9\n" HASH_LINE TIME_LINE FIRST_LINE "\n" WITNESS,
        "o\n9\n" HASH_LINE FIRST_LINE "time 2026-02-30T00:00:00.000000Z\n\n" WITNESS,
        "o\n9\n" HASH_LINE FIRST_LINE TIME_LINE "a\x01\n\n" WITNESS,
        "o\n9\n" HASH_LINE FIRST_LINE TIME_LINE "a\xff\n\n" WITNESS,
        "o\r\n9\n" HASH_LINE FIRST_LINE TIME_LINE "\n" WITNESS,
        "o\n9\n" HASH_LINE "chain 0\n" FIRST_LINE TIME_LINE "\n" WITNESS,
        "o\n9\n" HASH_LINE "chain 1\n" FIRST_LINE TIME_LINE "\n" WITNESS,
        "o\n9\n" HASH_LINE "chain 02\n" FIRST_LINE TIME_LINE "\n" WITNESS,
        "o\n9\n" HASH_LINE "chain  2\n" FIRST_LINE TIME_LINE "\n" WITNESS,
        "o\n9\n" HASH_LINE "chain\n" FIRST_LINE TIME_LINE "\n" WITNESS,
        "o\n9\n" HASH_LINE "chain 4294967296\n" FIRST_LINE TIME_LINE "\n" WITNESS,
        "o\n9\n" HASH_LINE "chain 2\nchain 2\n" FIRST_LINE TIME_LINE "\n" WITNESS,
        "o\n9\n" HASH_LINE FIRST_LINE "chain 2\n" TIME_LINE "\n" WITNESS,
        "o\n9\n" HASH_LINE "chain 2\n\n" WITNESS,
        "o\n9\n" HASH_LINE "chain 2\n" FIRST_LINE "\n" WITNESS,
    };
    for (size_t i = 0; i < sizeof(TEXTS) / sizeof(TEXTS[0]); i++)
        assert_int_equal(judge(*state, gh_str_from_c(TEXTS[i])), GH_AUDIT_NOTE_MALFORMED);
    assert_int_equal(
        judge(*state, GH_STR("o\n9\n" HASH_LINE FIRST_LINE TIME_LINE "later 1\n\n" WITNESS)),
        GH_AUDIT_NOTE_UNKNOWN_KEY);
}

static void sixteen_signatures_are_read_and_a_flood_is_not(void **state)
{
    struct fixture *fixture = *state;
    for (unsigned count = 16; count <= 101; count += 85) {
        struct gh_str note = gh_arena_dup(&fixture->arena, GH_STR(TEXT "\n" SIGNATURE));
        for (unsigned i = 1; i < count; i++)
            note =
                gh_arena_format(&fixture->arena, "%.*s%sw%u AAAAAAA=\n", GH_STR_ARG(note), DASH, i);
        assert_int_equal(judge(fixture, note),
                         count == 16 ? GH_AUDIT_NOTE_GOOD : GH_AUDIT_NOTE_MALFORMED);
    }
}

static void refuses_keys_that_are_not_what_they_say(void **state)
{
    static const char *const KEYS[] = {
        "",
        "name",
        "name+5eaa6473",
        GH_LOG_KEY_NAME "+5eaa6474+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4", /* id */
        "other+5eaa6473+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4",            /* name */
        GH_LOG_KEY_NAME "+5eaa6473+AgOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4", /* type */
        GH_LOG_KEY_NAME "+5eaa6473+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTE=", /* short */
        GH_LOG_KEY_NAME "+5eaa6473+AQOhB7_zzhC-HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4", /* alphabet */
        GH_LOG_KEY_NAME "+5eaa6473+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4\n",
        GH_LOG_KEY_NAME "+05eaa6473+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4",
        "+5eaa6473+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4",
    };
    struct fixture *fixture = *state;
    struct gh_audit_verifier out;
    for (size_t i = 0; i < sizeof(KEYS) / sizeof(KEYS[0]); i++)
        assert_false(gh_audit_verifier_parse(&fixture->arena, gh_str_from_c(KEYS[i]), &out));
}

static void refuses_to_sign_what_could_not_be_read_back(void **state)
{
    struct fixture *fixture = *state;
    char memory[GH_AUDIT_NOTE_BYTES_MAX];
    struct gh_pkey *other = gh_pkey_generate(GH_PKEY_ES256);
    struct gh_audit_checkpoint good = example(), spaced = good, zero = good, late = good;
    spaced.origin = GH_STR("a b");
    zero.seq = 0;
    late.first_seq = 1002;
    const struct {
        const struct gh_audit_checkpoint *checkpoint;
        struct gh_str name;
        const struct gh_pkey *key;
    } CASES[] = {
        {&spaced, GH_STR("n"), fixture->key},  {&zero, GH_STR("n"), fixture->key},
        {&late, GH_STR("n"), fixture->key},    {&good, GH_STR("a+b"), fixture->key},
        {&good, GH_STR("a\nb"), fixture->key}, {&good, GH_STR("n"), other},
        {&good, GH_STR(""), fixture->key},     {&good, GH_STR("n"), fixture->ours.key},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct gh_buf buf = gh_buf_over(memory, sizeof(memory));
        assert_int_equal(
            gh_audit_put_checkpoint(&buf, CASES[i].checkpoint, CASES[i].name, CASES[i].key),
            GH_ERR_INVALID);
    }
    struct gh_buf small = gh_buf_over(memory, 100);
    assert_int_equal(gh_audit_put_checkpoint(&small, &good, GH_STR("n"), fixture->key),
                     GH_ERR_FULL);
    gh_pkey_unref(other);
}

static void notes_in_a_file_come_one_after_another(void **state)
{
    static const char *const FILES[] = {NOTE NOTE, NOTE "\n" NOTE, "\n\n" NOTE "\n\n" NOTE "\n"};
    for (size_t i = 0; i < sizeof(FILES) / sizeof(FILES[0]); i++) {
        struct gh_str rest = gh_str_from_c(FILES[i]), note;
        for (unsigned count = 0; count < 2; count++) {
            assert_true(gh_audit_next_note(&rest, &note));
            assert_true(gh_str_eq(note, GH_STR(NOTE)));
        }
        assert_false(gh_audit_next_note(&rest, &note));
    }
    struct gh_str rest = GH_STR(NOTE "rubbish"), note;
    assert_true(gh_audit_next_note(&rest, &note));
    assert_true(gh_audit_next_note(&rest, &note));
    assert_true(gh_str_eq(note, GH_STR("rubbish")));
    assert_int_equal(judge(*state, note), GH_AUDIT_NOTE_MALFORMED);
    assert_false(gh_audit_next_note(&rest, &note));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_note_is_byte_for_byte_that_of_other_tools),
        cmocka_unit_test(a_verifier_key_is_that_of_other_tools),
        cmocka_unit_test(a_good_note_opens_to_what_was_signed),
        cmocka_unit_test(a_note_names_its_chain_unless_it_is_the_first),
        cmocka_unit_test(signatures_of_witnesses_are_passed_over_or_checked),
        cmocka_unit_test(a_wrong_signature_of_a_known_key_spoils_a_note),
        cmocka_unit_test(no_changed_byte_of_a_note_goes_unseen),
        cmocka_unit_test(refuses_notes_of_another_form),
        cmocka_unit_test(sixteen_signatures_are_read_and_a_flood_is_not),
        cmocka_unit_test(refuses_keys_that_are_not_what_they_say),
        cmocka_unit_test(refuses_to_sign_what_could_not_be_read_back),
        cmocka_unit_test(notes_in_a_file_come_one_after_another),
    };
    gh_crypto_init();
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
