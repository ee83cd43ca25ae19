#include "gateway/builtin_target.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/assert.h"
#include "gateway/refusal.h"

/* A key authorisation (RFC 8555 section 8.1) is under 150 bytes; more is no challenge file. */
#define ACME_FILE_BYTES_MAX 4096

static void reply(struct gh_request *request, unsigned status, struct gh_str content_type,
                  struct gh_str body)
{
    struct gh_reply *out = &request->reply;
    out->status = status;
    out->field_count = 0;
    out->body = body;
    if (body.len) {
        out->fields[out->field_count++] = (struct gh_field){
            .name = GH_STR("Content-Type"), .value = content_type, .id = GH_FIELD_CONTENT_TYPE};
    }
}

static void reply_json(struct gh_request *request, unsigned status, struct gh_str body)
{
    reply(request, status, GH_STR("application/json"), body);
}

static void answer_readyz(struct gh_worker *worker, struct gh_request *request)
{
    if (worker->draining)
        reply_json(request, 503, GH_STR("{\"status\":\"draining\"}\n"));
    else if (!gh_snapshot_is_ready(worker->pin->snapshot))
        reply_json(request, 503, GH_STR("{\"status\":\"no upstream server is up\"}\n"));
    else
        reply_json(request, 200, GH_STR("{\"status\":\"ready\"}\n"));
}

static void answer_metrics(struct gh_worker *worker, struct gh_request *request)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    if (out) {
        gh_metrics_write(worker->shared->metrics, out);
        fclose(out);
    }
    struct gh_str body = {NULL, 0};
    if (text)
        body = gh_arena_dup(request->arena, gh_str_of(text, len));
    free(text);
    if (!body.ptr) {
        gh_policy_refuse(request, GH_STAGE_HANDOVER, GH_REASON_OVERLOADED);
        return;
    }
    reply(request, 200, GH_STR("text/plain; version=0.0.4; charset=utf-8"), body);
}

/* Reads a small file without following a link; a challenge directory holds plain files only. The
   read is of a page or less, from a local directory that the operator named. */
static struct gh_str read_challenge(int directory, const char *name, struct gh_arena *arena)
{
    struct gh_str text = {NULL, 0};
    struct stat facts;
    int fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return text;
    if (fstat(fd, &facts) == 0 && S_ISREG(facts.st_mode) && facts.st_size <= ACME_FILE_BYTES_MAX) {
        char *memory = gh_arena_alloc(arena, ACME_FILE_BYTES_MAX);
        ssize_t len = memory ? read(fd, memory, ACME_FILE_BYTES_MAX) : -1;
        if (len > 0)
            text = gh_str_of(memory, (size_t)len);
    }
    close(fd);
    return text;
}

static void answer_acme(struct gh_request *request)
{
    struct gh_str path = gh_arena_dup(request->arena, gh_policy_acme_directory(request->policy));
    struct gh_str name = gh_arena_dup(request->arena, request->acme_token);
    struct gh_str text = {NULL, 0};
    if (path.ptr && name.ptr) {
        int directory = open(path.ptr, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (directory >= 0) {
            text = read_challenge(directory, name.ptr, request->arena);
            close(directory);
        }
    }
    if (text.ptr)
        reply(request, 200, GH_STR("application/octet-stream"), text);
    else
        gh_policy_refuse(request, GH_STAGE_HANDOVER, GH_REASON_NO_ROUTE);
}

void gh_builtin_target_answer(struct gh_worker *worker, struct gh_request *request)
{
    switch (request->target) {
    case GH_TARGET_HEALTHZ:
        reply_json(request, 200, GH_STR("{\"status\":\"ok\"}\n"));
        return;
    case GH_TARGET_READYZ:
        answer_readyz(worker, request);
        return;
    case GH_TARGET_CSP_REPORT:
        /* Whatever was sent: a browser does nothing with another answer, an attacker would. */
        gh_metric_add(worker->shared->metrics, worker->index, worker->shared->counters.csp_reports,
                      1);
        gh_refusal_note_report(worker, request);
        reply(request, 204, GH_STR(""), GH_STR(""));
        return;
    case GH_TARGET_ACME:
        answer_acme(request);
        return;
    case GH_TARGET_METRICS:
        answer_metrics(worker, request);
        return;
    case GH_TARGET_NONE:
    case GH_TARGET_UPSTREAM:
    case GH_TARGET_SERVICE:
        break;
    }
    GH_ASSERT(!"a target that is built in");
}
