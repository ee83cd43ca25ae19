/*
 * TLS of a stream: OpenSSL over a BIO of ours, which reads from the bytes just received and writes
 * to the stream's output. A connection at rest holds the SSL object and no buffers.
 *
 * Callbacks of the owner run while no call of OpenSSL's is under way, and only from the loop. What
 * one operation of OpenSSL's produces is collected and sent at its end in one write.
 */
#include "net/stream_state.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <stdlib.h>

#include "base/assert.h"
#include "net/loop_state.h"
#include "net/tls_state.h"

#define RECORD_BYTES_MAX SSL3_RT_MAX_PLAIN_LENGTH
/* Takes the records of one full read buffer of plaintext. */
#define CIPHER_BYTES (72 * 1024)

/* What all TLS streams of a loop share; in use only during one call. */
struct gh_loop_tls {
    BIO_METHOD *bio;
    size_t cipher_len;
    char plain[GH_STREAM_READ_BYTES]; /* decrypted, lent to on_read */
    char gather[RECORD_BYTES_MAX];    /* small slices on their way into one record */
    char cipher[CIPHER_BYTES];        /* encrypted, not yet sent */
};

struct gh_stream_tls {
    SSL *ssl;
    struct gh_tls_server *server;
    struct gh_tls_client *client;
    struct gh_str in;  /* ciphertext not yet read by OpenSSL, valid during a call or in stash */
    char *stash;       /* `in` copied, while the owner pauses or the output is full */
    const char *error; /* static text */
    int pair;
    bool open;        /* the handshake is done */
    bool busy;        /* inside process() */
    bool blocked;     /* OpenSSL wants to write, and the output is full */
    bool owner_write; /* bytes of the owner are always taken: it was told of the high-water mark */
};

/* ---- The BIO ---- */

static int bio_read(BIO *bio, char *out, size_t size, size_t *out_count)
{
    struct gh_stream_tls *tls = ((struct gh_stream *)BIO_get_data(bio))->tls;
    BIO_clear_retry_flags(bio);
    *out_count = 0;
    if (tls->in.len == 0) {
        BIO_set_retry_read(bio);
        return 0;
    }
    struct gh_str part = gh_str_first(tls->in, size);
    memcpy(out, part.ptr, part.len);
    tls->in = gh_str_skip(tls->in, part.len);
    *out_count = part.len;
    return 1;
}

static void send_cipher(struct gh_stream *stream)
{
    struct gh_loop_tls *shared = stream->loop->tls;
    struct gh_str bytes = {shared->cipher, shared->cipher_len};
    shared->cipher_len = 0;
    gh_stream_output(stream, &bytes, 1);
}

static int bio_write(BIO *bio, const char *data, size_t size, size_t *out_count)
{
    struct gh_stream *stream = BIO_get_data(bio);
    struct gh_loop_tls *shared = stream->loop->tls;
    BIO_clear_retry_flags(bio);
    *out_count = 0;
    /* Answers to a peer that makes us speak (key updates) but does not listen are bounded. */
    if (!stream->tls->owner_write &&
        gh_stream_queued(stream) + shared->cipher_len > GH_STREAM_HIGH_WATER_BYTES) {
        BIO_set_retry_write(bio);
        return 0;
    }
    for (struct gh_str rest = {data, size}; rest.len > 0;) {
        if (shared->cipher_len == CIPHER_BYTES)
            send_cipher(stream);
        struct gh_str part = gh_str_first(rest, CIPHER_BYTES - shared->cipher_len);
        memcpy(shared->cipher + shared->cipher_len, part.ptr, part.len);
        shared->cipher_len += part.len;
        rest = gh_str_skip(rest, part.len);
    }
    *out_count = size;
    return 1;
}

static long bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
    (void)bio, (void)number, (void)pointer;
    return command == BIO_CTRL_FLUSH ? 1 : 0;
}

static struct gh_loop_tls *shared_of(struct gh_loop *loop)
{
    if (loop->tls)
        return loop->tls;
    struct gh_loop_tls *shared = malloc(sizeof *shared);
    BIO_METHOD *bio = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "gatehouse stream");
    if (!shared || !bio || !BIO_meth_set_read_ex(bio, bio_read) ||
        !BIO_meth_set_write_ex(bio, bio_write) || !BIO_meth_set_ctrl(bio, bio_ctrl)) {
        free(shared);
        BIO_meth_free(bio);
        return NULL;
    }
    shared->bio = bio;
    shared->cipher_len = 0;
    loop->tls = shared;
    return shared;
}

