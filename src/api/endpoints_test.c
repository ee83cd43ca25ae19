/* The table of endpoints against SPEC section 4, and against itself. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "api/endpoint.h"

/* SPEC section 4's table: method, path, name of the limit that stands at the edge. */
static const char *const SPEC[][3] = {
    {"POST", "/auth/signup", "signup"},
    {"POST", "/auth/login", "login"},
    {"POST", "/auth/2fa", "two_factor"},
    {"POST", "/auth/refresh", NULL}, /* per session: a quota of identity */
    {"POST", "/auth/logout", NULL},
    {"POST", "/auth/email/verify", "verify"},
    {"POST", "/auth/email/resend", "resend"},
    {"POST", "/auth/step-up", "step_up"},
    {"POST", "/auth/setup", "setup"},
    {"GET", "/auth/session", NULL},
    {"GET", "/account/profile", NULL},
    {"PATCH", "/account/profile", NULL},
    {"POST", "/account/password", "password"},
    {"POST", "/account/password/reset-request", "reset"},
    {"POST", "/account/password/reset", "reset_token"},
    {"POST", "/account/email", "email"},
    {"POST", "/account/2fa/setup", "factor"},
    {"POST", "/account/2fa/verify", "factor"},
    {"POST", "/account/2fa/disable", "factor"},
    {"POST", "/account/2fa/recovery-codes", "factor"},
    {"GET", "/account/sessions", NULL},
    {"DELETE", "/account/sessions", NULL},
    {"DELETE", "/account/sessions/{id}", NULL},
    {"GET", "/account/activity", NULL},
    {"DELETE", "/account", "password"},
    {"POST", "/compliance/export", "export"},
    {"POST", "/compliance/delete", "password"},
    {"GET", "/admin/users", NULL},
    {"GET", "/admin/users/{id}", NULL},
    {"PATCH", "/admin/users/{id}/role", NULL},
    {"POST", "/admin/users/{id}/unlock", NULL},
    {"POST", "/admin/users/{id}/reset-2fa", NULL},
    {"POST", "/admin/users/{id}/reset-password", NULL},
    {"POST", "/admin/users/{id}/disable", NULL},
    {"POST", "/admin/users/{id}/enable", NULL},
    {"DELETE", "/admin/users/{id}", NULL},
    {"DELETE", "/admin/users/{id}/sessions", NULL},
    {"GET", "/admin/audit", NULL},
    {"GET", "/admin/audit/verify", "audit_verify"},
    {"GET", "/admin/anomalies", NULL},
    {"GET", "/admin/csp/reports", NULL},
    {"GET", "/openapi.json", NULL},
    {"GET", "/.well-known/jwks.json", NULL},
};
#define SPEC_COUNT (sizeof(SPEC) / sizeof(SPEC[0]))

static const struct gh_service_endpoint *find(const char *method, const char *path)
{
    size_t count;
    const struct gh_service_endpoint *routes = gh_api_endpoints(&count);
    for (size_t i = 0; i < count; i++)
        if (strcmp(routes[i].method, method) == 0 && strcmp(routes[i].path, path) == 0)
            return &routes[i];
    return NULL;
}

static bool is_admin(const struct gh_service_endpoint *route)
{
    return strncmp(route->path, "/admin/", 7) == 0;
}

static bool is_one_of(const struct gh_service_endpoint *route, const char *const *list)
{
    for (size_t i = 0; list[i]; i += 2)
        if (strcmp(route->method, list[i]) == 0 && strcmp(route->path, list[i + 1]) == 0)
            return true;
    return false;
}

static const struct gh_service_limit *limit_of(const char *name)
{
    size_t count;
    const struct gh_service_limit *limits = gh_api_limits(&count);
    for (size_t i = 0; i < count; i++)
        if (strcmp(limits[i].name, name) == 0)
            return &limits[i];
    return NULL;
}

/* ---- Endpoints ---- */

