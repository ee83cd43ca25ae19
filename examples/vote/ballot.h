/*
 * The ballot: the options that can be voted for, and what makes a request's body a vote.
 *
 * A body is a vote when it is JSON of exactly {"option": "..."}: no other member, none twice.
 */
#ifndef VOTE_BALLOT_H
#define VOTE_BALLOT_H

#include <stdbool.h>
#include <stddef.h>

enum {
    BALLOT_OPTIONS_MIN = 2,
    BALLOT_OPTIONS_MAX = 32,
    BALLOT_OPTION_BYTES_MAX = 64, /* the same bound stands in schema.sql */
};

struct ballot {
    char options[BALLOT_OPTIONS_MAX][BALLOT_OPTION_BYTES_MAX + 1];
    size_t count;
};

enum ballot_verdict {
    BALLOT_NOT_JSON,       /* 400 */
    BALLOT_NOT_A_VOTE,     /* 422: JSON, but not exactly one text called option */
    BALLOT_UNKNOWN_OPTION, /* 422 */
    BALLOT_VALID,
};

/* Reads a list like "cats,dogs"; blanks around the names are dropped. False when there are too few
   or too many, or one is empty, too long, not UTF-8, has control characters, or stands twice. */
bool ballot_parse(const char *list, struct ballot *out);

/* The index of an option, or `count` when it is none. */
size_t ballot_find(const struct ballot *ballot, const char *option);

/* Judges a body; `out_option` is set for BALLOT_VALID only and points into the ballot. */
enum ballot_verdict ballot_judge(const struct ballot *ballot, const char *body, size_t body_bytes,
                                 const char **out_option);

#endif
