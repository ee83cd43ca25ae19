/*
 * Stage 14: is the request what the API's document declares (SPEC section 8)? The operation is
 * found by the same tree as routes are; openapi/check.h judges parameters and body. Here it is
 * decided what becomes of the finding: refused, reported or let pass.
 *
 * The head is judged first. Then the body: one that is small comes whole (request->body), a long
 * one is read as it arrives while it is held, and multipart, or any body where input is observed
 * only, flows on while it is read; the shell gives each piece to gh_policy_input_feed first.
 */
#ifndef GH_POLICY_INPUT_H
#define GH_POLICY_INPUT_H

#include "openapi/check.h"
#include "policy/route.h"

/* What judging one request may take beside what the exchange has. */
#define GH_INPUT_BYTES_MAX ((size_t)32 * 1024 * 1024)

/* An operation as logs and metrics name it. */
struct gh_input_operation {
    const struct gh_openapi_operation *declared;
    struct gh_str label; /* its operationId, else "GET /pets/{petId}" */
    size_t number;       /* among all of the policy, from 0 */
};

/* A document at a base path: shared by the routes that name it so. */
struct gh_input_api {
    const struct gh_openapi *document;
    struct gh_str base_path;   /* without a final "/" */
    struct gh_route *patterns; /* of the operations, in their order */
    const struct gh_route_tree *tree;
    struct gh_input_operation *operations;
    size_t operation_count;
    struct gh_input_api *next;
};

/* What a route's `input` comes to. */
struct gh_input_rule {
    const struct gh_input_api *api;
    struct gh_str file; /* as the configuration names it */
    enum gh_mode mode;  /* never OFF */
    bool observe_responses;
    struct gh_undeclared_settings undeclared;
    uint64_t body_max; /* of what is held until it is judged */
    struct gh_input_limits limits;
    struct gh_evidence_collector *evidence; /* NULL: none is collected */
};

/* What the stage found of one request. */
struct gh_input {
    const struct gh_input_rule *rule;
    const struct gh_input_operation *operation; /* NULL: undeclared */
    struct gh_input_request checking;
    struct gh_input_checked checked;
    struct gh_input_stream *stream; /* NULL: the body isn't read as it comes */
    bool flows;                     /* the body goes on while it is read */
    bool gave_up;                   /* observed only, and too long to be judged */
    bool judged;                    /* head and body, as far as they are judged at all */
    enum gh_reason reason;          /* UNDECIDED: as declared */
    uint64_t fed_bytes;
};

/* ---- For the shell ---- */

/* Bytes of a body that is read as it comes, before they go anywhere: true: go on; false: the
   request is to be refused with request->input->reason (INPUT_INVALID or OVERLOADED). */
bool gh_policy_input_feed(struct gh_request *request, struct gh_str bytes);
/* The body's end; before it the upstream must not have all of the body. Of a body that is held it
   says nothing: the stage does when it goes on. */
bool gh_policy_input_finish(struct gh_request *request);

/* The same for the upstream's answer: OK, or what it was found. Its report is in `arena`. */
enum gh_input_outcome gh_policy_input_response(const struct gh_request *request,
                                               struct gh_arena *arena, unsigned status,
                                               struct gh_str content_type, struct gh_str body,
                                               struct gh_input_report *out_report);
/* True when answers to the request are looked at. */
bool gh_policy_input_wants_response(const struct gh_request *request);

/* The first operation's document of the policy, NULL: none; and how many operations all have. */
const struct gh_input_api *gh_policy_input_apis(const struct gh_policy *policy,
                                                size_t *out_operation_count);

/* ---- For whoever refuses for such a reason ---- */

/* The 422's detail and its further members, `"errors":[...]`. ptr NULL: the arena is full. */
struct gh_str gh_input_detail(struct gh_arena *arena, const struct gh_input_report *report);
struct gh_str gh_input_errors(struct gh_arena *arena, const struct gh_input_report *report);

/* ---- For the module ---- */

/* The rule of a route's settings, NULL without (or when there were problems). `apis`: those made
   so far. `request_body_max` is the route's. */
const struct gh_input_rule *gh_input_compile(struct gh_config_load *load,
                                             const struct gh_input_settings *settings,
                                             uint64_t request_body_max, struct gh_input_api **apis);
/* Where a request leads in a document; `out_values` has room for GH_PATH_PARAMS_MAX. */
enum gh_route_found gh_input_find(const struct gh_input_api *api, struct gh_str path,
                                  enum gh_method method, struct gh_arena *arena,
                                  const struct gh_input_operation **out_operation,
                                  struct gh_str *out_values, size_t *out_value_count,
                                  struct gh_str *out_allow);
/* For explain: what the stage found, in words. */
void gh_input_explain(const struct gh_request *request, unsigned turn, struct gh_buf *out);

#endif
