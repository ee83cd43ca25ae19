#include "net/fetch.h"

#include <stdlib.h>

#include "net/libcurl.h"

#define TIMEOUT_MS_DEFAULT 30000
#define BEARER_BYTES_MAX   (16u * 1024)
#define HEADER_FIELDS      3
/* First room for an answer whose length is not known. */
#define ANSWER_BYTES_FIRST 4096

bool gh_fetch_load(void)
{
    return gh_libcurl_get() != NULL;
}

struct answer {
    char *bytes; /* heap: how long it gets is the server's to say */
    size_t len, cap, max;
    bool over, out_of_memory;
};

static bool grow(struct answer *answer, size_t need)
{
    size_t cap = answer->cap ? answer->cap * 2 : ANSWER_BYTES_FIRST;
    if (cap < need)
        cap = need;
    char *bytes = realloc(answer->bytes, cap);
    if (!bytes)
        return false;
    answer->bytes = bytes;
    answer->cap = cap;
    return true;
}

/* libcurl's write callback: anything but `count` ends the transfer. */
static size_t on_bytes(char *bytes, size_t size, size_t count, void *context)
{
    struct answer *answer = context;
    (void)size; /* always 1 */
    if (count > answer->max - answer->len) {
        answer->over = true;
        return CURL_WRITEFUNC_ERROR;
    }
    if (answer->len + count > answer->cap && !grow(answer, answer->len + count)) {
        answer->out_of_memory = true;
        return CURL_WRITEFUNC_ERROR;
    }
    memcpy(answer->bytes + answer->len, bytes, count);
    answer->len += count;
    return count;
}

/* Only http and https, and no user name: what is in a URL shows in too many places. */
static bool parse_url(const struct gh_libcurl *lib, CURLU *url, struct gh_str text,
                      struct gh_arena *arena, char **out_scheme)
{
    struct gh_str copy = gh_arena_dup(arena, text);
    if (!copy.ptr || memchr(copy.ptr, '\0', copy.len) ||
        lib->url_set(url, CURLUPART_URL, copy.ptr, 0) != CURLUE_OK ||
        lib->url_get(url, CURLUPART_SCHEME, out_scheme, 0) != CURLUE_OK)
        return false;
    char *user = NULL;
    char *password = NULL;
    lib->url_get(url, CURLUPART_USER, &user, 0);
    lib->url_get(url, CURLUPART_PASSWORD, &password, 0);
    bool ok = !user && !password &&
              (strcmp(*out_scheme, "http") == 0 || strcmp(*out_scheme, "https") == 0);
    lib->free(user);
    lib->free(password);
    return ok;
}

static bool is_token(struct gh_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] <= 0x20 || text.ptr[i] >= 0x7f)
            return false;
    }
    return text.len <= BEARER_BYTES_MAX;
}

/* The fields beside libcurl's own; NULL: no memory. */
static struct curl_slist *make_fields(const struct gh_http_fetch *fetch,
                                      const struct gh_libcurl *lib, struct gh_arena *arena)
{
    struct curl_slist *list = NULL;
    struct gh_str fields[HEADER_FIELDS] = {GH_STR("Accept: application/json")};
    size_t count = 1;
    if (fetch->body.ptr)
        fields[count++] = GH_STR("Content-Type: application/json");
    if (fetch->bearer.len)
        fields[count++] =
            gh_arena_format(arena, "Authorization: Bearer %.*s", GH_STR_ARG(fetch->bearer));
    for (size_t i = 0; i < count; i++) {
        struct curl_slist *longer = fields[i].ptr ? lib->slist_append(list, fields[i].ptr) : NULL;
        if (!longer) {
            lib->slist_free_all(list);
            return NULL;
        }
        list = longer;
    }
    return list;
}

