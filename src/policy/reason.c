#include "policy/reason.h"

#include "base/assert.h"
#include "http/target.h"

static const struct gh_reason_facts FACTS[GH_REASON_COUNT] = {
#define X(id, word, status, event, type, detail)                                                   \
    [GH_REASON_##id] = {GH_STR_INIT(word), status, GH_AUDIT_##event, GH_STR_INIT(type),            \
                        GH_STR_INIT(detail)},
    GH_REASONS(X)
#undef X
};

const struct gh_reason_facts *gh_reason_facts(enum gh_reason reason)
{
    GH_ASSERT((unsigned)reason < GH_REASON_COUNT);
    return &FACTS[reason];
}

enum gh_reason gh_reason_of_http_error(enum gh_http_error error)
{
    switch (error) {
    case GH_HTTP_ERROR_MALFORMED:
        return GH_REASON_MALFORMED;
    case GH_HTTP_ERROR_FRAMING:
        return GH_REASON_FRAMING;
    case GH_HTTP_ERROR_HOST:
        return GH_REASON_HOST_MALFORMED;
    case GH_HTTP_ERROR_TARGET:
        return GH_REASON_TARGET_MALFORMED;
    case GH_HTTP_ERROR_TARGET_TOO_LONG:
        return GH_REASON_TARGET_TOO_LONG;
    case GH_HTTP_ERROR_HEAD_TOO_LARGE:
        return GH_REASON_HEAD_TOO_LARGE;
    case GH_HTTP_ERROR_TOO_MANY_FIELDS:
        return GH_REASON_TOO_MANY_FIELDS;
    case GH_HTTP_ERROR_UNKNOWN_CODING:
        return GH_REASON_UNKNOWN_CODING;
    case GH_HTTP_ERROR_VERSION:
        return GH_REASON_VERSION;
    case GH_HTTP_ERROR_METHOD:
        return GH_REASON_METHOD_REFUSED;
    case GH_HTTP_ERROR_EXPECTATION:
        return GH_REASON_EXPECTATION;
    case GH_HTTP_ERROR_CHUNK:
        return GH_REASON_CHUNK;
    case GH_HTTP_ERROR_MEMORY:
        return GH_REASON_OVERLOADED;
    case GH_HTTP_ERROR_NONE:
        break;
    }
    return GH_REASON_UNDECIDED;
}

enum gh_reason gh_reason_of_path(int path_status)
{
    switch ((enum gh_path_status)path_status) {
    case GH_PATH_REFUSED:
        return GH_REASON_PATH_REFUSED;
    case GH_PATH_ABOVE_ROOT:
        return GH_REASON_PATH_ABOVE_ROOT;
    case GH_PATH_NUL:
        return GH_REASON_PATH_NUL;
    case GH_PATH_BACKSLASH:
        return GH_REASON_PATH_BACKSLASH;
    case GH_PATH_BAD_UTF8:
        return GH_REASON_PATH_BAD_UTF8;
    case GH_PATH_TOO_LONG:
        return GH_REASON_TARGET_TOO_LONG;
    case GH_PATH_OK:
        break;
    }
    return GH_REASON_UNDECIDED;
}
