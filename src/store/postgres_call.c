#include "store/postgres_call.h"

#include <endian.h>
#include <string.h>

#include "base/utf8.h"

/* Types of PostgreSQL (pg_type.oid), in the heads of arrays. */
#define TYPE_BYTEA 17
#define TYPE_INT8  20
#define TYPE_TEXT  25

static const bool WRITES_TABLE[GH_POSTGRES_STATEMENT_COUNT] = {
#define READS              false
#define WRITES             true
#define X(id, effect, sql) [GH_POSTGRES_##id] = effect,
    GH_POSTGRES_STATEMENTS(X)
#undef X
#undef READS
#undef WRITES
};

/* ---- Running ---- */

static void fail(struct gh_postgres_call *call, enum gh_err err)
{
    if (call->err == GH_OK)
        call->err = err;
}

struct gh_postgres_call gh_postgres_begin(struct gh_tx *tx, enum gh_postgres_statement statement)
{
    struct gh_postgres_call call = {
        .tx = (struct gh_postgres_tx *)tx, .statement = statement, .row = -1};
    if (WRITES_TABLE[statement] && call.tx->kind == GH_POSTGRES_READ)
        call.err = GH_ERR_INVALID;
    return call;
}

static void run(struct gh_postgres_call *call)
{
    enum gh_err err = GH_OK;
    if (call->err != GH_OK)
        return;
    call->tx->wrote |= WRITES_TABLE[call->statement];
    call->result = gh_postgres_execute(call->tx->connection, call->statement, &call->put, &err);
    fail(call, err);
    if (call->tx->connection->fault != GH_POSTGRES_FINE && call->tx->failure == GH_OK)
        call->tx->failure = call->tx->connection->err; /* nothing can be committed any more */
}

static bool is_run(const struct gh_postgres_call *call)
{
    return call->result || call->err != GH_OK;
}

bool gh_postgres_next(struct gh_postgres_call *call)
{
    if (!is_run(call))
        run(call);
    call->at = 0;
    if (call->err != GH_OK)
        return false;
    call->row++;
    return call->row < call->tx->connection->lib->ntuples(call->result);
}

/* A failure that the unit can't have caused. */
static bool is_of_the_store(enum gh_err err)
{
    return err == GH_ERR_IO || err == GH_ERR_FULL || err == GH_ERR_MEMORY;
}

enum gh_err gh_postgres_fail(struct gh_postgres_tx *tx, enum gh_err err)
{
    if (is_of_the_store(err) && tx->failure == GH_OK)
        tx->failure = err;
    return err;
}

enum gh_err gh_postgres_end(struct gh_postgres_call *call)
{
    if (call->result)
        call->tx->connection->lib->clear(call->result);
    call->result = NULL;
    gh_arena_reset(&call->tx->connection->scratch);
    return gh_postgres_fail(call->tx, call->err);
}

/* Digits of the server's answer. */
static uint64_t number_of(const char *digits)
{
    uint64_t number = 0;
    for (; *digits >= '0' && *digits <= '9'; digits++)
        number = number * 10 + (uint64_t)(*digits - '0');
    return number;
}

enum gh_err gh_postgres_change(struct gh_postgres_call *call, uint64_t *out_changed)
{
    if (!is_run(call))
        run(call);
    *out_changed = call->result ? number_of(call->tx->connection->lib->cmdTuples(call->result)) : 0;
    return gh_postgres_end(call);
}

enum gh_err gh_postgres_change_any(struct gh_postgres_call *call)
{
    uint64_t changed;
    return gh_postgres_change(call, &changed);
}

enum gh_err gh_postgres_change_one(struct gh_postgres_call *call)
{
    uint64_t changed;
    enum gh_err err = gh_postgres_change(call, &changed);
    return err == GH_OK && !changed ? GH_ERR_NOT_FOUND : err;
}

enum gh_err gh_postgres_change_told(struct gh_postgres_call *call)
{
    bool done = false, taken = false;
    if (gh_postgres_next(call)) {
        done = gh_postgres_take_flag(call);
        taken = gh_postgres_take_flag(call);
    }
    enum gh_err err = gh_postgres_end(call);
    if (err != GH_OK || done)
        return err;
    return taken ? GH_ERR_EXISTS : GH_ERR_NOT_FOUND;
}

enum gh_err gh_postgres_end_one(struct gh_postgres_call *call, bool found)
{
    enum gh_err err = gh_postgres_end(call);
    return err == GH_OK && !found ? GH_ERR_NOT_FOUND : err;
}

