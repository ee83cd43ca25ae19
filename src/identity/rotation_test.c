#include "identity/rotation.h"

#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/assert.h"
#include "identity/rotation_fixture.h"

#define PEOPLE 300 /* more than a slice */

/* ---- Rotating ---- */

static void assert_all_under_the_sealing_key(struct gh_rotation_toys *toys)
{
    struct gh_rotation_count counted =
        gh_rotation_count(toys, gh_vault_state(toys->vault).sealing_id);
    assert_int_equal(counted.under, counted.rows);
}

static void begin(struct gh_rotation_toys *toys, struct gh_str root)
{
    bool changed;
    assert_int_equal(
        gh_rotation_begin(toys->vault, &toys->store, root, NOW_US, &toys->work, &changed), GH_OK);
}

/* A pass; what it did. */
static struct gh_rotation pass_at(struct gh_rotation_toys *toys, uint64_t now_us)
{
    struct gh_rotation rotation;
    gh_rotation_init(&rotation, toys->vault, &toys->store, now_us);
    while (!rotation.over)
        assert_int_equal(gh_rotation_step(&rotation, &toys->work), GH_OK);
    return rotation;
}

static struct gh_rotation pass(struct gh_rotation_toys *toys)
{
    return pass_at(toys, NOW_US);
}

static void every_sealed_column_is_sealed_anew(void **state)
{
    struct gh_rotation_toys *toys = *state;
    gh_rotation_fill(toys, 0, PEOPLE);
    uint32_t old_id = gh_vault_state(toys->vault).sealing_id;
    size_t all = gh_rotation_count(toys, old_id).rows;
    assert_int_equal(all, PEOPLE * GH_SEALED_COLUMN_COUNT);
    begin(toys, NEW);
    assert_int_not_equal(gh_vault_state(toys->vault).sealing_id, old_id);
    struct gh_rotation rotation = pass(toys);
    assert_int_equal(rotation.renewed, all);
    assert_int_equal(rotation.unreadable, 0);
    assert_int_equal(gh_rotation_count(toys, old_id).under, 0);
    assert_all_under_the_sealing_key(toys);
    assert_int_equal(pass(toys).renewed, 0);
}

static void the_old_root_opens_nothing_afterwards(void **state)
{
    struct gh_rotation_toys *toys = *state;
    gh_rotation_fill(toys, 0, 3);
    begin(toys, NEW);
    pass(toys);
    assert_false(gh_rotation_opens_with(toys, OLD));
    assert_true(gh_rotation_opens_with(toys, NEW));
    gh_vault_close(toys->vault);
    gh_rotation_open_vault(toys, NEW, NO_ROOT);
    assert_all_under_the_sealing_key(toys);
}

static void values_are_found_by_the_same_hash_afterwards(void **state)
{
    struct gh_rotation_toys *toys = *state;
    uint8_t before[GH_SHA256_BYTES], after[GH_SHA256_BYTES];
    gh_vault_index(toys->vault, "accounts.email", GH_STR("alice@example.com"), before);
    begin(toys, NEW);
    pass(toys);
    gh_vault_index(toys->vault, "accounts.email", GH_STR("alice@example.com"), after);
    assert_memory_equal(before, after, sizeof(before));
    gh_vault_close(toys->vault);
    gh_rotation_open_vault(toys, NEW, NO_ROOT);
    gh_vault_index(toys->vault, "accounts.email", GH_STR("alice@example.com"), after);
    assert_memory_equal(before, after, sizeof(before));
}

/* What kill -9 behind `writes` writes leaves: all that the process knew is gone. */
static void die_behind(struct gh_rotation_toys *toys, struct gh_str root, unsigned writes)
{
    struct gh_rotation rotation;
    bool changed;
    toys->writes_left = writes;
    enum gh_err err =
        gh_rotation_begin(toys->vault, &toys->store, root, NOW_US, &toys->work, &changed);
    gh_rotation_init(&rotation, toys->vault, &toys->store, NOW_US);
    while (err == GH_OK && !rotation.over)
        err = gh_rotation_step(&rotation, &toys->work);
    toys->writes_left = UINT32_MAX;
    gh_vault_close(toys->vault);
}