static void has_every_endpoint_of_the_specification_and_no_other(void **state)
{
    size_t count;
    gh_api_endpoints(&count);
    for (size_t i = 0; i < SPEC_COUNT; i++)
        if (!find(SPEC[i][0], SPEC[i][1]))
            fail_msg("%s %s is missing", SPEC[i][0], SPEC[i][1]);
    assert_int_equal(count, SPEC_COUNT);
}

static void names_the_limits_of_the_specification(void **state)
{
    for (size_t i = 0; i < SPEC_COUNT; i++) {
        const struct gh_service_endpoint *route = find(SPEC[i][0], SPEC[i][1]);
        assert_non_null(route);
        assert_true(!route->limits[0] == !SPEC[i][2]);
        if (SPEC[i][2])
            assert_string_equal(route->limits[0], SPEC[i][2]);
        bool mails = strcmp(SPEC[i][1], "/auth/email/resend") == 0 ||
                     strcmp(SPEC[i][1], "/account/password/reset-request") == 0;
        assert_true(!route->limits[1] == !mails);
        if (mails) /* by address alone, one client could ask for any number of addresses */
            assert_string_equal(route->limits[1], "mail");
        assert_null(route->limits[2]);
    }
}

static void no_two_rows_are_the_same(void **state)
{
    size_t count;
    const struct gh_service_endpoint *routes = gh_api_endpoints(&count);
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < i; j++) {
            assert_string_not_equal(gh_endpoint_at(i)->operation, gh_endpoint_at(j)->operation);
            assert_true(strcmp(routes[i].method, routes[j].method) ||
                        strcmp(routes[i].path, routes[j].path));
        }
}

