/* The searches and the hash of names: the quick forms do what the plain ones do. */
#include "json/parse_scan.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "json/parse_hash.h"

static void searches_agree_with_their_reference(void **state)
{
    char bytes[80];
    for (unsigned c = 0; c < 256; c++) {
        for (size_t at = 0; at < sizeof(bytes); at++) {
            memset(bytes, 'a', sizeof(bytes));
            bytes[at] = (char)c;
            for (size_t from = at > 20 ? at - 20 : 0; from <= at; from++)
                assert_ptr_equal(gh_json_skip_plain(bytes + from, bytes + sizeof(bytes)),
                                 gh_json_skip_plain_scalar(bytes + from, bytes + sizeof(bytes)));
            memset(bytes, " \n\t\r"[c & 3], sizeof(bytes));
            bytes[at] = (char)c;
            const char *reference = gh_json_skip_space_scalar(bytes, bytes + sizeof(bytes));
            assert_ptr_equal(gh_json_skip_spaces(bytes, bytes + sizeof(bytes)), reference);
            assert_ptr_equal(gh_json_skip_space(bytes, bytes + sizeof(bytes)), reference);
        }
    }
}

/* Numbers and what is nearly one, with and without room for sixteen bytes behind them. */
static void numbers_end_where_the_reference_says(void **state)
{
    char bytes[40];
    uint32_t random = 1;
    unsigned found = 0;
    for (unsigned round = 0; round < 20000; round++) {
        for (size_t i = 0; i < sizeof(bytes); i++) {
            random = random * 1664525 + 1013904223;
            bytes[i] = "0123456789123456789-..eE ,]/:\x80"[(random >> 16) % (round % 2 ? 30 : 21)];
        }
        for (size_t from = 0; from < sizeof(bytes); from++) {
            bool is_integer = false, wanted = false;
            const char *end = bytes + sizeof(bytes) - random % 8;
            if (bytes + from >= end)
                break;
            const char *behind = gh_json_skip_number(bytes + from, end, &is_integer);
            assert_ptr_equal(behind, gh_json_skip_number_scalar(bytes + from, end, &wanted));
            assert_true(!behind || is_integer == wanted);
            found += behind != NULL;
        }
    }
    assert_true(found > 1000);
}

static void hashes_do_not_depend_on_what_is_behind_a_name(void **state)
{
    char bytes[60];
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (char)(i * 7 + 1);
    for (size_t len = 0; len <= sizeof(bytes); len++) {
        struct gh_str name = gh_str_of(bytes, len);
        char copy[sizeof(bytes)];
        memcpy(copy, bytes, len);
        assert_int_equal(gh_json_hash_within(name, bytes + sizeof(bytes)),
                         gh_json_name_hash(gh_str_of(copy, len)));
        assert_int_equal(gh_json_hash_within(name, bytes + len), gh_json_name_hash(name));
        for (size_t other = 0; other < len; other++)
            assert_int_not_equal(gh_json_name_hash(gh_str_first(name, other)),
                                 gh_json_name_hash(name));
    }
}

static void equal_hashes_are_seen_wherever_they_are(void **state)
{
    for (uint32_t count = 0; count <= GH_JSON_FEW; count++) {
        uint32_t hashes[GH_JSON_FEW];
        for (uint32_t i = 0; i < GH_JSON_FEW; i++)
            hashes[i] = i < count ? i + 1 : 1;
        assert_true(gh_json_are_distinct(hashes, count));
        for (uint32_t i = 0; i < count; i++) {
            for (uint32_t k = 0; k < i; k++) {
                hashes[i] = hashes[k];
                assert_false(gh_json_are_distinct(hashes, count));
                hashes[i] = i + 1;
            }
            for (uint32_t from = 0; from + GH_JSON_FEW_STEP <= GH_JSON_FEW; from++)
                assert_int_equal(gh_json_count_equal(hashes + from, hashes, i),
                                 gh_json_count_equal_scalar(hashes + from, hashes, i));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(searches_agree_with_their_reference),
        cmocka_unit_test(numbers_end_where_the_reference_says),
        cmocka_unit_test(hashes_do_not_depend_on_what_is_behind_a_name),
        cmocka_unit_test(equal_hashes_are_seen_wherever_they_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
