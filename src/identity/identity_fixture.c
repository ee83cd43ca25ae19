#include "identity/identity_fixture.h"

#include <stdarg.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>

#include "identity/address.h"
#include "identity/audit_log.h"
#include "identity/passwords.h"
#include "identity/person.h"
#include "identity/ticket.h"
#include "session/access_token.h"
#include "store/memory.h"

#define AUDIT_PAGE 10000

/* ---- A store that runs each writing unit twice, and undoes the first ---- */

struct twice {
    struct gh_store store; /* first */
    struct gh_store *inner;
};

struct undone {
    gh_store_unit *unit;
    void *args;
    enum gh_err err;
};

static enum gh_err run_and_undo(struct gh_tx *tx, void *args)
{
    struct undone *undone = args;
    undone->err = undone->unit(tx, undone->args);
    return GH_ERR_CLOSED;
}

static enum gh_err twice_run_by(struct gh_store *inner, gh_store_unit *unit, void *args,
                                struct gh_arena *arena,
                                enum gh_err (*run)(struct gh_store *store, gh_store_unit *unit,
                                                   void *args, struct gh_arena *arena))
{
    struct undone undone = {unit, args, GH_OK};
    enum gh_err err = run(inner, run_and_undo, &undone, arena);
    if (err != GH_ERR_CLOSED || undone.err != GH_OK)
        return err == GH_ERR_CLOSED ? undone.err : err;
    return run(inner, unit, args, arena);
}

static enum gh_err twice_run(struct gh_store *store, gh_store_unit *unit, void *args,
                             struct gh_arena *arena)
{
    struct gh_store *inner = ((struct twice *)store)->inner;
    return twice_run_by(inner, unit, args, arena, inner->ops->run);
}

static enum gh_err twice_run_bulk(struct gh_store *store, gh_store_unit *unit, void *args,
                                  struct gh_arena *arena)
{
    struct gh_store *inner = ((struct twice *)store)->inner;
    return twice_run_by(inner, unit, args, arena, inner->ops->run_bulk);
}

static enum gh_err twice_read(struct gh_store *store, gh_store_unit *unit, void *args,
                              struct gh_arena *arena)
{
    struct gh_store *inner = ((struct twice *)store)->inner;
    enum gh_err err = inner->ops->read(inner, unit, args, arena);
    return err == GH_OK ? inner->ops->read(inner, unit, args, arena) : err;
}

static enum gh_err twice_scrub(struct gh_store *store)
{
    struct gh_store *inner = ((struct twice *)store)->inner;
    return inner->ops->scrub(inner);
}

static void close_nothing(struct gh_store *store)
{
    (void)store;
}

static const struct gh_store_ops TWICE_OPS = {.run = twice_run,
                                              .run_bulk = twice_run_bulk,
                                              .read = twice_read,
                                              .scrub = twice_scrub,
                                              .close = close_nothing};

/* Lives in the fixture's arena. */
static struct gh_store *run_twice(struct gh_identity_fixture *fixture)
{
    struct twice *twice = gh_arena_alloc(&fixture->arena, sizeof(*twice));
    assert_non_null(twice);
    *twice = (struct twice){{&TWICE_OPS, fixture->store->shared}, fixture->store};
    return &twice->store;
}

struct gh_store *gh_fixture_store_open(void)
{
    struct gh_store *store = gh_memory_store_open();
    assert_non_null(store);
    return store;
}

void gh_fixture_store_fail(struct gh_store *store, unsigned count, enum gh_err err)
{
    gh_memory_store_fail(store, count, err);
}

/* ---- The fixture ---- */

static void fill(void *context, void *out, size_t count)
{
    struct gh_identity_fixture *fixture = context;
    uint64_t first = atomic_fetch_add(&fixture->drawn, (count + 7) / 8);
    for (size_t i = 0; i < count; i += 8, first++) {
        uint64_t value =
            gh_hash64((struct gh_hash_key){1, 2}, gh_str_of((const char *)&first, sizeof(first)));
        memcpy((char *)out + i, &value, count - i < 8 ? count - i : 8);
    }
}

