#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>

#include "policy/policy_fixture.h"
#include "policy/policy_fixture_yaml.h"

#define USER  1u
#define ADMIN 2u

/* ---- The stage ---- */

/* What the rule of one route says to a caller who asks for `path`. */
static enum gh_reason ask(const char *access, const struct gh_subject *subject, const char *path,
                          unsigned *out_status)
{
    struct gh_fixture f;
    char yaml[512], bytes[8192];
    snprintf(yaml, sizeof(yaml),
             DEVELOPMENT "routes: [{path: \"/u/{user_id}/**\", upstream: api, access: %s}]\n",
             access);
    gh_fixture_open_identity(&f, yaml, &gh_fixture_identity);
    assert_non_null(f.policy);
    snprintf(bytes, sizeof(bytes),
             "GET %s HTTP/1.1\r\nHost: localhost\r\nCookie: __Host-gh_access=%s\r\n\r\n", path,
             gh_fixture_token(&f, GH_CREDENTIAL_COOKIE, subject));
    struct gh_verdict verdict = gh_fixture_run(&f, bytes);
    if (verdict.kind == GH_VERDICT_RESPOND) {
        assert_int_equal(f.request.stage, GH_STAGE_ACCESS);
        *out_status = f.request.reply.status;
    }
    gh_fixture_close(&f);
    return verdict.kind == GH_VERDICT_NEXT ? GH_REASON_UNDECIDED : verdict.reason;
}

static void expect(const char *access, const struct gh_subject *subject, enum gh_reason reason)
{
    unsigned status = 403;
    enum gh_reason found = ask(access, subject, "/u/" GH_FIXTURE_USER "/x", &status);
    if (found != reason)
        fail_msg("%s: %s", access, gh_reason_facts(found)->word.ptr);
    assert_int_equal(status, 403);
}

static void roles_are_asked_for(void **state)
{
    struct gh_subject user = gh_fixture_subject(), admin = user, both = user, none = user;
    admin.roles = ADMIN;
    both.roles = USER | ADMIN;
    none.roles = 0;
    expect("signed_in", &none, GH_REASON_UNDECIDED);
    expect("{role: admin}", &user, GH_REASON_ROLE_MISSING);
    expect("{role: admin}", &none, GH_REASON_ROLE_MISSING);
    expect("{role: admin}", &admin, GH_REASON_UNDECIDED);
    expect("{role: admin}", &both, GH_REASON_UNDECIDED);
    expect("{role: [admin, editor]}", &both, GH_REASON_UNDECIDED);
    expect("{role: [admin, editor]}", &user, GH_REASON_ROLE_MISSING);
}

static void a_second_factor_is_asked_for(void **state)
{
    struct gh_subject user = gh_fixture_subject(), strong = user;
    strong.two_factor = true;
    expect("{two_factor: true}", &user, GH_REASON_TWO_FACTOR_NEEDED);
    expect("{two_factor: true}", &strong, GH_REASON_UNDECIDED);
    expect("{role: admin, two_factor: true}", &strong, GH_REASON_ROLE_MISSING);
}

static void fresh_is_ten_minutes_and_no_more(void **state)
{
    static const struct {
        uint64_t authenticated_s;
        bool fresh;
    } CASES[] = {
        {GH_FIXTURE_NOW_S, true},        {GH_FIXTURE_NOW_S - 600, true},
        {GH_FIXTURE_NOW_S - 601, false}, {GH_FIXTURE_NOW_S + 60, true},
        {GH_FIXTURE_NOW_S + 61, false},  {0, false},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct gh_subject user = gh_fixture_subject();
        user.authenticated_s = CASES[i].authenticated_s;
        expect("{fresh: true}", &user,
               CASES[i].fresh ? GH_REASON_UNDECIDED : GH_REASON_FRESH_NEEDED);
    }
}

