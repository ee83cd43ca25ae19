/* JSON Pointer (RFC 6901) over our tape: finding a value, and naming one. */
#ifndef GH_SCHEMA_POINTER_H
#define GH_SCHEMA_POINTER_H

#include "base/buf.h"
#include "json/parse.h"

/* Counted from `root`, a value of `doc`. NULL: the pointer is malformed or leads nowhere. */
const struct gh_json_value *gh_json_pointer_find(const struct gh_json_doc *doc,
                                                 const struct gh_json_value *root,
                                                 struct gh_str pointer);
/*
 * The pointer to values[index]. What the buffer has no room for is left out whole: then the pointer
 * leads to the innermost container that has room, and the overflow flag is not set. False: so cut.
 */
bool gh_json_pointer_put(struct gh_buf *buf, const struct gh_json_doc *doc, uint32_t index);
/* "/name", its '~' and '/' escaped: one step down to a member. */
void gh_json_pointer_put_name(struct gh_buf *buf, struct gh_str name);

#endif
