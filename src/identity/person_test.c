/* Keys of persons and of days. */
#include "identity/person.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "identity/identity_fixture.h"

static struct gh_identity_fixture f;
static struct gh_str ann;

static int open_fixture(void **state)
{
    gh_identity_fixture_open(&f);
    ann = gh_fixture_account(&f, "ann@example.org", FIXTURE_PASSWORD, 1);
    return 0;
}

static int close_fixture(void **state)
{
    gh_identity_fixture_close(&f);
    return 0;
}

struct asking {
    struct gh_str account, name;
    struct gh_audit_person person;
    struct gh_person_key_row row;
};

static enum gh_err run(gh_store_unit *unit, struct asking *asking)
{
    return f.identity.store->ops->run(f.identity.store, unit, asking, &f.arena);
}

static enum gh_err ask_unit(struct gh_tx *tx, void *args)
{
    struct asking *asking = args;
    return gh_person_key(tx, &f.identity, asking->account, f.now_us, &asking->person);
}

static struct gh_audit_person ask(struct gh_str account)
{
    struct asking asking = {.account = account};
    assert_int_equal(run(ask_unit, &asking), GH_OK);
    return asking.person;
}

static enum gh_err find_unit(struct gh_tx *tx, void *args)
{
    struct asking *asking = args;
    return gh_person_key_find(tx, &f.identity, asking->name, &asking->person);
}

static enum gh_err get_row(struct gh_tx *tx, void *args)
{
    struct asking *asking = args;
    return tx->ops->person_key_get(tx, asking->name, &asking->row);
}

static bool same_key(const struct gh_audit_person *a, const struct gh_audit_person *b)
{
    return memcmp(a->key, b->key, GH_KEY_BYTES) == 0;
}

static void an_account_has_one_key(void **state)
{
    struct gh_audit_person first = ask(ann), second = ask(ann);
    assert_true(gh_str_eq(first.name, ann));
    assert_true(same_key(&first, &second));
    struct gh_str bob = gh_fixture_account(&f, "bob@example.org", FIXTURE_PASSWORD, 1);
    struct gh_audit_person other = ask(bob);
    assert_false(same_key(&first, &other));
}

static void whoever_has_no_account_shares_the_key_of_the_day(void **state)
{
    char day[GH_AUDIT_DAY_LEN + 1];
    gh_audit_day(f.now_us, day);
    struct gh_audit_person nobody = ask(GH_STR(""));
    struct gh_audit_person another = ask(GH_STR(""));
    assert_true(gh_str_eq(nobody.name, gh_str_from_c(day)));
    assert_true(same_key(&nobody, &another));
    f.now_us += FIXTURE_DAY;
    struct gh_audit_person tomorrow = ask(GH_STR(""));
    assert_false(gh_str_eq(nobody.name, tomorrow.name));
    assert_false(same_key(&nobody, &tomorrow));
}

static enum gh_err delete_account(struct gh_tx *tx, void *args)
{
    return tx->ops->account_delete(tx, ((struct asking *)args)->account);
}

static void a_key_goes_with_its_account_and_no_other_is_kept(void **state)
{
    struct gh_audit_person before = ask(ann);
    struct asking asking = {.account = ann, .name = ann};
    assert_int_equal(run(delete_account, &asking), GH_OK);
    assert_int_equal(run(find_unit, &asking), GH_ERR_NOT_FOUND);
    struct gh_audit_person nobody = ask(GH_STR("")), after = ask(ann), later = ask(ann);
    assert_true(gh_str_eq(after.name, ann));
    assert_false(same_key(&before, &after));
    assert_false(same_key(&nobody, &after));
    assert_false(same_key(&after, &later)); /* it opens nothing, not even its own record */
    assert_int_equal(run(find_unit, &asking), GH_ERR_NOT_FOUND);
}

static void a_key_outlives_a_restart(void **state)
{
    struct gh_audit_person before = ask(ann);
    gh_identity_fixture_restart(&f);
    struct gh_audit_person after = ask(ann);
    assert_true(same_key(&before, &after));
}

static void keys_are_sealed_in_the_store(void **state)
{
    struct gh_audit_person person = ask(ann);
    struct asking asking = {.name = ann};
    assert_int_equal(run(get_row, &asking), GH_OK);
    struct gh_str wrapped = asking.row.wrapped;
    struct gh_str key = gh_str_of((const char *)person.key, GH_KEY_BYTES);
    assert_int_equal(gh_str_find(wrapped, key), wrapped.len);
}

/* Removes the row of `name` and puts the sealed key of `account` in its place. */
static enum gh_err swap_unit(struct gh_tx *tx, void *args)
{
    struct asking *asking = args;
    enum gh_err err = tx->ops->person_key_get(tx, asking->account, &asking->row);
    if (err == GH_OK)
        err = tx->ops->person_key_delete(tx, asking->name);
    asking->row.person = asking->name;
    return err == GH_OK ? tx->ops->person_key_insert(tx, &asking->row) : err;
}

static void a_key_opens_in_its_own_row_only(void **state)
{
    struct gh_str bob = gh_fixture_account(&f, "bob@example.org", FIXTURE_PASSWORD, 1);
    struct asking asking = {.account = bob, .name = ann};
    assert_int_equal(run(swap_unit, &asking), GH_OK);
    assert_int_equal(run(find_unit, &asking), GH_ERR_INVALID);
    asking.account = ann;
    assert_int_equal(run(ask_unit, &asking), GH_ERR_INVALID); /* and no other is made */
}

static void no_key_stays_when_the_store_fails(void **state)
{
    char day[GH_AUDIT_DAY_LEN + 1];
    gh_audit_day(f.now_us, day);
    struct asking asking = {.account = GH_STR(""), .name = gh_str_from_c(day)};
    gh_fixture_store_fail(f.store, 1, GH_ERR_FULL);
    assert_int_equal(run(ask_unit, &asking), GH_ERR_FULL);
    assert_int_equal(run(find_unit, &asking), GH_ERR_NOT_FOUND);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_account_has_one_key),
        TEST(whoever_has_no_account_shares_the_key_of_the_day),
        TEST(a_key_goes_with_its_account_and_no_other_is_kept),
        TEST(a_key_outlives_a_restart),
        TEST(keys_are_sealed_in_the_store),
        TEST(a_key_opens_in_its_own_row_only),
        TEST(no_key_stays_when_the_store_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
