/*
 * The test vectors of docs/audit-format.md, made here from a fixed key and fixed salts: the page
 * must say what the code does. On a difference the text that belongs there is printed.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "audit/log_fixture.h"
#include "audit/personal.h"
#include "audit/verify.h"

enum { TEXT_BYTES_MAX = 128 * 1024 };

struct vectors {
    struct gh_arena arena;
    struct gh_pkey *key;
    struct gh_log log, second; /* `second`: the chain 2 */
    struct gh_str lines, second_lines, note, second_note, verifier;
};

/* What `field` commits to under the salt `first`, `first` + 1, ... */
static struct gh_str commit(struct gh_arena *arena, uint8_t first, const char *field,
                            const char *value)
{
    uint8_t salt[GH_SHA256_BYTES];
    char text[GH_AUDIT_COMMITMENT_LEN + 1];
    for (unsigned i = 0; i < sizeof(salt); i++)
        salt[i] = (uint8_t)(first + i);
    gh_audit_commit(salt, gh_str_from_c(field), gh_str_from_c(value), text);
    return gh_arena_dup(arena, gh_str_from_c(text));
}

static void append_records(struct vectors *vectors)
{
    struct gh_arena *arena = &vectors->arena;
    struct gh_str email = commit(arena, 0x20, "metadata.email", "ann@example.com");
    gh_log_append(
        &vectors->log,
        (struct gh_audit_record){
            .time_us = GH_LOG_START_US,
            .event = GH_AUDIT_LOGIN_FAILED,
            .ip_address = commit(arena, 0, "ip_address", "192.0.2.7"),
            .user_agent = commit(arena, 0, "user_agent", "curl/8.0 \"\xc3\xa9\""),
            .request_id = GH_STR("01JK0000000000000000000001"),
            .outcome = GH_AUDIT_FAILURE,
            .metadata = gh_arena_format(arena, "{\"email\":\"%.*s\",\"reason\":\"password\"}",
                                        GH_STR_ARG(email))});
    gh_log_append(&vectors->log,
                  (struct gh_audit_record){
                      .time_us = GH_LOG_START_US + 1500000,
                      .event = GH_AUDIT_LOGIN,
                      .user_id = GH_STR("4f2c0c1e-0000-4000-8000-000000000001"),
                      .actor_id = GH_STR("4f2c0c1e-0000-4000-8000-000000000001"),
                      .ip_address = commit(arena, 0x40, "ip_address", "192.0.2.7"),
                      .session = GH_STR("ba7816bf8f01cfea414140de5dae2223"),
                      .metadata = GH_STR("{\"method\":\"password\",\"new_device\":true}")});
    vectors->log.rows[1].sealed = GH_STR("(ciphertext)");
    gh_log_append_checkpoint(&vectors->log);
    gh_log_append(
        &vectors->log,
        (struct gh_audit_record){
            .time_us = GH_LOG_START_US + 3000000,
            .event = GH_AUDIT_ACCESS_DENIED,
            .outcome = GH_AUDIT_FAILURE,
            .metadata = GH_STR("{\"count\":37,\"reason\":\"not_owner\",\"route\":\"/users/*\"}")});
}

#define SALT_00 "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define SALT_20 "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f"
#define OPENINGS                                                                                   \
    "{\"actor\":{\"ip_address\":\"192.0.2.7\",\"salt\":\"" SALT_00                                 \
    "\",\"user_agent\":\"curl/8.0 \\\"\xc3\xa9\\\"\"},"                                            \
    "\"subject\":{\"metadata.email\":\"ann@example.com\",\"salt\":\"" SALT_20 "\"}}"

