#include "identity/audit_check.h"

#include "identity/audit_chains.h"
#include "json/writer.h"

#define PAGE_ROWS        500
#define PAGE_BLOCK_BYTES (256u * 1024)
#define PAGE_BYTES_MAX   (64u * 1024 * 1024) /* far more than rows of the longest texts take */
#define RUN_BLOCK_BYTES  (64u * 1024)
#define RUN_BYTES_MAX    (256u * 1024 * 1024) /* saved checkpoints are copied into it */
/* Retention comes once an hour: it is not met again and again. */
#define TRIES_MAX 3

struct check {
    struct gh_audit_verification *run;
    uint32_t chain;    /* that is being read */
    uint64_t position; /* of its last row so far */
    struct gh_audit_query query;
    uint64_t records; /* of all chains */
    bool good, over;
};

/* ---- Units: read here, shown behind it, since they may be run twice ---- */

struct page {
    uint32_t chain;
    const struct gh_audit_query *query;
    struct gh_audit_row *rows;
    size_t count;
};

static enum gh_err read_page(struct gh_tx *tx, void *args)
{
    struct page *page = args;
    tx->chain = page->chain;
    return tx->ops->audit_page(tx, page->query, &page->rows, &page->count);
}

struct first {
    uint32_t chain;
    uint64_t seq; /* 0: there is none */
};

static enum gh_err read_first(struct gh_tx *tx, void *args)
{
    uint8_t prev_hash[GH_SHA256_BYTES];
    struct first *first = args;
    tx->chain = first->chain;
    enum gh_err err = tx->ops->audit_first(tx, &first->seq, prev_hash);
    if (err == GH_ERR_NOT_FOUND)
        first->seq = 0;
    return err == GH_ERR_NOT_FOUND ? GH_OK : err;
}

/* ---- One chain ---- */

/* A row with a number under 1 is on no page. Rows of a chain that there is not are on pages, but
   the first of them is none. */
static enum gh_err check_first(struct gh_store *store, struct check *check, struct gh_arena *arena)
{
    struct first first = {.chain = check->chain};
    enum gh_err err = store->ops->read(store, read_first, &first, arena);
    if (err != GH_ERR_INVALID)
        return err;
    check->good = gh_audit_verify_unreadable(check->run, check->chain, first.seq ? first.seq : 1);
    return GH_OK;
}

/* A page with a row that is no record: half of it is read, until that row is alone. */
static enum gh_err narrow(struct gh_store *store, struct check *check, struct gh_arena *arena)
{
    struct first first = {.chain = check->chain};
    if (check->query.limit > 1) {
        check->query.limit /= 2;
        return GH_OK;
    }
    enum gh_err err = store->ops->read(store, read_first, &first, arena);
    if (err == GH_OK)
        check->good = gh_audit_verify_unreadable(check->run, check->chain, first.seq);
    return err;
}

/* No hash covers the position: who reads by it would not see a record where it was changed. Where
   it does not rise, this row's or the one's before is wrong. */
static bool check_row(struct check *check, const struct gh_audit_row *row)
{
    if (row->position <= check->position)
        return gh_audit_verify_unreadable(check->run, check->chain, row->record.seq);
    check->position = row->position;
    return gh_audit_verify_row(check->run, row);
}

static enum gh_err check_page(struct gh_store *store, struct check *check, struct gh_arena *arena)
{
    struct page page = {.chain = check->chain, .query = &check->query};
    gh_arena_reset(arena);
    enum gh_err err = store->ops->read(store, read_page, &page, arena);
    if (err == GH_ERR_INVALID)
        return narrow(store, check, arena);
    for (size_t i = 0; err == GH_OK && check->good && i < page.count; i++) {
        check->good = check_row(check, &page.rows[i]);
        check->query.after_seq = page.rows[i].record.seq;
    }
    check->records += page.count;
    check->over = page.count < check->query.limit;
    check->query.limit = PAGE_ROWS;
    return err;
}

static enum gh_err check_chain(struct gh_store *store, struct check *check, uint64_t records_max,
                               struct gh_arena *pages)
{
    check->query =
        (struct gh_audit_query){.oldest_first = true, .limit = PAGE_ROWS, .strict = true};
    check->position = 0;
    check->over = false;
    gh_arena_reset(pages);
    enum gh_err err = check_first(store, check, pages);
    while (err == GH_OK && check->good && !check->over) {
        err = check_page(store, check, pages);
        if (err == GH_OK && records_max && check->records > records_max)
            err = GH_ERR_FULL;
    }
    return err;
}

/* ---- All ---- */

