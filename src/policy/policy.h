/*
 * The compiled policy: what requests are judged by, frozen, shared by all workers. Made from the
 * settings by policy_compile.c, which calls the compile function of each feature below.
 *
 * Only files of this module look inside; the shell uses settings.h and request.h.
 */
#ifndef GH_POLICY_POLICY_H
#define GH_POLICY_POLICY_H

#include "http/forwarded.h"
#include "http/origin.h"
#include "policy/identity_rules.h"
#include "policy/name_set.h"
#include "policy/rate.h"
#include "policy/request.h"
#include "policy/route.h"
#include "policy/settings.h"

struct gh_header_block;
struct gh_input_api;

/* The hosts we answer for (host.c). */
struct gh_host_set {
    enum gh_mode mode;
    bool all;                    /* "*" */
    struct gh_name_set exact;    /* "api.example.com" */
    struct gh_name_set suffixes; /* ".example.com" of "*.example.com" */
};

/* Where plain requests are sent (https.c). */
struct gh_https_rule {
    enum gh_mode mode; /* OFF in development */
    bool canonical;
    struct gh_str port;        /* ":8443", or empty for 443 */
    struct gh_str public_base; /* "https://api.example.com", without path; empty: no public_url */
    struct gh_str public_host;
    uint16_t public_port; /* 443 when none is written */
};

/* Cross-origin rules (cors.c). Values are ready for the wire. */
struct gh_cors_rule {
    enum gh_mode mode;
    bool configured; /* there is a `cors:` section with origins */
    bool any_origin, any_method, any_header, credentials;
    struct gh_name_set origins; /* exact */
    const struct gh_origin *wildcards;
    size_t wildcard_count;
    struct gh_name_set methods;
    struct gh_name_set headers; /* any case */
    struct gh_str methods_value, headers_value, expose_value, max_age_value;
};

/* Paths that the gateway answers itself (builtin.c). */
enum gh_builtin_id {
    GH_BUILTIN_HEALTHZ,
    GH_BUILTIN_READYZ,
    GH_BUILTIN_METRICS,
    GH_BUILTIN_SECURITY_TXT,
    GH_BUILTIN_CSP_REPORT,
    GH_BUILTIN_ACME,
    GH_BUILTIN_HEALTH, /* the upstream first */
    GH_BUILTIN_ROOT,   /* the upstream first */
    GH_BUILTIN_COUNT
};

struct gh_policy {
    enum gh_environment environment;
    struct gh_limits_settings limits;

    struct gh_trusted_proxies trusted;
    bool trust_unix; /* "unix" stands in trusted_proxies: peers of Unix listeners are trusted */
    struct gh_host_set hosts;
    struct gh_https_rule https;

    const struct gh_route *routes;
    size_t route_count;
    const struct gh_route_tree *tree;
    struct gh_route builtins[GH_BUILTIN_COUNT]; /* pattern: the path; empty: switched off */
    struct gh_str security_txt;                 /* the document; empty: 404 */
    struct gh_str acme_directory;

    struct gh_cors_rule cors;
    const struct gh_rate_policy *rate_policies;
    size_t rate_policy_count;
    enum gh_mode cross_site_mode;
    struct gh_input_api *input_apis;          /* the documents of routes, a list */
    const struct gh_header_block *block;      /* of answers without a route */
    const struct gh_identity_rules *identity; /* NULL: off */
};

/* The stages, one file each; gh_stage_rate is in rate.h. */
struct gh_verdict gh_stage_path(struct gh_request *request);
struct gh_verdict gh_stage_client(struct gh_request *request);
struct gh_verdict gh_stage_host(struct gh_request *request);
struct gh_verdict gh_stage_https(struct gh_request *request);
struct gh_verdict gh_stage_route(struct gh_request *request);
struct gh_verdict gh_stage_cors(struct gh_request *request);
struct gh_verdict gh_stage_size(struct gh_request *request);
struct gh_verdict gh_stage_cross_site(struct gh_request *request);
struct gh_verdict gh_stage_identify(struct gh_request *request);
struct gh_verdict gh_stage_sanction(struct gh_request *request);
struct gh_verdict gh_stage_access(struct gh_request *request);
struct gh_verdict gh_stage_body(struct gh_request *request);
struct gh_verdict gh_stage_input(struct gh_request *request);
struct gh_verdict gh_stage_input_body(struct gh_request *request);

