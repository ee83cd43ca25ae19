/* Keys of several processes over one store, and the jobs that one does for all. */
#include "identity/nodes_fixture.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <pthread.h>

#include "identity/account.h"
#include "identity/audit_key.h"
#include "identity/lease.h"
#include "identity/outbox.h"
#include "identity/passwords.h"
#include "identity/rotation.h"
#include "identity/sessions.h"

#define ALICE   "alice@example.com"
#define BOB     "bob@example.com"
#define USER    1
#define NO_ROOT ((struct gh_str){NULL, 0})

static struct gh_session_grant sign_in(struct gh_identity_fixture *node, const char *email)
{
    gh_fixture_account(node, email, FIXTURE_PASSWORD, USER);
    return gh_fixture_login(node, email, FIXTURE_PASSWORD);
}

/* ---- Keys ---- */

static void maintain(struct gh_identity_fixture *node, struct gh_identity_keys *out_keys)
{
    assert_int_equal(gh_identity_keys_maintain(node->identity.store, node->vault, &node->settings,
                                               &node->identity.random, node->now_us, &node->arena,
                                               out_keys),
                     GH_OK);
}

struct maintaining {
    struct gh_identity_fixture *node;
    pthread_barrier_t *barrier;
    struct gh_identity_keys keys;
};

static void *maintain_at_once(void *args)
{
    struct maintaining *maintaining = args;
    pthread_barrier_wait(maintaining->barrier);
    maintain(maintaining->node, &maintaining->keys);
    return NULL;
}

static void a_rotation_that_is_due_on_all_nodes_is_made_once(void **state)
{
    struct gh_nodes *world = *state;
    struct maintaining nodes[NODES];
    pthread_t threads[NODES];
    pthread_barrier_t barrier;
    pthread_barrier_init(&barrier, NULL, NODES);
    for (size_t i = 0; i < NODES; i++) {
        world->nodes[i].now_us += 31 * FIXTURE_DAY + i * FIXTURE_SECOND;
        nodes[i] = (struct maintaining){.node = &world->nodes[i], .barrier = &barrier};
        assert_int_equal(pthread_create(&threads[i], NULL, maintain_at_once, &nodes[i]), 0);
    }
    for (size_t i = 0; i < NODES; i++) {
        pthread_join(threads[i], NULL);
        gh_identity_keys_done(&nodes[i].keys);
    }
    pthread_barrier_destroy(&barrier);
    assert_int_equal(gh_nodes_audited(world, GH_AUDIT_SECRET_ROTATED), 2); /* a secret and a pair */
    for (size_t i = 0; i < NODES; i++) {
        struct gh_identity_keys keys;
        maintain(&world->nodes[i], &keys);
        assert_int_equal(keys.cookie.count, 2);
        assert_int_equal(keys.ring.count, 2);
        gh_identity_keys_done(&keys);
    }
}

static void a_key_is_known_everywhere_before_it_signs(void **state)
{
    struct gh_nodes *world = *state;
    struct gh_identity_fixture *a = &world->nodes[0], *b = &world->nodes[1];
    struct gh_identity_keys keys;
    uint8_t before[GH_SHA256_BYTES], after[GH_SHA256_BYTES];
    assert_int_equal(gh_identity_keys_digest(b->identity.store, &world->work, before), GH_OK);
    a->now_us += 31 * FIXTURE_DAY;
    maintain(a, &keys);
    gh_identity_keys_done(&keys);
    /* b sees each second that there are others, and has them all the minutes until they sign */
    assert_int_equal(gh_identity_keys_digest(b->identity.store, &world->work, after), GH_OK);
    assert_memory_not_equal(before, after, sizeof(before));
    b->now_us = a->now_us;
    gh_identity_keys_done(&b->keys);
    maintain(b, &b->keys);
    a->now_us += 11 * FIXTURE_MINUTE;
    gh_identity_keys_done(&a->keys);
    maintain(a, &a->keys);
    assert_false(gh_str_eq(a->keys.cookie.keys[0].kid, b->keys.cookie.keys[0].kid));
    b->now_us = a->now_us;
    struct gh_session_grant grant = sign_in(a, ALICE);
    assert_non_null(gh_fixture_call_as(b, grant.access_token).subject);
}

static void replace_field_key(struct gh_identity_fixture *node, struct gh_str root)
{
    bool waits = false, changed;
    assert_int_equal(gh_rotation_announce(node->vault, node->identity.store, root, node->now_us,
                                          &node->arena, &waits),
                     GH_OK);
    assert_true(waits);
    assert_int_equal(gh_rotation_begin(node->vault, node->identity.store, root, node->now_us,
                                       &node->arena, &changed),
                     GH_OK);
}

static void a_session_under_a_key_not_heard_of_goes_on(void **state)
{
    struct gh_nodes *world = *state;
    replace_field_key(&world->nodes[0], NO_ROOT); /* the others stood still all the time */
    struct gh_session_grant grant = sign_in(&world->nodes[0], ALICE), next;
    struct gh_identity_call call = gh_fixture_call(&world->nodes[1]);
    assert_int_equal(gh_session_refresh(&call, grant.refresh_token, &next), GH_IDENTITY_OK);
    assert_int_equal(gh_vault_state(world->nodes[1].vault).sealing_id,
                     gh_vault_state(world->nodes[0].vault).sealing_id);
}

static enum gh_err accept_mail(void *context, struct gh_arena *arena, struct gh_str recipient,
                               struct gh_str message_id, struct gh_str message, struct gh_str link)
{
    (*(unsigned *)context)++;
    return GH_OK;
}

