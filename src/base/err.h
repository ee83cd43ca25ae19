/*
 * Failures of the world (kind 3 in CONTRIBUTING.md): memory, files, sockets, peers. Bad input is
 * not among them; parsers and stages have their own verdicts.
 */
#ifndef GH_BASE_ERR_H
#define GH_BASE_ERR_H

#define GH_MUST_USE __attribute__((warn_unused_result))

/* The zero value is success only here, as C readers expect of an error code. */
enum gh_err {
    GH_OK,
    GH_ERR_MEMORY,    /* out of memory, or over the cap of an arena */
    GH_ERR_FULL,      /* a bounded queue, table or buffer has no room */
    GH_ERR_IO,        /* file or socket operation failed; errno says why */
    GH_ERR_REFUSED,   /* the peer refused the connection */
    GH_ERR_TIMEOUT,   /* a deadline passed */
    GH_ERR_CLOSED,    /* the peer closed, or the object is closing */
    GH_ERR_TLS,       /* handshake, certificate or record failure */
    GH_ERR_NOT_FOUND, /* no such file, name or object */
    GH_ERR_INVALID,   /* settings or data that can't be worked with */
    GH_ERR_EXISTS,    /* there is one already */
    GH_ERR_DENIED,    /* rights, or a sandbox, are in the way */
    GH_ERR_THREAD,    /* no thread could be started */
};

/* A short English text for logs, never NULL. */
const char *gh_err_text(enum gh_err err);

#endif
