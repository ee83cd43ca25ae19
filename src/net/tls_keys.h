/*
 * The private keys of TLS in a process of their own, so that a hole in what reads the network can't
 * read them: the keeper's side, which has the keys and signs by them, and the side of everybody
 * else, who has handles. Making the process and its rights is the caller's (see
 * docs/decisions/0018-keys-in-a-process-of-their-own.md).
 *
 * All sockets are SOCK_SEQPACKET pairs.
 */
#ifndef GH_NET_TLS_KEYS_H
#define GH_NET_TLS_KEYS_H

#include "base/arena.h"
#include "base/err.h"

/* Threads that shake hands at the same time, at most. */
#define GH_TLS_CHANNELS_MAX 128

/* ---- The keeper ---- */

struct gh_tls_keeper_options {
    int control;
    const int *channels; /* one for each thread of the other side; a thread here for each, from the
                            end of the start on */
    size_t channel_count;
    /* Beside those of the pairs that are read at the start, in which later ones may be. */
    const struct gh_str *directories;
    size_t directory_count;
    /* Gives up what the start needed, when the other side says that it is over. There are no
       threads yet. NULL: nothing to give up. */
    bool (*confine)(void *context);
    /* Then, in each thread: one that signs, and needs no files, or the one that reads them. */
    bool (*confine_thread)(void *context, bool signs);
    void *context;
};
/*
 * Reads keys and signs until the other side is gone, and wipes the keys. False: it could not begin,
 * or was told nonsense, or could not give up its rights. Sockets stay the caller's.
 */
bool gh_tls_keeper_run(const struct gh_tls_keeper_options *options);
/* Memory for `pair_count` keys and their successors that is locked and apart from the rest. Once,
   before the keeper, in a process of its own. */
void gh_tls_keeper_reserve(size_t pair_count, size_t channel_count);

/* ---- The others ---- */

/* The connection to a keeper; reference-counted. Loading and sealing is one thread's. */
struct gh_tls_keys;

/* Takes over the sockets, also when it fails. A thread that shakes hands for the first time takes a
   channel, and gives it back when it ends; handshakes of one thread too many fail. */
GH_MUST_USE enum gh_err gh_tls_keys_open(int control, const int *channels, size_t channel_count,
                                         struct gh_tls_keys **out_keys);
struct gh_tls_keys *gh_tls_keys_ref(struct gh_tls_keys *keys);
void gh_tls_keys_unref(struct gh_tls_keys *keys);
/* The start is over: the keeper gives up its rights. On failure *out_message says why. */
GH_MUST_USE enum gh_err gh_tls_keys_seal(struct gh_tls_keys *keys, struct gh_arena *arena,
                                         struct gh_str *out_message);

#endif
