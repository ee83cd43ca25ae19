/*
 * An exchange: one request and its answer, between a codec and a target. It knows neither sockets
 * nor HTTP versions: towards the client it speaks to a codec and a small port, towards the backend
 * to an upstream call.
 *
 * Its state is a pair: how far the request has come in, and how far the answer has gone out. Each
 * half moves forward only.
 *
 *     request   READING -> COMPLETE            the whole request is here
 *                       -> DROPPED             the rest is read and thrown away by the codec
 *     answer    NONE -> HELD -> STREAMING -> DONE
 *                 HELD: the upstream's head is known, not yet written (its first body bytes may
 *                 come in the same turn and leave with it)
 *               any -> FAILED                  broken off; the stream must not look complete
 *
 * Between the two it may be parked: until the whole body is here because a stage asked for it
 * (body_asked), until a question about shared limits is answered (limits_asked), or until the
 * identity service has answered (service).
 */
#ifndef GH_GATEWAY_EXCHANGE_H
#define GH_GATEWAY_EXCHANGE_H

#include "gateway/held_body.h"
#include "gateway/pace.h"
#include "gateway/worker.h"
#include "http/h1_codec.h"
#include "policy/route.h"
#include "policy/service_call.h"
#include "upstream/upstream.h"

struct gh_answer_copy;
struct gh_service_job;
struct gh_service_left;

/* Memory of one request at the most: head, held body, the upstream's head, the answer's head. A
   body that a stage asks for, and the answer of a service, come on top. */
#define GH_EXCHANGE_ARENA_BYTES_MAX (2u * 1024 * 1024)
#define GH_EXCHANGE_ARENA_BLOCK     (12u * 1024)
/* Body bytes kept until the upstream takes them; a body that is complete by then is sent with its
   head in one write, with a Content-Length, and can be sent again. */
#define GH_EXCHANGE_HELD_BYTES_MAX (GH_H1_UNPAID_BYTES_MAX + GH_STREAM_READ_BYTES)

enum gh_request_half { GH_REQUEST_READING, GH_REQUEST_COMPLETE, GH_REQUEST_DROPPED };

enum gh_answer_half {
    GH_ANSWER_NONE,
    GH_ANSWER_HELD,
    GH_ANSWER_STREAMING,
    GH_ANSWER_DONE,
    GH_ANSWER_FAILED,
};

/* What an exchange asks of the connection it runs on. */
struct gh_exchange_port {
    /* Body bytes were paid back to the codec: it may want input again. */
    void (*input_wanted)(void *owner, struct gh_exchange *exchange);
    /* True: what was written to the client piles up; stop until gh_exchange_client_drained. */
    bool (*is_full)(const void *owner, const struct gh_exchange *exchange);
    /* Calls gh_exchange_turn(exchange) at the end of this turn of the loop. */
    void (*want_turn)(void *owner, struct gh_exchange *exchange);
    /* The answer was a 101: from now on bytes pass through raw. */
    void (*tunnel_begin)(void *owner, struct gh_exchange *exchange);
    void (*tunnel_write)(void *owner, struct gh_exchange *exchange, struct gh_str bytes);
    /* The upstream's side of the tunnel has ended. */
    void (*tunnel_end)(void *owner, struct gh_exchange *exchange);
};

struct gh_exchange {
    struct gh_exchange *next, *prev; /* of its connection; `next` also in the worker's free list */
    struct gh_worker *worker;
    struct gh_pin *pin;
    struct gh_codec *codec;
    gh_stream_id stream;
    const struct gh_exchange_port *port;
    void *owner; /* of the port */
    const struct gh_peer *peer;

    struct gh_arena arena;
    enum gh_request_half request_half;
    enum gh_answer_half answer_half;

