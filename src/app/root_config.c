#include "app/root_config.h"

#include <stddef.h>

#include "app/audit_checks.h"
#include "app/config_checks.h"
#include "app/identity_checks.h"
#include "app/identity_policy.h"
#include "app/input_checks.h"
#include "base/buf.h"

/* A URL on the command line longer than this is a mistake. */
#define UPSTREAM_TEXT_BYTES_MAX 4096

static const char *const ENVIRONMENTS[] = {"production", "development", NULL};
static const char *const PLAIN_NAMES[] = {"redirect", "refuse", NULL};
static const char *const LOG_CLIENT_NAMES[] = {
    [GH_LOG_CLIENT_PREFIX] = "prefix",
    [GH_LOG_CLIENT_FULL] = "full",
    [GH_LOG_CLIENT_NONE] = "none",
    NULL,
};

/* ---- listen ---- */

static const struct gh_config_field TLS_FIELDS[] = {
    {.name = "certificate",
     .type = GH_CONFIG_TYPE_STRING,
     .offset = offsetof(struct gh_tls_pair_settings, certificate),
     .required = true,
     .doc = "PEM file: the server's certificate first, then the chain."},
    {.name = "key",
     .type = GH_CONFIG_TYPE_STRING,
     .offset = offsetof(struct gh_tls_pair_settings, key),
     .required = true,
     .doc = "PEM file of its private key."},
};
static const struct gh_config_table TLS_TABLE = {
    .name = "tls",
    .doc = "A certificate and its key.",
    .size = sizeof(struct gh_tls_pair_settings),
    .fields = TLS_FIELDS,
    .field_count = sizeof(TLS_FIELDS) / sizeof(TLS_FIELDS[0]),
};
static const struct gh_config_field TLS_ITEM = {.type = GH_CONFIG_TYPE_TABLE, .table = &TLS_TABLE};

static const struct gh_config_field LISTENER_FIELDS[] = {
    {.name = "address",
     .type = GH_CONFIG_TYPE_STRING,
     .offset = offsetof(struct gh_listener_settings, address),
     .required = true,
     .doc = "`0.0.0.0:8443`, `[::]:8443` or `unix:/run/gatehouse.sock`."},
    {.name = "tls",
     .type = GH_CONFIG_TYPE_LIST,
     .offset = offsetof(struct gh_listener_settings, tls),
     .item = &TLS_ITEM,
     .one_or_list = true,
     .doc = "Serve TLS 1.2 and 1.3 here. With several pairs the client's SNI chooses; the first "
            "one serves clients without it."},
    {.name = "proxy_protocol",
     .type = GH_CONFIG_TYPE_BOOL,
     .offset = offsetof(struct gh_listener_settings, proxy_protocol),
     .doc = "Every connection must begin with a PROXY protocol header, version 1 or 2. Only for "
            "listeners that none but the proxy can reach."},
    {.name = "plain",
     .type = GH_CONFIG_TYPE_ENUM,
     .offset = offsetof(struct gh_listener_settings, plain),
     .names = PLAIN_NAMES,
     .default_yaml = "redirect",
     .doc = "In production, on a listener without TLS: redirect to https, or refuse."},
    {.name = "http2",
     .type = GH_CONFIG_TYPE_BOOL,
     .offset = offsetof(struct gh_listener_settings, http2),
     .default_yaml = "true",
     .doc = "With `tls`: offer HTTP/2 beside HTTP/1.1; the client chooses (ALPN)."},
    {.name = "h2c",
     .type = GH_CONFIG_TYPE_BOOL,
     .offset = offsetof(struct gh_listener_settings, h2c),
     .doc = "Without `tls`: take HTTP/2 from clients that begin with its preface, beside HTTP/1.1. "
            "For proxies that speak it; there is no upgrade from HTTP/1.1."},
};
static const struct gh_config_table LISTENER_TABLE = {
    .name = "listen",
    .doc = "An address that the gateway listens on.",
    .size = sizeof(struct gh_listener_settings),
    .fields = LISTENER_FIELDS,
    .field_count = sizeof(LISTENER_FIELDS) / sizeof(LISTENER_FIELDS[0]),
    .short_form = "address",
};

/* ---- log, cross_site ---- */

static const struct gh_config_field LOG_FIELDS[] = {
    {.name = "client",
     .type = GH_CONFIG_TYPE_ENUM,
     .names = LOG_CLIENT_NAMES,
     .default_yaml = "prefix",
     .doc = "How much of the client's address the access log shows: the network (/24, /64), all "
            "of it, or nothing."},
};
static const struct gh_config_table LOG_TABLE = {
    .name = "log",
    .doc = "The access log.",
    .size = sizeof(((struct gh_root_settings *)0)->log),
    .fields = LOG_FIELDS,
    .field_count = 1,
};

