/* Several processes over one store (nodes): what one has done holds on the others, and what is to
   happen once happens once. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "crypto/totp.h"
#include "identity/account.h"
#include "identity/admin.h"
#include "identity/identity_fixture.h"
#include "identity/lease.h"
#include "identity/outbox.h"
#include "identity/passwords.h"
#include "identity/rotation.h"
#include "identity/session_news.h"
#include "identity/sessions.h"
#include "store/postgres_fixture.h"

#define ALICE   "alice@example.com"
#define BOB     "bob@example.com"
#define USER    1
#define ADMIN   2
#define NODES   3
#define RACERS  24
#define SECRET  GH_STR("a secret of 20 bytes")
#define NO_ROOT ((struct gh_str){NULL, 0})

struct world {
    struct gh_postgres_fixture *postgres; /* NULL: over one store in memory */
    struct gh_identity_fixture nodes[NODES];
    struct gh_session_news news[NODES];
    struct gh_arena work;
};

/* Over PostgreSQL each has connections of its own. */
static void open_nodes(struct world *world)
{
    struct gh_postgres_fixture *postgres = world->postgres;
    if (postgres) {
        gh_postgres_fixture_fresh(postgres);
        gh_identity_fixture_open_over(&world->nodes[0], gh_postgres_fixture_open(postgres));
    } else {
        gh_identity_fixture_open(&world->nodes[0]);
    }
    for (size_t i = 1; i < NODES; i++)
        gh_identity_fixture_join(&world->nodes[i], &world->nodes[0],
                                 postgres ? gh_postgres_fixture_open(postgres) : NULL);
}

static struct world the_world;

static int setup(void **state)
{
    struct world *world = &the_world;
    open_nodes(world);
    for (size_t i = 0; i < NODES; i++) {
        world->news[i] = (struct gh_session_news){.cursor = 0};
        gh_revocations_share(world->nodes[i].identity.revocations, 1000);
    }
    gh_arena_init(&world->work, 8192, 16 << 20);
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;
    for (size_t i = NODES; i-- > 0;)
        gh_identity_fixture_close(&world->nodes[i]);
    gh_arena_done(&world->work);
    return 0;
}

/* What the watch of a node does (app/identity_watch.c). */
static void read_news(struct world *world, size_t node)
{
    struct gh_identity_fixture *fixture = &world->nodes[node];
    assert_int_equal(gh_session_news_read(&world->news[node], fixture->identity.store,
                                          fixture->identity.revocations, fixture->now_us,
                                          fixture->now_us / 1000, &world->work),
                     GH_OK);
}

static bool sees_end(struct world *world, size_t node, const struct gh_session_grant *grant)
{
    read_news(world, node);
    return gh_fixture_is_revoked(&world->nodes[node], grant->access_token);
}

static struct gh_session_grant sign_in(struct gh_identity_fixture *node, const char *email)
{
    gh_fixture_account(node, email, FIXTURE_PASSWORD, USER);
    return gh_fixture_login(node, email, FIXTURE_PASSWORD);
}

/* ---- Many at once, on all nodes ---- */

struct racer;
typedef enum gh_identity_result racing(struct racer *racer, struct gh_identity_call *call);
struct racer {
    struct gh_identity_fixture *node;
    struct gh_arena arena;
    pthread_barrier_t *barrier;
    racing *race;
    struct gh_str text, other;
    struct gh_session_grant grant;
    enum gh_identity_result result;
};

static void *run_racer(void *args)
{
    struct racer *racer = args;
    struct gh_identity_call call = gh_fixture_call(racer->node);
    call.arena = &racer->arena;
    pthread_barrier_wait(racer->barrier);
    racer->result = racer->race(racer, &call);
    return NULL;
}

