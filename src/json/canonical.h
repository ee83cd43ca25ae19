/*
 * Canonical JSON (RFC 8785, JCS): one text for one value, so that it can be hashed. Numbers are
 * whole and within +-(2^53 - 1) (I-JSON, RFC 7493); others are refused, since only there do all
 * languages agree without a rule for printing floating point.
 */
#ifndef GH_JSON_CANONICAL_H
#define GH_JSON_CANONICAL_H

#include "base/buf.h"
#include "base/err.h"
#include "json/parse.h"

#define GH_JSON_SAFE_INTEGER_MAX ((INT64_C(1) << 53) - 1)
#define GH_JSON_CANONICAL_DEPTH  32

/* A quoted string. GH_ERR_INVALID: it is not UTF-8. */
GH_MUST_USE enum gh_err gh_json_put_canonical_string(struct gh_buf *buf, struct gh_str text);
/*
 * `value` (of `doc`) and all it contains; `arena` is scratch. GH_ERR_INVALID: a number that is not
 * whole or too large, or deeper than GH_JSON_CANONICAL_DEPTH; GH_ERR_MEMORY.
 */
GH_MUST_USE enum gh_err gh_json_put_canonical(struct gh_buf *buf, struct gh_arena *arena,
                                              const struct gh_json_doc *doc,
                                              const struct gh_json_value *value);
/* Most bytes that it takes. */
size_t gh_json_canonical_bytes_max(const struct gh_json_value *value);

/* A whole text; the result lives in `arena`. GH_ERR_INVALID: no JSON within the limits, or as
   above; GH_ERR_MEMORY. */
GH_MUST_USE enum gh_err gh_json_canonicalise(struct gh_arena *arena, struct gh_str text,
                                             const struct gh_json_limits *limits,
                                             struct gh_str *out_text);

#endif
