/* The inside of the parser, for parse*.c only. */
#ifndef GH_JSON_PARSE_STATE_H
#define GH_JSON_PARSE_STATE_H

#include "json/parse.h"

#define GH_JSON_NO_VALUE UINT32_MAX

enum gh_json_expect {
    GH_JSON_EXPECT_VALUE,
    GH_JSON_EXPECT_ITEM_OR_END,
    GH_JSON_EXPECT_NAME_OR_END,
    GH_JSON_EXPECT_NAME,
    GH_JSON_EXPECT_COLON,
    GH_JSON_EXPECT_COMMA_OR_END,
    GH_JSON_EXPECT_NOTHING, /* behind the root */
};

/* What is known of a token that the text so far doesn't end; all zero: nothing. */
struct gh_json_token {
    size_t seen;          /* bytes of it that need no second look */
    bool escaped;         /* a string with a backslash in it */
    uint8_t number_state; /* see parse_number.c */
};

struct gh_json_parser {
    struct gh_arena *arena;
    struct gh_json_limits limits;
    enum gh_json_status status;
    size_t error_offset;

    /* Open containers form a list from `open` to the root through their `next`. */
    struct gh_json_value *values;
    uint32_t count, cap;
    uint32_t open; /* GH_JSON_NO_VALUE: none */
    uint32_t depth;
    enum gh_json_expect expect;
    struct gh_str name; /* for the next value; ptr NULL in an array */
    uint32_t name_hash;

    /* The text from the first byte that is still needed; `base` is the offset of `text`. */
    const char *text, *at, *end;
    size_t base;
    bool is_whole; /* nothing comes behind `end` */
    struct gh_json_token token;

    /* Where pieces are kept; NULL when the text is the caller's. */
    char *block;
    size_t block_cap;

    uint32_t *slots; /* parse_names.c */
    size_t slot_count;
};

/* Stops with `status` at the byte `at`; returns NULL, which ends the run. */
const char *gh_json_stop(struct gh_json_parser *parser, enum gh_json_status status, const char *at);
/* Stops until more bytes are there: `start` is the first that will be needed. */
const char *gh_json_suspend(struct gh_json_parser *parser, const char *start);

/* parse_usual.c: from a place between two tokens as far as the text is of the usual kind. Returns
   where it isn't, or NULL: the run ends here. */
const char *gh_json_run_usual(struct gh_json_parser *parser, const char *at);

/*
 * The rest of a string whose quote is at `start`; `at`: how far its bytes are looked at. Returns
 * what is behind the closing quote with the decoded text, NULL when the run ends here.
 */
const char *gh_json_read_string(struct gh_json_parser *parser, const char *start, const char *at,
                                struct gh_str *out_text);
/* Any number; goes on from parser->token. Returns what is behind it or NULL. */
const char *gh_json_read_number(struct gh_json_parser *parser, const char *start,
                                bool *out_is_integer);

/* OK, DUPLICATE_NAME with the index of the second in *out_index, or MEMORY. `object` is closed:
   its `next` is set. */
enum gh_json_status gh_json_check_names(struct gh_json_parser *parser, uint32_t object,
                                        uint32_t *out_index);

#endif
