/*
 * The cookies of ours: names, attributes, and the Set-Cookie lines (RFC 6265bis). In development on
 * plain localhost browsers would refuse the prefixes and Secure: `plain` leaves both away.
 */
#ifndef GH_SESSION_COOKIES_H
#define GH_SESSION_COOKIES_H

#include "base/arena.h"

enum gh_session_cookie { GH_COOKIE_ACCESS, GH_COOKIE_REFRESH, GH_COOKIE_DEVICE, GH_COOKIE_COUNT };
enum gh_same_site { GH_SAME_SITE_LAX, GH_SAME_SITE_STRICT, GH_SAME_SITE_NONE };

/* "__Host-gh_access", "__Secure-gh_refresh", "__Host-gh_device"; `plain`: without the prefix. */
struct gh_str gh_session_cookie_name(enum gh_session_cookie cookie, bool plain);

struct gh_session_cookie_rules {
    bool plain;
    enum gh_same_site same_site; /* of access and device; refresh is always strict */
    struct gh_str auth_path;     /* Path of the refresh cookie: "/api/v1/auth" */
};

/* The value of a Set-Cookie field. `max_age_s` 0: until the browser ends. ptr NULL: arena full. */
struct gh_str gh_session_cookie_set(struct gh_arena *arena,
                                    const struct gh_session_cookie_rules *rules,
                                    enum gh_session_cookie cookie, struct gh_str value,
                                    uint64_t max_age_s);
/* The one that makes a browser forget it. */
struct gh_str gh_session_cookie_clear(struct gh_arena *arena,
                                      const struct gh_session_cookie_rules *rules,
                                      enum gh_session_cookie cookie);

#endif
