/*
 * Absolute URLs as they stand in the settings (RFC 3986), taken apart strictly. Not for URLs of
 * requests: those are http/'s business.
 */
#ifndef GH_IDENTITY_URL_H
#define GH_IDENTITY_URL_H

#include "base/ip.h"

/* Slices of the text that was read. */
struct gh_url {
    struct gh_str scheme;   /* in lower case, as it must be written */
    struct gh_str userinfo; /* ptr NULL: none */
    struct gh_str host;     /* an IPv6 address in brackets */
    struct gh_str path;     /* from the '/' on, with the query; empty: none */
    struct gh_ip ip;        /* GH_IP_NONE: the host is a name */
    uint16_t port;          /* 0: not written */
    bool has_fragment;
};

/* False: not scheme://host..., or with a byte that no URL has. */
bool gh_url_parse(struct gh_str text, struct gh_url *out_url);
/* localhost, *.localhost, or a loopback address. */
bool gh_url_is_loopback(const struct gh_url *url);
/* The host of `text`, "localhost" when it is no URL. */
struct gh_str gh_url_host_of(struct gh_str text);

#endif
