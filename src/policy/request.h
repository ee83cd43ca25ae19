/*
 * One request as the stages see it, and the functions the shell calls: run the stages, write the
 * request for the upstream, make the head of the answer.
 *
 * Nothing here touches a socket, a clock, a file or randomness: the shell fills the facts in, the
 * stages decide. All memory is the request's arena.
 */
#ifndef GH_POLICY_REQUEST_H
#define GH_POLICY_REQUEST_H

#include "base/arena.h"
#include "http/authority.h"
#include "http/codec.h"
#include "http/target.h"
#include "limit/sanction.h"
#include "limit/shared.h"
#include "policy/reason.h"
#include "session/gate.h"

struct gh_input;
struct gh_policy;
struct gh_route;

/* SPEC section 3. The order is the order of the lists in run.c, not of this enum. */
enum gh_stage {
    GH_STAGE_READ,
    GH_STAGE_PATH,
    GH_STAGE_CLIENT,
    GH_STAGE_HOST,
    GH_STAGE_HTTPS,
    GH_STAGE_ROUTE,
    GH_STAGE_CORS,
    GH_STAGE_SIZE,
    GH_STAGE_RATE,
    GH_STAGE_HEADERS,
    GH_STAGE_CROSS_SITE,
    GH_STAGE_IDENTIFY, /* 12: who is signed in */
    GH_STAGE_ACCESS,   /* 13: may they */
    GH_STAGE_INPUT,    /* 14: is it what the API's document declares */
    GH_STAGE_HANDOVER,
    GH_STAGE_SCRUB,
    GH_STAGE_COUNT
};
/* "read", "path", ... as in logs and metrics. */
struct gh_str gh_stage_name(enum gh_stage stage);

enum gh_verdict_kind {
    GH_VERDICT_DENY,    /* answer with the problem document of `reason` */
    GH_VERDICT_NEXT,    /* go on; from gh_policy_run: hand over to request->target */
    GH_VERDICT_RESPOND, /* request->reply is the answer */
    GH_VERDICT_ASK,     /* a fact is missing: request->ask says which */
};

/* What a stage needs before it can decide; the shell gets it and runs the stages again. */
enum gh_ask {
    GH_ASK_NOTHING,
    GH_ASK_BODY,   /* the whole request body, at most request->ask_body_max bytes: request->body */
    GH_ASK_LIMITS, /* request->limit_ask, of request->shared_limits; then limits_known */
};

struct gh_verdict {
    enum gh_verdict_kind kind;
    enum gh_reason reason;
};

/* Who handles the request when all stages let it on. */
enum gh_target_kind {
    GH_TARGET_NONE,
    GH_TARGET_UPSTREAM,   /* request->upstream */
    GH_TARGET_HEALTHZ,    /* liveness: 200 while the process serves */
    GH_TARGET_READYZ,     /* 200 when ready, 503 when draining or an upstream has no server up */
    GH_TARGET_CSP_REPORT, /* POST: read and count, 204 always */
    GH_TARGET_ACME,       /* a file below https.acme_directory; request->acme_token */
    GH_TARGET_METRICS,    /* on the admin listener only */
    GH_TARGET_SERVICE,    /* an endpoint of identity: request->endpoint; the body is known */
};

/* What stage 12 found of a credential. */
enum gh_credential_found {
    GH_CREDENTIAL_NONE,
    GH_CREDENTIAL_JUDGED,    /* request->credential says what became of it */
    GH_CREDENTIAL_AMBIGUOUS, /* several, or one that can be read two ways: none was looked at */
    GH_CREDENTIAL_UNCHECKED, /* there is no gate: explain, or a process that can't verify; or it
                                has not heard lately which sessions have ended */
};

/* Forward-auth: in which way a proxy asks for a decision (authz.c). */
enum gh_authz_dialect {
    GH_AUTHZ_NONE,
    GH_AUTHZ_AUTH_REQUEST, /* nginx */
    GH_AUTHZ_FORWARD_AUTH, /* Traefik, Caddy */
    GH_AUTHZ_EXT_AUTHZ,    /* Envoy */
};

