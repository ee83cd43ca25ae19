/* The contract suite: running cases, borrowing transactions, and rows to put in. */
#include "store/contract_suite.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>

#define ARENA_BLOCK_BYTES 65536
#define ARENA_BYTES_MAX   (64u << 20)
#define CASES_MAX         128

/* ---- Transactions ---- */

static void enter(struct gh_contract *contract, enum gh_contract_phase phase)
{
    contract->phase = phase;
    pthread_cond_broadcast(&contract->changed);
}

static enum gh_err look_at_log(struct gh_tx *tx, void *args)
{
    uint8_t hash[GH_SHA256_BYTES];
    uint64_t seq;
    return tx->ops->audit_head(tx, &seq, hash);
}

/* A unit may be run again when it comes to the log, which would tear a case: what reads comes there
   first; what may write, and should not have seen anything, begins when there is no reason to. */
static void wait_for_log(struct gh_contract *contract)
{
    struct gh_arena arena;
    gh_arena_init(&arena, ARENA_BLOCK_BYTES, ARENA_BYTES_MAX);
    enum gh_err err = contract->store->ops->read(contract->store, look_at_log, NULL, &arena);
    (void)err; /* an empty log, or the case's concern */
    gh_arena_done(&arena);
}

/* The unit: gives its transaction away and waits for the verdict. */
static enum gh_err lend_transaction(struct gh_tx *tx, void *args)
{
    struct gh_contract *contract = args;
    if (contract->kind == GH_CONTRACT_READ) {
        enum gh_err err = look_at_log(tx, NULL);
        if (err == GH_ERR_IO)
            return err;
    }
    pthread_mutex_lock(&contract->lock);
    contract->tx = tx;
    enter(contract, GH_CONTRACT_OPEN);
    while (contract->phase == GH_CONTRACT_OPEN)
        pthread_cond_wait(&contract->changed, &contract->lock);
    enum gh_err verdict = contract->verdict;
    pthread_mutex_unlock(&contract->lock);
    return verdict;
}

static void *run_unit(void *argument)
{
    struct gh_contract *contract = argument;
    const struct gh_store_ops *ops = contract->store->ops;
    if (contract->kind == GH_CONTRACT_RUN)
        wait_for_log(contract);
    enum gh_err (*const RUN[])(struct gh_store *, gh_store_unit *, void *, struct gh_arena *) = {
        [GH_CONTRACT_READ] = ops->read,
        [GH_CONTRACT_RUN] = ops->run,
        [GH_CONTRACT_RUN_BULK] = ops->run_bulk,
    };
    enum gh_err result =
        RUN[contract->kind](contract->store, lend_transaction, contract, &contract->arena);
    pthread_mutex_lock(&contract->lock);
    contract->result = result;
    enter(contract, GH_CONTRACT_ENDED);
    pthread_mutex_unlock(&contract->lock);
    return NULL;
}

static struct gh_tx *begin(struct gh_contract *contract, enum gh_contract_kind kind)
{
    assert_int_equal(contract->phase, GH_CONTRACT_IDLE);
    contract->kind = kind;
    contract->phase = GH_CONTRACT_STARTING;
    assert_int_equal(pthread_create(&contract->thread, NULL, run_unit, contract), 0);
    pthread_mutex_lock(&contract->lock);
    while (contract->phase == GH_CONTRACT_STARTING)
        pthread_cond_wait(&contract->changed, &contract->lock);
    bool is_open = contract->phase == GH_CONTRACT_OPEN;
    pthread_mutex_unlock(&contract->lock);
    if (!is_open) {
        pthread_join(contract->thread, NULL);
        contract->phase = GH_CONTRACT_IDLE;
        fail_msg("no transaction: %s", gh_err_text(contract->result));
    }
    return contract->tx;
}

struct gh_tx *gh_contract_begin(struct gh_contract *contract)
{
    return begin(contract, GH_CONTRACT_RUN);
}

struct gh_tx *gh_contract_begin_bulk(struct gh_contract *contract)
{
    return begin(contract, GH_CONTRACT_RUN_BULK);
}

struct gh_tx *gh_contract_begin_read(struct gh_contract *contract)
{
    return begin(contract, GH_CONTRACT_READ);
}

