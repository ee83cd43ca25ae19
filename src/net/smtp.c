/* Mail to one recipient (RFC 5321), over libcurl; see fetch.h. How a message looks is not known
   here, but that its lines end in CRLF on the wire: a lone CR or LF lets one reader of a mail see
   two (SMTP smuggling). */
#include "net/fetch.h"

#include "base/ip.h"
#include "net/libcurl.h"

#define TIMEOUT_MS_DEFAULT 30000
/* RFC 5321 section 4.5.3.1.3. */
#define ADDRESS_BYTES_MAX 254
#define REPLY_BYTES_MAX   200

struct upload {
    struct gh_str rest;
    bool begun; /* the server has said "go ahead" to DATA */
    char reply[REPLY_BYTES_MAX];
    size_t reply_len; /* the last line that it said, but for goodbye */
};

struct credentials {
    char *scheme, *host, *user, *password, *options; /* libcurl's memory */
};

/* ---- What is checked before ---- */

static bool is_address(struct gh_str address)
{
    size_t at = gh_str_find_char(address, '@');
    if (at == 0 || at + 1 >= address.len || address.len > ADDRESS_BYTES_MAX)
        return false;
    for (size_t i = 0; i < address.len; i++) {
        char c = address.ptr[i];
        if (c <= 0x20 || c >= 0x7f || c == '<' || c == '>')
            return false;
    }
    return true;
}

/* A copy in which each line ends in CRLF; ptr NULL: arena full. */
static struct gh_str with_crlf(struct gh_str message, struct gh_arena *arena)
{
    size_t lines = 0;
    for (size_t i = 0; i < message.len; i++)
        lines += message.ptr[i] == '\n' || message.ptr[i] == '\r';
    char *copy = gh_arena_alloc(arena, message.len + lines + 1);
    size_t len = 0;
    if (!copy)
        return (struct gh_str){0};
    for (size_t i = 0; i < message.len; i++) {
        char c = message.ptr[i];
        if (c != '\n' && c != '\r') {
            copy[len++] = c;
            continue;
        }
        if (c == '\r' && i + 1 < message.len && message.ptr[i + 1] == '\n')
            i++;
        copy[len++] = '\r';
        copy[len++] = '\n';
    }
    return gh_str_of(copy, len);
}

static bool host_is_loopback(const char *host)
{
    struct gh_ip ip;
    uint16_t port;
    if (strcmp(host, "localhost") == 0)
        return true;
    return gh_ip_parse_with_port(gh_str_from_c(host), &ip, &port) && gh_ip_is_loopback(&ip);
}

/* Takes the URL apart and user name and password out of it. */
static bool parse_url(const struct gh_libcurl *lib, CURLU *url, struct gh_str text,
                      struct gh_arena *arena, struct credentials *out)
{
    struct gh_str copy = gh_arena_dup(arena, text);
    if (!copy.ptr || memchr(copy.ptr, '\0', copy.len) ||
        lib->url_set(url, CURLUPART_URL, copy.ptr, 0) != CURLUE_OK ||
        lib->url_get(url, CURLUPART_SCHEME, &out->scheme, 0) != CURLUE_OK ||
        lib->url_get(url, CURLUPART_HOST, &out->host, 0) != CURLUE_OK)
        return false;
    if (strcmp(out->scheme, "smtp") != 0 && strcmp(out->scheme, "smtps") != 0)
        return false;
    CURLUcode user = lib->url_get(url, CURLUPART_USER, &out->user, CURLU_URLDECODE);
    CURLUcode password = lib->url_get(url, CURLUPART_PASSWORD, &out->password, CURLU_URLDECODE);
    CURLUcode options = lib->url_get(url, CURLUPART_OPTIONS, &out->options, CURLU_URLDECODE);
    return (user == CURLUE_OK || user == CURLUE_NO_USER) &&
           (password == CURLUE_OK || password == CURLUE_NO_PASSWORD) &&
           (options == CURLUE_OK || options == CURLUE_NO_OPTIONS) &&
           lib->url_set(url, CURLUPART_USER, NULL, 0) == CURLUE_OK &&
           lib->url_set(url, CURLUPART_PASSWORD, NULL, 0) == CURLUE_OK &&
           lib->url_set(url, CURLUPART_OPTIONS, NULL, 0) == CURLUE_OK;
}