static void append_second(struct vectors *vectors)
{
    vectors->second.chain = 2;
    gh_log_append(&vectors->second,
                  (struct gh_audit_record){.time_us = GH_LOG_START_US + 500000,
                                           .event = GH_AUDIT_CONFIG_RELOADED,
                                           .metadata = GH_STR("{\"outcome\":\"taken up\"}")});
    gh_log_append_checkpoint(&vectors->second);
    gh_log_append(&vectors->second, (struct gh_audit_record){
                                        .time_us = GH_LOG_START_US + 3000000,
                                        .event = GH_AUDIT_LOGOUT,
                                        .user_id = GH_STR("4f2c0c1e-0000-4000-8000-000000000001"),
                                        .actor_id = GH_STR("4f2c0c1e-0000-4000-8000-000000000001"),
                                        .session = GH_STR("ba7816bf8f01cfea414140de5dae2223")});
}

static void put_second_lines(struct vectors *vectors)
{
    char *memory = gh_arena_alloc(&vectors->arena, TEXT_BYTES_MAX);
    assert_non_null(memory);
    struct gh_buf buf = gh_buf_over(memory, TEXT_BYTES_MAX);
    for (size_t i = 0; i < vectors->second.count; i++)
        gh_buf_put(&buf,
                   gh_log_line(&vectors->arena, &vectors->second.rows[i], gh_str_of(NULL, 0)));
    vectors->second_lines = gh_buf_str(&buf);
}

static void put_lines(struct vectors *vectors)
{
    char *memory = gh_arena_alloc(&vectors->arena, TEXT_BYTES_MAX);
    assert_non_null(memory);
    struct gh_buf buf = gh_buf_over(memory, TEXT_BYTES_MAX);
    for (size_t i = 0; i < vectors->log.count; i++)
        gh_buf_put(&buf, gh_log_line(&vectors->arena, &vectors->log.rows[i],
                                     i ? gh_str_of(NULL, 0) : GH_STR(OPENINGS)));
    vectors->lines = gh_buf_str(&buf);
}

static int set_up(void **state)
{
    static struct vectors vectors;
    static char verifier[256];
    gh_arena_init(&vectors.arena, 64 * 1024, 4 << 20);
    vectors.key = gh_log_key(0);
    gh_log_init(&vectors.log, &vectors.arena, vectors.key);
    gh_log_init(&vectors.second, &vectors.arena, vectors.key);
    append_records(&vectors);
    append_second(&vectors);
    put_lines(&vectors);
    put_second_lines(&vectors);
    struct gh_audit_checkpoint checkpoint = gh_log_checkpoint(&vectors.log, 3);
    vectors.note = gh_log_note(&vectors.arena, &checkpoint, vectors.key);
    checkpoint = gh_log_checkpoint(&vectors.second, 2);
    vectors.second_note = gh_log_note(&vectors.arena, &checkpoint, vectors.key);
    struct gh_buf buf = gh_buf_over(verifier, sizeof(verifier));
    gh_audit_put_verifier(&buf, GH_STR(GH_LOG_KEY_NAME), vectors.key);
    gh_buf_put_char(&buf, '\n');
    vectors.verifier = gh_buf_str(&buf);
    *state = &vectors;
    return 0;
}

static int tear_down(void **state)
{
    struct vectors *vectors = *state;
    gh_pkey_unref(vectors->key);
    gh_arena_done(&vectors->arena);
    return 0;
}

static struct gh_str read_page(struct gh_arena *arena)
{
    char *memory = gh_arena_alloc(arena, TEXT_BYTES_MAX);
    FILE *file = fopen(GH_SOURCE_ROOT "/docs/audit-format.md", "rb");
    assert_non_null(memory);
    assert_non_null(file);
    size_t len = fread(memory, 1, TEXT_BYTES_MAX, file);
    assert_true(feof(file));
    (void)fclose(file);
    return gh_str_of(memory, len);
}

static void assert_on_page(struct vectors *vectors, const char *fence, struct gh_str text)
{
    struct gh_str block =
        gh_arena_format(&vectors->arena, "\n```%s\n%.*s```\n", fence, GH_STR_ARG(text));
    struct gh_str page = read_page(&vectors->arena);
    if (gh_str_find(page, block) < page.len)
        return;
    fprintf(stderr, "docs/audit-format.md should have:\n%.*s", GH_STR_ARG(block));
    fail();
}

