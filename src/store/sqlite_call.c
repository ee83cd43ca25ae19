#include "store/sqlite_call.h"

#define ROWS_FIRST 8

/* ---- Running ---- */

static void fail(struct gh_sqlite_call *call, enum gh_err err)
{
    if (call->err == GH_OK)
        call->err = err;
}

static void check(struct gh_sqlite_call *call, int result)
{
    fail(call, gh_sqlite_err(call->tx->connection, result));
}

struct gh_sqlite_call gh_sqlite_begin(struct gh_tx *tx, enum gh_sqlite_statement id)
{
    struct gh_sqlite_call call = {.tx = (struct gh_sqlite_tx *)tx, .at = 1, .err = GH_OK};
    call.statement = gh_sqlite_statement(call.tx->connection, id, &call.err);
    return call;
}

bool gh_sqlite_next(struct gh_sqlite_call *call)
{
    call->at = 0;
    if (call->err != GH_OK)
        return false;
    int result = sqlite3_step(call->statement);
    if (result == SQLITE_ROW)
        return true;
    check(call, result);
    return false;
}

/* A failure that the unit can't have caused. */
static bool is_of_the_store(enum gh_err err)
{
    return err == GH_ERR_IO || err == GH_ERR_FULL || err == GH_ERR_MEMORY;
}

enum gh_err gh_sqlite_end(struct gh_sqlite_call *call)
{
    if (call->statement) {
        sqlite3_reset(call->statement);
        sqlite3_clear_bindings(call->statement);
    }
    if (is_of_the_store(call->err) && call->tx->failure == GH_OK)
        call->tx->failure = call->err;
    return call->err;
}

enum gh_err gh_sqlite_change(struct gh_sqlite_call *call, uint64_t *out_changed)
{
    while (gh_sqlite_next(call))
        ;
    *out_changed = call->err == GH_OK ? (uint64_t)sqlite3_changes64(call->tx->connection->db) : 0;
    return gh_sqlite_end(call);
}

enum gh_err gh_sqlite_change_any(struct gh_sqlite_call *call)
{
    uint64_t changed;
    return gh_sqlite_change(call, &changed);
}

enum gh_err gh_sqlite_change_one(struct gh_sqlite_call *call)
{
    uint64_t changed;
    enum gh_err err = gh_sqlite_change(call, &changed);
    return err == GH_OK && !changed ? GH_ERR_NOT_FOUND : err;
}

enum gh_err gh_sqlite_end_one(struct gh_sqlite_call *call, bool found)
{
    enum gh_err err = gh_sqlite_end(call);
    return err == GH_OK && !found ? GH_ERR_NOT_FOUND : err;
}

enum gh_err gh_sqlite_count(struct gh_sqlite_call *call, uint64_t *out_count)
{
    if (gh_sqlite_next(call))
        *out_count = gh_sqlite_take_u64(call);
    return gh_sqlite_end(call);
}

/* ---- Parameters ---- */

void gh_sqlite_put_u64(struct gh_sqlite_call *call, uint64_t value)
{
    if (value > INT64_MAX)
        fail(call, GH_ERR_INVALID);
    if (call->err == GH_OK)
        check(call, sqlite3_bind_int64(call->statement, call->at++, (sqlite3_int64)value));
}

void gh_sqlite_put_limit(struct gh_sqlite_call *call, size_t limit)
{
    gh_sqlite_put_u64(call, limit < INT64_MAX ? limit : INT64_MAX);
}

void gh_sqlite_put_text(struct gh_sqlite_call *call, struct gh_str text)
{
    if (call->err != GH_OK)
        return;
    check(call, text.len ? sqlite3_bind_text64(call->statement, call->at, text.ptr, text.len,
                                               SQLITE_STATIC, SQLITE_UTF8)
                         : sqlite3_bind_null(call->statement, call->at));
    call->at++;
}

void gh_sqlite_put_id(struct gh_sqlite_call *call, const struct gh_id *id)
{
    gh_sqlite_put_text(call, gh_id_str(id));
}

