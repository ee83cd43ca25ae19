#include "identity/secret_status.h"

#include <stdlib.h>

/* A gateway that did not run when its signing keys were due makes new ones at its next start. */
#define TOKENS_GRACE_US (24 * 3600 * 1000000ull)

const char *gh_secret_purpose_name(enum gh_secret_purpose purpose)
{
    switch (purpose) {
    case GH_SECRET_ROOT:
        return "root";
    case GH_SECRET_FIELD:
        return "field";
    case GH_SECRET_INDEX:
        return "index";
    case GH_SECRET_COOKIE:
        return "cookie";
    case GH_SECRET_SIGNING:
        return "signing";
    case GH_SECRET_AUDIT:
        return "audit";
    }
    return "";
}

static enum gh_secret_purpose purpose_of(enum gh_key_purpose purpose)
{
    switch (purpose) {
    case GH_KEY_FIELD:
        return GH_SECRET_FIELD;
    case GH_KEY_INDEX:
        return GH_SECRET_INDEX;
    case GH_KEY_COOKIE:
        return GH_SECRET_COOKIE;
    case GH_KEY_SIGNING:
        return GH_SECRET_SIGNING;
    case GH_KEY_AUDIT:
        return GH_SECRET_AUDIT;
    }
    return GH_SECRET_INDEX;
}

struct reading {
    struct gh_key_row *rows;
    size_t count;
};

static enum gh_err read_rows(struct gh_tx *tx, void *args)
{
    struct reading *reading = args;
    return tx->ops->keys_all(tx, &reading->rows, &reading->count);
}

static int by_purpose_and_id(const void *a, const void *b)
{
    const struct gh_key_row *left = a, *right = b;
    enum gh_secret_purpose first = purpose_of(left->purpose), second = purpose_of(right->purpose);
    if (first != second)
        return first < second ? -1 : 1;
    return left->id < right->id ? -1 : left->id > right->id;
}

/* One that waits to sign, or that signs no more, says nothing of when the next one is due. */
static bool is_newest(const struct reading *reading, size_t i)
{
    return !reading->rows[i].retired_us &&
           (i + 1 == reading->count || reading->rows[i + 1].purpose != reading->rows[i].purpose);
}

static uint64_t after_us(const struct gh_secret_schedule *schedule, enum gh_secret_purpose purpose)
{
    switch (purpose) {
    case GH_SECRET_ROOT:
    case GH_SECRET_FIELD:
    case GH_SECRET_AUDIT:
        return schedule->rotate_after_us;
    case GH_SECRET_COOKIE:
    case GH_SECRET_SIGNING:
        return schedule->tokens_after_us;
    case GH_SECRET_INDEX:
        break;
    }
    return 0;
}

static struct gh_secret_state judge(const struct gh_secret_schedule *schedule,
                                    enum gh_secret_purpose purpose, uint64_t since_us,
                                    uint64_t now_us)
{
    bool by_itself = purpose == GH_SECRET_COOKIE || purpose == GH_SECRET_SIGNING;
    uint64_t grace_us = by_itself ? TOKENS_GRACE_US : 0, after = after_us(schedule, purpose);
    struct gh_secret_state state = {.purpose = purpose, .since_us = since_us, .name = GH_STR("")};
    state.due_us = after ? since_us + after : 0;
    state.overdue = after && state.due_us + grace_us <= now_us;
    return state;
}

static bool add(struct gh_secret_status *status, const struct gh_secret_schedule *schedule,
                const struct reading *reading, size_t i, uint64_t now_us, struct gh_arena *arena)
{
    const struct gh_key_row *row = &reading->rows[i];
    struct gh_secret_state state =
        judge(schedule, purpose_of(row->purpose), row->created_us, now_us);
    if (row->purpose == GH_KEY_FIELD)
        state.name = gh_arena_format(arena, "%llu", (unsigned long long)row->id);
    else if (row->kid.len)
        state.name = row->kid;
    state.retired = row->retired_us != 0;
    if (!is_newest(reading, i)) {
        state.due_us = 0;
        state.overdue = false;
    }
    status->overdue += state.overdue;
    status->secrets[status->count++] = state;
    return state.name.ptr != NULL;
}

enum gh_err gh_secret_status(const struct gh_vault *vault, struct gh_store *store,
                             const struct gh_secret_schedule *schedule, uint64_t now_us,
                             struct gh_arena *arena, struct gh_secret_status *out_status)
{
    struct reading reading;
    struct gh_vault_state vault_state = gh_vault_state(vault);
    enum gh_err err = store->ops->read(store, read_rows, &reading, arena);
    if (err != GH_OK)
        return err;
    if (reading.count)
        qsort(reading.rows, reading.count, sizeof(*reading.rows), by_purpose_and_id);
    struct gh_secret_status status = {
        .secrets = gh_arena_zalloc(arena, reading.count + 1, sizeof(*status.secrets)),
        .unfinished = vault_state.sealing_made_us < vault_state.root_since_us,
    };
    if (!status.secrets)
        return GH_ERR_MEMORY;
    status.secrets[status.count++] =
        judge(schedule, GH_SECRET_ROOT, vault_state.root_since_us, now_us);
    status.overdue += status.secrets[0].overdue;
    for (size_t i = 0; i < reading.count; i++)
        if (!add(&status, schedule, &reading, i, now_us, arena))
            return GH_ERR_MEMORY;
    *out_status = status;
    return GH_OK;
}
