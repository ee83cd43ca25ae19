/* The PROXY protocol, versions 1 and 2 (haproxy doc/proxy-protocol.txt), receiving side. */
#ifndef GH_HTTP_PROXY_PROTOCOL_H
#define GH_HTTP_PROXY_PROTOCOL_H

#include "base/ip.h"

/* A version 2 header with its TLVs may be this long; version 1 ends within 107 bytes. */
#define GH_PROXY_PROTOCOL_BYTES_MAX 1024

enum gh_proxy_protocol_status {
    GH_PROXY_PROTOCOL_ERROR, /* not a PROXY header: close the connection */
    GH_PROXY_PROTOCOL_MORE,
    GH_PROXY_PROTOCOL_DONE, /* *out_len bytes belong to it */
};

struct gh_proxy_protocol {
    bool is_local; /* v2 LOCAL, v1 UNKNOWN: keep the socket's own address (health checks) */
    struct gh_ip source;
    uint16_t source_port;
    bool tls; /* v2: PP2_TYPE_SSL says that the client came over TLS */
};

enum gh_proxy_protocol_status gh_proxy_protocol_parse(struct gh_str bytes,
                                                      struct gh_proxy_protocol *out_header,
                                                      size_t *out_len);

#endif
