#include "server.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <jansson.h>
#include <microhttpd.h>

#include "page.h"

/* Longer than a proxy in front keeps idle connections (gatehouse: 60 s), so that it is the proxy
   that closes them, and no request meets a connection that is just being closed. */
#define IDLE_SECONDS_MAX    75
#define CONNECTIONS_MAX     1024
#define VOTER_BYTES_MAX     128 /* the same bound stands in schema.sql */
#define DISCARDED_BYTES_MAX (1 << 20)

struct server {
    struct MHD_Daemon *daemon;
    const struct settings *settings;
    struct store intake;
    struct store tally;
    atomic_bool draining;
    atomic_bool intake_failed;
    atomic_bool tally_failed;
    atomic_size_t in_flight;
};

/* One request: the body it has sent so far. */
struct request {
    size_t body_bytes;
    bool is_too_large;
    char body[];
};

struct answer {
    unsigned status;
    const char *media_type;
    const char *body; /* copied */
    size_t body_bytes;
    const char *cache_control;
    const char *allow; /* for 405 */
};

static const char json_media_type[] = "application/json";
static const char problem_media_type[] = "application/problem+json";

/* Once when it fails and once when it is back: an outage does not fill the log. */
static bool note(atomic_bool *failed, const char *what, bool good)
{
    if (atomic_exchange(failed, !good) == good)
        fprintf(stderr, "vote: %s %s\n", what, good ? "is back" : "is away");
    return good;
}

static enum MHD_Result send_answer(const struct server *server, struct MHD_Connection *connection,
                                   struct answer answer)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(
        answer.body_bytes, (void *)(uintptr_t)answer.body, MHD_RESPMEM_MUST_COPY);
    if (!response)
        return MHD_NO;
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, answer.media_type);
    MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL,
                            answer.cache_control ? answer.cache_control : "no-store");
    if (answer.allow)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, answer.allow);
    if (answer.status == MHD_HTTP_SERVICE_UNAVAILABLE)
        MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, "1");
    if (answer.status == MHD_HTTP_UNAUTHORIZED)
        MHD_add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer");
    if (atomic_load(&server->draining))
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    enum MHD_Result queued = MHD_queue_response(connection, answer.status, response);
    MHD_destroy_response(response);
    return queued;
}

static enum MHD_Result send_text(const struct server *server, struct MHD_Connection *connection,
                                 const char *json)
{
    return send_answer(
        server, connection,
        (struct answer){MHD_HTTP_OK, json_media_type, json, strlen(json), .cache_control = NULL});
}

/* A problem document (RFC 9457). Neither text needs escaping: both are ours. */
static enum MHD_Result refuse_allowing(const struct server *server,
                                       struct MHD_Connection *connection, unsigned status,
                                       const char *title, const char *detail, const char *allow)
{
    char body[256];
    int bytes = snprintf(body, sizeof(body),
                         "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%u,"
                         "\"detail\":\"%s\"}",
                         title, status, detail);
    return send_answer(
        server, connection,
        (struct answer){status, problem_media_type, body, (size_t)bytes, .allow = allow});
}

static enum MHD_Result refuse(const struct server *server, struct MHD_Connection *connection,
                              unsigned status, const char *title, const char *detail)
{
    return refuse_allowing(server, connection, status, title, detail, NULL);
}

static enum MHD_Result refuse_method(const struct server *server, struct MHD_Connection *connection,
                                     const char *allow)
{
    return refuse_allowing(server, connection, MHD_HTTP_METHOD_NOT_ALLOWED, "Method not allowed",
                           "The Allow field says which methods are.", allow);
}

/* -- what may be asked -- */

static enum MHD_Result refuse_unavailable(const struct server *server,
                                          struct MHD_Connection *connection)
{
    return refuse(server, connection, MHD_HTTP_SERVICE_UNAVAILABLE, "Service unavailable",
                  "A store that is needed does not answer.");
}

struct field_search {
    const char *name;
    const char *value;
    size_t found;
};

