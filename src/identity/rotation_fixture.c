#include "identity/rotation_fixture.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "identity/identity_fixture.h"
#include "store/sqlite.h"

/* ---- A store that lets others in between, and fails when it is told to ---- */

static struct gh_rotation_toys *toys_of(struct gh_store *store)
{
    return (struct gh_rotation_toys *)store;
}

static enum gh_err write_through(struct gh_store *store, gh_store_unit *unit, void *args,
                                 struct gh_arena *arena)
{
    struct gh_rotation_toys *toys = toys_of(store);
    if (toys->writes_left == 0)
        return GH_ERR_IO;
    toys->writes_left--;
    return toys->inner->ops->run_bulk(toys->inner, unit, args, arena);
}

static enum gh_err read_through(struct gh_store *store, gh_store_unit *unit, void *args,
                                struct gh_arena *arena)
{
    struct gh_rotation_toys *toys = toys_of(store);
    enum gh_err err = toys->inner->ops->read(toys->inner, unit, args, arena);
    if (toys->after_read)
        toys->after_read(toys);
    return err;
}

static const struct gh_store_ops THROUGH = {
    .run = write_through, .run_bulk = write_through, .read = read_through};

void gh_rotation_open_vault(struct gh_rotation_toys *toys, struct gh_str root,
                            struct gh_str previous)
{
    const struct gh_str roots[] = {root, previous};
    struct gh_str message;
    assert_int_equal(gh_vault_open(toys->inner, roots, previous.ptr ? 2 : 1, &gh_kernel_random,
                                   NOW_US, &toys->arena, &toys->vault, &message),
                     GH_OK);
}

bool gh_rotation_opens_with(struct gh_rotation_toys *toys, struct gh_str root)
{
    struct gh_vault *vault;
    struct gh_str message;
    if (gh_vault_open(toys->inner, &root, 1, &gh_kernel_random, NOW_US, &toys->arena, &vault,
                      &message) != GH_OK)
        return false;
    gh_vault_close(vault);
    return true;
}

static struct gh_store *open_sqlite(struct gh_rotation_toys *toys)
{
    struct gh_store *store;
    struct gh_str message;
    struct gh_sqlite_options options = {
        .path = gh_arena_format(&toys->arena, "%s/gatehouse.db", toys->directory),
        .exclusive = true,
    };
    assert_int_equal(gh_sqlite_open(&options, &toys->arena, &store, &message), GH_OK);
    return store;
}

int gh_rotation_toys_open(void **state)
{
    bool sqlite = *state != NULL;
    struct gh_rotation_toys *toys = calloc(1, sizeof(*toys));
    gh_crypto_init();
    gh_arena_init(&toys->arena, 1 << 16, 64 << 20);
    gh_arena_init(&toys->work, 1 << 16, 64 << 20);
    toys->store.ops = &THROUGH;
    toys->writes_left = UINT32_MAX;
    snprintf(toys->directory, sizeof(toys->directory), "/tmp/gh-rotation-XXXXXX");
    assert_non_null(mkdtemp(toys->directory));
    toys->inner = sqlite ? open_sqlite(toys) : gh_fixture_store_open();
    gh_rotation_open_vault(toys, OLD, NO_ROOT);
    *state = toys;
    return 0;
}

int gh_rotation_toys_close(void **state)
{
    static const char *const FILES[] = {"", "-wal", "-shm", ".lock"};
    struct gh_rotation_toys *toys = *state;
    char path[64];
    gh_vault_close(toys->vault);
    toys->inner->ops->close(toys->inner);
    for (size_t i = 0; i < 4; i++) {
        snprintf(path, sizeof(path), "%s/gatehouse.db%s", toys->directory, FILES[i]);
        unlink(path);
    }
    rmdir(toys->directory);
    gh_arena_done(&toys->arena);
    gh_arena_done(&toys->work);
    free(toys);
    return 0;
}

/* ---- People ---- */

struct gh_id gh_rotation_id_of(unsigned number)
{
    struct gh_id id;
    snprintf(id.text, sizeof(id.text), "0b6a1c9e-2f4d-4a7e-9c1b-%012x", number);
    return id;
}

