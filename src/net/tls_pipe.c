#include "net/tls_pipe.h"

#include <errno.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/loop.h"
#include "net/tls_state.h"

/* So often a wait looks whether it is to stop. */
#define SLICE_MS 200
/* What one record of TLS holds. */
#define READ_BYTES 16384

struct gh_tls_pipe {
    struct gh_tls_pipe_options options;
    uint64_t end_ms;
    int fd;
    SSL *ssl;
};

/* ---- Waiting ---- */

static uint64_t min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* GH_OK: there is time left. */
static enum gh_err look_at_time(const struct gh_tls_pipe *pipe, uint64_t now_ms, uint64_t end_ms)
{
    if (pipe->options.stop && atomic_load(pipe->options.stop))
        return GH_ERR_CLOSED;
    return now_ms < end_ms ? GH_OK : GH_ERR_TIMEOUT;
}

static enum gh_err wait_for(const struct gh_tls_pipe *pipe, short events)
{
    uint64_t end_ms = min_u64(pipe->end_ms, gh_monotonic_now_ms() + pipe->options.idle_ms);
    struct pollfd wanted = {.fd = pipe->fd, .events = events};
    for (;;) {
        uint64_t now_ms = gh_monotonic_now_ms();
        enum gh_err err = look_at_time(pipe, now_ms, end_ms);
        if (err != GH_OK)
            return err;
        int ready = poll(&wanted, 1, (int)min_u64(SLICE_MS, end_ms - now_ms));
        if (ready > 0)
            return GH_OK;
        if (ready < 0 && errno != EINTR)
            return GH_ERR_IO;
    }
}

/* ---- Why it failed ---- */

static enum gh_err explain(enum gh_err err, const char *what, const char *why,
                           struct gh_arena *arena, struct gh_str *out_detail)
{
    *out_detail = gh_arena_format(arena, "%s: %s", what, why);
    return err;
}

static enum gh_err explain_wait(enum gh_err err, const char *what, struct gh_arena *arena,
                                struct gh_str *out_detail)
{
    return explain(err, what, err == GH_ERR_IO ? strerror(errno) : gh_err_text(err), arena,
                   out_detail);
}

/* Who waits is told GH_OK when it is to go on. `result` is what the call of OpenSSL returned, with
   the error queue emptied before it. */
static enum gh_err after(struct gh_tls_pipe *pipe, int result, const char *what,
                         struct gh_arena *arena, struct gh_str *out_detail)
{
    int number = errno, kind = SSL_get_error(pipe->ssl, result);
    if (kind == SSL_ERROR_WANT_READ || kind == SSL_ERROR_WANT_WRITE) {
        enum gh_err err = wait_for(pipe, kind == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT);
        return err == GH_OK ? err : explain_wait(err, what, arena, out_detail);
    }
    if (kind == SSL_ERROR_SYSCALL)
        return explain(GH_ERR_IO, what, number ? strerror(number) : "the connection ended", arena,
                       out_detail);
    if (kind == SSL_ERROR_ZERO_RETURN)
        return explain(GH_ERR_IO, what, "the peer ended the connection", arena, out_detail);
    long verdict = SSL_get_verify_result(pipe->ssl);
    const char *reason = gh_tls_last_error();
    return explain(GH_ERR_TLS, what,
                   verdict == X509_V_OK ? reason : X509_verify_cert_error_string(verdict), arena,
                   out_detail);
}

static void begin_call(void)
{
    ERR_clear_error();
    errno = 0;
}

/* ---- Opening ---- */

/* One address. A number of errno, 0: connected; `out_err` is for what is none. */
static int dial(struct gh_tls_pipe *pipe, const struct addrinfo *at, enum gh_err *out_err)
{
    int number = 0;
    socklen_t len = sizeof(number);
    *out_err = GH_OK;
    pipe->fd = socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (pipe->fd < 0)
        return errno;
    if (connect(pipe->fd, at->ai_addr, at->ai_addrlen) != 0) {
        number = errno;
        if (number == EINPROGRESS) {
            *out_err = wait_for(pipe, POLLOUT);
            if (*out_err != GH_OK)
                number = ETIMEDOUT;
            else if (getsockopt(pipe->fd, SOL_SOCKET, SO_ERROR, &number, &len) != 0)
                number = errno;
        }
    }
    if (number) {
        close(pipe->fd);
        pipe->fd = -1;
    }
    return number;
}

static enum gh_err connect_to(struct gh_tls_pipe *pipe, struct gh_arena *arena,
                              struct gh_str *out_detail)
{
    char port[8];
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
    snprintf(port, sizeof(port), "%u", pipe->options.port);
    int failure = getaddrinfo(pipe->options.host, port, &hints, &found);
    if (failure)
        return explain(GH_ERR_IO, "look-up", gai_strerror(failure), arena, out_detail);
    enum gh_err err = GH_OK;
    int number = EHOSTUNREACH;
    for (const struct addrinfo *at = found; at && number && err != GH_ERR_CLOSED; at = at->ai_next)
        number = dial(pipe, at, &err);
    freeaddrinfo(found);
    if (!number)
        return GH_OK;
    if (err == GH_OK)
        return explain(GH_ERR_IO, "connect", strerror(number), arena, out_detail);
    return explain_wait(err, "connect", arena, out_detail);
}