static void nobody_reaches_what_is_anothers(void **state)
{
    struct gh_subject user = gh_fixture_subject(), admin = user;
    unsigned status = 0;
    static const char *const FOREIGN[] = {
        "/u/" GH_FIXTURE_OTHER,
        "/u/" GH_FIXTURE_OTHER "/" GH_FIXTURE_USER,
        "/u/5D3C1F6E-0B53-4E0E-9D3C-1C1A5F0F7A01/x", /* an id has one form */
        "/u/" GH_FIXTURE_USER "x",
        "/u/x" GH_FIXTURE_USER,
        "/u/" GH_FIXTURE_USER "/../" GH_FIXTURE_OTHER "/x",
        "/u/%20" GH_FIXTURE_USER,
        "/u/me",
        "/u/0",
    };
    for (size_t i = 0; i < sizeof(FOREIGN) / sizeof(FOREIGN[0]); i++) {
        assert_int_equal(ask("{owner: user_id}", &user, FOREIGN[i], &status), GH_REASON_NOT_OWNER);
        assert_int_equal(status, 403);
    }
    expect("{owner: user_id}", &user, GH_REASON_UNDECIDED);
    /* one way of writing it, decoded before anything is matched */
    assert_int_equal(
        ask("{owner: user_id}", &user, "/u/%35d3c1f6e-0b53-4e0e-9d3c-1c1a5f0f7a01", &status),
        GH_REASON_UNDECIDED);
    admin.roles = ADMIN;
    admin.id = GH_STR(GH_FIXTURE_OTHER);
    expect("{owner: user_id}", &admin, GH_REASON_NOT_OWNER);
    expect("{owner: user_id, or_role: admin}", &admin, GH_REASON_UNDECIDED);
    expect("{owner: user_id, or_role: editor}", &admin, GH_REASON_NOT_OWNER);
    expect("{owner: user_id, or_role: [editor, admin], two_factor: true}", &admin,
           GH_REASON_TWO_FACTOR_NEEDED);
}

static bool is_the_owner(const char *access, const char *issuer)
{
    struct gh_fixture f;
    char yaml[512];
    snprintf(yaml, sizeof(yaml),
             DEVELOPMENT "routes: [{path: \"/u/{user_id}/**\", upstream: api, access: %s}]\n",
             access);
    gh_fixture_open_identity(&f, yaml, &gh_fixture_identity);
    assert_non_null(f.policy);
    struct gh_subject user = gh_fixture_subject();
    gh_fixture_run(&f, "GET /u/" GH_FIXTURE_USER "/x HTTP/1.1\r\nHost: localhost\r\n\r\n");
    /* the gate would have to trust that issuer; the stage is asked itself */
    f.request.signed_in = true;
    f.request.subject = user;
    f.request.subject.issuer = gh_str_from_c(issuer);
    bool admitted = gh_stage_access(&f.request).kind == GH_VERDICT_NEXT;
    gh_fixture_close(&f);
    return admitted;
}

static void an_id_is_the_owners_together_with_its_issuer_only(void **state)
{
    static const char OURS[] = "{owner: user_id}",
                      THEIRS[] = "{owner: user_id, owner_issuer: \"https://idp.example\"}";
    assert_true(is_the_owner(OURS, ""));
    assert_false(is_the_owner(OURS, "https://idp.example"));
    assert_true(is_the_owner(THEIRS, "https://idp.example"));
    assert_false(is_the_owner(THEIRS, "https://idp.example/"));
    assert_false(is_the_owner(THEIRS, ""));
}

static void who_must_enrol_can_do_nothing_else(void **state)
{
    struct gh_subject admin = gh_fixture_subject();
    admin.roles = ADMIN;
    admin.must_enrol = true;
    expect("signed_in", &admin, GH_REASON_ENROL_FIRST);
    expect("{role: admin}", &admin, GH_REASON_ENROL_FIRST);
    expect("{role: editor}", &admin, GH_REASON_ENROL_FIRST);
}

static void who_must_enrol_is_nobody_to_a_backend(void **state)
{
    static const char *const RULES[] = {"public", "{mode: observe}", "{mode: off}"};
    struct gh_subject admin = gh_fixture_subject();
    admin.must_enrol = true;
    for (size_t i = 0; i < 3; i++) {
        struct gh_fixture f;
        char yaml[256], bytes[4096];
        snprintf(yaml, sizeof(yaml),
                 DEVELOPMENT "routes: [{path: /**, upstream: api, access: %s}]\n", RULES[i]);
        gh_fixture_open_identity(&f, yaml, &gh_fixture_identity);
        snprintf(bytes, sizeof(bytes),
                 "GET /x HTTP/1.1\r\nHost: localhost\r\nCookie: __Host-gh_access=%s\r\n\r\n",
                 gh_fixture_token(&f, GH_CREDENTIAL_COOKIE, &admin));
        assert_int_equal(gh_fixture_run(&f, bytes).kind, GH_VERDICT_NEXT);
        assert_false(f.request.signed_in);
        assert_int_equal(gh_fixture_count(gh_fixture_handover(&f), "X-User-Id"), 0);
        gh_fixture_close(&f);
    }
}

