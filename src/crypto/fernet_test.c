#include "crypto/fernet.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/assert.h"
#include "crypto/hash.h"

/* The published case of the specification (generate.json, verify.json). */
#define SPEC_KEY "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4="
#define SPEC_TOKEN                                                                                 \
    "gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU" \
    "4IwqDA=="

/* Our own, computed by another program: key 00 01 .. 1f, time 1700000000, vector f0 f1 .. ff. */
#define KEY         "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define HEAD        "gAAAAABlU_EA8PHy8_T19vf4-fr7_P3-_"
#define EMAIL_TOKEN HEAD "_FbJp-7evZhWK5iBlnywQNLdtxvAcp_CV6LBuQ-_PPrd_32VDEqUOsifuCNDoRU3A=="

struct toys {
    struct gh_arena arena;
};

static int setup(void **state)
{
    static struct toys toys;
    gh_crypto_init();
    gh_arena_init(&toys.arena, 4096, 1 << 20);
    *state = &toys;
    return 0;
}

static int teardown(void **state)
{
    gh_arena_done(&((struct toys *)*state)->arena);
    return 0;
}

static struct gh_fernet_key key_of(const char *text)
{
    struct gh_fernet_key key;
    assert_true(gh_fernet_key_parse(gh_str_from_c(text), &key));
    return key;
}

static struct gh_str open_with(struct toys *toys, const char *key_text, const char *token)
{
    struct gh_fernet_key key = key_of(key_text);
    return gh_fernet_open(&toys->arena, &key, 1, gh_str_from_c(token));
}

static void assert_opens(struct toys *toys, const char *key, const char *token, const char *plain)
{
    struct gh_str text = open_with(toys, key, token);
    assert_non_null(text.ptr);
    assert_true(gh_str_eq(text, gh_str_from_c(plain)));
    assert_int_equal(text.ptr[text.len], 0);
}

static void opens_the_case_of_the_specification(void **state)
{
    assert_opens(*state, SPEC_KEY, SPEC_TOKEN, "hello");
}

static void opens_texts_of_all_lengths_around_a_block(void **state)
{
    assert_opens(*state, KEY, EMAIL_TOKEN, "ada@example.com");
    assert_opens(*state, KEY,
                 HEAD "7YjB8BYCkvuVQR6H0hcrNrWl5DmffpV_bxouaz4FgS2UX1criHyX5bJgJutH7FF9A==", "");
    assert_opens(*state, KEY,
                 HEAD "2ZxIqE8QNmLwHaytTMpdP-jPyclA_SEHHAqyJblFZRQfvZUuWwazQ49-lXH3_hEnJXmfrAIEChL"
                      "-B-daQQWbRA=",
                 "sixteen bytes!!!");
    assert_opens(*state, KEY,
                 HEAD "yoRIyA2DWtxELt-YiylUcqSEuYndbv0jdHH_kzq2qAokPtFzJBKmyZPfv2MlTcuVvJ7yjj3Fjjr"
                      "oFX0Z3JKj7vAvUqtKVi9UdkdE2TXU3Cw",
                 "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP");
}

static void opens_a_token_whose_padding_was_left_out(void **state)
{
    assert_opens(*state, KEY,
                 HEAD "_FbJp-7evZhWK5iBlnywQNLdtxvAcp_CV6LBuQ-_PPrd_32VDEqUOsifuCNDoRU3A",
                 "ada@example.com");
}

static void tries_all_keys_in_their_order(void **state)
{
    struct toys *toys = *state;
    struct gh_fernet_key keys[] = {key_of(SPEC_KEY), key_of(KEY)};
    struct gh_str email = gh_fernet_open(&toys->arena, keys, 2, GH_STR(EMAIL_TOKEN));
    assert_true(gh_str_eq(email, GH_STR("ada@example.com")));
    struct gh_str hello = gh_fernet_open(&toys->arena, keys, 2, GH_STR(SPEC_TOKEN));
    assert_true(gh_str_eq(hello, GH_STR("hello")));
    assert_null(gh_fernet_open(&toys->arena, keys, 1, GH_STR(EMAIL_TOKEN)).ptr);
    assert_null(gh_fernet_open(&toys->arena, keys, 0, GH_STR(EMAIL_TOKEN)).ptr);
}

static void refuses_a_token_of_another_key(void **state)
{
    assert_null(open_with(*state, SPEC_KEY, EMAIL_TOKEN).ptr);
    assert_null(open_with(*state, KEY, SPEC_TOKEN).ptr);
}

static void refuses_a_token_signed_with_the_half_that_encrypts(void **state)
{
    assert_null(open_with(*state, KEY,
                          HEAD
                          "_FbJp-7evZhWK5iBlnywQO3HqbgefCExaXKeXjrPfF-7Paw7V1ldJyr6ao0VGyJpg==")
                    .ptr);
}

static void refuses_every_change_of_a_character(void **state)
{
    struct toys *toys = *state;
    char token[] = EMAIL_TOKEN;
    for (size_t i = 0; i < strlen(EMAIL_TOKEN); i++) {
        token[i] = token[i] == 'A' ? 'B' : 'A';
        assert_null(open_with(toys, KEY, token).ptr);
        token[i] = EMAIL_TOKEN[i];
    }
    assert_non_null(open_with(toys, KEY, token).ptr);
}

