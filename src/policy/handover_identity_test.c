#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>

#include "policy/policy_fixture.h"
#include "policy/policy_fixture_yaml.h"

#define CONFIG                                                                                     \
    DEVELOPMENT "trusted_proxies: [10.0.0.0/8]\n"                                                  \
                "routes: [{path: /**, upstream: api, access: public}]\n"
#define HEAD "GET /x HTTP/1.1\r\nHost: localhost\r\n"

static void open_forwarding(struct gh_fixture *f, enum gh_forward forward)
{
    struct gh_policy_identity identity = gh_fixture_identity;
    identity.forward = forward;
    gh_fixture_open_identity(f, CONFIG, &identity);
    assert_non_null(f->policy);
}

static const char *handover(struct gh_fixture *f, const char *fields)
{
    char bytes[16384];
    snprintf(bytes, sizeof(bytes), HEAD "%s\r\n", fields);
    assert_int_equal(gh_fixture_run(f, bytes).kind, GH_VERDICT_NEXT);
    return gh_fixture_handover(f);
}

static const char *signed_in(struct gh_fixture *f, const struct gh_subject *subject)
{
    char fields[4096];
    snprintf(fields, sizeof(fields), "Cookie: __Host-gh_access=%s\r\n",
             gh_fixture_token(f, GH_CREDENTIAL_COOKIE, subject));
    return handover(f, fields);
}

static void expect(struct gh_fixture *f, const char *head, const char *name, const char *value)
{
    const char *found = gh_fixture_value(f, head, name);
    if (!found != !value || (value && strcmp(found, value) != 0))
        fail_msg("%s: %s, not %s", name, found ? found : "none", value ? value : "none");
    if (value)
        assert_int_equal(gh_fixture_count(head, name), 1);
}

static void backends_are_told_by_headers(void **state)
{
    struct gh_fixture f;
    struct gh_subject user = gh_fixture_subject();
    user.roles = 3;
    open_forwarding(&f, GH_FORWARD_HEADERS);
    const char *head = signed_in(&f, &user);
    expect(&f, head, "X-User-Id", GH_FIXTURE_USER);
    expect(&f, head, "X-User-Email", "ann@example.com");
    expect(&f, head, "X-User-Roles", "user,admin");
    expect(&f, head, "X-Session-Id", user.session_id.ptr);
    expect(&f, head, "Authorization", NULL);
    expect(&f, head, "Cookie", NULL);
    gh_fixture_close(&f);
}

static void what_is_not_known_is_not_told(void **state)
{
    struct gh_fixture f;
    struct gh_subject user = gh_fixture_subject();
    user.roles = 0;
    user.email = GH_STR("");
    open_forwarding(&f, GH_FORWARD_HEADERS);
    const char *head = signed_in(&f, &user);
    expect(&f, head, "X-User-Id", GH_FIXTURE_USER);
    expect(&f, head, "X-User-Email", NULL);
    expect(&f, head, "X-User-Roles", NULL);
    gh_fixture_close(&f);
}

static void backends_are_told_by_a_signed_token(void **state)
{
    struct gh_fixture f;
    struct gh_subject user = gh_fixture_subject();
    open_forwarding(&f, GH_FORWARD_BEARER);
    const char *head = signed_in(&f, &user);
    assert_memory_equal(gh_fixture_value(&f, head, "Authorization"), "Bearer ", 7);
    expect(&f, head, "X-User-Id", NULL);
    gh_fixture_close(&f);
    open_forwarding(&f, GH_FORWARD_BOTH);
    head = signed_in(&f, &user);
    assert_memory_equal(gh_fixture_value(&f, head, "Authorization"), "Bearer ", 7);
    assert_int_equal(gh_fixture_count(head, "Authorization"), 1);
    expect(&f, head, "X-User-Id", GH_FIXTURE_USER);
    gh_fixture_close(&f);
}

