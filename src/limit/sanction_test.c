#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "limit/sanction.h"

static const struct gh_hash_key KEY = {5, 6};

static int set_up(void **state)
{
    *state = gh_sanctions_new(64, KEY);
    return *state ? 0 : -1;
}

static int tear_down(void **state)
{
    gh_sanctions_free(*state);
    return 0;
}

static uint64_t network(const struct gh_sanctions *sanctions, const char *text)
{
    struct gh_ip ip;
    assert_true(gh_ip_parse(gh_str_from_c(text), &ip));
    return gh_sanctions_network(sanctions, &ip);
}

static void put(struct gh_sanctions *sanctions, uint64_t whom, enum gh_sanction_kind kind,
                uint64_t since_s, uint64_t until_s)
{
    gh_sanctions_put(sanctions, whom, &(struct gh_sanction_term){kind, since_s, until_s});
}

static void says_nothing_about_anybody_at_first(void **state)
{
    assert_false(gh_sanctions_any(*state, 0));
    assert_int_equal(
        gh_sanctions_find(*state, network(*state, "192.0.2.1"), 0).until_s[GH_SANCTION_BLOCK], 0);
}

static void a_block_holds_until_its_end(void **state)
{
    uint64_t whom = network(*state, "192.0.2.1");
    put(*state, whom, GH_SANCTION_BLOCK, 100, 200);
    assert_true(gh_sanctions_any(*state, 199));
    assert_int_equal(gh_sanctions_find(*state, whom, 199).until_s[GH_SANCTION_BLOCK], 200);
    assert_int_equal(gh_sanctions_find(*state, whom, 199).until_s[GH_SANCTION_SLOW], 0);
    assert_int_equal(gh_sanctions_find(*state, whom, 200).until_s[GH_SANCTION_BLOCK], 0);
    assert_false(gh_sanctions_any(*state, 200));
}

static void a_network_is_what_one_customer_has(void **state)
{
    put(*state, network(*state, "192.0.2.1"), GH_SANCTION_SLOW, 0, 9);
    put(*state, network(*state, "2001:db8:0:1::1"), GH_SANCTION_SLOW, 0, 9);
    const char *const IN[] = {"192.0.2.255", "::ffff:192.0.2.7", "2001:db8:0:ff::2"};
    const char *const OUT[] = {"192.0.3.1", "2001:db8:0:100::1", "c000:200::"};
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(
            gh_sanctions_find(*state, network(*state, IN[i]), 1).until_s[GH_SANCTION_SLOW], 9);
        assert_int_equal(
            gh_sanctions_find(*state, network(*state, OUT[i]), 1).until_s[GH_SANCTION_SLOW], 0);
    }
}

static void an_account_is_no_network_of_the_same_bytes(void **state)
{
    struct gh_ip ip;
    assert_true(gh_ip_parse(GH_STR("192.0.2.0"), &ip));
    assert_int_not_equal(
        gh_sanctions_network(*state, &ip),
        gh_sanctions_account(*state, gh_str_of((const char *)ip.bytes, sizeof(ip.bytes))));
}

static void another_finding_makes_it_longer_and_never_shorter(void **state)
{
    uint64_t whom = gh_sanctions_account(*state, GH_STR("ann"));
    put(*state, whom, GH_SANCTION_SECOND_FACTOR, 100, 200);
    put(*state, whom, GH_SANCTION_SECOND_FACTOR, 150, 250);
    put(*state, whom, GH_SANCTION_SECOND_FACTOR, 160, 170);
    struct gh_sanction sanction = gh_sanctions_find(*state, whom, 180);
    assert_int_equal(sanction.until_s[GH_SANCTION_SECOND_FACTOR], 250);
    assert_int_equal(sanction.since_s[GH_SANCTION_SECOND_FACTOR], 100);
    put(*state, whom, GH_SANCTION_SECOND_FACTOR, 300, 400); /* it was over */
    assert_int_equal(gh_sanctions_find(*state, whom, 310).since_s[GH_SANCTION_SECOND_FACTOR], 300);
}

