/* For tests and the program of vectors: fixed keys, and logs of rows in an arena. */
#ifndef GH_AUDIT_LOG_FIXTURE_H
#define GH_AUDIT_LOG_FIXTURE_H

#include <stdio.h>

#include "audit/chain.h"
#include "audit/checkpoint.h"
#include "base/assert.h"
#include "json/writer.h"

#define GH_LOG_KEY_NAME "gatehouse/audit/0123456789abcdef"
#define GH_LOG_START_US UINT64_C(1769904000000000) /* 2026-02-01T00:00:00Z */

/* Ed25519 of the seed `first`, `first` + 1, ... `first` + 31. */
static inline struct gh_pkey *gh_log_key(uint8_t first)
{
    uint8_t der[48] = {0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06,
                       0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20};
    for (unsigned i = 0; i < 32; i++)
        der[16 + i] = (uint8_t)(first + i);
    struct gh_pkey *key =
        gh_pkey_from_private(GH_PKEY_ED25519, gh_str_of((const char *)der, sizeof(der)));
    GH_ASSERT(key);
    return key;
}

static inline struct gh_audit_verifier gh_log_verifier(struct gh_arena *arena,
                                                       const struct gh_pkey *key)
{
    char text[256];
    struct gh_buf buf = gh_buf_over(text, sizeof(text));
    struct gh_audit_verifier verifier;
    gh_audit_put_verifier(&buf, GH_STR(GH_LOG_KEY_NAME), key);
    GH_ASSERT(!buf.overflow && gh_audit_verifier_parse(arena, gh_buf_str(&buf), &verifier));
    return verifier;
}

#define GH_LOG_ROWS_MAX 160
struct gh_log {
    struct gh_arena *arena;
    const struct gh_pkey *key; /* of its checkpoints */
    uint32_t chain;            /* 0: 1 */
    uint64_t first_seq;        /* the oldest kept, for its checkpoints */
    uint8_t first_prev_hash[GH_SHA256_BYTES];
    size_t count;
    struct gh_audit_row rows[GH_LOG_ROWS_MAX];
};

static inline void gh_log_init(struct gh_log *log, struct gh_arena *arena,
                               const struct gh_pkey *key)
{
    *log = (struct gh_log){.arena = arena, .key = key, .first_seq = 1};
}

/* Links again from the row `from` (an index) on, as somebody could who holds the database. */
static inline void gh_log_link(struct gh_log *log, size_t from)
{
    for (size_t i = from; i < log->count; i++) {
        const struct gh_audit_row *before = i ? &log->rows[i - 1] : NULL;
        enum gh_err err =
            before ? gh_audit_link(log->arena, &log->rows[i], before->record.seq, before->hash)
                   : gh_audit_link(log->arena, &log->rows[i], log->first_seq - 1,
                                   log->first_seq > 1 ? log->first_prev_hash : NULL);
        GH_ASSERT(err == GH_OK);
    }
}

static inline void gh_log_append(struct gh_log *log, struct gh_audit_record record)
{
    GH_ASSERT(log->count < GH_LOG_ROWS_MAX);
    record.chain = log->chain;
    log->rows[log->count++] = (struct gh_audit_row){.record = record};
    gh_log_link(log, log->count - 1);
}

/* What a checkpoint after the row `at` (an index) says. */
static inline struct gh_audit_checkpoint gh_log_checkpoint(const struct gh_log *log, size_t at)
{
    struct gh_audit_checkpoint checkpoint = {
        .origin = GH_STR(GH_LOG_KEY_NAME),
        .chain = log->chain,
        .seq = log->rows[at].record.seq,
        .first_seq = log->first_seq,
        .time_us = log->rows[at].record.time_us + 1,
    };
    memcpy(checkpoint.hash, log->rows[at].hash, GH_SHA256_BYTES);
    memcpy(checkpoint.first_prev_hash, log->first_prev_hash, GH_SHA256_BYTES);
    return checkpoint;
}

static inline struct gh_str gh_log_note(struct gh_arena *arena,
                                        const struct gh_audit_checkpoint *checkpoint,
                                        const struct gh_pkey *key)
{
    char *memory = gh_arena_alloc(arena, GH_AUDIT_NOTE_BYTES_MAX);
    GH_ASSERT(memory);
    struct gh_buf buf = gh_buf_over(memory, GH_AUDIT_NOTE_BYTES_MAX);
    GH_ASSERT(gh_audit_put_checkpoint(&buf, checkpoint, GH_STR(GH_LOG_KEY_NAME), key) == GH_OK);
    return gh_buf_str(&buf);
}

/* The record of a checkpoint with this note. */
static inline struct gh_audit_record gh_log_checkpoint_record(struct gh_arena *arena,
                                                              struct gh_str note, uint64_t time_us)
{
    char *memory = gh_arena_alloc(arena, 2 * GH_AUDIT_NOTE_BYTES_MAX);
    GH_ASSERT(memory);
    struct gh_buf buf = gh_buf_over(memory, 2 * GH_AUDIT_NOTE_BYTES_MAX);
    gh_buf_put_char(&buf, '{');
    gh_json_put_member(&buf, GH_STR("note"), note);
    gh_buf_put_char(&buf, '}');
    GH_ASSERT(!buf.overflow);
    return (struct gh_audit_record){
        .time_us = time_us, .event = GH_AUDIT_AUDIT_CHECKPOINT, .metadata = gh_buf_str(&buf)};
}

static inline void gh_log_append_checkpoint(struct gh_log *log)
{
    struct gh_audit_checkpoint checkpoint = gh_log_checkpoint(log, log->count - 1);
    struct gh_str note = gh_log_note(log->arena, &checkpoint, log->key);
    gh_log_append(log, gh_log_checkpoint_record(log->arena, note, checkpoint.time_us));
}

/* A row as a line; openings as gh_audit_put_line has them. */
static inline struct gh_str gh_log_line(struct gh_arena *arena, const struct gh_audit_row *row,
                                        struct gh_str openings)
{
    char *memory = gh_arena_alloc(arena, 16 * 1024);
    GH_ASSERT(memory);
    struct gh_buf buf = gh_buf_over(memory, 16 * 1024);
    GH_ASSERT(gh_audit_put_line(arena, &buf, row, openings) == GH_OK);
    return gh_buf_str(&buf);
}

#endif
