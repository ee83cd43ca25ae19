/*
 * Field lines (RFC 9110 section 5) and the names we know. A known name gets an id when its line is
 * read, so that a stage finds "origin" with one array access instead of comparing strings.
 */
#ifndef GH_HTTP_FIELD_H
#define GH_HTTP_FIELD_H

#include "base/str.h"

/*
 * Every field name that some code asks for by id: X(enumerator, "lower-case name").
 * Sorted by name. Add a line and it is known everywhere.
 */
#define GH_FIELD_NAMES(X)                                                                          \
    X(ACCEPT, "accept")                                                                            \
    X(ACCESS_CONTROL_ALLOW_CREDENTIALS, "access-control-allow-credentials")                        \
    X(ACCESS_CONTROL_ALLOW_HEADERS, "access-control-allow-headers")                                \
    X(ACCESS_CONTROL_ALLOW_METHODS, "access-control-allow-methods")                                \
    X(ACCESS_CONTROL_ALLOW_ORIGIN, "access-control-allow-origin")                                  \
    X(ACCESS_CONTROL_ALLOW_PRIVATE_NETWORK, "access-control-allow-private-network")                \
    X(ACCESS_CONTROL_EXPOSE_HEADERS, "access-control-expose-headers")                              \
    X(ACCESS_CONTROL_MAX_AGE, "access-control-max-age")                                            \
    X(ACCESS_CONTROL_REQUEST_HEADERS, "access-control-request-headers")                            \
    X(ACCESS_CONTROL_REQUEST_METHOD, "access-control-request-method")                              \
    X(AUTHORIZATION, "authorization")                                                              \
    X(CACHE_CONTROL, "cache-control")                                                              \
    X(CF_CONNECTING_IP, "cf-connecting-ip")                                                        \
    X(CONNECTION, "connection")                                                                    \
    X(CONTENT_ENCODING, "content-encoding")                                                        \
    X(CONTENT_LENGTH, "content-length")                                                            \
    X(CONTENT_TYPE, "content-type")                                                                \
    X(COOKIE, "cookie")                                                                            \
    X(DATE, "date")                                                                                \
    X(EXPECT, "expect")                                                                            \
    X(FORWARDED, "forwarded")                                                                      \
    X(HOST, "host")                                                                                \
    X(HTTP2_SETTINGS, "http2-settings")                                                            \
    X(KEEP_ALIVE, "keep-alive")                                                                    \
    X(LOCATION, "location")                                                                        \
    X(ORIGIN, "origin")                                                                            \
    X(PROXY, "proxy")                                                                              \
    X(PROXY_AUTHENTICATE, "proxy-authenticate")                                                    \
    X(PROXY_AUTHORIZATION, "proxy-authorization")                                                  \
    X(PROXY_CONNECTION, "proxy-connection")                                                        \
    X(RETRY_AFTER, "retry-after")                                                                  \
    X(SEC_FETCH_DEST, "sec-fetch-dest")                                                            \
    X(SEC_FETCH_MODE, "sec-fetch-mode")                                                            \
    X(SEC_FETCH_SITE, "sec-fetch-site")                                                            \
    X(SEC_WEBSOCKET_ACCEPT, "sec-websocket-accept")                                                \
    X(SEC_WEBSOCKET_EXTENSIONS, "sec-websocket-extensions")                                        \
    X(SEC_WEBSOCKET_KEY, "sec-websocket-key")                                                      \
    X(SEC_WEBSOCKET_PROTOCOL, "sec-websocket-protocol")                                            \
    X(SEC_WEBSOCKET_VERSION, "sec-websocket-version")                                              \
    X(SERVER, "server")                                                                            \
    X(SET_COOKIE, "set-cookie")                                                                    \
    X(TE, "te")                                                                                    \
    X(TRACEPARENT, "traceparent")                                                                  \
    X(TRACESTATE, "tracestate")                                                                    \
    X(TRAILER, "trailer")                                                                          \
    X(TRANSFER_ENCODING, "transfer-encoding")                                                      \
    X(TRUE_CLIENT_IP, "true-client-ip")                                                            \
    X(UPGRADE, "upgrade")                                                                          \
    X(VARY, "vary")                                                                                \
    X(X_CLIENT_IP, "x-client-ip")                                                                  \
    X(X_FORWARDED_FOR, "x-forwarded-for")                                                          \
    X(X_FORWARDED_HOST, "x-forwarded-host")                                                        \
    X(X_FORWARDED_PROTO, "x-forwarded-proto")                                                      \
    X(X_HTTP_METHOD, "x-http-method")                                                              \
    X(X_HTTP_METHOD_OVERRIDE, "x-http-method-override")                                            \
    X(X_METHOD_OVERRIDE, "x-method-override")                                                      \
    X(X_ORIGINAL_URL, "x-original-url")                                                            \
    X(X_REAL_IP, "x-real-ip")                                                                      \
    X(X_REQUEST_ID, "x-request-id")                                                                \
    X(X_REWRITE_URL, "x-rewrite-url")

enum gh_field_id {
    GH_FIELD_OTHER,
#define X(id, name) GH_FIELD_##id,
    GH_FIELD_NAMES(X)
#undef X
        GH_FIELD_ID_COUNT
};

/* The id of a name in any case, GH_FIELD_OTHER for one we do not know. A few nanoseconds whatever
   the name: one byte made of it is compared with those of all known names at once. */
enum gh_field_id gh_field_id_of(struct gh_str name);
/* The lower-case name of an id; empty for GH_FIELD_OTHER. */
struct gh_str gh_field_name(enum gh_field_id id);

struct gh_field {
    struct gh_str name;  /* as received */
    struct gh_str value; /* without OWS around it */
    enum gh_field_id id;
    bool dropped; /* a stage took it out: it is not forwarded and `find` does not see it */
};

/* Most field lines a message may have, whatever `limits.header_count` says. */
#define GH_FIELDS_MAX 250

/* The field lines of one message in the order received. */
struct gh_fields {
    struct gh_field *items; /* borrowed, `cap` long */
    size_t count, cap;
    /* 1 + index of the first line with that id; 0: none. */
    uint8_t first[GH_FIELD_ID_COUNT];
};

/* `items` must hold `cap` entries and outlive `fields`; cap is at most GH_FIELDS_MAX. */
void gh_fields_init(struct gh_fields *fields, struct gh_field *items, size_t cap);
/* False when it is full. */
bool gh_fields_add(struct gh_fields *fields, struct gh_str name, struct gh_str value);
/* The first line with that id that is not dropped, or NULL. */
struct gh_field *gh_fields_find(const struct gh_fields *fields, enum gh_field_id id);
/* The next line after `previous` with its id, or NULL. */
struct gh_field *gh_fields_find_next(const struct gh_fields *fields,
                                     const struct gh_field *previous);
/* The value of the first line with that id; ptr == NULL when there is none. */
struct gh_str gh_fields_value(const struct gh_fields *fields, enum gh_field_id id);
/* Marks all lines with that id as dropped. */
void gh_fields_drop(struct gh_fields *fields, enum gh_field_id id);

/* RFC 9110 section 5.6.2. */
bool gh_is_token(struct gh_str s);
/* One byte of a token. */
bool gh_is_token_char(char c);

#endif