/* How many of them came to `wanted`. */
static size_t run_race(struct world *world, racing *race, struct gh_str text, struct gh_str other,
                       struct racer racers[RACERS], enum gh_identity_result wanted)
{
    pthread_t threads[RACERS];
    pthread_barrier_t barrier;
    size_t count = 0;
    pthread_barrier_init(&barrier, NULL, RACERS);
    for (size_t i = 0; i < RACERS; i++) {
        racers[i] = (struct racer){.node = &world->nodes[i % NODES],
                                   .barrier = &barrier,
                                   .race = race,
                                   .text = text,
                                   .other = other};
        gh_arena_init(&racers[i].arena, 8192, 4 << 20);
        assert_int_equal(pthread_create(&threads[i], NULL, run_racer, &racers[i]), 0);
    }
    for (size_t i = 0; i < RACERS; i++) {
        pthread_join(threads[i], NULL);
        count += racers[i].result == wanted;
    }
    pthread_barrier_destroy(&barrier);
    return count;
}

static void end_race(struct racer racers[RACERS])
{
    for (size_t i = 0; i < RACERS; i++)
        gh_arena_done(&racers[i].arena);
}

static enum gh_identity_result race_refresh(struct racer *racer, struct gh_identity_call *call)
{
    return gh_session_refresh(call, racer->text, &racer->grant);
}

static void a_token_refreshed_on_all_nodes_has_one_successor(void **state)
{
    struct world *world = *state;
    struct racer racers[RACERS];
    struct gh_session_grant grant = sign_in(&world->nodes[0], ALICE);
    struct gh_session_row row;
    assert_int_equal(
        run_race(world, race_refresh, grant.refresh_token, NO_ROOT, racers, GH_IDENTITY_OK),
        RACERS);
    for (size_t i = 0; i < RACERS; i++)
        assert_true(gh_str_eq(racers[i].grant.refresh_token, racers[0].grant.refresh_token));
    assert_true(gh_fixture_session_row(&world->nodes[1], gh_id_str(&grant.session_id), &row));
    assert_int_equal(row.counter, 1);
    end_race(racers);
}

/* Each node has a chain of the log to itself where it has its own way to the store. */
static size_t audited(struct world *world, enum gh_audit_event event)
{
    size_t count = gh_fixture_audit_count(&world->nodes[0], event, NULL);
    for (size_t i = 1; world->postgres && i < NODES; i++)
        count += gh_fixture_audit_count(&world->nodes[i], event, NULL);
    return count;
}

static void a_token_replayed_on_all_nodes_ends_one_family_once(void **state)
{
    struct world *world = *state;
    struct racer racers[RACERS];
    struct gh_session_grant grant = sign_in(&world->nodes[0], ALICE), next;
    struct gh_identity_call call = gh_fixture_call(&world->nodes[1]);
    assert_int_equal(gh_session_refresh(&call, grant.refresh_token, &next), GH_IDENTITY_OK);
    for (size_t i = 0; i < NODES; i++)
        world->nodes[i].now_us += FIXTURE_MINUTE;
    assert_int_equal(run_race(world, race_refresh, grant.refresh_token, NO_ROOT, racers,
                              GH_IDENTITY_SESSION_REUSED),
                     1);
    end_race(racers);
    assert_int_equal(audited(world, GH_AUDIT_SESSION_REVOKED), 1);
    for (size_t i = 0; i < NODES; i++)
        assert_true(sees_end(world, i, &next));
}

static enum gh_identity_result race_sign_up(struct racer *racer, struct gh_identity_call *call)
{
    struct gh_sign_up request = {racer->text, FIXTURE_PASSWORD, GH_STR("")};
    struct gh_account_view view;
    return gh_sign_up(call, &request, &view);
}

static size_t account_count(struct world *world)
{
    struct gh_identity_call call = gh_fixture_call(&world->nodes[0]);
    struct gh_user_query query = {.limit = 100};
    struct gh_account_view *users;
    size_t count;
    assert_int_equal(gh_users_page(&call, &query, &users, &count), GH_IDENTITY_OK);
    return count;
}

static void sign_ups_of_one_address_make_one_account_and_say_the_same(void **state)
{
    struct world *world = *state;
    struct racer racers[RACERS];
    assert_int_equal(run_race(world, race_sign_up, GH_STR(ALICE), NO_ROOT, racers, GH_IDENTITY_OK),
                     RACERS);
    end_race(racers);
    assert_int_equal(account_count(world), 1);
}

