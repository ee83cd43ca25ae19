/* See cookies.h. */
#include "session/cookies.h"

#include "base/assert.h"

struct gh_str gh_session_cookie_name(enum gh_session_cookie cookie, bool plain)
{
    switch (cookie) {
    case GH_COOKIE_ACCESS:
        return plain ? GH_STR("gh_access") : GH_STR("__Host-gh_access");
    case GH_COOKIE_REFRESH:
        return plain ? GH_STR("gh_refresh") : GH_STR("__Secure-gh_refresh");
    case GH_COOKIE_DEVICE:
        return plain ? GH_STR("gh_device") : GH_STR("__Host-gh_device");
    case GH_COOKIE_COUNT:
        break;
    }
    return GH_STR("");
}

static const char *same_site_text(const struct gh_session_cookie_rules *rules,
                                  enum gh_session_cookie cookie)
{
    if (cookie == GH_COOKIE_REFRESH)
        return "Strict";
    switch (rules->same_site) {
    case GH_SAME_SITE_LAX:
        break;
    case GH_SAME_SITE_STRICT:
        return "Strict";
    case GH_SAME_SITE_NONE:
        /* Browsers drop None without Secure; on localhost Lax reaches all ports. */
        return rules->plain ? "Lax" : "None";
    }
    return "Lax";
}

/* RFC 6265 section 4.1.1, cookie-octet. */
static bool is_cookie_value(struct gh_str value)
{
    for (size_t i = 0; i < value.len; i++) {
        char c = value.ptr[i];
        if (c <= ' ' || c >= 0x7f || c == '"' || c == ',' || c == ';' || c == '\\')
            return false;
    }
    return true;
}

static struct gh_str write_cookie(struct gh_arena *arena,
                                  const struct gh_session_cookie_rules *rules,
                                  enum gh_session_cookie cookie, struct gh_str value,
                                  struct gh_str max_age)
{
    struct gh_str name = gh_session_cookie_name(cookie, rules->plain);
    struct gh_str path = cookie == GH_COOKIE_REFRESH ? rules->auth_path : GH_STR("/");
    GH_ASSERT(name.len && path.len && is_cookie_value(value));
    return gh_arena_format(arena, "%.*s=%.*s; Path=%.*s%.*s; HttpOnly%s; SameSite=%s",
                           GH_STR_ARG(name), GH_STR_ARG(value), GH_STR_ARG(path),
                           GH_STR_ARG(max_age), rules->plain ? "" : "; Secure",
                           same_site_text(rules, cookie));
}

struct gh_str gh_session_cookie_set(struct gh_arena *arena,
                                    const struct gh_session_cookie_rules *rules,
                                    enum gh_session_cookie cookie, struct gh_str value,
                                    uint64_t max_age_s)
{
    struct gh_str max_age = GH_STR("");
    if (max_age_s) {
        max_age = gh_arena_format(arena, "; Max-Age=%llu", (unsigned long long)max_age_s);
        if (!max_age.ptr)
            return max_age;
    }
    return write_cookie(arena, rules, cookie, value, max_age);
}

struct gh_str gh_session_cookie_clear(struct gh_arena *arena,
                                      const struct gh_session_cookie_rules *rules,
                                      enum gh_session_cookie cookie)
{
    return write_cookie(arena, rules, cookie, GH_STR(""), GH_STR("; Max-Age=0"));
}