static void ends_anywhere_and_goes_on(void **state)
{
    struct gh_rotation_toys *toys = *state;
    gh_rotation_fill(toys, 0, PEOPLE);
    for (unsigned writes = 0; writes < 30; writes++) {
        struct gh_str from = writes % 2 ? NEW : OLD, to = writes % 2 ? OLD : NEW;
        die_behind(toys, to, writes);
        gh_rotation_open_vault(toys, to, from); /* as the next start does */
        begin(toys, to);
        assert_true(gh_rotation_keys_of(toys).fields <= 4);
        pass(toys);
        assert_all_under_the_sealing_key(toys);
        assert_false(gh_rotation_opens_with(toys, from));
        assert_true(gh_rotation_opens_with(toys, to));
        uint64_t later_us = NOW_US + 2 * GH_ROTATION_SETTLE_US;
        struct gh_rotation clean = pass_at(toys, later_us);
        unsigned dropped;
        gh_vault_close(toys->vault);
        gh_rotation_open_vault(toys, to, NO_ROOT); /* nothing is under way after a start */
        clean.vault = toys->vault;
        assert_int_equal(gh_rotation_drop_retired(&clean, &toys->work, &dropped), GH_OK);
        assert_int_equal(gh_rotation_keys_of(toys).fields, 1);
    }
}

static void goes_on_under_the_key_that_was_made(void **state)
{
    struct gh_rotation_toys *toys = *state;
    gh_rotation_fill(toys, 0, PEOPLE);
    die_behind(toys, NEW, 5);
    gh_rotation_open_vault(toys, NEW, NO_ROOT);
    uint32_t id = gh_vault_state(toys->vault).sealing_id;
    begin(toys, NEW);
    assert_int_equal(gh_vault_state(toys->vault).sealing_id, id);
    pass(toys);
    assert_int_equal(gh_rotation_count(toys, id).under, PEOPLE * GH_SEALED_COLUMN_COUNT);
    begin(toys, NO_ROOT); /* nothing is left: it is a rotation of its own */
    assert_int_not_equal(gh_vault_state(toys->vault).sealing_id, id);
}

static void a_root_that_comes_meanwhile_gets_a_field_key_of_its_own(void **state)
{
    struct gh_rotation_toys *toys = *state;
    gh_rotation_fill(toys, 0, PEOPLE);
    die_behind(toys, NEW, 5);
    gh_rotation_open_vault(toys, NEW, NO_ROOT);
    uint32_t id = gh_vault_state(toys->vault).sealing_id;
    begin(toys, THIRD);
    assert_int_not_equal(gh_vault_state(toys->vault).sealing_id, id);
    pass(toys);
    assert_all_under_the_sealing_key(toys);
    assert_false(gh_rotation_opens_with(toys, NEW));
}

static void a_failed_write_changes_nothing_that_can_be_seen(void **state)
{
    struct gh_rotation_toys *toys = *state;
    bool changed = false;
    gh_rotation_fill(toys, 0, 3);
    toys->writes_left = 0;
    assert_int_equal(
        gh_rotation_begin(toys->vault, &toys->store, NEW, NOW_US, &toys->work, &changed),
        GH_ERR_IO);
    toys->writes_left = UINT32_MAX;
    assert_false(changed);
    assert_true(gh_rotation_opens_with(toys, OLD));
    assert_int_equal(gh_rotation_keys_of(toys).fields, 1);
    gh_rotation_fill(toys, 3, 3);
    assert_all_under_the_sealing_key(toys);
}

static void audits_root_and_field_once(void **state)
{
    struct gh_rotation_toys *toys = *state;
    begin(toys, NEW);
    assert_int_equal(gh_rotation_audited(toys, "{\"purpose\":\"root\"}"), 1);
    assert_int_equal(gh_rotation_audited(toys, "{\"purpose\":\"field\"}"), 1);
    begin(toys, NEW); /* the same: a field key only */
    assert_int_equal(gh_rotation_audited(toys, "{\"purpose\":\"root\"}"), 1);
    assert_int_equal(gh_rotation_audited(toys, "{\"purpose\":\"field\"}"), 2);
}