void gh_rotation_hash_of(unsigned number, uint8_t out[GH_SHA256_BYTES])
{
    memset(out, 0, GH_SHA256_BYTES);
    memcpy(out, &number, sizeof(number));
}

static struct gh_str text_of(struct gh_arena *arena, const char *field, struct gh_str row)
{
    return gh_arena_format(arena, "%s of %.*s", field, GH_STR_ARG(row));
}

/* Each says where it belongs. */
static struct gh_str sealed_for(const struct gh_vault *vault, struct gh_arena *arena,
                                const char *field, struct gh_str row)
{
    struct gh_str sealed = gh_vault_seal(vault, arena, field, row, text_of(arena, field, row));
    assert_non_null(sealed.ptr);
    return sealed;
}

struct filling {
    const struct gh_vault *vault;
    unsigned from, count;
};

static enum gh_err insert_account(struct gh_tx *tx, const struct gh_vault *vault, unsigned number)
{
    struct gh_account account = {.id = gh_rotation_id_of(number), .created_us = NOW_US};
    struct gh_str id = gh_id_str(&account.id);
    gh_rotation_hash_of(number, account.email_index);
    account.email = sealed_for(vault, tx->arena, "accounts.email", id);
    account.name = sealed_for(vault, tx->arena, "accounts.name", id);
    account.totp_secret = sealed_for(vault, tx->arena, "accounts.totp_secret", id);
    account.password_hash = account.locale = GH_STR("");
    account.roles = GH_STR("user");
    return tx->ops->account_insert(tx, &account);
}

static enum gh_err insert_session(struct gh_tx *tx, const struct gh_vault *vault, unsigned number)
{
    struct gh_id id = gh_rotation_id_of(number);
    struct gh_session_row row = {.family = id, .session_id = id, .account = id};
    row.created_us = NOW_US;
    row.expires_us = NOW_US * 2;
    gh_rotation_hash_of(number, row.token_hash);
    row.secret = sealed_for(vault, tx->arena, "sessions.secret", gh_id_str(&id));
    row.device = sealed_for(vault, tx->arena, "sessions.device", gh_id_str(&id));
    row.ip = sealed_for(vault, tx->arena, "sessions.ip", gh_id_str(&id));
    return tx->ops->session_insert(tx, &row);
}

static enum gh_err insert_rest(struct gh_tx *tx, const struct gh_vault *vault, unsigned number)
{
    struct gh_id id = gh_rotation_id_of(number);
    struct gh_str row = gh_id_str(&id);
    struct gh_ticket ticket = {.purpose = GH_TICKET_CHANGE_EMAIL, .account = id};
    struct gh_device_row device = {.account = id, .created_us = NOW_US};
    struct gh_mail_row mail = {.id = id, .account = id, .created_us = NOW_US, .next_us = NOW_US};
    struct gh_person_key_row person = {.person = row, .created_us = NOW_US};
    gh_rotation_hash_of(number, ticket.hash);
    gh_rotation_hash_of(number, device.hash);
    ticket.expires_us = NOW_US * 2;
    ticket.data = sealed_for(vault, tx->arena, "tickets.data", row);
    device.label = sealed_for(vault, tx->arena, "devices.label", row);
    mail.recipient = sealed_for(vault, tx->arena, "mails.recipient", row);
    mail.message = sealed_for(vault, tx->arena, "mails.message", row);
    person.wrapped = sealed_for(vault, tx->arena, "person_keys", row);
    enum gh_err err = tx->ops->ticket_insert(tx, &ticket);
    if (err == GH_OK)
        err = tx->ops->device_put(tx, &device);
    if (err == GH_OK)
        err = tx->ops->mail_insert(tx, &mail);
    return err == GH_OK ? tx->ops->person_key_insert(tx, &person) : err;
}

static enum gh_err fill_unit(struct gh_tx *tx, void *args)
{
    const struct filling *filling = args;
    enum gh_err err = GH_OK;
    for (unsigned i = filling->from; err == GH_OK && i < filling->from + filling->count; i++) {
        err = insert_account(tx, filling->vault, i);
        if (err == GH_OK)
            err = insert_session(tx, filling->vault, i);
        if (err == GH_OK)
            err = insert_rest(tx, filling->vault, i);
    }
    return err;
}

