/*
 * A request to an endpoint of the identity service on its way through a lane: made by the gateway
 * after all stages have let it on, answered by api on a lane's thread, carried back by the gateway.
 * Everything in it lives in its own arena; no other thread looks at it meanwhile.
 */
#ifndef GH_POLICY_SERVICE_CALL_H
#define GH_POLICY_SERVICE_CALL_H

#include "policy/request.h"

struct gh_identity_settings;

struct gh_service_call {
    struct gh_arena arena;

    /* -- the request -- */
    size_t endpoint; /* index into the table given as gh_policy_identity.endpoints */
    const struct gh_identity_settings *identity; /* pinned for as long as the call lasts */
    struct gh_path_param params[GH_PATH_PARAMS_MAX];
    size_t param_count;
    struct gh_str query;        /* without '?', not decoded */
    struct gh_str content_type; /* empty: none */
    struct gh_str body;
    struct gh_str refresh_cookie, device_cookie; /* values; ptr NULL: none; sent twice: none */
    struct gh_str user_agent;
    struct gh_str client;  /* the client's address as text, for the audit log */
    struct gh_str network; /* the address, or the /64 of an IPv6 one, as text: for throttles */
    struct gh_str request_id;
    struct gh_str base_url; /* scheme://host[:port] as the client sees us, or public_url */
    bool https;
    bool wants_second_factor; /* a sign-in without one counts as a wrong password */
    bool signed_in;
    struct gh_subject subject;
    uint64_t now_us; /* wall clock when it was handed over */

    /* -- the answer -- */
    struct gh_reply reply; /* texts in `arena` or static */
};

/* Where a call is worked on. What may wait long must not hold up what may not: each lane has its
   threads and its queue. */
enum gh_service_lane {
    GH_SERVICE_HASH, /* makes or verifies password hashes */
    GH_SERVICE_AWAY, /* asks another machine meanwhile, for seconds */
    GH_SERVICE_DATA, /* everything else */
    GH_SERVICE_LANE_COUNT
};

/* What answers such calls: the app wires api to it. `handle` runs on a thread of a lane, may take
   its time, and must set call->reply. */
struct gh_service_port {
    void *context;
    void (*handle)(void *context, struct gh_service_call *call);
    enum gh_service_lane (*lane)(void *context, size_t endpoint);
};

#endif
