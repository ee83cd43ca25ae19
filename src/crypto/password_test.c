#include "crypto/password.h"

#include "crypto/hash.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct gh_password_cost SMALL_ARGON2 = {
    .scheme = GH_PASSWORD_ARGON2ID, .memory_bytes = 8 << 10, .passes = 1, .lanes = 1};
static const struct gh_password_cost SMALL_BCRYPT = {.scheme = GH_PASSWORD_BCRYPT, .log_rounds = 4};

/* Known answers: phc-winner-argon2's test.c, crypt_blowfish's wrapper.c. */
static const char ARGON2ID[] = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$"
                               "nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
static const char ARGON2ID_2_LANES[] = "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$"
                                       "bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc";
static const char ARGON2I[] = "$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$"
                              "iekCn0Y3spW+sCcFanM2xBT63UP2sghkUoHLIUpWRS8";
static const char BCRYPT[] = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";

static enum gh_err verify(const char *hash, const char *password)
{
    return gh_password_verify(gh_str_from_c(hash), gh_str_from_c(password));
}

static void what_was_hashed_is_verified(void **state)
{
    const struct gh_password_cost *costs[] = {&SMALL_ARGON2, &SMALL_BCRYPT};
    for (size_t i = 0; i < 2; i++) {
        char hash[GH_PASSWORD_HASH_BYTES_MAX], again[GH_PASSWORD_HASH_BYTES_MAX];
        struct gh_password_cost cost;
        assert_int_equal(gh_password_hash(costs[i], GH_STR("horse"), hash), GH_OK);
        assert_int_equal(gh_password_hash(costs[i], GH_STR("horse"), again), GH_OK);
        assert_string_not_equal(hash, again); /* the salts differ */
        assert_int_equal(verify(hash, "horse"), GH_OK);
        assert_int_equal(verify(hash, "horsE"), GH_ERR_NOT_FOUND);
        assert_int_equal(verify(hash, "hors"), GH_ERR_NOT_FOUND);
        assert_int_equal(verify(hash, "horsee"), GH_ERR_NOT_FOUND);
        assert_int_equal(verify(hash, ""), GH_ERR_NOT_FOUND);
        assert_true(gh_password_cost_of(gh_str_from_c(hash), &cost));
        assert_int_equal(cost.scheme, costs[i]->scheme);
        assert_int_equal(cost.memory_bytes, costs[i]->memory_bytes);
        assert_int_equal(cost.passes, costs[i]->passes);
        assert_int_equal(cost.lanes, costs[i]->lanes);
        assert_int_equal(cost.log_rounds, costs[i]->log_rounds);
    }
}

static void reads_the_hashes_of_others(void **state)
{
    assert_int_equal(verify(ARGON2ID, "password"), GH_OK);
    assert_int_equal(verify(ARGON2ID, "Password"), GH_ERR_NOT_FOUND);
    assert_int_equal(verify(ARGON2ID_2_LANES, "password"), GH_OK);
    assert_int_equal(verify(ARGON2ID_2_LANES, "passwor"), GH_ERR_NOT_FOUND);
    assert_int_equal(verify(ARGON2I, "password"), GH_OK);
    assert_int_equal(verify(ARGON2I, "passwordd"), GH_ERR_NOT_FOUND);
    assert_int_equal(verify(BCRYPT, "U*U"), GH_OK);
    assert_int_equal(verify(BCRYPT, "U*V"), GH_ERR_NOT_FOUND);
}

