/* Certificates: loading a pair with messages that help, and the names a certificate covers. */
#include "net/tls_state.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"

/* Of a key's file that is read at a time. */
#define KEY_BUFFER_BYTES 4096

const char *gh_tls_last_error(void)
{
    unsigned long code = ERR_peek_last_error();
    const char *reason = code ? ERR_reason_error_string(code) : NULL;
    ERR_clear_error();
    return reason ? reason : "unknown reason";
}

static FILE *open_file(const char *path, struct gh_arena *arena, struct gh_str *out_message)
{
    FILE *file = fopen(path, "re");
    if (file)
        return file;
    if (errno == ENOENT)
        *out_message = gh_arena_format(arena, "%s: no such file", path);
    else if (errno == EACCES)
        *out_message = gh_arena_format(
            arena, "%s: permission denied; user id %u must be able to read it", path, geteuid());
    else
        *out_message = gh_arena_format(arena, "%s: %s", path, strerror(errno));
    return NULL;
}

static bool is_valid_now(X509 *certificate, const char *path, struct gh_arena *arena,
                         struct gh_str *out_message)
{
    bool early = X509_cmp_current_time(X509_get0_notBefore(certificate)) >= 0;
    bool late = X509_cmp_current_time(X509_get0_notAfter(certificate)) <= 0;
    if (!early && !late)
        return true;
    struct tm when = {0};
    ASN1_TIME_to_tm(early ? X509_get0_notBefore(certificate) : X509_get0_notAfter(certificate),
                    &when);
    char date[32] = "?";
    strftime(date, sizeof date, "%Y-%m-%d %H:%M:%S UTC", &when);
    *out_message = gh_arena_format(arena, "%s: the certificate %s %s", path,
                                   early ? "is not valid before" : "expired on", date);
    return false;
}

static bool read_leaf(struct gh_tls_credential *credential, FILE *file, const char *path,
                      struct gh_arena *arena, struct gh_str *out_message)
{
    credential->leaf = PEM_read_X509_AUX(file, NULL, NULL, NULL);
    if (credential->leaf)
        return is_valid_now(credential->leaf, path, arena, out_message);
    *out_message = gh_arena_format(arena, "%s: no PEM certificate in it", path);
    return false;
}

static bool read_chain(struct gh_tls_credential *credential, FILE *file, const char *path,
                       struct gh_arena *arena, struct gh_str *out_message)
{
    for (int count = 0; count < GH_TLS_CHAIN_MAX; count++) {
        X509 *next = PEM_read_X509(file, NULL, NULL, NULL);
        if (!next) {
            bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
            ERR_clear_error();
            if (!at_end)
                *out_message =
                    gh_arena_format(arena, "%s: certificate %d of it is damaged", path, count + 2);
            return at_end;
        }
        credential->chain[credential->chain_count++] = next;
    }
    *out_message =
        gh_arena_format(arena, "%s: more than %d certificates in it", path, GH_TLS_CHAIN_MAX);
    return false;
}

static bool read_certificates(struct gh_tls_credential *credential, const char *path,
                              struct gh_arena *arena, struct gh_str *out_message)
{
    FILE *file = open_file(path, arena, out_message);
    if (!file)
        return false;
    bool read = read_leaf(credential, file, path, arena, out_message) &&
                read_chain(credential, file, path, arena, out_message);
    fclose(file);
    return read;
}

/* Instead of OpenSSL's question on the terminal. Notes that there was one. */
static int refuse_passphrase(char *out, int size, int writing, void *asked)
{
    (void)out, (void)size, (void)writing;
    *(bool *)asked = true;
    return -1;
}

static bool key_fits(const struct gh_tls_credential *credential, const struct gh_tls_pair *pair,
                     struct gh_arena *arena, struct gh_str *out_message)
{
    if (X509_check_private_key(credential->leaf, credential->key) != 1)
        *out_message = gh_arena_format(arena, "the key %s does not belong to certificate %s",
                                       pair->key_path, pair->certificate_path);
    else if (gh_tls_key_kind_of(credential->key) == GH_TLS_KEY_NONE)
        *out_message = gh_arena_format(
            arena,
            "%s: not a kind of key that is used here: RSA up to %d bits, P-256, P-384, "
            "P-521, Ed25519 or Ed448",
            pair->key_path, GH_TLS_RSA_BITS_MAX);
    else
        return true;
    return false;
}