enum gh_err gh_contract_end(struct gh_contract *contract, enum gh_err verdict)
{
    pthread_mutex_lock(&contract->lock);
    contract->verdict = verdict;
    enter(contract, GH_CONTRACT_ENDING);
    pthread_mutex_unlock(&contract->lock);
    pthread_join(contract->thread, NULL);
    contract->phase = GH_CONTRACT_IDLE;
    return contract->result;
}

void gh_contract_commit(struct gh_contract *contract)
{
    assert_int_equal(gh_contract_end(contract, GH_OK), GH_OK);
}

void gh_contract_init(struct gh_contract *contract, struct gh_store *store)
{
    gh_crypto_init();
    *contract = (struct gh_contract){.store = store};
    gh_arena_init(&contract->arena, ARENA_BLOCK_BYTES, ARENA_BYTES_MAX);
    pthread_mutex_init(&contract->lock, NULL);
    pthread_cond_init(&contract->changed, NULL);
}

void gh_contract_done(struct gh_contract *contract)
{
    if (contract->phase != GH_CONTRACT_IDLE) /* the case failed in the middle of a unit */
        gh_contract_end(contract, GH_ERR_INVALID);
    contract->store->ops->close(contract->store);
    pthread_cond_destroy(&contract->changed);
    pthread_mutex_destroy(&contract->lock);
    gh_arena_done(&contract->arena);
}

/* ---- Running the cases ---- */

struct bound_case {
    const struct gh_contract_adapter *adapter;
    const struct gh_contract_case *test;
    struct gh_contract contract;
};

static int open_store(void **state)
{
    struct bound_case *bound = *state;
    struct gh_store *store = bound->adapter->open(bound->adapter->context);
    if (!store)
        return -1;
    gh_contract_init(&bound->contract, store);
    return 0;
}

static int open_store_of_many_chains(void **state)
{
    struct bound_case *bound = *state;
    const struct gh_contract_adapter *adapter = bound->adapter;
    return open_store(state) || !adapter->add_chains(adapter->context, bound->contract.store);
}

static int close_store(void **state)
{
    struct bound_case *bound = *state;
    gh_contract_done(&bound->contract);
    if (bound->adapter->closed)
        bound->adapter->closed(bound->adapter->context);
    return 0;
}

static void run_case(void **state)
{
    struct bound_case *bound = *state;
    bound->test->run(&bound->contract);
}

struct bound_cases {
    struct bound_case bound[CASES_MAX];
    struct CMUnitTest tests[CASES_MAX];
    size_t count;
};

static void bind_cases(struct bound_cases *cases, const struct gh_contract_adapter *adapter,
                       const struct gh_contract_case *tests, CMFixtureFunction open)
{
    for (const struct gh_contract_case *test = tests; test->name; test++) {
        if (cases->count == CASES_MAX)
            abort();
        struct bound_case *bound = &cases->bound[cases->count];
        *bound = (struct bound_case){.adapter = adapter, .test = test};
        cases->tests[cases->count++] =
            (struct CMUnitTest){test->name, run_case, open, close_store, bound};
    }
}

int gh_contract_run(const struct gh_contract_adapter *adapter)
{
    static const struct gh_contract_case *const SUBJECTS[] = {
        gh_contract_account_cases, gh_contract_session_cases, gh_contract_factor_cases,
        gh_contract_outbox_cases,  gh_contract_log_cases,     gh_contract_chain_cases,
        gh_contract_pending_cases, gh_contract_sealed_cases,  gh_contract_unit_cases,
    };
    static struct bound_cases cases;
    cases.count = 0;
    for (size_t i = 0; i < sizeof(SUBJECTS) / sizeof(SUBJECTS[0]); i++)
        bind_cases(&cases, adapter, SUBJECTS[i], open_store);
    if (adapter->add_chains)
        bind_cases(&cases, adapter, gh_contract_many_chains_cases, open_store_of_many_chains);
    return _cmocka_run_group_tests(adapter->name, cases.tests, cases.count, NULL, NULL);
}

/* ---- Values ---- */

static void put_number(unsigned number, uint8_t out[4])
{
    for (int i = 0; i < 4; i++)
        out[i] = (uint8_t)(number >> (24 - 8 * i));
}

struct gh_id gh_contract_id(unsigned number)
{
    uint8_t bytes[16] = {0};
    put_number(number, bytes + 12);
    return gh_id_make(bytes);
}

void gh_contract_hash(unsigned number, uint8_t out[GH_SHA256_BYTES])
{
    memset(out, 0xa5, GH_SHA256_BYTES);
    put_number(number, out);
}

