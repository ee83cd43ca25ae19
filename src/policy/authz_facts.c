/*
 * Forward-auth: which request a proxy asks about. Each fact must stand in one line of its one
 * field. nginx has two customs, X-Original-URL with X-Original-Method, and X-Forwarded-*; a client
 * can add the fields of the custom that the proxy does not use, so when both are there they must
 * say the same.
 */
#include "policy/identity_rules.h"

/* The value of the only line of that name, whether or not the stages dropped it for the backend.
   False: it stands there several times. Absent: ptr NULL. */
static bool only_line(const struct gh_request *request, struct gh_str name, struct gh_str *out)
{
    const struct gh_fields *fields = &request->head->fields;
    *out = (struct gh_str){0};
    for (size_t i = 0; i < fields->count; i++) {
        if (!gh_str_ieq(fields->items[i].name, name))
            continue;
        if (out->ptr)
            return false;
        *out = fields->items[i].value;
    }
    return true;
}

/* An origin-form target: no scheme, no fragment. Its bytes are judged with the path's stage. */
static bool split_target(struct gh_str target, struct gh_authz_facts *out)
{
    size_t question = gh_str_find_char(target, '?');
    if (!target.len || target.ptr[0] != '/' || gh_str_find_char(target, '#') < target.len)
        return false;
    out->path = gh_str_first(target, question);
    out->query = (struct gh_str){0};
    if (question < target.len)
        out->query = gh_str_skip(target, question + 1);
    return true;
}

/* http://host/path?query, as nginx writes $scheme://$http_host$request_uri. */
static bool split_url(struct gh_str url, struct gh_authz_facts *out)
{
    const struct gh_str http = GH_STR("http://"), https = GH_STR("https://");
    out->https = gh_str_starts_with(url, https);
    if (!out->https && !gh_str_starts_with(url, http))
        return false;
    struct gh_str rest = gh_str_skip(url, out->https ? https.len : http.len);
    out->authority = gh_str_first(rest, gh_str_find_char(rest, '/'));
    return split_target(gh_str_skip(rest, out->authority.len), out);
}

static bool read_scheme(struct gh_str proto, bool *out_https)
{
    *out_https = gh_str_ieq(proto, GH_STR("https")) || gh_str_ieq(proto, GH_STR("wss"));
    return *out_https || gh_str_ieq(proto, GH_STR("http")) || gh_str_ieq(proto, GH_STR("ws"));
}

struct lines {
    struct gh_str url, url_method;          /* X-Original-* */
    struct gh_str uri, method, host, proto; /* X-Forwarded-* */
};

static bool read_forwarded(const struct lines *lines, struct gh_authz_facts *out)
{
    out->method = lines->method;
    out->authority = lines->host;
    return lines->method.len && lines->host.len && read_scheme(lines->proto, &out->https) &&
           split_target(lines->uri, out);
}

static bool same_target(const struct gh_authz_facts *a, const struct gh_authz_facts *b)
{
    return gh_str_eq(a->path, b->path) && !a->query.ptr == !b->query.ptr &&
           gh_str_eq(a->query, b->query);
}

/* nginx. */
static bool read_original(const struct lines *lines, struct gh_authz_facts *out)
{
    struct gh_authz_facts other = {0};
    out->method = lines->url_method;
    if (!lines->url_method.len || !split_url(lines->url, out))
        return false;
    if (lines->method.ptr && !gh_str_eq(lines->method, lines->url_method))
        return false;
    if (lines->host.ptr && !gh_str_ieq(lines->host, out->authority))
        return false;
    return !lines->uri.ptr || (split_target(lines->uri, &other) && same_target(&other, out));
}

bool gh_authz_facts_read(const struct gh_request *request, struct gh_authz_facts *out_facts)
{
    struct lines lines;
    *out_facts = (struct gh_authz_facts){0};
    if (!only_line(request, GH_STR("X-Forwarded-Uri"), &lines.uri) ||
        !only_line(request, GH_STR("X-Forwarded-Method"), &lines.method) ||
        !only_line(request, GH_STR("X-Forwarded-Host"), &lines.host) ||
        !only_line(request, GH_STR("X-Forwarded-Proto"), &lines.proto))
        return false;
    if (request->authz != GH_AUTHZ_AUTH_REQUEST)
        return read_forwarded(&lines, out_facts);
    if (!only_line(request, GH_STR("X-Original-URL"), &lines.url) ||
        !only_line(request, GH_STR("X-Original-Method"), &lines.url_method))
        return false;
    if (!lines.url.ptr && !lines.url_method.ptr)
        return read_forwarded(&lines, out_facts);
    return read_original(&lines, out_facts);
}
