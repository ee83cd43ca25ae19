/*
 * For the tests of this module: a policy from YAML text, a request from HTTP/1.1 bytes, and what
 * becomes of them as text. No part of the library.
 */
#ifndef GH_POLICY_POLICY_FIXTURE_H
#define GH_POLICY_POLICY_FIXTURE_H

#include "policy/policy.h"
#include "session/gate.h"

struct gh_fixture {
    struct gh_arena settings_arena, request_arena;
    struct gh_config_load load;
    struct gh_policy_settings settings;
    const struct gh_policy *policy; /* NULL: refused, see load.problems */
    struct gh_peer peer;
    struct gh_request_head head;
    struct gh_request request;
    struct gh_verdict verdict;
    struct gh_limit_table *limits;
    struct gh_revocations *revocations; /* NULL with gate: identity is off */
    struct gh_gate *gate;
    struct gh_gate_rules gate_rules;
    struct gh_token_key bearer_key; /* that of cookies is a constant */
};

/* Compiles `yaml`; the upstreams are "api" and "web". */
void gh_fixture_open(struct gh_fixture *fixture, const char *yaml);
/* The same, with values of environment variables: name, value, ..., NULL. */
void gh_fixture_open_env(struct gh_fixture *fixture, const char *yaml, const char *const *env);
/* The same with identity on: gh_fixture_identity, or one like it. */
void gh_fixture_open_identity(struct gh_fixture *fixture, const char *yaml,
                              const struct gh_policy_identity *identity);
/* With an OpenAPI document for the routes that name one, whatever its path. */
void gh_fixture_open_input(struct gh_fixture *fixture, const char *yaml, const char *document);
void gh_fixture_close(struct gh_fixture *fixture);

/* Roles user, admin and editor; cookies with their prefixes; the login page /login; forward-auth
   for 10.0.0.0/8; the endpoints below; the limits signup (5/minute per client) and reset (3/hour
   per body:email). */
extern const struct gh_policy_identity gh_fixture_identity;
enum {
    GH_FIXTURE_LOGIN,   /* POST /api/v1/auth/login: public, sets a session, JSON of 1 KiB */
    GH_FIXTURE_LOGOUT,  /* POST /api/v1/auth/logout: signed in, may be who must enrol */
    GH_FIXTURE_RESET,   /* POST /api/v1/account/reset: public, limit reset, JSON of 1 KiB */
    GH_FIXTURE_PROFILE, /* GET /api/v1/account/profile: signed in */
    GH_FIXTURE_ROLE,    /* PATCH /api/v1/admin/users/{id}/role: admin, fresh, JSON of 1 KiB */
    GH_FIXTURE_JWKS,    /* GET /.well-known/jwks.json: public */
};
#define GH_FIXTURE_NOW_S 1800000000u
#define GH_FIXTURE_USER  "5d3c1f6e-0b53-4e0e-9d3c-1c1a5f0f7a01"
#define GH_FIXTURE_OTHER "5d3c1f6e-0b53-4e0e-9d3c-1c1a5f0f7a02"

/* GH_FIXTURE_USER with e-mail, the role user, signed in an hour ago, valid for ten minutes. */
struct gh_subject gh_fixture_subject(void);
/* A token for that subject as our cookie holds it, or as a bearer token; lives as long as the
   fixture. */
const char *gh_fixture_token(struct gh_fixture *fixture, enum gh_credential kind,
                             const struct gh_subject *subject);
/* True when a problem of that severity says `text` in what or remedy. */
bool gh_fixture_has_problem(const struct gh_fixture *fixture, enum gh_config_severity severity,
                            const char *text);

/* Parses `bytes` and runs the stages; the parse must succeed. The peer is fixture->peer, by
   default 192.0.2.1 in clear. Returns the verdict. */
struct gh_verdict gh_fixture_run(struct gh_fixture *fixture, const char *bytes);
/* The same without running: fixture->request is ready for gh_policy_run. */
void gh_fixture_begin(struct gh_fixture *fixture, const char *bytes);
void gh_fixture_peer(struct gh_fixture *fixture, const char *ip, bool tls);

/* The reply as the client gets it: "413\nName: value\n...\n" and its body; NUL-terminated. */
const char *gh_fixture_reply(struct gh_fixture *fixture);
/* The answer to an upstream's head: the same form. */
const char *gh_fixture_answer(struct gh_fixture *fixture, const char *upstream_head);
/* The head for the upstream. */
const char *gh_fixture_handover(struct gh_fixture *fixture);

/* How often a line begins with "name:" (any case) in such a text, and its value. */
size_t gh_fixture_count(const char *text, const char *name);
const char *gh_fixture_value(struct gh_fixture *fixture, const char *text, const char *name);

#endif
