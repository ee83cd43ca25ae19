/* Equality of JSON values (core, section 4.2.2): 1 is 1.0, and members have no order. */
#ifndef GH_SCHEMA_EQUAL_H
#define GH_SCHEMA_EQUAL_H

#include "json/parse.h"

/*
 * Equal values have equal hashes; no secret goes in. `arena` is scratch for containers. Takes steps
 * by the number of values. False: no memory, or *steps was not enough, then it is 0.
 */
bool gh_json_hash(const struct gh_json_doc *doc, uint32_t value, struct gh_arena *arena,
                  uint64_t *steps, uint64_t *out_hash);
/* The hashes of a container's children, and of all they contain: hashes[i - value - 1] is that of
   values[i]. The same memory for all. NULL as above. */
const uint64_t *gh_json_child_hashes(const struct gh_json_doc *doc, uint32_t value,
                                     struct gh_arena *arena, uint64_t *steps);
/* False too when *steps is not enough, then it is 0. */
bool gh_json_equal(const struct gh_json_doc *a, uint32_t x, const struct gh_json_doc *b, uint32_t y,
                   uint64_t *steps);

#endif