static void who_must_enrol_may_use_the_endpoints_for_it(void **state)
{
    struct gh_fixture f;
    char bytes[4096];
    struct gh_subject user = gh_fixture_subject();
    user.must_enrol = true;
    gh_fixture_open_identity(&f, DEVELOPMENT "routes: []\n", &gh_fixture_identity);
    const char *token = gh_fixture_token(&f, GH_CREDENTIAL_BEARER, &user);
    snprintf(bytes, sizeof(bytes),
             "POST /api/v1/auth/logout HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n"
             "Authorization: Bearer %s\r\n\r\n",
             token);
    assert_int_equal(gh_fixture_run(&f, bytes).kind, GH_VERDICT_NEXT);
    assert_true(f.request.signed_in);
    snprintf(bytes, sizeof(bytes),
             "GET /api/v1/account/profile HTTP/1.1\r\nHost: localhost\r\n"
             "Authorization: Bearer %s\r\n\r\n",
             token);
    assert_int_equal(gh_fixture_run(&f, bytes).reason, GH_REASON_ENROL_FIRST);
    const char *reply = gh_fixture_reply(&f);
    assert_memory_equal(reply, "403\n", 4);
    assert_non_null(strstr(reply, "\"type\":\"urn:gatehouse:problem:enrol-second-factor\""));
    gh_fixture_close(&f);
}

static const char *refusal(struct gh_fixture *f, const char *access)
{
    struct gh_subject user = gh_fixture_subject();
    char yaml[256], bytes[4096];
    snprintf(yaml, sizeof(yaml),
             PRODUCTION "public_url: https://api.example.com\n"
                        "routes: [{path: /**, upstream: api, access: %s}]\n",
             access);
    gh_fixture_open_identity(f, yaml, &gh_fixture_identity);
    gh_fixture_peer(f, "192.0.2.1", true);
    snprintf(bytes, sizeof(bytes),
             "GET /x HTTP/1.1\r\nHost: api.example.com\r\nCookie: __Host-gh_access=%s\r\n\r\n",
             gh_fixture_token(f, GH_CREDENTIAL_COOKIE, &user));
    assert_int_equal(gh_fixture_run(f, bytes).kind, GH_VERDICT_RESPOND);
    return gh_fixture_reply(f);
}

static void says_what_the_caller_can_do(void **state)
{
    struct gh_fixture f;
    const char *reply = refusal(&f, "{fresh: true}");
    assert_string_equal(gh_fixture_value(&f, reply, "WWW-Authenticate"),
                        "Bearer realm=\"api.example.com\", "
                        "error=\"insufficient_user_authentication\", error_description=\"A more "
                        "recent authentication is needed\", max_age=\"600\"");
    assert_non_null(strstr(reply, "\"type\":\"urn:gatehouse:problem:confirm-identity\""));
    gh_fixture_close(&f);
    reply = refusal(&f, "{two_factor: true}");
    assert_non_null(strstr(gh_fixture_value(&f, reply, "WWW-Authenticate"), "acr_values=\"mfa\""));
    assert_non_null(strstr(reply, "\"type\":\"urn:gatehouse:problem:second-factor-needed\""));
    gh_fixture_close(&f);
    reply = refusal(&f, "{role: admin}");
    assert_null(gh_fixture_value(&f, reply, "WWW-Authenticate"));
    assert_null(strstr(reply, "admin"));
    gh_fixture_close(&f);
}

static void observed_rules_note_and_let_pass(void **state)
{
    struct gh_fixture f;
    struct gh_subject user = gh_fixture_subject();
    char bytes[4096];
    gh_fixture_open_identity(
        &f,
        DEVELOPMENT "routes: [{path: /**, upstream: api, access: {role: admin, mode: observe}}]\n",
        &gh_fixture_identity);
    snprintf(bytes, sizeof(bytes),
             "GET /x HTTP/1.1\r\nHost: localhost\r\nCookie: __Host-gh_access=%s\r\n\r\n",
             gh_fixture_token(&f, GH_CREDENTIAL_COOKIE, &user));
    assert_int_equal(gh_fixture_run(&f, bytes).kind, GH_VERDICT_NEXT);
    assert_int_equal(f.request.observed_count, 1);
    assert_int_equal(f.request.observed_reason[0], GH_REASON_ROLE_MISSING);
    assert_true(f.request.signed_in);
    gh_fixture_close(&f);
}

/* ---- The settings ---- */

static void open_rule(struct gh_fixture *f, const char *head, const char *access)
{
    char yaml[512];
    snprintf(yaml, sizeof(yaml), "%sroutes:\n  - path: /u/{user_id}\n    upstream: api\n%s%s%s",
             head, *access ? "    access: " : "", access, *access ? "\n" : "");
    gh_fixture_open_identity(f, yaml, &gh_fixture_identity);
}

