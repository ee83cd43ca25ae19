#include "store/postgres_batch.h"

#include "audit/chain.h"
#include "base/assert.h"
#include "json/canonical.h"

#define OWN 0 /* the place of the own chain's head */

/* A batch is inserted early rather than pass this; one record is always taken. */
#define TEXT_BYTES_FLUSH (4u << 20)
#define TEXT_BLOCK_BYTES (256u << 10)
#define TEXT_BYTES_MAX   (16u << 20)
/* A record as canonical JSON, and what is made on the way. */
#define SCRATCH_BLOCK_BYTES (64u << 10)
#define SCRATCH_BYTES_MAX   (1u << 20)

void gh_postgres_batch_init(struct gh_postgres_batch *batch)
{
    batch->count = batch->borrowed_count = 0;
    batch->next_head = OWN + 1;
    memset(batch->heads, 0, sizeof(batch->heads));
    gh_arena_init(&batch->texts, TEXT_BLOCK_BYTES, TEXT_BYTES_MAX);
    gh_arena_init(&batch->scratch, SCRATCH_BLOCK_BYTES, SCRATCH_BYTES_MAX);
}

void gh_postgres_batch_done(struct gh_postgres_batch *batch)
{
    gh_arena_done(&batch->texts);
    gh_arena_done(&batch->scratch);
}

static void clear_rows(struct gh_postgres_batch *batch)
{
    batch->count = 0;
    gh_arena_reset(&batch->texts);
}

void gh_postgres_batch_end(struct gh_postgres_batch *batch, bool committed)
{
    size_t first = committed ? OWN + 1 : OWN;
    for (size_t i = first; i < GH_POSTGRES_HEADS_MAX; i++)
        batch->heads[i].chain = 0;
    batch->next_head = OWN + 1;
    clear_rows(batch);
}

/* ---- Heads ---- */

static struct gh_postgres_head *find_head(struct gh_postgres_batch *batch, uint32_t chain)
{
    for (size_t i = 0; i < GH_POSTGRES_HEADS_MAX; i++)
        if (batch->heads[i].chain == chain)
            return &batch->heads[i];
    return NULL;
}

static enum gh_err read_head(struct gh_postgres_tx *tx, uint32_t chain,
                             struct gh_postgres_head *out)
{
    struct gh_postgres_head head = {.chain = chain};
    struct gh_postgres_call call = gh_postgres_begin(&tx->tx, GH_POSTGRES_CHAIN_HEAD);
    gh_postgres_put_u64(&call, chain);
    bool found = gh_postgres_next(&call);
    if (found) {
        head.seq = gh_postgres_take_u64(&call);
        gh_postgres_take_bytes(&call, head.hash, sizeof(head.hash));
    }
    enum gh_err err = gh_postgres_end_one(&call, found);
    if (err == GH_OK)
        *out = head;
    return err;
}

/* The place that is given back loses no row: what was added is of another chain, or inserted. */
enum gh_err gh_postgres_batch_borrow(struct gh_postgres_tx *tx, struct gh_postgres_batch *batch,
                                     uint32_t chain)
{
    bool is_free = false;
    if (find_head(batch, chain))
        return GH_OK;
    enum gh_err err = gh_postgres_batch_flush(tx, batch);
    if (err != GH_OK)
        return err;
    struct gh_postgres_call call = gh_postgres_begin(&tx->tx, GH_POSTGRES_CHAIN_BORROW);
    gh_postgres_put_u64(&call, chain);
    bool found = gh_postgres_next(&call);
    if (found)
        is_free = gh_postgres_take_flag(&call);
    err = gh_postgres_end_one(&call, found);
    if (err == GH_OK && !is_free)
        return GH_ERR_EXISTS;
    if (err == GH_OK)
        err = read_head(tx, chain, &batch->heads[batch->next_head]);
    if (err == GH_OK && ++batch->next_head == GH_POSTGRES_HEADS_MAX)
        batch->next_head = OWN + 1;
    return err;
}