static void sign_ups_without_confirmation_tell_one_of_them_that_it_is_theirs(void **state)
{
    struct world *world = *state;
    struct racer racers[RACERS];
    size_t taken = 0;
    for (size_t i = 0; i < NODES; i++)
        world->nodes[i].settings.verify_email = false;
    assert_int_equal(run_race(world, race_sign_up, GH_STR(ALICE), NO_ROOT, racers, GH_IDENTITY_OK),
                     1);
    for (size_t i = 0; i < RACERS; i++)
        taken += racers[i].result == GH_IDENTITY_EMAIL_TAKEN;
    assert_int_equal(taken, RACERS - 1);
    end_race(racers);
    assert_int_equal(account_count(world), 1);
}

static enum gh_identity_result race_reset(struct racer *racer, struct gh_identity_call *call)
{
    return gh_password_reset(call, racer->text, FIXTURE_PASSWORD2);
}

static void a_link_is_used_on_one_node(void **state)
{
    struct world *world = *state;
    struct racer racers[RACERS];
    struct gh_str id = gh_fixture_account(&world->nodes[0], ALICE, FIXTURE_PASSWORD, USER);
    struct gh_str token = gh_fixture_ticket(&world->nodes[0], GH_TICKET_RESET, id, GH_STR(""));
    assert_int_equal(run_race(world, race_reset, token, NO_ROOT, racers, GH_IDENTITY_OK), 1);
    end_race(racers);
}

static enum gh_identity_result race_second_step(struct racer *racer, struct gh_identity_call *call)
{
    struct gh_login request = {GH_STR(ALICE), FIXTURE_PASSWORD, .remember = false};
    struct gh_login_answer answer;
    enum gh_identity_result result = gh_login(call, &request, &answer);
    if (result != GH_IDENTITY_OK)
        return result;
    return gh_login_second_step(call, answer.challenge, racer->text, &racer->grant);
}

static void a_code_opens_one_session_on_one_node(void **state)
{
    struct world *world = *state;
    struct racer racers[RACERS];
    struct gh_account account;
    char code[GH_TOTP_DIGITS + 1];
    struct gh_identity_fixture *node = &world->nodes[0];
    struct gh_str id = gh_fixture_account(node, ALICE, FIXTURE_PASSWORD, USER);
    assert_true(gh_fixture_account_row(node, id, &account));
    account.totp_secret =
        gh_vault_seal(node->vault, &node->arena, "accounts.totp_secret", id, SECRET);
    account.totp_enabled = true;
    gh_fixture_account_put(node, &account);
    gh_totp_code(SECRET, node->now_us / FIXTURE_SECOND / GH_TOTP_STEP_SECONDS, code);
    assert_int_equal(
        run_race(world, race_second_step, gh_str_from_c(code), NO_ROOT, racers, GH_IDENTITY_OK), 1);
    end_race(racers);
}

static enum gh_identity_result race_guess(struct racer *racer, struct gh_identity_call *call)
{
    struct gh_login request = {GH_STR(ALICE), racer->text, .remember = false};
    struct gh_login_answer answer;
    return gh_login(call, &request, &answer);
}

static void guesses_on_all_nodes_are_counted_together(void **state)
{
    struct world *world = *state;
    struct racer racers[RACERS];
    gh_fixture_account(&world->nodes[0], ALICE, FIXTURE_PASSWORD, USER);
    size_t told = run_race(world, race_guess, GH_STR("a wrong password, guessed"), NO_ROOT, racers,
                           GH_IDENTITY_BAD_CREDENTIALS);
    end_race(racers);
    assert_int_equal(told, 6); /* five are free, the sixth brings the delay */
    for (size_t i = 0; i < NODES; i++) {
        struct gh_identity_call call = gh_fixture_call(&world->nodes[i]);
        struct gh_login request = {GH_STR(ALICE), FIXTURE_PASSWORD, .remember = false};
        struct gh_login_answer answer;
        assert_int_equal(gh_login(&call, &request, &answer), GH_IDENTITY_THROTTLED);
    }
}

static enum gh_identity_result race_setup(struct racer *racer, struct gh_identity_call *call)
{
    char email[48];
    struct gh_account_view view;
    snprintf(email, sizeof(email), "admin%zu@example.com", (size_t)racer % 100000);
    return gh_setup_admin(call, racer->text, gh_str_from_c(email), FIXTURE_PASSWORD, &view);
}