static void set_settings(struct gh_identity_fixture *fixture)
{
    fixture->roles[0] = GH_STR("user");
    fixture->roles[1] = GH_STR("admin");
    fixture->roles[2] = GH_STR("editor");
    struct gh_identity_settings *settings = &fixture->settings;
    settings->enabled = settings->verify_email = true;
    settings->base_path = GH_STR("/api/v1");
    settings->tokens.algorithm = GH_TOKEN_EDDSA;
    settings->tokens.access_ms = 15 * 60 * 1000;
    settings->tokens.refresh_grace_ms = 10 * 1000;
    settings->tokens.rotate_after_ms = 30ull * 24 * 60 * 60 * 1000;
    settings->tokens.audience = GH_STR("api");
    settings->sessions.idle_ms = 30 * 60 * 1000;
    settings->sessions.absolute_ms = 12ull * 60 * 60 * 1000;
    settings->sessions.remember_ms = 30ull * 24 * 60 * 60 * 1000;
    settings->sessions.fresh_ms = 10 * 60 * 1000;
    settings->sessions.admin.idle_ms = 15 * 60 * 1000;
    settings->sessions.admin.absolute_ms = 8ull * 60 * 60 * 1000;
    settings->passwords.hash = GH_PASSWORD_ARGON2ID;
    settings->passwords.memory_bytes = 8 << 10;
    settings->passwords.passes = 1;
    settings->passwords.log_rounds = 4;
    settings->passwords.min_length = 12;
    settings->passwords.max_length = 128;
    settings->two_factor.drift = 1;
    settings->public_url = GH_STR("https://api.example.com");
    settings->role_names = (struct gh_role_names){fixture->roles, 3};
    settings->roles = (struct gh_config_list){fixture->roles, 3};
    settings->default_roles = 1;
    settings->admin = settings->required_for = 2;
    settings->mail.from = GH_STR("Example <no-reply@example.com>");
}

/* What lives as long as a process does. */
static void start(struct gh_identity_fixture *fixture)
{
    struct gh_str root = FIXTURE_ROOT, message;
    fixture->identity = (struct gh_identity){
        .store = getenv("GH_TEST_UNITS_TWICE") ? run_twice(fixture) : fixture->store,
        .revocations = gh_revocations_new(1024, (struct gh_hash_key){3, 4}),
        .random = {fill, fixture},
    };
    assert_non_null(fixture->identity.revocations);
    assert_int_equal(gh_vault_open(fixture->identity.store, &root, 1, &fixture->identity.random,
                                   fixture->now_us, &fixture->arena, &fixture->vault, &message),
                     GH_OK);
    fixture->identity.vault = fixture->vault;
    assert_int_equal(gh_identity_keys_maintain(fixture->identity.store, fixture->vault,
                                               &fixture->settings, &fixture->identity.random,
                                               fixture->now_us, &fixture->arena, &fixture->keys),
                     GH_OK);
}

static void stop(struct gh_identity_fixture *fixture)
{
    gh_identity_keys_done(&fixture->keys);
    gh_vault_close(fixture->vault);
    gh_revocations_free(fixture->identity.revocations);
}

static void open_over(struct gh_identity_fixture *fixture, struct gh_store *store)
{
    gh_crypto_init();
    gh_arena_init(&fixture->arena, 64 * 1024, 256 * 1024 * 1024);
    fixture->store = store;
    set_settings(fixture);
    start(fixture);
}

void gh_identity_fixture_open(struct gh_identity_fixture *fixture)
{
    *fixture = (struct gh_identity_fixture){.now_us = FIXTURE_BEGIN_US};
    open_over(fixture, gh_fixture_store_open());
}

void gh_identity_fixture_open_over(struct gh_identity_fixture *fixture, struct gh_store *store)
{
    *fixture = (struct gh_identity_fixture){.now_us = FIXTURE_BEGIN_US};
    store->shared = true;
    open_over(fixture, store);
}

