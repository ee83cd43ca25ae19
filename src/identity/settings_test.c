/* The section `identity:` as it is written, and what its settings must be to one another. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "identity/settings.h"
#include "identity/url.h"

#define SECOND 1000ull
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

static struct gh_arena arena;
static struct gh_config_load load;
static struct gh_identity_settings settings;

static const struct gh_identity_surroundings PRODUCTION = {
    .production = true,
    .tls = true,
    .public_url = GH_STR_INIT("https://api.example.com"),
};
static const struct gh_identity_surroundings DEVELOPMENT = {
    .public_url = GH_STR_INIT("http://localhost:8080"),
};

static const char *no_environment(void *context, const char *name)
{
    (void)context;
    (void)name;
    return NULL;
}

static int open_arena(void **state)
{
    gh_arena_init(&arena, 4096, 4 * 1024 * 1024);
    return 0;
}

static int close_arena(void **state)
{
    gh_arena_done(&arena);
    return 0;
}

static void read_in(const struct gh_identity_surroundings *surroundings, const char *yaml)
{
    struct gh_str text = gh_arena_format(&arena, "enabled: true\n%s\n", yaml);
    memset(&settings, 0, sizeof(settings));
    gh_config_load_init(&load, &arena, "test.yaml", no_environment, NULL);
    const struct gh_config_node *node = gh_config_parse(&load, text);
    assert_non_null(node);
    gh_config_bind(&load, &gh_identity_table, node, &settings);
    if (!load.error_count)
        gh_identity_settings_finish(&load, &settings, surroundings);
}

static void assert_taken_in(const struct gh_identity_surroundings *surroundings, const char *yaml)
{
    read_in(surroundings, yaml);
    if (load.error_count || load.warning_count)
        fail_msg("%s: %.*s", yaml, GH_STR_ARG(load.problems->what));
}

static void assert_refused_in(const struct gh_identity_surroundings *surroundings, const char *yaml)
{
    read_in(surroundings, yaml);
    if (!load.error_count)
        fail_msg("taken: %s", yaml);
}

static void assert_refused(const char *yaml)
{
    assert_refused_in(&DEVELOPMENT, yaml);
}

/* A problem, error or warning, whose text holds `part`. */
static void assert_says(const char *part)
{
    for (const struct gh_config_problem *problem = load.problems; problem; problem = problem->next)
        if (gh_str_find(problem->what, gh_str_from_c(part)) < problem->what.len)
            return;
    fail_msg("nothing says: %s", part);
}

static void assert_warns_in(const struct gh_identity_surroundings *surroundings, const char *yaml,
                            const char *part)
{
    read_in(surroundings, yaml);
    if (load.error_count)
        fail_msg("%s: %.*s", yaml, GH_STR_ARG(load.problems->what));
    assert_says(part);
}

static void assert_text(struct gh_str is, const char *wanted)
{
    if (!gh_str_eq(is, gh_str_from_c(wanted)))
        fail_msg("\"%.*s\" is not \"%s\"", GH_STR_ARG(is), wanted);
}

/* ---- Defaults ---- */

static void has_the_documented_defaults(void **state)
{
    assert_taken_in(&DEVELOPMENT, "");
    assert_text(settings.base_path, "/api/v1");
    assert_int_equal(settings.transport, GH_TRANSPORT_COOKIE);
    assert_int_equal(settings.email_verification, GH_VERIFY_UNSET);
    assert_int_equal(settings.tokens.algorithm, GH_TOKEN_EDDSA);
    assert_int_equal(settings.tokens.access_ms, 15 * MINUTE);
    assert_int_equal(settings.tokens.refresh_grace_ms, 10 * SECOND);
    assert_int_equal(settings.tokens.rotate_after_ms, 30 * DAY);
    assert_text(settings.tokens.audience, "api");
    assert_int_equal(settings.sessions.idle_ms, 30 * MINUTE);
    assert_int_equal(settings.sessions.absolute_ms, 12 * HOUR);
    assert_int_equal(settings.sessions.remember_ms, 30 * DAY);
    assert_int_equal(settings.sessions.fresh_ms, 10 * MINUTE);
    assert_int_equal(settings.sessions.admin.idle_ms, 15 * MINUTE);
    assert_int_equal(settings.sessions.admin.absolute_ms, 8 * HOUR);
    assert_int_equal(settings.passwords.hash, GH_PASSWORD_ARGON2ID);
    assert_int_equal(settings.passwords.memory_bytes, 64 << 20);
    assert_int_equal(settings.passwords.passes, 2);
    assert_int_equal(settings.passwords.log_rounds, 12);
    assert_int_equal(settings.passwords.min_length, 12);
    assert_int_equal(settings.passwords.max_length, 128);
    assert_text(settings.passwords.breach, "");
    assert_int_equal(settings.two_factor.drift, 1);
    assert_int_equal(settings.forward, GH_IDENTITY_HEADERS);
    assert_text(settings.forward_headers.user_id, "X-User-Id");
    assert_text(settings.forward_headers.user_email, "X-User-Email");
    assert_text(settings.forward_headers.user_roles, "X-User-Roles");
    assert_text(settings.forward_headers.session_id, "X-Session-Id");
    assert_int_equal(settings.same_site, GH_SAME_SITE_LAX);
    assert_text(settings.login_url, "/login");
    assert_int_equal(settings.issuers.count, 0);
    assert_int_equal(settings.authz_peers.count, 0);
}

