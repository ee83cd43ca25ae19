#include "app/config_checks.h"

#include "base/ip.h"
#include "upstream/server_url.h"

#define GIB           (1ULL << 30)
#define DAY_SECONDS   86400
#define EXPIRES_DAYS  366 /* RFC 9116 section 2.5.5: less than a year ahead is recommended */
#define LISTENERS_MAX 64

static void add_error(struct gh_config_load *load, const void *field, const char *remedy,
                      const char *what)
{
    gh_config_problem_add(load, GH_CONFIG_ERROR, gh_config_where(load, field), remedy, "%s", what);
}

static void add_warning(struct gh_config_load *load, const void *field, const char *remedy,
                        const char *what)
{
    gh_config_problem_add(load, GH_CONFIG_WARNING, gh_config_where(load, field), remedy, "%s",
                          what);
}

static bool has_tls(const struct gh_root_settings *settings)
{
    const struct gh_listener_settings *listeners = settings->listeners.items;
    for (size_t i = 0; i < settings->listeners.count; i++) {
        if (listeners[i].tls.count > 0)
            return true;
    }
    return false;
}

/* ---- listeners ---- */

static bool same_address(const struct gh_listen_address *a, const struct gh_listen_address *b)
{
    if (a->path || b->path)
        return a->path && b->path && strcmp(a->path, b->path) == 0;
    return a->port == b->port && gh_ip_eq(&a->ip, &b->ip);
}

/* 0.0.0.0 and [::] take in every address of their family. */
static bool is_any(const struct gh_ip *ip)
{
    static const uint8_t ZEROS[sizeof ip->bytes];
    return memcmp(ip->bytes, ZEROS, sizeof ZEROS) == 0;
}

static bool overlap(const struct gh_listen_address *a, const struct gh_listen_address *b)
{
    return !a->path && !b->path && a->port && a->port == b->port && a->ip.family == b->ip.family &&
           (is_any(&a->ip) || is_any(&b->ip));
}

/* Reads an address into addresses[*count]; told when it is malformed or there already. */
static void add_address(struct gh_config_load *load, const struct gh_str *text,
                        struct gh_listen_address *addresses, size_t *count)
{
    struct gh_listen_address address;
    struct gh_str shown = gh_config_show(load->arena, *text);
    struct gh_config_place place = gh_config_where(load, text);
    if (!gh_listen_address_parse(*text, load->arena, &address)) {
        gh_config_problem_add(load, GH_CONFIG_ERROR, place,
                              "write 127.0.0.1:8080, [::1]:8080 or unix:/path",
                              "\"%.*s\" is no address to listen on", GH_STR_ARG(shown));
        return;
    }
    for (size_t i = 0; i < *count; i++) {
        if (same_address(&addresses[i], &address)) {
            gh_config_problem_add(load, GH_CONFIG_ERROR, place, "keep one of them",
                                  "the address %.*s stands here twice", GH_STR_ARG(shown));
            return;
        }
        if (overlap(&addresses[i], &address)) {
            gh_config_problem_add(load, GH_CONFIG_ERROR, place, "give one of them another port",
                                  "%.*s overlaps another listener: 0.0.0.0 and [::] take in every "
                                  "address",
                                  GH_STR_ARG(shown));
            return;
        }
    }
    addresses[(*count)++] = address;
}

static void check_listeners(struct gh_config_load *load, const struct gh_root_settings *settings)
{
    struct gh_listen_address addresses[LISTENERS_MAX + 1];
    const struct gh_listener_settings *listeners = settings->listeners.items;
    size_t count = 0;
    if (settings->listeners.count == 0)
        add_error(load, &settings->listeners, "write an address", "there is nothing to listen on");
    if (settings->listeners.count > LISTENERS_MAX) {
        add_error(load, &settings->listeners, NULL, "more than 64 listeners");
        return;
    }
    for (size_t i = 0; i < settings->listeners.count; i++) {
        add_address(load, &listeners[i].address, addresses, &count);
        if (listeners[i].tls.count > 0 && listeners[i].h2c)
            add_error(load, &listeners[i].h2c, "leave it out: `http2` is for listeners with `tls`",
                      "h2c is HTTP/2 without TLS, and this listener has TLS");
        if (listeners[i].tls.count > 0 && listeners[i].plain == GH_PLAIN_REFUSE)
            add_warning(load, &listeners[i].plain, "leave it out",
                        "\"plain\" means nothing on a listener with TLS");
    }
    if (settings->admin_listen.len == 0)
        return;
    size_t before = count;
    add_address(load, &settings->admin_listen, addresses, &count);
    if (count > before && !addresses[before].path && !gh_ip_is_loopback(&addresses[before].ip))
        add_warning(load, &settings->admin_listen, "listen on 127.0.0.1, [::1] or a Unix socket",
                    "admin_listen can be reached from other machines, and /metrics asks for no "
                    "password");
}

