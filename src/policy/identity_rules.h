/*
 * Identity as the stages judge by it: compiled from struct gh_policy_identity and frozen, and what
 * the files that act on it (identify.c, access.c, handover_identity.c, authz.c) share. Internal to
 * this module.
 */
#ifndef GH_POLICY_IDENTITY_RULES_H
#define GH_POLICY_IDENTITY_RULES_H

#include "policy/route.h"
#include "session/cookies.h"

#define GH_IDENTITY_HEADER_COUNT 4
#define GH_AUTHZ_DIALECT_COUNT   4 /* GH_AUTHZ_NONE among them */

struct gh_identity_rules {
    struct gh_role_names roles;
    uint64_t fresh_s;
    struct gh_str cookies[GH_COOKIE_COUNT]; /* names of ours, by enum gh_session_cookie */
    struct gh_str login_url;
    struct gh_str login_path; /* of login_url; empty: it is on another host */
    enum gh_forward forward;
    struct gh_identity_header_names headers;
    /* Those of `headers` that are not the defaults, folded, for stripping. */
    struct gh_str own_names[GH_IDENTITY_HEADER_COUNT];
    size_t own_name_count;

    /* Ready values of WWW-Authenticate (RFC 6750 section 3, RFC 9470 section 3). */
    struct {
        struct gh_str plain, invalid, expired, ambiguous, fresh, two_factor;
    } challenge;

    /* The endpoints of the service: route i is endpoint i. */
    const struct gh_route *routes;
    size_t route_count;
    const struct gh_route_tree *tree;

    /* Forward-auth. */
    struct gh_trusted_proxies authz_peers; /* `header` means nothing */
    bool authz_unix;
    struct gh_route authz_routes[GH_AUTHZ_DIALECT_COUNT]; /* pattern: the path (EXT: its prefix) */
};

/* ---- Access rules (access_config.c) ---- */

/* `access` of a route as it stands in the file; for the table of routes. */
void gh_access_read(struct gh_config_load *load, const struct gh_config_node *node, void *out);
extern const char gh_access_schema[];

/* Compiles the rule of a route; problems go to `load`. */
bool gh_access_compile(struct gh_config_load *load, const struct gh_route_settings *route,
                       const struct gh_route_context *context, struct gh_access_rule *out_rule);

/* "public", "role admin, two_factor (observe)", ... */
void gh_access_put(struct gh_buf *buf, const struct gh_role_names *roles,
                   const struct gh_access_rule *rule);

/* ---- Compiling (identity_compile.c) ---- */

struct gh_policy;
struct gh_header_block;

/* Fills policy->identity; `block` is that of the service's answers. Rates must be compiled. */
void gh_identity_compile(struct gh_config_load *load, const struct gh_policy_settings *settings,
                         const struct gh_header_block *block, struct gh_policy *policy);
/* True when `endpoint` takes requests that `route` would have taken, and that stand under the base
   path by name, so that somebody may have meant them for the route. */
bool gh_identity_shadows(const struct gh_policy_identity *identity, size_t endpoint,
                         const struct gh_route *route);

/* ---- Signing in (identify.c) ---- */

/* Is the value of an Authorization field a bearer token, as any backend may read it? */
bool gh_is_bearer(struct gh_str value);
/* Refuses a request that speaks for nobody, under the mode of its access rule: 401 with a
   challenge, or the login page for navigations. */
struct gh_verdict gh_sign_in_refuse(struct gh_request *request, enum gh_stage stage);
/* Where to sign in and come back to this request; ptr NULL: the arena is full. */
struct gh_str gh_login_location(const struct gh_request *request);

/* ---- Handing identity on (handover_identity.c) ---- */

/* The subject as header values; empty ones are not known or can't be carried. */
struct gh_identity_values {
    struct gh_str user_id, email, roles, session_id;
};
/* False: the arena is full. */
bool gh_identity_values_make(const struct gh_request *request,
                             struct gh_identity_values *out_values);

/* What the upstream is told in place of the client's credentials. */
struct gh_identity_handover {
    bool active;                      /* identity is on */
    struct gh_identity_values values; /* empty: not told by headers */
    struct gh_str bearer;             /* empty: none */
    size_t bytes;                     /* at the most, of its lines */
};
bool gh_identity_handover_make(const struct gh_request *request, struct gh_identity_handover *out);
/* True for a field of the client's that the upstream does not get as it is; what it gets instead
   is written here. */
bool gh_identity_put_instead(struct gh_buf *out, const struct gh_request *request,
                             const struct gh_field *field);
void gh_identity_put_fields(struct gh_buf *out, const struct gh_request *request,
                            const struct gh_identity_handover *handover);

/* ---- Forward-auth (authz.c) ---- */

/* Looks whether a proxy asks for a decision, by the path as it was sent: dot segments behind the
   prefix belong to the request that is asked about and must not lead out of it. Sets
   request->authz and the rest, and then request->path; false: an ordinary request. */
bool gh_authz_note(struct gh_request *request);
/* True when a canonical path is one of forward-auth's. */
bool gh_authz_owns_path(const struct gh_request *request);
/* The decision. */
struct gh_verdict gh_authz_answer(struct gh_request *request);
/* Reads from the fields which request the proxy asks about. False: it does not say, or not in one
   way. For AUTH_REQUEST and FORWARD_AUTH. */
struct gh_authz_facts {
    struct gh_str method, path, query, authority; /* query.ptr NULL: none */
    bool https;
};
bool gh_authz_facts_read(const struct gh_request *request, struct gh_authz_facts *out_facts);

#endif