enum gh_err gh_postgres_count(struct gh_postgres_call *call, uint64_t *out_count)
{
    if (gh_postgres_next(call))
        *out_count = gh_postgres_take_u64(call);
    return gh_postgres_end(call);
}

/* ---- Parameters ---- */

static void put(struct gh_postgres_call *call, const char *bytes, size_t count)
{
    int at = call->put.count;
    if (at == GH_POSTGRES_PARAMETERS_MAX || count > INT32_MAX) {
        fail(call, GH_ERR_INVALID);
        return;
    }
    call->put.values[at] = bytes;
    call->put.lengths[at] = (int)count;
    call->put.count++;
}

void gh_postgres_put_u64(struct gh_postgres_call *call, uint64_t value)
{
    if (value > INT64_MAX || call->put.count == GH_POSTGRES_PARAMETERS_MAX) {
        fail(call, GH_ERR_INVALID);
        return;
    }
    uint64_t *number = &call->numbers[call->put.count];
    *number = htobe64(value);
    put(call, (const char *)number, sizeof(*number));
}

void gh_postgres_put_limit(struct gh_postgres_call *call, size_t limit)
{
    gh_postgres_put_u64(call, limit < INT64_MAX ? limit : INT64_MAX);
}

void gh_postgres_put_flag(struct gh_postgres_call *call, bool flag)
{
    put(call, flag ? "\1" : "\0", 1);
}

static bool can_be_kept(struct gh_str text)
{
    return gh_utf8_is_valid(text) && gh_str_find_char(text, '\0') == text.len;
}

void gh_postgres_put_text(struct gh_postgres_call *call, struct gh_str text)
{
    if (!can_be_kept(text))
        fail(call, GH_ERR_INVALID);
    gh_postgres_put_sealed(call, text);
}

void gh_postgres_put_key(struct gh_postgres_call *call, struct gh_str text)
{
    gh_postgres_put_sealed(call, can_be_kept(text) ? text : (struct gh_str){"", 0});
}

void gh_postgres_put_id(struct gh_postgres_call *call, const struct gh_id *id)
{
    if (!id->text[0])
        fail(call, GH_ERR_INVALID);
    gh_postgres_put_optional_id(call, id);
}

void gh_postgres_put_optional_id(struct gh_postgres_call *call, const struct gh_id *id)
{
    struct gh_str text = gh_id_str(id);
    if (text.len && text.len != GH_ID_LEN)
        fail(call, GH_ERR_INVALID);
    gh_postgres_put_text(call, text);
}

void gh_postgres_put_bytes(struct gh_postgres_call *call, const void *bytes, size_t count)
{
    put(call, bytes, count);
}

void gh_postgres_put_sealed(struct gh_postgres_call *call, struct gh_str sealed)
{
    put(call, sealed.len ? sealed.ptr : NULL, sealed.len);
}

/* ---- Arrays: a head of five numbers, then each element behind its length (-1: NULL) ---- */

static char *write_u32(char *at, uint32_t value)
{
    value = htobe32(value);
    memcpy(at, &value, sizeof(value));
    return at + sizeof(value);
}

/* Room for `bytes` of elements behind the head; NULL: trouble. */
static char *put_array(struct gh_postgres_call *call, uint32_t type, size_t count, size_t bytes)
{
    const uint32_t head[] = {1, 1 /* may hold NULL */, type, (uint32_t)count, 1};
    if (count > INT32_MAX || bytes > INT32_MAX) {
        fail(call, GH_ERR_INVALID);
        return NULL;
    }
    size_t size = sizeof(head) + count * sizeof(uint32_t) + bytes;
    char *array = gh_arena_alloc(&call->tx->connection->scratch, size);
    if (!array) {
        fail(call, GH_ERR_MEMORY);
        return NULL;
    }
    char *at = array;
    for (size_t i = 0; i < sizeof(head) / sizeof(head[0]); i++)
        at = write_u32(at, head[i]);
    put(call, array, size);
    return at;
}

void gh_postgres_put_u64s(struct gh_postgres_call *call, const uint64_t *values, size_t count)
{
    char *at = put_array(call, TYPE_INT8, count, count * sizeof(values[0]));
    for (size_t i = 0; at && i < count; i++) {
        uint64_t value = htobe64(values[i]);
        if (values[i] > INT64_MAX)
            fail(call, GH_ERR_INVALID);
        at = write_u32(at, sizeof(value));
        memcpy(at, &value, sizeof(value));
        at += sizeof(value);
    }
}

