#include "identity/person.h"

#include "base/assert.h"
#include "identity/identity.h"

#define FIELD "person_keys"

enum gh_err gh_person_key_find(struct gh_tx *tx, const struct gh_identity *identity,
                               struct gh_str name, struct gh_audit_person *out_person)
{
    struct gh_person_key_row row;
    enum gh_err err = tx->ops->person_key_get(tx, name, &row);
    if (err != GH_OK)
        return err;
    struct gh_str key =
        gh_vault_open_field(identity->vault, tx->arena, FIELD, row.person, row.wrapped);
    if (!key.ptr || key.len != GH_KEY_BYTES)
        return GH_ERR_INVALID;
    out_person->name = row.person;
    memcpy(out_person->key, key.ptr, GH_KEY_BYTES);
    gh_wipe((char *)key.ptr, key.len);
    return GH_OK;
}

/* GH_ERR_NOT_FOUND: it could not be stored, there is nobody (any more) whose it would be. */
static enum gh_err make(struct gh_tx *tx, const struct gh_identity *identity, struct gh_str name,
                        uint64_t time_us, struct gh_audit_person *out_person)
{
    struct gh_audit_person person = {.name = gh_arena_dup(tx->arena, name)};
    struct gh_person_key_row row = {.person = name, .created_us = time_us};
    if (!person.name.ptr)
        return GH_ERR_MEMORY;
    gh_random_fill(&identity->random, person.key, sizeof(person.key));
    row.wrapped = gh_vault_seal(identity->vault, tx->arena, FIELD, name,
                                gh_str_of((char *)person.key, sizeof(person.key)));
    enum gh_err err = row.wrapped.ptr ? tx->ops->person_key_insert(tx, &row) : GH_ERR_MEMORY;
    if (err == GH_OK || err == GH_ERR_NOT_FOUND)
        *out_person = person;
    gh_wipe(person.key, sizeof(person.key));
    return err;
}

static enum gh_err find_or_make(struct gh_tx *tx, const struct gh_identity *identity,
                                struct gh_str name, uint64_t time_us,
                                struct gh_audit_person *out_person)
{
    enum gh_err err = gh_person_key_find(tx, identity, name, out_person);
    return err == GH_ERR_NOT_FOUND ? make(tx, identity, name, time_us, out_person) : err;
}

enum gh_err gh_person_key(struct gh_tx *tx, const struct gh_identity *identity,
                          struct gh_str account, uint64_t time_us,
                          struct gh_audit_person *out_person)
{
    if (account.len) {
        enum gh_err err = find_or_make(tx, identity, account, time_us, out_person);
        return err == GH_ERR_NOT_FOUND ? GH_OK : err;
    }
    char day[GH_AUDIT_DAY_LEN + 1];
    gh_audit_day(time_us, day);
    return find_or_make(tx, identity, gh_str_of(day, GH_AUDIT_DAY_LEN), time_us, out_person);
}
