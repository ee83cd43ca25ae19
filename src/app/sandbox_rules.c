#include "app/sandbox_rules.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "app/audit_destination.h"
#include "app/config_file.h"
#include "app/store_open.h"
#include "app/store_url.h"
#include "base/num.h"
#include "openapi/openapi.h"
#include "sandbox/system.h"
#include "upstream/server_url.h"

/* Of references and URLs with passwords; wiped. */
#define SCRATCH_BLOCK_BYTES (16u * 1024)
#define SCRATCH_BYTES_MAX   (4u * 1024 * 1024)
#define POSTGRESQL_PORT     5432

static const char CONFIGURATION[] = "the configuration";
static const char CERTIFICATE[] = "certificates and keys, for the process that keeps them";
static const char AUTHORITIES[] = "certificate authorities";
static const char SECRET[] = "a secret";
static const char STORE[] = "the store";
static const char DOCUMENT[] = "an OpenAPI document";

struct maker {
    struct gh_sandbox_rules *rules;
    const struct gh_root_settings *settings;
    const char *config_file;
    struct gh_arena scratch;
};

static void allow_read(struct maker *maker, struct gh_str path, const char *why)
{
    gh_sandbox_allow_replaced(maker->rules, GH_SANDBOX_READ, path, why);
}

static void allow_write(struct maker *maker, struct gh_str path, const char *why)
{
    gh_sandbox_allow_replaced(maker->rules, GH_SANDBOX_WRITE, path, why);
}

static void allow_port(struct maker *maker, enum gh_sandbox_direction direction, uint16_t port)
{
    if (port)
        gh_sandbox_allow_port(maker->rules, direction, port);
}

/* ---- References and URLs ---- */

/* The file of file:PATH, whatever is in it. */
static void allow_reference(struct maker *maker, struct gh_str reference)
{
    struct gh_str scheme = GH_STR("file:");
    if (gh_str_starts_with(reference, scheme))
        allow_read(maker, gh_str_skip(reference, scheme.len), SECRET);
}

/* Empty: it leads nowhere. */
static struct gh_str resolve(struct maker *maker, struct gh_str reference)
{
    const struct gh_secret_source source = {gh_environment_get, NULL};
    struct gh_str value = GH_STR("");
    allow_reference(maker, reference);
    if (gh_secret_resolve(&maker->scratch, &source, reference, &value) != GH_OK)
        return GH_STR("");
    return value;
}

static uint16_t default_port(struct gh_str scheme)
{
    static const struct {
        const char *scheme;
        uint16_t port;
    } PORTS[] = {{"http", 80}, {"https", 443}, {"smtp", 25}, {"smtps", 465}};
    for (size_t i = 0; i < sizeof(PORTS) / sizeof(PORTS[0]); i++) {
        if (gh_str_ieq(scheme, gh_str_from_c(PORTS[i].scheme)))
            return PORTS[i].port;
    }
    return 0;
}

/* The port of scheme://[user@]host[:port][/...]; 0: it is none. */
static uint16_t port_of(struct gh_str url)
{
    size_t end = gh_str_find(url, GH_STR("://"));
    if (end == url.len)
        return 0;
    struct gh_str authority = gh_str_skip(url, end + 3);
    size_t stop = 0;
    while (stop < authority.len && !strchr("/?#", authority.ptr[stop]))
        stop++;
    authority = gh_str_first(authority, stop);
    while (gh_str_find_char(authority, '@') < authority.len)
        authority = gh_str_skip(authority, gh_str_find_char(authority, '@') + 1);
    size_t bracket = gh_str_find_char(authority, ']');
    struct gh_str rest = bracket < authority.len ? gh_str_skip(authority, bracket) : authority;
    size_t colon = gh_str_find_char(rest, ':');
    uint64_t port;
    if (colon + 1 < rest.len)
        return gh_num_parse_u64(gh_str_skip(rest, colon + 1), UINT16_MAX, &port) ? (uint16_t)port
                                                                                 : 0;
    return default_port(gh_str_first(url, end));
}

static void allow_url(struct maker *maker, struct gh_str url)
{
    allow_port(maker, GH_SANDBOX_CONNECT, port_of(url));
}

/* ---- Listeners, upstreams, routes ---- */

static void add_listener(struct maker *maker, struct gh_str text)
{
    struct gh_listen_address address;
    if (!gh_listen_address_parse(text, &maker->scratch, &address))
        return;
    if (address.path)
        allow_write(maker, gh_str_from_c(address.path), "a listener's socket");
    else
        allow_port(maker, GH_SANDBOX_LISTEN, address.port);
}