static void put_strings(struct gh_postgres_call *call, uint32_t type, const struct gh_str *strings,
                        size_t count)
{
    size_t bytes = 0;
    for (size_t i = 0; i < count && bytes <= INT32_MAX; i++)
        bytes += strings[i].len;
    char *at = put_array(call, type, count, bytes);
    for (size_t i = 0; at && i < count; i++) {
        at = write_u32(at, strings[i].len ? (uint32_t)strings[i].len : UINT32_MAX);
        memcpy(at, strings[i].len ? strings[i].ptr : "", strings[i].len);
        at += strings[i].len;
    }
}

void gh_postgres_put_texts(struct gh_postgres_call *call, const struct gh_str *texts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!can_be_kept(texts[i]))
            fail(call, GH_ERR_INVALID);
    put_strings(call, TYPE_TEXT, texts, count);
}

void gh_postgres_put_sealeds(struct gh_postgres_call *call, const struct gh_str *sealed,
                             size_t count)
{
    put_strings(call, TYPE_BYTEA, sealed, count);
}

/* ---- Columns ---- */

/* The bytes where libpq keeps them, until `end`. */
static struct gh_str column(struct gh_postgres_call *call)
{
    const struct gh_libpq *lib = call->tx->connection->lib;
    int at = call->at++;
    if (lib->getisnull(call->result, call->row, at))
        return (struct gh_str){"", 0};
    return gh_str_of(lib->getvalue(call->result, call->row, at),
                     (size_t)lib->getlength(call->result, call->row, at));
}

uint64_t gh_postgres_take_u64(struct gh_postgres_call *call)
{
    uint64_t value = 0;
    struct gh_str bytes = column(call);
    if (bytes.len == sizeof(value))
        memcpy(&value, bytes.ptr, sizeof(value));
    else if (bytes.len)
        fail(call, GH_ERR_IO);
    value = be64toh(value);
    if (value > INT64_MAX)
        fail(call, GH_ERR_IO);
    return value > INT64_MAX ? 0 : value;
}

unsigned gh_postgres_take_number(struct gh_postgres_call *call, unsigned max)
{
    uint64_t value = gh_postgres_take_u64(call);
    if (value > max)
        fail(call, GH_ERR_IO);
    return value > max ? 0 : (unsigned)value;
}

bool gh_postgres_take_flag(struct gh_postgres_call *call)
{
    struct gh_str byte = column(call);
    if (byte.len > 1)
        fail(call, GH_ERR_IO);
    return byte.len == 1 && byte.ptr[0] != 0;
}

struct gh_str gh_postgres_take_text(struct gh_postgres_call *call)
{
    struct gh_str text = gh_arena_dup(call->tx->tx.arena, column(call));
    if (text.ptr)
        return text;
    fail(call, GH_ERR_MEMORY);
    return (struct gh_str){"", 0};
}

struct gh_id gh_postgres_take_id(struct gh_postgres_call *call)
{
    struct gh_id id = {.text = {0}};
    struct gh_str text = column(call);
    if (text.len && text.len != GH_ID_LEN)
        fail(call, GH_ERR_IO);
    else
        memcpy(id.text, text.ptr, text.len);
    return id;
}

void gh_postgres_take_bytes(struct gh_postgres_call *call, void *out, size_t count)
{
    struct gh_str bytes = column(call);
    memset(out, 0, count);
    if (bytes.len == count)
        memcpy(out, bytes.ptr, count);
    else
        fail(call, GH_ERR_IO);
}

/* ---- Rows ---- */

enum gh_err gh_postgres_take_all(struct gh_postgres_call *call, gh_postgres_take_row *take,
                                 size_t row_bytes, void **out_rows, size_t *out_count)
{
    char *rows = NULL;
    size_t count = 0;
    if (!is_run(call))
        run(call);
    if (call->err == GH_OK) {
        count = (size_t)call->tx->connection->lib->ntuples(call->result);
        rows = gh_arena_zalloc(call->tx->tx.arena, count ? count : 1, row_bytes);
        if (!rows)
            fail(call, GH_ERR_MEMORY);
    }
    for (size_t i = 0; rows && gh_postgres_next(call); i++)
        take(call, rows + i * row_bytes);
    enum gh_err err = gh_postgres_end(call);
    if (err != GH_OK)
        return err;
    *out_rows = rows;
    *out_count = count;
    return GH_OK;
}