static void each_node_has_a_setup_token_and_one_makes_the_first_admin(void **state)
{
    struct world *world = *state;
    struct racer racers[RACERS];
    struct gh_str tokens[NODES];
    for (size_t i = 0; i < NODES; i++) {
        struct gh_identity_call call = gh_fixture_call(&world->nodes[i]);
        assert_int_equal(gh_setup_token(&call, &tokens[i]), GH_IDENTITY_OK);
        assert_non_null(tokens[i].ptr);
    }
    /* the first one is good still, on every node */
    assert_int_equal(run_race(world, race_setup, tokens[0], NO_ROOT, racers, GH_IDENTITY_OK), 1);
    end_race(racers);
    struct gh_identity_call call = gh_fixture_call(&world->nodes[1]);
    struct gh_account_view view;
    assert_int_not_equal(gh_setup_admin(&call, tokens[1], GH_STR(BOB), FIXTURE_PASSWORD, &view),
                         GH_IDENTITY_OK);
    assert_int_equal(gh_setup_token(&call, &tokens[1]), GH_IDENTITY_OK);
    assert_null(tokens[1].ptr);
}

/* ---- Sessions that end elsewhere ---- */

static void a_logout_is_seen_on_the_others_whatever_their_clocks_say(void **state)
{
    struct world *world = *state;
    struct gh_session_grant grant = sign_in(&world->nodes[0], ALICE);
    world->nodes[1].now_us -= 5 * FIXTURE_SECOND;
    world->nodes[2].now_us += 5 * FIXTURE_SECOND;
    for (size_t i = 0; i < NODES; i++)
        read_news(world, i);
    /* by the node whose clock is behind: its row ends before those that the others make */
    struct gh_session_grant other = sign_in(&world->nodes[2], BOB);
    struct gh_identity_call call = gh_fixture_call(&world->nodes[2]);
    assert_int_equal(gh_logout(&call, other.refresh_token), GH_IDENTITY_OK);
    for (size_t i = 0; i < NODES; i++)
        read_news(world, i);
    call = gh_fixture_call(&world->nodes[1]);
    assert_int_equal(gh_logout(&call, grant.refresh_token), GH_IDENTITY_OK);
    assert_false(gh_fixture_is_revoked(&world->nodes[0], grant.access_token));
    assert_true(sees_end(world, 0, &grant));
    assert_true(gh_revocations_is_current(world->nodes[0].identity.revocations,
                                          world->nodes[0].now_us / 1000 + 1000));
    assert_false(gh_revocations_is_current(world->nodes[0].identity.revocations,
                                           world->nodes[0].now_us / 1000 + 1001));
    world->nodes[2].now_us -= 5 * FIXTURE_SECOND; /* for it the token has not expired */
    assert_true(sees_end(world, 2, &grant));
}

static struct gh_str admin_token(struct gh_identity_fixture *node)
{
    node->settings.required_for = 0;
    gh_fixture_account(node, "root@example.com", FIXTURE_PASSWORD, USER | ADMIN);
    return gh_fixture_login(node, "root@example.com", FIXTURE_PASSWORD).access_token;
}

static void what_an_admin_does_on_one_node_holds_on_the_others(void **state)
{
    struct world *world = *state;
    struct gh_identity_fixture *node = &world->nodes[0];
    struct gh_account_view view;
    struct gh_session_grant grant = sign_in(&world->nodes[1], ALICE), refreshed;
    struct gh_str id = gh_id_str(&grant.account.id);
    struct gh_identity_call admin = gh_fixture_call_as(node, admin_token(node));

    assert_int_equal(gh_user_set_roles(&admin, id, USER | 4, &view), GH_IDENTITY_OK);
    assert_true(sees_end(world, 1, &grant)); /* its token names the old roles */
    struct gh_identity_call call = gh_fixture_call(&world->nodes[2]);
    assert_int_equal(gh_session_refresh(&call, grant.refresh_token, &refreshed), GH_IDENTITY_OK);
    assert_int_equal(refreshed.account.roles, USER | 4);

    assert_int_equal(gh_user_disable(&admin, id), GH_IDENTITY_OK);
    assert_true(sees_end(world, 1, &refreshed));
    assert_int_equal(gh_session_refresh(&call, refreshed.refresh_token, &refreshed),
                     GH_IDENTITY_SESSION_ENDED);
    assert_int_equal(gh_user_enable(&admin, id), GH_IDENTITY_OK);
    grant = gh_fixture_login(&world->nodes[2], ALICE, FIXTURE_PASSWORD);
    assert_int_equal(gh_user_delete(&admin, id), GH_IDENTITY_OK);
    assert_true(sees_end(world, 1, &grant));
}

