/*
 * A request's body, for keys of rate limits: read in each way in which a common backend may read
 * it, so that nobody is counted as one and served as another. What could be read in two ways is
 * told, and refused by the stage.
 */
#ifndef GH_POLICY_RATE_BODY_H
#define GH_POLICY_RATE_BODY_H

#include "json/parse.h"
#include "policy/request.h"

struct gh_rate_part;

struct gh_rate_body {
    struct gh_json_doc doc;           /* values NULL: it is no JSON */
    struct gh_str form;               /* ptr NULL: it is no form */
    struct gh_str query;              /* of the target; ptr NULL: there is none */
    const struct gh_rate_part *parts; /* of a multipart form */
    size_t part_count;
    bool other_charset; /* than UTF-8 is declared: who heeds that reads other characters */
    bool unreadable;    /* another reader may see something in it */
};

/* Reads request->body, and the query: many a backend puts the fields of both together, and which of
   two of one name is taken differs. The service takes none from the query. */
void gh_rate_body_read(const struct gh_request *request, struct gh_rate_body *out_body);

enum gh_rate_found {
    GH_RATE_UNCLEAR, /* twice, or no text: what a backend makes of it is not known */
    GH_RATE_MISSING,
    GH_RATE_FOUND,
};
/* The field of that name, in any spelling, trimmed; in `arena`. An empty one is missing. */
enum gh_rate_found gh_rate_body_find(const struct gh_rate_body *body, struct gh_arena *arena,
                                     struct gh_str name, struct gh_str *out_value);

#endif