void gh_sqlite_put_bytes(struct gh_sqlite_call *call, const void *bytes, size_t count)
{
    if (call->err == GH_OK)
        check(call, sqlite3_bind_blob64(call->statement, call->at++, bytes, count, SQLITE_STATIC));
}

void gh_sqlite_put_sealed(struct gh_sqlite_call *call, struct gh_str sealed)
{
    gh_sqlite_put_bytes(call, sealed.len ? sealed.ptr : NULL, sealed.len);
}

/* ---- Columns ---- */

uint64_t gh_sqlite_take_u64(struct gh_sqlite_call *call)
{
    sqlite3_int64 value = sqlite3_column_int64(call->statement, call->at++);
    if (value < 0)
        fail(call, GH_ERR_IO);
    return value < 0 ? 0 : (uint64_t)value;
}

unsigned gh_sqlite_take_number(struct gh_sqlite_call *call, unsigned max)
{
    uint64_t value = gh_sqlite_take_u64(call);
    if (value > max)
        fail(call, GH_ERR_IO);
    return value > max ? 0 : (unsigned)value;
}

/* The bytes of a TEXT or BLOB where SQLite keeps them; valid until the next step. */
static struct gh_str column(struct gh_sqlite_call *call)
{
    const char *bytes = sqlite3_column_blob(call->statement, call->at);
    int count = sqlite3_column_bytes(call->statement, call->at);
    if (!bytes && sqlite3_column_type(call->statement, call->at) != SQLITE_NULL && count)
        fail(call, GH_ERR_MEMORY);
    call->at++;
    return bytes && count > 0 ? gh_str_of(bytes, (size_t)count) : (struct gh_str){"", 0};
}

struct gh_str gh_sqlite_take_text(struct gh_sqlite_call *call)
{
    struct gh_str text = gh_arena_dup(call->tx->tx.arena, column(call));
    if (text.ptr)
        return text;
    fail(call, GH_ERR_MEMORY);
    return (struct gh_str){"", 0};
}

struct gh_id gh_sqlite_take_id(struct gh_sqlite_call *call)
{
    struct gh_id id = {.text = {0}};
    struct gh_str text = column(call);
    if (text.len && text.len != GH_ID_LEN)
        fail(call, GH_ERR_IO);
    else
        memcpy(id.text, text.ptr, text.len);
    return id;
}

void gh_sqlite_take_bytes(struct gh_sqlite_call *call, void *out, size_t count)
{
    struct gh_str bytes = column(call);
    memset(out, 0, count);
    if (bytes.len == count)
        memcpy(out, bytes.ptr, count);
    else
        fail(call, GH_ERR_IO);
}

/* ---- Rows ---- */

/* Arrays double; what they leave behind in the arena is less than what they hold. */
static char *grow(struct gh_arena *arena, const char *rows, size_t count, size_t row_bytes)
{
    char *grown = gh_arena_zalloc(arena, count ? count * 2 : ROWS_FIRST, row_bytes);
    if (grown && count)
        memcpy(grown, rows, count * row_bytes);
    return grown;
}

enum gh_err gh_sqlite_take_all(struct gh_sqlite_call *call, gh_sqlite_take_row *take,
                               size_t row_bytes, void **out_rows, size_t *out_count)
{
    struct gh_arena *arena = call->tx->tx.arena;
    size_t count = 0, cap = ROWS_FIRST;
    char *rows = grow(arena, NULL, 0, row_bytes);
    if (!rows)
        fail(call, GH_ERR_MEMORY);
    while (gh_sqlite_next(call)) {
        if (count == cap) {
            rows = grow(arena, rows, count, row_bytes);
            cap *= 2;
        }
        if (!rows) {
            fail(call, GH_ERR_MEMORY);
            break;
        }
        take(call, rows + count * row_bytes);
        count++;
    }
    enum gh_err err = gh_sqlite_end(call);
    if (err != GH_OK)
        return err;
    *out_rows = rows;
    *out_count = count;
    return GH_OK;
}