static enum MHD_Result look_at_field(void *context, enum MHD_ValueKind kind, const char *name,
                                     const char *value)
{
    (void)kind;
    struct field_search *search = context;
    if (strcasecmp(name, search->name) == 0) {
        search->value = value;
        search->found++;
    }
    return MHD_YES;
}

/* The value of a field that stands exactly once, else NULL. */
static const char *single_field(struct MHD_Connection *connection, const char *name)
{
    struct field_search search = {.name = name};
    MHD_get_connection_values(connection, MHD_HEADER_KIND, look_at_field, &search);
    return search.found == 1 ? search.value : NULL;
}

static const char *find_voter(const struct server *server, struct MHD_Connection *connection)
{
    const char *voter = single_field(connection, server->settings->identity_header);
    size_t bytes = voter ? strlen(voter) : 0;
    if (bytes == 0 || bytes > VOTER_BYTES_MAX)
        return NULL;
    for (size_t i = 0; i < bytes; i++) {
        if (voter[i] <= ' ' || voter[i] > '~')
            return NULL;
    }
    return voter;
}

static bool is_json(struct MHD_Connection *connection)
{
    const char *type = single_field(connection, MHD_HTTP_HEADER_CONTENT_TYPE);
    size_t bytes = type ? strcspn(type, "; \t") : 0;
    return type && bytes == sizeof(json_media_type) - 1 &&
           strncasecmp(type, json_media_type, bytes) == 0;
}

static enum MHD_Result take_vote(struct server *server, struct MHD_Connection *connection,
                                 const char *option)
{
    const char *voter = NULL;
    if (server->settings->once_per_user) {
        voter = find_voter(server, connection);
        if (!voter)
            return refuse(server, connection, MHD_HTTP_UNAUTHORIZED, "Unauthorized",
                          "Sign in to vote.");
    }
    bool taken = server->intake.calls->cast(server->intake.self, option, voter);
    if (!note(&server->intake_failed, "the store that takes votes", taken))
        return refuse_unavailable(server, connection);
    static const char body[] = "{\"status\":\"accepted\"}";
    return send_answer(server, connection,
                       (struct answer){MHD_HTTP_ACCEPTED, json_media_type, body, sizeof(body) - 1,
                                       .cache_control = NULL});
}

static enum MHD_Result answer_vote(struct server *server, struct MHD_Connection *connection,
                                   const struct request *request)
{
    const char *option = NULL;
    if (request->is_too_large)
        return refuse(server, connection, MHD_HTTP_CONTENT_TOO_LARGE, "Content too large",
                      "A vote is smaller.");
    if (!is_json(connection))
        return refuse(server, connection, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE, "Unsupported media type",
                      "A vote is application/json.");
    switch (ballot_judge(&server->settings->ballot, request->body, request->body_bytes, &option)) {
    case BALLOT_NOT_JSON:
        return refuse(server, connection, MHD_HTTP_BAD_REQUEST, "Bad request",
                      "The body is not valid JSON.");
    case BALLOT_NOT_A_VOTE:
        return refuse(server, connection, MHD_HTTP_UNPROCESSABLE_CONTENT, "Unprocessable content",
                      "A vote is an object with one text, option.");
    case BALLOT_UNKNOWN_OPTION:
        return refuse(server, connection, MHD_HTTP_UNPROCESSABLE_CONTENT, "Unprocessable content",
                      "There is no such option.");
    case BALLOT_VALID:
        break;
    }
    return take_vote(server, connection, option);
}

static enum MHD_Result answer_results(struct server *server, struct MHD_Connection *connection)
{
    const struct ballot *ballot = &server->settings->ballot;
    uint64_t counts[BALLOT_OPTIONS_MAX];
    bool counted = server->tally.calls->count(server->tally.self, ballot, counts);
    if (!note(&server->tally_failed, "the store that counts votes", counted))
        return refuse_unavailable(server, connection);
    json_t *results = json_object();
    for (size_t i = 0; i < ballot->count; i++)
        json_object_set_new(results, ballot->options[i], json_integer((json_int_t)counts[i]));
    json_t *body = json_pack("{s:o}", "results", results);
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    json_decref(body);
    enum MHD_Result result = text ? send_text(server, connection, text) : MHD_NO;
    free(text);
    return result;
}