/* What the shell knows about the connection. */
struct gh_peer {
    struct gh_ip ip; /* of the socket, or of its PROXY header; GH_IP_NONE: Unix socket */
    uint16_t port;
    bool tls;          /* the socket is TLS (or its PROXY header says so) */
    bool admin;        /* the listener is admin_listen */
    bool refuse_plain; /* the listener says `plain: refuse`: no redirect to https in production */
    int tls_pair;      /* the certificate in use, -1: none */
    /* The certificate that covers a host, -1: none. NULL on plain sockets (SPEC stage 4, 421). */
    int (*tls_pair_for)(const void *tls_server, struct gh_str host);
    const void *tls_server;
};

#define GH_REPLY_FIELDS_MAX 16

/* An answer of the gateway's own. */
struct gh_reply {
    unsigned status;
    struct gh_field fields[GH_REPLY_FIELDS_MAX]; /* beside those of the response stages */
    size_t field_count;
    struct gh_str body;
};

#define GH_PATH_PARAMS_MAX 16
struct gh_path_param {
    struct gh_str name, value;
};

/* Fields that response stages add for this request alone. */
#define GH_EXTRA_FIELDS_MAX 24

struct gh_request {
    /* -- facts, filled by the shell -- */
    const struct gh_policy *policy; /* the pinned snapshot's */
    struct gh_arena *arena;
    struct gh_request_head *head;
    const struct gh_peer *peer;
    uint64_t now_ms;               /* monotonic */
    uint8_t random[16];            /* for the request id and the span id */
    struct gh_str date;            /* the Date field's value, kept by the shell; empty: none */
    struct gh_limit_table *limits; /* NULL in explain */
    struct gh_limit_shared *shared_limits;  /* NULL: limits are this process's own */
    struct gh_sanctions *sanctions;         /* NULL: there never are any */
    struct gh_gate *gate;                   /* NULL: identity is off, or explain */
    const struct gh_gate_rules *gate_rules; /* of this moment; NULL with gate */
    uint64_t now_s;                         /* wall clock, seconds since 1970: for tokens */
    uint64_t identified_s;                  /* now_s when its credential was judged */
    bool dry_run;                           /* explain: nothing is charged */
    /* A WebSocket that HTTP/2 asks for has no key of its own: what the upstream is asked with, and
       what it must answer (RFC 6455 section 4.2.2). Filled before the hand-over; else empty. */
    struct gh_str websocket_key, websocket_accept;
    bool draining, ready;
    bool inner; /* what forward-auth asks about: built-ins and preflights are not ours to answer */

    /* -- what the stages found, each written by one stage -- */
    struct gh_str path, query; /* PATH: canonical; query.ptr NULL: none */
    struct gh_path_traits path_traits;
    enum gh_authz_dialect authz;   /* PATH: a proxy asks about another request */
    bool authz_listed;             /* PATH: and it is one that may */
    bool from_trusted;             /* CLIENT */
    struct gh_ip client;           /* CLIENT */
    bool https;                    /* CLIENT: the effective scheme */
    struct gh_str request_id;      /* CLIENT */
    struct gh_str traceparent;     /* CLIENT */
    struct gh_authority authority; /* HOST */
    const struct gh_route *route;  /* ROUTE; NULL: none yet */
    struct gh_path_param params[GH_PATH_PARAMS_MAX];
    size_t param_count;
    enum gh_target_kind target; /* ROUTE */
    size_t upstream;            /* ROUTE: index into the snapshot's upstreams */
    size_t endpoint;            /* ROUTE: index into the identity endpoints */
    struct gh_str acme_token;
    struct gh_str cors_origin; /* CORS: the allowed origin to echo; empty: none */
    bool cors_seen;            /* CORS ran: Vary must name Origin */
    uint64_t body_bytes_max;   /* SIZE: for the shell, which counts chunked bodies */
    size_t limited_by;         /* RATE: index of the policy that refused */
    bool signed_in;            /* IDENTIFY: `subject` is known */
    struct gh_subject subject; /* IDENTIFY */
    enum gh_credential_found credential_found; /* IDENTIFY */
    enum gh_gate_status credential;            /* IDENTIFY: when it was judged */
    bool wants_second_factor; /* ACCESS: a sign-in that needs one, whatever the account has */
    bool own_authorization;   /* IDENTIFY: the Authorization field is for us, not for the backend */
    struct gh_input *input;   /* INPUT: NULL: nothing is judged */
    struct gh_field extra[GH_EXTRA_FIELDS_MAX]; /* for the answer: RateLimit, Retry-After, ... */
    size_t extra_count;
    enum gh_stage observed[GH_STAGE_COUNT]; /* stages in observe mode that would have refused */
    enum gh_reason observed_reason[GH_STAGE_COUNT];
    size_t observed_count;