struct gh_account gh_contract_account(unsigned number)
{
    struct gh_account account = {
        .id = gh_contract_id(number),
        .email = GH_STR("sealed\0\xff address"),
        .email_verified_us = GH_CONTRACT_NOW_US + number,
        .password_hash = GH_STR("$argon2id$v=19$m=65536,t=3,p=1$c2FsdA$aGFzaA"),
        .password_changed_us = GH_CONTRACT_NOW_US + number + 1,
        .name = GH_STR("sealed\0 name"),
        .locale = GH_STR("en-GB"),
        .roles = number % 2 ? GH_STR("user,admin") : GH_STR("user"),
        .status = GH_ACCOUNT_ACTIVE,
        .created_us = GH_CONTRACT_NOW_US + number + 2,
        .last_login_us = GH_CONTRACT_NOW_US + number + 3,
        .totp_secret = GH_STR("\xfe\0sealed secret"),
        .totp_enabled = true,
        .totp_last_step = 60000000 + number,
    };
    gh_contract_hash(number, account.email_index);
    return account;
}

struct gh_session_row gh_contract_session(unsigned number, unsigned account)
{
    struct gh_session_row session = {
        .family = gh_contract_id(number),
        .session_id = gh_contract_id(number + 500000),
        .account = gh_contract_id(account),
        .secret = GH_STR("sealed\0 secret of the family"),
        .counter = number + 7,
        .created_us = GH_CONTRACT_NOW_US + number,
        .last_used_us = GH_CONTRACT_NOW_US + number + 1,
        .expires_us = GH_CONTRACT_NOW_US + number + GH_CONTRACT_DAY_US,
        .authenticated_us = GH_CONTRACT_NOW_US + number + 2,
        .idle_us = 1800000000,
        .two_factor = true,
        .remember = true,
        .device = GH_STR("sealed\0 user agent"),
        .ip = GH_STR("\x80sealed\0 address"),
    };
    gh_contract_hash(number, session.token_hash);
    for (unsigned i = 0; i < 8; i++)
        session.rotations_us[i] = GH_CONTRACT_NOW_US + number + i;
    return session;
}

struct gh_ticket gh_contract_ticket(unsigned number, unsigned account)
{
    struct gh_ticket ticket = {
        .purpose = GH_TICKET_CHANGE_EMAIL,
        .account = gh_contract_id(account),
        .data = GH_STR("sealed\0 new address"),
        .tries = 3,
        .created_us = GH_CONTRACT_NOW_US + number,
        .expires_us = GH_CONTRACT_NOW_US + number + 900000000,
    };
    gh_contract_hash(number, ticket.hash);
    return ticket;
}

struct gh_throttle_row gh_contract_throttle(unsigned number)
{
    struct gh_throttle_row row = {
        .failures = number + 5,
        .first_us = GH_CONTRACT_NOW_US + number,
        .last_us = GH_CONTRACT_NOW_US + number + 1,
        .blocked_until_us = GH_CONTRACT_NOW_US + number + 2,
    };
    put_number(number, row.key);
    return row;
}

struct gh_device_row gh_contract_device(unsigned number, unsigned account)
{
    struct gh_device_row device = {
        .account = gh_contract_id(account),
        .created_us = GH_CONTRACT_NOW_US + number,
        .last_used_us = GH_CONTRACT_NOW_US + number + 1,
        .label = GH_STR("sealed\0 user agent"),
    };
    gh_contract_hash(number, device.hash);
    return device;
}

struct gh_mail_row gh_contract_mail(unsigned number, unsigned account)
{
    return (struct gh_mail_row){
        .id = gh_contract_id(number),
        .account = gh_contract_id(account),
        .recipient = GH_STR("sealed\0 address"),
        .message = GH_STR("sealed\0 subject and text"),
        .attempts = 2,
        .created_us = GH_CONTRACT_NOW_US + number,
        .next_us = GH_CONTRACT_NOW_US + number,
    };
}

struct gh_key_row gh_contract_key(unsigned number)
{
    return (struct gh_key_row){
        .purpose = GH_KEY_SIGNING,
        .alg = GH_STR("EdDSA"),
        .kid = GH_STR("kid"),
        .wrapped = GH_STR("\0wrapped\xff"),
        .created_us = GH_CONTRACT_NOW_US + number,
        .retired_us = GH_CONTRACT_NOW_US + number + 1,
    };
}

