#include "identity/audit_key.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "identity/audit_log.h"
#include "identity/identity_fixture.h"

static int set_up(void **state)
{
    static struct gh_identity_fixture fixture;
    gh_identity_fixture_open(&fixture);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    gh_identity_fixture_close(*state);
    return 0;
}

static struct gh_audit_keys load(struct gh_identity_fixture *fixture)
{
    struct gh_audit_keys keys;
    assert_int_equal(
        gh_audit_keys_load(&fixture->identity, fixture->now_us, &fixture->arena, &keys), GH_OK);
    return keys;
}

static void there_is_none_before_the_first_start(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_audit_keys keys;
    assert_int_equal(gh_audit_keys_read(&fixture->identity, &fixture->arena, &keys),
                     GH_ERR_NOT_FOUND);
}

static void makes_one_and_finds_it_again_after_a_restart(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_audit_keys first = load(fixture);
    assert_int_equal(first.name.len, GH_AUDIT_KEY_NAME_LEN);
    assert_true(gh_str_starts_with(first.name, GH_STR("gatehouse/audit/")));
    assert_true(gh_str_eq(first.name, first.origin));
    assert_true(gh_pkey_is_private(first.key));
    gh_identity_fixture_restart(fixture);
    struct gh_audit_keys again = load(fixture), read;
    assert_true(gh_str_eq(first.name, again.name));
    assert_int_equal(again.verifier_count, 1);
    assert_int_equal(again.verifiers[0].key_id, first.verifiers[0].key_id);
    assert_int_equal(gh_audit_keys_read(&fixture->identity, &fixture->arena, &read), GH_OK);
    assert_true(gh_str_eq(read.name, first.name));
    gh_audit_keys_done(&first);
    gh_audit_keys_done(&again);
    gh_audit_keys_done(&read);
}

struct sign_args {
    struct gh_identity_fixture *fixture;
    const struct gh_audit_keys *keys;
    struct gh_audit_signed result;
};

static enum gh_err sign(struct gh_tx *tx, void *args)
{
    struct sign_args *sign_args = args;
    return gh_audit_keys_sign(tx, &sign_args->fixture->identity, sign_args->keys, NULL,
                              sign_args->fixture->now_us, &sign_args->result);
}

static enum gh_err sign_now(struct gh_identity_fixture *fixture, const struct gh_audit_keys *keys,
                            struct gh_audit_signed *out)
{
    struct sign_args args = {.fixture = fixture, .keys = keys};
    struct gh_store *store = fixture->identity.store;
    enum gh_err err = store->ops->run(store, sign, &args, &fixture->arena);
    *out = args.result;
    return err;
}

static void append_one(struct gh_identity_fixture *fixture)
{
    struct gh_audit_record record = {
        .time_us = fixture->now_us,
        .event = GH_AUDIT_ACCESS_DENIED,
        .ip_address = GH_STR("192.0.2.1"),
        .outcome = GH_AUDIT_FAILURE,
        .metadata = GH_STR("{\"reason\":\"not_owner\",\"count\":3}"),
    };
    assert_int_equal(gh_audit_log_append_many(&fixture->identity, &fixture->arena, &record, 1),
                     GH_OK);
}

static void signs_nothing_over_an_empty_log(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_audit_keys keys = load(fixture);
    struct gh_audit_signed result;
    assert_int_equal(sign_now(fixture, &keys, &result), GH_ERR_NOT_FOUND);
    gh_audit_keys_done(&keys);
}

static void signs_what_stands_before_the_record_that_holds_it(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_audit_keys keys = load(fixture);
    struct gh_audit_signed result;
    struct gh_audit_checkpoint checkpoint;
    append_one(fixture);
    append_one(fixture);
    assert_int_equal(sign_now(fixture, &keys, &result), GH_OK);
    assert_int_equal(
        gh_audit_checkpoint_open(result.note, keys.verifiers, keys.verifier_count, &checkpoint),
        GH_AUDIT_NOTE_GOOD);
    assert_int_equal(checkpoint.seq + 1, result.seq);
    assert_int_equal(checkpoint.first_seq, 1);
    assert_int_equal(checkpoint.time_us, fixture->now_us);
    assert_true(gh_str_eq(checkpoint.origin, keys.origin));

    struct gh_audit_query query = {.event = GH_STR("audit_checkpoint"), .limit = 10};
    struct gh_audit_entries entries;
    assert_int_equal(gh_audit_log_page(&fixture->identity, &fixture->arena, &query, &entries),
                     GH_OK);
    assert_int_equal(entries.count, 1);
    struct gh_str note = gh_audit_note_of(&fixture->arena, entries.items[0].record.metadata);
    assert_true(note.ptr && gh_str_eq(note, result.note));
    gh_audit_keys_done(&keys);
}

static enum gh_err retire_all(struct gh_tx *tx, void *args)
{
    struct gh_key_row *rows;
    size_t count;
    enum gh_err err = tx->ops->keys_all(tx, &rows, &count);
    for (size_t i = 0; err == GH_OK && i < count; i++) {
        rows[i].retired_us = *(uint64_t *)args;
        if (rows[i].purpose == GH_KEY_AUDIT)
            err = tx->ops->key_update(tx, &rows[i]);
    }
    return err;
}