    struct gh_upstream_call call;
    bool call_active;   /* started and not over */
    bool call_ready;    /* takes body bytes */
    bool call_paused;   /* the client is slower than the upstream */
    bool body_asked;    /* a stage waits for the whole body */
    bool limits_asked;  /* a stage waits for what others know of a limit */
    bool parked_end;    /* the request was complete before that was answered */
    bool start_wanted;  /* the call starts at the end of this turn, or when the body is complete */
    bool continue_owed; /* the client waits for "100 Continue" */
    bool tunnel;
    bool close_after;     /* the connection must end after this answer */
    bool session_revoked; /* while it was being answered: session_watch.c ended it */
    bool turn_wanted;
    bool ended;    /* over; its memory goes back when nobody works with it any more */
    unsigned busy; /* calls of ours that are under way */
    struct gh_held_body held;
    struct gh_held_body parked; /* of the body, while limits_asked */
    size_t unpaid; /* body bytes given to the call and not yet paid back to the codec */
    struct gh_service_job *service;       /* on its way; NULL: none */
    struct gh_service_left *service_left; /* the connection's, which counts what is left of it */

    size_t input_charged; /* bytes of the budget of bodies, for judging one as it comes */
    bool input_counted;   /* among those of its client */
    struct gh_answer_copy *answer_copy; /* of an answer that is observed; NULL: it is not */
    struct gh_answer_head answer;
    unsigned status;       /* 0: no answer was written */
    enum gh_reason reason; /* UNDECIDED: the upstream's answer went out as it was */
    enum gh_stage stage;
    uint64_t body_bytes_in, body_bytes_out;
    uint64_t started_us;

    /* The connection's, which looks after the client's pace. */
    struct gh_exchange *turn_next; /* of those of HTTP/2 with turn_wanted */
    bool client_counted;           /* among the connections of its client */
    struct gh_body_pace body_pace;
    struct gh_output_pace output_pace;
    uint64_t tunnel_bytes, tunnel_looked_ms; /* passed through at the last look, and when */
    bool discard_checked;                    /* the rest of an unwanted body was waited for once */

    struct gh_request request; /* last: gh_request_init clears it, the pool what stands before */
};

/* Takes an exchange from the worker's pool; NULL without memory. */
struct gh_exchange *gh_exchange_begin(struct gh_worker *worker, struct gh_codec *codec,
                                      gh_stream_id stream, const struct gh_exchange_port *port,
                                      void *owner, const struct gh_peer *peer);

/* The codec's events, in the order of codec.h. */
void gh_exchange_head(struct gh_exchange *exchange, struct gh_request_head *head);
/* In place of gh_exchange_head: there is no room for the request, 503. */
void gh_exchange_turn_away(struct gh_exchange *exchange, struct gh_request_head *head);
void gh_exchange_body(struct gh_exchange *exchange, struct gh_str bytes);
void gh_exchange_body_end(struct gh_exchange *exchange);
void gh_exchange_read_error(struct gh_exchange *exchange, enum gh_http_error error);

/* The identity service has answered; `reply` is borrowed. */
void gh_exchange_service_done(struct gh_exchange *exchange, const struct gh_reply *reply);

/* What was put off to the end of the turn: starting the call, writing a held head. */
void gh_exchange_turn(struct gh_exchange *exchange);
/* The client takes output again. */
void gh_exchange_client_drained(struct gh_exchange *exchange);
/* Raw bytes from the client after 101. False: stop reading until port->input_wanted. */
bool gh_exchange_tunnel_in(struct gh_exchange *exchange, struct gh_str bytes);

/*
 * The gateway answers for `reason` (a timeout, draining, ...) if nothing was written yet, else the
 * answer is broken off. The connection ends after it.
 */
void gh_exchange_refuse(struct gh_exchange *exchange, enum gh_stage stage, enum gh_reason reason);
/* The same with 503, come back in a second: a bounded queue or budget of ours is full. */
void gh_exchange_refuse_for_now(struct gh_exchange *exchange);

/*
 * Ends the exchange: the call is aborted if it still runs, the log line and counters are written,
 * the memory goes back to the pool. `client_gone`: the connection died under it.
 */
void gh_exchange_end(struct gh_exchange *exchange, bool client_gone);
#endif
