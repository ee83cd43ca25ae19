/* Several vaults over one store, each that of a process: nodes. */
#include "identity/vault.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "identity/identity_fixture.h"

#define NOW_US  1800000000000000ull
#define SECOND  1000000ull
#define FIELD   "accounts.email"
#define ROW     GH_STR("0b6a1c9e-2f4d-4a7e-9c1b-5d8e3f2a1b0c")
#define OLD     GH_STR_INIT("the old root secret of the tests")
#define NEW     GH_STR_INIT("the new root secret of the tests")
#define THIRD   GH_STR_INIT("the third root secret of the tests")
#define NO_ROOT ((struct gh_str){NULL, 0})
#define STARTS  8
#define STORED  GH_STR("alice@example.com")

struct toys {
    struct gh_store store; /* first: counts what is read */
    struct gh_store *inner;
    struct gh_arena arena;
    atomic_uint reads; /* nodes start on threads */
};

static const struct gh_str OLD_ROOT[] = {OLD}, NEW_ROOT[] = {NEW}, THIRD_ROOT[] = {THIRD},
                           OLD_THEN_NEW[] = {OLD, NEW}, NEW_THEN_OLD[] = {NEW, OLD};

static enum gh_err run_through(struct gh_store *store, gh_store_unit *unit, void *args,
                               struct gh_arena *arena)
{
    struct gh_store *inner = ((struct toys *)store)->inner;
    return inner->ops->run(inner, unit, args, arena);
}

static enum gh_err read_through(struct gh_store *store, gh_store_unit *unit, void *args,
                                struct gh_arena *arena)
{
    struct toys *toys = (struct toys *)store;
    atomic_fetch_add(&toys->reads, 1);
    return toys->inner->ops->read(toys->inner, unit, args, arena);
}

static const struct gh_store_ops THROUGH = {.run = run_through, .read = read_through};

static int setup(void **state)
{
    struct toys *toys = calloc(1, sizeof(*toys));
    gh_crypto_init();
    gh_arena_init(&toys->arena, 16384, 16 << 20);
    toys->store = (struct gh_store){.ops = &THROUGH, .shared = true};
    toys->inner = gh_fixture_store_open();
    *state = toys;
    return 0;
}

static int teardown(void **state)
{
    struct toys *toys = *state;
    toys->inner->ops->close(toys->inner);
    gh_arena_done(&toys->arena);
    free(toys);
    return 0;
}

static enum gh_err try_open(struct toys *toys, const struct gh_str *roots, size_t count,
                            struct gh_vault **out_vault)
{
    struct gh_str message;
    return gh_vault_open(&toys->store, roots, count, &gh_kernel_random, NOW_US, &toys->arena,
                         out_vault, &message);
}

static struct gh_vault *start(struct toys *toys, const struct gh_str *roots, size_t count)
{
    struct gh_vault *vault = NULL;
    assert_int_equal(try_open(toys, roots, count, &vault), GH_OK);
    return vault;
}

static bool starts_with(struct toys *toys, const struct gh_str *root)
{
    struct gh_vault *vault;
    if (try_open(toys, root, 1, &vault) != GH_OK)
        return false;
    gh_vault_close(vault);
    return true;
}

static struct gh_str seal(struct toys *toys, const struct gh_vault *vault)
{
    return gh_vault_seal(vault, &toys->arena, FIELD, ROW, STORED);
}

static bool opens(struct toys *toys, const struct gh_vault *vault, struct gh_str sealed)
{
    return gh_str_eq(gh_vault_open_field(vault, &toys->arena, FIELD, ROW, sealed), STORED);
}

static enum gh_err refresh(struct toys *toys, struct gh_vault *vault)
{
    return gh_vault_refresh(vault, &toys->store, NOW_US, &toys->arena);
}

static enum gh_err announce_at(struct toys *toys, struct gh_vault *vault, struct gh_str root,
                               uint64_t now_us)
{
    return gh_vault_announce(vault, &toys->store, root, now_us, &toys->arena);
}

static enum gh_err announce(struct toys *toys, struct gh_vault *vault, struct gh_str root)
{
    return announce_at(toys, vault, root, NOW_US);
}

static enum gh_err activate(struct toys *toys, struct gh_vault *vault, bool *out_changed)
{
    return gh_vault_activate(vault, &toys->store, NOW_US, &toys->arena, out_changed);
}

struct keys {
    struct gh_key_row *rows;
    size_t count, fields, indexes, retired;
};