static void says_since_when_a_root_is_in_use(void **state)
{
    struct gh_rotation_toys *toys = *state;
    bool changed;
    assert_int_equal(gh_vault_state(toys->vault).root_since_us, NOW_US);
    assert_int_equal(
        gh_rotation_begin(toys->vault, &toys->store, NEW, NOW_US + 5, &toys->work, &changed),
        GH_OK);
    assert_true(changed);
    assert_int_equal(gh_vault_state(toys->vault).root_since_us, NOW_US + 5);
    assert_int_equal(
        gh_rotation_begin(toys->vault, &toys->store, NEW, NOW_US + 9, &toys->work, &changed),
        GH_OK);
    assert_false(changed);
    gh_vault_close(toys->vault);
    gh_rotation_open_vault(toys, NEW, NO_ROOT);
    assert_int_equal(gh_vault_state(toys->vault).root_since_us, NOW_US + 5);
}

/* ---- Others meanwhile ---- */

static enum gh_err rename_unit(struct gh_tx *tx, void *args)
{
    const struct gh_vault *vault = args;
    struct gh_id id = gh_rotation_id_of(1);
    struct gh_account account;
    enum gh_err err = tx->ops->account_by_id(tx, gh_id_str(&id), &account);
    if (err != GH_OK)
        return err;
    account.name = gh_vault_seal(vault, tx->arena, "accounts.name", gh_id_str(&id), GH_STR("Ada"));
    return tx->ops->account_update(tx, &account);
}

static void rename_now(struct gh_rotation_toys *toys)
{
    toys->after_read = NULL;
    assert_int_equal(toys->inner->ops->run(toys->inner, rename_unit, toys->vault, &toys->arena),
                     GH_OK);
}

static enum gh_err name_unit(struct gh_tx *tx, void *args)
{
    struct gh_id id = gh_rotation_id_of(1);
    struct gh_account account;
    enum gh_err err = tx->ops->account_by_id(tx, gh_id_str(&id), &account);
    *(struct gh_str *)args = account.name;
    return err;
}

static void a_change_between_reading_and_writing_is_not_lost(void **state)
{
    struct gh_rotation_toys *toys = *state;
    struct gh_rotation rotation;
    struct gh_str name;
    gh_rotation_fill(toys, 0, 3);
    begin(toys, NEW);
    gh_rotation_init(&rotation, toys->vault, &toys->store, NOW_US);
    while (rotation.column != GH_SEALED_ACCOUNT_NAME)
        assert_int_equal(gh_rotation_step(&rotation, &toys->work), GH_OK);
    toys->after_read = rename_now;
    while (!rotation.over)
        assert_int_equal(gh_rotation_step(&rotation, &toys->work), GH_OK);
    assert_null(toys->after_read);
    assert_int_equal(toys->inner->ops->read(toys->inner, name_unit, &name, &toys->arena), GH_OK);
    struct gh_id id = gh_rotation_id_of(1);
    assert_int_equal(gh_vault_key_id(name), gh_vault_state(toys->vault).sealing_id);
    struct gh_str text =
        gh_vault_open_field(toys->vault, &toys->arena, "accounts.name", gh_id_str(&id), name);
    assert_true(gh_str_eq(text, GH_STR("Ada")));
}

struct arriving {
    struct gh_id id;
    struct gh_str email;
};

static enum gh_err arrive_unit(struct gh_tx *tx, void *args)
{
    const struct arriving *arriving = args;
    struct gh_account account = {.id = arriving->id, .email = arriving->email};
    account.created_us = NOW_US;
    gh_rotation_hash_of(7, account.email_index);
    account.name = account.totp_secret = account.password_hash = account.locale = GH_STR("");
    account.roles = GH_STR("user");
    return tx->ops->account_insert(tx, &account);
}

