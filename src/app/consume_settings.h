/*
 * The list `consume` of the file (SPEC section 2): streams of Redis whose entries become rows of
 * PostgreSQL, for `gatehouse consume`. `serve` has no use for it.
 */
#ifndef GH_APP_CONSUME_SETTINGS_H
#define GH_APP_CONSUME_SETTINGS_H

#include "app/secrets.h"

struct gh_consume_settings {
    struct gh_str stream, group;
    struct gh_str source; /* of which Redis; empty: as its URL says */
    struct gh_str statement;
    struct gh_config_list fields; /* of struct gh_str: for $1, $2, ... */
    struct gh_str database;       /* a URL or a reference to it; empty: that of `store` */
    uint64_t tries, batch;
    uint64_t claim_after_ms, keep_ms;
    struct gh_str metrics; /* what gh_listen_address_parse reads; empty: none */
};

extern const struct gh_config_table gh_consume_table;

/* What the entries stand on. */
struct gh_consume_base {
    struct gh_str store; /* the setting */
    bool has_redis, production;
};

/* `list` is of struct gh_consume_settings. A reference that leads nowhere here is no problem yet.
 */
void gh_consume_settings_check(struct gh_config_load *load, const struct gh_config_list *list,
                               const struct gh_consume_base *base,
                               const struct gh_secret_source *source);

/* The URL of its database, a NUL behind it, in `arena`. False: *out_message says what is wrong,
   without the value. */
bool gh_consume_settings_database(const struct gh_consume_settings *settings, struct gh_str store,
                                  const struct gh_secret_source *source, struct gh_arena *arena,
                                  struct gh_str *out_url, struct gh_str *out_message);

#endif