static enum gh_err read_keys(struct gh_tx *tx, void *args)
{
    struct keys *keys = args;
    return tx->ops->keys_all(tx, &keys->rows, &keys->count);
}

static struct keys all_keys(struct toys *toys)
{
    struct keys keys = {NULL, 0};
    assert_int_equal(toys->inner->ops->read(toys->inner, read_keys, &keys, &toys->arena), GH_OK);
    for (size_t i = 0; i < keys.count; i++) {
        keys.fields += keys.rows[i].purpose == GH_KEY_FIELD;
        keys.indexes += keys.rows[i].purpose == GH_KEY_INDEX;
        keys.retired += keys.rows[i].purpose == GH_KEY_FIELD && keys.rows[i].retired_us;
    }
    return keys;
}

/* ---- Starting ---- */

struct starting {
    struct toys *toys;
    pthread_barrier_t *barrier;
    struct gh_arena arena;
    struct gh_vault *vault;
    enum gh_err err;
};

/* Reads are of different moments, so some find an empty store and some do not. */
static void *start_at_once(void *args)
{
    struct starting *starting = args;
    struct gh_str message;
    pthread_barrier_wait(starting->barrier);
    starting->err = gh_vault_open(&starting->toys->store, OLD_ROOT, 1, &gh_kernel_random, NOW_US,
                                  &starting->arena, &starting->vault, &message);
    return NULL;
}

static void starts_at_once_on_an_empty_store_make_one_set_of_keys(void **state)
{
    struct toys *toys = *state;
    struct starting nodes[STARTS];
    pthread_t threads[STARTS];
    pthread_barrier_t barrier;
    uint8_t first[GH_SHA256_BYTES], other[GH_SHA256_BYTES];
    pthread_barrier_init(&barrier, NULL, STARTS);
    for (size_t i = 0; i < STARTS; i++) {
        nodes[i] = (struct starting){.toys = toys, .barrier = &barrier};
        gh_arena_init(&nodes[i].arena, 16384, 1 << 20);
        assert_int_equal(pthread_create(&threads[i], NULL, start_at_once, &nodes[i]), 0);
    }
    for (size_t i = 0; i < STARTS; i++)
        pthread_join(threads[i], NULL);
    struct keys keys = all_keys(toys);
    assert_int_equal(keys.indexes, 1);
    assert_int_equal(keys.fields, 1);
    gh_vault_index(nodes[0].vault, FIELD, STORED, first);
    for (size_t i = 0; i < STARTS; i++) {
        assert_int_equal(nodes[i].err, GH_OK);
        assert_true(opens(toys, nodes[0].vault, seal(toys, nodes[i].vault)));
        gh_vault_index(nodes[i].vault, FIELD, STORED, other);
        assert_memory_equal(first, other, sizeof(first));
    }
    for (size_t i = 0; i < STARTS; i++) {
        gh_vault_close(nodes[i].vault);
        gh_arena_done(&nodes[i].arena);
    }
    pthread_barrier_destroy(&barrier);
}

static void a_start_under_a_new_root_leaves_the_others_theirs(void **state)
{
    struct toys *toys = *state;
    struct gh_vault *a = start(toys, OLD_ROOT, 1), *b = start(toys, NEW_THEN_OLD, 2);
    assert_true(opens(toys, a, seal(toys, b)));
    assert_int_equal(refresh(toys, a), GH_OK);
    assert_true(starts_with(toys, OLD_ROOT)); /* as one does that has crashed meanwhile */
    assert_false(starts_with(toys, NEW_ROOT));
    assert_true(gh_vault_is_other_root(b, NO_ROOT));
    assert_false(gh_vault_is_other_root(a, NO_ROOT));
    gh_vault_close(a);
    gh_vault_close(b);
}

/* ---- A new field key ---- */