static enum gh_err shake_hands(struct gh_tls_pipe *pipe, struct gh_arena *arena,
                               struct gh_str *out_detail)
{
    struct gh_tls_client *client;
    enum gh_err err = gh_tls_client_open(pipe->options.ca_path, arena, &client, out_detail);
    if (err != GH_OK)
        return err;
    pipe->ssl = gh_tls_client_connection(client, pipe->options.host);
    gh_tls_client_unref(client); /* the connection holds what it needs */
    /* This is no HTTP: a server that knows ALPN would refuse us. It says 0 for success. */
    if (!pipe->ssl || SSL_set_alpn_protos(pipe->ssl, NULL, 0) != 0 ||
        SSL_set_fd(pipe->ssl, pipe->fd) != 1)
        return explain(GH_ERR_INVALID, "TLS", "that host can't be asked for", arena, out_detail);
    while (err == GH_OK) {
        begin_call();
        int result = SSL_connect(pipe->ssl);
        if (result == 1)
            break;
        err = after(pipe, result, "TLS", arena, out_detail);
    }
    return err;
}

enum gh_err gh_tls_pipe_open(const struct gh_tls_pipe_options *options, struct gh_arena *arena,
                             struct gh_tls_pipe **out_pipe, struct gh_str *out_detail)
{
    struct gh_tls_pipe *pipe = calloc(1, sizeof(*pipe));
    if (!pipe)
        return explain(GH_ERR_MEMORY, "open", gh_err_text(GH_ERR_MEMORY), arena, out_detail);
    pipe->options = *options;
    pipe->end_ms = gh_monotonic_now_ms() + options->timeout_ms;
    pipe->fd = -1;
    enum gh_err err = connect_to(pipe, arena, out_detail);
    if (err == GH_OK)
        err = shake_hands(pipe, arena, out_detail);
    if (err == GH_OK)
        *out_pipe = pipe;
    else
        gh_tls_pipe_close(pipe);
    return err;
}

/* ---- Bytes ---- */

enum gh_err gh_tls_pipe_send(struct gh_tls_pipe *pipe, struct gh_str bytes, struct gh_arena *arena,
                             struct gh_str *out_detail)
{
    enum gh_err err = GH_OK;
    while (bytes.len && err == GH_OK) {
        size_t sent = 0;
        begin_call();
        int result = SSL_write_ex(pipe->ssl, bytes.ptr, bytes.len, &sent);
        if (result != 1)
            err = after(pipe, result, "send", arena, out_detail);
        bytes = gh_str_skip(bytes, sent);
    }
    return err;
}

/* The connection ended behind what we said, without a word of TLS. */
static bool is_plain_end(const struct gh_tls_pipe *pipe, int result)
{
    return SSL_get_error(pipe->ssl, result) == SSL_ERROR_SSL &&
           ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
}

static enum gh_err await_end(struct gh_tls_pipe *pipe, struct gh_arena *arena,
                             struct gh_str *out_detail)
{
    char unwanted[READ_BYTES];
    enum gh_err err = GH_OK;
    while (err == GH_OK) {
        begin_call();
        int result = SSL_read(pipe->ssl, unwanted, sizeof(unwanted));
        if (result > 0) { /* it may talk, but not for ever */
            err = look_at_time(pipe, gh_monotonic_now_ms(), pipe->end_ms);
            if (err != GH_OK)
                return explain_wait(err, "end", arena, out_detail);
            continue;
        }
        if (SSL_get_error(pipe->ssl, result) == SSL_ERROR_ZERO_RETURN || is_plain_end(pipe, result))
            return GH_OK;
        err = after(pipe, result, "end", arena, out_detail);
    }
    return err;
}

enum gh_err gh_tls_pipe_finish(struct gh_tls_pipe *pipe, struct gh_arena *arena,
                               struct gh_str *out_detail)
{
    enum gh_err err = GH_OK;
    while (err == GH_OK) {
        begin_call();
        int result = SSL_shutdown(pipe->ssl);
        if (result >= 0)
            break;
        err = after(pipe, result, "end", arena, out_detail);
    }
    if (err != GH_OK)
        return err;
    /* Some look at the end of the connection alone. */
    if (shutdown(pipe->fd, SHUT_WR) != 0)
        return explain(GH_ERR_IO, "end", strerror(errno), arena, out_detail);
    return await_end(pipe, arena, out_detail);
}

void gh_tls_pipe_close(struct gh_tls_pipe *pipe)
{
    if (!pipe)
        return;
    SSL_free(pipe->ssl);
    if (pipe->fd >= 0)
        close(pipe->fd);
    ERR_clear_error();
    free(pipe);
}
