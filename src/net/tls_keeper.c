/*
 * The keeper's side of tls_keys.h: a thread for each channel, which reads a request, looks at what
 * it shall sign, and answers; the caller's thread takes the control channel. What comes is taken
 * for a stranger's: after the start the other side may be somebody who broke in there.
 */
#include "net/tls_keys.h"

#include <errno.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/assert.h"
#include "net/tls_state.h"

/* Of all listeners, and of the snapshots that a reload has left behind. */
#define KEYS_MAX 4096
/* Paths of directories. */
#define DIRECTORIES_BYTES_MAX (4u * 1024 * 1024)
/* OpenSSL signs on little stack; sanitizers take more. */
#define THREAD_STACK_BYTES (512u * 1024)
/* Private numbers of a key, what reading a file takes, and what one signature takes. */
#define RESERVE_PER_PAIR    (64u * 1024)
#define RESERVE_PER_CHANNEL (4u * 1024)
#define RESERVE_BASE        (256u * 1024)
#define RESERVE_UNIT        32

struct kept_key {
    EVP_PKEY *key; /* NULL: a free place */
    uint32_t number;
};

struct signer {
    struct keeper *keeper;
    int fd;
    pthread_t thread;
};

struct keeper {
    const struct gh_tls_keeper_options *options;
    struct signer signers[GH_TLS_CHANNELS_MAX];
    size_t signer_count; /* that run */
    struct gh_arena directories_arena;
    const char **directories; /* in which files may be; in the arena */
    size_t directory_count, directory_cap;
    bool sealed;
    atomic_bool failed;   /* a signer */
    pthread_mutex_t lock; /* of what follows */
    struct kept_key keys[KEYS_MAX];
    uint32_t last_number;
};

/* ---- Keys ---- */

/* Takes over `key` when it succeeds. */
static bool keep(struct keeper *keeper, EVP_PKEY *key, struct gh_tls_key_id *out_id)
{
    bool found = false;
    pthread_mutex_lock(&keeper->lock);
    for (uint32_t i = 0; i < KEYS_MAX && !found; i++) {
        if (keeper->keys[i].key)
            continue;
        found = true;
        keeper->keys[i] = (struct kept_key){key, ++keeper->last_number};
        *out_id = (struct gh_tls_key_id){i, keeper->last_number};
    }
    pthread_mutex_unlock(&keeper->lock);
    return found;
}

/* A reference; NULL: there is no such key. */
static EVP_PKEY *find(struct keeper *keeper, struct gh_tls_key_id id)
{
    EVP_PKEY *key = NULL;
    if (id.slot >= KEYS_MAX)
        return NULL;
    pthread_mutex_lock(&keeper->lock);
    const struct kept_key *kept = &keeper->keys[id.slot];
    if (kept->key && kept->number == id.number && EVP_PKEY_up_ref(kept->key) == 1)
        key = kept->key;
    pthread_mutex_unlock(&keeper->lock);
    return key;
}

static void drop(struct keeper *keeper, struct gh_tls_key_id id)
{
    EVP_PKEY *key = NULL;
    if (id.slot >= KEYS_MAX)
        return;
    pthread_mutex_lock(&keeper->lock);
    struct kept_key *kept = &keeper->keys[id.slot];
    if (kept->number == id.number) {
        key = kept->key;
        kept->key = NULL;
    }
    pthread_mutex_unlock(&keeper->lock);
    EVP_PKEY_free(key);
}

/* ---- Signing ---- */

static bool begin(EVP_MD_CTX *context, const struct gh_tls_scheme *scheme, EVP_PKEY *key)
{
    EVP_PKEY_CTX *options;
    if (EVP_DigestSignInit_ex(context, &options, scheme->digest, NULL, NULL, key, NULL) != 1)
        return false;
    return !scheme->is_pss ||
           (EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING) == 1 &&
            EVP_PKEY_CTX_set_rsa_pss_saltlen(options, RSA_PSS_SALTLEN_DIGEST) == 1);
}

/* The length of the signature; 0: refused. */
static uint32_t sign(EVP_PKEY *key, const struct gh_tls_sign_request *request, char *out)
{
    struct gh_str to_sign = gh_str_of(request->to_sign, request->len);
    const struct gh_tls_scheme *scheme = gh_tls_scheme_find(request->scheme);
    if (!scheme || !gh_tls_may_sign(gh_tls_key_kind_of(key), scheme, to_sign))
        return 0;
    size_t len = GH_TLS_SIGNATURE_BYTES_MAX;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool done = context && begin(context, scheme, key) &&
                EVP_DigestSign(context, (unsigned char *)out, &len,
                               (const unsigned char *)to_sign.ptr, to_sign.len) == 1;
    EVP_MD_CTX_free(context);
    ERR_clear_error();
    return done ? (uint32_t)len : 0;
}

