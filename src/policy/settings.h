/*
 * The settings of the stages as they are bound from the file, and their tables. Each table stands
 * in the file of its feature (cors.c has gh_cors_table). `gh_policy_compile` turns the settings
 * into what requests are judged by.
 */
#ifndef GH_POLICY_SETTINGS_H
#define GH_POLICY_SETTINGS_H

#include "config/config.h"
#include "http/forwarded.h"
#include "policy/identity.h"

enum gh_environment { GH_PRODUCTION, GH_DEVELOPMENT };

/* hosts: [..] or {mode, allow} */
struct gh_hosts_settings {
    enum gh_mode mode;
    struct gh_config_list allow; /* of struct gh_str */
};
extern const struct gh_config_table gh_hosts_table; /* host.c */

/* trusted_proxies: [..] or {allow, header} */
struct gh_trusted_settings {
    struct gh_config_list allow; /* of struct gh_str: networks, or "unix" for Unix listeners */
    enum gh_forwarded_header header;
};
extern const struct gh_config_table gh_trusted_table; /* client.c */

/* https: {mode, port, canonical, acme_directory} */
struct gh_https_settings {
    enum gh_mode mode;
    bool canonical;               /* https on another allowed host goes on to public_url */
    uint64_t port;                /* 0: derived */
    struct gh_str acme_directory; /* empty: /.well-known/acme-challenge is not served */
};
extern const struct gh_config_table gh_https_table; /* https.c */

enum gh_header_preset {
    GH_PRESET_UNSET,
    GH_PRESET_API,
    GH_PRESET_SPA,
    GH_PRESET_OWASP,
    GH_PRESET_OFF
};
enum gh_hsts_when { GH_HSTS_HTTPS, GH_HSTS_PRODUCTION, GH_HSTS_ALWAYS };
enum gh_on_conflict { GH_CONFLICT_REPLACE, GH_CONFLICT_KEEP };

struct gh_headers_settings {
    enum gh_header_preset preset; /* UNSET on a route: inherit */
    struct {
        struct gh_str value;
        enum gh_hsts_when when;
    } hsts;
    enum gh_on_conflict on_conflict;
    struct gh_config_map set;          /* of struct gh_str */
    struct gh_config_list remove;      /* of struct gh_str */
    struct gh_config_list permissions; /* features the site may use */
};
extern const struct gh_config_table gh_headers_table; /* headers.c */

enum gh_csp_mode { GH_CSP_UNSET, GH_CSP_OFF, GH_CSP_REPORT_ONLY, GH_CSP_ENFORCE };
struct gh_csp_settings {
    enum gh_csp_mode mode;
    struct gh_config_map directives; /* of struct gh_config_list of struct gh_str */
    struct gh_str report_path;       /* the built-in endpoint; default /csp-report */
};
extern const struct gh_config_table gh_csp_table; /* csp.c */

struct gh_cors_settings {
    enum gh_mode mode;
    struct gh_config_list origins, methods, headers, expose; /* of struct gh_str */
    bool credentials;
    uint64_t max_age_ms;
};
extern const struct gh_config_table gh_cors_table; /* cors.c */

struct gh_limits_settings {
    uint64_t request_body, request_head, header_count, target_length;
    uint64_t head_timeout_ms, body_timeout_ms;
    uint64_t connections_per_client;
    uint64_t body_rate_min;   /* bytes a second a body must average after 10 s */
    uint64_t idle_timeout_ms; /* keep-alive connection without a request */
    uint64_t connections;     /* in all; 0: from the descriptor limit */
    uint64_t kept_answers;    /* bytes that clients of HTTP/2 don't take, in all */
};
extern const struct gh_config_table gh_limits_table; /* size.c */

/* rate_limits: an entry of the map */
struct gh_rate_settings {
    enum gh_mode mode;
    struct gh_config_rate limit;
    uint64_t burst;            /* 0: exact */
    struct gh_config_list key; /* of struct gh_str: client, user, session, route, header:NAME,
                                  body:FIELD */
};
extern const struct gh_config_table gh_rate_table; /* rate.c */

struct gh_security_txt_settings {
    struct gh_str contact, expires, policy, languages;
};
extern const struct gh_config_table gh_security_txt_table; /* builtin.c */

struct gh_builtin_settings {
    struct gh_str health, healthz, readyz, security_txt, metrics; /* paths; "" switches one off */
};
extern const struct gh_config_table gh_builtin_table; /* builtin.c */

enum gh_encoded { GH_ENCODED_REFUSE, GH_ENCODED_KEEP };
enum gh_errors { GH_ERRORS_DEFAULT, GH_ERRORS_SCRUB, GH_ERRORS_PASS };

