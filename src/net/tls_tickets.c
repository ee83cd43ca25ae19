/*
 * Keys of TLS session tickets (RFC 5077 section 4, RFC 8446 section 4.6.1): made at random, changed
 * every four hours, the previous ones still read for as long as a session lives. They lie in
 * locked memory, in no dump, and are never written anywhere. Who reads them from memory can open
 * recorded TLS 1.2 connections that got a ticket in at most eight hours, whose secret it holds, and
 * answer in our place to clients that come back with one; docs/threat-model.md has it.
 */
#include "net/tls_state.h"

#include <openssl/core_names.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "crypto/hash.h"
#include "crypto/secret.h"
#include "net/clock.h"
#include "net/tls_keys_state.h"

#define KEY_NAME_BYTES 16
#define KEYS           2 /* present, previous */
#define KEY_LIFE_US    (UINT64_C(4) * 3600 * 1000000)

struct ticket_key {
    unsigned char name[KEY_NAME_BYTES];
    unsigned char cipher[32], mac[32];
};

struct gh_tls_tickets {
    atomic_uint references;
    struct gh_tls_keys *library; /* of whose OpenSSL `cipher` is; NULL: the default one */
    EVP_CIPHER *cipher;
    pthread_mutex_t lock;
    uint64_t made_us;
    struct ticket_key *keys; /* KEYS of them, as a secret */
};

/* NULL: the default one. */
static OSSL_LIB_CTX *library_of(const struct gh_tls_tickets *tickets)
{
    return tickets->library ? gh_tls_keys_library(tickets->library) : NULL;
}

static bool make_key(struct gh_tls_tickets *tickets, struct ticket_key *key)
{
    OSSL_LIB_CTX *library = library_of(tickets);
    return RAND_bytes_ex(library, key->name, sizeof key->name, 0) == 1 &&
           RAND_priv_bytes_ex(library, key->cipher, sizeof key->cipher, 0) == 1 &&
           RAND_priv_bytes_ex(library, key->mac, sizeof key->mac, 0) == 1;
}

static void close_parts(struct gh_tls_tickets *tickets)
{
    EVP_CIPHER_free(tickets->cipher);
    gh_tls_keys_unref(tickets->library); /* after what is of it */
    gh_secret_free(tickets->keys);
    free(tickets);
}

struct gh_tls_tickets *gh_tls_tickets_open(struct gh_tls_keys *library)
{
    struct gh_tls_tickets *tickets = calloc(1, sizeof *tickets);
    if (!tickets)
        return NULL;
    gh_crypto_init();
    tickets->library = library ? gh_tls_keys_ref(library) : NULL;
    tickets->cipher = EVP_CIPHER_fetch(library_of(tickets), "AES-256-CBC", NULL);
    tickets->keys = gh_secret_alloc(KEYS * sizeof *tickets->keys);
    if (!tickets->cipher || !tickets->keys || !make_key(tickets, &tickets->keys[0]) ||
        !make_key(tickets, &tickets->keys[1])) {
        close_parts(tickets);
        return NULL;
    }
    atomic_init(&tickets->references, 1);
    pthread_mutex_init(&tickets->lock, NULL);
    tickets->made_us = gh_clock_monotonic_us();
    return tickets;
}

struct gh_tls_tickets *gh_tls_tickets_ref(struct gh_tls_tickets *tickets)
{
    atomic_fetch_add(&tickets->references, 1);
    return tickets;
}

void gh_tls_tickets_unref(struct gh_tls_tickets *tickets)
{
    if (!tickets || atomic_fetch_sub(&tickets->references, 1) != 1)
        return;
    pthread_mutex_destroy(&tickets->lock);
    close_parts(tickets);
}

/* Under the lock. A key that could not be made leaves the old one in use. */
static void rotate(struct gh_tls_tickets *tickets)
{
    uint64_t age_us = gh_clock_monotonic_us() - tickets->made_us;
    struct ticket_key fresh;
    if (age_us < KEY_LIFE_US)
        return;
    if (make_key(tickets, &fresh)) {
        tickets->keys[1] = tickets->keys[0];
        tickets->keys[0] = fresh;
        /* After a long silence the key just retired is itself too old. */
        if (age_us >= 2 * KEY_LIFE_US && make_key(tickets, &fresh))
            tickets->keys[1] = fresh;
        tickets->made_us += age_us;
    }
    OPENSSL_cleanse(&fresh, sizeof fresh);
}

/* Copies the key to use; its index, or -1 when `name` is of none. */
static int choose_key(struct gh_tls_tickets *tickets, const unsigned char *name, bool encrypt,
                      struct ticket_key *out_key)
{
    int found = -1;
    pthread_mutex_lock(&tickets->lock);
    rotate(tickets);
    for (int i = 0; i < KEYS && found < 0; i++)
        if (encrypt || memcmp(tickets->keys[i].name, name, KEY_NAME_BYTES) == 0)
            found = i;
    if (found >= 0)
        *out_key = tickets->keys[found];
    pthread_mutex_unlock(&tickets->lock);
    return found;
}

static bool set_mac_key(EVP_MAC_CTX *mac, struct ticket_key *key)
{
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key->mac, sizeof key->mac),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    return EVP_MAC_CTX_set_params(mac, params) == 1;
}

int gh_tls_tickets_use(struct gh_tls_tickets *tickets, SSL *ssl, unsigned char *key_name,
                       unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, bool encrypt)
{
    struct ticket_key key;
    int index = choose_key(tickets, key_name, encrypt, &key);
    if (index < 0)
        return 0; /* unknown ticket: a full handshake */
    bool ready = set_mac_key(mac, &key);
    if (encrypt) {
        memcpy(key_name, key.name, KEY_NAME_BYTES);
        ready = ready &&
                RAND_bytes_ex(library_of(tickets), iv, EVP_CIPHER_get_iv_length(tickets->cipher),
                              0) == 1 &&
                EVP_EncryptInit_ex2(cipher, tickets->cipher, key.cipher, iv, NULL) == 1;
    } else {
        ready = ready && EVP_DecryptInit_ex2(cipher, tickets->cipher, key.cipher, iv, NULL) == 1;
    }
    OPENSSL_cleanse(&key, sizeof key);
    if (!ready)
        return -1;
    /* 2: and give the client a new ticket. TLS 1.3 tickets are used once (RFC 8446 C.4). */
    return !encrypt && (index == 1 || SSL_version(ssl) >= TLS1_3_VERSION) ? 2 : 1;
}
