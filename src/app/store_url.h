/*
 * What can be said of a postgresql:// URL before it is opened: whether its password is a default
 * one, and whether the server would have to prove who it is. libpq is the judge of all else.
 */
#ifndef GH_APP_STORE_URL_H
#define GH_APP_STORE_URL_H

#include "base/arena.h"
#include "base/str.h"

/* What to say of one that is not valid: never the URL, and never to libpq, which would show what it
   takes for a host or a port. */
#define GH_STORE_URL_WRONG                                                                         \
    GH_STR("the store is no URL of PostgreSQL: write postgresql://user@host/database, with "       \
           "special characters of the password percent-encoded")

struct gh_store_url {
    bool is_valid;          /* its parts could be told apart */
    struct gh_str user;     /* decoded; empty: none, as all below */
    struct gh_str password; /* decoded */
    struct gh_str remote;   /* the first host that is not this machine */
    bool verified;          /* the server's certificate is: verify-ca or verify-full */
};

/* In `arena`. `text` begins with postgresql:// or postgres://. */
struct gh_store_url gh_store_url_read(struct gh_arena *arena, struct gh_str text);

#endif