void gh_rotation_fill(struct gh_rotation_toys *toys, unsigned from, unsigned count)
{
    struct filling filling = {toys->vault, from, count};
    assert_int_equal(toys->inner->ops->run(toys->inner, fill_unit, &filling, &toys->arena), GH_OK);
}

/* ---- What is there ---- */

#define FIELD_OF(also, id, table, column, key, type, row, field) field,
static const char *const FIELDS[] = {GH_SEALED_COLUMNS(FIELD_OF, )};
#undef FIELD_OF

struct counting {
    struct gh_rotation_toys *toys;
    uint32_t id;
    struct gh_rotation_count found;
};

static enum gh_err count_unit(struct gh_tx *tx, void *args)
{
    struct counting *counting = args;
    counting->found = (struct gh_rotation_count){0, 0};
    for (unsigned column = 0; column < GH_SEALED_COLUMN_COUNT; column++) {
        struct gh_sealed_row *rows;
        size_t count;
        assert_int_equal(tx->ops->sealed_page(tx, (enum gh_sealed_column)column, GH_STR(""), 100000,
                                              &rows, &count),
                         GH_OK);
        assert_true(count > 0); /* the people have something in every column */
        for (size_t i = 0; i < count; i++) {
            struct gh_str text = gh_vault_open_field(counting->toys->vault, tx->arena,
                                                     FIELDS[column], rows[i].row, rows[i].sealed);
            assert_non_null(text.ptr);
            assert_true(gh_str_eq(text, text_of(tx->arena, FIELDS[column], rows[i].row)));
            counting->found.under += gh_vault_key_id(rows[i].sealed) == counting->id;
        }
        counting->found.rows += count;
    }
    return GH_OK;
}

/* Opens and compares all. */
struct gh_rotation_count gh_rotation_count(struct gh_rotation_toys *toys, uint32_t id)
{
    struct counting counting = {.toys = toys, .id = id};
    gh_arena_reset(&toys->work);
    assert_int_equal(toys->inner->ops->read(toys->inner, count_unit, &counting, &toys->work),
                     GH_OK);
    return counting.found;
}

static enum gh_err keys_unit(struct gh_tx *tx, void *args)
{
    struct gh_rotation_keys *keys = args;
    struct gh_key_row *rows;
    size_t rows_count;
    enum gh_err err = tx->ops->keys_all(tx, &rows, &rows_count);
    *keys = (struct gh_rotation_keys){0, 0};
    for (size_t i = 0; err == GH_OK && i < rows_count; i++) {
        keys->fields += rows[i].purpose == GH_KEY_FIELD;
        keys->retired += rows[i].purpose == GH_KEY_FIELD && rows[i].retired_us;
    }
    return err;
}

struct gh_rotation_keys gh_rotation_keys_of(struct gh_rotation_toys *toys)
{
    struct gh_rotation_keys keys;
    assert_int_equal(toys->inner->ops->read(toys->inner, keys_unit, &keys, &toys->arena), GH_OK);
    return keys;
}

struct audited {
    const char *metadata;
    size_t count;
};

static enum gh_err audited_unit(struct gh_tx *tx, void *args)
{
    struct audited *audited = args;
    struct gh_audit_query query = {.user_id = GH_STR(""),
                                   .event = GH_STR("secret_rotated"),
                                   .session = GH_STR(""),
                                   .limit = 1000};
    struct gh_audit_row *rows;
    size_t rows_count;
    enum gh_err err = tx->ops->audit_page(tx, &query, &rows, &rows_count);
    audited->count = 0;
    for (size_t i = 0; err == GH_OK && i < rows_count; i++)
        audited->count += gh_str_eq(rows[i].record.metadata, gh_str_from_c(audited->metadata));
    return err;
}

size_t gh_rotation_audited(struct gh_rotation_toys *toys, const char *metadata)
{
    struct audited args = {.metadata = metadata};
    assert_int_equal(toys->inner->ops->read(toys->inner, audited_unit, &args, &toys->arena), GH_OK);
    return args.count;
}
