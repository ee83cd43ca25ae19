/*
 * libcurl, loaded when the first transfer asks for it: most deployments never send mail or fetch
 * keys, and need not have it. What every transfer must be set to stands here once. Private to net.
 */
#ifndef GH_NET_LIBCURL_H
#define GH_NET_LIBCURL_H

#include <stdatomic.h>

#include <curl/curl.h>

#include "base/arena.h"
#include "base/err.h"

struct gh_libcurl {
    CURLcode (*global_init)(long flags);
    CURL *(*easy_init)(void);
    CURLcode (*easy_setopt)(CURL *easy, CURLoption option, ...);
    CURLcode (*easy_perform)(CURL *easy);
    CURLcode (*easy_getinfo)(CURL *easy, CURLINFO info, ...);
    void (*easy_cleanup)(CURL *easy);
    const char *(*easy_strerror)(CURLcode code);
    struct curl_slist *(*slist_append)(struct curl_slist *list, const char *text);
    void (*slist_free_all)(struct curl_slist *list);
    CURLU *(*url)(void);
    void (*url_cleanup)(CURLU *url);
    CURLUcode (*url_set)(CURLU *url, CURLUPart part, const char *text, unsigned flags);
    CURLUcode (*url_get)(const CURLU *url, CURLUPart part, char **out_text, unsigned flags);
    void (*free)(void *memory);
};

/* NULL: it is not on this machine, or too old. From any thread. */
const struct gh_libcurl *gh_libcurl_get(void);

/* A transfer, and the one place that remembers whether an option was refused. */
struct gh_transfer {
    const struct gh_libcurl *lib;
    CURL *easy;
    CURLcode setup; /* the first refusal; CURLE_OK: none */
    char error[CURL_ERROR_SIZE];
};

#define gh_transfer_set(transfer, option, value)                                                   \
    do {                                                                                           \
        CURLcode set_code = (transfer)->lib->easy_setopt((transfer)->easy, (option), (value));     \
        if ((transfer)->setup == CURLE_OK)                                                         \
            (transfer)->setup = set_code;                                                          \
    } while (0)

/* Makes it with what all transfers have in common, over `protocol` alone. `stop` (may be NULL) ends
   it within a second when it becomes true. GH_ERR_INVALID: no libcurl. */
GH_MUST_USE enum gh_err gh_transfer_open(struct gh_transfer *transfer, const char *protocol,
                                         uint64_t timeout_ms, const atomic_bool *stop);
/* Runs it; outputs untouched. CURLE codes that only say what the caller's callback or the server's
   answer did are for the caller. */
CURLcode gh_transfer_run(struct gh_transfer *transfer);
void gh_transfer_close(struct gh_transfer *transfer);
/* What a failure means to us. */
enum gh_err gh_transfer_err(CURLcode code);
/* Why it failed, for the log; never with parts of a URL's userinfo, since no URL with one is given
   to libcurl. ptr NULL: arena full. */
struct gh_str gh_transfer_detail(const struct gh_transfer *transfer, CURLcode code,
                                 struct gh_arena *arena);

#endif
