#include "store/memory_tables.h"

#include <string.h>

#define ROWS_FIRST 16

/* ---- Texts of rows ---- */

static const size_t ACCOUNT_TEXTS[] = {
    offsetof(struct gh_account, email), offsetof(struct gh_account, password_hash),
    offsetof(struct gh_account, name),  offsetof(struct gh_account, locale),
    offsetof(struct gh_account, roles), offsetof(struct gh_account, totp_secret),
};
static const size_t SESSION_TEXTS[] = {
    offsetof(struct gh_session_row, secret),
    offsetof(struct gh_session_row, device),
    offsetof(struct gh_session_row, ip),
};
static const size_t TICKET_TEXTS[] = {offsetof(struct gh_ticket, data)};
static const size_t DEVICE_TEXTS[] = {offsetof(struct gh_device_row, label)};
static const size_t MAIL_TEXTS[] = {
    offsetof(struct gh_mail_row, recipient),
    offsetof(struct gh_mail_row, message),
};
static const size_t KEY_TEXTS[] = {
    offsetof(struct gh_key_row, alg),
    offsetof(struct gh_key_row, kid),
    offsetof(struct gh_key_row, wrapped),
};
static const size_t AUDIT_TEXTS[] = {
    offsetof(struct gh_audit_record, user_id),    offsetof(struct gh_audit_record, actor_id),
    offsetof(struct gh_audit_record, ip_address), offsetof(struct gh_audit_record, user_agent),
    offsetof(struct gh_audit_record, session),    offsetof(struct gh_audit_record, request_id),
    offsetof(struct gh_audit_record, metadata),
};

static struct gh_str *text_of(void *row, size_t offset)
{
    return (struct gh_str *)((char *)row + offset);
}

static bool own_text(struct gh_str *text)
{
    char *copy = malloc(text->len + 1);
    if (!copy)
        return false;
    if (text->len)
        memcpy(copy, text->ptr, text->len);
    copy[text->len] = 0;
    text->ptr = copy;
    return true;
}

/* The texts of a row point to somebody else's memory: to memory of their own. */
static bool own_texts(const struct gh_memory_table *table, void *row)
{
    for (size_t i = 0; i < table->text_count; i++) {
        if (own_text(text_of(row, table->texts[i])))
            continue;
        while (i-- > 0)
            free((char *)text_of(row, table->texts[i])->ptr);
        return false;
    }
    return true;
}

static void disown_texts(const struct gh_memory_table *table, void *row)
{
    for (size_t i = 0; i < table->text_count; i++)
        free((char *)text_of(row, table->texts[i])->ptr);
}

/* ---- Tables ---- */

void gh_memory_tables_init(struct gh_memory_table tables[GH_MEMORY_TABLE_COUNT])
{
#define TABLE(type, texts)                                                                         \
    {                                                                                              \
        NULL, sizeof(struct type), 0, 0, texts, sizeof(texts) / sizeof(texts[0])                   \
    }
#define TABLE_WITHOUT_TEXTS(type)                                                                  \
    {                                                                                              \
        NULL, sizeof(struct type), 0, 0, NULL, 0                                                   \
    }
    static const struct gh_memory_table KINDS[GH_MEMORY_TABLE_COUNT] = {
        [GH_MEMORY_ACCOUNTS] = TABLE(gh_account, ACCOUNT_TEXTS),
        [GH_MEMORY_SESSIONS] = TABLE(gh_session_row, SESSION_TEXTS),
        [GH_MEMORY_TICKETS] = TABLE(gh_ticket, TICKET_TEXTS),
        [GH_MEMORY_RECOVERIES] = TABLE_WITHOUT_TEXTS(gh_memory_recovery),
        [GH_MEMORY_THROTTLES] = TABLE_WITHOUT_TEXTS(gh_throttle_row),
        [GH_MEMORY_DEVICES] = TABLE(gh_device_row, DEVICE_TEXTS),
        [GH_MEMORY_MAILS] = TABLE(gh_mail_row, MAIL_TEXTS),
        [GH_MEMORY_KEYS] = TABLE(gh_key_row, KEY_TEXTS),
        [GH_MEMORY_REVOCATIONS] = TABLE_WITHOUT_TEXTS(gh_revocation_row),
        [GH_MEMORY_AUDIT] = TABLE(gh_audit_record, AUDIT_TEXTS),
    };
    memcpy(tables, KINDS, sizeof(KINDS));
}

bool gh_memory_read(const struct gh_memory_table *table, size_t index, struct gh_arena *arena,
                    void *out_row)
{
    memcpy(out_row, gh_memory_row(table, index), table->row_bytes);
    for (size_t i = 0; i < table->text_count; i++) {
        struct gh_str *text = text_of(out_row, table->texts[i]);
        *text = gh_arena_dup(arena, *text);
        if (!text->ptr)
            return false;
    }
    return true;
}

void gh_memory_tables_free(struct gh_memory_table tables[GH_MEMORY_TABLE_COUNT])
{
    for (size_t t = 0; t < GH_MEMORY_TABLE_COUNT; t++) {
        for (size_t i = 0; i < tables[t].count; i++)
            disown_texts(&tables[t], gh_memory_row(&tables[t], i));
        free(tables[t].rows);
    }
    gh_memory_tables_init(tables);
}

bool gh_memory_tables_copy(const struct gh_memory_table from[GH_MEMORY_TABLE_COUNT],
                           struct gh_memory_table to[GH_MEMORY_TABLE_COUNT])
{
    gh_memory_tables_init(to);
    for (size_t t = 0; t < GH_MEMORY_TABLE_COUNT; t++) {
        for (size_t i = 0; i < from[t].count; i++) {
            if (gh_memory_append(&to[t], gh_memory_row(&from[t], i)))
                continue;
            gh_memory_tables_free(to);
            return false;
        }
    }
    return true;
}

void *gh_memory_append(struct gh_memory_table *table, const void *row)
{
    if (table->count == table->cap) {
        size_t cap = table->cap ? table->cap * 2 : ROWS_FIRST;
        char *rows = realloc(table->rows, cap * table->row_bytes);
        if (!rows)
            return NULL;
        table->rows = rows;
        table->cap = cap;
    }
    char *at = table->rows + table->count * table->row_bytes;
    memcpy(at, row, table->row_bytes);
    if (!own_texts(table, at))
        return NULL;
    table->count++;
    return at;
}

bool gh_memory_replace(struct gh_memory_table *table, size_t index, const void *row)
{
    void *added = gh_memory_append(table, row);
    if (!added)
        return false;
    void *at = gh_memory_row(table, index);
    disown_texts(table, at);
    memcpy(at, added, table->row_bytes);
    table->count--;
    return true;
}

void gh_memory_remove(struct gh_memory_table *table, size_t index)
{
    char *at = gh_memory_row(table, index);
    disown_texts(table, at);
    table->count--;
    memmove(at, at + table->row_bytes, (table->count - index) * table->row_bytes);
}
