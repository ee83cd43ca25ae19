#include "app/identity_checks.h"

#include "app/config_file.h"
#include "http/origin.h"

/* ---- Hooks: nobody but the gateway may call them ---- */

static struct gh_str without_scheme(struct gh_str url)
{
    size_t at = gh_str_find(url, GH_STR("://"));
    return at < url.len ? gh_str_skip(url, at + 3) : url;
}

/* "127.0.0.1:8000" and "/internal/export" of a URL. */
static void split_url(struct gh_str url, struct gh_str *out_server, struct gh_str *out_path)
{
    struct gh_str rest = without_scheme(url);
    size_t slash = gh_str_find_char(rest, '/');
    *out_server = gh_str_first(rest, slash);
    *out_path = slash < rest.len ? gh_str_skip(rest, slash) : GH_STR("/");
    *out_path = gh_str_first(*out_path, gh_str_find_char(*out_path, '?'));
}

static bool is_a_server(const struct gh_root_settings *settings, struct gh_str server)
{
    const struct gh_upstream_settings *upstreams = settings->upstreams.items;
    for (size_t u = 0; u < settings->upstreams.count; u++) {
        const struct gh_str *urls = upstreams[u].servers.items;
        for (size_t i = 0; i < upstreams[u].servers.count; i++)
            if (gh_str_ieq(without_scheme(urls[i]), server))
                return true;
    }
    return false;
}

static void check_hook(struct gh_config_load *load, const struct gh_root_settings *settings,
                       const struct gh_policy *policy, const struct gh_str *url)
{
    struct gh_str server, path;
    if (!url->len || !policy)
        return;
    split_url(*url, &server, &path);
    if (is_a_server(settings, server) && gh_policy_is_open_to(policy, load->arena, path))
        gh_config_problem_add(load, GH_CONFIG_ERROR, gh_config_where(load, url),
                              "add a more specific route with an `access` that nobody has, or let "
                              "the hook listen on another port",
                              "anyone can call the hook: a public route leads to %.*s",
                              GH_STR_ARG(path));
}

/* ---- Cookies and origins of other sites ---- */

/* Names under which everyone can register: their sites have one label more. Not the whole list;
   what is missing here is taken for one site, and the warning does not come. */
static bool is_public_suffix(struct gh_str name)
{
    static const struct gh_str SUFFIXES[] = {
        GH_STR_INIT("co.uk"),       GH_STR_INIT("org.uk"),      GH_STR_INIT("com.au"),
        GH_STR_INIT("co.jp"),       GH_STR_INIT("co.nz"),       GH_STR_INIT("com.br"),
        GH_STR_INIT("co.in"),       GH_STR_INIT("co.za"),       GH_STR_INIT("github.io"),
        GH_STR_INIT("vercel.app"),  GH_STR_INIT("netlify.app"), GH_STR_INIT("pages.dev"),
        GH_STR_INIT("workers.dev"), GH_STR_INIT("web.app"),     GH_STR_INIT("herokuapp.com"),
    };
    for (size_t i = 0; i < sizeof(SUFFIXES) / sizeof(SUFFIXES[0]); i++)
        if (gh_str_eq(name, SUFFIXES[i]))
            return true;
    return false;
}

/* The last `labels` labels of a name; all of it when it has fewer. */
static struct gh_str last_labels(struct gh_str name, unsigned labels)
{
    size_t at = name.len;
    for (; at > 0; at--)
        if (name.ptr[at - 1] == '.' && --labels == 0)
            break;
    return gh_str_skip(name, at);
}

static bool is_address(struct gh_str host)
{
    return host.len &&
           (host.ptr[0] == '[' || (host.ptr[host.len - 1] >= '0' && host.ptr[host.len - 1] <= '9'));
}

/* What SameSite compares (RFC 6265bis section 5.2): scheme and registrable domain. */
static bool is_same_site(const struct gh_origin *a, const struct gh_origin *b)
{
    if (!gh_str_eq(a->scheme, b->scheme))
        return false;
    if (gh_str_eq(a->host, b->host))
        return true;
    if (is_address(a->host) || is_address(b->host))
        return false;
    struct gh_str site = last_labels(a->host, 2), other = last_labels(b->host, 2);
    if (is_public_suffix(site)) {
        site = last_labels(a->host, 3);
        other = last_labels(b->host, 3);
    }
    return gh_str_eq(site, other);
}