static void is_off_unless_it_is_switched_on(void **state)
{
    memset(&settings, 0, sizeof(settings));
    gh_config_load_init(&load, &arena, "test.yaml", no_environment, NULL);
    gh_config_bind(&load, &gh_identity_table, NULL, &settings);
    gh_identity_settings_finish(&load, &settings, &PRODUCTION);
    assert_false(settings.enabled);
    assert_int_equal(load.error_count + load.warning_count, 0);
    assert_int_equal(settings.role_names.count, 2);
}

static void takes_the_example_of_the_specification(void **state)
{
    assert_taken_in(
        &PRODUCTION,
        "base_path: /api/v1\n"
        "transport: cookie\n"
        "email_verification: required\n"
        "tokens: {algorithm: EdDSA, access: 15m, refresh_grace: 10s, rotate_after: 30d,"
        " audience: api}\n"
        "sessions: {idle: 30m, absolute: 12h, remember: 30d, admin: {idle: 15m, absolute: 8h},"
        " fresh: 10m}\n"
        "passwords: {hash: argon2id, min_length: 12, max_length: 128, breach: off}\n"
        "two_factor: {required_for: [admin], drift: 1}\n"
        "roles: [user, admin, editor]\n"
        "forward: headers\n"
        "cookies: {same_site: lax}\n"
        "login_url: /login\n"
        "issuers: [{issuer: https://idp.example.com, jwks: https://idp.example.com/jwks.json,"
        " audience: api, algorithms: [RS256]}]\n"
        "authz: {peers: [10.0.0.0/8]}\n"
        "hooks: {export: http://127.0.0.1:8000/internal/export,"
        " delete: http://127.0.0.1:8000/internal/delete}\n"
        "mail: {from: \"Example <no-reply@example.com>\", smtp: env:SMTP_URL}\n");
    assert_true(settings.production);
    assert_true(settings.verify_email);
    assert_false(settings.plain_cookies);
    assert_text(settings.public_url, "https://api.example.com");
    assert_int_equal(settings.role_names.count, 3);
    assert_int_equal(settings.default_roles, 1);
    assert_int_equal(settings.admin, 2);
    assert_int_equal(settings.required_for, 2);
    const struct gh_issuer_settings *issuer = settings.issuers.items;
    assert_text(issuer->audience, "api");
    assert_text(issuer->roles_claim, "");
    assert_int_equal(settings.authz_peers.count, 1);
}

/* ---- Roles ---- */

static void adds_user_and_admin_where_they_are_missing(void **state)
{
    assert_taken_in(&DEVELOPMENT, "roles: [editor, reader]");
    assert_int_equal(settings.role_names.count, 4);
    assert_text(settings.role_names.names[2], "user");
    assert_text(settings.role_names.names[3], "admin");
    assert_int_equal(settings.default_roles, 1);
    assert_int_equal(settings.admin, 8);
}

static void never_makes_new_accounts_admins(void **state)
{
    assert_refused("roles: [admin, user]");
    assert_says("new accounts");
    assert_refused("roles: admin");
}

static void refuses_names_that_are_no_roles(void **state)
{
    assert_refused("roles: [user, \"a,b\"]");
    assert_refused("roles: [user, \"a b\"]");
    assert_refused("roles: [user, \"\"]");
    assert_refused("roles: [user, \"r\\u00f4le\"]");
    assert_refused("roles: [user, "
                   "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa]");
    assert_refused("roles: [user, editor, editor]");
    assert_says("twice");
}

