/* What the files of a stream share. Private to net. */
#ifndef GH_NET_STREAM_STATE_H
#define GH_NET_STREAM_STATE_H

#include "net/stream.h"

struct gh_stream_chunk;
struct gh_loop_tls;

/* Output that the socket has not taken. Exists only meanwhile. */
struct gh_stream_queue {
    struct gh_stream_chunk *first, *last;
    size_t bytes;
};

/* ---- stream.c ---- */
void gh_stream_init(struct gh_stream *stream, struct gh_loop *loop,
                    const struct gh_stream_events *events);
/* Makes `fd` (taken over, non-blocking) the socket of an initialised stream. */
void gh_stream_open_fd(struct gh_stream *stream, int fd);
/* Tells the owner of a failure, once; the former from the loop only, never inside the owner's
   calls, the latter from anywhere. */
void gh_stream_fail_now(struct gh_stream *stream, enum gh_err err);
void gh_stream_fail_later(struct gh_stream *stream, enum gh_err err);
/* Writing has failed. What the peer said before it went (an early answer) is still read; the owner
   hears of the failure when that has ended, or soon when it is not reading. */
void gh_stream_output_failed(struct gh_stream *stream, enum gh_err err);
/* What errno says. */
enum gh_err gh_stream_err_of(int error);
/* Has epoll look for what is wanted now. */
void gh_stream_watch(struct gh_stream *stream);
/* Whether the socket's bytes are wanted, which with TLS is not always what the owner wants. */
void gh_stream_receive(struct gh_stream *stream, bool wanted);
void gh_stream_tell_eof(struct gh_stream *stream);
static inline bool gh_stream_is_dead(const struct gh_stream *stream)
{
    return stream->failed || stream->closing;
}
/* What was lent may have been a password, and the next read may be a shorter one. Longer ones are
   bodies that flow, and wiping those would cost a good part of what moving them does. */
#define GH_STREAM_WIPED_BYTES_MAX (16 * 1024)
static inline void gh_stream_wipe_read(char *bytes, size_t len)
{
    if (len <= GH_STREAM_WIPED_BYTES_MAX)
        explicit_bzero(bytes, len);
}

/* ---- stream_output.c ---- */
void gh_stream_queue_free(struct gh_stream_queue *queue);
/* Sends bytes as they are, queueing what the socket does not take. */
void gh_stream_output(struct gh_stream *stream, const struct gh_str *slices, size_t count);
/* The socket takes bytes: sends what has been queued, and FIN when that is wished. From the loop
   only, since it tells the owner. */
void gh_stream_output_ready(struct gh_stream *stream);
void gh_stream_tell_drained(struct gh_stream *stream);

/* ---- stream_tls.c ---- */
GH_MUST_USE enum gh_err gh_stream_tls_start_client(struct gh_stream *stream,
                                                   struct gh_tls_client *client,
                                                   const char *server_name);
/* The connection stands: the client's first flight. */
void gh_stream_tls_connected(struct gh_stream *stream);
void gh_stream_tls_feed(struct gh_stream *stream, struct gh_str ciphertext);
void gh_stream_tls_eof(struct gh_stream *stream);
/* Goes on with what was left over while the owner paused or the output was full. */
void gh_stream_tls_resume(struct gh_stream *stream);
/* Nothing is read until the output is empty. */
bool gh_stream_tls_is_blocked(const struct gh_stream *stream);
/* The owner's wish to read has changed. */
void gh_stream_tls_update_reading(struct gh_stream *stream);
void gh_stream_tls_write(struct gh_stream *stream, const struct gh_str *slices, size_t count);
void gh_stream_tls_shutdown(struct gh_stream *stream);
void gh_stream_tls_drained(struct gh_stream *stream);
void gh_stream_tls_free(struct gh_stream *stream);
void gh_loop_tls_free(struct gh_loop_tls *tls);

#endif
