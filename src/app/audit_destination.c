#include "app/audit_destination.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "app/audit_redis.h"
#include "app/audit_syslog.h"
#include "base/ip.h"
#include "base/num.h"
#include "net/fetch.h"

#define LOCAL_SYSLOG         GH_STR("/dev/log")
#define WEBHOOK_TIMEOUT_MS   (10u * 1000)
#define WEBHOOK_ANSWER_BYTES (64u * 1024)
#define HOST_BYTES_MAX       253
#define PATH_BYTES_MAX       4000
#define SOCKET_PATH_MAX      100
/* Of a stream, unless said otherwise: some 500 MB of Redis's memory. */
#define STREAM_LENGTH_MAX 1000000
#define TLS_PORT          6514 /* RFC 5425 section 4.1 */

/* ---- Parsing ---- */

static bool has_controls(struct gh_str text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] < 0x20 || text.ptr[i] == 0x7f)
            return true;
    return false;
}

static bool is_loopback(struct gh_str host)
{
    struct gh_ip ip;
    return gh_str_ieq(host, GH_STR("localhost")) ||
           (gh_ip_parse(host, &ip) && gh_ip_is_loopback(&ip));
}

/* The last colon that is in no brackets; text.len: none. */
static size_t find_port(struct gh_str text)
{
    size_t colon = text.len;
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] == ':')
            colon = i;
        else if (text.ptr[i] == ']')
            colon = text.len;
    return colon;
}

/* HOST:PORT or [ADDRESS]:PORT, to its end; the port may be missing where there is an `ordinary`
   one. */
static bool parse_host(struct gh_str text, uint64_t ordinary, struct gh_arena *arena,
                       struct gh_audit_destination *out)
{
    size_t colon = find_port(text);
    uint64_t port = ordinary;
    if (colon < text.len && !gh_num_parse_u64(gh_str_skip(text, colon + 1), UINT16_MAX, &port))
        return false;
    if (port == 0)
        return false;
    struct gh_str host = gh_str_first(text, colon);
    bool bracketed = host.len > 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']';
    if (bracketed)
        host = gh_str_first(gh_str_skip(host, 1), host.len - 2);
    if (!host.len || host.len > HOST_BYTES_MAX || gh_str_find_char(host, '/') < host.len ||
        (!bracketed && gh_str_find_char(host, ':') < host.len))
        return false;
    out->host = gh_arena_dup(arena, host);
    out->port = (uint16_t)port;
    return out->host.ptr != NULL;
}

static bool parse_syslog(struct gh_str rest, struct gh_arena *arena,
                         struct gh_audit_destination *out, const char **out_why)
{
    static const struct gh_str UDP = GH_STR_INIT("udp://"), TCP = GH_STR_INIT("tcp://"),
                               TLS = GH_STR_INIT("tls://");
    *out_why = "write syslog:, syslog:/dev/log, syslog:tls://HOST, syslog:tcp://HOST:PORT or "
               "syslog:udp://HOST:PORT";
    if (!rest.len || rest.ptr[0] == '/') {
        out->place = GH_AUDIT_PLACE_SYSLOG_LOCAL;
        out->path = gh_arena_dup(arena, rest.len ? rest : LOCAL_SYSLOG);
        return out->path.ptr && out->path.len <= SOCKET_PATH_MAX;
    }
    bool udp = gh_str_starts_with(rest, UDP), tls = gh_str_starts_with(rest, TLS);
    if (!udp && !tls && !gh_str_starts_with(rest, TCP))
        return false;
    out->place = udp   ? GH_AUDIT_PLACE_SYSLOG_UDP
                 : tls ? GH_AUDIT_PLACE_SYSLOG_TLS
                       : GH_AUDIT_PLACE_SYSLOG_TCP;
    if (!parse_host(gh_str_skip(rest, UDP.len), tls ? TLS_PORT : 0, arena, out))
        return false;
    out->in_clear = !tls && !is_loopback(out->host);
    return true;
}