static void refuses_more_roles_than_there_are_bits(void **state)
{
    char yaml[1024];
    struct gh_buf buf = gh_buf_over(yaml, sizeof(yaml) - 1);
    gh_buf_put(&buf, GH_STR("roles: [r0"));
    for (unsigned i = 1; i < 63; i++)
        gh_buf_format(&buf, ", r%u", i);
    gh_buf_put(&buf, GH_STR("]"));
    yaml[buf.len] = 0;
    assert_refused(yaml);
    assert_int_equal(settings.role_names.count, 64);
}

static void refuses_required_for_a_role_that_is_not_there(void **state)
{
    assert_refused("two_factor: {required_for: [admn]}");
    assert_says("admn");
    assert_taken_in(&DEVELOPMENT, "roles: [user, editor]\ntwo_factor: {required_for: editor}");
    assert_int_equal(settings.required_for, 2);
    assert_warns_in(&PRODUCTION, "two_factor: {required_for: []}", "without a second factor");
}

/* ---- Paths, names, numbers ---- */

static void refuses_base_paths_that_are_not_canonical(void **state)
{
    static const char *const PATHS[] = {"api",     "/",     "/api/",  "//api", "/api//v1",
                                        "/a/../b", "/./a",  "/a%2fb", "/a b",  "/a?b",
                                        "/{id}",   "/a/**", "/a;b",   "\"\"",  "/a#b"};
    for (size_t i = 0; i < sizeof(PATHS) / sizeof(PATHS[0]); i++) {
        char yaml[64];
        struct gh_buf buf = gh_buf_over(yaml, sizeof(yaml) - 1);
        gh_buf_format(&buf, "base_path: %s%s%s", PATHS[i][0] == '"' ? "" : "\"", PATHS[i],
                      PATHS[i][0] == '"' ? "" : "\"");
        yaml[buf.len] = 0;
        assert_refused(yaml);
    }
    assert_taken_in(&DEVELOPMENT, "base_path: /identity");
}

static void refuses_login_urls_of_another_origin(void **state)
{
    static const char *const URLS[] = {
        "https://evil.example/login", "//evil.example", "/\\\\evil", "login",
        "javascript:alert(1)",        "/login?next=/",  "/a#b",      "/a b"};
    for (size_t i = 0; i < sizeof(URLS) / sizeof(URLS[0]); i++) {
        char yaml[64];
        struct gh_buf buf = gh_buf_over(yaml, sizeof(yaml) - 1);
        gh_buf_format(&buf, "login_url: \"%s\"", URLS[i]);
        yaml[buf.len] = 0;
        assert_refused(yaml);
    }
    assert_taken_in(&DEVELOPMENT, "login_url: /app/sign-in");
}

static void refuses_identity_headers_that_mean_something_else(void **state)
{
    assert_refused("forward_headers: {user_id: Authorization}");
    assert_refused("forward_headers: {user_id: host}");
    assert_refused("forward_headers: {user_id: X_User_Id}");
    assert_refused("forward_headers: {user_id: \"X User\"}");
    assert_refused("forward_headers: {user_id: \"\"}");
    assert_refused("forward_headers: {user_id: X-Same, user_email: x-same}");
    assert_taken_in(&DEVELOPMENT, "forward_headers: {user_id: X-Account}");
}

static void refuses_lifetimes_that_contradict_each_other(void **state)
{
    assert_refused("tokens: {access: 2h}");
    assert_refused("tokens: {access: 0s}");
    assert_refused("tokens: {access: 10s, refresh_grace: 10s}");
    assert_refused("tokens: {refresh_grace: 2m}");
    assert_refused("sessions: {idle: 2h, absolute: 1h}");
    assert_refused("sessions: {admin: {idle: 2h, absolute: 1h}}");
    assert_refused("sessions: {absolute: 12h, remember: 1h}");
    assert_warns_in(&DEVELOPMENT, "tokens: {access: 45m}", "longer than an idle session");
    assert_warns_in(&DEVELOPMENT, "sessions: {admin: {idle: 1h}}", "sessions of admins");
}