    /* -- progress -- */
    enum gh_ask ask;
    size_t ask_body_max;
    bool body_known; /* the shell has got the body: all of it is in `body` */
    struct gh_str body;
    struct gh_limit_ask *limit_ask; /* RATE: a question that no stage has the answer of yet */
    bool limits_known;   /* it was answered, or will not be: limit_ask->decided says so */
    unsigned next_stage; /* index into the list; a resumed run goes on here */
    enum gh_stage stage; /* that decided, or is running */
    struct gh_verdict verdict;
    struct gh_reply reply;
};

/* A WebSocket asked for by HTTP/2 (RFC 8441): whatever answers it with 2xx has begun a tunnel. */
static inline bool gh_request_is_extended_connect(const struct gh_request *request)
{
    return request->head->upgrade_websocket && request->head->version_major == 2;
}

/* Begins: zeroes what the stages write. The facts must be set after it. */
void gh_request_init(struct gh_request *request);

/*
 * Runs the stages of the head until one decides. NEXT: go to request->target. RESPOND:
 * request->reply is ready. DENY is turned into a RESPOND with the problem document and the
 * verdict's reason, so the caller sees NEXT, RESPOND or ASK only.
 */
struct gh_verdict gh_policy_run(struct gh_request *request);

/*
 * The same, telling `step` what each stage decided and why, in words; for `explain`. `why` is
 * borrowed for the call. Set request->dry_run.
 */
typedef void gh_policy_step(void *context, enum gh_stage stage, struct gh_verdict verdict,
                            struct gh_str why);
struct gh_verdict gh_policy_explain(struct gh_request *request, gh_policy_step *step,
                                    void *context);

/*
 * Makes request->reply the problem document for `reason` (the upstream failed, a body grew too
 * large, a head could not be read, ...). Works on a request whose head could not be read at all
 * (head NULL): `detail_status` 0 takes the reason's status.
 */
void gh_policy_refuse(struct gh_request *request, enum gh_stage stage, enum gh_reason reason);

/*
 * The request head for the upstream, complete HTTP/1.1 bytes in the arena: written again from
 * parsed parts, hop-by-hop and forged fields left out, ours added (SPEC stage 15). ptr NULL: the
 * arena is full.
 */
struct gh_str gh_policy_write_upstream_head(const struct gh_request *request);

/*
 * The answer's head: `*out_answer` from request->reply, or from the upstream's head when
 * `upstream` is not NULL, after the response stages (CORS, headers, Vary, scrub). May replace an
 * upstream's answer by a problem document: then *out_replaced is true, request->reply holds it,
 * and the upstream's body must be dropped. False: arena full (answer 500 by hand).
 */
bool gh_policy_answer(struct gh_request *request, struct gh_response_head *upstream,
                      struct gh_answer_head *out_answer, bool *out_replaced);

#endif
