/*
 * Finding one cookie of ours among those of others. Foreign cookies may be as odd as they like (and
 * are); ours must stand there once and in the one way that all readers understand. A pair that some
 * reader could take for ours, but not all, makes the answer ambiguous.
 */
#include "http/cookie.h"

#include "base/span.h"

/* cookie-octet of RFC 6265 section 4.1.1: no control, space, quote, comma, semicolon, backslash. */
static const struct gh_span_class COOKIE_OCTET = {0x21, 0x7e, "\",;\\"};

static bool is_cookie_value(struct gh_str value)
{
    return gh_span(value, COOKIE_OCTET) == value.len;
}

/* Looks at one pair. `found` is what the pairs before it gave. */
static enum gh_cookie_find look_at(struct gh_str pair, struct gh_str name,
                                   enum gh_cookie_find found, struct gh_str *out_value)
{
    size_t equals = gh_str_find_char(pair, '=');
    struct gh_str pair_name = gh_str_trim_ows(gh_str_first(pair, equals));
    if (equals == pair.len || !gh_str_eq(pair_name, name))
        return found;
    struct gh_str value = gh_str_skip(pair, equals + 1);
    bool plain = pair_name.len == equals && is_cookie_value(value);
    if (found != GH_COOKIE_ABSENT || !plain)
        return GH_COOKIE_AMBIGUOUS;
    *out_value = value;
    return GH_COOKIE_FOUND;
}

enum gh_cookie_find gh_cookie_find(const struct gh_fields *fields, struct gh_str name,
                                   struct gh_str *out_value)
{
    enum gh_cookie_find found = GH_COOKIE_ABSENT;
    struct gh_str value = {0};
    const struct gh_field *line = gh_fields_find(fields, GH_FIELD_COOKIE);
    for (; line; line = gh_fields_find_next(fields, line)) {
        for (struct gh_str rest = line->value; rest.ptr;) {
            struct gh_str pair = gh_str_trim_ows(gh_str_split(&rest, ';'));
            found = look_at(pair, name, found, &value);
            if (found == GH_COOKIE_AMBIGUOUS)
                return found;
        }
    }
    if (found == GH_COOKIE_FOUND)
        *out_value = value;
    return found;
}