/* What becomes of what a document does not declare. */
enum gh_undeclared { GH_UNDECLARED_REFUSE, GH_UNDECLARED_REPORT, GH_UNDECLARED_IGNORE };
enum gh_input_responses { GH_INPUT_RESPONSES_OFF, GH_INPUT_RESPONSES_OBSERVE };
enum gh_input_formats { GH_INPUT_FORMATS_ASSERT, GH_INPUT_FORMATS_ANNOTATE };

struct gh_evidence_collector;
struct gh_openapi;

/* input: FILE or {openapi, ...} of a route */
struct gh_input_settings {
    struct gh_str openapi; /* path of the document; empty: nothing is judged */
    enum gh_mode mode;
    enum gh_input_responses responses;
    struct gh_config_map schemas; /* of struct gh_str: URI to path */
    struct gh_undeclared_settings {
        enum gh_undeclared paths, methods, query, content_types;
    } undeclared;
    struct gh_str base_path; /* see base_path_given */
    bool base_path_given;    /* else the document's */
    enum gh_input_formats formats;
    uint64_t violations;                     /* most that are looked for and told */
    uint64_t body;                           /* largest body that is judged as a whole */
    uint64_t depth;                          /* of JSON */
    struct gh_str evidence;                  /* path of a file; empty: none is collected */
    const struct gh_openapi *document;       /* filled by app; NULL: not loaded */
    struct gh_evidence_collector *collector; /* filled by app; NULL: no evidence is collected */
};
extern const struct gh_config_table gh_input_table; /* input_config.c */

/* routes: an entry of the list */
struct gh_route_settings {
    struct gh_str path;
    struct gh_config_list methods; /* of struct gh_str; empty: all */
    struct gh_str upstream;        /* name */
    struct gh_access_settings access;
    struct gh_config_list rate_limit; /* names; see rate_limit_given */
    bool rate_limit_given;
    uint64_t request_body; /* 0: limits.request_body */
    struct {
        uint64_t response_ms, idle_ms; /* 0: the upstream's */
    } timeouts;
    bool websocket;
    enum gh_encoded encoded;
    enum gh_errors errors;
    struct gh_headers_settings headers; /* preset UNSET and empty: inherited */
    bool headers_given;
    struct gh_csp_settings csp;
    bool csp_given;
    struct gh_route_mode {
        enum gh_mode mode;
        bool given; /* else the gateway's */
    } cors, cross_site;
    struct gh_input_settings input;
};
extern const struct gh_config_table gh_route_table; /* route_config.c */

struct gh_policy_settings {
    enum gh_environment environment;
    struct gh_str public_url;
    struct gh_hosts_settings hosts;
    struct gh_trusted_settings trusted_proxies;
    struct gh_https_settings https;
    struct gh_headers_settings headers;
    struct gh_csp_settings csp;
    bool csp_given;
    struct gh_cors_settings cors;
    bool cors_given;
    struct gh_limits_settings limits;
    struct gh_config_map rate_limits; /* of struct gh_rate_settings */
    struct gh_config_list routes;     /* of struct gh_route_settings */
    struct gh_security_txt_settings security_txt;
    struct gh_builtin_settings builtin;
    enum gh_mode cross_site_mode;
    bool unsafe_observe_access;         /* access rules may be observed or off in production */
    struct gh_policy_identity identity; /* filled by app */
    uint16_t tls_port;                  /* of the first TLS listener, 0: none; filled by app */
};

struct gh_policy;

/*
 * Compiles settings into the frozen policy, in load->arena. `upstream_names` is the order that
 * request->upstream counts in. Problems (unknown names, bad patterns, conflicts inside the
 * policy's own settings) are added to `load` with their places. NULL when there were errors.
 */
const struct gh_policy *gh_policy_compile(struct gh_config_load *load,
                                          const struct gh_policy_settings *settings,
                                          const struct gh_str *upstream_names,
                                          size_t upstream_count);

/* What the shell needs of a policy without knowing its inside. */
const struct gh_limits_settings *gh_policy_limits(const struct gh_policy *policy);
bool gh_policy_is_production(const struct gh_policy *policy);
/* True when `ip` is in trusted_proxies; GH_IP_NONE (a Unix socket): when "unix" stands there. */
bool gh_policy_is_trusted_proxy(const struct gh_policy *policy, const struct gh_ip *ip);
/* Where challenges lie; empty: they are not served. */
struct gh_str gh_policy_acme_directory(const struct gh_policy *policy);
/* "https://api.example.com" of public_url, without a path; empty: there is none. */
struct gh_str gh_policy_public_base(const struct gh_policy *policy);
/* True when a POST to this canonical path would go to an upstream without anybody signed in. */
bool gh_policy_is_open_to(const struct gh_policy *policy, struct gh_arena *arena,
                          struct gh_str path);

#endif