static void add_listeners(struct maker *maker)
{
    const struct gh_listener_settings *listeners = maker->settings->listeners.items;
    for (size_t i = 0; i < maker->settings->listeners.count; i++)
        add_listener(maker, listeners[i].address);
    if (maker->settings->admin_listen.len)
        add_listener(maker, maker->settings->admin_listen);
}

static void add_upstreams(struct maker *maker)
{
    const struct gh_upstream_settings *upstreams = maker->settings->upstreams.items;
    for (size_t i = 0; i < maker->settings->upstreams.count; i++) {
        const struct gh_str *servers = upstreams[i].servers.items;
        allow_read(maker, upstreams[i].ca, AUTHORITIES);
        for (size_t s = 0; s < upstreams[i].servers.count; s++) {
            struct gh_server_url url;
            if (gh_server_url_parse(servers[s], &maker->scratch, &url) == NULL)
                allow_port(maker, GH_SANDBOX_CONNECT, url.port);
        }
    }
}

/* Relative to the configuration file. */
static struct gh_str beside_file(struct maker *maker, struct gh_str path)
{
    struct gh_str file = gh_str_from_c(maker->config_file);
    size_t len = file.len;
    while (len && file.ptr[len - 1] != '/')
        len--;
    if (!path.len || !len || path.ptr[0] == '/')
        return path;
    return gh_arena_format(&maker->scratch, "%.*s%.*s", (int)len, file.ptr, GH_STR_ARG(path));
}

/* A document that was read names all its files; one that could not be, at least some. */
static void add_input(struct maker *maker, const struct gh_input_settings *input)
{
    const struct gh_str *schemas = input->schemas.items;
    if (!input->openapi.len || input->mode == GH_MODE_OFF)
        return;
    allow_read(maker, beside_file(maker, input->openapi), DOCUMENT);
    for (size_t i = 0; i < input->schemas.count; i++)
        allow_read(maker, beside_file(maker, schemas[i]), DOCUMENT);
    for (size_t i = 0; input->document && i < input->document->file_count; i++)
        allow_read(maker, input->document->files[i]->path, DOCUMENT);
    if (input->evidence.len)
        allow_write(maker, beside_file(maker, input->evidence), "evidence");
}

static void add_routes(struct maker *maker)
{
    const struct gh_policy_settings *policy = &maker->settings->policy;
    const struct gh_route_settings *routes = policy->routes.items;
    for (size_t i = 0; i < policy->routes.count; i++)
        add_input(maker, &routes[i].input);
    /* certbot makes .well-known/acme-challenge for each challenge, and removes it. */
    gh_sandbox_allow_remade(maker->rules, GH_SANDBOX_READ, policy->https.acme_directory,
                            "answers to ACME");
}

/* ---- Redis, store ---- */

static void add_redis(struct maker *maker)
{
    const struct gh_redis_settings *redis = &maker->settings->redis;
    struct gh_redis_url url;
    if (!redis->url.len)
        return;
    allow_read(maker, redis->ca, AUTHORITIES);
    if (!gh_redis_url_parse(resolve(maker, redis->url), &maker->scratch, &url))
        allow_port(maker, GH_SANDBOX_CONNECT, url.port);
}

/* What libpq takes from the environment and the home where the URL does not say. */
static void add_libpq_defaults(struct maker *maker, const struct gh_store_url *url)
{
    static const char *const FILES[] = {"PGSSLROOTCERT", "PGSSLCERT", "PGSSLKEY", "PGSSLCRL",
                                        "PGPASSFILE"};
    struct gh_str home = gh_str_from_c(getenv("HOME"));
    maker->rules->optional = true;
    for (size_t i = 0; i < sizeof(FILES) / sizeof(FILES[0]); i++)
        allow_read(maker, gh_str_from_c(getenv(FILES[i])), STORE);
    if (home.len > 1) {
        struct gh_str certificates =
            gh_arena_format(&maker->scratch, "%.*s/.postgresql", GH_STR_ARG(home));
        struct gh_str passwords =
            gh_arena_format(&maker->scratch, "%.*s/.pgpass", GH_STR_ARG(home));
        gh_sandbox_allow_directory(maker->rules, GH_SANDBOX_READ, certificates, STORE);
        gh_sandbox_allow_file(maker->rules, GH_SANDBOX_READ, passwords, STORE);
    }
    if (!url->user.len && !getenv("PGUSER")) /* it is ours, by name */
        gh_sandbox_allow_file(maker->rules, GH_SANDBOX_READ, GH_STR("/etc/passwd"), STORE);
    maker->rules->optional = false;
}

