/*
 * IP addresses and networks as values. IPv4-mapped IPv6 (::ffff:a.b.c.d) is folded to IPv4 by every
 * reader here, so that one host has one value. Text forms: RFC 5952 for IPv6, four plain decimal
 * numbers for IPv4 (no octal, hex or short forms are read).
 */
#ifndef GH_BASE_IP_H
#define GH_BASE_IP_H

#include "base/buf.h"
#include "base/str.h"

struct sockaddr;

enum gh_ip_family { GH_IP_NONE, GH_IP_V4, GH_IP_V6 };

/* IPv4 uses bytes[0..3], the rest is zero, so that values compare with memcmp. */
struct gh_ip {
    enum gh_ip_family family;
    uint8_t bytes[16];
};

struct gh_ip_network {
    struct gh_ip base; /* host bits are zero */
    unsigned prefix_bits;
};

/* A bare address: "192.0.2.1", "2001:db8::1"; a zone ("%eth0") is cut off. False: anything else. */
bool gh_ip_parse(struct gh_str text, struct gh_ip *out_ip);
/*
 * An address as proxies write it: bare, "v4:port", "[v6]", "[v6]:port", with zone. The port is
 * checked (0 to 65535) and given in *out_port, 0 when there is none. False: anything else.
 */
bool gh_ip_parse_with_port(struct gh_str text, struct gh_ip *out_ip, uint16_t *out_port);
/* "10.0.0.0/8", "2001:db8::/32", or an address alone (full length). Host bits must be zero. */
bool gh_ip_network_parse(struct gh_str text, struct gh_ip_network *out_network);
bool gh_ip_network_contains(const struct gh_ip_network *network, const struct gh_ip *ip);

/* GH_IP_NONE for a family other than AF_INET and AF_INET6. *out_port in host order. */
struct gh_ip gh_ip_from_sockaddr(const struct sockaddr *address, uint16_t *out_port);

/* Writes RFC 5952 text, or "unknown" for GH_IP_NONE. */
void gh_ip_write(struct gh_buf *buf, const struct gh_ip *ip);
/* The network of `v4_bits` or `v6_bits` that the address lies in (for rate keys and log prefixes).
 */
struct gh_ip gh_ip_mask(const struct gh_ip *ip, unsigned v4_bits, unsigned v6_bits);
bool gh_ip_eq(const struct gh_ip *a, const struct gh_ip *b);
/* Loopback, private (RFC 1918), link-local, unique-local (RFC 4193), or carrier NAT (RFC 6598). */
bool gh_ip_is_private(const struct gh_ip *ip);
bool gh_ip_is_loopback(const struct gh_ip *ip);

#endif
