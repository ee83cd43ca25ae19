#include "store/move_rows.h"

#include <endian.h>

/* The signature, no flags, no extension. */
const struct gh_str gh_move_header = {"PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0", 19};
const struct gh_str gh_move_trailer = {"\377\377", 2};

#define NULL_FIELD UINT32_MAX

static void put_u16(struct gh_buf *buf, size_t value)
{
    uint16_t big_endian = htobe16((uint16_t)value);
    gh_buf_put(buf, gh_str_of((const char *)&big_endian, sizeof(big_endian)));
}

static void put_u32(struct gh_buf *buf, size_t value)
{
    uint32_t big_endian = htobe32((uint32_t)value);
    gh_buf_put(buf, gh_str_of((const char *)&big_endian, sizeof(big_endian)));
}

static void put_bigint(struct gh_buf *buf, int64_t value)
{
    uint64_t big_endian = htobe64((uint64_t)value);
    put_u32(buf, sizeof(big_endian));
    gh_buf_put(buf, gh_str_of((const char *)&big_endian, sizeof(big_endian)));
}

static void put_flag(struct gh_buf *buf, bool flag)
{
    put_u32(buf, 1);
    gh_buf_put_char(buf, flag ? 1 : 0);
}

/* sqlite3_column_text gives UTF-8 whatever stands there; its bytes are counted afterwards. */
static void put_text(struct gh_buf *buf, sqlite3_stmt *statement, int at)
{
    const char *text = (const char *)sqlite3_column_text(statement, at);
    size_t len = (size_t)sqlite3_column_bytes(statement, at);
    put_u32(buf, len);
    gh_buf_put(buf, gh_str_of(text, text ? len : 0));
}

static void put_bytes(struct gh_buf *buf, sqlite3_stmt *statement, int at)
{
    const char *bytes = sqlite3_column_blob(statement, at);
    size_t len = (size_t)sqlite3_column_bytes(statement, at);
    put_u32(buf, len);
    gh_buf_put(buf, gh_str_of(bytes, bytes ? len : 0));
}

/* False: it is of another type than its column. */
static bool put_field(struct gh_buf *buf, enum gh_move_type type, sqlite3_stmt *statement, int at)
{
    int stored = sqlite3_column_type(statement, at);
    if (stored == SQLITE_NULL) {
        put_u32(buf, NULL_FIELD);
        return true;
    }
    switch (type) {
    case GH_MOVE_BIGINT:
        put_bigint(buf, sqlite3_column_int64(statement, at));
        return stored == SQLITE_INTEGER;
    case GH_MOVE_FLAG:
        put_flag(buf, sqlite3_column_int64(statement, at) != 0);
        return stored == SQLITE_INTEGER;
    case GH_MOVE_TEXT:
        put_text(buf, statement, at);
        return stored == SQLITE_TEXT;
    case GH_MOVE_BYTES:
        put_bytes(buf, statement, at);
        return stored == SQLITE_BLOB;
    }
    return false;
}

enum gh_err gh_move_put_row(struct gh_buf *buf, const struct gh_move_table *table,
                            sqlite3_stmt *statement)
{
    put_u16(buf, table->column_count + table->has_chain);
    if (table->has_chain)
        put_bigint(buf, 1);
    for (size_t i = 0; i < table->column_count; i++)
        if (!put_field(buf, table->types[i], statement, (int)i))
            return GH_ERR_INVALID;
    return buf->overflow ? GH_ERR_FULL : GH_OK;
}

/* ---- SQL ---- */

/* Names come from a schema of ours, which has been checked to be that: no quotes in them. */
static void put_names(struct gh_buf *buf, const struct gh_str *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        gh_buf_put(buf, i ? GH_STR(", \"") : GH_STR("\""));
        gh_buf_put(buf, names[i]);
        gh_buf_put_char(buf, '"');
    }
}

void gh_move_put_columns(struct gh_buf *buf, const struct gh_move_table *table)
{
    if (table->has_chain)
        gh_buf_put(buf, GH_STR("chain, "));
    put_names(buf, table->columns, table->column_count);
}

void gh_move_put_keys(struct gh_buf *buf, const struct gh_move_table *table)
{
    if (table->has_chain)
        gh_buf_put(buf, GH_STR("chain, "));
    put_names(buf, table->keys, table->key_count);
}

void gh_move_put_select(struct gh_buf *buf, const struct gh_move_table *table)
{
    gh_buf_put(buf, GH_STR("SELECT "));
    put_names(buf, table->columns, table->column_count);
    gh_buf_put(buf, GH_STR(" FROM \""));
    gh_buf_put(buf, table->name);
    gh_buf_put(buf, GH_STR("\" ORDER BY "));
    put_names(buf, table->keys, table->key_count);
    gh_buf_put_char(buf, '\0');
}
