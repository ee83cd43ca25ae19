#include "identity/audit_chains.h"

#include "base/num.h"
#include "json/canonical.h"

/* ---- Chains ---- */

struct chains {
    struct gh_audit_chain *rows;
    size_t count;
};

static enum gh_err read_chains(struct gh_tx *tx, void *args)
{
    struct chains *chains = args;
    return tx->ops->audit_chains(tx, &chains->rows, &chains->count);
}

enum gh_err gh_audit_chains_read(struct gh_store *store, struct gh_arena *arena,
                                 struct gh_audit_chain **out_chains, size_t *out_count)
{
    struct chains chains = {.rows = NULL};
    enum gh_err err = store->ops->read(store, read_chains, &chains, arena);
    if (err != GH_OK)
        return err;
    *out_chains = chains.rows;
    *out_count = chains.count;
    return GH_OK;
}

enum gh_err gh_audit_chain_of_unit(struct gh_tx *tx, uint32_t *out_chain)
{
    struct gh_audit_chain *chains;
    size_t count;
    if (tx->chain) {
        *out_chain = tx->chain;
        return GH_OK;
    }
    enum gh_err err = tx->ops->audit_chains(tx, &chains, &count);
    for (size_t i = 0; err == GH_OK && i < count; i++) {
        if (chains[i].holder != GH_AUDIT_HELD_HERE)
            continue;
        *out_chain = chains[i].id;
        return GH_OK;
    }
    return err == GH_OK ? GH_ERR_NOT_FOUND : err;
}

/* ---- Cursors ---- */

uint64_t gh_audit_cursor_of(const struct gh_audit_cursors *cursors, uint32_t chain)
{
    for (size_t i = 0; i < cursors->count; i++)
        if (cursors->items[i].chain == chain)
            return cursors->items[i].seq;
    return 0;
}

void gh_audit_cursors_put(struct gh_buf *buf, const struct gh_audit_cursors *cursors)
{
    for (size_t i = 0; i < cursors->count; i++) {
        if (i)
            gh_buf_put_char(buf, ',');
        gh_buf_put_u64(buf, cursors->items[i].chain);
        gh_buf_put_char(buf, ':');
        gh_buf_put_u64(buf, cursors->items[i].seq);
    }
}

static bool read_one(struct gh_str text, struct gh_audit_cursor *out)
{
    struct gh_str seq = text;
    uint64_t chain = 1;
    struct gh_str number = gh_str_split(&seq, ':');
    if (!seq.ptr)
        seq = number;
    else if (!gh_num_parse_u64(number, UINT32_MAX, &chain) || !chain)
        return false;
    out->chain = (uint32_t)chain;
    return gh_num_parse_u64(seq, GH_JSON_SAFE_INTEGER_MAX, &out->seq);
}

bool gh_audit_cursors_parse(struct gh_arena *arena, struct gh_str text, size_t max,
                            struct gh_audit_cursors *out)
{
    struct gh_audit_cursors cursors = {.count = 0};
    size_t count = 1;
    for (size_t i = 0; i < text.len; i++)
        count += text.ptr[i] == ',';
    if (count <= max)
        cursors.items = gh_arena_zalloc(arena, count, sizeof(*cursors.items));
    if (!cursors.items)
        return false;
    for (struct gh_str rest = text; rest.ptr;) {
        struct gh_audit_cursor *item = &cursors.items[cursors.count];
        if (!read_one(gh_str_split(&rest, ','), item) ||
            (cursors.count && item[-1].chain >= item->chain))
            return false;
        cursors.count++;
    }
    *out = cursors;
    return cursors.count > 0;
}
