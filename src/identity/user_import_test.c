/* Accounts of an existing system: what a line may say, and what is taken over. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/base64.h"
#include "crypto/totp.h"
#include "identity/admin.h"
#include "identity/identity_fixture.h"
#include "identity/two_factor.h"

#define BCRYPT "$2b$10$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW"

static struct gh_identity_fixture f;
static struct gh_identity_call call;

static int open_fixture(void **state)
{
    gh_identity_fixture_open(&f);
    call = gh_fixture_call(&f);
    call.by = GH_STR("command");
    return 0;
}

static int close_fixture(void **state)
{
    gh_identity_fixture_close(&f);
    return 0;
}

static enum gh_identity_result parse(const char *line, struct gh_user_import *out_user)
{
    call.why = NULL;
    return gh_user_import_parse(&call, gh_str_from_c(line), out_user);
}

static enum gh_identity_result import(const char *line, struct gh_account_view *out_view)
{
    struct gh_user_import user;
    enum gh_identity_result result = parse(line, &user);
    return result == GH_IDENTITY_OK ? gh_user_import(&call, &user, out_view) : result;
}

static void assert_refused(const char *line, const char *why)
{
    struct gh_account_view view;
    assert_int_equal(import(line, &view), GH_IDENTITY_INVALID);
    assert_non_null(call.why);
    if (!strstr(call.why, why))
        fail_msg("%s: \"%s\" does not say \"%s\"", line, call.why, why);
    assert_int_equal(gh_fixture_audit_count(&f, GH_AUDIT_SIGNUP, NULL), 0);
}

/* ---- Lines ---- */

static void reads_all_that_a_line_can_say(void **state)
{
    struct gh_user_import user;
    assert_int_equal(parse("{\"email\":\"a@b.example\",\"password_hash\":\"" BCRYPT "\","
                           "\"totp_secret\":\"JBSWY3DPEHPK3PXP\",\"roles\":[\"editor\",\"user\"],"
                           "\"name\":\"\\u00c4nn\",\"email_verified\":true}",
                           &user),
                     GH_IDENTITY_OK);
    assert_true(gh_str_eq(user.email, GH_STR("a@b.example")));
    assert_true(gh_str_eq(user.password_hash, GH_STR(BCRYPT)));
    assert_true(gh_str_eq(user.totp_secret, GH_STR("JBSWY3DPEHPK3PXP")));
    assert_true(gh_str_eq(user.name, GH_STR("\xc3\x84nn")));
    assert_int_equal(user.roles, 5);
    assert_true(user.email_verified);
}

static void takes_null_as_left_out(void **state)
{
    struct gh_user_import user;
    assert_int_equal(parse("{\"email\":\"a@b.example\",\"password_hash\":null,\"roles\":null,"
                           "\"totp_secret\":null,\"name\":null,\"email_verified\":null}",
                           &user),
                     GH_IDENTITY_OK);
    assert_int_equal(user.password_hash.len + user.totp_secret.len + user.name.len, 0);
    assert_int_equal(user.roles, 0);
    assert_false(user.email_verified);
}

static void refuses_lines_that_are_not_exactly_that(void **state)
{
    assert_refused("", "JSON");
    assert_refused("ann@example.org", "JSON");
    assert_refused("{\"email\":\"a@b.example\"", "JSON");
    assert_refused("{\"email\":\"a@b.example\"}{}", "JSON");
    assert_refused("{\"email\":\"a@b.example\",}", "JSON");
    assert_refused("{\"email\":\"a@b.example\",\"email\":\"c@d.example\"}", "JSON");
    assert_refused("{'email':'a@b.example'}", "JSON");
    assert_refused("[]", "object");
    assert_refused("\"a@b.example\"", "object");
    assert_refused("{}", "email");
    assert_refused("{\"email\":\"\"}", "email");
    assert_refused("{\"email\":null}", "email");
    assert_refused("{\"email\":7}", "email");
    assert_refused("{\"email\":\"a@b.example\",\"password\":\"x\"}", "unknown member");
    assert_refused("{\"email\":\"a@b.example\",\"Roles\":null}", "unknown member");
    assert_refused("{\"email\":\"a@b.example\",\"roles\":\"admin\"}", "roles");
    assert_refused("{\"email\":\"a@b.example\",\"roles\":[1]}", "roles");
    assert_refused("{\"email\":\"a@b.example\",\"roles\":[[\"admin\"]]}", "JSON");
    assert_refused("{\"email\":\"a@b.example\",\"roles\":[\"root\"]}", "root");
    assert_refused("{\"email\":\"a@b.example\",\"roles\":[\"ADMIN\"]}", "ADMIN");
    assert_refused("{\"email\":\"a@b.example\",\"email_verified\":1}", "email_verified");
    assert_refused("{\"email\":\"a@b.example\",\"email_verified\":\"true\"}", "email_verified");
}