static void a_new_key_seals_nothing_before_everybody_can_open_it(void **state)
{
    struct toys *toys = *state;
    struct gh_vault *a = start(toys, OLD_ROOT, 1), *b = start(toys, OLD_ROOT, 1);
    uint32_t first = gh_vault_state(a).sealing_id;
    bool changed = true;
    assert_int_equal(announce(toys, a, NO_ROOT), GH_OK);
    assert_int_equal(gh_vault_key_id(seal(toys, a)), first);
    assert_int_equal(refresh(toys, b), GH_OK);
    assert_int_equal(gh_vault_key_id(seal(toys, b)), first);
    struct gh_vault *late = start(toys, OLD_ROOT, 1);
    assert_int_equal(gh_vault_key_id(seal(toys, late)), first);

    assert_int_equal(activate(toys, a, &changed), GH_OK);
    assert_false(changed);
    struct gh_str by_new = seal(toys, a);
    assert_int_not_equal(gh_vault_key_id(by_new), first);
    assert_true(opens(toys, b, by_new)); /* which has not looked again */
    assert_true(opens(toys, late, by_new));
    struct gh_str by_old = seal(toys, b);
    assert_int_equal(gh_vault_key_id(by_old), first);
    assert_true(opens(toys, a, by_old));
    assert_int_equal(refresh(toys, b), GH_OK);
    assert_int_equal(gh_vault_key_id(seal(toys, b)), gh_vault_key_id(by_new));
    assert_int_equal(all_keys(toys).retired, 1);
    gh_vault_close(a);
    gh_vault_close(b);
    gh_vault_close(late);
}

static void two_rotations_at_once_make_one_key(void **state)
{
    struct toys *toys = *state;
    struct gh_vault *a = start(toys, OLD_ROOT, 1), *b = start(toys, OLD_ROOT, 1);
    bool changed;
    assert_int_equal(announce(toys, a, NO_ROOT), GH_OK);
    assert_int_equal(announce(toys, b, NO_ROOT), GH_OK);
    assert_int_equal(activate(toys, a, &changed), GH_OK);
    assert_int_equal(activate(toys, b, &changed), GH_OK);
    assert_int_equal(all_keys(toys).fields, 2);
    assert_int_equal(gh_vault_state(a).sealing_id, gh_vault_state(b).sealing_id);
    gh_vault_close(a);
    gh_vault_close(b);
}

static void goes_on_with_what_a_dead_process_has_announced(void **state)
{
    struct toys *toys = *state;
    struct gh_vault *a = start(toys, OLD_ROOT, 1);
    bool changed;
    assert_int_equal(announce(toys, a, NO_ROOT), GH_OK);
    gh_vault_close(a);
    struct gh_vault *b = start(toys, OLD_ROOT, 1);
    assert_int_equal(activate(toys, b, &changed), GH_ERR_NOT_FOUND);
    assert_int_equal(announce(toys, b, NO_ROOT), GH_OK);
    assert_int_equal(activate(toys, b, &changed), GH_OK);
    assert_int_equal(all_keys(toys).fields, 2);
    gh_vault_close(b);
}

/* ---- A new root ---- */

static void a_new_root_wraps_all_once_everybody_knows_it(void **state)
{
    struct toys *toys = *state;
    struct gh_vault *a = start(toys, OLD_ROOT, 1), *b = start(toys, OLD_THEN_NEW, 2);
    struct gh_str before = seal(toys, b);
    bool changed = false;
    assert_int_equal(announce(toys, a, NEW_ROOT[0]), GH_OK);
    assert_int_equal(refresh(toys, b), GH_OK);
    assert_int_equal(activate(toys, a, &changed), GH_OK);
    assert_true(changed);
    assert_true(starts_with(toys, NEW_ROOT));
    assert_false(starts_with(toys, OLD_ROOT));
    assert_true(opens(toys, a, before));
    assert_true(opens(toys, b, seal(toys, a)));
    /* b wraps as the others do from its next look on, though it was started with the old one */
    assert_int_equal(refresh(toys, b), GH_OK);
    const char *use = gh_vault_key_use(GH_KEY_COOKIE);
    struct gh_str wrapped = gh_vault_wrap(b, &toys->arena, use, GH_STR("a secret"));
    struct gh_vault *c = start(toys, NEW_ROOT, 1);
    assert_true(gh_str_eq(gh_vault_unwrap(c, &toys->arena, use, wrapped), GH_STR("a secret")));
    gh_vault_close(a);
    gh_vault_close(b);
    gh_vault_close(c);
}

static void who_does_not_know_the_root_takes_the_new_key_back(void **state)
{
    struct toys *toys = *state;
    struct gh_vault *a = start(toys, OLD_ROOT, 1), *b = start(toys, OLD_ROOT, 1);
    bool changed;
    assert_int_equal(announce(toys, a, NEW_ROOT[0]), GH_OK);
    assert_int_equal(refresh(toys, b), GH_OK);
    assert_true(starts_with(toys, OLD_ROOT));
    assert_int_equal(activate(toys, a, &changed), GH_ERR_REFUSED);
    assert_true(opens(toys, b, seal(toys, a)));
    assert_true(opens(toys, a, seal(toys, b)));
    struct keys keys = all_keys(toys);
    assert_int_equal(keys.fields, 1);
    assert_int_equal(keys.retired, 0);
    assert_true(starts_with(toys, OLD_ROOT));
    assert_int_equal(refresh(toys, a), GH_OK);
    gh_vault_close(a);
    gh_vault_close(b);
}