/* ---- https ---- */

static void check_https(struct gh_config_load *load, const struct gh_root_settings *settings)
{
    const struct gh_policy_settings *policy = &settings->policy;
    bool tls = has_tls(settings), trusted = policy->trusted_proxies.allow.count > 0;
    if (policy->headers.hsts.when == GH_HSTS_ALWAYS && !tls && !trusted)
        add_warning(load, &policy->headers.hsts.when, "serve TLS, or name trusted_proxies",
                    "Strict-Transport-Security will be sent, but browsers heed it only over "
                    "https");
    if (policy->environment != GH_PRODUCTION)
        return;
    if (policy->https.mode == GH_MODE_OFF)
        add_warning(load, &policy->https.mode, "leave it at enforce",
                    "https.mode is off in production: passwords and cookies may travel in clear");
    else if (!tls && !trusted)
        add_warning(load, &settings->listeners,
                    "add tls to a listener, or name the proxy that ends TLS in trusted_proxies",
                    "in production without a TLS listener and without trusted_proxies every "
                    "request counts as plain: it is redirected or refused, and "
                    "Strict-Transport-Security is never sent");
}

/* ---- who and where from ---- */

/* The last address of a network. */
static struct gh_ip last_address(const struct gh_ip_network *network)
{
    struct gh_ip last = network->base;
    unsigned bits = last.family == GH_IP_V4 ? 32 : 128;
    for (unsigned bit = network->prefix_bits; bit < bits; bit++)
        last.bytes[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
    return last;
}

/* Public networks this wide hold strangers' machines. Prefix 0 is told by policy/client.c. */
static bool is_too_wide(const struct gh_ip_network *network)
{
    unsigned narrow = network->base.family == GH_IP_V4 ? 24 : 48;
    struct gh_ip last = last_address(network);
    bool is_private = gh_ip_is_private(&network->base) && gh_ip_is_private(&last);
    return !is_private && network->prefix_bits > 0 && network->prefix_bits < narrow;
}

static void check_trusted(struct gh_config_load *load, const struct gh_policy_settings *policy)
{
    const struct gh_str *allow = policy->trusted_proxies.allow.items;
    for (size_t i = 0; i < policy->trusted_proxies.allow.count; i++) {
        struct gh_ip_network network;
        if (!gh_ip_network_parse(allow[i], &network) || !is_too_wide(&network))
            continue;
        gh_config_problem_add(load, GH_CONFIG_WARNING, gh_config_where(load, &allow[i]),
                              "name only the addresses of your own proxies",
                              "trusted_proxies has %.*s, which is wider than any private network: "
                              "every host in it can choose the client address it claims",
                              GH_STR_ARG(allow[i]));
    }
}

static void check_hosts(struct gh_config_load *load, const struct gh_policy_settings *policy)
{
    const struct gh_str *allow = policy->hosts.allow.items;
    if (policy->environment != GH_PRODUCTION || policy->trusted_proxies.allow.count > 0)
        return;
    for (size_t i = 0; i < policy->hosts.allow.count; i++) {
        if (gh_str_eq(allow[i], GH_STR("*")))
            add_warning(load, &allow[i],
                        "list your hosts, unless a proxy in front checks them (then name it in "
                        "trusted_proxies)",
                        "hosts has \"*\": any Host is believed");
    }
    if (policy->hosts.mode == GH_MODE_OFF)
        add_warning(load, &policy->hosts.mode, "leave it at enforce",
                    "hosts.mode is off in production: any Host is believed");
}

/* ---- upstreams ---- */

/* A name that public DNS knows, as far as one can tell by looking. */
static bool is_public_name(struct gh_str host)
{
    static const struct gh_str private_suffixes[] = {
        GH_STR_INIT(".local"),     GH_STR_INIT(".internal"),  GH_STR_INIT(".lan"),
        GH_STR_INIT(".localhost"), GH_STR_INIT(".home.arpa"), GH_STR_INIT(".test"),
        GH_STR_INIT(".svc"),       GH_STR_INIT(".consul"),    GH_STR_INIT(".private"),
    };
    if (gh_str_find_char(host, '.') == host.len)
        return false;
    for (size_t i = 0; i < sizeof private_suffixes / sizeof private_suffixes[0]; i++) {
        if (gh_str_ends_with(host, private_suffixes[i]))
            return false;
    }
    return true;
}

static void check_server(struct gh_config_load *load, const struct gh_str *server)
{
    struct gh_server_url url;
    struct gh_config_place place = gh_config_where(load, server);
    const char *fault = gh_server_url_parse(*server, load->arena, &url);
    struct gh_str shown = gh_config_show(load->arena, *server);
    if (fault) {
        gh_config_problem_add(load, GH_CONFIG_ERROR, place, fault,
                              "\"%.*s\" is no server's address", GH_STR_ARG(shown));
        return;
    }
    if (url.tls || url.path.len > 0)
        return;
    bool is_public =
        url.ip.family == GH_IP_NONE ? is_public_name(url.host) : !gh_ip_is_private(&url.ip);
    if (is_public)
        gh_config_problem_add(load, GH_CONFIG_WARNING, place, "use https",
                              "%.*s is outside your network and is spoken to in clear",
                              GH_STR_ARG(shown));
}

static bool is_used(const struct gh_policy_settings *policy, struct gh_str upstream)
{
    const struct gh_route_settings *routes = policy->routes.items;
    for (size_t i = 0; i < policy->routes.count; i++) {
        if (gh_str_eq(routes[i].upstream, upstream))
            return true;
    }
    return false;
}

static void check_upstreams(struct gh_config_load *load, const struct gh_root_settings *settings)
{
    const struct gh_upstream_settings *upstreams = settings->upstreams.items;
    for (size_t i = 0; i < settings->upstreams.count; i++) {
        const struct gh_str *servers = upstreams[i].servers.items;
        struct gh_str name = gh_config_show(load->arena, settings->upstreams.keys[i]);
        for (size_t j = 0; j < upstreams[i].servers.count; j++)
            check_server(load, &servers[j]);
        if (upstreams[i].servers.count == 0)
            gh_config_problem_add(load, GH_CONFIG_ERROR, settings->upstreams.places[i],
                                  "write its servers", "the upstream \"%.*s\" has no servers",
                                  GH_STR_ARG(name));
        if (!is_used(&settings->policy, settings->upstreams.keys[i]))
            gh_config_problem_add(load, GH_CONFIG_WARNING, settings->upstreams.places[i],
                                  "name it in a route, or leave it out",
                                  "no route uses the upstream \"%.*s\"", GH_STR_ARG(name));
    }
}

/* ---- limits ---- */

static bool is_reserved_rate(struct gh_str name)
{
    /* global applies by itself; the others belong to the identity endpoints */
    static const struct gh_str reserved[] = {
        GH_STR_INIT("global"),  GH_STR_INIT("login"),       GH_STR_INIT("signup"),
        GH_STR_INIT("refresh"), GH_STR_INIT("reset"),       GH_STR_INIT("two_factor"),
        GH_STR_INIT("export"),  GH_STR_INIT("password"),    GH_STR_INIT("email"),
        GH_STR_INIT("verify"),  GH_STR_INIT("reset_token"), GH_STR_INIT("resend"),
        GH_STR_INIT("setup"),   GH_STR_INIT("step_up"),     GH_STR_INIT("factor"),
        GH_STR_INIT("mail"),
    };
    for (size_t i = 0; i < sizeof reserved / sizeof reserved[0]; i++) {
        if (gh_str_eq(name, reserved[i]))
            return true;
    }
    return false;
}

static bool names_rate(const struct gh_route_settings *route, struct gh_str name)
{
    const struct gh_str *names = route->rate_limit.items;
    for (size_t i = 0; i < route->rate_limit.count; i++) {
        if (gh_str_eq(names[i], name))
            return true;
    }
    return false;
}

static void check_unused_rates(struct gh_config_load *load, const struct gh_policy_settings *policy)
{
    const struct gh_route_settings *routes = policy->routes.items;
    for (size_t i = 0; i < policy->rate_limits.count; i++) {
        struct gh_str name = policy->rate_limits.keys[i];
        bool used = is_reserved_rate(name);
        for (size_t j = 0; j < policy->routes.count && !used; j++)
            used = names_rate(&routes[j], name);
        if (!used)
            gh_config_problem_add(load, GH_CONFIG_WARNING, policy->rate_limits.places[i],
                                  "name it in a route's rate_limit, or leave it out",
                                  "no route uses the rate limit \"%.*s\"",
                                  GH_STR_ARG(gh_config_show(load->arena, name)));
    }
}

/* The place of `rate_limit: []`, which is read into two fields. */
static struct gh_config_place rate_limit_place(const struct gh_config_load *load,
                                               const struct gh_route_settings *route)
{
    const void *fields[] = {&route->rate_limit, &route->rate_limit_given, &route->path};
    struct gh_config_place place = {0, 0};
    for (size_t i = 0; i < sizeof fields / sizeof fields[0] && place.line == 0; i++)
        place = gh_config_where(load, fields[i]);
    return place;
}

static void check_unlimited_routes(struct gh_config_load *load,
                                   const struct gh_policy_settings *policy)
{
    const struct gh_route_settings *routes = policy->routes.items;
    bool has_global = false;
    size_t unlimited = 0;
    for (size_t i = 0; i < policy->rate_limits.count; i++)
        has_global |= gh_str_eq(policy->rate_limits.keys[i], GH_STR("global"));
    for (size_t i = 0; i < policy->routes.count; i++) {
        if (routes[i].rate_limit.count > 0)
            continue;
        unlimited += !routes[i].rate_limit_given && !has_global;
        if (routes[i].rate_limit_given)
            gh_config_problem_add(load, GH_CONFIG_WARNING, rate_limit_place(load, &routes[i]),
                                  "leave rate_limit out to have the global limit",
                                  "the route %.*s has no rate limit",
                                  GH_STR_ARG(gh_config_show(load->arena, routes[i].path)));
    }
    if (unlimited > 0)
        gh_config_problem_add(load, GH_CONFIG_WARNING, gh_config_where(load, &policy->rate_limits),
                              "add rate_limits: {global: {limit: 100/second, burst: 200, key: "
                              "client}}",
                              "%zu of %zu routes have no rate limit", unlimited,
                              policy->routes.count);
}

static void check_body_sizes(struct gh_config_load *load, const struct gh_policy_settings *policy)
{
    const struct gh_route_settings *routes = policy->routes.items;
    static const char what[] = "request_body over 1 GiB: a single client can fill the backend";
    if (policy->limits.request_body > GIB)
        add_warning(load, &policy->limits.request_body, "set it on the route that needs it", what);
    for (size_t i = 0; i < policy->routes.count; i++) {
        if (routes[i].request_body > GIB)
            add_warning(load, &routes[i].request_body, "upload in parts", what);
    }
}

/* ---- security.txt ---- */

/* Days since 1970-01-01 of a date in the Gregorian calendar (H. Hinnant, "chrono-compatible
   low-level date algorithms", days_from_civil). */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    year -= month <= 2;
    int64_t era = year / 400, of_era = year - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static uint64_t digits_at(struct gh_str text, size_t at, size_t count)
{
    uint64_t value = 0;
    for (size_t i = at; i < at + count && i < text.len; i++)
        value = value * 10 +
                (uint64_t)(text.ptr[i] >= '0' && text.ptr[i] <= '9' ? text.ptr[i] - '0' : 0);
    return value;
}

static void check_security_txt(struct gh_config_load *load, const struct gh_policy_settings *policy,
                               int64_t unix_seconds)
{
    const struct gh_str *expires = &policy->security_txt.expires;
    if (expires->len < sizeof("2027-06-30") - 1)
        return; /* its form is policy/builtin_compile.c's business */
    int64_t day = days_of((int64_t)digits_at(*expires, 0, 4), (int64_t)digits_at(*expires, 5, 2),
                          (int64_t)digits_at(*expires, 8, 2));
    int64_t today = unix_seconds / DAY_SECONDS;
    if (day < today)
        add_warning(load, expires, "look through the file and set a new date",
                    "security_txt.expires is past: nobody believes the file any more");
    else if (day - today > EXPIRES_DAYS)
        add_warning(load, expires, "set a date within a year",
                    "security_txt.expires is more than a year ahead");
}

/* ---- sandbox ---- */

static void check_sandbox(struct gh_config_load *load, const struct gh_sandbox_settings *sandbox)
{
    if (sandbox->required && sandbox->mode != GH_SANDBOX_ENFORCE)
        add_warning(load, &sandbox->required, "write mode: enforce, or leave it out",
                    "required has no effect here: with this mode nothing is held");
}

/* ---- all of them ---- */

void gh_config_check(struct gh_config_load *load, const struct gh_root_settings *settings,
                     int64_t unix_seconds)
{
    const struct gh_policy_settings *policy = &settings->policy;
    check_listeners(load, settings);
    check_https(load, settings);
    check_trusted(load, policy);
    check_hosts(load, policy);
    check_upstreams(load, settings);
    check_unused_rates(load, policy);
    check_unlimited_routes(load, policy);
    check_body_sizes(load, policy);
    check_security_txt(load, policy, unix_seconds);
    check_sandbox(load, &settings->sandbox);
}

void gh_config_check_passwords(struct gh_config_load *load, const struct gh_config_node *root)
{
    if (root->kind == GH_CONFIG_SCALAR && !root->interpolated && !root->is_broken &&
        gh_config_has_url_password(root->text))
        gh_config_problem_add(load, GH_CONFIG_ERROR, root->place,
                              "take it from the environment: ${NAME}",
                              "a password is written out in a URL");
    for (size_t i = 0; i < root->count; i++)
        gh_config_check_passwords(load, &root->items[i]);
}
