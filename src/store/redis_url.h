/*
 * Where a Redis or Valkey is, as its URL says:
 *
 *     redis://[[user]:password@]host[:port][/database]    and rediss:// for TLS
 *     unix:/path    or    redis+unix://[[user]:password@]/path[?db=database]
 *
 * User and password are percent-decoded. Of Valkey, `valkey://` and `valkeys://` are the same.
 */
#ifndef GH_STORE_REDIS_URL_H
#define GH_STORE_REDIS_URL_H

#include "base/arena.h"
#include "base/ip.h"

#define GH_REDIS_URL_BYTES_MAX 2048
#define GH_REDIS_DATABASE_MAX  65535

struct gh_redis_url {
    bool tls;
    struct gh_str host;     /* NUL behind it; IPv6 without brackets; empty: Unix socket */
    struct gh_ip ip;        /* GH_IP_NONE: the host is a name */
    uint16_t port;          /* 6379 unless said otherwise */
    struct gh_str path;     /* of the Unix socket, NUL behind it */
    struct gh_str user;     /* empty: the default user */
    struct gh_str password; /* empty: none */
    uint32_t database;
    struct gh_str text; /* "host:port/0" or "unix:/path", without secrets: for logs */
};

/* NULL: *out_url is filled, its texts live in `arena` (wiped with it). Else what is wrong, in words
   that quote nothing of the text. */
const char *gh_redis_url_parse(struct gh_str text, struct gh_arena *arena,
                               struct gh_redis_url *out_url);

#endif