static void refuses_password_rules_that_contradict_each_other(void **state)
{
    assert_refused("passwords: {min_length: 40, max_length: 20}");
    assert_refused("passwords: {min_length: 4}");
    assert_refused("passwords: {hash: md5}");
    assert_refused("passwords: {memory: 1KiB}");
    assert_refused("passwords: {memory: 1GiB}");
    assert_refused("passwords: {rounds: 20}");
    assert_refused("passwords: {breach: http://breach.example/range/}");
    assert_refused("passwords: {breach: yes-please}");
    assert_warns_in(&DEVELOPMENT, "passwords: {hash: bcrypt, max_length: 128}", "72 bytes");
    assert_taken_in(&DEVELOPMENT, "passwords: {hash: bcrypt}");
    assert_warns_in(&PRODUCTION, "passwords: {memory: 8MiB}", "cheap to guess");
    assert_taken_in(&DEVELOPMENT, "passwords: {breach: https://breach.example/range/}");
    assert_text(settings.passwords.breach, "https://breach.example/range/");
}

static void refuses_more_drift_than_one_step(void **state)
{
    assert_refused("two_factor: {drift: 2}");
    assert_taken_in(&DEVELOPMENT, "two_factor: {drift: 0}");
    assert_int_equal(settings.two_factor.drift, 0);
}

static void warns_of_tokens_that_the_backend_cannot_verify(void **state)
{
    assert_warns_in(&DEVELOPMENT, "tokens: {algorithm: HS256}\nforward: bearer", "can't verify");
    assert_warns_in(&DEVELOPMENT, "tokens: {algorithm: HS256}\nhooks: {delete: http://localhost/d}",
                    "can't verify");
    assert_taken_in(&DEVELOPMENT, "tokens: {algorithm: HS256}");
    assert_refused("tokens: {audience: \"a b\"}");
    assert_refused("tokens: {audience: \"\"}");
}

/* ---- Cookies ---- */

static void drops_cookie_prefixes_on_plain_localhost_in_development_only(void **state)
{
    static const struct gh_identity_surroundings LOOPBACK = {
        .public_url = GH_STR_INIT("http://127.0.0.1:8080")};
    static const struct gh_identity_surroundings NOTHING = {.production = false};
    static const struct gh_identity_surroundings LAN = {.public_url =
                                                            GH_STR_INIT("http://192.168.1.2:8080")};
    static const struct gh_identity_surroundings SECURE = {
        .tls = true, .public_url = GH_STR_INIT("https://localhost:8443")};
    static const struct gh_identity_surroundings LIVE = {
        .production = true, .tls = true, .public_url = GH_STR_INIT("http://localhost")};
    read_in(&DEVELOPMENT, "");
    assert_true(settings.plain_cookies);
    read_in(&LOOPBACK, "");
    assert_true(settings.plain_cookies);
    read_in(&NOTHING, "");
    assert_true(settings.plain_cookies);
    assert_text(settings.public_url, "http://localhost");
    read_in(&LAN, "");
    assert_false(settings.plain_cookies);
    read_in(&SECURE, "");
    assert_false(settings.plain_cookies);
    read_in(&LIVE, "");
    assert_false(settings.plain_cookies);
}

static void refuses_same_site_none_without_https(void **state)
{
    static const struct gh_identity_surroundings PLAIN = {
        .production = true, .public_url = GH_STR_INIT("https://api.example.com")};
    assert_refused("cookies: {same_site: none}");
    assert_refused_in(&PLAIN, "cookies: {same_site: none}");
    assert_taken_in(&PRODUCTION, "cookies: {same_site: none}\nmail: {smtp: env:SMTP_URL}");
    assert_warns_in(&PLAIN, "", "https only");
}

static void cuts_the_path_of_public_url(void **state)
{
    static const struct gh_identity_surroundings SLASH = {
        .public_url = GH_STR_INIT("http://localhost:8080/")};
    static const struct gh_identity_surroundings PATH = {
        .public_url = GH_STR_INIT("http://[::1]:8080/app/?a=b")};
    read_in(&SLASH, "");
    assert_text(settings.public_url, "http://localhost:8080");
    read_in(&PATH, "");
    assert_text(settings.public_url, "http://[::1]:8080");
}

/* ---- Others ---- */

