/*
 * Who a request speaks for: what the policy judges by, the backend is told and the audit names.
 */
#ifndef GH_SESSION_SUBJECT_H
#define GH_SESSION_SUBJECT_H

#include "base/arena.h"

/* Ids of accounts and sessions: UUID version 4 in its text form (RFC 9562), lower case. */
#define GH_ID_LEN 36
struct gh_id {
    char text[GH_ID_LEN + 1];
};
static inline struct gh_str gh_id_str(const struct gh_id *id)
{
    return (struct gh_str){id->text, strlen(id->text)};
}
/* From 16 random bytes. */
struct gh_id gh_id_make(const uint8_t random[16]);
/* False: not exactly that form. */
bool gh_id_parse(struct gh_str text, struct gh_id *out_id);

/* Roles as bits, by their place in `identity.roles`. */
typedef uint64_t gh_roles;
#define GH_ROLES_MAX 64

struct gh_role_names {
    const struct gh_str *names;
    size_t count;
};
/* The bit of a name; 0: not a configured role. */
gh_roles gh_role_bit(const struct gh_role_names *names, struct gh_str name);
/* "user,admin" in the order of the configuration, in `arena`. */
struct gh_str gh_roles_text(struct gh_arena *arena, const struct gh_role_names *names,
                            gh_roles roles);

struct gh_subject {
    struct gh_str id;         /* of the account; of another issuer: its `sub` */
    struct gh_str session_id; /* empty: of another issuer */
    struct gh_str email;      /* empty: not known */
    struct gh_str issuer;     /* empty: ours */
    gh_roles roles;
    bool two_factor;          /* signed in with a second factor */
    bool must_enrol;          /* two_factor.required_for a role, and not on: may only enrol */
    uint64_t authenticated_s; /* when the password or a code was last given: `fresh` */
    uint64_t expires_s;       /* of the access token */
};

#endif