void gh_identity_fixture_close(struct gh_identity_fixture *fixture)
{
    stop(fixture);
    if (!fixture->borrowed)
        fixture->store->ops->close(fixture->store);
    gh_arena_done(&fixture->arena);
}

void gh_identity_fixture_join(struct gh_identity_fixture *fixture,
                              struct gh_identity_fixture *first, struct gh_store *store)
{
    static atomic_uint_fast64_t others;
    *fixture = (struct gh_identity_fixture){.now_us = first->now_us, .borrowed = !store};
    atomic_store(&fixture->drawn, (atomic_fetch_add(&others, 1) + 1) << 40); /* other values */
    first->store->shared = first->identity.store->shared = true;
    if (store)
        store->shared = true;
    open_over(fixture, store ? store : first->store);
}

void gh_identity_fixture_restart(struct gh_identity_fixture *fixture)
{
    stop(fixture);
    start(fixture);
}

/* ---- Calls ---- */

struct gh_identity_call gh_fixture_call(struct gh_identity_fixture *fixture)
{
    return (struct gh_identity_call){
        .identity = &fixture->identity,
        .settings = &fixture->settings,
        .keys = &fixture->keys,
        .arena = &fixture->arena,
        .now_us = fixture->now_us,
        .client = GH_STR("192.0.2.1"),
        .network = GH_STR("192.0.2.1"),
        .user_agent = GH_STR("Fixture/1.0"),
        .request_id = GH_STR("0123456789abcdef"),
    };
}

static struct gh_subject read_token(struct gh_identity_fixture *fixture, struct gh_str token)
{
    bool bearer = fixture->settings.transport == GH_TRANSPORT_BEARER;
    struct gh_jwt_expect expect = {
        .keys = bearer ? &fixture->keys.ring : &fixture->keys.cookie,
        .typ = GH_STR("at+jwt"),
        .issuer = fixture->settings.public_url,
        .audience = fixture->settings.tokens.audience,
        .now_s = fixture->now_us / FIXTURE_SECOND,
        .require_exp = true,
    };
    struct gh_subject subject = {.roles = 0};
    assert_int_equal(gh_access_token_read(&fixture->arena, token, &expect,
                                          &fixture->settings.role_names, &subject),
                     GH_JWT_OK);
    return subject;
}

struct gh_identity_call gh_fixture_call_as(struct gh_identity_fixture *fixture,
                                           struct gh_str access_token)
{
    struct gh_identity_call call = gh_fixture_call(fixture);
    struct gh_subject *subject = gh_arena_alloc(&fixture->arena, sizeof(*subject));
    assert_non_null(subject);
    *subject = read_token(fixture, access_token);
    call.subject = subject;
    return call;
}

bool gh_fixture_is_revoked(struct gh_identity_fixture *fixture, struct gh_str access_token)
{
    struct gh_subject subject = read_token(fixture, access_token);
    uint64_t now_s = fixture->now_us / FIXTURE_SECOND;
    return gh_revocations_has(fixture->identity.revocations, subject.session_id, now_s, now_s);
}

struct gh_session_grant gh_fixture_login(struct gh_identity_fixture *fixture, const char *email,
                                         struct gh_str password)
{
    struct gh_identity_call call = gh_fixture_call(fixture);
    struct gh_login request = {.email = gh_str_from_c(email), .password = password};
    struct gh_login_answer answer;
    assert_int_equal(gh_login(&call, &request, &answer), GH_IDENTITY_OK);
    assert_false(answer.two_factor_required);
    return answer.grant;
}

/* ---- Rows ---- */

struct row {
    struct gh_identity_call call;
    struct gh_str id;
    struct gh_account account;
    struct gh_session_row session;
    struct gh_ticket_request ticket;
    struct gh_str token;
    struct gh_audit_query query;
    const struct gh_identity *identity;
    struct gh_audit_entries records;
    uint64_t mails;
};

