#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "gateway/client_count.h"

static const struct gh_hash_key KEY = {1, 2};

static struct gh_ip ip_of(const char *text)
{
    struct gh_ip ip;
    assert_true(gh_ip_parse(gh_str_from_c(text), &ip));
    return ip;
}

static void refuses_the_connection_over_the_cap_and_admits_after_one_left(void **state)
{
    (void)state;
    struct gh_client_count *table;
    assert_int_equal(gh_client_count_open(KEY, &table), GH_OK);
    struct gh_ip one = ip_of("192.0.2.1"), other = ip_of("192.0.2.2");
    assert_int_equal(gh_client_count_enter(table, &one, 2), GH_CLIENT_COUNTED);
    assert_int_equal(gh_client_count_enter(table, &one, 2), GH_CLIENT_COUNTED);
    assert_int_equal(gh_client_count_enter(table, &one, 2), GH_CLIENT_REFUSED);
    assert_int_equal(gh_client_count_enter(table, &other, 2), GH_CLIENT_COUNTED);
    assert_int_equal(gh_client_count_of(table, &one), 2);
    assert_int_equal(gh_client_count_of(table, &other), 1);
    gh_client_count_leave(table, &one);
    gh_client_count_leave(table, &other);
    assert_int_equal(gh_client_count_of(table, &other), 0);
    assert_int_equal(gh_client_count_enter(table, &one, 2), GH_CLIENT_COUNTED);
    gh_client_count_close(table);
}

static void counts_ipv6_clients_by_their_64_bit_network(void **state)
{
    (void)state;
    struct gh_client_count *table;
    assert_int_equal(gh_client_count_open(KEY, &table), GH_OK);
    struct gh_ip a = ip_of("2001:db8::1"), b = ip_of("2001:db8::2"), c = ip_of("2001:db8:0:1::1");
    assert_int_equal(gh_client_count_enter(table, &a, 1), GH_CLIENT_COUNTED);
    assert_int_equal(gh_client_count_enter(table, &b, 1), GH_CLIENT_REFUSED);
    assert_int_equal(gh_client_count_enter(table, &c, 1), GH_CLIENT_COUNTED);
    gh_client_count_close(table);
}

static void strangers_can_not_fill_the_table_against_a_newcomer(void **state)
{
    (void)state;
    struct gh_client_count *table;
    assert_int_equal(gh_client_count_open(KEY, &table), GH_OK);
    for (unsigned i = 0; i < 200000; i++) {
        struct gh_ip ip = {.family = GH_IP_V4,
                           .bytes = {10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i}};
        assert_int_not_equal(gh_client_count_enter(table, &ip, 1), GH_CLIENT_REFUSED);
    }
    struct gh_ip newcomer = ip_of("198.51.100.7");
    assert_int_not_equal(gh_client_count_enter(table, &newcomer, 1), GH_CLIENT_REFUSED);
    gh_client_count_close(table);
}

static void an_amount_is_refused_whole_and_never_wraps(void **state)
{
    (void)state;
    struct gh_client_count *table;
    assert_int_equal(gh_client_count_open(KEY, &table), GH_OK);
    struct gh_ip one = ip_of("192.0.2.1");
    assert_int_equal(gh_client_count_add(table, &one, 11, 10), GH_CLIENT_REFUSED);
    assert_int_equal(gh_client_count_add(table, &one, 7, 10), GH_CLIENT_COUNTED);
    assert_int_equal(gh_client_count_add(table, &one, 4, 10), GH_CLIENT_REFUSED);
    assert_int_equal(gh_client_count_add(table, &one, UINT64_MAX, UINT64_MAX), GH_CLIENT_REFUSED);
    assert_int_equal(gh_client_count_of(table, &one), 7);
    assert_int_equal(gh_client_count_add(table, &one, 3, 10), GH_CLIENT_COUNTED);
    gh_client_count_remove(table, &one, 7);
    gh_client_count_remove(table, &one, 3);
    assert_int_equal(gh_client_count_of(table, &one), 0);
    gh_client_count_close(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_the_connection_over_the_cap_and_admits_after_one_left),
        cmocka_unit_test(counts_ipv6_clients_by_their_64_bit_network),
        cmocka_unit_test(strangers_can_not_fill_the_table_against_a_newcomer),
        cmocka_unit_test(an_amount_is_refused_whole_and_never_wraps),
    };
    return cmocka_run_group_tests_name("client_count", tests, NULL, NULL);
}
