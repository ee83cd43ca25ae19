#include "identity/audit_log.h"

#include "base/assert.h"
#include "identity/person.h"

/* ---- Writing ---- */

struct keys {
    struct gh_audit_person actor, subject;
};

/* Mostly one and the same. */
static enum gh_err find_keys(struct gh_tx *tx, const struct gh_identity *identity,
                             const struct gh_audit_record *clear, struct gh_audit_needs needs,
                             struct keys *keys)
{
    enum gh_err err = GH_OK;
    if (needs.actor)
        err = gh_person_key(tx, identity, clear->actor_id, clear->time_us, &keys->actor);
    if (err != GH_OK || !needs.subject)
        return err;
    if (needs.actor && gh_str_eq(clear->actor_id, clear->user_id)) {
        keys->subject = keys->actor;
        return GH_OK;
    }
    return gh_person_key(tx, identity, clear->user_id, clear->time_us, &keys->subject);
}

enum gh_err gh_audit_log_append(struct gh_tx *tx, const struct gh_identity *identity,
                                const struct gh_audit_record *clear)
{
    struct gh_audit_needs needs = gh_audit_needs(clear);
    struct keys keys;
    struct gh_audit_row row;
    enum gh_err err = find_keys(tx, identity, clear, needs, &keys);
    if (err == GH_OK)
        err =
            gh_audit_protect(tx->arena, &identity->random, clear, needs.actor ? &keys.actor : NULL,
                             needs.subject ? &keys.subject : NULL, &row);
    gh_wipe(&keys, sizeof(keys));
    return err == GH_OK ? tx->ops->audit_append(tx, &row) : err;
}

struct many {
    const struct gh_identity *identity;
    const struct gh_audit_record *records;
    size_t count;
    bool leave_out; /* what is invalid */
    size_t invalid;
};

static enum gh_err append_unit(struct gh_tx *tx, void *args)
{
    struct many *many = args;
    enum gh_err err = GH_OK;
    many->invalid = 0;
    for (size_t i = 0; err == GH_OK && i < many->count; i++) {
        err = gh_audit_log_append(tx, many->identity, &many->records[i]);
        if (err != GH_ERR_INVALID || !many->leave_out)
            continue;
        many->invalid++;
        err = GH_OK;
    }
    return err;
}

enum gh_err gh_audit_log_append_many(const struct gh_identity *identity, struct gh_arena *arena,
                                     const struct gh_audit_record *records, size_t count)
{
    struct many many = {.identity = identity, .records = records, .count = count};
    return identity->store->ops->run_bulk(identity->store, append_unit, &many, arena);
}

enum gh_err gh_audit_log_append_valid(const struct gh_identity *identity, struct gh_arena *arena,
                                      const struct gh_audit_record *records, size_t count,
                                      size_t *out_invalid)
{
    struct many many = {
        .identity = identity, .records = records, .count = count, .leave_out = true};
    enum gh_err err = identity->store->ops->run_bulk(identity->store, append_unit, &many, arena);
    if (err == GH_OK)
        *out_invalid = many.invalid;
    return err;
}

/* ---- Keys while one page is read: rows next to each other speak of the same people ---- */

#define RING_KEYS 16

struct ring {
    struct gh_audit_person persons[RING_KEYS];
    bool there[RING_KEYS]; /* false: it was looked for */
    size_t count, next;
};

static enum gh_err look_up(struct gh_tx *tx, const struct gh_identity *identity, struct ring *ring,
                           struct gh_str name, size_t *out_at)
{
    for (size_t i = 0; i < ring->count; i++) {
        if (!gh_str_eq(ring->persons[i].name, name))
            continue;
        *out_at = i;
        return GH_OK;
    }
    struct gh_audit_person person = {.name = name};
    enum gh_err err = gh_person_key_find(tx, identity, name, &person);
    if (err != GH_OK && err != GH_ERR_NOT_FOUND)
        return err;
    size_t at = ring->next++ % RING_KEYS;
    ring->persons[at] = person;
    ring->there[at] = err == GH_OK;
    ring->count = ring->next < RING_KEYS ? ring->next : RING_KEYS;
    gh_wipe(person.key, sizeof(person.key));
    *out_at = at;
    return GH_OK;
}

static enum gh_err find_persons(struct gh_tx *tx, const struct gh_identity *identity,
                                struct ring *ring, const struct gh_audit_row *row,
                                struct gh_audit_person out[GH_AUDIT_PERSONS_MAX], size_t *out_count)
{
    struct gh_str names[GH_AUDIT_PERSONS_MAX];
    size_t name_count = 0, count = 0;
    enum gh_err err = gh_audit_persons(row->sealed, names, &name_count);
    for (size_t i = 0; err == GH_OK && i < name_count; i++) {
        size_t at = 0;
        err = look_up(tx, identity, ring, names[i], &at);
        if (err == GH_OK && ring->there[at])
            out[count++] = ring->persons[at];
    }
    if (err == GH_OK)
        *out_count = count;
    return err;
}

