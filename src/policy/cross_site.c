/*
 * Stage 11: requests that another site made a browser send (CSRF). Judged by Fetch Metadata, and by
 * Origin where there is none; only requests that a browser gives our cookies to, and WebSocket
 * upgrades, which escape CORS.
 */
#include "http/cookie.h"
#include "policy/policy.h"

/* Our cookies: with the prefixes, and without them as in development on plain localhost. */
static const struct gh_str OUR_COOKIES[] = {
    GH_STR_INIT("__Host-gh_access"),
    GH_STR_INIT("__Secure-gh_refresh"),
    GH_STR_INIT("gh_access"),
    GH_STR_INIT("gh_refresh"),
};

static bool carries_our_cookies(const struct gh_fields *fields)
{
    if (!gh_fields_find(fields, GH_FIELD_COOKIE))
        return false;
    struct gh_str value;
    for (size_t i = 0; i < sizeof(OUR_COOKIES) / sizeof(OUR_COOKIES[0]); i++)
        if (gh_cookie_find(fields, OUR_COOKIES[i], &value) != GH_COOKIE_ABSENT)
            return true;
    return false;
}

/* scheme://host[:port] of this request or of public_url. */
static bool is_our_origin(const struct gh_request *request, struct gh_str text)
{
    struct gh_origin origin;
    if (gh_origin_parse(text, false, &origin) != GH_ORIGIN_OK)
        return false;
    const struct gh_https_rule *https = &request->policy->https;
    if (https->public_base.len && gh_str_eq(text, https->public_base))
        return true;
    uint16_t default_port = request->https ? 443 : 80;
    uint16_t port = request->authority.port ? request->authority.port : default_port;
    return gh_str_eq(origin.scheme, request->https ? GH_STR("https") : GH_STR("http")) &&
           gh_str_eq(origin.host, request->authority.host) && origin.port == port;
}

/* Repeated lines are as good as the worst value. */
static struct gh_str fetch_site(const struct gh_fields *fields)
{
    const struct gh_field *site = gh_fields_find(fields, GH_FIELD_SEC_FETCH_SITE);
    if (!site)
        return (struct gh_str){0};
    return gh_fields_find_next(fields, site) ? GH_STR("cross-site") : site->value;
}

static bool state_change_passes(const struct gh_request *request)
{
    struct gh_str site = fetch_site(&request->head->fields);
    struct gh_str origin = gh_cors_request_origin(request);
    if (gh_str_eq(site, GH_STR("same-origin")) || gh_str_eq(site, GH_STR("none")))
        return true;
    if (site.ptr)
        return origin.len && gh_cors_allows(&request->policy->cors, origin, false);
    return origin.len && is_our_origin(request, origin);
}

/* No Origin: not a browser, so there is nobody whose cookies could be abused, unless they are
   there. */
static bool upgrade_passes(const struct gh_request *request, bool cookies)
{
    struct gh_str origin = gh_cors_request_origin(request);
    if (!origin.ptr)
        return !cookies;
    return origin.len && (is_our_origin(request, origin) ||
                          gh_cors_allows(&request->policy->cors, origin, !cookies));
}

/* Browsers name the site or the origin with every state-changing request. What names neither is let
   to the endpoints that anyone may use without a session, but not where cookies are given: an old
   browser would take those (login CSRF). */
static bool names_its_origin(const struct gh_request *request)
{
    const struct gh_fields *fields = &request->head->fields;
    return gh_fields_find(fields, GH_FIELD_SEC_FETCH_SITE) ||
           gh_fields_find(fields, GH_FIELD_ORIGIN);
}

struct gh_verdict gh_stage_cross_site(struct gh_request *request)
{
    const struct gh_request_head *head = request->head;
    const struct gh_route *route = request->route;
    enum gh_mode mode = route ? route->cross_site_mode : request->policy->cross_site_mode;
    if (mode == GH_MODE_OFF)
        return gh_verdict_next();
    bool upgrade = head->upgrade_websocket && route && route->websocket;
    if (!upgrade && gh_method_is_safe(head->method))
        return gh_verdict_next();
    bool cookies = carries_our_cookies(&head->fields);
    bool judged = cookies || (route && route->gives_session) ||
                  (route && route->sets_session && names_its_origin(request));
    bool passes =
        upgrade ? upgrade_passes(request, cookies) : !judged || state_change_passes(request);
    return passes ? gh_verdict_next()
                  : gh_stage_refuse(request, GH_STAGE_CROSS_SITE, mode, GH_REASON_CROSS_SITE);
}
