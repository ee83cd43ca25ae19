/*
 * Who is calling, from X-Forwarded-For or Forwarded (RFC 7239), read from the right (SPEC section
 * 3, stage 3).
 */
#ifndef GH_HTTP_FORWARDED_H
#define GH_HTTP_FORWARDED_H

#include "base/ip.h"
#include "http/message.h"

/* Entries read at the most, from the right. */
#define GH_FORWARDED_ENTRIES_MAX 32

enum gh_forwarded_header { GH_FORWARDED_X_FORWARDED_FOR, GH_FORWARDED_FORWARDED };

struct gh_trusted_proxies {
    const struct gh_ip_network *networks;
    size_t count;
    enum gh_forwarded_header header;
};

bool gh_trusted_proxies_contain(const struct gh_trusted_proxies *trusted, const struct gh_ip *ip);

struct gh_forwarded_result {
    struct gh_ip client; /* the first address from the right that is not trusted, else as below */
    struct gh_str proto; /* what the nearest trusted hop said ("https"), empty when nothing */
    struct gh_str host;  /* likewise; not believed by any stage, for the log */
};

/*
 * Walks the configured header over all its lines. Only to be called when `socket` is trusted. An
 * entry that does not parse, is "unknown" or obfuscated stops the walk: the client is then the last
 * trusted hop. With header Forwarded the proto comes from the same, right-most element; with
 * X-Forwarded-For from the last value of X-Forwarded-Proto.
 */
struct gh_forwarded_result gh_forwarded_walk(const struct gh_fields *fields,
                                             const struct gh_trusted_proxies *trusted,
                                             const struct gh_ip *socket);

#endif