static void a_retired_key_verifies_and_the_chain_keeps_its_name(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_audit_keys old = load(fixture), keys;
    struct gh_audit_signed result;
    struct gh_audit_checkpoint checkpoint;
    append_one(fixture);
    assert_int_equal(sign_now(fixture, &old, &result), GH_OK);
    struct gh_store *store = fixture->identity.store;
    assert_int_equal(store->ops->run(store, retire_all, &fixture->now_us, &fixture->arena), GH_OK);
    assert_int_equal(gh_audit_keys_read(&fixture->identity, &fixture->arena, &keys), GH_OK);
    assert_null(keys.key);
    gh_audit_keys_done(&keys);
    keys = load(fixture);
    assert_int_equal(keys.verifier_count, 2);
    assert_false(gh_str_eq(keys.name, old.name));
    assert_true(gh_str_eq(keys.verifiers[0].name, keys.name));
    assert_true(gh_str_eq(keys.origin, old.name));
    assert_int_equal(
        gh_audit_checkpoint_open(result.note, keys.verifiers, keys.verifier_count, &checkpoint),
        GH_AUDIT_NOTE_GOOD);
    gh_audit_keys_done(&keys);
    gh_audit_keys_done(&old);
}

struct cutting {
    uint64_t through, removed;
};

static enum gh_err cut(struct gh_tx *tx, void *args)
{
    struct cutting *cutting = args;
    return tx->ops->audit_drop(tx, cutting->through, 100, &cutting->removed);
}

static void says_of_the_front_what_was_said_before_and_not_what_somebody_has_cut(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_audit_keys keys = load(fixture);
    struct gh_store *store = fixture->identity.store;
    struct gh_audit_signed result;
    struct gh_audit_checkpoint checkpoint;
    struct cutting cutting = {.through = 2};
    append_one(fixture);
    append_one(fixture);
    append_one(fixture);
    assert_int_equal(sign_now(fixture, &keys, &result), GH_OK);
    assert_int_equal(store->ops->run(store, cut, &cutting, &fixture->arena), GH_OK);
    assert_int_equal(cutting.removed, 2);
    append_one(fixture);
    assert_int_equal(sign_now(fixture, &keys, &result), GH_OK);
    assert_int_equal(
        gh_audit_checkpoint_open(result.note, keys.verifiers, keys.verifier_count, &checkpoint),
        GH_AUDIT_NOTE_GOOD);
    assert_int_equal(checkpoint.first_seq, 1);
    /* Nor where all checkpoints went with it. */
    cutting.through = result.seq;
    append_one(fixture);
    assert_int_equal(store->ops->run(store, cut, &cutting, &fixture->arena), GH_OK);
    assert_int_equal(sign_now(fixture, &keys, &result), GH_OK);
    assert_int_equal(
        gh_audit_checkpoint_open(result.note, keys.verifiers, keys.verifier_count, &checkpoint),
        GH_AUDIT_NOTE_GOOD);
    assert_int_equal(checkpoint.first_seq, 1);
    gh_audit_keys_done(&keys);
}

static void signs_by_the_newest_however_many_there_were(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_store *store = fixture->identity.store;
    struct gh_audit_keys first = load(fixture), keys;
    struct gh_audit_signed result;
    append_one(fixture);
    for (int i = 0; i < GH_AUDIT_KEYS_MAX + 2; i++) {
        assert_int_equal(store->ops->run(store, retire_all, &fixture->now_us, &fixture->arena),
                         GH_OK);
        keys = load(fixture);
        assert_true(keys.key && gh_str_eq(keys.origin, first.name));
        assert_int_equal(keys.verifier_count,
                         i + 2 < GH_AUDIT_KEYS_MAX ? i + 2 : GH_AUDIT_KEYS_MAX);
        assert_int_equal(sign_now(fixture, &keys, &result), GH_OK);
        gh_audit_keys_done(&keys);
    }
    gh_audit_keys_done(&first);
}

static void metadata_without_a_note_have_none(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    assert_null(gh_audit_note_of(&fixture->arena, GH_STR("{}")).ptr);
    assert_null(gh_audit_note_of(&fixture->arena, GH_STR("{\"note\":3}")).ptr);
    assert_null(gh_audit_note_of(&fixture->arena, GH_STR("")).ptr);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(there_is_none_before_the_first_start, set_up, tear_down),
        cmocka_unit_test_setup_teardown(makes_one_and_finds_it_again_after_a_restart, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(signs_nothing_over_an_empty_log, set_up, tear_down),
        cmocka_unit_test_setup_teardown(signs_what_stands_before_the_record_that_holds_it, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_retired_key_verifies_and_the_chain_keeps_its_name, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            says_of_the_front_what_was_said_before_and_not_what_somebody_has_cut, set_up,
            tear_down),
        cmocka_unit_test_setup_teardown(signs_by_the_newest_however_many_there_were, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(metadata_without_a_note_have_none, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