static bool is_ready(struct server *server)
{
    bool intake = server->intake.calls->is_ready(server->intake.self);
    note(&server->intake_failed, "the store that takes votes", intake);
    if (server->tally.self == server->intake.self)
        return intake;
    bool tally = server->tally.calls->is_ready(server->tally.self);
    note(&server->tally_failed, "the store that counts votes", tally);
    return intake && tally;
}

static enum MHD_Result answer_health(struct server *server, struct MHD_Connection *connection)
{
    if (atomic_load(&server->draining))
        return refuse(server, connection, MHD_HTTP_SERVICE_UNAVAILABLE, "Service unavailable",
                      "The service is ending.");
    if (!is_ready(server))
        return refuse_unavailable(server, connection);
    return send_text(server, connection, "{\"status\":\"ok\"}");
}

static enum MHD_Result answer_alive(struct server *server, struct MHD_Connection *connection)
{
    return send_text(server, connection, "{\"status\":\"ok\"}");
}

static const struct {
    const char *path;
    enum MHD_Result (*answer)(struct server *server, struct MHD_Connection *connection);
} readings[] = {
    {"/results", answer_results},
    {"/health", answer_health},
    {"/readyz", answer_health},
    {"/healthz", answer_alive},
};

static const struct page_file *find_page(const char *path)
{
    for (size_t i = 0; i < page_file_count; i++) {
        if (strcmp(page_files[i].path, path) == 0)
            return &page_files[i];
    }
    return NULL;
}

static enum MHD_Result answer_page(const struct server *server, struct MHD_Connection *connection,
                                   const struct page_file *file)
{
    return send_answer(server, connection,
                       (struct answer){MHD_HTTP_OK, file->media_type, file->bytes, file->size,
                                       .cache_control = "no-cache"});
}

static enum MHD_Result answer_request(struct server *server, struct MHD_Connection *connection,
                                      const char *path, const char *method,
                                      const struct request *request)
{
    bool is_reading =
        strcmp(method, MHD_HTTP_METHOD_GET) == 0 || strcmp(method, MHD_HTTP_METHOD_HEAD) == 0;
    if (strcmp(path, "/vote") == 0) {
        if (strcmp(method, MHD_HTTP_METHOD_POST) != 0)
            return refuse_method(server, connection, "POST");
        return answer_vote(server, connection, request);
    }
    for (size_t i = 0; i < sizeof(readings) / sizeof(readings[0]); i++) {
        if (strcmp(readings[i].path, path) == 0)
            return is_reading ? readings[i].answer(server, connection)
                              : refuse_method(server, connection, "GET, HEAD");
    }
    const struct page_file *file = find_page(path);
    if (file)
        return is_reading ? answer_page(server, connection, file)
                          : refuse_method(server, connection, "GET, HEAD");
    return refuse(server, connection, MHD_HTTP_NOT_FOUND, "Not found", "There is nothing here.");
}

/* -- requests as libmicrohttpd hands them over: head, pieces of the body, end -- */

static bool declares_too_much(const struct server *server, struct MHD_Connection *connection)
{
    const char *length =
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);
    return length && strtoull(length, NULL, 10) > (unsigned)server->settings->body_bytes_max;
}

static enum MHD_Result begin_request(struct server *server, struct MHD_Connection *connection,
                                     void **context)
{
    struct request *request =
        calloc(1, sizeof(*request) + (size_t)server->settings->body_bytes_max);
    if (!request)
        return MHD_NO;
    *context = request;
    atomic_fetch_add(&server->in_flight, 1);
    if (declares_too_much(server, connection)) /* answered before it is sent */
        return refuse(server, connection, MHD_HTTP_CONTENT_TOO_LARGE, "Content too large",
                      "A vote is smaller.");
    return MHD_YES;
}

