/*
 * What tests of api stand on: calls of endpoints as the gateway makes them, over the fixture of
 * identity. The stages before (who may come, cross-site, limits) are not here. Each answer is held
 * against what all answers must be, and against the OpenAPI document.
 */
#ifndef GH_API_API_FIXTURE_H
#define GH_API_API_FIXTURE_H

#include "api/endpoint.h"
#include "identity/identity_fixture.h"
#include "json/parse.h"

#define FIXTURE_CALLS_MAX 512

/* In bodies: FIXTURE_PASSWORD, FIXTURE_PASSWORD2, and one that is nobody's. */
#define PASSWORD_TEXT  "unsung-kettle-73-orbit"
#define PASSWORD2_TEXT "marble+ferry+quarrel+19"
#define WRONG_TEXT     "pewter*lagoon*41*brisk"

struct gh_api_fixture {
    struct gh_identity_fixture identity;
    struct gh_api api;
    struct gh_arena inputs; /* of the api: what requests and answers are judged by */
    unsigned keys_taken;    /* and not given back */
    struct gh_service_call *calls[FIXTURE_CALLS_MAX];
    size_t call_count;
};

void gh_api_fixture_open(struct gh_api_fixture *fixture);
void gh_api_fixture_close(struct gh_api_fixture *fixture);

/* For a group: state is a struct gh_api_fixture. */
int gh_api_fixture_setup(void **state);
int gh_api_fixture_teardown(void **state);

struct gh_api_ask {
    const char *operation; /* operationId */
    const char *body;      /* NULL: none */
    const char *query, *id;
    const char *client;   /* address; NULL: 192.0.2.1 */
    struct gh_str access; /* the access token of the caller; empty: nobody */
    struct gh_str refresh_cookie, device_cookie;
};

/* Everything in it lives until the fixture is closed. */
struct gh_api_answer {
    unsigned status;
    const struct gh_reply *reply;
    struct gh_json_doc json;
};
struct gh_api_answer gh_api_ask(struct gh_api_fixture *fixture, const struct gh_api_ask *ask);
/* The same by somebody (access empty: by nobody) with a body alone. */
struct gh_api_answer gh_api_ask_as(struct gh_api_fixture *fixture, struct gh_str access,
                                   const char *operation, const char *body);
/* A body with values in it; lives as answers do. */
const char *gh_api_body(struct gh_api_fixture *fixture, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Fails unless that is the answer, and `detail` (NULL: any) what it says. */
void gh_api_assert_refused(const struct gh_api_answer *answer, unsigned status, const char *detail);
/* 200 {"message": ...} and nothing else. */
void gh_api_assert_message(const struct gh_api_answer *answer);
/* A call that is filled but not handled yet, for tests that look at less than an answer. */
struct gh_service_call *gh_api_fixture_call(struct gh_api_fixture *fixture,
                                            const struct gh_api_ask *ask);

/* By a path of member names, "user.email"; NULL: there is none. */
const struct gh_json_value *gh_api_answer_at(const struct gh_api_answer *answer, const char *path);
/* A string there; fails the test when there is none. */
struct gh_str gh_api_answer_text(const struct gh_api_answer *answer, const char *path);
bool gh_api_answer_has(const struct gh_api_answer *answer, const char *path, const char *text);
/* A true there; fails the test when there is no boolean. */
bool gh_api_answer_is(const struct gh_api_answer *answer, const char *path);
/* A whole number there; fails the test when there is none. */
int64_t gh_api_answer_number(const struct gh_api_answer *answer, const char *path);
/* The item of an array there; fails the test when there is no array, NULL: it has no such. */
const struct gh_json_value *gh_api_answer_item(const struct gh_api_answer *answer, const char *path,
                                               size_t index);
/* The only line of that name; ptr NULL: none. */
struct gh_str gh_api_answer_field(const struct gh_api_answer *answer, const char *name);
/* The Set-Cookie line of that cookie ("name=value; ..."); ptr NULL: none. */
struct gh_str gh_api_answer_cookie(const struct gh_api_answer *answer, const char *name);
/* Its value alone. */
struct gh_str gh_api_answer_cookie_value(const struct gh_api_answer *answer, const char *name);
size_t gh_api_answer_count(const struct gh_api_answer *answer, const char *name);

/* The access token of somebody who signs in with the password of the fixture. */
struct gh_str gh_api_fixture_login(struct gh_api_fixture *fixture, const char *email);
/* The code of an authenticator app so many steps from now. */
const char *gh_api_fixture_code(struct gh_api_fixture *fixture, struct gh_str secret, int steps);
/* Six digits that are no code of about now. */
const char *gh_api_fixture_wrong_code(struct gh_api_fixture *fixture, struct gh_str secret);
/* Switches the second factor on for the caller, by whose answer *access is renewed; the secret.
   The code of now is used up. */
struct gh_str gh_api_fixture_enrol(struct gh_api_fixture *fixture, struct gh_str *access);
/* Nothing can be written any more. */
void gh_api_fixture_break_store(struct gh_api_fixture *fixture);
/* The one member of an OpenAPI document's paths; NULL: not there. */
const struct gh_json_value *gh_api_document_operation(const struct gh_json_doc *document,
                                                      struct gh_str path, const char *method);
/* The document under settings, read. */
struct gh_json_doc gh_api_document_read(struct gh_arena *arena,
                                        const struct gh_identity_settings *settings);
/* The index of an operation in the table. */
size_t gh_api_endpoint_index(const char *operation);

#endif