static void shows_no_control_bytes_of_a_line(void **state)
{
    struct gh_user_import user;
    assert_int_equal(parse("{\"email\":\"a@b.example\",\"\\u001b[2J\":1}", &user),
                     GH_IDENTITY_INVALID);
    assert_null(strchr(call.why, '\x1b'));
}

/* ---- Values ---- */

static void refuses_values_that_cannot_be(void **state)
{
    assert_refused("{\"email\":\"ann\"}", "email");
    assert_refused("{\"email\":\"a@b@c.example\"}", "email");
    assert_refused("{\"email\":\"a@b.example\",\"name\":\"a\\u0000b\"}", "name");
    assert_refused("{\"email\":\"a@b.example\",\"name\":\"a\\nb\"}", "name");
    assert_refused("{\"email\":\"a@b.example\",\"name\":\""
                   "12345678901234567890123456789012345678901234567890"
                   "123456789012345678901234567890123456789012345678901\"}",
                   "name");
}

static void refuses_hashes_that_are_none_or_cost_too_much(void **state)
{
#define HASH(text) "{\"email\":\"a@b.example\",\"password_hash\":\"" text "\"}"
#define ARGON2(cost)                                                                               \
    HASH("$argon2id$v=19$" cost "$c29tZXNhbHRzb21lc2FsdA$"                                         \
         "RdescudvJCsgt3ub+b4dWRWJTmaaJObGRdescudvJCs")
    assert_refused(HASH("hunter2"), "not a bcrypt");
    assert_refused(HASH("5f4dcc3b5aa765d61d8327deb882cf99"), "not a bcrypt");
    assert_refused(HASH("$1$salt$qJH7.N4xYta3aEG/dfqo/0"), "not a bcrypt");
    assert_refused(HASH("{SSHA}abcdef"), "not a bcrypt");
    assert_refused(HASH("$2b$10$tooshort"), "not a bcrypt");
    assert_refused(HASH("$2b$09$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW"), "bounds");
    assert_refused(HASH("$2b$17$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW"), "bounds");
    assert_refused(ARGON2("m=1048576,t=2,p=1"), "bounds");
    assert_refused(ARGON2("m=65536,t=11,p=1"), "bounds");
    assert_refused(ARGON2("m=65536,t=2,p=17"), "bounds");
#undef ARGON2
#undef HASH
}