/* Sealed under the key of before, stored behind the first pass. */
static void what_was_under_way_is_found_by_the_next_pass(void **state)
{
    struct gh_rotation_toys *toys = *state;
    unsigned dropped;
    gh_rotation_fill(toys, 0, 3);
    uint32_t old_id = gh_vault_state(toys->vault).sealing_id;
    struct gh_id id = gh_rotation_id_of(7);
    struct gh_str late =
        gh_vault_seal(toys->vault, &toys->arena, "accounts.email", gh_id_str(&id), GH_STR("x"));
    begin(toys, NEW);
    pass(toys);
    assert_int_equal(gh_vault_key_id(late), old_id);
    assert_non_null(
        gh_vault_open_field(toys->vault, &toys->arena, "accounts.email", gh_id_str(&id), late).ptr);
    struct arriving arriving = {id, late};
    assert_int_equal(toys->inner->ops->run(toys->inner, arrive_unit, &arriving, &toys->arena),
                     GH_OK);
    struct gh_rotation next = pass_at(toys, NOW_US + 2 * GH_ROTATION_SETTLE_US);
    assert_int_equal(next.renewed, 1);
    assert_int_equal(gh_rotation_drop_retired(&next, &toys->work, &dropped), GH_OK);
    assert_int_equal(dropped, 0); /* one more pass must find nothing */
    next = pass_at(toys, NOW_US + 2 * GH_ROTATION_SETTLE_US);
    assert_int_equal(next.renewed, 0);
    assert_int_equal(gh_rotation_drop_retired(&next, &toys->work, &dropped), GH_OK);
    assert_int_equal(dropped, 1);
}

/* ---- Retired keys ---- */

static void a_retired_key_stays_until_all_has_settled(void **state)
{
    struct gh_rotation_toys *toys = *state;
    unsigned dropped;
    gh_rotation_fill(toys, 0, 3);
    begin(toys, NEW);
    struct gh_rotation first = pass(toys);
    assert_int_equal(gh_rotation_drop_retired(&first, &toys->work, &dropped), GH_OK);
    assert_int_equal(dropped, 0); /* it found something */
    struct gh_rotation early = pass_at(toys, NOW_US + GH_ROTATION_SETTLE_US - 1);
    assert_int_equal(gh_rotation_drop_retired(&early, &toys->work, &dropped), GH_OK);
    assert_int_equal(dropped, 0);
    assert_int_equal(gh_rotation_keys_of(toys).retired, 1);
    struct gh_rotation late = pass_at(toys, NOW_US + GH_ROTATION_SETTLE_US);
    assert_int_equal(gh_rotation_drop_retired(&late, &toys->work, &dropped), GH_OK);
    assert_int_equal(dropped, 1);
    assert_int_equal(gh_rotation_keys_of(toys).fields, 1);
    assert_all_under_the_sealing_key(toys);
}

static void a_retired_key_stays_while_a_pass_is_not_over(void **state)
{
    struct gh_rotation_toys *toys = *state;
    struct gh_rotation rotation;
    unsigned dropped;
    gh_rotation_fill(toys, 0, 3);
    begin(toys, NEW);
    gh_rotation_init(&rotation, toys->vault, &toys->store, NOW_US + 2 * GH_ROTATION_SETTLE_US);
    assert_int_equal(gh_rotation_drop_retired(&rotation, &toys->work, &dropped), GH_OK);
    assert_int_equal(dropped, 0);
    assert_int_equal(gh_rotation_keys_of(toys).retired, 1);
}

static enum gh_err spoil_unit(struct gh_tx *tx, void *args)
{
    struct gh_id id = gh_rotation_id_of(1);
    struct gh_account account;
    enum gh_err err = tx->ops->account_by_id(tx, gh_id_str(&id), &account);
    ((char *)account.name.ptr)[account.name.len - 1] ^= 1;
    (void)args;
    return err == GH_OK ? tx->ops->account_update(tx, &account) : err;
}