static void add_postgresql(struct maker *maker, struct gh_str text)
{
    struct gh_store_url url = gh_store_url_read(&maker->scratch, text);
    uint64_t fallback = POSTGRESQL_PORT;
    (void)gh_num_parse_u64(gh_str_from_c(getenv("PGPORT")), UINT16_MAX, &fallback);
    if (!url.is_valid)
        return;
    for (size_t i = 0; i < url.port_count; i++)
        allow_port(maker, GH_SANDBOX_CONNECT, url.ports[i] ? url.ports[i] : (uint16_t)fallback);
    for (size_t i = 0; i < url.file_count; i++)
        allow_read(maker, url.files[i], STORE);
    add_libpq_defaults(maker, &url);
}

/* With it the setup token and the control socket. */
static void add_store(struct maker *maker)
{
    struct gh_str setting = maker->settings->store.url;
    struct gh_str store = resolve(maker, setting);
    if (gh_store_setting_is_shared(setting))
        add_postgresql(maker, store);
    gh_sandbox_allow_directory(maker->rules, GH_SANDBOX_WRITE,
                               gh_store_setting_directory(&maker->scratch, setting), STORE);
}

/* ---- Identity, audit ---- */

/* The folder itself may be made with the first mail. */
static void add_mail(struct maker *maker)
{
    const struct gh_identity_settings *identity = &maker->settings->identity;
    struct gh_str folder = gh_arena_dup(&maker->scratch, identity->mail.folder);
    struct stat status;
    if (identity->mail.smtp.len)
        allow_url(maker, resolve(maker, identity->mail.smtp));
    if (!folder.len)
        return;
    if (stat(folder.ptr, &status) == 0)
        gh_sandbox_allow_directory(maker->rules, GH_SANDBOX_WRITE, folder, "mails");
    else
        allow_write(maker, folder, "mails");
}

static void add_identity(struct maker *maker)
{
    const struct gh_identity_settings *identity = &maker->settings->identity;
    const struct gh_issuer_settings *issuers = identity->issuers.items;
    add_store(maker);
    add_mail(maker);
    allow_url(maker, identity->passwords.breach);
    allow_url(maker, identity->hooks.export);
    allow_url(maker, identity->hooks.delete);
    for (size_t i = 0; i < identity->issuers.count; i++)
        allow_url(maker, issuers[i].jwks);
}

static void add_destination(struct maker *maker, struct gh_str text)
{
    struct gh_audit_destination to;
    const char *why;
    if (!gh_audit_destination_parse(text, &maker->scratch, &to, &why))
        return;
    switch (to.place) {
    case GH_AUDIT_PLACE_FILE:
        allow_write(maker, to.path, "a copy of the audit log");
        return;
    case GH_AUDIT_PLACE_SYSLOG_TCP:
    case GH_AUDIT_PLACE_SYSLOG_TLS:
        allow_port(maker, GH_SANDBOX_CONNECT, to.port);
        return;
    case GH_AUDIT_PLACE_WEBHOOK:
        allow_url(maker, to.url);
        return;
    case GH_AUDIT_PLACE_SYSLOG_LOCAL: /* sockets and datagrams are not held by Landlock */
    case GH_AUDIT_PLACE_SYSLOG_UDP:
    case GH_AUDIT_PLACE_REDIS: /* the file's own */
        return;
    }
}

static void add_audit(struct maker *maker)
{
    const struct gh_audit_settings *audit = &maker->settings->audit;
    const struct gh_str *checkpoints = audit->checkpoint.exports.items;
    const struct gh_audit_export_settings *exports = audit->exports.items;
    for (size_t i = 0; i < audit->checkpoint.exports.count; i++)
        add_destination(maker, checkpoints[i]);
    for (size_t i = 0; i < audit->exports.count; i++)
        add_destination(maker, exports[i].to);
}

static void add_secrets(struct maker *maker)
{
    const struct gh_secrets_settings *secrets = &maker->settings->secrets;
    const struct gh_str *previous = secrets->previous.items, *fernet = secrets->fernet.items;
    allow_reference(maker, secrets->root);
    for (size_t i = 0; i < secrets->previous.count; i++)
        allow_reference(maker, previous[i]);
    for (size_t i = 0; i < secrets->fernet.count; i++)
        allow_reference(maker, fernet[i]);
}

/* ---- What the operator adds ---- */