/* The store numbers chains without gaps, and never drops one. */
static void find_gap(struct gh_audit_verification *run, const struct gh_audit_chain *chains,
                     size_t count)
{
    for (size_t i = 0; i < count && chains[i].id < GH_AUDIT_CHAIN_OUTSIDE; i++)
        if (chains[i].id != i + 1) {
            gh_audit_verify_absent(run, (uint32_t)i + 1);
            return;
        }
}

static enum gh_err check_once(struct gh_store *store, const struct gh_audit_verify_options *options,
                              uint64_t records_max, struct gh_arena *pages,
                              struct gh_audit_verdict *out_verdict)
{
    struct gh_arena arena;
    struct gh_audit_chain *chains = NULL;
    size_t count = 0;
    enum gh_err ended = GH_ERR_MEMORY;
    gh_arena_init(&arena, RUN_BLOCK_BYTES, RUN_BYTES_MAX);
    enum gh_err err = gh_audit_chains_read(store, &arena, &chains, &count);
    struct check check = {.run = gh_audit_verify_begin(&arena, options), .good = true};
    for (size_t i = 0; check.run && err == GH_OK && check.good && i < count; i++) {
        check.chain = chains[i].id;
        gh_audit_verify_head(check.run, check.chain, chains[i].head_seq, chains[i].head_hash);
        err = check_chain(store, &check, records_max, pages);
    }
    if (check.run && err == GH_OK && check.good)
        find_gap(check.run, chains, count);
    if (check.run)
        ended = gh_audit_verify_end(check.run, out_verdict);
    gh_arena_done(&arena);
    return err == GH_OK ? ended : err;
}

/* Where that chain begins elsewhere by now, records went between two pages. */
static enum gh_err has_moved(struct gh_store *store, const struct gh_audit_verdict *verdict,
                             struct gh_arena *arena, bool *out_moved)
{
    struct first first = {.chain = verdict->chain};
    enum gh_err err = store->ops->read(store, read_first, &first, arena);
    *out_moved = first.seq && first.seq != verdict->first_seq;
    return err == GH_ERR_INVALID ? GH_OK : err;
}

enum gh_err gh_audit_check_store(struct gh_store *store,
                                 const struct gh_audit_verify_options *options,
                                 uint64_t records_max, struct gh_audit_verdict *out_verdict)
{
    struct gh_audit_verdict verdict = {0};
    struct gh_arena pages;
    bool moved = true;
    enum gh_err err = GH_OK;
    gh_arena_init(&pages, PAGE_BLOCK_BYTES, PAGE_BYTES_MAX);
    for (unsigned tries = 0; err == GH_OK && moved && tries < TRIES_MAX; tries++) {
        err = check_once(store, options, records_max, &pages, &verdict);
        if (err != GH_OK || verdict.fault == GH_AUDIT_FAULT_NONE)
            break;
        err = has_moved(store, &verdict, &pages, &moved);
    }
    gh_arena_done(&pages);
    if (err == GH_OK)
        *out_verdict = verdict;
    return err;
}

void gh_audit_verdict_put_json(struct gh_buf *buf, const struct gh_audit_verdict *verdict,
                               bool with_keys)
{
    gh_buf_put_char(buf, '{');
    gh_json_put_member_bool(buf, GH_STR("intact"), verdict->fault == GH_AUDIT_FAULT_NONE);
    gh_json_put_member(buf, GH_STR("fault"), gh_audit_fault_name(verdict->fault));
    gh_json_put_member_u64(buf, GH_STR("chain"), verdict->chain);
    gh_json_put_member_u64(buf, GH_STR("seq"), verdict->seq);
    gh_json_put_member_u64(buf, GH_STR("line"), verdict->line);
    gh_json_put_member_u64(buf, GH_STR("records"), verdict->records);
    gh_json_put_member_u64(buf, GH_STR("chains"), verdict->chains);
    gh_json_put_member_u64(buf, GH_STR("absent_chain"), verdict->absent_chain);
    gh_json_put_member_u64(buf, GH_STR("first_seq"), verdict->first_seq);
    gh_json_put_member_u64(buf, GH_STR("last_seq"), verdict->last_seq);
    gh_json_put_member_bool(buf, GH_STR("signatures_checked"), with_keys);
    gh_json_put_member_u64(buf, GH_STR("signed_through"), verdict->signed_through);
    gh_json_put_member_u64(buf, GH_STR("unsigned_records"), verdict->unsigned_records);
    gh_json_put_member_u64(buf, GH_STR("checkpoints"), verdict->checkpoints);
    gh_json_put_member_u64(buf, GH_STR("saved_checkpoints_met"), verdict->saved_met);
    gh_json_put_member_bool(buf, GH_STR("retention_checked"), verdict->retention_checked);
    gh_buf_put_char(buf, '}');
}