static void refuses_issuers_that_could_be_forged(void **state)
{
#define ISSUER(issuer, jwks, algorithms)                                                           \
    "issuers: [{issuer: \"" issuer "\", jwks: \"" jwks                                             \
    "\", audience: api, algorithms: " algorithms "}]"
    assert_refused_in(&PRODUCTION,
                      ISSUER("http://idp.example", "https://idp.example/j", "[RS256]"));
    assert_refused_in(&PRODUCTION,
                      ISSUER("https://idp.example", "http://idp.example/j", "[RS256]"));
    assert_refused_in(&PRODUCTION, ISSUER("http://localhost", "http://localhost/j", "[RS256]"));
    assert_refused(ISSUER("https://idp.example", "https://u:p@idp.example/j", "[RS256]"));
    assert_refused(ISSUER("https://idp.example", "https://idp.example/j", "[HS256]"));
    assert_refused(ISSUER("https://idp.example", "https://idp.example/j", "[none]"));
    assert_refused(ISSUER("https://idp.example", "https://idp.example/j", "[]"));
    assert_refused(ISSUER("https://idp.example", "https://idp.example/j", "[RS256, rs256]"));
    assert_refused(ISSUER("idp", "https://idp.example/j", "[RS256]"));
    assert_refused_in(&PRODUCTION,
                      ISSUER("https://api.example.com", "https://idp.example/j", "[RS256]"));
    assert_refused("issuers: [{issuer: https://a.example, jwks: https://a.example/j}]");
    assert_refused("issuers: [{issuer: https://a.example, jwks: https://a.example/j, audience: "
                   "\"\", algorithms: [ES256]}]");
    assert_refused("issuers:\n"
                   "  - {issuer: https://a.example, jwks: https://a.example/j, audience: a,"
                   " algorithms: ES256}\n"
                   "  - {issuer: https://a.example, jwks: https://a.example/k, audience: a,"
                   " algorithms: ES256}\n");
    assert_taken_in(&DEVELOPMENT,
                    ISSUER("http://127.0.0.1:9000", "http://127.0.0.1:9000/j", "[EdDSA, ES256]"));
#undef ISSUER
}

static void refuses_networks_that_are_none(void **state)
{
    assert_refused("authz: {peers: [10.0.0.1/8]}");
    assert_refused("authz: {peers: [proxy]}");
    assert_refused("authz: {peers: [\"*\"]}");
    assert_taken_in(&DEVELOPMENT, "authz: {peers: [127.0.0.1, \"2001:db8::/32\", unix]}");
}

static void refuses_hooks_that_are_no_urls(void **state)
{
    assert_refused("hooks: {export: /internal/export}");
    assert_refused("hooks: {export: \"ftp://localhost/export\"}");
    assert_refused("hooks: {delete: \"http://u:p@localhost/delete\"}");
    assert_refused("hooks: {delete: http://localhost}");
    assert_refused("hooks: {delete: \"http://localhost/a#b\"}");
    assert_warns_in(&PRODUCTION, "hooks: {delete: http://backend.example.com/delete}",
                    "plain http");
    assert_taken_in(&PRODUCTION, "hooks: {delete: http://10.0.0.5/delete}\n"
                                 "mail: {smtp: env:SMTP_URL}");
}

static void refuses_mail_that_cannot_be_sent(void **state)
{
    assert_refused("mail: {smtp: http://mail.example.com}");
    assert_refused("mail: {smtp: mail.example.com}");
    assert_refused("mail: {smtp: smtp://mail.example.com/path}");
    assert_refused("mail: {smtp: \"env:\"}");
    assert_refused("mail: {smtp: env:SMTP_URL, folder: ./mail}");
    assert_refused("mail: {from: nobody}");
    assert_refused("mail: {from: \"Example no-reply@example.com\"}");
    assert_refused("mail: {from: \"A <a@b.example> x\"}");
    assert_refused("mail: {from: \"A <a@b.example>\\nBcc: c@d.example\"}");
    assert_refused("mail: {from: \"<>\"}");
    assert_taken_in(&DEVELOPMENT, "mail: {smtp: smtp://127.0.0.1:2525}");
    assert_text(settings.mail.from, "no-reply@localhost");
    assert_taken_in(&DEVELOPMENT, "mail: {smtp: smtps://mail.example.com:465}");
    assert_taken_in(&DEVELOPMENT, "mail: {folder: ./mail, from: \"Beispiel GmbH <a@b.example>\"}");
}

