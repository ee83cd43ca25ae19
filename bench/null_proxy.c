/*
 * A proxy that does nothing: bytes of each client go to one origin connection of its own and back,
 * unread. It is the floor of what proxying costs on this machine: two receives and two sends.
 *
 *     null_proxy PORT ORIGIN_PORT
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS_MAX 65536
#define BUFFER_BYTES    (64 * 1024)

static int peer_of[CONNECTIONS_MAX];

static int tcp_socket(void)
{
    int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    return fd;
}

static void watch(int epoll, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

static struct sockaddr_in loopback(const char *port)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)atoi(port)),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static void accept_one(int listener, int epoll, const struct sockaddr_in *origin)
{
    int client = accept(listener, NULL, NULL);
    int server = tcp_socket();
    if (client < 0 || connect(server, (const struct sockaddr *)origin, sizeof(*origin)) != 0) {
        close(client);
        close(server);
        return;
    }
    int one = 1;
    setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    peer_of[client] = server;
    peer_of[server] = client;
    watch(epoll, client);
    watch(epoll, server);
}

static void pass(int fd)
{
    static char buffer[BUFFER_BYTES];
    int peer = peer_of[fd];
    if (peer == 0)
        return;
    ssize_t n = recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    for (ssize_t sent = 0; n > 0 && sent < n;) {
        ssize_t m = send(peer, buffer + sent, (size_t)(n - sent), MSG_NOSIGNAL);
        if (m < 0)
            n = -1;
        sent += m;
    }
    if (n <= 0) {
        peer_of[fd] = peer_of[peer] = 0;
        close(fd);
        close(peer);
    }
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return 2;
    struct sockaddr_in address = loopback(argv[1]), origin = loopback(argv[2]);
    int listener = tcp_socket();
    if (bind(listener, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(listener, 4096) != 0) {
        perror("null_proxy");
        return 1;
    }
    int epoll = epoll_create1(0);
    struct epoll_event ready[256];
    watch(epoll, listener);
    for (;;) {
        int n = epoll_wait(epoll, ready, 256, -1);
        for (int i = 0; i < n; i++) {
            if (ready[i].data.fd == listener)
                accept_one(listener, epoll, &origin);
            else
                pass(ready[i].data.fd);
        }
    }
}