static void unused_bits_of_a_bcrypt_salt_do_not_matter(void **state)
{
    assert_int_equal(verify("$2a$05$CCCCCCCCCCCCCCCCCCCCC/E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "U*U"),
                     GH_OK);
    assert_int_equal(verify("$2a$05$CCCCCCCCCCCCCCCCCCCCCOE5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "U*U"),
                     GH_ERR_NOT_FOUND); /* a used one */
}

static void refuses_what_is_no_hash_that_we_read(void **state)
{
    static const char *const HASHES[] = {
        "",
        "password",
        "*0",
        "$1$salt$qJH7.N4xYta3aEG/dfqo/0",
        "$6$saltsalt$x",
        "$argon2d$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
        "$argon2i$m=256,t=2,p=1$c29tZXNhbHQ$/U3YPXYsSb3q9XxHvc0MLxur+GP960kN9j7emXX8zwY",
        "$argon2id$v=16$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
        "$argon2id$v=19$m=256,t=2,p=1c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
        "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQnf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
        "$argon2id$v=19$m=256,t=2,p=1$$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
        "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$",
        "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ",
        "$argon2id$v=19$m=256,t=2,p=1",
        "$argon2id$v=19$m=256,t=2$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
        "$argon2id$v=19$t=2,m=256,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
        "$argon2id$v=19$m=0256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
        "$argon2id$v=19$m=256,t=0,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
        "$argon2id$v=19$m=256,t=2,p=0$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
        "$argon2id$v=19$m=256,t=2,p=33$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
        "$argon2id$v=19$m=256,t=-2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
        "$argon2id$v=19$m=256,t=2,p=1,$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
        "$argon2id$v=19$m=256,t=2,p=1,data=x$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMA",
        "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/5",
        "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4$",
        "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4=",
        " $argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
        "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65",
        "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQw\2129U1bMCHGi/4",
        "$2x$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        "$2$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        "$2a$5$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeWW",
        "$2a$03$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        "$2a$32$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOe",
        "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeWW",
        "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOe+",
        "$2a$05$CCCCCCCCCCCCCCCCCCCCC:E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        "$2a$05-CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
    };
    for (size_t i = 0; i < COUNT(HASHES); i++) {
        struct gh_password_cost cost = {.passes = 77};
        if (gh_password_cost_of(gh_str_from_c(HASHES[i]), &cost) || cost.passes != 77)
            fail_msg("read: %s", HASHES[i]);
        assert_int_equal(verify(HASHES[i], "password"), GH_ERR_INVALID);
    }
    struct gh_str with_nul = {ARGON2ID, sizeof(ARGON2ID)};
    assert_int_equal(gh_password_verify(with_nul, GH_STR("password")), GH_ERR_INVALID);
    char longer[400];
    memset(longer, 'A', sizeof(longer));
    memcpy(longer, ARGON2ID, sizeof(ARGON2ID) - 1);
    assert_int_equal(gh_password_verify(gh_str_of(longer, sizeof(longer)), GH_STR("")),
                     GH_ERR_INVALID);
}

static void a_hash_over_the_bounds_is_read_but_not_computed(void **state)
{
    static const char *const HASHES[] = {
        "$argon2id$v=19$m=524289,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
        "$argon2id$v=19$m=4294967295,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMA",
        "$argon2id$v=19$m=256,t=11,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
        "$argon2id$v=19$m=256,t=2,p=17$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
        "$2a$17$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        "$2a$31$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
    };
    for (size_t i = 0; i < COUNT(HASHES); i++) {
        struct gh_password_cost cost;
        assert_true(gh_password_cost_of(gh_str_from_c(HASHES[i]), &cost));
        assert_false(gh_password_cost_is_acceptable(&cost));
        assert_int_equal(verify(HASHES[i], "password"), GH_ERR_INVALID);
    }
}

static void imported_costs_are_bounded_on_both_sides(void **state)
{
    static const struct {
        struct gh_password_cost cost;
        bool acceptable;
    } CASES[] = {
        {{GH_PASSWORD_ARGON2ID, .memory_bytes = 8 << 10, .passes = 1, .lanes = 1}, true},
        {{GH_PASSWORD_ARGON2ID, .memory_bytes = 512 << 20, .passes = 10, .lanes = 16}, true},
        {{GH_PASSWORD_ARGON2I, .memory_bytes = 64 << 20, .passes = 3, .lanes = 4}, true},
        {{GH_PASSWORD_ARGON2ID, .memory_bytes = 8191, .passes = 1, .lanes = 1}, false},
        {{GH_PASSWORD_ARGON2ID, .memory_bytes = (512 << 20) + 1024, .passes = 1, .lanes = 1},
         false},
        {{GH_PASSWORD_ARGON2ID, .memory_bytes = 8 << 20, .passes = 0, .lanes = 1}, false},
        {{GH_PASSWORD_ARGON2ID, .memory_bytes = 8 << 20, .passes = 11, .lanes = 1}, false},
        {{GH_PASSWORD_ARGON2ID, .memory_bytes = 8 << 20, .passes = 1, .lanes = 0}, false},
        {{GH_PASSWORD_ARGON2ID, .memory_bytes = 8 << 20, .passes = 1, .lanes = 17}, false},
        {{GH_PASSWORD_BCRYPT, .log_rounds = 10}, true},
        {{GH_PASSWORD_BCRYPT, .log_rounds = 16}, true},
        {{GH_PASSWORD_BCRYPT, .log_rounds = 9}, false},
        {{GH_PASSWORD_BCRYPT, .log_rounds = 17}, false},
    };
    for (size_t i = 0; i < COUNT(CASES); i++)
        assert_int_equal(gh_password_cost_is_acceptable(&CASES[i].cost), CASES[i].acceptable);
}

static void refuses_to_hash_at_a_cost_out_of_bounds(void **state)
{
    char hash[GH_PASSWORD_HASH_BYTES_MAX];
    static const struct gh_password_cost COSTS[] = {
        {GH_PASSWORD_ARGON2ID, .memory_bytes = 8191, .passes = 1, .lanes = 1},
        {GH_PASSWORD_ARGON2ID, .memory_bytes = 1 << 30, .passes = 1, .lanes = 1},
        {GH_PASSWORD_ARGON2ID, .memory_bytes = 8 << 10, .passes = 0, .lanes = 1},
        {GH_PASSWORD_ARGON2ID, .memory_bytes = 8 << 10, .passes = 1, .lanes = 2},
        {GH_PASSWORD_ARGON2I, .memory_bytes = 8 << 10, .passes = 3, .lanes = 1},
        {GH_PASSWORD_BCRYPT, .log_rounds = 3},
        {GH_PASSWORD_BCRYPT, .log_rounds = 17},
    };
    for (size_t i = 0; i < COUNT(COSTS); i++)
        assert_int_equal(gh_password_hash(&COSTS[i], GH_STR("horse"), hash), GH_ERR_INVALID);
}

static void bcrypt_never_cuts_what_it_hashes(void **state)
{
    char hash[GH_PASSWORD_HASH_BYTES_MAX], text[73];
    memset(text, 'x', sizeof(text));
    assert_int_equal(gh_password_hash(&SMALL_BCRYPT, gh_str_of(text, 73), hash), GH_ERR_INVALID);
    assert_int_equal(gh_password_hash(&SMALL_BCRYPT, GH_STR("a\0b"), hash), GH_ERR_INVALID);
    assert_int_equal(gh_password_hash(&SMALL_BCRYPT, gh_str_of(text, 72), hash), GH_OK);
    assert_int_equal(gh_password_verify(gh_str_from_c(hash), gh_str_of(text, 72)), GH_OK);
    text[71] = 'y';
    assert_int_equal(gh_password_verify(gh_str_from_c(hash), gh_str_of(text, 72)),
                     GH_ERR_NOT_FOUND);
}

static void a_nul_byte_ends_no_password(void **state)
{
    char hash[GH_PASSWORD_HASH_BYTES_MAX];
    assert_int_equal(gh_password_hash(&SMALL_BCRYPT, GH_STR("horse"), hash), GH_OK);
    assert_int_equal(gh_password_verify(gh_str_from_c(hash), GH_STR("horse\0x")), GH_ERR_NOT_FOUND);
    assert_int_equal(gh_password_verify(gh_str_from_c(hash), GH_STR("horse\0")), GH_ERR_NOT_FOUND);
    assert_int_equal(gh_password_hash(&SMALL_ARGON2, GH_STR("horse\0x"), hash), GH_OK);
    assert_int_equal(gh_password_verify(gh_str_from_c(hash), GH_STR("horse\0x")), GH_OK);
    assert_int_equal(gh_password_verify(gh_str_from_c(hash), GH_STR("horse\0y")), GH_ERR_NOT_FOUND);
    assert_int_equal(verify(hash, "horse"), GH_ERR_NOT_FOUND);
}

static struct gh_password_strength strength(const char *password)
{
    static const struct gh_str OWN[] = {GH_STR_INIT("alice.liddell@wonderland.example"),
                                        GH_STR_INIT("Gatehouse")};
    return gh_password_strength(gh_str_from_c(password), OWN, COUNT(OWN));
}

static void common_passwords_are_known(void **state)
{
    assert_true(strength("password").is_common);
    assert_true(strength("PassWord").is_common);
    assert_true(strength("p@ssw0rd").is_common);
    assert_true(strength("qwertyuiop").is_common);
    assert_false(strength("password correct horse").is_common);
    assert_false(strength("tr4nd0m-mQ9!x").is_common);
    assert_false(strength("").is_common);
}

static void weak_passwords_of_a_good_length_are_told_from_strong_ones(void **state)
{
    static const char *const WEAK[] = {"123456789012",     "password1234",     "iloveyou1234",
                                       "passwordpassword", "aaaaaaaaaaaaaaaa", "unbelievable",
                                       "qwertyuiop12",     "wonderland12",     "Alice.Liddell",
                                       "gatehouse2024",    "liddellliddell"};
    static const char *const STRONG[] = {"correct horse battery staple", "vK8#qLz2!mPw",
                                         "\xc3\xa9\xc3\xa8 quinze tortues lentes"};
    for (size_t i = 0; i < COUNT(WEAK); i++)
        if (strength(WEAK[i]).guesses_log10 > 8)
            fail_msg("%s: %f", WEAK[i], strength(WEAK[i]).guesses_log10);
    for (size_t i = 0; i < COUNT(STRONG); i++)
        if (strength(STRONG[i]).guesses_log10 < 12)
            fail_msg("%s: %f", STRONG[i], strength(STRONG[i]).guesses_log10);
}

static void own_words_of_any_number_and_length_are_taken(void **state)
{
    struct gh_str words[40];
    char longer[500];
    memset(longer, 'w', sizeof(longer));
    for (size_t i = 0; i < COUNT(words); i++)
        words[i] = gh_str_of(longer, i * 12);
    words[3] = GH_STR("a@b.c-d+e f");
    words[4] = GH_STR("@@@@");
    words[5] = GH_STR("nul\0nul");
    struct gh_password_strength result =
        gh_password_strength(gh_str_of(longer, sizeof(longer)), words, COUNT(words));
    assert_false(result.is_common);
    assert_true(result.guesses_log10 < 8);
    assert_true(gh_password_strength(GH_STR("a\0b\0c"), NULL, 0).guesses_log10 > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_hashed_is_verified),
        cmocka_unit_test(reads_the_hashes_of_others),
        cmocka_unit_test(unused_bits_of_a_bcrypt_salt_do_not_matter),
        cmocka_unit_test(refuses_what_is_no_hash_that_we_read),
        cmocka_unit_test(a_hash_over_the_bounds_is_read_but_not_computed),
        cmocka_unit_test(imported_costs_are_bounded_on_both_sides),
        cmocka_unit_test(refuses_to_hash_at_a_cost_out_of_bounds),
        cmocka_unit_test(bcrypt_never_cuts_what_it_hashes),
        cmocka_unit_test(a_nul_byte_ends_no_password),
        cmocka_unit_test(common_passwords_are_known),
        cmocka_unit_test(weak_passwords_of_a_good_length_are_told_from_strong_ones),
        cmocka_unit_test(own_words_of_any_number_and_length_are_taken),
    };
    gh_crypto_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