static void says_in_production_which_links_cannot_be_sent(void **state)
{
    assert_warns_in(&PRODUCTION, "", "can't be confirmed");
    assert_warns_in(&PRODUCTION, "email_verification: off", "passwords can't be reset");
    assert_warns_in(&PRODUCTION, "email_verification: off", "somebody else");
    assert_warns_in(&PRODUCTION, "mail: {folder: ./mail}", "reach nobody");
    assert_taken_in(&DEVELOPMENT, "email_verification: required");
    assert_true(settings.verify_email);
    assert_taken_in(&DEVELOPMENT, "");
    assert_false(settings.verify_email);
}

static void names_the_place_of_a_problem(void **state)
{
    assert_refused("login_url: /login\nbase_path: api/\n");
    assert_int_equal(load.problems->place.line, 3);
    assert_true(load.problems->remedy.len > 0);
}

/* ---- URLs ---- */

static void takes_urls_apart(void **state)
{
    struct gh_url url;
    assert_true(gh_url_parse(GH_STR("https://a.example:8443/p?q#f"), &url));
    assert_text(url.scheme, "https");
    assert_text(url.host, "a.example");
    assert_int_equal(url.port, 8443);
    assert_text(url.path, "/p?q");
    assert_true(url.has_fragment);
    assert_null(url.userinfo.ptr);
    assert_true(gh_url_parse(GH_STR("smtp://u:p@[::1]:25"), &url));
    assert_text(url.userinfo, "u:p");
    assert_text(url.host, "[::1]");
    assert_true(gh_url_is_loopback(&url));
    assert_true(gh_url_parse(GH_STR("http://api.localhost"), &url));
    assert_true(gh_url_is_loopback(&url));
    assert_true(gh_url_parse(GH_STR("http://notlocalhost"), &url));
    assert_false(gh_url_is_loopback(&url));
    assert_text(gh_url_host_of(GH_STR("https://a.example/x")), "a.example");
    assert_text(gh_url_host_of(GH_STR("nonsense")), "localhost");
}

static void refuses_what_is_no_url(void **state)
{
    static const char *const TEXTS[] = {
        "",
        "https",
        "https://",
        "https:///path",
        "HTTPS://a.example",
        "https://a.example:",
        "https://a.example:0",
        "https://a.example:65536",
        "https://a.example:8o",
        "https://-a.example",
        "https://a..example",
        "https://a_b.example",
        "https://a.example./",
        "https://127.1/",
        "https://0177.0.0.1/",
        "https://1.2.3.4.5/",
        "https://[::1",
        "https://[::1%25eth0]/",
        "https://::1/",
        "https://a example/",
        "https://a.example/\r\nX: y",
        "https://a.example/\\",
        "https://a@b@c/",
        "java script://a",
    };
    struct gh_url url;
    for (size_t i = 0; i < sizeof(TEXTS) / sizeof(TEXTS[0]); i++)
        if (gh_url_parse(gh_str_from_c(TEXTS[i]), &url))
            fail_msg("taken: %s", TEXTS[i]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_arena, close_arena)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(has_the_documented_defaults),
        TEST(is_off_unless_it_is_switched_on),
        TEST(takes_the_example_of_the_specification),
        TEST(adds_user_and_admin_where_they_are_missing),
        TEST(never_makes_new_accounts_admins),
        TEST(refuses_names_that_are_no_roles),
        TEST(refuses_more_roles_than_there_are_bits),
        TEST(refuses_required_for_a_role_that_is_not_there),
        TEST(refuses_base_paths_that_are_not_canonical),
        TEST(refuses_login_urls_of_another_origin),
        TEST(refuses_identity_headers_that_mean_something_else),
        TEST(refuses_lifetimes_that_contradict_each_other),
        TEST(refuses_password_rules_that_contradict_each_other),
        TEST(refuses_more_drift_than_one_step),
        TEST(warns_of_tokens_that_the_backend_cannot_verify),
        TEST(drops_cookie_prefixes_on_plain_localhost_in_development_only),
        TEST(refuses_same_site_none_without_https),
        TEST(cuts_the_path_of_public_url),
        TEST(refuses_issuers_that_could_be_forged),
        TEST(refuses_networks_that_are_none),
        TEST(refuses_hooks_that_are_no_urls),
        TEST(refuses_mail_that_cannot_be_sent),
        TEST(says_in_production_which_links_cannot_be_sent),
        TEST(names_the_place_of_a_problem),
        TEST(takes_urls_apart),
        TEST(refuses_what_is_no_url),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
