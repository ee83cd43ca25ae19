#include "base/err.h"

const char *gh_err_text(enum gh_err err)
{
    switch (err) {
    case GH_OK:
        return "success";
    case GH_ERR_MEMORY:
        return "out of memory";
    case GH_ERR_FULL:
        return "no room left";
    case GH_ERR_IO:
        return "input/output error";
    case GH_ERR_REFUSED:
        return "connection refused";
    case GH_ERR_TIMEOUT:
        return "timed out";
    case GH_ERR_CLOSED:
        return "closed";
    case GH_ERR_TLS:
        return "TLS failure";
    case GH_ERR_NOT_FOUND:
        return "not found";
    case GH_ERR_INVALID:
        return "invalid";
    case GH_ERR_EXISTS:
        return "exists already";
    case GH_ERR_DENIED:
        return "permission denied";
    case GH_ERR_THREAD:
        return "no thread can be started: look at the limits of processes and memory (ulimit -u, "
               "TasksMax, pids.max)";
    }
    return "unknown error";
}
