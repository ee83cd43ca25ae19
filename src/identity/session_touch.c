#include "identity/session_touch.h"

#include <stdlib.h>

#include "base/hash.h"

#define UNIT_SESSIONS 128
#define PLACES        (2 * GH_SESSION_TOUCHES_MAX) /* a power of two, never more than half full */

struct touch {
    struct gh_id session_id; /* empty text: a free place */
    uint64_t time_us;
};

struct gh_session_touches {
    struct gh_hash_key key;
    size_t count;
    struct touch places[PLACES]; /* open addressing */
};

struct gh_session_touches *gh_session_touches_new(struct gh_hash_key key)
{
    struct gh_session_touches *touches = calloc(1, sizeof(*touches));
    if (touches)
        touches->key = key;
    return touches;
}

void gh_session_touches_free(struct gh_session_touches *touches)
{
    free(touches);
}

void gh_session_touches_add(struct gh_session_touches *touches, struct gh_str session_id,
                            uint64_t now_us)
{
    struct gh_id id;
    if (!gh_id_parse(session_id, &id))
        return;
    size_t at = gh_hash64(touches->key, session_id) % PLACES;
    while (touches->places[at].session_id.text[0] &&
           !gh_str_eq(gh_id_str(&touches->places[at].session_id), session_id))
        at = (at + 1) % PLACES;
    struct touch *touch = &touches->places[at];
    if (!touch->session_id.text[0]) {
        if (touches->count == GH_SESSION_TOUCHES_MAX)
            return;
        touches->count++;
        touch->session_id = id;
    }
    touch->time_us = now_us;
}

/* ---- Writing ---- */

struct batch {
    const struct touch *touches[UNIT_SESSIONS];
    size_t count;
};

static enum gh_err write_one(struct gh_tx *tx, const struct touch *touch)
{
    struct gh_session_row row;
    enum gh_err err = tx->ops->session_by_id(tx, gh_id_str(&touch->session_id), &row);
    if (err == GH_ERR_NOT_FOUND)
        return GH_OK;
    if (err != GH_OK || row.revoked_us || row.last_used_us >= touch->time_us)
        return err;
    row.last_used_us = touch->time_us;
    return tx->ops->session_update(tx, &row);
}

static enum gh_err write_batch(struct gh_tx *tx, void *args)
{
    const struct batch *batch = args;
    enum gh_err err = GH_OK;
    for (size_t i = 0; err == GH_OK && i < batch->count; i++)
        err = write_one(tx, batch->touches[i]);
    return err;
}

enum gh_err gh_session_touches_write(struct gh_session_touches *touches, struct gh_store *store,
                                     struct gh_arena *arena)
{
    struct batch batch = {.count = 0};
    enum gh_err err = GH_OK;
    size_t left = touches->count;
    for (size_t at = 0; err == GH_OK && left && at < PLACES; at++) {
        if (!touches->places[at].session_id.text[0])
            continue;
        batch.touches[batch.count++] = &touches->places[at];
        left--;
        if (left && batch.count < UNIT_SESSIONS)
            continue;
        gh_arena_reset(arena);
        err = store->ops->run_bulk(store, write_batch, &batch, arena);
        batch.count = 0;
    }
    if (err != GH_OK)
        return err; /* written ones are written again: the same */
    if (touches->count)
        memset(touches->places, 0, sizeof(touches->places));
    touches->count = 0;
    return GH_OK;
}