static void a_root_that_was_learnt_since_the_start_opens_too(void **state)
{
    struct toys *toys = *state;
    struct gh_vault *a = start(toys, OLD_ROOT, 1), *b = start(toys, OLD_ROOT, 1);
    bool changed;
    assert_int_equal(announce(toys, a, NEW_ROOT[0]), GH_OK);
    assert_int_equal(gh_vault_learn_root(b, NEW_ROOT[0]), GH_OK);
    assert_int_equal(gh_vault_learn_root(b, NEW_ROOT[0]), GH_OK);
    assert_int_equal(refresh(toys, b), GH_OK);
    assert_int_equal(activate(toys, a, &changed), GH_OK);
    assert_int_equal(refresh(toys, b), GH_OK);
    assert_true(opens(toys, a, seal(toys, b)));
    gh_vault_close(a);
    gh_vault_close(b);
}

static void a_start_takes_back_what_it_cannot_open(void **state)
{
    struct toys *toys = *state;
    struct gh_vault *a = start(toys, OLD_ROOT, 1);
    bool changed;
    assert_int_equal(announce(toys, a, NEW_ROOT[0]), GH_OK);
    assert_true(starts_with(toys, OLD_ROOT));
    assert_int_equal(activate(toys, a, &changed), GH_ERR_REFUSED);
    gh_vault_close(a);
}

static void a_key_that_was_taken_back_is_in_nobodys_way(void **state)
{
    struct toys *toys = *state;
    struct gh_vault *a = start(toys, OLD_ROOT, 1), *b = start(toys, OLD_ROOT, 1);
    bool changed;
    assert_int_equal(announce(toys, a, NEW_ROOT[0]), GH_OK);
    gh_vault_close(a); /* it died before it was told */
    assert_int_equal(refresh(toys, b), GH_OK);
    assert_int_equal(announce(toys, b, NO_ROOT), GH_OK);
    assert_int_equal(activate(toys, b, &changed), GH_OK);
    assert_int_equal(all_keys(toys).fields, 2);
    assert_true(starts_with(toys, OLD_ROOT));
    gh_vault_close(b);
}

static void two_new_roots_at_once_are_one_too_many(void **state)
{
    struct toys *toys = *state;
    struct gh_vault *a = start(toys, OLD_ROOT, 1), *b = start(toys, OLD_THEN_NEW, 2);
    bool changed;
    assert_int_equal(announce(toys, a, NEW_ROOT[0]), GH_OK);
    assert_int_equal(announce(toys, b, THIRD_ROOT[0]), GH_ERR_EXISTS);
    assert_int_equal(announce(toys, b, NO_ROOT), GH_ERR_EXISTS);
    assert_int_equal(activate(toys, b, &changed), GH_ERR_NOT_FOUND);
    /* until it is known that nobody goes on with it */
    assert_int_equal(announce_at(toys, b, THIRD_ROOT[0], NOW_US + 601 * SECOND), GH_OK);
    assert_int_equal(activate(toys, a, &changed), GH_ERR_REFUSED);
    assert_int_equal(activate(toys, b, &changed), GH_OK);
    assert_true(starts_with(toys, THIRD_ROOT));
    gh_vault_close(a);
    gh_vault_close(b);
}

static void who_has_missed_a_new_root_makes_nothing_that_could_be_lost(void **state)
{
    struct toys *toys = *state;
    struct gh_vault *a = start(toys, OLD_ROOT, 1), *b = start(toys, OLD_ROOT, 1);
    struct gh_str before = seal(toys, a);
    bool changed;
    assert_int_equal(announce(toys, a, NEW_ROOT[0]), GH_OK);
    assert_int_equal(activate(toys, a, &changed), GH_OK); /* b stood still all the time */
    struct keys keys = all_keys(toys);
    assert_false(gh_vault_wraps_like(b, &toys->arena, keys.rows, keys.count));
    assert_true(gh_vault_wraps_like(a, &toys->arena, keys.rows, keys.count));
    assert_int_equal(refresh(toys, b), GH_ERR_INVALID);
    assert_null(seal(toys, b).ptr);
    assert_null(gh_vault_wrap(b, &toys->arena, "keys.cookie", GH_STR("a secret")).ptr);
    assert_true(opens(toys, b, before));
    assert_false(opens(toys, b, seal(toys, a)));
    gh_vault_close(a);
    gh_vault_close(b);
}

