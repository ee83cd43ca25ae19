/* What looks like personal data, and what only nearly does. */
#include "audit/review_scan.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

struct found {
    uint64_t counts[GH_SCAN_KIND_COUNT];
};

static struct found scan(const char *text)
{
    struct found found = {{0}};
    gh_scan_text(gh_str_from_c(text), found.counts);
    return found;
}

static void assert_only(const char *text, enum gh_scan_kind kind, uint64_t count)
{
    struct found found = scan(text);
    for (unsigned i = 0; i < GH_SCAN_KIND_COUNT; i++) {
        uint64_t expected = i == kind ? count : 0;
        if (found.counts[i] != expected)
            fail_msg("%s: %llu of kind %u", text, (unsigned long long)found.counts[i], i);
    }
}

static void assert_nothing(const char *text)
{
    assert_only(text, GH_SCAN_EMAIL, 0);
}

static void finds_addresses_of_people(void **state)
{
    assert_only("ann@example.org", GH_SCAN_EMAIL, 1);
    assert_only("write to ann.b+c@mail.example.co.uk, or bob@example.org.", GH_SCAN_EMAIL, 2);
    assert_only("{\"to\":\"ann@example.org\"}", GH_SCAN_EMAIL, 1);
    assert_only("user=ann@example.org", GH_SCAN_EMAIL, 1);
    assert_nothing("ann@");
    assert_nothing("@example.org");
    assert_nothing("ann@localhost");
    assert_nothing("a @ b.org");
    assert_nothing("version@2");
}

static void finds_international_phone_numbers(void **state)
{
    assert_only("+49 30 123456", GH_SCAN_PHONE, 1);
    assert_only("call +1-555-010-9999 now", GH_SCAN_PHONE, 1);
    assert_nothing("+4930");
    assert_nothing("1700000000");
    assert_nothing("+123456789012345678");
}

static void finds_cards_whose_check_digit_holds(void **state)
{
    assert_only("4111111111111111", GH_SCAN_CARD, 1);
    assert_only("4111 1111 1111 1111", GH_SCAN_CARD, 1);
    assert_only("3782-822463-10005", GH_SCAN_CARD, 1);
    assert_only("pay with 5555555555554444, please", GH_SCAN_CARD, 1);
    assert_nothing("4111111111111112");
    assert_nothing("41111111111111111111111"); /* too long */
    assert_nothing("0000000000000000");
}

static void finds_ibans_whose_check_digits_hold(void **state)
{
    assert_only("DE89370400440532013000", GH_SCAN_IBAN, 1);
    assert_only("DE89 3704 0044 0532 0130 00", GH_SCAN_IBAN, 1);
    assert_only("gb29 nwbk 6016 1331 9268 19 thanks", GH_SCAN_IBAN, 1);
    assert_nothing("DE88370400440532013000");
    assert_nothing("DE89");
}

static void finds_tokens_and_keys(void **state)
{
    assert_only("Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjMifQ.c2lnbmF0dXJlMTIz", GH_SCAN_TOKEN,
                1);
    assert_only("key=Xk29vQ8mZpL4tR7wYc1nB6hJ3sD5fG0aUeIoTqWx", GH_SCAN_TOKEN, 1);
    assert_only("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", GH_SCAN_TOKEN,
                1);
    assert_nothing("eyJhbGciOiJIUzI1NiJ9");
    assert_nothing("6f1e8c9a-1111-4222-8333-444455556666");      /* an id of ours */
    assert_nothing("0123456789abcdef0123456789abcdef");          /* a session's hash */
    assert_nothing("/api/v1/users/{user_id}/orders/{order_id}"); /* a route */
    assert_nothing("Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0");
}

static void counts_each_place_once(void **state)
{
    struct found found = scan("ann@example.org DE89370400440532013000 4111111111111111 "
                              "+49 30 1234567 ann@example.org");
    assert_int_equal(found.counts[GH_SCAN_EMAIL], 2);
    assert_int_equal(found.counts[GH_SCAN_IBAN], 1);
    assert_int_equal(found.counts[GH_SCAN_CARD], 1);
    assert_int_equal(found.counts[GH_SCAN_PHONE], 1);
    assert_int_equal(found.counts[GH_SCAN_TOKEN], 0);
}

static void takes_any_bytes(void **state)
{
    struct found found = {{0}};
    gh_scan_text(gh_str_of("\xff\0@\x80", 4), found.counts);
    gh_scan_text(GH_STR(""), found.counts);
    assert_int_equal(found.counts[GH_SCAN_EMAIL], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_addresses_of_people),
        cmocka_unit_test(finds_international_phone_numbers),
        cmocka_unit_test(finds_cards_whose_check_digit_holds),
        cmocka_unit_test(finds_ibans_whose_check_digits_hold),
        cmocka_unit_test(finds_tokens_and_keys),
        cmocka_unit_test(counts_each_place_once),
        cmocka_unit_test(takes_any_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
