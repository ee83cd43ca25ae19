/*
 * What the policy knows of identity: given by the app from the identity settings and the endpoint
 * table of api. Stages 12 (who: identify.c) and 13 (may they: access.c) act on it, and so do the
 * keys `user` and `session` of rate limits, the identity headers of stage 15 (handover_identity.c)
 * and forward-auth (authz.c).
 */
#ifndef GH_POLICY_IDENTITY_H
#define GH_POLICY_IDENTITY_H

#include "config/config.h"
#include "http/message.h"
#include "session/gate.h"

/* Who may call. The zero value lets nobody in who is not signed in. */
enum gh_access_kind { GH_ACCESS_SIGNED_IN, GH_ACCESS_PUBLIC };

/* `access` of a route, as bound: `public`, `signed_in`, or a map (table gh_access_table). */
struct gh_access_settings {
    bool given;
    enum gh_access_kind kind;
    bool signed_in;             /* of the map; only true can be written */
    struct gh_config_list role; /* of struct gh_str: any of them */
    bool two_factor, fresh;
    struct gh_str owner;           /* name of a path parameter that must equal the caller's id */
    struct gh_str owner_issuer;    /* whose ids those are; empty: ours */
    struct gh_config_list or_role; /* of struct gh_str: these need not be the owner */
    enum gh_mode mode;
};

extern const struct gh_config_table gh_access_table; /* access_config.c */

/* Compiled. */
struct gh_access_rule {
    enum gh_access_kind kind;
    gh_roles roles;             /* one of these; 0: any signed-in caller */
    gh_roles or_roles;          /* instead of being the owner */
    struct gh_str owner;        /* empty: not asked */
    struct gh_str owner_issuer; /* of the owner's id; empty: our accounts */
    bool two_factor, fresh;
    bool enrolling; /* callers who must enrol a second factor first may come here */
    enum gh_mode mode;
};

/* One endpoint of the identity service: what the stages must know to let a request to it. */
struct gh_service_endpoint {
    const char *method; /* "POST" */
    const char *path;   /* below the base path, a route pattern: "/admin/users/{id}/role" */
    bool absolute;      /* `path` stands by itself, not below the base path */
    struct gh_access_rule access; /* roles: filled by the app (admin) */
    bool sets_session;     /* stage 11 judges it even without cookies of ours (login CSRF); a bad or
                              expired credential means anonymous */
    bool gives_session;    /* in cookies: a request that names neither site nor origin is refused */
    const char *limits[3]; /* names of rate policies; NULL: none */
    uint64_t body_max;     /* bytes; 0: takes no body */
};

/* A rate policy that identity brings along; an entry of `rate_limits` of that name replaces it. */
struct gh_service_limit {
    const char *name;  /* "login" */
    const char *limit; /* "5/minute" */
    const char *key;   /* "client", "user", "session", "body:email", "body:challenge" */
};

/* How the backend learns who calls. */
enum gh_forward { GH_FORWARD_HEADERS, GH_FORWARD_BEARER, GH_FORWARD_BOTH };

struct gh_identity_header_names {
    struct gh_str user_id, user_email, user_roles, session_id; /* X-User-Id, ... */
};

struct gh_policy_identity {
    bool enabled;
    struct gh_role_names roles;
    uint64_t fresh_ms;
    bool plain_cookies;      /* development on plain localhost: cookie names without prefix */
    struct gh_str base_path; /* "/api/v1" */
    struct gh_str login_url;
    enum gh_forward forward;
    struct gh_identity_header_names headers;
    struct gh_config_list authz_peers; /* of struct gh_str: networks; empty: forward-auth is off */
    const struct gh_service_endpoint *endpoints;
    size_t endpoint_count;
    const struct gh_service_limit *limits;
    size_t limit_count;
};

#endif