/* STREAM or STREAM?maxlen=N */
static bool parse_redis(struct gh_str rest, struct gh_arena *arena,
                        struct gh_audit_destination *out, const char **out_why)
{
    static const struct gh_str LENGTH = GH_STR_INIT("?maxlen=");
    size_t end = gh_str_find(rest, LENGTH);
    *out_why = "write redis:STREAM or redis:STREAM?maxlen=1000000";
    out->place = GH_AUDIT_PLACE_REDIS;
    out->stream = gh_arena_dup(arena, gh_str_first(rest, end));
    out->length_max = STREAM_LENGTH_MAX;
    if (end < rest.len &&
        (!gh_num_parse_u64(gh_str_skip(rest, end + LENGTH.len), INT64_MAX, &out->length_max) ||
         !out->length_max))
        return false;
    return out->stream.len > 0 && out->stream.len <= HOST_BYTES_MAX &&
           !gh_str_starts_with(rest, GH_STR("//"));
}

/* The host of a URL whose scheme is passed over, without user, port and path. */
static struct gh_str url_host(struct gh_str rest)
{
    struct gh_str host = gh_str_first(rest, gh_str_find_char(rest, '/'));
    size_t at = gh_str_find_char(host, '@');
    if (at < host.len)
        host = gh_str_skip(host, at + 1);
    if (host.len && host.ptr[0] == '[')
        return gh_str_first(gh_str_skip(host, 1), gh_str_find_char(gh_str_skip(host, 1), ']'));
    return gh_str_first(host, gh_str_find_char(host, ':'));
}

static bool parse_url(struct gh_str text, size_t scheme_len, struct gh_arena *arena,
                      struct gh_audit_destination *out, const char **out_why)
{
    struct gh_str host = url_host(gh_str_skip(text, scheme_len));
    *out_why = "write https://HOST/PATH";
    out->place = GH_AUDIT_PLACE_WEBHOOK;
    out->url = gh_arena_dup(arena, text);
    out->in_clear = scheme_len == sizeof("http://") - 1 && !is_loopback(host);
    return host.len > 0 && out->url.ptr && gh_str_find_char(text, ' ') == text.len;
}

bool gh_audit_destination_parse(struct gh_str text, struct gh_arena *arena,
                                struct gh_audit_destination *out, const char **out_why)
{
    static const struct gh_str FILE_PREFIX = GH_STR_INIT("file:"), SYSLOG = GH_STR_INIT("syslog:"),
                               REDIS = GH_STR_INIT("redis:"), HTTPS = GH_STR_INIT("https://"),
                               HTTP = GH_STR_INIT("http://");
    *out = (struct gh_audit_destination){.text = text};
    *out_why = "write file:PATH, syslog:, syslog:tls://HOST, syslog:tcp://HOST:PORT, "
               "syslog:udp://HOST:PORT, redis:STREAM or an https URL";
    if (has_controls(text))
        return false;
    if (gh_str_starts_with(text, FILE_PREFIX)) {
        struct gh_str path = gh_str_skip(text, FILE_PREFIX.len);
        out->path = gh_arena_dup(arena, path);
        *out_why = "write file:PATH";
        return path.len > 0 && path.len <= PATH_BYTES_MAX && path.ptr[path.len - 1] != '/' &&
               out->path.ptr;
    }
    if (gh_str_starts_with(text, SYSLOG))
        return parse_syslog(gh_str_skip(text, SYSLOG.len), arena, out, out_why);
    if (gh_str_starts_with(text, REDIS))
        return parse_redis(gh_str_skip(text, REDIS.len), arena, out, out_why);
    if (gh_str_starts_with(text, HTTPS))
        return parse_url(text, HTTPS.len, arena, out, out_why);
    return gh_str_starts_with(text, HTTP) && parse_url(text, HTTP.len, arena, out, out_why);
}

/* ---- Delivering ---- */

