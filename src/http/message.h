/*
 * The message model: what a codec makes of bytes, whatever the HTTP version, and what everything
 * behind the codec works on. Slices borrow the memory that the codec was given for the message.
 */
#ifndef GH_HTTP_MESSAGE_H
#define GH_HTTP_MESSAGE_H

#include "http/field.h"

enum gh_method {
    GH_METHOD_OTHER, /* a token we have no name for; see method_text */
    GH_METHOD_GET,
    GH_METHOD_HEAD,
    GH_METHOD_POST,
    GH_METHOD_PUT,
    GH_METHOD_PATCH,
    GH_METHOD_DELETE,
    GH_METHOD_OPTIONS,
    GH_METHOD_TRACE,
    GH_METHOD_CONNECT,
    GH_METHOD_COUNT
};

/* Methods are case-sensitive (RFC 9110 section 9.1). */
enum gh_method gh_method_of(struct gh_str text);
struct gh_str gh_method_name(enum gh_method method);
/* Safe methods: GET, HEAD, OPTIONS, TRACE (RFC 9110 section 9.2.1). */
bool gh_method_is_safe(enum gh_method method);
/* Idempotent: the safe ones, PUT, DELETE (RFC 9110 section 9.2.2). */
bool gh_method_is_idempotent(enum gh_method method);

/* How long a message body is (RFC 9112 section 6). */
enum gh_body_kind {
    GH_BODY_NONE,
    GH_BODY_LENGTH, /* content_length bytes, may be 0 */
    GH_BODY_CHUNKED,
    GH_BODY_CLOSE, /* responses only: up to the end of the connection */
};

struct gh_request_head {
    enum gh_method method;
    struct gh_str method_text;
    struct gh_str target;    /* as received */
    struct gh_str path;      /* raw path of the target, "*" for OPTIONS * */
    struct gh_str query;     /* raw, without '?'; ptr == NULL when there is no '?' */
    struct gh_str authority; /* of an absolute-form target or :authority, else of Host */
    bool absolute_form;
    uint8_t version_major, version_minor;
    struct gh_fields fields;
    enum gh_body_kind body;
    uint64_t content_length;
    bool keep_alive;        /* the client lets the connection go on */
    bool expect_continue;   /* "Expect: 100-continue" on HTTP/1.1 with a body */
    bool upgrade_websocket; /* Connection: Upgrade with exactly Upgrade: websocket */
};

struct gh_response_head {
    unsigned status; /* 100 to 599 */
    uint8_t version_minor;
    struct gh_fields fields;
    enum gh_body_kind body;
    uint64_t content_length;
    bool keep_alive; /* the server lets the connection go on */
};

/* The reason phrase that we send for a status; "" for one we do not know. */
struct gh_str gh_status_text(unsigned status);

#endif