static const struct gh_config_field CROSS_SITE_FIELDS[] = {
    {.name = "mode",
     .type = GH_CONFIG_TYPE_ENUM,
     .names = gh_mode_names,
     .default_yaml = "enforce",
     .doc = "enforce: refused with 403. observe: logged and let pass. off: not looked at."},
};
static const struct gh_config_table CROSS_SITE_TABLE = {
    .name = "cross_site",
    .doc = "Requests that another site makes with the caller's rights (CSRF).",
    .size = sizeof(enum gh_mode),
    .fields = CROSS_SITE_FIELDS,
    .field_count = 1,
    .short_form = "mode",
};

/* ---- the file ---- */

static const struct gh_config_field UPSTREAM_ITEM = {.type = GH_CONFIG_TYPE_TABLE,
                                                     .table = &gh_upstream_table};
static const struct gh_config_field RATE_ITEM = {.type = GH_CONFIG_TYPE_TABLE,
                                                 .table = &gh_rate_table};
static const struct gh_config_field ROUTE_ITEM = {.type = GH_CONFIG_TYPE_TABLE,
                                                  .table = &gh_route_table};
static const struct gh_config_field CONSUME_ITEM = {.type = GH_CONFIG_TYPE_TABLE,
                                                    .table = &gh_consume_table};
static const struct gh_config_field LISTENER_ITEM = {.type = GH_CONFIG_TYPE_TABLE,
                                                     .table = &LISTENER_TABLE};

#define ROOT(member)   .offset = offsetof(struct gh_root_settings, member)
#define POLICY(member) .offset = offsetof(struct gh_root_settings, policy.member)