void gh_loop_tls_free(struct gh_loop_tls *tls)
{
    if (!tls)
        return;
    BIO_meth_free(tls->bio);
    /* Plaintext of whole requests has been here. */
    OPENSSL_cleanse(tls->plain, sizeof tls->plain);
    OPENSSL_cleanse(tls->gather, sizeof tls->gather);
    free(tls);
}

/* ---- Failing ---- */

/* SSL_get_error wants it empty, as it mostly is; emptying it costs more than looking. */
static void clear_errors(void)
{
    if (ERR_peek_error())
        ERR_clear_error();
}

static void remember_error(struct gh_stream_tls *tls)
{
    long verified = SSL_get_verify_result(tls->ssl);
    unsigned long code = ERR_peek_last_error();
    const char *reason = code ? ERR_reason_error_string(code) : NULL;
    if (tls->client && verified != X509_V_OK)
        reason = X509_verify_cert_error_string(verified);
    tls->error = reason ? reason : "protocol error";
    ERR_clear_error();
}

/* After an operation that did not succeed: whether it will go on later. Sends alerts. */
static bool may_go_on(struct gh_stream *stream, int ssl_error)
{
    struct gh_stream_tls *tls = stream->tls;
    if (ssl_error == SSL_ERROR_WANT_READ || ssl_error == SSL_ERROR_WANT_WRITE) {
        tls->blocked = ssl_error == SSL_ERROR_WANT_WRITE;
        return true;
    }
    remember_error(tls);
    return false;
}

/* ---- Going on with what has been received ---- */

/* True: the handshake is done. */
static bool step_handshake(struct gh_stream *stream)
{
    struct gh_stream_tls *tls = stream->tls;
    clear_errors();
    int result = SSL_do_handshake(tls->ssl);
    bool going = result == 1 || may_go_on(stream, SSL_get_error(tls->ssl, result));
    send_cipher(stream);
    if (!going)
        gh_stream_fail_now(stream, GH_ERR_TLS);
    if (result != 1 || gh_stream_is_dead(stream))
        return false;
    tls->open = true;
    stream->events->on_open(stream);
    return true;
}

/* Decrypts records until the input ends or the buffer could not take a whole one. */
static size_t decrypt(struct gh_stream *stream, int *out_ssl_error)
{
    struct gh_stream_tls *tls = stream->tls;
    struct gh_loop_tls *shared = stream->loop->tls;
    size_t len = 0, count;
    *out_ssl_error = SSL_ERROR_NONE;
    clear_errors();
    while (sizeof shared->plain - len >= RECORD_BYTES_MAX) {
        int result = SSL_read_ex(tls->ssl, shared->plain + len, sizeof shared->plain - len, &count);
        if (result != 1) {
            *out_ssl_error = SSL_get_error(tls->ssl, result);
            break;
        }
        len += count;
        if (tls->in.len == 0 && !SSL_has_pending(tls->ssl)) {
            *out_ssl_error = SSL_ERROR_WANT_READ;
            break;
        }
    }
    return len;
}

/* True: there may be more to read. */
static bool step_read(struct gh_stream *stream)
{
    struct gh_loop_tls *shared = stream->loop->tls;
    int ssl_error;
    size_t len = decrypt(stream, &ssl_error);
    bool going = ssl_error == SSL_ERROR_NONE || ssl_error == SSL_ERROR_ZERO_RETURN ||
                 may_go_on(stream, ssl_error);
    send_cipher(stream);
    if (len > 0 && !gh_stream_is_dead(stream)) {
        stream->bytes_read += len;
        stream->events->on_read(stream, gh_str_of(shared->plain, len));
    }
    gh_stream_wipe_read(shared->plain, len);
    if (gh_stream_is_dead(stream))
        return false;
    if (ssl_error == SSL_ERROR_ZERO_RETURN)
        gh_stream_tell_eof(stream);
    else if (!going)
        gh_stream_fail_now(stream, GH_ERR_TLS);
    return ssl_error == SSL_ERROR_NONE;
}