static void what_can_not_be_opened_keeps_its_key_and_stops_nothing(void **state)
{
    struct gh_rotation_toys *toys = *state;
    unsigned dropped;
    gh_rotation_fill(toys, 0, 3);
    assert_int_equal(toys->inner->ops->run(toys->inner, spoil_unit, NULL, &toys->arena), GH_OK);
    begin(toys, NEW);
    struct gh_rotation rotation = pass(toys);
    assert_int_equal(rotation.renewed, 3 * GH_SEALED_COLUMN_COUNT - 1);
    assert_int_equal(rotation.unreadable, 1);
    struct gh_rotation late = pass_at(toys, NOW_US + 2 * GH_ROTATION_SETTLE_US);
    assert_int_equal(gh_rotation_drop_retired(&late, &toys->work, &dropped), GH_OK);
    assert_int_equal(dropped, 0);
    assert_int_equal(gh_rotation_keys_of(toys).retired, 1);
}

static void a_keeper_goes_on_with_what_a_dead_process_left(void **state)
{
    struct gh_rotation_toys *toys = *state;
    struct gh_rotation_keeper keeper = {.busy = false};
    gh_rotation_fill(toys, 0, PEOPLE);
    die_behind(toys, NEW, 5);
    gh_rotation_open_vault(toys, NEW, NO_ROOT);
    uint64_t now_us = NOW_US;
    for (unsigned turn = 0; turn < 20; turn++, now_us += 1000000)
        assert_int_equal(gh_rotation_keep(&keeper, toys->vault, &toys->store, now_us, &toys->work),
                         GH_OK);
    assert_all_under_the_sealing_key(toys);
    assert_int_equal(gh_rotation_keys_of(toys).retired, 1);
    now_us += 2 * GH_ROTATION_SETTLE_US;
    for (unsigned turn = 0; turn < 20; turn++, now_us += 1000000)
        assert_int_equal(gh_rotation_keep(&keeper, toys->vault, &toys->store, now_us, &toys->work),
                         GH_OK);
    assert_int_equal(gh_rotation_keys_of(toys).fields, 1);
    assert_false(keeper.busy);
}

/* ---- The key of checkpoints ---- */

static enum gh_err insert_audit_key(struct gh_tx *tx, void *args)
{
    const struct gh_rotation_toys *toys = args;
    struct gh_key_row row = {.purpose = GH_KEY_AUDIT, .created_us = NOW_US};
    row.alg = GH_STR("Ed25519");
    row.kid = GH_STR("gatehouse/audit/0123456789abcdef");
    row.wrapped = gh_vault_wrap(toys->vault, tx->arena, gh_vault_key_use(GH_KEY_AUDIT), row.kid);
    return tx->ops->key_insert(tx, &row, &row.id);
}

static enum gh_err count_audit_keys(struct gh_tx *tx, void *args)
{
    struct gh_rotation_keys *keys = args;
    struct gh_key_row *rows;
    size_t count;
    enum gh_err err = tx->ops->keys_all(tx, &rows, &count);
    *keys = (struct gh_rotation_keys){0, 0};
    for (size_t i = 0; err == GH_OK && i < count; i++) {
        keys->fields += rows[i].purpose == GH_KEY_AUDIT;
        keys->retired += rows[i].purpose == GH_KEY_AUDIT && rows[i].retired_us == NOW_US + 1;
    }
    return err;
}

static void the_key_of_checkpoints_is_retired_once_and_stays(void **state)
{
    struct gh_rotation_toys *toys = *state;
    struct gh_rotation_keys keys;
    bool retired = true;
    assert_int_equal(gh_rotation_retire_audit_key(&toys->store, NOW_US + 1, &toys->arena, &retired),
                     GH_OK);
    assert_false(retired);
    assert_int_equal(toys->inner->ops->run(toys->inner, insert_audit_key, toys, &toys->arena),
                     GH_OK);
    assert_int_equal(gh_rotation_retire_audit_key(&toys->store, NOW_US + 1, &toys->arena, &retired),
                     GH_OK);
    assert_true(retired);
    assert_int_equal(gh_rotation_retire_audit_key(&toys->store, NOW_US + 2, &toys->arena, &retired),
                     GH_OK);
    assert_false(retired);
    assert_int_equal(toys->inner->ops->read(toys->inner, count_audit_keys, &keys, &toys->arena),
                     GH_OK);
    assert_int_equal(keys.fields, 1);
    assert_int_equal(keys.retired, 1);
    assert_int_equal(gh_rotation_audited(toys, "{\"purpose\":\"audit\"}"), 1);
}

