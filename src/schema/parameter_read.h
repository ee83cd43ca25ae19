/* The inside of reading parameters, for parameter*.c only. */
#ifndef GH_SCHEMA_PARAMETER_READ_H
#define GH_SCHEMA_PARAMETER_READ_H

#include "schema/parameter.h"

/* The ways in which a text can be read. */
enum gh_parameter_shape { GH_SHAPE_SINGLE, GH_SHAPE_ARRAY, GH_SHAPE_OBJECT };

/* Decoded; `name` of a member only. */
struct gh_parameter_piece {
    struct gh_str name, text;
};

struct gh_parameter_pieces {
    struct gh_parameter_piece *items;
    size_t count;
};

struct gh_parameter_reader {
    const struct gh_schemas *schemas;
    const struct gh_parameter *parameter;
    struct gh_arena *arena;

    /* Where it is read from: a text, or a form. */
    struct gh_str text;
    const struct gh_form *form;
    bool *used;

    bool may_repeat; /* members, where their schema allows an array */
    bool as_strings; /* leave what has no schema of its own a string */
    bool is_guessed; /* something was typed that has no schema of its own */
};

/* A raw piece decoded as the parameter's place asks; `at` separators are gone already. */
enum gh_parameter_status gh_parameter_decode(const struct gh_parameter_reader *reader,
                                             struct gh_str raw, struct gh_str *out_text);
/* Cuts at a separator: "%20" and "%7C" in either case are separators too where `escaped` is one. */
struct gh_parameter_separator {
    char plain;
    const char *escaped; /* "20"; NULL: none */
};
/* The items of an array, or the members of an object: a,1,b,2, or where `is_paired` a=1,b=2. */
enum gh_parameter_status gh_parameter_split(const struct gh_parameter_reader *reader,
                                            struct gh_str raw,
                                            struct gh_parameter_separator separator,
                                            enum gh_parameter_shape shape, bool is_paired,
                                            struct gh_parameter_pieces *out_pieces);
/* Zeroed; NO_MEMORY, TOO_LARGE. */
enum gh_parameter_status gh_parameter_alloc(const struct gh_parameter_reader *reader, size_t count,
                                            enum gh_parameter_shape shape,
                                            struct gh_parameter_pieces *out_pieces);

/* parameter_text.c, parameter_form.c: what stands there, read in that way. */
enum gh_parameter_status gh_parameter_cut_text(const struct gh_parameter_reader *reader,
                                               enum gh_parameter_shape shape,
                                               struct gh_parameter_pieces *out_pieces);
enum gh_parameter_status gh_parameter_cut_form(const struct gh_parameter_reader *reader,
                                               enum gh_parameter_shape shape,
                                               struct gh_parameter_pieces *out_pieces);

/* parameter_value.c: typed values of the pieces. */
enum gh_parameter_status gh_parameter_build(struct gh_parameter_reader *reader,
                                            enum gh_parameter_shape shape,
                                            const struct gh_parameter_pieces *pieces,
                                            struct gh_json_doc *out_doc);
/* Is it, against the parameter's schema? */
bool gh_parameter_is_valid(const struct gh_parameter_reader *reader, uint32_t schema,
                           const struct gh_json_doc *doc, const struct gh_json_value *value);

#endif
