/*
 * Access tokens of ours (RFC 9068): the claims of a subject, written and read. In cookies they are
 * HS256 under a derived key; where tokens leave us (bearer transport, the backend) they are signed
 * by the key ring.
 */
#ifndef GH_SESSION_ACCESS_TOKEN_H
#define GH_SESSION_ACCESS_TOKEN_H

#include "session/subject.h"
#include "token/jwt.h"

#define GH_ACCESS_TOKEN_TYP GH_STR("at+jwt")

struct gh_access_claims {
    struct gh_subject subject;
    struct gh_str issuer, audience;
    uint64_t issued_s;
};

/* The token; ptr NULL: arena full, or the key can't sign. */
struct gh_str gh_access_token_make(struct gh_arena *arena, const struct gh_token_key *key,
                                   const struct gh_role_names *roles,
                                   const struct gh_access_claims *claims);
/* GH_JWT_OK and the subject, in `arena`; roles that are not configured any more are left out. A
   token of another type, without sub, sid, iat or exp is refused whatever `expect` says. */
enum gh_jwt_status gh_access_token_read(struct gh_arena *arena, struct gh_str token,
                                        const struct gh_jwt_expect *expect,
                                        const struct gh_role_names *roles,
                                        struct gh_subject *out_subject);
/* The same, and when it was issued; issuer and audience are those of `expect`. */
enum gh_jwt_status gh_access_token_read_claims(struct gh_arena *arena, struct gh_str token,
                                               const struct gh_jwt_expect *expect,
                                               const struct gh_role_names *roles,
                                               struct gh_access_claims *out_claims);

#endif