struct gh_audit_row gh_contract_row(unsigned number)
{
    struct gh_audit_record record = {
        .time_us = GH_CONTRACT_NOW_US + number,
        .event = GH_AUDIT_LOGIN,
        .user_id = GH_STR("whom"),
        .actor_id = GH_STR("who"),
        .ip_address = GH_STR("2001:db8::1"),
        .user_agent = GH_STR("Mozilla/5.0 '; DROP TABLE security_audit_log; --"),
        .session = GH_STR("00112233445566778899aabbccddeeff"),
        .request_id = GH_STR("0123456789abcdef"),
        .outcome = GH_AUDIT_FAILURE,
        .metadata = GH_STR("{\"method\":\"password\"}"),
    };
    return (struct gh_audit_row){.record = record, .sealed = GH_STR("\xfd\0sealed values")};
}

void gh_contract_set_codes(struct gh_tx *tx, unsigned account, unsigned first, unsigned count)
{
    struct gh_id id = gh_contract_id(account);
    uint8_t hashes[10][GH_SHA256_BYTES];
    assert_true(count <= 10);
    for (unsigned i = 0; i < count; i++)
        gh_contract_hash(first + i, hashes[i]);
    gh_contract_assert_ok(tx->ops->recovery_set(tx, gh_id_str(&id),
                                                (const uint8_t(*)[GH_SHA256_BYTES])hashes, count));
}

void gh_contract_add_accounts(struct gh_contract *contract, unsigned first, unsigned last)
{
    struct gh_tx *tx = gh_contract_begin(contract);
    for (unsigned number = first; number <= last; number++) {
        struct gh_account account = gh_contract_account(number);
        gh_contract_assert_ok(tx->ops->account_insert(tx, &account));
    }
    gh_contract_commit(contract);
}

/* ---- Comparisons ---- */

void gh_contract_assert_text(struct gh_str actual, struct gh_str expected)
{
    assert_int_equal(actual.len, expected.len);
    if (expected.len)
        assert_memory_equal(actual.ptr, expected.ptr, expected.len);
}

void gh_contract_assert_account(const struct gh_account *actual, const struct gh_account *expected)
{
    assert_string_equal(actual->id.text, expected->id.text);
    assert_memory_equal(actual->email_index, expected->email_index, GH_SHA256_BYTES);
    gh_contract_assert_text(actual->email, expected->email);
    assert_int_equal(actual->email_verified_us, expected->email_verified_us);
    gh_contract_assert_text(actual->password_hash, expected->password_hash);
    assert_int_equal(actual->password_changed_us, expected->password_changed_us);
    gh_contract_assert_text(actual->name, expected->name);
    gh_contract_assert_text(actual->locale, expected->locale);
    gh_contract_assert_text(actual->roles, expected->roles);
    assert_int_equal(actual->status, expected->status);
    assert_int_equal(actual->created_us, expected->created_us);
    assert_int_equal(actual->last_login_us, expected->last_login_us);
    gh_contract_assert_text(actual->totp_secret, expected->totp_secret);
    assert_int_equal(actual->totp_enabled, expected->totp_enabled);
    assert_int_equal(actual->totp_last_step, expected->totp_last_step);
}

void gh_contract_assert_session(const struct gh_session_row *actual,
                                const struct gh_session_row *expected)
{
    assert_string_equal(actual->family.text, expected->family.text);
    assert_string_equal(actual->session_id.text, expected->session_id.text);
    assert_string_equal(actual->account.text, expected->account.text);
    gh_contract_assert_text(actual->secret, expected->secret);
    assert_int_equal(actual->counter, expected->counter);
    assert_memory_equal(actual->token_hash, expected->token_hash, GH_SHA256_BYTES);
    assert_memory_equal(actual->rotations_us, expected->rotations_us,
                        sizeof(expected->rotations_us));
    assert_int_equal(actual->created_us, expected->created_us);
    assert_int_equal(actual->last_used_us, expected->last_used_us);
    assert_int_equal(actual->expires_us, expected->expires_us);
    assert_int_equal(actual->authenticated_us, expected->authenticated_us);
    assert_int_equal(actual->idle_us, expected->idle_us);
    assert_int_equal(actual->two_factor, expected->two_factor);
    assert_int_equal(actual->remember, expected->remember);
    assert_int_equal(actual->revoked_us, expected->revoked_us);
    gh_contract_assert_text(actual->device, expected->device);
    gh_contract_assert_text(actual->ip, expected->ip);
}
