/*
 * Quotas that identity asks for itself, because only it knows whose they are (an account behind a
 * challenge, a session behind a refresh token), kept in the gateway's table of rate limits, and
 * where these are shared, in common with other nodes.
 */
#ifndef GH_APP_QUOTA_H
#define GH_APP_QUOTA_H

#include "app/shared_limits.h"
#include "identity/identity.h"
#include "limit/limit.h"
#include "policy/settings.h"

/* By the names that identity uses; `rate_limits` of the file replaces them by the same names, and
   login_account by `login`. */
#define GH_QUOTAS(X)                                                                               \
    X(LOGIN_ACCOUNT, "login_account", "login", 5, 60)                                              \
    X(TWO_FACTOR, "two_factor", "two_factor", 5, 60)                                               \
    X(REFRESH, "refresh", "refresh", 30, 60)

enum gh_quota_id {
#define X(id, name, setting, count, seconds) GH_QUOTA_##id,
    GH_QUOTAS(X)
#undef X
        GH_QUOTA_COUNT
};

struct gh_quota_rules {
    struct gh_limit_rule rules[GH_QUOTA_COUNT];
};

/* The rules under the settings of a file. */
void gh_quota_rules_of(const struct gh_config_map *rate_limits, struct gh_quota_rules *out_rules);

/* Where quotas are counted. */
struct gh_quota_books {
    struct gh_limit_table *table;
    struct gh_shared_limits *shared; /* NULL: by this process alone */
};

/* Charges one; true: admitted. `now_ms`: the clock that the table's other users read. An unknown
   name is our bug. May wait for Redis. */
bool gh_quota_take(const struct gh_quota_books *books, const struct gh_quota_rules *rules,
                   const char *name, struct gh_str key, uint64_t now_ms,
                   uint64_t *out_retry_after_s);

#endif