static void refuses_every_cut(void **state)
{
    struct toys *toys = *state;
    struct gh_fernet_key key = key_of(KEY);
    for (size_t len = 0; len < strlen(EMAIL_TOKEN) - 2; len++)
        assert_null(
            gh_fernet_open(&toys->arena, &key, 1, gh_str_first(GH_STR(EMAIL_TOKEN), len)).ptr);
}

static void refuses_another_version_though_it_is_signed(void **state)
{
    assert_null(open_with(*state, KEY,
                          "gQAAAABlU_EA8PHy8_T19vf4-fr7_P3-_1IxjahmX_syNmPjNZGOXIoXp4lqm3QlACQGqlAd"
                          "4RdgNJizLfQuO_-1_aBDl7pd4Q==")
                    .ptr);
}

static void refuses_padding_of_the_text_that_is_none_though_it_is_signed(void **state)
{
    static const char *const TOKENS[] = {
        HEAD "76J8uwO0DgDWbTb_Jqy9MOzq7SM1NiVEVAsAXc59O4znx9M30tmm-64CHu7MYOOkA==",
        HEAD "0ozE1wfmOeiK__2aPQWC5LWtLZx1XwXXlv8eVNVgYeBrsAmQDCBgrjDYYTSIrb2qA==",
    };
    for (size_t i = 0; i < 2; i++)
        assert_null(open_with(*state, KEY, TOKENS[i]).ptr);
}

static void refuses_a_ciphertext_that_is_no_whole_blocks_though_it_is_signed(void **state)
{
    static const char *const TOKENS[] = {
        HEAD "_ohBKGniHP6hsJqesf2h_TC6gRG8s3UkXm3RCXtVpxJ",
        HEAD "wEBAQEBAQEBAQEBAQEBAWHOdSp4a3uuuyYka53w1ASNXeBhilj_HJHMnlXSVP2g",
        HEAD "wEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAed190mwugn68JbpHs6hdFUvxQt8rbfsOl5wFPpLKQQM",
    };
    for (size_t i = 0; i < 3; i++)
        assert_null(open_with(*state, KEY, TOKENS[i]).ptr);
}

static void refuses_what_is_no_base64url(void **state)
{
    assert_null(open_with(*state, KEY, "").ptr);
    assert_null(open_with(*state, KEY, EMAIL_TOKEN "=").ptr);
    assert_null(open_with(*state, KEY, EMAIL_TOKEN "\n").ptr);
    assert_null(open_with(*state, KEY, " " EMAIL_TOKEN).ptr);
    assert_null(open_with(*state, KEY,
                          HEAD
                          "_FbJp+7evZhWK5iBlnywQNLdtxvAcp/CV6LBuQ+/PPrd/32VDEqUOsifuCNDoRU3A==")
                    .ptr);
}

static void refuses_keys_that_are_none(void **state)
{
    struct gh_fernet_key key;
    (void)state;
    static const char *const TEXTS[] = {
        "",
        "AAECAwQFBgcICQoLDA0ODw==",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg==",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8==",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9=",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYX/BkaGxwdHh8=",
    };
    for (size_t i = 0; i < sizeof(TEXTS) / sizeof(TEXTS[0]); i++)
        assert_false(gh_fernet_key_parse(gh_str_from_c(TEXTS[i]), &key));
    assert_true(gh_fernet_key_parse(GH_STR("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"), &key));
}

static void tells_tokens_from_addresses_and_base32(void **state)
{
    (void)state;
    assert_true(gh_fernet_looks_like(GH_STR(SPEC_TOKEN)));
    assert_true(gh_fernet_looks_like(GH_STR(EMAIL_TOKEN)));
    assert_false(gh_fernet_looks_like(GH_STR("gAAAAA@example.com")));
    assert_false(gh_fernet_looks_like(GH_STR("JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP")));
    assert_false(gh_fernet_looks_like(GH_STR("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opens_the_case_of_the_specification),
        cmocka_unit_test(opens_texts_of_all_lengths_around_a_block),
        cmocka_unit_test(opens_a_token_whose_padding_was_left_out),
        cmocka_unit_test(tries_all_keys_in_their_order),
        cmocka_unit_test(refuses_a_token_of_another_key),
        cmocka_unit_test(refuses_a_token_signed_with_the_half_that_encrypts),
        cmocka_unit_test(refuses_every_change_of_a_character),
        cmocka_unit_test(refuses_every_cut),
        cmocka_unit_test(refuses_another_version_though_it_is_signed),
        cmocka_unit_test(refuses_padding_of_the_text_that_is_none_though_it_is_signed),
        cmocka_unit_test(refuses_a_ciphertext_that_is_no_whole_blocks_though_it_is_signed),
        cmocka_unit_test(refuses_what_is_no_base64url),
        cmocka_unit_test(refuses_keys_that_are_none),
        cmocka_unit_test(tells_tokens_from_addresses_and_base32),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
