/*
 * What can be said of a postgresql:// URL before it is opened: whether its password is a default
 * one, whether the server would have to prove who it is, and what the process must be able to reach
 * for it. libpq is the judge of all else.
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

#define GH_STORE_URL_PLACES_MAX 8
#define GH_STORE_URL_FILES_MAX  8

struct gh_store_url {
    bool is_valid;          /* its parts could be told apart */
    struct gh_str user;     /* decoded; empty: none, as all below */
    struct gh_str password; /* decoded */
    struct gh_str remote;   /* the first host that is not this machine */
    bool verified;          /* the server's certificate is: verify-ca or verify-full */
    /* What libpq opens for it, decoded: ports that are said (0: the default one is meant, too), and
       files of certificates, keys and passwords. More than there is room for are left out. */
    uint16_t ports[GH_STORE_URL_PLACES_MAX];
    size_t port_count;
    struct gh_str files[GH_STORE_URL_FILES_MAX];
    size_t file_count;
};

/* In `arena`. `text` begins with postgresql:// or postgres://. */
struct gh_store_url gh_store_url_read(struct gh_arena *arena, struct gh_str text);

#endif