static void a_mail_under_a_key_not_heard_of_is_sent(void **state)
{
    struct gh_nodes *world = *state;
    unsigned sent = 0;
    struct gh_mailer mailer = {accept_mail, &sent};
    replace_field_key(&world->nodes[0], NO_ROOT);
    gh_fixture_account(&world->nodes[0], ALICE, FIXTURE_PASSWORD, USER);
    struct gh_identity_call call = gh_fixture_call(&world->nodes[0]);
    assert_int_equal(gh_password_reset_request(&call, GH_STR(ALICE)), GH_IDENTITY_OK);
    call = gh_fixture_call(&world->nodes[1]);
    assert_int_equal(gh_outbox_step(&call, &mailer), GH_IDENTITY_OK);
    call = gh_fixture_call(&world->nodes[2]);
    assert_int_equal(gh_outbox_step(&call, &mailer), GH_IDENTITY_NOT_FOUND);
    assert_int_equal(sent, 1);
}

static void who_can_not_open_a_session_does_not_say_that_it_has_ended(void **state)
{
    struct gh_nodes *world = *state;
    replace_field_key(&world->nodes[0], GH_STR("a root that the others were not told of, long"));
    struct gh_session_grant grant = sign_in(&world->nodes[0], ALICE), next;
    struct gh_identity_call call = gh_fixture_call(&world->nodes[1]);
    assert_int_equal(gh_session_refresh(&call, grant.refresh_token, &next),
                     GH_IDENTITY_UNAVAILABLE);
    struct gh_sign_up request = {GH_STR(BOB), FIXTURE_PASSWORD, GH_STR("")};
    struct gh_account_view view;
    assert_int_equal(gh_sign_up(&call, &request, &view), GH_IDENTITY_UNAVAILABLE);
    struct gh_identity_call good = gh_fixture_call(&world->nodes[0]);
    assert_int_equal(gh_session_refresh(&good, grant.refresh_token, &next), GH_IDENTITY_OK);
}

static void who_has_missed_a_root_makes_no_key_for_checkpoints(void **state)
{
    struct gh_nodes *world = *state;
    struct gh_identity_fixture *a = &world->nodes[0], *b = &world->nodes[1];
    struct gh_audit_keys keys;
    replace_field_key(a, GH_STR("a root that the others were not told of, long"));
    assert_int_equal(gh_audit_keys_load(&b->identity, b->now_us, &b->arena, &keys), GH_ERR_INVALID);
    assert_int_equal(gh_audit_keys_load(&a->identity, a->now_us, &a->arena, &keys), GH_OK);
    assert_int_equal(keys.verifier_count, 1);
    gh_audit_keys_done(&keys);
}

static void a_key_that_some_node_may_still_seal_with_stays_for_a_day(void **state)
{
    struct gh_nodes *world = *state;
    struct gh_identity_fixture *node = &world->nodes[0];
    struct gh_rotation rotation;
    unsigned dropped = 9;
    replace_field_key(node, NO_ROOT);
    gh_rotation_init(&rotation, node->vault, node->identity.store, node->now_us + 2 * FIXTURE_HOUR);
    while (!rotation.over)
        assert_int_equal(gh_rotation_step(&rotation, &world->work), GH_OK);
    assert_int_equal(gh_rotation_drop_retired(&rotation, &world->work, &dropped), GH_OK);
    assert_int_equal(dropped, 0);
    rotation.begun_us = node->now_us + 25 * FIXTURE_HOUR;
    assert_int_equal(gh_rotation_drop_retired(&rotation, &world->work, &dropped), GH_OK);
    assert_int_equal(dropped, 1);
}

/* ---- Jobs ---- */

static bool take(struct gh_nodes *world, size_t node, enum gh_lease lease)
{
    struct gh_identity_fixture *fixture = &world->nodes[node];
    return gh_lease_take(fixture->identity.store, lease, fixture->now_us, FIXTURE_MINUTE,
                         &world->work);
}

static void a_job_is_done_by_one_node_at_a_time(void **state)
{
    struct gh_nodes *world = *state;
    assert_true(take(world, 0, GH_LEASE_PURGE));
    assert_false(take(world, 0, GH_LEASE_PURGE));
    assert_false(take(world, 1, GH_LEASE_PURGE));
    assert_true(take(world, 1, GH_LEASE_ROTATION)); /* another job */
    world->nodes[2].now_us += FIXTURE_MINUTE;
    assert_true(take(world, 2, GH_LEASE_PURGE)); /* whoever had it may be dead */
    assert_false(take(world, 2, GH_LEASE_PURGE));
    assert_false(take(world, 0, GH_LEASE_PURGE));
    world->nodes[1].now_us -= FIXTURE_HOUR; /* what was taken by a wrong clock is not waited for */
    assert_true(take(world, 1, GH_LEASE_PURGE));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, gh_nodes_open, gh_nodes_close)

static int run_all(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_rotation_that_is_due_on_all_nodes_is_made_once),
        TEST(a_key_is_known_everywhere_before_it_signs),
        TEST(a_session_under_a_key_not_heard_of_goes_on),
        TEST(a_mail_under_a_key_not_heard_of_is_sent),
        TEST(who_can_not_open_a_session_does_not_say_that_it_has_ended),
        TEST(who_has_missed_a_root_makes_no_key_for_checkpoints),
        TEST(a_key_that_some_node_may_still_seal_with_stays_for_a_day),
        TEST(a_job_is_done_by_one_node_at_a_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void)
{
    return gh_nodes_main(run_all);
}
