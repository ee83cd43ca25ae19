/*
 * application/x-www-form-urlencoded (WHATWG URL, section 5.1), of a body or a query, read strictly:
 * what that algorithm repairs is refused here, and so is what other readers split or decode
 * differently. It is an ordered list of fields; names may repeat, and it is for the caller to say
 * whether that means anything.
 *
 * Refused though WHATWG reads it: bad escapes, bytes that are not UTF-8, NUL (ends a text in some
 * languages), a raw ';' (an ampersand to older readers, an error to others), raw space, control and
 * non-ASCII bytes (no serialiser writes them), fields without a name (dropped by some, kept by
 * others), and a field "_charset_" (some readers obey it). "a" and "a=" are the same.
 */
#ifndef GH_SCHEMA_FORM_H
#define GH_SCHEMA_FORM_H

#include "base/arena.h"

enum gh_form_status {
    GH_FORM_NO_MEMORY, /* the arena is full: nothing was read */
    GH_FORM_OK,
    GH_FORM_BYTE,   /* a byte that can't stand there unescaped */
    GH_FORM_ESCAPE, /* '%' without two hexadecimal digits */
    GH_FORM_UTF8,
    GH_FORM_NUL,
    GH_FORM_SEPARATOR, /* a raw ';' */
    GH_FORM_NO_NAME,
    GH_FORM_CHARSET, /* a field "_charset_" */
    GH_FORM_TOO_LONG,
    GH_FORM_TOO_MANY,
    GH_FORM_NAME_TOO_LONG,
};
/* A short text for people: "a bad percent escape". */
struct gh_str gh_form_status_text(enum gh_form_status status);

struct gh_form_limits {
    size_t bytes_max;
    size_t fields_max;
    size_t name_bytes_max; /* decoded */
};
/* 64 KiB, 256 fields, names of 256 bytes. */
extern const struct gh_form_limits gh_form_small;

struct gh_form_field {
    struct gh_str name, value; /* decoded */
    struct gh_str raw_value;   /* as written: a slice of the text */
};

struct gh_form {
    struct gh_str text;
    const struct gh_form_field *fields;
    size_t count;
};

/*
 * The empty text has no fields. The result borrows from `text` what stands there as it is; the rest
 * lives in `arena`: at most text.len + (fields) x sizeof(struct gh_form_field) bytes. `out_offset`
 * (may be NULL): where in the text the first error is. *out_form is set on OK only.
 */
enum gh_form_status gh_form_parse(struct gh_arena *arena, struct gh_str text,
                                  const struct gh_form_limits *limits, struct gh_form *out_form,
                                  size_t *out_offset);

enum gh_form_plus {
    GH_FORM_PLUS_IS_PLUS,  /* RFC 3986: paths, cookies */
    GH_FORM_PLUS_IS_SPACE, /* forms and queries */
};

/* Decodes the escapes of one piece of such a text, or of a path, under the same rules: printable
   ASCII without space, good escapes, UTF-8 without NUL. May be `raw` itself. OK, NO_MEMORY, BYTE,
   ESCAPE, UTF8, NUL; out_offset as above, in `raw`. */
enum gh_form_status gh_form_decode(struct gh_arena *arena, struct gh_str raw,
                                   enum gh_form_plus plus, struct gh_str *out_text,
                                   size_t *out_offset);

#endif
