/*
 * What is said between the process that reads the network and the one that keeps the private keys
 * of TLS: the messages, and what may be signed at all. No I/O, no OpenSSL. Private to net.
 *
 * Both sides run the same program on one machine, so numbers are in its byte order. Each message is
 * one packet of a SOCK_SEQPACKET socket, and each side takes the other's for a stranger's: whatever
 * does not hold exactly is refused.
 */
#ifndef GH_NET_TLS_KEYS_WIRE_H
#define GH_NET_TLS_KEYS_WIRE_H

#include "base/str.h"

/* ---- What is signed ---- */

/* Of a key, as far as TLS's names of signatures tell them apart. */
enum gh_tls_key_kind {
    GH_TLS_KEY_NONE, /* one that we don't use */
    GH_TLS_KEY_RSA,
    GH_TLS_KEY_P256,
    GH_TLS_KEY_P384,
    GH_TLS_KEY_P521,
    GH_TLS_KEY_ED25519,
    GH_TLS_KEY_ED448,
};
#define GH_TLS_RSA_BITS_MAX 8192

/* A SignatureScheme (RFC 8446 section 4.2.3) that we use. */
struct gh_tls_scheme {
    uint16_t code;
    enum gh_tls_key_kind kind; /* of TLS 1.3; TLS 1.2 takes any curve of ECDSA */
    const char *digest;        /* as OpenSSL calls it; NULL: the key's own */
    bool is_pss;
    bool is_of_tls13;
};
/* NULL: none that we use. */
const struct gh_tls_scheme *gh_tls_scheme_find(uint16_t code);
/* The one of a key, a digest (may be NULL) and a padding; NULL: none. */
const struct gh_tls_scheme *gh_tls_scheme_for(enum gh_tls_key_kind kind, const char *digest,
                                              bool is_pss);

/* The longest of TLS 1.2: two randoms and the parameters of P-521. */
#define GH_TLS_TO_SIGN_BYTES_MAX 201

enum gh_tls_shape {
    GH_TLS_SHAPE_NONE,               /* nothing that a server of TLS signs */
    GH_TLS_SHAPE_KEY_EXCHANGE,       /* TLS 1.2: ServerKeyExchange (RFC 8422 section 5.4) */
    GH_TLS_SHAPE_CERTIFICATE_VERIFY, /* TLS 1.3: CertificateVerify (RFC 8446 section 4.4.3) */
};
/* TLS 1.2's begins with 64 bytes that the client and we have chosen at random: there its shape is
   that of what follows, a named curve and a point of just its length. */
enum gh_tls_shape gh_tls_shape_of(struct gh_str to_sign);
/* Whether a server of TLS with a key of `kind` signs such bytes by `scheme`. */
bool gh_tls_may_sign(enum gh_tls_key_kind kind, const struct gh_tls_scheme *scheme,
                     struct gh_str to_sign);

/* ---- Signing: one request and one answer at a time on a channel ---- */

/* A key in the other process. The number is new for each, so that one that was let go is never
   taken for the next in its place. */
struct gh_tls_key_id {
    uint32_t slot, number;
};

struct gh_tls_sign_request {
    uint32_t sequence; /* given back in the answer */
    struct gh_tls_key_id key;
    uint16_t scheme;
    uint16_t len;
    char to_sign[GH_TLS_TO_SIGN_BYTES_MAX + 3];
};

#define GH_TLS_SIGNATURE_BYTES_MAX (GH_TLS_RSA_BITS_MAX / 8)

struct gh_tls_sign_answer {
    uint32_t sequence;
    uint32_t len; /* 0: refused */
    char signature[GH_TLS_SIGNATURE_BYTES_MAX];
};
#define GH_TLS_SIGN_ANSWER_HEAD_BYTES 8

/* `bytes` is a whole packet. False: it is no such message. */
bool gh_tls_sign_request_read(struct gh_str bytes, struct gh_tls_sign_request *out_request);
bool gh_tls_sign_answer_read(struct gh_str bytes, struct gh_tls_sign_answer *out_answer);
/* How many bytes of an answer are sent. */
static inline size_t gh_tls_sign_answer_bytes(const struct gh_tls_sign_answer *answer)
{
    return GH_TLS_SIGN_ANSWER_HEAD_BYTES + answer->len;
}

/* ---- The control channel ---- */

enum gh_tls_control_kind {
    GH_TLS_CONTROL_NONE,
    GH_TLS_CONTROL_LOAD, /* read a pair; answered */
    GH_TLS_CONTROL_SEAL, /* the start is over, give up all rights; answered */
    GH_TLS_CONTROL_DROP, /* forget a key; not answered */
};

#define GH_TLS_PATH_BYTES_MAX 4096

struct gh_tls_control_head {
    uint32_t kind;                     /* enum gh_tls_control_kind */
    struct gh_tls_key_id key;          /* DROP; else 0 */
    uint32_t certificate_len, key_len; /* LOAD: of the paths behind the head, without NUL; else 0 */
};
#define GH_TLS_CONTROL_BYTES_MAX                                                                   \
    (sizeof(struct gh_tls_control_head) + 2 * (GH_TLS_PATH_BYTES_MAX - 1))

struct gh_tls_control {
    enum gh_tls_control_kind kind;
    struct gh_tls_key_id key;
    struct gh_str certificate_path, key_path; /* in the packet; without NUL inside */
};
bool gh_tls_control_read(struct gh_str bytes, struct gh_tls_control *out_control);

/* Leaf and chain in DER, one after the other; or why there are none. */
#define GH_TLS_CONTROL_BODY_BYTES_MAX (512u * 1024)
/* A packet of the body. */
#define GH_TLS_CONTROL_PIECE_BYTES_MAX (16u * 1024)

/* The answer to LOAD and SEAL: this, then packets that add up to its body. */
struct gh_tls_control_answer {
    uint32_t done; /* 1: the body is certificates (of LOAD); 0: it says what is wrong */
    struct gh_tls_key_id key;
    uint32_t body_len;
};
bool gh_tls_control_answer_read(struct gh_str bytes, struct gh_tls_control_answer *out_answer);

#endif