static void kinds_hold_side_by_side(void **state)
{
    uint64_t whom = gh_sanctions_account(*state, GH_STR("ann"));
    put(*state, whom, GH_SANCTION_SLOW, 0, 10);
    put(*state, whom, GH_SANCTION_BLOCK, 0, 20);
    struct gh_sanction sanction = gh_sanctions_find(*state, whom, 5);
    assert_int_equal(sanction.until_s[GH_SANCTION_SLOW], 10);
    assert_int_equal(sanction.until_s[GH_SANCTION_BLOCK], 20);
}

static void clear_ends_all(void **state)
{
    uint64_t whom = gh_sanctions_account(*state, GH_STR("ann"));
    put(*state, whom, GH_SANCTION_SLOW, 0, 10);
    gh_sanctions_clear(*state);
    assert_false(gh_sanctions_any(*state, 0));
    assert_int_equal(gh_sanctions_find(*state, whom, 5).until_s[GH_SANCTION_SLOW], 0);
}

static void the_pace_is_one_request_in_a_while(void **state)
{
    uint64_t whom = gh_sanctions_account(*state, GH_STR("ann")), wait_ms = 0;
    assert_true(gh_sanctions_pace(*state, whom, 0, &wait_ms)); /* nobody slowed her */
    put(*state, whom, GH_SANCTION_SLOW, 0, 100);
    gh_sanctions_set_pace(*state, 3000);
    assert_true(gh_sanctions_pace(*state, whom, 10000, &wait_ms));
    assert_false(gh_sanctions_pace(*state, whom, 10001, &wait_ms));
    assert_int_equal(wait_ms, 2999);
    assert_false(gh_sanctions_pace(*state, whom, 12999, &wait_ms));
    assert_true(gh_sanctions_pace(*state, whom, 13000, &wait_ms)); /* refusals cost nothing */
}

static void a_full_table_lets_those_go_that_end_first(void **state)
{
    char name[32];
    uint64_t kept = gh_sanctions_account(*state, GH_STR("kept"));
    put(*state, kept, GH_SANCTION_BLOCK, 0, 1000000);
    for (unsigned i = 0; i < 10000; i++) {
        snprintf(name, sizeof(name), "account %u", i);
        put(*state, gh_sanctions_account(*state, gh_str_from_c(name)), GH_SANCTION_BLOCK, 0,
            100 + i);
    }
    assert_int_equal(gh_sanctions_find(*state, kept, 1).until_s[GH_SANCTION_BLOCK], 1000000);
}

/* ---- Threads ---- */

struct race {
    struct gh_sanctions *sanctions;
    atomic_bool over;
};

/* Each account's end says whose it is, so that one taken for another is seen. */
static void *write_all(void *args)
{
    struct race *race = args;
    for (uint64_t round = 0; round < 20000; round++) {
        char name = (char)('a' + round % 20);
        uint64_t whom = gh_sanctions_account(race->sanctions, gh_str_of(&name, 1));
        put(race->sanctions, whom, GH_SANCTION_BLOCK, 0, 1000 + (uint64_t)name);
    }
    atomic_store(&race->over, true);
    return NULL;
}

static void readers_never_see_anothers_sanction(void **state)
{
    pthread_t writer;
    struct race race = {.sanctions = gh_sanctions_new(4, KEY)}; /* one set: all make room */
    (void)state;
    assert_non_null(race.sanctions);
    assert_int_equal(pthread_create(&writer, NULL, write_all, &race), 0);
    while (!atomic_load(&race.over)) {
        for (char name = 'a'; name < 'a' + 20; name++) {
            uint64_t whom = gh_sanctions_account(race.sanctions, gh_str_of(&name, 1));
            uint64_t until_s =
                gh_sanctions_find(race.sanctions, whom, 1).until_s[GH_SANCTION_BLOCK];
            assert_true(!until_s || until_s == 1000 + (uint64_t)name);
        }
    }
    pthread_join(writer, NULL);
    gh_sanctions_free(race.sanctions);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(says_nothing_about_anybody_at_first),
        T(a_block_holds_until_its_end),
        T(a_network_is_what_one_customer_has),
        T(an_account_is_no_network_of_the_same_bytes),
        T(another_finding_makes_it_longer_and_never_shorter),
        T(kinds_hold_side_by_side),
        T(clear_ends_all),
        T(the_pace_is_one_request_in_a_while),
        T(a_full_table_lets_those_go_that_end_first),
        cmocka_unit_test(readers_never_see_anothers_sanction),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