static void our_cookies_stay_here(void **state)
{
    static const struct {
        const char *sent, *passed;
    } CASES[] = {
        {"__Host-gh_access=a", NULL},
        {"__Host-gh_access=a; __Secure-gh_refresh=b; __Host-gh_device=c", NULL},
        {"theme=dark; __Host-gh_access=a; lang=en", "theme=dark; lang=en"},
        {"__Host-gh_access=a;lang=en;;", "lang=en"},
        {"theme=dark;lang=en", "theme=dark;lang=en"}, /* nothing of ours: as it came */
        {"x=__Host-gh_access=a", "x=__Host-gh_access=a"},
        {"__Host-gh_access =a; x=1", "x=1"},
        {"__Host-gh_access; x=1", "x=1"},
        {"__host-gh_access=a", "__host-gh_access=a"}, /* names of cookies have a case */
        {"gh_access=a; x=1", "gh_access=a; x=1"},     /* is ours in development only */
    };
    struct gh_fixture f;
    open_forwarding(&f, GH_FORWARD_HEADERS);
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        char fields[512];
        snprintf(fields, sizeof(fields), "Cookie: %s\r\n", CASES[i].sent);
        expect(&f, handover(&f, fields), "Cookie", CASES[i].passed);
    }
    gh_fixture_close(&f);
    struct gh_policy_identity plain = gh_fixture_identity;
    plain.plain_cookies = true;
    gh_fixture_open_identity(&f, CONFIG, &plain);
    expect(&f, handover(&f, "Cookie: gh_access=a; x=1; gh_device=b\r\n"), "Cookie", "x=1");
    gh_fixture_close(&f);
}

static void tokens_for_us_are_not_passed_on(void **state)
{
    struct gh_fixture f;
    struct gh_subject user = gh_fixture_subject();
    char fields[8192];
    open_forwarding(&f, GH_FORWARD_HEADERS);
    const char *bearer = gh_fixture_token(&f, GH_CREDENTIAL_BEARER, &user);
    snprintf(fields, sizeof(fields), "Authorization: Bearer %s\r\n", bearer);
    const char *head = handover(&f, fields);
    expect(&f, head, "Authorization", NULL);
    expect(&f, head, "X-User-Id", GH_FIXTURE_USER);
    /* behind a cookie that differs it is not even looked at, and still could be good there */
    snprintf(fields, sizeof(fields), "Cookie: __Host-gh_access=x\r\nAuthorization: Bearer %s\r\n",
             bearer);
    expect(&f, handover(&f, fields), "Authorization", NULL);
    /* revoked here, it may verify there */
    gh_revocations_add(f.revocations, user.session_id, GH_FIXTURE_NOW_S + 900, GH_FIXTURE_NOW_S);
    snprintf(fields, sizeof(fields), "Authorization: Bearer %s\r\n", bearer);
    head = handover(&f, fields);
    expect(&f, head, "Authorization", NULL);
    expect(&f, head, "X-User-Id", NULL);
    user.expires_s = GH_FIXTURE_NOW_S - 900;
    snprintf(fields, sizeof(fields), "Authorization: Bearer %s\r\n",
             gh_fixture_token(&f, GH_CREDENTIAL_BEARER, &user));
    expect(&f, handover(&f, fields), "Authorization", NULL);
    gh_fixture_close(&f);
}

static void credentials_of_the_backend_are_passed_on(void **state)
{
    struct gh_fixture f;
    open_forwarding(&f, GH_FORWARD_HEADERS);
    expect(&f, handover(&f, "Authorization: Basic eDp5\r\n"), "Authorization", "Basic eDp5");
    expect(&f, handover(&f, "Authorization: Bearer key-of-the-backend\r\n"), "Authorization",
           "Bearer key-of-the-backend");
    gh_fixture_close(&f);
}

