/*
 * Structured field values (RFC 9651, formerly RFC 8941): a strict parser into an arena, and a
 * serialiser. Used for RateLimit, RateLimit-Policy, Reporting-Endpoints and Permissions-Policy.
 * A list, dictionary, inner list or set of parameters may have 1024 members.
 */
#ifndef GH_HTTP_SFV_H
#define GH_HTTP_SFV_H

#include "base/arena.h"
#include "base/buf.h"

enum gh_sfv_type {
    GH_SFV_NONE,
    GH_SFV_INTEGER,
    GH_SFV_DECIMAL, /* value.integer is thousandths */
    GH_SFV_STRING,
    GH_SFV_TOKEN,
    GH_SFV_BYTES,
    GH_SFV_BOOLEAN,
    GH_SFV_DATE,
    GH_SFV_DISPLAY_STRING,
    GH_SFV_INNER_LIST,
};

struct gh_sfv_member;

struct gh_sfv_item {
    enum gh_sfv_type type;
    int64_t integer;             /* integer, date, decimal in thousandths, boolean as 0 or 1 */
    struct gh_str bytes;         /* string, token, display string, byte sequence: decoded */
    struct gh_sfv_member *items; /* inner list, without keys */
    size_t item_count;
    struct gh_sfv_member *params;
    size_t param_count;
};

/* A member of a list (key empty), a dictionary, or a parameter. */
struct gh_sfv_member {
    struct gh_str key;
    struct gh_sfv_item item;
};

struct gh_sfv_list {
    struct gh_sfv_member *members;
    size_t count;
};

/*
 * False on any deviation or when the arena is full; `text` is the field value, several lines joined
 * by ", ". Texts that need no decoding are slices of `text`. Of equal keys the last one counts.
 */
bool gh_sfv_parse_item(struct gh_str text, struct gh_arena *arena, struct gh_sfv_item *out_item);
bool gh_sfv_parse_list(struct gh_str text, struct gh_arena *arena, struct gh_sfv_list *out_list);
bool gh_sfv_parse_dictionary(struct gh_str text, struct gh_arena *arena,
                             struct gh_sfv_list *out_dictionary);
/* False when a value can't be serialised (RFC 9651 section 4.1) or the buffer is full. */
bool gh_sfv_write_item(struct gh_buf *buf, const struct gh_sfv_item *item);
bool gh_sfv_write_list(struct gh_buf *buf, const struct gh_sfv_list *list);
bool gh_sfv_write_dictionary(struct gh_buf *buf, const struct gh_sfv_list *dictionary);

#endif