static inline struct gh_verdict gh_verdict_next(void)
{
    return (struct gh_verdict){GH_VERDICT_NEXT, GH_REASON_UNDECIDED};
}

static inline struct gh_verdict gh_verdict_deny(enum gh_reason reason)
{
    return (struct gh_verdict){GH_VERDICT_DENY, reason};
}

static inline struct gh_verdict gh_verdict_respond(enum gh_reason reason)
{
    return (struct gh_verdict){GH_VERDICT_RESPOND, reason};
}

/* A refusal under `mode`: DENY when enforced; noted on the request and NEXT when observed; NEXT
   when off. */
struct gh_verdict gh_stage_refuse(struct gh_request *request, enum gh_stage stage,
                                  enum gh_mode mode, enum gh_reason reason);

/* Adds a field to the gateway's own reply, or to whatever answer there will be. A full table is
   our bug: both are sized for all that stages add. */
void gh_reply_add(struct gh_reply *reply, struct gh_str name, struct gh_str value);
void gh_request_add_extra(struct gh_request *request, struct gh_str name, struct gh_str value);
/* Takes those of that name away again. */
void gh_request_remove_extra(struct gh_request *request, struct gh_str name);
/* gh_policy_refuse with another status than the reason's (0: the reason's). */
void gh_reply_problem(struct gh_request *request, enum gh_stage stage, enum gh_reason reason,
                      unsigned status);
/* Starts request->reply afresh: status, Content-Type (unless empty), Cache-Control: no-store. */
void gh_reply_begin(struct gh_reply *reply, unsigned status, struct gh_str content_type,
                    struct gh_str body);

/* The request id: kept from a trusted proxy, else made from request->random (client.c). */
void gh_request_make_id(struct gh_request *request);

/* True for /healthz and /readyz, which stages 4 and 5 let pass; for the admin listener; and for
   what a proxy asks forward-auth, where these stages judge the request that it asks about. */
bool gh_builtin_is_probe(const struct gh_request *request);
/* Our answer in place of an upstream's 404 or 405, or of a missing route, at `/` and `/health`:
   fills request->reply and returns true when there is one. */
bool gh_builtin_fallback(struct gh_request *request);
/* The built-in paths other than those; liveness, readiness and metrics are answered by the shell.
 *out_verdict is set when it returns true. */
bool gh_builtin_route(struct gh_request *request, struct gh_verdict *out_verdict);

/* True for OPTIONS with Origin and Access-Control-Request-Method. */
bool gh_cors_is_preflight(const struct gh_request *request);
/* Finds out what the answer must say to the caller's origin; for refusals before stage 7, too. */
void gh_cors_note(struct gh_request *request);
/* True when that origin is listed: exactly or, where `patterns`, by a wildcard or "*". */
bool gh_cors_allows(const struct gh_cors_rule *cors, struct gh_str origin, bool patterns);
/* The Origin of the request; ptr NULL: none. Repeated lines give the empty text, which matches
   nothing. */
struct gh_str gh_cors_request_origin(const struct gh_request *request);

/* True when `host` (canonical) is one of ours. */
bool gh_host_set_contains(const struct gh_host_set *hosts, struct gh_str host);

/* Each fills its part of the policy; problems go to `load`. */
void gh_client_compile(struct gh_config_load *load, const struct gh_policy_settings *settings,
                       struct gh_policy *policy);
void gh_hosts_compile(struct gh_config_load *load, const struct gh_policy_settings *settings,
                      struct gh_policy *policy);
void gh_https_compile(struct gh_config_load *load, const struct gh_policy_settings *settings,
                      struct gh_policy *policy);
void gh_cors_compile(struct gh_config_load *load, const struct gh_policy_settings *settings,
                     struct gh_policy *policy);
void gh_builtin_compile(struct gh_config_load *load, const struct gh_policy_settings *settings,
                        struct gh_policy *policy);

/* The mode of CORS for this request. */
enum gh_mode gh_cors_mode(const struct gh_request *request);

/* For compile functions: joins `count` texts by `separator`; ptr NULL on a full arena. */
struct gh_str gh_policy_join(struct gh_arena *arena, const struct gh_str *items, size_t count,
                             struct gh_str separator);

#endif
