#include "app/audit_export_plan.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "audit/chain.h"
#include "audit/format.h"
#include "identity/audit_chains.h"

#define FILE_TAIL_BYTES  (2 * GH_AUDIT_FORMATTED_BYTES_MAX)
#define LINE_BLOCK_BYTES (256u * 1024)
#define LINES_BYTES_MAX  (1024u * 1024)

/* ---- Chains ---- */

/* What can't be read at the end is no end: all that follows is brought, as far as it goes. */
static enum gh_err read_head(struct gh_tx *tx, uint32_t chain, uint64_t *out_seq)
{
    uint8_t hash[GH_SHA256_BYTES];
    tx->chain = chain;
    *out_seq = 0;
    enum gh_err err = tx->ops->audit_head(tx, out_seq, hash);
    if (err == GH_ERR_INVALID && !*out_seq)
        *out_seq = INT64_MAX;
    return err == GH_ERR_INVALID || err == GH_ERR_NOT_FOUND ? GH_OK : err;
}

/* The newest checkpoint of the chain through that record; 0: none. */
static enum gh_err read_checkpoint(struct gh_tx *tx, uint32_t chain, uint64_t through_seq,
                                   uint64_t *out_seq)
{
    const struct gh_audit_query query = {
        .event = gh_audit_event_facts(GH_AUDIT_AUDIT_CHECKPOINT)->name,
        .before_seq = through_seq < INT64_MAX ? through_seq + 1 : 0,
        .limit = 1,
    };
    struct gh_audit_row *rows;
    size_t count = 0;
    tx->chain = chain;
    enum gh_err err = through_seq ? tx->ops->audit_page(tx, &query, &rows, &count) : GH_OK;
    if (err == GH_OK)
        *out_seq = count ? rows[0].record.seq : 0;
    return err;
}

/* ---- At a start ---- */

struct start {
    struct gh_audit_export_start start;
    struct left {
        uint32_t chain;
        uint64_t seq;
    } * left;
    size_t left_count;
    bool with_left;
};

static enum gh_err read_left(struct gh_tx *tx, struct start *start)
{
    struct gh_audit_chain *chains;
    size_t count = 0;
    enum gh_err err = tx->ops->audit_chains(tx, &chains, &count);
    start->left_count = 0;
    start->left = gh_arena_zalloc(tx->arena, count + 1, sizeof(*start->left));
    if (err == GH_OK && !start->left)
        return GH_ERR_MEMORY;
    for (size_t i = 0; err == GH_OK && i < count; i++) {
        struct left left = {.chain = chains[i].id};
        if (chains[i].holder != GH_AUDIT_HELD_BY_NOBODY)
            continue;
        err = read_checkpoint(tx, left.chain, INT64_MAX, &left.seq);
        if (err == GH_OK && left.seq)
            start->left[start->left_count++] = left;
    }
    return err;
}

static enum gh_err read_start(struct gh_tx *tx, void *args)
{
    struct start *start = args;
    struct gh_audit_export_start *out = &start->start;
    struct gh_audit_written *rows;
    size_t count;
    uint64_t checkpoint_seq = 0;
    *out = (struct gh_audit_export_start){.chain = 0};
    enum gh_err err = tx->ops->audit_written(tx, 0, &rows, &count);
    if (err == GH_OK && count)
        out->number = rows[count - 1].number;
    if (err == GH_OK)
        err = gh_audit_chain_of_unit(tx, &out->chain);
    if (err != GH_OK && err != GH_ERR_NOT_FOUND)
        return err;
    if (err == GH_OK)
        err = read_head(tx, out->chain, &out->head_seq);
    else
        err = GH_OK; /* it writes none */
    if (err == GH_OK && out->chain)
        err = read_checkpoint(tx, out->chain, out->head_seq, &checkpoint_seq);
    out->after = checkpoint_seq ? checkpoint_seq - 1 : 0;
    return err == GH_OK && start->with_left ? read_left(tx, start) : err;
}

enum gh_err gh_audit_export_start_read(struct gh_store *store, struct gh_arena *arena,
                                       struct gh_audit_export_start *out,
                                       struct gh_audit_stretches *out_left)
{
    struct start start = {.with_left = out_left};
    enum gh_err err = store->ops->read(store, read_start, &start, arena);
    if (err != GH_OK)
        return err;
    for (size_t i = 0; i < start.left_count; i++)
        if (!gh_audit_stretches_add(out_left, start.left[i].chain, start.left[i].seq - 1,
                                    start.left[i].seq))
            return GH_ERR_MEMORY;
    *out = start.start;
    return GH_OK;
}

/* ---- While it runs ---- */

/* Of a chain that was taken, somebody else may have brought all that was there, or nothing since
   its newest checkpoint. */
