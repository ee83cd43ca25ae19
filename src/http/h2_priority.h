/*
 * What a client says of the order of its answers (RFC 9218): the Priority field of a request. The
 * frame PRIORITY_UPDATE is not read. Private to the codec.
 */
#ifndef GH_HTTP_H2_PRIORITY_H
#define GH_HTTP_H2_PRIORITY_H

#include "base/arena.h"
#include "http/field.h"

/* 0 is the most urgent. */
#define GH_H2_URGENCY_DEFAULT 3
#define GH_H2_URGENCY_MAX     7

struct gh_h2_priority {
    unsigned urgency;
    bool incremental; /* it shares with others of its urgency, instead of one after the other */
};

/* False: the request says nothing that can be read. Nor do several lines. */
bool gh_h2_priority_read(const struct gh_fields *fields, struct gh_arena *arena,
                         struct gh_h2_priority *out_priority);

#endif
