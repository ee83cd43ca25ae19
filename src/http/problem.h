/* Problem documents (RFC 9457): the body of every refusal the gateway answers itself. */
#ifndef GH_HTTP_PROBLEM_H
#define GH_HTTP_PROBLEM_H

#include "base/buf.h"

struct gh_problem {
    unsigned status;
    struct gh_str type;   /* a URI; empty: "about:blank" */
    struct gh_str title;  /* empty: the status' reason phrase */
    struct gh_str detail; /* what the caller can do; never what is inside */
    struct gh_str request_id;
    struct gh_str extra; /* further JSON members, ready written ("\"a\":1"), or empty */
};

#define GH_PROBLEM_CONTENT_TYPE "application/problem+json"

/* Writes the JSON text: type, title, status, detail, request_id, then `extra`. */
void gh_problem_write(struct gh_buf *buf, const struct gh_problem *problem);

#endif
