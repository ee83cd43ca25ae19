/*
 * Making a JSON document without a text: values that came in another form (parameters, forms)
 * become the tape that a parser would have made. Bounded like the parser, and as strict: no
 * repeated names. Its values' `start` and `end` are 0.
 */
#ifndef GH_JSON_BUILD_H
#define GH_JSON_BUILD_H

#include "json/parse.h"

/* All of it is the builder's but `status`, which stays at the first trouble: OK, DUPLICATE_NAME,
   TOO_DEEP, TOO_LARGE or MEMORY. Calls after it do nothing. */
struct gh_json_builder {
    enum gh_json_status status;
    struct gh_arena *arena;
    struct gh_json_limits limits; /* bytes_max is not looked at */
    struct gh_json_value *values;
    uint32_t count, cap;
    uint32_t open; /* innermost open container, or UINT32_MAX */
    uint32_t depth;
};

void gh_json_build_init(struct gh_json_builder *builder, struct gh_arena *arena,
                        const struct gh_json_limits *limits);

/*
 * Each adds a value: the root, an item of the open array, or the member `name` of the open object
 * (elsewhere `name` is not looked at). Texts are borrowed: they must outlive the document.
 */
void gh_json_build_begin(struct gh_json_builder *builder, struct gh_str name,
                         enum gh_json_kind kind); /* ARRAY or OBJECT */
void gh_json_build_end(struct gh_json_builder *builder);
void gh_json_build_string(struct gh_json_builder *builder, struct gh_str name, struct gh_str text);
/* `text` is a number in JSON's spelling. */
void gh_json_build_number(struct gh_json_builder *builder, struct gh_str name, struct gh_str text);
void gh_json_build_bool(struct gh_json_builder *builder, struct gh_str name, bool value);
void gh_json_build_null(struct gh_json_builder *builder, struct gh_str name);
/* A copy of a whole document; what it borrows, the copy borrows too. Its depth, which its parser
   has bounded, is not looked at. */
void gh_json_build_copy(struct gh_json_builder *builder, struct gh_str name,
                        const struct gh_json_doc *doc);

/* All containers are closed and there is a root. *out_doc is set on OK only. */
enum gh_json_status gh_json_build_finish(struct gh_json_builder *builder,
                                         struct gh_json_doc *out_doc);

/* Is it a number in JSON's spelling (RFC 8259 section 6), and nothing else? */
bool gh_json_is_number(struct gh_str text);

#endif