static void stands_below_the_base_path_but_for_well_known_ones(void **state)
{
    size_t count;
    const struct gh_service_endpoint *routes = gh_api_endpoints(&count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(routes[i].absolute, strcmp(routes[i].path, "/.well-known/jwks.json") == 0);
}

static void takes_bodies_where_they_are_read_and_nowhere_else(void **state)
{
    size_t count;
    const struct gh_service_endpoint *routes = gh_api_endpoints(&count);
    for (size_t i = 0; i < count; i++) {
        bool is_get = strcmp(routes[i].method, "GET") == 0;
        assert_int_equal(routes[i].body_max == 0, is_get);
        assert_true(routes[i].body_max <= 64 * 1024);
        if (is_get)
            assert_int_equal(gh_endpoint_at(i)->member_count, 0);
        assert_true(!gh_endpoint_at(i)->members == !gh_endpoint_at(i)->member_count);
    }
}

/* A body full of the longest values there are must fit, or they could not be sent. */
static void longest_values_fit_into_a_body(void **state)
{
    size_t count;
    const struct gh_service_endpoint *routes = gh_api_endpoints(&count);
    for (size_t i = 0; i < count; i++) {
        const struct gh_endpoint *endpoint = gh_endpoint_at(i);
        size_t bytes = 2;
        for (size_t m = 0; m < endpoint->member_count; m++) {
            const struct gh_body_member *member = &endpoint->members[m];
            size_t values = member->type == GH_BODY_STRINGS ? GH_BODY_ROLES_MAX : 1;
            bytes += strlen(member->name) + values * (member->length_max * 4u + 3) + 8;
        }
        assert_true(routes[i].body_max == 0 || bytes <= routes[i].body_max);
    }
}

/* ---- Who may ---- */

static void only_admins_come_to_admin_paths(void **state)
{
    size_t count;
    const struct gh_service_endpoint *routes = gh_api_endpoints(&count);
    for (size_t i = 0; i < count; i++) {
        const struct gh_access_rule *access = &routes[i].access;
        assert_true(access->roles == (is_admin(&routes[i]) ? GH_API_ADMIN : 0));
        if (is_admin(&routes[i]))
            assert_int_equal(access->kind, GH_ACCESS_SIGNED_IN);
        if (is_admin(&routes[i]))
            assert_int_equal(access->fresh, strcmp(routes[i].method, "GET") != 0);
    }
}

static void only_export_asks_others_to_be_fresh(void **state)
{
    size_t count;
    const struct gh_service_endpoint *routes = gh_api_endpoints(&count);
    for (size_t i = 0; i < count; i++)
        if (!is_admin(&routes[i]))
            assert_int_equal(routes[i].access.fresh,
                             strcmp(routes[i].path, "/compliance/export") == 0);
}

static void strangers_come_where_one_signs_in_or_follows_a_link(void **state)
{
    static const char *const PUBLIC[] = {
        "POST", "/auth/signup",
        "POST", "/auth/login",
        "POST", "/auth/2fa",
        "POST", "/auth/refresh",
        "POST", "/auth/logout",
        "POST", "/auth/email/verify",
        "POST", "/auth/email/resend",
        "POST", "/auth/setup",
        "POST", "/account/password/reset-request",
        "POST", "/account/password/reset",
        "GET",  "/openapi.json",
        "GET",  "/.well-known/jwks.json",
        NULL,
    };
    size_t count;
    const struct gh_service_endpoint *routes = gh_api_endpoints(&count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(routes[i].access.kind == GH_ACCESS_PUBLIC, is_one_of(&routes[i], PUBLIC));
}

/* Step-up is among them: what is older than `fresh` could not begin to enrol otherwise. */
static void who_must_enrol_comes_only_where_that_is_done(void **state)
{
    static const char *const ENROLLING[] = {
        "POST", "/account/2fa/setup", "POST", "/account/2fa/verify", "POST", "/auth/step-up",
        "GET",  "/auth/session",      "GET",  "/account/profile",    NULL,
    };
    size_t count;
    const struct gh_service_endpoint *routes = gh_api_endpoints(&count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(routes[i].access.enrolling, is_one_of(&routes[i], ENROLLING));
}

static void cross_site_requests_that_would_sign_in_are_judged(void **state)
{
    static const char *const GIVES[] = {
        "POST", "/auth/login", "POST", "/auth/2fa", "POST", "/auth/refresh", NULL,
    };
    size_t count;
    const struct gh_service_endpoint *routes = gh_api_endpoints(&count);
    for (size_t i = 0; i < count; i++) {
        bool is_public = routes[i].access.kind == GH_ACCESS_PUBLIC;
        assert_int_equal(routes[i].gives_session, is_one_of(&routes[i], GIVES));
        if (is_public && strcmp(routes[i].method, "GET") != 0)
            assert_true(routes[i].sets_session);
        if (strcmp(routes[i].method, "GET") == 0)
            assert_false(routes[i].sets_session);
    }
}

/* On the hash lane is what verifies or makes a password: nothing else may wait there. What asks the
   backend, or reads the log at length, is on none where somebody waits who does not. */
static void waits_where_nobody_else_is_held_up(void **state)
{
    static const char *const AWAY[] = {"exportData", "eraseData", "verifyAudit", "cspReports"};
    size_t count;
    gh_api_endpoints(&count);
    for (size_t i = 0; i < count; i++) {
        const struct gh_endpoint *endpoint = gh_endpoint_at(i);
        bool has_password = false;
        for (size_t m = 0; m < endpoint->member_count; m++)
            has_password |= strstr(endpoint->members[m].name, "password") != NULL;
        enum gh_service_lane lane = has_password ? GH_SERVICE_HASH : GH_SERVICE_DATA;
        for (size_t a = 0; a < sizeof(AWAY) / sizeof(AWAY[0]); a++)
            if (strcmp(endpoint->operation, AWAY[a]) == 0)
                lane = GH_SERVICE_AWAY;
        assert_int_equal(gh_api_lane(NULL, i), lane);
    }
}

/* ---- Limits ---- */

static void limits_are_those_of_the_specification(void **state)
{
    static const char *const LIMITS[][3] = {
        {"login", "5/minute", "client"},
        {"signup", "5/minute", "client"},
        {"two_factor", "5/minute", "body:challenge"},
        {"reset", "3/hour", "body:email"},
        {"mail", "5/minute", "client"},
        {"reset_token", "5/minute", "client"},
        {"password", "5/minute", "user"},
        {"step_up", "5/minute", "user"},
        {"factor", "5/minute", "user"},
        {"email", "3/hour", "user"},
        {"export", "3/hour", "user"},
        {"verify", "5/minute", "client"},
        {"resend", "3/hour", "body:email"},
        {"setup", "5/minute", "client"},
        {"audit_verify", "20/hour", "user"},
    };
    size_t count;
    gh_api_limits(&count);
    assert_int_equal(count, sizeof(LIMITS) / sizeof(LIMITS[0]));
    for (size_t i = 0; i < count; i++) {
        const struct gh_service_limit *limit = limit_of(LIMITS[i][0]);
        assert_non_null(limit);
        assert_string_equal(limit->limit, LIMITS[i][1]);
        assert_string_equal(limit->key, LIMITS[i][2]);
    }
}

/* A key that a request need not have would leave the limit to whoever sends it without. */
static void keys_of_limits_are_there_in_every_request(void **state)
{
    size_t count;
    const struct gh_service_endpoint *routes = gh_api_endpoints(&count);
    for (size_t i = 0; i < count; i++) {
        const struct gh_endpoint *endpoint = gh_endpoint_at(i);
        const struct gh_service_limit *limit =
            routes[i].limits[0] ? limit_of(routes[i].limits[0]) : NULL;
        bool has_member = false;
        assert_true(!routes[i].limits[0] || limit);
        if (!limit)
            continue;
        if (strcmp(limit->key, "user") == 0)
            assert_int_equal(routes[i].access.kind, GH_ACCESS_SIGNED_IN);
        if (strncmp(limit->key, "body:", 5) != 0)
            continue;
        for (size_t m = 0; m < endpoint->member_count; m++)
            has_member |= strcmp(endpoint->members[m].name, limit->key + 5) == 0 &&
                          endpoint->members[m].required;
        assert_true(has_member);
    }
}

static void every_limit_stands_at_an_endpoint(void **state)
{
    size_t count, limit_count;
    const struct gh_service_endpoint *routes = gh_api_endpoints(&count);
    const struct gh_service_limit *limits = gh_api_limits(&limit_count);
    for (size_t l = 0; l < limit_count; l++) {
        bool used = false;
        for (size_t i = 0; i < count; i++)
            for (size_t n = 0; n < 3 && routes[i].limits[n]; n++)
                used |= strcmp(routes[i].limits[n], limits[l].name) == 0;
        assert_true(used);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(has_every_endpoint_of_the_specification_and_no_other),
        cmocka_unit_test(names_the_limits_of_the_specification),
        cmocka_unit_test(no_two_rows_are_the_same),
        cmocka_unit_test(stands_below_the_base_path_but_for_well_known_ones),
        cmocka_unit_test(takes_bodies_where_they_are_read_and_nowhere_else),
        cmocka_unit_test(longest_values_fit_into_a_body),
        cmocka_unit_test(only_admins_come_to_admin_paths),
        cmocka_unit_test(only_export_asks_others_to_be_fresh),
        cmocka_unit_test(strangers_come_where_one_signs_in_or_follows_a_link),
        cmocka_unit_test(who_must_enrol_comes_only_where_that_is_done),
        cmocka_unit_test(cross_site_requests_that_would_sign_in_are_judged),
        cmocka_unit_test(waits_where_nobody_else_is_held_up),
        cmocka_unit_test(limits_are_those_of_the_specification),
        cmocka_unit_test(keys_of_limits_are_there_in_every_request),
        cmocka_unit_test(every_limit_stands_at_an_endpoint),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
