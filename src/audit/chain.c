#include "audit/chain.h"

#include "audit/fields.h"

static const enum gh_audit_field CANONICAL_ORDER[GH_AUDIT_FIELD_COUNT] = {
#define X(id, name) GH_AUDIT_FIELD_##id,
    GH_AUDIT_FIELDS(X)
#undef X
};

enum gh_err gh_audit_row_hash(struct gh_arena *arena, const struct gh_audit_row *row,
                              uint8_t out[GH_SHA256_BYTES])
{
    size_t cap = gh_audit_fields_bytes_max(row);
    char *memory = gh_arena_alloc(arena, cap);
    if (!memory)
        return GH_ERR_MEMORY;
    struct gh_buf buf = gh_buf_over(memory, cap);
    enum gh_err err = gh_audit_put_fields(&buf, arena, row, CANONICAL_ORDER);
    gh_buf_put_char(&buf, '}');
    if (err)
        return err;
    if (buf.overflow || buf.len > GH_AUDIT_RECORD_BYTES_MAX)
        return GH_ERR_INVALID;
    gh_sha256(gh_buf_str(&buf), out);
    return GH_OK;
}

enum gh_err gh_audit_link(struct gh_arena *arena, struct gh_audit_row *row, uint64_t prev_seq,
                          const uint8_t *prev_hash)
{
    struct gh_audit_row linked = *row;
    linked.record.seq = prev_seq + 1;
    memset(linked.prev_hash, 0, sizeof(linked.prev_hash));
    if (prev_hash)
        memcpy(linked.prev_hash, prev_hash, sizeof(linked.prev_hash));
    enum gh_err err = gh_audit_row_hash(arena, &linked, linked.hash);
    if (!err)
        *row = linked;
    return err;
}
