#include "app/identity_policy.h"

#include "api/api.h"
#include "app/store_open.h"

static bool has_tls(const struct gh_root_settings *settings)
{
    const struct gh_listener_settings *listeners = settings->listeners.items;
    for (size_t i = 0; i < settings->listeners.count; i++)
        if (listeners[i].tls.count)
            return true;
    return settings->policy.trusted_proxies.allow.count > 0;
}

/* Endpoints of admins get the role's bit. Under the bearer transport no cookie gives a session. */
static const struct gh_service_endpoint *endpoints_of(struct gh_config_load *load,
                                                      const struct gh_identity_settings *identity,
                                                      size_t *out_count)
{
    const struct gh_service_endpoint *table = gh_api_endpoints(out_count);
    struct gh_service_endpoint *own = gh_arena_zalloc(load->arena, *out_count, sizeof(*own));
    if (!own)
        return NULL;
    memcpy(own, table, *out_count * sizeof(*own));
    for (size_t i = 0; i < *out_count; i++) {
        if (own[i].access.roles == GH_API_ADMIN)
            own[i].access.roles = identity->admin;
        own[i].gives_session &= identity->transport == GH_TRANSPORT_COOKIE;
    }
    return own;
}

void gh_identity_policy_fill(struct gh_config_load *load, struct gh_root_settings *settings)
{
    struct gh_identity_settings *identity = &settings->identity;
    struct gh_policy_identity *out = &settings->policy.identity;
    if (!identity->enabled)
        return;
    struct gh_identity_surroundings surroundings = {
        .production = settings->policy.environment == GH_PRODUCTION,
        .tls = has_tls(settings),
        .public_url = settings->policy.public_url,
    };
    gh_identity_settings_finish(load, identity, &surroundings);
    gh_store_settings_check(load, &settings->store, surroundings.production);
    *out = (struct gh_policy_identity){
        .enabled = true,
        .roles = identity->role_names,
        .fresh_ms = identity->sessions.fresh_ms,
        .plain_cookies = identity->plain_cookies,
        .base_path = identity->base_path,
        .login_url = identity->login_url,
        .forward = (enum gh_forward)identity->forward,
        .headers = {identity->forward_headers.user_id, identity->forward_headers.user_email,
                    identity->forward_headers.user_roles, identity->forward_headers.session_id},
        .authz_peers = identity->authz_peers,
    };
    size_t limit_count;
    out->limits = gh_api_limits(&limit_count);
    out->limit_count = limit_count;
    out->endpoints = endpoints_of(load, identity, &out->endpoint_count);
    if (!out->endpoints)
        gh_config_problem_add(load, GH_CONFIG_ERROR, (struct gh_config_place){0, 0}, NULL,
                              "out of memory");
}
