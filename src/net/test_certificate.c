/* See test_certificate.h. */
#include "net/test_certificate.h"

#include <dirent.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"

void test_certificates_open(struct test_certificates *certificates)
{
    strcpy(certificates->directory, "/tmp/gh-tls-test-XXXXXX");
    GH_ASSERT(mkdtemp(certificates->directory));
}

void test_certificates_close(struct test_certificates *certificates)
{
    DIR *directory = opendir(certificates->directory);
    GH_ASSERT(directory);
    for (struct dirent *entry; (entry = readdir(directory));)
        if (entry->d_name[0] != '.')
            unlink(test_certificate_path(certificates, entry->d_name));
    closedir(directory);
    rmdir(certificates->directory);
}

const char *test_certificate_path(const struct test_certificates *certificates, const char *file)
{
    static char paths[8][384];
    static unsigned turn;
    char *path = paths[turn++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", certificates->directory, file);
    return path;
}

static void add_extension(X509 *certificate, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, certificate, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    GH_ASSERT(extension && X509_add_ext(certificate, extension, -1) == 1);
    X509_EXTENSION_free(extension);
}

static FILE *create(const struct test_certificates *certificates, const char *name,
                    const char *suffix)
{
    char file[128];
    snprintf(file, sizeof file, "%s.%s", name, suffix);
    FILE *out = fopen(test_certificate_path(certificates, file), "w");
    GH_ASSERT(out);
    return out;
}

static EVP_PKEY *make_key(const char *kind)
{
    if (strcmp(kind, "RSA") == 0)
        return EVP_RSA_gen(2048);
    if (kind[0] == 'E')
        return EVP_PKEY_Q_keygen(NULL, NULL, kind);
    return EVP_EC_gen(kind);
}

/* Takes over `key`. */
static void make(struct test_certificates *certificates, const char *name, const char *alt_names,
                 long from_seconds, long to_seconds, EVP_PKEY *key)
{
    X509 *certificate = X509_new();
    GH_ASSERT(key && certificate);
    X509_set_version(certificate, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), random());
    X509_gmtime_adj(X509_getm_notBefore(certificate), from_seconds);
    X509_gmtime_adj(X509_getm_notAfter(certificate), to_seconds);
    X509_set_pubkey(certificate, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                               (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
    add_extension(certificate, NID_basic_constraints, "CA:TRUE");
    if (alt_names)
        add_extension(certificate, NID_subject_alt_name, alt_names);
    bool has_digest = !EVP_PKEY_is_a(key, "ED25519") && !EVP_PKEY_is_a(key, "ED448");
    GH_ASSERT(X509_sign(certificate, key, has_digest ? EVP_sha256() : NULL) > 0);
    FILE *out = create(certificates, name, "crt");
    PEM_write_X509(out, certificate);
    fclose(out);
    out = create(certificates, name, "key");
    PEM_write_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL);
    fclose(out);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

void test_certificate_make(struct test_certificates *certificates, const char *name,
                           const char *alt_names, long from_seconds, long to_seconds)
{
    make(certificates, name, alt_names, from_seconds, to_seconds, make_key("P-256"));
}

void test_certificate_make_of(struct test_certificates *certificates, const char *name,
                              const char *alt_names, const char *kind)
{
    make(certificates, name, alt_names, -86400, 86400, make_key(kind));
}
