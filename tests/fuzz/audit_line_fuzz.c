/*
 * Any bytes as a line of an exported audit log. Properties: what is read has a hash or no canonical
 * form; written again it reads back with the same hash and the same values, and is then written the
 * same; the verifier takes any bytes.
 */
#include "audit/chain.h"
#include "audit/verify.h"
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

static void put(struct gh_arena *arena, struct gh_buf *buf, const struct gh_audit_row *row,
                struct gh_str openings)
{
    /* Escapes and numbers may grow past the bound of a line, nothing else may fail. */
    enum gh_err err = gh_audit_put_line(arena, buf, row, openings);
    GH_ASSERT(err == GH_OK || err == GH_ERR_FULL || (err == GH_ERR_INVALID && openings.ptr));
    if (err)
        buf->len = 0;
}

static void check_row(struct gh_arena *arena, const struct gh_audit_row *row,
                      struct gh_str openings)
{
    static char first_memory[GH_AUDIT_LINE_BYTES_MAX], second_memory[GH_AUDIT_LINE_BYTES_MAX];
    struct gh_buf first = gh_buf_over(first_memory, sizeof(first_memory));
    struct gh_buf second = gh_buf_over(second_memory, sizeof(second_memory));
    uint8_t hash[GH_SHA256_BYTES], again[GH_SHA256_BYTES];
    struct gh_audit_row back;
    struct gh_str back_openings;
    if (gh_audit_row_hash(arena, row, hash))
        return;
    put(arena, &first, row, openings);
    if (first.len == 0)
        return;
    GH_ASSERT(gh_audit_parse_line(arena, gh_buf_str(&first), &back, &back_openings) == GH_OK);
    GH_ASSERT(gh_audit_row_hash(arena, &back, again) == GH_OK);
    GH_ASSERT(memcmp(hash, again, sizeof(hash)) == 0);
    GH_ASSERT(memcmp(row->hash, back.hash, sizeof(hash)) == 0);
    GH_ASSERT(gh_str_eq(row->sealed, back.sealed));
    put(arena, &second, &back, back_openings);
    GH_ASSERT(gh_str_eq(gh_buf_str(&first), gh_buf_str(&second)));
}

static void check_verifier(struct gh_arena *arena, struct gh_str line)
{
    struct gh_audit_verify_options options = {.partial = true};
    struct gh_audit_verdict verdict;
    struct gh_audit_verification *run = gh_audit_verify_begin(arena, &options);
    GH_ASSERT(run);
    bool good = gh_audit_verify_line(run, line);
    GH_ASSERT(gh_audit_verify_end(run, &verdict) == GH_OK);
    GH_ASSERT(good == (verdict.fault == GH_AUDIT_FAULT_NONE));
    GH_ASSERT(good || verdict.line == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gh_arena arena;
    struct gh_audit_row row;
    struct gh_str openings, line = gh_str_of((const char *)data, size);
    gh_arena_init(&arena, 64 * 1024, 16 << 20);
    if (gh_audit_parse_line(&arena, line, &row, &openings) == GH_OK)
        check_row(&arena, &row, openings);
    check_verifier(&arena, line);
    gh_arena_done(&arena);
    return 0;
}
