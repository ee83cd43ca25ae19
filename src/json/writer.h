/* Writing JSON (RFC 8259) into a bounded buffer. Never fails but by the buffer's overflow flag. */
#ifndef GH_JSON_WRITER_H
#define GH_JSON_WRITER_H

#include "base/buf.h"

/*
 * A quoted string. Control bytes, '"' and '\' are escaped; bytes that are not valid UTF-8 become
 * U+FFFD, so that the result is always a valid JSON text; '<' '>' '&', C1, U+2028 and U+2029 are
 * escaped too, so that it can stand anywhere.
 */
void gh_json_put_string(struct gh_buf *buf, struct gh_str text);
/* A JSON text that was written elsewhere (canonically: with few escapes), the same document without
   DEL, C1, U+2028 and U+2029: no terminal obeys it, and no reader of lines sees an end in it. */
void gh_json_put_tame(struct gh_buf *buf, struct gh_str json);
/* `"name":` with a comma before it unless it follows '{', '[' or nothing. */
void gh_json_put_name(struct gh_buf *buf, struct gh_str name);
/* name and string value. */
void gh_json_put_member(struct gh_buf *buf, struct gh_str name, struct gh_str value);
void gh_json_put_member_u64(struct gh_buf *buf, struct gh_str name, uint64_t value);
void gh_json_put_member_bool(struct gh_buf *buf, struct gh_str name, bool value);

#endif
