/*
 * Host and authority (RFC 9110 section 7.2, RFC 3986 section 3.2): one strict reader whose result
 * is compared, matched and forwarded.
 */
#ifndef GH_HTTP_AUTHORITY_H
#define GH_HTTP_AUTHORITY_H

#include "base/arena.h"
#include "base/ip.h"

struct gh_authority {
    struct gh_str host; /* canonical: lower case, no final dot, IPv6 in RFC 5952 form in brackets */
    uint16_t port;      /* 0: none was given */
    bool is_ip;
};

/*
 * Reads host[:port]. Refused: empty, userinfo, path, space, a bad port (empty, leading zeros, 0,
 * over 65535), bytes outside letters, digits, '-', '.', '_', an empty label, one that begins or
 * ends with '-', labels over 63 or names over 253 bytes, IPv4 in octal, hex or short forms or with
 * a final dot (any last label that is numeric but no proper IPv4), IP literals that do not parse or
 * have a zone. [::ffff:a.b.c.d] is read as a.b.c.d. The host lives in `arena` when it had to be
 * rewritten, else it is a slice of `text`; false also when the arena is full.
 */
bool gh_authority_parse(struct gh_str text, struct gh_arena *arena,
                        struct gh_authority *out_authority);

/*
 * `pattern` is a canonical host, "*.example.com" (any subdomain by whole labels, not the apex) or
 * "*" (all). `host` is canonical.
 */
bool gh_host_matches(struct gh_str pattern, struct gh_str host);
/* True when `pattern` is well-formed as above, canonical, and without port. */
bool gh_host_pattern_is_valid(struct gh_str pattern);

#endif
