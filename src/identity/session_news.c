#include "identity/session_news.h"

#define SECOND_US 1000000ull

struct reading {
    uint64_t cursor, now_us;
    struct gh_revocation_row *rows;
    size_t count;
    uint64_t next;
};

static enum gh_err read_unit(struct gh_tx *tx, void *args)
{
    struct reading *reading = args;
    return tx->ops->revocations_since(tx, reading->cursor, reading->now_us, &reading->rows,
                                      &reading->count, &reading->next);
}

enum gh_err gh_session_news_read(struct gh_session_news *news, struct gh_store *store,
                                 struct gh_revocations *revocations, uint64_t now_us,
                                 uint64_t at_ms, struct gh_arena *arena)
{
    struct reading reading = {.cursor = news->cursor, .now_us = now_us};
    gh_arena_reset(arena);
    enum gh_err err = store->ops->read(store, read_unit, &reading, arena);
    if (err != GH_OK)
        return err;
    for (size_t i = 0; i < reading.count; i++)
        gh_revocations_add(revocations, gh_id_str(&reading.rows[i].session_id),
                           reading.rows[i].until_us / SECOND_US + 1, now_us / SECOND_US);
    news->cursor = reading.next;
    gh_revocations_learned(revocations, at_ms);
    return GH_OK;
}