static void reads_all_forms(void **state)
{
    static const struct {
        const char *access, *text;
    } CASES[] = {
        {"", "signed_in"},
        {"public", "public"},
        {"signed_in", "signed_in"},
        {"{}", "signed_in"},
        {"{signed_in: true}", "signed_in"},
        {"{role: admin}", "role admin"},
        {"{role: [admin, user]}", "role user or admin"},
        {"{signed_in: true, owner: user_id, or_role: admin}",
         "signed_in, owner user_id or role admin"},
        {"{owner: user_id, owner_issuer: \"https://idp.example\"}",
         "signed_in, owner user_id of https://idp.example"},
        {"{owner: user_id, two_factor: true, fresh: true}",
         "signed_in, owner user_id, two_factor, fresh"},
        {"{role: editor, mode: observe}", "role editor (observe)"},
        {"{mode: off}", "signed_in (off)"},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct gh_fixture f;
        char memory[256];
        struct gh_buf text = gh_buf_over(memory, sizeof(memory) - 1);
        open_rule(&f, DEVELOPMENT, CASES[i].access);
        assert_non_null(f.policy);
        gh_access_put(&text, &f.policy->identity->roles, &f.policy->routes[0].access);
        memory[text.len] = 0;
        assert_string_equal(memory, CASES[i].text);
        gh_fixture_close(&f);
    }
}

static void refuses_rules_that_can_not_hold(void **state)
{
    static const struct {
        const char *access, *problem;
    } CASES[] = {
        {"private", "this is no access rule"},
        {"sigend_in", "did you mean \"signed_in\"?"},
        {"[admin]", "this is no access rule"},
        {"{role: amdin}", "did you mean \"admin\"?"},
        {"{role: root}", "identity.roles has no \"root\""},
        {"{role: [admin, root]}", "identity.roles has no \"root\""},
        {"{owner: id}", "has no parameter \"id\""},
        {"{owner: user_id, or_role: roor}", "identity.roles has no \"roor\""},
        {"{or_role: admin}", "or_role means nothing without owner"},
        {"{owner_issuer: \"https://idp.example\"}", "owner_issuer means nothing without owner"},
        {"{signed_in: false}", "signed_in: false is no access rule"},
        {"{signed_in: maybe}", "maybe"},
        {"{two_factors: true}", "did you mean \"two_factor\"?"},
        {"{mode: sometimes}", "sometimes"},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct gh_fixture f;
        open_rule(&f, DEVELOPMENT, CASES[i].access);
        assert_null(f.policy);
        if (!gh_fixture_has_problem(&f, GH_CONFIG_ERROR, CASES[i].problem))
            fail_msg("%s: %.*s", CASES[i].access, GH_STR_ARG(f.load.problems->what));
        assert_int_equal(f.load.problems->place.line, 5);
        gh_fixture_close(&f);
    }
}

static void production_enforces_unless_told_otherwise(void **state)
{
    static const char *const MODES[] = {"{role: admin, mode: observe}", "{mode: off}"};
    for (size_t i = 0; i < 2; i++) {
        struct gh_fixture f;
        open_rule(&f, PRODUCTION, MODES[i]);
        assert_null(f.policy);
        assert_true(gh_fixture_has_problem(&f, GH_CONFIG_ERROR, "unsafe_observe_access: true"));
        gh_fixture_close(&f);
        open_rule(&f, PRODUCTION "unsafe_observe_access: true\n", MODES[i]);
        assert_non_null(f.policy);
        gh_fixture_close(&f);
    }
}

static void without_identity_every_route_is_public(void **state)
{
    struct gh_fixture f;
    gh_fixture_open(&f, DEVELOPMENT ROUTE_ALL);
    assert_non_null(f.policy);
    assert_int_equal(f.policy->routes[0].access.kind, GH_ACCESS_PUBLIC);
    assert_null(f.policy->identity);
    gh_fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(roles_are_asked_for),
        cmocka_unit_test(a_second_factor_is_asked_for),
        cmocka_unit_test(fresh_is_ten_minutes_and_no_more),
        cmocka_unit_test(nobody_reaches_what_is_anothers),
        cmocka_unit_test(an_id_is_the_owners_together_with_its_issuer_only),
        cmocka_unit_test(who_must_enrol_can_do_nothing_else),
        cmocka_unit_test(who_must_enrol_is_nobody_to_a_backend),
        cmocka_unit_test(who_must_enrol_may_use_the_endpoints_for_it),
        cmocka_unit_test(says_what_the_caller_can_do),
        cmocka_unit_test(observed_rules_note_and_let_pass),
        cmocka_unit_test(reads_all_forms),
        cmocka_unit_test(refuses_rules_that_can_not_hold),
        cmocka_unit_test(production_enforces_unless_told_otherwise),
        cmocka_unit_test(without_identity_every_route_is_public),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