static void add_paths(struct maker *maker, const struct gh_config_list *list,
                      enum gh_sandbox_access access)
{
    const struct gh_str *paths = list->items;
    for (size_t i = 0; i < list->count; i++)
        gh_sandbox_allow_directory(maker->rules, access, paths[i], "sandbox");
}

static void add_ports(struct maker *maker, const struct gh_config_list *list,
                      enum gh_sandbox_direction direction)
{
    const uint64_t *ports = list->items;
    for (size_t i = 0; i < list->count; i++)
        allow_port(maker, direction, (uint16_t)ports[i]);
}

static void add_own(struct maker *maker)
{
    const struct gh_sandbox_settings *sandbox = &maker->settings->sandbox;
    add_paths(maker, &sandbox->read, GH_SANDBOX_READ);
    add_paths(maker, &sandbox->write, GH_SANDBOX_WRITE);
    add_ports(maker, &sandbox->connect, GH_SANDBOX_CONNECT);
    add_ports(maker, &sandbox->listen, GH_SANDBOX_LISTEN);
}

void gh_sandbox_rules_make(struct gh_sandbox_rules *rules, const struct gh_root_settings *settings,
                           const char *config_file, struct gh_arena *arena)
{
    struct maker maker = {.rules = rules, .settings = settings, .config_file = config_file};
    gh_arena_init(&maker.scratch, SCRATCH_BLOCK_BYTES, SCRATCH_BYTES_MAX);
    gh_sandbox_rules_init(rules, arena);
    if (config_file)
        allow_read(&maker, gh_str_from_c(config_file), CONFIGURATION);
    add_listeners(&maker);
    add_upstreams(&maker);
    add_routes(&maker);
    add_redis(&maker);
    if (settings->identity.enabled) {
        add_secrets(&maker);
        add_identity(&maker);
        add_audit(&maker);
    }
    add_own(&maker);
    gh_arena_done(&maker.scratch);
}

void gh_sandbox_rules_make_all(struct gh_sandbox_rules *rules,
                               const struct gh_root_settings *settings, const char *config_file,
                               struct gh_arena *arena)
{
    gh_sandbox_rules_make(rules, settings, config_file, arena);
    rules->optional = true;
    gh_sandbox_allow_file(rules, GH_SANDBOX_READ, GH_STR("/sys/fs/cgroup/cpu.max"),
                          "how many cores there are");
#ifdef GH_TEST_CLOCK
    gh_sandbox_allow_file(rules, GH_SANDBOX_READ, gh_str_from_c(getenv("GATEHOUSE_TEST_CLOCK")),
                          "the clock of tests");
#endif
    gh_sandbox_allow_system(rules);
}

void gh_sandbox_rules_make_for_consume(struct gh_sandbox_rules *rules,
                                       const struct gh_root_settings *settings,
                                       struct gh_arena *arena)
{
    struct maker maker = {.rules = rules, .settings = settings};
    const struct gh_consume_settings *items = settings->consume.items;
    gh_arena_init(&maker.scratch, SCRATCH_BLOCK_BYTES, SCRATCH_BYTES_MAX);
    gh_sandbox_rules_init(rules, arena);
    add_redis(&maker);
    for (size_t i = 0; i < settings->consume.count; i++) {
        struct gh_str database = items[i].database.len ? items[i].database : settings->store.url;
        add_postgresql(&maker, resolve(&maker, database));
        if (items[i].metrics.len)
            add_listener(&maker, items[i].metrics);
    }
    add_own(&maker);
    gh_sandbox_allow_system(rules);
    gh_arena_done(&maker.scratch);
}

void gh_sandbox_rules_make_for_keys(struct gh_sandbox_rules *rules,
                                    const struct gh_root_settings *settings, struct gh_arena *arena)
{
    struct maker maker = {.rules = rules, .settings = settings};
    const struct gh_str *directories = settings->sandbox.certificates.items;
    const struct gh_listener_settings *listeners = settings->listeners.items;
    gh_sandbox_rules_init(rules, arena);
    for (size_t i = 0; i < settings->listeners.count; i++) {
        const struct gh_tls_pair_settings *pairs = listeners[i].tls.items;
        for (size_t p = 0; p < listeners[i].tls.count; p++) {
            allow_read(&maker, pairs[p].certificate, CERTIFICATE);
            allow_read(&maker, pairs[p].key, CERTIFICATE);
        }
    }
    for (size_t i = 0; i < settings->sandbox.certificates.count; i++)
        gh_sandbox_allow_directory(rules, GH_SANDBOX_READ, directories[i], CERTIFICATE);
}
