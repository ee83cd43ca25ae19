#include "net/libcurl.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

#define CONNECT_TIMEOUT_MS_MAX 10000

/* Written once, by load, before anybody reads it: the one piece of process state here, because a
   library can be loaded only once. */
static struct gh_libcurl library;
static bool loaded;
static pthread_once_t load_once = PTHREAD_ONCE_INIT;

static bool find_all(void *handle)
{
    const struct {
        const char *name;
        void *slot;
    } symbols[] = {
        {"curl_global_init", &library.global_init},
        {"curl_easy_init", &library.easy_init},
        {"curl_easy_setopt", &library.easy_setopt},
        {"curl_easy_perform", &library.easy_perform},
        {"curl_easy_getinfo", &library.easy_getinfo},
        {"curl_easy_cleanup", &library.easy_cleanup},
        {"curl_easy_strerror", &library.easy_strerror},
        {"curl_slist_append", &library.slist_append},
        {"curl_slist_free_all", &library.slist_free_all},
        {"curl_url", &library.url},
        {"curl_url_cleanup", &library.url_cleanup},
        {"curl_url_set", &library.url_set},
        {"curl_url_get", &library.url_get},
        {"curl_free", &library.free},
    };
    for (size_t i = 0; i < sizeof(symbols) / sizeof(symbols[0]); i++) {
        void *found = dlsym(handle, symbols[i].name);
        if (!found)
            return false;
        memcpy(symbols[i].slot, &found, sizeof(found)); /* ISO C has no such cast */
    }
    return true;
}

static void load(void)
{
    void *handle = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
    loaded = handle && find_all(handle) && library.global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
}

const struct gh_libcurl *gh_libcurl_get(void)
{
    pthread_once(&load_once, load);
    return loaded ? &library : NULL;
}

/* libcurl itself does not look at what OpenSSL's own default would. */
static void set_trust(struct gh_transfer *transfer)
{
    const char *file = getenv("SSL_CERT_FILE");
    const char *directory = getenv("SSL_CERT_DIR");
    if (file && *file)
        gh_transfer_set(transfer, CURLOPT_CAINFO, file);
    if (directory && *directory)
        gh_transfer_set(transfer, CURLOPT_CAPATH, directory);
    gh_transfer_set(transfer, CURLOPT_SSL_VERIFYPEER, 1L);
    gh_transfer_set(transfer, CURLOPT_SSL_VERIFYHOST, 2L);
    gh_transfer_set(transfer, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
}

/* libcurl asks once a second at least, however silent the other side is. */
static int is_stopped(void *context, curl_off_t to_get, curl_off_t got, curl_off_t to_send,
                      curl_off_t sent)
{
    const atomic_bool *stop = context;
    (void)to_get, (void)got, (void)to_send, (void)sent;
    return atomic_load(stop);
}

enum gh_err gh_transfer_open(struct gh_transfer *transfer, const char *protocol,
                             uint64_t timeout_ms, const atomic_bool *stop)
{
    *transfer = (struct gh_transfer){.lib = gh_libcurl_get()};
    if (!transfer->lib)
        return GH_ERR_INVALID;
    transfer->easy = transfer->lib->easy_init();
    if (!transfer->easy)
        return GH_ERR_MEMORY;
    uint64_t connect_ms = timeout_ms < CONNECT_TIMEOUT_MS_MAX ? timeout_ms : CONNECT_TIMEOUT_MS_MAX;
    GH_ASSERT(timeout_ms > 0 && timeout_ms <= INT32_MAX);
    gh_transfer_set(transfer, CURLOPT_ERRORBUFFER, transfer->error);
    gh_transfer_set(transfer, CURLOPT_NOSIGNAL, 1L); /* we are one of many threads */
    gh_transfer_set(transfer, CURLOPT_PROTOCOLS_STR, protocol);
    gh_transfer_set(transfer, CURLOPT_REDIR_PROTOCOLS_STR, protocol);
    gh_transfer_set(transfer, CURLOPT_FOLLOWLOCATION, 0L);
    gh_transfer_set(transfer, CURLOPT_PROXY, ""); /* not even from the environment */
    gh_transfer_set(transfer, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    gh_transfer_set(transfer, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
    gh_transfer_set(transfer, CURLOPT_CONNECTTIMEOUT_MS, (long)connect_ms);
    if (stop) {
        gh_transfer_set(transfer, CURLOPT_NOPROGRESS, 0L);
        gh_transfer_set(transfer, CURLOPT_XFERINFOFUNCTION, is_stopped);
        gh_transfer_set(transfer, CURLOPT_XFERINFODATA, (void *)stop);
    }
    set_trust(transfer);
    return GH_OK;
}

CURLcode gh_transfer_run(struct gh_transfer *transfer)
{
    if (transfer->setup != CURLE_OK)
        return transfer->setup;
    return transfer->lib->easy_perform(transfer->easy);
}

void gh_transfer_close(struct gh_transfer *transfer)
{
    if (transfer->easy)
        transfer->lib->easy_cleanup(transfer->easy);
    transfer->easy = NULL;
}

static bool is_tls_failure(CURLcode code)
{
    return code == CURLE_SSL_CONNECT_ERROR || code == CURLE_PEER_FAILED_VERIFICATION ||
           code == CURLE_USE_SSL_FAILED || code == CURLE_SSL_CACERT_BADFILE ||
           code == CURLE_SSL_CERTPROBLEM || code == CURLE_SSL_CIPHER ||
           code == CURLE_SSL_ISSUER_ERROR || code == CURLE_SSL_INVALIDCERTSTATUS;
}

enum gh_err gh_transfer_err(CURLcode code)
{
    if (code == CURLE_OK)
        return GH_OK;
    if (is_tls_failure(code))
        return GH_ERR_TLS;
    if (code == CURLE_OPERATION_TIMEDOUT)
        return GH_ERR_TIMEOUT;
    if (code == CURLE_ABORTED_BY_CALLBACK)
        return GH_ERR_CLOSED;
    if (code == CURLE_OUT_OF_MEMORY)
        return GH_ERR_MEMORY;
    if (code == CURLE_FILESIZE_EXCEEDED)
        return GH_ERR_FULL;
    /* An option that this libcurl does not know was a promise: without it we do not start. */
    if (code == CURLE_URL_MALFORMAT || code == CURLE_UNKNOWN_OPTION || code == CURLE_NOT_BUILT_IN ||
        code == CURLE_BAD_FUNCTION_ARGUMENT)
        return GH_ERR_INVALID;
    return GH_ERR_IO;
}

struct gh_str gh_transfer_detail(const struct gh_transfer *transfer, CURLcode code,
                                 struct gh_arena *arena)
{
    const char *text = transfer->error[0] ? transfer->error : transfer->lib->easy_strerror(code);
    return gh_arena_dup(arena, gh_str_from_c(text));
}
