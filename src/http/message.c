#include "http/message.h"

#include "base/assert.h"

static const struct gh_str METHODS[GH_METHOD_COUNT] = {
    [GH_METHOD_OTHER] = GH_STR_INIT(""),        [GH_METHOD_GET] = GH_STR_INIT("GET"),
    [GH_METHOD_HEAD] = GH_STR_INIT("HEAD"),     [GH_METHOD_POST] = GH_STR_INIT("POST"),
    [GH_METHOD_PUT] = GH_STR_INIT("PUT"),       [GH_METHOD_PATCH] = GH_STR_INIT("PATCH"),
    [GH_METHOD_DELETE] = GH_STR_INIT("DELETE"), [GH_METHOD_OPTIONS] = GH_STR_INIT("OPTIONS"),
    [GH_METHOD_TRACE] = GH_STR_INIT("TRACE"),   [GH_METHOD_CONNECT] = GH_STR_INIT("CONNECT"),
};

enum gh_method gh_method_of(struct gh_str text)
{
    for (int method = GH_METHOD_GET; method < GH_METHOD_COUNT; method++) {
        if (gh_str_eq(text, METHODS[method]))
            return (enum gh_method)method;
    }
    return GH_METHOD_OTHER;
}

struct gh_str gh_method_name(enum gh_method method)
{
    GH_ASSERT((unsigned)method < GH_METHOD_COUNT);
    return METHODS[method];
}

bool gh_method_is_safe(enum gh_method method)
{
    switch (method) {
    case GH_METHOD_GET:
    case GH_METHOD_HEAD:
    case GH_METHOD_OPTIONS:
    case GH_METHOD_TRACE:
        return true;
    case GH_METHOD_OTHER:
    case GH_METHOD_POST:
    case GH_METHOD_PUT:
    case GH_METHOD_PATCH:
    case GH_METHOD_DELETE:
    case GH_METHOD_CONNECT:
    case GH_METHOD_COUNT:
        return false;
    }
    return false;
}

bool gh_method_is_idempotent(enum gh_method method)
{
    return gh_method_is_safe(method) || method == GH_METHOD_PUT || method == GH_METHOD_DELETE;
}

/* The IANA registry's phrases (RFC 9110 section 15, RFC 6585, RFC 7725, RFC 8297). */
#define STATUS_TEXTS(X)                                                                            \
    X(100, "Continue")                                                                             \
    X(101, "Switching Protocols")                                                                  \
    X(103, "Early Hints")                                                                          \
    X(200, "OK")                                                                                   \
    X(201, "Created")                                                                              \
    X(202, "Accepted")                                                                             \
    X(203, "Non-Authoritative Information")                                                        \
    X(204, "No Content")                                                                           \
    X(205, "Reset Content")                                                                        \
    X(206, "Partial Content")                                                                      \
    X(207, "Multi-Status")                                                                         \
    X(208, "Already Reported")                                                                     \
    X(226, "IM Used")                                                                              \
    X(300, "Multiple Choices")                                                                     \
    X(301, "Moved Permanently")                                                                    \
    X(302, "Found")                                                                                \
    X(303, "See Other")                                                                            \
    X(304, "Not Modified")                                                                         \
    X(305, "Use Proxy")                                                                            \
    X(307, "Temporary Redirect")                                                                   \
    X(308, "Permanent Redirect")                                                                   \
    X(400, "Bad Request")                                                                          \
    X(401, "Unauthorized")                                                                         \
    X(402, "Payment Required")                                                                     \
    X(403, "Forbidden")                                                                            \
    X(404, "Not Found")                                                                            \
    X(405, "Method Not Allowed")                                                                   \
    X(406, "Not Acceptable")                                                                       \
    X(407, "Proxy Authentication Required")                                                        \
    X(408, "Request Timeout")                                                                      \
    X(409, "Conflict")                                                                             \
    X(410, "Gone")                                                                                 \
    X(411, "Length Required")                                                                      \
    X(412, "Precondition Failed")                                                                  \
    X(413, "Content Too Large")                                                                    \
    X(414, "URI Too Long")                                                                         \
    X(415, "Unsupported Media Type")                                                               \
    X(416, "Range Not Satisfiable")                                                                \
    X(417, "Expectation Failed")                                                                   \
    X(421, "Misdirected Request")                                                                  \
    X(422, "Unprocessable Content")                                                                \
    X(423, "Locked")                                                                               \
    X(424, "Failed Dependency")                                                                    \
    X(425, "Too Early")                                                                            \
    X(426, "Upgrade Required")                                                                     \
    X(428, "Precondition Required")                                                                \
    X(429, "Too Many Requests")                                                                    \
    X(431, "Request Header Fields Too Large")                                                      \
    X(451, "Unavailable For Legal Reasons")                                                        \
    X(500, "Internal Server Error")                                                                \
    X(501, "Not Implemented")                                                                      \
    X(502, "Bad Gateway")                                                                          \
    X(503, "Service Unavailable")                                                                  \
    X(504, "Gateway Timeout")                                                                      \
    X(505, "HTTP Version Not Supported")                                                           \
    X(506, "Variant Also Negotiates")                                                              \
    X(507, "Insufficient Storage")                                                                 \
    X(508, "Loop Detected")                                                                        \
    X(511, "Network Authentication Required")

struct gh_str gh_status_text(unsigned status)
{
    switch (status) {
#define X(code, text)                                                                              \
    case code:                                                                                     \
        return GH_STR(text);
        STATUS_TEXTS(X)
#undef X
    default:
        return GH_STR("");
    }
}
