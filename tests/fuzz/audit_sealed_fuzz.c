/* What is sealed beside a row of the audit log: any bytes as the whole text, and any bytes inside a
   box of a known key. Nothing is revealed that the row did not commit to. */
#include "audit/personal_sealed.h"
#include "base/assert.h"
#include "crypto/seal.h"

#define ARENA_MAX (4u << 20)

static const struct gh_audit_person ANNA = {GH_STR_INIT("anna"), {1}};

/* A row that committed to an address and an e-mail with a salt of zeros. */
static struct gh_audit_row make_row(struct gh_arena *arena)
{
    static const uint8_t SALT[GH_SHA256_BYTES];
    char *address = gh_arena_alloc(arena, GH_AUDIT_COMMITMENT_LEN + 1);
    char email[GH_AUDIT_COMMITMENT_LEN + 1];
    GH_ASSERT(address);
    gh_audit_commit(SALT, GH_STR("ip_address"), GH_STR("192.0.2.1"), address);
    gh_audit_commit(SALT, GH_STR("metadata.email"), GH_STR("a@b.example"), email);
    return (struct gh_audit_row){
        .record = {.event = GH_AUDIT_SIGNUP,
                   .ip_address = gh_str_from_c(address),
                   .metadata = gh_arena_format(arena, "{\"email\":\"%s\"}", email)}};
}

static void check(struct gh_arena *arena, const struct gh_audit_row *row)
{
    struct gh_audit_record clear;
    bool erased = false;
    enum gh_err err = gh_audit_reveal(arena, row, &ANNA, 1, &clear, &erased);
    GH_ASSERT(err == GH_OK || err == GH_ERR_INVALID || err == GH_ERR_MEMORY);
    if (err != GH_OK)
        return;
    GH_ASSERT(!clear.ip_address.len || gh_str_eq(clear.ip_address, GH_STR("192.0.2.1")));
    GH_ASSERT(gh_str_eq(clear.metadata, GH_STR("{\"email\":null}")) ||
              gh_str_eq(clear.metadata, GH_STR("{\"email\":\"a@b.example\"}")));
    GH_ASSERT(erased ==
              (!clear.ip_address.len || gh_str_eq(clear.metadata, GH_STR("{\"email\":null}"))));
}

/* What parses is written again as it was. */
static void check_parts(struct gh_arena *arena, struct gh_str sealed)
{
    struct gh_sealed_part parts[GH_AUDIT_ROLE_COUNT];
    struct gh_str names[GH_AUDIT_PERSONS_MAX];
    size_t count;
    bool good = gh_sealed_parse(sealed, parts);
    GH_ASSERT((gh_audit_persons(sealed, names, &count) == GH_OK) == good);
    if (!good)
        return;
    GH_ASSERT(count <= GH_AUDIT_PERSONS_MAX);
    struct gh_str again = gh_sealed_write(arena, parts);
    GH_ASSERT(again.ptr && gh_str_eq(again, sealed));
}

static void check_boxes(struct gh_arena *arena, struct gh_audit_row *row, struct gh_str plain)
{
    struct gh_sealed_part parts[GH_AUDIT_ROLE_COUNT];
    for (unsigned i = 0; i < GH_AUDIT_ROLE_COUNT; i++) {
        char context[GH_SEALED_CONTEXT_MAX];
        struct gh_str bound = gh_sealed_context(context, (enum gh_audit_role)i, ANNA.name);
        parts[i] = (struct gh_sealed_part){
            ANNA.name, gh_seal(arena, &gh_kernel_random, ANNA.key, bound, plain)};
        GH_ASSERT(parts[i].box.ptr);
        struct gh_sealed_part alone[GH_AUDIT_ROLE_COUNT] = {{{NULL, 0}, {NULL, 0}}};
        alone[i] = parts[i];
        row->sealed = gh_sealed_write(arena, alone);
        check(arena, row);
    }
    row->sealed = gh_sealed_write(arena, parts);
    check(arena, row);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gh_arena arena;
    struct gh_str input = gh_str_of((const char *)data, size);
    if (size > 16384)
        return 0;
    gh_crypto_init();
    gh_arena_init(&arena, 16384, ARENA_MAX);
    struct gh_audit_row row = make_row(&arena);
    check_parts(&arena, input);
    row.sealed = input;
    check(&arena, &row);
    check_boxes(&arena, &row, input);
    gh_arena_done(&arena);
    return 0;
}
