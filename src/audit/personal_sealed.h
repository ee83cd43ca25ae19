/*
 * The parts of `sealed`, for personal.c and personal_reveal.c: a form byte, then for each role that
 * has personal values the role (1 byte), the length of the person's name (1) and the name, the
 * length of the box (2, big-endian) and the box; roles in their order, each once. A box holds,
 * under that person's key, the opening as an exported line shows it:
 * {"ip_address":"..","user_agent":"..","salt":"<64 hex>"}.
 */
#ifndef GH_AUDIT_PERSONAL_SEALED_H
#define GH_AUDIT_PERSONAL_SEALED_H

#include "audit/personal.h"

/* Whose values they are. */
enum gh_audit_role {
    GH_AUDIT_ROLE_ACTOR,   /* address and user agent */
    GH_AUDIT_ROLE_SUBJECT, /* personal members of the metadata */
};
#define GH_AUDIT_ROLE_COUNT 2
struct gh_str gh_audit_role_name(enum gh_audit_role role);

struct gh_sealed_part {
    struct gh_str name; /* of the person; ptr NULL: this role has none */
    struct gh_str box;
};
/* By role; all slices point into `sealed`. An empty text has no parts. False: malformed. */
bool gh_sealed_parse(struct gh_str sealed, struct gh_sealed_part out[GH_AUDIT_ROLE_COUNT]);
/* ptr NULL: the arena is full. Parts are as they would be parsed. */
struct gh_str gh_sealed_write(struct gh_arena *arena,
                              const struct gh_sealed_part parts[GH_AUDIT_ROLE_COUNT]);

/* What a box is bound to: its place and whose it is. */
#define GH_SEALED_CONTEXT_MAX 96
struct gh_str gh_sealed_context(char memory[GH_SEALED_CONTEXT_MAX], enum gh_audit_role role,
                                struct gh_str name);

/* What is committed to as "metadata.<name>"; ptr NULL: arena full. */
struct gh_str gh_personal_member_field(struct gh_arena *arena, struct gh_str name);

#endif
