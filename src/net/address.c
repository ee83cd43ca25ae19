/* Addresses to listen on: their text form and their sockets. */
#include "net/stream.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/num.h"

/* Connections that wait for accept; the kernel cuts it at net.core.somaxconn. */
#define BACKLOG        4096
#define PATH_BYTES_MAX (sizeof((struct sockaddr_un *)0)->sun_path - 1)

/* ---- Text ---- */

static bool parse_host(struct gh_str host, struct gh_ip *out_ip)
{
    if (host.len == 0 || gh_str_eq(host, GH_STR("*"))) {
        *out_ip = (struct gh_ip){.family = GH_IP_V4};
        return true;
    }
    if (gh_str_ieq(host, GH_STR("localhost"))) {
        *out_ip = (struct gh_ip){.family = GH_IP_V4, .bytes = {127, 0, 0, 1}};
        return true;
    }
    bool bracketed = host.len > 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']';
    if (bracketed)
        host = gh_str_of(host.ptr + 1, host.len - 2);
    bool has_colon = gh_str_find_char(host, ':') < host.len;
    return bracketed == has_colon && gh_ip_parse(host, out_ip);
}

static bool parse_unix(struct gh_str path, struct gh_arena *arena,
                       struct gh_listen_address *out_address)
{
    if (path.len == 0 || path.len > PATH_BYTES_MAX || gh_str_find_char(path, '\0') < path.len)
        return false;
    struct gh_str copy = gh_arena_dup(arena, path);
    if (!copy.ptr)
        return false;
    *out_address = (struct gh_listen_address){.path = copy.ptr};
    return true;
}

bool gh_listen_address_parse(struct gh_str text, struct gh_arena *arena,
                             struct gh_listen_address *out_address)
{
    struct gh_str scheme = GH_STR("unix:");
    if (gh_str_starts_with(text, scheme))
        return parse_unix(gh_str_skip(text, scheme.len), arena, out_address);
    size_t colon = text.len;
    while (colon > 0 && text.ptr[colon - 1] != ':')
        colon--;
    if (colon == 0)
        return false;
    struct gh_listen_address address = {0};
    uint64_t port;
    if (!gh_num_parse_u64(gh_str_skip(text, colon), UINT16_MAX, &port) ||
        !parse_host(gh_str_first(text, colon - 1), &address.ip))
        return false;
    address.port = (uint16_t)port;
    *out_address = address;
    return true;
}

/* ---- Sockets ---- */

static struct gh_str name_of(const struct gh_listen_address *address, struct gh_arena *arena)
{
    if (address->path)
        return gh_arena_format(arena, "unix:%s", address->path);
    char memory[64];
    struct gh_buf buf = gh_buf_over(memory, sizeof memory);
    bool v6 = address->ip.family == GH_IP_V6;
    gh_buf_put(&buf, v6 ? GH_STR("[") : GH_STR(""));
    gh_ip_write(&buf, &address->ip);
    gh_buf_put(&buf, v6 ? GH_STR("]:") : GH_STR(":"));
    gh_buf_put_u64(&buf, address->port);
    return gh_arena_dup(arena, gh_buf_str(&buf));
}

static struct gh_str explain(const struct gh_listen_address *address, int error,
                             struct gh_arena *arena)
{
    const char *what = strerror(error);
    if (error == EADDRINUSE)
        what = "address in use by another program";
    else if (error == EADDRNOTAVAIL)
        what = "this machine does not have that address";
    else if (error == EACCES && address->path)
        what = "no permission to make a socket in that directory";
    else if (error == EACCES)
        what = "ports below 1024 need root or the capability CAP_NET_BIND_SERVICE";
    else if (error == ENOENT && address->path)
        what = "its directory does not exist";
    else if (error == EEXIST && address->path)
        what = "a file that is no socket has that name";
    struct gh_str name = name_of(address, arena);
    return gh_arena_format(arena, "cannot listen on %.*s: %s", GH_STR_ARG(name), what);
}

static socklen_t sockaddr_unix(const char *path, struct sockaddr_un *out)
{
    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(out->sun_path, path, strnlen(path, PATH_BYTES_MAX));
    return sizeof *out;
}

/* Removes a socket file that no process listens on any more. Returns 0 or an errno. */
static int remove_stale(const char *path)
{
    struct stat status;
    if (lstat(path, &status) != 0)
        return errno == ENOENT ? 0 : errno;
    if (!S_ISSOCK(status.st_mode))
        return EEXIST;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno;
    struct sockaddr_un address;
    socklen_t len = sockaddr_unix(path, &address);
    int refused = connect(fd, (const struct sockaddr *)&address, len) == 0 ? 0 : errno;
    close(fd);
    if (refused != ECONNREFUSED)
        return EADDRINUSE;
    return unlink(path) == 0 ? 0 : errno;
}

static int bind_unix(int fd, const char *path)
{
    int error = remove_stale(path);
    if (error)
        return error;
    struct sockaddr_un address;
    socklen_t len = sockaddr_unix(path, &address);
    return bind(fd, (const struct sockaddr *)&address, len) == 0 ? 0 : errno;
}

static bool set_option(int fd, int level, int name)
{
    int on = 1;
    return setsockopt(fd, level, name, &on, sizeof on) == 0;
}

static int bind_ip(int fd, const struct gh_ip *ip, uint16_t port, bool shared)
{
    /* Accepted sockets inherit TCP_NODELAY. */
    if (!set_option(fd, SOL_SOCKET, SO_REUSEADDR) ||
        (shared && !set_option(fd, SOL_SOCKET, SO_REUSEPORT)) ||
        !set_option(fd, IPPROTO_TCP, TCP_NODELAY))
        return errno;
    if (ip->family == GH_IP_V4) {
        struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
        memcpy(&v4.sin_addr, ip->bytes, 4);
        return bind(fd, (const struct sockaddr *)&v4, sizeof v4) == 0 ? 0 : errno;
    }
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    memcpy(&v6.sin6_addr, ip->bytes, 16);
    if (!set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY))
        return errno;
    return bind(fd, (const struct sockaddr *)&v6, sizeof v6) == 0 ? 0 : errno;
}

enum gh_err gh_listen_socket_open(const struct gh_listen_address *address, struct gh_arena *arena,
                                  int *out_fd, struct gh_str *out_message)
{
    int family = address->path ? AF_UNIX : address->ip.family == GH_IP_V6 ? AF_INET6 : AF_INET;
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int error = fd < 0          ? errno
                : address->path ? bind_unix(fd, address->path)
                                : bind_ip(fd, &address->ip, address->port, true);
    if (!error && listen(fd, BACKLOG) != 0)
        error = errno;
    if (!error) {
        *out_fd = fd;
        return GH_OK;
    }
    if (fd >= 0)
        close(fd);
    *out_message = explain(address, error, arena);
    errno = error;
    return GH_ERR_IO;
}

enum gh_err gh_listen_address_check(const struct gh_listen_address *address, struct gh_arena *arena,
                                    struct gh_str *out_message)
{
    if (address->path)
        return GH_OK;
    int fd =
        socket(address->ip.family == GH_IP_V6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    /* It must not listen: whom it took would be reset. Where another listens bind() says so. */
    int error = fd < 0 ? errno : bind_ip(fd, &address->ip, address->port, false);
    if (fd >= 0)
        close(fd);
    if (!error)
        return GH_OK;
    *out_message = explain(address, error, arena);
    return GH_ERR_IO;
}