/* True: something came, which may be nothing that was sent for us. */
static bool receive(int fd, char *bytes, size_t size, struct gh_str *out_packet)
{
    ssize_t count;
    do
        count = recv(fd, bytes, size, MSG_TRUNC);
    while (count < 0 && errno == EINTR);
    *out_packet = gh_str_of(bytes, count > 0 && (size_t)count <= size ? (size_t)count : 0);
    return count > 0;
}

static bool send_packet(int fd, const void *bytes, size_t len)
{
    ssize_t sent;
    do
        sent = send(fd, bytes, len, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent == (ssize_t)len;
}

static bool confine_thread(const struct keeper *keeper, bool signs)
{
    const struct gh_tls_keeper_options *options = keeper->options;
    return !options->confine_thread || options->confine_thread(options->context, signs);
}

static bool answer_request(const struct signer *signer, const struct gh_tls_sign_request *request)
{
    struct gh_tls_sign_answer answer;
    EVP_PKEY *key = find(signer->keeper, request->key);
    answer.sequence = request->sequence;
    answer.len = key ? sign(key, request, answer.signature) : 0;
    EVP_PKEY_free(key);
    return send_packet(signer->fd, &answer, gh_tls_sign_answer_bytes(&answer));
}

/* Ends when the other side is gone, or says what is no request; then all ends, and is seen to: a
   worker that nobody signs for would refuse handshakes for good. */
static void *serve_channel(void *arg)
{
    const struct signer *signer = arg;
    struct keeper *keeper = signer->keeper;
    struct gh_tls_sign_request request;
    char bytes[sizeof request];
    struct gh_str packet;
    bool fine = confine_thread(keeper, true);
    while (fine && receive(signer->fd, bytes, sizeof bytes, &packet)) {
        fine = gh_tls_sign_request_read(packet, &request);
        if (fine && !answer_request(signer, &request))
            break;
    }
    if (!fine)
        atomic_store(&keeper->failed, true);
    shutdown(signer->fd, SHUT_RDWR); /* who waits for an answer need not wait long */
    shutdown(keeper->options->control, SHUT_RDWR);
    return NULL;
}

/* ---- Directories ---- */

static bool is_below(struct gh_str path, const char *directory)
{
    struct gh_str base = gh_str_from_c(directory);
    if (!gh_str_starts_with(path, base))
        return false;
    return gh_str_ends_with(base, GH_STR("/")) || path.len == base.len || path.ptr[base.len] == '/';
}

static bool has_dots(struct gh_str path)
{
    for (struct gh_str rest = path; rest.ptr;)
        if (gh_str_eq(gh_str_split(&rest, '/'), GH_STR("..")))
            return true;
    return false;
}

static struct gh_str directory_of(struct gh_str path)
{
    size_t len = path.len;
    while (len > 0 && path.ptr[len - 1] != '/')
        len--;
    if (len == 0)
        return GH_STR(".");
    return gh_str_first(path, len > 1 ? len - 1 : 1);
}

/* The string that the other side names a file by. Links in it may lead elsewhere: whether they may
   is for the system to say, which was told the same. */
static bool may_read(const struct keeper *keeper, const char *path)
{
    struct gh_str text = gh_str_from_c(path);
    struct gh_str directory = directory_of(text);
    for (size_t i = 0; i < keeper->directory_count; i++)
        if (is_below(directory, keeper->directories[i]))
            return !has_dots(text) || gh_str_eq(directory, gh_str_from_c(keeper->directories[i]));
    return false;
}

static bool add_directory(struct keeper *keeper, struct gh_str directory)
{
    for (size_t i = 0; i < keeper->directory_count; i++)
        if (gh_str_eq(directory, gh_str_from_c(keeper->directories[i])))
            return true;
    if (keeper->directory_count == keeper->directory_cap) {
        size_t cap = keeper->directory_cap ? 2 * keeper->directory_cap : 16;
        const char **grown = gh_arena_zalloc(&keeper->directories_arena, cap, sizeof *grown);
        if (!grown)
            return false;
        if (keeper->directory_count)
            memcpy(grown, keeper->directories, keeper->directory_count * sizeof *grown);
        keeper->directories = grown;
        keeper->directory_cap = cap;
    }
    struct gh_str copy = gh_arena_dup(&keeper->directories_arena, directory);
    if (copy.ptr)
        keeper->directories[keeper->directory_count++] = copy.ptr;
    return copy.ptr != NULL;
}

/* The directory as it is written, and the one that links lead to. */
static bool add_directories(struct keeper *keeper, const char *path)
{
    char real[PATH_MAX];
    return add_directory(keeper, directory_of(gh_str_from_c(path))) &&
           (!realpath(path, real) || add_directory(keeper, directory_of(gh_str_from_c(real))));
}

/* ---- The control channel ---- */

static bool answer_control(struct keeper *keeper, bool done, struct gh_tls_key_id key,
                           struct gh_str body)
{
    struct gh_tls_control_answer answer = {done, key, (uint32_t)body.len};
    bool sent = send_packet(keeper->options->control, &answer, sizeof answer);
    for (struct gh_str rest = body; sent && rest.len > 0;) {
        struct gh_str piece = gh_str_first(rest, GH_TLS_CONTROL_PIECE_BYTES_MAX);
        sent = send_packet(keeper->options->control, piece.ptr, piece.len);
        rest = gh_str_skip(rest, piece.len);
    }
    return sent;
}

static bool answer_no(struct keeper *keeper, struct gh_str why)
{
    return answer_control(keeper, false, (struct gh_tls_key_id){0, 0},
                          why.ptr ? gh_str_first(why, GH_TLS_CONTROL_BODY_BYTES_MAX)
                                  : GH_STR("out of memory"));
}

/* Leaf and chain in DER; ptr NULL: too long. */
static struct gh_str certificates_of(const struct gh_tls_credential *credential,
                                     struct gh_arena *arena)
{
    size_t len = 0;
    for (size_t i = 0; i <= credential->chain_count; i++) {
        int one = i2d_X509(i ? credential->chain[i - 1] : credential->leaf, NULL);
        if (one <= 0 || (size_t)one > GH_TLS_CONTROL_BODY_BYTES_MAX - len)
            return gh_str_of(NULL, 0);
        len += (size_t)one;
    }
    unsigned char *out = gh_arena_alloc(arena, len), *at = out;
    for (size_t i = 0; i <= credential->chain_count && at; i++)
        i2d_X509(i ? credential->chain[i - 1] : credential->leaf, &at);
    return gh_str_of((char *)out, out ? len : 0);
}

static bool give_pair(struct keeper *keeper, const struct gh_tls_pair *pair,
                      struct gh_tls_credential *credential, struct gh_arena *arena)
{
    struct gh_str body = certificates_of(credential, arena);
    struct gh_tls_key_id id;
    if (!body.ptr)
        return answer_no(keeper,
                         gh_arena_format(arena, "%s: longer than %u bytes", pair->certificate_path,
                                         GH_TLS_CONTROL_BODY_BYTES_MAX));
    if (!keeper->sealed && (!add_directories(keeper, pair->certificate_path) ||
                            !add_directories(keeper, pair->key_path)))
        return answer_no(keeper, GH_STR("too many directories with certificates and keys"));
    if (!keep(keeper, credential->key, &id))
        return answer_no(keeper,
                         gh_arena_format(arena, "more than %d TLS keys at a time", KEYS_MAX));
    credential->key = NULL;
    return answer_control(keeper, true, id, body);
}

static bool load(struct keeper *keeper, const struct gh_tls_control *control,
                 struct gh_arena *arena)
{
    struct gh_tls_pair pair = {gh_arena_dup(arena, control->certificate_path).ptr,
                               gh_arena_dup(arena, control->key_path).ptr};
    if (!pair.certificate_path || !pair.key_path)
        return answer_no(keeper, gh_str_of(NULL, 0));
    const char *paths[] = {pair.certificate_path, pair.key_path};
    for (size_t i = 0; i < 2 && keeper->sealed; i++) {
        if (!may_read(keeper, paths[i]))
            return answer_no(keeper, gh_arena_format(arena,
                                                     "%s: in none of the directories that had "
                                                     "certificates and keys at the start; this "
                                                     "needs a restart",
                                                     paths[i]));
    }
    struct gh_tls_credential credential;
    struct gh_str message = {NULL, 0};
    if (gh_tls_credential_read(&pair, arena, &credential, &message) != GH_OK)
        return answer_no(keeper, message);
    bool sent = give_pair(keeper, &pair, &credential, arena);
    gh_tls_credential_done(&credential);
    return sent;
}

static bool start_signers(struct keeper *keeper)
{
    const struct gh_tls_keeper_options *options = keeper->options;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, THREAD_STACK_BYTES);
    for (size_t i = 0; i < options->channel_count; i++) {
        struct signer *signer = &keeper->signers[i];
        *signer = (struct signer){.keeper = keeper, .fd = options->channels[i]};
        if (pthread_create(&signer->thread, &attributes, serve_channel, signer) != 0)
            break;
        keeper->signer_count++;
    }
    pthread_attr_destroy(&attributes);
    return keeper->signer_count == options->channel_count;
}

