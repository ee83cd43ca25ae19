/*
 * The address of one upstream server as it stands in the configuration: `http://host:port`,
 * `https://host:port` or `unix:/path`. No path, query or userinfo: what is asked of the server is
 * the route's business, and secrets do not belong into the file.
 */
#ifndef GH_UPSTREAM_SERVER_URL_H
#define GH_UPSTREAM_SERVER_URL_H

#include "base/arena.h"
#include "base/ip.h"

struct gh_server_url {
    bool tls;
    struct gh_str host; /* canonical, NUL behind it; IPv6 without brackets; empty: Unix socket */
    struct gh_ip ip;    /* GH_IP_NONE: the host is a name */
    uint16_t port;
    struct gh_str path; /* of the Unix socket, NUL behind it */
    struct gh_str text; /* "host:port" or "unix:/path", for logs and metrics */
};

/* NULL: *out_url is filled, its texts live in `arena`. Else what is wrong, in words. */
const char *gh_server_url_parse(struct gh_str text, struct gh_arena *arena,
                                struct gh_server_url *out_url);

#endif
