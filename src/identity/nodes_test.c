/* Several processes over one store (nodes): what one has done holds on the others, and what is to
   happen once happens once. Their keys: nodes_keys_test.c. */
#include "identity/nodes_fixture.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>

#include "crypto/totp.h"
#include "identity/account.h"
#include "identity/admin.h"
#include "identity/passwords.h"
#include "identity/sessions.h"

#define ALICE   "alice@example.com"
#define BOB     "bob@example.com"
#define USER    1
#define ADMIN   2
#define RACERS  24
#define SECRET  GH_STR("a secret of 20 bytes")
#define NO_ROOT ((struct gh_str){NULL, 0})

/* What the watch of a node does (app/identity_watch.c). */
static void read_news(struct gh_nodes *world, size_t node)
{
    struct gh_identity_fixture *fixture = &world->nodes[node];
    assert_int_equal(gh_session_news_read(&world->news[node], fixture->identity.store,
                                          fixture->identity.revocations, fixture->now_us,
                                          fixture->now_us / 1000, &world->work),
                     GH_OK);
}

static bool sees_end(struct gh_nodes *world, size_t node, const struct gh_session_grant *grant)
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
static size_t run_race(struct gh_nodes *world, racing *race, struct gh_str text,
                       struct gh_str other, struct racer racers[RACERS],
                       enum gh_identity_result wanted)
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
    struct gh_nodes *world = *state;
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

static void a_token_replayed_on_all_nodes_ends_one_family_once(void **state)
{
    struct gh_nodes *world = *state;
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
    assert_int_equal(gh_nodes_audited(world, GH_AUDIT_SESSION_REVOKED), 1);
    for (size_t i = 0; i < NODES; i++)
        assert_true(sees_end(world, i, &next));
}

static enum gh_identity_result race_sign_up(struct racer *racer, struct gh_identity_call *call)
{
    struct gh_sign_up request = {racer->text, FIXTURE_PASSWORD, GH_STR("")};
    struct gh_account_view view;
    return gh_sign_up(call, &request, &view);
}

static size_t account_count(struct gh_nodes *world)
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
    struct gh_nodes *world = *state;
    struct racer racers[RACERS];
    assert_int_equal(run_race(world, race_sign_up, GH_STR(ALICE), NO_ROOT, racers, GH_IDENTITY_OK),
                     RACERS);
    end_race(racers);
    assert_int_equal(account_count(world), 1);
}

static void sign_ups_without_confirmation_tell_one_of_them_that_it_is_theirs(void **state)
{
    struct gh_nodes *world = *state;
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
    struct gh_nodes *world = *state;
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
    struct gh_nodes *world = *state;
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
    struct gh_nodes *world = *state;
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
    struct gh_nodes *world = *state;
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
    struct gh_nodes *world = *state;
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
    struct gh_nodes *world = *state;
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
    struct gh_nodes *world = *state;
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, gh_nodes_open, gh_nodes_close)

static int run_all(void)
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void)
{
    return gh_nodes_main(run_all);
}
