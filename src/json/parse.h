/*
 * Reading JSON (RFC 8259), strictly: one document, valid UTF-8 without a byte order mark, no
 * repeated names in an object, no lone surrogates, bounded depth, size and number of values.
 * Numbers keep their text. The result is a flat array of values (a tape) in the order of the text.
 *
 * The parser takes its input in pieces of any size, as it arrives.
 */
#ifndef GH_JSON_PARSE_H
#define GH_JSON_PARSE_H

#include "base/arena.h"

enum gh_json_kind {
    GH_JSON_NULL,
    GH_JSON_BOOL,
    GH_JSON_NUMBER,
    GH_JSON_STRING,
    GH_JSON_ARRAY,
    GH_JSON_OBJECT,
};

struct gh_json_value {
    enum gh_json_kind kind;
    bool boolean;
    bool is_integer;     /* NUMBER: written without '.', 'e' and 'E' */
    uint32_t count;      /* ARRAY: items; OBJECT: members */
    uint32_t next;       /* index of the value behind this one and all it contains */
    uint32_t start, end; /* bytes of the text; of a member's value without its name */
    uint32_t name_hash;  /* gh_json_name_hash(name), makes looking up cheap */
    struct gh_str name;  /* decoded; of a member of an object, else ptr NULL */
    struct gh_str text;  /* STRING: decoded; NUMBER: as written */
};

/* values[0] is the root; the first child of values[i] is values[i + 1], the next one is at its
   `next`. */
struct gh_json_doc {
    const struct gh_json_value *values; /* NULL: nothing was parsed */
    size_t count;
};

struct gh_json_limits {
    size_t bytes_max;   /* under 4 GiB */
    unsigned depth_max; /* 1: a scalar only */
    size_t values_max;  /* of the whole document */
    size_t members_max; /* of one object */
};
/* 64 KiB, 32 deep, 4,096 values, 256 members: request bodies of ours. */
extern const struct gh_json_limits gh_json_small;

enum gh_json_status {
    GH_JSON_OK,
    GH_JSON_SYNTAX,
    GH_JSON_UTF8,
    GH_JSON_ESCAPE, /* a bad escape or a lone surrogate */
    GH_JSON_DUPLICATE_NAME,
    GH_JSON_TOO_DEEP,
    GH_JSON_TOO_LARGE,  /* one of the other limits */
    GH_JSON_INCOMPLETE, /* the text ends too early */
    GH_JSON_MEMORY,
};
/* A short text for people: "a repeated member name". */
struct gh_str gh_json_status_text(enum gh_json_status status);

struct gh_json_parser;

/* In `arena`, where the result will live too. NULL: full. */
struct gh_json_parser *gh_json_parser_new(struct gh_arena *arena,
                                          const struct gh_json_limits *limits);
/* Not OK: it stays so. `bytes` need not outlive the call. */
enum gh_json_status gh_json_feed(struct gh_json_parser *parser, struct gh_str bytes);
enum gh_json_status gh_json_finish(struct gh_json_parser *parser, struct gh_json_doc *out_doc);
/* Where the first error is, in bytes from the start (of a repeated name: its value). */
size_t gh_json_error_offset(const struct gh_json_parser *parser);

/*
 * All at once. The values borrow from `text` what stands there as it is (numbers, and names and
 * strings without escapes): it must outlive the document. `out_offset` (may be NULL): where the
 * first error is. *out_doc is set on OK only.
 */
enum gh_json_status gh_json_parse(struct gh_arena *arena, struct gh_str text,
                                  const struct gh_json_limits *limits, struct gh_json_doc *out_doc,
                                  size_t *out_offset);

/* A hash of a name; no secret goes into it, so equal hashes are only a hint. */
uint32_t gh_json_name_hash(struct gh_str name);
/* The member of an object, or NULL; NULL too when `object` is NULL or no object. */
const struct gh_json_value *gh_json_get(const struct gh_json_doc *doc,
                                        const struct gh_json_value *object, struct gh_str name);
static inline const struct gh_json_value *gh_json_root(const struct gh_json_doc *doc)
{
    return doc->values;
}
/* The first child, or NULL; and the one behind `child` in the same `parent`, or NULL. */
const struct gh_json_value *gh_json_first(const struct gh_json_doc *doc,
                                          const struct gh_json_value *parent);
const struct gh_json_value *gh_json_after(const struct gh_json_doc *doc,
                                          const struct gh_json_value *parent,
                                          const struct gh_json_value *child);
/* The text of a string, ptr NULL when `value` is NULL or no string. */
struct gh_str gh_json_string(const struct gh_json_value *value);
/* False: NULL, no number, not a whole one (1.0 and 1e2 are), or out of range. */
bool gh_json_int64(const struct gh_json_value *value, int64_t *out);

#endif
