/*
 * Spellings of one name or value that common backends take for the same: upper and lower case,
 * spaces around it, letters with and without accents, wide and mathematical letters, characters
 * that nobody sees. For keys of rate limits: what is made equal here is counted together, and
 * nothing else comes of it; so it may make more equal than any one backend does. No normalisation
 * (UAX #15) and no collation (UTS #10): what else is one letter in two spellings has no ASCII
 * spelling here, and is for the caller.
 */
#ifndef GH_POLICY_RATE_SPELLING_H
#define GH_POLICY_RATE_SPELLING_H

#include "base/arena.h"

/* Without white space, control bytes and invisible characters at both ends, and without what
   follows a NUL. A slice of `text`. */
struct gh_str gh_rate_trim(struct gh_str text);
/* Well-formed UTF-8 without control characters. */
bool gh_rate_is_plain(struct gh_str text);
/* One spelling for all, in `arena`; ptr NULL: it is full. */
struct gh_str gh_rate_fold(struct gh_arena *arena, struct gh_str text);

enum gh_rate_names {
    GH_RATE_NAMES_OF_JSON,
    /* "a[b]" is a list or a map "a", and so is "[a]" (Rack); ' ' and '.' are '_' (PHP). */
    GH_RATE_NAMES_OF_FORM,
};
/* Whether a backend may take a member called `given` for the one called `wanted`, which has no
   brackets. */
bool gh_rate_name_is(struct gh_str given, struct gh_str wanted, enum gh_rate_names names);

#endif