/* ---- Reading ---- */

/* As if all keys were gone. */
static enum gh_err show_nothing(struct gh_tx *tx, const struct gh_audit_row *row,
                                struct gh_audit_entry *entry)
{
    struct gh_audit_row bare = *row;
    bare.sealed = GH_STR("");
    enum gh_err err = gh_audit_reveal(tx->arena, &bare, NULL, 0, &entry->record, &entry->erased);
    if (err == GH_ERR_INVALID) { /* not even that */
        entry->record = row->record;
        entry->record.ip_address = entry->record.user_agent = GH_STR("");
        entry->record.metadata = GH_STR("{}");
        err = GH_OK;
    }
    entry->damaged = entry->erased = true;
    return err;
}

static enum gh_err reveal(struct gh_tx *tx, const struct gh_identity *identity, struct ring *ring,
                          const struct gh_audit_row *row, struct gh_audit_entry *out_entry)
{
    struct gh_audit_person persons[GH_AUDIT_PERSONS_MAX];
    struct gh_audit_entry entry = {.position = row->position};
    size_t count = 0;
    enum gh_err err = find_persons(tx, identity, ring, row, persons, &count);
    if (err == GH_OK)
        err = gh_audit_reveal(tx->arena, row, persons, count, &entry.record, &entry.erased);
    gh_wipe(persons, sizeof(persons));
    if (err == GH_ERR_INVALID)
        err = show_nothing(tx, row, &entry);
    if (err == GH_OK)
        *out_entry = entry;
    return err;
}

enum gh_err gh_audit_log_reveal(struct gh_tx *tx, const struct gh_identity *identity,
                                const struct gh_audit_row *row, struct gh_audit_entry *out_entry)
{
    struct ring ring = {.count = 0};
    enum gh_err err = reveal(tx, identity, &ring, row, out_entry);
    gh_wipe(&ring, sizeof(ring));
    return err;
}

enum gh_err gh_audit_log_persons(struct gh_tx *tx, const struct gh_identity *identity,
                                 const struct gh_audit_row *row,
                                 struct gh_audit_person out[GH_AUDIT_PERSONS_MAX],
                                 size_t *out_count)
{
    struct ring ring = {.count = 0};
    enum gh_err err = find_persons(tx, identity, &ring, row, out, out_count);
    gh_wipe(&ring, sizeof(ring));
    return err;
}

enum gh_err gh_audit_log_read(struct gh_tx *tx, const struct gh_identity *identity,
                              const struct gh_audit_query *query,
                              struct gh_audit_entries *out_entries)
{
    struct ring ring = {.count = 0};
    struct gh_audit_row *rows;
    struct gh_audit_entries entries;
    enum gh_err err = tx->ops->audit_page(tx, query, &rows, &entries.count);
    if (err != GH_OK)
        return err;
    entries.items = gh_arena_zalloc(tx->arena, entries.count + 1, sizeof(*entries.items));
    if (!entries.items)
        return GH_ERR_MEMORY;
    for (size_t i = 0; err == GH_OK && i < entries.count; i++)
        err = reveal(tx, identity, &ring, &rows[i], &entries.items[i]);
    gh_wipe(&ring, sizeof(ring));
    if (err == GH_OK)
        *out_entries = entries;
    return err;
}

struct page {
    const struct gh_identity *identity;
    uint32_t chain;
    const struct gh_audit_query *query;
    struct gh_audit_entries entries;
};

static enum gh_err page_unit(struct gh_tx *tx, void *args)
{
    struct page *page = args;
    tx->chain = page->chain;
    return gh_audit_log_read(tx, page->identity, page->query, &page->entries);
}

enum gh_err gh_audit_log_chain_page(const struct gh_identity *identity, struct gh_arena *arena,
                                    uint32_t chain, const struct gh_audit_query *query,
                                    struct gh_audit_entries *out_entries)
{
    struct page page = {.identity = identity, .chain = chain, .query = query};
    enum gh_err err = identity->store->ops->read(identity->store, page_unit, &page, arena);
    if (err == GH_OK)
        *out_entries = page.entries;
    return err;
}

enum gh_err gh_audit_log_page(const struct gh_identity *identity, struct gh_arena *arena,
                              const struct gh_audit_query *query,
                              struct gh_audit_entries *out_entries)
{
    return gh_audit_log_chain_page(identity, arena, 0, query, out_entries);
}
