/* Well-formed UTF-8 (RFC 3629, Unicode table 3-7): the one judge of it. No conversion, no repair.
 */
#ifndef GH_BASE_UTF8_H
#define GH_BASE_UTF8_H

#include "base/str.h"

/*
 * Length (1 to 4) of the well-formed sequence at the start of `s`; 0 when `s` is empty or begins
 * with anything else: a stray or missing continuation byte, an overlong form, a surrogate, a code
 * point above U+10FFFF.
 */
size_t gh_utf8_sequence_len(struct gh_str s);
/* True when all of `s` is well-formed; the empty slice is. */
bool gh_utf8_is_valid(struct gh_str s);

#endif