static enum MHD_Result take_body(const struct server *server, struct request *request,
                                 const char *piece, size_t bytes)
{
    size_t max = (size_t)server->settings->body_bytes_max;
    if (!request->is_too_large && bytes <= max - request->body_bytes) {
        memcpy(request->body + request->body_bytes, piece, bytes);
        request->body_bytes += bytes;
        return MHD_YES;
    }
    /* libmicrohttpd takes an answer only at the end of a chunked body; one that has no end is cut
       off. */
    request->is_too_large = true;
    request->body_bytes += bytes;
    return request->body_bytes <= DISCARDED_BYTES_MAX + max ? MHD_YES : MHD_NO;
}

static enum MHD_Result on_request(void *self, struct MHD_Connection *connection, const char *path,
                                  const char *method, const char *version, const char *piece,
                                  size_t *piece_bytes, void **context)
{
    struct server *server = self;
    (void)version;
    if (!*context)
        return begin_request(server, connection, context);
    if (*piece_bytes > 0) {
        size_t bytes = *piece_bytes;
        *piece_bytes = 0;
        return take_body(server, *context, piece, bytes);
    }
    return answer_request(server, connection, path, method, *context);
}

static void on_completed(void *self, struct MHD_Connection *connection, void **context,
                         enum MHD_RequestTerminationCode code)
{
    struct server *server = self;
    (void)connection, (void)code;
    if (!*context)
        return;
    free(*context);
    *context = NULL;
    atomic_fetch_sub(&server->in_flight, 1);
}

static void drop_message(void *self, const char *format, va_list arguments)
{
    (void)self, (void)format, (void)arguments;
}

struct server *server_start(const struct settings *settings, int listener,
                            const struct store *intake, const struct store *tally)
{
    struct server *server = calloc(1, sizeof(*server));
    if (!server)
        return NULL;
    server->settings = settings;
    server->intake = *intake;
    server->tally = *tally;
    struct MHD_OptionItem options[] = {
        {MHD_OPTION_LISTEN_SOCKET, listener, NULL},
        {MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)on_completed, server},
        {MHD_OPTION_EXTERNAL_LOGGER, (intptr_t)drop_message, NULL},
        {MHD_OPTION_CONNECTION_TIMEOUT, IDLE_SECONDS_MAX, NULL},
        {MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX, NULL},
        {MHD_OPTION_STRICT_FOR_CLIENT, 1, NULL},
        {settings->threads > 1 ? MHD_OPTION_THREAD_POOL_SIZE : MHD_OPTION_END, settings->threads,
         NULL},
        {MHD_OPTION_END, 0, NULL},
    };
    /* Not epoll: there libmicrohttpd 0.9.75 may overlook the end of a client that sent much before
       it, and the request would stay in flight until the time-out. */
    server->daemon =
        MHD_start_daemon(MHD_USE_POLL_INTERNAL_THREAD | MHD_USE_ITC | MHD_USE_ERROR_LOG, 0, NULL,
                         NULL, on_request, server, MHD_OPTION_ARRAY, options, MHD_OPTION_END);
    if (!server->daemon) {
        free(server);
        return NULL;
    }
    return server;
}

/* Those that the kernel has accepted already believe that they are connected, and may have sent
   their request: they are served. Whoever comes later is refused, and can go to another server. */
void server_drain(struct server *server)
{
    int listener = MHD_quiesce_daemon(server->daemon);
    struct sockaddr_storage address;
    socklen_t bytes = sizeof(address);
    int connection;
    while ((connection = accept4(listener, (struct sockaddr *)&address, &bytes,
                                 SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
        MHD_add_connection(server->daemon, connection, (struct sockaddr *)&address, bytes);
        bytes = sizeof(address);
    }
    close(listener);
    /* Only now: who is told that a connection ends comes back on a new one. */
    atomic_store(&server->draining, true);
}

size_t server_in_flight(const struct server *server)
{
    return atomic_load(&server->in_flight);
}

size_t server_connections(const struct server *server)
{
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);
    return info ? info->num_connections : 0;
}

void server_stop(struct server *server)
{
    MHD_stop_daemon(server->daemon);
    free(server);
}
