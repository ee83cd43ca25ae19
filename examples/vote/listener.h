/* The listening socket, made here because the HTTP library knows no Unix sockets. */
#ifndef VOTE_LISTENER_H
#define VOTE_LISTENER_H

#include <stddef.h>

/* `address` is HOST:PORT with a numeric host (IPv6 in brackets; port 0: any) or unix:/PATH. Returns
   a descriptor, or -1 and a message. */
int listener_open(const char *address, char *message, size_t message_size);

/* The address that the socket has, as text of the same form. */
void listener_name(int listener, char *out, size_t size);

#endif