/* ---- Catching up ---- */

static bool catch_up(struct toys *toys, struct gh_vault *vault, uint64_t seen, uint64_t now_us)
{
    return gh_vault_catch_up(vault, &toys->store, seen, now_us, &toys->arena);
}

static void finds_the_key_of_a_value_that_it_does_not_know(void **state)
{
    struct toys *toys = *state;
    struct gh_vault *a = start(toys, OLD_ROOT, 1), *b = start(toys, OLD_ROOT, 1);
    bool changed;
    assert_int_equal(announce(toys, a, NO_ROOT), GH_OK);
    assert_int_equal(activate(toys, a, &changed), GH_OK); /* b stood still all the time */
    struct gh_str sealed = seal(toys, a);
    uint64_t unknown = gh_vault_unknown(b, &toys->arena), seen = gh_vault_changes(b);
    assert_false(opens(toys, b, sealed));
    assert_int_equal(gh_vault_unknown(b, &toys->arena), unknown + 1);
    assert_true(catch_up(toys, b, seen, NOW_US));
    assert_true(opens(toys, b, sealed));
    unsigned reads = toys->reads;
    assert_true(catch_up(toys, b, seen, NOW_US)); /* for another thread that met it */
    assert_int_equal(toys->reads, reads);
    gh_vault_close(a);
    gh_vault_close(b);
}

static void rubbish_makes_it_look_once_a_second_and_no_more(void **state)
{
    struct toys *toys = *state;
    struct gh_vault *vault = start(toys, OLD_ROOT, 1);
    struct gh_str rubbish = gh_arena_dup(&toys->arena, seal(toys, vault));
    ((char *)rubbish.ptr)[1] = 77; /* of the key's id */
    assert_false(opens(toys, vault, rubbish));
    unsigned reads = toys->reads;
    for (unsigned i = 0; i < 100; i++)
        assert_false(catch_up(toys, vault, gh_vault_changes(vault), NOW_US + i));
    assert_int_equal(toys->reads, reads + 1);
    assert_false(catch_up(toys, vault, gh_vault_changes(vault), NOW_US + SECOND));
    assert_int_equal(toys->reads, reads + 2);
    assert_false(catch_up(toys, vault, gh_vault_changes(vault), NOW_US - SECOND)); /* set back */
    assert_int_equal(toys->reads, reads + 3);
    gh_vault_close(vault);
}

static void a_call_that_meets_rubbish_is_not_taken_for_those_beside_it(void **state)
{
    struct toys *toys = *state;
    struct gh_vault *vault = start(toys, OLD_ROOT, 1);
    struct gh_str rubbish = gh_arena_dup(&toys->arena, seal(toys, vault));
    struct gh_arena others[64];
    unsigned taken = 0;
    ((char *)rubbish.ptr)[1] = 77; /* of the key's id */
    assert_false(opens(toys, vault, rubbish));
    for (size_t i = 0; i < 64; i++)
        taken += gh_vault_unknown(vault, &others[i]) != 0;
    assert_true(taken <= 4);
    gh_vault_close(vault);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(starts_at_once_on_an_empty_store_make_one_set_of_keys),
        TEST(a_start_under_a_new_root_leaves_the_others_theirs),
        TEST(a_new_key_seals_nothing_before_everybody_can_open_it),
        TEST(two_rotations_at_once_make_one_key),
        TEST(goes_on_with_what_a_dead_process_has_announced),
        TEST(a_new_root_wraps_all_once_everybody_knows_it),
        TEST(who_does_not_know_the_root_takes_the_new_key_back),
        TEST(a_root_that_was_learnt_since_the_start_opens_too),
        TEST(a_start_takes_back_what_it_cannot_open),
        TEST(a_key_that_was_taken_back_is_in_nobodys_way),
        TEST(two_new_roots_at_once_are_one_too_many),
        TEST(who_has_missed_a_new_root_makes_nothing_that_could_be_lost),
        TEST(finds_the_key_of_a_value_that_it_does_not_know),
        TEST(rubbish_makes_it_look_once_a_second_and_no_more),
        TEST(a_call_that_meets_rubbish_is_not_taken_for_those_beside_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
