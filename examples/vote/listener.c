#include "listener.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG        1024
#define HOST_BYTES_MAX 63

static int bind_and_listen(const struct sockaddr *address, socklen_t bytes, char *message,
                           size_t message_size)
{
    int listener = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int yes = 1;
    if (listener >= 0)
        setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    if (listener < 0 || bind(listener, address, bytes) != 0 || listen(listener, BACKLOG) != 0) {
        snprintf(message, message_size, "LISTEN: %s", strerror(errno));
        if (listener >= 0)
            close(listener);
        return -1;
    }
    return listener;
}

static int open_unix(const char *path, char *message, size_t message_size)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (path[0] != '/' || strlen(path) >= sizeof(address.sun_path)) {
        snprintf(message, message_size, "LISTEN: not the absolute path of a socket");
        return -1;
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    struct stat left;
    if (lstat(path, &left) == 0 && S_ISSOCK(left.st_mode))
        unlink(path); /* by one that was killed; a file of another kind makes bind fail */
    return bind_and_listen((struct sockaddr *)&address, sizeof(address), message, message_size);
}

/* Splits HOST:PORT; false when it is none. */
static bool split(const char *text, char *host, const char **out_port)
{
    const char *colon = strrchr(text, ':');
    if (!colon || !colon[1])
        return false;
    size_t bytes = (size_t)(colon - text);
    if (bytes >= 2 && text[0] == '[' && text[bytes - 1] == ']')
        text++, bytes -= 2;
    if (bytes == 0 || bytes > HOST_BYTES_MAX)
        return false;
    memcpy(host, text, bytes);
    host[bytes] = '\0';
    *out_port = colon + 1;
    return true;
}

int listener_open(const char *address, char *message, size_t message_size)
{
    if (strncmp(address, "unix:", 5) == 0)
        return open_unix(address + 5, message, message_size);
    char host[HOST_BYTES_MAX + 1];
    const char *port;
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
                             .ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    if (!split(address, host, &port) || getaddrinfo(host, port, &hints, &found) != 0) {
        snprintf(message, message_size, "LISTEN is neither ADDRESS:PORT nor unix:/PATH");
        return -1;
    }
    int listener = bind_and_listen(found->ai_addr, found->ai_addrlen, message, message_size);
    freeaddrinfo(found);
    return listener;
}

void listener_name(int listener, char *out, size_t size)
{
    struct sockaddr_storage address;
    socklen_t bytes = sizeof(address);
    char host[HOST_BYTES_MAX + 1], port[16];
    snprintf(out, size, "a Unix socket");
    if (getsockname(listener, (struct sockaddr *)&address, &bytes) != 0 ||
        address.ss_family == AF_UNIX ||
        getnameinfo((struct sockaddr *)&address, bytes, host, sizeof(host), port, sizeof(port),
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return;
    snprintf(out, size, address.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
}
