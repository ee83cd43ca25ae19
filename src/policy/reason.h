/*
 * Why a request was answered by the gateway itself. One reason, from one table, gives the status,
 * the problem type, title and detail, the metric label, the log's word and the audit event.
 */
#ifndef GH_POLICY_REASON_H
#define GH_POLICY_REASON_H

#include "audit/event.h"
#include "http/codec.h"

/* A refusal that the audit log does not record: what went wrong behind us, redirects, busy times.
 */
#define GH_AUDIT_NOTHING GH_AUDIT_EVENT_COUNT

/* X(enumerator, "log and metric word", status, audit event, "problem type or empty", "detail") */
#define GH_REASONS(X)                                                                              \
    X(UNDECIDED, "undecided", 500, NOTHING, "", "The request could not be handled.")               \
    X(MALFORMED, "malformed", 400, REQUEST_REJECTED, "", "The request is not well-formed HTTP.")   \
    X(FRAMING, "framing", 400, REQUEST_REJECTED, "",                                               \
      "The length of the request body is ambiguous or malformed.")                                 \
    X(HOST_MALFORMED, "host_malformed", 400, HOST_REJECTED, "", "Invalid host header")             \
    X(TARGET_MALFORMED, "target_malformed", 400, REQUEST_REJECTED, "",                             \
      "The request target is not well-formed.")                                                    \
    X(TARGET_TOO_LONG, "target_too_long", 414, REQUEST_REJECTED, "",                               \
      "The request target is too long.")                                                           \
    X(HEAD_TOO_LARGE, "head_too_large", 431, REQUEST_REJECTED, "",                                 \
      "The request header fields are too large.")                                                  \
    X(TOO_MANY_FIELDS, "too_many_fields", 431, REQUEST_REJECTED, "",                               \
      "The request has too many header fields.")                                                   \
    X(UNKNOWN_CODING, "unknown_coding", 501, REQUEST_REJECTED, "",                                 \
      "This transfer coding is not supported.")                                                    \
    X(VERSION, "version", 505, REQUEST_REJECTED, "", "This HTTP version is not supported here.")   \
    X(METHOD_REFUSED, "method_refused", 405, REQUEST_REJECTED, "",                                 \
      "This method is never allowed here.")                                                        \
    X(EXPECTATION, "expectation", 417, REQUEST_REJECTED, "",                                       \
      "Only the expectation 100-continue is supported.")                                           \
    X(CHUNK, "chunk", 400, REQUEST_REJECTED, "", "The chunked request body is not well-formed.")   \
    X(HEAD_TIMEOUT, "head_timeout", 408, REQUEST_REJECTED, "",                                     \
      "The request head did not arrive in time.")                                                  \
    X(BODY_TIMEOUT, "body_timeout", 408, REQUEST_REJECTED, "",                                     \
      "The request body did not arrive in time.")                                                  \
    X(PATH_REFUSED, "path_refused", 400, REQUEST_REJECTED, "",                                     \
      "The request path is not acceptable.")                                                       \
    X(PATH_ABOVE_ROOT, "path_above_root", 400, REQUEST_REJECTED, "",                               \
      "The request path leaves the root.")                                                         \
    X(PATH_NUL, "path_nul", 400, REQUEST_REJECTED, "", "The request path is not acceptable.")      \
    X(PATH_BACKSLASH, "path_backslash", 400, REQUEST_REJECTED, "",                                 \
      "The request path is not acceptable.")                                                       \
    X(PATH_BAD_UTF8, "path_bad_utf8", 400, REQUEST_REJECTED, "",                                   \
      "The request path is not valid UTF-8.")                                                      \
    X(PATH_ENCODED_SLASH, "path_encoded_slash", 400, REQUEST_REJECTED, "",                         \
      "An encoded slash is not allowed in this path.")                                             \
    X(PATH_ENCODED_PERCENT, "path_encoded_percent", 400, REQUEST_REJECTED, "",                     \
      "An encoded percent sign is not allowed in this path.")                                      \
    X(PATH_SEMICOLON, "path_semicolon", 400, REQUEST_REJECTED, "",                                 \
      "A semicolon is not allowed in this path.")                                                  \
    X(HOST_UNKNOWN, "host_unknown", 400, HOST_REJECTED, "", "Invalid host header")                 \
    X(HOST_MISDIRECTED, "host_misdirected", 421, HOST_REJECTED, "",                                \
      "This connection is not for that host. Open a new one.")                                     \
    X(HTTPS_REDIRECT, "https_redirect", 308, NOTHING, "", "Use HTTPS.")                            \
    X(HTTPS_REQUIRED, "https_required", 403, REQUEST_REJECTED, "", "Use HTTPS.")                   \
    X(CANONICAL_REDIRECT, "canonical_redirect", 308, NOTHING, "", "Use the public URL.")           \
    X(NO_ROUTE, "no_route", 404, REQUEST_REJECTED, "", "There is nothing here.")                   \
    X(METHOD_NOT_ALLOWED, "method_not_allowed", 405, REQUEST_REJECTED, "",                         \
      "This method is not allowed here.")                                                          \
    X(PREFLIGHT, "preflight", 204, NOTHING, "", "")                                                \
    X(PREFLIGHT_REFUSED, "preflight_refused", 403, ORIGIN_REJECTED, "",                            \
      "This origin may not make this request.")                                                    \
    X(BODY_TOO_LARGE, "body_too_large", 413, REQUEST_REJECTED, "",                                 \
      "The request body is too large.")                                                            \
    X(RATE_LIMITED, "rate_limited", 429, RATE_LIMITED,                                             \
      "https://iana.org/assignments/http-problem-types#quota-exceeded", "Rate limit exceeded")     \
    X(CROSS_SITE, "cross_site", 403, ORIGIN_REJECTED, "",                                          \
      "This request may not come from another site.")                                              \
    X(NOT_SIGNED_IN, "not_signed_in", 401, ACCESS_DENIED, "", "Sign in, then try again.")          \
    X(CREDENTIAL_REFUSED, "credential_refused", 401, ACCESS_DENIED, "",                            \
      "The access token is not valid. Sign in again.")                                             \
    X(CREDENTIAL_EXPIRED, "credential_expired", 401, ACCESS_DENIED, "",                            \
      "The access token has expired. Refresh it, or sign in again.")                               \
    X(CREDENTIAL_REVOKED, "credential_revoked", 401, ACCESS_DENIED, "",                            \
      "The session has ended. Sign in again.")                                                     \
    X(CREDENTIAL_AMBIGUOUS, "credential_ambiguous", 400, ACCESS_DENIED, "",                        \
      "The request carries several credentials. Send one: the session's cookie once, or one "      \
      "bearer token.")                                                                             \
    X(CREDENTIAL_BUDGET, "credential_budget", 429, RATE_LIMITED, "",                               \
      "Too many invalid access tokens came from this address. Try again in a minute.")             \
    X(IDENTITY_UNAVAILABLE, "identity_unavailable", 503, NOTHING, "",                              \
      "Sessions can't be checked right now. Try again shortly.")                                   \
    X(LOGIN_REDIRECT, "login_redirect", 303, NOTHING, "", "Sign in.")                              \
    X(ENROL_FIRST, "enrol_first", 403, ACCESS_DENIED, "urn:gatehouse:problem:enrol-second-factor", \
      "Set up a second factor first: nothing else is allowed until then.")                         \
    X(ROLE_MISSING, "role_missing", 403, ACCESS_DENIED, "",                                        \
      "Your account does not have the role for this.")                                             \
    X(NOT_OWNER, "not_owner", 403, ACCESS_DENIED, "",                                              \
      "You can do this with what is your own only.")                                               \
    X(NO_ACCOUNT_HERE, "no_account_here", 403, ACCESS_DENIED, "",                                  \
      "Your account is not kept here.")                                                            \
    X(TWO_FACTOR_NEEDED, "two_factor_needed", 403, ACCESS_DENIED,                                  \
      "urn:gatehouse:problem:second-factor-needed",                                                \
      "This needs a session with a second factor. Sign in again with a code.")                     \
    X(FRESH_NEEDED, "fresh_needed", 403, ACCESS_DENIED, "urn:gatehouse:problem:confirm-identity",  \
      "Confirm that it is you: give the password or a code again, then repeat this.")              \
    X(ANOMALY_BLOCK, "anomaly_block", 403, ACCESS_DENIED,                                          \
      "urn:gatehouse:problem:blocked-for-a-time",                                                  \
      "Something unusual was seen from here. Try again later.")                                    \
    X(ANOMALY_SLOW, "anomaly_slow", 429, RATE_LIMITED, "",                                         \
      "Something unusual was seen from here. Send fewer requests.")                                \
    X(CONTENT_TYPE, "content_type", 415, REQUEST_REJECTED, "",                                     \
      "Send the body as application/json, not encoded.")                                           \
    X(BODY_UNREADABLE, "body_unreadable", 400, REQUEST_REJECTED, "",                               \
      "The request body can't be read in one way only. Name each field once, in valid JSON or "    \
      "form encoding.")                                                                            \
    X(HEADER_REPEATED, "header_repeated", 400, REQUEST_REJECTED, "",                               \
      "Send the header that this limit counts by once.")                                           \
    X(INPUT_PATH, "input_path", 404, INPUT_REJECTED, "", "There is nothing here.")                 \
    X(INPUT_METHOD, "input_method", 405, INPUT_REJECTED, "", "This method is not allowed here.")   \
    X(INPUT_CONTENT_TYPE, "input_content_type", 415, INPUT_REJECTED, "",                           \
      "The body must have a media type that is declared for this request, and no coding.")         \
    X(INPUT_QUERY, "input_query", 422, INPUT_REJECTED, "",                                         \
      "The query has names that are not declared.")                                                \
    X(INPUT_INVALID, "input_invalid", 422, INPUT_REJECTED, "urn:gatehouse:problem:invalid-input",  \
      "The request does not match what is declared.")                                              \
    X(AUTHZ_PEER, "authz_peer", 403, ACCESS_DENIED, "",                                            \
      "Decisions are not given to this address.")                                                  \
    X(AUTHZ_FACTS, "authz_facts", 403, ACCESS_DENIED, "",                                          \
      "The proxy in front did not say in one clear way which request it asks about.")              \
    X(BUILT_IN, "built_in", 200, NOTHING, "", "")                                                  \
    X(UPSTREAM_BAD_RESPONSE, "upstream_bad_response", 502, NOTHING, "",                            \
      "The service behind the gateway gave no valid answer. Try again later.")                     \
    X(UPSTREAM_UNREACHABLE, "upstream_unreachable", 502, NOTHING, "",                              \
      "The service behind the gateway can't be reached. Try again later.")                         \
    X(UPSTREAM_UNAVAILABLE, "upstream_unavailable", 503, NOTHING, "",                              \
      "The service is not available right now. Try again later.")                                  \
    X(UPSTREAM_TIMEOUT, "upstream_timeout", 504, NOTHING, "",                                      \
      "The service behind the gateway did not answer in time.")                                    \
    X(UPSTREAM_CUT, "upstream_cut", 502, NOTHING, "", "")                                          \
    X(UPSTREAM_ERROR_SCRUBBED, "upstream_error", 500, NOTHING, "",                                 \
      "The service met an error. Quote the request id when you report it.")                        \
    X(OVERLOADED, "overloaded", 503, NOTHING,                                                      \
      "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity",                \
      "The gateway is busy. Try again shortly.")                                                   \
    X(CLIENT_GONE, "client_gone", 499, NOTHING, "", "")                                            \
    X(HTTP2_ERROR, "http2_error", 499, NOTHING, "", "")

enum gh_reason {
#define X(id, word, status, event, type, detail) GH_REASON_##id,
    GH_REASONS(X)
#undef X
        GH_REASON_COUNT
};

struct gh_reason_facts {
    struct gh_str word;
    unsigned status;
    enum gh_audit_event event; /* GH_AUDIT_NOTHING: none */
    struct gh_str problem_type;
    struct gh_str detail;
};

const struct gh_reason_facts *gh_reason_facts(enum gh_reason reason);
enum gh_reason gh_reason_of_http_error(enum gh_http_error error);
enum gh_reason gh_reason_of_path(int path_status);

#endif
