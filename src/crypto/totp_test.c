#include "crypto/totp.h"

#include "crypto/hash.h"
#include "crypto/random.h"

#include <liboath/oath.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

static const struct gh_str SECRET = GH_STR_INIT("12345678901234567890");

/* RFC 4226 appendix D. */
static const char *const CODES[] = {"755224", "287082", "359152", "969429", "338314",
                                    "254676", "287922", "162583", "399871", "520489"};

static bool matches(const char *code, uint64_t seconds, unsigned drift, uint64_t *out_step)
{
    return gh_totp_match(SECRET, gh_str_from_c(code), seconds, drift, out_step);
}

static void gives_the_codes_of_rfc_4226(void **state)
{
    for (uint64_t step = 0; step < 10; step++) {
        char code[GH_TOTP_DIGITS + 1];
        gh_totp_code(SECRET, step, code);
        assert_string_equal(code, CODES[step]);
    }
}

/* RFC 6238 appendix B, the last six of its eight digits. */
static void gives_the_codes_of_rfc_6238(void **state)
{
    uint64_t step;
    assert_true(matches("287082", 59, 0, &step));
    assert_int_equal(step, 1);
    assert_true(matches("081804", 1111111109, 0, &step));
    assert_true(matches("050471", 1111111111, 0, &step));
    assert_true(matches("005924", 1234567890, 0, &step));
    assert_true(matches("279037", 2000000000, 0, &step));
    assert_true(matches("353130", 20000000000, 0, &step));
    assert_int_equal(step, 0x27BC86AA);
}

static void agrees_with_liboath(void **state)
{
    for (unsigned i = 0; i < 500; i++) {
        char secret[40], expected[7], code[GH_TOTP_DIGITS + 1];
        uint64_t step;
        size_t len = i % 40 + 1;
        gh_random_bytes(secret, sizeof(secret));
        gh_random_bytes(&step, sizeof(step));
        step >>= i % 64;
        assert_int_equal(
            oath_hotp_generate(secret, len, step, 6, false, OATH_HOTP_DYNAMIC_TRUNCATION, expected),
            OATH_OK);
        gh_totp_code(gh_str_of(secret, len), step, code);
        assert_string_equal(code, expected);
    }
}

static void takes_a_code_within_the_drift_and_names_its_step(void **state)
{
    uint64_t step = 77;
    assert_true(matches(CODES[4], 150, 1, &step)); /* step 5 is now */
    assert_int_equal(step, 4);
    assert_true(matches(CODES[5], 150, 1, &step));
    assert_int_equal(step, 5);
    assert_true(matches(CODES[6], 150, 1, &step));
    assert_int_equal(step, 6);
    assert_true(matches(CODES[0], 0, 1, &step)); /* there is no step before the first */
    assert_int_equal(step, 0);
}

static void refuses_a_code_outside_of_the_drift(void **state)
{
    uint64_t step = 77;
    assert_false(matches(CODES[3], 150, 1, &step));
    assert_false(matches(CODES[7], 150, 1, &step));
    assert_false(matches(CODES[4], 150, 0, &step));
    assert_false(matches(CODES[6], 150, 0, &step));
    assert_false(matches(CODES[4], 149 + 30 + 1, 0, &step));
    assert_int_equal(step, 77);
}

static void refuses_what_is_not_six_digits_of_the_code(void **state)
{
    uint64_t step = 77;
    static const struct gh_str TEXTS[] = {
        GH_STR_INIT(""),         GH_STR_INIT("25467"),    GH_STR_INIT("2546760"),
        GH_STR_INIT(" 254676"),  GH_STR_INIT("254676\0"), GH_STR_INIT("254 676"),
        GH_STR_INIT("94287082"), GH_STR_INIT("25467\0"),  GH_STR_INIT("000000"),
    };
    for (size_t i = 0; i < sizeof(TEXTS) / sizeof(TEXTS[0]); i++)
        assert_false(gh_totp_match(SECRET, TEXTS[i], 150, 1, &step));
    assert_false(gh_totp_match(GH_STR("12345678901234567891"), GH_STR("254676"), 150, 1, &step));
    assert_false(gh_totp_match(SECRET, (struct gh_str){NULL, 0}, 150, 1, &step));
    assert_int_equal(step, 77);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_the_codes_of_rfc_4226),
        cmocka_unit_test(gives_the_codes_of_rfc_6238),
        cmocka_unit_test(agrees_with_liboath),
        cmocka_unit_test(takes_a_code_within_the_drift_and_names_its_step),
        cmocka_unit_test(refuses_a_code_outside_of_the_drift),
        cmocka_unit_test(refuses_what_is_not_six_digits_of_the_code),
    };
    gh_crypto_init();
    if (oath_init() != OATH_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