static enum gh_err write(struct gh_identity_fixture *fixture, gh_store_unit *unit, struct row *row)
{
    return fixture->store->ops->run(fixture->store, unit, row, &fixture->arena);
}

static enum gh_err read(struct gh_identity_fixture *fixture, gh_store_unit *unit, struct row *row)
{
    return fixture->store->ops->read(fixture->store, unit, row, &fixture->arena);
}

/* With the key that a sign-up makes. */
static enum gh_err insert_account(struct gh_tx *tx, void *args)
{
    const struct row *row = args;
    const struct gh_account *account = &row->account;
    struct gh_audit_person person;
    enum gh_err err = tx->ops->account_insert(tx, account);
    if (err == GH_OK)
        err =
            gh_person_key(tx, row->identity, gh_id_str(&account->id), account->created_us, &person);
    return err;
}

struct gh_str gh_fixture_account(struct gh_identity_fixture *fixture, const char *email,
                                 struct gh_str password, gh_roles roles)
{
    struct gh_identity_call call = gh_fixture_call(fixture);
    struct gh_str address = gh_str_from_c(email);
    struct row row = {
        .identity = &fixture->identity,
        .account = {
            .id = gh_identity_new_id(&call),
            .email_verified_us = fixture->now_us,
            .created_us = fixture->now_us,
            .password_changed_us = fixture->now_us,
            .roles = gh_roles_text(&fixture->arena, &fixture->settings.role_names, roles),
        }};
    struct gh_account *account = &row.account;
    gh_address_index(&call, address, account->email_index);
    account->email = gh_vault_seal(fixture->vault, &fixture->arena, "accounts.email",
                                   gh_id_str(&account->id), address);
    account->password_hash = password.len ? gh_password_make(&call, password) : GH_STR("");
    account->name = account->locale = account->totp_secret = GH_STR("");
    assert_non_null(account->password_hash.ptr);
    assert_int_equal(write(fixture, insert_account, &row), GH_OK);
    return gh_arena_dup(&fixture->arena, gh_id_str(&account->id));
}

static enum gh_err get_account(struct gh_tx *tx, void *args)
{
    struct row *row = args;
    return tx->ops->account_by_id(tx, row->id, &row->account);
}

bool gh_fixture_account_row(struct gh_identity_fixture *fixture, struct gh_str id,
                            struct gh_account *out_account)
{
    struct row row = {.id = id};
    if (read(fixture, get_account, &row) != GH_OK)
        return false;
    *out_account = row.account;
    return true;
}

static enum gh_err update_account(struct gh_tx *tx, void *args)
{
    return tx->ops->account_update(tx, &((struct row *)args)->account);
}

void gh_fixture_account_put(struct gh_identity_fixture *fixture, const struct gh_account *account)
{
    struct row row = {.account = *account};
    assert_int_equal(write(fixture, update_account, &row), GH_OK);
}

struct hasty {
    struct gh_store store; /* first */
    struct gh_identity_fixture *fixture;
    struct gh_str id;
    gh_fixture_change *change;
};

static enum gh_err hasty_run(struct gh_store *store, gh_store_unit *unit, void *args,
                             struct gh_arena *arena)
{
    struct gh_store *inner = ((struct hasty *)store)->fixture->store;
    return inner->ops->run(inner, unit, args, arena);
}

static enum gh_err hasty_read(struct gh_store *store, gh_store_unit *unit, void *args,
                              struct gh_arena *arena)
{
    struct hasty *hasty = (struct hasty *)store;
    struct gh_store *inner = hasty->fixture->store;
    struct gh_account account;
    enum gh_err err = inner->ops->read(inner, unit, args, arena);
    assert_true(gh_fixture_account_row(hasty->fixture, hasty->id, &account));
    hasty->change(&account);
    gh_fixture_account_put(hasty->fixture, &account);
    return err;
}