static enum gh_err fail(struct gh_arena *arena, const char *what, struct gh_str *out_detail)
{
    int number = errno;
    *out_detail = gh_arena_format(arena, "%s: %s", what, strerror(number));
    return number == ENOSPC || number == EDQUOT ? GH_ERR_FULL : GH_ERR_IO;
}

static bool write_all(int fd, struct gh_str text)
{
    while (text.len) {
        ssize_t written = write(fd, text.ptr, text.len);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return false;
        text = gh_str_skip(text, (size_t)written);
    }
    return true;
}

/* Half a message at the end would make what comes behind it unreadable. */
static enum gh_err append(int fd, const struct gh_str *messages, size_t count,
                          struct gh_arena *arena, struct gh_str *out_detail)
{
    off_t begin = lseek(fd, 0, SEEK_END);
    enum gh_err err = begin < 0 ? fail(arena, "seek", out_detail) : GH_OK;
    for (size_t i = 0; err == GH_OK && i < count; i++)
        if (!write_all(fd, messages[i]))
            err = fail(arena, "write", out_detail);
    if (err == GH_OK && fsync(fd) != 0)
        err = fail(arena, "fsync", out_detail);
    if (err != GH_OK && begin >= 0 && ftruncate(fd, begin) != 0)
        *out_detail =
            gh_arena_format(arena, "%.*s, and half of it may be there", GH_STR_ARG(*out_detail));
    return err;
}

static enum gh_err deliver_file(const struct gh_audit_destination *destination,
                                const struct gh_str *messages, size_t count, struct gh_arena *arena,
                                struct gh_str *out_detail)
{
    /* Where it is a pipe nobody is waited for: it is no place for the log. */
    int fd = open(destination->path.ptr,
                  O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);
    if (fd < 0)
        return fail(arena, "open", out_detail);
    enum gh_err err = append(fd, messages, count, arena, out_detail);
    if (close(fd) != 0 && err == GH_OK)
        err = fail(arena, "close", out_detail);
    return err;
}

static enum gh_err post(const struct gh_audit_destination *destination, struct gh_str message,
                        const atomic_bool *stop, struct gh_arena *arena, struct gh_str *out_detail)
{
    struct gh_http_fetch fetch = {
        .url = destination->url,
        .body = message,
        .bytes_max = WEBHOOK_ANSWER_BYTES,
        .timeout_ms = WEBHOOK_TIMEOUT_MS,
        .stop = stop,
    };
    unsigned status = 0;
    struct gh_str body;
    enum gh_err err = gh_http_fetch(&fetch, arena, &status, &body, out_detail);
    if (err != GH_OK || (status >= 200 && status < 300))
        return err;
    *out_detail = gh_arena_format(arena, "it answered %u", status);
    return GH_ERR_REFUSED;
}

enum gh_err gh_audit_deliver(const struct gh_audit_destination *destination,
                             const struct gh_str *messages, size_t count, const atomic_bool *stop,
                             struct gh_arena *arena, struct gh_str *out_detail)
{
    *out_detail = GH_STR("");
    switch (destination->place) {
    case GH_AUDIT_PLACE_FILE:
        return deliver_file(destination, messages, count, arena, out_detail);
    case GH_AUDIT_PLACE_SYSLOG_LOCAL:
    case GH_AUDIT_PLACE_SYSLOG_UDP:
    case GH_AUDIT_PLACE_SYSLOG_TCP:
    case GH_AUDIT_PLACE_SYSLOG_TLS:
        return gh_audit_syslog_send(destination, messages, count, stop, arena, out_detail);
    case GH_AUDIT_PLACE_REDIS:
        return gh_audit_redis_send(destination, messages, count, stop, arena, out_detail);
    case GH_AUDIT_PLACE_WEBHOOK:
        return count ? post(destination, messages[0], stop, arena, out_detail) : GH_OK;
    }
    return GH_ERR_INVALID;
}
