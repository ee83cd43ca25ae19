#include "http/h2_lease.h"

#include <stdarg.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/poison.h"
#include "http/h2_codec.h"

static _Alignas(16) char SLOT[GH_H2_SLOT_BYTES];

static bool is_in(const struct gh_h2_lease *lease, const void *block)
{
    return (uintptr_t)block >= (uintptr_t)lease->slot &&
           (uintptr_t)block < (uintptr_t)lease->slot + GH_H2_SLOT_BYTES;
}

static void blocks_lie_in_the_slot_one_behind_the_other(void **state)
{
    (void)state;
    struct gh_h2_lease lease = gh_h2_lease_begin(SLOT);
    assert_true(lease.filling);
    char *one = gh_h2_lease_alloc(&lease, 33), *two = gh_h2_lease_alloc(&lease, 16394);
    assert_true(is_in(&lease, one) && is_in(&lease, two + 16393));
    assert_true(two >= one + 33);
    assert_int_equal((uintptr_t)one % 16, 0);
    assert_int_equal((uintptr_t)two % 16, 0);
    memset(one, 'a', 33);
    memset(two, 'b', 16394);
    assert_int_equal(one[32], 'a');
    gh_h2_lease_free(&lease, one);
    gh_h2_lease_free(&lease, two);
}

static void what_does_not_fit_is_heap(void **state)
{
    (void)state;
    struct gh_h2_lease lease = gh_h2_lease_begin(SLOT);
    void *most = gh_h2_lease_alloc(&lease, GH_H2_SLOT_BYTES - 16);
    assert_true(is_in(&lease, most));
    void *more = gh_h2_lease_alloc(&lease, 1), *large = gh_h2_lease_alloc(&lease, 1 << 20);
    assert_false(is_in(&lease, more) || is_in(&lease, large));
    gh_h2_lease_free(&lease, more);
    gh_h2_lease_free(&lease, large);
    lease = gh_h2_lease_begin(SLOT);
    void *over = gh_h2_lease_alloc(&lease, GH_H2_SLOT_BYTES - 15);
    assert_false(is_in(&lease, over));
    gh_h2_lease_free(&lease, over);
}

static void without_a_slot_all_is_heap(void **state)
{
    (void)state;
    struct gh_h2_lease lease = gh_h2_lease_begin(NULL);
    assert_false(lease.filling);
    nghttp2_mem hooks = gh_h2_lease_hooks(&lease);
    char *block = hooks.calloc(3, 100, &lease);
    assert_int_equal(block[299], 0);
    block = hooks.realloc(block, 5000, &lease);
    assert_int_equal(block[299], 0);
    hooks.free(block, &lease);
    hooks.free(NULL, &lease);
}

static void a_block_that_grows_leaves_the_slot_with_its_bytes(void **state)
{
    (void)state;
    struct gh_h2_lease lease = gh_h2_lease_begin(SLOT);
    nghttp2_mem hooks = gh_h2_lease_hooks(&lease);
    char *block = hooks.malloc(5, &lease), *next = hooks.malloc(5, &lease);
    memcpy(block, "12345", 5);
    memcpy(next, "abcde", 5);
    lease.filling = false;
    char *moved = hooks.realloc(block, 100, &lease);
    assert_false(is_in(&lease, moved));
    assert_memory_equal(moved, "12345", 5);
    char *less = hooks.realloc(next, 2, &lease);
    assert_memory_equal(less, "ab", 2);
    moved = hooks.realloc(moved, 200, &lease);
    assert_memory_equal(moved, "12345", 5);
    hooks.free(moved, &lease);
    hooks.free(less, &lease);
    char *fresh = hooks.realloc(NULL, 10, &lease);
    assert_non_null(fresh);
    hooks.free(fresh, &lease);
}

static void a_slot_used_before_gives_zeroes_where_they_are_asked_for(void **state)
{
    (void)state;
    struct gh_h2_lease lease = gh_h2_lease_begin(SLOT);
    char *before = gh_h2_lease_alloc(&lease, 1000);
    memset(before, 'x', 1000);
    lease = gh_h2_lease_begin(SLOT);
    nghttp2_mem hooks = gh_h2_lease_hooks(&lease);
    const char *block = hooks.calloc(10, 100, &lease);
    assert_true(is_in(&lease, block));
    for (size_t i = 0; i < 1000; i++)
        assert_int_equal(block[i], 0);
    assert_null(hooks.calloc(SIZE_MAX / 2, 3, &lease));
}

static void a_block_that_was_freed_or_has_moved_is_out_of_bounds(void **state)
{
    (void)state;
#ifdef GH_HAS_POISON
    struct gh_h2_lease lease = gh_h2_lease_begin(SLOT);
    nghttp2_mem hooks = gh_h2_lease_hooks(&lease);
    char *freed = hooks.malloc(100, &lease), *moved = hooks.malloc(100, &lease);
    const char *stays = hooks.malloc(100, &lease);
    hooks.free(freed, &lease);
    hooks.free(hooks.realloc(moved, 200, &lease), &lease);
    assert_true(__asan_address_is_poisoned(freed));
    assert_true(__asan_address_is_poisoned(freed + 99));
    assert_true(__asan_address_is_poisoned(moved));
    assert_false(__asan_address_is_poisoned(stays));
    lease = gh_h2_lease_begin(SLOT);
    assert_false(__asan_address_is_poisoned(freed));
#else
    skip();
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_lie_in_the_slot_one_behind_the_other),
        cmocka_unit_test(what_does_not_fit_is_heap),
        cmocka_unit_test(without_a_slot_all_is_heap),
        cmocka_unit_test(a_block_that_grows_leaves_the_slot_with_its_bytes),
        cmocka_unit_test(a_block_that_was_freed_or_has_moved_is_out_of_bounds),
        cmocka_unit_test(a_slot_used_before_gives_zeroes_where_they_are_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