static enum gh_err read_taken(struct gh_tx *tx, const struct gh_audit_written *row, bool is_last,
                              struct gh_audit_export_new *out)
{
    uint64_t checkpoint_seq, through = GH_AUDIT_STRETCH_OPEN;
    enum gh_err err = read_checkpoint(tx, row->chain, row->after_seq, &checkpoint_seq);
    if (err == GH_OK && !is_last)
        err = read_head(tx, row->chain, &through);
    if (err == GH_OK)
        *out = (struct gh_audit_export_new){.chain = row->chain,
                                            .after = checkpoint_seq ? checkpoint_seq - 1 : 0,
                                            .through = through,
                                            .last_seq = row->after_seq};
    return err;
}

struct news {
    struct gh_audit_export_news *out;
    uint64_t number;
};

static enum gh_err read_news(struct gh_tx *tx, void *args)
{
    struct news *read = args;
    struct gh_audit_export_news *news = read->out;
    struct gh_audit_written *rows;
    size_t taken = 0; /* the last one that was, and one more */
    enum gh_err err = tx->ops->audit_written(tx, news->number, &rows, &news->count);
    if (err != GH_OK)
        return err;
    news->items = gh_arena_zalloc(tx->arena, news->count + 1, sizeof(*news->items));
    if (!news->items)
        return GH_ERR_MEMORY;
    for (size_t i = 0; i < news->count; i++)
        taken = rows[i].through_seq ? taken : i + 1;
    news->moved = taken > 0;
    if (news->moved && news->open_chain)
        err = read_head(tx, news->open_chain, &news->open_through);
    for (size_t i = 0; err == GH_OK && i < news->count; i++) {
        if (!rows[i].through_seq)
            err = read_taken(tx, &rows[i], i + 1 == taken, &news->items[i]);
        else
            news->items[i] = (struct gh_audit_export_new){
                .chain = rows[i].chain, .after = rows[i].after_seq, .through = rows[i].through_seq};
    }
    read->number = news->count ? rows[news->count - 1].number : news->number;
    return err;
}

enum gh_err gh_audit_export_news_read(struct gh_store *store, struct gh_arena *arena,
                                      struct gh_audit_export_news *news)
{
    struct news read = {.out = news}; /* units may be run twice */
    enum gh_err err = store->ops->read(store, read_news, &read, arena);
    if (err == GH_OK)
        news->number = read.number;
    return err;
}

/* ---- Pages ---- */

struct page {
    const struct gh_audit_stretch *stretch;
    bool checkpoints;
    struct gh_audit_message_page *out;
};

static enum gh_err read_page(struct gh_tx *tx, void *args)
{
    struct page *page = args;
    const struct gh_audit_stretch *stretch = page->stretch;
    struct gh_audit_query query = {
        .event =
            page->checkpoints ? gh_audit_event_facts(GH_AUDIT_AUDIT_CHECKPOINT)->name : GH_STR(""),
        .after_seq = stretch->after,
        .before_seq = stretch->through < INT64_MAX ? stretch->through + 1 : 0,
        .oldest_first = true,
        .limit = GH_AUDIT_MESSAGES_MAX,
        .passed = &page->out->passed,
    };
    tx->chain = stretch->chain;
    return tx->ops->audit_page(tx, &query, &page->out->rows, &page->out->count);
}

enum gh_err gh_audit_export_page_read(struct gh_store *store, struct gh_arena *arena,
                                      const struct gh_audit_stretch *stretch, bool checkpoints,
                                      struct gh_audit_message_page *out_page)
{
    struct page page = {.stretch = stretch, .checkpoints = checkpoints, .out = out_page};
    *out_page = (struct gh_audit_message_page){.count = 0};
    return store->ops->read(store, read_page, &page, arena);
}

/* ---- Files ---- */

uint64_t gh_audit_export_file_seq(const char *path, uint32_t chain)
{
    uint64_t seq = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    off_t size = fd >= 0 ? lseek(fd, 0, SEEK_END) : 0;
    size_t len = size > 0 && size < FILE_TAIL_BYTES ? (size_t)size : FILE_TAIL_BYTES;
    char *text = size > 0 ? malloc(len) : NULL;
    ssize_t got = text ? pread(fd, text, len, size - (off_t)len) : -1;
    struct gh_str rest = gh_str_of(text, got > 0 ? (size_t)got : 0);
    struct gh_arena arena;
    gh_arena_init(&arena, LINE_BLOCK_BYTES, LINES_BYTES_MAX);
    while (rest.len) {
        struct gh_audit_row row;
        struct gh_str line = gh_str_split(&rest, '\n');
        gh_arena_reset(&arena);
        if (gh_audit_parse_line(&arena, line, &row, NULL) == GH_OK && row.record.chain == chain)
            seq = row.record.seq;
    }
    gh_arena_done(&arena);
    free(text);
    if (fd >= 0)
        close(fd);
    return seq;
}

void gh_audit_export_skip(struct gh_audit_export_new *item, const char *path)
{
    uint64_t seq = item->last_seq ? gh_audit_export_file_seq(path, item->chain) : 0;
    if (seq > item->last_seq)
        seq = item->last_seq;
    if (seq > item->after)
        item->after = seq;
}
