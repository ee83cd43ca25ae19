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
#define RECORD_TEXT(name) offsetof(struct gh_audit_row, record.name)
static const size_t AUDIT_TEXTS[] = {
    RECORD_TEXT(user_id),    RECORD_TEXT(actor_id),
    RECORD_TEXT(ip_address), RECORD_TEXT(user_agent),
    RECORD_TEXT(session),    RECORD_TEXT(request_id),
    RECORD_TEXT(metadata),   offsetof(struct gh_audit_row, sealed),
};
#define PENDING_TEXT(name) offsetof(struct gh_audit_pending, row.name)
static const size_t PENDING_TEXTS[] = {
    PENDING_TEXT(record.user_id),    PENDING_TEXT(record.actor_id), PENDING_TEXT(record.ip_address),
    PENDING_TEXT(record.user_agent), PENDING_TEXT(record.session),  PENDING_TEXT(record.request_id),
    PENDING_TEXT(record.metadata),   PENDING_TEXT(sealed),
};
static const size_t PERSON_KEY_TEXTS[] = {
    offsetof(struct gh_person_key_row, person),
    offsetof(struct gh_person_key_row, wrapped),
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

/* ---- The log ---- */

enum change_kind { APPENDED, REPLACED, REMOVED };

struct gh_memory_change {
    struct gh_memory_table *table;
    enum change_kind kind;
    size_t index;
    char *old; /* the row that was there; NULL: none */
};

/* Room for one more change. */
static bool reserve(struct gh_memory_log *log)
{
    if (log->count < log->cap)
        return true;
    size_t cap = log->cap ? log->cap * 2 : ROWS_FIRST;
    struct gh_memory_change *changes = realloc(log->changes, cap * sizeof(*changes));
    if (!changes)
        return false;
    log->changes = changes;
    log->cap = cap;
    return true;
}

/* A row moves to the log with what it owns, if there is one. */
static bool note(struct gh_memory_table *table, enum change_kind kind, size_t index)
{
    char *old = kind == APPENDED ? NULL : malloc(table->row_bytes);
    if (!reserve(table->log) || (kind != APPENDED && !old)) {
        free(old);
        return false;
    }
    if (old)
        memcpy(old, gh_memory_row(table, index), table->row_bytes);
    table->log->changes[table->log->count++] = (struct gh_memory_change){table, kind, index, old};
    return true;
}

static void end(struct gh_memory_log *log)
{
    for (size_t i = 0; i < log->count; i++)
        free(log->changes[i].old);
    free(log->changes);
    *log = (struct gh_memory_log){.count = 0};
}

void gh_memory_commit(struct gh_memory_log *log)
{
    for (size_t i = 0; i < log->count; i++)
        if (log->changes[i].old)
            disown_texts(log->changes[i].table, log->changes[i].old);
    end(log);
}

static void undo(const struct gh_memory_change *change)
{
    struct gh_memory_table *table = change->table;
    char *at = gh_memory_row(table, change->index);
    switch (change->kind) {
    case APPENDED:
        disown_texts(table, at);
        table->count--;
        return;
    case REPLACED:
        disown_texts(table, at);
        break;
    case REMOVED:
        memmove(at + table->row_bytes, at, (table->count - change->index) * table->row_bytes);
        table->count++;
        break;
    }
    memcpy(at, change->old, table->row_bytes);
}

void gh_memory_roll_back(struct gh_memory_log *log)
{
    for (size_t i = log->count; i-- > 0;)
        undo(&log->changes[i]);
    end(log);
}

/* ---- Tables ---- */

void gh_memory_tables_init(struct gh_memory_table tables[GH_MEMORY_TABLE_COUNT],
                           struct gh_memory_log *log)
{
#define TABLE(type, texts)                                                                         \
    {                                                                                              \
        NULL, sizeof(struct type), 0, 0, texts, sizeof(texts) / sizeof(texts[0]), NULL             \
    }
#define TABLE_WITHOUT_TEXTS(type)                                                                  \
    {                                                                                              \
        NULL, sizeof(struct type), 0, 0, NULL, 0, NULL                                             \
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
        [GH_MEMORY_REVOCATIONS] = TABLE_WITHOUT_TEXTS(gh_memory_revocation),
        [GH_MEMORY_AUDIT] = TABLE(gh_audit_row, AUDIT_TEXTS),
        [GH_MEMORY_AUDIT_PENDING] = TABLE(gh_audit_pending, PENDING_TEXTS),
        [GH_MEMORY_PERSON_KEYS] = TABLE(gh_person_key_row, PERSON_KEY_TEXTS),
    };
    memcpy(tables, KINDS, sizeof(KINDS));
    for (size_t i = 0; i < GH_MEMORY_TABLE_COUNT; i++)
        tables[i].log = log;
}

void gh_memory_tables_free(struct gh_memory_table tables[GH_MEMORY_TABLE_COUNT])
{
    for (size_t t = 0; t < GH_MEMORY_TABLE_COUNT; t++) {
        for (size_t i = 0; i < tables[t].count; i++)
            disown_texts(&tables[t], gh_memory_row(&tables[t], i));
        free(tables[t].rows);
    }
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

/* A copy of `row` behind the last one, not yet counted. */
static char *add(struct gh_memory_table *table, const void *row)
{
    if (table->count == table->cap) {
        size_t cap = table->cap ? table->cap * 2 : ROWS_FIRST;
        char *rows = realloc(table->rows, cap * table->row_bytes);
        if (!rows)
            return NULL;
        table->rows = rows;
        table->cap = cap;
    }
    char *at = gh_memory_row(table, table->count);
    memcpy(at, row, table->row_bytes);
    return own_texts(table, at) ? at : NULL;
}

bool gh_memory_append(struct gh_memory_table *table, const void *row)
{
    char *added = add(table, row);
    if (!added)
        return false;
    if (!note(table, APPENDED, table->count)) {
        disown_texts(table, added);
        return false;
    }
    table->count++;
    return true;
}

bool gh_memory_replace(struct gh_memory_table *table, size_t index, const void *row)
{
    char *added = add(table, row);
    if (!added)
        return false;
    if (!note(table, REPLACED, index)) {
        disown_texts(table, added);
        return false;
    }
    memcpy(gh_memory_row(table, index), added, table->row_bytes);
    return true;
}

bool gh_memory_remove(struct gh_memory_table *table, size_t index)
{
    if (!note(table, REMOVED, index))
        return false;
    char *at = gh_memory_row(table, index);
    table->count--;
    memmove(at, at + table->row_bytes, (table->count - index) * table->row_bytes);
    return true;
}
