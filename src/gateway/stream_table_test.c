#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "gateway/stream_table.h"

/* Exchanges are only told apart here. */
static char exchanges[4096];

static struct gh_exchange *exchange_of(gh_stream_id id)
{
    return (struct gh_exchange *)&exchanges[id % sizeof(exchanges)];
}

static void expect(const struct gh_stream_table *table, gh_stream_id id, bool there)
{
    assert_ptr_equal(gh_stream_table_find(table, id), there ? exchange_of(id) : NULL);
}

static void finds_what_was_put_and_nothing_else(void **state)
{
    (void)state;
    struct gh_stream_table table = {0};
    expect(&table, 1, false);
    assert_true(gh_stream_table_put(&table, 1, exchange_of(1)));
    assert_true(gh_stream_table_put(&table, 3, exchange_of(3)));
    expect(&table, 1, true);
    expect(&table, 3, true);
    expect(&table, 5, false);
    expect(&table, 17, false); /* the same place as 1 */
    gh_stream_table_remove(&table, 1);
    gh_stream_table_remove(&table, 1);
    gh_stream_table_remove(&table, 17);
    expect(&table, 1, false);
    expect(&table, 3, true);
    gh_stream_table_remove(&table, 3);
    assert_int_equal(table.count, 0);
}

static void a_few_streams_need_no_heap_and_an_empty_table_holds_none(void **state)
{
    (void)state;
    struct gh_stream_table table = {0};
    for (gh_stream_id id = 1; id < 13; id += 2)
        assert_true(gh_stream_table_put(&table, id, exchange_of(id)));
    assert_null(table.heap);
    assert_true(gh_stream_table_put(&table, 13, exchange_of(13)));
    assert_non_null(table.heap);
    for (gh_stream_id id = 1; id < 15; id += 2)
        gh_stream_table_remove(&table, id);
    assert_null(table.heap);
    expect(&table, 1, false);
}

static void takes_no_more_than_its_most(void **state)
{
    (void)state;
    struct gh_stream_table table = {0};
    gh_stream_id id = 1;
    while (gh_stream_table_put(&table, id, exchange_of(id)))
        id += 2;
    assert_int_equal(table.count, GH_STREAM_TABLE_MAX / 4 * 3);
    for (gh_stream_id left = 1; left < id; left += 2) {
        expect(&table, left, true);
        gh_stream_table_remove(&table, left);
    }
}

/* Long-lived streams stand in the way of later ones, which are put and removed in any order. */
static void agrees_with_a_plain_list(void **state)
{
    (void)state;
    struct gh_stream_table table = {0};
    static bool there[2001];
    uint32_t random = 12345;
    size_t count = 0;
    for (unsigned step = 0; step < 20000; step++) {
        random = random * 1664525u + 1013904223u;
        gh_stream_id id = (random >> 8) % 1000 * 2 + 1;
        if (there[id]) {
            gh_stream_table_remove(&table, id);
            there[id] = false;
            count--;
        } else if (count < 100) {
            assert_true(gh_stream_table_put(&table, id, exchange_of(id)));
            there[id] = true;
            count++;
        }
        assert_int_equal(table.count, count);
        if (step % 50 == 0)
            for (gh_stream_id each = 1; each < 2001; each += 2)
                expect(&table, each, there[each]);
    }
    for (gh_stream_id id = 1; id < 2001; id += 2)
        gh_stream_table_remove(&table, id);
    assert_null(table.heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_what_was_put_and_nothing_else),
        cmocka_unit_test(a_few_streams_need_no_heap_and_an_empty_table_holds_none),
        cmocka_unit_test(takes_no_more_than_its_most),
        cmocka_unit_test(agrees_with_a_plain_list),
    };
    return cmocka_run_group_tests_name("stream_table", tests, NULL, NULL);
}