static void where_the_token_is_the_identity_a_clients_own_is_a_forgery(void **state)
{
    static const enum gh_forward FORWARDS[] = {GH_FORWARD_BEARER, GH_FORWARD_BOTH};
    for (size_t i = 0; i < 2; i++) {
        struct gh_fixture f;
        char fields[4096];
        struct gh_subject user = gh_fixture_subject();
        open_forwarding(&f, FORWARDS[i]);
        expect(&f, handover(&f, "Authorization: Bearer eyJhbGciOiJub25lIn0.e30.\r\n"),
               "Authorization", NULL);
        expect(&f, handover(&f, "Authorization: bearer x\r\n"), "Authorization", NULL);
        expect(&f, handover(&f, "Authorization: Bearer\r\n"), "Authorization", NULL);
        /* blanks at which some backends split */
        expect(&f, handover(&f, "Authorization: Bearer\tx\r\n"), "Authorization", NULL);
        expect(&f, handover(&f, "Authorization: Bearer\xa0x\r\n"), "Authorization", NULL);
        expect(&f,
               handover(&f, "Authorization: \x85"
                            "Bearer x\r\n"),
               "Authorization", NULL);
        expect(&f, handover(&f, "Authorization: Bearers x\r\n"), "Authorization", "Bearers x");
        expect(&f, handover(&f, "Authorization: Basic eDp5\r\n"), "Authorization", "Basic eDp5");
        /* nothing beside ours */
        snprintf(fields, sizeof(fields),
                 "Authorization: Basic eDp5\r\nCookie: __Host-gh_access=%s\r\n",
                 gh_fixture_token(&f, GH_CREDENTIAL_COOKIE, &user));
        const char *head = handover(&f, fields);
        assert_int_equal(gh_fixture_count(head, "Authorization"), 1);
        assert_memory_equal(gh_fixture_value(&f, head, "Authorization"), "Bearer ", 7);
        gh_fixture_close(&f);
    }
}

static const char *const FORGED[] = {
    "X-User-Id",
    "x-user-id",
    "X_User_Id",
    "X.USER.ID",
    "X-User_Email",
    "X-User-Roles",
    "x_session-id",
    "Remote-User",
    "REMOTE_USER",
    "remote.groups",
    "Remote-Name",
    "Remote_Email",
    "X-Auth-Request-User",
    "x_auth_request_user",
    "X-Auth-Request-Access-Token",
    "X-Auth-Request-Preferred-Username-And-More",
    "X-Forwarded-User",
    "X_Forwarded_User",
    "X-Forwarded-Email",
    "X-Forwarded-Groups",
    "X-Forwarded-Preferred-Username",
    "x.forwarded.preferred_username",
    "X-Forwarded-Access-Token",
};

/* CVE-2025-64484 and its kin. */
static void forged_identity_is_taken_out_in_every_spelling(void **state)
{
    static const char *const PEERS[] = {"192.0.2.1", "10.0.0.1"}; /* the second is trusted */
    for (size_t on = 0; on < 4; on++) {
        struct gh_fixture f;
        gh_fixture_open_identity(&f, CONFIG, on & 1 ? &gh_fixture_identity : NULL);
        gh_fixture_peer(&f, PEERS[on / 2], false);
        for (size_t i = 0; i < sizeof(FORGED) / sizeof(FORGED[0]); i++) {
            char fields[256];
            snprintf(fields, sizeof(fields), "%s: root\r\nX-Stays: 1\r\n", FORGED[i]);
            const char *head = handover(&f, fields);
            if (strstr(head, "root"))
                fail_msg("%s was passed on", FORGED[i]);
            assert_int_equal(gh_fixture_count(head, "X-Stays"), 1);
        }
        gh_fixture_close(&f);
    }
}