static void the_page_has_the_lines(void **state)
{
    struct vectors *vectors = *state;
    assert_on_page(vectors, "jsonl", vectors->lines);
}

static void the_page_has_the_key(void **state)
{
    struct vectors *vectors = *state;
    assert_on_page(vectors, "key", vectors->verifier);
}

static void the_page_has_the_checkpoint(void **state)
{
    struct vectors *vectors = *state;
    assert_on_page(vectors, "note", vectors->note);
}

static void the_page_has_another_chain(void **state)
{
    struct vectors *vectors = *state;
    assert_on_page(vectors, "jsonl chain 2", vectors->second_lines);
    assert_on_page(vectors, "note chain 2", vectors->second_note);
}

/* Line by line in turns. */
static void the_chains_verify_together(void **state)
{
    struct vectors *vectors = *state;
    struct gh_audit_verifier verifier = gh_log_verifier(&vectors->arena, vectors->key);
    struct gh_audit_checkpoint saved[2];
    const struct gh_str notes[] = {vectors->note, vectors->second_note};
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(gh_audit_checkpoint_open(notes[i], &verifier, 1, &saved[i]),
                         GH_AUDIT_NOTE_GOOD);
    struct gh_audit_verify_options options = {
        .verifiers = &verifier, .verifier_count = 1, .saved = saved, .saved_count = 2};
    struct gh_audit_verdict verdict;
    struct gh_audit_verification *run = gh_audit_verify_begin(&vectors->arena, &options);
    struct gh_str rests[] = {gh_str_first(vectors->lines, vectors->lines.len - 1),
                             gh_str_first(vectors->second_lines, vectors->second_lines.len - 1)};
    for (size_t i = 0; rests[0].ptr || rests[1].ptr; i++)
        if (rests[i % 2].ptr)
            assert_true(gh_audit_verify_line(run, gh_str_split(&rests[i % 2], '\n')));
    assert_int_equal(gh_audit_verify_end(run, &verdict), GH_OK);
    assert_int_equal(verdict.fault, GH_AUDIT_FAULT_NONE);
    assert_int_equal(verdict.records, 7);
    assert_int_equal(verdict.chains, 2);
    assert_int_equal(verdict.saved_met, 2);
    gh_pkey_unref(verifier.key);
}

static void the_vectors_verify(void **state)
{
    struct vectors *vectors = *state;
    struct gh_audit_verifier verifier = gh_log_verifier(&vectors->arena, vectors->key);
    struct gh_audit_checkpoint saved;
    assert_int_equal(gh_audit_checkpoint_open(vectors->note, &verifier, 1, &saved),
                     GH_AUDIT_NOTE_GOOD);
    struct gh_audit_verify_options options = {
        .verifiers = &verifier, .verifier_count = 1, .saved = &saved, .saved_count = 1};
    struct gh_audit_verdict verdict;
    struct gh_audit_verification *run = gh_audit_verify_begin(&vectors->arena, &options);
    struct gh_str rest = gh_str_first(vectors->lines, vectors->lines.len - 1);
    while (rest.ptr && gh_audit_verify_line(run, gh_str_split(&rest, '\n')))
        ;
    assert_int_equal(gh_audit_verify_end(run, &verdict), GH_OK);
    assert_int_equal(verdict.fault, GH_AUDIT_FAULT_NONE);
    assert_int_equal(verdict.records, 4);
    assert_int_equal(verdict.saved_met, 1);
    assert_int_equal(verdict.personal, 1);
    assert_int_equal(verdict.sealed, 1);
    assert_int_equal(verdict.signed_through, 2);
    gh_pkey_unref(verifier.key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_page_has_the_lines),      cmocka_unit_test(the_page_has_the_key),
        cmocka_unit_test(the_page_has_the_checkpoint), cmocka_unit_test(the_page_has_another_chain),
        cmocka_unit_test(the_vectors_verify),          cmocka_unit_test(the_chains_verify_together),
    };
    gh_crypto_init();
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
