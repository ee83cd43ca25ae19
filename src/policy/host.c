/*
 * Stage 4: is the request for a host of ours? And the table of `hosts`. The value of a refused Host
 * is never reflected. The grammar is http/authority.h's.
 */
#include "policy/policy.h"

bool gh_host_set_contains(const struct gh_host_set *hosts, struct gh_str host)
{
    if (hosts->all || gh_name_set_find(&hosts->exact, host) != GH_NAME_ABSENT)
        return true;
    if (!hosts->suffixes.count)
        return false;
    /* One lookup for each label, whatever the number of patterns. The first label must not be
       empty, or ".example.com" would be a subdomain of example.com. */
    for (size_t dot = gh_str_find_char(host, '.'); dot < host.len;) {
        struct gh_str suffix = gh_str_skip(host, dot);
        if (dot > 0 && gh_name_set_find(&hosts->suffixes, suffix) != GH_NAME_ABSENT)
            return true;
        dot += 1 + gh_str_find_char(gh_str_skip(suffix, 1), '.');
    }
    return false;
}

/* The connection's certificate is not the one of the host asked for (RFC 9110 section 15.5.20). A
   host that no certificate covers is not our case: the client accepted what it was shown. */
static bool is_misdirected(const struct gh_request *request)
{
    const struct gh_peer *peer = request->peer;
    if (!peer->tls || !peer->tls_pair_for || peer->tls_pair < 0)
        return false;
    int pair = peer->tls_pair_for(peer->tls_server, request->authority.host);
    return pair >= 0 && pair != peer->tls_pair;
}

struct gh_verdict gh_stage_host(struct gh_request *request)
{
    const struct gh_host_set *hosts = &request->policy->hosts;
    if (!gh_authority_parse(request->head->authority, request->arena, &request->authority))
        return gh_verdict_deny(GH_REASON_HOST_MALFORMED);
    if (gh_builtin_is_probe(request) || hosts->mode == GH_MODE_OFF)
        return gh_verdict_next();
    if (!gh_host_set_contains(hosts, request->authority.host))
        return gh_stage_refuse(request, GH_STAGE_HOST, hosts->mode, GH_REASON_HOST_UNKNOWN);
    if (is_misdirected(request))
        return gh_stage_refuse(request, GH_STAGE_HOST, hosts->mode, GH_REASON_HOST_MISDIRECTED);
    return gh_verdict_next();
}

/* Always answered in development, whatever `hosts` says. */
static const struct gh_str DEVELOPMENT_HOSTS[] = {
    GH_STR_INIT("localhost"),
    GH_STR_INIT("127.0.0.1"),
    GH_STR_INIT("[::1]"),
};
#define DEVELOPMENT_HOST_COUNT (sizeof(DEVELOPMENT_HOSTS) / sizeof(DEVELOPMENT_HOSTS[0]))

static void check_pattern(struct gh_config_load *load, const struct gh_str *pattern)
{
    if (gh_host_pattern_is_valid(*pattern))
        return;
    struct gh_authority authority;
    const char *remedy = "write a host (api.example.com), *.example.com, or * alone";
    if (gh_authority_parse(*pattern, load->arena, &authority))
        remedy = authority.port ? "leave the port out: hosts are compared without it"
                                : "write it in lower case, without a final dot";
    gh_config_problem_add(load, GH_CONFIG_ERROR, gh_config_where(load, pattern), remedy,
                          "\"%.*s\" is no host pattern", GH_STR_ARG(*pattern));
}

void gh_hosts_compile(struct gh_config_load *load, const struct gh_policy_settings *settings,
                      struct gh_policy *policy)
{
    const struct gh_str *allow = settings->hosts.allow.items;
    size_t count = settings->hosts.allow.count, exact_count = 0, suffix_count = 0;
    struct gh_host_set *hosts = &policy->hosts;
    hosts->mode = settings->hosts.mode;
    if (!count && settings->environment == GH_PRODUCTION && hosts->mode != GH_MODE_OFF)
        gh_config_problem_add(load, GH_CONFIG_ERROR, gh_config_where(load, &settings->hosts.allow),
                              "list the hosts you answer for, as in hosts: [api.example.com]",
                              "hosts is required in production");
    struct gh_str *exact =
        gh_arena_zalloc(load->arena, count + DEVELOPMENT_HOST_COUNT, sizeof(*exact));
    struct gh_str *suffixes = gh_arena_zalloc(load->arena, count + 1, sizeof(*suffixes));
    if (!exact || !suffixes)
        return;
    for (size_t i = 0; i < count; i++) {
        check_pattern(load, &allow[i]);
        if (gh_str_eq(allow[i], GH_STR("*")))
            hosts->all = true;
        else if (gh_str_starts_with(allow[i], GH_STR("*.")))
            suffixes[suffix_count++] = gh_str_skip(allow[i], 1);
        else
            exact[exact_count++] = allow[i];
    }
    if (settings->environment == GH_DEVELOPMENT)
        for (size_t i = 0; i < DEVELOPMENT_HOST_COUNT; i++)
            exact[exact_count++] = DEVELOPMENT_HOSTS[i];
    if (!gh_name_set_build(&hosts->exact, load->arena, exact, exact_count, false) ||
        !gh_name_set_build(&hosts->suffixes, load->arena, suffixes, suffix_count, false))
        gh_config_problem_add(load, GH_CONFIG_ERROR, (struct gh_config_place){0}, NULL,
                              "too many hosts");
}

static const struct gh_config_field STRING_ITEM = {.type = GH_CONFIG_TYPE_STRING};

static const struct gh_config_field HOSTS_FIELDS[] = {
    {.name = "mode",
     .type = GH_CONFIG_TYPE_ENUM,
     .offset = offsetof(struct gh_hosts_settings, mode),
     .names = gh_mode_names,
     .doc = "enforce: others get 400. observe: they are logged and pass. off: not looked at."},
    {.name = "allow",
     .type = GH_CONFIG_TYPE_LIST,
     .offset = offsetof(struct gh_hosts_settings, allow),
     .item = &STRING_ITEM,
     .one_or_list = true,
     .env = "ALLOWED_HOSTS",
     .env_is_comma_list = true,
     .doc = "Hosts we answer for, without port: `api.example.com`, `*.example.com` (any subdomain,"
            " not the apex), `*` (all). In development localhost, 127.0.0.1 and [::1] are always "
            "among them; in production the list is required."},
};

const struct gh_config_table gh_hosts_table = {
    .name = "hosts",
    .doc = "The hosts that requests may be for.",
    .size = sizeof(struct gh_hosts_settings),
    .fields = HOSTS_FIELDS,
    .field_count = sizeof(HOSTS_FIELDS) / sizeof(HOSTS_FIELDS[0]),
    .short_form = "allow",
};