static void names_of_the_configuration_are_guarded_too(void **state)
{
    struct gh_fixture f;
    struct gh_subject user = gh_fixture_subject();
    struct gh_policy_identity identity = gh_fixture_identity;
    identity.headers.user_id = GH_STR("My-Company-User");
    identity.headers.user_email = GH_STR("a-mail.of");
    gh_fixture_open_identity(&f, CONFIG, &identity);
    static const char *const OWN[] = {"My-Company-User", "my_company_user", "MY.COMPANY-USER",
                                      "a-mail.of",       "A_Mail-Of",       "X-User-Id",
                                      "X-User-Email"};
    for (size_t i = 0; i < sizeof(OWN) / sizeof(OWN[0]); i++) {
        char fields[256];
        snprintf(fields, sizeof(fields), "%s: root\r\n", OWN[i]);
        if (strstr(handover(&f, fields), "root"))
            fail_msg("%s was passed on", OWN[i]);
    }
    assert_non_null(strstr(handover(&f, "My-Company-Users: root\r\n"), "root"));
    const char *head = signed_in(&f, &user);
    expect(&f, head, "My-Company-User", GH_FIXTURE_USER);
    expect(&f, head, "a-mail.of", "ann@example.com");
    expect(&f, head, "X-User-Id", NULL);
    gh_fixture_close(&f);
}

static void connection_can_not_remove_what_we_say(void **state)
{
    struct gh_fixture f;
    struct gh_subject user = gh_fixture_subject();
    char fields[4096];
    open_forwarding(&f, GH_FORWARD_BOTH);
    snprintf(fields, sizeof(fields),
             "Connection: X-User-Id, Authorization, X-Session-Id\r\nCookie: __Host-gh_access=%s"
             "\r\n",
             gh_fixture_token(&f, GH_CREDENTIAL_COOKIE, &user));
    const char *head = handover(&f, fields);
    expect(&f, head, "X-User-Id", GH_FIXTURE_USER);
    assert_int_equal(gh_fixture_count(head, "Authorization"), 1);
    assert_int_equal(gh_fixture_count(head, "X-Session-Id"), 1);
    gh_fixture_close(&f);
}

static void values_can_not_break_out_of_their_line(void **state)
{
    struct gh_fixture f;
    struct gh_subject user = gh_fixture_subject();
    user.id = GH_STR("a\r\nX-User-Roles: admin");
    user.email = GH_STR("m\xc3\xbcller%41@example.com");
    open_forwarding(&f, GH_FORWARD_HEADERS);
    handover(&f, "");
    f.request.signed_in =
        true; /* as an issuer that names its people in its own way would have it */
    f.request.subject = user;
    const char *head = gh_fixture_handover(&f);
    expect(&f, head, "X-User-Id", "a%0D%0AX-User-Roles:%20admin");
    expect(&f, head, "X-User-Email", "m%C3%BCller%2541@example.com");
    expect(&f, head, "X-User-Roles", "user");
    gh_fixture_close(&f);
}

static void nothing_changes_while_identity_is_off(void **state)
{
    struct gh_fixture f;
    gh_fixture_open(&f, CONFIG);
    const char *head = handover(&f, "Cookie: __Host-gh_access=a; gh_access=b\r\n"
                                    "Authorization: Bearer x\r\n");
    expect(&f, head, "Cookie", "__Host-gh_access=a; gh_access=b");
    expect(&f, head, "Authorization", "Bearer x");
    gh_fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(backends_are_told_by_headers),
        cmocka_unit_test(what_is_not_known_is_not_told),
        cmocka_unit_test(backends_are_told_by_a_signed_token),
        cmocka_unit_test(our_cookies_stay_here),
        cmocka_unit_test(tokens_for_us_are_not_passed_on),
        cmocka_unit_test(credentials_of_the_backend_are_passed_on),
        cmocka_unit_test(where_the_token_is_the_identity_a_clients_own_is_a_forgery),
        cmocka_unit_test(forged_identity_is_taken_out_in_every_spelling),
        cmocka_unit_test(names_of_the_configuration_are_guarded_too),
        cmocka_unit_test(connection_can_not_remove_what_we_say),
        cmocka_unit_test(values_can_not_break_out_of_their_line),
        cmocka_unit_test(nothing_changes_while_identity_is_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
