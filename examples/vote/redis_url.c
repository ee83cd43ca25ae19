#include "redis_url.h"

#include <stdlib.h>
#include <string.h>

#define PORT_DEFAULT 6379
#define PORT_MAX     65535
#define DATABASE_MAX 1023

static bool copy(const char *from, size_t bytes, char *out)
{
    if (bytes > REDIS_URL_PART_BYTES_MAX)
        return false;
    memcpy(out, from, bytes);
    out[bytes] = '\0';
    return true;
}

static int hex(char c)
{
    const char *digits = "0123456789abcdef0123456789ABCDEF";
    const char *found = c ? strchr(digits, c) : NULL;
    return found ? (int)(found - digits) % 16 : -1;
}

static bool decode(const char *from, size_t bytes, char *out)
{
    if (bytes > REDIS_URL_PART_BYTES_MAX)
        return false;
    size_t used = 0;
    for (size_t i = 0; i < bytes; i++) {
        char c = from[i];
        if (c == '%') {
            if (bytes - i < 3 || hex(from[i + 1]) < 0 || hex(from[i + 2]) < 0)
                return false;
            c = (char)(hex(from[i + 1]) * 16 + hex(from[i + 2]));
            i += 2;
        }
        if (c == '\0')
            return false;
        out[used++] = c;
    }
    out[used] = '\0';
    return true;
}

static bool read_number(const char *from, size_t bytes, int max, int *out)
{
    int number = 0;
    if (bytes == 0 || bytes > 5)
        return false;
    for (size_t i = 0; i < bytes; i++) {
        if (from[i] < '0' || from[i] > '9')
            return false;
        number = number * 10 + (from[i] - '0');
    }
    if (number > max)
        return false;
    *out = number;
    return true;
}

static bool read_login(const char *from, size_t bytes, struct redis_url *url)
{
    const char *colon = memchr(from, ':', bytes);
    size_t user_bytes = colon ? (size_t)(colon - from) : bytes;
    if (!decode(from, user_bytes, url->user))
        return false;
    return !colon || decode(colon + 1, bytes - user_bytes - 1, url->password);
}

static bool read_server(const char *from, size_t bytes, struct redis_url *url)
{
    const char *end = from + bytes;
    const char *host_end = memchr(from, ':', bytes);
    const char *port = host_end;
    const char *host = from;
    if (bytes > 0 && from[0] == '[') {
        host = from + 1;
        host_end = memchr(from, ']', bytes);
        if (!host_end)
            return false;
        port = host_end + 1 < end ? host_end + 1 : NULL;
        if (port && *port != ':')
            return false;
    }
    if (!host_end)
        host_end = end;
    if (host_end == host || !copy(host, (size_t)(host_end - host), url->host))
        return false;
    return !port ||
           (read_number(port + 1, (size_t)(end - port - 1), PORT_MAX, &url->port) && url->port > 0);
}

static bool read_authority(const char *from, struct redis_url *url)
{
    size_t bytes = strcspn(from, "/?#");
    const char *rest = from + bytes;
    if (*rest == '/' && rest[1] &&
        !read_number(rest + 1, strlen(rest + 1), DATABASE_MAX, &url->database))
        return false;
    if (*rest == '?' || *rest == '#')
        return false;
    const char *at = memrchr(from, '@', bytes);
    if (at && !read_login(from, (size_t)(at - from), url))
        return false;
    const char *server = at ? at + 1 : from;
    return read_server(server, bytes - (size_t)(server - from), url);
}

bool redis_url_parse(const char *text, struct redis_url *out)
{
    struct redis_url url = {.port = PORT_DEFAULT};
    bool good = false;
    if (strncmp(text, "unix:", 5) == 0)
        good = text[5] == '/' && copy(text + 5, strlen(text + 5), url.path);
    else if (strncmp(text, "redis://", 8) == 0)
        good = read_authority(text + 8, &url);
    if (good)
        *out = url;
    return good;
}
