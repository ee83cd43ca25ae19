/* Nothing that was added is left out, and what touches comes once. */
#include "app/audit_stretches.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <setjmp.h>
#include <cmocka.h>

static void assert_stretch(const struct gh_audit_stretch *stretch, uint32_t chain, uint64_t after,
                           uint64_t through)
{
    assert_int_equal(stretch->chain, chain);
    assert_int_equal(stretch->after, after);
    assert_int_equal(stretch->through, through);
}

static void what_touches_becomes_one(void **state)
{
    (void)state;
    struct gh_audit_stretches list = {.items = NULL};
    assert_true(gh_audit_stretches_add(&list, 1, 4, 6));
    assert_true(gh_audit_stretches_add(&list, 1, 6, 9));
    assert_true(gh_audit_stretches_add(&list, 1, 2, 5));
    assert_true(gh_audit_stretches_add(&list, 2, 6, 9));
    assert_true(gh_audit_stretches_add(&list, 1, 10, 12));
    assert_int_equal(list.count, 3);
    assert_stretch(&list.items[0], 1, 2, 9);
    assert_stretch(&list.items[1], 2, 6, 9);
    assert_stretch(&list.items[2], 1, 10, 12);
    gh_audit_stretches_done(&list);
}

static void what_was_delivered_comes_again_only_where_it_must(void **state)
{
    (void)state;
    struct gh_audit_stretches list = {.items = NULL};
    assert_true(gh_audit_stretches_add(&list, 1, 10, 20));
    list.items[0].after = 15;
    assert_true(gh_audit_stretches_add(&list, 1, 12, 30));
    assert_stretch(&list.items[0], 1, 15, 30); /* what lies between 12 and 15 was delivered */
    assert_true(gh_audit_stretches_add(&list, 1, 8, 12));
    assert_stretch(&list.items[0], 1, 8, 30); /* what lies between 8 and 10 was not */
    assert_int_equal(list.count, 1);
    gh_audit_stretches_done(&list);
}

static void one_is_open_until_it_ends(void **state)
{
    (void)state;
    struct gh_audit_stretches list = {.items = NULL};
    assert_null(gh_audit_stretches_open(&list));
    assert_true(gh_audit_stretches_add(&list, 3, 7, GH_AUDIT_STRETCH_OPEN));
    assert_int_equal(gh_audit_stretches_open(&list)->chain, 3);
    gh_audit_stretches_end(&list, 9);
    assert_null(gh_audit_stretches_open(&list));
    assert_true(gh_audit_stretches_add(&list, 4, 0, GH_AUDIT_STRETCH_OPEN));
    gh_audit_stretches_end(&list, 1);
    assert_true(gh_audit_stretches_add(&list, 3, 9, GH_AUDIT_STRETCH_OPEN)); /* back again */
    assert_int_equal(list.count, 2);
    assert_stretch(&list.items[0], 3, 7, GH_AUDIT_STRETCH_OPEN);
    assert_stretch(&list.items[1], 4, 0, 1);
    gh_audit_stretches_remove(&list, 0);
    assert_int_equal(list.count, 1);
    assert_stretch(&list.items[0], 4, 0, 1);
    gh_audit_stretches_done(&list);
}

static void too_many_are_not_kept_apart_and_none_is_left_out(void **state)
{
    (void)state;
    struct gh_audit_stretches list = {.items = NULL}, copy = {.items = NULL};
    for (uint64_t i = 0; i < 2 * GH_AUDIT_STRETCHES_APART_MAX; i++)
        assert_true(gh_audit_stretches_add(&list, 1, 10 * i, 10 * i + 1));
    assert_int_equal(list.count, GH_AUDIT_STRETCHES_APART_MAX);
    for (uint64_t i = 0; i < 2 * GH_AUDIT_STRETCHES_APART_MAX; i++) {
        bool covered = false;
        for (size_t k = 0; k < list.count; k++)
            covered |= list.items[k].after <= 10 * i && list.items[k].through >= 10 * i + 1;
        assert_true(covered);
    }
    assert_true(gh_audit_stretches_copy(&copy, &list));
    assert_int_equal(copy.count, list.count);
    assert_memory_equal(copy.items, list.items, list.count * sizeof(list.items[0]));
    gh_audit_stretches_done(&copy);
    gh_audit_stretches_done(&list);
}

static void those_that_have_an_end_come_first(void **state)
{
    (void)state;
    struct gh_audit_stretches list = {.items = NULL};
    assert_int_equal(gh_audit_stretches_next(&list), 0);
    assert_true(gh_audit_stretches_add(&list, 1, 0, GH_AUDIT_STRETCH_OPEN));
    assert_int_equal(gh_audit_stretches_next(&list), 0);
    assert_true(gh_audit_stretches_add(&list, 2, 3, 5));
    assert_true(gh_audit_stretches_add(&list, 3, 3, 5));
    assert_int_equal(gh_audit_stretches_next(&list), 1);
    gh_audit_stretches_end(&list, 9);
    assert_int_equal(gh_audit_stretches_next(&list), 0);
    gh_audit_stretches_done(&list);
}

/* At random, against a map of records: each that was added is delivered, by how a place does it. */
static void whatever_is_added_is_delivered(void **state)
{
    (void)state;
    enum { RECORDS = 64 };
    unsigned seed = 7;
    for (unsigned round = 0; round < 2000; round++) {
        struct gh_audit_stretches list = {.items = NULL};
        bool wanted[RECORDS + 1] = {false}, brought[RECORDS + 1] = {false};
        for (unsigned step = 0; step < 20; step++) {
            uint64_t after = (uint64_t)rand_r(&seed) % RECORDS;
            uint64_t through = after + 1 + (uint64_t)rand_r(&seed) % (RECORDS - after);
            assert_true(gh_audit_stretches_add(&list, 1, after, through));
            for (uint64_t seq = after + 1; seq <= through; seq++)
                wanted[seq] = true;
            struct gh_audit_stretch *first = &list.items[0];
            for (unsigned i = 0; i < 5 && first->after < first->through; i++)
                brought[++first->after] = true;
            if (first->after == first->through)
                gh_audit_stretches_remove(&list, 0);
        }
        for (size_t i = 0; i < list.count; i++)
            while (list.items[i].after < list.items[i].through)
                brought[++list.items[i].after] = true;
        assert_memory_equal(wanted, brought, sizeof(wanted));
        gh_audit_stretches_done(&list);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_touches_becomes_one),
        cmocka_unit_test(what_was_delivered_comes_again_only_where_it_must),
        cmocka_unit_test(one_is_open_until_it_ends),
        cmocka_unit_test(too_many_are_not_kept_apart_and_none_is_left_out),
        cmocka_unit_test(those_that_have_an_end_come_first),
        cmocka_unit_test(whatever_is_added_is_delivered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