/* ---- Rows ---- */

static struct gh_str *text_of(struct gh_audit_row *row, size_t index)
{
    struct gh_str *const TEXTS[] = {
        &row->record.user_id,    &row->record.actor_id, &row->record.ip_address,
        &row->record.user_agent, &row->record.session,  &row->record.request_id,
        &row->record.metadata,   &row->sealed,
    };
    return index < sizeof(TEXTS) / sizeof(TEXTS[0]) ? TEXTS[index] : NULL;
}

/* What is sealed may hold any bytes; PostgreSQL keeps no NUL in a text. */
static bool can_be_kept(struct gh_audit_row *row)
{
    for (size_t i = 0; text_of(row, i); i++)
        if (text_of(row, i) != &row->sealed &&
            gh_str_find_char(*text_of(row, i), '\0') < text_of(row, i)->len)
            return false;
    return true;
}

enum gh_err gh_postgres_check_record(struct gh_arena *scratch, const struct gh_audit_row *row)
{
    struct gh_audit_row longest = *row;
    longest.record.chain = UINT32_MAX;
    if (!can_be_kept(&longest))
        return GH_ERR_INVALID;
    enum gh_err err = gh_audit_link(scratch, &longest, GH_JSON_SAFE_INTEGER_MAX - 1, NULL);
    gh_arena_reset(scratch);
    return err;
}

/* The row behind the last one: its texts become the batch's. */
static enum gh_err keep(struct gh_postgres_batch *batch, const struct gh_audit_row *row)
{
    struct gh_audit_row kept = *row;
    for (size_t i = 0; text_of(&kept, i); i++) {
        struct gh_str *text = text_of(&kept, i);
        if (text->len)
            *text = gh_arena_dup(&batch->texts, *text);
        if (!text->ptr && text->len)
            return GH_ERR_MEMORY;
    }
    batch->rows[batch->count++] = kept;
    return GH_OK;
}

static bool is_full(const struct gh_postgres_batch *batch)
{
    return batch->count == GH_POSTGRES_BATCH_ROWS_MAX ||
           (batch->count && batch->texts.allocated_bytes > TEXT_BYTES_FLUSH);
}

enum gh_err gh_postgres_batch_add(struct gh_postgres_tx *tx, struct gh_postgres_batch *batch,
                                  uint32_t chain, const struct gh_audit_row *row)
{
    struct gh_postgres_head *head = find_head(batch, chain);
    struct gh_audit_row linked = *row;
    enum gh_err err = GH_OK;
    if (is_full(batch) || (batch->count && batch->chain != chain))
        err = gh_postgres_batch_flush(tx, batch);
    if (err == GH_OK && !head) { /* the own one: the others were borrowed */
        head = &batch->heads[OWN];
        err = read_head(tx, chain, head);
    }
    if (err != GH_OK)
        return gh_postgres_fail(tx, err);
    linked.record.chain = chain;
    if (!can_be_kept(&linked))
        return GH_ERR_INVALID;
    err = gh_audit_link(&batch->scratch, &linked, head->seq, head->seq ? head->hash : NULL);
    gh_arena_reset(&batch->scratch);
    if (err == GH_OK)
        err = keep(batch, &linked);
    if (err != GH_OK)
        return gh_postgres_fail(tx, err);
    if (batch->count == 1) {
        batch->chain = chain;
        batch->prev_seq = head->seq;
    }
    head->seq = linked.record.seq;
    memcpy(head->hash, linked.hash, sizeof(head->hash));
    return GH_OK;
}

/* ---- Inserting ---- */

enum column {
    USER_ID,
    ACTOR_ID,
    IP_ADDRESS,
    USER_AGENT,
    SESSION,
    REQUEST_ID,
    METADATA,
    SEALED,
    EVENT,
    OUTCOME,
    PREV_HASH,
    HASH,
};

