#include "gateway/h2_slots.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "base/poison.h"
#include "http/h2_codec.h"

/* More than are kept warm, twice: the second time most pages were given back in between. */
static void many_slots_are_apart_and_come_back(void **state)
{
    (void)state;
    enum { COUNT = 200 };
    char *slots[COUNT];
    struct gh_h2_slots *all = gh_h2_slots_open();
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < COUNT; i++) {
            slots[i] = gh_h2_slots_take(all);
            assert_non_null(slots[i]);
            assert_int_equal((uintptr_t)slots[i] % 4096, 0);
            memset(slots[i], i, GH_H2_SLOT_BYTES);
        }
        for (int i = 0; i < COUNT; i++) {
            for (size_t at = 0; at < GH_H2_SLOT_BYTES; at++)
                assert_int_equal((unsigned char)slots[i][at], i);
            gh_h2_slots_give(all, slots[i]);
        }
    }
    gh_h2_slots_close(all);
}

static void no_slot_may_be_given_back(void **state)
{
    (void)state;
    struct gh_h2_slots *all = gh_h2_slots_open();
    gh_h2_slots_give(all, NULL);
    void *one = gh_h2_slots_take(all);
    gh_h2_slots_give(all, one);
    assert_ptr_equal(gh_h2_slots_take(all), one);
    gh_h2_slots_give(all, one);
    gh_h2_slots_close(all);
}

/* Or what still points there would not be found. */
static void a_slot_is_out_of_bounds_while_nobody_has_it(void **state)
{
    (void)state;
#ifdef GH_HAS_POISON
    struct gh_h2_slots *all = gh_h2_slots_open();
    char *one = gh_h2_slots_take(all);
    assert_false(__asan_address_is_poisoned(one));
    assert_true(__asan_address_is_poisoned(one + GH_H2_SLOT_BYTES)); /* the next one's */
    gh_h2_slots_give(all, one);
    assert_true(__asan_address_is_poisoned(one));
    assert_true(__asan_address_is_poisoned(one + GH_H2_SLOT_BYTES - 1));
    assert_ptr_equal(gh_h2_slots_take(all), one);
    assert_false(__asan_address_is_poisoned(one));
    gh_h2_slots_give(all, one);
    gh_h2_slots_close(all);
#else
    skip();
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_slots_are_apart_and_come_back),
        cmocka_unit_test(no_slot_may_be_given_back),
        cmocka_unit_test(a_slot_is_out_of_bounds_while_nobody_has_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