static const struct gh_config_field ROOT_FIELDS[] = {
    {.name = "version",
     .type = GH_CONFIG_TYPE_INTEGER,
     ROOT(version),
     .min = 1,
     .max = 1,
     .required = true,
     .doc = "The version of this format: write `version: 1`."},
    {.name = "environment",
     .type = GH_CONFIG_TYPE_ENUM,
     POLICY(environment),
     .names = ENVIRONMENTS,
     .default_yaml = "production",
     .env = "ENVIRONMENT",
     .doc = "`development` does not redirect to https, sends no HSTS, allows localhost and shows "
            "the backend's errors."},
    {.name = "listen",
     .type = GH_CONFIG_TYPE_LIST,
     ROOT(listeners),
     .item = &LISTENER_ITEM,
     .one_or_list = true,
     .default_yaml = "[\"127.0.0.1:8080\"]",
     .doc = "Where the gateway listens."},
    {.name = "public_url",
     .type = GH_CONFIG_TYPE_STRING,
     POLICY(public_url),
     .doc = "The URL that clients use: `https://api.example.com`."},
    {.name = "https",
     .type = GH_CONFIG_TYPE_TABLE,
     POLICY(https),
     .table = &gh_https_table,
     .doc = "What happens to requests without TLS."},
    {.name = "admin_listen",
     .type = GH_CONFIG_TYPE_STRING,
     ROOT(admin_listen),
     .doc = "Address of `/metrics` and the probes, as in `127.0.0.1:9090`; without it there are "
            "no metrics."},
    {.name = "log",
     .type = GH_CONFIG_TYPE_TABLE,
     ROOT(log),
     .table = &LOG_TABLE,
     .doc = "The access log."},
    {.name = "hosts",
     .type = GH_CONFIG_TYPE_TABLE,
     POLICY(hosts),
     .table = &gh_hosts_table,
     .doc = "The hosts that are served; any other Host is refused with 400."},
    {.name = "trusted_proxies",
     .type = GH_CONFIG_TYPE_TABLE,
     POLICY(trusted_proxies),
     .table = &gh_trusted_table,
     .doc = "The only ones who may tell us the client's address and scheme."},
    {.name = "upstreams",
     .type = GH_CONFIG_TYPE_MAP,
     ROOT(upstreams),
     .item = &UPSTREAM_ITEM,
     .doc = "The backends, by name."},
    {.name = "headers",
     .type = GH_CONFIG_TYPE_TABLE,
     POLICY(headers),
     .table = &gh_headers_table,
     .doc = "Response headers of all routes."},
    {.name = "csp",
     .type = GH_CONFIG_TYPE_TABLE,
     POLICY(csp),
     .table = &gh_csp_table,
     .doc = "The Content-Security-Policy of all routes."},
    {.name = "cors",
     .type = GH_CONFIG_TYPE_TABLE,
     POLICY(cors),
     .table = &gh_cors_table,
     .doc = "Which pages of other origins may call."},
    {.name = "cross_site",
     .type = GH_CONFIG_TYPE_TABLE,
     POLICY(cross_site_mode),
     .table = &CROSS_SITE_TABLE,
     .doc = "Defence against requests forged by other sites."},
    {.name = "limits",
     .type = GH_CONFIG_TYPE_TABLE,
     POLICY(limits),
     .table = &gh_limits_table,
     .doc = "Sizes, counts and times."},
    {.name = "rate_limits",
     .type = GH_CONFIG_TYPE_MAP,
     POLICY(rate_limits),
     .item = &RATE_ITEM,
     .doc = "Rate limits by name. `global` applies to every route unless it says `rate_limit: "
            "[]`."},
    {.name = "security_txt",
     .type = GH_CONFIG_TYPE_TABLE,
     POLICY(security_txt),
     .table = &gh_security_txt_table,
     .doc = "What `/.well-known/security.txt` says (RFC 9116)."},
    {.name = "builtin",
     .type = GH_CONFIG_TYPE_TABLE,
     POLICY(builtin),
     .table = &gh_builtin_table,
     .doc = "Paths that the gateway answers itself."},
    {.name = "routes",
     .type = GH_CONFIG_TYPE_LIST,
     POLICY(routes),
     .item = &ROUTE_ITEM,
     .doc = "Where requests go. The most specific match wins, not the first."},
    {.name = "redis",
     .type = GH_CONFIG_TYPE_TABLE,
     ROOT(redis),
     .table = &gh_redis_table,
     .doc = "Redis or Valkey, for what several nodes share."},
    {.name = "store",
     .type = GH_CONFIG_TYPE_TABLE,
     ROOT(store),
     .table = &gh_store_table,
     .doc = "Where accounts, sessions and the audit log live when identity is on."},
    {.name = "secrets",
     .type = GH_CONFIG_TYPE_TABLE,
     ROOT(secrets),
     .table = &gh_secrets_table,
     .doc = "Keys, and variables that must be set."},
    {.name = "identity",
     .type = GH_CONFIG_TYPE_TABLE,
     ROOT(identity),
     .table = &gh_identity_table,
     .doc = "Accounts, sign-in, sessions, roles."},
    {.name = "unsafe_observe_access",
     .type = GH_CONFIG_TYPE_BOOL,
     POLICY(unsafe_observe_access),
     .doc = "Allows access rules that only observe, or are off, in production."},
    {.name = "audit",
     .type = GH_CONFIG_TYPE_TABLE,
     ROOT(audit),
     .table = &gh_audit_table,
     .doc = "The audit log of accounts and refusals, where identity is on."},
    {.name = "sandbox",
     .type = GH_CONFIG_TYPE_TABLE,
     ROOT(sandbox),
     .table = &gh_sandbox_table,
     .doc = "What the process gives up once it serves."},
    {.name = "consume",
     .type = GH_CONFIG_TYPE_LIST,
     ROOT(consume),
     .item = &CONSUME_ITEM,
     .one_or_list = true,
     .doc = "Streams of Redis whose entries become rows of PostgreSQL, by `gatehouse consume`."},
};

const struct gh_config_table gh_root_table = {
    .name = "",
    .size = sizeof(struct gh_root_settings),
    .fields = ROOT_FIELDS,
    .field_count = sizeof(ROOT_FIELDS) / sizeof(ROOT_FIELDS[0]),
};

/* ---- loading ---- */

/* Puts one plain listener in place of the file's. */
static void replace_listeners(struct gh_config_load *load, const char *listen,
                              struct gh_root_settings *settings)
{
    struct gh_listener_settings *listener = gh_arena_zalloc(load->arena, 1, sizeof(*listener));
    if (!listener) {
        gh_config_problem_add(load, GH_CONFIG_ERROR, (struct gh_config_place){0, 0}, NULL,
                              "out of memory");
        return;
    }
    listener->address = gh_arena_dup(load->arena, gh_str_from_c(listen));
    settings->listeners = (struct gh_config_list){listener, 1};
}

/* The port of the first TLS listener, for redirects. */
static uint16_t first_tls_port(struct gh_config_load *load, const struct gh_root_settings *settings)
{
    const struct gh_listener_settings *listeners = settings->listeners.items;
    struct gh_listen_address address;
    for (size_t i = 0; i < settings->listeners.count; i++) {
        if (listeners[i].tls.count > 0 &&
            gh_listen_address_parse(listeners[i].address, load->arena, &address) && !address.path)
            return address.port;
    }
    return 0;
}

