/*
 * Uniform Resource Identifiers (RFC 3986) as names of schemas: cut into parts, and references
 * resolved against a base. Nothing is fetched and nothing is normalised but dot segments.
 */
#ifndef GH_SCHEMA_URI_H
#define GH_SCHEMA_URI_H

#include "base/arena.h"

/* A part that is not there has ptr NULL; the path is always there. */
struct gh_uri {
    struct gh_str scheme, authority, path, query, fragment;
};

/* Takes anything; whether it is well-formed is another question (format_uri.c). */
struct gh_uri gh_uri_split(struct gh_str text);
/* The target of `reference` seen from `base`, both without fragments in the result; ptr NULL
   without memory. `base` may be empty: then the reference stands for itself. */
struct gh_str gh_uri_resolve(struct gh_arena *arena, struct gh_str base, struct gh_str reference);
/* %xx decoded; ptr NULL: a bad escape, or no memory. */
struct gh_str gh_uri_decode(struct gh_arena *arena, struct gh_str text);

#endif