/* Keeps the ciphertext that nobody wants now; there is no other copy of it. */
static void keep_rest(struct gh_stream *stream)
{
    struct gh_stream_tls *tls = stream->tls;
    bool wanted = tls->in.len > 0 && !gh_stream_is_dead(stream) && !stream->eof;
    char *old = tls->stash;
    if (wanted && old) {
        memmove(old, tls->in.ptr, tls->in.len);
        tls->in.ptr = old;
        return;
    }
    tls->stash = NULL;
    if (wanted) {
        tls->stash = malloc(tls->in.len);
        if (!tls->stash)
            gh_stream_fail_later(stream, GH_ERR_MEMORY);
        else
            memcpy(tls->stash, tls->in.ptr, tls->in.len);
    }
    tls->in = tls->stash ? gh_str_of(tls->stash, tls->in.len) : (struct gh_str){NULL, 0};
    free(old);
}

static bool wants_input(const struct gh_stream *stream)
{
    return !gh_stream_is_dead(stream) && !stream->eof && !stream->tls->blocked &&
           (!stream->tls->open || stream->reading);
}

static void update_receiving(struct gh_stream *stream)
{
    if (!stream->closing)
        gh_stream_receive(stream, wants_input(stream) && !stream->tls->stash);
}

static void process(struct gh_stream *stream)
{
    struct gh_stream_tls *tls = stream->tls;
    GH_ASSERT(!tls->busy && stream->loop->tls->cipher_len == 0);
    tls->busy = true;
    while (wants_input(stream) && (tls->open ? step_read(stream) : step_handshake(stream)))
        ;
    keep_rest(stream);
    tls->busy = false;
    update_receiving(stream);
}

void gh_stream_tls_feed(struct gh_stream *stream, struct gh_str ciphertext)
{
    GH_ASSERT(!stream->tls->stash);
    stream->tls->in = ciphertext;
    process(stream);
}

void gh_stream_tls_eof(struct gh_stream *stream)
{
    stream->receiving = false;
    /* Without close_notify the end may be an attacker's (RFC 8446 section 6.1). */
    if (!stream->eof)
        gh_stream_fail_now(stream, GH_ERR_CLOSED);
}

void gh_stream_tls_resume(struct gh_stream *stream)
{
    stream->tls->blocked = false;
    process(stream);
}

void gh_stream_tls_update_reading(struct gh_stream *stream)
{
    if (stream->tls->busy || !stream->tls->open)
        return;
    if (stream->reading && stream->tls->stash)
        gh_loop_defer(stream->loop, stream);
    else
        update_receiving(stream);
}

bool gh_stream_tls_is_blocked(const struct gh_stream *stream)
{
    return stream->tls->blocked;
}

void gh_stream_tls_drained(struct gh_stream *stream)
{
    if (stream->tls->blocked)
        gh_loop_defer(stream->loop, stream);
}

/* ---- Writing ---- */

static void encrypt(struct gh_stream *stream, struct gh_str bytes)
{
    size_t count;
    if (bytes.len == 0 || stream->failed)
        return;
    clear_errors();
    if (SSL_write_ex(stream->tls->ssl, bytes.ptr, bytes.len, &count) == 1 && count == bytes.len)
        return;
    remember_error(stream->tls);
    gh_stream_fail_later(stream, GH_ERR_TLS);
}

void gh_stream_tls_write(struct gh_stream *stream, const struct gh_str *slices, size_t count)
{
    struct gh_stream_tls *tls = stream->tls;
    struct gh_loop_tls *shared = stream->loop->tls;
    GH_ASSERT(tls->open && shared->cipher_len == 0);
    tls->owner_write = true;
    size_t gathered = 0;
    for (size_t i = 0; i < count; i++) {
        for (struct gh_str rest = slices[i]; rest.len > 0;) {
            struct gh_str part = gh_str_first(rest, RECORD_BYTES_MAX - gathered);
            rest = gh_str_skip(rest, part.len);
            if (part.len == RECORD_BYTES_MAX) {
                encrypt(stream, part);
                continue;
            }
            memcpy(shared->gather + gathered, part.ptr, part.len);
            gathered += part.len;
            if (gathered < RECORD_BYTES_MAX)
                continue;
            encrypt(stream, gh_str_of(shared->gather, gathered));
            gathered = 0;
        }
    }
    encrypt(stream, gh_str_of(shared->gather, gathered));
    tls->owner_write = false;
    send_cipher(stream);
}