/* Threads inherit what is given up before there are any. */
static bool give_up_rights(struct keeper *keeper, struct gh_str *out_why)
{
    const struct gh_tls_keeper_options *options = keeper->options;
    if (options->confine && !options->confine(options->context))
        return false;
    if (!start_signers(keeper))
        *out_why = gh_str_from_c(gh_err_text(GH_ERR_THREAD));
    return !out_why->len && confine_thread(keeper, false);
}

static bool seal(struct keeper *keeper)
{
    struct gh_str why = GH_STR("");
    if (!keeper->sealed && !give_up_rights(keeper, &why)) {
        (void)answer_no(keeper, why.len ? why
                                        : GH_STR("the process that keeps the TLS keys could not "
                                                 "give up its rights"));
        return false;
    }
    keeper->sealed = true;
    return answer_control(keeper, true, (struct gh_tls_key_id){0, 0}, GH_STR(""));
}

static bool obey(struct keeper *keeper, struct gh_str packet)
{
    struct gh_tls_control control;
    struct gh_arena arena;
    if (!gh_tls_control_read(packet, &control))
        return false;
    switch (control.kind) {
    case GH_TLS_CONTROL_NONE:
        return false;
    case GH_TLS_CONTROL_SEAL:
        return seal(keeper);
    case GH_TLS_CONTROL_DROP:
        drop(keeper, control.key);
        return true;
    case GH_TLS_CONTROL_LOAD:
        gh_arena_init(&arena, 16u * 1024, 4u * GH_TLS_CONTROL_BODY_BYTES_MAX);
        bool fine = load(keeper, &control, &arena);
        gh_arena_done(&arena);
        return fine;
    }
    return false;
}

