/*
 * Regular expressions of ECMA-262 (with the u flag) as JSON Schema uses them, run by PCRE2 without
 * its JIT. What a pattern may take is bounded by steps: a match is tried with few, and with eight
 * times as many each time they don't suffice, so that what is paid is near to what was taken. Plain
 * patterns, such as ^[A-Z]{3}-[0-9]+$, do without PCRE2.
 */
#ifndef GH_SCHEMA_PATTERN_H
#define GH_SCHEMA_PATTERN_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

struct gh_pattern;

/* Where patterns are kept; lives in the arena, freed with it. NULL: no memory. */
struct gh_pattern_space;
struct gh_pattern_space *gh_pattern_space_new(struct gh_arena *arena);

/*
 * GH_ERR_INVALID with a sentence in *out_reason: not a regular expression of ECMA-262, or one that
 * can't be had here (a lookbehind of any length). GH_ERR_MEMORY. The result lives in the space.
 */
GH_MUST_USE enum gh_err gh_pattern_compile(struct gh_pattern_space *space, struct gh_str text,
                                           const struct gh_pattern **out_pattern,
                                           struct gh_str *out_reason);
/* Is it a regular expression of ECMA-262? Nothing is kept of it. */
bool gh_pattern_is_valid(struct gh_str text);

enum gh_pattern_result {
    GH_PATTERN_NO_MATCH,
    GH_PATTERN_MATCH,
    GH_PATTERN_TOO_COMPLEX, /* the steps, or the memory that a match may have, were not enough */
    GH_PATTERN_NO_MEMORY,   /* the arena is full */
};

/* What matching needs besides; zero it before the first use. Its memory is the arena's. */
struct gh_pattern_scratch {
    struct gh_arena *arena;
    void *general, *context, *data;
};

/* Does it match anywhere in `text`, which is UTF-8? *steps: how many there are, less what it took.
 */
enum gh_pattern_result gh_pattern_match(const struct gh_pattern *pattern, struct gh_str text,
                                        struct gh_pattern_scratch *scratch, uint64_t *steps);

/* pattern_plain.c: NULL when the pattern is not one of the plain ones, or there is no memory. The
   text is known to be a regular expression. */
struct gh_pattern_plain;
const struct gh_pattern_plain *gh_pattern_plain_read(struct gh_str text, struct gh_arena *arena);
bool gh_pattern_plain_match(const struct gh_pattern_plain *plain, struct gh_str text);

/* pattern_translate.c: facts about a translated pattern. */
struct gh_pattern_facts {
    unsigned repeats; /* without a small bound */
    bool is_anchored; /* begins with ^ in all its alternatives */
};
/* Writes the PCRE2 form. False: *out_reason says why it is none of ECMA-262. */
bool gh_pattern_translate(struct gh_str text, struct gh_buf *buf,
                          struct gh_pattern_facts *out_facts, struct gh_str *out_reason);

#endif