static void a_new_password_ends_the_sessions_of_the_other_nodes(void **state)
{
    struct world *world = *state;
    struct gh_session_grant grant = sign_in(&world->nodes[0], ALICE);
    struct gh_session_grant other = gh_fixture_login(&world->nodes[1], ALICE, FIXTURE_PASSWORD);
    struct gh_identity_call call = gh_fixture_call_as(&world->nodes[0], grant.access_token);
    assert_int_equal(gh_password_change(&call, FIXTURE_PASSWORD, NO_ROOT, FIXTURE_PASSWORD2),
                     GH_IDENTITY_OK);
    assert_true(sees_end(world, 1, &other));
    assert_true(sees_end(world, 2, &other));
    struct gh_identity_call again = gh_fixture_call(&world->nodes[2]);
    struct gh_login request = {GH_STR(ALICE), FIXTURE_PASSWORD, .remember = false};
    struct gh_login_answer answer;
    assert_int_equal(gh_login(&again, &request, &answer), GH_IDENTITY_BAD_CREDENTIALS);
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
    struct world *world = *state;
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
    assert_int_equal(audited(world, GH_AUDIT_SECRET_ROTATED), 2); /* a secret and a pair */
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
    struct world *world = *state;
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
    struct world *world = *state;
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
    struct world *world = *state;
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
    struct world *world = *state;
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

static void a_key_that_some_node_may_still_seal_with_stays_for_a_day(void **state)
{
    struct world *world = *state;
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

static bool take(struct world *world, size_t node, enum gh_lease lease)
{
    struct gh_identity_fixture *fixture = &world->nodes[node];
    return gh_lease_take(fixture->identity.store, lease, fixture->now_us, FIXTURE_MINUTE,
                         &world->work);
}

static void a_job_is_done_by_one_node_at_a_time(void **state)
{
    struct world *world = *state;
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_token_refreshed_on_all_nodes_has_one_successor),
        TEST(a_token_replayed_on_all_nodes_ends_one_family_once),
        TEST(sign_ups_of_one_address_make_one_account_and_say_the_same),
        TEST(sign_ups_without_confirmation_tell_one_of_them_that_it_is_theirs),
        TEST(a_link_is_used_on_one_node),
        TEST(a_code_opens_one_session_on_one_node),
        TEST(guesses_on_all_nodes_are_counted_together),
        TEST(each_node_has_a_setup_token_and_one_makes_the_first_admin),
        TEST(a_logout_is_seen_on_the_others_whatever_their_clocks_say),
        TEST(what_an_admin_does_on_one_node_holds_on_the_others),
        TEST(a_new_password_ends_the_sessions_of_the_other_nodes),
        TEST(a_rotation_that_is_due_on_all_nodes_is_made_once),
        TEST(a_key_is_known_everywhere_before_it_signs),
        TEST(a_session_under_a_key_not_heard_of_goes_on),
        TEST(a_mail_under_a_key_not_heard_of_is_sent),
        TEST(who_can_not_open_a_session_does_not_say_that_it_has_ended),
        TEST(a_key_that_some_node_may_still_seal_with_stays_for_a_day),
        TEST(a_job_is_done_by_one_node_at_a_time),
    };
    static struct gh_postgres_fixture postgres;
    if (!getenv("GH_TEST_POSTGRESQL"))
        return cmocka_run_group_tests(tests, NULL, NULL);
    if (!gh_postgres_fixture_start(&postgres))
        return GH_POSTGRES_SKIPPED;
    the_world.postgres = &postgres;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    gh_postgres_fixture_done(&postgres);
    return failed;
}