/* A file is read through a buffer of ours, which is wiped: stdio's would keep the key's text. */
static bool read_key(struct gh_tls_credential *credential, const struct gh_tls_pair *pair,
                     struct gh_arena *arena, struct gh_str *out_message)
{
    char buffer[KEY_BUFFER_BYTES];
    FILE *file = open_file(pair->key_path, arena, out_message);
    if (!file)
        return false;
    setvbuf(file, buffer, _IOFBF, sizeof buffer);
    bool asked = false;
    credential->key = PEM_read_PrivateKey(file, NULL, refuse_passphrase, &asked);
    fclose(file);
    OPENSSL_cleanse(buffer, sizeof buffer);
    if (credential->key)
        return key_fits(credential, pair, arena, out_message);
    *out_message = gh_arena_format(arena, "%s: %s", pair->key_path,
                                   asked ? "the key is encrypted; give it without passphrase"
                                         : "no PEM private key in it");
    return false;
}

enum gh_err gh_tls_credential_read(const struct gh_tls_pair *pair, struct gh_arena *arena,
                                   struct gh_tls_credential *out_credential,
                                   struct gh_str *out_message)
{
    struct gh_tls_credential credential = {0};
    ERR_clear_error();
    bool read = read_certificates(&credential, pair->certificate_path, arena, out_message) &&
                read_key(&credential, pair, arena, out_message);
    ERR_clear_error();
    if (!read) {
        gh_tls_credential_done(&credential);
        return GH_ERR_INVALID;
    }
    *out_credential = credential;
    return GH_OK;
}

void gh_tls_credential_done(struct gh_tls_credential *credential)
{
    X509_free(credential->leaf);
    for (size_t i = 0; i < credential->chain_count; i++)
        X509_free(credential->chain[i]);
    EVP_PKEY_free(credential->key);
    *credential = (struct gh_tls_credential){0};
}

enum gh_tls_key_kind gh_tls_key_kind_of(const EVP_PKEY *key)
{
    static const struct {
        const char *name;
        enum gh_tls_key_kind kind;
    } CURVES[] = {
        {"prime256v1", GH_TLS_KEY_P256},
        {"secp384r1", GH_TLS_KEY_P384},
        {"secp521r1", GH_TLS_KEY_P521},
    };
    char group[32] = "";
    if (EVP_PKEY_is_a(key, "RSA"))
        return EVP_PKEY_get_bits(key) <= GH_TLS_RSA_BITS_MAX ? GH_TLS_KEY_RSA : GH_TLS_KEY_NONE;
    if (EVP_PKEY_is_a(key, "ED25519"))
        return GH_TLS_KEY_ED25519;
    if (EVP_PKEY_is_a(key, "ED448"))
        return GH_TLS_KEY_ED448;
    if (!EVP_PKEY_is_a(key, "EC") ||
        EVP_PKEY_get_group_name(key, group, sizeof group, &(size_t){0}) != 1)
        return GH_TLS_KEY_NONE;
    for (size_t i = 0; i < sizeof CURVES / sizeof CURVES[0]; i++)
        if (strcmp(group, CURVES[i].name) == 0)
            return CURVES[i].kind;
    return GH_TLS_KEY_NONE;
}

/* ---- Contexts ---- */

static bool use_certificates(SSL_CTX *context, const struct gh_tls_credential *credential)
{
    bool used = SSL_CTX_use_certificate(context, credential->leaf) == 1;
    for (size_t i = 0; i < credential->chain_count && used; i++)
        used = SSL_CTX_add1_chain_cert(context, credential->chain[i]) == 1;
    return used;
}