static bool is_given(const struct gh_config_node *root, const char *key)
{
    const struct gh_config_node *node = gh_config_get(root, key);
    return node && !node->is_null;
}

bool gh_root_load(struct gh_config_load *load, struct gh_str text, const char *listen,
                  struct gh_root_settings *out_settings)
{
    struct gh_root_settings *settings = out_settings;
    *settings = (struct gh_root_settings){0};
    const struct gh_config_node *root = gh_config_parse(load, text);
    if (!root)
        return false;
    gh_config_check_passwords(load, root);
    gh_config_bind(load, &gh_root_table, root, settings);
    if (listen)
        replace_listeners(load, listen, settings);
    settings->policy.csp_given = is_given(root, "csp");
    /* the origins may come from the environment alone */
    settings->policy.cors_given = is_given(root, "cors") || settings->policy.cors.origins.count > 0;
    settings->policy.tls_port = first_tls_port(load, settings);
    settings->audit.redis = settings->redis;
    settings->audit.production = settings->policy.environment == GH_PRODUCTION;
    gh_identity_policy_fill(load, settings);
    return load->error_count == 0;
}

/* A scalar in single quotes, with nothing left for YAML or the environment to replace. */
static void put_quoted(struct gh_buf *buf, struct gh_str text)
{
    gh_buf_put_char(buf, '\'');
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '\'')
            gh_buf_put_char(buf, '\'');
        if (text.ptr[i] == '$' && i + 1 < text.len && text.ptr[i + 1] == '{')
            gh_buf_put_char(buf, '$');
        gh_buf_put_char(buf, text.ptr[i]);
    }
    gh_buf_put_char(buf, '\'');
}

bool gh_root_load_upstream(struct gh_config_load *load, const char *upstream, const char *listen,
                           struct gh_root_settings *out_settings)
{
    char memory[UPSTREAM_TEXT_BYTES_MAX];
    struct gh_buf buf = gh_buf_over(memory, sizeof memory);
    gh_buf_put(&buf, GH_STR("version: 1\n"
                            "environment: development\n"
                            "listen: 127.0.0.1:8080\n"
                            "hosts: [localhost, 127.0.0.1, '[::1]']\n"
                            "headers: {preset: api}\n"
                            "limits: {request_body: 1MiB}\n"
                            "rate_limits:\n"
                            "  global: {limit: 100/second, burst: 200, key: client}\n"
                            "routes:\n"
                            "  - {path: '/**', upstream: upstream, access: public}\n"
                            "upstreams:\n"
                            "  upstream:\n"
                            "    servers: "));
    put_quoted(&buf, gh_str_from_c(upstream));
    gh_buf_put_char(&buf, '\n');
    if (buf.overflow) {
        *out_settings = (struct gh_root_settings){0};
        gh_config_problem_add(load, GH_CONFIG_ERROR, (struct gh_config_place){0, 0}, NULL,
                              "the upstream's URL is too long");
        return false;
    }
    load->without_places = true;
    return gh_root_load(load, gh_buf_str(&buf), listen, out_settings);
}

bool gh_root_is_for_consume(const struct gh_root_settings *settings)
{
    return settings->consume.count > 0 && settings->policy.routes.count == 0 &&
           settings->upstreams.count == 0 && settings->policy.hosts.allow.count == 0;
}

void gh_root_check_consume(struct gh_config_load *load, const struct gh_root_settings *settings)
{
    const struct gh_secret_source source = {load->getenv, load->getenv_context};
    const struct gh_consume_base base = {
        .store = settings->store.url,
        .has_redis = settings->redis.url.len > 0,
        .production = settings->policy.environment == GH_PRODUCTION,
    };
    gh_redis_settings_check(load, &settings->redis, base.production, &source);
    gh_consume_settings_check(load, &settings->consume, &base, &source);
}

const struct gh_policy *gh_root_compile(struct gh_config_load *load,
                                        const struct gh_root_settings *settings,
                                        int64_t unix_seconds)
{
    if (load->error_count > 0)
        return NULL;
    const struct gh_policy *policy = gh_policy_compile(
        load, &settings->policy, settings->upstreams.keys, settings->upstreams.count);
    gh_config_check(load, settings, unix_seconds);
    gh_root_check_consume(load, settings);
    gh_identity_check(load, settings, policy);
    gh_audit_check(load, settings);
    gh_input_check(load, settings, policy);
    return load->error_count == 0 ? policy : NULL;
}