static void set_up(struct gh_transfer *transfer, const struct gh_http_fetch *fetch, CURLU *url,
                   struct curl_slist *fields, struct answer *answer)
{
    gh_transfer_set(transfer, CURLOPT_CURLU, url);
    gh_transfer_set(transfer, CURLOPT_HTTPHEADER, fields);
    gh_transfer_set(transfer, CURLOPT_USERAGENT, "gatehouse");
    gh_transfer_set(transfer, CURLOPT_WRITEFUNCTION, on_bytes);
    gh_transfer_set(transfer, CURLOPT_WRITEDATA, answer);
    gh_transfer_set(transfer, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)fetch->bytes_max);
    if (!fetch->body.ptr)
        return;
    gh_transfer_set(transfer, CURLOPT_POST, 1L);
    gh_transfer_set(transfer, CURLOPT_POSTFIELDS, fetch->body.ptr);
    gh_transfer_set(transfer, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)fetch->body.len);
}

static enum gh_err err_of(CURLcode code, const struct answer *answer)
{
    if (answer->over)
        return GH_ERR_FULL;
    if (answer->out_of_memory)
        return GH_ERR_MEMORY;
    return gh_transfer_err(code);
}

static enum gh_err run(struct gh_transfer *transfer, const struct gh_http_fetch *fetch, CURLU *url,
                       struct answer *answer, struct gh_arena *arena, unsigned *out_status,
                       struct gh_str *out_body, struct gh_str *out_detail)
{
    struct curl_slist *fields = make_fields(fetch, transfer->lib, arena);
    if (!fields)
        return GH_ERR_MEMORY;
    set_up(transfer, fetch, url, fields, answer);
    CURLcode code = gh_transfer_run(transfer);
    enum gh_err err = err_of(code, answer);
    long status = 0;
    if (err == GH_OK)
        transfer->lib->easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    transfer->lib->slist_free_all(fields);
    if (err == GH_ERR_FULL)
        *out_detail = GH_STR("the answer is longer than is allowed");
    else if (err != GH_OK)
        *out_detail = gh_transfer_detail(transfer, code, arena);
    if (err != GH_OK)
        return err;
    struct gh_str body = gh_arena_dup(arena, gh_str_of(answer->bytes, answer->len));
    if (!body.ptr)
        return GH_ERR_MEMORY;
    *out_status = (unsigned)status;
    *out_body = body;
    return GH_OK;
}

static enum gh_err fetch_from(CURLU *url, const struct gh_http_fetch *fetch, struct gh_arena *arena,
                              unsigned *out_status, struct gh_str *out_body,
                              struct gh_str *out_detail)
{
    const struct gh_libcurl *lib = gh_libcurl_get();
    struct gh_transfer transfer;
    struct answer answer = {.max = fetch->bytes_max};
    char *scheme = NULL;
    enum gh_err err = GH_ERR_INVALID;
    *out_detail = GH_STR("not a URL of http or https without a user name");
    if (parse_url(lib, url, fetch->url, arena, &scheme)) {
        err = gh_transfer_open(&transfer, scheme,
                               fetch->timeout_ms ? fetch->timeout_ms : TIMEOUT_MS_DEFAULT,
                               fetch->stop);
        *out_detail = gh_str_from_c(gh_err_text(GH_ERR_MEMORY));
        if (err == GH_OK) {
            err = run(&transfer, fetch, url, &answer, arena, out_status, out_body, out_detail);
            gh_transfer_close(&transfer);
        }
    }
    lib->free(scheme);
    free(answer.bytes);
    return err;
}

enum gh_err gh_http_fetch(const struct gh_http_fetch *fetch, struct gh_arena *arena,
                          unsigned *out_status, struct gh_str *out_body, struct gh_str *out_detail)
{
    const struct gh_libcurl *lib = gh_libcurl_get();
    *out_detail = GH_STR("libcurl is not installed, or older than 7.85");
    if (!lib)
        return GH_ERR_INVALID;
    *out_detail = GH_STR("the bearer token is malformed");
    if (!is_token(fetch->bearer))
        return GH_ERR_INVALID;
    CURLU *url = lib->url();
    *out_detail = gh_str_from_c(gh_err_text(GH_ERR_MEMORY));
    if (!url)
        return GH_ERR_MEMORY;
    enum gh_err err = fetch_from(url, fetch, arena, out_status, out_body, out_detail);
    lib->url_cleanup(url);
    if (err == GH_OK || !out_detail->ptr)
        *out_detail = GH_STR("");
    return err;
}
