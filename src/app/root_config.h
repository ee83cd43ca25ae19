/*
 * The whole configuration file (SPEC section 2): the root table over the tables of the features,
 * and how a text becomes settings and settings a policy. Reads no file and opens nothing.
 */
#ifndef GH_APP_ROOT_CONFIG_H
#define GH_APP_ROOT_CONFIG_H

#include "app/audit_settings.h"
#include "app/consume_settings.h"
#include "app/redis_settings.h"
#include "app/sandbox_settings.h"
#include "app/secrets.h"
#include "app/store_settings.h"
#include "gateway/snapshot.h"
#include "identity/settings.h"
#include "policy/settings.h"
#include "upstream/upstream.h"

/* What a plain listener does in production with requests that shall come by https. */
enum gh_plain { GH_PLAIN_REDIRECT, GH_PLAIN_REFUSE };

struct gh_tls_pair_settings {
    struct gh_str certificate, key; /* paths, NUL behind them */
};

struct gh_listener_settings {
    struct gh_str address;     /* what gh_listen_address_parse reads */
    struct gh_config_list tls; /* of struct gh_tls_pair_settings; empty: plain */
    bool proxy_protocol;
    bool http2, h2c; /* on a listener with TLS, without */
    enum gh_plain plain;
};

struct gh_root_settings {
    uint64_t version;
    struct gh_policy_settings policy;
    struct gh_config_list listeners; /* of struct gh_listener_settings */
    struct gh_str admin_listen;      /* empty: none */
    struct {
        enum gh_log_client client;
    } log;
    struct gh_config_map upstreams; /* of struct gh_upstream_settings */
    struct gh_redis_settings redis;
    struct gh_store_settings store;
    struct gh_secrets_settings secrets;
    struct gh_identity_settings identity;
    struct gh_audit_settings audit;
    struct gh_sandbox_settings sandbox;
    struct gh_config_list consume; /* of struct gh_consume_settings */
};

extern const struct gh_config_table gh_root_table;

/*
 * Binds the text of a file; problems go to `load`. False when there were errors. Texts live in
 * load->arena. `listen`, when not NULL, takes the place of the file's listeners.
 */
bool gh_root_load(struct gh_config_load *load, struct gh_str text, const char *listen,
                  struct gh_root_settings *out_settings);

/*
 * The settings of `serve --upstream URL` without a file (SPEC section 2). `listen` may be NULL.
 * The environment variables that win over a file win over these, too.
 */
bool gh_root_load_upstream(struct gh_config_load *load, const char *upstream, const char *listen,
                           struct gh_root_settings *out_settings);

/*
 * Compiles the policy and checks settings against each other (config_checks.h). `unix_seconds` is
 * the current time, for dates in the file. NULL when there were errors, these and earlier ones.
 */
const struct gh_policy *gh_root_compile(struct gh_config_load *load,
                                        const struct gh_root_settings *settings,
                                        int64_t unix_seconds);

/* True for a file of `gatehouse consume` alone: streams, and nothing of a gateway. */
bool gh_root_is_for_consume(const struct gh_root_settings *settings);
/* What `gatehouse consume` needs of the settings, and nothing else. */
void gh_root_check_consume(struct gh_config_load *load, const struct gh_root_settings *settings);

#endif