static void refuses_secrets_that_are_none(void **state)
{
#define SECRET(text) "{\"email\":\"a@b.example\",\"totp_secret\":\"" text "\"}"
    assert_refused(SECRET("JBSWY3DPEHPK3PXP"), "Base32"); /* 10 bytes */
    assert_refused(SECRET("JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PX1"), "Base32");
    assert_refused(SECRET("JBSW Y3DP EHPK 3PXP JBSW Y3DP EHPK 3PXP"), "Base32");
    assert_refused(SECRET("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
                          "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
                   "Base32"); /* over 64 bytes */
#undef SECRET
}

/* ---- Taking over ---- */

static void an_imported_user_signs_in_with_the_old_password_and_factor(void **state)
{
    struct gh_account_view view;
    char hash[GH_PASSWORD_HASH_BYTES_MAX], code[GH_TOTP_DIGITS + 1];
    struct gh_password_cost cost = {.scheme = GH_PASSWORD_BCRYPT, .log_rounds = 10};
    assert_int_equal(gh_password_hash(&cost, FIXTURE_PASSWORD, hash), GH_OK);
    struct gh_str line = gh_arena_format(
        &f.arena,
        "{\"email\":\"Ann@example.org\",\"password_hash\":\"%s\","
        "\"totp_secret\":\"gezdgnbvgy3tqojqgezdgnbvgy3tqojq\",\"roles\":[\"admin\"],"
        "\"email_verified\":true}",
        hash);
    assert_int_equal(import(line.ptr, &view), GH_IDENTITY_OK);
    assert_true(view.two_factor_enabled && view.email_verified && view.has_password);
    assert_int_equal(view.roles, 2);
    struct gh_login request = {.email = GH_STR("ann@example.org"), .password = FIXTURE_PASSWORD};
    struct gh_login_answer answer;
    struct gh_session_grant grant;
    struct gh_identity_call own = gh_fixture_call(&f);
    assert_int_equal(gh_login(&own, &request, &answer), GH_IDENTITY_OK);
    assert_true(answer.two_factor_required);
    gh_totp_code(GH_STR("12345678901234567890"), f.now_us / FIXTURE_SECOND / GH_TOTP_STEP_SECONDS,
                 code);
    assert_int_equal(gh_login_second_step(&own, answer.challenge, gh_str_from_c(code), &grant),
                     GH_IDENTITY_OK);
    assert_int_equal(gh_fixture_audit_count(&f, GH_AUDIT_SIGNUP, NULL), 1);
    assert_int_equal(gh_fixture_audit_count(&f, GH_AUDIT_ROLE_CHANGED, NULL), 1);
}

static void gives_the_role_of_new_accounts_where_none_is_named(void **state)
{
    struct gh_account_view view;
    assert_int_equal(import("{\"email\":\"a@b.example\"}", &view), GH_IDENTITY_OK);
    assert_int_equal(view.roles, f.settings.default_roles);
    assert_false(view.email_verified);
    assert_false(view.has_password);
    assert_int_equal(gh_fixture_audit_count(&f, GH_AUDIT_ROLE_CHANGED, NULL), 0);
    assert_int_equal(import("{\"email\":\"b@b.example\",\"roles\":[]}", &view), GH_IDENTITY_OK);
    assert_int_equal(view.roles, f.settings.default_roles);
}

static void refuses_an_address_that_has_an_account(void **state)
{
    struct gh_account_view view;
    assert_int_equal(import("{\"email\":\"a@b.example\"}", &view), GH_IDENTITY_OK);
    assert_int_equal(import("{\"email\":\"A@B.example\",\"roles\":[\"admin\"]}", &view),
                     GH_IDENTITY_EMAIL_TAKEN);
    assert_int_equal(gh_fixture_audit_count(&f, GH_AUDIT_SIGNUP, NULL), 1);
    assert_int_equal(gh_fixture_audit_count(&f, GH_AUDIT_ROLE_CHANGED, NULL), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)

/* ---- Values that were Fernet tokens ---- */

#define FERNET_KEY  "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define OTHER_KEY   "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4="
#define TOKEN_HEAD  "gAAAAABlU_EA8PHy8_T19vf4-fr7_P3-_"
#define EMAIL_TOKEN TOKEN_HEAD "_FbJp-7evZhWK5iBlnywQNLdtxvAcp_CV6LBuQ-_PPrd_32VDEqUOsifuCNDoRU3A=="
#define TOTP_TOKEN                                                                                 \
    TOKEN_HEAD "yoRIyA2DWtxELt-YiylUcqSEuYndbv0jdHH_kzq2qAokPtFzJBKmyZPfv2MlTcuVvJ7yjj3FjjroFX0Z3" \
               "JKj7vAvUqtKVi9UdkdE2TXU3Cw"
/* Of "sixteen bytes!!!", which is neither an address nor Base32. */
#define TEXT_TOKEN                                                                                 \
    TOKEN_HEAD "2ZxIqE8QNmLwHaytTMpdP-jPyclA_SEHHAqyJblFZRQfvZUuWwazQ49-lXH3_hEnJXmfrAIEChL-B-da"  \
               "QQWbRA="

static void know_fernet_keys(const char *first, const char *second)
{
    struct gh_fernet_key keys[2];
    assert_true(gh_fernet_key_parse(gh_str_from_c(first), &keys[0]));
    assert_true(gh_fernet_key_parse(gh_str_from_c(second), &keys[1]));
    gh_vault_set_fernet(f.vault, keys, 2);
}

static void takes_over_values_that_were_fernet_tokens(void **state)
{
    struct gh_account_view view;
    struct gh_account account;
    struct gh_str secret, codes = GH_STR("JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP");
    uint8_t bytes[64];
    size_t len;
    know_fernet_keys(OTHER_KEY, FERNET_KEY);
    assert_int_equal(import("{\"email\":\"" EMAIL_TOKEN "\",\"totp_secret\":\"" TOTP_TOKEN "\","
                            "\"name\":\"" TEXT_TOKEN "\"}",
                            &view),
                     GH_IDENTITY_OK);
    assert_true(gh_str_eq(view.email, GH_STR("ada@example.com")));
    assert_true(gh_str_eq(view.name, GH_STR("sixteen bytes!!!")));
    assert_true(view.two_factor_enabled);
    assert_true(gh_fixture_account_row(&f, gh_id_str(&view.id), &account));
    assert_int_equal(gh_vault_key_id(account.email), gh_vault_state(f.vault).sealing_id);
    secret = gh_vault_open_field(f.vault, &f.arena, "accounts.totp_secret", gh_id_str(&view.id),
                                 account.totp_secret);
    assert_true(gh_base32_decode(codes, bytes, sizeof(bytes), &len));
    assert_true(gh_str_eq(secret, gh_str_of((char *)bytes, len)));
}

static void refuses_a_fernet_token_that_no_key_opens(void **state)
{
    assert_refused("{\"email\":\"" EMAIL_TOKEN "\"}", "email: a Fernet token that no key");
    know_fernet_keys(OTHER_KEY, OTHER_KEY);
    assert_refused("{\"email\":\"" EMAIL_TOKEN "\"}", "email: a Fernet token that no key");
    assert_refused("{\"email\":\"a@b.example\",\"totp_secret\":\"" TOTP_TOKEN "\"}",
                   "totp_secret: a Fernet token that no key");
    assert_refused("{\"email\":\"a@b.example\",\"name\":\"" TEXT_TOKEN "\"}",
                   "name: a Fernet token that no key");
}

static void judges_what_was_in_a_fernet_token(void **state)
{
    know_fernet_keys(FERNET_KEY, OTHER_KEY);
    assert_refused("{\"email\":\"" TEXT_TOKEN "\"}", "email: not an address");
    assert_refused("{\"email\":\"a@b.example\",\"totp_secret\":\"" TEXT_TOKEN "\"}",
                   "totp_secret: not Base32");
    assert_refused("{\"email\":\"a@b.example\",\"password_hash\":\"" TEXT_TOKEN "\"}",
                   "password_hash: not a bcrypt");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(reads_all_that_a_line_can_say),
        TEST(takes_null_as_left_out),
        TEST(refuses_lines_that_are_not_exactly_that),
        TEST(shows_no_control_bytes_of_a_line),
        TEST(refuses_values_that_cannot_be),
        TEST(refuses_hashes_that_are_none_or_cost_too_much),
        TEST(refuses_secrets_that_are_none),
        TEST(an_imported_user_signs_in_with_the_old_password_and_factor),
        TEST(gives_the_role_of_new_accounts_where_none_is_named),
        TEST(refuses_an_address_that_has_an_account),
        TEST(takes_over_values_that_were_fernet_tokens),
        TEST(refuses_a_fernet_token_that_no_key_opens),
        TEST(judges_what_was_in_a_fernet_token),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