static void check_same_site(struct gh_config_load *load, const struct gh_root_settings *settings)
{
    const struct gh_cors_settings *cors = &settings->policy.cors;
    const struct gh_str *origins = cors->origins.items;
    struct gh_origin own, other;
    if (settings->identity.transport != GH_TRANSPORT_COOKIE || !settings->policy.public_url.len ||
        settings->identity.same_site == GH_SAME_SITE_NONE ||
        gh_origin_parse(settings->identity.public_url, false, &own) != GH_ORIGIN_OK)
        return;
    for (size_t i = 0; i < cors->origins.count; i++) {
        if (gh_origin_parse(origins[i], true, &other) != GH_ORIGIN_OK || is_same_site(&own, &other))
            continue;
        gh_config_problem_add(load, GH_CONFIG_ERROR, gh_config_where(load, &origins[i]),
                              "serve the app under the same site, or set identity.cookies: "
                              "{same_site: none}",
                              "browsers will not send the session's cookies from %.*s: it is "
                              "another site than public_url",
                              GH_STR_ARG(origins[i]));
    }
}

static void check_credentials(struct gh_config_load *load, const struct gh_root_settings *settings)
{
    const struct gh_cors_settings *cors = &settings->policy.cors;
    if (settings->policy.cors_given && cors->origins.count && !cors->credentials &&
        settings->identity.transport == GH_TRANSPORT_COOKIE)
        gh_config_problem_add(load, GH_CONFIG_WARNING,
                              gh_config_where(load, &settings->policy.cors),
                              "set cors.credentials: true, or identity.transport: bearer",
                              "apps of other origins can't send the session's cookies");
}

/* ---- The mail server ---- */

/* What the reference leads to, where it is at hand; its text is a secret. */
static void check_mail_server(struct gh_config_load *load, const struct gh_root_settings *settings)
{
    const struct gh_str *reference = &settings->identity.mail.smtp;
    const struct gh_secret_source source = {gh_environment_get, NULL};
    struct gh_arena scratch; /* load's lives as long as its settings do */
    struct gh_str url;
    gh_arena_init(&scratch, GH_SECRET_BYTES_MAX, 4 * GH_SECRET_BYTES_MAX);
    bool is_good = !reference->len ||
                   gh_secret_resolve(&scratch, &source, *reference, &url) != GH_OK ||
                   gh_identity_is_smtp_url(url);
    gh_arena_done(&scratch);
    if (is_good)
        return;
    gh_config_problem_add(load, GH_CONFIG_ERROR, gh_config_where(load, reference),
                          "make it smtp://user:password@host:587 or smtps://..., with special "
                          "characters of the password percent-encoded",
                          "what %.*s holds is not the URL of a mail server",
                          GH_STR_ARG(gh_config_show(load->arena, *reference)));
}

/* ---- Owners of other issuers ---- */

#define ISSUERS_COMPARED 16

static const char *nearest_issuer(struct gh_config_load *load,
                                  const struct gh_identity_settings *settings, struct gh_str name)
{
    const struct gh_issuer_settings *issuers = settings->issuers.items;
    const char *known[ISSUERS_COMPARED];
    size_t count = 0;
    for (size_t i = 0; i < settings->issuers.count && count < ISSUERS_COMPARED; i++) {
        struct gh_str copy = gh_arena_dup(load->arena, issuers[i].issuer);
        if (copy.ptr)
            known[count++] = copy.ptr;
    }
    return gh_nearest(name, known, count);
}

/* A rule of an issuer whose tokens nobody verifies lets no owner in. */
static void check_owner_issuer(struct gh_config_load *load,
                               const struct gh_identity_settings *settings,
                               const struct gh_str *name)
{
    const struct gh_issuer_settings *issuers = settings->issuers.items;
    for (size_t i = 0; i < settings->issuers.count; i++)
        if (gh_str_eq(issuers[i].issuer, *name))
            return;
    const char *nearest = nearest_issuer(load, settings, *name);
    const char *remedy = "list it in identity.issuers, or leave it out for ids of our accounts";
    if (gh_str_eq(*name, settings->public_url))
        remedy = "leave it out: these are our own accounts";
    else if (nearest)
        remedy = gh_arena_format(load->arena, "did you mean \"%s\"?", nearest).ptr;
    gh_config_problem_add(load, GH_CONFIG_ERROR, gh_config_where(load, name), remedy,
                          "identity.issuers has no \"%.*s\"",
                          GH_STR_ARG(gh_config_show(load->arena, *name)));
}

static void check_owner_issuers(struct gh_config_load *load,
                                const struct gh_root_settings *settings)
{
    const struct gh_route_settings *routes = settings->policy.routes.items;
    for (size_t i = 0; i < settings->policy.routes.count; i++)
        if (routes[i].access.owner_issuer.len)
            check_owner_issuer(load, &settings->identity, &routes[i].access.owner_issuer);
}

void gh_identity_check(struct gh_config_load *load, const struct gh_root_settings *settings,
                       const struct gh_policy *policy)
{
    if (!settings->identity.enabled)
        return;
    check_hook(load, settings, policy, &settings->identity.hooks.export);
    check_hook(load, settings, policy, &settings->identity.hooks.delete);
    check_same_site(load, settings);
    check_credentials(load, settings);
    check_mail_server(load, settings);
    check_owner_issuers(load, settings);
}