static void forget(const struct gh_libcurl *lib, struct credentials *credentials)
{
    if (credentials->password)
        explicit_bzero(credentials->password, strlen(credentials->password));
    lib->free(credentials->scheme);
    lib->free(credentials->host);
    lib->free(credentials->user);
    lib->free(credentials->password);
    lib->free(credentials->options);
}

/* ---- The transfer ---- */

static size_t on_wanted(char *buffer, size_t size, size_t count, void *context)
{
    struct upload *upload = context;
    struct gh_str part = gh_str_first(upload->rest, size * count);
    upload->begun = true;
    memcpy(buffer, part.ptr, part.len);
    upload->rest = gh_str_skip(upload->rest, part.len);
    return part.len;
}

/* libcurl gives each line that the server says. */
static size_t on_reply(char *line, size_t size, size_t count, void *context)
{
    struct upload *upload = context;
    struct gh_str text = gh_str_first(gh_str_of(line, size * count), REPLY_BYTES_MAX);
    if (gh_str_starts_with(text, GH_STR("221"))) /* to our QUIT, after what went wrong */
        return size * count;
    memcpy(upload->reply, text.ptr, text.len);
    upload->reply_len = text.len;
    return size * count;
}

static size_t ignore(char *bytes, size_t size, size_t count, void *context)
{
    (void)bytes, (void)context;
    return size * count;
}

static void set_up(struct gh_transfer *transfer, const struct credentials *credentials,
                   struct upload *upload)
{
    /* On loopback there is nobody to hide from: TLS if it is offered (then verified, too). */
    long tls = host_is_loopback(credentials->host) ? CURLUSESSL_TRY : CURLUSESSL_ALL;
    gh_transfer_set(transfer, CURLOPT_USE_SSL, tls);
    if (credentials->user)
        gh_transfer_set(transfer, CURLOPT_USERNAME, credentials->user);
    if (credentials->password)
        gh_transfer_set(transfer, CURLOPT_PASSWORD, credentials->password);
    if (credentials->options)
        gh_transfer_set(transfer, CURLOPT_LOGIN_OPTIONS, credentials->options);
    gh_transfer_set(transfer, CURLOPT_SASL_IR, 1L);
    gh_transfer_set(transfer, CURLOPT_UPLOAD, 1L);
    gh_transfer_set(transfer, CURLOPT_INFILESIZE_LARGE, (curl_off_t)upload->rest.len);
    gh_transfer_set(transfer, CURLOPT_READFUNCTION, on_wanted);
    gh_transfer_set(transfer, CURLOPT_READDATA, upload);
    gh_transfer_set(transfer, CURLOPT_HEADERFUNCTION, on_reply);
    gh_transfer_set(transfer, CURLOPT_HEADERDATA, upload);
    gh_transfer_set(transfer, CURLOPT_WRITEFUNCTION, ignore);
}

/* A 5xx of this recipient or message is final. Of the greeting, of EHLO or of the login it is about
   us: once that is mended the mail shall go. */
static bool is_refused(CURLcode code, long reply, const struct upload *upload)
{
    bool about_login = reply == 530 || reply == 534 || reply == 535 || reply == 538;
    bool about_mail =
        code == CURLE_SEND_ERROR || (code == CURLE_WEIRD_SERVER_REPLY && upload->begun);
    return about_mail && reply >= 500 && reply < 600 && !about_login;
}

/* What the server said, without addresses and without control bytes. */
static struct gh_str sanitised_reply(const struct upload *upload, struct gh_arena *arena)
{
    char memory[2 * REPLY_BYTES_MAX + 16];
    struct gh_buf text = gh_buf_over(memory, sizeof(memory));
    struct gh_str rest = gh_str_of(upload->reply, upload->reply_len);
    while (rest.ptr) {
        struct gh_str word = gh_str_split(&rest, ' ');
        if (gh_str_find_char(word, '@') < word.len)
            word = GH_STR("...");
        for (size_t i = 0; i < word.len; i++) {
            if (word.ptr[i] > 0x20 && word.ptr[i] < 0x7f)
                gh_buf_put_char(&text, word.ptr[i]);
        }
        if (rest.ptr)
            gh_buf_put_char(&text, ' ');
    }
    return gh_arena_dup(arena, gh_buf_str(&text));
}

