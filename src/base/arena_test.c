/* The linker sends malloc to __wrap_malloc here, so that any allocation can be made to fail. */
#include "base/arena.h"

#include <stdalign.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

void *__wrap_malloc(size_t size);
void *__real_malloc(size_t size);

/* Allocations until the one that fails; 0: none does. */
static unsigned fail_countdown;
static unsigned failures;

void *__wrap_malloc(size_t size)
{
    if (fail_countdown && --fail_countdown == 0) {
        failures++;
        return NULL;
    }
    return __real_malloc(size);
}

static void takes_no_memory_before_it_is_asked(void **state)
{
    struct gh_arena arena;
    gh_arena_init(&arena, 256, 1024);
    assert_int_equal(arena.allocated_bytes, 0);
    gh_arena_reset(&arena);
    gh_arena_done(&arena);
}

static void aligns_every_object(void **state)
{
    struct gh_arena arena;
    gh_arena_init(&arena, 256, 4096);
    for (size_t size = 0; size < 40; size++) {
        char *object = gh_arena_alloc(&arena, size);
        assert_non_null(object);
        assert_int_equal((uintptr_t)object % alignof(max_align_t), 0);
        memset(object, 0xaa, size);
    }
    gh_arena_done(&arena);
}

static void gives_distinct_objects_even_of_no_size(void **state)
{
    struct gh_arena arena;
    gh_arena_init(&arena, 256, 4096);
    assert_ptr_not_equal(gh_arena_alloc(&arena, 0), gh_arena_alloc(&arena, 0));
    gh_arena_done(&arena);
}

static void refuses_over_the_cap_and_goes_on(void **state)
{
    struct gh_arena arena;
    gh_arena_init(&arena, 256, 512);
    assert_null(gh_arena_alloc(&arena, 513));
    assert_null(gh_arena_alloc(&arena, SIZE_MAX));
    assert_null(gh_arena_alloc(&arena, SIZE_MAX - 8));
    assert_non_null(gh_arena_alloc(&arena, 512));
    assert_null(gh_arena_alloc(&arena, 1));
    gh_arena_reset(&arena);
    assert_non_null(gh_arena_alloc(&arena, 512));
    gh_arena_done(&arena);
}

static void uses_up_the_cap_with_a_smaller_last_block(void **state)
{
    struct gh_arena arena;
    gh_arena_init(&arena, 256, 320);
    assert_non_null(gh_arena_alloc(&arena, 256));
    assert_non_null(gh_arena_alloc(&arena, 64));
    assert_null(gh_arena_alloc(&arena, 1));
    assert_int_equal(arena.allocated_bytes, 320);
    gh_arena_done(&arena);
}

static void gives_larger_objects_their_own_block(void **state)
{
    struct gh_arena arena;
    gh_arena_init(&arena, 64, 4096);
    char *large = gh_arena_alloc(&arena, 1000);
    assert_non_null(large);
    memset(large, 1, 1000);
    assert_non_null(gh_arena_alloc(&arena, 16));
    gh_arena_done(&arena);
}

static void refuses_a_product_that_overflows(void **state)
{
    struct gh_arena arena;
    gh_arena_init(&arena, 256, SIZE_MAX / 2);
    assert_null(gh_arena_zalloc(&arena, SIZE_MAX / 2, 3));
    assert_null(gh_arena_zalloc(&arena, (size_t)1 << 32, (size_t)1 << 32));
    assert_int_equal(arena.allocated_bytes, 0);
    gh_arena_done(&arena);
}

static void zeroes_what_was_used_before(void **state)
{
    struct gh_arena arena;
    gh_arena_init(&arena, 256, 1024);
    memset(gh_arena_alloc(&arena, 100), 0xff, 100);
    gh_arena_reset(&arena);
    const char *again = gh_arena_zalloc(&arena, 10, 10);
    for (size_t i = 0; i < 100; i++)
        assert_int_equal(again[i], 0);
    gh_arena_done(&arena);
}

static void reset_wipes_and_keeps_the_first_block(void **state)
{
    struct gh_arena arena;
    gh_arena_init(&arena, 256, 4096);
    char *secret = gh_arena_alloc(&arena, 16);
    memcpy(secret, "secret of before", 16);
    for (int i = 0; i < 10; i++)
        assert_non_null(gh_arena_alloc(&arena, 200));
    gh_arena_reset(&arena);
    assert_int_equal(arena.allocated_bytes, 256);
    assert_ptr_equal(gh_arena_alloc(&arena, 16), secret);
    for (int i = 0; i < 16; i++)
        assert_int_equal(secret[i], 0);
    gh_arena_done(&arena);
}

static void copies_and_formats_with_a_nul_behind(void **state)
{
    struct gh_arena arena;
    gh_arena_init(&arena, 256, 1024);
    struct gh_str copy = gh_arena_dup(&arena, GH_STR("a\0b"));
    assert_int_equal(copy.len, 3);
    assert_memory_equal(copy.ptr, "a\0b", 4);
    struct gh_str empty = gh_arena_dup(&arena, gh_str_of(NULL, 0));
    assert_non_null(empty.ptr);
    assert_int_equal(empty.ptr[0], '\0');
    struct gh_str text = gh_arena_format(&arena, "%s:%d", "host", 80);
    assert_string_equal(text.ptr, "host:80");
    assert_int_equal(text.len, 7);
    assert_null(gh_arena_dup(&arena, gh_str_of("x", SIZE_MAX)).ptr);
    gh_arena_done(&arena);
}

/* A piece of work that uses each allocating function; false as soon as one of them fails. */
static bool use_all(struct gh_arena *arena)
{
    char *bytes = gh_arena_alloc(arena, 100);
    if (!bytes)
        return false;
    memset(bytes, 1, 100);
    const int *numbers = gh_arena_zalloc(arena, 100, sizeof(*numbers));
    if (!numbers || numbers[99] != 0)
        return false;
    struct gh_str copy = gh_arena_dup(arena, gh_str_of(bytes, 100));
    if (!copy.ptr)
        return false;
    return gh_arena_format(arena, "%.*s and %060d", GH_STR_ARG(copy), 1).ptr != NULL;
}

static void survives_the_failure_of_each_allocation(void **state)
{
    bool done = false;
    unsigned nth = 0;
    while (!done) {
        struct gh_arena arena;
        gh_arena_init(&arena, 128, 8192);
        failures = 0;
        fail_countdown = ++nth;
        bool ok = use_all(&arena);
        fail_countdown = 0;
        assert_true(ok == (failures == 0));
        done = ok;
        /* An arena that failed once is whole: it can be used again. */
        assert_true(use_all(&arena));
        gh_arena_done(&arena);
        assert_int_equal(arena.allocated_bytes, 0);
    }
    assert_in_range(nth, 4, 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_no_memory_before_it_is_asked),
        cmocka_unit_test(aligns_every_object),
        cmocka_unit_test(gives_distinct_objects_even_of_no_size),
        cmocka_unit_test(refuses_over_the_cap_and_goes_on),
        cmocka_unit_test(uses_up_the_cap_with_a_smaller_last_block),
        cmocka_unit_test(gives_larger_objects_their_own_block),
        cmocka_unit_test(refuses_a_product_that_overflows),
        cmocka_unit_test(zeroes_what_was_used_before),
        cmocka_unit_test(reset_wipes_and_keeps_the_first_block),
        cmocka_unit_test(copies_and_formats_with_a_nul_behind),
        cmocka_unit_test(survives_the_failure_of_each_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