void gh_stream_tls_shutdown(struct gh_stream *stream)
{
    struct gh_stream_tls *tls = stream->tls;
    if (!tls->open)
        return;
    tls->owner_write = true;
    ERR_clear_error();
    SSL_shutdown(tls->ssl);
    ERR_clear_error();
    tls->owner_write = false;
    send_cipher(stream);
}

/* ---- Beginning and end ---- */

static struct gh_stream_tls *attach(struct gh_stream *stream)
{
    if (!shared_of(stream->loop))
        return NULL;
    stream->tls = calloc(1, sizeof *stream->tls);
    if (stream->tls)
        stream->tls->pair = -1;
    return stream->tls;
}

/* Gives `ssl` (taken over, may be NULL) its BIO. */
static enum gh_err attach_ssl(struct gh_stream *stream, SSL *ssl)
{
    BIO *bio = ssl ? BIO_new(stream->loop->tls->bio) : NULL;
    stream->tls->ssl = ssl;
    if (!bio) {
        gh_stream_tls_free(stream);
        return GH_ERR_MEMORY;
    }
    BIO_set_data(bio, stream);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl, bio, bio);
    return GH_OK;
}

enum gh_err gh_stream_tls_start_client(struct gh_stream *stream, struct gh_tls_client *client,
                                       const char *server_name)
{
    if (!server_name)
        return GH_ERR_INVALID;
    struct gh_stream_tls *tls = attach(stream);
    if (!tls)
        return GH_ERR_MEMORY;
    tls->client = gh_tls_client_ref(client);
    return attach_ssl(stream, gh_tls_client_connection(client, server_name));
}

void gh_stream_tls_connected(struct gh_stream *stream)
{
    process(stream);
}

enum gh_err gh_stream_start_tls(struct gh_stream *stream, struct gh_tls_server *server,
                                struct gh_str leftover)
{
    GH_ASSERT(!stream->tls && leftover.len <= GH_STREAM_READ_BYTES);
    if (gh_stream_is_dead(stream))
        return GH_ERR_CLOSED;
    gh_stream_read_stop(stream);
    struct gh_stream_tls *tls = attach(stream);
    if (!tls)
        return GH_ERR_MEMORY;
    tls->server = gh_tls_server_ref(server);
    enum gh_err err = attach_ssl(stream, gh_tls_server_connection(server, &tls->pair));
    if (err != GH_OK)
        return err;
    if (leftover.len > 0) {
        tls->in = leftover;
        keep_rest(stream);
        gh_loop_defer(stream->loop, stream);
    }
    update_receiving(stream);
    return GH_OK;
}

void gh_stream_tls_free(struct gh_stream *stream)
{
    struct gh_stream_tls *tls = stream->tls;
    if (!tls)
        return;
    SSL_free(tls->ssl);
    gh_tls_server_unref(tls->server);
    gh_tls_client_unref(tls->client);
    free(tls->stash);
    free(tls);
    stream->tls = NULL;
}

/* ---- Facts ---- */

bool gh_stream_is_tls(const struct gh_stream *stream)
{
    return stream->tls != NULL;
}

const char *gh_stream_tls_error(const struct gh_stream *stream)
{
    return stream->tls && stream->tls->error ? stream->tls->error : "";
}

struct gh_str gh_stream_alpn(const struct gh_stream *stream)
{
    const unsigned char *name = NULL;
    unsigned len = 0;
    if (stream->tls)
        SSL_get0_alpn_selected(stream->tls->ssl, &name, &len);
    return name ? gh_str_of((const char *)name, len) : GH_STR("");
}

struct gh_str gh_stream_sni(const struct gh_stream *stream)
{
    if (!stream->tls)
        return GH_STR("");
    return gh_str_from_c(SSL_get_servername(stream->tls->ssl, TLSEXT_NAMETYPE_host_name));
}

int gh_stream_tls_pair(const struct gh_stream *stream)
{
    return stream->tls ? stream->tls->pair : -1;
}

const struct gh_tls_server *gh_stream_tls_server(const struct gh_stream *stream)
{
    return stream->tls ? stream->tls->server : NULL;
}