static struct gh_str detail_of(const struct gh_transfer *transfer, CURLcode code,
                               const struct upload *upload, struct gh_arena *arena)
{
    struct gh_str why = gh_transfer_detail(transfer, code, arena);
    struct gh_str reply = sanitised_reply(upload, arena);
    if (!why.ptr || !reply.len)
        return why;
    return gh_arena_format(arena, "%.*s; the server said last: %.*s", GH_STR_ARG(why),
                           GH_STR_ARG(reply));
}

static struct gh_str in_brackets(struct gh_str address, struct gh_arena *arena)
{
    return gh_arena_format(arena, "<%.*s>", GH_STR_ARG(address));
}

static enum gh_err run(struct gh_transfer *transfer, const struct gh_smtp_options *options,
                       struct upload *upload, struct gh_arena *arena, struct gh_str *out_detail)
{
    struct gh_str from = in_brackets(options->from, arena);
    struct gh_str to = in_brackets(options->recipient, arena);
    struct curl_slist *recipients = to.ptr ? transfer->lib->slist_append(NULL, to.ptr) : NULL;
    if (!from.ptr || !recipients) {
        transfer->lib->slist_free_all(recipients);
        return GH_ERR_MEMORY;
    }
    gh_transfer_set(transfer, CURLOPT_MAIL_FROM, from.ptr);
    gh_transfer_set(transfer, CURLOPT_MAIL_RCPT, recipients);
    CURLcode code = gh_transfer_run(transfer);
    long reply = 0;
    transfer->lib->easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &reply);
    transfer->lib->slist_free_all(recipients);
    *out_detail = GH_STR("");
    if (code == CURLE_OK)
        return GH_OK;
    *out_detail = detail_of(transfer, code, upload, arena);
    return is_refused(code, reply, upload) ? GH_ERR_REFUSED : gh_transfer_err(code);
}

static enum gh_err send_over(CURLU *url, const struct gh_smtp_options *options,
                             struct gh_str message, struct gh_arena *arena,
                             struct gh_str *out_detail)
{
    const struct gh_libcurl *lib = gh_libcurl_get();
    struct credentials credentials = {0};
    struct upload upload = {.rest = with_crlf(message, arena)};
    struct gh_transfer transfer;
    enum gh_err err = upload.rest.ptr ? GH_ERR_INVALID : GH_ERR_MEMORY;
    if (upload.rest.ptr && !parse_url(lib, url, options->url, arena, &credentials)) {
        *out_detail = GH_STR("not a URL of smtp or smtps");
    } else if (upload.rest.ptr) {
        err = gh_transfer_open(&transfer, credentials.scheme,
                               options->timeout_ms ? options->timeout_ms : TIMEOUT_MS_DEFAULT,
                               options->stop);
        if (err == GH_OK) {
            gh_transfer_set(&transfer, CURLOPT_CURLU, url);
            set_up(&transfer, &credentials, &upload);
            err = run(&transfer, options, &upload, arena, out_detail);
            gh_transfer_close(&transfer);
        }
    }
    forget(lib, &credentials);
    return err;
}

enum gh_err gh_smtp_send(const struct gh_smtp_options *options, struct gh_str message,
                         struct gh_arena *arena, struct gh_str *out_detail)
{
    const struct gh_libcurl *lib = gh_libcurl_get();
    *out_detail = GH_STR("libcurl is not installed, or older than 7.85");
    if (!lib)
        return GH_ERR_INVALID;
    *out_detail = GH_STR("a malformed address, or a message with NUL in it");
    if (!is_address(options->from) || !is_address(options->recipient) ||
        (message.len && memchr(message.ptr, '\0', message.len)))
        return GH_ERR_INVALID;
    CURLU *url = lib->url();
    *out_detail = gh_str_from_c(gh_err_text(GH_ERR_MEMORY));
    if (!url)
        return GH_ERR_MEMORY;
    enum gh_err err = send_over(url, options, message, arena, out_detail);
    lib->url_cleanup(url);
    if (!out_detail->ptr)
        *out_detail = GH_STR("");
    return err;
}