/* True: until the other side was gone. */
static bool serve_control(struct keeper *keeper)
{
    _Static_assert(GH_TLS_CONTROL_BYTES_MAX <= 16 * 1024, "it is on the stack");
    char bytes[GH_TLS_CONTROL_BYTES_MAX];
    struct gh_str packet;
    while (receive(keeper->options->control, bytes, sizeof bytes, &packet))
        if (!obey(keeper, packet))
            return false;
    return true;
}

/* ---- Beginning and end ---- */

bool gh_tls_keeper_run(const struct gh_tls_keeper_options *options)
{
    GH_ASSERT(options->channel_count <= GH_TLS_CHANNELS_MAX);
    struct keeper *keeper = calloc(1, sizeof *keeper);
    if (!keeper)
        return false;
    keeper->options = options;
    pthread_mutex_init(&keeper->lock, NULL);
    gh_arena_init(&keeper->directories_arena, 4096, DIRECTORIES_BYTES_MAX);
    bool fine = true;
    for (size_t i = 0; i < options->directory_count && fine; i++)
        fine = add_directory(keeper, options->directories[i]);
    fine = fine && serve_control(keeper);
    shutdown(options->control, SHUT_RDWR);
    for (size_t i = 0; i < keeper->signer_count; i++) {
        shutdown(keeper->signers[i].fd, SHUT_RDWR);
        pthread_join(keeper->signers[i].thread, NULL);
    }
    fine = fine && !atomic_load(&keeper->failed);
    for (size_t i = 0; i < KEYS_MAX; i++)
        EVP_PKEY_free(keeper->keys[i].key);
    gh_arena_done(&keeper->directories_arena);
    pthread_mutex_destroy(&keeper->lock);
    free(keeper);
    return fine;
}

void gh_tls_keeper_reserve(size_t pair_count, size_t channel_count)
{
    size_t pairs = pair_count < KEYS_MAX ? pair_count : KEYS_MAX;
    size_t wanted = RESERVE_BASE + pairs * RESERVE_PER_PAIR + channel_count * RESERVE_PER_CHANNEL;
    size_t bytes = RESERVE_BASE;
    while (bytes < wanted)
        bytes *= 2;
    /* Where the system locks no memory, keys are still apart from the rest, and wiped. */
    (void)CRYPTO_secure_malloc_init(bytes, RESERVE_UNIT);
}
