/* The handles of keys that a keeper has: see tls_keys.h. */
#include "net/tls_keys.h"

#include <errno.h>
#include <openssl/err.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/assert.h"
#include "net/tls_keys_state.h"

/* A signature takes a millisecond or ten; the loop that asks for it stands still meanwhile. */
#define SIGN_SECONDS 3
/* Files may be on something slow. */
#define CONTROL_SECONDS 15

struct channel {
    int fd;
    atomic_bool taken;
    uint32_t sequence; /* of the last request */
    bool owed;         /* its answer did not come in time: nothing is asked until it is there */
    struct gh_tls_sign_answer answer;
};

struct gh_tls_keys {
    atomic_uint references;
    struct gh_tls_library library;
    pthread_key_t current; /* the calling thread's channel */
    int control;
    pthread_mutex_t lock;            /* of the next one */
    struct gh_tls_remote_key *freed; /* found no room in `control`: told before the next request */
    bool sealed;                     /* the start is over */
    bool broken; /* nobody knows any more what the next packet of `control` belongs to */
    size_t channel_count;
    struct channel channels[];
};

/* ---- Packets ---- */

static bool send_packet(int fd, const void *bytes, size_t len)
{
    ssize_t sent;
    do
        sent = send(fd, bytes, len, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent == (ssize_t)len;
}

/* A whole packet; empty: none came. One that is longer than `size` is shown as longer. */
static struct gh_str receive_packet(int fd, char *bytes, size_t size, int flags)
{
    ssize_t count;
    do
        count = recv(fd, bytes, size, flags | MSG_TRUNC);
    while (count < 0 && errno == EINTR);
    return gh_str_of(bytes, count > 0 && (size_t)count <= size ? (size_t)count : 0);
}

static void set_deadline(int fd, time_t seconds)
{
    struct timeval limit = {.tv_sec = seconds};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

/* ---- Opening ---- */

static void give_back(void *channel)
{
    atomic_store(&((struct channel *)channel)->taken, false);
}

static void close_all(int control, const int *channels, size_t channel_count)
{
    close(control);
    for (size_t i = 0; i < channel_count; i++)
        close(channels[i]);
}

enum gh_err gh_tls_keys_open(int control, const int *channels, size_t channel_count,
                             struct gh_tls_keys **out_keys)
{
    GH_ASSERT(channel_count > 0 && channel_count <= GH_TLS_CHANNELS_MAX);
    struct gh_tls_keys *keys = calloc(1, sizeof *keys + channel_count * sizeof keys->channels[0]);
    bool open = keys && gh_tls_library_open(&keys->library);
    if (!open || pthread_key_create(&keys->current, give_back) != 0) {
        if (open)
            gh_tls_library_close(&keys->library);
        free(keys);
        close_all(control, channels, channel_count);
        return GH_ERR_MEMORY;
    }
    atomic_init(&keys->references, 1);
    pthread_mutex_init(&keys->lock, NULL);
    keys->control = control;
    set_deadline(control, CONTROL_SECONDS);
    keys->channel_count = channel_count;
    for (size_t i = 0; i < channel_count; i++) {
        keys->channels[i].fd = channels[i];
        atomic_init(&keys->channels[i].taken, false);
        set_deadline(channels[i], SIGN_SECONDS);
    }
    *out_keys = keys;
    return GH_OK;
}

static struct gh_tls_remote_key *take_freed(struct gh_tls_keys *keys)
{
    pthread_mutex_lock(&keys->lock);
    struct gh_tls_remote_key *freed = keys->freed;
    keys->freed = NULL;
    pthread_mutex_unlock(&keys->lock);
    return freed;
}

static void forget_freed(struct gh_tls_remote_key *freed)
{
    while (freed) {
        struct gh_tls_remote_key *next = freed->next;
        free(freed);
        freed = next;
    }
}

struct gh_tls_keys *gh_tls_keys_ref(struct gh_tls_keys *keys)
{
    atomic_fetch_add(&keys->references, 1);
    return keys;
}

void gh_tls_keys_unref(struct gh_tls_keys *keys)
{
    if (!keys || atomic_fetch_sub(&keys->references, 1) != 1)
        return;
    forget_freed(take_freed(keys));
    pthread_mutex_destroy(&keys->lock);
    pthread_key_delete(keys->current);
    close(keys->control);
    for (size_t i = 0; i < keys->channel_count; i++)
        close(keys->channels[i].fd);
    gh_tls_library_close(&keys->library);
    free(keys);
}

OSSL_LIB_CTX *gh_tls_keys_library(const struct gh_tls_keys *keys)
{
    return keys->library.context;
}

/* ---- The control channel ---- */

static struct gh_tls_control_head order_to_drop(const struct gh_tls_remote_key *key)
{
    return (struct gh_tls_control_head){.kind = GH_TLS_CONTROL_DROP, .key = key->id};
}

/* What could not be told at once, waiting for room. */
static bool tell_freed(struct gh_tls_keys *keys)
{
    struct gh_tls_remote_key *freed = take_freed(keys);
    bool told = true;
    for (const struct gh_tls_remote_key *key = freed; key && told; key = key->next) {
        struct gh_tls_control_head head = order_to_drop(key);
        told = send_packet(keys->control, &head, sizeof head);
    }
    forget_freed(freed);
    return told;
}

/* The body that was announced, by malloc; NULL: it did not come. */
static char *receive_body(struct gh_tls_keys *keys, uint32_t len)
{
    char *body = malloc((size_t)len + 1);
    for (size_t have = 0; body && have < len;) {
        struct gh_str piece = receive_packet(keys->control, body + have, len - have, 0);
        if (piece.len == 0) {
            free(body);
            return NULL;
        }
        have += piece.len;
    }
    return body;
}

/* Asks, and waits for the answer; its body by malloc. False: *out_message says that none came. */
static bool ask(struct gh_tls_keys *keys, const void *request, size_t len,
                struct gh_tls_control_answer *out_answer, char **out_body,
                struct gh_str *out_message)
{
    char bytes[sizeof *out_answer];
    *out_body = NULL;
    if (!keys->broken && tell_freed(keys) && send_packet(keys->control, request, len) &&
        gh_tls_control_answer_read(receive_packet(keys->control, bytes, sizeof bytes, 0),
                                   out_answer))
        *out_body = receive_body(keys, out_answer->body_len);
    if (*out_body)
        return true;
    keys->broken = true;
    *out_message = keys->sealed
                       ? GH_STR("the process that keeps the TLS keys does not answer; this "
                                "needs a restart")
                       : GH_STR("the process that keeps the TLS keys does not answer");
    return false;
}

bool gh_tls_certificates_read(OSSL_LIB_CTX *library, struct gh_str body,
                              struct gh_tls_credential *credential)
{
    const unsigned char *at = (const unsigned char *)body.ptr, *end = at + body.len;
    for (size_t i = 0; at < end; i++) {
        X509 *certificate = i <= GH_TLS_CHAIN_MAX ? X509_new_ex(library, NULL) : NULL;
        if (!certificate || !d2i_X509(&certificate, &at, end - at)) {
            X509_free(certificate);
            ERR_clear_error();
            return false;
        }
        if (i == 0)
            credential->leaf = certificate;
        else
            credential->chain[credential->chain_count++] = certificate;
    }
    return credential->leaf != NULL;
}

/* The key of the leaf, whose private half is `id`'s. */
static EVP_PKEY *remote_key(struct gh_tls_keys *keys, struct gh_tls_key_id id, X509 *leaf)
{
    struct gh_tls_remote_key *key = calloc(1, sizeof *key);
    if (!key)
        return NULL;
    key->keys = keys;
    key->id = id;
    key->public = X509_get_pubkey(leaf);
    key->kind = key->public ? gh_tls_key_kind_of(key->public) : GH_TLS_KEY_NONE;
    return gh_tls_remote_key_wrap(keys->library.context, key);
}

static bool take_answer(struct gh_tls_keys *keys, const struct gh_tls_control_answer *answer,
                        struct gh_str body, struct gh_arena *arena,
                        struct gh_tls_credential *out_credential, struct gh_str *out_message)
{
    if (!answer->done) {
        *out_message = gh_arena_dup(arena, body);
        return false;
    }
    struct gh_tls_credential credential = {0};
    if (gh_tls_certificates_read(keys->library.context, body, &credential))
        credential.key = remote_key(keys, answer->key, credential.leaf);
    if (credential.key) {
        *out_credential = credential;
        return true;
    }
    gh_tls_credential_done(&credential);
    *out_message = GH_STR("the process that keeps the TLS keys gave certificates that can't be "
                          "read");
    return false;
}

enum gh_err gh_tls_keys_load(struct gh_tls_keys *keys, const struct gh_tls_pair *pair,
                             struct gh_arena *arena, struct gh_tls_credential *out_credential,
                             struct gh_str *out_message)
{
    char request[GH_TLS_CONTROL_BYTES_MAX];
    struct gh_str certificate = gh_str_from_c(pair->certificate_path);
    struct gh_str key = gh_str_from_c(pair->key_path);
    struct gh_tls_control_head head = {.kind = GH_TLS_CONTROL_LOAD,
                                       .certificate_len = (uint32_t)certificate.len,
                                       .key_len = (uint32_t)key.len};
    if (certificate.len >= GH_TLS_PATH_BYTES_MAX || key.len >= GH_TLS_PATH_BYTES_MAX) {
        *out_message = GH_STR("the path of a certificate or key is too long");
        return GH_ERR_INVALID;
    }
    memcpy(request, &head, sizeof head);
    memcpy(request + sizeof head, certificate.ptr, certificate.len);
    memcpy(request + sizeof head + certificate.len, key.ptr, key.len);
    struct gh_tls_control_answer answer;
    char *body;
    if (!ask(keys, request, sizeof head + certificate.len + key.len, &answer, &body, out_message))
        return GH_ERR_CLOSED;
    bool taken = take_answer(keys, &answer, gh_str_of(body, answer.body_len), arena, out_credential,
                             out_message);
    free(body);
    return taken ? GH_OK : GH_ERR_INVALID;
}

enum gh_err gh_tls_keys_seal(struct gh_tls_keys *keys, struct gh_arena *arena,
                             struct gh_str *out_message)
{
    struct gh_tls_control_head head = {.kind = GH_TLS_CONTROL_SEAL};
    struct gh_tls_control_answer answer;
    char *body;
    if (!ask(keys, &head, sizeof head, &answer, &body, out_message))
        return GH_ERR_CLOSED;
    if (!answer.done)
        *out_message = gh_arena_dup(arena, gh_str_of(body, answer.body_len));
    free(body);
    keys->sealed = answer.done;
    return answer.done ? GH_OK : GH_ERR_INVALID;
}

/* From whichever thread was the last to use the key. A packet is sent whole or not at all, so that
   threads need no lock, and wait for nothing; one that found no room leaves the order to the
   next request's thread. */
void gh_tls_remote_key_free(struct gh_tls_remote_key *key)
{
    struct gh_tls_keys *keys = key->keys;
    struct gh_tls_control_head head = order_to_drop(key);
    EVP_PKEY_free(key->public);
    key->public = NULL;
    if (send(keys->control, &head, sizeof head, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0 ||
        errno != EAGAIN) { /* otherwise: there is no keeper */
        free(key);
        return;
    }
    pthread_mutex_lock(&keys->lock);
    key->next = keys->freed;
    keys->freed = key;
    pthread_mutex_unlock(&keys->lock);
}

/* ---- Signing ---- */

/* The calling thread's; NULL: all are other threads'. */
static struct channel *channel_of_thread(struct gh_tls_keys *keys)
{
    struct channel *channel = pthread_getspecific(keys->current);
    for (size_t i = 0; i < keys->channel_count && !channel; i++) {
        if (atomic_exchange(&keys->channels[i].taken, true))
            continue;
        channel = &keys->channels[i];
        if (pthread_setspecific(keys->current, channel) != 0) {
            give_back(channel);
            return NULL;
        }
    }
    return channel;
}

/* True: the answer to the last request is in channel->answer. */
static bool receive_answer(struct channel *channel, int flags)
{
    char bytes[sizeof channel->answer];
    struct gh_str packet = receive_packet(channel->fd, bytes, sizeof bytes, flags);
    return gh_tls_sign_answer_read(packet, &channel->answer) &&
           channel->answer.sequence == channel->sequence;
}

/* A keeper that was late once is not waited for again until it has caught up. */
static bool is_ready(struct channel *channel)
{
    if (channel->owed && receive_answer(channel, MSG_DONTWAIT))
        channel->owed = false;
    return !channel->owed;
}

size_t gh_tls_keys_sign(const struct gh_tls_remote_key *key, const struct gh_tls_scheme *scheme,
                        struct gh_str to_sign, unsigned char out[GH_TLS_SIGNATURE_BYTES_MAX])
{
    struct channel *channel = channel_of_thread(key->keys);
    if (!channel || to_sign.len > GH_TLS_TO_SIGN_BYTES_MAX || !is_ready(channel))
        return 0;
    struct gh_tls_sign_request request = {.sequence = ++channel->sequence,
                                          .key = key->id,
                                          .scheme = scheme->code,
                                          .len = (uint16_t)to_sign.len};
    memcpy(request.to_sign, to_sign.ptr, to_sign.len);
    if (!send_packet(channel->fd, &request, sizeof request))
        return 0;
    channel->owed = !receive_answer(channel, 0);
    if (channel->owed)
        return 0;
    memcpy(out, channel->answer.signature, channel->answer.len);
    return channel->answer.len;
}