/* ---- Threads ---- */

struct reader {
    struct gh_rotation_toys *toys;
    atomic_bool *stop;
    atomic_size_t rounds;
};

static void *read_and_seal(void *arg)
{
    struct reader *reader = arg;
    struct gh_arena arena;
    const struct gh_vault *vault = reader->toys->vault;
    struct gh_str row = GH_STR("0b6a1c9e-2f4d-4a7e-9c1b-5d8e3f2a1b0c");
    gh_arena_init(&arena, 1 << 14, 1 << 20);
    struct gh_str first = gh_arena_dup(&arena, gh_vault_seal(vault, &arena, "f", row, GH_STR("x")));
    char memory[64];
    memcpy(memory, first.ptr, first.len);
    first.ptr = memory;
    while (!atomic_load(reader->stop)) {
        gh_arena_reset(&arena);
        struct gh_str sealed = gh_vault_seal(vault, &arena, "f", row, GH_STR("text"));
        struct gh_str opened = gh_vault_open_field(vault, &arena, "f", row, sealed);
        GH_ASSERT(gh_str_eq(opened, GH_STR("text")));
        GH_ASSERT(gh_vault_open_field(vault, &arena, "f", row, first).ptr);
        struct gh_str wrapped = gh_vault_wrap(vault, &arena, "keys.cookie", GH_STR("secret"));
        GH_ASSERT(gh_vault_unwrap(vault, &arena, "keys.cookie", wrapped).ptr);
        atomic_fetch_add(&reader->rounds, 1);
    }
    gh_arena_done(&arena);
    return NULL;
}

static void others_seal_and_open_while_keys_change(void **state)
{
    struct gh_rotation_toys *toys = *state;
    atomic_bool stop = false;
    pthread_t threads[3];
    struct reader readers[3];
    for (size_t i = 0; i < 3; i++) {
        readers[i] = (struct reader){.toys = toys, .stop = &stop, .rounds = 0};
        assert_int_equal(pthread_create(&threads[i], NULL, read_and_seal, &readers[i]), 0);
    }
    gh_rotation_fill(toys, 0, 3);
    for (size_t i = 0; i < 3; i++)
        while (atomic_load(&readers[i].rounds) == 0)
            sched_yield();
    for (unsigned i = 0; i < 20; i++) {
        begin(toys, i % 2 ? OLD : NEW);
        pass(toys);
    }
    atomic_store(&stop, true);
    for (size_t i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    assert_all_under_the_sealing_key(toys);
}

static const bool SQLITE = true;

#define TEST(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, gh_rotation_toys_open, gh_rotation_toys_close),          \
        cmocka_unit_test_prestate_setup_teardown(name, gh_rotation_toys_open,                      \
                                                 gh_rotation_toys_close, (void *)&SQLITE)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_sealed_column_is_sealed_anew),
        TEST(the_old_root_opens_nothing_afterwards),
        TEST(values_are_found_by_the_same_hash_afterwards),
        TEST(ends_anywhere_and_goes_on),
        TEST(goes_on_under_the_key_that_was_made),
        TEST(a_root_that_comes_meanwhile_gets_a_field_key_of_its_own),
        TEST(a_failed_write_changes_nothing_that_can_be_seen),
        TEST(audits_root_and_field_once),
        TEST(says_since_when_a_root_is_in_use),
        TEST(a_change_between_reading_and_writing_is_not_lost),
        TEST(what_was_under_way_is_found_by_the_next_pass),
        TEST(a_retired_key_stays_until_all_has_settled),
        TEST(a_retired_key_stays_while_a_pass_is_not_over),
        TEST(what_can_not_be_opened_keeps_its_key_and_stops_nothing),
        TEST(a_keeper_goes_on_with_what_a_dead_process_left),
        TEST(the_key_of_checkpoints_is_retired_once_and_stays),
        TEST(others_seal_and_open_while_keys_change),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
