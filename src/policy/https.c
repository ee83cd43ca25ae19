/*
 * Stage 5: plain HTTP in production. Safe requests are sent to https on the same host, so that the
 * host gets its HSTS; the others are refused, for their body has already travelled in clear. And
 * the table of `https`.
 */
#include "policy/policy.h"

#define ACME_PREFIX GH_STR("/.well-known/acme-challenge/")

static bool is_get_or_head(const struct gh_request *request)
{
    return request->head->method == GH_METHOD_GET || request->head->method == GH_METHOD_HEAD;
}

/* base, then path and query as they were checked; so the Location can't be led elsewhere. */
static struct gh_verdict redirect(struct gh_request *request, enum gh_reason reason,
                                  struct gh_str scheme, struct gh_str base, struct gh_str port)
{
    struct gh_str query = request->query;
    size_t cap = scheme.len + base.len + port.len + request->path.len + query.len + 1;
    char *memory = gh_arena_alloc(request->arena, cap);
    if (!memory)
        return gh_verdict_deny(GH_REASON_OVERLOADED);
    struct gh_buf location = gh_buf_over(memory, cap);
    gh_buf_put(&location, scheme);
    gh_buf_put(&location, base);
    gh_buf_put(&location, port);
    gh_buf_put(&location, request->path);
    if (query.ptr) {
        gh_buf_put_char(&location, '?');
        gh_buf_put(&location, query);
    }
    gh_reply_begin(&request->reply, 308, GH_STR(""), GH_STR(""));
    gh_reply_add(&request->reply, GH_STR("Location"), gh_buf_str(&location));
    return gh_verdict_respond(reason);
}

static bool is_canonical_host(const struct gh_request *request)
{
    const struct gh_https_rule *https = &request->policy->https;
    return gh_str_eq(request->authority.host, https->public_host);
}

struct gh_verdict gh_stage_https(struct gh_request *request)
{
    const struct gh_https_rule *https = &request->policy->https;
    if (https->mode == GH_MODE_OFF || gh_builtin_is_probe(request) ||
        gh_str_starts_with(request->path, ACME_PREFIX) || request->path.ptr[0] != '/')
        return gh_verdict_next();
    if (request->https) {
        if (!https->canonical || !https->public_base.len || !is_get_or_head(request) ||
            is_canonical_host(request))
            return gh_verdict_next();
        if (https->mode != GH_MODE_ENFORCE)
            return gh_stage_refuse(request, GH_STAGE_HTTPS, https->mode,
                                   GH_REASON_CANONICAL_REDIRECT);
        return redirect(request, GH_REASON_CANONICAL_REDIRECT, GH_STR(""), https->public_base,
                        GH_STR(""));
    }
    if (!is_get_or_head(request) || request->peer->refuse_plain)
        return gh_stage_refuse(request, GH_STAGE_HTTPS, https->mode, GH_REASON_HTTPS_REQUIRED);
    if (https->mode != GH_MODE_ENFORCE)
        return gh_stage_refuse(request, GH_STAGE_HTTPS, https->mode, GH_REASON_HTTPS_REDIRECT);
    return redirect(request, GH_REASON_HTTPS_REDIRECT, GH_STR("https://"), request->authority.host,
                    https->port);
}

/* Reads public_url: scheme://host[:port] with at most a final slash. */
static void compile_public_url(struct gh_config_load *load,
                               const struct gh_policy_settings *settings,
                               struct gh_https_rule *https)
{
    struct gh_str url = settings->public_url;
    if (!url.len)
        return;
    if (url.ptr[url.len - 1] == '/')
        url.len--;
    struct gh_origin origin;
    struct gh_config_place place = gh_config_where(load, &settings->public_url);
    if (gh_origin_parse(url, false, &origin) != GH_ORIGIN_OK) {
        gh_config_problem_add(load, GH_CONFIG_ERROR, place,
                              "write https://host or https://host:port in lower case, without a "
                              "path and without a default port",
                              "public_url is no origin");
        return;
    }
    bool is_https = gh_str_eq(origin.scheme, GH_STR("https"));
    if (!is_https && settings->environment == GH_PRODUCTION && settings->https.mode != GH_MODE_OFF)
        gh_config_problem_add(load, GH_CONFIG_WARNING, place, "write an https URL",
                              "public_url is not https");
    if (!is_https)
        return;
    https->public_base = url;
    https->public_host = origin.host;
    https->public_port = origin.port;
}

void gh_https_compile(struct gh_config_load *load, const struct gh_policy_settings *settings,
                      struct gh_policy *policy)
{
    struct gh_https_rule *https = &policy->https;
    https->mode =
        settings->environment == GH_PRODUCTION ? settings->https.mode : (enum gh_mode)GH_MODE_OFF;
    https->canonical = settings->https.canonical;
    compile_public_url(load, settings, https);
    if (https->public_host.len && policy->hosts.mode != GH_MODE_OFF &&
        !gh_host_set_contains(&policy->hosts, https->public_host))
        gh_config_problem_add(load, GH_CONFIG_WARNING, gh_config_where(load, &settings->public_url),
                              "add it to hosts, or requests for it get 400",
                              "the host of public_url is not in hosts");
    if (https->canonical && !https->public_base.len)
        gh_config_problem_add(load, GH_CONFIG_ERROR,
                              gh_config_where(load, &settings->https.canonical),
                              "set public_url to the https URL that clients shall use",
                              "https.canonical needs a public_url");
    uint64_t port = settings->https.port;
    if (!port)
        port = https->public_port ? https->public_port : settings->tls_port;
    if (port && port != 443)
        https->port = gh_arena_format(load->arena, ":%u", (unsigned)port);
}

static const struct gh_config_field HTTPS_FIELDS[] = {
    {.name = "mode",
     .type = GH_CONFIG_TYPE_ENUM,
     .offset = offsetof(struct gh_https_settings, mode),
     .names = gh_mode_names,
     .doc = "In production: plain GET and HEAD are redirected to https with 308, other methods "
            "refused with 403. Development never redirects."},
    {.name = "port",
     .type = GH_CONFIG_TYPE_INTEGER,
     .offset = offsetof(struct gh_https_settings, port),
     .max = 65535,
     .doc = "The port that redirects name; by default that of public_url, else of the first TLS "
            "listener."},
    {.name = "canonical",
     .type = GH_CONFIG_TYPE_BOOL,
     .offset = offsetof(struct gh_https_settings, canonical),
     .doc = "Redirect GET and HEAD that came by https for another allowed host on to public_url. "
            "Off by default: with several hosts it would take their content away."},
    {.name = "acme_directory",
     .type = GH_CONFIG_TYPE_STRING,
     .offset = offsetof(struct gh_https_settings, acme_directory),
     .doc = "The directory whose files answer /.well-known/acme-challenge/, over plain HTTP too. "
            "Without it such requests follow the routes."},
};

const struct gh_config_table gh_https_table = {
    .name = "https",
    .doc = "What happens to plain HTTP.",
    .size = sizeof(struct gh_https_settings),
    .fields = HTTPS_FIELDS,
    .field_count = sizeof(HTTPS_FIELDS) / sizeof(HTTPS_FIELDS[0]),
    .short_form = "mode",
};
