/* What the files of HTTP/2 on a connection share; nobody else includes it. */
#ifndef GH_GATEWAY_CONNECTION_H2_H
#define GH_GATEWAY_CONNECTION_H2_H

#include "gateway/connection.h"
#include "gateway/service.h"
#include "gateway/stream_table.h"
#include "http/h2_codec.h"

/* How far the connection is on its way to its end (RFC 9113 section 6.8). */
enum gh_h2_farewell {
    GH_H2_STAYS,
    GH_H2_SAID_SOON, /* GOAWAY that takes what is on its way */
    GH_H2_SAID_NOW,  /* GOAWAY with the last stream taken: it closes after the last answer */
};

/* On the heap, beside a connection that speaks HTTP/2. */
struct gh_connection_h2 {
    struct gh_codec *codec;
    void *slot; /* of the worker's: the codec lies in it */
    struct gh_stream_table streams;
    struct gh_exchange *turns;    /* with something to do at the end of this turn */
    struct gh_exchange *head;     /* whose head is being read: one at a time, section 4.3 */
    struct gh_service_left *left; /* calls of streams that are over */
    struct gh_link_pace link_pace;
    bool is_one_client;  /* not a proxy, which speaks for many */
    size_t kept_counted; /* bytes of answers that are kept, as counted for the client */
    unsigned begun;      /* requests in this turn of the loop */
    bool body_seen;      /* the last slice had body bytes in it */
    bool greeted;        /* its SETTINGS were here at the last look */
    uint64_t idle_since_ms;
    enum gh_h2_farewell farewell;
    uint64_t farewell_ms; /* when it began */
    uint64_t renewal_ms;  /* when it is to begin for a reload; 0: there was none */
    enum gh_h2_failure failure;
};

/* True: the moment has come to end for a reload, and the end has begun. */
bool gh_connection_h2_see_to_renewal(struct gh_connection *connection);
/* One step further to the end. */
void gh_connection_h2_say_farewell(struct gh_connection *connection);
/* What follows from what the codec did: the end, perhaps. */
void gh_connection_h2_see_to_end(struct gh_connection *connection);

/* connection_h2_deadline.c */
void gh_connection_h2_on_deadline(struct gh_connection *connection);
/* An idle one is looked at when its renewal is due. */
void gh_connection_h2_watch_renewal(struct gh_connection *connection);
/* No stream is open any more, or none was yet: from now on it is waited for one. */
void gh_connection_h2_begin_idle(struct gh_connection *connection);
/* What has come may change for how long. */
void gh_connection_h2_watch_idle(struct gh_connection *connection);

#endif