void gh_fixture_change_after_reads(struct gh_identity_fixture *fixture, struct gh_str id,
                                   gh_fixture_change *change)
{
    static const struct gh_store_ops OPS = {
        .run = hasty_run, .run_bulk = hasty_run, .read = hasty_read, .close = close_nothing};
    fixture->identity.store = fixture->store;
    if (!change)
        return;
    struct hasty *hasty = gh_arena_alloc(&fixture->arena, sizeof(*hasty));
    assert_non_null(hasty);
    *hasty = (struct hasty){{&OPS}, fixture, id, change};
    fixture->identity.store = &hasty->store;
}

static enum gh_err run_and_change(struct gh_store *store, gh_store_unit *unit, void *args,
                                  struct gh_arena *arena)
{
    struct hasty *hasty = (struct hasty *)store;
    struct gh_account account;
    enum gh_err err = hasty_run(store, unit, args, arena);
    if (!hasty->change)
        return err;
    assert_true(gh_fixture_account_row(hasty->fixture, hasty->id, &account));
    hasty->change(&account);
    gh_fixture_account_put(hasty->fixture, &account);
    hasty->change = NULL;
    return err;
}

static enum gh_err plain_read(struct gh_store *store, gh_store_unit *unit, void *args,
                              struct gh_arena *arena)
{
    struct gh_store *inner = ((struct hasty *)store)->fixture->store;
    return inner->ops->read(inner, unit, args, arena);
}

void gh_fixture_change_after_write(struct gh_identity_fixture *fixture, struct gh_str id,
                                   gh_fixture_change *change)
{
    static const struct gh_store_ops OPS = {.run = run_and_change,
                                            .run_bulk = run_and_change,
                                            .read = plain_read,
                                            .close = close_nothing};
    struct hasty *hasty = gh_arena_alloc(&fixture->arena, sizeof(*hasty));
    assert_non_null(hasty);
    *hasty = (struct hasty){{&OPS}, fixture, id, change};
    fixture->identity.store = &hasty->store;
}

static enum gh_err get_session(struct gh_tx *tx, void *args)
{
    struct row *row = args;
    return tx->ops->session_by_id(tx, row->id, &row->session);
}

bool gh_fixture_session_row(struct gh_identity_fixture *fixture, struct gh_str session_id,
                            struct gh_session_row *out_session)
{
    struct row row = {.id = session_id};
    if (read(fixture, get_session, &row) != GH_OK)
        return false;
    *out_session = row.session;
    return true;
}

static enum gh_err issue_ticket(struct gh_tx *tx, void *args)
{
    struct row *row = args;
    return gh_ticket_issue(tx, &row->call, &row->ticket, &row->token);
}

struct gh_str gh_fixture_ticket(struct gh_identity_fixture *fixture, enum gh_ticket_purpose purpose,
                                struct gh_str account, struct gh_str data)
{
    struct row row = {.call = gh_fixture_call(fixture),
                      .ticket = {purpose, account, data, GH_LINK_LIFE_US}};
    assert_int_equal(write(fixture, issue_ticket, &row), GH_OK);
    return row.token;
}

static enum gh_err get_records(struct gh_tx *tx, void *args)
{
    struct row *row = args;
    return gh_audit_log_read(tx, row->identity, &row->query, &row->records);
}

size_t gh_fixture_audit_count(struct gh_identity_fixture *fixture, enum gh_audit_event event,
                              struct gh_audit_record *out_last)
{
    struct row row = {.query = {.event = gh_audit_event_facts(event)->name, .limit = AUDIT_PAGE},
                      .identity = &fixture->identity};
    assert_int_equal(read(fixture, get_records, &row), GH_OK);
    if (row.records.count && out_last)
        *out_last = row.records.items[0].record;
    return row.records.count;
}

static enum gh_err count_mails(struct gh_tx *tx, void *args)
{
    return tx->ops->mail_count(tx, &((struct row *)args)->mails);
}

uint64_t gh_fixture_mail_count(struct gh_identity_fixture *fixture)
{
    struct row row = {.mails = 0};
    assert_int_equal(read(fixture, count_mails, &row), GH_OK);
    return row.mails;
}