static struct gh_str value_of(struct gh_audit_row *row, enum column column)
{
    switch (column) {
    case USER_ID:
    case ACTOR_ID:
    case IP_ADDRESS:
    case USER_AGENT:
    case SESSION:
    case REQUEST_ID:
    case METADATA:
    case SEALED:
        return *text_of(row, column);
    case EVENT:
        return gh_audit_event_facts(row->record.event)->name;
    case OUTCOME:
        return gh_audit_outcome_name(row->record.outcome);
    case PREV_HASH:
        return gh_str_of((const char *)row->prev_hash, sizeof(row->prev_hash));
    case HASH:
        return gh_str_of((const char *)row->hash, sizeof(row->hash));
    }
    return GH_STR("");
}

static void put_column(struct gh_postgres_call *call, struct gh_postgres_batch *batch,
                       enum column column)
{
    struct gh_str values[GH_POSTGRES_BATCH_ROWS_MAX];
    for (size_t i = 0; i < batch->count; i++)
        values[i] = value_of(&batch->rows[i], column);
    if (column == SEALED || column == PREV_HASH || column == HASH)
        gh_postgres_put_sealeds(call, values, batch->count);
    else
        gh_postgres_put_texts(call, values, batch->count);
}

static void put_numbers(struct gh_postgres_call *call, const struct gh_postgres_batch *batch)
{
    uint64_t seqs[GH_POSTGRES_BATCH_ROWS_MAX], times[GH_POSTGRES_BATCH_ROWS_MAX];
    for (size_t i = 0; i < batch->count; i++) {
        seqs[i] = batch->rows[i].record.seq;
        times[i] = batch->rows[i].record.time_us;
    }
    gh_postgres_put_u64s(call, seqs, batch->count);
    gh_postgres_put_u64s(call, times, batch->count);
}

/* False: of too many chains at once. */
static bool note_borrowed(struct gh_postgres_batch *batch, uint64_t through_seq)
{
    size_t i = 0;
    if (batch->chain == batch->heads[OWN].chain)
        return true;
    while (i < batch->borrowed_count && batch->borrowed[i].chain != batch->chain)
        i++;
    if (i == GH_POSTGRES_HEADS_MAX)
        return false;
    if (i == batch->borrowed_count) {
        batch->borrowed_count++;
        batch->borrowed[i] =
            (struct gh_postgres_borrowed){.chain = batch->chain, .after_seq = batch->prev_seq};
    }
    batch->borrowed[i].through_seq = through_seq;
    return true;
}

enum gh_err gh_postgres_batch_flush(struct gh_postgres_tx *tx, struct gh_postgres_batch *batch)
{
    static const enum column COLUMNS[] = {EVENT,      USER_ID,   ACTOR_ID,   IP_ADDRESS,
                                          USER_AGENT, SESSION,   REQUEST_ID, OUTCOME,
                                          METADATA,   PREV_HASH, HASH,       SEALED};
    const struct gh_audit_row *last = &batch->rows[batch->count ? batch->count - 1 : 0];
    uint64_t inserted;
    if (!batch->count)
        return GH_OK;
    struct gh_postgres_call call = gh_postgres_begin(&tx->tx, GH_POSTGRES_RECORDS_INSERT);
    gh_postgres_put_u64(&call, batch->chain);
    gh_postgres_put_u64(&call, batch->prev_seq);
    gh_postgres_put_u64(&call, last->record.seq);
    gh_postgres_put_bytes(&call, last->hash, sizeof(last->hash));
    put_numbers(&call, batch);
    for (size_t i = 0; i < sizeof(COLUMNS) / sizeof(COLUMNS[0]); i++)
        put_column(&call, batch, COLUMNS[i]);
    enum gh_err err = gh_postgres_change(&call, &inserted);
    if (err == GH_OK && inserted != batch->count)
        err = gh_postgres_fail(tx, GH_ERR_IO); /* somebody else has moved the head */
    if (err == GH_OK && !note_borrowed(batch, last->record.seq))
        err = gh_postgres_fail(tx, GH_ERR_FULL);
    clear_rows(batch);
    return err;
}