enum gh_err gh_tls_credential_use(const struct gh_tls_credential *credential,
                                  const struct gh_tls_pair *pair, OSSL_LIB_CTX *library,
                                  struct gh_arena *arena, SSL_CTX **out_context,
                                  struct gh_str *out_message)
{
    ERR_clear_error();
    SSL_CTX *context = SSL_CTX_new_ex(library, NULL, TLS_server_method());
    const char *path = NULL;
    if (!context || !gh_tls_context_harden(context) ||
        SSL_CTX_set1_sigalgs_list(context, GH_TLS_SIGNATURES) != 1)
        path = "OpenSSL";
    else if (!use_certificates(context, credential))
        path = pair->certificate_path;
    else if (SSL_CTX_use_PrivateKey(context, credential->key) != 1)
        path = pair->key_path;
    if (!path) {
        *out_context = context;
        return GH_OK;
    }
    *out_message = gh_arena_format(arena, "%s: %s", path, gh_tls_last_error());
    SSL_CTX_free(context);
    return GH_ERR_INVALID;
}

/* ---- Names ---- */

static bool add_dns(struct gh_tls_names *names, const ASN1_IA5STRING *text)
{
    size_t len = (size_t)ASN1_STRING_length(text);
    const unsigned char *from = ASN1_STRING_get0_data(text);
    char *name = malloc(len + 1);
    if (!name)
        return false;
    for (size_t i = 0; i < len; i++)
        name[i] = gh_ascii_lower((char)from[i]);
    names->dns[names->dns_count++] = gh_str_of(name, len);
    return true;
}

static void add_ip(struct gh_tls_names *names, const ASN1_OCTET_STRING *bytes)
{
    int len = ASN1_STRING_length(bytes);
    if (len != 4 && len != 16)
        return;
    struct gh_ip *ip = &names->ips[names->ip_count++];
    *ip = (struct gh_ip){.family = len == 4 ? GH_IP_V4 : GH_IP_V6};
    memcpy(ip->bytes, ASN1_STRING_get0_data(bytes), (size_t)len);
}

enum gh_err gh_tls_names_read(X509 *certificate, struct gh_tls_names *out_names)
{
    GENERAL_NAMES *list = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    int count = list ? sk_GENERAL_NAME_num(list) : 0;
    struct gh_tls_names names = {0};
    names.dns = calloc((size_t)count + 1, sizeof *names.dns);
    names.ips = calloc((size_t)count + 1, sizeof *names.ips);
    bool complete = names.dns && names.ips;
    for (int i = 0; i < count && complete; i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(list, i);
        if (name->type == GEN_DNS)
            complete = add_dns(&names, name->d.dNSName);
        else if (name->type == GEN_IPADD)
            add_ip(&names, name->d.iPAddress);
    }
    GENERAL_NAMES_free(list);
    if (!complete) {
        gh_tls_names_free(&names);
        return GH_ERR_MEMORY;
    }
    *out_names = names;
    return GH_OK;
}

void gh_tls_names_free(struct gh_tls_names *names)
{
    for (size_t i = 0; i < names->dns_count; i++)
        free((char *)(uintptr_t)names->dns[i].ptr);
    free(names->dns);
    free(names->ips);
    *names = (struct gh_tls_names){0};
}

/* RFC 9525 section 6.3: a wildcard stands for the whole leftmost label and for one label only. */
static bool dns_covers(struct gh_str pattern, struct gh_str host)
{
    if (!gh_str_starts_with(pattern, GH_STR("*.")))
        return gh_str_ieq(pattern, host);
    size_t dot = gh_str_find_char(host, '.');
    return dot > 0 && dot < host.len && gh_str_ieq(gh_str_skip(pattern, 1), gh_str_skip(host, dot));
}

static bool ips_cover(const struct gh_tls_names *names, const struct gh_ip *ip)
{
    for (size_t i = 0; i < names->ip_count; i++)
        if (gh_ip_eq(&names->ips[i], ip))
            return true;
    return false;
}

bool gh_tls_names_cover(const struct gh_tls_names *names, struct gh_str host)
{
    struct gh_str bare = host;
    if (host.len > 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']')
        bare = gh_str_of(host.ptr + 1, host.len - 2);
    struct gh_ip ip;
    if (gh_ip_parse(bare, &ip))
        return ips_cover(names, &ip);
    for (size_t i = 0; i < names->dns_count; i++)
        if (dns_covers(names->dns[i], host))
            return true;
    return false;
}
